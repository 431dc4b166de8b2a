-- Tiers: what a user's plan grants and allows, read from rows at the moment it matters.

create or replace function parley.tier_of(user_id uuid)
returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return (
        select coalesce(
            (select a.tier_name from parley.account as a where a.id = tier_of.user_id),
            parley.setting_value('default_tier')
        )
    );
end;
$$;
comment on function parley.tier_of is 'The tier of a user, or of a user messaging has not met yet.';

create or replace function parley.require_tier(tier text)
returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (select from parley.tier as t where t.name = require_tier.tier) then
        raise exception using errcode = 'PT404', message = 'The tier does not exist.', hint = 'See parley.tier.';
    end if;
    return tier;
end;
$$;
comment on function parley.require_tier is 'The name of an existing tier, or PT404.';

create or replace function parley.is_entitled(user_id uuid, entitlement text)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return (
        select coalesce(
            (
                select e.granted
                from parley.tier_entitlement as e
                where e.tier_name = parley.tier_of(is_entitled.user_id) and e.name = is_entitled.entitlement
            ),
            false
        )
    );
end;
$$;
comment on function parley.is_entitled is 'True if the tier of the user has the entitlement.';

create or replace function parley.limit_of(user_id uuid, limit_name text)
returns bigint
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return (
        select l.amount
        from parley.tier_limit as l
        where l.tier_name = parley.tier_of(limit_of.user_id) and l.name = limit_of.limit_name
    );
end;
$$;
comment on function parley.limit_of is 'A limit of the user''s tier. Null: unlimited.';
