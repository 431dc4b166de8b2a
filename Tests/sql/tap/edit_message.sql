-- Editing: by the sender, within the plan's window, with what it said before kept for moderators.
begin;
select plan(60);
\ir ../people.psql

create function t.age(message text, minutes numeric) returns void language sql security definer as $$
    update parley.message set created_at = clock_timestamp() - make_interval(secs => $2::double precision * 60) where id = t.id($1)
$$;

select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group') ->> 'id');
select t.act('bob');
select t.keep('message', parley_api.send_message(t.id('talk'), 'first', metadata => '{"a": 1}', mentions => array[t.id('ann')]) ->> 'id');
select t.last_event_seq('talk') as event_seq \gset

-- not by others
select t.act('eve');
select t.refused('PT404', $$select parley_api.edit_message(t.id('message'), 'x')$$, 'a stranger finds no message to edit');
select is(
    t.failure($$select parley_api.edit_message(t.id('message'), 'x')$$), t.failure($$select parley_api.edit_message(t.id('none'), 'x')$$),
    'as if there were none'
);
select t.act('cid');
select t.refused('PT403', $$select parley_api.edit_message(t.id('message'), 'x')$$, 'another member does not edit it');
select t.act('ann');
select t.refused('PT403', $$select parley_api.edit_message(t.id('message'), 'x')$$, 'nor does the owner of the group');

-- not to anything
select t.act('bob');
select t.refused('PT400', 'select parley_api.edit_message(null, ''x'')', 'a message is needed');
select t.refused('PT400', $$select parley_api.edit_message(t.id('message'), null)$$, 'content is needed');
select t.refused('PT400', $$select parley_api.edit_message(t.id('message'), '  ')$$, 'that is not blank');
select t.refused('PT400', $$select parley_api.edit_message(t.id('message'), repeat('💬', 5001))$$, 'nor too long');
select t.refused('PT400', $$select parley_api.edit_message(t.id('message'), 'x', '[]')$$, 'metadata is an object');
select is(t.events_since('talk', :event_seq), null, 'none of which is an event');

-- an edit
select parley_api.edit_message(t.id('message'), 'second') as edited \gset
select is(:'edited'::jsonb ->> 'content', 'second', 'the sender edits');
select is(:'edited'::jsonb -> 'metadata', '{"a": 1}', 'metadata stays if it is left out');
select is(:'edited'::jsonb -> 'mentions', jsonb_build_array(t.id('ann')), 'and so do mentions');
select isnt(:'edited'::jsonb -> 'edited_at', 'null', 'the message says that it was edited');
select is(:'edited'::jsonb -> 'updated_at', :'edited'::jsonb -> 'edited_at', 'which is when it last changed');
select is(:'edited'::jsonb ->> 'seq', '1', 'and keeps its place');
select is(t.events_since('talk', :event_seq), 'message:updated', 'it is one event');
select is(
    t.look(format('select (actor_id, message_id, message_seq, data)::text from parley.event where conversation_id = %L and event_seq = %s',
        t.id('talk'), :event_seq + 1)),
    format('(%s,%s,1,)', t.id('bob'), t.id('message')), 'of ids only'
);
select is(
    t.look(format('select (revision, replaced_by, reason, content, metadata)::text from parley.message_revision where message_id = %L', t.id('message'))),
    format('(1,%s,edited,first,"{""a"": 1}")', t.id('bob')), 'what it said is kept'
);
select parley_api.edit_message(t.id('message'), 'second') as again \gset
select is(:'again'::jsonb -> 'edited_at', :'edited'::jsonb -> 'edited_at', 'the same edit again changes nothing');
select is(t.events_since('talk', :event_seq), 'message:updated', 'and is no event');
select is(parley_api.edit_message(t.id('message'), 'second', '{"b": 2}') -> 'metadata', '{"b": 2}', 'metadata changes if it is given');
select is(parley_api.edit_message(t.id('message'), 'second', '{}') -> 'metadata', '{}', 'or is emptied');
select is(
    t.look(format('select array_agg(revision order by revision) from parley.message_revision where message_id = %L', t.id('message'))),
    '{1,2,3}', 'every version is kept'
);
select t.act('ann');
select is(parley_api.get_conversation_messages(t.id('talk')) #>> '{messages,0,content}', 'second', 'everybody reads the new text');

-- the window
select t.act('bob');
select t.age('message', 14.9);
select lives_ok($$select parley_api.edit_message(t.id('message'), 'in time')$$, 'within 15 minutes it can be edited');
select t.age('message', 15.01);
select is(
    t.failure($$select parley_api.edit_message(t.id('message'), 'late')$$) - '{detail,hint}'::text[],
    '{"code": "PT403", "message": "A message can be edited for 15 minutes."}', 'and not after them'
);
select lives_ok($$select parley_api.edit_message(t.id('message'), 'in time')$$, 'while a repeated edit is still answered');
select t.host();
update parley.tier_limit set amount = 20 where tier_name = 'privileged' and name = 'edit_window_minutes';
select t.act('bob');
select lives_ok($$select parley_api.edit_message(t.id('message'), 'late')$$, 'a longer window is a row of the plan');
select t.host();
update parley.tier_limit set amount = 0 where tier_name = 'privileged' and name = 'edit_window_minutes';
select t.act('bob');
select t.refused('PT403', $$select parley_api.edit_message(t.id('message'), 'later')$$, 'a window of 0 is none');
select t.host();
update parley.tier_limit set amount = null where tier_name = 'privileged' and name = 'edit_window_minutes';
select t.act('bob');
select t.age('message', 100000);
select lives_ok($$select parley_api.edit_message(t.id('message'), 'much later')$$, 'and no amount is no limit');
select t.host();
update parley.tier_limit set amount = 9223372036854775807 where tier_name = 'privileged' and name in ('edit_window_minutes', 'delete_window_minutes');
select t.act('bob');
select t.age('message', 1);
select lives_ok($$select parley_api.edit_message(t.id('message'), 'with a large amount')$$, 'nor is the largest amount there is an error');

-- not what cannot change
select t.host();
update parley.conversation_profile set status = 'locked' where conversation_id = t.id('talk');
select t.act('bob');
select t.refused('PT403', $$select parley_api.edit_message(t.id('message'), 'x')$$, 'nothing is edited in a locked conversation');
select t.host();
update parley.conversation_profile set status = 'active' where conversation_id = t.id('talk');
select t.act('bob');
select t.age('message', 0);
select parley_api.delete_message(t.id('message'), true) is null as deleted \gset
select t.refused('PT409', $$select parley_api.edit_message(t.id('message'), 'x')$$, 'nor a deleted message');
select t.keep('message', t.send('talk', 'again')::text);
select parley_api.leave_conversation(t.id('talk')) is null as gone \gset
select t.refused('PT404', $$select parley_api.edit_message(t.id('message'), 'x')$$, 'nor one''s own after having left');
select t.act('ann');
select t.keep('notice', (
    select m ->> 'id' from jsonb_array_elements(parley_api.get_conversation_messages(t.id('talk')) -> 'messages') m
    where m ->> 'type' = 'system'
));
select t.refused('PT403', $$select parley_api.edit_message(t.id('notice'), 'x')$$, 'nor what the system wrote');

-- whom it mentions
select t.host();
create function t.mentions(name text) returns bigint language sql security definer as $$
    select parley.mention_count(p, c.last_seq)
    from parley.participant p inner join parley.conversation c on c.id = p.conversation_id
    where p.conversation_id = t.id('team') and p.user_id = t.id($1)
$$;
create function t.told(mention text) returns jsonb language sql as $$
    select e #> array['payload', 'message', $1]
    from jsonb_array_elements(parley_api.get_events(t.id('team')) -> 'events') with ordinality x (e, n)
    where e ->> 'event' = 'message:updated' order by n desc limit 1
$$;
select t.act('bob');
select t.keep('team', parley_api.start_conversation(array[t.id('ann'), t.id('cid'), t.id('dan')], 'group') ->> 'id');
select t.keep('call', parley_api.send_message(t.id('team'), 'look, Cid', mentions => array[t.id('cid')]) ->> 'id');
select is(array[t.mentions('ann'), t.mentions('cid')], '{0,1}', 'a message mentions the wrong one');
select is(
    parley_api.edit_message(t.id('call'), 'look, Ann', mentions => array[t.id('ann')]) -> 'mentions', jsonb_build_array(t.id('ann')),
    'an edit corrects it'
);
select is(array[t.mentions('ann'), t.mentions('cid')], '{1,0}', 'which counts for who is mentioned now, and no longer for who was');
select t.act('ann');
select is(t.told('mentions'), jsonb_build_array(t.id('ann')), 'the event carries it');
select is(parley_api.get_unread_counts() -> 'mentions_total', '1', 'and so do the counts');
select t.act('bob');
select t.last_event_seq('team') as event_seq \gset
select parley_api.edit_message(t.id('call'), 'look, Ann', mentions => array[t.id('ann')]) is null as again \gset
select parley_api.edit_message(t.id('call'), 'look, Ann') is null as again \gset
select is(t.events_since('team', :event_seq), null, 'the same again, or nothing said of it, changes nothing');
select is(parley_api.edit_message(t.id('call'), 'look, all', mentions => '{}', mentions_all => true) -> 'mentions', '[]', 'an empty array mentions nobody by name');
select is(array[t.mentions('ann'), t.mentions('cid'), t.mentions('bob')], '{1,1,0}', 'but everybody else');
select is(t.told('mentions_all'), 'true', 'as the event says');
select is(
    (select jsonb_agg(r - '{written_at,replaced_at,metadata}'::text[]) from jsonb_array_elements(parley_api.get_message_revisions(t.id('call')) -> 'revisions') r),
    jsonb_build_array(
        jsonb_build_object('revision', 1, 'content', 'look, Cid', 'mentions', jsonb_build_array(t.id('cid')), 'mentions_all', false),
        jsonb_build_object('revision', 2, 'content', 'look, Ann', 'mentions', jsonb_build_array(t.id('ann')), 'mentions_all', false)
    ), 'each version says whom it mentioned'
);
select is(parley_api.edit_message(t.id('call'), 'look, Cid', mentions => array[t.id('cid')], mentions_all => false) -> 'mentions_all', 'false', 'and back');
select is(array[t.mentions('ann'), t.mentions('cid')], '{0,1}', 'to one');
select t.last_event_seq('team') as event_seq \gset
select t.refused('PT400', $$select parley_api.edit_message(t.id('call'), 'x', mentions => array[t.id('eve')])$$, 'a stranger cannot be mentioned');
select t.refused('PT400', $$select parley_api.edit_message(t.id('call'), 'x', mentions => array[null]::uuid[])$$, 'nor nobody');
select t.refused('PT400', $$select parley_api.edit_message(t.id('call'), 'x', mentions => array[[t.id('ann')], [t.id('cid')]])$$, 'a list of lists is none');
select t.refused('PT400', $$select parley_api.edit_message(t.id('call'), 'x', mentions => array_fill(t.id('ann'), array[257]))$$, 'nor are 257 a list');
select t.host();
update parley.setting set value = 'admins' where name = 'who_can_mention_all';
update parley.participant set role = 'member' where conversation_id = t.id('team') and user_id = t.id('bob');
select t.act('bob');
select t.refused('PT403', $$select parley_api.edit_message(t.id('call'), 'x', mentions_all => true)$$, 'everybody only by who may');
select is(t.events_since('team', :event_seq), null, 'none of which changed anything');
select t.act('cid');
select parley_api.leave_conversation(t.id('team')) is null as gone \gset
select t.act('bob');
select lives_ok($$select parley_api.edit_message(t.id('call'), 'look')$$, 'who was mentioned may have left');
select lives_ok($$select parley_api.edit_message(t.id('call'), 'look, you', mentions => array[t.id('cid')])$$, 'also if it is said again');
select t.refused('PT400', $$select parley_api.edit_message(t.id('call'), 'x', mentions => array[t.id('cid'), t.id('ann')])$$, 'but is not mentioned anew');
select t.host();
update parley.setting set value = 'everyone' where name = 'who_can_mention_all';
select t.act('bob');
select parley_api.edit_message(t.id('call'), 'all', mentions_all => true) is null as edited \gset
select t.host();
update parley.setting set value = 'admins' where name = 'who_can_mention_all';
select t.act('bob');
select lives_ok($$select parley_api.edit_message(t.id('call'), 'all', mentions => array[t.id('ann')])$$, 'what was allowed stays');
select t.keep('pair', parley_api.start_conversation(array[t.id('ann')]) ->> 'id');
select t.keep('hi', t.send('pair', 'hi')::text);
select t.refused('PT400', $$select parley_api.edit_message(t.id('hi'), 'hi', mentions_all => true)$$, 'in a pair there is no everybody');
select t.age('call', 100000);
select t.host();
update parley.tier_limit set amount = 15 where tier_name = 'privileged' and name = 'edit_window_minutes';
select t.act('bob');
select t.refused('PT403', $$select parley_api.edit_message(t.id('call'), 'all', mentions => '{}')$$, 'and the window is the same');

select * from finish();
rollback;
