-- Replay: what a client that was away missed, by the same access rule as the join. For a conversation from an event_seq
-- on (lossless: nothing is between two numbers), or from a time on; for a user's inbox from a time on. Oldest first.
-- What lies before the reader joined, or was written before the window of the reader's tier, is left out as a whole,
-- like what was purged: a gap says so. Within the rest, single events about a message the reader does not see are left
-- out: one from before their history or their window, or one they have hidden (that it was hidden is an event of the
-- user alone, which stays). A missing number is not the reader's to see; only a gap is a loss, or, if readable, what
-- the limit or the size of the answer left out.

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
            -- whoever shows no receipts sees none
            and (
                e.kind <> 'message:read'
                or e.user_id = events_after.reader_id
                or (select parley.shares_receipts(events_after.reader_id))
            )
        order by e.event_seq
        limit max_rows
    )
$$;
comment on function parley.events_after is
'The next events of a conversation that a reader with this history and tier may see. Without a reader nothing counts as hidden.';

create or replace function parley.replay_signs(sign text, payloads jsonb)
returns setof parley.rendered_event
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select
        0::bigint, null::xid8, (s.payload ->> 'conversation_id')::uuid, null::bigint, null::uuid, sign,
        null::uuid, null::uuid, null::bigint, null::bigint, s.payload::text, null::uuid[], null::timestamptz
    from jsonb_array_elements(payloads) with ordinality as s (payload, n)
    order by s.n
$$;
comment on function parley.replay_signs is 'What a replay says besides events, in the shape of events without an id.';

create or replace function parley.replay(
    role text,
    reader_id uuid,
    topic text,
    after_event_seq bigint,
    since timestamptz,
    max_rows integer,
    max_bytes bigint default 1048576
)
returns setof parley.rendered_event
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
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
    v_cut text;
    v_given bigint := 0;
    v_to bigint;
    v_reader constant uuid := case when not v_service then reader_id end;
    -- the next one must be a number, too
    v_after constant bigint := case
        when after_event_seq is not null then greatest(0, least(after_event_seq, 9223372036854775806))
    end;
    v_ids bigint[];
begin
    if v_after is null and since is null then
        return;
    end if;
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
                    v_conversation, v_after, parley.first_kept_event_seq(v_conversation), v_events_from, v_window_from,
                    v_last
                ),
                '[]'
            );
            -- one more than is given tells whether there are more
            v_ids := parley.events_after(
                v_conversation, v_window_from - 1, v_history_from, v_reader, v_floor, v_limit + 1
            );
            if cardinality(v_ids) > v_limit then
                v_cut := 'limit';
            end if;
        else
            select r.ids, r.gaps into v_ids, v_gaps
            from parley.replay_since(
                array[v_conversation], array[v_history_from], array[v_events_from], null, v_reader, v_floor, since,
                v_limit
            ) r;
        end if;
    elsif v_user is null or not (v_service or v_user = reader_id) then
        return;
    elsif since is null then
        -- a user's events have no numbers: such a position was never given
        v_gaps := jsonb_build_array(parley.gap_json(null, null, null, 'reset'));
    else
        select r.ids, r.gaps into v_ids, v_gaps
        from parley.conversations_of(v_user) c
        cross join
            lateral parley.replay_since(
                c.ids, c.history_from, c.events_from, v_user, v_reader, v_floor, since, v_limit
            ) r;
    end if;
    return query select * from parley.replay_signs('replay:gap', v_gaps);
    if v_ids <> '{}' then
        return query select * from parley.render_events(v_ids[:v_limit], max_bytes);
        get diagnostics v_given = row_count;
    end if;
    if v_given < least(cardinality(v_ids), v_limit) then
        v_cut := 'size';
    end if;
    if v_conversation is not null then
        v_to := case
            when v_cut is null then v_last
            when v_given > 0 then (select e.event_seq from parley.event e where e.id = v_ids[v_given])
            else v_window_from - 1
        end;
    end if;
    if v_cut is not null then
        return query select g.* from parley.replay_signs(
            'replay:gap',
            (
                select jsonb_agg(
                    parley.gap_json(x.conversation_id, x.from_seq, x.to_seq, v_cut) order by x.conversation_id
                )
                from (
                    select
                        e.conversation_id,
                        min(e.event_seq) as from_seq,
                        case when v_conversation is not null then v_last else max(e.event_seq) end as to_seq
                    from unnest(v_ids[v_given + 1:]) i (id)
                    cross join lateral (select a.* from parley.event a where a.id = i.id offset 0) e
                    group by e.conversation_id
                ) x
            )
        ) g;
    end if;
    return query select e.* from parley.replay_signs(
        'replay:end', jsonb_build_array(jsonb_build_object('conversation_id', v_conversation, 'to', v_to))
    ) e;
end
$$;
comment on function parley.replay is
'Events of a topic the reader missed, oldest first. Rows of kind replay:gap say what is missing: first the losses (purged, before_joining, beyond_tier, reset) and, with since, what is older than the newest max_rows (limit); after the events what max_rows (limit) or max_bytes (size) cut off. The last row is replay:end: every number up to its to is settled. No rows at all: there was nothing to ask. A number that is missing otherwise is not the reader''s to see.';
grant execute on function parley.replay to parley_worker;
