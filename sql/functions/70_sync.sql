-- sync: everything a client needs to be up to date, and the cursor to continue from, all of one snapshot, so that
-- nothing can fall between them. Without a cursor it loads the inbox, page by page; the cursor keeps the position of
-- the first page, so what changed meanwhile arrives as events afterwards. With a cursor it brings the events since,
-- page by page, with the present state of the conversations they are about. The cost depends on what happened in the
-- user's own conversations, not on the rest of the log.

create or replace function parley.sync_inbox_ids(user_id uuid, inbox_after uuid, page_size integer)
returns uuid[]
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
    select array(
        select p.conversation_id
        from parley.participant p
        where
            p.user_id = sync_inbox_ids.user_id
            and p.left_at is null
            and p.conversation_id > inbox_after
        order by p.conversation_id
        limit page_size
    )
$$;
revoke all on function parley.sync_inbox_ids(uuid, uuid, integer) from public;
comment on function parley.sync_inbox_ids(uuid, uuid, integer) is 'The next current conversations of a user, by id.';

create or replace function parley.sync_event_ids(
    user_id uuid, snapshot pg_snapshot, max_id bigint, page_size integer
)
returns bigint[]
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
    with reader as materialized (
        select
            (select s.floor_id from parley.log_state s) as floor_id,
            parley.message_floor_of(sync_event_ids.user_id) as message_floor,
            array(select pg_snapshot_xip(sync_event_ids.snapshot)) as xip,
            pg_current_xact_id_if_assigned() as own
    ),
    unseen as (
        select
            p.conversation_id,
            p.history_from_seq,
            parley.first_unseen(c.id, c.last_event_seq, sync_event_ids.snapshot, sync_event_ids.max_id, r.floor_id)
                as first_unseen,
            c.last_event_seq
        from reader r
        cross join parley.participant p
        inner join parley.conversation c on c.id = p.conversation_id
        where p.user_id = sync_event_ids.user_id and p.left_at is null
    ),
    behind as materialized (
        select
            u.*,
            -- with every id below the floor only max_id decides: the first event newer than the position
            parley.first_unseen(
                u.conversation_id, u.last_event_seq, sync_event_ids.snapshot, sync_event_ids.max_id, 9223372036854775807
            ) as first_newer
        from unseen u
        where u.first_unseen <= u.last_event_seq
    ),
    late_and_new as (
        select e.id
        from reader r
        cross join behind b
        cross join lateral (
            -- late commits are few and come complete; of the newer events a page is enough
            (
                select e.id, e.xid, e.message_seq, e.message_id from parley.event e
                where
                    e.conversation_id = b.conversation_id
                    and e.event_seq >= b.first_unseen
                    and e.event_seq < b.first_newer
            )
            union all
            (
                select e.id, e.xid, e.message_seq, e.message_id from parley.event e
                where
                    e.conversation_id = b.conversation_id
                    and e.event_seq >= b.first_newer
                    and (e.message_seq is null or e.message_seq >= b.history_from_seq)
                    and (e.message_id is null or e.message_id >= r.message_floor)
                order by e.event_seq
                limit page_size
            )
        ) e
        where
            e.xid is distinct from r.own
            and (e.message_seq is null or e.message_seq >= b.history_from_seq)
            and (e.message_id is null or e.message_id >= r.message_floor)
        union all
        -- the user's own events have no conversation whose lock would order them: any of them may be a late commit
        select e.id
        from reader r
        cross join parley.event e
        where
            e.conversation_id is null
            and e.user_id = sync_event_ids.user_id
            and e.xid is distinct from r.own
            and (
                e.id > sync_event_ids.max_id
                or (e.id > r.floor_id and (e.xid >= pg_snapshot_xmax(sync_event_ids.snapshot) or e.xid = any (r.xip)))
            )
    )
    select array(
        (select l.id from late_and_new l where l.id <= sync_event_ids.max_id)
        union all
        (select l.id from late_and_new l where l.id > sync_event_ids.max_id order by l.id limit page_size)
        order by 1
    )
$$;
revoke all on function parley.sync_event_ids(uuid, pg_snapshot, bigint, integer) from public;
comment on function parley.sync_event_ids(uuid, pg_snapshot, bigint, integer)
is 'Events a user has not seen at a position: late commits complete, of the newer ids the lowest page_size.';

create or replace function parley.sync_state_json(user_id uuid, conversation_ids uuid[], since timestamptz)
returns jsonb
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
    select jsonb_build_object(
        'conversations', coalesce(
            jsonb_agg(
                parley.conversation_json(p.conversation_id, sync_state_json.user_id, 0) - 'participants'
                order by p.conversation_id
            ),
            '[]'
        ),
        'participants', coalesce(
            (
                select jsonb_agg(
                    parley.participant_json(o) || jsonb_build_object('conversation_id', o.conversation_id)
                    order by o.conversation_id, o.joined_at, o.user_id
                )
                from parley.participant o
                where o.conversation_id = any (sync_state_json.conversation_ids) and o.left_at is null
            ),
            '[]'
        ),
        'unread', coalesce(
            jsonb_object_agg(p.conversation_id, parley.unread_count(p, c.last_seq)) filter (where c.id is not null), '{}'
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
    from parley.participant p
    inner join parley.conversation c on c.id = p.conversation_id
    where
        p.conversation_id = any (sync_state_json.conversation_ids)
        and p.user_id = sync_state_json.user_id
        and p.left_at is null
$$;
revoke all on function parley.sync_state_json(uuid, uuid[], timestamptz) from public;
comment on function parley.sync_state_json(uuid, uuid[], timestamptz)
is 'The present state of some of a user''s conversations: conversations, participants, unread counts, and those left since.';

create or replace function parley.sync(cursor text default null)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
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
    v_event_ids bigint[] := '{}';
    v_inbox_after uuid;
    v_has_more boolean;
    v_resync boolean := false;
begin
    if sync.cursor is not null then
        select d.epoch, d.snapshot, d.max_id, d.inbox_after, d.at
        into v_from_epoch, v_from_snapshot, v_from_max_id, v_from_inbox, v_from_time
        from parley.decode_cursor(sync.cursor, v_user_id) d;
        if v_from_epoch <> v_epoch or v_from_max_id < (select s.purged_id from parley.log_state s) then
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
            v_max_id := v_event_ids[cardinality(v_event_ids)];
        end if;
        v_conversation_ids := array(
            select distinct p.conversation_id
            from parley.event e
            inner join parley.participant p
                on p.conversation_id = coalesce(e.conversation_id, (e.data ->> 'conversation_id')::uuid)
            where e.id = any (v_event_ids) and p.user_id = v_user_id and p.left_at is null
        );
    end if;

    return parley.sync_state_json(v_user_id, v_conversation_ids, v_from_time) || jsonb_build_object(
        'events', parley.events_json(v_event_ids),
        'cursor', parley.encode_cursor(v_user_id, v_epoch, v_snapshot, v_max_id, v_inbox_after, statement_timestamp()),
        'has_more', v_has_more,
        'resync_required', v_resync
    );
end
$$;
revoke all on function parley.sync(text) from public;
grant execute on function parley.sync(text) to authenticated;
comment on function parley.sync(text)
is 'Inbox and position without a cursor; with one the events since, and the state of their conversations. Call again while has_more.';
