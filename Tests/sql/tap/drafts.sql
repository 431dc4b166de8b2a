-- What somebody has begun to write.
begin;
select no_plan();
\ir ../people.psql

create function t.own_events(name text) returns text language sql security definer as $$
    select string_agg(e.kind, ' ' order by e.id) from parley.event e where e.conversation_id is null and e.user_id = t.id($1) and e.kind <> 'conversation:new'
$$;

select t.act('ann');
select t.keep('other', parley_api.start_conversation(array[t.id('cid')], 'group', message => 'elsewhere') ->> 'id');
select t.keep('elsewhere', (select m.id::text from parley_api.messages m where m.conversation_id = t.id('other')));
select t.keep('us', parley_api.start_conversation(array[t.id('bob')], 'group') ->> 'id');
select t.keep('one', t.send('us', 'one')::text);
select t.last_event_seq('us') as event_seq \gset

-- refused
select t.act('bob');
select t.refused('PT400', $$select parley_api.save_draft(null, 'x')$$, 'a conversation is needed');
select t.refused('PT400', $$select parley_api.save_draft(t.id('us'), repeat('x', 5001))$$, 'a draft is no longer than a message');
select t.refused('PT400', $$select parley_api.save_draft(t.id('us'), 'x', metadata => '[]')$$, 'metadata is an object');
select t.refused('PT413', $$select parley_api.save_draft(t.id('us'), 'x', metadata => jsonb_build_object('a', repeat('a', 8192)))$$, 'not a large one');
select t.refused('PT404', $$select parley_api.save_draft(t.id('us'), 'x', t.id('none'))$$, 'an answer is to a message');
select t.act('ann');
select t.refused('PT404', $$select parley_api.save_draft(t.id('us'), 'x', t.id('elsewhere'))$$, 'of this conversation');
select t.act('eve');
select is(
    t.failure($$select parley_api.save_draft(t.id('us'), 'x')$$), t.failure($$select parley_api.save_draft(t.id('none'), 'x')$$),
    'a stranger learns nothing'
);
select is(t.own_events('eve'), null, 'none of which is an event');

-- kept
select t.act('bob');
select is(
    parley_api.save_draft(t.id('us'), ' half a th', t.id('one'), '{"bold": [1, 2]}') - 'updated_at',
    jsonb_build_object('content', ' half a th', 'reply_to_id', t.id('one'), 'metadata', '{"bold": [1, 2]}'::jsonb), 'a draft is kept as it is'
);
select is(t.own_events('bob'), 'draft:updated', 'the user''s other devices learn of it');
select is(t.look($$select e.data ? 'content' or e.data ? 'metadata' from parley.event e where e.kind = 'draft:updated'$$), 'false', 'the log without the text');
select is(
    t.look($$select r.payload::jsonb #>> '{draft,content}' from parley.event e cross join parley.render_events(array[e.id]) r where e.kind = 'draft:updated'$$), ' half a th',
    'which they get'
);
select parley_api.save_draft(t.id('us'), ' half a th', t.id('one'), '{"bold": [1, 2]}') is null as saved \gset
select is(t.own_events('bob'), 'draft:updated', 'the same again is no event');
select is(parley_api.save_draft(t.id('us'), 'a thought') -> 'reply_to_id', 'null', 'a draft replaces the one before');
select is(t.own_events('bob'), 'draft:updated draft:updated', 'which is one');
select is(parley_api.get_conversation(t.id('us')) #>> '{draft,content}', 'a thought', 'it is with the conversation');
select t.act('ann');
select is(parley_api.get_conversation(t.id('us')) -> 'draft', 'null', 'for nobody else');
select is(t.events_since('us', :event_seq), null, 'and nobody else hears of it');

-- cleared
select t.act('bob');
select is(parley_api.save_draft(t.id('us'), E' \n'), null, 'blanks clear it');
select is(t.own_events('bob'), 'draft:updated draft:updated draft:updated', 'which is told');
select is(parley_api.save_draft(t.id('us')), null, 'clearing nothing is fine');
select is(t.own_events('bob'), 'draft:updated draft:updated draft:updated', 'and no event');
select is(
    parley_api.save_draft(t.id('us'), 'bold', metadata => '{"formatting": [{"start": 0, "length": 4, "style": "bold"}]}') ->> 'content', 'bold',
    'the formatting is that of the draft'
);
select t.refused(
    'PT400', $$select parley_api.save_draft(t.id('us'), 'x', metadata => '{"formatting": [{"start": 0, "length": 4, "style": "bold"}]}')$$, 'and fits it'
);

-- sent
select t.own_events('bob') as events \gset
select t.send('us', 'bold') is null as sent \gset
select is(parley_api.get_conversation(t.id('us')) -> 'draft', 'null', 'what is sent is no draft any more');
select is(t.own_events('bob'), :'events' || ' draft:updated', 'which the other devices hear');
select t.send('us', 'more') is null as sent \gset
select is(t.own_events('bob'), :'events' || ' draft:updated', 'once');
select parley_api.save_draft(t.id('us'), 'begun') is null as saved \gset
savepoint unsent;
select t.send('us', 'another') is null as sent \gset
rollback to unsent;
select is(parley_api.get_conversation(t.id('us')) #>> '{draft,content}', 'begun', 'what was not sent after all still is');
select t.act('ann');
select parley_api.forward_message(t.id('elsewhere'), array[t.id('us')]) is null as sent \gset
select t.act('bob');
select is(parley_api.get_conversation(t.id('us')) #>> '{draft,content}', 'begun', 'what others send clears nothing');
select t.keep('poll', parley_api.create_poll(t.id('us'), 'Where?', array['here', 'there']) ->> 'id');
select parley_api.schedule_message(t.id('us'), 'later', (now() + interval '1 hour')::text) is null as scheduled \gset
select is(parley_api.get_conversation(t.id('us')) #>> '{draft,content}', 'begun', 'nor does a poll, or what is sent later');
select is(t.look('select bool_and(p.has_draft = (d.user_id is not null)) from parley.participant p left join parley.draft d using (conversation_id, user_id)'), 'true', 'the flag is right');
select t.send('us', 'begun') is null as sent \gset
select is(t.look('select count(*) from parley.draft'), '0', 'it goes with the next message');

select parley_api.save_draft(t.id('us'), metadata => '{"voice": "a.opus"}') is null as saved \gset
select is(t.look('select count(*) from parley.draft'), '1', 'metadata alone is a draft');
select parley_api.leave_conversation(t.id('us')) is null as gone \gset
select is(t.look('select count(*) from parley.draft'), '0', 'who leaves takes the draft along');

select * from finish();
rollback;
