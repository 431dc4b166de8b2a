-- What is queued for messages, and for conversations that are new.

-- Not in the query that asks: to be ready for all partitions costs it more than the rest, and it is seldom asked.
create or replace function parley.pushed_message(conversation_id uuid, message_id uuid)
returns parley.message
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
begin
    return (
        select m
        from parley.message as m
        where m.id = pushed_message.message_id and m.conversation_id = pushed_message.conversation_id
    );
end;
$$;
comment on function parley.pushed_message is 'A message that push has read of, as it is now.';

create or replace function parley.queue_message_pushes(event_ids bigint[])
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
-- each row by its key, whatever is known of the tables
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v_now constant timestamptz := clock_timestamp();
    v_lifetime constant interval := parley.push_lifetime();
    v_everybody constant boolean := exists (
        select from parley.push_device as d
        where d.user_id is null
            and d.provider = 'webhook'
            and d.enabled
            and d.dropped_at is null
            and parley.has_push_provider(d.provider, d.app_id)
    );
    v_quiet record;
begin
    for v_quiet in
        with about as (
            select
                coalesce(e.conversation_id, (e.data ->> 'conversation_id')::uuid) as conversation_id,
                e.message_id,
                coalesce(e.message_seq, 0) as seq,
                coalesce(m.sender_id, e.actor_id) as actor_id,
                -- somebody was added to a conversation that was there
                case when e.conversation_id is null then e.user_id end as only_user_id,
                coalesce(m.is_plain, false) as is_plain
            from unnest(event_ids) as i (id)
            cross join lateral (
                select a.kind, a.conversation_id, a.message_id, a.message_seq, a.user_id, a.actor_id, a.created_at, a.data
                from parley.event as a
                where a.id = i.id
                offset 0
            ) as e
            left join lateral (
                select
                    b.sender_id,
                    b.created_at,
                    case when b.sender_id is null then b end as message,
                    -- what is decided of the next one of its sender holds for it as well
                    b.sender_id is not null
                    and b.mentions is null
                    and not b.mentions_all
                    and b.deleted_at is null
                    and b.expires_at is null
                    and b.retired_at is null
                    and b.created_at > v_now - interval '1 day' as is_plain
                from parley.message as b
                where b.id = e.message_id and b.conversation_id is not distinct from e.conversation_id
                offset 0
            ) as m on true
            where case e.kind
                when 'conversation:new' then e.created_at > v_now - v_lifetime
                -- one that reaches nobody but its sender has no conversation; nor is one news that is gone or old
                when 'message:new' then e.conversation_id is not null and m.created_at > v_now - v_lifetime
                    and (m.sender_id is not null or parley.is_push_news(m.message))
            end
        ),

        -- the plain messages of one sender together, the newest first; each other one by itself
        speech as (
            select
                x.conversation_id,
                x.actor_id,
                x.only_user_id,
                array_agg(x.message_id order by x.seq desc) as message_ids,
                array_agg(x.seq order by x.seq desc) as seqs,
                min(x.seq) as first_seq,
                max(x.seq) as last_seq
            from about as x
            group by x.conversation_id, x.actor_id, x.only_user_id, case when not x.is_plain then x.seq end
        ),

        said as materialized (
            select s.*, m.message
            from speech as s
            left join lateral (
                select b as message
                from parley.message as b
                where b.id = s.message_ids[1] and b.conversation_id = s.conversation_id
                offset 0
            ) as m on true
        ),

        decided as materialized (
            select
                x.conversation_id,
                h.message_ids,
                h.seqs,
                p.user_id,
                parley.decide_push(h.message, p.participant, a.account, s.preference) as decision
            from said as x
            cross join lateral (
                select q as participant, q.user_id, q.last_read_seq, q.history_from_seq
                from parley.participant as q
                where q.conversation_id = x.conversation_id
                    and q.left_at is null
                    and q.user_id is distinct from x.actor_id
                    and q.user_id = coalesce(x.only_user_id, q.user_id)
                    and (
                        v_everybody
                        or exists (
                            select from parley.push_device as o where o.user_id = q.user_id and o.dropped_at is null
                        )
                    )
                offset 0
            ) as p
            cross join lateral (
                -- several are one for whoever has read none of them, sees all and hides none
                select
                    x.first_seq = x.last_seq
                    or (
                        p.last_read_seq < x.first_seq
                        and p.history_from_seq <= x.first_seq
                        and not exists (
                            select from parley.message_hidden as d
                            where d.conversation_id = x.conversation_id
                                and d.user_id = p.user_id
                                and d.seq between x.first_seq and x.last_seq
                        )
                    ) as are_one
                offset 0
            ) as w
            cross join lateral (
                select x.message_ids, x.seqs, x.message
                where w.are_one
                union all
                select array[i.id], array[i.seq], parley.pushed_message(x.conversation_id, i.id)
                from unnest(x.message_ids, x.seqs) as i (id, seq)
                where not w.are_one
            ) as h
            cross join lateral (
                select b as account from parley.account as b where b.id = p.user_id offset 0
            ) as a
            left join lateral (
                select t as preference from parley.push_preference as t where t.user_id = p.user_id offset 0
            ) as s on true
        ),

        addressed as materialized (
            select
                u.conversation_id,
                u.message_ids,
                u.seqs,
                u.user_id,
                (u.decision).reason as reason,
                (u.decision).verdict as verdict,
                coalesce((u.decision).until, v_now) as due_at,
                d.id as device_id,
                d.provider,
                d.route,
                d.token_sealed is not null as is_sealed
            from decided as u
            left join lateral (
                select o.id, o.provider, o.route, o.token_sealed
                from parley.push_devices_of(u.user_id) as o
                where (u.decision).verdict <> 'suppress' and o.kind <> 'voip'
            ) as d on true
        ),

        -- of several messages of a conversation one job for each device, of the newest; of those that are told to nobody
        -- each has its reason
        job as (
            select
                g.conversation_id,
                (array_agg(g.message_ids[1] order by g.seqs[1] desc))[1] as message_id,
                min(g.seqs[cardinality(g.seqs)]) as first_seq,
                max(g.seqs[1]) as last_seq,
                g.user_id,
                (array_agg(g.reason order by g.seqs[1] desc))[1] as reason,
                min(g.due_at) as due_at,
                g.device_id,
                g.provider,
                g.route,
                g.is_sealed
            from addressed as g
            where g.device_id is not null
            group by g.conversation_id, g.user_id, g.device_id, g.provider, g.route, g.is_sealed
            union all
            select
                n.conversation_id,
                i.message_id,
                i.seq,
                i.seq,
                n.user_id,
                case when n.verdict = 'suppress' then n.reason else parley.why_no_push_device(n.user_id) end,
                n.due_at,
                null,
                null,
                null,
                false
            from addressed as n
            cross join lateral unnest(n.message_ids, n.seqs) as i (message_id, seq)
            where n.device_id is null
        ),

        made as (
            insert into parley.push_job as j (
                id, tenant_id, user_id, device_id, conversation_id, message_id, first_seq, last_seq, due_at, expires_at,
                settled_at, is_sealed, provider, route, lane, kind, state, collapse_key, reason, delays
            )
            select
                parley.uuid_v7(), parley.push_tenant(b.conversation_id), b.user_id, b.device_id, b.conversation_id,
                b.message_id, b.first_seq, b.last_seq, b.due_at,
                greatest(v_now + v_lifetime, b.due_at + interval '1 hour'),
                case when b.device_id is null then v_now end, b.is_sealed, b.provider, b.route, 'message', 'message',
                case when b.device_id is null then 'suppressed' else 'queued' end,
                b.conversation_id::text, b.reason, coalesce((b.reason = 'in_view')::integer, 0)
            from job as b
            order by b.device_id, b.user_id, b.conversation_id
            on conflict (device_id, user_id, collapse_key) where state = 'queued' do update
            set
                first_seq = least(j.first_seq, excluded.first_seq),
                last_seq = greatest(j.last_seq, excluded.last_seq),
                message_id = case
                    when excluded.last_seq >= coalesce(j.last_seq, 0) then excluded.message_id else j.message_id
                end,
                due_at = least(j.due_at, excluded.due_at),
                expires_at = greatest(j.expires_at, excluded.expires_at)
            returning j.user_id, j.tenant_id, j.reason, j.settled_at, j.due_at
        )

        select distinct k.user_id, k.tenant_id
        from made as k
        where k.reason in ('quiet_hours', 'do_not_disturb') and (k.settled_at is not null or k.due_at > v_now)
    loop
        -- the number on the icon makes no sound
        perform parley.queue_badge_pushes(v_quiet.user_id, v_quiet.tenant_id);
    end loop;
end;
$$;
comment on function parley.queue_message_pushes is
'Queues messages, and conversations that are new, for the devices of those who are to hear of them: a job that waits for the conversation already moves forward. Who is to hear nothing of a message has a row with the reason.';
