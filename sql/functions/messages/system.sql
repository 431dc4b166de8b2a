-- Messages by the server: member changes, and whatever the host application wants to say inside its own transactions.

create or replace function parley.post_system_message(
    conversation_id uuid, content text, metadata jsonb, actor_id uuid
)
returns parley.message
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_conversation parley.conversation;
    v_message parley.message;
begin
    update parley.conversation as c
    set
        last_seq = c.last_seq + 1,
        last_activity_at = greatest(c.last_activity_at, clock_timestamp())
    where c.id = post_system_message.conversation_id
    returning c.* into v_conversation;
    if not found then
        raise exception using errcode = 'PT404', message = 'The conversation does not exist.';
    end if;
    insert into parley.message as m (id, conversation_id, seq, created_at, type, content, metadata)
    values (
        parley.uuid_v7(), v_conversation.id, v_conversation.last_seq, v_conversation.last_activity_at,
        'system', post_system_message.content, post_system_message.metadata
    )
    returning m.* into v_message;
    -- whoever caused it need not read it
    update parley.participant as p
    set
        last_read_seq = case
            when p.last_read_seq = v_message.seq - 1 then v_message.seq else p.last_read_seq
        end,
        last_delivered_seq = case
            when p.last_read_seq = v_message.seq - 1 then v_message.seq else p.last_delivered_seq
        end,
        own_unread = case when p.last_read_seq = v_message.seq - 1 then 0 else p.own_unread + 1 end
    where p.conversation_id = v_conversation.id
        and p.user_id = post_system_message.actor_id
        and p.left_at is null;
    perform parley.append_event(
        v_conversation.id, 'message:new', post_system_message.actor_id, v_message.id, v_message.seq, null, null
    );
    return v_message;
end;
$$;
comment on function parley.post_system_message is
'Writes a message without a sender. With an actor, who need not read it, metadata carries actor_id.';

create or replace function parley.send_system_message(
    conversation_id uuid, content text, metadata jsonb default null
)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if conversation_id is null then
        raise exception using errcode = 'PT400', message = 'conversation_id is required.';
    end if;
    perform parley.validate_content(content, 5000);
    if metadata ? 'actor_id' then
        raise exception using errcode = 'PT400', message = 'metadata may not contain actor_id.';
    end if;
    return parley.message_json(
        parley.post_system_message(conversation_id, content, parley.validate_metadata(metadata), null), '[]'
    );
end;
$$;
comment on function parley.send_system_message is
'Writes a system message; for the service role and the host''s own SQL, inside whatever transaction they are in. Returns the message.';
grant execute on function parley.send_system_message to service_role;
