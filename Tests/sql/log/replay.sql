-- Replay and its pages: everything missed, nothing that is not the reader's to see, and a gap where it was purged.
begin;
select plan(62);
\ir ../setup.psql
-- the search index has yet to read the log, which is kept for it
delete from parley.consumer;

select count(parley_api.send_message(:'conversation', 'message ' || n)) as sent from generate_series(1, 10) n \gset
select last_event_seq as last from parley.conversation where id = :'conversation' \gset

create function pg_temp.replayed(user_id text, topic text, after bigint, since timestamptz, max_rows int)
returns table (kind text, event_seq bigint) language sql as $$
    select kind, event_seq
    from parley.replay('authenticated', user_id::uuid, topic, after, since, max_rows)
    where kind <> 'replay:end'
$$;
-- what a replay says besides events
create function pg_temp.signs(user_id text, topic text, after bigint, since timestamptz, max_rows int, max_bytes bigint default 1048576)
returns jsonb language sql as $$
    select jsonb_agg(r.payload::jsonb - 'conversation_id' || jsonb_build_object('kind', substr(r.kind, 8)) order by r.n)
    from (
        select row_number() over () as n, x.kind, x.payload
        from parley.replay('authenticated', user_id::uuid, topic, after, since, max_rows, max_bytes) x
    ) r
    where r.kind like 'replay:%'
$$;

select results_eq(
    format('select event_seq from pg_temp.replayed(%L, %L, 0, null, 1000)', :'bob', :'topic'),
    format('select generate_series(1, %s)::bigint', :'last'), 'a replay from 0 is the whole log, dense and in order'
);
select results_eq(
    format('select event_seq from pg_temp.replayed(%L, %L, %s, null, 1000)', :'bob', :'topic', :last - 2),
    format('values (%s::bigint), (%s)', :last - 1, :'last'), 'a replay after n begins with n + 1'
);
select is_empty(format('select * from pg_temp.replayed(%L, %L, %s, null, 1000)', :'bob', :'topic', :'last'), 'who has everything gets nothing');
select is(
    pg_temp.signs(:'bob', :'topic', :last, null, 1000), jsonb_build_array(jsonb_build_object('kind', 'end', 'to', :last)), 'but an end'
);
select is(
    pg_temp.signs(:'bob', :'topic', 99999999, null, 1000),
    jsonb_build_array(
        jsonb_build_object('kind', 'gap', 'from', :last + 1, 'to', 99999999, 'reason', 'reset', 'readable', false),
        jsonb_build_object('kind', 'end', 'to', :last)
    ),
    'who claims to have more learns that this log never had it'
);
select is(
    pg_temp.signs(:'bob', :'topic', 9223372036854775807, null, 1000) #>> '{0,reason}', 'reset', 'however much'
);
select results_eq(
    format('select event_seq from pg_temp.replayed(%L, %L, 0, null, 3) where kind <> %L', :'bob', :'topic', 'replay:gap'),
    'select generate_series(1, 3)::bigint', 'a limit leaves out the newest, which get_events brings'
);
select is(
    pg_temp.signs(:'bob', :'topic', 0, null, 3),
    jsonb_build_array(
        jsonb_build_object('kind', 'gap', 'from', 4, 'to', :last, 'reason', 'limit', 'readable', true),
        jsonb_build_object('kind', 'end', 'to', 3)
    ),
    'and says so, and where to go on'
);
select is(pg_temp.signs(:'bob', :'topic', 0, null, :last), jsonb_build_array(jsonb_build_object('kind', 'end', 'to', :last)), 'but not where it leaves out nothing');
select is(
    pg_temp.signs(:'bob', :'topic', 0, null, 1000, 1),
    jsonb_build_array(
        jsonb_build_object('kind', 'gap', 'from', 2, 'to', :last, 'reason', 'size', 'readable', true),
        jsonb_build_object('kind', 'end', 'to', 1)
    ),
    'so does a size, of which the first event is no part'
);
select is(
    pg_temp.signs(:'bob', :'topic', null, now() - interval '1 hour', 1000, 1)::text,
    pg_temp.signs(:'bob', :'topic', 0, null, 1000, 1)::text, 'also in a replay since a time'
);
select is(
    pg_temp.signs(:'bob', 'user:' || :'bob', null, now() - interval '1 hour', 1000, 1),
    jsonb_build_array(
        jsonb_build_object('kind', 'gap', 'from', 2, 'to', :last, 'reason', 'size', 'readable', true),
        jsonb_build_object('kind', 'end', 'to', null)
    ),
    'and in the inbox'
);
savepoint own;
select parley.append_event(null, 'session:revoked', null, null, null, :'bob', null) is null as revoked \gset
select is(
    pg_temp.signs(:'bob', 'user:' || :'bob', null, now() - interval '1 hour', 1000, 1) -> 1,
    '{"kind": "gap", "from": null, "to": null, "reason": "size", "readable": true}', 'where events of the user alone have no numbers'
);
rollback to savepoint own;
select is(
    pg_temp.signs(:'bob', 'user:' || :'bob', 5, null, 1000),
    '[{"kind": "gap", "from": null, "to": null, "reason": "reset", "readable": false}, {"kind": "end", "to": null}]',
    'the inbox has no such positions, and says so'
);
select is(pg_temp.signs(:'bob', :'topic', null, null, 1000), null, 'who asks for nothing is told nothing');
select is(pg_temp.signs(:'eve', :'topic', 0, null, 1000), null, 'nor is who may not');
select is_empty(format('select * from pg_temp.replayed(%L, %L, 0, null, 1000)', :'eve', :'topic'), 'a stranger gets nothing');
select results_eq(
    format('select event_seq from pg_temp.replayed(%L, %L, null, now() - interval %L, 2)', :'bob', :'topic', '1 hour'),
    format('values (null::bigint), (%s), (%s)', :last - 1, :'last'), 'a replay since a time is the newest, oldest first'
);
select is_empty(
    format('select * from pg_temp.replayed(%L, %L, null, clock_timestamp() + interval %L, 5)', :'bob', :'topic', '1 hour'),
    'a replay since the future is empty'
);
select results_eq(
    format('select count(*) from pg_temp.replayed(%L, %L, null, now() - interval %L, 1000) where kind = %L',
        :'bob', 'user:' || :'bob', '1 hour', 'message:new'),
    'values (10::bigint)', 'the inbox replays the events of all conversations'
);
select is_empty(
    format('select * from pg_temp.replayed(%L, %L, null, now() - interval %L, 5)', :'eve', 'user:' || :'bob', '1 hour'),
    'for its user only'
);

-- what a replay since a time leaves out it names
create function pg_temp.gaps(topic text, since timestamptz, max_rows int) returns jsonb language sql as $$
    select coalesce(jsonb_agg(payload::jsonb - 'conversation_id' order by payload::jsonb ->> 'conversation_id'), '[]')
    from parley.replay('authenticated', '22222222-2222-4222-8222-222222222222', topic, null, since, max_rows)
    where kind = 'replay:gap'
$$;
select is(pg_temp.gaps(:'topic', now() - interval '1 hour', 1000), '[]', 'a replay since a time that has everything has no gap');
select is(pg_temp.gaps(:'topic', now() - interval '1 hour', :last), '[]', 'also with exactly as many rows as asked for');
select is(
    pg_temp.gaps(:'topic', now() - interval '1 hour', 2), jsonb_build_array(jsonb_build_object('from', 1, 'to', :last - 2, 'reason', 'limit', 'readable', true)),
    'what a limit cuts off is a gap'
);
select results_eq(
    format('select kind, event_seq from pg_temp.replayed(%L, %L, null, now() - interval %L, 1)', :'bob', :'topic', '1 hour'),
    format('values (%L, null::bigint), (%L, %s)', 'replay:gap', 'message:new', :'last'), 'that comes first'
);
savepoint young;
update parley.event set created_at = created_at - interval '3 hours' where conversation_id = :'conversation' and event_seq <= 8;
update parley.event set created_at = created_at - interval '1 day' where conversation_id = :'conversation' and event_seq <= 3;
select is(
    pg_temp.gaps(:'topic', now() - interval '4 hours', 2), jsonb_build_array(jsonb_build_object('from', 4, 'to', :last - 2, 'reason', 'limit', 'readable', true)),
    'from the first event since that time'
);
select is(
    pg_temp.gaps('user:' || :'bob', now() - interval '4 hours', 2), jsonb_build_array(jsonb_build_object('from', 4, 'to', :last - 2, 'reason', 'limit', 'readable', true)),
    'in the inbox for each conversation'
);
select is(parley.purge_events('12 hours'), 3::bigint, 'events are purged');
select is(
    pg_temp.gaps(:'topic', now() - interval '2 days', 1000), '[{"from": 1, "to": 3, "reason": "purged", "readable": false}]',
    'a replay since a time before that names what is gone'
);
select is(pg_temp.gaps(:'topic', now() - interval '4 hours', 1000), '[]', 'and one since a later time misses nothing');
select is(
    pg_temp.gaps('user:' || :'bob', now() - interval '2 days', 1000),
    '[{"from": 1, "to": 3, "reason": "purged", "readable": false}, {"from": null, "to": null, "reason": "purged", "readable": false}]',
    'the inbox says so, too, and that the user''s own events are gone'
);
rollback to savepoint young;

select parley_api.add_participants(:'conversation', array[:'eve'::uuid]) is not null as added \gset
select parley_api.send_message(:'conversation', 'welcome') is not null as welcomed \gset
select results_eq(
    format('select min(message_seq), max(message_seq) from parley.replay(%L, %L, %L, 0, null, 1000)', 'authenticated', :'eve', :'topic'),
    format('select history_from_seq, history_from_seq + 1 from parley.participant where user_id = %L', :'eve'), 'who joins later is not replayed the messages of before'
);

insert into parley.tier_limit (tier_name, name, amount) values ('privileged_plus', 'retention_days', 30)
on conflict on constraint tier_limit_pkey do update set amount = excluded.amount;
-- the tier reaches back to event 8, with message 5; of what came before, only a reaction is younger
select pg_temp.be(:'bob') is null as is_bob \gset
select parley_api.add_reaction(m.id, '👍') is not null as reacted from parley_api.messages m where m.seq = 2 \gset
select last_event_seq as reaction from parley.conversation where id = :'conversation' \gset
select pg_temp.be(:'eve') is null as is_eve \gset
select parley_api.send_message(:'conversation', 'after it') is not null as sent \gset
savepoint whole;
create function pg_temp.events(after bigint) returns bigint[] language sql as $$
    select array_agg((e #>> '{payload,event_seq}')::bigint order by n)
    from jsonb_array_elements(parley_api.get_events((select id from parley.conversation), after, 1000) -> 'events') with ordinality as x (e, n)
$$;
create function pg_temp.gap(after bigint) returns jsonb language sql as $$
    select nullif(parley_api.get_events((select id from parley.conversation), after) -> 'gap', 'null') - 'conversation_id'
$$;
update parley.event
set
    message_id = parley.uuid_v7(now() - interval '31 days' + event_seq * interval '1 second'),
    created_at = now() - interval '31 days' + event_seq * interval '1 second'
where conversation_id = :'conversation' and event_seq < 8;
update parley.event set message_id = parley.uuid_v7(now() - interval '31 days') where event_seq = :reaction;
select results_eq(
    format('select kind, coalesce(event_seq, (payload::jsonb -> %L)::bigint) from parley.replay(%L, %L, %L, 0, null, 3)', 'from', 'authenticated', :'bob', :'topic'),
    $$values ('replay:gap', 1::bigint), ('message:new', 8::bigint), ('message:new', 9::bigint), ('message:new', 10::bigint), ('replay:gap', 11), ('replay:end', null)$$,
    'what was written before the window of the tier is not replayed, and is a gap'
);
select is(
    pg_temp.gaps(:'topic', '-infinity', 1000), '[{"from": 1, "to": 7, "reason": "beyond_tier", "readable": false}]', 'also in a replay since a time before it'
);
select is(
    (select min(event_seq) from pg_temp.replayed(:'bob', :'topic', null, '-infinity', 1000)), 8::bigint, 'which begins there, too'
);
select is(
    pg_temp.gaps('user:' || :'bob', now() - interval '40 days', 1000), '[{"from": 1, "to": 7, "reason": "beyond_tier", "readable": false}]', 'and in the inbox'
);
select is(pg_temp.gaps(:'topic', now() - interval '29 days', 1000), '[]', 'one since a time in the window misses nothing');
select is(
    pg_temp.gaps(:'topic', now() - interval '40 days', 2) -> 0, '{"from": 1, "to": 7, "reason": "beyond_tier", "readable": false}', 'with a limit the window comes first'
);
select is(pg_temp.gaps(:'topic', now() - interval '40 days', 2) #>> '{1,from}', '8', 'then what the limit cuts off of it');
select is_empty(
    format('select * from parley.replay(%L, null, %L, 0, null, 1000) where kind = %L', 'service_role', :'topic', 'replay:gap'),
    'the service role has no tier'
);
select pg_temp.be(:'bob') is null as is_bob \gset
select is(pg_temp.gap(0), '{"from": 1, "to": 7, "reason": "beyond_tier", "readable": false}', 'pages name the same gap');
select is(pg_temp.gap(3), '{"from": 4, "to": 7, "reason": "beyond_tier", "readable": false}', 'from where the reader is');
select is(pg_temp.gap(7), null, 'and none to who has all of it');
select is(
    pg_temp.events(0), (select array_agg(e::bigint order by e) from generate_series(8, :reaction + 1) e where e <> :reaction),
    'a single event about a message beyond the window is left out, and no loss'
);
select is(pg_temp.gap(:reaction - 1), null, 'also where it is the next');
update parley.event set created_at = now() - interval '31 days' where conversation_id = :'conversation';
select is(pg_temp.gap(0), jsonb_build_object('from', 1, 'to', :reaction + 1, 'reason', 'beyond_tier', 'readable', false), 'a conversation that is older as a whole is one gap');
select is(pg_temp.events(0), null, 'and nothing else');
delete from parley.event where conversation_id = :'conversation' and event_seq <= 5;
select is(pg_temp.gap(0), jsonb_build_object('from', 1, 'to', :reaction + 1, 'reason', 'beyond_tier', 'readable', false), 'with what is purged of it');
update parley.event set created_at = now() where event_seq > 5;
select is(pg_temp.gap(0), '{"from": 1, "to": 5, "reason": "purged", "readable": false}', 'which says so if it was purged first');
update parley.event set created_at = now() - interval '31 days' where event_seq in (6, 7);
update parley.log_state set purged_at = now() - interval '32 days';
select is(
    pg_temp.gaps(:'topic', '-infinity', 1000),
    '[{"from": 1, "to": 5, "reason": "purged", "readable": false}, {"from": 6, "to": 7, "reason": "beyond_tier", "readable": false}]', 'a replay since a time tells them apart'
);
rollback to savepoint whole;

delete from parley.event where conversation_id = :'conversation' and event_seq <= 5;
select results_eq(
    format('select kind, payload::jsonb - %L from parley.replay(%L, %L, %L, 1, null, 1) limit 1', 'conversation_id',
        'authenticated', :'bob', :'topic'),
    $$values ('replay:gap', '{"from": 2, "to": 5, "reason": "purged", "readable": false}'::jsonb)$$, 'where events were purged a gap comes first'
);
select is_empty(
    format('select * from pg_temp.replayed(%L, %L, 5, null, 1000) where kind = %L', :'bob', :'topic', 'replay:gap'),
    'but not for a reader who had them all'
);

-- get_events, the pages of the same
select pg_temp.be(:'bob') is null as is_bob \gset
select is(
    (select jsonb_build_object('n', jsonb_array_length(g -> 'events'), 'gap', g #- '{gap,conversation_id}' -> 'gap', 'more', g -> 'has_more',
        'first', g #> '{events,0,payload,event_seq}')
     from parley_api.get_events(:'conversation', 1, 2) g),
    '{"n": 2, "gap": {"from": 2, "to": 5, "reason": "purged", "readable": false}, "more": true, "first": 6}', 'a page names the gap before it'
);
select is(
    (select jsonb_build_object('n', jsonb_array_length(g -> 'events'), 'gap', g -> 'gap', 'more', g -> 'has_more',
        'seq', g #> '{events,0,payload,event_seq}', 'last', g -> 'last_event_seq')
     from parley_api.get_events(:'conversation', (select last_event_seq - 1 from parley.conversation where id = :'conversation'), 2) g),
    (select jsonb_build_object('n', 1, 'gap', null, 'more', false, 'seq', last_event_seq, 'last', last_event_seq)
     from parley.conversation where id = :'conversation'), 'the last page says so'
);
select is(
    (select jsonb_build_array(g -> 'to', g -> 'has_more') from parley_api.get_events(:'conversation', 5, 2) g), '[7, true]', 'a page says where to go on'
);
select last_event_seq as last from parley.conversation where id = :'conversation' \gset
select is(
    (select jsonb_build_array(g -> 'to', g -> 'gap' -> 'reason') from parley_api.get_events(:'conversation', 5, 1000) g), jsonb_build_array(:last, null), 'the last one where it ends'
);
select is(
    (select jsonb_build_array(g -> 'to', (g -> 'gap') - 'conversation_id', g -> 'events') from parley_api.get_events(:'conversation', :last + 7) g),
    jsonb_build_array(:last, jsonb_build_object('from', :last + 1, 'to', :last + 7, 'reason', 'reset', 'readable', false), '[]'::jsonb),
    'a position this log has never had is a reset'
);
-- pages by size: a large message is a page of its own
update parley.message set metadata = jsonb_build_object('x', repeat('x', 600000)) where conversation_id = :'conversation' and seq in (6, 7, 8);
select is(
    (select jsonb_build_array(jsonb_array_length(g -> 'events'), g -> 'to', g -> 'has_more') from parley_api.get_events(:'conversation', 5, 100) g),
    jsonb_build_array((select e.event_seq - 6 from parley.event e where e.conversation_id = :'conversation' and e.message_seq = 7 and e.kind = 'message:new'),
        (select e.event_seq - 1 from parley.event e where e.conversation_id = :'conversation' and e.message_seq = 7 and e.kind = 'message:new'), true),
    'a page ends at a megabyte, and says so'
);
select throws_ok(format('select parley_api.get_events(%L, -1)', :'conversation'), 'PT400', null, 'a negative position is refused');
select throws_ok(format('select parley_api.get_events(%L, 0, 1000000000)', :'conversation'), 'PT400', null, 'a page of a billion is refused');
select throws_ok(format('select parley_api.get_events(%L)', gen_random_uuid()), 'PT403', null, 'an unknown conversation is refused');
select pg_temp.be('55555555-5555-4555-8555-555555555555') is null as is_stranger \gset
select throws_ok(format('select parley_api.get_events(%L)', :'conversation'), 'PT403', null, 'and a foreign one in the same way');

select * from finish();
rollback;
