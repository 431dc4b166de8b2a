-- A queue for tests of the push sender: the two functions it calls, over one table. No devices, no decisions.
create schema if not exists parley;

create table parley.push_job (
    id uuid primary key default gen_random_uuid(),
    provider text not null,
    route text not null,
    lane text not null default 'message',
    target jsonb not null,
    content jsonb not null,
    not_before timestamptz not null default now(),
    expires_at timestamptz not null default now() + interval '1 day',
    attempts integer not null default 0,
    claim bigint not null default 0,
    worker text,
    claimed_at timestamptz,
    lease_until timestamptz,
    outcome text,
    reason text,
    before bigint,
    settled_at timestamptz
);
create index push_job_due on parley.push_job (provider, lane, not_before) where outcome is null;
create index push_job_leased on parley.push_job (lease_until) where outcome is null;

-- The JSON of each job claimed; the columns of a claim's result may have no other name.
create function parley.claim_push_jobs(worker text, lanes text[], max integer, provider text, paused text[])
returns setof jsonb language plpgsql as $$
declare
    v_lane text;
    v_left integer := max;
    v_job parley.push_job;
begin
    foreach v_lane in array lanes loop
        exit when v_left <= 0;
        for v_job in
            update parley.push_job j
            set claim = j.claim + 1, worker = claim_push_jobs.worker, claimed_at = clock_timestamp(),
                lease_until = now() + interval '60 seconds', not_before = now() + interval '60 seconds'
            where j.id in (
                select q.id from parley.push_job q
                where q.provider = claim_push_jobs.provider and q.lane = v_lane and q.outcome is null
                    and q.not_before <= now() and q.route <> all (paused)
                order by q.not_before limit v_left for update skip locked
            )
            returning j.*
        loop
            v_left := v_left - 1;
            return next jsonb_build_object(
                'id', v_job.id, 'claim', v_job.claim, 'lane', v_job.lane, 'attempts', v_job.attempts,
                'expires_at', (extract(epoch from v_job.expires_at) * 1000)::bigint,
                'target', v_job.target || jsonb_build_object('provider', v_job.provider), 'content', v_job.content);
        end loop;
    end loop;
end $$;

create function parley.settle_push_job(worker text, settlements jsonb)
returns integer language sql as $$
    with told as (
        select * from jsonb_to_recordset(settlements) as s
            (id uuid, claim bigint, outcome text, reason text, after_ms bigint, counts boolean, before bigint)
    ), settled as (
        update parley.push_job j
        set outcome = nullif(t.outcome, 'retry'), reason = t.reason, before = t.before, lease_until = null,
            not_before = now() + coalesce(t.after_ms, 0) * interval '1 millisecond',
            attempts = j.attempts + (t.outcome = 'retry' and t.counts)::integer,
            settled_at = clock_timestamp()
        from told t where j.id = t.id and j.claim = t.claim and j.outcome is null
        returning 1
    )
    select count(*)::integer from settled
$$;
