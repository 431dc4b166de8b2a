-- Messages by the server: member changes, and whatever the host application wants to say inside its own transactions.

create or replace function parley.post_system_message(
    conversation_id uuid, actor_id uuid, notice text, metadata jsonb
)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return parley.write_message(
        null, conversation_id, null, 'system',
        metadata => jsonb_strip_nulls(
            metadata
            || jsonb_build_object('notice', post_system_message.notice, 'actor_id', post_system_message.actor_id)
        ),
        from_server => true,
        actor_id => post_system_message.actor_id,
        is_notice => parley.setting_value('notices_count') is distinct from 'true'
    );
end;
$$;
comment on function parley.post_system_message is
'Writes a notice about a change, which counts as unread only by the setting notices_count, and which the actor need not read. The sentence has {actor}, {users} and {title} where parley.notice_text puts the actor''s name, those of the user_ids and the title of the metadata: nothing that people have written stands in the sentence itself.';

create or replace function parley.send_system_message(
    conversation_id uuid, content text, metadata jsonb default null, skip_if_gone boolean default false
)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_metadata jsonb;
begin
    if conversation_id is null then
        raise exception using errcode = 'PT400', message = 'conversation_id is required.';
    end if;
    perform parley.validate_content(content, 5000);
    if metadata ? 'actor_id' then
        raise exception using errcode = 'PT400', message = 'metadata may not contain actor_id.';
    end if;
    v_metadata := parley.validate_metadata(metadata);
    if not coalesce(skip_if_gone, false) then
        return parley.write_message(
            null, conversation_id, content, 'system', metadata => v_metadata, from_server => true
        );
    end if;
    if not exists (select from parley.conversation as c where c.id = conversation_id) then
        return null;
    end if;
    begin
        return parley.write_message(
            null, conversation_id, content, 'system', metadata => v_metadata, from_server => true
        );
    exception
        -- deleted while this waited for it
        when sqlstate 'PT404' then
            return null;
    end;
end;
$$;
comment on function parley.send_system_message is
'Writes a system message; for the service role and the host''s own SQL, inside whatever transaction they are in. Returns the message. skip_if_gone: a conversation that does not exist any more is no error, so that it never stops a transaction of the host; then nothing is said and null returned.';
grant execute on function parley.send_system_message to service_role;
