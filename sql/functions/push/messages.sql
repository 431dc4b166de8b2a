-- What is queued for a message, and for a conversation that is new.

create or replace function parley.queue_message_pushes(
    conversation_id uuid, message_id uuid, seq bigint, only_user_id uuid, actor_id uuid
)
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
    v_everybody constant boolean := exists (
        select from parley.push_device as d where d.user_id is null and d.provider = 'webhook'
    );
    v_tenant_id constant uuid := parley.push_tenant(queue_message_pushes.conversation_id);
    v_message parley.message;
    v_quiet_id uuid;
begin
    if queue_message_pushes.message_id is not null then
        select m.* into v_message
        from parley.message as m
        where m.id = queue_message_pushes.message_id
            and m.conversation_id is not distinct from queue_message_pushes.conversation_id;
        -- gone already, or too old to be news
        if not found or v_message.created_at < v_now - parley.push_lifetime() then
            return;
        end if;
        -- what is for nobody needs no row to tell so
        if v_message.sender_id is null and (
            v_message.metadata ->> 'event' = 'call_ended'
            or exists (
                select from parley.message_uncounted as t
                where t.conversation_id = v_message.conversation_id and t.seq = v_message.seq and t.is_notice
            )
        ) then
            return;
        end if;
    end if;
    for v_quiet_id in
        with made as (
            insert into parley.push_job as j (
                id, tenant_id, user_id, device_id, conversation_id, message_id, first_seq, last_seq, due_at, expires_at,
                settled_at, is_sealed, provider, route, lane, kind, state, collapse_key, reason, delays
            )
            select
                parley.uuid_v7(), v_tenant_id, u.user_id, d.id, queue_message_pushes.conversation_id,
                queue_message_pushes.message_id, queue_message_pushes.seq, queue_message_pushes.seq,
                coalesce((u.decision).until, v_now),
                greatest(v_now + parley.push_lifetime(), (u.decision).until + interval '1 hour'),
                case when d.id is null then v_now end,
                coalesce(d.token_sealed is not null, false), d.provider, d.route, 'message', 'message',
                case when d.id is null then 'suppressed' else 'queued' end,
                queue_message_pushes.conversation_id::text,
                case
                    when d.id is null and (u.decision).verdict <> 'suppress' then parley.why_no_push_device(u.user_id)
                    else (u.decision).reason
                end,
                ((u.decision).reason is not distinct from 'in_view')::integer
            from (
                select p.user_id, parley.decide_push(v_message, p, a.account, s) as decision
                from parley.participant as p
                cross join lateral (
                    select b as account from parley.account as b where b.id = p.user_id offset 0
                ) as a
                left join parley.push_preference as s on p.user_id = s.user_id
                where p.conversation_id = queue_message_pushes.conversation_id
                    and p.left_at is null
                    and p.user_id is distinct from coalesce(v_message.sender_id, queue_message_pushes.actor_id)
                    and p.user_id = coalesce(queue_message_pushes.only_user_id, p.user_id)
                    and (
                        v_everybody
                        or exists (
                            select from parley.push_device as o where o.user_id = p.user_id and o.dropped_at is null
                        )
                    )
                offset 0
            ) as u
            left join lateral (
                select o.id, o.provider, o.route, o.token_sealed
                from parley.push_devices_of(u.user_id) as o
                where (u.decision).verdict <> 'suppress' and o.kind <> 'voip'
            ) as d on true
            on conflict (device_id, user_id, collapse_key) where state = 'queued' do update
            set
                first_seq = least(j.first_seq, excluded.first_seq),
                last_seq = greatest(j.last_seq, excluded.last_seq),
                message_id = case
                    when excluded.last_seq >= coalesce(j.last_seq, 0) then excluded.message_id else j.message_id
                end,
                due_at = least(j.due_at, excluded.due_at),
                expires_at = greatest(j.expires_at, excluded.expires_at)
            returning j.user_id, j.reason, j.settled_at, j.due_at
        )

        select distinct m.user_id
        from made as m
        where m.reason in ('quiet_hours', 'do_not_disturb') and (m.settled_at is not null or m.due_at > v_now)
    loop
        -- the number on the icon makes no sound
        perform parley.queue_badge_pushes(v_quiet_id, v_tenant_id);
    end loop;
end;
$$;
comment on function parley.queue_message_pushes is
'Queues a message, or without one a conversation that is new, for the devices of its participants, or of one of them: one that waits for the conversation already moves forward. Who is to hear nothing of it has a row with the reason.';
