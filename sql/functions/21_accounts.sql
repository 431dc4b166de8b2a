-- Accounts: a caller is known from their first write on; the host may also register users, move them between tiers
-- and end their sessions. Suspending or erasing an account ends them, too.

create or replace function parley.provision_caller()
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := parley.require_caller();
begin
    if not exists (select from parley.account as a where a.id = v_user_id) then
        insert into parley.account (id, tier_name)
        values (v_user_id, parley.setting_value('default_tier'))
        on conflict (id) do nothing;
    end if;
    return v_user_id;
end;
$$;
comment on function parley.provision_caller() is 'The calling user as require_caller; makes the account if this is the first write.';
revoke all on function parley.provision_caller() from public;

create or replace function parley.require_accounts(user_ids uuid[])
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if parley.setting_value('unknown_users') = 'create' then
        insert into parley.account (id, tier_name)
        select u.id, parley.setting_value('default_tier')
        from unnest(user_ids) as u (id)
        order by u.id
        on conflict (id) do nothing;
    end if;
    if exists (
        select from unnest(user_ids) as u (id)
        where not exists (select from parley.account as a where a.id = u.id and a.deleted_at is null)
    ) then
        raise exception using
            errcode = 'PT404',
            message = 'One of the users does not exist.',
            hint = 'The application registers users with upsert_account, or sets unknown_users to create.';
    end if;
end;
$$;
comment on function parley.require_accounts(uuid[]) is
'Fails with PT404 if one of the users is unknown; with the setting unknown_users = create it makes their accounts.';
revoke all on function parley.require_accounts(uuid[]) from public;

create or replace function parley.account_json(account parley.account)
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select jsonb_build_object(
        'id', account.id,
        'display_name', account.display_name,
        'tier', account.tier_name,
        'suspended_at', account.suspended_at,
        'tokens_valid_after', account.tokens_valid_after,
        'created_at', account.created_at,
        'updated_at', account.updated_at
    )
$$;
comment on function parley.account_json(parley.account) is 'An account as the host application sees it.';
revoke all on function parley.account_json(parley.account) from public;

create or replace function parley.require_tier(tier text)
returns text
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (select from parley.tier as t where t.name = require_tier.tier) then
        raise exception using errcode = 'PT404', message = 'The tier does not exist.', hint = 'See parley.tier.';
    end if;
    return tier;
end;
$$;
comment on function parley.require_tier(text) is 'The name of an existing tier, or PT404.';
revoke all on function parley.require_tier(text) from public;

create or replace function parley.upsert_account(user_id uuid, display_name text default null, tier text default null)
returns jsonb
language plpgsql
volatile
security definer
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
    if char_length(upsert_account.display_name) not between 1 and 255 then
        raise exception using errcode = 'PT400', message = 'display_name must have 1 to 255 characters.';
    end if;
    if upsert_account.tier is not null then
        perform parley.require_tier(upsert_account.tier);
    end if;
    select a.tier_name into v_tier_before from parley.account as a where a.id = upsert_account.user_id for no key update;
    insert into parley.account as a (id, display_name, tier_name)
    values (
        upsert_account.user_id,
        upsert_account.display_name,
        coalesce(upsert_account.tier, parley.setting_value('default_tier'))
    )
    on conflict (id) do update
    set
        display_name = coalesce(upsert_account.display_name, a.display_name),
        tier_name = coalesce(upsert_account.tier, a.tier_name),
        updated_at = now()
    returning a.* into v_account;
    if v_tier_before <> v_account.tier_name then
        perform parley.append_account_event(v_account);
    end if;
    return parley.account_json(v_account);
end;
$$;
comment on function parley.upsert_account(uuid, text, text) is
'Registers a user, or changes the display name and tier; arguments left out stay as they are.';
revoke all on function parley.upsert_account(uuid, text, text) from public;
grant execute on function parley.upsert_account(uuid, text, text) to service_role;

create or replace function parley.append_account_event(account parley.account)
returns void
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
    select parley.append_event(
        null, 'account:updated', null, null, null, account.id, jsonb_build_object('tier', account.tier_name)
    )
$$;
comment on function parley.append_account_event(parley.account) is
'Tells the devices of a user, and whoever follows the log, that the plan of the account is another one.';
revoke all on function parley.append_account_event(parley.account) from public;

create or replace function parley.set_account_tier(user_id uuid, tier text)
returns jsonb
language plpgsql
volatile
security definer
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
comment on function parley.set_account_tier(uuid, text) is
'Moves a user to another tier; the next statement obeys it, and the user''s devices are told.';
revoke all on function parley.set_account_tier(uuid, text) from public;
grant execute on function parley.set_account_tier(uuid, text) to service_role;

create or replace function parley.revoke_sessions(user_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_account parley.account;
begin
    update parley.account as a
    set tokens_valid_after = clock_timestamp(), updated_at = now()
    where a.id = revoke_sessions.user_id
    returning a.* into v_account;
    if not found then
        raise exception using errcode = 'PT404', message = 'The user does not exist.';
    end if;
    perform parley.append_event(null, 'session:revoked', null, null, null, v_account.id, null);
    return parley.account_json(v_account);
end;
$$;
comment on function parley.revoke_sessions(uuid) is
'Ends every session of a user: tokens issued until now are refused, and open sockets are closed by the event this writes.';
revoke all on function parley.revoke_sessions(uuid) from public;
grant execute on function parley.revoke_sessions(uuid) to service_role;

-- An account is suspended or erased by whoever writes its row. Its open sockets must close at that position of the log,
-- so it is a trigger that says so.
create or replace function parley.end_sessions()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform parley.append_event(null, 'session:revoked', null, null, null, new.id, null);
    return null;
end;
$$;
comment on function parley.end_sessions() is
'Trigger: the open sockets of an account that is suspended or erased are closed by the event this writes.';
revoke all on function parley.end_sessions() from public;

create or replace trigger account_closed_trigger
after update on parley.account
for each row
when (
    (old.suspended_at is null and new.suspended_at is not null)
    or (old.deleted_at is null and new.deleted_at is not null)
)
execute function parley.end_sessions();
comment on trigger account_closed_trigger on parley.account is
'Ends the sessions of an account that is suspended or erased.';
