-- Who is calling. The user is the uuid in the `sub` claim that the gateway or PostgREST puts into the transaction.

create or replace function parley.current_user_id()
returns uuid
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_subject text := nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub';
begin
    if v_subject is null and nullif(current_setting('request.jwt.claims', true), '') is null then
        v_subject := nullif(current_setting('request.jwt.claim.sub', true), '');
        -- An application that talks SQL names its user itself; a connection shared by API callers may not.
        if v_subject is null
            and session_user not in ('authenticator', 'parley_worker')
            and not exists (
                select from pg_catalog.pg_auth_members as g
                inner join pg_catalog.pg_roles as worker on g.roleid = worker.oid
                inner join pg_catalog.pg_roles as login on g.member = login.oid
                where worker.rolname = 'parley_worker'
                    and login.rolname = session_user
                    -- from PostgreSQL 16 on, whoever creates a role is a member of it, who can do nothing as that role
                    and not to_jsonb(g) @> '{"inherit_option": false, "set_option": false}'
            )
        then
            v_subject := nullif(current_setting('parley.user_id', true), '');
        end if;
    end if;
    -- Each call by the API asks this: counting the characters in the expression would cost ten times as much.
    return case
        when v_subject like '________-____-____-____-____________'
            and v_subject ~* '^[0-9a-f]+-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+$'
            then v_subject::uuid
    end;
end;
$$;
comment on function parley.current_user_id is
'The calling user: sub of request.jwt.claims, or the setting parley.user_id on connections of the host application. Null: none.';
grant execute on function parley.current_user_id to anon, authenticated, service_role;

create or replace function parley.current_role_name()
returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role',
        nullif(current_setting('request.jwt.claim.role', true), ''),
        nullif(current_setting('role', true), 'none'),
        session_user::text
    )
$$;
comment on function parley.current_role_name is 'The role of the calling token, else the database role of the session.';

create or replace function parley.is_host()
returns boolean
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- The claims and the database role must both say so: a claim alone gives no rights, nor does a role that merely is
    -- not one of the known ones. Inherited membership counts: parley_worker may become the service role, but is not it.
    select
        parley.current_user_id() is null
        and parley.current_role_name() not in ('anon', 'authenticated')
        and (
            pg_has_role(r.name, 'service_role', 'usage')
            or pg_has_role(r.name, (select n.nspowner from pg_namespace as n where n.nspname = 'parley'), 'usage')
        )
    from (select coalesce(nullif(current_setting('role', true), 'none'), session_user::text)::name as name) as r
$$;
comment on function parley.is_host is
'True if the caller is the host application itself: a role with the rights of the service role or of the schema''s owner, without a user.';

create or replace function parley.token_is_valid(tokens_valid_after timestamptz)
returns boolean
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return tokens_valid_after is null
    or nullif(current_setting('request.jwt.claims', true), '') is null
    or coalesce(
        -- digit for digit: a token may say fractions of a second
        case jsonb_typeof(current_setting('request.jwt.claims', true)::jsonb -> 'iat')
            when 'number'
                then (current_setting('request.jwt.claims', true)::jsonb -> 'iat')::numeric
                    >= extract(epoch from tokens_valid_after)
        end,
        false
    );
end;
$$;
comment on function parley.token_is_valid is
'False if the calling token was issued before that moment, or does not say when. An iat of whole seconds of the same second is refused.';

create or replace function parley.require_caller()
returns uuid
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
-- a plan made while there were few accounts would read all of them ever after
set enable_seqscan = off
set jit = off
as $$
declare
    v_user_id uuid := parley.current_user_id();
    v_account parley.account;
begin
    if v_user_id is null then
        raise exception using
            errcode = '42501',
            message = 'You must be signed in.',
            hint = 'Send a token whose sub claim is the uuid of a user.';
    end if;
    select a.* into v_account from parley.account as a where a.id = v_user_id;
    if v_account.suspended_at is not null or v_account.deleted_at is not null then
        raise exception using errcode = 'PT403', message = 'This account may not use messaging.';
    end if;
    if not parley.token_is_valid(v_account.tokens_valid_after) then
        raise exception using
            errcode = 'PT403',
            message = 'This session was ended.',
            hint = 'Sign in again.';
    end if;
    return v_user_id;
end;
$$;
comment on function parley.require_caller is
'The calling user, or an error: not signed in, suspended, or a session that was revoked.';
