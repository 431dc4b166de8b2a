-- The part of a replay that begins at a time: the newest events of many conversations, and the gaps before them.

create or replace function parley.replay_since(
    conversation_ids uuid[],
    history_from bigint[],
    events_from bigint[],
    user_id uuid,
    reader_id uuid,
    message_floor uuid,
    since timestamptz,
    max_rows integer,
    out ids bigint[],
    out gaps jsonb
)
returns record
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set max_parallel_workers_per_gather = 0
set jit = off
-- What is hidden is looked up by its whole primary key, event by event (offset 0): a page stops early.
set enable_seqscan = off
set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
    v_receipts constant boolean := parley.shares_receipts(replay_since.reader_id);
    -- nothing that young has ever been purged: then what is missing is older than was asked for
    v_is_purged constant boolean := coalesce((select replay_since.since <= s.purged_at from parley.log_state s), false);
    v_window constant timestamptz := greatest(replay_since.since, parley.window_start(replay_since.message_floor));
begin
    with bound as materialized (
        select
            u.conversation_id,
            u.history_from,
            u.events_from,
            c.last_event_seq,
            f.event_seq as kept_from,
            case
                when v_window > replay_since.since then parley.first_event_since(c.id, c.last_event_seq, v_window)
                else f.event_seq
            end as window_from
        from unnest(replay_since.conversation_ids, replay_since.history_from, replay_since.events_from)
            as u (conversation_id, history_from, events_from)
        cross join lateral (
            select k.id, k.last_event_seq from parley.conversation k where k.id = u.conversation_id offset 0
        ) c
        cross join
            lateral (select parley.first_event_since(c.id, c.last_event_seq, replay_since.since) as event_seq) f
    ),
    -- one more of each than can be returned tells whether something was cut off
    candidate as materialized (
        select b.conversation_id, e.event_seq, e.id
        from bound b
        cross join lateral (
            select e.event_seq, e.id
            from parley.event e
            where
                e.conversation_id = b.conversation_id
                and e.event_seq >= greatest(b.window_from, b.events_from)
                -- verdict: readable, tombstone
                -- of event e viewer=replay_since.reader_id from=b.history_from floor=replay_since.message_floor each
                and (e.message_seq is null or e.message_seq >= b.history_from)
                and (e.message_id is null or e.message_id >= replay_since.message_floor)
                and not exists (
                    select from parley.message_hidden as h
                    where
                        h.conversation_id = e.conversation_id
                        and h.user_id = replay_since.reader_id
                        and h.seq = e.message_seq
                    offset 0
                )
                -- end verdict
                and (e.kind <> 'message:read' or e.user_id = replay_since.reader_id or v_receipts)
            order by e.event_seq desc
            limit replay_since.max_rows + 1
        ) e
        where b.window_from <= b.last_event_seq
        union all
        (
            select null, null, e.id
            from parley.event e
            where
                e.conversation_id is null
                and e.user_id = replay_since.user_id
                and e.created_at >= replay_since.since
            order by e.id desc
            limit replay_since.max_rows + 1
        )
    ),
    ranked as materialized (
        select c.conversation_id, c.event_seq, c.id, row_number() over (order by c.id desc) > max_rows as is_cut
        from candidate c
    ),
    gap as (
        select 1 as rank, b.conversation_id, b.events_from as from_seq, b.kept_from - 1 as to_seq, 'purged' as reason
        from bound b
        where
            v_is_purged
            and b.kept_from > b.events_from
            and not exists (
                select from parley.event e
                where e.conversation_id = b.conversation_id and e.event_seq = b.kept_from - 1
            )
        union all
        -- events for the user alone have no numbers
        select 1, null, null, null, 'purged'
        where v_is_purged and replay_since.user_id is not null
        union all
        select 2, b.conversation_id, greatest(b.kept_from, b.events_from), b.window_from - 1, 'beyond_tier'
        from bound b
        where b.window_from > greatest(b.kept_from, b.events_from)
        union all
        select 3, r.conversation_id, min(greatest(b.window_from, b.events_from)), max(r.event_seq), 'limit'
        from ranked r
        left join bound b on r.conversation_id = b.conversation_id
        where r.is_cut
        group by r.conversation_id
    )
    select
        (select coalesce(array_agg(r.id order by r.id), '{}') from ranked r where not r.is_cut),
        (
            select coalesce(
                jsonb_agg(
                    parley.gap_json(g.conversation_id, g.from_seq, g.to_seq, g.reason)
                    order by g.rank, g.conversation_id
                ),
                '[]'
            )
            from gap g
        )
    into ids, gaps;
end
$$;
comment on function parley.replay_since is
'The newest max_rows events since a time of these conversations, and of the user alone if one is given; and which older ones are missing, because they were purged, lie beyond the tier''s window or exceed max_rows.';
