-- Positions in the log. A position is a snapshot and the highest event id visible in it. It is valid within one epoch,
-- the cluster and timeline whose transaction ids it speaks of: after a restore or a failover old positions prove
-- nothing, and their holders load afresh.

create or replace function parley.log_epoch()
returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    -- The name of the current WAL file begins with the timeline in hexadecimal. Unlike the control file, which says it
    -- as of the last checkpoint, it is right from the first moment after a promotion.
    select
        (select c.system_identifier from pg_control_system() c)::text || '/'
        || case
            when pg_is_in_recovery() then (select k.timeline_id from pg_control_checkpoint() k)
            else ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer
        end
$$;
comment on function parley.log_epoch is 'System identifier and timeline of this server: <identifier>/<timeline>.';

create or replace function parley.log_end()
returns bigint
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select coalesce((select max(e.id) from parley.event e), (select s.purged_id from parley.log_state s))
$$;
comment on function parley.log_end is 'The highest event id visible; the last purged one if no event is kept.';

create or replace function parley.log_position()
returns table (snapshot pg_snapshot, max_id bigint, epoch text)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select pg_current_snapshot(), parley.log_end(), parley.log_epoch()
$$;
comment on function parley.log_position is 'The end of the log as this statement sees it.';
grant execute on function parley.log_position to parley_worker;

-- pg_current_snapshot() counts the caller's own transaction as finished, or as not yet begun, by chance. A cursor must
-- count it as in progress: its events, also those it has yet to write, are for the next reader.
create or replace function parley.cursor_snapshot()
returns pg_snapshot
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select case
        when o.xid is null or o.xid >= pg_snapshot_xmax(s.snap) or o.xid = any (s.xip) then s.snap
        else (
            least(pg_snapshot_xmin(s.snap)::text::numeric, o.xid::text::numeric) || ':'
            || pg_snapshot_xmax(s.snap)::text || ':'
            || (
                select string_agg(x.xid::text, ',' order by x.xid::text::numeric)
                from unnest(s.xip || o.xid) x (xid)
            )
        )::pg_snapshot
    end
    from
        (select pg_current_xact_id_if_assigned() as xid) o,
        (select pg_current_snapshot() as snap, array(select pg_snapshot_xip(pg_current_snapshot())) as xip) s
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
