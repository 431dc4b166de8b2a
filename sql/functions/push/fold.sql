-- Of a device and a conversation the newest notification stands for those before it.

create or replace function parley.without_old_pushes(jobs parley.push_job[])
returns parley.push_job[]
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    v_now constant timestamptz := clock_timestamp();
    v_is_changed boolean := false;
    v_job parley.push_job;
    v_newer parley.push_job;
begin
    -- of one that was claimed before, a newer one may be waiting, or have been sent: the older must not come after it
    for v_job in
        select j.*
        from unnest(jobs) as j
        inner join parley.push_device as d on j.device_id = d.id
        where j.claim > 0 and j.kind = 'message' and j.expires_at > v_now and d.dropped_at is null and d.enabled
        -- the newest first: what stands for several then has all that they stood for
        order by j.last_seq desc
    loop
        select j.* into v_newer
        from parley.push_job as j
        where j.user_id = v_job.user_id
            and j.conversation_id = v_job.conversation_id
            and j.last_seq > v_job.last_seq
            and j.device_id = v_job.device_id
            and j.kind = 'message'
            and j.state in ('queued', 'leased', 'retrying', 'sent')
        order by j.last_seq
        limit 1;
        continue when not found;
        v_is_changed := true;
        -- the newer one stands for both; one that is still to be decided is decided for both, what was sent or is under way
        -- has been
        if v_newer.state in ('queued', 'retrying') or (v_newer.state = 'leased' and v_newer.due_at <= v_now) then
            perform from parley.push_job as j
            where j.id = v_newer.id and j.state = v_newer.state and j.claim = v_newer.claim
            for update skip locked;
            if not found then
                -- somebody is at it just now: what comes of it is seen later
                update parley.push_job as j
                set due_at = clock_timestamp() + interval '2 seconds'
                where j.id = v_job.id;
                continue;
            end if;
            update parley.push_job as j
            set first_seq = least(j.first_seq, v_job.first_seq)
            where j.id = v_newer.id;
        end if;
        update parley.push_job as j
        set state = 'folded', reason = 'newer', settled_at = clock_timestamp()
        where j.id = v_job.id;
    end loop;
    if not v_is_changed then
        return jobs;
    end if;
    -- a newer one may be among them
    return array(
        select j
        from unnest(jobs) as o
        inner join parley.push_job as j on o.id = j.id
        where j.settled_at is null and j.due_at <= v_now
    );
end;
$$;
comment on function parley.without_old_pushes is
'Ends the jobs for which a newer one of the same device and conversation stands, and returns the others.';

create or replace function parley.is_older_push_leased(job parley.push_job, except_worker text default null)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    return exists (
        select from (
            select o.device_id, o.state, o.due_at, o.worker
            from parley.push_job as o
            where o.user_id = job.user_id
                and o.conversation_id = job.conversation_id
                and o.last_seq <= job.last_seq
                and o.kind = 'message'
                and o.device_id is not null
            order by o.user_id, o.conversation_id, o.last_seq desc
            limit 100
        ) as j
        where j.device_id = job.device_id
            and j.state = 'leased'
            and j.due_at > clock_timestamp()
            and j.worker is distinct from except_worker
    );
end;
$$;
comment on function parley.is_older_push_leased is
'Whether a message of the job''s conversation, not newer than it, is being sent to its device; by another worker than that, if one is named.';

create or replace function parley.without_overtaking_pushes(jobs parley.push_job[], worker text)
returns parley.push_job[]
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    v_ids constant uuid[] := array(
        select j.id
        from unnest(jobs) as j
        where j.kind = 'message' and parley.is_older_push_leased(j, without_overtaking_pushes.worker)
    );
begin
    if v_ids = '{}' then
        return jobs;
    end if;
    update parley.push_job as j
    set due_at = clock_timestamp() + interval '0.5 seconds'
    where j.id = any (v_ids);
    return array(select j from unnest(jobs) as j where j.id <> all (v_ids));
end;
$$;
comment on function parley.without_overtaking_pushes is
'Puts off the messages whose older ones another worker is sending to the same device: it could come to do so after the newer one was shown. Returns the others.';
