-- Who is known to messaging. A caller is known from the first write on; the host may also register users.

create or replace function parley.provision_caller()
returns uuid
language plpgsql volatile security definer
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
comment on function parley.provision_caller is
'The calling user as require_caller; makes the account if this is the first write.';

create or replace function parley.meet_accounts(user_ids uuid[])
returns void
language plpgsql volatile security definer
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
end;
$$;
comment on function parley.meet_accounts is
'With the setting unknown_users = create it makes the accounts of users who have none.';

create or replace function parley.require_accounts(user_ids uuid[])
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform parley.meet_accounts(user_ids);
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
comment on function parley.require_accounts is
'Fails with PT404 if one of the users is unknown; with the setting unknown_users = create it makes their accounts.';
