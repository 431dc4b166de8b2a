-- Answering requests, and what becomes of those that nobody answers.

create or replace function parley.put_request_away(conversation_id uuid, recipient_id uuid, status text)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_participant parley.participant;
    v_request parley.message_request;
    v_other uuid;
begin
    select p.* into v_participant
    from parley.participant as p
    where p.conversation_id = put_request_away.conversation_id
        and p.user_id = put_request_away.recipient_id
        and p.left_at is null
        and p.folder = 'requests';
    if not found then
        return false;
    end if;
    select case when d.user_low = v_participant.user_id then d.user_high else d.user_low end into v_other
    from parley.direct_conversation as d
    where d.conversation_id = v_participant.conversation_id;
    insert into parley.message_request as r (conversation_id, recipient_id, sender_id, answered_at, status)
    select
        v_participant.conversation_id, v_participant.user_id, coalesce(v_other, v_participant.added_by),
        clock_timestamp(), put_request_away.status
    where coalesce(v_other, v_participant.added_by) is not null
    on conflict on constraint message_request_pkey do update
    set status = excluded.status, answered_at = excluded.answered_at
    where r.status <> excluded.status
    returning r.* into v_request;
    if v_request.conversation_id is not null then
        perform parley.append_request_event(v_request, 'request:updated', v_request.recipient_id);
    end if;
    if v_other is not null then
        perform parley.clear_conversation(v_participant.conversation_id, v_participant.user_id);
    else
        perform parley.end_participation(v_participant, v_participant.user_id, '{users} left.');
        perform parley.promote_successor(v_participant, v_participant.user_id);
    end if;
    perform parley.mark_conversation(v_participant.conversation_id);
    perform parley.append_quiet_event(v_participant.conversation_id, v_participant.user_id);
    return true;
end;
$$;
comment on function parley.put_request_away is
'Takes what a participant has among the requests away from them: a direct conversation is deleted for them alone, a group they leave. False: it is not there. The caller holds the lock.';

create or replace function parley.accept_request(conversation_id uuid)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.provision_caller();
    v_me parley.participant;
    v_other uuid;
    v_own_block boolean;
begin
    perform parley.require_participant(accept_request.conversation_id, v_user_id);
    select case when d.user_low = v_user_id then d.user_high else d.user_low end into v_other
    from parley.direct_conversation as d
    where d.conversation_id = accept_request.conversation_id;
    if v_other is not null then
        perform parley.lock_rules_of(v_user_id);
        perform parley.lift_restriction(v_user_id, v_other);
    end if;
    perform parley.lock_conversation(accept_request.conversation_id);
    v_me := parley.require_participant(accept_request.conversation_id, v_user_id);
    v_own_block := parley.is_blocked(v_user_id, v_other);
    if v_own_block then
        perform parley.refuse_reach(v_own_block);
    end if;
    perform parley.accept_in_place(accept_request.conversation_id, v_user_id);
    -- nobody answers themselves
    if v_me.added_by is not null then
        perform parley.still_unanswered(accept_request.conversation_id, v_user_id, v_me.added_by);
    end if;
    return parley.conversation_json(accept_request.conversation_id, v_user_id);
end;
$$;
comment on function parley.accept_request is
'Moves a conversation from the caller''s requests to the inbox, and lifts a restriction of its sender. Returns the conversation; nothing happens to one that is in the inbox.';
grant execute on function parley.accept_request to authenticated;

create or replace function parley.decline_request(conversation_id uuid, block boolean default false)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.provision_caller();
    v_sender_id uuid;
begin
    if decline_request.block is null then
        raise exception using errcode = 'PT400', message = 'block must be true or false.';
    end if;
    perform parley.require_participant(decline_request.conversation_id, v_user_id);
    perform parley.lock_rules_of(v_user_id);
    select r.sender_id into v_sender_id
    from parley.message_request as r
    where r.conversation_id = decline_request.conversation_id and r.recipient_id = v_user_id;
    if not found then
        -- of one who is restricted there is no request
        select case when d.user_low = v_user_id then d.user_high else d.user_low end into v_sender_id
        from parley.direct_conversation as d
        where d.conversation_id = decline_request.conversation_id;
    end if;
    perform parley.note_complaint(v_sender_id);
    if decline_request.block and v_sender_id is not null then
        perform parley.lock_conversations_of(v_user_id, v_sender_id, decline_request.conversation_id);
        perform parley.write_block(v_user_id, v_sender_id);
    end if;
    perform parley.lock_conversation(decline_request.conversation_id);
    perform parley.require_participant(decline_request.conversation_id, v_user_id);
    if not parley.put_request_away(decline_request.conversation_id, v_user_id, 'declined') then
        raise exception using
            errcode = 'PT409',
            message = 'This conversation is not among your requests.',
            hint = 'It was accepted before. Delete it with delete_conversation, or block the user.';
    end if;
    return jsonb_build_object(
        'conversation_id', decline_request.conversation_id, 'status', 'declined', 'blocked', decline_request.block
    );
end;
$$;
comment on function parley.decline_request is
'Declines a request: a direct conversation is deleted for the caller, a group is left. The sender is not told, and is as blocked for request_decline_days, or, with block, for good.';
grant execute on function parley.decline_request to authenticated;

create or replace function parley.expire_requests()
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
-- a conversation that somebody holds is passed by
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
declare
    v_before constant timestamptz := now() - parley.setting_days('request_expiry_days', 30);
    v_id uuid;
    v_recipient uuid;
begin
    -- one in a run: its conversation is all that is held
    select r.conversation_id, r.recipient_id into v_id, v_recipient
    from parley.message_request as r
    inner join parley.conversation as c on r.conversation_id = c.id
    where r.status = 'pending' and r.created_at < v_before
    order by r.created_at
    limit 1
    for no key update of c skip locked;
    if not found then
        delete from parley.message_request as r
        where r.purged and r.answered_at <= now() - parley.setting_days('request_decline_days', 30);
        return false;
    end if;
    if not exists (
        select from parley.message_request as r
        where r.conversation_id = v_id
            and r.recipient_id = v_recipient
            and r.status = 'pending'
            and r.created_at < v_before
    ) then
        return true;
    end if;
    if not parley.put_request_away(v_id, v_recipient, 'expired') then
        -- its recipient is no longer there to answer
        update parley.message_request as r
        set status = 'expired', answered_at = clock_timestamp()
        where r.conversation_id = v_id and r.recipient_id = v_recipient;
        perform parley.settle_unanswered(v_id);
        perform parley.mark_conversation(v_id);
    end if;
    return true;
end;
$$;
comment on function parley.expire_requests is
'A job: puts away a request that nobody has answered for request_expiry_days, and at last forgets declines whose conversation is gone. True: there may be more.';
