-- A device goes: its user removed it, its session or its account ended, or its provider knows the token no longer.

create or replace function parley.cancel_push_jobs(device_id uuid, reason text)
returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
    -- one that is being sent, or tried again, finds its device gone
    update parley.push_job as j
    set state = 'cancelled', reason = cancel_push_jobs.reason, settled_at = clock_timestamp()
    where j.device_id = cancel_push_jobs.device_id and j.state = 'queued'
$$;
comment on function parley.cancel_push_jobs is 'Ends what waits for a device.';

create or replace function parley.tell_device_dropped(user_id uuid, device_id uuid, reason text)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- a webhook for everybody has nobody to tell
    if user_id is not null then
        perform parley.append_event(
            null, 'device:dropped', null, null, null, tell_device_dropped.user_id,
            jsonb_build_object('device_id', device_id, 'reason', left(reason, 64))
        );
    end if;
end;
$$;
comment on function parley.tell_device_dropped is 'Tells a user''s apps that a device is not sent to any more.';

create or replace function parley.drop_push_device(device_id uuid, reason text)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_user_id uuid;
begin
    update parley.push_device as d
    set
        dropped_at = clock_timestamp(),
        dropped_reason = left(drop_push_device.reason, 64),
        token = null,
        token_sealed = null,
        keys = null
    where d.id = drop_push_device.device_id and d.dropped_at is null
    returning d.user_id into v_user_id;
    if not found then
        return false;
    end if;
    perform parley.cancel_push_jobs(drop_push_device.device_id, 'device_dropped');
    perform parley.tell_device_dropped(v_user_id, drop_push_device.device_id, drop_push_device.reason);
    return true;
end;
$$;
comment on function parley.drop_push_device is
'Forgets the token of a device and tells its user''s apps, which register anew; the row stays for 30 days to tell them.';

create or replace function parley.move_push_jobs(former_id uuid, device_id uuid, route text, is_sealed boolean)
returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
    -- where as much waits for the new token already, what waits for the former one ends with it. What is being sent is sent
    -- again with the same id: the answer of the former token says nothing of the new one, and does not count
    update parley.push_job as j
    set
        device_id = move_push_jobs.device_id,
        route = move_push_jobs.route,
        is_sealed = move_push_jobs.is_sealed,
        state = case j.state when 'leased' then 'retrying' else j.state end,
        due_at = case j.state when 'leased' then clock_timestamp() else j.due_at end
    where j.id = any (array(
        select o.id
        from parley.push_job as o
        where o.device_id = move_push_jobs.former_id
            and o.settled_at is null
            and not (
                o.state = 'queued'
                and exists (
                    select from parley.push_job as n
                    where n.device_id = move_push_jobs.device_id
                        and n.user_id = o.user_id
                        and n.collapse_key = o.collapse_key
                        and n.state = 'queued'
                        and n.id <> o.id
                )
            )
        order by o.id
        for update
    )) and j.settled_at is null
$$;
comment on function parley.move_push_jobs is 'What is not at its end goes to another token of the same app.';

create or replace function parley.replace_push_device(former parley.push_device, device parley.push_device)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
begin
    perform parley.move_push_jobs(former.id, device.id, device.route, device.token_sealed is not null);
    update parley.push_device as d
    set last_badge = -1
    where d.id = device.id and d.last_badge is null and former.last_badge is not null;
    perform parley.delete_push_device(former.id, 'replaced');
end;
$$;
comment on function parley.replace_push_device is 'Has a device take the place of another one of its session.';

create or replace function parley.delete_push_device(device_id uuid, reason text)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
begin
    delete from parley.push_device as d where d.id = delete_push_device.device_id;
    perform parley.cancel_push_jobs(delete_push_device.device_id, delete_push_device.reason);
end;
$$;
comment on function parley.delete_push_device is 'Forgets a device altogether.';

create or replace function parley.drop_session_devices(user_id uuid, session_id text, reason text)
returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
begin
    return (
        select count(*)
        from (
            select d.id
            from parley.push_device as d
            where d.user_id = drop_session_devices.user_id
                and d.dropped_at is null
                and (drop_session_devices.session_id is null or d.session_id = drop_session_devices.session_id)
            order by 1
        ) as d
        where parley.drop_push_device(d.id, drop_session_devices.reason)
    );
end;
$$;
comment on function parley.drop_session_devices is
'Drops the devices that were registered in a session; without one, all of the user. Returns how many.';

create or replace function parley.end_session_devices(user_id uuid, session_id text)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if coalesce(session_id, '') = '' then
        raise exception using
            errcode = 'PT400', message = 'session_id is required.', hint = 'All sessions of a user end by revoke_sessions.';
    end if;
    perform parley.require_accounts(array[end_session_devices.user_id]);
    return jsonb_build_object(
        'user_id', end_session_devices.user_id,
        'session_id', session_id,
        'devices', parley.drop_session_devices(end_session_devices.user_id, session_id, 'session_ended')
    );
end;
$$;
comment on function parley.end_session_devices is
'The host ended one session of a user: nothing more is sent to the devices that were registered with tokens whose session_id is that. Returns how many: {user_id, session_id, devices}.';
grant execute on function parley.end_session_devices to service_role;

create or replace function parley.end_push()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
begin
    if new.deleted_at is not null then
        perform parley.delete_push_device(d.id, 'account_closed')
        from parley.push_device as d
        where d.user_id = new.id;
        delete from parley.push_preference as s where s.user_id = new.id;
        delete from parley.push_focus as f where f.user_id = new.id;
    else
        perform parley.drop_session_devices(
            new.id, null, case when new.suspended_at is not null then 'account_suspended' else 'session_ended' end
        );
    end if;
    return null;
end;
$$;
comment on function parley.end_push is
'Trigger: who may not use messaging, or has to sign in again, is sent nothing more until a device registers anew.';

create trigger account_push_trigger
after update of suspended_at, deleted_at, tokens_valid_after on parley_wanted.account
for each row
when (
    (old.suspended_at is null and new.suspended_at is not null)
    or (old.deleted_at is null and new.deleted_at is not null)
    or new.tokens_valid_after > coalesce(old.tokens_valid_after, '-infinity')
)
execute function parley.end_push();
comment on trigger account_push_trigger on parley_wanted.account is
'Devices go with the sessions they were registered in.';
