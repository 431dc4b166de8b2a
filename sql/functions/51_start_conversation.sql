-- Starting conversations. A direct conversation exists once per pair (and context): whoever asks second gets the first.

create or replace function parley.shared_tenant(user_ids uuid[], caller_id uuid)
returns uuid
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_tenant_id uuid;
begin
    -- every one of them in it; if there are several, the one the caller manages
    select t.tenant_id into v_tenant_id
    from parley.tenant_member as t
    where t.user_id = any (user_ids)
    group by t.tenant_id
    having count(*) = cardinality(user_ids)
    order by
        bool_or(t.user_id = caller_id and t.role in ('owner', 'manager')) desc nulls last,
        t.tenant_id
    limit 1;
    if v_tenant_id is null and exists (
        select from parley.tenant_member as t where t.user_id = any (user_ids)
    ) then
        raise exception using
            errcode = 'PT403',
            message = 'You cannot start a conversation with these users.',
            hint = 'Members of a tenant can only write to members of the same tenant.';
    end if;
    return v_tenant_id;
end;
$$;
comment on function parley.shared_tenant(uuid[], uuid) is
'The tenant all these users share; null if none of them is in any; PT403 if some are and they share none.';
revoke all on function parley.shared_tenant(uuid[], uuid) from public;

create or replace function parley.require_initiator(user_id uuid, type text, tenant_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if not exists (
        select from parley.tenant_member as t
        where t.tenant_id = require_initiator.tenant_id
            and t.user_id = require_initiator.user_id
            and t.role in ('owner', 'manager')
    ) and not parley.is_entitled(
        require_initiator.user_id,
        case when require_initiator.type = 'direct' then 'can_initiate_direct_messages' else 'can_create_groups' end
    ) then
        raise exception using
            errcode = 'PT403',
            message = 'Your plan does not include starting conversations.',
            hint = 'You can still answer in the conversations you are in.';
    end if;
    perform parley.take_token(require_initiator.user_id, 'new_conversations_per_day');
end;
$$;
comment on function parley.require_initiator(uuid, text, uuid) is
'May the user start a conversation of that type: by tier, or as a manager of the tenant; takes one token of the daily limit.';
revoke all on function parley.require_initiator(uuid, text, uuid) from public;

create or replace function parley.check_start_request(
    others uuid[], type text, title text, context_type text, context_id text, app_roles jsonb, by_host boolean
)
returns void
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if type is null or type not in ('direct', 'group', 'project', 'support', 'announcement') then
        raise exception using
            errcode = 'PT400',
            message = 'type must be direct, group, project, support or announcement.';
    end if;
    if type = 'direct' and cardinality(others) <> 1 + by_host::integer then
        raise exception using
            errcode = 'PT400',
            message = 'A direct conversation has exactly two participants: you and one other user.';
    end if;
    if cardinality(others) < 1 then
        raise exception using errcode = 'PT400', message = 'participant_ids must name at least one other user.';
    end if;
    if char_length(title) not between 1 and 255 then
        raise exception using errcode = 'PT400', message = 'title must have 1 to 255 characters.';
    end if;
    if (context_type is null) <> (context_id is null) then
        raise exception using errcode = 'PT400', message = 'context_type and context_id belong together.';
    end if;
    if context_type !~ '^[a-z][a-z0-9_]{0,62}$' then
        raise exception using
            errcode = 'PT400',
            message = 'context_type must be a lower-case word of at most 63 letters, digits and underscores.';
    end if;
    if char_length(context_id) not between 1 and 255 then
        raise exception using errcode = 'PT400', message = 'context_id must have 1 to 255 characters.';
    end if;
    perform parley.check_app_roles(app_roles, by_host);
end;
$$;
comment on function parley.check_start_request(uuid[], text, text, text, text, jsonb, boolean) is
'Fails with PT400 on arguments of start_conversation that make no sense.';
revoke all on function parley.check_start_request(uuid[], text, text, text, text, jsonb, boolean) from public;

create or replace function parley.check_app_roles(app_roles jsonb, by_host boolean)
returns void
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_open constant text[] := string_to_array(coalesce(parley.setting_value('client_app_roles'), ''), ',');
begin
    if app_roles is null then
        return;
    end if;
    if jsonb_typeof(app_roles) <> 'object' then
        raise exception using errcode = 'PT400', message = 'app_roles must be a JSON object of user id and role.';
    end if;
    if exists (
        select from jsonb_each(app_roles) as r
        where jsonb_typeof(r.value) <> 'string' or (r.value #>> '{}') !~ '^[a-z][a-z0-9_]{0,62}$'
    ) then
        raise exception using
            errcode = 'PT400',
            message = 'An application role must be a lower-case word of at most 63 letters, digits and underscores.';
    end if;
    -- the role is shown beside every message, so a client must not call itself what others take for authority
    if not by_host and exists (
        select from jsonb_each_text(app_roles) as r
        where not r.value = any (v_open)
    ) then
        raise exception using
            errcode = 'PT403',
            message = 'Only the application gives this role.',
            hint = format('Users may give: %s. The setting client_app_roles says so.', array_to_string(v_open, ', '));
    end if;
end;
$$;
comment on function parley.check_app_roles(jsonb, boolean) is
'Fails with PT400 unless it is null or an object of words, with PT403 if a user gives a role that only the host may give.';
revoke all on function parley.check_app_roles(jsonb, boolean) from public;

create or replace function parley.clean_user_ids(user_ids uuid[], without uuid)
returns uuid[]
language plpgsql
immutable
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if user_ids is null or array_ndims(user_ids) > 1 or array_position(user_ids, null) is not null then
        raise exception using errcode = 'PT400', message = 'participant_ids must be a list of user ids.';
    end if;
    if cardinality(user_ids) > 10000 then
        raise exception using errcode = 'PT413', message = 'participant_ids has too many users.';
    end if;
    return array(
        select distinct u.id from unnest(user_ids) as u (id) where u.id is distinct from without order by u.id
    );
end;
$$;
comment on function parley.clean_user_ids(uuid[], uuid) is 'The users once each, sorted, without that one; PT400 if there is a null among them.';
revoke all on function parley.clean_user_ids(uuid[], uuid) from public;

create or replace function parley.start_conversation(
    participant_ids uuid[],
    type text default 'direct',
    title text default null,
    context_type text default null,
    context_id text default null,
    app_roles jsonb default null,
    message text default null,
    client_message_id uuid default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_by_host boolean := parley.is_host();
    v_user_id uuid := case when not v_by_host then parley.provision_caller() end;
    v_others uuid[] := parley.clean_user_ids(start_conversation.participant_ids, v_user_id);
    v_all uuid[] := case when v_by_host then v_others else v_others || v_user_id end;
    v_by_context boolean := parley.setting_value('direct_threading') is distinct from 'pair';
    v_pair parley.direct_conversation;
    v_tenant_id uuid;
    v_id uuid := parley.uuid_v7();
    v_created boolean := true;
    v_message jsonb;
begin
    perform parley.check_start_request(
        v_others, start_conversation.type, start_conversation.title, start_conversation.context_type,
        start_conversation.context_id, start_conversation.app_roles, v_by_host
    );
    if v_by_host and start_conversation.message is not null then
        raise exception using
            errcode = 'PT400',
            message = 'A first message needs a user who sends it.',
            hint = 'Use send_system_message.';
    end if;

    if start_conversation.type = 'direct' then
        v_pair.user_low := least(v_all[1], v_all[2]);
        v_pair.user_high := greatest(v_all[1], v_all[2]);
        v_pair.context_type := case when v_by_context then coalesce(start_conversation.context_type, '') else '' end;
        v_pair.context_id := case when v_by_context then coalesce(start_conversation.context_id, '') else '' end;
        select d.conversation_id into v_pair.conversation_id
        from parley.direct_conversation as d
        where d.user_low = v_pair.user_low
            and d.user_high = v_pair.user_high
            and d.context_type = v_pair.context_type
            and d.context_id = v_pair.context_id;
    end if;

    if v_pair.conversation_id is null then
        v_tenant_id := parley.shared_tenant(v_all, v_user_id);
        if cardinality(v_all) > parley.limit_of(v_user_id, 'max_group_size') then
            raise exception using
                errcode = 'PT400',
                message = format(
                    'A conversation may have at most %s participants.', parley.limit_of(v_user_id, 'max_group_size')
                );
        end if;
        if not v_by_host then
            perform parley.require_initiator(v_user_id, start_conversation.type, v_tenant_id);
        end if;
        -- after that, so that who may not start anything does not learn which users exist
        perform parley.require_accounts(v_others);
        if start_conversation.type = 'direct' then
            -- of two racing calls one claims the pair; the other waits here and then takes what that one made
            insert into parley.direct_conversation (user_low, user_high, context_type, context_id, conversation_id)
            values (v_pair.user_low, v_pair.user_high, v_pair.context_type, v_pair.context_id, v_id)
            on conflict (user_low, user_high, context_type, context_id) do nothing;
            if not found then
                select d.conversation_id into strict v_pair.conversation_id
                from parley.direct_conversation as d
                where d.user_low = v_pair.user_low
                    and d.user_high = v_pair.user_high
                    and d.context_type = v_pair.context_type
                    and d.context_id = v_pair.context_id;
            end if;
        end if;
    end if;

    if v_pair.conversation_id is not null then
        v_id := v_pair.conversation_id;
        v_created := false;
    else
        perform parley.create_conversation(
            v_id, v_all, v_user_id, start_conversation.type, start_conversation.title,
            start_conversation.context_type, start_conversation.context_id, start_conversation.app_roles, v_tenant_id
        );
    end if;

    if start_conversation.message is not null then
        v_message := parley.send_message(
            conversation_id => v_id,
            content => start_conversation.message,
            client_message_id => start_conversation.client_message_id
        );
    end if;
    return parley.conversation_json(v_id, v_user_id)
        || jsonb_build_object('message', v_message, 'created', v_created);
end;
$$;
comment on function parley.start_conversation(uuid[], text, text, text, text, jsonb, text, uuid) is
'Starts a conversation with the caller in it and returns it, with its first message if one was given. A direct one that exists is returned.';
revoke all on function parley.start_conversation(uuid[], text, text, text, text, jsonb, text, uuid) from public;
grant execute on function parley.start_conversation(uuid[], text, text, text, text, jsonb, text, uuid)
to authenticated, service_role;

create or replace function parley.create_conversation(
    conversation_id uuid,
    user_ids uuid[],
    created_by uuid,
    type text,
    title text,
    context_type text,
    context_id text,
    app_roles jsonb,
    tenant_id uuid
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_member record;
begin
    insert into parley.conversation (id, restricted)
    values (create_conversation.conversation_id, create_conversation.type = 'announcement');
    insert into parley.conversation_profile (
        conversation_id, type, title, who_can_send, who_can_add, context_type, context_id, created_by, tenant_id
    )
    values (
        create_conversation.conversation_id,
        create_conversation.type,
        create_conversation.title,
        case when create_conversation.type = 'announcement' then 'admins_only' else 'everyone' end,
        case when create_conversation.type = 'announcement' then 'admins_only' else 'everyone' end,
        create_conversation.context_type,
        create_conversation.context_id,
        create_conversation.created_by,
        create_conversation.tenant_id
    );
    -- Joins first: whoever follows the log knows the members before the first thing they are told.
    for v_member in
        insert into parley.participant (conversation_id, user_id, role, app_role, added_by)
        select
            create_conversation.conversation_id,
            u.id,
            case
                when create_conversation.type <> 'direct' and u.id = create_conversation.created_by then 'owner'
                else 'member'
            end,
            create_conversation.app_roles ->> u.id::text,
            nullif(create_conversation.created_by, u.id)
        from unnest(user_ids) as u (id)
        returning user_id
    loop
        perform parley.append_event(
            create_conversation.conversation_id, 'participant:joined', create_conversation.created_by,
            null, null, v_member.user_id, jsonb_build_object('history_from_seq', 1)
        );
    end loop;
    perform parley.append_event(
        create_conversation.conversation_id, 'conversation:new', create_conversation.created_by,
        null, null, null, null
    );
end;
$$;
comment on function parley.create_conversation(uuid, uuid[], uuid, text, text, text, text, jsonb, uuid) is
'Makes the rows of a new conversation and its events: every member joins, then the conversation is announced.';
revoke all on function parley.create_conversation(uuid, uuid[], uuid, text, text, text, text, jsonb, uuid) from public;
