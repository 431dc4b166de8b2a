-- The one way to read the log: what became visible since a cursor (snapshot, highest id).
--
--   id > after_id                                          everything newer, by id order
--   id <= after_id and xid >= xmax(after_snapshot)         began after the cursor, drew its id before: a late commit
--   id <= after_id and xid = any(xip(after_snapshot))      was in flight at the cursor: a late commit
--
-- Three index scans, because the same as one condition with OR is a sequential scan. Late commits come complete; newer
-- ids only the lowest `batch`, and the cursor's new max_id is the highest of those, so that the rest stays "newer".
-- The id half is not only for batches: after a crash of the server a transaction id can be used again, and a snapshot
-- alone would take the new transaction for one it has seen. The function is STABLE: it sees the snapshot of the calling
-- statement, which is therefore the next cursor.
--
-- plpgsql keeps its plans per session, so that a poll that finds nothing costs three index probes. The planner must not
-- be free to choose here: in the late branches `id + 0` keeps the primary key, whose range is the whole log, out of the
-- way, nor is their order asked for, which it has; and a sequential scan, parallel workers or compilation are never
-- right, whatever the statistics say.

create or replace function parley.read_log_ids(
    after_snapshot pg_snapshot, after_id bigint, batch integer, floor_id bigint
)
returns bigint[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set max_parallel_workers_per_gather = 0
set jit = off
as $$
declare
    v_xmax constant xid8 := pg_snapshot_xmax(after_snapshot);
    -- not by pg_snapshot_xip: a query costs more than all expressions of this function
    v_xip constant xid8[] := string_to_array(split_part(after_snapshot::text, ':', 3), ',')::xid8[];
    -- events of the calling transaction are left for its successor, see cursor_snapshot
    v_own constant xid8 := coalesce(pg_current_xact_id_if_assigned(), '0');
begin
    return array(
        (
            select e.id
            from parley.event e
            where e.id > after_id and e.xid <> v_own
            order by e.id
            limit batch
        )
        union all
        select e.id
        from parley.event e
        where e.id + 0 <= after_id and e.id + 0 > floor_id and e.xid >= v_xmax and e.xid <> v_own
        union all
        select e.id
        from parley.event e
        where e.id + 0 <= after_id and e.id + 0 > floor_id and e.xid = any (v_xip) and e.xid <> v_own
    );
end
$$;
comment on function parley.read_log_ids is
'Ids of the events that became visible since a cursor, in no order. At or below floor_id no late commit is possible.';

create or replace function parley.readers_without_receipts(conversation_id uuid, reader_id uuid)
returns uuid[]
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
#variable_conflict use_column
begin
    return (
        select array_agg(p.user_id)
        from parley.participant as p
        cross join lateral (select x.read_receipts from parley.account as x where x.id = p.user_id offset 0) as a
        where p.conversation_id = readers_without_receipts.conversation_id
            and p.left_at is null
            and p.user_id <> readers_without_receipts.reader_id
            and not a.read_receipts
    );
end
$$;
comment on function parley.readers_without_receipts is
'Participants who show no receipts, and so see none of this reader. Null: all do.';

create or replace function parley.read_log(after_snapshot pg_snapshot, after_id bigint, batch integer)
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
    v_ids constant bigint[] := parley.read_log_ids(
        after_snapshot, after_id, batch, (select s.floor_id from parley.log_state s)
    );
begin
    if v_ids <> '{}' then
        -- Payloads show things as they are now. Whoever has left by now, at a later event, is not shown what happened
        -- since; nor is who deleted the conversation for themselves shown a message of before. Those are named, and the
        -- worker passes them by. Two index probes per event.
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
            e.history_from_seq,
            e.payload,
            (
                select array_agg(u.user_id)
                from (
                    select p.user_id
                    from parley.participant as p
                    where p.conversation_id = e.conversation_id and p.left_event_seq > e.event_seq
                    union all
                    select p.user_id
                    from parley.participant as p
                    where p.conversation_id = e.conversation_id and p.deleted_seq >= e.message_seq
                    union all
                    select d.user_id
                    from parley.departure as d
                    where d.conversation_id = e.conversation_id and e.conversation_id is not null
                ) as u
            )
            || case when e.kind = 'message:read' then parley.readers_without_receipts(e.conversation_id, e.user_id) end,
            e.created_at
        from parley.render_events(v_ids, 4 * parley.page_bytes(), after_id) as e;
    end if;
end
$$;
comment on function parley.read_log is
'Events that became visible since the cursor, by id, with their payloads, and who must not be shown them any more because they left or deleted the conversation since, or have turned off the receipts it is one of: late commits complete, newer ids at most batch and 4 MB.';
grant execute on function parley.read_log to parley_worker;
