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

create or replace function parley.decide_push_jobs(jobs parley.push_job[], secret text, one_by_one boolean)
returns jsonb[]
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_job parley.push_job;
    v_badges jsonb := '{}';
    v_json jsonb;
    v_claimed jsonb[] := '{}';
begin
    foreach v_job in array jobs loop
        if v_job.kind in ('message', 'badge', 'clear') and not v_badges ? v_job.user_id::text then
            v_badges := v_badges || jsonb_build_object(v_job.user_id, parley.push_badge(v_job.user_id));
        end if;
        if one_by_one then
            begin
                v_json := parley.claim_push_job(v_job, secret, (v_badges ->> v_job.user_id::text)::bigint);
            exception
                when others then
                    if parley.is_passing_error(sqlstate) then
                        raise;
                    end if;
                    v_json := null;
                    update parley.push_job as j
                    set due_at = clock_timestamp() + interval '1 minute', reason = 'error_' || sqlstate
                    where j.id = v_job.id;
            end;
        else
            v_json := parley.claim_push_job(v_job, secret, (v_badges ->> v_job.user_id::text)::bigint);
        end if;
        if v_json is not null then
            v_claimed := v_claimed || v_json;
        end if;
    end loop;
    return v_claimed;
end;
$$;
comment on function parley.decide_push_jobs is
'Decides jobs that are due; returns those that are to be leased. one_by_one: one that fails waits a minute, and harms no other.';

create or replace function parley.claim_push_jobs(
    worker text, lanes text[], max integer, provider text, paused text[], secret text default null
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
    v_left integer := least(claim_push_jobs.max, 1000);
    v_until constant timestamptz := clock_timestamp() + interval '2 seconds';
    v_now timestamptz;
    v_lane text;
    v_group record;
    v_jobs parley.push_job[];
    v_claimed jsonb[];
begin
    foreach v_lane in array lanes loop
        -- until there is enough, or nothing is due, or this has taken long enough: what is ended costs time, too
        loop
            exit when v_left <= 0 or clock_timestamp() > v_until;
            v_now := clock_timestamp();
            v_jobs := '{}';
            for v_group in
                with g as materialized (
                    select s.is_sealed, s.tenant_id, s.route
                    from parley.push_groups(
                        claim_push_jobs.provider, v_lane, v_secret is not null, claim_push_jobs.paused, v_left
                    ) as s
                )

                select
                    g.is_sealed,
                    g.tenant_id,
                    g.route,
                    ceil(
                        v_left::numeric / (select count(distinct o.tenant_id) from g as o)
                        / (select count(*) from g as o where o.tenant_id = g.tenant_id)
                    )::integer as share
                from g
            loop
                exit when cardinality(v_jobs) >= v_left;
                v_jobs := v_jobs || array(
                    select j
                    from parley.push_job as j
                    where j.settled_at is null
                        and j.provider = claim_push_jobs.provider
                        and j.lane = v_lane
                        and j.is_sealed = v_group.is_sealed
                        and j.tenant_id = v_group.tenant_id
                        and j.route = v_group.route
                        and j.due_at <= v_now
                    order by j.due_at
                    limit least(v_group.share, v_left - cardinality(v_jobs))
                    for update skip locked
                );
            end loop;
            exit when v_jobs = '{}';
            begin
                v_claimed := parley.decide_push_jobs(v_jobs, v_secret, false);
            exception
                when others then
                    if parley.is_passing_error(sqlstate) then
                        raise;
                    end if;
                    v_claimed := parley.decide_push_jobs(v_jobs, v_secret, true);
            end;
            update parley.push_job as j
            set
                state = 'leased',
                claim = j.claim + 1,
                worker = claim_push_jobs.worker,
                due_at = clock_timestamp() + interval '60 seconds',
                badge = (c.job #>> '{content,badge}')::bigint,
                reason = c.job ->> 'reason'
            from unnest(v_claimed) as c (job)
            where j.id = (c.job ->> 'id')::uuid;
            v_left := v_left - cardinality(v_claimed);
            return query select c.job from unnest(v_claimed) as c (job);
        end loop;
    end loop;
end;
$$;
comment on function parley.claim_push_jobs is
'Jobs of a provider that are due, decided anew and leased to the worker for a minute, as PushJob of the workers: lane by lane, tenants taking turns, none of a route in paused. secret: the private key of push_public_key; without it devices with a sealed token wait.';
grant execute on function parley.claim_push_jobs to parley_worker;
