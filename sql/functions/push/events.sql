-- What is queued when something was read elsewhere, and for calls.

create or replace function parley.catch_up_push()
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_epoch constant text := parley.log_epoch();
    v_reason text;
begin
    select case
        when c.max_id < s.purged_id then 'the log was purged before it was read'
        -- a failover, another timeline, changes nothing: the cursor came with the rows
        when split_part(c.epoch, '/', 1) <> split_part(v_epoch, '/', 1)
            or split_part(c.epoch, '/', 3) <> split_part(v_epoch, '/', 3)
            then 'another epoch of the log began'
    end
    into v_reason
    from parley.consumer as c
    cross join parley.log_state as s
    where c.name = 'push';
    if v_reason is null then
        return;
    end if;
    perform parley.adopt_log();
    update parley.consumer as c
    set snapshot = parley.cursor_snapshot(), max_id = parley.log_end(), epoch = v_epoch, updated_at = clock_timestamp()
    where c.name = 'push';
    update parley.push_state as s
    set resets = s.resets + 1, reset_at = clock_timestamp(), reset_reason = v_reason;
    raise warning 'push begins anew at the end of the log: %', v_reason;
end;
$$;
comment on function parley.catch_up_push is
'Has push go on from the end of the log where what it would read is gone, or was sent by an older copy of this database; notes it in push_state.';

create or replace function parley.queue_push(
    device parley.push_device, tenant_id uuid, user_id uuid, kind text, lane text, collapse_key text,
    conversation_id uuid, call_id uuid, last_seq bigint, due_at timestamptz, expires_at timestamptz
)
returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    insert into parley.push_job as j (
        id, tenant_id, user_id, device_id, conversation_id, call_id, first_seq, last_seq, due_at, expires_at,
        is_sealed, provider, route, lane, kind, state, collapse_key
    )
    values (
        parley.uuid_v7(), queue_push.tenant_id, queue_push.user_id, device.id, queue_push.conversation_id,
        queue_push.call_id, queue_push.last_seq, queue_push.last_seq, queue_push.due_at, queue_push.expires_at,
        device.token_sealed is not null, device.provider, device.route, queue_push.lane, queue_push.kind, 'queued',
        queue_push.collapse_key
    )
    on conflict (device_id, user_id, collapse_key) where state = 'queued' do update
    set last_seq = greatest(j.last_seq, excluded.last_seq), expires_at = greatest(j.expires_at, excluded.expires_at)
$$;
comment on function parley.queue_push is 'Queues one job of a kind other than message; one of its group that waits stands for it.';

create or replace function parley.queue_badge_pushes(user_id uuid, tenant_id uuid)
returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    -- a little later, for somebody reads on; only where a number has been shown
    select parley.queue_push(
        d, queue_badge_pushes.tenant_id, queue_badge_pushes.user_id, 'badge', 'quiet', 'badge', null, null, null,
        clock_timestamp() + interval '2 seconds', clock_timestamp() + interval '1 hour'
    )
    from parley.push_devices_of(queue_badge_pushes.user_id) as d
    where d.provider in ('apns', 'fcm') and d.kind <> 'voip' and d.last_badge is not null
$$;
comment on function parley.queue_badge_pushes is 'Has the icons of a user''s apps show the number that is true then.';

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
