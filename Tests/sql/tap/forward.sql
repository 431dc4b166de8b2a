-- Forwarding: copies to other conversations, once each, at most as often as the plan allows.
begin;
select plan(49);
\ir ../people.psql

create function t.forward(message text, variadic conversations text[]) returns jsonb language sql as $$
    select parley_api.forward_message(t.id($1), array(select t.id(c) from unnest($2) with ordinality u (c, n) order by n))
$$;

create function t.count(message text) returns text language sql as $$
    select t.look(format('select string_agg(forward_count::text, '' '' order by forward_count) from parley.message_forward where message_id = %L', t.id($1)))
$$;

create function t.stays(copies jsonb) returns interval[] language sql as $$
    select array_agg(date_trunc('minute', (m ->> 'expires_at')::timestamptz - (m ->> 'created_at')::timestamptz + interval '1 second') order by n)
    from jsonb_array_elements($1 -> 'messages') with ordinality x (m, n)
$$;

select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group') ->> 'id');
select t.keep('c' || n, parley_api.start_conversation(array[t.id('bob')], 'group', 'c' || n) ->> 'id') from generate_series(1, 6) n;
select t.keep('anns', parley_api.start_conversation(array[t.id('dan')], 'group') ->> 'id');
select t.keep('before', t.send('talk', 'before')::text);
select t.keep('m', parley_api.send_message(
    t.id('talk'), 'hello', reply_to_id => t.id('before'), mentions => array[t.id('bob')],
    metadata => '{"formatting": [{"start": 0, "length": 5, "style": "bold"}]}'
) ->> 'id');

-- what a copy is
select t.act('bob');
select t.last_event_seq('talk') as event_seq, t.last_event_seq('c1') as c1_seq \gset
select t.forward('m', 'c1') #> '{messages,0}' as copy \gset
select is(
    :'copy'::jsonb - '{id,created_at,updated_at}'::text[],
    jsonb_build_object(
        'conversation_id', t.id('c1'), 'seq', 1, 'sender_id', t.id('bob'), 'sender_role', 'member', 'type', 'text', 'content', 'hello',
        'metadata', '{"formatting": [{"start": 0, "length": 5, "style": "bold"}]}'::jsonb, 'mentions', '[]'::jsonb, 'mentions_all', false,
        'reply_to_id', null, 'reply_to', null, 'forwarded', true, 'forward_count', 1, 'client_message_id', null, 'attachments', '[]'::jsonb,
        'reactions', '[]'::jsonb, 'status', 'sent', 'pinned_at', null, 'edited_at', null, 'deleted_at', null, 'expires_at', null
    ),
    'a copy says the same, from who passed it on, marked as such, without what only meant something where it was'
);
select is(t.events_since('c1', :c1_seq), 'message:new', 'it is one event');
select is(t.events_since('talk', :event_seq), null, 'and none where it came from: who passes on what is not told');
select t.keep('copy', :'copy'::jsonb ->> 'id');
select is(t.forward('copy', 'c2') #> '{messages,0,forward_count}', '2', 'a copy of a copy has been passed on twice');
select is(
    parley_api.get_conversation_messages(t.id('talk'), after_seq => 1) #> '{messages,0,forward_count}', '1', 'the original has been passed on once'
);
select is((select m.forward_count from parley_api.messages m where m.id = t.id('m')), 0, 'the view shows how often it had been before it got here');
select t.refused('PT403', $$select parley_api.edit_message(t.id('copy'), 'altered')$$, 'nobody puts other words into what they passed on');

-- who, what and where
select t.act('eve');
select t.refused('PT404', $$select t.forward('m', 'c1')$$, 'a stranger finds nothing to pass on');
select is(t.failure($$select t.forward('m', 'c1')$$), t.failure($$select t.forward('none', 'c1')$$), 'as if there were nothing');
select t.act('bob');
select t.refused('PT403', $$select t.forward('m', 'anns')$$, 'nobody passes on to where they are not');
select is(t.failure($$select t.forward('m', 'anns')$$), t.failure($$select t.forward('m', 'none')$$), 'as if it did not exist');
select t.last_seq('c3') as seq \gset
select t.refused('PT403', $$select t.forward('m', 'c3', 'anns')$$, 'to all or to none');
select is(t.last_seq('c3'), :seq::bigint, 'nothing was sent');
select is(t.count('m'), '1', 'and nothing counted');
select t.refused('PT400', $$select parley_api.forward_message(null, array[t.id('c1')])$$, 'a message is needed');
select t.refused('PT400', format('select parley_api.forward_message(t.id(''m''), %L)', c), 'conversations are: ' || name)
from (values (null, 'nothing'), ('{}', 'none'), ('{null}', 'a null'), ('{{null}}', 'a list of lists'),
    (format('{%s,null}', t.id('c1')), 'one and a null'),
    ((select array_agg(gen_random_uuid())::text from generate_series(1, 21)), 'more than 20')) as x (c, name);
select t.look(format($$update parley.conversation_profile set status = 'locked' where conversation_id = %L returning type$$, t.id('c4'))) as locked \gset
select t.refused('PT403', $$select t.forward('m', 'c4')$$, 'a locked conversation takes no copies');
select t.look(format($$update parley.conversation_profile set status = 'active' where conversation_id = %L returning type$$, t.id('c4'))) as opened \gset
select t.keep('gone', t.send('talk', 'gone')::text);
select parley_api.delete_message(t.id('gone'), true) is null as deleted \gset
select t.refused('PT409', $$select t.forward('gone', 'c1')$$, 'what was deleted is not passed on');
select t.keep('hidden', t.send('talk', 'hidden')::text);
select parley_api.delete_message(t.id('hidden')) is null as deleted \gset
select t.refused('PT404', $$select t.forward('hidden', 'c1')$$, 'nor what one has hidden');
select t.keep('secret', parley_api.send_message(t.id('talk'), null, 'encrypted', metadata => '{"envelope": "x"}') ->> 'id');
select t.refused('PT400', $$select t.forward('secret', 'c1')$$, 'nor what the others could not read');
select t.host();
select t.keep('notice', parley_api.send_system_message(t.id('talk'), 'notice') ->> 'id');
select parley_api.add_participants(t.id('talk'), array[t.id('dan')]) is null as added \gset
select t.act('bob');
select t.refused('PT400', $$select t.forward('notice', 'c1')$$, 'nor what the system said');
select t.act('dan');
select t.refused('PT404', $$select t.forward('m', 'anns')$$, 'nor what was said before one joined');

-- how often
select t.act('bob');
select is(
    (select jsonb_agg(m -> 'conversation_id') from jsonb_array_elements(t.forward('m', 'c4', 'c2', 'c4', 'c3') -> 'messages') m),
    jsonb_build_array(t.id('c4'), t.id('c2'), t.id('c3')), 'to several at once, each once, in the order of the call'
);
select is(t.count('m'), '4', 'each copy counts');
select is(
    t.failure($$select t.forward('m', 'c5', 'c6')$$) - 'hint',
    '{"code": "PT403", "message": "A message can be forwarded 5 times.", "detail": "It was forwarded 4 times before."}', 'five times is the limit'
);
select isnt(t.forward('m', 'c5'), null, 'which can be used up');
select t.refused('PT403', $$select t.forward('m', 'c6')$$, 'and then no more');
select isnt(t.forward('copy', 'c6'), null, 'other messages count for themselves');
select t.act('ann');
select isnt(t.forward('m', 'anns'), null, 'and so do other users');
select is(t.count('m'), '1 5', 'each');
select t.host();
update parley.tier_limit set amount = 6 where tier_name = 'privileged' and name = 'max_forwards';
select t.act('bob');
select isnt(t.forward('m', 'c6'), null, 'the limit is a row of the tier');

-- once
select t.keep('n', t.send('talk', 'n')::text);
select parley_api.forward_message(t.id('n'), array[t.id('c1'), t.id('c2')], t.id('none')) as sent \gset
select parley_api.edit_message(t.id('n'), 'edited') is null as edited \gset
select t.last_seq('c1') as seq \gset
select is(parley_api.forward_message(t.id('n'), array[t.id('c1'), t.id('c2')], t.id('none')), :'sent'::jsonb, 'a retry gets the same copies');
select is(t.last_seq('c1'), :seq::bigint, 'and sends nothing');
select is(t.count('n'), '2', 'nor counts');
select is(
    jsonb_array_length(parley_api.forward_message(t.id('n'), array[t.id('c1'), t.id('c3')], t.id('none')) -> 'messages'), 2,
    'one that asks for more sends the rest'
);
select is(t.last_seq('c1'), :seq::bigint, 'only the rest');
select is(t.count('n'), '3', 'and counts it');
select t.refused('PT409', $$select parley_api.forward_message(t.id('m'), array[t.id('c1')], t.id('none'))$$, 'another message needs another id');
select t.refused('PT409', $$select parley_api.send_message(t.id('c1'), 'n', client_message_id => t.id('none'))$$, 'as does a message of one''s own');
select parley_api.delete_message(t.id('n'), true) is null as deleted \gset
select is(parley_api.forward_message(t.id('n'), array[t.id('c1'), t.id('c2')], t.id('none')), :'sent'::jsonb, 'even when the original is gone');
select t.act('ann');
select parley_api.remove_participant(t.id('c2'), t.id('bob')) is null as removed \gset
select t.act('bob');
select t.refused(
    'PT403', $$select parley_api.forward_message(t.id('n'), array[t.id('c1'), t.id('c2')], t.id('none'))$$, 'who is out is not told how the copy stands'
);
select t.act('ann');
select parley_api.add_participants(t.id('c2'), array[t.id('bob')]) is null as added \gset
select t.act('bob');

-- what is to disappear
select t.keep('flash', parley_api.send_message(t.id('talk'), 'flash', expires_in => '1 hour') ->> 'id');
select t.look(format($$update parley.conversation_profile set message_ttl_seconds = 60 where conversation_id = %L returning type$$, t.id('c2'))) as set_ttl \gset
select is(t.stays(t.forward('flash', 'c1', 'c2')), array[interval '1 hour', interval '1 minute'], 'a copy does not outlive it, nor what the conversation allows');
select t.keep('stays', t.send('talk', 'stays')::text);
select is(t.stays(t.forward('stays', 'c1', 'c2')), array[null, interval '1 minute'], 'what stays stays, where it may');
select t.look(format('update parley.message set expires_at = now() where id = %L returning 1', t.id('flash'))) as expired \gset
select t.refused('PT404', $$select t.forward('flash', 'c3')$$, 'what has disappeared is not passed on');

select * from finish();
rollback;
