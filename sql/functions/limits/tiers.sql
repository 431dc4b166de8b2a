-- Tiers: what a user's plan grants and allows, read from rows at the moment it matters.

create or replace function parley.best_tier(user_id uuid, tenant_id uuid default null, in_any boolean default false)
returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_now constant timestamptz := clock_timestamp();
begin
    return (
        select t.name
        from (
            select a.tier_name
            from parley.account as a
            where a.id = best_tier.user_id
            union all
            select s.tier_name
            from parley.subscription as s
            where s.user_id = best_tier.user_id
                and s.starts_at <= v_now
                and (s.ends_at > v_now or s.ends_at is null)
                and (
                    s.tenant_id is null
                    or (best_tier.in_any or s.tenant_id = best_tier.tenant_id) and exists (
                        select from parley.tenant_member as m
                        where m.tenant_id = s.tenant_id and m.user_id = s.user_id
                    )
                )
        ) as x
        inner join parley.tier as t on x.tier_name = t.name
        order by t.rank desc
        limit 1
    );
end;
$$;
comment on function parley.best_tier is
'The highest of the user''s own tier and of the subscriptions that are active at this moment: those for everywhere and for the tenant, or those for any tenant the user is in. Null: no account.';

create or replace function parley.tier_of(user_id uuid)
returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
-- a plan made while there were few accounts would read all of them ever after
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
begin
    return (
        select coalesce(
            (
                select case
                    when a.plan_until <= clock_timestamp() then parley.best_tier(a.id, in_any => true)
                    else coalesce(a.plan_tier_name, a.tier_name)
                end
                from parley.account as a
                where a.id = tier_of.user_id
            ),
            parley.setting_value('default_tier')
        )
    );
end;
$$;
comment on function parley.tier_of is
'The tier of a user, or of a user messaging has not met yet: by it go limits and how far back the user sees.';

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

create or replace function parley.is_tenant_manager(user_id uuid, tenant_id uuid)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return exists (
        select from parley.tenant_member as m
        where m.tenant_id = is_tenant_manager.tenant_id
            and m.user_id = is_tenant_manager.user_id
            and m.role in ('owner', 'administrator', 'manager')
    );
end;
$$;
comment on function parley.is_tenant_manager is
'True if the user manages the tenant, and so may start conversations there on any tier.';

create or replace function parley.is_entitled(user_id uuid, entitlement text, tenant_id uuid default null)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_tier text := coalesce(
        parley.best_tier(is_entitled.user_id, is_entitled.tenant_id), parley.setting_value('default_tier')
    );
    v_granted boolean;
begin
    select coalesce(e.granted, false) into v_granted
    from parley.limit_kind as k
    left join parley.tier_entitlement as e on k.name = e.name and e.tier_name = v_tier
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
'True if the user has the entitlement in the tenant, or outside of all: by tier or by subscription. PT500 for one that limit_kind does not name.';

create or replace function parley.tier_limit_of(tier_name text, limit_name text)
returns parley.tier_limit
language plpgsql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
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
        case when l.name is null then k.default_burst else l.burst end,
        case when l.name is null then k.default_young_days else l.young_days end,
        case when l.name is null then k.default_young_amount else l.young_amount end
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

create or replace function parley.user_limit(user_id uuid, limit_name text)
returns parley.tier_limit
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_limit parley.tier_limit := parley.tier_limit_of(parley.tier_of(user_limit.user_id), user_limit.limit_name);
begin
    -- an account that is not there yet is the youngest
    if v_limit.young_days is not null and not exists (
        select from parley.account as a
        where a.id = user_limit.user_id
            and a.created_at <= clock_timestamp() - make_interval(hours => 24 * least(v_limit.young_days, 36500)::integer)
    ) then
        v_limit.amount := least(v_limit.amount, v_limit.young_amount);
        v_limit.burst := least(v_limit.burst, v_limit.young_amount);
    end if;
    return v_limit;
end;
$$;
comment on function parley.user_limit is 'A limit as it holds for the user at this moment: by tier, and by the age of the account.';

create or replace function parley.limit_of(user_id uuid, limit_name text)
returns bigint
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return (parley.user_limit(limit_of.user_id, limit_of.limit_name)).amount;
end;
$$;
comment on function parley.limit_of is 'The amount of a limit for the user. Null: unlimited.';
