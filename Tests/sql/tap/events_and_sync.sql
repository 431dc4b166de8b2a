-- What a client reads of the log, as itself: dense numbers, no text that was deleted, nothing of others.
-- Tests/sql/log has the log's own rules; this is what a token of a user gets.
begin;
select plan(44);
\ir ../people.psql
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;

-- A transaction leaves its own events for the next reader; a test is one transaction, and says when they are another's.
create function t.commit_events() returns void language sql security definer as $$
    update parley.event set xid = '3' where xid = pg_current_xact_id()
$$;

create function t.numbers(conversation text, after_seq bigint, page_size integer) returns text language sql as $$
    select string_agg(e #>> '{payload,event_seq}', ' ' order by n) || case when (p -> 'has_more')::boolean then ' more' else '' end
    from parley_api.get_events(t.id($1), $2, $3) p, jsonb_array_elements(p -> 'events') with ordinality as x (e, n)
    group by p
$$;

create function t.kinds(answer jsonb) returns text language sql as $$
    select string_agg(e ->> 'event', ' ' order by n) from jsonb_array_elements($1 -> 'events') with ordinality as x (e, n)
$$;

select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('bob')], 'group', message => 'the secret') ->> 'id');
select t.keep('other', parley_api.start_conversation(array[t.id('cid')], message => 'elsewhere') ->> 'id');
select t.keep('message', parley_api.get_conversation_messages(t.id('talk')) #>> '{messages,0,id}');
select t.commit_events();

-- pages of a conversation's log
select t.act('eve');
select t.refused('PT403', $$select parley_api.get_events(t.id('talk'))$$, 'a stranger gets no events');
select t.act('bob');
select t.refused('PT400', $$select parley_api.get_events(t.id('talk'), null)$$, 'a position is needed');
select t.refused('PT400', $$select parley_api.get_events(t.id('talk'), -1)$$, 'that is not negative');
select t.refused('PT400', $$select parley_api.get_events(t.id('talk'), 0, 0)$$, 'and a page of something');
select t.refused('PT400', $$select parley_api.get_events(t.id('talk'), 0, 1001)$$, 'of at most 1,000');
select t.refused('PT400', 'select parley_api.get_events(null)', 'of a conversation');
select is(t.numbers('talk', 0, 100), '1 2 3 4', 'events are numbered without a gap');
select is(t.numbers('talk', 0, 3), '1 2 3 more', 'and come in pages');
select is(t.numbers('talk', 3, 3), '4', 'to the last');
select is(t.numbers('talk', 4, 3), null, 'after which there is nothing');
select is(t.kinds(parley_api.get_events(t.id('talk'))), 'participant:joined participant:joined conversation:new message:new', 'in order');
select is(
    parley_api.get_events(t.id('talk'), 3) #>> '{events,0,payload,message,content}', 'the secret', 'with the message as it is'
);
select is(
    (select array_agg(e -> 'payload' ->> 'conversation_id') from jsonb_array_elements(parley_api.get_events(t.id('talk')) -> 'events') e),
    array_fill(t.id('talk')::text, array[4]), 'and nothing of other conversations'
);
select t.act('ann');
select parley_api.edit_message(t.id('message'), 'the other secret') is null as edited \gset
select parley_api.delete_message(t.id('message'), true) is null as deleted \gset
select t.act('bob');
select is(t.kinds(parley_api.get_events(t.id('talk'), 3)), 'message:new message:updated message:deleted', 'what happened stays in the log');
select unalike(parley_api.get_events(t.id('talk'))::text, '%secret%', 'without what was deleted');
select t.host();
delete from parley.event where conversation_id = t.id('talk') and event_seq <= 2;
select t.act('bob');
select is(
    parley_api.get_events(t.id('talk'), 0, 1) - 'events',
    jsonb_build_object(
        'gap', jsonb_build_object('conversation_id', t.id('talk'), 'from', 1, 'to', 2, 'reason', 'purged', 'readable', false),
        'to', 3, 'has_more', true, 'last_event_seq', 6
    ),
    'what was purged is a gap with a name'
);
select is(parley_api.get_events(t.id('talk'), 2, 1) -> 'gap', 'null', 'and none for who has it');

-- sync
select t.commit_events();
select parley_api.sync() as answer \gset
select :'answer'::jsonb ->> 'cursor' as cursor \gset
select is(
    (select array_agg(c ->> 'id') from jsonb_array_elements(:'answer'::jsonb -> 'conversations') c), array[t.id('talk')::text],
    'the first sync brings the conversations of the caller only'
);
select is(:'answer'::jsonb -> 'events', '[]'::jsonb, 'and no events');
select t.act('ann');
select t.refused('PT400', format('select parley_api.sync(%L)', :'cursor'), 'another user''s cursor is refused');
select t.act('bob');
select t.refused('PT400', $$select parley_api.sync('')$$, 'an empty cursor');
select t.refused('PT400', $$select parley_api.sync('nonsense.0000')$$, 'a made-up one');
select t.refused('PT400', format('select parley_api.sync(%L)', left(:'cursor', -1) || translate(right(:'cursor', 1), '0123456789abcdef', '123456789abcdef0')), 'and one that was changed');
select t.refused('42501', $$select parley.encode_cursor(t.id('bob'), '', '3:3:', 0, null, now())$$, 'nobody makes one');
select t.refused('42501', 'select value from parley.secret', 'nor reads the key of them');

select t.act('ann');
select t.send('talk', 'news') is not null as sent \gset
select t.send('other', 'not for Bob') is not null as sent \gset
select t.commit_events();
select t.act('bob');
select parley_api.sync(:'cursor') as answer \gset
select is(t.kinds(:'answer'::jsonb), 'message:new', 'the next sync brings what happened since');
select unalike(:'answer'::text, '%not for Bob%', 'in the caller''s conversations');
select is(:'answer'::jsonb -> 'unread' -> t.id('talk')::text, '1', 'with the present count');
select is(t.kinds(parley_api.sync(:'answer'::jsonb ->> 'cursor')), null, 'and the one after that brings nothing again');
select is(t.kinds(parley_api.sync(:'cursor')), 'message:new', 'while the old cursor still brings the same');
select parley_api.mark_as_read(t.id('talk')) is null as marked \gset
select parley_api.update_participant_settings(t.id('talk'), pin => true) is null as pinned \gset
select t.commit_events();
select is(
    t.kinds(parley_api.sync(:'answer'::jsonb ->> 'cursor')), 'message:read participant:updated', 'own changes come, too, for other devices'
);
select t.act('ann');
select unalike(coalesce(t.kinds(parley_api.sync()), ''), '%participant:updated%', 'which are nobody else''s');
select t.act('bob');
select t.host();
update parley.log_state set purged_id = (select max(id) from parley.event);
select t.act('bob');
select is(parley_api.sync(:'cursor') -> 'resync_required', 'true', 'a cursor from before what was purged loads afresh');
select is(jsonb_array_length(parley_api.sync(:'cursor') -> 'conversations'), 1, 'with the inbox in the same answer');
select is(parley_api.sync(parley_api.sync(:'cursor') ->> 'cursor') -> 'resync_required', 'false', 'and goes on from there');
select t.host();
select t.keep('moved', '00000000-0000-4000-8000-000000000000');
select parley.encode_cursor(t.id('bob'), '1/1', pg_current_snapshot(), (select max(id) from parley.event), null, now()) as moved \gset
select t.act('bob');
select is(parley_api.sync(:'moved') -> 'resync_required', 'true', 'as does one of another cluster or timeline');

-- what the reader has hidden stays away, in every way of reading the log, for that reader only
select t.act('ann');
select t.keep('quiet', parley_api.start_conversation(array[t.id('bob')], 'group') ->> 'id');
select t.keep('embarrassing', t.send('quiet', 'embarrassing')::text);
select t.send('quiet', 'harmless') is not null as sent \gset
select t.commit_events();
select t.act('bob');
select parley_api.sync() ->> 'cursor' as cursor \gset
select t.host();
select max(id) as position from parley.event \gset
select parley.encode_cursor(t.id('bob'), parley.log_epoch(), '5:9:5,7', :position, null, now()) as behind \gset
select t.act('ann');
select parley_api.edit_message(t.id('embarrassing'), 'embarrassing again') is null as edited \gset
select parley_api.add_reaction(t.id('embarrassing'), '👍') is null as reacted \gset
select t.act('bob');
select parley_api.delete_message(t.id('embarrassing')) is null as hidden \gset
select t.commit_events();
select is(
    t.kinds(parley_api.get_events(t.id('quiet'))), 'participant:joined participant:joined conversation:new message:new',
    'events of a hidden message are not among the pages'
);
select is(parley_api.get_events(t.id('quiet')) -> 'gap', 'null', 'and no gap: their numbers are not the reader''s to see');
select is(t.kinds(parley_api.sync(:'cursor')), 'message:deleted', 'of a sync there is the hiding itself');
select t.host();
update parley.event set xid = '7' where conversation_id = t.id('quiet') and message_id = t.id('embarrassing');
select parley.encode_cursor(t.id('bob'), parley.log_epoch(), '5:9:5,7', (select max(id) from parley.event), null, now()) as behind \gset
select t.act('bob');
select is(t.kinds(parley_api.sync(:'behind')), null, 'also when the events commit late');
select t.host();
select unalike(
    (select string_agg(r.payload, ' ') from parley.replay('authenticated', t.id('bob'), 'conversation:' || t.id('quiet'), 0, null, 100) r),
    '%embarrassing%', 'nor in a replay after an event'
);
select unalike(
    (select string_agg(r.payload, ' ') from parley.replay('authenticated', t.id('bob'), 'conversation:' || t.id('quiet'), null, now() - interval '1 hour', 100) r),
    '%embarrassing%', 'nor in one since a time'
);
select is(
    (select count(*) filter (where r.kind = 'message:deleted') - count(*) filter (where r.payload like '%embarrassing%')
     from parley.replay('authenticated', t.id('bob'), 'user:' || t.id('bob'), null, now() - interval '1 hour', 100) r
     where r.message_id = t.id('embarrassing')),
    1::bigint, 'the inbox replays the hiding alone'
);
select t.act('ann');
select alike(parley_api.get_events(t.id('quiet'))::text, '%embarrassing%', 'the others still have it');

select * from finish();
rollback;
