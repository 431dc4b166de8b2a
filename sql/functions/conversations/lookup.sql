-- The conversation there is: of a pair, about a context, or of an earlier call of the same start.

create or replace function parley.find_direct(pair parley.direct_conversation)
returns uuid
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select d.conversation_id
        from parley.direct_conversation as d
        where d.user_low = pair.user_low
            and d.user_high = pair.user_high
            and d.context_type = pair.context_type
            and d.context_id = pair.context_id
    );
end;
$$;
comment on function parley.find_direct is
'The direct conversation of this pair, and context where the deployment threads by context. Null: there is none yet.';

create or replace function parley.find_by_context(type text, context_type text, context_id text)
returns uuid
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return (
        select x.conversation_id
        from parley.context_conversation as x
        where x.type = find_by_context.type
            and x.context_type = find_by_context.context_type
            and x.context_id = find_by_context.context_id
    );
end;
$$;
comment on function parley.find_by_context is
'The one conversation of that type about a context. Null: there is none yet.';

create or replace function parley.is_unique_by_context(
    type text, context_type text, unique_context boolean, by_host boolean
)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if unique_context is null then
        return type <> 'direct' and context_type is not null
        and coalesce(type = any (string_to_array(parley.setting_value('unique_context_types'), ',')), false);
    end if;
    -- the first one owns it, so a user may not make it the only one where the deployment did not mean that
    if not by_host then
        raise exception using
            errcode = 'PT403',
            message = 'Only the application may make a conversation the only one of a context.',
            hint = 'The setting unique_context_types does it for everybody.';
    end if;
    if unique_context and (type = 'direct' or context_type is null) then
        raise exception using
            errcode = 'PT400',
            message = 'unique_context is for conversations that have a context and are not direct.',
            hint = 'Direct conversations follow the setting direct_threading.';
    end if;
    return unique_context;
end;
$$;
comment on function parley.is_unique_by_context is
'Is there to be one conversation of this type about its context: by argument of the host, else by the setting unique_context_types.';

create or replace function parley.claim_start(
    creator_id uuid, client_message_id uuid, conversation_id uuid, request_hash bytea
)
returns uuid
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    c_host constant uuid := '00000000-0000-0000-0000-000000000000';
    v_key parley.conversation_key;
begin
    -- a racing repetition waits here for the first one to end
    insert into parley.conversation_key (creator_id, client_message_id, conversation_id, request_hash)
    values (
        coalesce(claim_start.creator_id, c_host), claim_start.client_message_id, claim_start.conversation_id,
        claim_start.request_hash
    )
    on conflict (creator_id, client_message_id) do nothing;
    if found then
        return null;
    end if;
    select k.* into strict v_key
    from parley.conversation_key as k
    where k.creator_id = coalesce(claim_start.creator_id, c_host)
        and k.client_message_id = claim_start.client_message_id;
    if v_key.request_hash <> claim_start.request_hash then
        raise exception using
            errcode = 'PT409',
            message = 'This client_message_id was already used to start another conversation.',
            hint = 'Use a new uuid for every conversation, and the same one only to repeat a call.';
    end if;
    return v_key.conversation_id;
end;
$$;
comment on function parley.claim_start is
'The conversation that this creator has already made with this client_message_id; null: none, and the id is taken for the new one. PT409 if that was another request.';
