-- Deciding jobs that are due, under their locks: all of a claim at once. What does not depend on the device, as what is
-- said and the number on the icon, is made once for all devices of a user, and every row is written once.

create or replace function parley.lease_push_jobs(
    jobs parley.push_job[], worker text, secret text, decided_since timestamptz default null
)
returns jsonb[]
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
-- each row by its key, whatever is known of the tables
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v_now constant timestamptz := clock_timestamp();
    v_privacy constant text := parley.setting_value('push_privacy');
    v_jobs parley.push_job[] := jobs;
    v_leased jsonb[];
begin
    if exists (select from unnest(jobs) as j where j.claim > 0 and j.kind = 'message') then
        v_jobs := parley.without_old_pushes(jobs);
    end if;
    -- one worker sends those of a device in their order
    if exists (select from parley.worker as w where w.id::text <> lease_push_jobs.worker) then
        v_jobs := parley.without_overtaking_pushes(v_jobs, lease_push_jobs.worker);
    end if;
    with looked as (
        select
            x.n,
            x.job,
            d.device,
            case
                when (x.job).expires_at <= v_now then 'expired'
                when (d.device).id is null or (d.device).dropped_at is not null then 'cancelled'
                when not (d.device).enabled and (x.job).kind <> 'test' then 'suppressed'
            end as ended
        from (select row_number() over () as n, j as job from unnest(v_jobs) as j) as x
        left join lateral (
            select o as device from parley.push_device as o where o.id = (x.job).device_id offset 0
        ) as d on true
    ),

    -- which is the first of its user, and the first of those that say the same: what these find holds for the others
    grouped as (
        select
            l.n,
            l.job,
            l.device,
            l.ended,
            l.ended is null and (l.job).kind in ('message', 'badge', 'clear') as is_counted,
            l.ended is null and (l.job).kind = 'message' as is_message,
            min(l.n) over (
                partition by (l.job).user_id, l.ended is null and (l.job).kind in ('message', 'badge', 'clear')
            ) as first_of_user,
            min(l.n) over (
                partition by
                    (l.job).user_id, (l.job).conversation_id, (l.job).message_id, (l.job).first_seq, (l.job).last_seq,
                    (l.job).delays, l.ended is null and (l.job).kind = 'message'
            ) as first_alike
        from looked as l
    ),

    floored as (
        select
            g.*,
            case when g.is_counted and g.n = g.first_of_user then parley.message_floor_of((g.job).user_id) end as floor_id
        from grouped as g
        offset 0
    ),

    counted as (
        select
            f.*,
            case when f.floor_id is not null then parley.push_badge((f.job).user_id, f.floor_id) end as badge
        from floored as f
        offset 0
    ),

    known as (
        select
            c.n,
            c.job,
            c.device,
            c.ended,
            c.is_message,
            c.first_alike,
            first_value(c.floor_id) over w as floor_id,
            first_value(c.badge) over w as badge
        from counted as c
        window w as (partition by c.first_of_user order by c.n)
    ),

    drafted as (
        select
            k.n,
            k.job,
            k.device,
            k.ended,
            k.badge,
            k.first_alike,
            case
                when k.ended is not null then null
                when k.is_message then case when k.n = k.first_alike then parley.prepare_message_push(
                    k.job, p.participant, a.account, s.preference, m.message, k.floor_id,
                    is_decided => coalesce(
                        (k.job).created_at >= decided_since
                        -- somebody may have blocked, muted or gone since
                        and decided_since > v_now - interval '0.1 seconds'
                        and (k.job).reason is null
                        and (k.job).claim = 0,
                        false
                    )
                ) end
                when (k.job).kind in ('call', 'call_end') then parley.prepare_call_push(k.job)
                else parley.prepare_other_push(k.job, k.device, k.badge)
            end as draft
        from known as k
        left join lateral (
            select q as participant
            from parley.participant as q
            where q.conversation_id = (k.job).conversation_id and q.user_id = (k.job).user_id
                and k.is_message and k.n = k.first_alike
            offset 0
        ) as p on true
        left join lateral (
            select q as account from parley.account as q where q.id = (p.participant).user_id offset 0
        ) as a on true
        left join lateral (
            select q as preference from parley.push_preference as q where q.user_id = (p.participant).user_id offset 0
        ) as s on true
        left join lateral (
            select q as message
            from parley.message as q
            where q.id = (k.job).message_id and q.conversation_id = (p.participant).conversation_id
            offset 0
        ) as m on true
        offset 0
    ),

    decided as (
        select
            r.n,
            r.job,
            r.device,
            r.ended,
            r.badge,
            coalesce(r.draft, first_value(r.draft) over (partition by r.first_alike order by r.n)) as draft
        from drafted as r
    ),

    aimed as (
        select
            e.n,
            e.job,
            e.device,
            e.ended,
            e.draft,
            -- apns takes no number with what clears
            case
                when (e.job).kind in ('message', 'badge') or ((e.job).kind = 'clear' and (e.device).provider <> 'apns')
                    then e.badge
            end as badge,
            case
                when e.ended is null and (e.draft).verdict in ('send', 'silent')
                    then parley.push_target_json(e.job, e.device, secret)
            end as target
        from decided as e
        offset 0
    ),

    fate as materialized (
        select
            (t.job).id,
            coalesce(t.ended, case
                when t.target is not null then 'leased'
                when (t.draft).verdict <> 'suppress' then (t.job).state
                when (t.draft).reason in ('read', 'call_over') then 'cancelled'
                else 'suppressed'
            end) as state,
            case
                when t.ended = 'expired' then coalesce((t.job).answer, 'too_late')
                when t.ended = 'cancelled' then 'device_dropped'
                when t.ended = 'suppressed' then 'device_off'
                -- sealed for another worker's key, or the worker has a wrong one
                when t.target is null and (t.draft).verdict in ('send', 'silent') then 'sealed_with_another_key'
                else (t.draft).reason
            end as reason,
            case
                when t.target is not null or t.ended is not null then null
                when (t.draft).verdict = 'delay' then (t.draft).until
                else v_now + interval '5 minutes'
            end as until,
            coalesce((t.draft).verdict = 'delay', false) as is_delayed,
            t.badge,
            t.target,
            case
                when t.target is not null
                    then parley.push_device_content(t.job, t.device, (t.draft).content, v_privacy, t.badge)
            end as content
        from aimed as t
        order by t.n
    ),

    written as (
        update parley.push_job as j
        set
            state = f.state,
            reason = f.reason,
            settled_at = case when f.state not in ('queued', 'leased', 'retrying') then clock_timestamp() end,
            due_at = case
                when f.target is not null then clock_timestamp() + interval '60 seconds'
                when f.state in ('queued', 'leased', 'retrying') then f.until
                else j.due_at
            end,
            -- what is held is worth an hour when it is let go
            expires_at = case
                when f.is_delayed then greatest(j.expires_at, f.until + interval '1 hour') else j.expires_at
            end,
            delays = j.delays + (f.is_delayed and f.reason = 'in_view')::integer,
            claim = j.claim + (f.target is not null)::integer,
            worker = case when f.target is not null then lease_push_jobs.worker else j.worker end,
            badge = case when f.target is not null then f.badge else j.badge end
        from fate as f
        where j.id = f.id
        returning case
            when f.target is not null then jsonb_build_object(
                'id', j.id,
                'claim', j.claim,
                'lane', j.lane,
                'reason', j.reason,
                'attempts', j.attempts,
                'created_at', (extract(epoch from j.created_at) * 1000)::bigint,
                'expires_at', (extract(epoch from j.expires_at) * 1000)::bigint,
                'user_id', j.user_id,
                'target', f.target,
                'content', f.content
            )
        end as job
    )

    select array_agg(w.job) filter (where w.job is not null) into v_leased
    from written as w;
    return coalesce(v_leased, '{}');
end;
$$;
comment on function parley.lease_push_jobs is
'Decides jobs that are due and locked, anew: ends them, puts them off, or leases them to the worker for a minute, and returns those as PushJob of the workers. decided_since: what was queued since then was decided just now.';
