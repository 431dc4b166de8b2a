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
-- The planner must not be free to choose here: in the late branches `id + 0` keeps the primary key, whose range is the
-- whole log, out of the way, nor is their order asked for, which it has; and the callers forbid it sequential scans,
-- parallel workers and compilation, which are never right, whatever the statistics say. They are plpgsql, which keeps
-- its plans per session, so that a poll that finds nothing costs three index probes.

-- Without a `set` clause it becomes part of its caller's plan; so it has the caller's search path.
create or replace function parley.log_since(
    after_id bigint, batch integer, floor_id bigint, xmax xid8, xip xid8[], own_xid xid8
)
returns setof parley.event
language sql stable security invoker
as $$
    (
        select e.*
        from parley.event as e
        where e.id > log_since.after_id and e.xid <> log_since.own_xid
        order by e.id
        limit log_since.batch
    )
    union all
    select e.*
    from parley.event as e
    where e.id + 0 <= log_since.after_id
        and e.id + 0 > coalesce(log_since.floor_id, (select s.floor_id from parley.log_state as s))
        and e.xid >= log_since.xmax and e.xid <> log_since.own_xid
    union all
    select e.*
    from parley.event as e
    where e.id + 0 <= log_since.after_id
        and e.id + 0 > coalesce(log_since.floor_id, (select s.floor_id from parley.log_state as s))
        and e.xid = any (log_since.xip) and e.xid <> log_since.own_xid
$$;
comment on function parley.log_since is
'Events that became visible since a cursor, in no order. At or below floor_id, by default the log''s own, no late commit is possible. Only for functions that keep the planner from choosing.';

create or replace function parley.read_log_ids(
    after_snapshot pg_snapshot, after_id bigint, batch integer, floor_id bigint
)
returns bigint[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set max_parallel_workers_per_gather = 0
set jit = off
as $$
declare
    v_xmax constant xid8 := pg_snapshot_xmax(after_snapshot);
    -- not by pg_snapshot_xip: a query costs more than all expressions of a read
    v_xip constant xid8[] := string_to_array(split_part(after_snapshot::text, ':', 3), ',')::xid8[];
    -- events of the calling transaction are left for its successor, see cursor_snapshot
    v_own constant xid8 := coalesce(pg_current_xact_id_if_assigned(), '0');
begin
    return array(select e.id from parley.log_since(after_id, batch, floor_id, v_xmax, v_xip, v_own) as e);
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
