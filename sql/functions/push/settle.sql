-- What workers tell of jobs that they have claimed.

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
