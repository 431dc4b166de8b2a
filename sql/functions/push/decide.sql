-- Whether a message, or a call, is worth a notification to somebody, and why. Said once: asked when it is queued, again
-- when it is about to be sent, and by explain_delivery. Who sees a message at all is parley.message_blocker's to say.

create or replace function parley.decide_push(
    message parley.message,
    participant parley.participant,
    account parley.account,
    preference parley.push_preference,
    delays integer default 0,
    at timestamptz default clock_timestamp(),
    floor_id uuid default null
)
returns parley.push_decision
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    -- whom somebody has blocked mentions nobody: that is decided before
    v_mentioned constant boolean := coalesce(message.mentions_all or participant.user_id = any (message.mentions), false);
    v_reason text;
    v_decision parley.push_decision;
begin
    if message.id is not null then
        v_reason := parley.message_blocker(message, participant, account, decide_push.floor_id);
        if v_reason is null and message.deleted_at is not null then
            v_reason := 'deleted';
        end if;
    elsif participant.left_at is not null then
        v_reason := 'left';
    elsif account.suspended_at is not null then
        v_reason := 'account_suspended';
    end if;
    v_reason := coalesce(v_reason, case
        when participant.folder = 'requests' then 'request'
        when message.sender_id = participant.user_id
            or (message.sender_id is null and message.metadata ->> 'actor_id' = participant.user_id::text)
            then 'own'
        -- a call tells of its end itself
        when message.sender_id is null and message.metadata ->> 'event' = 'call_ended' then 'call'
        when message.sender_id is null and exists (
            select from parley.message_uncounted as t
            where t.conversation_id = message.conversation_id and t.seq = message.seq and t.is_notice
        ) then 'notice'
        when parley.is_blocked(participant.user_id, message.sender_id) then 'sender_blocked'
        when exists (
            select from parley.restriction as r
            where r.restricter_id = participant.user_id and r.restricted_id = message.sender_id
        ) then 'sender_restricted'
        when message.seq <= participant.last_read_seq then 'read'
        when not preference.enabled then 'push_off'
        when participant.notification_level = 'none' then 'level_none'
        -- who wants mentions wants them also while the rest is muted
        when participant.muted_until > decide_push.at
            and not (participant.notification_level = 'mentions' and v_mentioned)
            then 'muted'
        when participant.notification_level = 'mentions' and not v_mentioned then 'level_mentions'
    end);
    if v_reason is not null then
        return ('suppress', v_reason, null)::parley.push_decision;
    end if;
    v_decision := parley.quiet_decision(preference, v_mentioned and preference.mentions_pierce_quiet, decide_push.at);
    if v_decision.verdict in ('send', 'silent')
        and decide_push.delays < 3
        and exists (
            select from parley.push_focus as f
            where f.user_id = participant.user_id
                and f.conversation_id = participant.conversation_id
                and f.expires_at > clock_timestamp()
        )
    then
        return ('delay', 'in_view', clock_timestamp() + interval '5 seconds')::parley.push_decision;
    end if;
    return v_decision;
end;
$$;
comment on function parley.decide_push is
'Whether a message is worth a notification to a participant, or without one the conversation that is new to them. delays: how often it was put off because they were looking at the conversation. floor_id: message_floor_of the user, if it is known.';

create or replace function parley.decide_call_push(
    call parley.call,
    part parley.call_participant,
    participant parley.participant,
    preference parley.push_preference,
    has_ended boolean default false,
    at timestamptz default clock_timestamp()
)
returns parley.push_decision
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_reason text := case
        when call.id is null or part.user_id is null then 'gone'
        when has_ended and part.state = 'ringing' then 'call_rings'
        when not has_ended
            and (call.state = 'ended' or part.state <> 'ringing' or call.ring_expires_at <= decide_call_push.at)
            then 'call_over'
        when participant.user_id is null or participant.left_at is not null then 'left'
        when participant.folder = 'requests' then 'request'
        when parley.is_blocked(part.user_id, call.initiator_id) then 'sender_blocked'
        when not preference.enabled then 'push_off'
        when participant.notification_level = 'none' then 'level_none'
        when participant.muted_until > decide_call_push.at then 'muted'
    end;
    v_decision parley.push_decision;
begin
    if v_reason is not null then
        return ('suppress', v_reason, null)::parley.push_decision;
    end if;
    v_decision := parley.quiet_decision(
        preference, not has_ended and coalesce(preference.calls_pierce_quiet, true), decide_call_push.at
    );
    if v_decision.verdict = 'delay' and not has_ended then
        -- a call does not wait
        return ('suppress', v_decision.reason, null)::parley.push_decision;
    end if;
    return v_decision;
end;
$$;
comment on function parley.decide_call_push is 'Whether a call that rings for a participant, or one that they have missed, is worth a notification.';
