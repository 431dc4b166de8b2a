-- Running workers announce themselves, so that writers know whom to wake. Rows of workers that vanished are removed by
-- the others; until then such a row costs writers one uncontended lock.

create or replace function parley.remove_stale_workers()
returns bigint
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    with stale as (
        select w.id
        from parley.worker w
        where w.beat_at < clock_timestamp() - interval '60 seconds'
        for update skip locked
    ),
    removed as (
        delete from parley.worker w using stale where w.id = stale.id returning w.id
    )
    select count(*) from removed
$$;
comment on function parley.remove_stale_workers is
'Forgets workers without a sign of life for a minute; returns how many.';

create or replace function parley.check_worker(newest_migration integer)
returns void
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_name text;
begin
    select m.name into v_name
    from parley.migration as m
    where m.breaking and m.version > check_worker.newest_migration
    order by m.version desc
    limit 1;
    if found then
        raise exception using
            errcode = 'PT426',
            message = format('This worker is older than the database. The database needs a worker with migration %s.', v_name),
            hint = 'Start the worker of the release that the database was upgraded with.';
    end if;
end
$$;
comment on function parley.check_worker is
'Asked by a worker before it registers and with each sign of life: fails with PT426 if a breaking migration is newer than the newest it knows.';
grant execute on function parley.check_worker to parley_worker;

create or replace function parley.worker_start(name text, version text)
returns table (worker_id bigint, lock_key bigint)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id bigint := nextval(pg_get_serial_sequence('parley.worker', 'id'));
    v_key bigint := hashtextextended('parley:worker:' || v_id, 0);
begin
    perform parley.remove_stale_workers();
    perform parley.adopt_log();
    insert into parley.worker (id, lock_key, beat_at, name, version)
    overriding system value
    values (v_id, v_key, clock_timestamp(), worker_start.name, worker_start.version);
    return query select v_id, v_key;
end
$$;
comment on function parley.worker_start is
'Registers a running worker. While it sleeps it holds lock_key exclusively (session level); that is how writers know to ring.';
grant execute on function parley.worker_start to parley_worker;

create or replace function parley.worker_beat(worker_id bigint)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_found boolean;
begin
    update parley.worker w set beat_at = clock_timestamp() where w.id = worker_beat.worker_id;
    v_found := found;
    perform parley.remove_stale_workers();
    return v_found;
end
$$;
comment on function parley.worker_beat is
'A worker''s sign of life, due more often than once a minute. False: its row is gone, register again.';
grant execute on function parley.worker_beat to parley_worker;

create or replace function parley.worker_stop(worker_id bigint)
returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    delete from parley.worker w where w.id = worker_stop.worker_id
$$;
comment on function parley.worker_stop is 'Removes a worker that stops in good order.';
grant execute on function parley.worker_stop to parley_worker;
