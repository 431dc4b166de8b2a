-- System messages: by the server and the host application only, inside the transaction of what they tell of.
begin;
select no_plan();
\ir ../people.psql

-- A host application: five lines of trigger tell the conversation of a booking what happened to it.
create schema shop;
create table shop.booking (id bigint primary key, conversation_id uuid not null, status text not null check (status <> 'impossible'));
create function shop.tell() returns trigger language plpgsql security definer as $$
begin
    perform parley_api.send_system_message(new.conversation_id, 'Booking ' || new.status, jsonb_build_object('booking_id', new.id));
    return new;
end
$$;
create trigger tell after update of status on shop.booking for each row execute function shop.tell();

select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('bob')]) ->> 'id');

-- not by clients
select t.refused('42501', $$select parley_api.send_system_message(t.id('talk'), 'You won')$$, 'a participant writes no system message');
select t.refused('PT400', $$select parley_api.send_message(t.id('talk'), 'You won', 'system')$$, 'not as a type either');
select t.claim('anon', '');
select t.refused('42501', $$select parley_api.send_system_message(t.id('talk'), 'You won')$$, 'nor does anon');

-- not anything
select t.claim('service_role', '{"role": "service_role"}');
select t.refused('PT400', $$select parley_api.send_system_message(null, 'x')$$, 'a conversation is needed');
select t.refused('PT404', $$select parley_api.send_system_message(t.id('none'), 'x')$$, 'that exists');
select t.refused('PT400', $$select parley_api.send_system_message(t.id('talk'), '')$$, 'and a text');
select t.refused('PT400', $$select parley_api.send_system_message(t.id('talk'), null)$$, 'not null');
select t.refused('PT400', $$select parley_api.send_system_message(t.id('talk'), repeat('x', 5001))$$, 'nor too long');
select t.refused('PT400', $$select parley_api.send_system_message(t.id('talk'), 'x', '[]')$$, 'metadata is an object');
select t.refused('PT413', $$select parley_api.send_system_message(t.id('talk'), 'x', jsonb_build_object('m', repeat('x', 8190)))$$, 'of 8 KiB');
select t.refused('PT400', $$select parley_api.send_system_message(t.id('talk'), 'x', '{"actor_id": "x"}')$$, 'which names no actor');
select is(parley_api.send_system_message(t.id('none'), 'x', skip_if_gone => true), null, 'of a conversation that has gone one can say that it does not matter');
select is(t.last_seq('talk'), 0::bigint, 'none of which takes a number');

-- by the host
select t.last_event_seq('talk') as event_seq \gset
select is(
    parley_api.send_system_message(t.id('talk'), 'Welcome', '{"a": 1}') - '{id,conversation_id,created_at,updated_at}'::text[],
    '{"seq": 1, "sender_id": null, "sender_role": null, "type": "system", "content": "Welcome", "metadata": {"a": 1}, "mentions": [],
      "reply_to_id": null, "reply_to": null, "mentions_all": false, "forwarded": false, "forward_count": 0, "pinned_at": null, "client_message_id": null, "attachments": [], "reactions": [], "status": "sent", "edited_at": null,
      "deleted_at": null, "expires_at": null}',
    'the service role writes one, from nobody'
);
select is(t.events_since('talk', :event_seq), 'message:new', 'which is an event like any message');
select is(t.unread('ann', 'talk'), 1::bigint, 'unread for one');
select is(t.unread('bob', 'talk'), 1::bigint, 'and the other');
select t.host();
update parley.conversation_profile set status = 'locked' where conversation_id = t.id('talk');
select lives_ok($$select parley_api.send_system_message(t.id('talk'), 'Locked')$$, 'the host''s own SQL writes one, also where clients may not');
update parley.conversation_profile set status = 'active' where conversation_id = t.id('talk');

-- both or neither
insert into shop.booking values (7, t.id('talk'), 'requested');
update shop.booking set status = 'confirmed' where id = 7;
select is(
    t.look(format('select content || metadata::text from parley.message where conversation_id = %L and seq = 3', t.id('talk'))),
    'Booking confirmed{"booking_id": 7}', 'a booking that changes says so in its conversation'
);
select t.last_event_seq('talk') as event_seq \gset
savepoint host_transaction;
update shop.booking set status = 'cancelled' where id = 7;
select is(t.last_seq('talk'), 4::bigint, 'within the transaction both are there');
rollback to host_transaction;
select is((select status from shop.booking), 'confirmed', 'if it rolls back the booking is as before');
select is(t.last_seq('talk'), 3::bigint, 'nothing was said');
select is(t.events_since('talk', :event_seq), null, 'and nobody is told');
select throws_ok($$update shop.booking set status = 'impossible' where id = 7$$, '23514', null, 'a change that fails');
select is(t.last_seq('talk'), 3::bigint, 'says nothing');
update shop.booking set conversation_id = t.id('none') where id = 7;
select t.refused('PT404', $$update shop.booking set status = 'paid' where id = 7$$, 'and a message that fails');
select is((select status from shop.booking), 'confirmed', 'changes no booking');

-- in the transaction of a client, too
update shop.booking set conversation_id = t.id('talk') where id = 7;
grant usage on schema shop to authenticated;
grant select, update on shop.booking to authenticated;
select t.act('bob');
update shop.booking set status = 'accepted' where id = 7;
select is(
    parley_api.get_conversation_messages(t.id('talk'), after_seq => 3) #>> '{messages,0,content}', 'Booking accepted',
    'a change by a user speaks through the trigger'
);
select is(
    parley_api.get_conversation_messages(t.id('talk'), after_seq => 3) #> '{messages,0,sender_id}', 'null', 'as the system, not as the user'
);

select t.host();
create function t.row(conversation text) returns jsonb language sql as $$
    select c from jsonb_array_elements(parley_api.get_user_conversations() -> 'conversations') c where c ->> 'id' = t.id($1)::text
$$;
-- notices: what the server says of changes
select t.host();
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;
select t.act('ann');
select t.keep('club', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group', message => 'hello') ->> 'id');
select parley_api.update_conversation(t.id('club'), title => 'title ' || n) is null as done from generate_series(1, 50) n \g /dev/null
select parley_api.set_participant_role(t.id('club'), t.id('cid'), 'admin') is null as done \gset
select t.host();
update parley.account set tier_name = 'privileged' where id = t.id('cid');
select t.act('cid');
select parley_api.add_participants(t.id('club'), array[t.id('dan')]) is null as done \gset
select t.act('bob');
select is(t.unread('bob', 'club'), 1::bigint, 'of fifty titles, a role and a new member nothing is unread');
select is(array[t.row('club') ->> 'unread_count', t.row('club') #>> '{last_message,content}'], array['1', 'hello'], 'nor the preview of the inbox');
select is((select c ->> 'unread_count' from jsonb_array_elements(parley_api.get_unread_counts() -> 'conversations') c where c ->> 'conversation_id' = t.id('club')::text), '1', 'nor in the counts');
select parley_api.mark_as_read(t.id('club')) is null as done \gset
select parley_api.mark_as_unread(t.id('club')) is null as done \gset
select is(t.row('club') ->> 'unread_count', '0', 'nothing is after reading');
select t.act('dan');
select is(array[t.row('club') ->> 'unread_count', t.row('club') ->> 'last_message'], array['0', null], 'who was just added has nothing to read');
select t.keep('notice', parley_api.get_conversation_messages(t.id('club')) #>> '{messages,0,id}');
select isnt(t.id('notice'), null, 'but sees it in the conversation');
select t.act('ann');
select t.send('club', 'new') is null as sent \gset
select is(t.unread('ann', 'club'), 0::bigint, 'whoever wrote after them has read them');
select parley_api.delete_message(t.id('notice'), true) is null as deleted \gset
select is(t.unread('dan', 'club'), 1::bigint, 'one that is deleted is not left out twice');
select is(t.unread('cid', 'club'), 2::bigint, 'also for whoever caused it');
select t.act('cid');
select parley_api.mark_as_read(t.id('club'), 53) is null as done \gset
select is(t.unread('cid', 'club'), 1::bigint, 'nor when the horizon passes it');
select t.act('dan');
select is(t.row('club') #>> '{last_message,content}', 'new', 'and the preview is what was said');
select t.host();
select parley_api.send_system_message(t.id('club'), 'Welcome', '{"event": "opening"}') is null as sent \gset
select t.act('dan');
select is(array[t.row('club') ->> 'unread_count', t.row('club') #>> '{last_message,content}'], array['2', 'Welcome'], 'what the host says is both');
select t.host();
update parley.setting set value = 'true' where name = 'notices_count';
select t.act('ann');
select parley_api.update_conversation(t.id('club'), title => 'counted') is null as done \gset
select t.act('dan');
select is(t.row('club') ->> 'unread_count', '3', 'and so are notices where a setting says so');
select is(t.unread('ann', 'club'), 1::bigint, 'but for whoever caused it');

-- whoever caused a counted system message need not read it, also after it was deleted
select t.act('ann');
select t.keep('team', parley_api.start_conversation(array[t.id('bob')], 'group') ->> 'id');
select t.act('bob');
select t.send('team', 'one') is null as sent \gset
select t.act('ann');
select is(
    (parley_api.add_participants(t.id('team'), array[t.id('dan')]) ->> 'unread_count')::bigint, 1::bigint,
    'what one caused is not unread'
);
select t.keep('added', t.look(format('select id from parley.message where conversation_id = %L and type = ''system''', t.id('team'))));
select parley_api.delete_message(t.id('added'), true) is null as deleted \gset
select is(
    (parley_api.mark_as_delivered(t.id('team')) ->> 'unread_count')::bigint, 1::bigint,
    'nor does it count against the rest once it is deleted'
);
select t.act('bob');
select t.send('team', 'two') is null as sent \gset
select t.act('ann');
select is((parley_api.mark_as_read(t.id('team'), 2) ->> 'unread_count')::bigint, 1::bigint, 'nor when the horizon passes it');
select t.act('dan');
select is((parley_api.mark_as_delivered(t.id('team')) ->> 'unread_count')::bigint, 1::bigint, 'and the others do not count it either');
select t.host();
update parley.setting set value = 'false' where name = 'notices_count';

select * from finish();
rollback;
