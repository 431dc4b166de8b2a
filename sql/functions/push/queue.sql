-- Putting one job into the queue.

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
