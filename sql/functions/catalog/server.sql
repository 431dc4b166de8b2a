-- Which major version of PostgreSQL runs: another one prints views, policies and expressions in other words.

create or replace function parley.server_major()
returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
    select (current_setting('server_version_num')::integer / 10000)::text
$$;
comment on function parley.server_major is 'The major version of PostgreSQL that runs now.';
