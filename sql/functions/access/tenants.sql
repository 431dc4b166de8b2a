-- Two users need a tenant in common, or none. Memberships that decide are held until the transaction ends.

create or replace function parley.hold_memberships(user_ids uuid[])
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform from parley.tenant_member as t
    where t.user_id = any (user_ids)
    order by t.tenant_id, t.user_id
    for key share;
end;
$$;
comment on function parley.hold_memberships is
'Keeps these users in their tenants until the transaction ends. Waits for a membership that is ending.';

create or replace function parley.shared_tenant(user_ids uuid[], caller_id uuid)
returns uuid
language plpgsql volatile security definer
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
comment on function parley.shared_tenant is
'The tenant all these users share; null if none of them is in any; PT403 if some are and they share none.';
