-- The psql door: installs Parley into the current database, or upgrades it in place.
--
--     psql -d <database> -f sql/install.sql
--
-- Run it as an ordinary role that owns the database (CREATEROLE, unless the roles exist already). It is one
-- transaction: after an error nothing has changed. Run it again as often as you like. The other door is
-- `make install`, `create extension parley`, `select parley_ext.migrate()`; it gives the same schema.
\set ON_ERROR_STOP on
\set QUIET on
begin isolation level read committed;
set local client_min_messages = warning;

do $door$
begin
    if exists (select from pg_catalog.pg_extension where extname = 'parley') then
        raise exception 'this database uses the extension door'
            using hint = 'After make install on its server: alter extension parley update; select parley_ext.migrate(); '
                'or: drop extension parley, which leaves all data in place.';
    end if;
end
$door$;

\o /dev/null
\ir bootstrap.sql
\ir manifest.sql
\ir finish.sql
\o
select current_setting('parley.result') as parley_result \gset

notify pgrst, 'reload schema';
commit;
\unset QUIET
\echo :parley_result
