-- Starting conversations: what is refused, one direct conversation per pair and context, groups, the first message.
begin;
select plan(65);
\ir ../people.psql
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;

-- what makes no sense
select t.act('ann');
select t.refused('PT400', 'select parley_api.start_conversation(null)', 'a list of participants is needed');
select t.refused('PT400', $$select parley_api.start_conversation('{}')$$, 'with somebody in it');
select t.refused('PT400', $$select parley_api.start_conversation(array[t.id('ann')])$$, 'other than the caller');
select t.refused('PT400', $$select parley_api.start_conversation(array[t.id('ann')], 'group')$$, 'in a group, too');
select t.refused('PT400', $$select parley_api.start_conversation(array[t.id('bob'), null])$$, 'and no nulls');
select t.refused('PT400', $$select parley_api.start_conversation(array[array[t.id('bob')], array[t.id('cid')]], 'group')$$, 'nor a list of lists');
select t.refused('PT400', $$select parley_api.start_conversation(array[t.id('bob'), t.id('cid')])$$, 'a direct conversation is between two');
select t.refused('PT400', $$select parley_api.start_conversation(array[t.id('bob')], 'secret')$$, 'an unknown type is refused');
select t.refused('PT400', $$select parley_api.start_conversation(array[t.id('bob')], 'project')$$, 'a project conversation needs its project');
select t.refused('PT400', $$select parley_api.start_conversation(array[t.id('bob'), t.id('cid')], null)$$, 'no type is direct');
select t.refused('PT400', $$select parley_api.start_conversation(array[t.id('bob')], 'group', title => '')$$, 'an empty title is refused');
select t.refused('PT400', $$select parley_api.start_conversation(array[t.id('bob')], 'group', title => repeat('t', 256))$$, 'a title of 256 characters, too');
select t.refused('PT400', $$select parley_api.start_conversation(array[t.id('bob')], context_type => 'listing')$$, 'a context needs an id');
select t.refused('PT400', $$select parley_api.start_conversation(array[t.id('bob')], context_id => '7')$$, 'and a type');
select t.refused('PT400', $$select parley_api.start_conversation(array[t.id('bob')], context_type => 'A Listing', context_id => '7')$$, 'which is a word');
select t.refused('PT400', $$select parley_api.start_conversation(array[t.id('bob')], context_type => 'listing', context_id => '')$$, 'the id is not empty');
select t.refused('PT400', $$select parley_api.start_conversation(array[t.id('bob')], context_type => 'listing', context_id => repeat('7', 256))$$, 'nor long');
select t.refused('PT400', $$select parley_api.start_conversation(array[t.id('bob')], app_roles => '[]')$$, 'application roles are an object');
select t.refused('PT400', $$select parley_api.start_conversation(array[t.id('bob')], app_roles => '{"x": 1}')$$, 'of words');
select t.refused('PT400', $$select parley_api.start_conversation(array[t.id('bob')], app_roles => '{"x": "The Buyer"}')$$, 'in small letters');
select t.refused('PT403', format($$select parley_api.start_conversation(array[t.id('bob')], app_roles => '{"%s": "moderator"}')$$, t.id('ann')), 'nor ones that only the application gives');
select t.refused('PT403', format($$select parley_api.start_conversation(array[t.id('bob')], app_roles => '{"%s": "owner"}')$$, t.id('bob')), 'to anybody');
select t.refused('PT413',
    $$select parley_api.start_conversation(array(select gen_random_uuid() from generate_series(1, 10001)), 'group')$$,
    'more users than any conversation holds are refused before they are looked up');
select t.refused('PT403', $$select parley_api.start_conversation(array[t.id('noa')])$$, 'an unknown user is not reached');
select t.refused('PT400', $$select parley_api.start_conversation(array[t.id('bob')], message => repeat('x', 5001))$$, 'a first message that is too long is refused');
select is(t.look('select count(*) from parley.conversation'), '0', 'and nothing of all that leaves a conversation');
select is(t.look($$select count(*) from parley.event e where e.kind <> 'limits:changed'$$), '0', 'nor an event');

-- direct
select parley_api.start_conversation(array[t.id('bob')], app_roles => jsonb_build_object(t.id('ann'), 'buyer')) as first \gset
select t.keep('talk', :'first'::jsonb ->> 'id');
select is(:'first'::jsonb -> 'created', 'true', 'the first call makes the conversation');
select is(
    (
        select jsonb_object_agg(p ->> 'display_name', jsonb_build_array(p -> 'role', p -> 'app_role'))
        from jsonb_array_elements(:'first'::jsonb -> 'participants') p
    ),
    '{"Ann": ["member", "buyer"], "Bob": ["member", null]}', 'of two equal members, one with a role in the application'
);
select is(:'first'::jsonb ->> 'created_by', t.id('ann')::text, 'started by the caller');
select is(t.events_since('talk', 0), 'participant:joined participant:joined conversation:new', 'both join before it is announced');
select is(parley_api.start_conversation(array[t.id('bob')]) - '{me,unread_count}'::text[] #- '{created}', :'first'::jsonb - '{me,unread_count,created}'::text[],
    'the second call returns the same');
select is(parley_api.start_conversation(array[t.id('bob')]) -> 'created', 'false', 'and says that it was there');
select is(parley_api.start_conversation(array[t.id('ann'), t.id('bob'), t.id('bob')]) ->> 'id', t.id('talk')::text,
    'naming oneself, or somebody twice, changes nothing');
select t.act('bob');
select is(parley_api.start_conversation(array[t.id('ann')]) ->> 'id', t.id('talk')::text, 'from the other side it is the same conversation');
select is(t.last_event_seq('talk'), 3::bigint, 'and finding it writes no event');

-- by context
select t.act('ann');
select t.keep('bike', parley_api.start_conversation(array[t.id('bob')], context_type => 'listing', context_id => '7') ->> 'id');
select isnt(t.id('bike'), t.id('talk'), 'a context has a thread of its own');
select is(
    parley_api.start_conversation(array[t.id('bob')], context_type => 'listing', context_id => '7') ->> 'id', t.id('bike')::text,
    'the same context the same'
);
select isnt(
    parley_api.start_conversation(array[t.id('bob')], context_type => 'booking', context_id => '7') ->> 'id', t.id('bike')::text,
    'the same id of another kind of thing another'
);
select isnt(
    parley_api.start_conversation(array[t.id('cid')], context_type => 'listing', context_id => '7') ->> 'id', t.id('bike')::text,
    'and so the same thing with another user'
);
select t.host();
update parley.setting set value = 'pair' where name = 'direct_threading';
select t.act('ann');
select is(
    parley_api.start_conversation(array[t.id('bob')], context_type => 'listing', context_id => '8') ->> 'id', t.id('talk')::text,
    'where the deployment threads by pair the context opens no new one'
);
select is(
    parley_api.start_conversation(array[t.id('eve')], context_type => 'booking', context_id => '1') ->> 'context_id', '1',
    'a new one keeps the context it was started for'
);
select is(
    parley_api.start_conversation(array[t.id('eve')], context_type => 'booking', context_id => '2') -> 'created', 'false',
    'and is the one for the next'
);

-- groups
select parley_api.start_conversation(array[t.id('bob'), t.id('cid'), t.id('bob')], 'group', 'Us') as made \gset
select t.keep('us', :'made'::jsonb ->> 'id');
select is(:'made'::jsonb -> 'participant_count', '3', 'a group counts everybody once');
select is(
    (
        select jsonb_object_agg(p ->> 'display_name', p -> 'role') from jsonb_array_elements(:'made'::jsonb -> 'participants') p
    ),
    '{"Ann": "owner", "Bob": "member", "Cid": "member"}', 'and belongs to who made it'
);
select isnt(parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group', 'Us') ->> 'id', t.id('us')::text, 'groups are never found, always made');
select is(
    parley_api.start_conversation(array[t.id('bob')], 'announcement') -> 'settings' ->> 'who_can_send', 'admins_only',
    'in an announcement only admins speak'
);
select t.host();
insert into parley.account (id, tier_name) select md5('one of many ' || n)::uuid, 'free' from generate_series(1, 256) n;
select t.act('ann');
select t.refused('PT400', $$select parley_api.start_conversation((select array_agg(md5('one of many ' || n)::uuid) from generate_series(1, 256) n), 'group')$$,
    'a new deployment has no groups of 257');
select is(
    parley_api.start_conversation((select array_agg(md5('one of many ' || n)::uuid) from generate_series(1, 255) n), 'group') -> 'participant_count',
    '256', 'but of 256'
);
select t.host();
update parley.tier_limit set amount = 3 where name = 'max_group_size' and tier_name = 'privileged_plus';
select t.act('ann');
select t.refused('PT400', $$select parley_api.start_conversation(array[t.id('bob'), t.id('cid'), t.id('dan')], 'group')$$,
    'a group is limited by the plan, the caller counted');
select isnt(parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group') ->> 'id', null, 'up to the limit itself');

-- the first message
select parley_api.start_conversation(array[t.id('dan')], message => 'hello', client_message_id => t.id('none')) as first \gset
select t.keep('dans', :'first'::jsonb ->> 'id');
select is(:'first'::jsonb #>> '{message,content}', 'hello', 'the answer carries the first message');
select is(:'first'::jsonb #>> '{message,seq}', '1', 'which is the first');
select is(
    parley_api.start_conversation(array[t.id('dan')], message => 'hello', client_message_id => t.id('none')) #>> '{message,id}',
    :'first'::jsonb #>> '{message,id}', 'repeated with its client_message_id it is the same message'
);
select t.refused('PT409', $$select parley_api.start_conversation(array[t.id('dan')], message => 'other', client_message_id => t.id('none'))$$,
    'and other content a conflict');
select is(
    parley_api.start_conversation(array[t.id('dan')], message => 'again') #>> '{message,seq}', '2',
    'in a conversation that exists the message is just the next'
);
select is(t.last_seq('dans'), 2::bigint, 'two in all');
select is(parley_api.start_conversation(array[t.id('dan')]) -> 'message', 'null', 'without one there is none');

-- by the host application
select t.claim('service_role', '{"role": "service_role"}');
select t.refused('PT400', $$select parley_api.start_conversation(array[t.id('cid')])$$, 'the host names both of a direct conversation');
select t.refused('PT400', $$select parley_api.start_conversation(array[t.id('cid'), t.id('dan')], message => 'hello')$$, 'and has no voice in it');
select parley_api.start_conversation(array[t.id('cid'), t.id('dan')]) as made \gset
select is(:'made'::jsonb -> 'created_by', 'null', 'nobody started what the host starts');
select t.keep('hosts', :'made'::jsonb ->> 'id');
select t.act('cid');
select is(parley_api.start_conversation(array[t.id('dan')]) ->> 'id', t.id('hosts')::text, 'the two find it');
select lives_ok($$select t.send('hosts', 'thank you')$$, 'and talk, on any plan');

-- the type that is not said
select t.act('ann');
select is(parley_api.start_conversation(array[t.id('bob')], context_type => 'project', context_id => '1') ->> 'type', 'project', 'what is about a project is of it');
select is(parley_api.start_conversation(array[t.id('bob')], 'direct', context_type => 'project', context_id => '1') ->> 'type', 'direct', 'unless another type is named');

select * from finish();
rollback;
