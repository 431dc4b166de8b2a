-- Starting conversations. A direct conversation exists once per pair (and context): whoever asks second gets the first.

create or replace function parley.check_start_request(
    others uuid[], type text, title text, context_type text, context_id text, app_roles jsonb, by_host boolean
)
returns void
language plpgsql stable security definer
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
    perform parley.require_name(title, 'title');
    if (context_type is null) <> (context_id is null) then
        raise exception using errcode = 'PT400', message = 'context_type and context_id belong together.';
    end if;
    if type = 'project' and context_id is null then
        raise exception using
            errcode = 'PT400',
            message = 'A conversation of type project needs its project.',
            hint = 'Give context_type and context_id, for example project and the id of the project.';
    end if;
    if context_type !~ '^[a-z][a-z0-9_]{0,62}$' then
        raise exception using
            errcode = 'PT400',
            message = 'context_type must be a lower-case word of at most 63 letters, digits and underscores.';
    end if;
    perform parley.require_name(context_id, 'context_id');
    perform parley.check_app_roles(app_roles, by_host);
end;
$$;
comment on function parley.check_start_request is
'Fails with PT400 on arguments of start_conversation that make no sense.';

create or replace function parley.start_conversation(
    participant_ids uuid[],
    type text default null,
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
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_by_host boolean := parley.is_host();
    v_user_id uuid := case when not v_by_host then parley.provision_caller() end;
    v_others uuid[] := parley.clean_user_ids(start_conversation.participant_ids, v_user_id);
    v_all uuid[] := case when v_by_host then v_others else v_others || v_user_id end;
    v_by_context boolean := parley.setting_value('direct_threading') is distinct from 'pair';
    v_app_roles jsonb := start_conversation.app_roles;
    v_is_direct boolean;
    v_unique boolean;
    v_pair parley.direct_conversation;
    v_profile parley.conversation_profile;
    v_new_id uuid := parley.uuid_v7();
    v_folders jsonb;
    v_id uuid;
    v_message jsonb;
begin
    -- within a project people talk as its team, unless they say otherwise
    start_conversation.type := coalesce(
        start_conversation.type, case when start_conversation.context_type = 'project' then 'project' else 'direct' end
    );
    v_is_direct := start_conversation.type = 'direct';
    perform parley.check_start_request(
        v_others, start_conversation.type, start_conversation.title, start_conversation.context_type,
        start_conversation.context_id, start_conversation.app_roles, v_by_host
    );
    if not v_by_host then
        v_app_roles := coalesce(v_app_roles, '{}') || jsonb_build_object(
            v_user_id, parley.caller_app_role(v_user_id, v_app_roles ->> v_user_id::text)
        );
    end if;
    if v_by_host and start_conversation.message is not null then
        raise exception using
            errcode = 'PT400',
            message = 'A first message needs a sender: call as a user.',
            hint = 'Use send_system_message.';
    end if;
    if start_conversation.roles is not null and (v_is_direct or not v_by_host) then
        raise exception using
            errcode = case when v_by_host then 'PT400' else 'PT403' end,
            message = 'Roles are given by the application, in conversations that are not direct.',
            hint = 'The user who starts a group becomes its owner. The owner gives roles with set_participant_role.';
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
        if v_id is not null and parley.release_direct(v_id, v_all) then
            v_id := null;
        end if;
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
        perform parley.hold_memberships(v_all);
        if not v_by_host then
            perform parley.require_contact(v_user_id, 'start', v_others, type => start_conversation.type);
        end if;
        v_profile.tenant_id := parley.shared_tenant(v_all, v_user_id);
        if cardinality(v_all) > parley.member_limit(v_user_id, v_user_id, v_profile.max_members) then
            raise exception using
                errcode = 'PT400',
                message = format(
                    'A conversation may have at most %s participants.',
                    parley.member_limit(v_user_id, v_user_id, v_profile.max_members)
                );
        end if;
        -- after that, so that who may not start anything does not learn which users exist
        if v_by_host then
            perform parley.require_accounts(v_others);
        else
            v_folders := parley.require_reach(
                v_user_id, v_others, parley.is_expected(v_user_id, null, v_profile.tenant_id)
            );
        end if;
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
        if not v_by_host then
            perform parley.require_messaging(v_user_id);
        end if;
        perform parley.create_conversation(
            v_profile, v_all, v_app_roles, start_conversation.roles, v_folders
        );
        if not v_by_host and num_nonnulls(v_profile.title, v_profile.description) > 0 then
            perform parley.judge_message(
                c.id, c.unanswered, v_user_id, (parley.require_participant(c.id, v_user_id)).added_by,
                parley.is_new_account(v_user_id), null, concat_ws(E'\n', v_profile.title, v_profile.description), 'text',
                null, is_edit => true
            )
            from parley.conversation as c
            where c.id = v_new_id;
        end if;
    elsif v_is_direct then
        perform parley.reopen_direct(v_id, v_all, v_user_id);
        if not v_by_context
            and start_conversation.context_type is not null
            and not parley.is_kept_from(v_id, v_user_id)
        then
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
        v_message := parley.write_message(
            v_user_id, coalesce(v_id, v_new_id), start_conversation.message,
            client_message_id => start_conversation.client_message_id
        );
    end if;
    return parley.conversation_json(coalesce(v_id, v_new_id), v_user_id)
        || jsonb_build_object('message', v_message, 'created', v_id is null);
end;
$$;
comment on function parley.start_conversation is
'Starts a conversation with the caller in it and returns it, with its first message if one was given. Without a type it is direct, or of type project where context_type is project; a project conversation needs its context. One that exists is returned: the direct one of a pair, the only one about a context, and a group that was started with the same client_message_id.';
grant execute on function parley.start_conversation to authenticated, service_role;
