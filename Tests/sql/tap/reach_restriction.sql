-- Restriction, and read receipts that are off for both.
begin;
select no_plan();
\ir ../people.psql
\ir reach.psql
select t.act('ann');
select t.keep('us', parley_api.start_conversation(array[t.id('bob')], message => 'a1') ->> 'id');
select t.last_event() as before \gset
select is(parley_api.restrict_user(t.id('bob')), jsonb_build_object('user_id', t.id('bob'), 'restricted', true), 'somebody is restricted');
select is(t.own_events('ann', :before), 'participant:updated conversation:quiet contact:updated', 'which the own devices learn');
select is(t.own_events('bob', :before), null, 'and nobody else');
select t.last_event() as before \gset
select parley_api.restrict_user(t.id('bob')) is not null as done \gset
select is(t.last_event(), :before::bigint, 'once');
select is(t.folder('ann', 'us'), 'requests', 'their conversation is among the requests');
select is(parley_api.get_restricted_users() #>> '{users,0,display_name}', 'Bob', 'they are listed');
select t.act('bob');
select t.keep('b2', t.send('us', 'b2')::text);
select is(t.folder('bob', 'us'), 'inbox', 'the other notices nothing');
select is(t.failure($$select parley_api.start_call(t.id('us'), 'voice', 'phone')$$), t.unreachable(), 'but does not ring');
select t.act('ann');
select is(t.sees('us'), 'a1 b2', 'the message is there');
select is(parley_api.get_unread_counts() -> 'total', '0', 'it counts nowhere');
select parley_api.mark_as_read(t.id('us')) is not null as done \gset
select t.act('bob');
select is(t.status('b2'), 'sent', 'and is never read');
select t.act('ann');
select t.send('us', 'a3') is not null as done \gset
select is(t.folder('ann', 'us'), 'requests', 'an answer lifts nothing');
select t.act('bob');
select t.keep('shop', parley_api.start_conversation(array[t.id('ann')], context_type => 'listing', context_id => '1') ->> 'id');
select is(t.folder('ann', 'shop'), 'requests', 'another thread lands there, too');
select t.act('ann');
select is(parley_api.unrestrict_user(t.id('bob')) ->> 'restricted', 'false', 'a restriction ends');
select is(parley_api.unrestrict_user(t.id('bob')) ->> 'restricted', 'false', 'once');
select is(t.folder('ann', 'us'), 'inbox', 'and brings the conversation back');
select is(t.folder('ann', 'shop'), 'requests', 'but not what was never answered');
select parley_api.restrict_user(t.id('bob')) is not null as done \gset
select is(parley_api.accept_request(t.id('us')) #>> '{me,folder}', 'inbox', 'to accept is to lift it');
select is(parley_api.get_restricted_users() -> 'users', '[]', 'whom nobody restricts any more');
select t.refused('PT400', $$select parley_api.restrict_user(t.id('ann'))$$, 'nobody restricts themselves');

-- read receipts work both ways
select t.keep('a4', t.send('us', 'a4')::text);
select t.act('bob');
select parley_api.mark_as_read(t.id('us')) is not null as done \gset
select t.act('ann');
select is(t.status('a4'), 'read', 'with receipts one sees them');
select parley_api.set_privacy(read_receipts => false) is not null as done \gset
select is(t.status('a4'), 'delivered', 'without one sees that it arrived');
select is((parley_api.get_message_receipts(t.id('a4')) #> '{receipts,0,read_at}'), 'null', 'not when it was read');
select is(parley_api.get_conversation_messages(t.id('us')) #>> '{messages,-1,status}', 'delivered', 'nor in the history');
select is(parley_api.get_user_conversations() #>> '{conversations,0,last_message,status}', 'delivered', 'nor in the inbox');
select is((select p -> 'last_read_seq' from jsonb_array_elements(parley_api.get_conversation(t.id('us')) -> 'participants') p where p ->> 'display_name' = 'Bob'), 'null', 'nor among the participants');
select is((select p -> 'last_read_seq' from jsonb_array_elements(parley_api.get_participants(t.id('us')) -> 'participants') p where p ->> 'display_name' = 'Bob'), 'null', 'page by page');
select is((parley_api.get_user_conversations() #> '{conversations,0,counterpart,last_read_seq}'), 'null', 'nor of the other one');
select is_empty($$select * from parley_api.message_receipts r where r.user_id = t.id('bob')$$, 'nor in the view');
select t.keep('a5', t.send('us', 'a5')::text);
select t.act('bob');
select t.last_event_seq('us') as seq \gset
select parley_api.mark_as_read(t.id('us')) is not null as done \gset
select is(t.last_event_seq('us'), :seq::bigint, 'between two no event tells it');
select t.act('cid');
select t.keep('group', parley_api.start_conversation(array[t.id('ann'), t.id('bob')], 'group', message => 'g1') ->> 'id');
select t.act('bob');
select t.last_event_seq('group') as seq, t.last_event() as before \gset
select parley_api.mark_as_read(t.id('group')) is not null as done \gset
select is(t.events_since('group', :seq), 'message:read', 'a group is told');
select t.act('ann');
select is(parley_api.get_events(t.id('group'), :seq) -> 'events', '[]', 'but not who shows none');
select is(parley_api.get_events(t.id('group'), :seq) -> 'to', to_jsonb(:seq + 1), 'to whom the number is settled');
select t.act('cid');
select is(parley_api.get_events(t.id('group'), :seq) #>> '{events,0,event}', 'message:read', 'as others are');
select t.host();
update parley.event set xid = '3' where xid = pg_current_xact_id();
select is(
    (select r.revoked from parley.read_log('3:3:', :before, 100) r where r.kind = 'message:read' and r.conversation_id = t.id('group') order by r.id desc limit 1),
    array[t.id('ann')], 'the worker passes them by'
);

-- a request of somebody who is restricted, and an answer to it
select t.host();
select t.set('stranger_messages', 'requests');
select t.act('eve');
select t.keep('ask', parley_api.start_conversation(array[t.id('dan')], message => 'e1') ->> 'id');
select t.act('dan');
select parley_api.restrict_user(t.id('eve')) is not null as done \gset
select lives_ok($$select t.send('ask', 'd1')$$, 'who is restricted is answered');
select is(t.folder('dan', 'ask'), 'requests', 'and stays where they are');
select t.act('eve');
select lives_ok($$select t.send('ask', 'e' || n) from generate_series(2, 9) n$$, 'but has an answer, as from anybody');
select * from finish();
rollback;
