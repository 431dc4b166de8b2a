-- Starting conversations. A direct conversation exists once per pair (and context): whoever asks second gets the first.

create or replace function parley.hold_memberships(user_ids uuid[])
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform from parley.tenant_member as t
    where t.user_id = any (user_ids)
    order by t.tenant_id, t.user_id
    for key share;
end;
$$;
comment on function parley.hold_memberships(uuid[]) is
'Keeps these users in their tenants until the transaction ends: what it lets them into would outlive a membership that ends meanwhile. Waits for one that is ending.';
revoke all on function parley.hold_memberships(uuid[]) from public;

create or replace function parley.shared_tenant(user_ids uuid[], caller_id uuid)
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_tenant_id uuid;
begin
    perform parley.hold_memberships(user_ids);
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

create or replace function parley.require_initiator(user_id uuid, type text, tenant_id uuid, app_role text)
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
    if require_initiator.type = 'direct'
        and parley.setting_value('initiating_app_roles') ~ '\S'
        and not coalesce(
            require_initiator.app_role = any (string_to_array(parley.setting_value('initiating_app_roles'), ',')), false
        )
    then
        raise exception using
            errcode = 'PT403',
            message = 'In this role you cannot start a conversation.',
            hint = format('app_roles must give you one of: %s.', parley.setting_value('initiating_app_roles'));
    end if;
    perform parley.take_token(require_initiator.user_id, 'new_conversations_per_day');
end;
$$;
comment on function parley.require_initiator(uuid, text, uuid, text) is
'May the user start a conversation of that type: by tier, or as a manager of the tenant, and in that role in the application; takes one token of the daily limit.';
revoke all on function parley.require_initiator(uuid, text, uuid, text) from public;

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

create or replace function parley.check_roles(roles jsonb, user_ids uuid[])
returns void
language plpgsql
immutable
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if roles is null then
        return;
    end if;
    if jsonb_typeof(roles) <> 'object' then
        raise exception using errcode = 'PT400', message = 'roles must be a JSON object of user id and role.';
    end if;
    if exists (
        select from jsonb_each(roles) as r where r.value not in ('"owner"', '"admin"', '"member"')
    ) then
        raise exception using errcode = 'PT400', message = 'A role must be owner, admin or member.';
    end if;
    if exists (
        select from jsonb_object_keys(roles) as r (user_id) where r.user_id <> all (user_ids::text[])
    ) then
        raise exception using errcode = 'PT400', message = 'roles may name only those who join.';
    end if;
end;
$$;
comment on function parley.check_roles(jsonb, uuid[]) is
'Fails with PT400 unless it is null or gives some of these users owner, admin or member.';
revoke all on function parley.check_roles(jsonb, uuid[]) from public;

create or replace function parley.find_direct(pair parley.direct_conversation)
returns uuid
language plpgsql
stable
security definer
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
comment on function parley.find_direct(parley.direct_conversation) is
'The direct conversation of this pair, and context where the deployment threads by context. Null: there is none yet.';
revoke all on function parley.find_direct(parley.direct_conversation) from public;

create or replace function parley.find_by_context(type text, context_type text, context_id text)
returns uuid
language plpgsql
stable
security definer
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
comment on function parley.find_by_context(text, text, text) is
'The one conversation of that type about a context. Null: there is none yet.';
revoke all on function parley.find_by_context(text, text, text) from public;

create or replace function parley.claim_start(
    creator_id uuid, client_message_id uuid, conversation_id uuid, request_hash bytea
)
returns uuid
language plpgsql
volatile
security definer
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
comment on function parley.claim_start(uuid, uuid, uuid, bytea) is
'The conversation that this creator has already made with this client_message_id; null: none, and the id is taken for the new one. PT409 if that was another request.';
revoke all on function parley.claim_start(uuid, uuid, uuid, bytea) from public;

create or replace function parley.is_unique_by_context(
    type text, context_type text, unique_context boolean, by_host boolean
)
returns boolean
language plpgsql
stable
security definer
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
            message = 'Only the application decides which conversation is the only one about a context.',
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
comment on function parley.is_unique_by_context(text, text, boolean, boolean) is
'Is there to be one conversation of this type about its context: by argument of the host, else by the setting unique_context_types.';
revoke all on function parley.is_unique_by_context(text, text, boolean, boolean) from public;

create or replace function parley.start_conversation(
    participant_ids uuid[],
    type text default 'direct',
    title text default null,
    context_type text default null,
    context_id text default null,
    app_roles jsonb default null,
    message text default null,
    client_message_id uuid default null,
    description text default null,
    icon_url text default null,
    settings jsonb default null,
    permissions jsonb default null,
    history_visible text default null,
    max_members bigint default null,
    message_ttl_seconds bigint default null,
    roles jsonb default null,
    unique_context boolean default null
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
    v_is_direct boolean := start_conversation.type = 'direct';
    v_unique boolean;
    v_pair parley.direct_conversation;
    v_profile parley.conversation_profile;
    v_new_id uuid := parley.uuid_v7();
    v_id uuid;
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
    if start_conversation.roles is not null and (v_is_direct or not v_by_host) then
        raise exception using
            errcode = case when v_by_host then 'PT400' else 'PT403' end,
            message = 'Roles are given by the application, in conversations that are not direct.',
            hint = 'Who starts a group owns it, and gives roles with set_participant_role.';
    end if;
    perform parley.check_roles(start_conversation.roles, v_all);
    v_unique := parley.is_unique_by_context(
        start_conversation.type, start_conversation.context_type, start_conversation.unique_context, v_by_host
    );
    v_profile := parley.new_profile(v_new_id, start_conversation.type, v_user_id);
    v_profile.context_type := start_conversation.context_type;
    v_profile.context_id := start_conversation.context_id;
    v_profile := parley.changed_profile(
        v_profile, start_conversation.title, start_conversation.description, start_conversation.icon_url,
        start_conversation.settings, null, null, null, start_conversation.permissions,
        start_conversation.message_ttl_seconds, start_conversation.history_visible, start_conversation.max_members
    );

    -- 1. is there one already
    if v_is_direct then
        v_pair.user_low := least(v_all[1], v_all[2]);
        v_pair.user_high := greatest(v_all[1], v_all[2]);
        v_pair.context_type := case when v_by_context then coalesce(start_conversation.context_type, '') else '' end;
        v_pair.context_id := case when v_by_context then coalesce(start_conversation.context_id, '') else '' end;
        v_id := parley.find_direct(v_pair);
    elsif start_conversation.client_message_id is not null then
        v_id := parley.claim_start(
            v_user_id, start_conversation.client_message_id, v_new_id,
            sha256(convert_to(
                row(
                    v_all, start_conversation.app_roles, start_conversation.roles, start_conversation.message, v_unique,
                    v_profile.type, v_profile.title, v_profile.description, v_profile.icon_url, v_profile.settings,
                    v_profile.context_type, v_profile.context_id, v_profile.max_members,
                    v_profile.message_ttl_seconds, v_profile.history_visible, start_conversation.permissions
                )::text,
                'UTF8'
            ))
        );
    end if;
    if v_id is null and v_unique then
        v_id := parley.find_by_context(
            start_conversation.type, start_conversation.context_type, start_conversation.context_id
        );
    end if;

    -- 2. if not: may it be made
    if v_id is null then
        v_profile.tenant_id := parley.shared_tenant(v_all, v_user_id);
        if cardinality(v_all) > parley.member_limit(v_user_id, v_user_id, v_profile.max_members) then
            raise exception using
                errcode = 'PT400',
                message = format(
                    'A conversation may have at most %s participants.',
                    parley.member_limit(v_user_id, v_user_id, v_profile.max_members)
                );
        end if;
        if not v_by_host then
            perform parley.require_initiator(
                v_user_id, start_conversation.type, v_profile.tenant_id,
                start_conversation.app_roles ->> v_user_id::text
            );
        end if;
        -- after that, so that who may not start anything does not learn which users exist
        perform parley.require_accounts(v_others);
        -- of two racing calls one claims the pair or the context; the other waits here and takes what that one made
        if v_is_direct then
            insert into parley.direct_conversation (user_low, user_high, context_type, context_id, conversation_id)
            values (v_pair.user_low, v_pair.user_high, v_pair.context_type, v_pair.context_id, v_new_id)
            on conflict (user_low, user_high, context_type, context_id) do nothing;
            if not found then
                v_id := parley.find_direct(v_pair);
            end if;
        elsif v_unique then
            insert into parley.context_conversation (type, context_type, context_id, conversation_id)
            values (
                start_conversation.type, start_conversation.context_type, start_conversation.context_id, v_new_id
            )
            on conflict (type, context_type, context_id) do nothing;
            if not found then
                v_id := parley.find_by_context(
                    start_conversation.type, start_conversation.context_type, start_conversation.context_id
                );
            end if;
        end if;
    end if;

    -- 3. make it, or take the one there is
    if v_id is null then
        perform parley.create_conversation(
            v_profile, v_all, start_conversation.app_roles, start_conversation.roles
        );
    elsif v_is_direct then
        perform parley.reopen_direct(v_id, v_all, v_user_id);
        if not v_by_context and start_conversation.context_type is not null then
            perform parley.add_context(
                v_id, start_conversation.context_type, start_conversation.context_id, v_user_id
            );
        end if;
    else
        if not v_by_host then
            perform parley.require_participant(v_id, v_user_id);
        end if;
        -- what was claimed for a conversation that is not made after all
        delete from parley.conversation_key as k where k.conversation_id = v_new_id;
    end if;

    if start_conversation.message is not null then
        v_message := parley.send_message(
            conversation_id => coalesce(v_id, v_new_id),
            content => start_conversation.message,
            client_message_id => start_conversation.client_message_id
        );
    end if;
    return parley.conversation_json(coalesce(v_id, v_new_id), v_user_id)
        || jsonb_build_object('message', v_message, 'created', v_id is null);
end;
$$;
comment on function parley.start_conversation(
    uuid[], text, text, text, text, jsonb, text, uuid, text, text, jsonb, jsonb, text, bigint, bigint, jsonb, boolean
) is
'Starts a conversation with the caller in it and returns it, with its first message if one was given. One that exists is returned: the direct one of a pair, the only one about a context, and a group that was started with the same client_message_id.';
revoke all on function parley.start_conversation(
    uuid[], text, text, text, text, jsonb, text, uuid, text, text, jsonb, jsonb, text, bigint, bigint, jsonb, boolean
) from public;
grant execute on function parley.start_conversation(
    uuid[], text, text, text, text, jsonb, text, uuid, text, text, jsonb, jsonb, text, bigint, bigint, jsonb, boolean
) to authenticated, service_role;

create or replace function parley.new_profile(conversation_id uuid, type text, created_by uuid)
returns parley.conversation_profile
language plpgsql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_profile parley.conversation_profile;
begin
    v_profile.conversation_id := conversation_id;
    v_profile.type := type;
    v_profile.status := 'active';
    v_profile.who_can_send := case when type = 'announcement' then 'admins_only' else 'everyone' end;
    -- Two people have no admins: both look after the thread, and neither brings in or takes out anybody, nor takes back
    -- what the other said.
    v_profile.who_can_add := case when type = 'direct' then 'admins_only' else v_profile.who_can_send end;
    v_profile.who_can_remove := 'admins_only';
    v_profile.who_can_change_settings := case when type = 'direct' then 'everyone' else 'admins_only' end;
    v_profile.who_can_delete := 'admins_only';
    v_profile.history_visible := 'joined';
    v_profile.settings := '{}';
    v_profile.created_by := created_by;
    v_profile.created_at := now();
    v_profile.updated_at := now();
    return v_profile;
end;
$$;
comment on function parley.new_profile(uuid, text, uuid) is 'The profile a conversation of this type begins with.';
revoke all on function parley.new_profile(uuid, text, uuid) from public;

create or replace function parley.create_conversation(
    profile parley.conversation_profile, user_ids uuid[], app_roles jsonb, roles jsonb
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
    insert into parley.conversation (id) values (profile.conversation_id);
    insert into parley.conversation_profile select profile.*;
    if profile.context_type is not null then
        insert into parley.conversation_context (conversation_id, context_type, context_id, added_by)
        values (profile.conversation_id, profile.context_type, profile.context_id, profile.created_by);
    end if;
    -- Joins first: whoever follows the log knows the members before the first thing they are told.
    for v_member in
        insert into parley.participant (conversation_id, user_id, role, app_role, added_by)
        select
            profile.conversation_id,
            u.id,
            case
                when profile.type = 'direct' then 'member'
                when u.id = profile.created_by then 'owner'
                else coalesce(create_conversation.roles ->> u.id::text, 'member')
            end,
            create_conversation.app_roles ->> u.id::text,
            nullif(profile.created_by, u.id)
        from unnest(user_ids) as u (id)
        returning user_id
    loop
        perform parley.append_event(
            profile.conversation_id, 'participant:joined', profile.created_by,
            null, null, v_member.user_id, jsonb_build_object('history_from_seq', 1)
        );
    end loop;
    perform parley.append_event(
        profile.conversation_id, 'conversation:new', profile.created_by, null, null, null, null
    );
end;
$$;
comment on function parley.create_conversation(parley.conversation_profile, uuid[], jsonb, jsonb) is
'Makes the rows of a new conversation and its events: every member joins, then the conversation is announced.';
revoke all on function parley.create_conversation(parley.conversation_profile, uuid[], jsonb, jsonb) from public;

create or replace function parley.reopen_direct(conversation_id uuid, user_ids uuid[], actor_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_profile parley.conversation_profile;
    v_gone uuid[];
begin
    if (
        select count(*) from parley.participant as p
        where p.conversation_id = reopen_direct.conversation_id and p.left_at is null
    ) = 2 then
        return;
    end if;
    -- one of the two has left the tenant they shared: as if they met anew
    perform parley.shared_tenant(user_ids, actor_id);
    if actor_id is not null then
        perform parley.require_initiator(actor_id, 'direct', parley.shared_tenant(user_ids, actor_id), (
            select p.app_role from parley.participant as p
            where p.conversation_id = reopen_direct.conversation_id and p.user_id = actor_id
        ));
    end if;
    perform parley.require_accounts(user_ids);
    perform parley.lock_conversation(reopen_direct.conversation_id);
    v_gone := array(
        select p.user_id from parley.participant as p
        where p.conversation_id = reopen_direct.conversation_id and p.left_at is not null
        order by p.user_id
    );
    select cp.* into strict v_profile
    from parley.conversation_profile as cp
    where cp.conversation_id = reopen_direct.conversation_id;
    perform parley.join_conversation(v_profile, v_gone, null, null, actor_id);
end;
$$;
comment on function parley.reopen_direct(uuid, uuid[], uuid) is
'Lets those of a pair who had left come back, if the two could start a conversation now; they see what comes from then on.';
revoke all on function parley.reopen_direct(uuid, uuid[], uuid) from public;
