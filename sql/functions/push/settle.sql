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
    v_settled integer := 0;
begin
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
        )

        -- devices in one order for all who settle
        select e.device_id, e.badge, e.outcome, e.reason, e.before
        from settled as e
        order by e.device_id, e.id
    loop
        v_settled := v_settled + 1;
        if v_end.outcome = 'delivered' and v_end.badge is not null then
            update parley.push_device as d
            set last_badge = v_end.badge
            where d.id = v_end.device_id and d.last_badge is distinct from v_end.badge and d.dropped_at is null;
        elsif v_end.outcome = 'dead_token' then
            -- a token that was registered after what the provider speaks of is another one; looked at under the lock
            perform parley.drop_push_device(d.id, coalesce(nullif(v_end.reason, ''), 'unregistered'))
            from (
                select o.id
                from parley.push_device as o
                where o.id = v_end.device_id
                    and o.provider <> 'webhook'
                    and extract(epoch from o.registered_at) * 1000 <= coalesce(v_end.before, 9223372036854775807)
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
