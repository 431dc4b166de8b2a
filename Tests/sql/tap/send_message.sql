-- Sending: every refusal with its code, the limits of content, dense numbers, and nothing left of what rolls back.
begin;
select plan(66);
\ir ../people.psql

-- conversations that take no messages, or not from everybody
create function t.profile(assignment text) returns void language plpgsql security definer as $$
begin
    execute format('update parley.conversation_profile set %s where conversation_id = %L', assignment, t.id('talk'));
end
$$;

create function t.answer_and_row(answer jsonb) returns text language sql security definer as $$
    select is(
        answer, (select parley.message_json(m, '[]') from parley.message as m where m.id = (answer ->> 'id')::uuid),
        'a send answers what a page says of the message: ' || (answer ->> 'type')
    )
$$;

update parley.tier_limit set amount = null, burst = null where period_seconds is not null;
select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group') ->> 'id');
select t.keep('other', parley_api.start_conversation(array[t.id('dan')], message => 'elsewhere') ->> 'id');
select t.keep('elsewhere', parley_api.get_conversation_messages(t.id('other')) #>> '{messages,0,id}');

-- by whom and where
select t.act('eve');
select t.refused('PT403', $$select t.send('talk', 'hello')$$, 'a stranger sends nothing');
select is(
    t.failure($$select t.send('talk', 'hello')$$), t.failure($$select t.send('none', 'hello')$$),
    'and learns nothing: a conversation that does not exist answers alike'
);
select t.refused('PT400', $$select parley_api.send_message(null, 'hello')$$, 'a conversation is needed');

-- content
select t.act('bob');
select t.refused('PT400', $$select parley_api.send_message(t.id('talk'))$$, 'no content is refused');
select t.refused('PT400', $$select t.send('talk', '')$$, 'empty content');
select t.refused('PT400', $$select t.send('talk', E' \n\t ')$$, 'and blanks only');
select t.refused('PT400', $$select t.send('talk', repeat('x', 5001))$$, '5,001 characters are too many');
select is(
    t.failure($$select t.send('talk', repeat('💬', 5001))$$) - 'hint',
    '{"code": "PT400", "message": "content may have at most 5000 characters.", "detail": "It has 5001."}',
    'characters are counted, not bytes; the answer does not repeat them'
);
select is(t.last_seq('talk'), 0::bigint, 'none of which took a number');
select lives_ok($$select t.send('talk', repeat('x', 5000))$$, '5,000 characters are fine');
select lives_ok($$select t.send('talk', repeat('💬', 5000))$$, 'of four bytes each as well');
select is(
    t.look(format('select octet_length(content) from parley.message where conversation_id = %L and seq = 2', t.id('talk'))), '20000', 'and are kept'
);

-- type
select t.refused('PT400', $$select parley_api.send_message(t.id('talk'), 'x', 'telegram')$$, 'an unknown type is refused');
select t.refused('PT400', $$select parley_api.send_message(t.id('talk'), 'x', null)$$, 'no type');
select t.refused('PT400', $$select parley_api.send_message(t.id('talk'), 'x', 'system')$$, 'and what only the server sends');
select matches(
    t.failure($$select parley_api.send_message(t.id('talk'), 'x', 'system')$$) ->> 'hint', '^Types: encrypted, file, image, .*voice\.$',
    'with a list of what can be sent'
);
select t.refused('PT400', $$select parley_api.send_message(t.id('talk'), type => 'location')$$, 'a type without text needs something else');
select t.refused('PT400', $$select parley_api.send_message(t.id('talk'), type => 'location', metadata => '{}')$$, 'that is not empty');
select t.refused('PT400', $$select parley_api.send_message(t.id('talk'), '', 'location', metadata => '{"lat": 1}')$$, 'text that is given is not empty');
select is(
    parley_api.send_message(t.id('talk'), type => 'location', metadata => '{"latitude": 52.5, "longitude": 13.4}') -> 'metadata',
    '{"latitude": 52.5, "longitude": 13.4}', 'a place is sent without text'
);
select t.host();
insert into parley.message_type (name, client_may_send, requires_content, description) values ('dance', true, false, 'A dance.');
select t.act('bob');
select is(
    parley_api.send_message(t.id('talk'), type => 'dance', metadata => '{"steps": 3}') ->> 'type', 'dance', 'a new type is a row'
);

-- metadata
select t.refused('PT400', $$select parley_api.send_message(t.id('talk'), 'x', metadata => '[]')$$, 'metadata is an object');
select t.refused('PT400', $$select parley_api.send_message(t.id('talk'), 'x', metadata => 'null')$$, 'not null');
select t.refused('PT413', $$select parley_api.send_message(t.id('talk'), 'x', metadata => jsonb_build_object('m', repeat('x', 8190)))$$,
    'of at most 8 KiB');
select lives_ok($$select parley_api.send_message(t.id('talk'), 'x', metadata => jsonb_build_object('m', repeat('x', 8183)))$$, 'to the byte');
select is(parley_api.send_message(t.id('talk'), 'x', metadata => '{}') -> 'metadata', '{}', 'and may be empty');

-- attachments, expiry
select t.refused('PT404', $$select parley_api.send_message(t.id('talk'), 'x', attachment_ids => array[t.id('none')])$$, 'an attachment that is not there is not found');
select is(parley_api.send_message(t.id('talk'), 'x', attachment_ids => '{}') -> 'attachments', '[]', 'no attachments are fine');
select t.refused('PT400', $$select parley_api.send_message(t.id('talk'), 'x', expires_in => '0.9 seconds')$$, 'a message lives for a second');
select t.refused('PT400', $$select parley_api.send_message(t.id('talk'), 'x', expires_in => '-1 hour')$$, 'not less than nothing');
select t.refused('PT400', $$select parley_api.send_message(t.id('talk'), 'x', expires_in => '367 days')$$, 'and for at most 366 days');
select is(
    (
        select (m ->> 'expires_at')::timestamptz - (m ->> 'created_at')::timestamptz
        from parley_api.send_message(t.id('talk'), 'x', expires_in => '1 hour') m
    ),
    interval '1 hour', 'or for as long as was said'
);

-- replies
select t.refused('PT404', $$select parley_api.send_message(t.id('talk'), 'x', reply_to_id => t.id('none'))$$, 'a reply to nothing is refused');
select t.act('ann');
select t.refused('PT404', $$select parley_api.send_message(t.id('talk'), 'x', reply_to_id => t.id('elsewhere'))$$,
    'and one to a message of another conversation, though the sender may see it');
select t.keep('first', parley_api.get_conversation_messages(t.id('talk'), before_seq => 2) #>> '{messages,0,id}');
select is(
    parley_api.send_message(t.id('talk'), 'x', reply_to_id => t.id('first')) ->> 'reply_to_id', t.id('first')::text,
    'a reply names what it answers'
);
select t.host();
select parley_api.add_participants(t.id('talk'), array[t.id('dan')]) is null as added \gset
select t.act('dan');
select t.refused('PT404', $$select parley_api.send_message(t.id('talk'), 'x', reply_to_id => t.id('first'))$$,
    'who joined later does not reply to what came before');

-- mentions
select t.act('ann');
select is(
    t.failure($$select parley_api.send_message(t.id('talk'), 'x', mentions => array[t.id('bob'), t.id('eve')])$$) - 'hint',
    jsonb_build_object('code', 'PT400', 'message', 'Only participants of the conversation can be mentioned.', 'detail', format('Not in it: %s.', t.id('eve'))),
    'only participants are mentioned, and those who are not are named'
);
select t.refused('PT400', $$select parley_api.send_message(t.id('talk'), 'x', mentions => array[null]::uuid[])$$, 'not nobody');
select t.refused('PT400',
    $$select parley_api.send_message(t.id('talk'), 'x', mentions => array(select t.id('bob') from generate_series(1, 257)))$$, 'and at most 256');
select t.refused('PT400', $$select parley_api.send_message(t.id('talk'), 'x', mentions => array[array[t.id('bob')]])$$, 'in one list');
select is(
    parley_api.send_message(t.id('talk'), 'x', mentions => array[t.id('bob'), t.id('ann')]) -> 'mentions',
    jsonb_build_array(t.id('bob'), t.id('ann')), 'mentions are kept in order'
);
select is(parley_api.send_message(t.id('talk'), 'x', mentions => '{}') -> 'mentions', '[]', 'and may be none');

select t.profile($$status = 'locked'$$);
select t.refused('PT403', $$select t.send('talk', 'x')$$, 'a locked conversation takes no messages, not even from its owner');
select t.profile($$status = 'archived'$$);
select t.refused('PT403', $$select t.send('talk', 'x')$$, 'nor does an archived one');
select t.profile($$status = 'active', who_can_send = 'admins_only'$$);
select lives_ok($$select t.send('talk', 'from the owner')$$, 'where only admins send, an owner does');
select t.act('bob');
select t.refused('PT403', $$select t.send('talk', 'x')$$, 'and a member does not');
select t.look(format(
    $$update parley.participant set role = 'admin' where conversation_id = %L and user_id = %L returning role$$, t.id('talk'), t.id('bob')
)) as made_admin \gset
select lives_ok($$select t.send('talk', 'from an admin')$$, 'until made an admin');
select t.act('cid');
select t.profile($$type = 'announcement', who_can_send = 'everyone'$$);
select t.refused('PT403', $$select t.send('talk', 'x')$$, 'in an announcement members never send');
select t.profile($$type = 'group'$$);

-- what is returned and written
select t.act('bob');
select t.last_seq('talk') as seq, t.last_event_seq('talk') as event_seq \gset
select parley_api.send_message(t.id('talk'), 'the text', metadata => '{"a": [1]}', client_message_id => t.id('none')) as sent \gset
select is(
    :'sent'::jsonb - '{id,created_at,updated_at}'::text[],
    jsonb_build_object(
        'conversation_id', t.id('talk'), 'seq', :seq + 1, 'sender_id', t.id('bob'), 'sender_role', 'admin', 'type', 'text',
        'content', 'the text', 'metadata', '{"a": [1]}'::jsonb, 'mentions', '[]'::jsonb, 'reply_to_id', null,
        'client_message_id', t.id('none'), 'attachments', '[]'::jsonb, 'reactions', '[]'::jsonb, 'status', 'sent',
        'mentions_all', false, 'reply_to', null, 'forwarded', false, 'forward_count', 0, 'pinned_at', null,
        'edited_at', null, 'deleted_at', null, 'expires_at', null
    ),
    'a message is returned as it is for everybody'
);
select is(t.events_since('talk', :event_seq), 'message:new', 'and is one event');
select is(
    t.look(format('select to_jsonb(e) - %L::text[] from parley.event e where e.conversation_id = %L and e.event_seq = %s',
        '{id,xid,created_at}', t.id('talk'), :event_seq + 1))::jsonb,
    jsonb_build_object(
        'conversation_id', t.id('talk'), 'event_seq', :event_seq + 1, 'message_seq', :seq + 1, 'user_id', null, 'actor_id', t.id('bob'),
        'message_id', :'sent'::jsonb -> 'id', 'kind', 'message:new', 'data', null
    ),
    'of ids only'
);
select is(substr(:'sent'::jsonb ->> 'id', 15, 1), '7', 'its id is a UUIDv7');
select ok(
    (:'sent'::jsonb ->> 'id')::uuid between t.look('select parley.uuid_v7_floor(clock_timestamp() - interval ''1 minute'')')::uuid
        and t.look('select parley.uuid_v7_floor(clock_timestamp() + interval ''1 minute'')')::uuid,
    'of now'
);
select t.look(format(
    $$update parley.participant set app_role = 'seller' where conversation_id = %L and user_id = %L returning role$$, t.id('talk'), t.id('bob')
)) as made_seller \gset
select is(parley_api.send_message(t.id('talk'), 'x') ->> 'sender_role', 'seller', 'the role in the application goes before the one in the conversation');

-- order
select is(
    (select array_agg((parley_api.send_message(t.id('talk'), 'burst ' || n) ->> 'seq')::bigint - n order by n) from generate_series(1, 100) n),
    array_fill(t.last_seq('talk') - 100, array[100]), '100 messages sent at once have 100 numbers in order'
);
select is(
    t.look(format('select count(*) = max(seq) and min(seq) = 1 from parley.message where conversation_id = %L', t.id('talk'))), 'true',
    'the numbers of a conversation have no gap'
);
select is(
    t.look(format('select count(*) = max(event_seq) and min(event_seq) = 1 from parley.event where conversation_id = %L', t.id('talk'))),
    'true', 'nor have those of its events'
);
select is(
    t.look(format(
        'select bool_and(created_at >= before) from (select created_at, lag(created_at, 1, created_at) over (order by seq) as before
         from parley.message where conversation_id = %L) m', t.id('talk')
    )),
    'true', 'time rises with them'
);
select is(t.last_seq('other'), 1::bigint, 'another conversation counts for itself');

-- rolled back
select t.last_seq('talk') as seq, t.last_event_seq('talk') as event_seq \gset
savepoint before;
select lives_ok($$select parley_api.send_message(t.id('talk'), 'never was', client_message_id => t.id('noa'))$$, 'a message of a transaction that fails');
rollback to before;
select is(t.last_seq('talk'), :seq::bigint, 'takes no number');
select is(t.last_event_seq('talk'), :event_seq::bigint, 'is no event');
select is(t.look('select count(*) from parley.message where content = ''never was'''), '0', 'and leaves no text');
select is(
    (parley_api.send_message(t.id('talk'), 'another text', client_message_id => t.id('noa')) ->> 'seq')::bigint, :seq + 1::bigint,
    'its client_message_id is free again'
);

-- the answer to a plain text is put together without its row
select t.act('bob');
select t.answer_and_row(parley_api.send_message(
    t.id('talk'), 'plain', client_message_id => gen_random_uuid(), metadata => '{"k": [1]}'
));
select t.answer_and_row(parley_api.send_message(t.id('talk'), 'for a day', expires_in => '1 day', mentions_all => null));

select * from finish();
rollback;
