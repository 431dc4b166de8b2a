-- Erasure: nothing of the user is left but an id, others keep their places and numbers, and a restored backup is erased again.
begin;
select no_plan();
\ir ../people.psql
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;
update parley.account set display_name = 'Xanthippe', suspended_reason = null where id = t.id('bob');

create function t.tables_with(pattern text) returns text language plpgsql security definer as $$
declare
    v_table regclass;
    v_found text[] := '{}';
    v_is_there boolean;
begin
    for v_table in
        select c.oid::regclass from pg_catalog.pg_class c where c.relnamespace = 'parley'::regnamespace and c.relkind = 'r' order by c.relname
    loop
        execute format('select exists (select from %s as r where r::text ilike $1)', v_table) into v_is_there using pattern;
        if v_is_there then
            v_found := v_found || v_table::text;
        end if;
    end loop;
    return array_to_string(v_found, ' ');
end
$$;
create function t.texts(conversation text) returns text language sql as $$
    select string_agg(coalesce(m ->> 'content', '-'), ' ' order by (m ->> 'seq')::bigint)
    from jsonb_array_elements(parley_api.get_conversation_messages(t.id($1)) -> 'messages') m
$$;
create function t.seqs(conversation text) returns text language sql as $$
    select string_agg(m ->> 'seq', ' ' order by (m ->> 'seq')::bigint)
    from jsonb_array_elements(parley_api.get_conversation_messages(t.id($1)) -> 'messages') m
$$;
create function t.rows_of(name text) returns text language plpgsql security definer as $$
declare
    v_reference record;
    v_count bigint;
    v_rows text[] := '{}';
begin
    for v_reference in
        select u.table_name, u.column_name from parley.user_reference u where u.action in ('delete', 'clear') order by 1, 2
    loop
        execute format('select count(*) from parley.%I where %I = $1', v_reference.table_name, v_reference.column_name) into v_count using t.id(name);
        if v_count > 0 then
            v_rows := v_rows || format('%s.%s %s', v_reference.table_name, v_reference.column_name, v_count);
        end if;
    end loop;
    return array_to_string(v_rows, ', ');
end
$$;

-- as the job does, every few seconds
create function t.erase_all() returns void language plpgsql as $$
begin
    for i in 1..100 loop
        perform parley.erase_users();
    end loop;
end
$$;

-- Bob: an owner, in two groups and a pair, with something everywhere.
insert into parley.tenant (id, name) values (t.id('none'), 'Shop');
select t.act('ann');
select t.keep('us', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group') ->> 'id');
select t.keep('pair', parley_api.start_conversation(array[t.id('bob')], message => 'hello') ->> 'id');
select t.keep('m1', t.send('us', 'one')::text);
select parley_api.add_participants(t.id('us'), array[t.id('dan')]), parley_api.set_participant_role(t.id('us'), t.id('bob'), 'owner') \g /dev/null
select t.act('bob');
select t.keep('his', parley_api.start_conversation(array[t.id('cid')], 'group', 'Sonnets', message => 'zugzwang') ->> 'id');
select t.keep('m2', parley_api.send_message(t.id('us'), 'zugzwang', metadata => '{"pin": "endspiel"}', client_message_id => t.id('noa')) ->> 'id');
select parley_api.edit_message(t.id('m2'), 'zugzwang two'), parley_api.send_message(t.id('pair'), 'zugzwang three'),
    parley_api.send_message(t.id('us'), type => 'location', metadata => '{"latitude": 1, "longitude": 2, "place": "endspiel"}'),
    parley_api.delete_message((parley_api.send_message(t.id('us'), 'zugzwang four') ->> 'id')::uuid, true),
    parley_api.add_reaction(t.id('m1'), '👍'), parley_api.star_message(t.id('m1')), parley_api.pin_message(t.id('m1')),
    parley_api.mark_as_read(t.id('us')), parley_api.save_draft(t.id('pair'), 'zugzwang five'),
    parley_api.schedule_message(t.id('us'), 'zugzwang six', send_at => to_char(now() at time zone 'UTC' + interval '1 day', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')),
    parley_api.declare_attachment(t.id('us'), 'image', 'endspiel.png', 'image/png', 1000),
    parley_api.forward_message(t.id('m1'), array[t.id('pair')]), parley_api.update_participant_settings(t.id('pair'), pin => true) \g /dev/null
-- notices of before 0.3.0, with a name that Bob had, and in one that was deleted
select t.act('ann');
select parley_api.remove_participant(t.id('us'), t.id('dan')), parley_api.add_participants(t.id('us'), array[t.id('dan')]) \g /dev/null
select t.host();
update parley.message m
set content = replace(parley.notice_text(m.metadata), 'Ann', 'Xenia'), metadata = m.metadata - 'notice'
where m.conversation_id = t.id('us') and m.metadata ->> 'event' like 'participant%';
update parley.message m
set
    content = case when m.metadata ->> 'event' = 'role_changed' then 'Ann made Xaver an owner.' else 'Xaver added Dan.' end,
    metadata = m.metadata - 'notice' || case
        when m.metadata ->> 'event' = 'role_changed' then '{}' else jsonb_build_object('actor_id', t.id('bob'))
    end
where m.conversation_id = t.id('us') and m.metadata ->> 'event' in ('role_changed', 'participants_added');
select t.keep('old', t.look(format('select id from parley.message where conversation_id = %L and content = ''Xaver added Dan.'' order by seq desc limit 1', t.id('us'))));
select t.act('ann');
select parley_api.delete_message(t.id('old'), true) is null as done \gset
-- which an application may not mean
select t.host();
select parley_api.send_system_message(t.id('us'), 'Booked', jsonb_build_object('event', 'role_changed', 'user_ids', jsonb_build_array(t.id('bob'), 'seat 7'))) is null as sent \gset
select t.host();
insert into parley.tenant_member (tenant_id, user_id) values (t.id('none'), t.id('bob'));
select parley_api.send_system_message(t.id('us'), 'Welcome, Xanthippe!') is null as sent \gset
update parley.event set xid = '3' where xid = pg_current_xact_id();
select parley.index_messages() is null as done \gset
select t.act('cid');
select t.texts('us') as before, t.seqs('us') as seqs, t.unread('cid', 'us') as unread \gset
select parley_api.get_message_receipts(t.id('m1')) ->> 'status' as status \gset
select t.host();
select isnt(t.rows_of('bob'), '', 'there is something to erase');
select is(t.tables_with('%zugzwang%'), 'parley.draft parley.message_' || to_char(now() at time zone 'UTC', 'YYYY_MM') || ' parley.message_revision parley.scheduled_message parley.search_block', 'what Bob said is in all these tables');
select isnt(t.tables_with('%Xanthippe%'), '', 'and the name');

-- refusals
select t.refused('PT404', $$select parley.erase_user(t.id('noa'), 'asked to')$$, 'one there is not cannot be erased');
select t.refused('PT400', $$select parley.erase_user(t.id('bob'), '')$$, 'a reason is needed');
select t.refused('PT400', $$select parley.erase_user(t.id('bob'), 'asked to', 'burn')$$, 'content is kept or removed');
select t.act('ann');
select t.refused('42501', $$select parley.erase_user(t.id('bob'), 'asked to')$$, 'no user erases another');
select t.host();

-- held
select t.keep('hold', parley.place_hold('conversation', t.id('us'), 'a case') ->> 'id');
select is(parley.erase_user(t.id('bob'), 'asked to', 'remove') ->> 'finished_at', null, 'what is held is not erased');
select t.erase_all() is null as done \gset
select is(parley.erase_users(), false, 'nor by the job');
select is(t.look(format('select count(*) from parley.message where sender_id = %L and conversation_id = %L and content is not null', t.id('bob'), t.id('us'))), '1', 'it stays');
select is(t.look(format('select count(*) from parley.message where sender_id = %L and conversation_id = %L and content is not null', t.id('bob'), t.id('pair'))), '0', 'the rest is gone');
select t.act('bob');
select t.refused('PT403', $$select parley_api.get_user_conversations()$$, 'nobody is Bob any more');
select t.act('cid');
select alike(t.texts('us'), '%[Deleted User] left.%', 'who is told is told of a deleted user');
select is((select p ->> 'role' from jsonb_array_elements(parley_api.get_participants(t.id('his')) -> 'participants') p where p ->> 'user_id' = t.id('cid')::text), 'owner', 'a group gets a successor');
select t.host();
select parley.release_hold(t.id('hold'), 'closed') is null as done \gset
select t.erase_all() is null as done \gset
select isnt(parley.erase_user(t.id('bob'), 'again') ->> 'finished_at', null, 'when the hold ends it goes on');
select is(t.rows_of('bob'), '', 'and nothing is left');
select is(t.tables_with('%zugzwang%'), '', 'of what was said');
select is(t.tables_with('%endspiel%'), '', 'of metadata and files');
select is(t.tables_with('%Xanthippe%'), '', 'nor the name');
select is(t.tables_with('%Xaver%'), '', 'nor one of before');
select is(t.look('select string_agg(action, '' '' order by id) from parley.audit_log'), 'place_hold erase_user release_hold', 'once, and audited');
select t.act('cid');
select alike(t.seqs('us'), :'seqs' || '%', 'the numbers of others do not change');
select is(parley_api.get_message_receipts(t.id('m1')) ->> 'status', :'status', 'nor what was read');
select alike(t.texts('us'), '%Welcome, [Deleted User]!%', 'what the application said has no name in it');
select alike(t.texts('us'), '%[Deleted User] is now an owner.%', 'a notice of before is made anew');
select alike(t.texts('us'), '%Xenia removed Dan.%', 'where it names the user');
select alike(t.texts('us'), '%Booked%', 'what the application said of something else stays');
select cmp_ok(t.unread('cid', 'us'), '<=', :unread::bigint + 2, 'nothing else is unread');
select is(parley_api.search_messages('zugzwang') -> 'results', '[]', 'nothing is found');
select t.act('ann');
select alike(t.texts('pair'), 'hello - %', 'the pair stays readable for the other');
select t.host();

-- kept
select parley.erase_user(t.id('cid'), 'asked to') is null as done \gset
select t.erase_all() is null as done \gset
select t.act('dan');
select is(t.look(format('select e.content from parley.erasure e where e.user_id = %L', t.id('cid'))), 'keep', 'by default what was said stays');

-- the ledger
select t.host();
select is(t.look('select count(*) from parley.erasure where exported_at is null'), '2', 'no ledger has told of them');
select is(parley.erasure_ledger('infinity'), '[]', 'nor does one of later ones');
select is(t.look('select count(*) from parley.erasure where exported_at is null'), '2', 'as is seen');
select parley.erasure_ledger() as ledger \gset
select is(t.look('select count(*) from parley.erasure where exported_at is null'), '0', 'then it is seen that one has');
select is(jsonb_array_length(:'ledger'::jsonb), 2, 'the ledger has both');
select is(parley.reapply_erasures(:'ledger'), 0::bigint, 'what is erased is not erased again');
delete from parley.erasure;
update parley.account set deleted_at = null, display_name = 'Xanthippe' where id = t.id('bob');
select parley.reapply_erasures(:'ledger' || jsonb_build_array(jsonb_build_object('user_id', t.id('noa'), 'reason', 'asked to', 'content', 'keep', 'requested_at', now()))) as reapplied \gset
select t.erase_all() is null as done \gset
select is(:reapplied, 3, 'a backup that is put back is erased again');
select is(t.tables_with('%Xanthippe%'), '', 'also of the name');
select is(t.look(format('select deleted_at is not null from parley.account where id = %L', t.id('noa'))), 'true', 'and of who came after it');
select t.refused('PT400', $$select parley.reapply_erasures('{}')$$, 'a ledger is a list');
select * from finish();
rollback;
