-- Coming to a tenant and leaving it. Who leaves is out of all conversations of the tenant in the same transaction.

create or replace function parley.set_tenant_member(tenant_id uuid, user_id uuid, role text default 'member')
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if set_tenant_member.role is null or set_tenant_member.role not in ('owner', 'administrator', 'manager', 'moderator', 'member')
    then
        raise exception using errcode = 'PT400', message = 'role must be owner, administrator, manager, moderator or member.';
    end if;
    if not exists (select from parley.tenant as t where t.id = set_tenant_member.tenant_id) then
        raise exception using errcode = 'PT404', message = 'The tenant does not exist.';
    end if;
    if set_tenant_member.user_id is null then
        raise exception using errcode = 'PT400', message = 'user_id is required.';
    end if;
    perform parley.require_accounts(array[set_tenant_member.user_id]);
    insert into parley.tenant_member (tenant_id, user_id, role)
    values (set_tenant_member.tenant_id, set_tenant_member.user_id, set_tenant_member.role)
    on conflict (tenant_id, user_id) do update set role = excluded.role;
    return jsonb_build_object(
        'tenant_id', set_tenant_member.tenant_id, 'user_id', set_tenant_member.user_id, 'role', set_tenant_member.role
    );
end;
$$;
comment on function parley.set_tenant_member is
'Makes a user a member of a tenant, or gives a member another role there.';
grant execute on function parley.set_tenant_member to service_role;

create or replace function parley.remove_tenant_member(tenant_id uuid, user_id uuid)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_count bigint;
begin
    -- whoever lets the user in somewhere holds the membership until they commit, so what they made is counted
    perform from parley.tenant_member as t
    where t.tenant_id = remove_tenant_member.tenant_id and t.user_id = remove_tenant_member.user_id
    for update;
    if not found then
        raise exception using errcode = 'PT404', message = 'The user is not a member of this tenant.';
    end if;
    v_count := parley.depart_from_tenant(remove_tenant_member.tenant_id, remove_tenant_member.user_id);
    delete from parley.tenant_member as t
    where t.tenant_id = remove_tenant_member.tenant_id and t.user_id = remove_tenant_member.user_id;
    return jsonb_build_object(
        'tenant_id', remove_tenant_member.tenant_id,
        'user_id', remove_tenant_member.user_id,
        'conversations_left', v_count
    );
end;
$$;
comment on function parley.remove_tenant_member is
'Ends a membership, and with it the user''s place in every conversation of the tenant. Returns how many those were.';
grant execute on function parley.remove_tenant_member to service_role;
