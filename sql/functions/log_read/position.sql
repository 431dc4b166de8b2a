-- Positions in the log. A position is a snapshot and the highest event id visible in it, with the transaction and the
-- moment of that event. It is valid within one epoch, the cluster and timeline whose transaction ids it speaks of:
-- after a restore or a failover old positions prove nothing, and their holders load afresh. An older copy of the same
-- cluster has the same identifier and timeline, and gives the same ids away again; what the highest event was tells it.

create or replace function parley.log_epoch()
returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- The name of the current WAL file begins with the timeline in hexadecimal. Unlike the control file, which says it
    -- as of the last checkpoint, it is right from the first moment after a promotion.
    return (
        select
            (select c.system_identifier from pg_control_system() c)::text || '/'
            || case
                when pg_is_in_recovery() then (select k.timeline_id from pg_control_checkpoint() k)
                else ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer
            end
            || '/' || (select s.epoch from parley.log_state s)
    );
end;
$$;
comment on function parley.log_epoch is
'The epoch of the log: system identifier and timeline of this server, and the name that begin_epoch gave.';

create or replace function parley.log_end()
returns bigint
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
begin
    -- not max(): where the planner takes the log for empty it would read all of it
    return coalesce(
        (select e.id from parley.event e order by e.id desc limit 1), (select s.purged_id from parley.log_state s)
    );
end;
$$;
comment on function parley.log_end is 'The highest event id visible; the last purged one if no event is kept.';

create or replace function parley.log_position()
returns table (snapshot pg_snapshot, max_id bigint, epoch text, xid xid8, created_at timestamptz)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select pg_current_snapshot(), l.id, parley.log_epoch(), e.xid, e.created_at
    from (select parley.log_end() as id) l
    left join parley.event e on l.id = e.id
$$;
comment on function parley.log_position is
'The end of the log as this statement sees it; xid and created_at are those of its highest event, null where none is kept.';
grant execute on function parley.log_position to parley_worker;

create or replace function parley.position_holds(
    epoch text, max_id bigint, xid xid8, created_at timestamptz
)
returns boolean
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select position_holds.epoch = parley.log_epoch() and coalesce(
        (
            select e.xid = position_holds.xid and e.created_at = position_holds.created_at
            from parley.event e
            where e.id = position_holds.max_id
        ),
        -- purged since; or there was none, and a log that has an end beyond it has begun since
        position_holds.max_id <= (select s.purged_id from parley.log_state s)
        or (position_holds.xid is null and position_holds.max_id <= parley.log_end())
    )
$$;
comment on function parley.position_holds is
'Does a position still speak of this log? False after a restore or a failover, also to an older copy of the same cluster: when it is ahead of the log, or its highest event is another one now. A worker asks when it has connected again.';
grant execute on function parley.position_holds to parley_worker;

create or replace function parley.begin_epoch(reason text, only_after text default null)
returns text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if reason is null or not parley.shows_something(reason) then
        raise exception using errcode = 'PT400', message = 'reason must say why a new epoch begins.';
    end if;
    update parley.log_state as s
    set epoch = gen_random_uuid(), epoch_reason = reason, epoch_at = clock_timestamp()
    where only_after is null or only_after = parley.log_epoch();
    if found then
        -- a worker whose row is gone registers again, and learns of the epoch
        delete from parley.worker;
        perform pg_notify('parley', '');
    end if;
    return parley.log_epoch();
end;
$$;
comment on function parley.begin_epoch is
'For the DBA, after the database was set back to an older copy: makes every position in the log void, so that clients load afresh. Workers notice within their next sign of life. With only_after nothing happens unless that is still the epoch. Returns the epoch.';
grant execute on function parley.begin_epoch to parley_worker;

-- On a standby a snapshot does not say which transactions are in progress: there they are kept as subtransactions. From
-- xmin on nothing is certain.
create or replace function parley.certain_snapshot()
returns pg_snapshot
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    if pg_is_in_recovery() then
        return format('%1$s:%1$s:', pg_snapshot_xmin(pg_current_snapshot()))::pg_snapshot;
    end if;
    return pg_current_snapshot();
end;
$$;
comment on function parley.certain_snapshot is
'The current snapshot; on a standby without what it may have seen or not. A reader who goes on from there loses nothing, and on a standby may get an event twice.';

-- pg_current_snapshot() counts the caller's own transaction as finished, or as not yet begun, by chance. A cursor must
-- count it as in progress: its events, also those it has yet to write, are for the next reader.
create or replace function parley.cursor_snapshot()
returns pg_snapshot
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_snapshot constant pg_snapshot := parley.certain_snapshot();
    v_own constant xid8 := pg_current_xact_id_if_assigned();
    v_xip xid8[];
begin
    if v_own is null or v_own >= pg_snapshot_xmax(v_snapshot) then
        return v_snapshot;
    end if;
    v_xip := array(select pg_snapshot_xip(pg_current_snapshot()));
    if v_own = any (v_xip) then
        return v_snapshot;
    end if;
    return (
        least(pg_snapshot_xmin(v_snapshot)::text::numeric, v_own::text::numeric) || ':'
        || pg_snapshot_xmax(v_snapshot)::text || ':'
        || (select string_agg(x.xid::text, ',' order by x.xid::text::numeric) from unnest(v_xip || v_own) as x (xid))
    )::pg_snapshot;
end
$$;
comment on function parley.cursor_snapshot is
'The current snapshot, with the calling transaction itself counted as in progress.';

-- A dump carries events whose transaction ids belong to another cluster; this cluster's counter may yet pass through
-- the same numbers. Below the floor nobody looks at xid any more. The lock waits for every writer, so that no event at
-- or below the floor can still be uncommitted; it is taken only in the first call after a restore.
create or replace function parley.adopt_log()
returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_here constant bigint := (select c.system_identifier from pg_control_system() c);
begin
    if exists (select from parley.log_state s where s.system_identifier = v_here) then
        return false;
    end if;
    lock table parley.event in share mode;
    update parley.log_state s
    set system_identifier = v_here, floor_id = coalesce((select max(e.id) from parley.event e), s.floor_id)
    where s.system_identifier <> v_here;
    return found;
end
$$;
comment on function parley.adopt_log is
'After a restore from a dump: makes this cluster''s transaction ids the measure again. True if that was needed.';
