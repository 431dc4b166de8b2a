-- Permission roles and the application's roles of participants.

create or replace function parley.check_app_roles(app_roles jsonb, by_host boolean)
returns void
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_open constant text[] := string_to_array(coalesce(parley.setting_value('client_app_roles'), ''), ',');
begin
    if app_roles is null then
        return;
    end if;
    if jsonb_typeof(app_roles) <> 'object' then
        raise exception using errcode = 'PT400', message = 'app_roles must be a JSON object of user id and role.';
    end if;
    if exists (
        select from jsonb_each(app_roles) as r
        where jsonb_typeof(r.value) <> 'string' or (r.value #>> '{}') !~ '^[a-z][a-z0-9_]{0,62}$'
    ) then
        raise exception using
            errcode = 'PT400',
            message = 'An application role must be a lower-case word of at most 63 letters, digits and underscores.';
    end if;
    -- the role is shown beside every message, so a client must not call itself what others take for authority
    if not by_host and exists (
        select from jsonb_each_text(app_roles) as r
        where not r.value = any (v_open)
    ) then
        raise exception using
            errcode = 'PT403',
            message = 'Only the application gives this role.',
            hint = format('Users may give: %s. The setting client_app_roles says so.', array_to_string(v_open, ', '));
    end if;
end;
$$;
comment on function parley.check_app_roles is
'Fails with PT400 unless it is null or an object of words, with PT403 if a user gives a role that only the host may give.';

create or replace function parley.check_roles(roles jsonb, user_ids uuid[])
returns void
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if roles is null then
        return;
    end if;
    if jsonb_typeof(roles) <> 'object' then
        raise exception using errcode = 'PT400', message = 'roles must be a JSON object of user id and role.';
    end if;
    if exists (
        select from jsonb_each(roles) as r where r.value not in ('"owner"', '"admin"', '"member"')
    ) then
        raise exception using errcode = 'PT400', message = 'A role must be owner, admin or member.';
    end if;
    if exists (
        select r.user_id from jsonb_object_keys(roles) as r (user_id)
        except
        select u.id::text from unnest(user_ids) as u (id)
    ) then
        raise exception using errcode = 'PT400', message = 'roles names a user who does not join.';
    end if;
end;
$$;
comment on function parley.check_roles is
'Fails with PT400 unless it is null or gives some of these users owner, admin or member.';

create or replace function parley.clean_user_ids(user_ids uuid[], without uuid)
returns uuid[]
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if user_ids is null or array_ndims(user_ids) > 1 or array_position(user_ids, null) is not null then
        raise exception using errcode = 'PT400', message = 'participant_ids must be a list of user ids.';
    end if;
    if cardinality(user_ids) > 10000 then
        raise exception using errcode = 'PT413', message = 'participant_ids has too many users.';
    end if;
    return array(
        select distinct u.id from unnest(user_ids) as u (id) where u.id is distinct from without order by u.id
    );
end;
$$;
comment on function parley.clean_user_ids is
'The users once each, sorted, without that one; PT400 if there is a null among them.';

create or replace function parley.require_may_give_roles(participant parley.participant, roles jsonb)
returns void
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if roles is null or roles = '{}' then
        return;
    end if;
    perform parley.require_admin(participant);
    if participant.role <> 'owner' and exists (select from jsonb_each_text(roles) as r where r.value = 'owner') then
        raise exception using errcode = 'PT403', message = 'Only an owner makes others owners.';
    end if;
end;
$$;
comment on function parley.require_may_give_roles is
'PT403 unless the participant may give these roles: admins do, and only an owner makes owners.';
