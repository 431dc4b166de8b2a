-- Deleting: for oneself it hides, for everyone it leaves a tombstone that keeps its place.
begin;
select plan(42);
\ir ../people.psql

create function t.age(message text, minutes numeric) returns void language sql security definer as $$
    update parley.message set created_at = clock_timestamp() - make_interval(secs => $2::double precision * 60) where id = t.id($1)
$$;

create function t.texts() returns text language sql as $$
    select string_agg(coalesce(m ->> 'content', '-'), ' ' order by (m ->> 'seq')::bigint)
    from jsonb_array_elements(parley_api.get_conversation_messages(t.id('talk')) -> 'messages') m
$$;

create function t.texts_in_view() returns text language sql as $$
    select string_agg(coalesce(m.content, '-'), ' ' order by m.seq) from parley_api.messages m where m.conversation_id = t.id('talk')
$$;

select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group') ->> 'id');
select t.act('bob');
select t.keep('m' || n, t.send('talk', 'm' || n)::text) from generate_series(1, 5) n;
select t.last_event_seq('talk') as event_seq \gset

-- not by everybody
select t.act('eve');
select t.refused('PT404', $$select parley_api.delete_message(t.id('m1'))$$, 'a stranger finds no message to hide');
select t.refused('PT404', $$select parley_api.delete_message(t.id('m1'), true)$$, 'nor to delete');
select is(
    t.failure($$select parley_api.delete_message(t.id('m1'), true)$$), t.failure($$select parley_api.delete_message(t.id('none'), true)$$),
    'as if there were none'
);
select t.act('cid');
select t.refused('PT400', 'select parley_api.delete_message(null)', 'a message is needed');
select t.refused('PT403', $$select parley_api.delete_message(t.id('m1'), true)$$, 'a member does not delete another''s message for everyone');
select is(t.events_since('talk', :event_seq), null, 'none of which is an event');

-- for oneself
select is(
    parley_api.delete_message(t.id('m1')),
    jsonb_build_object(
        'message_id', t.id('m1'), 'conversation_id', t.id('talk'), 'seq', 1, 'for_everyone', false, 'deleted_at', null
    ),
    'any member hides any message for themselves'
);
select is(t.texts(), 'm2 m3 m4 m5', 'and does not see it any more');
select is(t.texts_in_view(), 'm2 m3 m4 m5', 'in the view either');
select lives_ok($$select parley_api.delete_message(t.id('m1'))$$, 'again is fine');
select is(t.look('select count(*) from parley.message_hidden'), '1', 'and changes nothing');
select is(t.events_since('talk', :event_seq), null, 'the conversation is not told');
select is(
    t.look(format(
        'select count(*) from parley.event where conversation_id is null and user_id = %L and kind = %L and message_id = %L
           and data = jsonb_build_object(%L, %L::uuid, %L, false)',
        t.id('cid'), 'message:deleted', t.id('m1'), 'conversation_id', t.id('talk'), 'for_everyone'
    )),
    '1', 'only the user''s other devices are, once'
);
select t.refused('PT404', $$select parley_api.add_reaction(t.id('m1'), '👍')$$, 'a hidden message is gone for who hid it');
select t.act('ann');
select is(t.texts(), 'm1 m2 m3 m4 m5', 'everybody else sees it');
select is(t.texts_in_view(), 'm1 m2 m3 m4 m5', 'in the view, too');

-- for everyone, by the sender
select t.act('bob');
select parley_api.add_reaction(t.id('m2'), '👍') is null as reacted \gset
select t.last_event_seq('talk') as event_seq \gset
select parley_api.delete_message(t.id('m2'), true) as deleted \gset
select is(:'deleted'::jsonb - 'deleted_at', jsonb_build_object(
    'message_id', t.id('m2'), 'conversation_id', t.id('talk'), 'seq', 2, 'for_everyone', true), 'the sender deletes for everyone');
select isnt(:'deleted'::jsonb -> 'deleted_at', 'null', 'and is told when');
select is(t.events_since('talk', :event_seq), 'message:deleted', 'it is one event');
select is(
    t.look(format('select data from parley.event where conversation_id = %L and event_seq = %s', t.id('talk'), :event_seq + 1)),
    '{"for_everyone": true}', 'without any text'
);
select t.act('cid');
select is(t.texts(), '- m3 m4 m5', 'everybody sees a tombstone in its place');
select is(t.texts_in_view(), '- m3 m4 m5', 'in the view, too');
select is(
    (
        select m - '{id,created_at,updated_at,deleted_at,conversation_id,sender_id,client_message_id}'::text[]
        from jsonb_array_elements(parley_api.get_conversation_messages(t.id('talk')) -> 'messages') m where m ->> 'seq' = '2'
    ),
    '{"seq": 2, "sender_role": "member", "type": "text", "content": null, "metadata": {}, "mentions": [], "mentions_all": false, "reply_to_id": null,
      "reply_to": null, "forwarded": false, "forward_count": 0, "pinned_at": null, "starred": false,
      "attachments": [], "reactions": [], "status": "sent", "edited_at": null, "expires_at": null}',
    'without text, metadata, mentions or reactions'
);
select t.act('bob');
select is(parley_api.delete_message(t.id('m2'), true) -> 'deleted_at', :'deleted'::jsonb -> 'deleted_at', 'again is fine');
select is(t.events_since('talk', :event_seq), 'message:deleted', 'and is no event');
select is(
    t.look(format('select (replaced_by, reason, content)::text from parley.message_revision where message_id = %L', t.id('m2'))),
    format('(%s,deleted,m2)', t.id('bob')), 'what it said is kept for moderators only'
);
select t.refused('42501', 'select * from parley.message_revision', 'where no user reads it');
select is(
    (parley_api.send_message(t.id('talk'), 'm6') ->> 'seq'), '6', 'numbers go on where they were'
);
select t.keep('m6', parley_api.get_conversation_messages(t.id('talk'), after_seq => 5) #>> '{messages,0,id}');

-- the window
select t.age('m3', 61);
select is(
    t.failure($$select parley_api.delete_message(t.id('m3'), true)$$) - 'detail',
    '{"code": "PT403", "message": "A message can be deleted for everyone for 60 minutes.", "hint": "It can still be deleted for yourself."}',
    'after an hour it is too late'
);
select t.host();
update parley.tier_limit set amount = 62 where tier_name = 'privileged' and name = 'delete_window_minutes';
select t.act('bob');
select lives_ok($$select parley_api.delete_message(t.id('m3'), true)$$, 'unless the plan''s row says otherwise');
select t.host();
update parley.tier_limit set amount = null where tier_name = 'privileged' and name = 'delete_window_minutes';
select t.act('bob');
select t.age('m4', 1000000);
select lives_ok($$select parley_api.delete_message(t.id('m4'), true)$$, 'no amount is no limit');

-- admins
select t.act('ann');
select t.age('m5', 1000000);
select lives_ok($$select parley_api.delete_message(t.id('m5'), true)$$, 'an admin deletes anybody''s message at any time');
select is(
    t.look(format('select deleted_by from parley.message_uncounted where message_id = %L', t.id('m5'))), t.id('ann')::text, 'and is named in the tombstone'
);
select is(t.texts(), 'm1 - - - - m6', 'all in place');

-- previews, sync and search for what is gone
select parley_api.delete_message(t.id('m6'), true) is null as deleted \gset
select is(
    parley_api.get_user_conversations() #> '{conversations,0,last_message,content}', 'null', 'the inbox previews a tombstone without text'
);
select unalike(
    (parley_api.get_events(t.id('talk'), 0)::text || parley_api.get_user_conversations()::text || parley_api.sync()::text), '%"m6"%',
    'and no answer carries the text'
);

-- afterwards
select t.act('bob');
select t.keep('m7', t.send('talk', 'm7')::text);
select parley_api.delete_message(t.id('m7')) is null as hidden \gset
select is(parley_api.delete_message(t.id('m7'), true) ->> 'for_everyone', 'true', 'what one has hidden one can still delete for everyone');
select t.claim('service_role', '{"role": "service_role"}');
select t.keep('notice', parley_api.send_system_message(t.id('talk'), 'by the host') ->> 'id');
select t.act('bob');
select lives_ok($$select parley_api.delete_message(t.id('notice'))$$, 'what the host has said can be hidden');
select t.act('ann');
select parley_api.delete_message(t.id('notice'), true) is null as deleted \gset
select t.unread('cid', 'talk') as unread \gset
select t.act('cid');
select lives_ok($$select parley_api.delete_message(t.id('notice'))$$, 'and so can what an admin has deleted of it');
select is(t.unread('cid', 'talk'), :unread::bigint, 'which is not taken off the unread twice');
select t.act('bob');
select t.keep('m8', t.send('talk', 'm8')::text);
select t.act('ann');
select parley_api.remove_participant(t.id('talk'), t.id('bob')) is null as removed \gset
select t.act('bob');
select t.refused('PT404', $$select parley_api.delete_message(t.id('m8'), true)$$, 'who was removed deletes nothing, not even their own');
select t.refused('PT404', $$select parley_api.delete_message(t.id('m8'))$$, 'nor hides it');

select * from finish();
rollback;
