-- Two users need a tenant in common, or none. Memberships that decide are held until the transaction ends.

create or replace function parley.hold_memberships(user_ids uuid[])
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- who is about to come to a tenant takes the account, see parley.begin_membership
    perform from parley.account as a
    where a.id = any (user_ids)
    order by a.id
    for key share;
    perform from parley.tenant_member as t
    where t.user_id = any (user_ids)
    order by t.tenant_id, t.user_id
    for key share;
end;
$$;
comment on function parley.hold_memberships is
'Keeps these users in their tenants, and out of others, until the transaction ends. Waits for a membership that is beginning or ending.';

create or replace function parley.common_tenant(
    user_ids uuid[], caller_id uuid, out tenant_id uuid, out is_split boolean
)
returns record
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    -- every one of them in it; if there are several, the one the caller manages
    select t.tenant_id into common_tenant.tenant_id
    from parley.tenant_member as t
    where t.user_id = any (user_ids)
    group by t.tenant_id
    having count(*) = cardinality(user_ids)
    order by
        bool_or(t.user_id = caller_id and t.role in ('owner', 'administrator', 'manager')) desc nulls last,
        t.tenant_id
    limit 1;
    is_split := common_tenant.tenant_id is null and exists (
        select from parley.tenant_member as t where t.user_id = any (user_ids)
    );
end;
$$;
comment on function parley.common_tenant is
'The tenant all these users share. is_split: they share none, and one of them is in one, so that they must not meet.';

create or replace function parley.shared_tenant(user_ids uuid[], caller_id uuid)
returns uuid
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_common record;
begin
    perform parley.hold_memberships(user_ids);
    v_common := parley.common_tenant(user_ids, caller_id);
    if v_common.is_split then
        perform parley.refuse(parley.unreachable());
    end if;
    return v_common.tenant_id;
end;
$$;
comment on function parley.shared_tenant is
'The tenant all these users share; null if none of them is in any; PT403 if some are and they share none.';

create or replace function parley.is_split(conversation_id uuid)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return (
        parley.common_tenant(
            array(
                select p.user_id from parley.participant as p
                where p.conversation_id = is_split.conversation_id and p.left_at is null
            ),
            null
        )
    ).is_split;
end;
$$;
comment on function parley.is_split is
'True if the participants of a conversation share no tenant, and one of them is in one.';
