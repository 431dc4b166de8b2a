-- What is installed, as rows that can be compared: with what the installation recorded (parley.expected_object). Sound
-- partitions give no rows, so that those made later are no difference.

create or replace function parley.catalog_fingerprint()
returns table (kind text, name text, definition text, object text)
language sql
stable
set search_path = pg_catalog, pg_temp
-- as text: a body that is bound when created is printed in other words after a dump, and would differ from itself
as $$
    with relation as (
        select
            c.oid,
            c.oid::regclass::text as name,
            c.relkind,
            c.relispartition,
            c.relrowsecurity,
            c.relforcerowsecurity,
            c.reloptions,
            c.relacl,
            c.relowner
        from pg_class as c
        where
            c.relnamespace in (to_regnamespace('parley'), to_regnamespace('parley_api'))
            and c.relkind in ('r', 'p', 'v', 'm', 'S')
    ),

    routine as (
        select
            p.oid,
            p.oid::regprocedure::text as name,
            p.proacl,
            p.proowner,
            p.prokind
        from pg_proc as p
        where p.pronamespace in (to_regnamespace('parley'), to_regnamespace('parley_api'))
    ),

    acl as (
        select
            'schema ' || quote_ident(n.nspname) as object,
            '' as columns,
            n.nspowner as owner,
            coalesce(n.nspacl, acldefault('n', n.nspowner)) as acl
        from pg_namespace as n
        where n.nspname in ('parley', 'parley_api')
        union all
        select
            'routine ' || r.name,
            '',
            r.proowner,
            coalesce(r.proacl, acldefault('f', r.proowner))
        from routine as r
        union all
        select
            case r.relkind when 'S' then 'sequence ' else 'table ' end || r.name,
            '',
            r.relowner,
            coalesce(
                r.relacl,
                case r.relkind when 'S' then acldefault('s', r.relowner) else acldefault('r', r.relowner) end
            )
        from relation as r
        union all
        select
            'table ' || r.name,
            ' (' || quote_ident(a.attname) || ')',
            r.relowner,
            a.attacl
        from relation as r
        inner join pg_attribute as a on r.oid = a.attrelid
        where a.attacl is not null and a.attnum > 0 and not a.attisdropped
    )

    select
        'grant',
        format(
            '%s%s on %s to %s%s',
            lower(g.privilege_type),
            a.columns,
            a.object,
            coalesce(quote_ident(o.rolname), 'public'),
            case when g.is_grantable then ' with grant option' else '' end
        ),
        '',
        a.object
    from acl as a
    cross join lateral aclexplode(a.acl) as g
    left join pg_roles as o on g.grantee = o.oid
    where
        g.grantee <> a.owner
        and (g.grantee = 0 or o.rolname in ('anon', 'authenticated', 'service_role', 'parley_worker'))
    union all
    select
        'policy',
        quote_ident(p.polname) || ' on ' || r.name,
        concat_ws(
            ' ',
            case when p.polpermissive then 'permissive' else 'restrictive' end,
            p.polcmd,
            (
                select string_agg(coalesce(o.rolname::text, 'public'), ',' order by o.rolname)
                from unnest(p.polroles) as x (role_id)
                left join pg_roles as o on x.role_id = o.oid
            ),
            'using ' || pg_get_expr(p.polqual, p.polrelid),
            'with check ' || pg_get_expr(p.polwithcheck, p.polrelid)
        ),
        'table ' || r.name
    from pg_policy as p
    inner join relation as r on p.polrelid = r.oid
    union all
    -- only what is wrong has a row
    select
        'row-level security',
        r.name,
        case when r.relrowsecurity then 'forced' else 'off' end,
        'table ' || r.name
    from relation as r
    where r.relkind in ('r', 'p') and (not r.relrowsecurity or r.relforcerowsecurity)
    union all
    select
        'view',
        r.name,
        concat_ws(' ', array_to_string(r.reloptions, ','), pg_get_viewdef(r.oid)),
        'table ' || r.name
    from relation as r
    where r.relkind in ('v', 'm')
    union all
    select
        'trigger',
        quote_ident(t.tgname) || ' on ' || r.name,
        case t.tgenabled when 'O' then '' else 'disabled: ' end || pg_get_triggerdef(t.oid),
        'table ' || r.name
    from pg_trigger as t
    inner join relation as r on t.tgrelid = r.oid
    where not t.tgisinternal and not r.relispartition
    union all
    select
        'function',
        r.name,
        md5(pg_get_functiondef(r.oid)),
        'routine ' || r.name
    from routine as r
    where r.prokind in ('f', 'p')
    union all
    select
        'column',
        r.name || '.' || quote_ident(a.attname),
        concat_ws(
            ' ',
            format_type(a.atttypid, a.atttypmod),
            case when a.attnotnull then 'not null' end,
            nullif(a.attidentity, '')::text,
            'default ' || pg_get_expr(d.adbin, d.adrelid)
        ),
        'table ' || r.name
    from relation as r
    inner join pg_attribute as a on r.oid = a.attrelid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef as d on a.attrelid = d.adrelid and a.attnum = d.adnum
    where r.relkind in ('r', 'p') and not r.relispartition
    union all
    select
        'constraint',
        quote_ident(k.conname) || ' on ' || r.name,
        pg_get_constraintdef(k.oid),
        'table ' || r.name
    from pg_constraint as k
    inner join relation as r on k.conrelid = r.oid
    where not r.relispartition and k.contype in ('p', 'u', 'f', 'c', 'x') and k.conparentid = 0
    union all
    select
        'index',
        i.indexrelid::regclass::text || ' on ' || r.name,
        -- without it, the statement for a partitioned table would make an index of no use
        replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ')
        || case when i.indisvalid then '' else ' -- invalid' end,
        'table ' || r.name
    from pg_index as i
    inner join relation as r on i.indrelid = r.oid
    where
        not r.relispartition
        and not exists (
            select from pg_constraint as k where k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x')
        );
$$;
comment on function parley.catalog_fingerprint() is
'The objects of both schemas and what API roles may do with them, one row each. Partitions have a row for what they must not have.';
revoke all on function parley.catalog_fingerprint() from public;

create or replace function parley.server_major()
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
begin atomic
    select (current_setting('server_version_num')::integer / 10000)::text;
end;
comment on function parley.server_major() is 'The major version of PostgreSQL that runs now.';
revoke all on function parley.server_major() from public;

create or replace function parley.catalog_differences()
returns table (kind text, name text, state text, remedy text)
language sql
stable
set search_path = pg_catalog, pg_temp
begin atomic
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
            case when a.kind = 'row-level security' then a.definition end as security
        from expected as e
        full join actual as a on e.kind = a.kind and e.name = a.name
        where
            e.name is null
            and (
                a.kind = 'row-level security'
                or (
                    a.kind in ('grant', 'policy')
                    and (a.object in (select o.object from own as o) or a.name ~ ' to (public|anon)')
                )
            )
            or e.name is not null and a.name is null
            or e.definition <> a.definition and (select count(*) = 0 from other_server)
    )

    select
        d.kind,
        d.name,
        coalesce(d.security, d.state),
        case
            when d.kind = 'grant' and d.state = 'missing' then format('grant %s;', d.name)
            when d.kind = 'grant'
                then format('revoke %s cascade;', regexp_replace(d.name, ' to (\w+)( with grant option)?$', ' from \1'))
            when d.kind = 'policy' and d.state = 'must not be' then format('drop policy %s;', d.name)
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
end;
comment on function parley.catalog_differences() is
'Where the database is not as the installation left it, and the statement that repairs it; none where only another installation does.';
revoke all on function parley.catalog_differences() from public;

create or replace function parley.record_catalog()
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_major constant text := parley.server_major();
    v_tables boolean;
begin
    -- Tables and their indexes are made once, by migrations: what is missing of them since must stay a difference.
    -- Another major version prints some of them in other words.
    v_tables := exists (select from parley.migration as m where m.applied_at = now())
        or not exists (select from parley.expected_object as e where e.kind = 'server' and e.name = v_major);
    delete from parley.expected_object as e
    where
        e.kind not in ('column', 'constraint', 'index')
        or v_tables
        -- what was lost before this installation began
        and not e.kind || ' ' || e.name = any(
            coalesce(nullif(current_setting('parley.lost', true), ''), '{}')::text[]
        );
    insert into parley.expected_object (kind, name, definition)
    select f.kind, f.name, f.definition
    from parley.catalog_fingerprint() as f
    where (v_tables or f.kind not in ('column', 'constraint', 'index')) and f.kind <> 'row-level security'
    union all
    select 'server', v_major, ''
    on conflict (kind, name) do nothing;
end;
$$;
comment on function parley.record_catalog() is 'The last step of an installation: what is there now is what is expected.';
revoke all on function parley.record_catalog() from public;

-- Grants are given anew by every installation, by the files that follow: what is not among them is nobody's. To revoke
-- also writes the row of a function; finish.sql must not take that for a function made by this installation, and tells
-- them apart by the place of the row.
do $revoke$
declare
    v_grant text;
    v_object text;
    v_routines text[] := '{}';
begin
    for v_grant, v_object in
        select f.name, f.object
        from parley.catalog_fingerprint() as f
        where
            f.kind = 'grant'
            and (
                f.name ~ ' to (public|anon)( with grant option)?$'
                or starts_with(f.object, 'schema ')
                or f.object in (
                    select 'routine ' || e.name from parley.expected_object as e where e.kind = 'function'
                    union
                    select 'table ' || e.name from parley.expected_object as e where e.kind = 'view'
                )
                or starts_with(f.object, 'table parley.')
                or starts_with(f.object, 'sequence parley.')
            )
    loop
        execute 'revoke ' || regexp_replace(v_grant, ' to (\w+)( with grant option)?$', ' from \1 cascade');
        v_routines := v_routines || substring(v_object from '^routine (.*)$');
    end loop;
    perform set_config(
        'parley.only_revoked',
        (
            select coalesce(array_agg(p.oid || ' ' || p.ctid), '{}')::text
            from pg_catalog.pg_proc as p
            where
                p.oid::regprocedure::text = any(v_routines)
                and age(p.xmin) <= age(pg_current_xact_id()::xid)
        ),
        true
    );
end
$revoke$;
