-- A user's plan as a client sees it.

create or replace function parley.entitlements_json(user_id uuid, tenant_id uuid)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return (
        select jsonb_object_agg(
            k.name,
            parley.is_tenant_manager(entitlements_json.user_id, entitlements_json.tenant_id)
            or parley.is_entitled(entitlements_json.user_id, k.name, entitlements_json.tenant_id)
        )
        from parley.limit_kind as k
        where k.kind = 'entitlement'
    );
end;
$$;
comment on function parley.entitlements_json is
'Each entitlement, and whether the user has it in the tenant, or, without one, outside of all.';

create or replace function parley.get_entitlements()
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := parley.require_caller();
begin
    return jsonb_build_object(
        'user_id', v_user_id,
        'tier', parley.tier_of(v_user_id),
        'flags', parley.flags_json(v_user_id),
        'entitlements', parley.entitlements_json(v_user_id, null),
        'tenants', (
            select coalesce(
                jsonb_agg(
                    jsonb_build_object(
                        'tenant_id', m.tenant_id,
                        'role', m.role,
                        'entitlements', parley.entitlements_json(v_user_id, m.tenant_id)
                    )
                    order by m.tenant_id
                ),
                '[]'
            )
            from parley.tenant_member as m
            where m.user_id = v_user_id
        ),
        'limits', (
            select jsonb_object_agg(
                l.name,
                jsonb_build_object('amount', l.amount, 'period_seconds', l.period_seconds, 'burst', l.burst)
                || case
                    when k.kind = 'rate' and k.enforced_by = 'database'
                        then jsonb_build_object('left', parley.tokens_left(v_user_id, l))
                    else '{}'
                end
            )
            from parley.limit_kind as k
            cross join lateral parley.user_limit(v_user_id, k.name) as l
            where k.kind <> 'entitlement'
        )
    );
end;
$$;
comment on function parley.get_entitlements is
'The caller''s tier, feature flags, entitlements outside of tenants and in each of the caller''s tenants, and limits: a null amount is unlimited, and left says how often a rate lets something happen at once, now.';
grant execute on function parley.get_entitlements to authenticated;

create or replace function parley.is_new_account(user_id uuid)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return coalesce(
        (
            select a.created_at > now() - t.new_account_hours * interval '1 hour'
            from parley.account as a
            inner join parley.tier as t on a.tier_name = t.name
            where a.id = is_new_account.user_id
        ),
        false
    );
end;
$$;
comment on function parley.is_new_account is 'True if the account is younger than its tier''s new_account_hours.';
