-- Tiers: what a user's plan grants and allows, read from rows at the moment it matters.

create or replace function parley.tier_of(user_id uuid)
returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
-- a plan made while there were few accounts would read all of them ever after
set enable_seqscan = off
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
declare
    v_granted boolean;
begin
    select coalesce(e.granted, false) into v_granted
    from parley.limit_kind as k
    left join parley.tier_entitlement as e
        on k.name = e.name and e.tier_name = parley.tier_of(is_entitled.user_id)
    where k.name = is_entitled.entitlement and k.kind = 'entitlement';
    if not found then
        raise exception using
            errcode = 'PT500',
            message = format('There is no entitlement %s.', quote_nullable(is_entitled.entitlement)),
            hint = 'The code that asks for it is wrong, or parley.limit_kind lacks a row.';
    end if;
    return v_granted;
end;
$$;
comment on function parley.is_entitled is
'True if the tier of the user has the entitlement; PT500 for one that limit_kind does not name.';

create or replace function parley.tier_limit_of(tier_name text, limit_name text)
returns parley.tier_limit
language plpgsql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_limit parley.tier_limit;
begin
    select
        tier_limit_of.tier_name,
        k.name,
        case when l.name is null then k.default_amount else l.amount end,
        coalesce(l.period_seconds, k.default_period_seconds),
        case when l.name is null then k.default_burst else l.burst end
    into v_limit
    from parley.limit_kind as k
    left join parley.tier_limit as l on k.name = l.name and l.tier_name = tier_limit_of.tier_name
    where k.name = tier_limit_of.limit_name and k.kind <> 'entitlement';
    if not found then
        raise exception using
            errcode = 'PT500',
            message = format('There is no limit %s.', quote_nullable(tier_limit_of.limit_name)),
            hint = 'The code that asks for it is wrong, or parley.limit_kind lacks a row.';
    end if;
    return v_limit;
end;
$$;
comment on function parley.tier_limit_of is
'A limit of a tier, the one place that reads it: its row, or the default of the kind; PT500 for one that limit_kind does not name.';

create or replace function parley.limit_of(user_id uuid, limit_name text)
returns bigint
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return (parley.tier_limit_of(parley.tier_of(limit_of.user_id), limit_of.limit_name)).amount;
end;
$$;
comment on function parley.limit_of is 'A limit of the user''s tier. Null: unlimited.';
