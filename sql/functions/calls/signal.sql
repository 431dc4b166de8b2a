-- Signals: what the devices of a call say to one another to connect, by way of the log, so that a device that was away
-- for a moment misses nothing. Each is one event for the user it is for; what it says stands in call_signal until the
-- call ends. Not the conversation's lock but the row of the call, shared, keeps the end away: signals of many devices
-- do not wait for one another, and none is left behind after the end.

create or replace function parley.signal_call(
    call_id uuid,
    to_user_id uuid,
    kind text,
    payload jsonb,
    to_device_id text default null,
    device_id text default null
)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.require_caller();
    v_call parley.call := parley.require_call(signal_call.call_id, v_user_id);
    v_me parley.call_participant;
    v_other parley.call_participant;
    v_max bigint;
    v_id bigint;
begin
    if signal_call.kind is null or signal_call.kind not in ('offer', 'answer', 'ice', 'renegotiate') then
        raise exception using errcode = 'PT400', message = 'kind must be offer, answer, ice or renegotiate.';
    end if;
    if signal_call.payload is null or jsonb_typeof(signal_call.payload) <> 'object' then
        raise exception using errcode = 'PT400', message = 'payload must be a JSON object.';
    end if;
    v_max := parley.limit_of(v_user_id, 'max_signal_bytes');
    if octet_length(signal_call.payload::text) > v_max then
        raise exception using errcode = 'PT413', message = format('payload may have at most %s bytes.', v_max);
    end if;
    if signal_call.to_user_id is null or signal_call.to_user_id = v_user_id then
        raise exception using errcode = 'PT400', message = 'to_user_id must be another participant of the call.';
    end if;
    if signal_call.to_device_id is not null then
        perform parley.check_device_id(signal_call.to_device_id);
    end if;

    perform from parley.call as c
    where c.id = v_call.id and c.conversation_id = v_call.conversation_id
    for share;
    v_call := parley.require_call(signal_call.call_id, v_user_id);
    perform parley.require_open_call(v_call);
    update parley.call_participant as p
    set signals = p.signals + 1
    where p.conversation_id = v_call.conversation_id
        and p.call_id = v_call.id
        and p.user_id = v_user_id
        and p.state = 'accepted'
        and p.device_id = coalesce(signal_call.device_id, p.device_id)
    returning p.* into v_me;
    if not found then
        raise exception using
            errcode = 'PT409',
            message = 'You are not in this call with this device.',
            hint = 'Accept it first.';
    end if;
    v_max := parley.limit_of(v_user_id, 'max_signals_per_call');
    if v_me.signals > v_max then
        raise exception using
            errcode = 'PT403',
            message = format('A participant may send at most %s signals in a call.', v_max),
            hint = 'Send ICE candidates several at a time.';
    end if;
    v_other := parley.my_part(v_call, signal_call.to_user_id);
    -- while it rings no device is known: an early offer is for any of them
    if v_other.state is null
        or v_other.state not in ('ringing', 'accepted')
        or signal_call.to_device_id <> v_other.device_id
    then
        raise exception using errcode = 'PT409', message = 'That user is not in this call with that device.';
    end if;
    insert into parley.call_signal as s (
        conversation_id, call_id, from_user_id, from_device_id, to_user_id, to_device_id, kind, payload
    )
    values (
        v_call.conversation_id, v_call.id, v_user_id, v_me.device_id, signal_call.to_user_id, signal_call.to_device_id,
        signal_call.kind, signal_call.payload
    )
    returning s.id into v_id;
    perform parley.append_event(
        null, 'call:' || signal_call.kind, v_user_id, null, null, signal_call.to_user_id,
        jsonb_build_object('conversation_id', v_call.conversation_id, 'call_id', v_call.id, 'signal_id', v_id)
    );
    return jsonb_build_object('call_id', v_call.id, 'signal_id', v_id);
end;
$$;
comment on function parley.signal_call is
'Sends an offer, an answer, ICE candidates or a renegotiation to another participant of an open call, who gets call:<kind>. Returns {call_id, signal_id}.';
grant execute on function parley.signal_call to authenticated;
