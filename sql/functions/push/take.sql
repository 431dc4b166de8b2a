-- What workers call: they claim jobs, and tell how each ended.

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
    v_job parley.push_job;
    v_looked integer;
    v_badges jsonb := '{}';
    v_json jsonb;
begin
    update parley.push_provider as p
    set seen_at = clock_timestamp()
    where p.provider = claim_push_jobs.provider
        and p.worker in (claim_push_jobs.worker, '')
        and p.seen_at < clock_timestamp() - interval '10 minutes';
    foreach v_lane in array lanes loop
        -- until there is enough, or nothing is due, or this has taken long enough: what is ended costs time, too
        loop
            exit when v_left <= 0 or clock_timestamp() > v_until;
            v_now := clock_timestamp();
            v_looked := 0;
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
                exit when v_left <= 0;
                v_jobs := array(
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
                    limit least(v_group.share, v_left)
                    for update skip locked
                );
                foreach v_job in array v_jobs loop
                    v_looked := v_looked + 1;
                    if v_job.kind in ('message', 'badge', 'clear') and not v_badges ? v_job.user_id::text then
                        v_badges := v_badges || jsonb_build_object(v_job.user_id, parley.push_badge(v_job.user_id));
                    end if;
                    v_json := parley.claim_push_job(
                        v_job, claim_push_jobs.worker, v_secret, (v_badges ->> v_job.user_id::text)::bigint
                    );
                    if v_json is not null then
                        v_left := v_left - 1;
                        return next v_json;
                    end if;
                end loop;
            end loop;
            exit when v_looked = 0;
        end loop;
    end loop;
end;
$$;
comment on function parley.claim_push_jobs is
'Jobs of a provider that are due, decided anew and leased to the worker for a minute, as PushJob of the workers: lane by lane, tenants taking turns, none of a route in paused. secret: the private key of push_public_key; without it devices with a sealed token wait.';
grant execute on function parley.claim_push_jobs to parley_worker;

create or replace function parley.settle_push_job(worker text, settlements jsonb)
returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    v_now constant timestamptz := clock_timestamp();
    v_told record;
    v_job parley.push_job;
    v_settled integer := 0;
begin
    for v_told in
        select s.id, s.claim, s.outcome, s.reason, s.after_ms, s.counts, s.before
        from jsonb_to_recordset(settlements) as s
            (id uuid, claim bigint, outcome text, reason text, after_ms bigint, counts boolean, before bigint)
        order by s.id
    loop
        update parley.push_job as j
        set
            state = case v_told.outcome when 'delivered' then 'sent' when 'retry' then 'retrying' else 'dead' end,
            settled_at = case when v_told.outcome <> 'retry' then v_now end,
            due_at = v_now + coalesce(v_told.after_ms, 0) * interval '1 millisecond',
            attempts = j.attempts + (v_told.outcome = 'retry' and coalesce(v_told.counts, true))::integer,
            answer = left(v_told.reason, 128)
        where j.id = v_told.id
            and j.claim = v_told.claim
            and j.worker = settle_push_job.worker
            and j.state = 'leased'
            and v_told.outcome in ('delivered', 'dead_token', 'retry', 'dead')
        returning j.* into v_job;
        continue when not found;
        v_settled := v_settled + 1;
        if v_told.outcome = 'delivered' and v_job.badge is not null then
            update parley.push_device as d
            set last_badge = v_job.badge
            where d.id = v_job.device_id and d.last_badge is distinct from v_job.badge and d.dropped_at is null;
        elsif v_told.outcome = 'dead_token' then
            -- a token that was registered after what the provider speaks of is another one; looked at under the lock
            perform parley.drop_push_device(d.id, coalesce(nullif(v_told.reason, ''), 'unregistered'))
            from (
                select o.id
                from parley.push_device as o
                where o.id = v_job.device_id
                    and o.provider <> 'webhook'
                    and extract(epoch from o.registered_at) * 1000 <= coalesce(v_told.before, 9223372036854775807)
                for update
            ) as d;
        end if;
    end loop;
    return v_settled;
end;
$$;
comment on function parley.settle_push_job is
'A worker tells how jobs ended: [{id, claim, outcome, reason, after_ms, counts, before}], outcome delivered, retry, dead_token or dead. Of a job that was claimed again since nothing counts. Returns how many counted.';
grant execute on function parley.settle_push_job to parley_worker;
