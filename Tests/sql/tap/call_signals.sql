-- What devices say to one another while a call is open: to whom it goes, how it is rendered, and that nothing of it stays.
begin;
select plan(43);
\ir ../people.psql

create function t.signal(kind text, other text, payload jsonb, to_device text default null, device text default null)
returns bigint language sql as $$
    select (parley_api.signal_call(t.id('call'), t.id($2), $1, $3, $4, $5) ->> 'signal_id')::bigint
$$;
-- The newest event of a user's own, as clients get it.
create function t.rendered(name text) returns jsonb language sql security definer as $$
    select jsonb_build_object('event', r.kind) || r.payload::jsonb
    from parley.render_events(array(
        select e.id from parley.event e where e.user_id = t.id($1) and e.conversation_id is null order by e.id desc limit 1
    )) r
$$;
create function t.signals() returns bigint language sql security definer as $$ select count(*) from parley.call_signal $$;

select t.act('ann');
select t.keep('group', parley_api.start_conversation(array[t.id('bob'), t.id('cid'), t.id('dan')], 'group') ->> 'id');
select t.keep('call', parley_api.start_call(t.id('group'), 'voice', 'a1', array[t.id('bob'), t.id('cid')]) ->> 'id');
select t.last_event_seq('group') as before \gset

-- --- what is let through
select t.signal('offer', 'bob', '{"sdp": "v=0 early"}') as id \gset
select is(
    t.rendered('bob') - 'at',
    jsonb_build_object(
        'event', 'call:offer', 'conversation_id', t.id('group'), 'event_seq', null, 'actor_id', t.id('ann'),
        'user_id', t.id('bob'), 'call_id', t.id('call'), 'signal_id', :id, 'from_user_id', t.id('ann'),
        'from_device_id', 'a1', 'to_device_id', null, 'payload', '{"sdp": "v=0 early"}'::jsonb
    ),
    'an offer to who still rings is for all their devices'
);
select is(
    t.look($$select e.data - 'signal_id' from parley.event e where e.kind = 'call:offer'$$)::jsonb,
    jsonb_build_object('conversation_id', t.id('group'), 'call_id', t.id('call')),
    'the log itself carries ids only'
);
select is(t.events_since('group', :before), null, 'the conversation''s log carries nothing of it');
select t.act('bob');
select parley_api.accept_call(t.id('call'), 'b1') is null as ok \gset
select is(t.rendered('bob') ->> 'event', 'call:answered_elsewhere', 'the other devices of who answers are told');
select is(t.rendered('bob') -> 'call' ->> 'state', 'active', 'with the call');
select t.signal('answer', 'ann', '{"sdp": "v=0 answer"}', 'a1', 'b1') is null as ok \gset
select is(t.rendered('ann') ->> 'event', 'call:answer', 'the answer is an event for the initiator');
select is(t.rendered('ann') ->> 'to_device_id', 'a1', 'for the one device');
select is(t.rendered('ann') ->> 'from_device_id', 'b1', 'from the one that answered');
select t.signal('ice', 'ann', '{"candidates": []}', 'a1') is null as ok \gset
select is(t.rendered('ann') ->> 'event', 'call:ice', 'candidates follow');
select t.signal('renegotiate', 'ann', '{"sdp": "v=0 screen"}', 'a1') is null as ok \gset
select is(t.rendered('ann') ->> 'event', 'call:renegotiate', 'and changes later');
select is(
    t.look($$select signals from parley.call_participant where user_id = t.id('bob')$$), '3', 'each is counted'
);

-- --- what is not
select t.refused('PT400', $$select t.signal('hello', 'ann', '{}')$$, 'a kind that is none');
select t.refused('PT400', $$select t.signal(null, 'ann', '{}')$$, 'no kind');
select t.refused('PT400', $$select t.signal('ice', 'ann', '[]')$$, 'a payload that is no object');
select t.refused('PT400', $$select t.signal('ice', 'ann', null)$$, 'no payload');
select t.refused('PT400', $$select t.signal('ice', 'ann', '{}', 'a 1')$$, 'a device that is none');
select t.refused('PT400', $$select t.signal('ice', 'bob', '{}')$$, 'oneself');
select t.refused('PT400', $$select parley_api.signal_call(t.id('call'), null, 'ice', '{}')$$, 'nobody');
select t.refused('PT400', $$select parley_api.signal_call(null, t.id('ann'), 'ice', '{}')$$, 'no call');
select t.refused('PT404', $$select parley_api.signal_call(t.id('none'), t.id('ann'), 'ice', '{}')$$, 'an unknown call');
select t.refused('PT413', $$select t.signal('ice', 'ann', jsonb_build_object('c', repeat('x', 16384)))$$, 'more than 16 KB');
select t.refused('PT409', $$select t.signal('ice', 'ann', '{}', 'a2')$$, 'a device of theirs that is not in it');
select t.refused('PT409', $$select t.signal('ice', 'ann', '{}', 'a1', 'b2')$$, 'a device of one''s own that is not in it');
select t.refused('PT409', $$select t.signal('ice', 'dan', '{}')$$, 'somebody of the conversation who is not in the call');
select t.refused('PT409', $$select t.signal('ice', 'eve', '{}')$$, 'somebody of nowhere');
select t.act('cid');
select t.refused('PT409', $$select t.signal('ice', 'ann', '{}')$$, 'who rings sends nothing before they accept');
select t.act('dan');
select t.refused('PT409', $$select t.signal('ice', 'ann', '{}')$$, 'nor does who was not called');
select t.act('eve');
select t.refused('PT404', $$select t.signal('ice', 'ann', '{}')$$, 'for a stranger there is no call');
select t.look($$update parley.tier_limit set amount = 4 where name = 'max_signals_per_call' returning 1$$);
select t.act('bob');
select lives_ok($$select t.signal('ice', 'ann', '{}')$$, 'as many as the plan allows');
select t.refused('PT403', $$select t.signal('ice', 'ann', '{}')$$, 'and not one more');
select is(t.look($$select signals from parley.call_participant where user_id = t.id('bob')$$), '4', 'which is not counted');

-- --- nothing of it stays
select is(t.signals(), 5::bigint, 'while the call is open its signals are kept, for who reconnects');
select parley_api.end_call(t.id('call')) is null as ok \gset
select is(
    t.look($$select r.payload::jsonb ->> 'payload' from parley.render_events(array(
        select e.id from parley.event e where e.kind = 'call:offer')) r$$),
    null, 'who left is no longer shown what was said to them'
);
select t.act('ann');
select is(t.rendered('ann') -> 'payload', '{}'::jsonb, 'who is in it still is');
select parley_api.end_call(t.id('call')) ->> 'outcome' as outcome \gset
select is(:'outcome'::text, 'completed', 'the last one ends it');
select is(t.signals(), 0::bigint, 'and what was said is deleted');
select is(t.rendered('ann') ->> 'event', 'call:ice', 'its events stay');
select is(t.rendered('ann') -> 'payload', 'null'::jsonb, 'and say nothing');
select t.refused('PT409', $$select t.signal('ice', 'bob', '{}')$$, 'after the end nothing is sent');
select is(t.look($$select has_table_privilege('authenticated', 'parley.call_signal', 'select')
    or has_table_privilege('authenticated', 'parley.call', 'select')
    or has_table_privilege('authenticated', 'parley.call_participant', 'select')$$), 'false', 'nobody reads the tables');
select is(
    t.look($$select count(*) from pg_catalog.pg_constraint where confrelid = 'parley.call'::regclass and confdeltype = 'c'$$),
    '2', 'with a call its parts and signals go'
);

-- --- who leaves is shown nothing of a call any more, also not by events of their own that came before
select t.act('ann');
select t.keep('call', parley_api.start_call(t.id('group'), 'voice', 'a1', array[t.id('bob'), t.id('cid')]) ->> 'id');
select t.act('bob');
select parley_api.accept_call(t.id('call'), 'b1') is null as ok \gset
select is(t.rendered('bob') -> 'call' ->> 'id', t.id('call')::text, 'who answered is shown the call on every device');
select t.act('ann');
select parley_api.remove_participant(t.id('group'), t.id('bob')) is null as ok \gset
select is(
    t.look($$select r.payload::jsonb -> 'call' from parley.render_events(array(
        select e.id from parley.event e where e.kind = 'call:answered_elsewhere' and e.user_id = t.id('bob')
        order by e.id desc limit 1)) r$$),
    null, 'and once they were removed, no longer'
);
select * from finish();
rollback;
