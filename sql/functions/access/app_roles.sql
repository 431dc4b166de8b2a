-- The role a user has in the host application: by the host, or by a token whose issuer the deployment believes. Never
-- by the word of the user.

create or replace function parley.own_app_roles(user_id uuid)
returns text[]
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_claims jsonb := nullif(current_setting('request.jwt.claims', true), '');
    v_claimed jsonb;
    v_roles text[] := array(
        select a.app_role from parley.account as a where a.id = own_app_roles.user_id and a.app_role is not null
    );
begin
    if parley.current_user_id() is distinct from own_app_roles.user_id or v_claims is null then
        return v_roles;
    end if;
    v_claimed := v_claims #> string_to_array(parley.setting_value('token_roles_claim'), '.');
    return v_roles || array(
        select split_part(m.item, '=', 2)
        from unnest(parley.setting_list('token_roles')) as m (item)
        where split_part(m.item, '=', 2) ~ '^[a-z][a-z0-9_]{0,62}$'
            and case jsonb_typeof(v_claimed)
                when 'array' then v_claimed ? split_part(m.item, '=', 1)
                when 'string' then v_claimed #>> '{}' = split_part(m.item, '=', 1)
                else false
            end
    );
end;
$$;
comment on function parley.own_app_roles is
'The application roles of a user that may be believed: that of the account, and those that token_roles reads in the caller''s own token.';

create or replace function parley.caller_app_role(user_id uuid, declared text)
returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_roles text[] := parley.own_app_roles(user_id);
begin
    if cardinality(v_roles) = 0 then
        return declared;
    end if;
    if declared <> all (v_roles) then
        raise exception using
            errcode = 'PT403',
            message = 'You do not have this role.',
            hint = format('You are: %s.', array_to_string(v_roles, ', '));
    end if;
    return coalesce(declared, v_roles[1]);
end;
$$;
comment on function parley.caller_app_role is
'The role a user is shown in: one they have; where neither account nor token says one, the one they declare.';
