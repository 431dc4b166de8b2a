-- A client_message_id makes a send happen once, for the life of the message.
begin;
select plan(29);
\ir ../people.psql

create function t.again(content text default 'once') returns jsonb language sql as $$
    select parley_api.send_message(t.id('talk'), content, client_message_id => t.id('key'))
$$;

update parley.tier_limit set amount = null, burst = null where period_seconds is not null;
select t.keep('key', '00000000-0000-4000-8000-000000000001');
select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('bob')]) ->> 'id');
select t.keep('other', parley_api.start_conversation(array[t.id('cid')]) ->> 'id');
select parley_api.send_message(t.id('talk'), 'once', client_message_id => t.id('key')) as sent \gset
select t.keep('message', :'sent'::jsonb ->> 'id');
select t.last_event_seq('talk') as event_seq \gset

-- another request under the same id
select t.refused('PT409', $$select t.again('twice')$$, 'other content under the same id is a conflict');
select t.refused('PT409', $$select t.again('once ')$$, 'also by a space');
select unalike(t.failure($$select t.again('twice')$$)::text, '%once%', 'which does not show the first content');
select t.refused('PT409', $$select parley_api.send_message(t.id('talk'), 'once', client_message_id => t.id('key'), metadata => '{"a": 1}')$$, 'other metadata is a conflict');
select t.refused('PT409', $$select parley_api.send_message(t.id('talk'), 'once', 'file', client_message_id => t.id('key'))$$, 'another type');
select t.refused('PT409', $$select parley_api.send_message(t.id('talk'), 'once', client_message_id => t.id('key'), reply_to_id => t.id('message'))$$, 'another reply');
select t.refused('PT409', $$select parley_api.send_message(t.id('talk'), 'once', client_message_id => t.id('key'), mentions => array[t.id('bob')])$$, 'other mentions');
select t.refused('PT409', $$select parley_api.send_message(t.id('talk'), 'once', client_message_id => t.id('key'), expires_in => '1 hour')$$, 'and another expiry');

-- the same request again
select is(t.again(), :'sent'::jsonb, 'the same request returns the same message');
select is(
    (select count(distinct t.again() ->> 'id') from generate_series(1, 100)), 1::bigint, 'however often it comes'
);
select is(t.last_seq('talk'), 1::bigint, 'it is one message');
select is(t.last_event_seq('talk'), :event_seq::bigint, 'and one event');
select is(
    parley_api.send_message(t.id('talk'), 'once', client_message_id => t.id('key'), metadata => '{}', mentions => '{}') ->> 'id',
    t.id('message')::text, 'an empty argument is one that was left out'
);

-- whose and where
select t.act('bob');
select isnt(t.again() ->> 'id', t.id('message')::text, 'the same id by another sender is another message');
select t.act('ann');
select isnt(
    parley_api.send_message(t.id('other'), 'once', client_message_id => t.id('key')) ->> 'id', t.id('message')::text,
    'and so is the same id in another conversation'
);
select isnt(t.send('talk', 'once'), t.send('talk', 'once'), 'without an id every send is a message');

-- later
select t.refused('PT400', $$select parley_api.send_message(t.id('talk'), '', client_message_id => t.id('none'))$$, 'a send that fails');
select is(parley_api.send_message(t.id('talk'), 'now', client_message_id => t.id('none')) ->> 'content', 'now', 'leaves the id free');
select parley_api.edit_message(t.id('message'), 'edited') is null as edited \gset
select is(t.again() ->> 'content', 'edited', 'a retry after an edit returns the message as it is now');
select t.refused('PT409', $$select t.again('edited')$$, 'but the request is the first one still');
select parley_api.add_reaction(t.id('message'), '👍') is null as reacted \gset
select is(t.again() #>> '{reactions,0,count}', '1', 'with its reactions');
select t.host();
update parley.conversation_profile set status = 'locked' where conversation_id = t.id('talk');
select t.act('ann');
select is(t.again() ->> 'id', t.id('message')::text, 'also when the conversation takes no messages any more');
select t.host();
update parley.conversation_profile set status = 'active' where conversation_id = t.id('talk');
update parley.tier_limit set amount = 1 where name = 'max_content_length';
select t.act('ann');
select is(t.again() ->> 'id', t.id('message')::text, 'or a limit has become lower');
select t.host();
update parley.message set expires_at = now() where id = t.id('message');
select t.act('ann');
select is(t.again() ->> 'id', t.id('message')::text, 'when it has expired the retry still returns it');
select is(t.again() -> 'content', 'null', 'but not what it said');
select unalike(t.again()::text, '%edited"%', 'anywhere');
select t.host();
update parley.message set expires_at = null where id = t.id('message');
select t.act('ann');
select parley_api.delete_message(t.id('message'), true) is null as deleted \gset
select is(t.again() - '{deleted_at}'::text[] -> 'content', 'null', 'after a deletion it returns the tombstone');
select is(t.last_seq('talk'), 5::bigint, 'and never sends it again');
select t.host();
delete from parley.message where id = t.id('message');
select t.act('ann');
select t.refused('PT410', 'select t.again()', 'when the message was purged the retry says so');

select * from finish();
rollback;
