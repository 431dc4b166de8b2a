-- Starting a group with all that it may begin with, and starting it once however often it is asked for.
begin;
select no_plan();
\ir ../people.psql
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;
select t.keep('key', '88888888-8888-4888-8888-888888888888');
select t.keep('other_key', '88888888-8888-4888-8888-888888888889');

create function t.texts() returns text language sql as $$
    select string_agg(m ->> 'content', '|' order by (m ->> 'seq')::bigint)
    from jsonb_array_elements(parley_api.get_conversation_messages(t.id('us')) -> 'messages') m
$$;

-- what makes no sense
select t.act('ann');
select t.refused('PT400', format('select parley_api.start_conversation(array[t.id(''bob'')], ''group'', %s)', a), a || ' is refused')
from unnest(array[
    $$title => E'a\tb'$$, $$description => repeat('d', 2001)$$, $$icon_url => 'data:text/html,x'$$, $$settings => '[]'$$, $$permissions => '{"fly": "everyone"}'$$,
    $$history_visible => 'never'$$, 'max_members => 1', 'message_ttl_seconds => -5'
]) a;
select t.refused('PT400', $$select parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group', max_members => 2)$$, 'more members than it may have are too many');
-- more than a tier lets its users have in a group is for the application to say
select t.host();
update parley.tier_limit set amount = 2 where name = 'max_group_size';
select t.claim('service_role', '{"role": "service_role"}');
select t.refused('PT400', $$select parley_api.start_conversation(array[t.id('ann'), t.id('bob'), t.id('cid')], 'group')$$, 'nor has the application more than the usual number');
select t.keep('many', parley_api.start_conversation(array[t.id('ann'), t.id('bob'), t.id('cid')], 'group', max_members => 4) ->> 'id');
select is(t.look(format('select count(*) from parley.participant where conversation_id = %L', t.id('many'))), '3', 'unless it says how many');
select lives_ok($$select parley_api.add_participants(t.id('many'), array[t.id('dan')])$$, 'also when it adds them');
select t.refused('PT400', $$select parley_api.add_participants(t.id('many'), array[t.id('eve')])$$, 'up to there');
select t.host();
select parley.purge_conversation(t.id('many'), null) is null as gone \gset
update parley.tier_limit set amount = 256 where name = 'max_group_size';
select t.act('ann');
select t.refused('PT400', $$select parley_api.start_conversation(array[t.id('bob')], permissions => '{"add_members": "everyone"}')$$, 'two people have no permissions');
select t.refused('PT400', $$select parley_api.start_conversation(array[t.id('bob')], 'announcement', permissions => '{"send_messages": "everyone"}')$$, 'in an announcement only admins send');
select is(t.look('select count(*) from parley.conversation'), '0', 'none of which makes anything');

-- everything at once
select parley_api.start_conversation(
    array[t.id('bob'), t.id('cid')], 'group', 'Us', description => 'Friends', icon_url => 'https://example.org/us.png',
    settings => '{"colour": "red"}', permissions => '{"add_members": "admins", "delete_messages": "everyone"}',
    history_visible => 'start', max_members => 4, message_ttl_seconds => 3600, message => 'welcome'
) as made \gset
select t.keep('us', :'made'::jsonb ->> 'id');
select is(
    (select jsonb_object_agg(k, :'made'::jsonb -> k) from unnest('{title,description,icon_url,history_visible,max_members,message_ttl_seconds,status,archived_at}'::text[]) k),
    '{"title": "Us", "description": "Friends", "icon_url": "https://example.org/us.png", "history_visible": "start", "max_members": 4, "message_ttl_seconds": 3600, "status": "active", "archived_at": null}',
    'a group begins as it is asked for'
);
select is(
    :'made'::jsonb -> 'permissions',
    '{"send_messages": "everyone", "add_members": "admins", "remove_members": "admins", "change_settings": "admins", "delete_messages": "everyone"}',
    'with its permissions'
);
select is(:'made'::jsonb -> 'settings', '{"colour": "red", "who_can_add": "admins_only", "who_can_send": "everyone"}', 'by either name');
select is(
    (select m.expires_at - m.created_at from parley_api.messages m where m.conversation_id = t.id('us')), interval '1 hour',
    'its first message disappears as the others will'
);
select is(t.events_since('us', 0), 'participant:joined participant:joined participant:joined conversation:new message:new', 'everybody is told once');
select is(
    t.look(format('select string_agg(n.name, %L order by n.name) from parley.event e inner join t.named n on n.id = e.user_id where e.conversation_id = %L', ' ', t.id('us'))),
    'ann bob cid', 'all members, five or three'
);
select parley_api.add_participants(t.id('us'), array[t.id('dan')]) is null as added \gset
select t.refused('PT400', $$select parley_api.add_participants(t.id('us'), array[t.id('eve')])$$, 'it is full at its own limit');
select t.act('dan');
select is(t.texts(), 'welcome|Ann added Dan.', 'who comes later sees all, where history is visible from the start');
select is(parley_api.get_conversation(t.id('us')) #>> '{me,history_from_seq}', '1', 'as the own settings say');
select t.act('bob');
select t.refused('PT403', $$select parley_api.add_participants(t.id('us'), array[t.id('eve')])$$, 'only admins add');

-- once
select t.act('ann');
select parley_api.start_conversation(array[t.id('bob')], 'group', 'Once', message => 'hello', client_message_id => t.id('key')) as first \gset
select t.keep('once', :'first'::jsonb ->> 'id');
select is(:'first'::jsonb -> 'created', 'true', 'a group is made');
select t.last_event_seq('once') as event_seq \gset
select parley_api.start_conversation(array[t.id('bob')], 'group', 'Once', message => 'hello', client_message_id => t.id('key')) as second \gset
select is(:'second'::jsonb ->> 'id', t.id('once')::text, 'asked for again with the same client_message_id it is that one');
select is(:'second'::jsonb -> 'created', 'false', 'which says so');
select is(:'second'::jsonb #>> '{message,id}', :'first'::jsonb #>> '{message,id}', 'with its first message');
select is(t.events_since('once', :event_seq), null, 'and nothing else happens');
select t.refused('PT409', format('select parley_api.start_conversation(%s, client_message_id => t.id(''key''))', a), 'another request is a conflict: ' || a)
from unnest(array[
    $$array[t.id('cid')], 'group', 'Once', message => 'hello'$$, $$array[t.id('bob')], 'group', 'Twice', message => 'hello'$$,
    $$array[t.id('bob')], 'group', 'Once', message => 'goodbye'$$, $$array[t.id('bob')], 'support', 'Once', message => 'hello'$$,
    $$array[t.id('bob')], 'group', 'Once', message => 'hello', settings => '{"a": 1}'$$,
    $$array[t.id('bob')], 'group', 'Once', message => 'hello', app_roles => '{}'$$
]) a;
select isnt(
    parley_api.start_conversation(array[t.id('bob')], 'group', 'Once', message => 'hello', client_message_id => t.id('other_key')) ->> 'id',
    t.id('once')::text, 'another client_message_id is another group'
);
select t.act('bob');
select isnt(
    parley_api.start_conversation(array[t.id('ann')], 'group', 'Once', message => 'hello', client_message_id => t.id('key')) ->> 'id',
    t.id('once')::text, 'and so is somebody else''s'
);
select t.host();
update parley.account set tier_name = 'free' where id = t.id('ann');
select t.act('ann');
select is(
    parley_api.start_conversation(array[t.id('bob')], 'group', 'Once', message => 'hello', client_message_id => t.id('key')) ->> 'id', t.id('once')::text,
    'a repetition gets it, whatever the plan is by then'
);
select parley_api.leave_conversation(t.id('once')) is null as gone \gset
select t.refused('PT403',
    $$select parley_api.start_conversation(array[t.id('bob')], 'group', 'Once', message => 'hello', client_message_id => t.id('key'))$$,
    'but not who has left it since'
);
select t.claim('service_role', '{"role": "service_role"}');
select t.keep('hosts', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group', client_message_id => t.id('key')) ->> 'id');
select is(
    parley_api.start_conversation(array[t.id('cid'), t.id('bob')], 'group', client_message_id => t.id('key')) ->> 'id', t.id('hosts')::text, 'the host repeats itself, too'
);

select * from finish();
rollback;
