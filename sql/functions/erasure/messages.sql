-- What becomes of the messages of an erased user, and of notices that name them.

create or replace function parley.notice_text(metadata jsonb)
returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_actor constant text := parley.actor_name((metadata ->> 'actor_id')::uuid);
    v_names constant text := (
        select string_agg(parley.display_name_of(u.id::uuid), ', ' order by u.n)
        from jsonb_array_elements_text(
            case when jsonb_typeof(metadata -> 'user_ids') = 'array' then metadata -> 'user_ids' else '[]' end
        ) with ordinality as u (id, n)
    );
begin
    return case metadata ->> 'event'
        when 'participant_left' then format('%s left.', coalesce(v_names, v_actor))
        when 'participant_removed' then
            case
                when metadata ? 'actor_id' then format('%s removed %s.', v_actor, v_names)
                else format('%s left.', v_names)
            end
        when 'participants_added' then format('%s added %s.', v_actor, v_names)
        when 'role_changed' then
            format(
                '%s is now %s.',
                v_names,
                case metadata ->> 'role' when 'owner' then 'an owner' when 'admin' then 'an admin' else 'a member' end
            )
        when 'conversation_updated' then format('%s changed the %s.', v_actor, metadata ->> 'field')
    end;
end;
$$;
comment on function parley.notice_text is
'What a notice says, made anew from the ids in its metadata: an erased user has no name in it. Null: its text holds no names.';

create or replace function parley.erase_text(message parley.message, user_id uuid, name text, content text)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_content text := message.content;
    v_metadata jsonb := message.metadata;
begin
    if message.deleted_at is not null then
        -- what it said before it was deleted
        if message.sender_id = erase_text.user_id then
            delete from parley.message_revision as r
            where r.conversation_id = message.conversation_id and r.message_id = message.id;
        end if;
        return false;
    end if;
    if message.sender_id = erase_text.user_id then
        delete from parley.message_revision as r
        where r.conversation_id = message.conversation_id and r.message_id = message.id;
        -- where there is no text, metadata or files are what it says; of a poll others have taken part
        if erase_text.content = 'remove' or message.content is null then
            perform parley.expire_message(message, 'erased');
            return true;
        end if;
        v_metadata := null;
    elsif message.sender_id is null then
        if message.metadata ->> 'actor_id' = erase_text.user_id::text
            or message.metadata -> 'user_ids' ? erase_text.user_id::text
        then
            v_content := coalesce(parley.notice_text(message.metadata), v_content);
        end if;
        -- what the application wrote; a shorter name may be a word
        if char_length(erase_text.name) >= 3 then
            v_content := replace(v_content, erase_text.name, '[Deleted User]');
        end if;
    end if;
    if (v_content, v_metadata) is not distinct from (message.content, message.metadata) then
        return false;
    end if;
    update parley.message as m
    set content = v_content, metadata = v_metadata
    where m.id = message.id and m.conversation_id is not distinct from message.conversation_id;
    if v_content is distinct from message.content then
        perform parley.append_event(
            message.conversation_id, 'message:updated', null, message.id, message.seq, null, null
        );
    end if;
    return true;
end;
$$;
comment on function parley.erase_text is
'Takes a user out of a message: what they said (by erased_content), its metadata, and their name in what the server wrote. True: it was changed. The caller holds the conversation''s lock.';

create or replace function parley.erase_messages(
    conversation_id uuid, user_id uuid, name text, content text, after_seq bigint, batch integer
)
returns table (last_seq bigint, changed bigint)
language plpgsql volatile security definer
rows 1
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_message parley.message;
    v_seqs bigint[] := '{}';
begin
    changed := 0;
    for v_message in
        select m.*
        from parley.message as m
        where m.conversation_id = erase_messages.conversation_id and m.seq > erase_messages.after_seq
        order by m.seq
        limit erase_messages.batch
    loop
        last_seq := v_message.seq;
        if parley.erase_text(v_message, erase_messages.user_id, erase_messages.name, erase_messages.content) then
            changed := changed + 1;
            v_seqs := v_seqs || v_message.seq;
        end if;
    end loop;
    -- at once, not behind the log: no word of it is left when this commits
    perform parley.index_block(erase_messages.conversation_id, b.block, parley.search_language())
    from (select distinct (s.seq - 1) / 32 as block from unnest(v_seqs) as s (seq) order by 1) as b;
    if last_seq is not null then
        return next;
    end if;
end;
$$;
comment on function parley.erase_messages is
'Takes a user out of the next messages of a conversation, and the words out of the search index. No row: there are no more.';
