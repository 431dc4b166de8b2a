-- Replay: what a client that was away missed, by the same access rule as the join. For a conversation from an event_seq
-- on (lossless: nothing is between two numbers), or from a time on; for a user's inbox from a time on. Oldest first.
-- What lies before the reader joined, or was written before the window of the reader's tier, is left out as a whole,
-- like what was purged: a gap says so. Within the rest, single events about a message the reader does not see are left
-- out: one from before their history or their window, or one they have hidden (that it was hidden is an event of the
-- user alone, which stays). A missing number is not the reader's to see; only a gap is a loss.

create or replace function parley.events_after(
    conversation_id uuid,
    after_event_seq bigint,
    history_from bigint,
    reader_id uuid,
    message_floor uuid,
    max_rows integer
)
returns bigint[]
language sql stable security definer
set search_path = pg_catalog, pg_temp
-- What is hidden is looked up by its whole primary key, event by event (offset 0): a page stops early.
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
    select array(
        select e.id
        from parley.event e
        where
            e.conversation_id = events_after.conversation_id
            and e.event_seq > after_event_seq
            -- verdict: readable, tombstone
            -- of event e viewer=events_after.reader_id from=history_from floor=message_floor each
            and (e.message_seq is null or e.message_seq >= history_from)
            and (e.message_id is null or e.message_id >= message_floor)
            and not exists (
                select from parley.message_hidden as h
                where
                    h.conversation_id = e.conversation_id
                    and h.user_id = events_after.reader_id
                    and h.seq = e.message_seq
                offset 0
            )
            -- end verdict
        order by e.event_seq
        limit max_rows
    )
$$;
comment on function parley.events_after is
'The next events of a conversation that a reader with this history and tier may see. Without a reader nothing counts as hidden.';

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
        inner join parley.conversation c on u.conversation_id = c.id
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
                    jsonb_build_object(
                        'conversation_id', g.conversation_id, 'from', g.from_seq, 'to', g.to_seq, 'reason', g.reason
                    )
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

create or replace function parley.replay(
    role text, reader_id uuid, topic text, after_event_seq bigint, since timestamptz, max_rows integer
)
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
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_service constant boolean := coalesce(replay.role = 'service_role', false);
    v_conversation constant uuid := parley.topic_uuid(topic, 'conversation:');
    v_user constant uuid := parley.topic_uuid(topic, 'user:');
    v_limit constant integer := least(greatest(coalesce(max_rows, 1000), 0), 10000);
    v_floor uuid := '00000000-0000-0000-0000-000000000000';
    v_history_from bigint;
    v_events_from bigint;
    v_window_from bigint;
    v_last bigint;
    v_gaps jsonb := '[]';
    v_reader constant uuid := case when not v_service then reader_id end;
    v_after constant bigint := case when after_event_seq >= 0 then after_event_seq when after_event_seq < 0 then 0 end;
    v_ids bigint[];
begin
    if not v_service then
        v_floor := parley.message_floor_of(reader_id);
    end if;

    if v_conversation is not null then
        select coalesce(p.history_from_seq, 1), coalesce(p.history_from_event_seq, 1), c.last_event_seq
        into v_history_from, v_events_from, v_last
        from parley.conversation c
        left join parley.participant p on p.conversation_id = c.id and p.user_id = reader_id and p.left_at is null
        where c.id = v_conversation and (v_service or p.user_id is not null);
        if not found then
            return;
        end if;
        if v_after is not null then
            v_window_from := parley.first_event_in_window(
                v_conversation, greatest(v_after + 1, v_events_from), v_last, v_floor
            );
            v_gaps := coalesce(
                '[]' || parley.replay_gap(
                    v_conversation, v_after, parley.first_kept_event_seq(v_conversation), v_events_from, v_window_from
                ),
                '[]'
            );
            v_ids := parley.events_after(
                v_conversation, v_window_from - 1, v_history_from, v_reader, v_floor, v_limit
            );
        elsif since is not null then
            select r.ids, r.gaps into v_ids, v_gaps
            from parley.replay_since(
                array[v_conversation], array[v_history_from], array[v_events_from], null, v_reader, v_floor, since,
                v_limit
            ) r;
        end if;
    elsif v_user is not null and (v_service or v_user = reader_id) and since is not null then
        select r.ids, r.gaps into v_ids, v_gaps
        from parley.conversations_of(v_user) c
        cross join
            lateral parley.replay_since(
                c.ids, c.history_from, c.events_from, v_user, v_reader, v_floor, since, v_limit
            ) r;
    end if;
    return query select
        0::bigint, null::xid8, (g.gap ->> 'conversation_id')::uuid, null::bigint, null::uuid, 'replay:gap', null::uuid,
        null::uuid, null::bigint, null::bigint, g.gap::text
    from jsonb_array_elements(v_gaps) with ordinality as g (gap, n)
    order by g.n;
    if v_ids <> '{}' then
        return query select * from parley.render_events(v_ids);
    end if;
end
$$;
comment on function parley.replay is
'Events of a topic the reader missed, oldest first. First rows of kind replay:gap say what is missing: purged, before_joining, beyond_tier, or, with since, older than the newest max_rows (limit). A number that is missing otherwise is not the reader''s to see.';
grant execute on function parley.replay to parley_worker;
