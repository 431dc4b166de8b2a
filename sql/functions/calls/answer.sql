-- Answering, declining, taking back and hanging up.

create or replace function parley.accept_call(call_id uuid, device_id text)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := parley.require_caller();
    v_call parley.call;
begin
    perform parley.check_device_id(accept_call.device_id);
    v_call := parley.join_call(
        parley.lock_call(accept_call.call_id, v_user_id), v_user_id, accept_call.device_id
    );
    return parley.call_json(v_call);
end;
$$;
comment on function parley.accept_call is
'Answers a call, or joins one of a group, with this device. PT409: it has ended, or another device of the caller is in it.';
grant execute on function parley.accept_call to authenticated;

create or replace function parley.decline_call(call_id uuid, busy boolean default false)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := parley.require_caller();
    v_call parley.call := parley.lock_call(decline_call.call_id, v_user_id);
    v_part parley.call_participant := parley.my_part(v_call, v_user_id);
begin
    if v_part.state in ('declined', 'busy') then
        return parley.call_json(v_call);
    end if;
    perform parley.require_open_call(v_call);
    if v_part.state = 'accepted' then
        raise exception using
            errcode = 'PT409',
            message = 'You are in this call.',
            hint = 'Hang up with end_call.';
    end if;
    if v_part.state is distinct from 'ringing' then
        raise exception using errcode = 'PT409', message = 'This call does not ring for you.';
    end if;
    v_call := parley.stop_ringing(v_call, v_user_id, case when decline_call.busy then 'busy' else 'declined' end);
    return parley.call_json(v_call);
end;
$$;
comment on function parley.decline_call is
'Declines a call that rings, on all devices of the caller; busy: because the caller is in another one. Ends it if nobody else rings.';
grant execute on function parley.decline_call to authenticated;

create or replace function parley.cancel_call(call_id uuid)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := parley.require_caller();
    v_call parley.call := parley.lock_call(cancel_call.call_id, v_user_id);
begin
    if v_call.initiator_id <> v_user_id then
        raise exception using
            errcode = 'PT403',
            message = 'Only the initiator can cancel a call.',
            hint = 'Decline it with decline_call.';
    end if;
    if v_call.outcome = 'cancelled' then
        return parley.call_json(v_call);
    end if;
    perform parley.require_open_call(v_call);
    if v_call.state = 'active' then
        raise exception using
            errcode = 'PT409',
            message = 'The call was answered.',
            hint = 'Hang up with end_call.';
    end if;
    v_call := parley.leave_call(v_call, v_user_id, v_user_id, false);
    return parley.call_json(v_call);
end;
$$;
comment on function parley.cancel_call is
'Ends a call of the caller''s that nobody has answered yet. PT409: somebody has.';
grant execute on function parley.cancel_call to authenticated;

create or replace function parley.end_call(call_id uuid, device_id text default null, failed boolean default false)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := parley.require_caller();
    v_call parley.call := parley.lock_call(end_call.call_id, v_user_id);
    v_part parley.call_participant := parley.my_part(v_call, v_user_id);
begin
    -- who hangs up wants it to be over, and it is
    if v_call.state = 'ended' or v_part.state in ('left', 'declined', 'busy', 'missed') then
        return parley.call_json(v_call);
    end if;
    if v_part.state = 'ringing' then
        v_call := parley.stop_ringing(v_call, v_user_id, 'declined');
        return parley.call_json(v_call);
    end if;
    if v_part.state is null then
        raise exception using errcode = 'PT409', message = 'You are not in this call.';
    end if;
    if end_call.device_id <> v_part.device_id then
        raise exception using
            errcode = 'PT409',
            message = 'You are in this call on another device.',
            hint = 'Leave out device_id to hang up whichever it is.';
    end if;
    v_call := parley.leave_call(v_call, v_user_id, v_user_id, coalesce(end_call.failed, false));
    return parley.call_json(v_call);
end;
$$;
comment on function parley.end_call is
'Hangs up: ends a direct call, leaves a group''s, cancels or declines one that rings. failed: the devices could not connect. With a device_id only if that device is in the call.';
grant execute on function parley.end_call to authenticated;
