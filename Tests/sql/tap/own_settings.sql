-- What a participant sets for themselves: pin, mute, archive, notifications, mark as unread. Nobody else is told.
begin;
select no_plan();
\ir ../people.psql

create function t.me(key text) returns text language sql as $$ select parley_api.get_conversation(t.id('us')) -> 'me' ->> $1 $$;
create function t.own_events(name text) returns bigint language sql security definer as $$
    select count(*) from parley.event e where e.conversation_id is null and e.user_id = t.id($1) and e.kind = 'participant:updated'
$$;

select t.act('ann');
select t.keep('us', parley_api.start_conversation(array[t.id('bob')], 'group', message => 'hello') ->> 'id');
select t.last_event_seq('us') as event_seq \gset
select t.act('bob');
select is(t.me('notifications_enabled'), 'true', 'notifications are on at first');
select is(parley_api.update_participant_settings(t.id('us'), mute_until => (now() + interval '8 hours')::text) ->> 'is_muted', 'true', 'muted for a time');
select is(t.me('muted_until')::timestamptz, now() + interval '8 hours', 'to the moment');
select is(parley_api.update_participant_settings(t.id('us'), pin => true) ->> 'is_muted', 'true', 'what is left out stays');
select is(parley_api.update_participant_settings(t.id('us'), mute_until => 'infinity') ->> 'muted_until', 'infinity', 'muted for good');
select is(t.own_events('bob'), 3::bigint, 'the user''s other devices learn of each');
select is(parley_api.update_participant_settings(t.id('us'), mute_until => 'infinity', pin => true) ->> 'is_muted', 'true', 'once more');
select is(t.own_events('bob'), 3::bigint, 'is no change');
select is(parley_api.update_participant_settings(t.id('us'), mute_until => '-infinity') ->> 'muted_until', null, 'a moment that has passed ends it');
select is(parley_api.update_participant_settings(t.id('us'), notifications => 'none') ->> 'notifications_enabled', 'false', 'notifications are switched off');
select is(parley_api.update_participant_settings(t.id('us'), notifications => 'mentions') ->> 'notifications_enabled', 'true', 'but for mentions');
select is(t.me('notification_level'), 'mentions', 'as it says');
select is((parley_api.update_participant_settings(t.id('us'), archive => true) ->> 'archived_at')::timestamptz, now(), 'archived');
select is(parley_api.update_participant_settings(t.id('us'), archive => false, pin => false) - '{role,app_role,last_read_seq,last_read_at,last_delivered_seq,history_from_seq,folder,deleted_seq,notification_level,notifications_enabled}'::text[],
    '{"is_muted": false, "muted_until": null, "pinned_at": null, "archived_at": null, "marked_unread": false}', 'and all of it undone');
select parley_api.mark_as_read(t.id('us')) is null as read \gset
select t.last_event_seq('us') as event_seq \gset
select is(parley_api.mark_as_unread(t.id('us')) ->> 'marked_unread', 'true', 'marked as unread');
select is(t.me('marked_unread'), 'true', 'until it is read');
select is(t.me('last_read_seq'), '1', 'what was read stays read');
select is(parley_api.mark_as_read(t.id('us')) ->> 'marked_unread', 'false', 'and then no longer');
select is(t.events_since('us', :event_seq), null, 'the others hear of none of it');
select t.act('ann');
select is(t.me('pinned_at') is null and t.me('notification_level') = 'all', true, 'and keep their own');
select is(
    (select count(*) from jsonb_array_elements(parley_api.get_participants(t.id('us')) -> 'participants') p where p ?| array['muted_until', 'pinned_at', 'archived_at', 'notification_level', 'marked_unread', 'deleted_seq', 'folder', 'draft']),
    0::bigint, 'nobody sees what another has set'
);

select * from finish();
rollback;
