-- Who is in a group: adding, removing, leaving, coming back, and who may.
begin;
select plan(65);
\ir ../people.psql

create function t.set_role(name text, role text) returns void language sql security definer as $$
    update parley.participant set role = $2 where conversation_id = t.id('us') and user_id = t.id($1)
$$;

create function t.profile(assignment text) returns void language plpgsql security definer as $$
begin
    execute format('update parley.conversation_profile set %s where conversation_id = %L', assignment, t.id('us'));
end
$$;

create function t.roles() returns text language sql security definer as $$
    select string_agg(n.name || ':' || p.role, ' ' order by n.name)
    from parley.participant p inner join t.named n on n.id = p.user_id
    where p.conversation_id = t.id('us') and p.left_at is null
$$;

create function t.texts() returns text language sql as $$
    select string_agg(m ->> 'content', '|' order by (m ->> 'seq')::bigint)
    from jsonb_array_elements(parley_api.get_conversation_messages(t.id('us')) -> 'messages') m
$$;

select t.act('ann');
select t.keep('direct', parley_api.start_conversation(array[t.id('bob')]) ->> 'id');
select t.keep('us', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group') ->> 'id');
select t.send('us', 'before Dan') is not null as sent \gset
select t.last_event_seq('us') as event_seq \gset

-- adding: refused
select t.act('eve');
select t.refused('PT403', $$select parley_api.add_participants(t.id('us'), array[t.id('eve')])$$, 'nobody adds themselves');
select is(
    t.failure($$select parley_api.add_participants(t.id('us'), array[t.id('eve')])$$),
    t.failure($$select parley_api.add_participants(t.id('none'), array[t.id('eve')])$$), 'nor learns whether the group exists'
);
select t.act('ann');
select t.refused('PT400', $$select parley_api.add_participants(t.id('direct'), array[t.id('cid')])$$, 'a direct conversation stays between two');
select t.refused('PT403', $$select parley_api.add_participants(t.id('us'), array[t.id('dan'), t.id('noa')])$$, 'an unknown user is not added');
select t.refused('PT400', $$select parley_api.add_participants(t.id('us'), null)$$, 'nor nobody');
select t.refused('PT400', $$select parley_api.add_participants(t.id('us'), array[null]::uuid[])$$, 'nor null');
select t.refused('PT400', $$select parley_api.add_participants(t.id('us'), array[t.id('dan')], '["x"]')$$, 'roles in the application are an object');
select t.profile($$status = 'locked'$$);
select t.refused('PT403', $$select parley_api.add_participants(t.id('us'), array[t.id('dan')])$$, 'a locked group takes nobody');
select t.profile($$status = 'active', who_can_add = 'admins_only'$$);
select t.act('bob');
select t.refused('PT403', $$select parley_api.add_participants(t.id('us'), array[t.id('dan')])$$, 'where only admins add, a member does not');
select t.host();
update parley.tier_limit set amount = 3 where tier_name = 'privileged_plus' and name = 'max_group_size';
select t.act('ann');
select t.refused('PT400', $$select parley_api.add_participants(t.id('us'), array[t.id('dan')])$$, 'a full group takes nobody');
select t.host();
update parley.tier_limit set amount = 256 where tier_name = 'privileged_plus' and name = 'max_group_size';
select is(t.events_since('us', :event_seq), null, 'none of which is an event');

-- adding
select t.profile($$who_can_add = 'everyone'$$);
select t.act('bob');
select is(
    parley_api.add_participants(t.id('us'), array[t.id('dan'), t.id('cid'), t.id('dan')], jsonb_build_object(t.id('dan'), 'buyer')) -> 'participant_count',
    '4', 'any member adds, where everybody may; those who are in it are left alone'
);
select is(t.events_since('us', :event_seq), 'participant:joined message:new', 'one joins, and then it is said');
select is(
    t.look(format('select (user_id, actor_id, data)::text from parley.event where conversation_id = %L and event_seq = %s', t.id('us'), :event_seq + 1)),
    format('(%s,%s,"{""history_from_seq"": 2}")', t.id('dan'), t.id('bob')), 'with the first message they may see'
);
select is(
    t.look(format('select count(*) from parley.event where conversation_id is null and user_id = %L and kind = %L', t.id('dan'), 'conversation:new')),
    '1', 'and an event for themselves'
);
select is(t.roles(), 'ann:owner bob:member cid:member dan:member', 'as a member');
select is(
    (select (p.role, p.joined_at between now() and clock_timestamp())::text from parley_api.participants p where p.conversation_id = t.id('us') and p.user_id = t.id('dan')),
    '(member,t)', 'since now'
);
select t.act('dan');
select is(t.texts(), 'Bob added Dan.', 'who sees nothing of before');
select is((select string_agg(m.content, '|') from parley_api.messages m), 'Bob added Dan.', 'in the view either');
select is(t.unread('dan', 'us'), 0::bigint, 'and has nothing to read');
select is(parley_api.send_message(t.id('us'), 'hello') ->> 'sender_role', 'buyer', 'with the role that was given');
select t.last_event_seq('us') as event_seq \gset
select is(parley_api.add_participants(t.id('us'), array[t.id('dan')]) -> 'participant_count', '4', 'adding again is fine');
select is(t.events_since('us', :event_seq), null, 'and is no event');

-- removing: refused
select t.act('eve');
select t.refused('PT403', $$select parley_api.remove_participant(t.id('us'), t.id('dan'))$$, 'a stranger removes nobody');
select t.act('bob');
select t.refused('PT403', $$select parley_api.remove_participant(t.id('us'), t.id('dan'))$$, 'nor does a member');
select t.refused('PT404', $$select parley_api.remove_participant(t.id('us'), t.id('eve'))$$, 'nobody is removed who is not in it');
select t.refused('PT404', $$select parley_api.remove_participant(t.id('us'), null)$$, 'nor nobody');
select t.set_role('bob', 'admin');
select t.refused('PT403', $$select parley_api.remove_participant(t.id('us'), t.id('ann'))$$, 'an admin does not remove an owner');
select t.refused('PT400', $$select parley_api.remove_participant(t.id('direct'), t.id('ann'))$$, 'a direct conversation stays between two');
select t.profile($$status = 'archived'$$);
select t.refused('PT403', $$select parley_api.remove_participant(t.id('us'), t.id('dan'))$$, 'an archived group stays as it is');
select t.profile($$status = 'active'$$);

-- removing
select t.last_event_seq('us') as event_seq \gset
select is(parley_api.remove_participant(t.id('us'), t.id('dan')) -> 'participant_count', '3', 'an admin removes a member');
select is(t.events_since('us', :event_seq), 'message:new participant:left', 'it is said, and then they are out');
select is(
    t.look(format('select (user_id, actor_id, data)::text from parley.event where conversation_id = %L and event_seq = %s', t.id('us'), :event_seq + 2)),
    format('(%s,%s,)', t.id('dan'), t.id('bob')), 'by whom'
);
select is(t.texts(), 'before Dan|Bob added Dan.|hello|Bob removed Dan.', 'the others read it');
select t.refused('PT404', $$select parley_api.remove_participant(t.id('us'), t.id('dan'))$$, 'nobody is removed twice');
select t.set_role('cid', 'admin');
select lives_ok($$select parley_api.remove_participant(t.id('us'), t.id('cid'))$$, 'an admin removes an admin');

-- coming back
select t.act('bob');
select t.send('us', 'while they were away') is not null as sent \gset
select is(parley_api.add_participants(t.id('us'), array[t.id('dan')]) -> 'participant_count', '3', 'who was removed is added again');
select t.act('dan');
select is(t.texts(), 'Bob added Dan.', 'and sees nothing of before, nor of the first time');
select is(t.unread('dan', 'us'), 0::bigint, 'with nothing unread of then');
select is(t.roles(), 'ann:owner bob:admin dan:member', 'as a member');
select is(
    parley_api.get_user_conversations() #>> '{conversations,0,me,app_role}', 'buyer', 'with the role they had in the application'
);

-- leaving
select t.act('eve');
select t.refused('PT403', $$select parley_api.leave_conversation(t.id('us'))$$, 'nobody leaves what they are not in');
select t.act('ann');
select t.refused('PT400', $$select parley_api.leave_conversation(t.id('direct'))$$, 'a direct conversation is not left');
select t.act('bob');
select t.last_event_seq('us') as event_seq \gset
select is(
    parley_api.leave_conversation(t.id('us')), jsonb_build_object('conversation_id', t.id('us'), 'user_id', t.id('bob')), 'a member leaves'
);
select is(
    t.look(format('select (role, left_at between now() and clock_timestamp()) from parley.participant where conversation_id = %L and user_id = %L', t.id('us'), t.id('bob'))),
    '(admin,t)', 'the row stays, with the moment'
);
select is(t.events_since('us', :event_seq), 'message:new participant:left', 'which is said');
select t.refused('PT403', $$select parley_api.leave_conversation(t.id('us'))$$, 'once');
select t.act('ann');
select is(
    parley_api.add_participants(t.id('us'), array[t.id('bob'), t.id('cid')]) -> 'participant_count', '4', 'others come'
);
select t.look(format(
    'update parley.participant set joined_at = now() - interval ''1 day'' where conversation_id = %L and user_id = %L returning role', t.id('us'), t.id('cid')
)) as longest \gset
select t.last_event_seq('us') as event_seq \gset
select is(parley_api.remove_participant(t.id('us'), t.id('ann')) -> 'user_id', to_jsonb(t.id('ann')), 'removing oneself is leaving');
select is(t.roles(), 'bob:member cid:owner dan:member', 'after the last admin the longest-standing member follows');
select is(
    t.events_since('us', :event_seq), 'message:new participant:left message:new participant:updated', 'and everybody is told'
);
select t.act('cid');
select t.set_role('dan', 'admin');
select parley_api.leave_conversation(t.id('us')) is null as gone \gset
select is(t.roles(), 'bob:member dan:owner', 'an admin comes before a member');
select t.act('bob');
select parley_api.leave_conversation(t.id('us')) is null as gone \gset
select t.act('dan');
select lives_ok($$select parley_api.leave_conversation(t.id('us'))$$, 'the last one leaves, too');
select is(t.roles(), null, 'and nobody is left');

-- the host application
select t.claim('service_role', '{"role": "service_role"}');
select t.refused('PT404', $$select parley_api.add_participants(t.id('none'), array[t.id('bob')])$$, 'the host is told that there is no such conversation');
select t.refused('PT400', $$select parley_api.add_participants(t.id('direct'), array[t.id('cid')])$$, 'and keeps to the rules');
select is(parley_api.add_participants(t.id('us'), array[t.id('bob'), t.id('cid')]) -> 'participant_count', '2', 'it adds');
select is(parley_api.remove_participant(t.id('us'), t.id('cid')) -> 'participant_count', '1', 'and removes');
select t.act('bob');
select is(t.texts(), 'The administration added Bob, Cid.|The administration removed Cid.', 'as the administration');

-- one's own settings
select t.refused('PT400', $$select parley_api.update_participant_settings(t.id('us'), notifications => 'loud')$$, 'an unknown level of notifications is refused');
select t.last_event_seq('us') as event_seq \gset
select is(
    parley_api.update_participant_settings(t.id('us'), pin => true, archive => false, notifications => 'mentions')
        - '{pinned_at,role,app_role,last_read_seq,last_read_at,last_delivered_seq,history_from_seq,folder,deleted_seq}'::text[],
    '{"marked_unread": false, "muted_until": null, "is_muted": false, "archived_at": null, "notification_level": "mentions", "notifications_enabled": true}',
    'settings are kept'
);
select isnt(parley_api.update_participant_settings(t.id('us')) -> 'pinned_at', 'null', 'what is left out stays');
select is(t.events_since('us', :event_seq), null, 'the others are not told');
select is(
    t.look(format('select count(*) from parley.event where conversation_id is null and user_id = %L and kind = %L', t.id('bob'), 'participant:updated')),
    '1', 'the user''s other devices are, of changes only'
);
select t.act('eve');
select t.refused('PT403', $$select parley_api.update_participant_settings(t.id('us'), pin => true)$$, 'a stranger has none');

select * from finish();
rollback;
