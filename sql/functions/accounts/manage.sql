-- The host registers users and moves them between tiers.

create or replace function parley.account_json(account parley.account)
returns jsonb
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
    select jsonb_build_object(
        'id', account.id,
        'display_name', account.display_name,
        'tier', account.tier_name,
        'app_role', account.app_role,
        'suspended_at', account.suspended_at,
        'tokens_valid_after', account.tokens_valid_after,
        'created_at', account.created_at,
        'updated_at', account.updated_at
    )
$$;
comment on function parley.account_json is 'An account as the host application sees it.';

create or replace function parley.append_account_event(account parley.account)
returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    select parley.append_event(
        null, 'account:updated', null, null, null, account.id, jsonb_build_object('tier', account.tier_name)
    )
$$;
comment on function parley.append_account_event is
'Tells a user''s devices, and readers of the log, of another plan.';

create or replace function parley.upsert_account(
    user_id uuid, display_name text default null, tier text default null, app_role text default null
)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_tier_before text;
    v_account parley.account;
begin
    if upsert_account.user_id is null then
        raise exception using errcode = 'PT400', message = 'user_id is required.';
    end if;
    perform parley.require_name(upsert_account.display_name, 'display_name');
    if upsert_account.app_role !~ '^([a-z][a-z0-9_]{0,62})?$' then
        raise exception using
            errcode = 'PT400',
            message = 'app_role must be a lower-case word of at most 63 letters, digits and underscores, or empty for none.';
    end if;
    if upsert_account.tier is not null then
        perform parley.require_tier(upsert_account.tier);
    end if;
    select a.tier_name into v_tier_before from parley.account as a where a.id = upsert_account.user_id for no key update;
    insert into parley.account as a (id, display_name, tier_name, app_role)
    values (
        upsert_account.user_id,
        upsert_account.display_name,
        coalesce(upsert_account.tier, parley.setting_value('default_tier')),
        nullif(upsert_account.app_role, '')
    )
    on conflict (id) do update
    set
        display_name = coalesce(upsert_account.display_name, a.display_name),
        tier_name = coalesce(upsert_account.tier, a.tier_name),
        app_role = case when upsert_account.app_role is null then a.app_role else excluded.app_role end,
        updated_at = now()
    returning a.* into v_account;
    if v_tier_before <> v_account.tier_name then
        perform parley.append_account_event(v_account);
    end if;
    return parley.account_json(v_account);
end;
$$;
comment on function parley.upsert_account is
'Registers a user, or changes the display name, tier and role in the application; arguments left out stay as they are, an empty app_role takes the role away.';
grant execute on function parley.upsert_account to service_role;

create or replace function parley.set_account_tier(user_id uuid, tier text)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_account parley.account;
begin
    perform parley.require_tier(set_account_tier.tier);
    update parley.account as a
    set tier_name = set_account_tier.tier, updated_at = now()
    where a.id = set_account_tier.user_id and a.tier_name <> set_account_tier.tier
    returning a.* into v_account;
    if found then
        perform parley.append_account_event(v_account);
        return parley.account_json(v_account);
    end if;
    select a.* into v_account from parley.account as a where a.id = set_account_tier.user_id;
    if not found then
        raise exception using errcode = 'PT404', message = 'The user does not exist.';
    end if;
    return parley.account_json(v_account);
end;
$$;
comment on function parley.set_account_tier is
'Moves a user to another tier; the next statement obeys it, and the user''s devices are told.';
grant execute on function parley.set_account_tier to service_role;
