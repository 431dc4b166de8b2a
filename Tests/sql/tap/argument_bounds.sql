-- Every argument of every exposed function is measured before anything is read, locked or expanded. The arguments are
-- those of the catalogue, so a new one is tested by being there.
begin;
select plan(11);
\ir ../people.psql

create table t.too_much (kind text, what text, value text);
insert into t.too_much values
    ('jsonb', 'numbers of 131,072 digits', '{"a": [' || repeat('1e131071,', 7499) || '1e131071]}'),
    ('jsonb', 'numbers of 16,383 decimals', '{"a": [' || repeat('1e-16383,', 7499) || '1e-16383]}'),
    ('jsonb', 'noughts with 16,383 decimals', '{"a": [' || repeat('0e-16383,', 7499) || '0e-16383]}'),
    ('jsonb', 'one number of 131,072 digits', '-1e131071'),
    ('jsonb', '1,000 levels', repeat('[', 1000) || repeat(']', 1000)),
    ('jsonb', 'eight megabytes', to_json(repeat('x', 8000000))::text),
    ('jsonb', '400,000 members', '[' || repeat('0,', 399999) || '0]'),
    ('text', 'eight megabytes', repeat('x', 8000000)),
    ('text', 'eight megabytes of nothing', repeat(' ', 8000000)),
    ('uuid[]', 'a million', array_fill(gen_random_uuid(), array[1000000])::text),
    ('uuid[]', 'two dimensions', array_fill(gen_random_uuid(), array[2, 2])::text),
    ('uuid[]', 'places from 0', '[0:1]={11111111-1111-4111-8111-111111111111,22222222-2222-4222-8222-222222222222}'),
    ('text[]', 'a million', array_fill('x'::text, array[1000000])::text),
    ('text[]', 'one of eight megabytes', array[repeat('x', 8000000)]::text),
    ('text[]', 'two dimensions', '{{a,b},{c,d}}'),
    ('text[]', 'places from 0', '[0:1]={a,b}'),
    ('integer[]', 'a million', array_fill(1, array[1000000])::text),
    ('integer[]', 'two dimensions', '{{1,2},{3,4}}'),
    ('integer[]', 'places from 2', '[2:3]={1,2}');

create table t.argument as
select
    p.proname as function,
    a.name as argument,
    format_type(a.type, null) as kind,
    case when has_function_privilege('authenticated', p.oid, 'execute') then 'authenticated' else 'service_role' end as caller,
    -- what is left out is null, also where it has a default: only this argument is looked at
    (
        select string_agg(
            case when b.n = a.n then '$1::' || format_type(b.type, null) else 'null::' || format_type(b.type, null) end, ', ' order by b.n
        )
        from unnest(p.proargtypes::oid[]) with ordinality as b (type, n)
    ) as list
from pg_proc as p
cross join lateral unnest(p.proargtypes::oid[], p.proargnames) with ordinality as a (type, name, n)
where p.pronamespace = 'parley_api'::regnamespace;

-- the highest the memory of this backend has been, in megabytes
create function t.most_memory() returns bigint language sql as $$
    select substring(pg_read_file('/proc/self/status') from 'VmHWM:[[:space:]]*([0-9]+)')::bigint / 1024
$$;

create table t.answer (function text, argument text, kind text, what text, code text, took interval);

create function t.ask(a t.argument, what text, given anyelement) returns void language plpgsql as $$
declare
    v_code text := 'none';
    v_from timestamptz := clock_timestamp();
begin
    begin
        perform set_config('role', a.caller, true);
        execute format('select parley_api.%I(%s)', a.function, a.list) using given;
    exception when others then
        v_code := sqlstate;
    end;
    insert into t.answer values (a.function, a.argument, a.kind, what, v_code, clock_timestamp() - v_from);
end
$$;

create function t.ask_all() returns void language plpgsql as $$
declare
    m t.too_much;
    v_json jsonb;
    v_ids uuid[];
    v_texts text[];
    v_numbers integer[];
begin
    for m in select * from t.too_much loop
        case m.kind
            when 'jsonb' then
                v_json := m.value;
                perform t.ask(a, m.what, v_json) from t.argument a where a.kind = m.kind;
            when 'text' then
                perform t.ask(a, m.what, m.value) from t.argument a where a.kind = m.kind;
            when 'uuid[]' then
                v_ids := m.value;
                perform t.ask(a, m.what, v_ids) from t.argument a where a.kind = m.kind;
            when 'text[]' then
                v_texts := m.value;
                perform t.ask(a, m.what, v_texts) from t.argument a where a.kind = m.kind;
            when 'integer[]' then
                v_numbers := m.value;
                perform t.ask(a, m.what, v_numbers) from t.argument a where a.kind = m.kind;
        end case;
    end loop;
end
$$;

select is_empty(
    $$select distinct a.kind from t.argument a where a.kind not in (select m.kind from t.too_much m)
        and a.kind not in ('uuid', 'bigint', 'integer', 'boolean', 'interval')$$,
    'every kind of argument that can be large is tried'
);
select cmp_ok(
    (select count(*) from t.argument a where a.kind in (select m.kind from t.too_much m)), '>', 100::bigint, 'and there are many of them'
);

-- Reading the given values costs what it costs; from here on it is the functions that are looked at.
select t.ask_all();
truncate t.answer;
create table t.before as select t.most_memory() as megabytes, (select count(*) from parley.event) as events;
select t.ask_all();

select is_empty(
    $$select a.* from t.answer a where a.code not in ('PT400', 'PT413')$$, 'too much is refused by every function at every argument'
);
select is_empty($$select a.* from t.answer a where a.took > interval '2 seconds'$$, 'at once');
select cmp_ok(
    (select sum(a.took) from t.answer a), '<', (select count(*) from t.answer) * interval '50 ms', 'most of it in no time at all'
);
select cmp_ok((select t.most_memory() - b.megabytes from t.before b), '<', 64::bigint, 'within the memory there was');
select is((select count(*) from parley.event), (select b.events from t.before b), 'and nothing is written');

-- the smallest of what was refused, said by hand
select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('bob')], 'group', title => 'talk') ->> 'id');
select throws_ok(
    $$select parley_api.save_draft(t.id('talk'), 'x', metadata => '{"a": 1e100}')$$,
    'PT400', 'A number in metadata may have at most 100 digits on either side of its point.', 'a number of 101 digits'
);
select is(
    parley_api.send_message(t.id('talk'), 'x', metadata => '{"a": [-9.99e99, 1e-100, 3.14]}') #>> '{metadata,a,2}', '3.14',
    'numbers that anybody needs are taken'
);
select throws_ok(
    format('select parley_api.send_message(t.id(%L), %L, metadata => %L)', 'talk', 'x', repeat('[', 65) || repeat(']', 65)),
    'PT400', 'metadata may be nested at most 64 levels deep.', 'depth has a bound'
);
select t.refused(
    'PT413', $$select parley_api.send_message(t.id('talk'), repeat('x', 1048577))$$, 'a long text is refused by its bytes'
);
select * from finish();
rollback;
