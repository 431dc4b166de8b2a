-- What the members of a conversation may do. The columns who_can_... of the profile say it; "permissions" is the same
-- in the words of the API, to read and to write.

create or replace function parley.who_can(profile parley.conversation_profile, permission text)
returns text
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_who text := case permission
        when 'send_messages' then profile.who_can_send
        when 'add_members' then profile.who_can_add
        when 'remove_members' then profile.who_can_remove
        when 'change_settings' then profile.who_can_change_settings
        when 'delete_messages' then profile.who_can_delete
    end;
begin
    if v_who is null then
        raise exception 'there is no permission %', permission;
    end if;
    -- in an announcement whatever the column says
    return case when profile.type = 'announcement' and permission = 'send_messages' then 'admins_only' else v_who end;
end;
$$;
comment on function parley.who_can is 'The holders of a permission in this conversation: everyone or admins_only.';

create or replace function parley.has_permission(
    participant parley.participant, profile parley.conversation_profile, permission text
)
returns boolean
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return parley.who_can(profile, permission) = 'everyone' or participant.role in ('owner', 'admin');
end;
$$;
comment on function parley.has_permission is
'True if the participant has the permission: by role, or because everyone has.';

create or replace function parley.require_permission(
    participant parley.participant, profile parley.conversation_profile, permission text
)
returns void
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if not parley.has_permission(participant, profile, permission) then
        raise exception using
            errcode = 'PT403',
            message = 'Only admins of the conversation can do this.',
            hint = format('It takes the permission %s.', permission);
    end if;
end;
$$;
comment on function parley.require_permission is
'PT403 unless the participant has the permission send_messages, add_members, remove_members, change_settings or delete_messages.';

create or replace function parley.require_admin(participant parley.participant)
returns void
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if participant.role not in ('owner', 'admin') then
        raise exception using errcode = 'PT403', message = 'Only admins of the conversation can do this.';
    end if;
end;
$$;
comment on function parley.require_admin is 'PT403 unless the participant is owner or admin.';

create or replace function parley.permissions_json(profile parley.conversation_profile)
returns jsonb
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'send_messages', replace(profile.who_can_send, '_only', ''),
        'add_members', replace(profile.who_can_add, '_only', ''),
        'remove_members', replace(profile.who_can_remove, '_only', ''),
        'change_settings', replace(profile.who_can_change_settings, '_only', ''),
        'delete_messages', replace(profile.who_can_delete, '_only', '')
    );
end;
$$;
comment on function parley.permissions_json is
'The permissions of a conversation: everyone or admins, for each of the five.';

create or replace function parley.with_permissions(profile parley.conversation_profile, permissions jsonb)
returns parley.conversation_profile
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_profile parley.conversation_profile := profile;
    v_permission record;
    v_who text;
begin
    if jsonb_typeof(permissions) <> 'object' then
        raise exception using errcode = 'PT400', message = 'permissions must be a JSON object.';
    end if;
    for v_permission in select e.key, e.value #>> '{}' as value from jsonb_each(permissions) as e loop
        v_who := case v_permission.value when 'everyone' then 'everyone' when 'admins' then 'admins_only' end;
        if v_who is null then
            raise exception using errcode = 'PT400', message = 'A permission is for everyone or for admins.';
        end if;
        case v_permission.key
            when 'send_messages' then v_profile.who_can_send := v_who;
            when 'add_members' then v_profile.who_can_add := v_who;
            when 'remove_members' then v_profile.who_can_remove := v_who;
            when 'change_settings' then v_profile.who_can_change_settings := v_who;
            when 'delete_messages' then v_profile.who_can_delete := v_who;
            else
                raise exception using
                    errcode = 'PT400',
                    message = 'There is no such permission.',
                    hint = 'Permissions: send_messages, add_members, remove_members, change_settings, delete_messages.';
        end case;
    end loop;
    return v_profile;
end;
$$;
comment on function parley.with_permissions is
'The profile with these permissions ({name: everyone | admins}), the others as they were; PT400 for others.';
