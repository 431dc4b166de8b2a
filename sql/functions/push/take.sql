-- What workers call for jobs.

create or replace function parley.is_passing_error(code text)
returns boolean
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- deadlocks, what is exhausted, locked or cancelled, the system itself: it goes better another time
    select code ~ '^(40|53|55|57|58|XX)'
$$;
comment on function parley.is_passing_error is 'True if what failed with this SQLSTATE can be tried again, whatever it was.';

create or replace function parley.lease_each_push_job(jobs parley.push_job[], worker text, secret text)
returns jsonb[]
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_job parley.push_job;
    v_leased jsonb[] := '{}';
begin
    foreach v_job in array jobs loop
        begin
            -- as it is by now: it may stand for one of those before it
            v_leased := v_leased || parley.lease_push_jobs(
                array(select j from parley.push_job as j where j.id = v_job.id and j.settled_at is null), worker, secret
            );
        exception
            when others then
                if parley.is_passing_error(sqlstate) then
                    raise;
                end if;
                update parley.push_job as j
                set due_at = clock_timestamp() + interval '1 minute', reason = 'error_' || sqlstate
                where j.id = v_job.id;
        end;
    end loop;
    return v_leased;
end;
$$;
comment on function parley.lease_each_push_job is
'As lease_push_jobs, one by one: one that fails waits a minute, and harms no other.';

create or replace function parley.claim_push_jobs(
    worker text, lanes text[], max integer, provider text, paused text[],
    secret text default null, provider_set text default null, decided_since timestamptz default null
)
returns setof jsonb
language plpgsql volatile security definer
rows 100
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
set enable_sort = off
set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
    v_secret constant text := nullif(claim_push_jobs.secret, '');
    -- what this worker has credentials for; every push service takes those of the deployment
    v_apps constant text[] := case
        when provider_set is not null and provider <> 'webpush' then array(
            select r.route
            from parley.push_provider as p
            cross join lateral unnest(array[p.app_id, p.app_id || ' sandbox']) as r (route)
            where p.worker = claim_push_jobs.provider_set and p.provider = claim_push_jobs.provider
        )
    end;
    v_left integer := least(claim_push_jobs.max, 1000);
    v_until constant timestamptz := clock_timestamp() + interval '2 seconds';
    v_now timestamptz;
    v_lane text;
    v_last uuid;
    v_turn uuid;
    v_tenant uuid;
    v_room integer;
    v_limit integer;
    v_more boolean;
    v_group record;
    v_jobs parley.push_job[];
    v_found parley.push_job[];
    v_claimed jsonb[];
begin
    foreach v_lane in array lanes loop
        -- most of the time there is something in one of them alone
        continue when not exists (
            select from parley.push_job as j
            where j.settled_at is null and j.provider = claim_push_jobs.provider and j.lane = v_lane
        );
        select t.tenant_id into v_last
        from parley.push_turn as t
        where t.provider = claim_push_jobs.provider and t.lane = v_lane;
        v_turn := v_last;
        -- until there is enough, or nothing is due, or this has taken long enough: what is ended costs time, too
        loop
            exit when v_left <= 0 or clock_timestamp() > v_until;
            v_now := clock_timestamp();
            v_jobs := '{}';
            v_tenant := null;
            v_more := false;
            for v_group in
                with g as materialized (
                    select s.tenant_id, s.route, s.is_sealed, s.since, s.n
                    from parley.push_groups(
                        claim_push_jobs.provider, v_lane, v_secret is not null, claim_push_jobs.paused, v_left, v_turn,
                        v_apps
                    ) with ordinality as s (tenant_id, route, is_sealed, since, n)
                )

                select
                    g.tenant_id,
                    g.route,
                    g.is_sealed,
                    g.since,
                    ceil(v_left::numeric / (select count(distinct o.tenant_id) from g as o))::integer as share,
                    count(g.route) over w as routes
                from g
                window w as (partition by g.tenant_id)
                -- of the routes of a tenant any
                order by min(g.n) over w, random()
            loop
                if cardinality(v_jobs) >= v_left then
                    v_more := true;
                    exit;
                end if;
                v_turn := v_group.tenant_id;
                if v_tenant is distinct from v_group.tenant_id then
                    v_tenant := v_group.tenant_id;
                    v_room := least(v_group.share, v_left - cardinality(v_jobs)) + cardinality(v_jobs);
                end if;
                if v_group.route is null then
                    v_more := true;
                    continue;
                end if;
                v_limit := least(
                    ceil(v_group.share::numeric / v_group.routes)::integer, v_room - cardinality(v_jobs)
                );
                v_found := array(
                    select j
                    from parley.push_job as j
                    where j.settled_at is null
                        and j.provider = claim_push_jobs.provider
                        and j.lane = v_lane
                        and j.tenant_id = v_group.tenant_id
                        and j.route = v_group.route
                        and j.is_sealed = v_group.is_sealed
                        and j.due_at between v_group.since and v_now
                    order by j.due_at
                    limit v_limit
                    for update skip locked
                );
                v_jobs := v_jobs || v_found;
                v_more := v_more or cardinality(v_found) = v_limit;
            end loop;
            exit when v_jobs = '{}';
            begin
                v_claimed := parley.lease_push_jobs(
                    v_jobs, claim_push_jobs.worker, v_secret, claim_push_jobs.decided_since
                );
            exception
                when others then
                    if parley.is_passing_error(sqlstate) then
                        raise;
                    end if;
                    v_claimed := parley.lease_each_push_job(v_jobs, claim_push_jobs.worker, v_secret);
            end;
            v_left := v_left - cardinality(v_claimed);
            return query select c.job from unnest(v_claimed) as c (job);
            exit when not v_more;
        end loop;
        if v_turn is distinct from v_last then
            -- where another claim moves it just now, that is a turn as well
            update parley.push_turn as t
            set tenant_id = v_turn
            where (t.provider, t.lane) in (
                select o.provider, o.lane
                from parley.push_turn as o
                where o.provider = claim_push_jobs.provider and o.lane = v_lane
                for update skip locked
            );
        end if;
    end loop;
end;
$$;
comment on function parley.claim_push_jobs is
'Jobs of a provider that are due, decided anew and leased to the worker for a minute, as PushJob of the workers: lane by lane, tenants taking turns, none of a route in paused. secret: the private key of push_public_key; without it devices with a sealed token wait. provider_set: the name under which the worker told of its credentials; what others have is left to them. decided_since: as of lease_push_jobs.';
grant execute on function parley.claim_push_jobs to parley_worker;
