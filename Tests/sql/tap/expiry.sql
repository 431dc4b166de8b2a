-- Disappearing messages: from their moment on nobody sees them, and then what they said is nowhere.
begin;
select plan(38);
\ir ../people.psql

create function t.expire(message text) returns void language sql security definer as $$
    update parley.message set expires_at = now() - interval '1 second' where id = t.id($1)
$$;

create function t.texts() returns text language sql as $$
    select string_agg(coalesce(m ->> 'content', '-'), ' ' order by (m ->> 'seq')::bigint)
    from jsonb_array_elements(parley_api.get_conversation_messages(t.id('talk')) -> 'messages') m
$$;

-- a query for the tables of which a row says it, whatever they are
create function t.tables_with(pattern text) returns text language sql as $$
    select string_agg(
        format('select %L as table_name where exists (select from %s as r where r::text ilike %L)', c.oid::regclass, c.oid::regclass, $1),
        ' union all '
    )
    from pg_catalog.pg_class c where c.relnamespace = 'parley'::regnamespace and c.relkind = 'r'
$$;

select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group') ->> 'id');
select t.keep('m1', t.send('talk', 'm1')::text);
select t.keep('m2', parley_api.send_message(t.id('talk'), 'zugzwang', metadata => '{"pin": "zugzwang"}', mentions => array[t.id('bob')], expires_in => '1 hour') ->> 'id');
select t.keep('m3', parley_api.send_message(t.id('talk'), 'zugzwang too', expires_in => '1 hour') ->> 'id');
select t.keep('m4', parley_api.send_message(t.id('talk'), 'later', expires_in => '1 hour') ->> 'id');
select parley_api.edit_message(t.id('m2'), 'zugzwang!') is null as edited \gset
select t.act('bob');
select parley_api.add_reaction(t.id('m2'), '👍') is null as reacted \gset
select t.act('ann');
select t.keep('file', parley_api.declare_attachment(t.id('talk'), 'image', 'zugzwang!.png', 'image/png', 1000) ->> 'id');
select t.claim('service_role', '{"role": "service_role"}');
select parley_api.record_upload(t.id('file'), 1000) is null as uploaded \gset
select t.act('ann');
select t.keep('picture', parley_api.send_message(t.id('talk'), type => 'image', attachment_ids => array[t.id('file')], expires_in => '1 hour') ->> 'id');
select t.host();
insert into parley.message_star (conversation_id, message_id, user_id) values (t.id('talk'), t.id('picture'), t.id('bob'));
insert into parley.message_pin (conversation_id, message_id, seq) values (t.id('talk'), t.id('picture'), 5);
update parley.message set pinned_at = now() where id = t.id('picture');
select t.last_event_seq('talk') as event_seq \gset

select t.act('bob');
select t.refused('42501', 'select parley.expire_messages()', 'a user does not run the job');
select t.host();
update parley.event set xid = '3' where xid = pg_current_xact_id();
select parley.index_messages() is null as indexed \gset
select isnt_empty(
    format($$select from (%s) t where table_name like '%%search%%'$$, t.tables_with('%zugzwang%')), 'the index knows the words'
);
select is(parley.expire_messages(), false, 'before its time');
select is(t.events_since('talk', :event_seq), null, 'nothing happens');
select t.expire('m2') is null, t.expire('m3') is null, t.expire('picture') is null \g /dev/null
select t.act('bob');
select is(t.texts(), 'm1 later', 'what has expired is not shown, before the job has been there');
select is(t.unread('bob', 'talk'), 2::bigint, 'and is not unread');
select is(t.look(format('select content from parley.message where id = %L', t.id('m2'))), 'zugzwang!', 'though still there');
select t.host();
select is(parley.expire_messages(), false, 'the job finds all there is');
select is(
    t.look(format('select (m.content, m.metadata, m.mentions, m.deleted_at is not null, m.seq)::text from parley.message m where m.id = %L', t.id('m2'))),
    '(,,,t,2)', 'removes what it said'
);
select is(t.look('select count(*) from parley.message_revision'), '0', 'and what it had said before');
select is(t.look('select count(*) from parley.reaction'), '0', 'and what was thought of it');
select parley.index_messages() is null as indexed \gset
update parley.event set xid = '3' where xid = pg_current_xact_id();
select parley.index_messages() is null as indexed \gset
select is_empty(t.tables_with('%zugzwang%'), 'it is in no table, nor in the search index');
select is(t.events_since('talk', :event_seq), 'message:deleted message:deleted message:deleted', 'each is one event');
select is(t.look('select count(*) from parley.attachment'), '0', 'the picture is no more');
select is(t.look('select string_agg(o.reference_count || (o.unreferenced_at is not null)::text, '' '') from parley.stored_object o'), '0true', 'and its file is to be deleted');
select is(t.look('select count(*) from parley.message_star') || t.look('select count(*) from parley.message_pin'), '00', 'nobody has it starred or pinned');
select is(
    t.look(format('select string_agg(distinct concat_ws(%L, e.data, e.actor_id, e.message_id in (%L, %L, %L)), %L) from parley.event e where e.conversation_id = %L and e.event_seq > %s',
        ' ', t.id('m2'), t.id('m3'), t.id('picture'), ', ', t.id('talk'), :event_seq)),
    '{"expired": true, "for_everyone": true} t', 'by nobody, for everyone'
);
select is(parley.expire_messages(), false, 'again there is nothing');
select is(t.events_since('talk', :event_seq), 'message:deleted message:deleted message:deleted', 'to do');
select t.act('bob');
select is(t.texts(), 'm1 later', 'who looks sees the same as before');
select is(t.unread('bob', 'talk'), 2::bigint, 'and has the same to read');
select is(t.unread('ann', 'talk'), 0::bigint, 'and its author nothing');
select is((parley_api.send_message(t.id('talk'), 'm6') ->> 'seq'), '6', 'numbers go on');
select is(t.unread('ann', 'talk'), 1::bigint, 'as does the counting');
select unalike(
    (parley_api.get_events(t.id('talk'), 0)::text || parley_api.get_user_conversations()::text || parley_api.sync()::text), '%zugzwang%',
    'no answer carries the text'
);
select t.refused('PT404', $$select parley_api.delete_message(t.id('m2'), true)$$, 'there is nothing to delete');

-- deleted first, or hidden
select t.host();
select t.expire('m4') is null \g /dev/null
select t.act('cid');
select parley_api.mark_as_read(t.id('talk'), 1) is null as read \gset
select is(t.unread('cid', 'talk'), 1::bigint, 'of four after the first one has expired, two are gone, one is left');
select t.act('bob');
select t.keep('m6', parley_api.send_message(t.id('talk'), 'm6', expires_in => '1 hour') ->> 'id');
select parley_api.delete_message(t.id('m6'), true) is null as deleted \gset
select t.keep('file', parley_api.declare_attachment(t.id('talk'), 'image', 'zugzwang.png', 'image/png', 1000) ->> 'id');
select t.claim('service_role', '{"role": "service_role"}');
select parley_api.record_upload(t.id('file'), 1000) is null as uploaded \gset
select t.act('bob');
select parley_api.delete_message(
    (parley_api.send_message(t.id('talk'), type => 'image', attachment_ids => array[t.id('file')], expires_in => '1 hour') ->> 'id')::uuid, true
) is null as deleted \gset
select is(t.look('select string_agg(a.state || a.file_name, '' '') from parley.attachment a'), 'removedzugzwang.png', 'what is deleted for everyone leaves the name of its file');
select t.act('cid');
select t.keep('m7', parley_api.send_message(t.id('talk'), 'm7', expires_in => '1 hour') ->> 'id');
select t.act('ann');
select parley_api.delete_message(t.id('m7')) is null as hidden \gset
select t.unread('ann', 'talk') as unread \gset
select t.host();
select t.expire('m6') is null, t.expire('m7') is null \g /dev/null
select is(
    t.look('select string_agg(r.content, '' '') from parley.message_revision r'), 'm6', 'what was deleted is remembered for moderators'
);
update parley.message_revision set expires_at = now() - interval '1 second';
select t.last_event_seq('talk') as event_seq \gset
select is(parley.expire_messages(), false, 'until it would have expired');
select is(t.look('select count(*) from parley.message_revision'), '0', 'and then no more');
select is(t.look('select count(*) from parley.attachment'), '0', 'nor that name');
select is(t.events_since('talk', :event_seq), 'message:deleted message:deleted', 'of what was deleted before there is no second event');
select is(t.unread('ann', 'talk'), :unread::bigint, 'one that was hidden counts as little as before');

-- many
insert into parley.message (id, conversation_id, seq, sender_id, created_at, expires_at, type, content)
select parley.uuid_v7(), t.id('talk'), t.last_seq('talk') + n, t.id('ann'), now(), now() - interval '1 minute', 'text', 'x' from generate_series(1, 450) n;
update parley.conversation set last_seq = last_seq + 450 where id = t.id('talk');
select is(parley.expire_messages(), true, 'a run does a part');
select is((select count(*) from parley.message m where m.content = 'x'), 250::bigint, 'of two hundred');
select parley.expire_messages() as more \gset
select is(parley.expire_messages(), false, 'until there is no more');
select is((select count(*) from parley.message m where m.content = 'x'), 0::bigint, 'and nothing is left');

select * from finish();
rollback;
