-- Upkeep of the queue, and what operators do with it.

create or replace function parley.push_upkeep()
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
set enable_sort = off
set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
    v_batch constant integer := 5000;
    v_now constant timestamptz := clock_timestamp();
    -- what waited until the end of its time is kept as long after it
    v_kept constant interval := parley.push_lifetime() + interval '2 days'
        + make_interval(days => greatest(1, least(365, parley.setting_number('push_keep_days', 14)))::integer);
    v_lane record;
    v_group record;
    v_ended integer;
    v_quiet integer;
    v_done integer := 0;
begin
    perform parley.settle_push_providers();
    delete from parley.push_focus as f where f.expires_at < v_now;
    delete from parley.push_device as d where d.dropped_at < v_now - interval '30 days';
    -- what no worker has fetched: of a provider that is gone, or whose private key is
    for v_lane in
        select p.provider, l.lane
        from unnest(array['apns', 'fcm', 'webpush', 'webhook']) as p (provider)
        cross join unnest(array['call', 'message', 'quiet']) as l (lane)
    loop
        for v_group in select g.* from parley.push_groups(v_lane.provider, v_lane.lane, true, '{}', 5000) as g loop
            with late as (
                select j.id
                from parley.push_job as j
                where j.settled_at is null
                    and j.provider = v_lane.provider
                    and j.lane = v_lane.lane
                    and j.is_sealed = v_group.is_sealed
                    and j.tenant_id = v_group.tenant_id
                    and j.route = v_group.route
                    and j.due_at < v_now - interval '10 minutes'
                    and j.expires_at < v_now
                order by j.due_at
                limit v_batch
                for update skip locked
            )

            update parley.push_job as j
            set state = 'expired', reason = coalesce(j.answer, 'not_fetched'), settled_at = v_now
            from late
            where j.id = late.id;
            get diagnostics v_ended = row_count;
            v_done := v_done + v_ended;
            exit when v_done >= v_batch;
        end loop;
    end loop;
    delete from parley.push_job as j
    where j.id = any (array(
        select o.id
        from parley.push_job as o
        where o.lane = 'quiet' and o.settled_at < v_now - interval '1 hour'
        order by o.settled_at
        limit v_batch
    ));
    get diagnostics v_quiet = row_count;
    delete from parley.push_job as j
    where j.id = any (array(
        select o.id
        from parley.push_job as o
        where o.id < parley.uuid_v7_floor(v_now - v_kept)
        order by o.id
        limit v_batch
    ));
    get diagnostics v_ended = row_count;
    return v_ended = v_batch or v_quiet = v_batch or v_done >= v_batch;
end;
$$;
comment on function parley.push_upkeep is
'A job: ends what nobody fetched in time, and deletes old decisions, after an hour what set a badge or took back, devices that were dropped 30 days ago and leases of focus that are over.';

create or replace function parley.requeue_push_jobs(
    provider text default null, reason text default null, since interval default interval '1 day'
)
returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_count bigint;
begin
    update parley.push_job as j
    set
        state = 'retrying',
        settled_at = null,
        attempts = 0,
        due_at = clock_timestamp(),
        expires_at = greatest(j.expires_at, clock_timestamp() + interval '1 hour')
    where j.id >= parley.uuid_v7_floor(clock_timestamp() - requeue_push_jobs.since)
        and j.state = 'dead'
        and j.kind in ('message', 'test')
        and j.provider = coalesce(requeue_push_jobs.provider, j.provider)
        and j.answer is not distinct from coalesce(requeue_push_jobs.reason, j.answer)
        and exists (select from parley.push_device as d where d.id = j.device_id and d.dropped_at is null);
    get diagnostics v_count = row_count;
    return v_count;
end;
$$;
comment on function parley.requeue_push_jobs is
'Tries notifications again that were given up, of a provider or with an answer only, and that were queued since then; returns how many. What was read meanwhile is not sent.';
grant execute on function parley.requeue_push_jobs to parley_worker;

create or replace function parley.push_test(device_id uuid)
returns uuid
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_device parley.push_device;
begin
    select d.* into v_device
    from parley.push_device as d
    where d.id = push_test.device_id and d.user_id is not null and d.dropped_at is null;
    if not found then
        raise exception using
            errcode = 'PT404',
            message = 'There is no such device, or it was dropped.',
            hint = 'Its app registers it anew when it starts.';
    end if;
    if v_device.kind = 'voip' then
        raise exception using errcode = 'PT400', message = 'On a VoIP token only calls may be sent.';
    end if;
    perform parley.queue_push(
        v_device, parley.push_tenant(null), v_device.user_id, 'test', 'message', 'test', null, null, null,
        clock_timestamp(), clock_timestamp() + interval '1 hour'
    );
    return (
        select j.id
        from parley.push_job as j
        where j.device_id = v_device.id and j.user_id = v_device.user_id and j.collapse_key = 'test' and j.state = 'queued'
    );
end;
$$;
comment on function parley.push_test is 'Queues a test for one device, and returns its job.';
grant execute on function parley.push_test to parley_worker;
