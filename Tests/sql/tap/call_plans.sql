-- What calls read: by index alone, whatever the number of calls on record.
begin;
select plan(14);
\ir ../people.psql

-- Rows read from the tables of calls, whole or by index, by anything that happens inside a statement. Not what an index
-- returns: that includes the dead entries of tests before this one.
create function t.tuples() returns bigint language sql security definer as $$
    select sum(
        pg_stat_get_xact_tuples_fetched(c.oid)
        + case c.relkind when 'r' then pg_stat_get_xact_tuples_returned(c.oid) else 0 end
    )::bigint
    from pg_catalog.pg_class c
    where c.relnamespace = 'parley'::regnamespace and c.relkind in ('r', 'i') and c.relname ~ '^call'
$$;
create function t.read_by(query text) returns bigint language plpgsql as $$
declare
    v_before bigint := t.tuples();
begin
    execute query;
    return t.tuples() - v_before;
end
$$;
create function t.expire() returns boolean language sql security definer as $$ select parley.expire_calls() $$;
create function t.render() returns text language sql security definer as $$
    select max(payload) from parley.render_events(array(
        select e.id from parley.event e where e.kind like 'call:%' order by e.id desc limit 1))
$$;

select t.act('ann');
select t.keep('us', parley_api.start_conversation(array[t.id('bob')]) ->> 'id');
select t.keep('group', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group') ->> 'id');
select t.host();
-- 20,000 calls of 1,000 conversations, and 2,000 of one; all of Dan's and Eve's but those of the one
insert into parley.conversation (id) select md5('conversation ' || n)::uuid from generate_series(1, 1000) n;
insert into parley.participant (conversation_id, user_id)
select md5('conversation ' || n)::uuid, t.id(p) from generate_series(1, 1000) n, unnest(array['dan', 'eve']) p;
insert into parley.call (id, conversation_id, initiator_id, event_seq, created_at, ring_expires_at, ended_at, kind, state, outcome)
select
    parley.uuid_v7(now() - make_interval(secs => n)), md5('conversation ' || n % 1000 + 1)::uuid, t.id('dan'), n, now(), now(),
    now(), 'voice', 'ended', 'missed'
from generate_series(1, 20000) n;
insert into parley.call (id, conversation_id, initiator_id, event_seq, created_at, ring_expires_at, ended_at, kind, state, outcome)
select parley.uuid_v7(now() - make_interval(secs => n)), t.id('us'), t.id('ann'), n + 100, now(), now(), now(), 'voice', 'ended', 'missed'
from generate_series(1, 2000) n;
-- and everywhere but here one that rings
insert into parley.call (id, conversation_id, initiator_id, event_seq, created_at, due_at, ring_expires_at, kind, state)
select
    parley.uuid_v7(), md5('conversation ' || n)::uuid, t.id('dan'), 30000, now(), now() + interval '1 minute', now(), 'voice',
    'ringing'
from generate_series(1, 1000) n;
insert into parley.call_participant (conversation_id, call_id, user_id, state)
select c.conversation_id, c.id, p.user_id, 'left'
from parley.call c inner join parley.participant p using (conversation_id);
analyze parley.call, parley.call_participant, parley.call_signal, parley.conversation, parley.participant;

select t.act('ann');
select cmp_ok(t.read_by($$select parley_api.get_calls(t.id('us'), page_size => 20)$$), '<', 300::bigint, 'a page of a conversation''s calls reads itself');
select parley_api.get_calls(t.id('us'), page_size => 100) ->> 'next_cursor' as cursor \gset
select cmp_ok(t.read_by(format($$select parley_api.get_calls(t.id('us'), %L, 20)$$, :'cursor')), '<', 300::bigint, 'the next one, too');
select cmp_ok(t.read_by($$select parley_api.get_calls(page_size => 20)$$), '<', 400::bigint, 'and one of one''s own');
select t.act('dan');
select cmp_ok(t.read_by($$select parley_api.get_calls(page_size => 20)$$), '<', 400::bigint, 'of many');
select is(jsonb_array_length(parley_api.get_calls(page_size => 20) -> 'calls'), 20, 'which is full');
select t.act('ann');
select cmp_ok(t.read_by($$select t.keep('call', parley_api.start_call(t.id('us'), 'voice', 'a') ->> 'id')$$), '<', 200::bigint, 'a start looks at what is open');
select t.act('bob');
select cmp_ok(t.read_by($$select parley_api.accept_call(t.id('call'), 'b')$$), '<', 200::bigint, 'an accept at its call');
select cmp_ok(t.read_by($$select parley_api.signal_call(t.id('call'), t.id('ann'), 'ice', '{}')$$), '<', 200::bigint, 'a signal, too');
select cmp_ok(t.read_by($$select t.render()$$), '<', 200::bigint, 'reading its event');
select cmp_ok(t.read_by($$select parley_api.get_call(t.id('call'))$$), '<', 200::bigint, 'reading it');
select cmp_ok(t.read_by($$select parley_api.end_call(t.id('call'))$$), '<', 200::bigint, 'and its end');
select cmp_ok(t.read_by($$select t.expire()$$), '<', 200::bigint, 'the clock looks at what is due, which is nothing');
select t.act('ann');
select t.keep('call', parley_api.start_call(t.id('group'), 'voice', 'a') ->> 'id');
select cmp_ok(t.read_by($$select parley_api.remove_participant(t.id('group'), t.id('bob'))$$), '<', 200::bigint, 'a removal looks for an open call');
-- the columns the designs name
select t.host();
select is(
    (select count(*) from pg_catalog.pg_index i where i.indrelid = 'parley.call'::regclass
        and pg_get_indexdef(i.indexrelid) ~ '\((conversation_id|initiator_id), id\)'),
    2::bigint, 'calls are indexed by conversation and by initiator'
);
select * from finish();
rollback;
