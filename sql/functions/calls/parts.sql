-- Taking part in a call and leaving it, also when somebody leaves the conversation.

create or replace function parley.join_call(call parley.call, user_id uuid, device_id text)
returns parley.call
language plpgsql volatile security definer
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
comment on function parley.join_call is
'Puts a user into a call with one device and tells their others; PT409 if it has ended, is full, or another device is in it.';

create or replace function parley.leave_call(call parley.call, user_id uuid, actor_id uuid, failed boolean)
returns parley.call
language plpgsql volatile security definer
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
comment on function parley.leave_call is
'Takes a user out of a call they are in; the initiator of one that rings cancels it, the last one ends it.';

create or replace function parley.end_call_part(conversation_id uuid, user_id uuid, actor_id uuid)
returns void
language plpgsql volatile security definer
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
comment on function parley.end_call_part is
'Ends a user''s part in the open call of a conversation they are leaving. The caller holds the conversation''s lock.';
