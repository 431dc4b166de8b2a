-- Work that must happen at a time: the jobs and when each is due next.

create table parley.job (
    name text not null,
    period_seconds bigint not null,
    enabled boolean not null default true,
    next_run_at timestamptz not null default now(),
    last_run_at timestamptz,
    last_ok_at timestamptz,
    last_error_at timestamptz,
    last_error_code text,
    failures bigint not null default 0,
    description text not null,
    constraint job_pkey primary key (name),
    constraint job_name_check check (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    constraint job_period_seconds_check check (period_seconds between 1 and 2678400),
    constraint job_failures_check check (failures >= 0)
) with (fillfactor = 50);
comment on table parley.job
is 'Work done again and again by whoever calls run_job: the workers, or pg_cron. A job is a row and the function parley.<name>() it names.';
comment on column parley.job.name
is 'The function of schema parley: without arguments, bounded, returns true if there is more to do at once.';
comment on column parley.job.period_seconds is 'How long after a run that left nothing to do the next one is due.';
comment on column parley.job.enabled is 'False: it is not run.';
comment on column parley.job.next_run_at is 'From then on it is due. In the past for long: nobody runs the jobs.';
comment on column parley.job.last_run_at is 'When the last run ended, well or not.';
comment on column parley.job.last_ok_at is 'When the last run that did not fail ended.';
comment on column parley.job.last_error_at is 'When the last run that failed ended.';
comment on column parley.job.last_error_code is 'SQLSTATE of that failure. Never its text, which may quote a row.';
comment on column parley.job.failures is 'Failures since the last run that went well; each doubles the wait for the next.';
comment on column parley.job.description is 'One sentence for people.';

alter table parley.job enable row level security;
