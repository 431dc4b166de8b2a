-- What is queued when something was read elsewhere, or deleted.

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
    if not exists (
        select from parley.push_device as d
        where d.user_id = queue_read_pushes.user_id and d.dropped_at is null
    ) and not exists (
        select from parley.push_device as d
        where d.user_id is null and d.provider = 'webhook'
    ) then
        return;
    end if;
    -- the last ones: what was before was read before
    select
        array_agg(r.id) filter (where r.state = 'queued'),
        array_agg(distinct r.device_id) filter (where r.state in ('leased', 'retrying', 'sent'))
    into v_recent, v_shown
    from (
        select j.id, j.state, j.device_id
        from parley.push_job as j
        where j.user_id = queue_read_pushes.user_id
            and j.conversation_id = queue_read_pushes.conversation_id
            and j.last_seq <= queue_read_pushes.last_read_seq
            and j.kind = 'message'
            and j.device_id is not null
        order by j.user_id, j.conversation_id, j.last_seq desc
        limit 100
    ) as r;
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

create or replace function parley.queue_deleted_pushes(conversation_id uuid, message_id uuid, seq bigint)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v_now constant timestamptz := clock_timestamp();
    v_tenant_id constant uuid := parley.push_tenant(queue_deleted_pushes.conversation_id);
    v_shown record;
begin
    for v_shown in
        select j.user_id, d.device
        from parley.participant as p
        cross join lateral (
            select q.user_id, q.device_id
            from parley.push_job as q
            where q.user_id = p.user_id
                and q.conversation_id = queue_deleted_pushes.conversation_id
                and q.last_seq = queue_deleted_pushes.seq
                and q.message_id = queue_deleted_pushes.message_id
                and q.kind = 'message'
                and q.state in ('leased', 'retrying', 'sent')
            offset 0
        ) as j
        cross join lateral (
            select o as device
            from parley.push_devices_of(j.user_id) as o
            where o.id = j.device_id and o.provider <> 'webpush'
        ) as d
        where p.conversation_id = queue_deleted_pushes.conversation_id and p.left_at is null
    loop
        -- where something newer is shown it stands in its place
        perform parley.queue_push(
            v_shown.device, v_tenant_id, v_shown.user_id, 'clear', 'quiet',
            'clear:' || queue_deleted_pushes.conversation_id, queue_deleted_pushes.conversation_id, null,
            queue_deleted_pushes.seq, v_now, v_now + interval '1 hour'
        );
        perform parley.queue_badge_pushes(v_shown.user_id, v_tenant_id);
    end loop;
end;
$$;
comment on function parley.queue_deleted_pushes is
'After a message was deleted for everyone, or has expired: takes it back where it was the last that was shown, and has the icons of those who were told of it show the new number.';
