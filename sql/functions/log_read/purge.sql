-- Events that nobody needs any more are removed in bounded steps.

create or replace function parley.purge_events(older_than interval, batch integer default 10000)
returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
declare
    v_purged bigint;
    v_last bigint;
    v_youngest timestamptz;
    v_before constant timestamptz := clock_timestamp() - older_than;
begin
    if older_than is null or older_than < interval '1 hour' then
        raise exception using errcode = 'PT400', message = 'older_than must be at least one hour.';
    end if;
    if batch is null or batch not between 1 and 1000000 then
        raise exception using errcode = 'PT400', message = 'batch must be between 1 and 1000000.';
    end if;
    if not pg_try_advisory_xact_lock(hashtextextended('parley:purge_events', 0)) then
        return 0;
    end if;
    -- The oldest by id, stopping at the first that is young enough: id and created_at rise together but for
    -- transactions that were held open, and those only make an event stay longer. One from the future, which a clock that
    -- was set back has left, goes with an old one after it. Never what a durable consumer has yet to read; only the search
    -- index does not keep the log waiting, because it can be made anew, nor push, which nobody wants that late.
    with oldest as (
        select e.id, e.created_at
        from parley.event e
        where e.id <= coalesce((select min(c.max_id) from parley.consumer c where c.name not in ('search', 'push')), 9223372036854775807)
        order by e.id
        limit batch
    ),
    bound as (
        select max(o.id) as id
        from oldest o
        where
            o.created_at < v_before
            and o.id < coalesce(
                (select min(y.id) from oldest y where y.created_at between v_before and clock_timestamp()),
                9223372036854775807
            )
    ),
    purged as (
        delete from parley.event e
        using bound b
        where e.id <= b.id
        returning e.id, e.created_at
    )
    select count(*), max(p.id), max(p.created_at) filter (where p.created_at < v_before)
    into v_purged, v_last, v_youngest from purged p;
    if v_purged > 0 then
        update parley.log_state s
        set purged_id = greatest(s.purged_id, v_last), purged_at = greatest(s.purged_at, v_youngest);
    end if;
    return v_purged;
end
$$;
comment on function parley.purge_events is
'Deletes the oldest events that are older than this, at most batch; returns how many. Replay reports the gap from then on.';
grant execute on function parley.purge_events to parley_worker;
