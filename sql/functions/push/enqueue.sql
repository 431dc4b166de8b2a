-- From events to jobs: a durable consumer of the log, so that each event is turned into jobs exactly once, by whichever
-- worker comes first. Nothing of it is in a send.

create or replace function parley.push_devices_of(user_id uuid)
returns setof parley.push_device
language plpgsql stable security definer
rows 3
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    return query
    select d.*
    from (
        select o.* from parley.push_device as o where o.user_id = push_devices_of.user_id
        union all
        select w.* from parley.push_device as w where w.user_id is null
    ) as d
    where d.dropped_at is null
        and d.enabled
        and parley.has_push_provider(d.provider, d.app_id);
end;
$$;
comment on function parley.push_devices_of is
'Where a user can be reached now: own devices, and webhooks that are told of everybody.';

create or replace function parley.why_no_push_device(user_id uuid)
returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
begin
    return (
        select case
            when count(*) = 0 then 'no_device'
            when not bool_or(d.enabled) then 'device_off'
            else 'no_provider'
        end
        from parley.push_device as d
        where d.user_id = why_no_push_device.user_id and d.dropped_at is null and d.kind <> 'voip'
    );
end;
$$;
comment on function parley.why_no_push_device is 'Why there is no device on which a user could be told of a message.';

create or replace function parley.push_lifetime()
returns interval
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select make_interval(hours => greatest(1, least(672, parley.setting_number('push_message_hours', 24)))::integer)
$$;
comment on function parley.push_lifetime is 'For how long the notification of a message is worth sending.';

create or replace function parley.push_tenant(conversation_id uuid)
returns uuid
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return coalesce(
        (
            select cp.tenant_id
            from parley.conversation_profile as cp
            where cp.conversation_id = push_tenant.conversation_id
        ),
        '00000000-0000-0000-0000-000000000000'
    );
end;
$$;
comment on function parley.push_tenant is 'Whose turn a job of the conversation is: its tenant, all zeros without one.';

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

create or replace function parley.enqueue_push(batch integer default 500)
returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    v_ids bigint[];
    v_event parley.event;
begin
    if not exists (select from parley.consumer as c where c.name = 'push') then
        return 0;
    end if;
    perform parley.catch_up_push();
    v_ids := parley.consume_ids('push', batch);
    for v_event in
        select e.*
        from unnest(v_ids) as i (id)
        cross join lateral (select a.* from parley.event as a where a.id = i.id offset 0) as e
        where e.kind in ('message:new', 'conversation:new', 'message:read') or e.kind like 'call:%'
        order by e.id
    loop
        if v_event.kind = 'message:new' and v_event.conversation_id is not null then
            perform parley.queue_message_pushes(
                v_event.conversation_id, v_event.message_id, v_event.message_seq, null, v_event.actor_id
            );
        elsif v_event.kind = 'conversation:new' and v_event.created_at > clock_timestamp() - parley.push_lifetime() then
            perform parley.queue_message_pushes(
                coalesce(v_event.conversation_id, (v_event.data ->> 'conversation_id')::uuid), null, 0,
                case when v_event.conversation_id is null then v_event.user_id end, v_event.actor_id
            );
        elsif v_event.kind = 'message:read' then
            perform parley.queue_read_pushes(
                v_event.user_id, coalesce(v_event.conversation_id, (v_event.data ->> 'conversation_id')::uuid),
                (v_event.data ->> 'last_read_seq')::bigint
            );
        elsif v_event.kind = 'call:ring' then
            perform parley.queue_call_pushes(v_event.conversation_id, (v_event.data ->> 'call_id')::uuid);
        elsif v_event.kind in (
            'call:answered_elsewhere', 'call:declined', 'call:busy', 'call:missed', 'call:cancelled', 'call:ended'
        ) then
            perform parley.queue_call_ends(
                coalesce(v_event.conversation_id, (v_event.data ->> 'conversation_id')::uuid),
                (v_event.data ->> 'call_id')::uuid
            );
        end if;
    end loop;
    return coalesce(cardinality(v_ids), 0);
end;
$$;
comment on function parley.enqueue_push is
'Turns the next events of the log into jobs, in one transaction with the cursor; returns how many events it read. As many as batch: call it again at once.';
grant execute on function parley.enqueue_push to parley_worker;
