-- What both doors run last, when every table and function is there.

-- A function whose arguments have changed since the last release is another function to PostgreSQL: the new one is made
-- beside the old one, and calls that fit both fail. Every function is made anew by each installation, so an overload
-- that this transaction has not written is the old one. What else changes is for a migration, which drops the old one:
-- a function that is gone, one with fewer arguments, other names of arguments, another result.
do $overloads$
declare
    v_old regprocedure;
    v_only_revoked text[] := current_setting('parley.only_revoked')::text[];
begin
    for v_old in
        select p.oid::regprocedure
        from pg_catalog.pg_proc as p
        where
            p.pronamespace in ('parley_api'::regnamespace, 'parley'::regnamespace)
            -- ages, because the rows may carry subtransactions of this one, which are younger
            and (
                age(p.xmin) > age(pg_current_xact_id()::xid)
                or p.oid || ' ' || p.ctid = any(v_only_revoked)
            )
            and exists (
                select from pg_catalog.pg_proc as n
                where
                    n.pronamespace = p.pronamespace
                    and n.proname = p.proname
                    and age(n.xmin) <= age(pg_current_xact_id()::xid)
                    and n.oid || ' ' || n.ctid <> all(v_only_revoked)
            )
        order by p.pronamespace = 'parley'::regnamespace, p.oid
    loop
        execute format('drop routine %s', v_old);
    end loop;
end
$overloads$;

-- After a restore from a dump into another cluster; otherwise it changes nothing.
do $finish$
begin
    perform parley.adopt_log();
end
$finish$;

-- Row-level security is switched on by migrations, once; policies are made by every installation. So one that this
-- transaction has not written is none of this release's, and lets in whom it should not.
do $security$
declare
    v_statement text;
begin
    for v_statement in
        select format('drop policy %I on %s', p.polname, p.polrelid::regclass)
        from pg_catalog.pg_policy as p
        inner join pg_catalog.pg_class as c on p.polrelid = c.oid
        where
            c.relnamespace = 'parley'::regnamespace
            and age(p.xmin) > age(pg_current_xact_id()::xid)
            and (
                c.relispartition
                or c.oid::regclass::text in (
                    select substring(e.name from ' on (.*)$') from parley.expected_object as e where e.kind = 'constraint'
                )
            )
        union all
        select format('alter table %s enable row level security', c.oid::regclass)
        from pg_catalog.pg_class as c
        where c.relnamespace = 'parley'::regnamespace and c.relkind in ('r', 'p') and not c.relrowsecurity
        union all
        select format('alter table %s no force row level security', c.oid::regclass)
        from pg_catalog.pg_class as c
        where c.relnamespace = 'parley'::regnamespace and c.relkind in ('r', 'p') and c.relforcerowsecurity
    loop
        raise warning 'repaired: %', v_statement;
        execute v_statement;
    end loop;
end
$security$;

-- What is here now is what `parley doctor` expects from now on.
do $record$
begin
    perform parley.record_catalog();
end
$record$;

-- The closing line of the psql door and of `parley migrate`.
do $result$
declare
    v_before text := current_setting('parley.before');
begin
    perform set_config(
        'parley.result',
        'Parley ' || parley.version() || case
            when v_before = '' then ' installed'
            when v_before <> parley.version() then ' installed, upgraded from ' || v_before
            when exists (select from parley.migration as m where m.applied_at = now()) then ' installed, with new migrations'
            else ' already current'
        end,
        true
    );
end
$result$;
