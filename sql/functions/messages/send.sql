-- Sending. The order of the locks is: the client's key, the sender's rate bucket, the conversation. A retry waits on
-- the key and takes no seq. What is written is the same for 2 and for 256 participants.

create or replace function parley.send_message(
    conversation_id uuid,
    content text default null,
    type text default 'text',
    client_message_id uuid default null,
    reply_to_id uuid default null,
    attachment_ids uuid[] default null,
    mentions uuid[] default null,
    metadata jsonb default null,
    expires_in interval default null,
    mentions_all boolean default false,
    server jsonb default null
)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.current_user_id();
    v_sender record;
    v_metadata jsonb;
    v_mentions uuid[] := nullif(send_message.mentions, '{}');
    v_attachment_ids uuid[] := nullif(send_message.attachment_ids, '{}');
    v_ttl interval;
    v_hash bytea;
    -- parley.uuid_v7(), written out: here a call costs more than what it does
    v_id uuid := encode(
        set_bit(
            set_bit(
                overlay(
                    uuid_send(gen_random_uuid()),
                    substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3),
                    1,
                    6
                ),
                52, 1
            ),
            53, 1
        ),
        'hex'
    )::uuid;
    v_conversation parley.conversation;
    v_participant parley.participant;
    v_message parley.message;
    v_source parley.message;
begin
    -- 1. everything that decides, by primary keys, in one statement
    select
        a.suspended_at,
        a.deleted_at,
        a.tokens_valid_after,
        t.send_amount,
        t.send_period_seconds,
        t.send_burst,
        t.max_content_length
    into v_sender
    from parley.participant as p
    inner join parley.account as a on p.user_id = a.id
    inner join parley.tier as t on a.tier_name = t.name
    where p.conversation_id = send_message.conversation_id and p.user_id = v_user_id and p.left_at is null;
    if not found then
        perform parley.require_participant(send_message.conversation_id, parley.require_caller());
        -- a participant since a moment ago: nothing that decides has been read
        raise exception using errcode = '40001', message = 'The membership changed while sending.', hint = 'Try again.';
    end if;
    if v_sender.suspended_at is not null
        or v_sender.deleted_at is not null
        or v_sender.tokens_valid_after is not null
    then
        perform parley.require_caller();
    end if;

    if send_message.metadata is not null then
        v_metadata := parley.validate_metadata(send_message.metadata, send_message.content, send_message.type);
    end if;

    -- 2. once and only once: a racing retry waits here for the first one to end, and a late one gets its message
    -- whatever has changed since
    if send_message.client_message_id is not null then
        v_hash := coalesce(decode(send_message.server ->> 'request_hash', 'hex'), sha256(convert_to(
            row(
                send_message.type, send_message.reply_to_id, v_mentions, v_metadata,
                extract(epoch from send_message.expires_in), send_message.content, v_attachment_ids,
                send_message.mentions_all, nullif(send_message.server - 'scheduled', '{}')
            )::text,
            'UTF8'
        )));
        insert into parley.message_key (conversation_id, sender_id, client_message_id, message_id, request_hash)
        values (send_message.conversation_id, v_user_id, send_message.client_message_id, v_id, v_hash)
        on conflict do nothing;
        if not found then
            return parley.repeated_message(
                send_message.conversation_id, v_user_id, send_message.client_message_id, v_hash
            );
        end if;
    end if;

    -- 3. the request itself
    if send_message.type = 'text'
        and v_attachment_ids is null
        and send_message.expires_in is null
        and send_message.server is null
    then
        -- looked at here first, because the call costs more than the look
        if send_message.content is null
            or send_message.content !~ '\S'
            or send_message.content ~ '[\u0001-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]'
            or char_length(send_message.content) > v_sender.max_content_length
        then
            perform parley.validate_content(send_message.content, v_sender.max_content_length);
        end if;
    else
        perform parley.check_message_request(
            send_message.conversation_id, v_user_id, send_message.content, send_message.type, v_sender.max_content_length,
            v_attachment_ids, v_metadata, send_message.expires_in, send_message.server
        );
    end if;

    -- 4. not too many
    if v_sender.send_amount is not null then
        perform parley.take_token(
            v_user_id, 'messages_per_minute', v_sender.send_amount, v_sender.send_period_seconds, v_sender.send_burst
        );
    end if;

    -- 5. The lock: whoever updates this row is next. From here on commits have the order of seq.
    update parley.conversation as c
    set
        last_seq = c.last_seq + 1,
        last_event_seq = c.last_event_seq + 1,
        last_activity_at = greatest(c.last_activity_at, clock_timestamp())
    where c.id = send_message.conversation_id
    returning c.* into v_conversation;
    -- what the conversation says of sending is read under it, and only where it says something
    if v_conversation.restricted then
        v_ttl := parley.require_may_send(send_message.conversation_id, v_user_id);
    end if;
    -- the sender under it: a removal that committed before leaves nothing to update
    update parley.participant as p
    set
        -- who has read everything before has also read this
        last_read_seq = case
            when p.last_read_seq = v_conversation.last_seq - 1 then v_conversation.last_seq else p.last_read_seq
        end,
        last_delivered_seq = case
            when p.last_read_seq = v_conversation.last_seq - 1 then v_conversation.last_seq else p.last_delivered_seq
        end,
        own_unread = case when p.last_read_seq = v_conversation.last_seq - 1 then 0 else p.own_unread + 1 end
    where p.conversation_id = send_message.conversation_id and p.user_id = v_user_id and p.left_at is null
    returning p.* into v_participant;
    if not found then
        perform parley.require_participant(send_message.conversation_id, v_user_id);
        raise exception using errcode = '40001', message = 'The membership changed while sending.', hint = 'Try again.';
    end if;
    -- and what the message points at: nobody can leave, delete or clear it any more
    if send_message.server is not null then
        if send_message.server ? 'scheduled' then
            -- who has left meanwhile, or what has gone, is no reason to keep it from the others
            v_mentions := nullif(parley.present_of(send_message.conversation_id, v_mentions), '{}');
            if send_message.reply_to_id is not null and not parley.may_answer(
                send_message.conversation_id, v_user_id, send_message.reply_to_id, v_participant.history_from_seq
            ) then
                send_message.reply_to_id := null;
            end if;
        elsif send_message.server ? 'forwards' then
            -- as it is now, should it have been changed or hidden while this one waited
            v_source := parley.require_message((send_message.server ->> 'forwards')::uuid, v_user_id);
            if v_source.deleted_at is not null then
                raise exception using errcode = 'PT409', message = 'The message was deleted.';
            end if;
            send_message.content := v_source.content;
            v_metadata := v_source.metadata;
        end if;
    end if;
    if v_mentions is not null or send_message.mentions_all then
        perform parley.check_mentions(
            send_message.conversation_id, v_mentions, send_message.mentions_all, v_participant.role
        );
    end if;
    if send_message.reply_to_id is not null then
        perform parley.check_reply(
            send_message.conversation_id, v_user_id, send_message.reply_to_id, v_participant.history_from_seq
        );
    end if;
    -- four plain statements: one with data-modifying CTEs costs a tenth more
    insert into parley.event (event_seq, message_seq, conversation_id, actor_id, message_id, kind)
    values (
        v_conversation.last_event_seq, v_conversation.last_seq, v_conversation.id, v_user_id, v_id, 'message:new'
    );
    insert into parley.message as m (
        id, conversation_id, seq, sender_id, reply_to_id, client_message_id, created_at, expires_at,
        sender_role, type, content, metadata, mentions, forward_count, has_attachments, mentions_all
    )
    values (
        v_id, v_conversation.id, v_conversation.last_seq, v_user_id, send_message.reply_to_id,
        send_message.client_message_id, v_conversation.last_activity_at,
        -- not longer than the conversation keeps its messages; and what is to disappear does not live longer elsewhere
        least(v_conversation.last_activity_at + least(send_message.expires_in, v_ttl), v_source.expires_at),
        coalesce(v_participant.app_role, v_participant.role), send_message.type, send_message.content, v_metadata, v_mentions,
        (send_message.server ->> 'forward_count')::integer,
        v_attachment_ids is not null, coalesce(send_message.mentions_all, false)
    )
    returning m.* into v_message;
    if v_attachment_ids is not null then
        perform parley.attach(v_message, v_attachment_ids, send_message.server);
    end if;
    -- parley.ring(), written out for the same reason
    if exists (select from parley.worker as w where not pg_try_advisory_xact_lock_shared(w.lock_key)) then
        perform pg_notify('parley', '');
    end if;
    if send_message.reply_to_id is not null then
        -- the sender is shown what they answer, also where others may not see it
        return parley.message_json(
            v_message, '[]', 'sent', v_user_id, v_participant.history_from_seq, parley.message_floor_of(v_user_id)
        );
    end if;
    return parley.message_json(v_message, '[]');
end;
$$;
comment on function parley.send_message is
'Sends a message as the caller and returns it. The same client_message_id again returns the first message; with other content PT409. server is for functions of this schema only: {type} allows a type users may not send, {forwards, forward_count, request_hash} says what is passed on, {scheduled} leaves out mentions and a quote that are no longer possible.';
grant execute on function parley.send_message to authenticated;
