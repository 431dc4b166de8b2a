-- Who was removed or has left loses access in the same moment: through functions that name a conversation or a message,
-- through every list and through every view. That all functions refuse who has left is in Tests/sql/access/matrix.tsv.
begin;
\ir ../people.psql

create table t.call (name text primary key, statement text not null, code text not null);
grant select on t.call to public;
insert into t.call (name, statement, code) values
('send_message', $$select parley_api.send_message(t.id('us'), 'x')$$, 'PT403'),
('get_conversation_messages', $$select parley_api.get_conversation_messages(t.id('us'))$$, 'PT403'),
('get_events', $$select parley_api.get_events(t.id('us'))$$, 'PT403'),
('mark_as_read', $$select parley_api.mark_as_read(t.id('us'))$$, 'PT403'),
('mark_as_delivered', $$select parley_api.mark_as_delivered(t.id('us'))$$, 'PT403'),
('mark_as_unread', $$select parley_api.mark_as_unread(t.id('us'))$$, 'PT403'),
('mark_message_as_read', $$select parley_api.mark_message_as_read(t.id('anns'))$$, 'PT404'),
('get_role_unread_counts', $$select parley_api.get_role_unread_counts(t.id('us'))$$, 'PT403'),
('get_message_receipts', $$select parley_api.get_message_receipts(t.id('anns'))$$, 'PT404'),
('search_messages', $$select parley_api.search_messages('Ann', t.id('us'))$$, 'PT403'),
('edit_message', $$select parley_api.edit_message(t.id('dans'), 'x')$$, 'PT404'),
('delete_message', $$select parley_api.delete_message(t.id('dans'), true)$$, 'PT404'),
('add_reaction', $$select parley_api.add_reaction(t.id('anns'), '👍')$$, 'PT404'),
('remove_reaction', $$select parley_api.remove_reaction(t.id('anns'), '🎉')$$, 'PT404'),
('get_conversation_media', $$select parley_api.get_conversation_media(t.id('us'))$$, 'PT403'),
('get_pinned_messages', $$select parley_api.get_pinned_messages(t.id('us'))$$, 'PT403'),
('forward_message', $$select parley_api.forward_message(t.id('anns'), array[t.id('us')])$$, 'PT404'),
('star_message', $$select parley_api.star_message(t.id('anns'))$$, 'PT404'),
('unstar_message', $$select parley_api.unstar_message(t.id('anns'))$$, 'PT404'),
('pin_message', $$select parley_api.pin_message(t.id('anns'))$$, 'PT404'),
('unpin_message', $$select parley_api.unpin_message(t.id('anns'))$$, 'PT404'),
('get_message_revisions', $$select parley_api.get_message_revisions(t.id('anns'))$$, 'PT404'),
('declare_attachment', $$select parley_api.declare_attachment(t.id('us'), 'image', 'a.png', 'image/png', 1)$$, 'PT403'),
('add_participants', $$select parley_api.add_participants(t.id('us'), array[t.id('dan')])$$, 'PT403'),
('remove_participant', $$select parley_api.remove_participant(t.id('us'), t.id('bob'))$$, 'PT403'),
('leave_conversation', $$select parley_api.leave_conversation(t.id('us'))$$, 'PT403'),
('get_conversation', $$select parley_api.get_conversation(t.id('us'))$$, 'PT403'),
('get_participants', $$select parley_api.get_participants(t.id('us'))$$, 'PT403'),
('search_members', $$select parley_api.search_members(t.id('us'), 'a')$$, 'PT403'),
('save_draft', $$select parley_api.save_draft(t.id('us'), 'x')$$, 'PT403'),
('set_participant_role', $$select parley_api.set_participant_role(t.id('us'), t.id('bob'), 'admin')$$, 'PT403'),
('update_conversation', $$select parley_api.update_conversation(t.id('us'), title => 'mine')$$, 'PT403'),
('delete_conversation', $$select parley_api.delete_conversation(t.id('us'))$$, 'PT403'),
('update_participant_settings', $$select parley_api.update_participant_settings(t.id('us'), pin => true)$$, 'PT403'),
('conversation_as_of', $$select parley_api.conversation_as_of(t.id('us'), 1, 'a reason')$$, 'PT403'),
('start_call', $$select parley_api.start_call(t.id('us'), 'voice', 'd1')$$, 'PT403'),
('get_calls', $$select parley_api.get_calls(t.id('us'))$$, 'PT403');

select plan((17 + 2 * count(*))::integer) from t.call;

create function t.make() returns void language plpgsql as $$
begin
    perform t.act('ann');
    perform t.keep('us', parley_api.start_conversation(array[t.id('bob'), t.id('dan')], 'group') ->> 'id');
    perform t.keep('anns', t.send('us', 'by Ann')::text);
    perform t.act('dan');
    perform t.keep('dans', t.send('us', 'by Dan')::text);
    perform parley_api.add_reaction(t.id('anns'), '🎉');
end
$$;

select t.make();
select t.act('dan');
select is(parley_api.can_access_conversation(t.id('us')), true, 'a member has access');
select is((select count(*) from parley_api.messages), 2::bigint, 'and sees the messages');
select parley_api.sync() ->> 'cursor' as cursor \gset
select t.act('ann');
select parley_api.remove_participant(t.id('us'), t.id('dan')) is null as removed \gset
select t.act('dan');
select t.last_event_seq('us') as event_seq \gset
select t.refused(c.code, c.statement, c.name || ' is refused to who was removed')
from t.call as c order by c.name;
select is(t.events_since('us', :event_seq), null, 'and none of that wrote an event');
select is(parley_api.can_access_conversation(t.id('us')), false, 'who was removed has no access');
select is(parley_api.can_access_conversation(t.id('us'), t.id('bob')), false, 'and does not learn who has');
select is(parley_api.get_user_conversations() -> 'conversations', '[]', 'the inbox is without the conversation');
select is(parley_api.get_user_conversations('archived') -> 'conversations', '[]', 'the archive, too');
select is(parley_api.get_unread_counts() -> 'conversations', '[]', 'nothing is unread');
select is(parley_api.sync() - '{cursor,position}'::text[],
    '{"conversations": [], "participants": [], "unread": {}, "left_conversation_ids": [], "events": [], "to": {}, "has_more": false, "resync_required": false}',
    'a first sync brings nothing of it'
);
select is(parley_api.sync(:'cursor') - '{cursor,events,position}'::text[],
    jsonb_build_object(
        'conversations', '[]'::jsonb, 'participants', '[]'::jsonb, 'unread', '{}'::jsonb,
        'left_conversation_ids', array[t.id('us')], 'to', '{}'::jsonb, 'has_more', false, 'resync_required', false
    ),
    'a later one only that it is gone'
);
select is_empty('select * from parley_api.conversations', 'no view shows the conversation');
select is_empty('select * from parley_api.participants', 'nor who is in it');
select is_empty('select * from parley_api.messages', 'nor a message, not even their own');
select t.host();
select is(
    (select j.allowed from parley.authorize_join('authenticated', t.id('dan'), 0, 'conversation:' || t.id('us')) j), false,
    'a subscription is refused'
);
select is(
    (select j.conversation_ids from parley.authorize_join('authenticated', t.id('dan'), 0, 'user:' || t.id('dan')) j), '{}',
    'and the user''s own carries nothing of it'
);
select is_empty(
    $$select * from parley.replay('authenticated', t.id('dan'), 'conversation:' || t.id('us'), 0, null, 1000)$$, 'nothing is replayed'
);

select t.make();
select t.act('dan');
select parley_api.leave_conversation(t.id('us')) is null as gone \gset
select t.refused(c.code, c.statement, c.name || ' is refused to who has left')
from t.call as c order by c.name;
select is_empty('select * from parley_api.messages', 'and no view shows a message');

select * from finish();
rollback;
