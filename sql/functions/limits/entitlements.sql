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
        'entitlements', coalesce(
            (
                select jsonb_object_agg(e.name, e.granted)
                from parley.tier_entitlement as e
                where e.tier_name = v_tier
            ),
            '{}'
        ),
        'limits', coalesce(
            (
                select jsonb_object_agg(
                    l.name,
                    jsonb_build_object('amount', l.amount, 'period_seconds', l.period_seconds, 'burst', l.burst)
                )
                from parley.tier_limit as l
                where l.tier_name = v_tier
            ),
            '{}'
        )
    );
end;
$$;
comment on function parley.get_entitlements is
'The caller''s tier, what it grants, and its limits (a null amount is unlimited).';
grant execute on function parley.get_entitlements to authenticated;
