-- The access matrix: everything in parley_api, tried by everybody on every kind of row, does exactly what rules.tsv allows;
-- and nothing of schema parley can be reached at all. A function or view without a line in matrix.tsv fails, as does a line
-- without a function.
--
-- A line of matrix.tsv is a call, what it is tried on, what the answer must contain to count as an answer, and exceptions:
-- pairs as in rules.tsv that come before those of the rule. An outcome is one of
--     ok                 it does what it is asked to; if the line says what the answer contains, it contains that
--     empty              an answer without that
--     true, false        the answer of a function that returns a boolean
--     0, 1, 2...         rows of a view
--     42501, PT404...    refused with this SQLSTATE
-- The calls also run in Tests/sql/scans.sql, for their plans.
begin;
select no_plan();
\ir world.psql
\ir calls.psql

-- What comes of a call by this actor. It is undone whatever it is, so that every call meets the same world.
create function t.outcome(actor text, call text, shows text) returns text language plpgsql as $$
declare
    v_view boolean := call !~ '^\w+\(';
    v_call text := t.fill(call);
    v_rows text;
    v_answer text;
    v_type text;
begin
    begin
        perform t.become(actor);
        if v_view then
            execute 'select count(*) from (select * from parley_api.' || v_call || ') x' into v_rows;
        else
            execute format('select string_agg(x::text, %L), min(pg_typeof(x)::text) from parley_api.%s as x', ' ', v_call)
            into v_answer, v_type;
            v_rows := case
                when v_type = 'boolean' then v_answer
                when strpos(coalesce(v_answer, ''), shows) > 0 or shows = '' then 'ok'
                else 'empty'
            end;
        end if;
        raise sqlstate 'ZZ000' using message = v_rows;
    exception
        when sqlstate 'ZZ000' then
            return sqlerrm;
        when others then
            return sqlstate;
    end;
end
$$;

create table t.found as
select x.n, array(select t.outcome(a.name, x.call, x.shows) from t.actor a order by a.place) as outcomes from t.try x;
reset role;

select is_empty('select call from t.try where rule is null', 'every call has a rule');
select is_empty('select line from t.rule where n not in (select rule from t.try)', 'every rule has a call');
-- A pair by itself: of a line, or of a rule.
create view t.pair as
select x.n, x.call, 'exception' as kind, p.pair, p.place from t.try x cross join lateral regexp_split_to_table(x.exceptions, ' ') with ordinality as p (pair, place)
where p.pair <> ''
union all
select r.n, r.line, 'rule', p.pair, p.place from t.rule r cross join lateral regexp_split_to_table(r.pairs, ' ') with ordinality as p (pair, place);
select is_empty(
    $$select p.pair, p.call from t.pair p
      where p.pair !~ '^\w+=\w+$' or split_part(p.pair, '=', 1) not in (select unnest(f::text[]) from t.try x, unnest(x.facts) f)$$,
    'the words of the rules are words of facts.psql'
);
-- Without it, every actor would fare alike.
create view t.idle as
select x.call, p.pair
from t.try x
inner join t.pair p on p.n = x.n and p.kind = 'exception'
where x.outcomes = array(
    select t.verdict(f.facts::text[], concat(
        (select string_agg(q.pair, ' ' order by q.place) from t.pair q where q.n = x.n and q.kind = 'exception' and q.place <> p.place), ' ', x.pairs
    ))
    from unnest(x.facts) with ordinality as f (facts, place) order by f.place
);
select is_empty('select * from t.idle', 'no exception says what the rule says');
select is_empty(
    $$select x.call, o from t.try x, unnest(x.outcomes) o where o !~ '^(ok|empty|true|false|\d{1,2}|42501|PT4\d\d)$'$$,
    'every outcome is an answer or a refusal, and no accident'
);

-- one line at least for each, and each thing tried on every kind of row there is for it
create view t.object as
select p.proname::text as name, p.oid, 'execute' as privilege, coalesce(p.proargnames, '{}') as arguments
from pg_proc p where p.pronamespace = 'parley_api'::regnamespace
union all
select c.relname, c.oid, 'select', '{}'
from pg_class c where c.relnamespace = 'parley_api'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f');
create view t.untried as select o.name from t.object o where o.name not in (select x.object from t.try x);
create view t.unknown as select x.object from t.try x where x.object not in (select o.name from t.object o);
create view t.kind as
select o.name, k.kind
from t.object o
cross join lateral unnest(case
    when o.arguments && '{conversation_id}' then '{group,direct,announcement,archived,locked,request}'::text[]
    when o.arguments && '{message_id}' then '{text,others,early,formers,deleted,expired,hidden,archived_text,theirs_text}'
    when o.arguments && '{call_id}' then '{call,call_ended,call_locked,theirs_call}'
    when o.arguments && '{attachment_id}' then '{declared,uploaded,attached,hidden_file,theirs_file}'
    when o.arguments && '{id}' and o.name ~ 'scheduled' then '{scheduled,cancelled,theirs_scheduled}'
end || case
    when o.name ~ '^(vote|\w+_poll)$' and o.arguments && '{message_id}' then '{poll,poll_closed,poll_deleted,poll_locked,theirs_poll}'::text[]
    when o.arguments && '{attachment_ids}' then '{declared,uploaded,attached,theirs_file}'
    else '{}'
end) as k (kind)
except
select x.object, m[1]
from t.try x cross join lateral regexp_matches(x.call, '\{(\w+)\}', 'g') m;

savepoint example;
create function parley_api.bad_example(conversation_id uuid) returns integer language sql as 'select 1';
create view parley_api.worse_example as select 1;
insert into t.try (call, object) values ('gone_example()', 'gone_example');
select count(*) as found from t.untried where name ~ '_example$' \gset untried_
select count(*) as found from t.unknown \gset unknown_
select count(*) as found from t.kind where name = 'bad_example' \gset kind_
rollback to example;
select is(:untried_found, 2, 'a function or view that is not in the matrix is found');
select is_empty('select * from t.untried', 'everything in parley_api is in the matrix');
select is(:unknown_found, 1, 'a line without a function is found');
select is_empty('select * from t.unknown', 'everything in the matrix is in parley_api');
select is(:kind_found, 6, 'a kind of row on which a function is not tried is found');
select is_empty('select * from t.kind', 'every function is tried on every kind of row that it takes');
select is_empty('select call, shows, what from t.try group by call, shows, what having count(*) > 1', 'no line stands twice');
select is_empty('select name from t.object group by name having count(*) > 1', 'no name stands for two things');

-- the matrix itself
select ok(
    f.outcomes = x.outcomes,
    format('%s%s', x.object, coalesce(' on ' || nullif(x.what, ''), ''))
) || coalesce(
    (
        select E'\n' || string_agg(diag(format('%s: %s by %s is %s, not %s', x.n, x.call, a.name, f.outcomes[a.place], x.outcomes[a.place])), E'\n')
        from t.actor a
        where f.outcomes[a.place] is distinct from x.outcomes[a.place]
    ),
    ''
)
from t.try x inner join t.found f using (n) order by x.n;

-- what is granted is what the matrix says: a role may execute what some actor of it is not refused, and nothing else
select set_eq(
    $$select o.name, r.role from t.object o, (select distinct role from t.actor) r
      where case o.privilege when 'execute' then has_function_privilege(r.role, o.oid, 'execute') else has_table_privilege(r.role, o.oid, 'select') end$$,
    $$select distinct x.object, a.role from t.try x, t.actor a where x.outcomes[a.place] <> '42501'$$,
    'roles are granted what the matrix lets them do'
);
select is_empty(
    $$select o.name from t.object o
      where case o.privilege when 'execute' then has_function_privilege('anon', o.oid, 'execute') else has_table_privilege('anon', o.oid, 'select') end$$,
    'and anonymous callers nothing'
);

-- the views are for reading
create function t.written(actor text) returns table (name text, statement text, code text) language plpgsql as $$
declare
    v_try record;
begin
    for v_try in
        select c.oid::regclass::text as name, format(s.statement, c.oid::regclass, a.attname) as statement
        from pg_class c
        inner join pg_attribute a on a.attrelid = c.oid and a.attnum = 1
        cross join lateral unnest(array[
            'insert into %1$s (%2$I) values (null)', 'update %1$s set %2$I = %2$I', 'delete from %1$s', 'truncate %1$s'
        ]) as s (statement)
        where c.relnamespace = 'parley_api'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')
    loop
        begin
            perform t.become(actor);
            execute v_try.statement;
            raise sqlstate 'ZZ000';
        exception
            -- some views cannot be written by anybody
            when insufficient_privilege or object_not_in_prerequisite_state or wrong_object_type then
                null;
            when others then
                return query select v_try.name, v_try.statement, sqlstate::text;
        end;
    end loop;
end
$$;
select is_empty(format('select * from t.written(%L)', a.name), 'no view is written by ' || a.name) from t.actor a order by a.place;

-- schema parley, by real attempts: every table, view and sequence is read and written, every function is called
create table t.private (name text, statement text);
insert into t.private
select c.oid::regclass, format(s.statement, c.oid::regclass, a.attname)
from pg_class c
left join pg_attribute a on a.attrelid = c.oid and a.attnum = 1
cross join lateral unnest(case
    when c.relkind = 'S' then array['select last_value from %1$s', 'select nextval(%1$L)', 'select setval(%1$L, 1)']
    else array[
        'select from %1$s limit 1', 'select %2$I from %1$s limit 1', 'insert into %1$s (%2$I) values (null)',
        'update %1$s set %2$I = null', 'delete from %1$s', 'truncate %1$s', 'lock %1$s'
    ]
end) as s (statement)
where c.relnamespace = 'parley'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f');
insert into t.private
select
    p.oid::regprocedure,
    format(
        case p.prokind when 'p' then 'call' else 'select' end || ' parley.%I(%s)', p.proname,
        (select string_agg(format('null::%s', format_type(g, null)), ', ') from unnest(p.proargtypes) g)
    )
from pg_proc p
where p.pronamespace = 'parley'::regnamespace;
grant select on t.private to public;

create function t.reached(actor text) returns table (name text, statement text, code text) language plpgsql as $$
declare
    v_try record;
begin
    for v_try in select p.name, p.statement from t.private p loop
        begin
            perform t.become(actor);
            execute v_try.statement;
            raise sqlstate 'ZZ000';
        exception
            when insufficient_privilege then
                -- the refusal of a function from within would be one that was called
                if sqlerrm !~ '^permission denied for schema parley' then
                    return query select v_try.name, v_try.statement, sqlerrm;
                end if;
            when others then
                return query select v_try.name, v_try.statement, sqlstate::text;
        end;
    end loop;
end
$$;
select cmp_ok((select count(*) from t.private), '>', 400::bigint, 'there is much to try in schema parley');
select is_empty(format('select * from t.reached(%L)', a.name), 'nothing of it can be reached by ' || a.name)
from t.actor a where a.name in ('anonymous', 'stranger', 'member', 'admin', 'moderator', 'service', 'nameless') order by a.place;

select * from finish();
rollback;
