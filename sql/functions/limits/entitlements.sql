-- A user's plan as a client sees it.

create or replace function parley.get_entitlements()
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := parley.require_caller();
    v_tier text := parley.tier_of(v_user_id);
begin
    return jsonb_build_object(
        'user_id', v_user_id,
        'tier', v_tier,
        'entitlements', (
            select jsonb_object_agg(k.name, parley.is_entitled(v_user_id, k.name))
            from parley.limit_kind as k
            where k.kind = 'entitlement'
        ),
        'limits', (
            select jsonb_object_agg(
                l.name,
                jsonb_build_object('amount', l.amount, 'period_seconds', l.period_seconds, 'burst', l.burst)
            )
            from parley.limit_kind as k
            cross join lateral parley.tier_limit_of(v_tier, k.name) as l
            where k.kind <> 'entitlement'
        )
    );
end;
$$;
comment on function parley.get_entitlements is
'The caller''s tier with its entitlements and limits. A null amount is unlimited.';
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
