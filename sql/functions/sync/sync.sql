-- sync: everything a client needs to be up to date, and the cursor to continue from, all of one snapshot, so that
-- nothing can fall between them. Without a cursor it loads the inbox, page by page; the cursor keeps the position of
-- the first page, so what changed meanwhile arrives as events afterwards. With a cursor it brings the events since,
-- page by page, with the present state of the conversations they are about. A cursor from before what was purged, from
-- before the window of the user's tier or of another copy of the log cannot bring all of them: it loads the inbox
-- afresh. The cost depends on what happened in the user's own conversations, not on the rest of the log.

create or replace function parley.sync_state_json(user_id uuid, conversation_ids uuid[], since timestamptz)
returns jsonb
language sql stable security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
    select jsonb_build_object(
        'conversations', coalesce(jsonb_agg(c.conversation - 'participants' order by c.id), '[]'),
        'participants', coalesce(
            (
                select jsonb_agg(
                    parley.participant_json(
                        o,
                        o.user_id = sync_state_json.user_id
                        or (select parley.shares_receipts(sync_state_json.user_id))
                    ) || jsonb_build_object('conversation_id', o.conversation_id)
                    order by o.conversation_id, o.joined_at, o.user_id
                )
                from unnest(sync_state_json.conversation_ids) i (id)
                cross join lateral (
                    -- of a large group the first fifty; get_participants pages through the others
                    select m.*
                    from parley.participant m
                    where m.conversation_id = i.id and m.left_at is null
                    order by m.joined_at, m.user_id
                    limit 50
                ) o
            ),
            '[]'
        ),
        'unread', coalesce(
            jsonb_object_agg(c.id, c.conversation -> 'unread_count') filter (where c.id is not null), '{}'
        ),
        -- A day back from the last call: the transaction of a removal may have been open for long before it committed.
        'left_conversation_ids', coalesce(
            (
                select jsonb_agg(g.conversation_id order by g.conversation_id)
                from parley.participant g
                where g.user_id = sync_state_json.user_id and g.left_at >= since - interval '1 day'
            ),
            '[]'
        )
    )
    from (
        select
            p.conversation_id as id,
            parley.inbox_row(
                p.conversation_id, p.user_id, p.history_from_seq, k.last_seq,
                (select parley.message_floor_of(sync_state_json.user_id))
            ) as conversation
        from unnest(sync_state_json.conversation_ids) i (id)
        cross join lateral (
            select m.*
            from parley.participant m
            where m.conversation_id = i.id and m.user_id = sync_state_json.user_id and m.left_at is null
            offset 0
        ) p
        cross join lateral (select c.last_seq from parley.conversation c where c.id = p.conversation_id offset 0) k
        offset 0
    ) c
$$;
comment on function parley.sync_state_json is
'The present state of some of a user''s conversations: as the inbox shows them, their participants (of each the first fifty), unread counts, and those left since.';

create or replace function parley.settled_numbers(
    conversation_ids uuid[], event_ids bigint[], has_more boolean
)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
#variable_conflict use_column
begin
    if not has_more or coalesce(event_ids, '{}') = '{}' then
        return (
            select coalesce(jsonb_object_agg(c.id, c.last_event_seq), '{}')
            from parley.conversation as c
            where c.id = any (conversation_ids)
        );
    end if;
    -- what comes next may be of any of them
    return (
        select coalesce(jsonb_object_agg(x.conversation_id, x.event_seq), '{}')
        from (
            select e.conversation_id, max(e.event_seq) as event_seq
            from unnest(event_ids) as i (id)
            cross join lateral (select a.* from parley.event as a where a.id = i.id offset 0) as e
            where e.conversation_id is not null
            group by e.conversation_id
        ) as x
    );
end;
$$;
comment on function parley.settled_numbers is
'Up to which event_seq each of a page''s conversations is settled: a number up to there that is missing is not the reader''s to see.';

create or replace function parley.sync(cursor text default null)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    c_inbox_page constant integer := 100;
    c_event_page constant integer := 500;
    v_user_id constant uuid := parley.require_caller();
    v_epoch constant text := parley.log_epoch();
    v_snapshot pg_snapshot := parley.cursor_snapshot();
    v_max_id bigint := parley.log_end();
    v_from_epoch text;
    v_from_snapshot pg_snapshot;
    v_from_max_id bigint;
    v_from_inbox uuid;
    v_from_time timestamptz;
    v_conversation_ids uuid[];
    v_from_xid xid8;
    v_from_at timestamptz;
    v_event_ids bigint[] := '{}';
    v_events jsonb := '[]';
    v_inbox_after uuid;
    v_has_more boolean;
    v_resync boolean := false;
begin
    if sync.cursor is not null then
        select d.epoch, d.snapshot, d.max_id, d.inbox_after, d.at, d.event_xid, d.event_at
        into v_from_epoch, v_from_snapshot, v_from_max_id, v_from_inbox, v_from_time, v_from_xid, v_from_at
        from parley.decode_cursor(sync.cursor, v_user_id) d;
        if not parley.position_holds(v_from_epoch, v_from_max_id, v_from_xid, v_from_at)
            or v_from_max_id < (select s.purged_id from parley.log_state s)
            -- the first event it has not seen is beyond the window
            or (select e.created_at from parley.event e where e.id > v_from_max_id order by e.id limit 1)
            < parley.window_start(parley.message_floor_of(v_user_id))
        then
            v_resync := true;
            v_from_snapshot := null;
            v_from_inbox := null;
            v_from_time := null;
        end if;
    end if;

    if v_from_snapshot is null or v_from_inbox is not null then
        v_conversation_ids := parley.sync_inbox_ids(
            v_user_id, coalesce(v_from_inbox, '00000000-0000-0000-0000-000000000000'), c_inbox_page + 1
        );
        v_has_more := cardinality(v_conversation_ids) > c_inbox_page;
        v_conversation_ids := v_conversation_ids[:c_inbox_page];
        if v_has_more then
            v_inbox_after := v_conversation_ids[c_inbox_page];
        end if;
        if v_from_inbox is not null then
            -- a further page: the position stays that of the first, and there may have been events since
            v_snapshot := v_from_snapshot;
            v_max_id := v_from_max_id;
            v_has_more := true;
        end if;
    else
        v_event_ids := parley.sync_event_ids(v_user_id, v_from_snapshot, v_from_max_id, c_event_page + 1);
        v_has_more := (select count(*) > c_event_page from unnest(v_event_ids) i where i > v_from_max_id);
        if v_has_more then
            v_event_ids := v_event_ids[:cardinality(v_event_ids) - 1];
        end if;
        -- late commits come whole: what is cut must be newer than the position
        v_events := parley.events_json(v_event_ids, parley.page_bytes(), v_from_max_id);
        if jsonb_array_length(v_events) < cardinality(v_event_ids) then
            v_has_more := true;
            v_event_ids := v_event_ids[:jsonb_array_length(v_events)];
        end if;
        if v_has_more then
            v_max_id := greatest(v_from_max_id, v_event_ids[cardinality(v_event_ids)]);
        end if;
        v_conversation_ids := array(
            select distinct p.conversation_id
            from unnest(v_event_ids) i (id)
            cross join lateral (
                select coalesce(e.conversation_id, (e.data ->> 'conversation_id')::uuid) as conversation_id
                from parley.event e
                where e.id = i.id
                offset 0
            ) e
            cross join lateral (
                select m.conversation_id
                from parley.participant m
                where m.conversation_id = e.conversation_id and m.user_id = v_user_id and m.left_at is null
                offset 0
            ) p
        );
    end if;

    return parley.sync_state_json(v_user_id, v_conversation_ids, v_from_time) || jsonb_build_object(
        'events', v_events,
        'to', parley.settled_numbers(v_conversation_ids, v_event_ids, v_has_more),
        'cursor', parley.encode_cursor(v_user_id, v_epoch, v_snapshot, v_max_id, v_inbox_after, statement_timestamp()),
        'position', v_max_id,
        'has_more', v_has_more,
        'resync_required', v_resync
    );
end
$$;
comment on function parley.sync is
'Inbox and position without a cursor; with one the events since, and the state of their conversations. Call again while has_more: a page holds 500 events, or about a megabyte of them. to: {conversation_id: event_seq}, every number up to there is settled. position: the conversations are as new as every event whose meta.id is not higher. resync_required: the cursor is of another copy of the log, or from before what is kept or what the tier shows; forget what you hold, the inbox comes afresh.';
grant execute on function parley.sync to authenticated;
