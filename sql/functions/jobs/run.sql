-- Jobs: work that is done again and again, by the workers or by pg_cron, however many of them call. To add one, write
-- a function parley.<name>() that does a bounded amount of work and returns true if there is more to do at once, and
-- insert its row into parley.job. A job is idle until next_run_at, then due. Whoever gets its lock and still finds
-- it due runs it, in a transaction that also moves next_run_at: a caller that dies leaves the job due for the next
-- one, with nothing done; a caller that comes second finds the lock taken or the job no longer due. A job that fails
-- is undone, its code recorded and its next run put off, twice as long each time; the other jobs do not notice.
-- Nothing is made up for runs that were missed: a job looks for what is due by now, so one late run does the work of
-- all of them.

create or replace function parley.job_wait_seconds(period_seconds bigint, failures bigint)
returns bigint
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- up to five minutes, or the job's own period if that is longer
    select case
        when failures = 0 then period_seconds
        else least(period_seconds * (1 << least(failures, 12)::integer), greatest(period_seconds, 300))
    end
$$;
comment on function parley.job_wait_seconds is
'How long a job waits after a run: its period, doubled by each failure in a row.';

create or replace function parley.run_job(name text)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_job parley.job;
    v_result jsonb;
    v_code text;
    v_more boolean;
    v_ended timestamptz;
begin
    if not exists (select from parley.job as j where j.name = run_job.name) then
        raise exception using errcode = 'PT404', message = 'There is no such job.', hint = 'See parley.job.';
    end if;
    if not pg_try_advisory_xact_lock(hashtextextended('parley:job:' || run_job.name, 0)) then
        return false;
    end if;
    -- looked at under the lock: whoever had it before may have done the work
    select j.* into v_job
    from parley.job as j
    where j.name = run_job.name
        and j.enabled
        -- one that ran in the future ran before the clock was set back
        and (j.next_run_at <= clock_timestamp() or j.last_run_at > clock_timestamp());
    if not found then
        return false;
    end if;
    begin
        execute format('select to_jsonb(parley.%I())', v_job.name) into v_result;
    exception
        when query_canceled or others then
            v_code := sqlstate;
    end;
    v_more := v_code is null and v_result = 'true';
    v_ended := clock_timestamp();
    update parley.job as j
    set
        failures = case when v_code is null then 0 else j.failures + 1 end,
        last_run_at = v_ended,
        last_ok_at = case when v_code is null then v_ended else j.last_ok_at end,
        last_error_at = case when v_code is null then j.last_error_at else v_ended end,
        last_error_code = coalesce(v_code, j.last_error_code),
        next_run_at = v_ended + case
            when v_more then interval '0'
            else make_interval(
                secs => parley.job_wait_seconds(
                    j.period_seconds, case when v_code is null then 0 else j.failures + 1 end
                )
            )
        end
    where j.name = v_job.name;
    return v_more;
end;
$$;
comment on function parley.run_job is
'Runs a job if it is due and nobody else is at it; a failure is recorded in parley.job and not raised. True: there is more to do at once.';
grant execute on function parley.run_job to parley_worker;

create or replace function parley.due_jobs()
returns table (name text, wait_ms bigint, failures bigint, last_error_code text)
language plpgsql stable security definer
rows 10
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select
        j.name,
        case
            when j.last_run_at > clock_timestamp() then 0
            else greatest(0, ceil(extract(epoch from j.next_run_at - clock_timestamp()) * 1000))::bigint
        end,
        j.failures,
        j.last_error_code
    from parley.job as j
    where j.enabled
    order by j.next_run_at, j.name
    limit 200;
end;
$$;
comment on function parley.due_jobs is
'The jobs, how long each still waits (0: it is due), and its failures in a row; those that wait the least first.';
grant execute on function parley.due_jobs to parley_worker;

create or replace function parley.job_states()
returns table (
    name text,
    enabled boolean,
    overdue_seconds bigint,
    failures bigint,
    last_error_code text,
    exists_as_function boolean
)
language plpgsql stable security definer
rows 10
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select
        j.name,
        j.enabled,
        greatest(0, floor(extract(epoch from clock_timestamp() - j.next_run_at)))::bigint,
        j.failures,
        j.last_error_code,
        to_regprocedure(format('parley.%I()', j.name)) is not null
    from parley.job as j
    order by j.name;
end;
$$;
comment on function parley.job_states is 'How the jobs are doing: how long each is overdue, and its failures in a row.';
grant execute on function parley.job_states to parley_worker;
