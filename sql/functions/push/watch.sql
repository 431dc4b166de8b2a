-- What operators and their tools ask of the queue.

create or replace function parley.push_queue_state()
returns table (provider text, lane text, due bigint, age_ms bigint)
language plpgsql stable security definer
rows 12
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
set enable_sort = off
set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
    v_now constant timestamptz := clock_timestamp();
    v_group record;
    v_due bigint;
    v_oldest timestamptz;
begin
    for provider in select distinct p.provider from parley.push_provider as p loop
        foreach lane in array array['call', 'message', 'quiet'] loop
            due := 0;
            age_ms := 0;
            for v_group in select g.* from parley.push_groups(push_queue_state.provider, push_queue_state.lane, true, '{}', 100) as g loop
                select count(*), min(j.due_at)
                into v_due, v_oldest
                from (
                    select q.due_at
                    from parley.push_job as q
                    where q.settled_at is null
                        and q.provider = push_queue_state.provider
                        and q.lane = push_queue_state.lane
                        and q.is_sealed = v_group.is_sealed
                        and q.tenant_id = v_group.tenant_id
                        and q.route = v_group.route
                        and q.due_at <= v_now
                    order by q.due_at
                    limit 1000
                ) as j;
                due := due + v_due;
                age_ms := greatest(age_ms, (extract(epoch from v_now - v_oldest) * 1000)::bigint);
            end loop;
            return next;
        end loop;
    end loop;
end;
$$;
comment on function parley.push_queue_state is
'For each provider and lane: how many jobs are due, up to 1000 of each of 100 tenants and routes, and since when the oldest is.';
grant execute on function parley.push_queue_state to parley_worker;

create or replace function parley.push_log_state()
returns table (events bigint, age_ms bigint, resets bigint, skipped bigint)
language sql stable security definer
rows 1
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
    select
        greatest(0, parley.log_end() - c.max_id),
        coalesce((extract(epoch from clock_timestamp() - e.created_at) * 1000)::bigint, 0),
        s.resets,
        s.skipped
    from parley.consumer as c
    cross join parley.push_state as s
    left join lateral (
        select o.created_at from parley.event as o where o.id > c.max_id order by o.id limit 1
    ) as e on true
    where c.name = 'push'
$$;
comment on function parley.push_log_state is
'How many events push has not read, at most, and how old the first of them is; how often it began anew, and how many events it passed over. No row: nobody reads them.';
grant execute on function parley.push_log_state to parley_worker;

create or replace function parley.push_test_outcome(job_id uuid)
returns table (state text, settled_at timestamptz, reason text, answer text, attempts integer, worker text)
language sql stable security definer
rows 1
set search_path = pg_catalog, pg_temp
as $$
    select j.state, j.settled_at, j.reason, j.answer, j.attempts, j.worker
    from parley.push_job as j
    where j.id = push_test_outcome.job_id and j.kind = 'test'
$$;
comment on function parley.push_test_outcome is 'How a job of push_test stands.';
grant execute on function parley.push_test_outcome to parley_worker;
