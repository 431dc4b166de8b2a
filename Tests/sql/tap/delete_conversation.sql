-- Deleting a conversation for oneself: what is gone, what stays, and how it comes back.
begin;
select no_plan();
\ir ../people.psql
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;

create function t.texts() returns text language sql as $$
    select string_agg(m ->> 'content', '|' order by (m ->> 'seq')::bigint)
    from jsonb_array_elements(parley_api.get_conversation_messages(t.id('us')) -> 'messages') m
$$;
create function t.own_events(name text) returns text language sql security definer as $$
    select string_agg(e.kind, ' ' order by e.id) from parley.event e where e.conversation_id is null and e.user_id = t.id($1)
$$;

select t.act('ann');
select t.keep('us', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group', 'Us') ->> 'id');
select t.keep('one', t.send('us', 'one')::text);
select t.send('us', 'two') is null as sent \gset
select t.act('bob');
select parley_api.update_participant_settings(t.id('us'), pin => true, archive => true) is null as set \gset
select parley_api.mark_as_unread(t.id('us')) is null as set \gset
select parley_api.save_draft(t.id('us'), 'perhaps') is null as saved \gset
select t.last_event_seq('us') as event_seq \gset
select t.own_events('bob') as before \gset

-- refused
select t.refused('PT400', 'select parley_api.delete_conversation(null)', 'a conversation is needed');
select t.act('eve');
select is(
    t.failure($$select parley_api.delete_conversation(t.id('us'))$$),
    t.failure($$select parley_api.delete_conversation(t.id('none'))$$), 'a stranger learns nothing'
);
select t.host();
select t.refused('42501', $$select parley_api.delete_conversation(t.id('us'))$$, 'it is for users');

-- gone for one
select t.act('bob');
select is(
    parley_api.delete_conversation(t.id('us')) - '{role,app_role,last_read_at,notification_level,notifications_enabled,muted_until,is_muted,folder}'::text[],
    jsonb_build_object(
        'conversation_id', t.id('us'), 'last_read_seq', 2, 'last_delivered_seq', 2, 'history_from_seq', 3, 'deleted_seq', 2,
        'marked_unread', false, 'pinned_at', null, 'archived_at', null
    ),
    'its history ends here, and pin, archive and mark with it'
);
select is(t.texts(), null, 'nothing is shown');
select is_empty($$select from parley_api.messages$$, 'by the view either');
select t.refused('PT404', $$select parley_api.edit_message(t.id('one'), 'x')$$, 'nor reached');
select is(t.unread('bob', 'us'), 0::bigint, 'nothing is unread');
select is(parley_api.get_conversation(t.id('us')) -> 'draft', 'null', 'the draft is gone');
select is(t.events_since('us', :event_seq), 'message:read', 'the others see it read, as ever');
select is(t.own_events('bob'), :'before' || ' participant:updated', 'the user''s other devices learn the rest');
select is(jsonb_array_length(parley_api.get_events(t.id('us'), 0) -> 'events'), 0, 'the log of before is not theirs any more');
select t.last_event_seq('us') as event_seq \gset
select parley_api.delete_conversation(t.id('us')) ->> 'deleted_seq' as again \gset
select is(:'again'::text, '2', 'deleting again is fine');
select is(t.own_events('bob'), :'before' || ' participant:updated', 'and no event');
select is(t.events_since('us', :event_seq), null, 'for nobody');
select t.act('ann');
select is(t.texts(), 'one|two', 'the others keep it');
select is((select count(*) from parley_api.participants p where p.conversation_id = t.id('us')), 3::bigint, 'and everybody is still in it');

-- back with the next message
select t.send('us', 'three') is null as sent \gset
select t.act('bob');
select is(t.texts(), 'three', 'the next message brings it back, without what was');
select is(t.unread('bob', 'us'), 1::bigint, 'and is unread');
select is(parley_api.get_user_conversations() #>> '{conversations,0,last_message,content}', 'three', 'in the inbox');
select t.send('us', 'four') is null as sent \gset
select is(t.unread('bob', 'us'), 1::bigint, 'own messages do not count');
select parley_api.delete_conversation(t.id('us')) ->> 'history_from_seq' as again \gset
select is(:'again'::text, '5', 'and it can be deleted again');

-- coming back to it after having left
select t.act('ann');
select parley_api.update_conversation(t.id('us'), history_visible => 'start') is null as changed \gset
select t.act('bob');
select parley_api.leave_conversation(t.id('us')) is null as gone \gset
select t.act('ann');
select parley_api.add_participants(t.id('us'), array[t.id('bob'), t.id('dan')]) is null as added \gset
select t.act('dan');
select alike(t.texts(), 'one|two|three|four|%', 'a new member sees all, where that is so');
select is(t.look(format(
    'select min(e.data ->> %L) from parley.event e where e.kind = %L and e.user_id = %L and e.conversation_id = %L', 'history_from_seq', 'participant:joined', t.id('dan'), t.id('us')
)), '1', 'and the log says from where');
select is(t.unread('dan', 'us'), 0::bigint, 'what was there before does not count as unread');
select isnt(jsonb_array_length(parley_api.get_events(t.id('us'), 0) -> 'events'), 0, 'and the log is theirs from the start, too');
select t.act('bob');
select is(
    t.texts(), 'Ann let new members see earlier messages.|Bob left.|Ann added Bob, Dan.', 'what somebody has deleted for themselves does not come back'
);

-- an empty one
select t.act('ann');
select t.keep('us', parley_api.start_conversation(array[t.id('dan')]) ->> 'id');
select is(parley_api.delete_conversation(t.id('us')) ->> 'deleted_seq', '0', 'an empty conversation is deleted, too');
select is(parley_api.start_conversation(array[t.id('dan')], message => 'hello') ->> 'id', t.id('us')::text, 'and is the one of the two still');
select is(t.texts(), 'hello', 'when they talk');

-- a request tells nothing
select t.host();
update parley.participant set folder = 'requests' where conversation_id = t.id('us') and user_id = t.id('dan');
select t.last_event_seq('us') as event_seq \gset
select t.act('dan');
select is(parley_api.delete_conversation(t.id('us')) ->> 'last_read_seq', '0', 'a request that is deleted counts as unread');
select is(t.events_since('us', :event_seq), null, 'and whoever sent it learns nothing');
select is(t.texts(), null, 'gone it is');

select * from finish();
rollback;
