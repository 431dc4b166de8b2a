-- Calls. Each change takes the conversation's lock, so whoever comes first decides and the other is told what is.
--
--   call         ringing --accept--> active --end--> ended   completed, or failed if the devices could not connect
--                ringing --cancel------------------> ended   cancelled: the initiator hung up before an answer
--                ringing --decline-----------------> ended   declined, or busy: nobody is left to answer
--                ringing --time-out----------------> ended   missed
--                active  --time-out----------------> ended   completed: nobody hung up for call_max_seconds
--
--   participant  ringing --> accepted --> left
--                ringing --> declined | busy | missed
--
-- The initiator is accepted from the start. In a direct conversation whoever hangs up ends the call; in a group the
-- last one does, and a decline is one user's own: who declined, missed or left a group's call, or was not rung, may
-- join as long as it is open.
--
-- Glare. A conversation has at most one open call, and who starts a second one joins the first: two who call each other
-- at once are connected, in the call of the one whose lock came first. The answer says whose it is (initiator_id), the
-- other learns it by call:accepted. The same two people may have several conversations, one per listing: a call that
-- rings the caller in another one of them, or is answered by this device, counts as well.
--
-- Devices. A call rings on every device of a user, and is answered by one: the others get call:answered_elsewhere, a
-- second accept 409. Messaging knows no list of devices; each says its own id. Repeating what was done is no change.
--
-- Busy. Only a device knows whether its user is talking: a server that took it from its records would make a user whose
-- device died unreachable. So a call always rings, and the device that is in another call declines it as busy.
--
-- Who sends the offer: for each pair of devices the one that was in the call first, once it sees call:accepted; it may
-- send one while the other still rings.
--
-- Who is rung. The other participants, or those invited, except whose account is suspended or erased and who has not
-- yet accepted the conversation; in a direct conversation that is one refusal, which does not say why.
--
-- The events are the conversation's, so all of its participants learn that there is a call: call:ring, call:accepted,
-- call:declined, call:busy, call:left, call:cancelled, call:missed, call:ended, each with the call as it is now. A
-- client that comes back and reads an old call:ring sees that the call has ended. call:answered_elsewhere and the
-- signals are for one user.

create or replace function parley.check_device_id(device_id text)
returns void
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if device_id is null or device_id !~ '^[A-Za-z0-9._:-]{1,64}$' then
        raise exception using
            errcode = 'PT400',
            message = 'device_id must be 1 to 64 letters, digits, dots, hyphens, colons or underscores.',
            hint = 'Any id that the device keeps, for example a uuid.';
    end if;
end;
$$;
comment on function parley.check_device_id is 'PT400 unless a device may call itself that.';

-- --- who may
create or replace function parley.require_call(call_id uuid, user_id uuid)
returns parley.call
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_call parley.call;
begin
    if require_call.call_id is null then
        raise exception using errcode = 'PT400', message = 'call_id is required.';
    end if;
    select c.* into v_call
    from parley.call as c
    inner join parley.participant as p on c.conversation_id = p.conversation_id
    where c.id = require_call.call_id
        and p.user_id = require_call.user_id
        and p.left_at is null
        -- who was added meanwhile may join
        and (
            c.ended_at is null
            or (c.event_seq >= p.history_from_event_seq and c.id >= parley.message_floor_of(require_call.user_id))
        );
    if not found then
        raise exception using errcode = 'PT404', message = 'The call does not exist, or you may not see it.';
    end if;
    return v_call;
end;
$$;
comment on function parley.require_call is
'A call the user may see, or PT404, which does not tell an unknown call from a foreign one.';

create or replace function parley.lock_call(call_id uuid, user_id uuid)
returns parley.call
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_call parley.call := parley.require_call(lock_call.call_id, lock_call.user_id);
begin
    perform parley.lock_conversation(v_call.conversation_id);
    -- signals do not take the conversation's lock: they hold the row of the call
    perform from parley.call as c
    where c.id = v_call.id and c.conversation_id = v_call.conversation_id
    for no key update;
    return parley.require_call(lock_call.call_id, lock_call.user_id);
end;
$$;
comment on function parley.lock_call is
'Takes the locks of a call and returns it as it is under them; PT404 if the user may not see it.';

create or replace function parley.require_open_call(call parley.call)
returns void
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if call.state = 'ended' then
        raise exception using
            errcode = 'PT409',
            message = 'The call has ended.',
            detail = format('outcome: %s', call.outcome);
    end if;
end;
$$;
comment on function parley.require_open_call is 'PT409 if the call has ended; the detail says how.';

create or replace function parley.my_part(call parley.call, user_id uuid)
returns parley.call_participant
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_part parley.call_participant;
begin
    select p.* into v_part
    from parley.call_participant as p
    where p.conversation_id = call.conversation_id and p.call_id = call.id and p.user_id = my_part.user_id;
    return v_part;
end;
$$;
comment on function parley.my_part is 'A user''s part in a call; all null if they have none.';

create or replace function parley.call_count(call parley.call, state text)
returns bigint
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return (
        select count(*) from parley.call_participant as p
        where p.conversation_id = call.conversation_id and p.call_id = call.id and p.state = call_count.state
    );
end;
$$;
comment on function parley.call_count is 'How many participants of a call are in that state.';

-- --- the steps; their callers hold the locks
create or replace function parley.append_call_event(call parley.call, kind text, actor_id uuid, user_id uuid)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform parley.append_event(
        call.conversation_id, append_call_event.kind, append_call_event.actor_id, null, null,
        append_call_event.user_id, jsonb_build_object('call_id', call.id)
    );
end;
$$;
comment on function parley.append_call_event is
'Appends an event of a call to its conversation''s log; user_id is the participant it is about.';

create or replace function parley.finish_call(
    call parley.call, outcome text, event_kind text, actor_id uuid, user_id uuid
)
returns parley.call
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_now timestamptz := clock_timestamp();
    v_call parley.call;
begin
    update parley.call as c
    set state = 'ended', outcome = finish_call.outcome, ended_at = v_now, due_at = null
    where c.id = call.id and c.conversation_id = call.conversation_id
    returning c.* into strict v_call;
    update parley.call_participant as p
    set
        state = case p.state when 'ringing' then 'missed' else 'left' end,
        left_at = case p.state when 'ringing' then null else v_now end
    where p.conversation_id = call.conversation_id and p.call_id = call.id and p.state in ('ringing', 'accepted');
    delete from parley.call_signal as s
    where s.conversation_id = call.conversation_id and s.call_id = call.id;
    perform parley.append_call_event(v_call, event_kind, finish_call.actor_id, finish_call.user_id);
    perform parley.post_system_message(
        v_call.conversation_id,
        -- the one who called need not read it
        v_call.initiator_id,
        parley.call_summary(v_call),
        jsonb_build_object(
            'event', 'call_ended',
            'call_id', v_call.id,
            'kind', v_call.kind,
            'outcome', v_call.outcome,
            'duration_seconds', v_call.duration_seconds
        )
    );
    return v_call;
end;
$$;
comment on function parley.finish_call is
'Ends a call: the record, one event, the system message in the thread. Its signals are deleted.';
