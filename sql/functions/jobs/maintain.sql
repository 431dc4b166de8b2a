-- Upkeep, for pg_cron or the worker, as often as every minute: each part does a bounded amount of work, returns what it
-- did and steps aside if another caller is at it. None of it is needed for correctness in the short run; without it the
-- log grows and after some months there is no partition for new messages.

create or replace function parley.maintain()
returns jsonb
language plpgsql volatile security definer
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
comment on function parley.maintain is
'One round of upkeep; returns what was done. Call it every minute, from the worker or from pg_cron.';
grant execute on function parley.maintain to parley_worker;
