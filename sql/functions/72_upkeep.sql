-- Upkeep, for pg_cron or the worker, as often as every minute: each part does a bounded amount of work, returns what it
-- did and steps aside if another caller is at it. None of it is needed for correctness in the short run; without it the
-- log grows and after some months there is no partition for new messages.

create or replace function parley.purge_events(older_than interval, batch integer default 10000)
returns bigint
language plpgsql
volatile
security definer
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
revoke all on function parley.purge_events(interval, integer) from public;
grant execute on function parley.purge_events(interval, integer) to parley_worker;
comment on function parley.purge_events(interval, integer)
is 'Deletes the oldest events that are older than this, at most batch; returns how many. Replay reports the gap from then on.';

create or replace function parley.maintain()
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_setting text := parley.setting_value('event_retention_days');
    v_made integer;
    v_batch bigint;
    v_purged bigint := 0;
begin
    if not pg_try_advisory_xact_lock(hashtextextended('parley:maintain', 0)) then
        return jsonb_build_object('busy', true);
    end if;
    v_made := parley.ensure_partitions();
    -- A setting that makes no sense must not cost the partitions, which share this transaction. Twenty batches, because
    -- one in every minute would fall behind 170 events a second for ever.
    if v_setting ~ '^[1-9][0-9]{0,5}$' then
        for i in 1..20 loop
            v_batch := parley.purge_events(make_interval(days => v_setting::integer), 10000);
            v_purged := v_purged + v_batch;
            exit when v_batch < 10000 or clock_timestamp() > statement_timestamp() + interval '5 seconds';
        end loop;
    else
        raise warning 'no events are purged: event_retention_days must be a number of days of at least 1, not %',
            coalesce(v_setting, 'missing');
    end if;
    return jsonb_build_object(
        'busy', false,
        'partitions_made', v_made,
        'events_purged', v_purged,
        'workers_removed', parley.remove_stale_workers(),
        'log_adopted', parley.adopt_log()
    );
end
$$;
revoke all on function parley.maintain() from public;
grant execute on function parley.maintain() to parley_worker;
comment on function parley.maintain()
is 'One round of upkeep; returns what was done. Call it every minute, from the worker or from pg_cron.';
