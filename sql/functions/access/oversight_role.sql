-- Moderators and owners of a tenant see more; the role they act in is recorded.

create or replace function parley.oversight_role(conversation_id uuid)
returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid;
    v_role text;
begin
    if oversight_role.conversation_id is null then
        raise exception using errcode = 'PT400', message = 'conversation_id is required.';
    end if;
    if parley.is_host() then
        if not exists (
            select from parley.conversation as c where c.id = oversight_role.conversation_id
        ) then
            raise exception using errcode = 'PT404', message = 'The conversation does not exist.';
        end if;
        return parley.current_role_name();
    end if;
    v_user_id := parley.require_caller();
    select t.role into v_role
    from parley.conversation_profile as cp
    inner join parley.tenant_member as t on cp.tenant_id = t.tenant_id
    where cp.conversation_id = oversight_role.conversation_id
        and t.user_id = v_user_id
        and t.role in ('owner', 'administrator', 'moderator');
    if not found then
        raise exception using
            errcode = 'PT403',
            message = 'You are not a moderator of this conversation''s tenant, or it does not exist.';
    end if;
    return v_role;
end;
$$;
comment on function parley.oversight_role is
'By what right the caller oversees a conversation they need not be in: the application, or an owner or moderator of its tenant. Otherwise PT403, which does not tell an unknown conversation from a foreign one.';
