-- What is installed, as rows that can be compared: with what the installation recorded (parley.expected_object). Sound
-- partitions give no rows, so that those made later are no difference.

create or replace function parley.catalog_fingerprint()
returns table (kind text, name text, definition text, object text)
language sql stable
set search_path = pg_catalog, pg_temp
-- objects and values are written down in one way
set quote_all_identifiers = off
set standard_conforming_strings = on
set datestyle = 'ISO'
set intervalstyle = 'postgres'
set timezone = 'UTC'
set bytea_output = 'hex'
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
    -- only what is wrong has a row
    select
        'owner',
        o.object,
        quote_ident(pg_get_userbyid(o.owner)),
        o.object
    from (
        select 'routine ' || r.name, r.proowner from routine as r
        union all
        select case r.relkind when 'v' then 'view ' else 'table ' end || r.name, r.relowner
        from relation as r where r.relkind <> 'S'
        union all
        select 'domain ' || t.oid::regtype, t.typowner
        from pg_type as t where t.typnamespace = to_regnamespace('parley') and t.typtype = 'd'
        union all
        select 'schema ' || quote_ident(n.nspname), n.nspowner from pg_namespace as n where n.nspname = 'parley_api'
    ) as o (object, owner)
    where o.owner <> (select n.nspowner from pg_namespace as n where n.nspname = 'parley')
    union all
    select
        'comment',
        c.object,
        c.text,
        c.object
    from (
        select case r.relkind when 'v' then 'view ' else 'table ' end || r.name, obj_description(r.oid, 'pg_class')
        from relation as r where r.relkind <> 'S' and not r.relispartition
        union all
        select format('column %s.%I', r.name, a.attname), col_description(r.oid, a.attnum)
        from relation as r
        inner join pg_attribute as a on r.oid = a.attrelid and a.attnum > 0 and not a.attisdropped
        where r.relkind <> 'S' and not r.relispartition
        union all
        select
            format('%s %s', case r.prokind when 'p' then 'procedure' else 'function' end, r.name),
            obj_description(r.oid, 'pg_proc')
        from routine as r
        union all
        select format('policy %I on %s', p.polname, r.name), obj_description(p.oid, 'pg_policy')
        from pg_policy as p inner join relation as r on p.polrelid = r.oid
    ) as c (object, text)
    where c.text is not null
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
comment on function parley.catalog_fingerprint is
'The objects of both schemas and what API roles may do with them, one row each. Partitions have a row for what they must not have.';

-- Grants on schemas and functions are given anew by every installation, by the files that follow: what is not among
-- them is nobody's. Nobody waits for these. Grants on tables and views: see sql/wanted.sql.
do $revoke$
declare
    v_grant text;
begin
    for v_grant in
        select f.name
        from parley.catalog_fingerprint() as f
        where
            f.kind = 'grant'
            and (
                starts_with(f.object, 'schema ')
                or starts_with(f.object, 'routine ')
                and (
                    f.name ~ ' to (public|anon)( with grant option)?$'
                    or f.object in (select 'routine ' || e.name from parley.expected_object as e where e.kind = 'function')
                )
            )
    loop
        execute 'revoke ' || regexp_replace(v_grant, E' to ([^ ]+)( with grant option)?$', E' from \\1 cascade');
    end loop;
end
$revoke$;
