-- Stars, for nobody else to know, and pins, for everybody to see.
begin;
select plan(67);
\ir ../people.psql

create function t.starred(page_size integer default 50) returns text language sql as $$
    select string_agg(m ->> 'content', ' ' order by n)
    from jsonb_array_elements(parley_api.get_starred_messages(page_size => $1) -> 'messages') with ordinality x (m, n)
$$;

create function t.pinned() returns text language sql as $$
    select string_agg(m ->> 'content', ' ' order by n)
    from jsonb_array_elements(parley_api.get_pinned_messages(t.id('talk')) -> 'messages') with ordinality x (m, n)
$$;

create function t.own_events(name text) returns text language sql as $$
    select t.look(format(
        'select string_agg(kind || '' '' || message_seq || '' '' || (data ->> ''conversation_id'' = %L), '', '' order by id)
         from parley.event where conversation_id is null and user_id = %L and kind like ''message:%%star%%''', t.id('talk'), t.id($1)
    ))
$$;

select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group') ->> 'id');
select t.keep('m' || n, t.send('talk', 'm' || n)::text) from generate_series(1, 6) n;

-- stars
select t.act('eve');
select t.refused('PT404', $$select parley_api.star_message(t.id('m1'))$$, 'a stranger stars nothing');
select is(t.failure($$select parley_api.star_message(t.id('m1'))$$), t.failure($$select parley_api.star_message(t.id('none'))$$), 'as if there were nothing');
select t.refused('PT404', $$select parley_api.unstar_message(t.id('m1'))$$, 'nor takes a star away');
select t.refused('PT400', 'select parley_api.star_message(null)', 'a message is needed');
select t.act('bob');
select t.last_event_seq('talk') as event_seq \gset
select is(
    parley_api.star_message(t.id('m1')) - 'starred_at',
    jsonb_build_object('message_id', t.id('m1'), 'conversation_id', t.id('talk'), 'seq', 1, 'starred', true), 'a participant stars a message'
);
select is(parley_api.star_message(t.id('m1')), parley_api.star_message(t.id('m1')), 'again is fine');
select is(t.own_events('bob'), 'message:starred 1 true', 'it is one event, for the user''s other devices');
select is(t.events_since('talk', :event_seq), null, 'and for nobody else');
select is((parley_api.star_message(t.id('m3'))) ->> 'seq', '3', 'another star');
select is((parley_api.star_message(t.id('m2'))) ->> 'seq', '2', 'and one more');
select is(t.starred(), 'm2 m3 m1', 'the last starred comes first');
select is(parley_api.get_starred_messages() -> 'next_cursor', 'null', 'and that is all');
select t.refused('PT400', 'select parley_api.get_starred_messages(page_size => 0)', 'a page has at least one');
select t.refused('PT400', $$select parley_api.get_starred_messages('x')$$, 'a cursor is one that was given');
select is(
    (select string_agg(concat(first #>> '{messages,0,content}', ' ', next #>> '{messages,0,content}', ' ', last #>> '{messages,0,content}', last ->> 'next_cursor'), '')
     from parley_api.get_starred_messages(page_size => 1) first,
        parley_api.get_starred_messages(first ->> 'next_cursor', 1) next,
        parley_api.get_starred_messages(next ->> 'next_cursor', 1) last),
    'm2 m3 m1', 'pages follow each other'
);
select is(
    (select array_agg(m -> 'starred' order by m -> 'seq') from jsonb_array_elements(parley_api.get_conversation_messages(t.id('talk')) -> 'messages') m),
    array['true', 'true', 'true', 'false', 'false', 'false']::jsonb[], 'the history shows one''s own stars'
);
select t.act('ann');
select is(t.starred(), null, 'others have none of them');
select unalike(parley_api.get_conversation_messages(t.id('talk'))::text, '%"starred": true%', 'and see none');
select unalike(parley_api.get_events(t.id('talk'), 0)::text, '%star%', 'not in the log either');
select t.act('bob');
select is(parley_api.unstar_message(t.id('m3')) -> 'starred', 'false', 'a star is taken away');
select is(parley_api.unstar_message(t.id('m3')) -> 'starred', 'false', 'again is fine');
select is(t.own_events('bob'), 'message:starred 1 true, message:starred 3 true, message:starred 2 true, message:unstarred 3 true', 'it is one event, too');
select is(t.starred(), 'm2 m1', 'and it is gone');
select parley_api.delete_message(t.id('m2')) is null as hidden \gset
select is(t.starred(), 'm1', 'what one hides loses the star');
select t.act('ann');
select parley_api.star_message(t.id('m2')) is null as starred \gset
select parley_api.delete_message(t.id('m1'), true) is null as deleted \gset
select is(t.starred(), 'm2', 'another''s stays');
select t.refused('PT409', $$select parley_api.star_message(t.id('m1'))$$, 'what was deleted is not starred');
select t.act('bob');
select is(t.starred(), null, 'what was deleted for everyone loses all stars');
select is(t.look('select count(*) from parley.message_star'), '1', 'they are gone');
select parley_api.star_message(t.id('m4')) is null as starred \gset
select t.look(format('update parley.message set expires_at = now() where id = %L returning 1', t.id('m4'))) as expired \gset
select is(t.starred(), null, 'what has expired is not shown');
select t.look(format('update parley.message set expires_at = null where id = %L returning 1', t.id('m4'))) as unexpired \gset
select is(t.starred(), 'm4', 'only that');
select t.act('ann');
select parley_api.remove_participant(t.id('talk'), t.id('bob')) is null as removed \gset
select t.act('bob');
select is(t.starred(), null, 'nor what one is no longer part of');
select t.act('ann');
select parley_api.add_participants(t.id('talk'), array[t.id('bob')]) is null as added \gset
select t.act('bob');
select is(t.starred(), null, 'also after coming back, for it is from before');
select t.refused('42501', 'select * from parley.message_star', 'no user reads the table');

-- pins
select t.act('cid');
select t.look(format($$update parley.conversation_profile set who_can_change_settings = 'admins_only' where conversation_id = %L returning type$$, t.id('talk'))) as set_permission \gset
select t.last_event_seq('talk') as event_seq \gset
select t.refused('PT403', $$select parley_api.pin_message(t.id('m5'))$$, 'who may not change settings pins nothing');
select t.refused('PT403', $$select parley_api.unpin_message(t.id('m5'))$$, 'nor unpins');
select t.act('eve');
select t.refused('PT404', $$select parley_api.pin_message(t.id('m5'))$$, 'a stranger finds nothing to pin');
select is(t.failure($$select parley_api.pin_message(t.id('m5'))$$), t.failure($$select parley_api.pin_message(t.id('none'))$$), 'as if there were nothing');
select t.refused('PT403', $$select parley_api.get_pinned_messages(t.id('talk'))$$, 'and is shown no pins');
select t.act('ann');
select is(t.events_since('talk', :event_seq), null, 'none of which is an event');
select parley_api.pin_message(t.id('m5')) as pinned \gset
select isnt(:'pinned'::jsonb -> 'pinned_at', 'null', 'an admin pins a message');
select is(parley_api.pin_message(t.id('m5')), :'pinned'::jsonb, 'again is fine');
select is(t.events_since('talk', :event_seq), 'message:pinned', 'it is one event');
select is(
    (select e #>> '{payload,message_id}' = t.id('m5')::text and e #> '{payload,pinned_at}' = :'pinned'::jsonb -> 'pinned_at'
     from jsonb_array_elements(parley_api.get_events(t.id('talk'), :event_seq) -> 'events') e),
    true, 'that names the message and the time'
);
select is(parley_api.pin_message(t.id('m2')) ->> 'content', 'm2', 'another pin');
select is(t.pinned(), 'm2 m5', 'the last pinned comes first');
select is(parley_api.get_pinned_messages(t.id('talk')) #> '{messages,0,pinned_by}', to_jsonb(t.id('ann')), 'with who did it');
select is(
    parley_api.get_conversation_messages(t.id('talk'), around_seq => 5, page_size => 1) #> '{messages,0,pinned_at}', :'pinned'::jsonb -> 'pinned_at',
    'the history shows pins'
);
select t.act('cid');
select is(t.pinned(), 'm2 m5', 'all participants see them');
select parley_api.delete_message(t.id('m5')) is null as hidden \gset
select is(t.pinned(), 'm2', 'but what they have hidden');
select t.act('bob');
select is(t.pinned(), null, 'or what was said before they came');
select t.host();
update parley.setting set value = '2' where name = 'max_pinned_messages';
select t.act('ann');
select is(
    t.failure($$select parley_api.pin_message(t.id('m3'))$$) - 'detail',
    '{"code": "PT409", "message": "At most 2 messages of a conversation can be pinned.", "hint": "Unpin another one first."}', 'there is a limit'
);
select t.last_event_seq('talk') as event_seq \gset
select is(parley_api.unpin_message(t.id('m5')) -> 'pinned_at', 'null', 'a pin is taken away');
select is(parley_api.unpin_message(t.id('m5')) -> 'pinned_at', 'null', 'again is fine');
select is(t.events_since('talk', :event_seq), 'message:unpinned', 'it is one event');
select is(t.pinned(), 'm2', 'and gone');
select is(parley_api.pin_message(t.id('m3')) ->> 'content', 'm3', 'which makes room');
select t.look(format($$update parley.conversation_profile set who_can_change_settings = 'everyone' where conversation_id = %L returning type$$, t.id('talk'))) as set_permission \gset
select t.act('cid');
select isnt(parley_api.unpin_message(t.id('m3')), null, 'where everybody may change settings, everybody pins');
select isnt(parley_api.pin_message(t.id('m3')), null, 'and unpins');
select parley_api.delete_message(t.id('m3')) is null as hidden \gset
select is(parley_api.unpin_message(t.id('m3')) -> 'pinned_at', 'null', 'also what they have hidden: it takes a place');
select t.act('ann');
select isnt(parley_api.pin_message(t.id('m3')), null, 'that others can take');
select t.last_event_seq('talk') as event_seq \gset
select parley_api.delete_message(t.id('m3'), true) is null as deleted \gset
select is(t.pinned(), 'm2', 'what is deleted for everyone is unpinned');
select is(t.events_since('talk', :event_seq), 'message:deleted', 'by the same event');
select is(t.look('select count(*) from parley.message_pin'), '1', 'and counts no more');
select t.refused('PT409', $$select parley_api.pin_message(t.id('m3'))$$, 'what was deleted is not pinned');
select t.look(format($$update parley.conversation_profile set status = 'archived' where conversation_id = %L returning type$$, t.id('talk'))) as archived \gset
select t.refused('PT403', $$select parley_api.pin_message(t.id('m6'))$$, 'nor anything of an archived conversation');
select is(t.pinned(), 'm2', 'whose pins stay');

-- how far one's own message has got, as in the history
select t.act('bob');
select parley_api.mark_as_read(t.id('talk')) is null as is_read \gset
select t.act('cid');
select parley_api.mark_as_read(t.id('talk')) is null as is_read \gset
select t.act('ann');
select parley_api.star_message(t.id('m2')) is null as starred \gset
select is(
    (select string_agg(m ->> 'status', ' ') from jsonb_array_elements(
        parley_api.get_starred_messages() -> 'messages' || (parley_api.get_pinned_messages(t.id('talk')) -> 'messages')
    ) m),
    'read read', 'both say how far a message has got'
);

select * from finish();
rollback;
