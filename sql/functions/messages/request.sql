-- A request to send: whether it is well formed, and the answer where it was made before.

create or replace function parley.check_message_request(
    conversation_id uuid,
    sender_id uuid,
    content text,
    type text,
    max_length bigint,
    attachment_ids uuid[],
    metadata jsonb,
    expires_in interval,
    any_type boolean
)
returns void
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_type parley.message_type;
begin
    select t.* into v_type from parley.message_type as t where t.name = check_message_request.type;
    if not found or not (v_type.client_may_send or coalesce(check_message_request.any_type, false)) then
        raise exception using
            errcode = 'PT400',
            message = 'This message type cannot be sent.',
            hint = (
                select format('Types: %s.', string_agg(t.name, ', ' order by t.name))
                from parley.message_type as t
                where t.client_may_send
            );
    end if;
    perform parley.check_message_body(
        v_type, check_message_request.content, check_message_request.metadata,
        coalesce(cardinality(check_message_request.attachment_ids), 0), max_length
    );
    perform parley.check_attachments(
        check_message_request.conversation_id, check_message_request.sender_id, v_type,
        coalesce(check_message_request.attachment_ids, '{}')
    );
    if check_message_request.expires_in not between interval '1 second' and interval '366 days' then
        raise exception using
            errcode = 'PT400',
            message = 'expires_in must be between 1 second and 366 days.';
    end if;
end;
$$;
comment on function parley.check_message_request is
'Checks a message that is more than a short plain text.';

create or replace function parley.repeated_message(
    conversation_id uuid, sender_id uuid, client_message_id uuid, request_hash bytea
)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_key parley.message_key;
    v_message parley.message;
begin
    select k.* into strict v_key
    from parley.message_key as k
    where k.conversation_id = repeated_message.conversation_id
        and k.sender_id = repeated_message.sender_id
        and k.client_message_id = repeated_message.client_message_id;
    if v_key.request_hash <> repeated_message.request_hash then
        raise exception using
            errcode = 'PT409',
            message = 'This client_message_id was already used for another message.',
            hint = 'Use a new uuid for every message, and the same one only to repeat a send.';
    end if;
    select m.* into v_message from parley.message as m where m.id = v_key.message_id;
    if not found then
        raise exception using
            errcode = 'PT410',
            message = 'This message was sent before and has since been purged.',
            hint = 'Do not send it again. Clients give up sends that have waited for 60 days.';
    end if;
    return parley.message_now_json(parley.readable_part(v_message));
end;
$$;
comment on function parley.repeated_message is
'The message an earlier send with this client_message_id made, without content if it has expired; PT409 if that send asked for something else, PT410 if it was purged.';

create or replace function parley.refuse_sender(conversation_id uuid, user_id uuid)
returns void
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform parley.require_participant(refuse_sender.conversation_id, refuse_sender.user_id);
    -- a participant since a moment ago: nothing that decides has been read
    raise exception using errcode = '40001', message = 'The membership changed while sending.', hint = 'Try again.';
end;
$$;
comment on function parley.refuse_sender is
'Says why somebody who was found to be no participant cannot send: PT403, or 40001 where they have become one meanwhile.';
