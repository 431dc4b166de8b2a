-- What one page of a sync holds: of the inbox, or of the events since a position.

create or replace function parley.sync_inbox_ids(user_id uuid, inbox_after uuid, page_size integer)
returns uuid[]
language sql stable security definer
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
comment on function parley.sync_inbox_ids is 'The next current conversations of a user, by id.';

create or replace function parley.sync_event_ids(
    user_id uuid, snapshot pg_snapshot, max_id bigint, page_size integer
)
returns bigint[]
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set max_parallel_workers_per_gather = 0
set jit = off
-- What is hidden is looked up by its whole primary key, event by event (offset 0): a page stops early.
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v_floor_id constant bigint := (select s.floor_id from parley.log_state s);
    v_message_floor constant uuid := parley.message_floor_of(sync_event_ids.user_id);
    v_receipts constant boolean := parley.shares_receipts(sync_event_ids.user_id);
    v_xip constant xid8[] := array(select pg_snapshot_xip(sync_event_ids.snapshot));
    v_now constant xid8 := pg_snapshot_xmax(pg_current_snapshot());
    v_own constant xid8 := coalesce(pg_current_xact_id_if_assigned(), '0');
    v_conversation_ids uuid[];
    v_history_from bigint[];
    v_first_unseen bigint[];
    v_first_newer bigint[];
    v_late bigint[];
    v_newer bigint[];
    v_depth integer := 16;
    v_bound bigint;
begin
    select array_agg(u.conversation_id), array_agg(u.history_from_seq), array_agg(u.first_unseen), array_agg(n.first_newer)
    into v_conversation_ids, v_history_from, v_first_unseen, v_first_newer
    from (
        select
            p.conversation_id,
            p.history_from_seq,
            c.last_event_seq,
            greatest(
                parley.first_unseen(
                    c.id, c.last_event_seq, sync_event_ids.snapshot, sync_event_ids.max_id, v_floor_id
                ),
                p.history_from_event_seq
            ) as first_unseen
        from parley.participant p
        cross join lateral (
            select k.id, k.last_event_seq from parley.conversation k where k.id = p.conversation_id offset 0
        ) c
        where p.user_id = sync_event_ids.user_id and p.left_at is null
        offset 0
    ) u
    cross join lateral (
        -- late commits are few, so a step or two from the first unseen event on
        select coalesce(
            (
                select e.event_seq
                from parley.event e
                where
                    e.conversation_id = u.conversation_id
                    and e.event_seq >= u.first_unseen
                    and e.id > sync_event_ids.max_id
                order by e.event_seq
                limit 1
            ),
            u.last_event_seq + 1
        ) as first_newer
    ) n
    where u.first_unseen <= u.last_event_seq;

    -- Late commits. A user's own events have no conversation whose lock would order them: any of them may be one.
    v_late := array(
        select e.id
        from unnest(v_conversation_ids, v_history_from, v_first_unseen, v_first_newer)
            as b (conversation_id, history_from, first_unseen, first_newer)
        cross join lateral (
            select a.*
            from parley.event a
            where
                a.conversation_id = b.conversation_id
                and a.event_seq >= b.first_unseen
                and a.event_seq < b.first_newer
            offset 0
        ) e
        where
            e.xid <> v_own
            -- verdict: readable, tombstone
            -- of event e viewer=sync_event_ids.user_id from=b.history_from floor=v_message_floor each
            and (e.message_seq is null or e.message_seq >= b.history_from)
            and (e.message_id is null or e.message_id >= v_message_floor)
            and not exists (
                select from parley.message_hidden as h
                where
                    h.conversation_id = e.conversation_id
                    and h.user_id = sync_event_ids.user_id
                    and h.seq = e.message_seq
                offset 0
            )
            -- end verdict
            and (e.kind <> 'message:read' or e.user_id = sync_event_ids.user_id or v_receipts)
        union all
        select e.id
        from parley.event e
        where
            e.conversation_id is null
            and e.user_id = sync_event_ids.user_id
            and e.id <= sync_event_ids.max_id
            and e.id > v_floor_id
            and (e.xid >= pg_snapshot_xmax(sync_event_ids.snapshot) or e.xid = any (v_xip))
            -- what is beyond came with a dump, and was in the inbox
            and e.xid < v_now
            and e.xid <> v_own
        order by 1
    );

    -- Newer events: the lowest ids of many conversations, without reading a page of each. A few of each are read; up to
    -- the lowest id at which one of them was cut off, all are known. If that does not fill the page, more of each.
    loop
        with fetched as materialized (
            select b.n as source, e.id
            from unnest(v_conversation_ids, v_history_from, v_first_newer)
                with ordinality as b (conversation_id, history_from, first_newer, n)
            cross join lateral (
                select e.id
                from parley.event e
                where
                    e.conversation_id = b.conversation_id
                    and e.event_seq >= b.first_newer
                    and e.xid <> v_own
                    -- verdict: readable, tombstone
                    -- of event e viewer=sync_event_ids.user_id from=b.history_from floor=v_message_floor each
                    and (e.message_seq is null or e.message_seq >= b.history_from)
                    and (e.message_id is null or e.message_id >= v_message_floor)
                    and not exists (
                        select from parley.message_hidden as h
                        where
                            h.conversation_id = e.conversation_id
                            and h.user_id = sync_event_ids.user_id
                            and h.seq = e.message_seq
                        offset 0
                    )
                    -- end verdict
                    and (e.kind <> 'message:read' or e.user_id = sync_event_ids.user_id or v_receipts)
                order by e.event_seq
                limit v_depth
            ) e
            union all
            (
                select 0, e.id
                from parley.event e
                where
                    e.conversation_id is null
                    and e.user_id = sync_event_ids.user_id
                    and e.id > sync_event_ids.max_id
                    and e.xid <> v_own
                order by e.id
                limit v_depth
            )
        ),
        cut as (
            select min(t.top) as id
            from (select max(f.id) as top from fetched f group by f.source having count(*) = v_depth) t
        )
        select
            c.id,
            array(select f.id from fetched f where c.id is null or f.id <= c.id order by f.id limit page_size)
        into v_bound, v_newer
        from cut c;
        exit when v_bound is null or cardinality(v_newer) >= page_size or v_depth >= page_size;
        v_depth := least(v_depth * 4, page_size);
    end loop;
    return v_late || v_newer;
end
$$;
comment on function parley.sync_event_ids is
'Events a user has not seen at a position: late commits complete, of the newer ids the lowest page_size.';
