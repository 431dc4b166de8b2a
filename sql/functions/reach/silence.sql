-- A message in a direct conversation that its recipient is not to see: it is stored, stays sent, and reaches nobody.

create or replace function parley.end_quiet(conversation_id uuid)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    update parley.participant as p
    set quiet_since = null
    where p.conversation_id = end_quiet.conversation_id and p.quiet_since is not null;
    if found then
        perform parley.mark_conversation(end_quiet.conversation_id);
    end if;
end;
$$;
comment on function parley.end_quiet is
'Of a marked conversation, under its lock: something comes that all who are in it see, also who was not to learn of what came before.';

create or replace function parley.require_answer(sender_id uuid, sent_count bigint)
returns void
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_max constant bigint := parley.limit_of(require_answer.sender_id, 'request_messages');
begin
    if require_answer.sent_count >= v_max then
        raise exception using
            errcode = 'PT403',
            message = format('Until this user answers, you can send %s messages.', v_max),
            hint = 'Wait for an answer.';
    end if;
end;
$$;
comment on function parley.require_answer is 'PT403 if a stranger has sent as much as the plan lets strangers send before the answer.';

create or replace function parley.count_asked(conversation_id uuid, sender_id uuid)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if parley.is_asking(count_asked.conversation_id, count_asked.sender_id) then
        perform parley.require_answer(
            count_asked.sender_id,
            (
                select max(r.sent_count)
                from parley.message_request as r
                where r.conversation_id = count_asked.conversation_id
                    and r.sender_id = count_asked.sender_id
                    and r.status = 'pending'
            )
        );
        update parley.message_request as r
        set sent_count = r.sent_count + 1
        where r.conversation_id = count_asked.conversation_id
            and r.sender_id = count_asked.sender_id
            and r.status = 'pending';
    end if;
end;
$$;
comment on function parley.count_asked is
'Counts what a stranger sends to a group that nobody else has in the inbox. The caller holds the lock.';

create or replace function parley.silenced_for(conversation_id uuid, sender_id uuid)
returns uuid
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_other uuid;
    v_request parley.message_request;
    v_silent boolean;
    v_own_block boolean;
    v_reach text;
begin
    select case when d.user_low = silenced_for.sender_id then d.user_high else d.user_low end into v_other
    from parley.direct_conversation as d
    where d.conversation_id = silenced_for.conversation_id;
    if not found then
        perform parley.count_asked(silenced_for.conversation_id, silenced_for.sender_id);
        return null;
    end if;
    v_own_block := parley.is_blocked(silenced_for.sender_id, v_other);
    if v_own_block then
        perform parley.refuse_reach(v_own_block);
    end if;
    v_silent := parley.is_blocked(v_other, silenced_for.sender_id);
    select r.* into v_request
    from parley.message_request as r
    where r.conversation_id = silenced_for.conversation_id
        and r.recipient_id = v_other
        and r.sender_id = silenced_for.sender_id
        and r.status <> 'accepted';
    if found then
        -- what was declined long ago, or expired, is asked for anew
        if v_request.status = 'expired'
            or (
                v_request.status = 'declined'
                and v_request.answered_at <= now() - parley.setting_days('request_decline_days', 30)
            )
        then
            v_reach := parley.reach_of(silenced_for.sender_id, v_other);
            if v_reach = 'inbox' then
                perform parley.accept_in_place(silenced_for.conversation_id, v_other);
                perform parley.end_quiet(silenced_for.conversation_id);
                return null;
            elsif v_reach = 'requests' then
                perform parley.open_requests(
                    silenced_for.conversation_id, silenced_for.sender_id, jsonb_build_object(v_other, 'requests')
                );
                v_request.status := 'pending';
                v_request.sent_count := 0;
            elsif v_request.status = 'declined'
                or v_request.created_at <= now() - parley.setting_days('request_expiry_days', 30)
            then
                -- to the sender it is as if it were; nobody is asked
                update parley.message_request as r
                set status = 'expired', created_at = clock_timestamp(), answered_at = clock_timestamp()
                where r.conversation_id = silenced_for.conversation_id and r.recipient_id = v_other;
                v_request.status := 'expired';
                v_request.sent_count := 0;
            end if;
        end if;
        -- the same whether it is pending or was declined
        perform parley.require_answer(silenced_for.sender_id, v_request.sent_count);
        update parley.message_request as r
        set sent_count = v_request.sent_count + 1
        where r.conversation_id = silenced_for.conversation_id and r.recipient_id = v_other;
        v_silent := v_silent or v_request.status <> 'pending';
    end if;
    if v_silent then
        return v_other;
    end if;
    perform parley.end_quiet(silenced_for.conversation_id);
    return null;
end;
$$;
comment on function parley.silenced_for is
'Of a marked conversation, under its lock: who must not learn of a message of the sender, because they have blocked or declined the sender. Null: nobody. Counts what a stranger sends before the answer, and asks anew after a decline that is over.';

create or replace function parley.suppress_message(
    conversation parley.conversation, sender_id uuid, hidden_from uuid, message_id uuid
)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    -- its number goes back: the event is the sender's alone
    update parley.conversation as c set last_event_seq = c.last_event_seq - 1 where c.id = conversation.id;
    insert into parley.event (message_seq, created_at, user_id, actor_id, message_id, kind, data)
    values (
        conversation.last_seq, conversation.last_event_at, suppress_message.sender_id, suppress_message.sender_id,
        suppress_message.message_id, 'message:new', jsonb_build_object('conversation_id', conversation.id)
    );
    insert into parley.message_hidden (conversation_id, user_id, seq, message_id, own, suppressed)
    values (
        conversation.id, suppress_message.hidden_from, conversation.last_seq, suppress_message.message_id, false, true
    );
    update parley.participant as p
    set
        -- as if nothing had come: no place in the inbox, and none for what was deleted
        quiet_since = coalesce(
            p.quiet_since,
            (
                select m.created_at
                from parley.message as m
                where m.id = parley.message_id_at(conversation.id, conversation.last_seq - 1)
            ),
            (select cp.created_at from parley.conversation_profile as cp where cp.conversation_id = conversation.id)
        ),
        deleted_seq = case
            when p.deleted_seq = conversation.last_seq - 1 then conversation.last_seq else p.deleted_seq
        end
    where p.conversation_id = conversation.id and p.user_id = suppress_message.hidden_from;
    -- where each is kept from the other, its sender sees it all the same
    update parley.participant as p
    set quiet_since = null
    where p.conversation_id = conversation.id and p.user_id = suppress_message.sender_id and p.quiet_since is not null;
end;
$$;
comment on function parley.suppress_message is
'Hides a message that is being written from its recipient for good, and tells its sender''s devices alone.';
