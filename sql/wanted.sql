-- What this release wants of tables and views that are in use. The files that follow make it in the schema
-- parley_wanted, where nobody else waits for a lock: each view, and policies, triggers and grants on an empty copy of
-- each table. At the end finish.sql compares, changes what differs, and drops the schema. So an installation that
-- changes nothing takes no lock that a reader or a sender waits for, and one that does holds it for a moment.

create schema parley_wanted;

do $wanted$
declare
    v_table text;
begin
    -- a table of Parley: recorded by an installation, or made by this one
    for v_table in
        select c.relname
        from pg_catalog.pg_class as c
        where
            c.relnamespace = 'parley'::regnamespace
            and c.relkind in ('r', 'p')
            and not c.relispartition
            and (
                age(c.xmin) <= age(pg_current_xact_id()::xid)
                or not exists (select from parley.expected_object as e where e.kind = 'column')
                or exists (
                    select from parley.expected_object as e
                    where e.kind = 'column' and starts_with(e.name, c.oid::regclass || '.')
                )
            )
        order by 1
    loop
        execute format('create table parley_wanted.%1$I (like parley.%1$I)', v_table);
    end loop;
end
$wanted$;

-- Tables that stand for tables of Parley, and views for views: what is there, beside what is wanted. Of a partition
-- nothing is wanted.
create view parley_wanted.pair as
select
    c.oid::regclass::text as name,
    'table' as kind,
    c.oid as actual,
    w.oid as wanted
from pg_class as w
inner join pg_class as c
    on w.relname = c.relname and c.relnamespace = 'parley'::regnamespace and c.relkind in ('r', 'p')
where w.relnamespace = 'parley_wanted'::regnamespace and w.relkind = 'r'
union all
select
    i.inhrelid::regclass::text,
    'table',
    i.inhrelid,
    null
from pg_inherits as i
inner join pg_class as c on i.inhrelid = c.oid and c.relispartition and c.relkind in ('r', 'p')
inner join pg_class as p on i.inhparent = p.oid and p.relnamespace = 'parley'::regnamespace
union all
select
    format('parley_api.%I', w.relname),
    'view',
    c.oid,
    w.oid
from pg_class as w
left join pg_class as c on w.relname = c.relname and c.relnamespace = 'parley_api'::regnamespace and c.relkind = 'v'
where w.relnamespace = 'parley_wanted'::regnamespace and w.relkind = 'v' and w.relname <> 'pair';

-- The statements that make what is there as it is wanted, in order; relation is null for those that lock nobody out.
create function parley_wanted.differences()
returns table (place integer, relation text, statement text)
language sql stable
set search_path = pg_catalog, pg_temp
-- as text: it asks functions that come later
as $differences$
    with pair as materialized (
        select p.name, p.kind, p.actual, p.wanted from parley_wanted.pair as p
    ),

    side as (
        select p.name, p.kind, s.is_wanted, case when s.is_wanted then p.wanted else p.actual end as object
        from pair as p
        cross join (values (true), (false)) as s (is_wanted)
    ),

    policy as (
        select
            s.name,
            s.is_wanted,
            quote_ident(p.polname) as policy,
            format(
                'as %s for %s to %s%s%s',
                case when p.polpermissive then 'permissive' else 'restrictive' end,
                case p.polcmd
                    when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all'
                end,
                (
                    select string_agg(coalesce(quote_ident(o.rolname), 'public'), ', ' order by o.rolname)
                    from unnest(p.polroles) as x (role_id)
                    left join pg_roles as o on x.role_id = o.oid
                ),
                ' using (' || pg_get_expr(p.polqual, p.polrelid) || ')',
                ' with check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')'
            ) as definition
        from side as s
        inner join pg_policy as p on s.object = p.polrelid
    ),

    trigger_ as (
        select
            s.name,
            s.is_wanted,
            quote_ident(t.tgname) as trigger_,
            t.tgenabled,
            replace(pg_get_triggerdef(t.oid), ' ON parley_wanted.', ' ON parley.') as definition
        from side as s
        inner join pg_trigger as t on s.object = t.tgrelid and not t.tgisinternal and t.tgparentid = 0
    ),

    grant_ as (
        select
            s.name,
            s.is_wanted,
            format('%s%%s on table %s', lower(g.privilege_type), s.name) as privilege,
            x.column_,
            coalesce(quote_ident(o.rolname), 'public') as grantee,
            g.is_grantable
        from side as s
        cross join lateral (
            select c.relacl as acl, null::text as column_ from pg_class as c where c.oid = s.object
            union all
            select a.attacl, quote_ident(a.attname)
            from pg_attribute as a
            where a.attrelid = s.object and a.attnum > 0 and not a.attisdropped
        ) as x
        cross join lateral aclexplode(x.acl) as g
        left join pg_roles as o on g.grantee = o.oid
        where g.grantee = 0 or o.rolname in ('anon', 'authenticated', 'service_role', 'parley_worker')
    ),

    only_ as (
        select g.name, g.privilege, g.column_, g.grantee, g.is_grantable, bool_or(g.is_wanted) as is_wanted
        from grant_ as g
        group by g.name, g.privilege, g.column_, g.grantee, g.is_grantable
        having count(distinct g.is_wanted) = 1
    ),

    comment_ as (
        select
            s.name,
            s.is_wanted,
            format('%s %s', s.kind, s.name) as object,
            obj_description(s.object, 'pg_class') as text
        from side as s
        where s.kind = 'view'
        union all
        select s.name, s.is_wanted, format('column %s.%I', s.name, a.attname), col_description(s.object, a.attnum)
        from side as s
        inner join pg_attribute as a on s.object = a.attrelid and a.attnum > 0 and not a.attisdropped
        where s.kind = 'view'
        union all
        select s.name, s.is_wanted, format('policy %I on %s', p.polname, s.name), obj_description(p.oid, 'pg_policy')
        from side as s
        inner join pg_policy as p on s.object = p.polrelid
        union all
        select s.name, s.is_wanted, format('trigger %I on %s', t.tgname, s.name), obj_description(t.oid, 'pg_trigger')
        from side as s
        inner join pg_trigger as t on s.object = t.tgrelid and not t.tgisinternal and t.tgparentid = 0
        where s.name in (select p.name from pair as p where p.wanted is not null)
    )

    select 1, p.name, format('alter table %s enable row level security', p.name)
    from pair as p
    inner join pg_class as c on p.actual = c.oid
    where p.kind = 'table' and not c.relrowsecurity
    union all
    select 1, p.name, format('alter table %s no force row level security', p.name)
    from pair as p
    inner join pg_class as c on p.actual = c.oid
    where p.kind = 'table' and c.relforcerowsecurity
    union all
    select 1, e.name, format('drop view %s', e.name)
    from parley.expected_object as e
    inner join pg_class as c on e.name = c.oid::regclass::text and c.relkind = 'v'
    left join pair as p on e.name = p.name
    where e.kind = 'view' and p.name is null
    union all
    select
        2,
        p.name,
        format(
            'create or replace view %s with (%s) as %s',
            p.name, array_to_string(w.reloptions, ', '), pg_get_viewdef(w.oid)
        )
    from pair as p
    inner join pg_class as w on p.wanted = w.oid and p.kind = 'view'
    left join pg_class as c on p.actual = c.oid
    where
        pg_get_viewdef(c.oid) is distinct from pg_get_viewdef(w.oid)
        or c.reloptions is distinct from w.reloptions
    union all
    select
        2,
        coalesce(a.name, w.name),
        concat_ws(
            '; ',
            'drop policy ' || a.policy || ' on ' || a.name,
            'create policy ' || w.policy || ' on ' || w.name || ' ' || w.definition
        )
    from (select p.name, p.policy, p.definition from policy as p where p.is_wanted) as w
    full join (select p.name, p.policy, p.definition from policy as p where not p.is_wanted) as a
        on w.name = a.name and w.policy = a.policy
    where w.definition is distinct from a.definition
    union all
    select 2, w.name, concat_ws('; ', 'drop trigger ' || a.trigger_ || ' on ' || a.name, w.definition)
    from (select t.name, t.trigger_, t.definition from trigger_ as t where t.is_wanted) as w
    left join (select t.name, t.trigger_, t.definition, t.tgenabled from trigger_ as t where not t.is_wanted) as a
        on w.name = a.name and w.trigger_ = a.trigger_
    where a.definition is distinct from w.definition or a.tgenabled <> 'O'
    union all
    -- what an earlier release left; triggers of the host stay
    select 2, t.name, format('drop trigger %s on %s', t.trigger_, t.name)
    from trigger_ as t
    inner join parley.expected_object as e on e.kind = 'trigger' and e.name = t.trigger_ || ' on ' || t.name
    where
        not t.is_wanted
        and not exists (
            select from trigger_ as w where w.is_wanted and w.name = t.name and w.trigger_ = t.trigger_
        )
    union all
    select
        3,
        null,
        format('revoke %s from %s cascade', format(g.privilege, coalesce(' (' || g.column_ || ')', '')), g.grantee)
    from only_ as g
    where not g.is_wanted
    union all
    select
        4,
        null,
        format(
            'grant %s to %s',
            format(g.privilege, coalesce(' (' || string_agg(g.column_, ', ' order by g.column_) || ')', '')),
            g.grantee
        )
    from only_ as g
    where g.is_wanted
    group by g.name, g.privilege, g.grantee, g.column_ is null
    union all
    select
        3,
        null,
        format('revoke all on sequence %s from %s cascade', c.oid::regclass, coalesce(quote_ident(o.rolname), 'public'))
    from pg_class as c
    cross join lateral aclexplode(c.relacl) as g
    left join pg_roles as o on g.grantee = o.oid
    where
        c.relnamespace = 'parley'::regnamespace
        and c.relkind = 'S'
        and (g.grantee = 0 or o.rolname in ('anon', 'authenticated', 'service_role', 'parley_worker'))
    union all
    select 5, null, format('comment on %s is %L', w.object, w.text)
    from comment_ as w
    left join comment_ as a on w.object = a.object and not a.is_wanted
    where w.is_wanted and a.text is distinct from w.text
    union all
    -- comments on tables are made by migrations, once
    select 5, null, format('comment on %s is %L', e.name, e.definition)
    from parley.expected_object as e
    left join parley.catalog_fingerprint() as f on e.kind = f.kind and e.name = f.name
    where
        e.kind = 'comment'
        and e.name ~ '^(table|column) parley\.'
        and f.definition is distinct from e.definition
        and case
            when starts_with(e.name, 'table') then to_regclass(substr(e.name, 7)) is not null
            else exists (
                select from pg_attribute as a
                inner join pair as p on a.attrelid = p.actual
                where not a.attisdropped and format('column %s.%I', p.name, a.attname) = e.name
            )
        end
        and not exists (select from parley.migration as m where m.applied_at = now())
    order by 1, 2, 3;
$differences$;
