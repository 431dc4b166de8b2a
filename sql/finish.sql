-- What both doors run last, when every table and function is there.

-- What replaced.sql has set aside: nothing of this release depends on it any more. What of the host's still does stops
-- the installation here, by name.
do $replaced$
declare
    v_old regprocedure;
begin
    for v_old in
        select p.oid::regprocedure
        from pg_catalog.pg_proc as p
        where p.pronamespace in ('parley_api'::regnamespace, 'parley'::regnamespace) and p.proname ~ '__replaced_[0-9]+$'
        order by p.pronamespace = 'parley'::regnamespace, p.oid
    loop
        execute format('drop routine %s', v_old);
    end loop;
end
$replaced$;

-- PostgreSQL gives every new function to everybody. Here nothing is PUBLIC's; all grants are in the files, by role.
do $public$
declare
    v_object text;
begin
    for v_object in
        select 'routine ' || p.oid::regprocedure
        from pg_catalog.pg_proc as p
        cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as g
        where p.pronamespace in ('parley'::regnamespace, 'parley_api'::regnamespace) and g.grantee = 0
        union
        select case c.relkind when 'S' then 'sequence ' else 'table ' end || c.oid::regclass
        from pg_catalog.pg_class as c
        cross join lateral aclexplode(c.relacl) as g
        where
            c.relnamespace in ('parley'::regnamespace, 'parley_api'::regnamespace)
            and c.relkind in ('r', 'p', 'v', 'm', 'S')
            and g.grantee = 0
    loop
        execute format('revoke all on %s from public', v_object);
    end loop;
end
$public$;

-- What every database needs before its first message. adopt_log is for a dump that was restored into another cluster;
-- the copies of limits follow the defaults of this release.
do $finish$
begin
    perform parley.adopt_log();
    perform parley.ensure_partitions();
    perform parley.create_consumer('search');
    perform parley.set_tier_limit_copies();
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
