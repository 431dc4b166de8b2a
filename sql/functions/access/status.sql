-- Only an active conversation takes changes.

create or replace function parley.require_active(conversation_id uuid)
returns parley.conversation_profile
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_profile parley.conversation_profile;
begin
    select cp.* into strict v_profile
    from parley.conversation_profile as cp
    where cp.conversation_id = require_active.conversation_id;
    if v_profile.status <> 'active' then
        raise exception using
            errcode = 'PT403',
            message = format('This conversation is %s and takes no changes.', v_profile.status);
    end if;
    return v_profile;
end;
$$;
comment on function parley.require_active is 'The profile of a conversation, or PT403 if it is archived or locked.';

create or replace function parley.require_writable(conversation_id uuid)
returns parley.conversation_profile
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_profile parley.conversation_profile := parley.require_active(conversation_id);
begin
    if v_profile.severed_at is not null then
        perform parley.refuse(parley.severed());
    end if;
    return v_profile;
end;
$$;
comment on function parley.require_writable is
'The profile of a conversation, or PT403 if it is archived or locked, or the boundary of a tenant runs through it.';

create or replace function parley.require_managed_conversation(conversation_id uuid)
returns parley.conversation_profile
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_profile parley.conversation_profile := parley.require_active(conversation_id);
begin
    if v_profile.type = 'direct' then
        raise exception using
            errcode = 'PT400',
            message = 'The two participants of a direct conversation cannot change.',
            hint = 'Start a group, or archive the conversation.';
    end if;
    return v_profile;
end;
$$;
comment on function parley.require_managed_conversation is
'The profile of a conversation whose members can change, or PT400 for a direct one. Who makes it fall apart can be removed.';
