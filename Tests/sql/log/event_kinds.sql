-- The catalogue of events: what functions write, and nothing else, is in it; in tests the log refuses the rest.
begin;
select plan(14);
\ir ../people.psql

-- names as the functions have them; those of signals are put together in signal_call
create temp view named as
select p.proname::text as function, p.prosrc as body, m[1] as kind
from pg_proc p, regexp_matches(p.prosrc, '''([a-z]+:[a-z_]+)''', 'g') m
where p.pronamespace = 'parley'::regnamespace and m[1] !~ '^parley:'
union all
select p.proname::text, p.prosrc, 'call:' || m[1]
from pg_proc p, regexp_matches(substring(p.prosrc from 'kind not in \(([^)]*)\)'), '''(\w+)''', 'g') m
where p.pronamespace = 'parley'::regnamespace and p.proname = 'signal_call';
create temp view written as
select n.* from named n
where n.body ~ 'parley\.(append_\w*event|finish_call|ring_next)\(|insert into parley\.event ';

select isnt_empty('select from written', 'there are functions that write events');
select is_empty(
    'select n.function, n.kind from named n where not exists (select from parley.event_kind k where k.name = n.kind)',
    'no function names an event that is not in the catalogue'
);
select is_empty(
    'select k.name from parley.event_kind k where k.durable and not exists (select from written w where w.kind = k.name)',
    'and every durable one is written by some function'
);
select is_empty(
    'select w.kind from written w inner join parley.event_kind k on k.name = w.kind where not k.durable',
    'none that is not durable is'
);
\set sent `grep -rhoE '"[a-z]+:[a-z_]+"' Sources | tr -d '"' | sort -u | tr '\n' ' '`
select set_config('t.sent', :'sent', true) as sent \gset
select is_empty(
    $$select k.name from parley.event_kind k
      where not k.durable and k.name <> all (string_to_array(current_setting('t.sent'), ' '))$$,
    'those the worker sends'
);

-- the watch of known_events.psql
select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('bob')], 'group') ->> 'id');
select t.host();
create function t.append(conversation text, kind text, name text) returns text language sql as $$
    select format('select parley.append_event(%L, %L, null, null, null, %L, null)',
        case when $1 is not null then t.id($1) end, $2, case when $3 is not null then t.id($3) end)
$$;
create function t.denied(query text, name text) returns text language sql as $$ select throws_ok(query, 'P0001', null, name) $$;
select lives_ok(t.append('talk', 'conversation:updated', null), 'an event of the catalogue is written');
select t.denied(t.append('talk', 'conversation:changed', null), 'one that is not in it is refused');
select t.denied(t.append(null, 'conversation:updated', 'ann'), 'as is one for somebody else than it says');
select t.denied(t.append('talk', 'draft:updated', 'ann'), 'either way');
select t.denied(t.append('talk', 'typing:start', 'ann'), 'or one that the worker sends');
select t.denied(t.append(null, 'draft:updated', null), 'or one for nobody');

-- the release's own rows
insert into parley.event_kind values ('demo:gone', '{user}', true, '{}', '0.1.0');
update parley.event_kind set payload = 'another' where name = 'message:new';
delete from parley.event_kind where name = 'message:read';
\ir ../../../sql/functions/log_append/event_kinds.sql
select is((select array_agg(k.name) from parley.event_kind k where k.name in ('demo:gone', 'message:read')), '{message:read}', 'an installation brings what is missing and takes what is gone');
select is((select k.payload from parley.event_kind k where k.name = 'message:new'), '{message}; without event_seq for the sender alone, where nobody else learns of it', 'and corrects what differs');

set local role parley_worker;
select is((select count(*) from parley.event_kinds()), t.look('select count(*) from parley.event_kind')::bigint, 'the worker reads it through its function');
reset role;

select * from finish();
rollback;
