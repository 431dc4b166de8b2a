-- What both doors run first: take the install lock, refuse what cannot work, make the roles, schemas and the ledger.
-- Plain SQL (no psql commands), inside the caller's transaction, and safe to run again.

-- One installation at a time per database; the others wait here and then find nothing left to do. Waiting must not
-- fail, so the lock timeout comes after it. It is for roles, which installations into other databases may be making.
do $lock$
begin
    perform pg_advisory_xact_lock(hashtextextended('parley:install', 0));
end
$lock$;

set local lock_timeout = '15s';
set local search_path = pg_catalog, pg_temp;
-- A session's own settings change neither what these files mean nor how the server prints what they made.
set local standard_conforming_strings = on;
set local quote_all_identifiers = off;

-- What the session has set must not change what the files mean, nor how the catalogue is written down.
set local standard_conforming_strings = on;
set local quote_all_identifiers = off;
set local datestyle = 'ISO, YMD';
set local intervalstyle = 'postgres';
set local timezone = 'UTC';
set local extra_float_digits = 1;
set local bytea_output = 'hex';
set local transform_null_equals = off;
set local array_nulls = on;
set local default_text_search_config = 'pg_catalog.simple';

-- Function files are applied in file-name order and may call each other in any order. The lint run sets
-- parley.check_bodies = on for a second pass, when every function exists.
select set_config(
    'check_function_bodies',
    coalesce(nullif(current_setting('parley.check_bodies', true), ''), 'off'),
    true
);

do $refuse$
declare
    v_owner name;
    v_grantees text;
    v_first text;
begin
    if current_setting('transaction_read_only')::boolean then
        raise exception 'this % is read-only', case when pg_is_in_recovery() then 'server is a standby and' else 'database' end
            using hint = 'Install on the primary, in a session without default_transaction_read_only.';
    end if;
    if current_setting('server_version_num')::int < 150000 then
        raise exception 'Parley needs PostgreSQL 15 or newer, this server is %', current_setting('server_version');
    end if;
    if getdatabaseencoding() <> 'UTF8' then
        raise exception 'Parley needs a database with encoding UTF8, this one is %', getdatabaseencoding()
            using hint = 'create database ... template template0 encoding ''UTF8''';
    end if;

    -- Defaults of all schemas would give every new function and table to clients, also those for the host application alone,
    -- and defaults of one schema cannot take that back.
    select string_agg(distinct pg_get_userbyid(g.grantee), ', ') into v_grantees
    from pg_catalog.pg_default_acl as d
    cross join lateral aclexplode(d.defaclacl) as g
    where
        d.defaclrole = current_user::regrole
        and d.defaclnamespace = 0
        and d.defaclobjtype in ('f', 'r')
        and g.grantee in (select r.oid from pg_catalog.pg_roles as r where r.rolname in ('anon', 'authenticated'));
    if v_grantees is not null then
        raise exception 'default privileges of % give every new function or table to %', current_user, v_grantees
            using hint = format(
                'alter default privileges revoke all on functions from %1$s; the same on tables; then grant it in the '
                'schemas that need it.',
                v_grantees
            );
    end if;

    select pg_get_userbyid(nspowner) into v_owner from pg_catalog.pg_namespace where nspname = 'parley';
    if v_owner is null then
        return;
    end if;
    -- not MEMBER: from PostgreSQL 16 on, who creates a role is a member of it and inherits nothing
    if not pg_has_role(current_user, v_owner, 'USAGE') then
        raise exception 'schema parley belongs to %, install as that role', v_owner;
    end if;
    select format('%s belongs to %s', c.oid::regclass, c.relowner::regrole) into v_first
    from pg_catalog.pg_class as c
    where
        c.oid in (to_regclass('parley.migration'), to_regclass('parley.expected_object'))
        and not pg_has_role(current_user, c.relowner, 'MEMBER');
    if v_first is not null then
        raise exception '%, and schema parley to %', v_first, v_owner
            using hint = 'Install once as a superuser: everything then belongs to the owner of schema parley.';
    end if;
    if to_regclass('parley.migration') is null
        and exists (
            select from pg_catalog.pg_class where relnamespace = 'parley'::regnamespace
            union all
            select from pg_catalog.pg_proc where pronamespace = 'parley'::regnamespace
            union all
            select from pg_catalog.pg_type where typnamespace = 'parley'::regnamespace
        )
    then
        raise exception 'schema parley holds objects but no ledger parley.migration'
            using hint = 'It was not made by this installer: restore the ledger or rename the schema.';
    end if;
    if to_regclass('parley.migration') is not null then
        if not exists (select from parley.migration)
            and exists (
                select from pg_catalog.pg_class
                where relnamespace = 'parley'::regnamespace and relkind in ('r', 'p') and relname <> 'migration'
            )
        then
            raise exception 'schema parley holds tables, and its ledger parley.migration is empty'
                using hint = 'A dump without data was restored. Restore the data (pg_restore --data-only); or, if there '
                    'is none, drop schema parley, parley_api cascade; and install again.';
        end if;
        -- the first release made all tables anew, and numbered its migrations from 1 again
        select m.name into v_first from parley.migration as m where m.version = 1 and m.name <> '0001_settings';
        if found then
            raise exception 'this database was installed by a Parley from before 0.2.0 (migration %)', v_first
                using hint = 'There is no upgrade from it. Dump the data you need (pg_dump --schema=parley), then run: '
                    'drop schema parley, parley_api cascade; and install again. A project''s private database '
                    'can be made anew instead: remove its folder .parley.';
        end if;
    end if;
end
$refuse$;

-- Roles belong to the whole cluster: they may exist already (Supabase), be reserved, or be made by an installation
-- into another database in this very moment. A missing role stops the installation, because grants and policies name
-- it; a missing membership does not, because only the worker needs it. Either way a DBA is told what to run.
do $roles$
declare
    v_role text;
    v_command text;
    v_missing text[] := '{}';
    v_advised text[] := '{}';
begin
    foreach v_role in array array['anon', 'authenticated', 'service_role', 'parley_worker'] loop
        continue when exists (select from pg_catalog.pg_roles where rolname = v_role);
        v_command := format('create role %I nologin noinherit', v_role);
        begin
            execute v_command;
        exception
            when duplicate_object or unique_violation then
                null; -- made by somebody else since we looked
            when insufficient_privilege then
                v_missing := v_missing || v_command;
        end;
    end loop;
    if v_missing <> '{}' then
        raise exception 'roles are missing and % may not create them', current_user
            using hint = 'Ask a DBA to run: ' || array_to_string(v_missing, '; ');
    end if;

    -- The worker acts as the role of each request's token. NOINHERIT: until it does so it has none of their rights.
    foreach v_role in array array['anon', 'authenticated', 'service_role'] loop
        continue when pg_has_role('parley_worker', v_role, 'MEMBER');
        v_command := format('grant %I to parley_worker', v_role);
        begin
            execute v_command;
        exception
            when unique_violation then
                null; -- granted by somebody else since we looked
            when insufficient_privilege then
                v_advised := v_advised || v_command;
        end;
    end loop;
    if v_advised <> '{}' then
        raise warning '% may not grant the API roles to parley_worker; the worker cannot serve requests yet', current_user
            using hint = 'Ask a DBA to run: ' || array_to_string(v_advised, '; ');
    end if;

    if (select rolsuper from pg_catalog.pg_roles where rolname = current_user)
        and to_regnamespace('parley') is null
    then
        raise warning 'installing as superuser %: its functions will run with superuser rights', current_user
            using hint = 'Install as an ordinary role that owns the database; CREATEROLE is enough.';
    end if;
end
$roles$;

-- From here on nobody waits long behind this installation for a table that is in use.
set local lock_timeout = '100ms';

-- Everything belongs to the owner of schema parley, whoever installs.
do $owner$
declare
    v_owner regrole;
    v_object record;
    v_statements text[] := '{}';
    v_statement text;
begin
    select nspowner::regrole into v_owner from pg_catalog.pg_namespace where nspname = 'parley';
    if not found then
        return;
    end if;
    if to_regprocedure('parley.catalog_differences()') is not null then
        for v_object in
            select d.name, d.state::regrole as owner, d.remedy
            from parley.catalog_differences() as d
            where d.kind = 'owner'
            order by d.name
        loop
            if not pg_has_role(current_user, v_object.owner, 'MEMBER') then
                raise exception '% belongs to %, not to % as schema parley does', v_object.name, v_object.owner, v_owner
                    using hint = format('As a superuser: %s or install as one.', v_object.remedy);
            end if;
            v_statements := v_statements || v_object.remedy;
        end loop;
    end if;
    for v_attempt in 1..60 loop
        begin
            foreach v_statement in array v_statements loop
                execute v_statement;
            end loop;
            exit;
        exception
            when lock_not_available then
                if v_attempt = 60 then
                    raise;
                end if;
        end;
        perform pg_sleep(0.5); -- holding nothing
    end loop;
    if v_owner <> current_user::regrole then
        perform set_config('role', v_owner::text, true);
    end if;
end
$owner$;

create schema if not exists parley;
revoke all on schema parley from public;
-- The worker calls its own functions by name; it has no right to any table.
grant usage on schema parley to parley_worker;
comment on schema parley is 'Parley, private: tables and functions. API roles have no usage here.';

-- Names are lowered by Unicode, not by the locale of the database, which may be C or Turkish: by ICU, by tables of
-- PostgreSQL's own (17 and newer), or by the C library.
do $unicode$
begin
    if to_regcollation('parley.unicode') is not null then
        return;
    end if;
    if exists (select from pg_catalog.pg_collation as c where c.collname = 'und-x-icu') then
        create collation parley.unicode (provider = icu, locale = 'und');
    elsif exists (select from pg_catalog.pg_collation as c where c.collname = 'pg_c_utf8') then
        execute 'create collation parley.unicode from pg_catalog.pg_c_utf8';
    else
        begin
            create collation parley.unicode (provider = libc, lc_collate = 'C', lc_ctype = 'C.UTF-8');
        exception
            when others then
                raise exception 'this server can lower names by no table of Unicode'
                    using hint = 'Install a PostgreSQL that was built with ICU, or the locale C.UTF-8 of its machine.';
        end;
    end if;
    comment on collation parley.unicode is 'How letters are lowered when names are compared, whatever the locale.';
end
$unicode$;

create schema if not exists parley_api;
revoke all on schema parley_api from public;
comment on schema parley_api is 'Parley, exposed: the views and functions that applications call.';

create table if not exists parley.migration (
    applied_at timestamptz not null default now(),
    version integer not null,
    breaking boolean not null,
    name text not null,
    sha256 text not null,

    constraint migration_pkey primary key (version),
    constraint migration_name_key unique (name),
    constraint migration_name_check check (name ~ '^[0-9]{4}_[a-z0-9_]+$' and left(name, 4)::integer = version),
    constraint migration_sha256_check check (sha256 ~ '^[0-9a-f]{64}$')
);
comment on table parley.migration is
'The ledger: one row per applied file of sql/migrations. Applied files never change; functions, API and policies are re-applied each time and have no row.';
comment on column parley.migration.applied_at is 'when the installing transaction began';
comment on column parley.migration.version is 'number at the start of the file name';
comment on column parley.migration.breaking is
'the file begins with "--! breaking": a worker that does not know this version must not start';
comment on column parley.migration.name is 'file name without .sql';
comment on column parley.migration.sha256 is 'SHA-256 of the file as it was applied, hexadecimal';

-- Which release was here, and what is missing before the migrations run, so that it is not taken for what they leave.
do $before$
begin
    perform set_config('parley.before', '', true);
    if to_regprocedure('parley.version()') is not null then
        perform set_config('parley.before', parley.version(), true);
    end if;
    perform set_config('parley.lost', '', true);
    if to_regprocedure('parley.catalog_differences()') is not null then
        perform set_config(
            'parley.lost',
            (
                select coalesce(array_agg(d.kind || ' ' || d.name), '{}')::text
                from parley.catalog_differences() as d
                where d.kind in ('column', 'constraint', 'index') and d.state = 'missing'
            ),
            true
        );
    end if;
end
$before$;
