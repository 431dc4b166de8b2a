-- What becomes of the messages of an erased user, and of what the server wrote about them.

create or replace function parley.names_user(metadata jsonb, user_id uuid)
returns boolean
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(metadata ->> 'actor_id' = user_id::text or metadata -> 'user_ids' ? user_id::text, false)
$$;
comment on function parley.names_user is 'True: by its metadata a notice is about this user.';

create or replace function parley.bare_notice(metadata jsonb)
returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
    select case
        -- an application may have used these words for something of its own
        when metadata ? 'user_ids'
            and (metadata -> 'user_ids')::text !~ E'^\\[("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"(, )?)+\\]$'
            then null
        else case metadata ->> 'event'
            when 'participant_left' then '{users} left.'
            when 'participant_removed' then
                case when metadata ? 'actor_id' then '{actor} removed {users}.' else '{users} left.' end
            when 'participants_added' then '{actor} added {users}.'
            when 'role_changed' then
                '{users} is now '
                || case metadata ->> 'role' when 'owner' then 'an owner' when 'admin' then 'an admin' else 'a member' end
                || '.'
            when 'conversation_updated' then
                case when metadata ->> 'field' ~ '^[a-z_]+$' then '{actor} changed the ' || (metadata ->> 'field') || '.' end
        end
    end
$$;
comment on function parley.bare_notice is
'The sentence of a notice that was written with names in it, before 0.3.0, or with what an erased user made the title. Null: there is none of that in its text.';

create or replace function parley.erase_text(message parley.message, user_id uuid, name text, content text)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_content text := message.content;
    v_metadata jsonb := message.metadata;
    v_notice text;
begin
    if message.deleted_at is not null or message.sender_id = erase_text.user_id then
        -- what it said before; of what the server said whatever names the user
        delete from parley.message_revision as r
        where r.conversation_id = message.conversation_id
            and r.message_id = message.id
            and (
                message.sender_id = erase_text.user_id
                or message.sender_id is null
                and (
                    parley.names_user(r.metadata, erase_text.user_id)
                    or char_length(erase_text.name) >= 3 and strpos(r.content, erase_text.name) > 0
                )
            );
    end if;
    if message.deleted_at is not null then
        return false;
    end if;
    if message.sender_id = erase_text.user_id then
        -- where there is no text, metadata or files are what it says; of a poll others have taken part
        if erase_text.content = 'remove' or message.content is null then
            perform parley.expire_message(message, 'erased');
            return true;
        end if;
        v_metadata := null;
    elsif message.sender_id is null then
        if parley.names_user(v_metadata, erase_text.user_id)
            and (v_content is not null or v_metadata ? 'title' and v_metadata ->> 'actor_id' = erase_text.user_id::text)
        then
            v_notice := parley.bare_notice(v_metadata);
            if v_notice is not null then
                v_content := null;
                v_metadata := v_metadata - 'title' || jsonb_build_object('notice', v_notice);
            end if;
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
    if message.sender_id is null then
        perform parley.append_event(
            message.conversation_id, 'message:updated', null, message.id, message.seq, null, null
        );
    end if;
    return true;
end;
$$;
comment on function parley.erase_text is
'Takes a user out of a message: what they said (by erased_content), its metadata, and their name in what the application wrote, as in notices of before 0.3.0; others keep no names. True: it was changed. The caller holds the conversation''s lock.';

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
