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
        'flags', parley.flags_json(v_user_id),
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
'The caller''s tier with its entitlements and limits, and the feature flags. A null amount is unlimited.';
grant execute on function parley.get_entitlements to authenticated;
