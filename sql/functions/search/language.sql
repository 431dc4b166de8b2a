-- The language of the index.

create or replace function parley.search_language()
returns regconfig
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_name text := parley.setting_value('search_language');
    v_language regconfig;
begin
    -- a configuration that is gone, or never was, must not stop the index
    select c.oid::regconfig into v_language
    from pg_catalog.pg_ts_config as c
    inner join pg_catalog.pg_namespace as n on c.cfgnamespace = n.oid
    where v_name in (c.cfgname, n.nspname || '.' || c.cfgname)
    order by n.nspname = 'pg_catalog' desc, n.nspname
    limit 1;
    return coalesce(v_language, 'pg_catalog.simple'::regconfig);
end;
$$;
comment on function parley.search_language is
'The text search configuration of this deployment, by the setting search_language.';

create or replace function parley.terms_version(language regconfig)
returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $$
    -- to be raised when search_terms makes other words of a text: the index is then rebuilt as for another language
    select language::text || ' 2'
$$;
comment on function parley.terms_version is
'What search_block.language says of terms that search_terms makes now. Blocks that say anything else are looked into.';

create or replace function parley.set_search_language(name text)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (
        select from pg_catalog.pg_ts_config as c
        inner join pg_catalog.pg_namespace as n on c.cfgnamespace = n.oid
        where set_search_language.name in (c.cfgname, n.nspname || '.' || c.cfgname)
    ) then
        raise exception using
            errcode = 'PT400',
            message = 'There is no text search configuration of this name.',
            hint = 'Those of this server: select cfgname from pg_ts_config.';
    end if;
    update parley.setting as s
    set value = set_search_language.name, updated_at = now()
    where s.name = 'search_language';
end;
$$;
comment on function parley.set_search_language is
'Changes the language of the message search. index_messages() rebuilds the index in steps; meanwhile searches find everything, but look at more messages.';
