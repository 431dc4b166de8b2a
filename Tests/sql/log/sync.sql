-- sync: the inbox, then what happened since; its cursor is its user's alone.
begin;
select plan(61);
\ir ../setup.psql

create function pg_temp.accepts(cursor text) returns boolean language plpgsql as $$
begin
    perform parley_api.sync(cursor);
    return true;
exception when sqlstate 'PT400' then
    return false;
end
$$;

-- RFC 4231, cases 1, 2, 3 and 6: the keys shorter and longer than a block
select is(encode(parley.hmac_sha256(decode(repeat('0b', 20), 'hex'), 'Hi There'), 'hex'),
    'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7', 'HMAC-SHA256, RFC 4231 case 1');
select is(encode(parley.hmac_sha256('Jefe', 'what do ya want for nothing?'), 'hex'),
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843', 'case 2');
select is(encode(parley.hmac_sha256(decode(repeat('aa', 20), 'hex'), decode(repeat('dd', 50), 'hex')), 'hex'),
    '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe', 'case 3');
select is(encode(parley.hmac_sha256(decode(repeat('aa', 131), 'hex'), 'Test Using Larger Than Block-Size Key - Hash Key First'), 'hex'),
    '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54', 'case 6');

select pg_temp.commit_events() is null as committed \gset
select pg_temp.be(:'bob') is null as is_bob \gset
select parley_api.sync() as answer \gset
select :'answer'::jsonb ->> 'cursor' as cursor \gset
select is(:'answer'::jsonb #>> '{conversations,0,id}', :'conversation', 'the first call brings the conversations');
select is(jsonb_array_length(:'answer'::jsonb -> 'participants'), 2, 'their participants');
select is(:'answer'::jsonb -> 'unread' -> :'conversation', '0', 'and how much is unread');
select is(:'answer'::jsonb -> 'events', '[]', 'no events: the inbox is newer than all of them');
select is(:'answer'::jsonb -> 'has_more', 'false', 'and there is no more');
select is(:'answer'::jsonb -> 'resync_required', 'false', 'and nothing to forget');
select is((:'answer'::jsonb ->> 'position')::bigint, parley.log_end(), 'and its place among the events of the log');

select is(
    parley_api.sync(:'cursor') - '{cursor,position}'::text[],
    '{"conversations": [], "participants": [], "unread": {}, "left_conversation_ids": [], "events": [], "to": {}, "has_more": false, "resync_required": false}',
    'nothing has happened since'
);

-- something happens, and more than a page of it
select pg_temp.be(:'ann') is null as is_ann \gset
select count(parley_api.send_message(:'conversation', 'message ' || n)) as sent from generate_series(1, 620) n \gset
select pg_temp.be(:'bob') is null as is_bob \gset
select parley_api.sync(:'cursor') ->> 'has_more' as uncommitted \gset
select ok(:'uncommitted' = 'false', 'what this very transaction wrote is left for the next call');
select pg_temp.commit_events() is null as committed \gset
select parley_api.sync(:'cursor') as page \gset
select is(jsonb_array_length(:'page'::jsonb -> 'events'), 500, 'a page has 500 events');
select is(:'page'::jsonb -> 'has_more', 'true', 'and says that there are more');
select is(
    (:'page'::jsonb ->> 'position')::bigint,
    (select e.id from parley.event e where e.conversation_id = :'conversation' and e.message_seq = 500 and e.kind = 'message:new'),
    'its place is that of its last event'
);
select is(jsonb_array_length(:'page'::jsonb -> 'conversations'), 1, 'with the conversation they are about');
select is(:'page'::jsonb -> 'unread' -> :'conversation', '620', 'as it is now');
select parley_api.sync(:'page'::jsonb ->> 'cursor') as rest \gset
select is(jsonb_array_length(:'rest'::jsonb -> 'events'), 120, 'the next page has the rest');
select is(:'rest'::jsonb -> 'has_more', 'false', 'and is the last');
select results_eq(
    format($$select (e #>> '{payload,message,seq}')::bigint from (
        select 1 as page, o, e from jsonb_array_elements(%L::jsonb -> 'events') with ordinality as x (e, o)
        union all
        select 2, o, e from jsonb_array_elements(%L::jsonb -> 'events') with ordinality as x (e, o)) p order by page, o$$, :'page', :'rest'),
    'select generate_series(1, 620)::bigint', 'together they are every event once, in order'
);
select is(parley_api.sync(:'rest'::jsonb ->> 'cursor') -> 'events', '[]', 'and then there is nothing new');

-- a late commit: its id is below the cursor's, its transaction was in flight when the cursor was made
select parley_api.sync() ->> 'cursor' as cursor \gset
select pg_temp.be(:'ann') is null as is_ann \gset
select parley_api.mark_as_read(:'conversation') is not null as marked \gset
select parley.encode_cursor(:'bob', parley.log_epoch(), '5:9:5,7', (select max(id) from parley.event), null, now()) as behind \gset
update parley.event set xid = '7' where xid = pg_current_xact_id();
select pg_temp.be(:'bob') is null as is_bob \gset
select is(
    (select jsonb_agg(e -> 'event') from jsonb_array_elements(parley_api.sync(:'behind') -> 'events') e),
    (select jsonb_agg(kind order by id) from parley.event where xid = '7' and (conversation_id is not null or user_id = :'bob')),
    'a transaction that was in flight at the cursor is brought when it has committed'
);

-- the cursor
select throws_ok(format('select parley_api.sync(%L)', 'forged'), 'PT400', null, 'a made-up cursor is refused');
select throws_ok(format('select parley_api.sync(%L)', ''), 'PT400', null, 'an empty one, too');
select is(
    (select count(*) from generate_series(1, length(:'cursor')) i
     where pg_temp.accepts(overlay(:'cursor' placing case substr(:'cursor', i, 1) when '0' then '1' else '0' end from i for 1))),
    0::bigint, 'a cursor with any one character changed is refused'
);
select pg_temp.be(:'eve') is null as is_eve \gset
select throws_ok(format('select parley_api.sync(%L)', :'cursor'), 'PT400', null, 'somebody else''s cursor is refused');
select pg_temp.be(:'bob') is null as is_bob \gset
select is(
    (select jsonb_build_object('resync', s -> 'resync_required', 'conversations', jsonb_array_length(s -> 'conversations'), 'events', s -> 'events')
     from parley_api.sync(parley.encode_cursor(:'bob', 'another/1', '3:3:', 1, null, now())) s),
    '{"resync": true, "conversations": 1, "events": []}', 'after a restore or failover an old cursor loads the inbox afresh'
);
update parley.log_state set purged_id = (select max(id) from parley.event);
select is(
    parley_api.sync(parley.encode_cursor(:'bob', parley.log_epoch(), '3:3:', 1, null, now())) -> 'resync_required',
    'true', 'and so does one from before what was purged'
);
select is(parley_api.sync(parley_api.sync() ->> 'cursor') -> 'resync_required', 'false', 'but not a new one');

-- a position of another copy of the log
savepoint copy;
select parley_api.sync() ->> 'cursor' as cursor \gset
select is(parley_api.sync(:'cursor') -> 'resync_required', 'false', 'a position whose event is the same one goes on');
update parley.event set created_at = created_at + interval '1 microsecond' where id = (select max(id) from parley.event);
select is(parley_api.sync(:'cursor') -> 'resync_required', 'true', 'where its event is another one now the log is an older copy: the inbox comes afresh');
select is(jsonb_array_length(parley_api.sync(:'cursor') -> 'conversations'), 1, 'with the conversations');
rollback to copy;
select parley_api.sync() ->> 'cursor' as cursor \gset
delete from parley.event where id = (select max(id) from parley.event);
update parley.log_state set purged_id = 0;
select is(parley_api.sync(:'cursor') -> 'resync_required', 'true', 'so does a position ahead of the log');
rollback to copy;
select parley_api.sync() ->> 'cursor' as cursor \gset
select parley.begin_epoch('a test') is null as begun \gset
select is(parley_api.sync(:'cursor') -> 'resync_required', 'true', 'and one of an epoch that a DBA has ended');
rollback to copy;

-- a restored dump without any worker: transaction ids that this cluster has yet to reach
update parley.event set xid = '4000000000000';
update parley.log_state set system_identifier = 1;
select parley_api.sync() ->> 'cursor' as cursor \gset
select is(parley_api.sync(:'cursor') -> 'events', '[]', 'events that came with a dump are not news');
select is(parley_api.sync(parley_api.sync(:'cursor') ->> 'cursor') -> 'events', '[]', 'and do not become it');
select parley.append_event(null, 'session:revoked', null, null, null, :'bob', null) is null as revoked \gset
select pg_temp.commit_events() is null as committed \gset
select is(jsonb_array_length(parley_api.sync(:'cursor') -> 'events'), 1, 'what is written since is');
rollback to copy;

-- pages by size
select parley_api.sync() ->> 'cursor' as cursor \gset
select pg_temp.be(:'ann') is null as is_ann \gset
select count(parley_api.send_message(:'conversation', 'large ' || n)) as sent from generate_series(1, 3) n \gset
update parley.message set metadata = jsonb_build_object('x', repeat('x', 600000)) where content ~ '^large';
select pg_temp.commit_events() is null as committed \gset
select pg_temp.be(:'bob') is null as is_bob \gset
create temp table sized as
with recursive pages (n, answer) as (
    select 1, parley_api.sync(:'cursor')
    union all
    select n + 1, parley_api.sync(answer ->> 'cursor') from pages where (answer -> 'has_more')::boolean and n < 20
)
select * from pages;
select is((select array_agg(jsonb_array_length(answer -> 'events') order by n) from sized), '{1,1,1}', 'a page ends at a megabyte');
select is(
    (select array_agg(e #>> '{payload,message,content}' order by n) from sized, jsonb_array_elements(answer -> 'events') e),
    '{large 1,large 2,large 3}', 'and the next one goes on'
);
rollback to copy;

-- a position further back than the tier reaches
update parley.log_state set purged_id = 0;
select parley_api.sync() ->> 'cursor' as cursor \gset
select pg_temp.be(:'ann') is null as is_ann \gset
select parley_api.send_message(:'conversation', 'in between') is not null as sent \gset
select pg_temp.commit_events() is null as committed \gset
insert into parley.tier_limit (tier_name, name, amount) values ('privileged_plus', 'retention_days', 30)
on conflict on constraint tier_limit_pkey do update set amount = excluded.amount;
delete from parley.event where kind = 'limits:changed';
select pg_temp.be(:'bob') is null as is_bob \gset
select is(parley_api.sync(:'cursor') -> 'resync_required', 'false', 'a position within the window of the tier brings the events since');
savepoint young;
update parley.event set created_at = now() - interval '31 days' where id = (select max(id) from parley.event);
select is(parley_api.sync(:'cursor') -> 'resync_required', 'true', 'one from before it loads afresh, as the tier no longer shows all of them');
select is(jsonb_array_length(parley_api.sync(:'cursor') -> 'conversations'), 1, 'with the inbox in the same answer');
select is(parley_api.sync(parley_api.sync(:'cursor') ->> 'cursor') -> 'resync_required', 'false', 'and goes on from there');
update parley.tier_limit set amount = null where tier_name = 'privileged_plus' and name = 'retention_days';
select is(parley_api.sync(:'cursor') -> 'resync_required', 'false', 'a tier that shows everything has no such position');
rollback to savepoint young;

-- all that another device of the user needs: what they wrote, set and marked
select parley_api.sync() as answer \gset
select is(:'answer'::jsonb #>> '{conversations,0,last_message,content}', 'in between', 'the inbox comes with the last messages');
select is(:'answer'::jsonb #> '{conversations,0,draft}', 'null', 'and drafts');
select is(:'answer'::jsonb #> '{conversations,0,participants}', null, 'the participants once');
select :'answer'::jsonb ->> 'cursor' as cursor \gset
select parley_api.save_draft(:'conversation', 'to be continued') is null as saved \gset
select parley_api.update_participant_settings(:'conversation', pin => true, mute_until => 'infinity') is null as set \gset
select parley_api.mark_as_unread(:'conversation') is null as marked \gset
select parley_api.star_message((select m.id from parley_api.messages m where m.conversation_id = :'conversation' and m.content = 'message 619')) is null as starred \gset
select pg_temp.be(:'ann') is null as is_ann \gset
select parley_api.send_message(:'conversation', 'you', mentions => array[:'bob'::uuid]) ->> 'id' as message \gset
select parley_api.pin_message(:'message') is null as pinned \gset
select pg_temp.commit_events() is null as committed \gset
select pg_temp.be(:'bob') is null as is_bob \gset
select parley_api.sync(:'cursor') as answer \gset
select is(:'answer'::jsonb #>> '{conversations,0,draft,content}', 'to be continued', 'a draft of another device');
select is(:'answer'::jsonb #> '{conversations,0,me,is_muted}', 'true', 'settings');
select is(:'answer'::jsonb #>> '{conversations,0,me,pinned_at}' is not null, true, 'pins of conversations');
select is(:'answer'::jsonb #> '{conversations,0,me,marked_unread}', 'true', 'marks');
select is(:'answer'::jsonb #> '{conversations,0,mention_count}', '1', 'mentions');
select is(:'answer'::jsonb #>> '{conversations,0,me,folder}', 'inbox', 'and the folder are there');
select is(
    (select string_agg(distinct e ->> 'event', ' ' order by e ->> 'event') from jsonb_array_elements(:'answer'::jsonb -> 'events') e),
    'draft:updated message:new message:pinned message:starred participant:updated', 'with what happened'
);
select is((select count(*) from jsonb_array_elements(parley_api.sync(:'answer'::jsonb ->> 'cursor') -> 'events')), 0::bigint, 'once');

-- leaving, and a large inbox
select pg_temp.be(:'bob') is null as is_bob \gset
select parley_api.sync() ->> 'cursor' as cursor \gset
select parley_api.leave_conversation(:'conversation') is null as gone \gset
select pg_temp.commit_events() is null as committed \gset
select is(
    parley_api.sync(:'cursor') -> 'left_conversation_ids', jsonb_build_array(:'conversation'),
    'a conversation that the user is no longer in is named'
);
insert into parley.conversation (id) select parley.uuid_v7() from generate_series(1, 250);
insert into parley.conversation_profile (conversation_id, type) select c.id, 'group' from parley.conversation c on conflict do nothing;
insert into parley.participant (conversation_id, user_id) select c.id, :'eve' from parley.conversation c;
insert into parley.account (id, tier_name) select gen_random_uuid(), 'free' from generate_series(1, 70);
insert into parley.participant (conversation_id, user_id) select :'conversation', a.id from parley.account a on conflict do nothing;
select pg_temp.be(:'eve') is null as is_eve \gset
create temp table page (n int, answer jsonb);
insert into page
with recursive pages (n, answer) as (
    select 1, parley_api.sync()
    union all
    select n + 1, parley_api.sync(answer ->> 'cursor') from pages where (answer -> 'has_more')::boolean and n < 20
)
select * from pages;
select is(
    (select array_agg(jsonb_array_length(answer -> 'conversations') order by n) from page), array[100, 100, 51, 0],
    'a large inbox comes in pages, and then the events since its first'
);
select is(
    (select count(*) from page, jsonb_array_elements(answer -> 'participants') p where p ->> 'conversation_id' = :'conversation'), 50::bigint,
    'of a large group the first fifty participants'
);
select is(
    (
        select jsonb_build_array(jsonb_array_length(c -> 'participants'), (c -> 'participant_count')::integer > 50)
        from parley.event e
        cross join parley.render_events(array[e.id]) r
        cross join lateral (select r.payload::jsonb -> 'conversation' as c) x
        where e.conversation_id = :'conversation' and e.kind = 'conversation:new'
    ),
    '[50, true]', 'as in the event of a conversation'
);
select is((select count(distinct c ->> 'id') from page, jsonb_array_elements(answer -> 'conversations') c), 251::bigint,
    'every conversation once');

select * from finish();
rollback;
