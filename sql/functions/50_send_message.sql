-- Sending. The order of the locks is: the client's key, the sender's rate bucket, the conversation. A retry waits on
-- the key and takes no seq. What is written is the same for 2 and for 256 participants.

create or replace function parley.validate_formatting(formatting jsonb, content text)
returns void
language plpgsql
immutable
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_length integer := coalesce(char_length(content), 0);
    v_known text[] := '{bold,italic,underline,strikethrough,code,preformatted,quote,spoiler,link}';
    v_span jsonb;
    v_problem text;
begin
    if jsonb_typeof(formatting) <> 'array' or jsonb_array_length(formatting) > 200 then
        raise exception using
            errcode = 'PT400',
            message = 'metadata.formatting must be an array of at most 200 spans {start, length, style}.';
    end if;
    for v_span in select s.value from jsonb_array_elements(formatting) as s (value) loop
        v_problem := case
            when jsonb_typeof(v_span) <> 'object' then 'is not an object'
            when coalesce(v_span ->> 'start', '') !~ '^[0-9]{1,9}$' or coalesce(v_span ->> 'length', '') !~ '^[0-9]{1,9}$'
                or jsonb_typeof(v_span -> 'start') <> 'number' or jsonb_typeof(v_span -> 'length') <> 'number'
                then 'needs start and length, whole numbers of characters'
            when (v_span ->> 'length')::integer = 0 then 'is empty'
            when (v_span ->> 'start')::integer + (v_span ->> 'length')::integer > v_length
                then format('ends after the %s characters of the content', v_length)
            when jsonb_typeof(v_span -> 'style') is distinct from 'string' or v_span ->> 'style' <> all (v_known)
                then format('has no known style (%s)', array_to_string(v_known, ', '))
            when (v_span ->> 'style' = 'link') <> (v_span ? 'url') then 'has a url without being a link, or is a link without one'
            -- nothing that runs when it is followed
            when v_span ? 'url' and (
                jsonb_typeof(v_span -> 'url') <> 'string'
                or char_length(v_span ->> 'url') > 2000
                or v_span ->> 'url' !~* '^https?://[^[:space:][:cntrl:]/?#]+([/?#][^[:space:][:cntrl:]]*)?$'
            ) then 'has a url that is not http or https'
            when v_span - '{start,length,style,url}'::text[] <> '{}' then 'has keys other than start, length, style and url'
        end;
        if v_problem is not null then
            raise exception using
                errcode = 'PT400',
                message = format('A span of metadata.formatting %s.', v_problem);
        end if;
    end loop;
end;
$$;
comment on function parley.validate_formatting(jsonb, text) is
'Fails with PT400 unless it is a list of spans within the text, counted in characters (Unicode code points) from 0: {start, length, style[, url]}. The text itself is never interpreted.';
revoke all on function parley.validate_formatting(jsonb, text) from public;

create or replace function parley.validate_metadata(metadata jsonb, content text default null, type text default 'text')
returns jsonb
language plpgsql
immutable
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    -- an envelope holds a whole message, once for each device it is for
    v_max_bytes integer := case when type = 'encrypted' then 65536 else 8192 end;
begin
    if metadata is null or metadata = '{}' then
        return null;
    end if;
    if jsonb_typeof(metadata) <> 'object' then
        raise exception using errcode = 'PT400', message = 'metadata must be a JSON object.';
    end if;
    if octet_length(metadata::text) > v_max_bytes then
        raise exception using errcode = 'PT413', message = format('metadata may have at most %s bytes.', v_max_bytes);
    end if;
    if metadata ? 'formatting' then
        perform parley.validate_formatting(metadata -> 'formatting', content);
    end if;
    return metadata;
end;
$$;
comment on function parley.validate_metadata(jsonb, text, text) is
'Metadata as it is stored: an object of at most 8192 bytes (65536 for an encrypted message), whose formatting fits the content; null for an empty one.';
revoke all on function parley.validate_metadata(jsonb, text, text) from public;

create or replace function parley.validate_content(content text, max_length bigint)
returns void
language plpgsql
immutable
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if content is null or content !~ '\S' then
        raise exception using errcode = 'PT400', message = 'content must not be empty.';
    end if;
    if char_length(content) > max_length then
        raise exception using
            errcode = 'PT400',
            message = format('content may have at most %s characters.', max_length),
            detail = format('It has %s.', char_length(content));
    end if;
    -- text is shown as it is, also by terminals; a tab and the ends of lines are text
    if content ~ '[\u0001-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]' then
        raise exception using errcode = 'PT400', message = 'content may not have control characters.';
    end if;
end;
$$;
comment on function parley.validate_content(text, bigint) is 'Fails with PT400 if the text is empty, longer than the limit (null: no limit) or has control characters.';
revoke all on function parley.validate_content(text, bigint) from public;

create or replace function parley.check_message_body(
    message_type parley.message_type,
    content text,
    metadata jsonb,
    attachment_count bigint,
    max_length bigint
)
returns void
language plpgsql
immutable
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if message_type.name = 'encrypted' then
        -- opaque to the server, which therefore has nothing to check, to search or to show
        if content is not null then
            raise exception using
                errcode = 'PT400',
                message = 'An encrypted message has no content.',
                hint = 'Put what was encrypted into metadata.envelope.';
        end if;
        if coalesce(jsonb_typeof(metadata -> 'envelope'), 'null') not in ('string', 'object')
            or metadata -> 'envelope' in ('""', '{}')
        then
            raise exception using
                errcode = 'PT400',
                message = 'An encrypted message needs metadata.envelope, a text or an object.';
        end if;
        return;
    end if;
    if content is not null or (message_type.requires_content and attachment_count = 0) then
        perform parley.validate_content(content, max_length);
    elsif metadata is null and attachment_count = 0 then
        raise exception using errcode = 'PT400', message = 'A message needs content, metadata or an attachment.';
    end if;
    if message_type.name = 'location' and not (
        jsonb_typeof(metadata -> 'latitude') is not distinct from 'number'
        and jsonb_typeof(metadata -> 'longitude') is not distinct from 'number'
        and (metadata ->> 'latitude')::numeric between -90 and 90
        and (metadata ->> 'longitude')::numeric between -180 and 180
    ) then
        raise exception using
            errcode = 'PT400',
            message = 'A location needs metadata.latitude (-90 to 90) and metadata.longitude (-180 to 180).';
    end if;
end;
$$;
comment on function parley.check_message_body(parley.message_type, text, jsonb, bigint, bigint) is
'Fails with PT400 if what a message says does not fit its type.';
revoke all on function parley.check_message_body(parley.message_type, text, jsonb, bigint, bigint) from public;

create or replace function parley.check_mentions(
    conversation_id uuid, mentions uuid[], mentions_all boolean, sender_role text
)
returns void
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if cardinality(check_mentions.mentions) > 256 then
        raise exception using errcode = 'PT400', message = 'At most 256 users can be mentioned.';
    end if;
    if array_ndims(check_mentions.mentions) > 1 then
        raise exception using errcode = 'PT400', message = 'mentions must be a list of user ids.';
    end if;
    if exists (
        select from unnest(check_mentions.mentions) as u (id)
        where not exists (
            select from parley.participant as p
            where p.conversation_id = check_mentions.conversation_id
                and p.user_id = u.id
                and p.left_at is null
        )
    ) then
        raise exception using
            errcode = 'PT400',
            message = 'Only participants of the conversation can be mentioned.';
    end if;
    if check_mentions.mentions_all then
        if exists (
            select from parley.conversation_profile as cp
            where cp.conversation_id = check_mentions.conversation_id and cp.type = 'direct'
        ) then
            raise exception using errcode = 'PT400', message = 'In a direct conversation nobody else can be mentioned.';
        end if;
        if check_mentions.sender_role = 'member'
            and parley.setting_value('who_can_mention_all') is distinct from 'everyone'
        then
            raise exception using errcode = 'PT403', message = 'Only admins can mention everybody.';
        end if;
    end if;
end;
$$;
comment on function parley.check_mentions(uuid, uuid[], boolean, text) is
'Fails unless the users mentioned are participants, and the sender may mention everybody if asked to.';
revoke all on function parley.check_mentions(uuid, uuid[], boolean, text) from public;

create or replace function parley.check_message_request(
    conversation_id uuid,
    sender_id uuid,
    content text,
    type text,
    max_length bigint,
    attachment_ids uuid[],
    metadata jsonb,
    expires_in interval,
    server jsonb
)
returns void
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_type parley.message_type;
begin
    select t.* into v_type from parley.message_type as t where t.name = check_message_request.type;
    if not found
        or not (v_type.client_may_send or (check_message_request.server ->> 'type' = v_type.name) is true)
    then
        raise exception using
            errcode = 'PT400',
            message = 'This message type cannot be sent.',
            hint = (
                select format('Types: %s.', string_agg(t.name, ', ' order by t.name))
                from parley.message_type as t
                where t.client_may_send
            );
    end if;
    -- what is passed on was checked when it was written, by the rules for whoever wrote it
    if check_message_request.server -> 'forwards' is null then
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
    end if;
end;
$$;
comment on function parley.check_message_request(
    uuid, uuid, text, text, bigint, uuid[], jsonb, interval, jsonb
) is 'Checks what a message says, where it is more than a plain short text.';
revoke all on function parley.check_message_request(
    uuid, uuid, text, text, bigint, uuid[], jsonb, interval, jsonb
) from public;

create or replace function parley.may_answer(
    conversation_id uuid, sender_id uuid, message_id uuid, history_from_seq bigint
)
returns boolean
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return exists (
        select from parley.message as m
        where m.id = may_answer.message_id
            and m.conversation_id is not distinct from may_answer.conversation_id
            and m.seq >= may_answer.history_from_seq
            and m.id >= parley.message_floor_of(may_answer.sender_id)
            and m.deleted_at is null
            and (m.expires_at is null or m.expires_at > now())
            and not exists (
                select from parley.message_hidden as h
                where h.conversation_id = m.conversation_id
                    and h.user_id = may_answer.sender_id
                    and h.seq = m.seq
            )
    );
end;
$$;
comment on function parley.may_answer(uuid, uuid, uuid, bigint) is
'True if the sender, whose history begins at that seq, sees the message, and it still says something.';
revoke all on function parley.may_answer(uuid, uuid, uuid, bigint) from public;

create or replace function parley.check_reply(
    conversation_id uuid, sender_id uuid, reply_to_id uuid, history_from_seq bigint
)
returns void
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if not parley.may_answer(conversation_id, sender_id, reply_to_id, history_from_seq) then
        raise exception using
            errcode = 'PT404',
            message = 'The message to reply to does not exist in this conversation.';
    end if;
end;
$$;
comment on function parley.check_reply(uuid, uuid, uuid, bigint) is
'Fails with PT404 unless the sender may answer the message.';
revoke all on function parley.check_reply(uuid, uuid, uuid, bigint) from public;

create or replace function parley.present_of(conversation_id uuid, user_ids uuid[])
returns uuid[]
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return array(
        select u.id
        from unnest(present_of.user_ids) with ordinality as u (id, n)
        inner join parley.participant as p on u.id = p.user_id
        where p.conversation_id = present_of.conversation_id and p.left_at is null
        order by u.n
    );
end;
$$;
comment on function parley.present_of(uuid, uuid[]) is 'Those of the users who are in the conversation, in the same order.';
revoke all on function parley.present_of(uuid, uuid[]) from public;

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
language plpgsql
volatile
security definer
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
comment on function parley.send_message(
    uuid, text, text, uuid, uuid, uuid[], uuid[], jsonb, interval, boolean, jsonb
) is
'Sends a message as the caller and returns it. The same client_message_id again returns the first message; with other content PT409. server is for functions of this schema only: {type} allows a type users may not send, {forwards, forward_count, request_hash} says what is passed on, {scheduled} leaves out mentions and a quote that are no longer possible.';
revoke all on function parley.send_message(
    uuid, text, text, uuid, uuid, uuid[], uuid[], jsonb, interval, boolean, jsonb
) from public;
grant execute on function parley.send_message(
    uuid, text, text, uuid, uuid, uuid[], uuid[], jsonb, interval, boolean, jsonb
) to authenticated;

create or replace function parley.unless_expired(message parley.message)
returns parley.message
language plpgsql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_message parley.message := message;
begin
    -- what has expired is shown to nobody, as in the log: as if deleted
    if v_message.expires_at <= now() then
        v_message.content := null;
        v_message.metadata := null;
        v_message.mentions := null;
        v_message.mentions_all := false;
        v_message.deleted_at := coalesce(v_message.deleted_at, v_message.expires_at);
    end if;
    return v_message;
end;
$$;
comment on function parley.unless_expired(parley.message) is
'The message, or, once it has expired, what is left of it: its place, as of one that was deleted.';
revoke all on function parley.unless_expired(parley.message) from public;

create or replace function parley.repeated_message(
    conversation_id uuid, sender_id uuid, client_message_id uuid, request_hash bytea
)
returns jsonb
language plpgsql
stable
security definer
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
            errcode = 'PT409',
            message = 'This message was sent before and has since been purged.';
    end if;
    return parley.message_json(parley.unless_expired(v_message));
end;
$$;
comment on function parley.repeated_message(uuid, uuid, uuid, bytea) is
'The message an earlier send with this client_message_id made, without content if it has expired; PT409 if that send asked for something else.';
revoke all on function parley.repeated_message(uuid, uuid, uuid, bytea) from public;
