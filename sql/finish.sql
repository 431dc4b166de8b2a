-- What both doors run last, when every table and function is there.

-- PostgreSQL gives every new function to everybody. Here nothing is PUBLIC's; all grants are in the files, by role.
do $public$
declare
    v_object text;
begin
    for v_object in
        select distinct 'routine ' || p.oid::regprocedure
        from pg_catalog.pg_proc as p
        cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as g
        where p.pronamespace in ('parley'::regnamespace, 'parley_api'::regnamespace) and g.grantee = 0
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
    perform parley_wanted.apply('{}', '{select parley.ensure_partitions()}');
    perform parley.create_consumer('search');
    perform parley.set_tier_limit_copies();
end
$finish$;

-- A stranger's view, table or type of one of our names would be replaced, or stand in the way: refused by name.
do $strangers$
declare
    v_stranger text;
begin
    select
        case
            when c.oid is null then 'the type '
            else case c.relkind when 'v' then 'the view ' else 'the relation ' end
        end || 'parley_api.' || quote_ident(w.relname)
    into v_stranger
    from pg_catalog.pg_class as w
    left join pg_catalog.pg_class as c on w.relname = c.relname and c.relnamespace = 'parley_api'::regnamespace
    left join pg_catalog.pg_type as t on w.relname = t.typname and t.typnamespace = 'parley_api'::regnamespace and t.typrelid = 0
    where
        w.relnamespace = 'parley_wanted'::regnamespace
        and w.relkind = 'v'
        and w.relname <> 'pair'
        and (
            t.oid is not null
            or c.relkind <> 'v'
            or c.relkind = 'v'
            and not exists (select from parley.expected_object as e where e.kind = 'view' and e.name = c.oid::regclass::text)
            and (current_setting('parley.before') = '' or exists (select from parley.expected_object as e where e.kind = 'view'))
        )
    limit 1;
    if found then
        raise exception '% is in the way: Parley has a view of this name, and did not make this one', v_stranger
            using hint = 'Move it into a schema of your own. Nothing has changed.';
    end if;
end
$strangers$;

-- Tables and views become as wanted.sql and the files after it say. Last but for the record: from here to the commit
-- the tables that differ are locked.
do $apply$
declare
    v_is_repair boolean := current_setting('parley.before') = parley.version()
        and not exists (select from parley.migration as m where m.applied_at = now());
    v_relations text[];
    v_statements text[];
    v_statement text;
    v_count integer := 0;
begin
    -- again, because one statement can undo another's right or bring its own defaults
    for v_round in 1..4 loop
        select
            array_agg(distinct d.relation) filter (where d.relation is not null),
            array_agg(d.statement order by d.place, d.relation, d.statement)
        into v_relations, v_statements
        from parley_wanted.differences() as d;
        exit when v_statements is null;
        if v_round = 4 then
            raise exception 'the database does not become as it is wanted: %', v_statements[1];
        end if;
        perform parley_wanted.apply(coalesce(v_relations, '{}'), v_statements);
        v_count := v_count + cardinality(v_statements);
        foreach v_statement in array v_statements loop
            if v_is_repair then
                raise warning 'repaired: %', v_statement;
            end if;
        end loop;
    end loop;
    perform set_config('parley.repaired', case when v_is_repair then v_count else 0 end::text, true);
end
$apply$;

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

-- What is here now is what `parley doctor` expects from now on.
do $record$
begin
    perform parley.record_catalog(
        array(
            select 'function ' || to_regprocedure(i.identity)::text
            from unnest(current_setting('parley.identities')::text[]) as i (identity)
            union all
            select format('trigger %I on parley.%I', t.tgname, c.relname)
            from pg_catalog.pg_trigger as t
            inner join pg_catalog.pg_class as c on t.tgrelid = c.oid
            where c.relnamespace = 'parley_wanted'::regnamespace and not t.tgisinternal
            union all
            select format('view parley_api.%I', c.relname)
            from pg_catalog.pg_class as c
            where c.relnamespace = 'parley_wanted'::regnamespace and c.relkind = 'v'
        )
    );
    drop schema parley_wanted cascade;
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
            when current_setting('parley.repaired') <> '0'
                then ' already current, repaired: ' || current_setting('parley.repaired')
            else ' already current'
        end,
        true
    );
end
$result$;

-- Notifications are committed one after the other in the whole cluster: the commit waits its turn.
set local lock_timeout = '15s';
