-- Passing messages on. The order of the locks is that of sending, after a lock of its own for the user and the message,
-- which makes forwards of one message by one user wait for each other: so the limit cannot be passed by, and a retry
-- that races with the first call finds what that made. Conversations are taken in the order of their ids; that of the
-- source is never waited for.

create or replace function parley.not_yet_sent(conversation_ids uuid[], sender_id uuid, client_message_id uuid)
returns uuid[]
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return array(
        select u.id
        from unnest(not_yet_sent.conversation_ids) with ordinality as u (id, n)
        where not exists (
            select from parley.message_key as k
            where k.conversation_id = u.id
                and k.sender_id = not_yet_sent.sender_id
                and k.client_message_id = not_yet_sent.client_message_id
        )
        order by u.n
    );
end;
$$;
comment on function parley.not_yet_sent is
'Those of the conversations to which the sender has sent nothing with this client_message_id (null: all of them).';

create or replace function parley.forward_message(
    message_id uuid, conversation_ids uuid[], client_message_id uuid default null
)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.provision_caller();
    v_ids uuid[];
    -- of what was asked, not of the text, which may be edited before a retry
    v_hash bytea := sha256(convert_to(row('forward', forward_message.message_id)::text, 'UTF8'));
    v_new_ids uuid[];
    v_id uuid;
    v_message parley.message;
    v_attachment_ids uuid[];
    v_max bigint := parley.limit_of(v_user_id, 'max_forwards');
    v_count bigint;
    v_messages jsonb := '{}';
begin
    if forward_message.message_id is null then
        raise exception using errcode = 'PT400', message = 'message_id is required.';
    end if;
    v_ids := array(
        select distinct u.id from unnest(forward_message.conversation_ids) as u (id) order by u.id
    );
    if cardinality(v_ids) not between 1 and 20
        or array_position(v_ids, null) is not null
    then
        raise exception using errcode = 'PT400', message = 'conversation_ids must name 1 to 20 conversations.';
    end if;

    v_new_ids := parley.not_yet_sent(v_ids, v_user_id, forward_message.client_message_id);
    if cardinality(v_new_ids) > 0 then
        perform pg_advisory_xact_lock(
            hashtextextended(format('parley:forward:%s:%s', v_user_id, forward_message.message_id), 0)
        );
        -- again, now that no other forward of it by this user is under way
        v_new_ids := parley.not_yet_sent(v_ids, v_user_id, forward_message.client_message_id);
    end if;

    if cardinality(v_new_ids) > 0 then
        v_message := parley.require_message(forward_message.message_id, v_user_id);
        perform parley.require_readable(v_message);
        if v_message.type in ('system', 'poll', 'encrypted') then
            raise exception using
                errcode = 'PT400',
                message = format('A message of type %s cannot be forwarded.', v_message.type);
        end if;
        v_count := coalesce(
            (
                select f.forward_count
                from parley.message_forward as f
                where f.conversation_id = v_message.conversation_id
                    and f.message_id = v_message.id
                    and f.user_id = v_user_id
            ),
            0
        );
        if v_count + cardinality(v_new_ids) > v_max then
            raise exception using
                errcode = 'PT403',
                message = format('A message can be forwarded %s times.', v_max),
                detail = format('It was forwarded %s times before.', v_count);
        end if;
        if v_message.has_attachments then
            select array_agg(a.id order by a.position) into v_attachment_ids
            from parley.attachment as a
            where a.message_id = v_message.id
                and a.conversation_id = v_message.conversation_id
                and a.state = 'attached';
            if exists (
                select from parley.attachment as a
                where a.message_id = v_message.id
                    and a.conversation_id = v_message.conversation_id
                    and a.scan_state = 'infected'
            ) then
                raise exception using
                    errcode = 'PT403',
                    message = 'An attachment was found to be harmful and cannot be sent.';
            end if;
        end if;
    end if;

    foreach v_id in array v_ids loop
        if v_id = any (v_new_ids) then
            v_messages := v_messages || jsonb_build_object(
                v_id,
                parley.write_message(
                    v_user_id, v_id, v_message.content, v_message.type,
                    client_message_id => forward_message.client_message_id,
                    attachment_ids => v_attachment_ids,
                    forwards_id => v_message.id,
                    forward_count => coalesce(v_message.forward_count, 0) + 1,
                    request_hash => v_hash
                )
            );
        else
            -- as when sending: who is out by now learns nothing of what became of the copy
            perform parley.require_participant(v_id, v_user_id);
            v_messages := v_messages || jsonb_build_object(
                v_id, parley.repeated_message(v_id, v_user_id, forward_message.client_message_id, v_hash)
            );
        end if;
    end loop;
    if cardinality(v_new_ids) > 0 then
        -- Last, and without waiting: a conversation that is being deleted needs no count any more, and its deletion waits
        -- for those who still write one.
        perform from parley.conversation as c where c.id = v_message.conversation_id for key share skip locked;
        if found then
            insert into parley.message_forward as f (conversation_id, message_id, user_id, forward_count)
            values (v_message.conversation_id, v_message.id, v_user_id, cardinality(v_new_ids))
            on conflict (conversation_id, message_id, user_id) do update
            set forward_count = f.forward_count + excluded.forward_count;
        end if;
    end if;
    return jsonb_build_object(
        'messages', (
            select jsonb_agg(v_messages -> u.id::text order by u.n)
            from (
                select i.id, min(i.n) as n
                from unnest(forward_message.conversation_ids) with ordinality as i (id, n)
                group by i.id
            ) as u
        )
    );
end;
$$;
comment on function parley.forward_message is
'Sends a copy of a message the caller may see to other conversations of the caller: all or none. Returns the copies in the order asked for. The same client_message_id again returns the same copies.';
grant execute on function parley.forward_message to authenticated;
