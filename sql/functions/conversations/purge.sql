-- A conversation goes with all its rows, when the thing it is about is deleted.

create or replace function parley.purge_conversation(conversation_id uuid, actor_id uuid)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid;
    v_table regclass;
    v_paths text[];
begin
    if parley.is_held(purge_conversation.conversation_id) then
        raise exception using
            errcode = 'PT409',
            message = 'The conversation is held and cannot be deleted.',
            hint = 'See parley.hold; parley.release_hold ends a hold.';
    end if;
    -- Everybody is out, at this position of the log, and their other devices learn that it is gone.
    for v_user_id in
        select p.user_id from parley.participant as p
        where p.conversation_id = purge_conversation.conversation_id and p.left_at is null
        order by p.user_id
    loop
        perform parley.append_event(
            purge_conversation.conversation_id, 'participant:left', purge_conversation.actor_id, null, null, v_user_id,
            null
        );
        perform parley.append_event(
            null, 'conversation:deleted', purge_conversation.actor_id, null, null, v_user_id,
            jsonb_build_object('conversation_id', purge_conversation.conversation_id)
        );
    end loop;
    -- Waits for who is writing a row about it without its lock, and will not wait any more: that row is deleted, too.
    perform from parley.conversation as c where c.id = purge_conversation.conversation_id for update;
    -- the files that nothing else shares are deleted from storage later
    with released as (
        delete from parley.attachment as a
        where a.conversation_id = purge_conversation.conversation_id
        returning a.storage_path, a.state
    )
    select array_agg(r.storage_path) filter (where r.state <> 'removed') into v_paths
    from released as r;
    if v_paths is not null then
        perform parley.unreference_objects(v_paths);
    end if;
    -- Every table whose rows belong to a conversation, whichever there are: no list that could be forgotten. The
    -- logs and what became of notifications stay, without any text, for as long as they are kept.
    for v_table in
        select c.oid::regclass
        from pg_catalog.pg_class as c
        inner join pg_catalog.pg_attribute as a on c.oid = a.attrelid
        where c.relnamespace = 'parley'::regnamespace
            and c.relkind in ('r', 'p')
            and not c.relispartition
            and c.oid <> all (
                '{parley.event, parley.audit_log, parley.push_job, parley.push_focus}'::regclass[]
            )
            and a.attname = 'conversation_id'
            and not a.attisdropped
        order by c.oid
    loop
        if v_table = 'parley.message_request'::regclass then
            -- who has declined is not asked again because the conversation is gone
            update parley.message_request as r
            set purged = true
            where r.conversation_id = purge_conversation.conversation_id and r.status = 'declined';
        end if;
        execute format(
            'delete from %s where conversation_id = $1%s',
            v_table, case when v_table = 'parley.message_request'::regclass then ' and not purged' end
        )
        using purge_conversation.conversation_id;
    end loop;
    delete from parley.conversation as c where c.id = purge_conversation.conversation_id;
end;
$$;
comment on function parley.purge_conversation is
'Deletes a conversation for everybody, with all its rows in every table but what its recipients have declined, unless it is held; its members are told. The caller holds the lock.';

create or replace function parley.delete_conversations_of_context(context_type text, context_id text)
returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_id uuid;
    v_profile parley.conversation_profile;
    v_deleted bigint := 0;
begin
    if delete_conversations_of_context.context_type is null or delete_conversations_of_context.context_id is null then
        raise exception using errcode = 'PT400', message = 'context_type and context_id are required.';
    end if;
    for v_id in
        select x.conversation_id
        from parley.conversation_context as x
        where x.context_type = delete_conversations_of_context.context_type
            and x.context_id = delete_conversations_of_context.context_id
        order by x.conversation_id
    loop
        perform parley.lock_conversation(v_id);
        select cp.* into v_profile from parley.conversation_profile as cp where cp.conversation_id = v_id;
        continue when not found;
        if v_profile.context_type = delete_conversations_of_context.context_type
            and v_profile.context_id = delete_conversations_of_context.context_id
            and not exists (
                select from parley.direct_conversation as d where d.conversation_id = v_id and d.context_type = ''
            )
        then
            perform parley.purge_conversation(v_id, null);
            v_deleted := v_deleted + 1;
        else
            delete from parley.conversation_context as x
            where x.conversation_id = v_id
                and x.context_type = delete_conversations_of_context.context_type
                and x.context_id = delete_conversations_of_context.context_id;
            update parley.conversation_profile as cp
            set context_type = null, context_id = null, updated_at = clock_timestamp()
            where cp.conversation_id = v_id
                and cp.context_type = delete_conversations_of_context.context_type
                and cp.context_id = delete_conversations_of_context.context_id;
            perform parley.append_event(
                v_id, 'conversation:updated', null, null, null, null,
                jsonb_build_object('changed', jsonb_build_array('contexts'))
            );
        end if;
    end loop;
    return v_deleted;
end;
$$;
comment on function parley.delete_conversations_of_context is
'For a thing of the host application that is deleted: its conversations go with it, and the one thread of a pair only forgets it. Returns how many went.';
grant execute on function parley.delete_conversations_of_context to service_role;
