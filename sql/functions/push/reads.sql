-- What is queued when something was read elsewhere.

create or replace function parley.queue_read_pushes(user_id uuid, conversation_id uuid, last_read_seq bigint)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
set enable_sort = off
as $$
#variable_conflict use_column
declare
    v_now constant timestamptz := clock_timestamp();
    v_recent uuid[];
    v_shown uuid[];
    v_tenant_id constant uuid := parley.push_tenant(queue_read_pushes.conversation_id);
    v_device parley.push_device;
begin
    -- the last ones: what was before was read before
    select
        array_agg(r.id) filter (where r.state = 'queued'),
        array_agg(distinct r.device_id) filter (where r.state in ('leased', 'retrying', 'sent'))
    into v_recent, v_shown
    from (
        select j.id, j.state, j.device_id, j.kind
        from parley.push_job as j
        where j.user_id = queue_read_pushes.user_id
            and j.conversation_id = queue_read_pushes.conversation_id
            and j.last_seq <= queue_read_pushes.last_read_seq
        order by j.user_id, j.conversation_id, j.last_seq desc
        limit 100
    ) as r
    where r.kind = 'message';
    update parley.push_job as j
    set state = 'cancelled', reason = 'read', settled_at = v_now
    where j.id = any (v_recent) and j.state = 'queued' and j.last_seq <= queue_read_pushes.last_read_seq;
    for v_device in
        select d.* from parley.push_devices_of(queue_read_pushes.user_id) as d
        where d.provider <> 'webpush' and d.kind <> 'voip'
    loop
        -- a little later, for somebody reads on
        if v_device.id = any (v_shown) then
            perform parley.queue_push(
                v_device, v_tenant_id, queue_read_pushes.user_id, 'clear', 'quiet',
                'clear:' || queue_read_pushes.conversation_id, queue_read_pushes.conversation_id, null,
                queue_read_pushes.last_read_seq, v_now + interval '2 seconds', v_now + interval '10 minutes'
            );
        end if;
    end loop;
    perform parley.queue_badge_pushes(queue_read_pushes.user_id, v_tenant_id);
end;
$$;
comment on function parley.queue_read_pushes is
'After somebody read: ends what waits to tell of it, takes back what was shown elsewhere, and has icons show the new number.';
