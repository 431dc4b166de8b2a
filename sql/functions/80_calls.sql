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

create or replace function parley.setting_seconds(name text, fallback bigint, lowest bigint, highest bigint)
returns interval
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_value text := parley.setting_value(setting_seconds.name);
begin
    -- a setting that makes no sense must not stop calls
    return make_interval(secs => greatest(lowest, least(highest, case
        when v_value ~ '^[0-9]{1,9}$' then v_value::bigint
        else fallback
    end))::double precision);
end;
$$;
comment on function parley.setting_seconds(text, bigint, bigint, bigint) is
'A setting in seconds, within its bounds; the fallback if it is missing or no number.';
revoke all on function parley.setting_seconds(text, bigint, bigint, bigint) from public;

create or replace function parley.check_device_id(device_id text)
returns void
language plpgsql
immutable
security invoker
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
comment on function parley.check_device_id(text) is 'PT400 unless a device may call itself that.';
revoke all on function parley.check_device_id(text) from public;

-- --- what clients see

create or replace function parley.call_json(call parley.call)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'id', call.id,
        'conversation_id', call.conversation_id,
        'kind', call.kind,
        'state', call.state,
        'outcome', call.outcome,
        'initiator_id', call.initiator_id,
        'client_call_id', call.client_call_id,
        'created_at', call.created_at,
        'ring_expires_at', call.ring_expires_at,
        'answered_at', call.answered_at,
        'ended_at', call.ended_at,
        'duration_seconds', call.duration_seconds,
        'participants', (
            select coalesce(
                jsonb_agg(
                    jsonb_build_object(
                        'user_id', p.user_id,
                        'state', p.state,
                        'device_id', p.device_id,
                        'joined_at', p.joined_at,
                        'left_at', p.left_at
                    )
                    order by p.user_id <> call.initiator_id, p.user_id
                ),
                '[]'
            )
            from parley.call_participant as p
            where p.conversation_id = call.conversation_id and p.call_id = call.id
        )
    );
end;
$$;
comment on function parley.call_json(parley.call) is 'A call with its participants, the initiator first.';
revoke all on function parley.call_json(parley.call) from public;

create or replace function parley.call_event_json(event parley.event)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
declare
    v_conversation_id uuid := coalesce(event.conversation_id, (event.data ->> 'conversation_id')::uuid);
    v_call_id uuid := (event.data ->> 'call_id')::uuid;
begin
    if event.data ? 'signal_id' then
        -- gone when the call has ended, and for who is no longer in it
        return coalesce(
            (
                select jsonb_build_object(
                    'from_user_id', s.from_user_id,
                    'from_device_id', s.from_device_id,
                    'to_device_id', s.to_device_id,
                    'payload', s.payload
                )
                from parley.call_signal as s
                inner join parley.call_participant as p
                    on s.conversation_id = p.conversation_id and s.call_id = p.call_id and s.to_user_id = p.user_id
                where s.conversation_id = v_conversation_id
                    and s.call_id = v_call_id
                    and s.id = (event.data ->> 'signal_id')::bigint
                    and p.state in ('ringing', 'accepted')
            ),
            jsonb_build_object('from_user_id', event.actor_id, 'payload', null)
        );
    end if;
    return coalesce(
        (
            select jsonb_build_object('call', parley.call_json(c))
            from parley.call as c
            where c.id = v_call_id and c.conversation_id = v_conversation_id
        ),
        '{}'
    );
end;
$$;
comment on function parley.call_event_json(parley.event) is
'What an event of a call carries beyond its ids: the call as it is now, or the signal while the call is open.';
revoke all on function parley.call_event_json(parley.event) from public;

create or replace function parley.call_summary(call parley.call)
returns text
language plpgsql
immutable
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return case call.outcome
        when 'completed' then format(
            '%s call, %s',
            initcap(call.kind),
            case
                when call.duration_seconds < 60 then format('%s s', call.duration_seconds)
                when call.duration_seconds < 3600 then format('%s min', call.duration_seconds / 60)
                else format('%s h %s min', call.duration_seconds / 3600, call.duration_seconds % 3600 / 60)
            end
        )
        when 'declined' then format('Declined %s call', call.kind)
        when 'failed' then format('Failed %s call', call.kind)
        else format('Missed %s call', call.kind)
    end;
end;
$$;
comment on function parley.call_summary(parley.call) is 'What the thread says of a call that has ended.';
revoke all on function parley.call_summary(parley.call) from public;

-- --- who may

create or replace function parley.require_call(call_id uuid, user_id uuid)
returns parley.call
language plpgsql
stable
security definer
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
comment on function parley.require_call(uuid, uuid) is
'A call the user may see, or PT404, which does not tell an unknown call from a foreign one.';
revoke all on function parley.require_call(uuid, uuid) from public;

create or replace function parley.lock_call(call_id uuid, user_id uuid)
returns parley.call
language plpgsql
volatile
security definer
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
comment on function parley.lock_call(uuid, uuid) is
'Takes the locks of a call and returns it as it is under them; PT404 if the user may not see it.';
revoke all on function parley.lock_call(uuid, uuid) from public;

create or replace function parley.require_open_call(call parley.call)
returns void
language plpgsql
immutable
security invoker
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
comment on function parley.require_open_call(parley.call) is 'PT409 if the call has ended; the detail says how.';
revoke all on function parley.require_open_call(parley.call) from public;

create or replace function parley.my_part(call parley.call, user_id uuid)
returns parley.call_participant
language plpgsql
stable
security definer
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
comment on function parley.my_part(parley.call, uuid) is 'A user''s part in a call; all null if they have none.';
revoke all on function parley.my_part(parley.call, uuid) from public;

create or replace function parley.call_count(call parley.call, state text)
returns bigint
language plpgsql
stable
security definer
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
comment on function parley.call_count(parley.call, text) is 'How many participants of a call are in that state.';
revoke all on function parley.call_count(parley.call, text) from public;

-- --- the steps; their callers hold the locks

create or replace function parley.append_call_event(call parley.call, kind text, actor_id uuid, user_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform parley.append_event(
        call.conversation_id, append_call_event.kind, append_call_event.actor_id, null, null,
        append_call_event.user_id, jsonb_build_object('call_id', call.id)
    );
end;
$$;
comment on function parley.append_call_event(parley.call, text, uuid, uuid) is
'Appends an event of a call to its conversation''s log; user_id is the participant it is about.';
revoke all on function parley.append_call_event(parley.call, text, uuid, uuid) from public;

create or replace function parley.finish_call(
    call parley.call, outcome text, event_kind text, actor_id uuid, user_id uuid
)
returns parley.call
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_now timestamptz := clock_timestamp();
    v_call parley.call;
    v_message parley.message;
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
    v_message := parley.post_system_message(
        v_call.conversation_id,
        parley.call_summary(v_call),
        jsonb_strip_nulls(jsonb_build_object(
            'event', 'call_ended',
            'actor_id', v_call.initiator_id,
            'call_id', v_call.id,
            'kind', v_call.kind,
            'outcome', v_call.outcome,
            'duration_seconds', v_call.duration_seconds
        )),
        -- the one who called need not read it
        v_call.initiator_id
    );
    -- nor do those who were there, if there was nothing else for them to read
    perform parley.advance_horizon(q.user_id, q.conversation_id, v_message.seq, true)
    from parley.call_participant as p
    inner join parley.participant as q on p.conversation_id = q.conversation_id and p.user_id = q.user_id
    where p.conversation_id = call.conversation_id
        and p.call_id = call.id
        and p.joined_at is not null
        and q.left_at is null
        and q.last_read_seq = v_message.seq - 1
        and not q.marked_unread;
    return v_call;
end;
$$;
comment on function parley.finish_call(parley.call, text, text, uuid, uuid) is
'Ends a call: the record, one event, the system message in the thread. Its signals are deleted.';
revoke all on function parley.finish_call(parley.call, text, text, uuid, uuid) from public;

create or replace function parley.ring_next(call parley.call, event_kind text, actor_id uuid, user_id uuid)
returns parley.call
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_call parley.call := call;
    v_rings boolean := parley.call_count(call, 'ringing') > 0;
begin
    if call.state = 'ringing' and not v_rings then
        return parley.finish_call(
            call,
            case
                when parley.call_count(call, 'declined') > 0 then 'declined'
                when parley.call_count(call, 'busy') > 0 then 'busy'
                else 'missed'
            end,
            event_kind, ring_next.actor_id, ring_next.user_id
        );
    end if;
    if call.state = 'active' and not v_rings then
        update parley.call as c
        set due_at = c.answered_at + parley.setting_seconds('call_max_seconds', 28800, 60, 86400)
        where c.id = call.id and c.conversation_id = call.conversation_id
        returning c.* into strict v_call;
    end if;
    perform parley.append_call_event(v_call, event_kind, ring_next.actor_id, ring_next.user_id);
    return v_call;
end;
$$;
comment on function parley.ring_next(parley.call, text, uuid, uuid) is
'After somebody stopped ringing without an answer: says so, and ends the call if nobody is left who could answer.';
revoke all on function parley.ring_next(parley.call, text, uuid, uuid) from public;

create or replace function parley.join_call(call parley.call, user_id uuid, device_id text)
returns parley.call
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_now timestamptz := clock_timestamp();
    v_part parley.call_participant := parley.my_part(call, join_call.user_id);
    v_call parley.call := call;
    v_max bigint;
begin
    perform parley.require_open_call(call);
    if v_part.state = 'accepted' then
        if v_part.device_id = join_call.device_id then
            return call;
        end if;
        raise exception using
            errcode = 'PT409',
            message = 'You are in this call on another device.',
            detail = format('call_id: %s', call.id);
    end if;
    -- whoever would have ended it is late: a call of yesterday is not answered
    if call.state = 'ringing' and call.due_at + interval '30 seconds' < v_now then
        raise exception using errcode = 'PT409', message = 'The call rings no longer.';
    end if;
    v_max := parley.limit_of(call.initiator_id, 'max_call_participants');
    if parley.call_count(call, 'accepted') >= v_max then
        raise exception using
            errcode = 'PT409',
            message = format('The call is full: it has %s participants.', v_max);
    end if;
    insert into parley.call_participant as p (conversation_id, call_id, user_id, state, device_id, joined_at)
    values (call.conversation_id, call.id, join_call.user_id, 'accepted', join_call.device_id, v_now)
    on conflict on constraint call_participant_pkey do update
    set state = 'accepted', device_id = excluded.device_id, joined_at = excluded.joined_at, left_at = null;
    if call.state = 'ringing' or parley.call_count(call, 'ringing') = 0 then
        update parley.call as c
        set
            state = 'active',
            answered_at = coalesce(c.answered_at, v_now),
            -- in a group others may still ring
            due_at = case
                when parley.call_count(call, 'ringing') > 0 then c.due_at
                else coalesce(c.answered_at, v_now) + parley.setting_seconds('call_max_seconds', 28800, 60, 86400)
            end
        where c.id = call.id and c.conversation_id = call.conversation_id
        returning c.* into strict v_call;
    end if;
    perform parley.append_call_event(v_call, 'call:accepted', join_call.user_id, join_call.user_id);
    if v_part.state = 'ringing' then
        perform parley.append_event(
            null, 'call:answered_elsewhere', join_call.user_id, null, null, join_call.user_id,
            jsonb_build_object(
                'conversation_id', call.conversation_id, 'call_id', call.id, 'device_id', join_call.device_id
            )
        );
    end if;
    return v_call;
end;
$$;
comment on function parley.join_call(parley.call, uuid, text) is
'Puts a user into a call with one device and tells their others; PT409 if it has ended, is full, or another device is in it.';
revoke all on function parley.join_call(parley.call, uuid, text) from public;

create or replace function parley.stop_ringing(call parley.call, user_id uuid, state text)
returns parley.call
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    update parley.call_participant as p
    set state = stop_ringing.state
    where p.conversation_id = call.conversation_id and p.call_id = call.id and p.user_id = stop_ringing.user_id;
    return parley.ring_next(
        call,
        case stop_ringing.state when 'busy' then 'call:busy' else 'call:declined' end,
        stop_ringing.user_id, stop_ringing.user_id
    );
end;
$$;
comment on function parley.stop_ringing(parley.call, uuid, text) is 'A user who rings declines, or is busy.';
revoke all on function parley.stop_ringing(parley.call, uuid, text) from public;

create or replace function parley.leave_call(call parley.call, user_id uuid, actor_id uuid, failed boolean)
returns parley.call
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if call.state = 'ringing' then
        -- only the initiator is in a call that rings
        return parley.finish_call(call, 'cancelled', 'call:cancelled', leave_call.actor_id, leave_call.user_id);
    end if;
    update parley.call_participant as p
    set state = 'left', left_at = clock_timestamp()
    where p.conversation_id = call.conversation_id and p.call_id = call.id and p.user_id = leave_call.user_id;
    if parley.call_count(call, 'accepted') = 0 or exists (
        select from parley.conversation_profile as cp
        where cp.conversation_id = call.conversation_id and cp.type = 'direct'
    ) then
        return parley.finish_call(
            call, case when failed then 'failed' else 'completed' end, 'call:ended',
            leave_call.actor_id, leave_call.user_id
        );
    end if;
    perform parley.append_call_event(call, 'call:left', leave_call.actor_id, leave_call.user_id);
    return call;
end;
$$;
comment on function parley.leave_call(parley.call, uuid, uuid, boolean) is
'Takes a user out of a call they are in; the initiator of one that rings cancels it, the last one ends it.';
revoke all on function parley.leave_call(parley.call, uuid, uuid, boolean) from public;

create or replace function parley.end_call_part(conversation_id uuid, user_id uuid, actor_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_call parley.call;
    v_state text;
begin
    select c.* into v_call
    from parley.call as c
    where c.conversation_id = end_call_part.conversation_id and c.ended_at is null
    for no key update;
    if not found then
        return;
    end if;
    v_state := (parley.my_part(v_call, end_call_part.user_id)).state;
    if v_state = 'accepted' then
        perform parley.leave_call(v_call, end_call_part.user_id, end_call_part.actor_id, false);
    elsif v_state = 'ringing' then
        update parley.call_participant as p
        set state = 'missed'
        where p.conversation_id = v_call.conversation_id
            and p.call_id = v_call.id
            and p.user_id = end_call_part.user_id;
        perform parley.ring_next(v_call, 'call:missed', end_call_part.actor_id, end_call_part.user_id);
    end if;
end;
$$;
comment on function parley.end_call_part(uuid, uuid, uuid) is
'Ends a user''s part in the open call of a conversation they are leaving. The caller holds the conversation''s lock.';
revoke all on function parley.end_call_part(uuid, uuid, uuid) from public;

create or replace function parley.expire_call(call parley.call)
returns parley.call
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if call.state = 'ringing' then
        return parley.finish_call(call, 'missed', 'call:missed', null, null);
    end if;
    if parley.call_count(call, 'ringing') = 0 then
        return parley.finish_call(call, 'completed', 'call:ended', null, null);
    end if;
    update parley.call_participant as p
    set state = 'missed'
    where p.conversation_id = call.conversation_id and p.call_id = call.id and p.state = 'ringing';
    return parley.ring_next(call, 'call:missed', null, null);
end;
$$;
comment on function parley.expire_call(parley.call) is
'What is due of an open call: it is missed, those who ring stop, or it has lasted too long.';
revoke all on function parley.expire_call(parley.call) from public;

-- --- what clients call

create or replace function parley.start_call(
    conversation_id uuid,
    kind text default 'voice',
    device_id text default null,
    invite_ids uuid[] default null,
    client_call_id uuid default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.provision_caller();
    v_me parley.participant;
    v_profile parley.conversation_profile;
    v_call parley.call;
    v_callees uuid[];
    v_max bigint;
    v_now timestamptz;
begin
    if start_call.kind is null or start_call.kind not in ('voice', 'video') then
        raise exception using errcode = 'PT400', message = 'kind must be voice or video.';
    end if;
    perform parley.check_device_id(start_call.device_id);
    perform parley.require_participant(start_call.conversation_id, v_user_id);
    select c.* into v_call
    from parley.call as c
    where c.conversation_id = start_call.conversation_id
        and c.initiator_id = v_user_id
        and c.client_call_id = start_call.client_call_id;
    if found then
        return parley.repeated_call(v_call, start_call.kind);
    end if;
    perform parley.take_token(v_user_id, 'calls_per_hour');

    -- The same two may be calling each other in two conversations: one of them at a time looks.
    v_call := parley.call_of_the_other(start_call.conversation_id, v_user_id, start_call.device_id);
    if v_call.id is not null then
        v_call := parley.lock_call(v_call.id, v_user_id);
        if v_call.state = 'ended' then
            raise exception using errcode = '40001', message = 'The other call ended meanwhile.', hint = 'Try again.';
        end if;
        return parley.call_json(parley.join_call(v_call, v_user_id, start_call.device_id));
    end if;

    perform parley.lock_conversation(start_call.conversation_id);
    v_me := parley.require_participant(start_call.conversation_id, v_user_id);
    v_profile := parley.require_writable(start_call.conversation_id);
    select c.* into v_call
    from parley.call as c
    where c.conversation_id = start_call.conversation_id and c.ended_at is null
    for no key update;
    if found and v_call.initiator_id = v_user_id and v_call.client_call_id = start_call.client_call_id then
        return parley.repeated_call(v_call, start_call.kind);
    end if;
    if found and v_call.due_at <= clock_timestamp() then
        v_call := parley.expire_call(v_call);
    end if;
    if v_call.state in ('ringing', 'active') then
        return parley.call_json(parley.join_call(v_call, v_user_id, start_call.device_id));
    end if;

    perform parley.require_permission(v_me, v_profile, 'send_messages');
    v_callees := parley.callees(v_profile, v_user_id, start_call.invite_ids);
    v_max := parley.limit_of(v_user_id, 'max_call_participants');
    if cardinality(v_callees) + 1 > v_max then
        raise exception using
            errcode = 'PT400',
            message = format('A call may have at most %s participants.', v_max),
            hint = 'Name those to ring in invite_ids; the others can join.';
    end if;
    v_now := clock_timestamp();
    insert into parley.call as c (
        id, conversation_id, initiator_id, client_call_id, event_seq, created_at, due_at, ring_expires_at, kind, state
    )
    select
        parley.uuid_v7(), start_call.conversation_id, v_user_id, start_call.client_call_id, n.last_event_seq + 1, v_now,
        v_now + r.period, v_now + r.period, start_call.kind, 'ringing'
    from parley.conversation as n
    cross join parley.setting_seconds('call_ring_seconds', 45, 5, 600) as r (period)
    where n.id = start_call.conversation_id
    returning c.* into strict v_call;
    insert into parley.call_participant (conversation_id, call_id, user_id, state, device_id, joined_at)
    values (v_call.conversation_id, v_call.id, v_user_id, 'accepted', start_call.device_id, v_now);
    insert into parley.call_participant (conversation_id, call_id, user_id, state)
    select v_call.conversation_id, v_call.id, u.id, 'ringing'
    from unnest(v_callees) as u (id);
    perform parley.append_call_event(v_call, 'call:ring', v_user_id, null);
    return parley.call_json(v_call);
end;
$$;
comment on function parley.start_call(uuid, text, text, uuid[], uuid) is
'Calls the other participants, or in a group those invited. Where a call is open it is joined: see initiator_id. The same client_call_id again returns the first call.';
revoke all on function parley.start_call(uuid, text, text, uuid[], uuid) from public;
grant execute on function parley.start_call(uuid, text, text, uuid[], uuid) to authenticated;

create or replace function parley.repeated_call(call parley.call, kind text)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if call.kind <> repeated_call.kind then
        raise exception using
            errcode = 'PT409',
            message = 'This client_call_id was already used for another call.',
            hint = 'Use a new uuid for every call, and the same one only to repeat a start.';
    end if;
    return parley.call_json(call);
end;
$$;
comment on function parley.repeated_call(parley.call, text) is
'The call an earlier start with this client_call_id made; PT409 if that one was of another kind.';
revoke all on function parley.repeated_call(parley.call, text) from public;

create or replace function parley.call_of_the_other(conversation_id uuid, user_id uuid, device_id text)
returns parley.call
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v_pair parley.direct_conversation;
    v_call parley.call;
begin
    select d.* into v_pair
    from parley.direct_conversation as d
    where d.conversation_id = call_of_the_other.conversation_id;
    if not found then
        return null;
    end if;
    perform pg_advisory_xact_lock(
        hashtextextended(format('parley:call:%s:%s', v_pair.user_low, v_pair.user_high), 0)
    );
    -- conversation by conversation of the two (offset 0), never through all open calls
    select c.* into v_call
    from parley.direct_conversation as d
    cross join lateral (
        select o.*
        from parley.call as o
        where o.conversation_id = d.conversation_id and o.ended_at is null and o.due_at > clock_timestamp()
        offset 0
    ) as c
    where d.user_low = v_pair.user_low
        and d.user_high = v_pair.user_high
        and d.conversation_id <> call_of_the_other.conversation_id
        and exists (
            select from parley.call_participant as p
            where p.conversation_id = c.conversation_id
                and p.call_id = c.id
                and p.user_id = call_of_the_other.user_id
                -- or was answered by a start whose answer was lost
                and (
                    p.state = 'ringing'
                    or (
                        p.state = 'accepted'
                        and p.device_id = call_of_the_other.device_id
                        and c.initiator_id <> call_of_the_other.user_id
                    )
                )
        )
    order by c.id
    limit 1;
    return v_call;
end;
$$;
comment on function parley.call_of_the_other(uuid, uuid, text) is
'Of a direct conversation: the call by which the other one rings this user in another conversation of the two, or which this device has answered, if any. Until the transaction ends no other start of these two looks.';
revoke all on function parley.call_of_the_other(uuid, uuid, text) from public;

create or replace function parley.callees(profile parley.conversation_profile, caller_id uuid, invite_ids uuid[])
returns uuid[]
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_callees uuid[];
begin
    if cardinality(invite_ids) > 256 then
        raise exception using errcode = 'PT400', message = 'invite_ids may have at most 256 users.';
    end if;
    v_callees := array(
        select p.user_id
        from parley.participant as p
        inner join parley.account as a on p.user_id = a.id
        where p.conversation_id = profile.conversation_id
            and p.left_at is null
            and p.user_id <> caller_id
            -- a request does not ring before it is accepted
            and p.folder = 'inbox'
            and a.suspended_at is null
            and a.deleted_at is null
            and (invite_ids is null or p.user_id = any (invite_ids))
        order by p.user_id
    );
    if exists (
        select from unnest(invite_ids) as u (id)
        where u.id is null or (u.id <> caller_id and u.id <> all (v_callees))
    ) then
        raise exception using errcode = 'PT400', message = 'Only participants of the conversation can be called.';
    end if;
    if cardinality(v_callees) = 0 then
        if profile.type = 'direct' then
            -- one answer, whatever the reason
            raise exception using errcode = 'PT403', message = 'You cannot call this user.';
        end if;
        raise exception using errcode = 'PT400', message = 'There is nobody to call in this conversation.';
    end if;
    return v_callees;
end;
$$;
comment on function parley.callees(parley.conversation_profile, uuid, uuid[]) is
'Whom a call rings: the other participants, or those of them who are invited.';
revoke all on function parley.callees(parley.conversation_profile, uuid, uuid[]) from public;

create or replace function parley.accept_call(call_id uuid, device_id text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := parley.require_caller();
begin
    perform parley.check_device_id(accept_call.device_id);
    return parley.call_json(
        parley.join_call(parley.lock_call(accept_call.call_id, v_user_id), v_user_id, accept_call.device_id)
    );
end;
$$;
comment on function parley.accept_call(uuid, text) is
'Answers a call, or joins one of a group, with this device. PT409: it has ended, or another device of the caller is in it.';
revoke all on function parley.accept_call(uuid, text) from public;
grant execute on function parley.accept_call(uuid, text) to authenticated;

create or replace function parley.decline_call(call_id uuid, busy boolean default false)
returns jsonb
language plpgsql
volatile
security definer
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
    return parley.call_json(
        parley.stop_ringing(v_call, v_user_id, case when decline_call.busy then 'busy' else 'declined' end)
    );
end;
$$;
comment on function parley.decline_call(uuid, boolean) is
'Declines a call that rings, on all devices of the caller; busy: because the caller is in another one. Ends it if nobody else rings.';
revoke all on function parley.decline_call(uuid, boolean) from public;
grant execute on function parley.decline_call(uuid, boolean) to authenticated;

create or replace function parley.cancel_call(call_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := parley.require_caller();
    v_call parley.call := parley.lock_call(cancel_call.call_id, v_user_id);
begin
    if v_call.initiator_id <> v_user_id then
        raise exception using
            errcode = 'PT403',
            message = 'Only who called can cancel a call.',
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
    return parley.call_json(parley.leave_call(v_call, v_user_id, v_user_id, false));
end;
$$;
comment on function parley.cancel_call(uuid) is
'Ends a call of the caller''s that nobody has answered yet. PT409: somebody has.';
revoke all on function parley.cancel_call(uuid) from public;
grant execute on function parley.cancel_call(uuid) to authenticated;

create or replace function parley.end_call(call_id uuid, device_id text default null, failed boolean default false)
returns jsonb
language plpgsql
volatile
security definer
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
        return parley.call_json(parley.stop_ringing(v_call, v_user_id, 'declined'));
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
    return parley.call_json(parley.leave_call(v_call, v_user_id, v_user_id, coalesce(end_call.failed, false)));
end;
$$;
comment on function parley.end_call(uuid, text, boolean) is
'Hangs up: ends a direct call, leaves a group''s, cancels or declines one that rings. failed: the devices could not connect. With a device_id only if that device is in the call.';
revoke all on function parley.end_call(uuid, text, boolean) from public;
grant execute on function parley.end_call(uuid, text, boolean) to authenticated;

create or replace function parley.get_call(call_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return parley.call_json(parley.require_call(get_call.call_id, parley.require_caller()));
end;
$$;
comment on function parley.get_call(uuid) is 'A call of a conversation the caller is in.';
revoke all on function parley.get_call(uuid) from public;
grant execute on function parley.get_call(uuid) to authenticated;

create or replace function parley.get_calls(
    conversation_id uuid default null, cursor text default null, page_size integer default 50
)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
-- one plan for all: along the index until the page is full
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_sort = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.require_caller();
    v_me parley.participant;
    v_floor_id uuid := parley.message_floor_of(v_user_id);
    v_before uuid := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
    v_calls parley.call[];
begin
    if get_calls.page_size is null or get_calls.page_size not between 1 and 100 then
        raise exception using errcode = 'PT400', message = 'page_size must be between 1 and 100.';
    end if;
    if get_calls.cursor is not null then
        if get_calls.cursor !~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
            raise exception using
                errcode = 'PT400',
                message = 'cursor is not one that get_calls returned.';
        end if;
        v_before := get_calls.cursor::uuid;
    end if;
    -- one more than asked for tells whether there are more
    if get_calls.conversation_id is not null then
        v_me := parley.require_participant(get_calls.conversation_id, v_user_id);
        v_calls := array(
            select c
            from parley.call as c
            where c.conversation_id = get_calls.conversation_id
                and c.id < v_before
                and c.id >= v_floor_id
                and (c.ended_at is null or c.event_seq >= v_me.history_from_event_seq)
            order by c.id desc
            limit get_calls.page_size + 1
        );
    else
        v_calls := array(
            select c.call
            from (
                select u.conversation_id, u.call_id
                from parley.call_participant as u
                where u.user_id = v_user_id and u.call_id < v_before and u.call_id >= v_floor_id
                order by u.call_id desc
                offset 0
            ) as u
            cross join lateral (
                select c as call
                from parley.call as c
                inner join parley.participant as p on c.conversation_id = p.conversation_id
                where c.id = u.call_id
                    and c.conversation_id = u.conversation_id
                    and p.conversation_id = u.conversation_id
                    and p.user_id = v_user_id
                    and p.left_at is null
                    and (c.ended_at is null or c.event_seq >= p.history_from_event_seq)
                offset 0
            ) as c
            order by u.call_id desc
            limit get_calls.page_size + 1
        );
    end if;
    return jsonb_build_object(
        'calls', (
            select coalesce(jsonb_agg(parley.call_json(c) order by c.id desc), '[]')
            from unnest(v_calls[:get_calls.page_size]) as c
        ),
        'next_cursor', case
            when cardinality(v_calls) > get_calls.page_size then (v_calls[get_calls.page_size]).id
        end
    );
end;
$$;
comment on function parley.get_calls(uuid, text, integer) is
'Calls of a conversation, or all the caller was part of, the newest first: {calls, next_cursor}.';
revoke all on function parley.get_calls(uuid, text, integer) from public;
grant execute on function parley.get_calls(uuid, text, integer) to authenticated;

-- --- the job

create or replace function parley.expire_calls()
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_batch constant integer := 50;
    v_now constant timestamptz := clock_timestamp();
    v_due record;
    v_call parley.call;
    v_expired integer := 0;
begin
    for v_due in
        select c.id, c.conversation_id
        from parley.call as c
        where c.due_at <= v_now
        order by c.due_at
        limit v_batch
    loop
        -- whoever holds the conversation is perhaps answering; the next round looks again
        perform from parley.conversation as n where n.id = v_due.conversation_id for no key update skip locked;
        continue when not found;
        select c.* into v_call
        from parley.call as c
        where c.id = v_due.id and c.conversation_id = v_due.conversation_id and c.due_at <= v_now
        for no key update;
        continue when not found;
        perform parley.expire_call(v_call);
        v_expired := v_expired + 1;
    end loop;
    return v_expired = v_batch;
end;
$$;
comment on function parley.expire_calls() is
'A job: ends what has rung or lasted long enough, at most 50 calls at a time; true if there may be more. Steps aside where a conversation is locked.';
revoke all on function parley.expire_calls() from public;
