-- What a conversation is about in the host application. A conversation belongs to the context it was started with and
-- goes with it; the one thread of a pair serves many contexts and outlives them.

create or replace function parley.add_context(conversation_id uuid, context_type text, context_id text, actor_id uuid)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if exists (
        select from parley.conversation_context as x
        where x.conversation_id = add_context.conversation_id
            and x.context_type = add_context.context_type
            and x.context_id = add_context.context_id
    ) then
        return;
    end if;
    if add_context.actor_id is not null then
        -- where there is a conversation for each context, this would be one more; before the lock, as everywhere
        perform parley.take_tier_token(add_context.actor_id, 'new_conversations_per_day');
    end if;
    perform parley.lock_conversation(add_context.conversation_id);
    insert into parley.conversation_context (conversation_id, context_type, context_id, added_by)
    values (add_context.conversation_id, add_context.context_type, add_context.context_id, add_context.actor_id)
    on conflict (conversation_id, context_type, context_id) do nothing;
    if found then
        perform parley.append_event(
            add_context.conversation_id, 'conversation:updated', add_context.actor_id, null, null, null,
            jsonb_build_object(
                'changed', jsonb_build_array('contexts'),
                'context_type', add_context.context_type,
                'context_id', add_context.context_id
            )
        );
    end if;
end;
$$;
comment on function parley.add_context is
'Adds a context to a conversation that has others, once; for a user it counts as a new conversation of the daily limit.';
