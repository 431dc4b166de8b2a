-- What readers of the log receive: each event as the complete JSON object for clients, made from the rows as they are
-- now. The log holds no text, so an event of a message that was since deleted, has expired or was purged shows that
-- message as it is now: without content. Whole batches at once; every join is by primary key. An SQL function called
-- inside another is planned anew by each call, which costs more than all else here: one level only, and reactions are
-- gathered only where there are some. That made 1,000 messages 4 times cheaper. The planner is left no choice but to
-- look up each row by its key: a hash of the whole message table, which it takes for small, made reading one event 30
-- times dearer.
--
-- A payload has conversation_id, event_seq, actor_id and at, the ids and the delta of the event, and for the kinds
-- message:new|updated, conversation:* and participant:* the thing itself.

create or replace function parley.render_events(ids bigint[])
returns table (
    id bigint,
    xid xid8,
    conversation_id uuid,
    event_seq bigint,
    user_id uuid,
    kind text,
    actor_id uuid,
    message_id uuid,
    message_seq bigint,
    history_from_seq bigint,
    payload text
)
language plpgsql stable security definer
rows 1000
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set max_parallel_workers_per_gather = 0
set jit = off
as $$
#variable_conflict use_column
begin
    return query
    select
        e.id,
        e.xid,
        e.conversation_id,
        e.event_seq,
        e.user_id,
        e.kind,
        e.actor_id,
        e.message_id,
        e.message_seq,
        case
            when e.kind = 'participant:joined'
                then coalesce((e.data ->> 'history_from_seq')::bigint, p.history_from_seq)
        end,
        (
            jsonb_build_object(
                'conversation_id', e.conversation_id,
                'event_seq', e.event_seq,
                'actor_id', e.actor_id,
                'at', e.created_at
            )
            || case when e.user_id is null then '{}' else jsonb_build_object('user_id', e.user_id) end
            || case
                when e.message_id is null then '{}'
                when e.kind not in ('message:new', 'message:updated')
                    then jsonb_build_object('message_id', e.message_id, 'seq', e.message_seq)
                when m.id is null or not (
                    -- verdict: readable, tombstone unless expired
                    -- of message m
                    (m.expires_at is null or m.expires_at > now())
                    -- end verdict
                )
                    then jsonb_build_object(
                        'message',
                        parley.tombstone_json(
                            e.message_id, e.conversation_id, e.message_seq, coalesce(m.expires_at, e.created_at)
                        )
                    )
                else jsonb_build_object(
                    'message',
                    parley.message_json(
                        m,
                        case
                            when
                                m.deleted_at is null
                                and exists (
                                    select
                                    from parley.reaction r
                                    where r.conversation_id = m.conversation_id and r.message_id = m.id
                                )
                                then parley.reactions_json(m.conversation_id, m.id)
                            else '[]'
                        end,
                        times_forwarded => case
                            when e.kind = 'message:updated' then parley.times_forwarded(m.conversation_id, m.id) else 0
                        end
                    )
                )
            end
            -- A user's own event about a conversation shows it as that user sees it, and no longer once the user left.
            -- Of a large group the first fifty, as in sync: all 256 are 60 KB, for every subscriber of every change.
            || case
                when e.kind not in ('conversation:new', 'conversation:updated') then '{}'
                when e.conversation_id is not null
                    then jsonb_build_object('conversation', parley.conversation_json(e.conversation_id, null, 50))
                when p.left_at is null and p.user_id is not null
                    then jsonb_build_object('conversation', parley.conversation_json(p.conversation_id, e.user_id, 50))
                else '{}'
            end
            || case
                when p.user_id is null or e.conversation_id is null or e.kind not like 'participant:%' then '{}'
                else jsonb_build_object('participant', parley.participant_json(p))
            end
            || case
                -- of a call's own devices: nothing of it any more once the user has left
                when e.kind not like 'call:%' or (e.conversation_id is null and p.left_at is not null) then '{}'
                else parley.call_event_json(e)
            end
            || case
                when e.kind <> 'draft:updated' or p.left_at is not null then '{}'
                else jsonb_build_object('draft', parley.draft(p.conversation_id, e.user_id))
            end
            || coalesce(e.data, '{}')
        )::text
    from parley.event as e
    left join parley.message as m
        -- by id alone: an equal conversation_id would offer the planner the index on (conversation_id, seq), and while
        -- it takes a partition for small it reads the whole conversation for every event
        on e.message_id = m.id
        and e.conversation_id is not distinct from m.conversation_id
        and e.kind in ('message:new', 'message:updated')
    left join parley.participant as p
        on p.conversation_id = coalesce(e.conversation_id, (e.data ->> 'conversation_id')::uuid)
        and e.user_id = p.user_id
    where e.id = any (ids)
    order by e.id;
end
$$;
comment on function parley.render_events is 'These events by id, with the payloads clients receive, as of now.';

create or replace function parley.events_json(ids bigint[])
returns jsonb
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(
        jsonb_agg(jsonb_build_object('event', r.kind, 'payload', r.payload::jsonb) order by r.id), '[]'
    )
    from parley.render_events(ids) r
$$;
comment on function parley.events_json is 'These events as clients receive them: [{event, payload}], by id.';
