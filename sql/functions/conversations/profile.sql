-- What a conversation is: its profile as given, and as changed.

create or replace function parley.new_profile(conversation_id uuid, type text, created_by uuid)
returns parley.conversation_profile
language plpgsql stable security invoker
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
comment on function parley.new_profile is 'The profile a conversation of this type begins with.';

create or replace function parley.changed_profile(
    profile parley.conversation_profile,
    title text,
    description text,
    icon_url text,
    settings jsonb,
    status text,
    who_can_send text,
    who_can_add text,
    permissions jsonb,
    message_ttl_seconds bigint,
    history_visible text,
    max_members bigint
)
returns parley.conversation_profile
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_profile parley.conversation_profile := profile;
begin
    perform parley.require_name(nullif(title, ''), 'title');
    if char_length(description) > 2000 then
        raise exception using errcode = 'PT400', message = 'description may have at most 2000 characters.';
    end if;
    if description ~ E'[\u0001-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]' then
        raise exception using errcode = 'PT400', message = 'description may not have control characters.';
    end if;
    if char_length(icon_url) > 2000 then
        raise exception using errcode = 'PT400', message = 'icon_url may have at most 2000 characters.';
    end if;
    if icon_url <> '' and icon_url collate parley.unicode !~ '^(https?://|/)[^[:space:]<>"'']+$' then
        raise exception using errcode = 'PT400', message = 'icon_url must be an http(s) address or a path.';
    end if;
    if status not in ('active', 'archived', 'locked') then
        raise exception using errcode = 'PT400', message = 'status must be active, archived or locked.';
    end if;
    if who_can_send not in ('everyone', 'admins_only') or who_can_add not in ('everyone', 'admins_only') then
        raise exception using errcode = 'PT400', message = 'who_can_send and who_can_add must be everyone or admins_only.';
    end if;
    if message_ttl_seconds not between 0 and 31622400 then
        raise exception using
            errcode = 'PT400', message = 'message_ttl_seconds must be between 1 and 31622400, or 0 for none.';
    end if;
    if history_visible not in ('joined', 'start') then
        raise exception using errcode = 'PT400', message = 'history_visible must be joined or start.';
    end if;
    if max_members <> 0 and max_members not between 2 and 1000000 then
        raise exception using errcode = 'PT400', message = 'max_members must be between 2 and 1000000, or 0 for none.';
    end if;
    if settings is not null then
        if jsonb_typeof(settings) <> 'object' then
            raise exception using errcode = 'PT400', message = 'settings must be a JSON object.';
        end if;
        if settings ?| array['who_can_send', 'who_can_add'] then
            raise exception using
                errcode = 'PT400',
                message = 'settings may not contain who_can_send or who_can_add.',
                hint = 'They are arguments of their own.';
        end if;
        -- key by key, and null takes a key away
        v_profile.settings := (
            select coalesce(jsonb_object_agg(s.key, s.value), '{}')
            from jsonb_each(profile.settings || settings) as s
            where s.value <> 'null' or not settings ? s.key
        );
        if octet_length(v_profile.settings::text) > 8192 then
            raise exception using errcode = 'PT413', message = 'settings may have at most 8192 bytes.';
        end if;
    end if;
    v_profile.title := nullif(coalesce(title, profile.title), '');
    v_profile.description := case
        when parley.shows_something(coalesce(description, profile.description))
            then coalesce(description, profile.description)
    end;
    v_profile.icon_url := nullif(coalesce(icon_url, profile.icon_url), '');
    v_profile.status := coalesce(status, profile.status);
    v_profile.archived_at := case
        when v_profile.status = 'archived' then coalesce(profile.archived_at, clock_timestamp())
    end;
    v_profile.who_can_send := coalesce(who_can_send, profile.who_can_send);
    v_profile.who_can_add := coalesce(who_can_add, profile.who_can_add);
    v_profile.message_ttl_seconds := nullif(coalesce(message_ttl_seconds, profile.message_ttl_seconds), 0);
    v_profile.history_visible := coalesce(history_visible, profile.history_visible);
    v_profile.max_members := nullif(coalesce(max_members, profile.max_members), 0);
    if permissions is not null then
        v_profile := parley.with_permissions(v_profile, permissions);
    end if;
    if profile.type = 'announcement' and v_profile.who_can_send = 'everyone' then
        raise exception using
            errcode = 'PT400',
            message = 'In an announcement only admins send.',
            hint = 'Start a group for a conversation of everyone.';
    end if;
    if profile.type = 'direct'
        and coalesce(who_can_send, who_can_add, permissions::text, history_visible, max_members::text) is not null
    then
        raise exception using
            errcode = 'PT400', message = 'A direct conversation has no permissions, no limit of members and no newcomers.';
    end if;
    return v_profile;
end;
$$;
comment on function parley.changed_profile is
'The profile with what is given; null leaves a value, an empty text or 0 clears it, settings are merged key by key. PT400 for what makes no sense.';
