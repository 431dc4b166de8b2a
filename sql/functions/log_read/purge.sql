-- Events that nobody needs any more are removed in bounded steps.

create or replace function parley.purge_events(older_than interval, batch integer default 10000)
returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_purged bigint;
    v_last bigint;
    v_youngest timestamptz;
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
    -- transactions that were held open, and those only make an event stay longer. Never what a durable consumer has yet
    -- to read; only the search index does not keep the log waiting, because it can be made anew.
    with oldest as (
        select e.id, e.created_at
        from parley.event e
        where e.id <= coalesce((select min(c.max_id) from parley.consumer c where c.name <> 'search'), 9223372036854775807)
        order by e.id
        limit batch
    ),
    bound as (
        select coalesce(
            (select min(o.id) - 1 from oldest o where o.created_at >= clock_timestamp() - older_than),
            (select max(o.id) from oldest o)
        ) as id
    ),
    purged as (
        delete from parley.event e
        using bound b
        where e.id <= b.id
        returning e.id, e.created_at
    )
    select count(*), max(p.id), max(p.created_at) into v_purged, v_last, v_youngest from purged p;
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
