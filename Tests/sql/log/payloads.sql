-- What readers receive, and what they never receive.
begin;
select plan(17);
\ir ../setup.psql

create temp view log as
select r.* from parley.event as e, parley.render_events(array[e.id]) as r;

select parley_api.send_message(:'conversation', 'the secret', metadata => '{"a": 1}') ->> 'id' as message \gset
select is((select payload::jsonb -> 'message' ->> 'content' from log where kind = 'message:new'), 'the secret', 'a message comes with its text');
select is(
    (select payload::jsonb - 'message' - 'at' from log where kind = 'message:new'),
    (select jsonb_build_object('conversation_id', conversation_id, 'event_seq', event_seq, 'actor_id', actor_id) from log where kind = 'message:new'),
    'and with conversation_id, event_seq, actor_id and at'
);
select matches((select payload::jsonb ->> 'at' from log where kind = 'message:new'), '\+00:00$', 'times are UTC');
select is(
    (select count(*) from parley.event e where e::text like '%secret%'), 0::bigint, 'the log itself holds no text'
);

select parley_api.add_reaction(:'message', '👍') is not null as reacted \gset
select is(
    (select payload::jsonb - 'at' - 'event_seq' - 'conversation_id' - 'actor_id' from log where kind = 'message:reaction'),
    jsonb_build_object('message_id', :'message', 'seq', 1, 'user_id', :'ann', 'emoji', '👍', 'op', 'added'),
    'a reaction names message, user and emoji'
);
select is(
    (select payload::jsonb -> 'message' -> 'reactions' from log where kind = 'message:new'),
    jsonb_build_array(jsonb_build_object('emoji', '👍', 'count', 1, 'user_ids', array[:'ann'])),
    'and from then on the message itself carries it'
);
select parley_api.edit_message(:'message', 'the other secret') is not null as edited \gset
select results_eq(
    $$select distinct payload::jsonb -> 'message' ->> 'content' from log where kind in ('message:new', 'message:updated')$$,
    $$values ('the other secret')$$, 'after an edit the old text comes no more, not even in the old event'
);
select parley_api.delete_message(:'message', true) is not null as deleted \gset
select is((select count(*) from log where payload like '%secret%'), 0::bigint, 'after a deletion no event carries the text');
select is(
    (select jsonb_object_agg(key, value) from log, jsonb_each(payload::jsonb -> 'message')
     where kind = 'message:new' and key in ('content', 'metadata', 'reactions', 'seq')),
    '{"content": null, "metadata": {}, "reactions": [], "seq": 1}', 'the message stays as a tombstone'
);
select isnt((select payload::jsonb -> 'message' ->> 'deleted_at' from log where kind = 'message:new'), null, 'that says when');

select parley_api.send_message(:'conversation', 'a passing secret', expires_in => '1 hour') ->> 'id' as passing \gset
update parley.message set expires_at = now() - interval '1 second' where id = :'passing';
select is((select count(*) from log where payload like '%secret%'), 0::bigint, 'an expired message is shown as a tombstone');

select parley_api.send_message(:'conversation', 'a purged secret') ->> 'id' as purged \gset
delete from parley.message where id = :'purged';
select is(
    (select payload::jsonb -> 'message' ->> 'seq' from log where message_id = :'purged'), '3', 'and so is one that was purged'
);
select is(
    (select jsonb_object_agg(k, true) from log, jsonb_object_keys(payload::jsonb -> 'message') k where message_id = :'purged'),
    (select jsonb_object_agg(k, true) from log, jsonb_object_keys(payload::jsonb -> 'message') k where message_id = :'message' and kind = 'message:new'),
    'in the same shape'
);

select parley_api.add_participants(:'conversation', array[:'eve'::uuid]) is not null as added \gset
select is(
    (select payload::jsonb -> 'conversation' ->> 'title' from log where kind = 'conversation:new' and user_id = :'eve'),
    'Ann and Bob', 'somebody added receives the conversation'
);
select parley_api.remove_participant(:'conversation', :'eve') is null as removed \gset
select is(
    (select payload::jsonb -> 'conversation' from log where kind = 'conversation:new' and user_id = :'eve'),
    null, 'but not in a replay after having been removed'
);

-- a text just sent is put together as text
select parley_api.send_message(:'conversation', E'"quoted" %s \\ \n 🎈', client_message_id => gen_random_uuid(), metadata => '{"n": 1e30, "t": "%1$s"}') ->> 'id' as plain \gset
select is(
    (select payload::jsonb - 'at' from log where message_id = :'plain'),
    (
        select jsonb_build_object(
            'conversation_id', e.conversation_id, 'event_seq', e.event_seq, 'actor_id', e.actor_id, 'message', parley.message_now_json(m)
        )
        from parley.event as e inner join parley.message as m on m.id = e.message_id
        where e.message_id = :'plain'
    ),
    'a plain text comes as it is read in any other way, whatever its characters'
);
select matches(
    (select payload::text from log where message_id = :'plain'), '^{"conversation_id": ',
    'which tells it from JSON, whose keys are in the order of their lengths'
);

select * from finish();
rollback;
