-- A small API schema with every shape of function and column type the gateway must handle, so that its tests do not
-- depend on Parley's own functions. Run by a superuser in a scratch database.

do $$
begin
    if to_regrole('anon') is null then create role anon nologin; end if;
    if to_regrole('authenticated') is null then create role authenticated nologin; end if;
    if to_regrole('service_role') is null then create role service_role nologin; end if;
end
$$;

create schema hidden;
create schema door;
grant usage on schema door to anon, authenticated, service_role;

create domain hidden.short_text as text constraint short_text_is_short check (length(value) <= 10);

create table hidden.thing (
    id integer primary key,
    name text,
    tag hidden.short_text,
    ref uuid,
    made_at timestamptz not null default '2024-01-02 03:04:05+00',
    done boolean,
    labels text[] not null default '{}',
    data jsonb not null default '{}',
    "odd name" integer not null default 7
);
insert into hidden.thing (id, name, tag, ref, done, labels)
select i, case when i % 10 = 0 then null else 'thing ' || i end, 't' || i % 3,
    ('00000000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid,
    case i % 3 when 0 then true when 1 then false end, array['a' || i % 2]
from generate_series(1, 1500) i;

create view door.things as select * from hidden.thing;
create view door.secrets as select 1 as id;
grant select on door.things to anon, authenticated, service_role;
grant select on door.secrets to service_role;

create function door.echo(a integer, b text default 'x', c jsonb default null, d uuid[] default null) returns jsonb
language sql stable as $$ select jsonb_build_object('a', a, 'b', b, 'c', c, 'd', d) $$;

create function door.whoami() returns jsonb language sql stable as $$
    select jsonb_build_object(
        'role', current_user, 'claims', current_setting('request.jwt.claims', true)::jsonb,
        'method', current_setting('request.method', true), 'path', current_setting('request.path', true),
        'headers', current_setting('request.headers', true)::jsonb,
        'read_only', current_setting('transaction_read_only'))
$$;

create table hidden.counter (value integer not null);
insert into hidden.counter values (0);
create function door.bump(by integer default 1) returns integer language sql volatile security definer as
    $$ update hidden.counter set value = value + by returning value $$;
create function door.bump_rows() returns table (value integer) language sql volatile security definer as
    $$ update hidden.counter set value = counter.value + 1 returning counter.value $$;
create function door.reset() returns void language sql volatile security definer as
    $$ update hidden.counter set value = 0 $$;
create function door.bump_in_stable() returns integer language plpgsql stable security definer as
    $$ begin update hidden.counter set value = value + 1; return 1; end $$;
create function door.bump_then_fail() returns integer language plpgsql volatile security definer as
    $$ begin update hidden.counter set value = value + 1; raise sqlstate 'PT409' using message = 'No.'; end $$;

create function door.numbers(up_to integer) returns table (n integer, square bigint) language sql stable as
    $$ select i, i::bigint * i from generate_series(1, up_to) i $$;
create function door.letters() returns setof text language sql stable as $$ values ('a'), ('b'), ('c') $$;
create function door.one_thing(id integer) returns door.things language sql stable as
    $$ select * from door.things t where t.id = one_thing.id $$;
create function door.things_named(prefix text) returns setof door.things language sql stable as
    $$ select * from door.things t where starts_with(t.name, prefix) order by t.id $$;
create function door.nothing() returns text language sql stable as $$ select null::text $$;
create function door.truth() returns boolean language sql immutable as $$ select true $$;
create function door.plain_json() returns json language sql stable as $$ select '{"b" : 1, "a":[1, 2]}'::json $$;
create function door.whole(jsonb) returns jsonb language sql stable as $$ select $1 $$;
create function door.many(variadic words text[]) returns integer language sql immutable as $$ select cardinality(words) $$;
create function door.tagged(tag hidden.short_text) returns text language sql stable as $$ select tag::text $$;

create function door.twice(a integer) returns text language sql stable as $$ select 'integer' $$;
create function door.twice(a text) returns text language sql stable as $$ select 'text' $$;
create function door.shape(a integer) returns text language sql stable as $$ select 'a' $$;
create function door.shape(a integer, b integer) returns text language sql stable as $$ select 'ab' $$;

create function door.fail(state text, detail text default null, hint text default null) returns void
language plpgsql stable as $$
begin
    raise exception using errcode = state, message = 'It failed.', detail = coalesce(detail, ''), hint = coalesce(hint, '');
end
$$;
create function door.nap(seconds double precision) returns void language sql volatile as $$ select pg_sleep(seconds) $$;
create function door.guarded() returns integer language sql stable as $$ select 1 $$;
revoke all on function door.guarded() from public;
grant execute on function door.guarded() to service_role;
