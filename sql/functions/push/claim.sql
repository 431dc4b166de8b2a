-- Claiming jobs. A job is due from due_at on; a claim is a lease of a minute, after which it is due again, so that of
-- a worker that dies nothing is lost. Rows stand in groups of one tenant and route (push_job_due_idx): a claim walks
-- from group to group, beginning behind the tenant with which the last one ended (push_turn), and takes of each tenant
-- its share of what is due first. So tenants take turns, a paused route costs nothing, and however many wait, a claim
-- costs what it takes. What was done since the oldest snapshot of the database began still lies before what is due: the
-- look for the groups passes it, once a claim, and what is taken begins behind it.

create or replace function parley.push_groups(
    provider text, lane text, with_sealed boolean, paused text[], most integer,
    after uuid default '00000000-0000-0000-0000-000000000000', apps text[] default null
)
returns table (tenant_id uuid, route text, is_sealed boolean, since timestamptz)
language plpgsql stable security definer
rows 10
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
set enable_sort = off
set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
    -- of a tenant with more routes than these the others wait until some of these are done
    v_most_routes constant integer := 1000;
    v_tenant uuid := push_groups.after;
    v_route text;
    v_sealed boolean;
    v_due timestamptz;
    v_counted uuid;
    v_tenants integer := 0;
    v_routes integer := 0;
    v_looks integer := 0;
begin
    <<rounds>>
    for v_round in 1..2 loop
        if v_round = 2 then
            v_tenant := '00000000-0000-0000-0000-000000000000';
            v_route := '';
            v_sealed := false;
        end if;
        loop
            -- the next group, and when its first is due
            if v_route is null then
                select j.tenant_id, j.route, j.is_sealed, j.due_at into v_tenant, v_route, v_sealed, v_due
                from parley.push_job as j
                where j.settled_at is null
                    and j.provider = push_groups.provider
                    and j.lane = push_groups.lane
                    and j.tenant_id > v_tenant
                order by j.provider, j.lane, j.tenant_id, j.route, j.is_sealed, j.due_at
                limit 1;
            else
                select j.tenant_id, j.route, j.is_sealed, j.due_at into v_tenant, v_route, v_sealed, v_due
                from parley.push_job as j
                where j.settled_at is null
                    and j.provider = push_groups.provider
                    and j.lane = push_groups.lane
                    and (j.tenant_id, j.route, j.is_sealed) > (v_tenant, v_route, v_sealed)
                order by j.provider, j.lane, j.tenant_id, j.route, j.is_sealed, j.due_at
                limit 1;
            end if;
            exit when not found or (v_round = 2 and v_tenant > push_groups.after);
            exit rounds when v_tenants >= most and v_tenant <> v_counted;
            v_looks := v_looks + 1;
            if v_due <= clock_timestamp()
                and (push_groups.with_sealed or not v_sealed)
                and v_route <> all (coalesce(paused, '{}'))
                and (apps is null or v_route = any (apps))
            then
                if v_tenant is distinct from v_counted then
                    v_counted := v_tenant;
                    v_tenants := v_tenants + 1;
                    v_routes := 0;
                end if;
                v_routes := v_routes + 1;
                tenant_id := v_tenant;
                route := v_route;
                is_sealed := v_sealed;
                since := v_due;
                return next;
                if v_routes >= v_most_routes then
                    v_route := null;
                end if;
            end if;
            if v_looks >= 5000 then
                -- the next look goes on from here
                tenant_id := v_tenant;
                route := null;
                is_sealed := null;
                since := null;
                return next;
                exit rounds;
            end if;
        end loop;
    end loop;
end;
$$;
comment on function parley.push_groups is
'Tenants and routes with something due, of at most so many tenants, beginning behind a tenant: one index probe each; since: when the first of them was due. apps: of no other routes. Without a route: until there it was looked, and there may be more.';

create or replace function parley.end_push_job(job parley.push_job, state text, reason text)
returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    update parley.push_job as j
    set state = end_push_job.state, reason = end_push_job.reason, settled_at = clock_timestamp()
    where j.id = job.id
$$;
comment on function parley.end_push_job is 'Brings a job to its end.';

create or replace function parley.is_old_push(job parley.push_job)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    v_newer parley.push_job;
begin
    -- of one that was claimed before, a newer one may be waiting, or have been sent: the older must not come after it
    select j.* into v_newer
    from parley.push_job as j
    where j.user_id = job.user_id
        and j.conversation_id = job.conversation_id
        and j.last_seq > job.last_seq
        and j.device_id = job.device_id
        and j.kind = 'message'
        and j.state in ('queued', 'leased', 'retrying', 'sent')
    order by j.last_seq
    limit 1;
    if not found then
        return false;
    end if;
    -- the newer one stands for both, and is decided for both; where somebody holds it, it is decided already
    perform from parley.push_job as j
    where j.id = v_newer.id and j.state = 'queued'
    for update skip locked;
    if found then
        update parley.push_job as j
        set first_seq = least(j.first_seq, job.first_seq)
        where j.id = v_newer.id;
    end if;
    perform parley.end_push_job(job, 'folded', 'newer');
    return true;
end;
$$;
comment on function parley.is_old_push is 'True if a newer job of the same device and conversation stands for this one, which is then at its end.';

create or replace function parley.push_target_json(job parley.push_job, device parley.push_device, secret text)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_opened jsonb;
begin
    v_opened := case
        when device.token_sealed is not null then parley.open_push_token(device.token_sealed, secret)
        -- a webhook for everybody is told whom it is about
        when device.provider = 'webhook' then jsonb_build_object('token', job.user_id)
        else jsonb_build_object('token', device.token, 'keys', device.keys)
    end;
    if v_opened is null then
        return null;
    end if;
    return jsonb_strip_nulls(jsonb_build_object(
        'provider', device.provider,
        'app_id', device.app_id,
        'token', v_opened ->> 'token',
        'kind', device.kind,
        'environment', device.environment,
        'p256dh', v_opened #>> '{keys,p256dh}',
        'auth', v_opened #>> '{keys,auth}',
        'platform', device.platform,
        'locale', device.locale,
        'registered_at', (extract(epoch from device.registered_at) * 1000)::bigint
    ));
end;
$$;
comment on function parley.push_target_json is
'Where a job goes: PushTarget of the workers. Null: the private key does not open the token.';

create or replace function parley.claim_push_job(job parley.push_job, secret text, badge bigint)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_now constant timestamptz := clock_timestamp();
    v_device parley.push_device;
    v_draft parley.push_draft;
    v_target jsonb;
begin
    if job.expires_at <= v_now then
        perform parley.end_push_job(job, 'expired', coalesce(job.answer, 'too_late'));
        return null;
    end if;
    select d.* into v_device from parley.push_device as d where d.id = job.device_id;
    if not found or v_device.dropped_at is not null then
        perform parley.end_push_job(job, 'cancelled', 'device_dropped');
        return null;
    end if;
    if not v_device.enabled and job.kind <> 'test' then
        perform parley.end_push_job(job, 'suppressed', 'device_off');
        return null;
    end if;
    if job.claim > 0 and job.kind = 'message' and parley.is_old_push(job) then
        return null;
    end if;
    if job.kind = 'message' then
        v_draft := parley.prepare_message_push(job, v_device);
    elsif job.kind in ('call', 'call_end') then
        v_draft := parley.prepare_call_push(job, v_device);
    else
        v_draft := parley.prepare_other_push(job, v_device, claim_push_job.badge);
    end if;
    if v_draft.verdict = 'delay' then
        update parley.push_job as j
        set
            due_at = v_draft.until,
            -- what is held is worth an hour when it is let go
            expires_at = greatest(j.expires_at, v_draft.until + interval '1 hour'),
            delays = j.delays + (v_draft.reason = 'in_view')::integer,
            reason = v_draft.reason
        where j.id = job.id;
        return null;
    end if;
    if v_draft.verdict = 'suppress' then
        perform parley.end_push_job(
            job, case when v_draft.reason in ('read', 'call_over') then 'cancelled' else 'suppressed' end,
            v_draft.reason
        );
        return null;
    end if;
    v_target := parley.push_target_json(job, v_device, claim_push_job.secret);
    if v_target is null then
        -- sealed for another worker's key, or the worker has a wrong one
        update parley.push_job as j
        set due_at = v_now + interval '5 minutes', reason = 'sealed_with_another_key'
        where j.id = job.id;
        return null;
    end if;
    return jsonb_build_object(
        'id', job.id,
        'claim', job.claim + 1,
        'lane', job.lane,
        'reason', v_draft.reason,
        'attempts', job.attempts,
        'created_at', (extract(epoch from job.created_at) * 1000)::bigint,
        'expires_at', (extract(epoch from job.expires_at) * 1000)::bigint,
        'user_id', job.user_id,
        'target', v_target,
        'content', case
            -- apns takes no number with what clears
            when job.kind in ('message', 'badge') or (job.kind = 'clear' and v_device.provider <> 'apns')
                then v_draft.content || jsonb_build_object('badge', claim_push_job.badge)
            else v_draft.content
        end
    );
end;
$$;
comment on function parley.claim_push_job is
'Decides a job that is due, anew: ends it, puts it off, or returns it as PushJob of the workers, to be leased.';
