-- Who joins late, or again, learns nothing of what happened before: neither messages nor who was there and read them.
begin;
select plan(17);
\ir ../people.psql

create function t.events(conversation text, after_seq bigint default 0) returns text language sql as $$
    select string_agg(format('%s%s', e ->> 'event', ' ' || (e #>> '{payload,message,content}')), ', ' order by n)
    from jsonb_array_elements(parley_api.get_events(t.id($1), $2) -> 'events') with ordinality as e (e, n)
$$;

create function t.read_by(name text, message_seq bigint) returns bigint language sql security definer as $$
    select r.seq from parley.read_marker r
    where r.conversation_id = t.id('team') and r.user_id = t.id($1) and r.after_seq < $2 and r.seq >= $2
$$;

-- cid is there for a while, and gone before dan comes
select t.act('ann');
select t.keep('team', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group') ->> 'id');
select t.send('team', 'one') is null as sent \gset
select t.act('cid');
select parley_api.mark_as_read(t.id('team')) is null as done \gset
select t.last_event_seq('team') as seen_by_cid \gset
select t.act('ann');
select parley_api.remove_participant(t.id('team'), t.id('cid')) is null as done \gset
select t.send('team', 'two') is null as sent \gset
select t.act('bob');
select parley_api.mark_as_read(t.id('team')) is null as done \gset
select t.last_event_seq('team') as before_dan \gset
select t.act('ann');
select parley_api.add_participants(t.id('team'), array[t.id('dan')]) is null as done \gset

select t.act('dan');
select is(t.events('team'), 'participant:joined, message:new Ann added Dan.', 'the log of who joins late begins with the join');
select is(
    parley_api.get_events(t.id('team')) -> 'gap',
    jsonb_build_object('conversation_id', t.id('team'), 'from', 1, 'to', :before_dan, 'reason', 'before_joining', 'readable', false),
    'and says so'
);
select is(parley_api.get_events(t.id('team'), :before_dan) -> 'gap', 'null', 'from there on nothing is missing');
select t.host();
select is(
    (select array_agg(kind order by id) filter (where id > 0 or kind = 'replay:gap') from parley.replay('authenticated', t.id('dan'), 'conversation:' || t.id('team'), 0, null, 100)),
    '{replay:gap,participant:joined,message:new}', 'a replay from a number begins there, too'
);
select is(
    (select array_agg(kind order by id) filter (where id > 0 or kind = 'replay:gap') from parley.replay('authenticated', t.id('dan'), 'conversation:' || t.id('team'), null, '-infinity', 100)),
    '{participant:joined,message:new}', 'and a replay from a time'
);
select is(
    (select count(*) from parley.replay('authenticated', t.id('dan'), 'user:' || t.id('dan'), null, '-infinity', 100) where event_seq <= :before_dan),
    0::bigint, 'and one of the inbox'
);
select is(
    (select array_agg(kind order by id) filter (where id > 0 or kind = 'replay:gap') from parley.replay('service_role', null, 'conversation:' || t.id('team'), 0, null, 3)),
    '{replay:gap,participant:joined,participant:joined,participant:joined}', 'the service role reads all, and what is left is a gap'
);

-- cid comes back
select t.act('ann');
select parley_api.add_participants(t.id('team'), array[t.id('cid')]) is null as done \gset
select t.last_event_seq('team') - 1 as cid_again \gset
select t.act('cid');
select is(t.events('team', :seen_by_cid), 'participant:joined, message:new Ann added Cid.', 'who joins again learns nothing of the time between');
select is(
    parley_api.get_events(t.id('team'), :seen_by_cid) -> 'gap',
    jsonb_build_object('conversation_id', t.id('team'), 'from', :seen_by_cid + 1, 'to', :cid_again - 1, 'reason', 'before_joining', 'readable', false),
    'which is a gap'
);
select is((select count(*) from parley_api.messages where seq <= 3), 0::bigint, 'nor of the messages');

-- receipts: what cid read before, between and after
select t.act('ann');
select t.send('team', 'last') is null as sent \gset
select t.act('cid');
select parley_api.mark_as_read(t.id('team')) is null as done \gset
select is(t.read_by('cid', 1), 1::bigint, 'what one read before leaving stays read then');
select is(t.read_by('cid', 2), null, 'the message about leaving was never read');
select is(t.read_by('cid', 3), null, 'nor what was said meanwhile');
select is(t.read_by('cid', (select t.last_seq('team'))), (select t.last_seq('team')), 'what comes after is');
select is(t.read_by('ann', 1), null, 'one''s own messages need no marker');

-- and sync, whose cursor is older than the return
select t.host();
update parley.event set xid = '3' where xid = pg_current_xact_id();
select t.act('cid');
select parley_api.sync() ->> 'cursor' as cursor \gset
select t.act('ann');
select parley_api.remove_participant(t.id('team'), t.id('cid')) is null as done \gset
select parley_api.remove_participant(t.id('team'), t.id('dan')) is null as done \gset
select parley_api.add_participants(t.id('team'), array[t.id('cid')]) is null as done \gset
select t.host();
update parley.event set xid = '3' where xid = pg_current_xact_id();
select t.act('cid');
select is(
    (select string_agg(e ->> 'event', ' ' order by n)
     from jsonb_array_elements(parley_api.sync(:'cursor') -> 'events') with ordinality as e (e, n)
     where e #>> '{payload,event_seq}' is not null),
    'participant:joined message:new', 'a sync across the absence begins with the return'
);
select is(jsonb_array_length(parley_api.sync(:'cursor') -> 'conversations'), 1, 'and has the conversation as it is');

select * from finish();
rollback;
