-- Changing a conversation: what may be changed by whom, what is said about it, and what it does.
begin;
select no_plan();
\ir ../people.psql
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;

create function t.texts() returns text language sql security definer as $$
    select string_agg(coalesce(m.content, parley.notice_text(m.metadata)), '|' order by m.seq) from parley.message m where m.conversation_id = t.id('us')
$$;
create function t.forget() returns void language sql security definer as $$
    delete from parley.message where conversation_id = t.id('us')
$$;
-- What an update of the group answers, in one key; the texts of before are gone.
create function t.update(arguments text, key text) returns jsonb language plpgsql as $$
declare
    v_answer jsonb;
begin
    perform t.forget();
    execute format('select parley_api.update_conversation(t.id(''us''), %s)', arguments) into v_answer;
    return v_answer #> string_to_array(key, '.');
end
$$;
create function t.set_role(name text, role text) returns void language sql security definer as $$
    update parley.participant set role = $2 where conversation_id = t.id('us') and user_id = t.id($1)
$$;

select t.act('ann');
select t.keep('direct', parley_api.start_conversation(array[t.id('bob')]) ->> 'id');
select t.keep('news', parley_api.start_conversation(array[t.id('bob')], 'announcement') ->> 'id');
select t.keep('us', parley_api.start_conversation(array[t.id('bob'), t.id('cid'), t.id('dan')], 'group', 'Us') ->> 'id');
select t.set_role('bob', 'admin');

-- what makes no sense
select t.last_event_seq('us') as event_seq \gset
select t.refused('PT400', format('select parley_api.update_conversation(t.id(''us''), %s)', a), a || ' is refused')
from unnest(array[
    $$title => E'two\nlines'$$, $$title => U&'back\202Ewards'$$, $$title => chr(27) || '[2J'$$, $$description => chr(7)$$,
    $$title => repeat('t', 256)$$, $$description => repeat('d', 2001)$$,
    $$icon_url => 'javascript:alert(1)'$$, $$icon_url => 'https://a b'$$, $$icon_url => 'https://a/' || repeat('i', 2000)$$,
    $$settings => '[]'$$, $$settings => '{"who_can_send": "everyone"}'$$,
    $$status => 'closed'$$, $$who_can_send => 'nobody'$$, $$who_can_add => 'nobody'$$,
    $$permissions => '[]'$$, $$permissions => '{"send_messages": "nobody"}'$$, $$permissions => '{"send_messages": true}'$$,
    $$permissions => '{"fly": "everyone"}'$$, $$permissions => '{"send_messages": null}'$$,
    'message_ttl_seconds => -1', 'message_ttl_seconds => 31622401',
    $$history_visible => 'never'$$, 'max_members => 1', 'max_members => 1000001'
]) a;
select t.refused('PT413', $$select parley_api.update_conversation(t.id('us'), settings => jsonb_build_object('a', repeat('a', 8192)))$$, 'settings have an end');
select t.refused('PT400', 'select parley_api.update_conversation(null)', 'a conversation is needed');
select t.refused('PT400', $$select parley_api.update_conversation(t.id('news'), who_can_send => 'everyone')$$, 'in an announcement only admins send');
select t.refused('PT400', $$select parley_api.update_conversation(t.id('news'), permissions => '{"send_messages": "everyone"}')$$, 'by either name');
select t.refused('PT400', format('select parley_api.update_conversation(t.id(''direct''), %s)', a), 'a direct conversation has no ' || a)
from unnest(array[
    $$permissions => '{"send_messages": "admins"}'$$, $$permissions => '{"add_members": "admins"}'$$, $$who_can_send => 'admins_only'$$,
    $$history_visible => 'start'$$, 'max_members => 5'
]) a;
select is(parley_api.update_conversation(t.id('us'), title => 'Us', settings => '{}', status => 'active', max_members => 0) ->> 'title', 'Us', 'what is as it was');
select is(t.events_since('us', :event_seq), null, 'is no event, as is none of the above');

-- what is given changes
select is(t.update($$title => 'All of us'$$, 'title'), '"All of us"', 'the title');
select is(t.texts(), 'Ann changed the title to "All of us".', 'which is said');
select is(t.events_since('us', :event_seq), 'message:new conversation:updated', 'and clients draw it anew');
select is(
    t.look(format('select data from parley.event where conversation_id = %L and event_seq = %s', t.id('us'), :event_seq + 2)),
    '{"changed": ["title"]}', 'the log knows what, and not what to'
);
select is(t.unread('ann', 'us'), 0::bigint, 'whoever did it need not read it');
select is(t.unread('cid', 'us'), 0::bigint, 'nor do the others');
select is(t.update($$description => E'Friends\nand others'$$, 'description'), '"Friends\nand others"', 'the description, in lines');
select is(t.update($$icon_url => '/icons/1.png'$$, 'icon_url'), '"/icons/1.png"', 'the icon');
select is(t.update($$settings => '{"colour": "red", "size": 1}'$$, 'settings'), '{"colour": "red", "size": 1, "who_can_add": "everyone", "who_can_send": "everyone"}', 'settings of the application');
select is(t.update($$settings => '{"size": null, "more": {"a": null}}'$$, 'settings.size'), null, 'a null takes a key of them away');
select is(t.look(format('select settings from parley.conversation_profile where conversation_id = %L', t.id('us'))), '{"more": {"a": null}, "colour": "red"}', 'and only that one');
select is(t.update('message_ttl_seconds => 86400', 'message_ttl_seconds'), '86400', 'disappearing messages');
select is(t.texts(), 'Ann made new messages disappear after 1 day.', 'with the time');
select is(t.update(format('message_ttl_seconds => %s', n), 'message_ttl_seconds'), to_jsonb(n), words) || E'\n' || is(t.texts(), format('Ann made new messages disappear after %s.', words), 'is what is said')
from (values (90, '90 seconds'), (7200, '2 hours'), (604800, '7 days'), (60, '1 minute'), (86400, '1 day')) as x (n, words);
select t.act('bob');
select t.keep('gone', t.send('us', 'soon gone')::text);
select t.act('ann');
select is((select m.expires_at - m.created_at from parley_api.messages m where m.id = t.id('gone')), interval '1 day', 'which new messages obey');
select is(t.update($$max_members => 5, history_visible => 'start'$$, 'max_members'), '5', 'a limit of members');
select is(t.texts(), 'Ann let new members see earlier messages.|Ann limited the conversation to 5 members.', 'each change is said');
select is(
    t.update($$title => '', description => '', icon_url => '', message_ttl_seconds => 0, max_members => 0$$, 'title'), 'null',
    'empty and 0 clear'
);
select is(
    t.texts(), 'Ann removed the title.|Ann removed the description.|Ann removed the icon.|Ann turned off disappearing messages.|Ann removed the limit of members.',
    'all of them'
);

-- who may
select t.act('eve');
select is(
    t.failure($$select parley_api.update_conversation(t.id('us'), title => 'x')$$),
    t.failure($$select parley_api.update_conversation(t.id('none'), title => 'x')$$), 'a stranger does not learn that there is one'
);
select t.act('cid');
select t.refused('PT403', $$select parley_api.update_conversation(t.id('us'), title => 'x')$$, 'a member changes nothing');
select t.act('bob');
select is(t.update($$permissions => '{"change_settings": "everyone"}'$$, 'permissions.change_settings'), '"everyone"', 'an admin lets everyone');
select is(t.texts(), 'Bob allowed everyone to change the settings.', 'which is said');
select t.act('cid');
select is(t.update($$title => 'Cid was here'$$, 'title'), '"Cid was here"', 'then a member does');
select t.refused('PT403', format('select parley_api.update_conversation(t.id(''us''), %s)', a), 'but not ' || a)
from unnest(array[
    $$status => 'locked'$$, $$who_can_send => 'admins_only'$$, $$who_can_add => 'admins_only'$$,
    $$permissions => '{"remove_members": "everyone"}'$$, $$permissions => '{"delete_messages": "everyone"}'$$,
    $$permissions => '{"change_settings": "admins"}'$$, $$history_visible => 'joined'$$, 'max_members => 9'
]) a;
select t.act('bob');
select is(t.update('message_ttl_seconds => 60', 'message_ttl_seconds'), '60', 'a direct conversation is not needed for that');
select is(t.update('message_ttl_seconds => 0', 'message_ttl_seconds'), 'null', 'nor to end it');
select is(parley_api.update_conversation(t.id('direct'), message_ttl_seconds => 60) ->> 'message_ttl_seconds', '60', 'but either of two may, there');
select t.refused('PT403', $$select parley_api.update_conversation(t.id('direct'), status => 'locked')$$, 'neither locks it');

-- one source for who_can_... and permissions
select is(
    t.update($$who_can_send => 'admins_only', who_can_add => 'admins_only'$$, 'permissions'),
    '{"send_messages": "admins", "add_members": "admins", "remove_members": "admins", "change_settings": "everyone", "delete_messages": "admins"}',
    'who_can_... is seen in the permissions'
);
select is(
    t.update($$permissions => '{"send_messages": "everyone", "add_members": "everyone"}'$$, 'settings'),
    '{"more": {"a": null}, "colour": "red", "who_can_add": "everyone", "who_can_send": "everyone"}', 'and the other way round'
);
select is((select c.who_can_send || ' ' || c.who_can_add from parley_api.conversations c where c.id = t.id('us')), 'everyone everyone', 'in the view, too');

-- what the permissions do
select t.update($$permissions => '{"send_messages": "admins", "add_members": "admins", "remove_members": "everyone", "delete_messages": "everyone"}'$$, 'id') is null as changed \gset
select t.act('dan');
select t.refused('PT403', $$select t.send('us', 'x')$$, 'only admins send');
select t.refused('PT403', $$select parley_api.add_participants(t.id('us'), array[t.id('eve')])$$, 'only admins add');
select t.refused('PT403', $$select parley_api.remove_participant(t.id('us'), t.id('bob'))$$, 'where everyone removes, a member does not remove an admin');
select is(parley_api.remove_participant(t.id('us'), t.id('cid')) ->> 'participant_count', '3', 'but a member');
select is(
    parley_api.get_conversation(t.id('us')) -> 'my_permissions',
    '{"send_messages": false, "add_members": false, "remove_members": true, "change_settings": true, "delete_messages": true}',
    'and everybody learns what they may'
);
select t.act('ann');
select t.update($$permissions => '{"send_messages": "everyone", "add_members": "everyone", "remove_members": "admins"}', max_members => 3$$, 'id') is null as changed \gset
select t.refused('PT400', $$select parley_api.add_participants(t.id('us'), array[t.id('cid')])$$, 'a group is limited by its own limit');
select t.update('max_members => 300', 'id') is null as changed \gset
select t.host();
update parley.tier_limit set amount = 3 where tier_name = 'privileged_plus' and name = 'max_group_size';
select t.act('ann');
select t.refused('PT400', $$select parley_api.add_participants(t.id('us'), array[t.id('cid')])$$, 'and never beyond the plan');
select t.host();
update parley.tier_limit set amount = 256 where tier_name = 'privileged_plus' and name = 'max_group_size';
select t.act('ann');
select parley_api.add_participants(t.id('us'), array[t.id('cid')]) is null as added \gset

-- status
select t.last_event_seq('us') as event_seq \gset
select is(t.update($$status => 'locked'$$, 'status'), '"locked"', 'an admin locks');
select is(t.texts(), 'Ann locked the conversation.', 'which is the last that is said');
select t.refused('PT403', $$select t.send('us', 'x')$$, 'nobody sends, not even the owner');
select t.refused('PT403', $$select parley_api.update_conversation(t.id('us'), title => 'x')$$, 'nothing changes');
select is(
    parley_api.get_conversation(t.id('us')) -> 'my_permissions' -> 'send_messages', 'false', 'and clients know'
);
select is(t.update($$status => 'archived'$$, 'status'), '"archived"', 'it is archived');
select is(
    t.look(format('select archived_at between now() and clock_timestamp() from parley.conversation_profile where conversation_id = %L', t.id('us'))), 'true',
    'since now'
);
select is(t.update($$status => 'active', title => 'Open'$$, 'title'), '"Open"', 'and opened again, with whatever else');
select is(parley_api.get_conversation(t.id('us')) -> 'archived_at', 'null', 'it is archived no more');
select lives_ok($$select t.send('us', 'x')$$, 'and takes messages');
select is(t.look(format('select restricted from parley.conversation where id = %L', t.id('us'))), 'false', 'without another look under the lock');

-- the host application
select t.claim('service_role', '{"role": "service_role"}');
select t.refused('PT404', $$select parley_api.update_conversation(t.id('none'), title => 'x')$$, 'the host is told that there is no such conversation');
select is(t.update($$status => 'locked'$$, 'status'), '"locked"', 'it locks');
select is(t.texts(), 'The administration locked the conversation.', 'as the administration');
select is(t.update($$title => 'Closed'$$, 'title'), '"Closed"', 'and changes what is locked');
select is(parley_api.update_conversation(t.id('direct'), status => 'archived') ->> 'status', 'archived', 'and archives what two have ended');

select * from finish();
rollback;
