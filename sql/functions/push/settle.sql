-- What workers tell of jobs that they have claimed.

create or replace function parley.settle_push_job(worker text, settlements jsonb)
returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v_now constant timestamptz := clock_timestamp();
    v_end record;
    v_settled integer;
begin
    -- a crash that loses this costs a repeat with the same id: devices fold it, the server of a webhook sees it twice;
    -- a device that is dropped is in the log, whose readers rely on every commit
    if not settlements @> '[{"outcome": "dead_token"}]' then
        perform set_config('synchronous_commit', 'off', true);
    end if;
    for v_end in
        with told as (
            select distinct on (s.id) s.id, s.claim, s.outcome, s.reason, s.after_ms, s.counts, s.before
            from jsonb_to_recordset(settlements) as s
                (id uuid, claim bigint, outcome text, reason text, after_ms bigint, counts boolean, before bigint)
            where s.outcome in ('delivered', 'dead_token', 'retry', 'dead')
            order by s.id
        ),

        settled as (
            update parley.push_job as j
            set
                state = case t.outcome when 'delivered' then 'sent' when 'retry' then 'retrying' else 'dead' end,
                settled_at = case when t.outcome <> 'retry' then v_now end,
                due_at = v_now + coalesce(t.after_ms, 0) * interval '1 millisecond',
                attempts = j.attempts + (t.outcome = 'retry' and coalesce(t.counts, true))::integer,
                answer = left(t.reason, 128)
            from told as t
            where j.id = t.id
                and j.claim = t.claim
                and j.worker = settle_push_job.worker
                and j.state = 'leased'
            returning j.id, j.device_id, j.badge, t.outcome, t.reason, t.before
        ),

        of_device as (
            select
                e.device_id,
                (array_agg(e.badge order by e.id desc) filter (where e.outcome = 'delivered' and e.badge is not null))[1] as badge,
                bool_or(e.outcome = 'dead_token') as is_dead,
                max(e.reason) filter (where e.outcome = 'dead_token') as reason,
                max(coalesce(e.before, 9223372036854775807)) filter (where e.outcome = 'dead_token') as before
            from settled as e
            group by e.device_id
        ),

        -- in one order for all who settle
        locked as materialized (
            select d.id, o.badge, o.reason, o.is_dead and d.provider <> 'webhook'
                -- a token that was registered after what the provider speaks of is another one; looked at under the lock
                and floor(extract(epoch from d.registered_at) * 1000) <= o.before as is_dropped
            from of_device as o
            inner join parley.push_device as d on o.device_id = d.id
            where d.dropped_at is null and (o.is_dead or d.last_badge is distinct from o.badge and o.badge is not null)
            order by d.id
            for update of d
        ),

        shown as (
            update parley.push_device as d
            set last_badge = l.badge
            from locked as l
            where d.id = l.id and l.badge is not null
        )

        select c.settled, l.id, l.reason
        from (select count(*) as settled from settled) as c
        left join locked as l on l.is_dropped
        order by l.id
    loop
        v_settled := v_end.settled;
        if v_end.id is not null then
            perform parley.drop_push_device(v_end.id, coalesce(nullif(v_end.reason, ''), 'unregistered'));
        end if;
    end loop;
    return v_settled;
end;
$$;
comment on function parley.settle_push_job is
'A worker tells how jobs ended: [{id, claim, outcome, reason, after_ms, counts, before}], outcome delivered, retry, dead_token or dead. Of a job that was claimed again since nothing counts. Returns how many counted.';
grant execute on function parley.settle_push_job to parley_worker;
