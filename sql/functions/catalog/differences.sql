-- Where the database is not as the installation left it, and the statement that repairs it.

create or replace function parley.catalog_differences()
returns table (kind text, name text, state text, remedy text)
language sql stable
set search_path = pg_catalog, pg_temp
-- objects and values are written down in one way
set quote_all_identifiers = off
set standard_conforming_strings = on
set datestyle = 'ISO'
set intervalstyle = 'postgres'
set timezone = 'UTC'
set bytea_output = 'hex'
as $$
    with expected as (
        select
            e.kind,
            e.name,
            e.definition
        from parley.expected_object as e where e.kind <> 'server'
    ),

    actual as materialized (
        select
            f.kind,
            f.name,
            f.definition,
            f.object
        from parley.catalog_fingerprint() as f
    ),

    -- what the host has added to Parley's schemas is its own affair, unless everybody may use it
    own as (
        select 'routine ' || e.name as object from expected as e where e.kind = 'function'
        union
        select 'table ' || e.name from expected as e where e.kind = 'view'
        union
        select 'table ' || substring(e.name from ' on (.*)$') from expected as e where e.kind = 'constraint'
        union
        select a.object from actual as a where starts_with(a.object, 'schema ')
        union
        select 'view ' || e.name from expected as e where e.kind = 'view'
        union
        select a.object from actual as a where starts_with(a.object, 'domain ')
        union
        select 'table ' || i.inhrelid::regclass::text
        from pg_inherits as i
        inner join pg_class as c on i.inhrelid = c.oid
        where c.relnamespace = to_regnamespace('parley')
    ),

    -- another major version prints views, policies and expressions in other words: not comparable until recorded anew
    other_server as (
        select e.name
        from parley.expected_object as e
        where e.kind = 'server' and e.name <> parley.server_major()
    ),

    difference as (
        select
            coalesce(e.kind, a.kind) as kind,
            coalesce(e.name, a.name) as name,
            e.definition as expected,
            case
                when a.name is null then 'missing'
                when e.name is null then 'must not be'
                else 'changed'
            end as state,
            case when a.kind in ('row-level security', 'owner') then a.definition end as security
        from expected as e
        full join actual as a on e.kind = a.kind and e.name = a.name
        where
            e.name is null
            and (
                a.kind in ('row-level security', 'owner') and a.object in (select o.object from own as o)
                or (
                    a.kind in ('grant', 'policy')
                    and (a.object in (select o.object from own as o) or a.name ~ ' to (public|anon)')
                )
            )
            or e.name is not null
            and a.definition is distinct from e.definition
            -- another major version prints definitions in other words
            and (a.name is null or e.kind = 'comment' or (select count(*) = 0 from other_server))
    )

    select
        d.kind,
        d.name,
        coalesce(d.security, d.state),
        case
            when d.kind = 'grant' and d.state = 'missing' then format('grant %s;', d.name)
            when d.kind = 'grant'
                then format('revoke %s cascade;', regexp_replace(d.name, E' to ([^ ]+)( with grant option)?$', E' from \\1'))
            when d.kind = 'policy' and d.state = 'must not be' then format('drop policy %s;', d.name)
            when d.kind = 'owner'
                then format(
                    'alter %s owner to %s;',
                    d.name,
                    (select n.nspowner::regrole from pg_namespace as n where n.nspname = 'parley')
                )
            when d.kind = 'comment' then format('comment on %s is %L;', d.name, d.expected)
            when d.kind = 'row-level security'
                then format('alter table %s enable row level security, no force row level security;', d.name)
            when d.kind = 'constraint'
                then format(
                    'alter table %s %sadd constraint %s %s;',
                    substring(d.name from ' on (.*)$'),
                    case
                        when d.state = 'changed'
                            then format('drop constraint %s, ', substring(d.name from '^(.*) on '))
                        else ''
                    end,
                    substring(d.name from '^(.*) on '),
                    d.expected
                )
            when d.kind = 'index'
                then case
                    when d.state = 'changed' then format('drop index %s; ', substring(d.name from '^(.*) on ')) else ''
                end || d.expected || ';'
            when d.kind = 'trigger'
                then case
                    when d.state = 'changed' then format('drop trigger %s; ', d.name) else ''
                end || d.expected || ';'
            when d.kind = 'column' then format('Restore it from a backup, or make it again as: %s', d.expected)
            else ''
        end
    from difference as d
    union all
    select
        'server' as kind,
        'PostgreSQL ' || parley.server_major() as name,
        format('installed on %s: definitions are not compared until Parley is installed again', o.name) as state,
        '' as remedy
    from other_server as o
    order by 1, 2;
$$;
comment on function parley.catalog_differences is
'Where the database is not as the installation left it, and the statement that repairs it; none where only another installation does.';
