-- What both doors run last, when every table and function is there.

-- A function whose arguments have changed since the last release is another function to PostgreSQL: the new one is made
-- beside the old one, and calls that fit both fail. Every function is made anew by each installation, so an overload
-- that this transaction has not written is the old one. What else changes is for a migration, which drops the old one:
-- a function that is gone, one with fewer arguments, other names of arguments, another result.
do $overloads$
declare
    v_old regprocedure;
begin
    for v_old in
        select p.oid::regprocedure
        from pg_catalog.pg_proc as p
        where
            p.pronamespace in ('parley_api'::regnamespace, 'parley'::regnamespace)
            -- ages, because the rows may carry subtransactions of this one, which are younger
            and age(p.xmin) > age(pg_current_xact_id()::xid)
            and exists (
                select from pg_catalog.pg_proc as n
                where
                    n.pronamespace = p.pronamespace
                    and n.proname = p.proname
                    and age(n.xmin) <= age(pg_current_xact_id()::xid)
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
