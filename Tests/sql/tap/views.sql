-- Who sees which rows: strangers, participants, former participants, participants of something else, admins, the service
-- role and nobody; and no way around the views.
begin;
select plan(36);
\ir ../people.psql
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;

create function t.sees() returns text language sql as $$
    select concat_ws(
        ' ',
        (select count(*) from parley_api.conversations c where c.id = t.id('us')),
        (select count(*) from parley_api.participants p where p.conversation_id = t.id('us')),
        (select count(*) from parley_api.messages m where m.conversation_id = t.id('us')),
        (select count(*) from parley_api.conversations),
        (select count(*) from parley_api.participants),
        (select count(*) from parley_api.messages)
    )
$$;

-- Every table, view and partition of both schemas, tried with a statement that names a column.
create function t.readable(wanted text) returns text language plpgsql as $$
declare
    v_table record;
    v_found text[] := '{}';
begin
    for v_table in
        select c.oid::regclass::text as name, a.attname
        from pg_catalog.pg_class c
        inner join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = 1
        where c.relnamespace = $1::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
        order by c.relname
    loop
        begin
            execute format('select %I from %s limit 1', v_table.attname, v_table.name);
            v_found := v_found || v_table.name;
        exception when insufficient_privilege then
            null;
        end;
    end loop;
    return array_to_string(v_found, ' ');
end
$$;

create function t.writes(statement text) returns text language plpgsql as $$
begin
    execute statement;
    return 'written';
exception when others then
    return sqlstate;
end
$$;

-- two conversations of Ann, Bob and Dan; Dan is removed from one, Cid is in the other only
select t.act('ann');
select t.keep('us', parley_api.start_conversation(array[t.id('bob'), t.id('dan')], 'group') ->> 'id');
select t.keep('them', parley_api.start_conversation(array[t.id('cid')], 'group', message => 'them') ->> 'id');
select t.send('us', 'one') is not null as sent \gset
select t.act('dan');
select t.send('us', 'two') is not null as sent \gset
select t.act('ann');
select parley_api.remove_participant(t.id('us'), t.id('dan')) is null as removed \gset
select t.send('us', 'four') is not null as sent \gset

select t.act('eve');
select is(t.sees(), '0 0 0 0 0 0', 'a stranger sees nothing');
select t.act('cid');
select is(t.sees(), '0 0 0 1 2 1', 'a participant of another conversation sees that one only');
select t.act('dan');
select is(t.sees(), '0 0 0 0 0 0', 'a former participant sees nothing, not even of the time before');
select t.act('bob');
select is(t.sees(), '1 2 4 1 2 4', 'a participant sees the conversation, who is in it, and its messages');
select t.act('ann');
select is(t.sees(), '1 2 4 2 4 5', 'an admin sees the same, and nothing that others may not');
select t.claim('authenticated', '');
select is(t.sees(), '0 0 0 0 0 0', 'nobody sees nothing');
select t.act('none');
select is(t.sees(), '0 0 0 0 0 0', 'nor does a user whom the database has not met');
select t.claim('service_role', '{"role": "service_role"}');
select is(t.sees(), '1 2 4 2 4 5', 'the service role sees everything');
select t.claim('anon', json_build_object('sub', t.id('ann'), 'role', 'anon')::text);
select t.refused('42501', 'select t.sees()', 'anon is refused');
select t.host();

-- messages one by one
select t.act('bob');
select t.keep('one', (select m.id::text from parley_api.messages m where m.seq = 1));
select parley_api.delete_message(t.id('one')) is null as hidden \gset
select is(t.sees(), '1 2 3 1 2 3', 'what a user has hidden is not in their view');
select t.act('ann');
select is(t.sees(), '1 2 4 2 4 5', 'and in everybody else''s');
select parley_api.delete_message(t.id('one'), true) is null as deleted \gset
select results_eq(
    format('select content, metadata, mentions from parley_api.messages where id = %L', t.id('one')), 'values (null::text, null::jsonb, null::uuid[])',
    'a deleted message is there without its text'
);
select t.act('eve');
select is_empty(format('select from parley_api.messages where id = %L', t.id('one')), 'naming a message does not show it');
select is_empty(format('select from parley_api.conversations where id = %L', t.id('us')), 'nor a conversation');
select is_empty(format('select from parley_api.messages where conversation_id = %L or true', t.id('us')), 'whatever the condition');

-- no way around
select t.act('ann');
select is(t.readable('parley'), '', 'a user reads no table of the private schema by its name');
select is(t.readable('parley_api'), 'parley_api.attachments parley_api.conversations parley_api.message_receipts parley_api.messages parley_api.participants', 'but the views');
select t.claim('anon', '');
select is(t.readable('parley') || t.readable('parley_api'), '', 'anon reads neither');
select t.claim('service_role', '{"role": "service_role"}');
select is(t.readable('parley'), '', 'the service role reads no private table either');
select t.host();
grant usage on schema parley to authenticated;
select t.act('ann');
select is(
    t.readable('parley'),
    'parley.attachment parley.conversation parley.conversation_profile parley.message parley.message_hidden parley.participant parley.read_marker',
    'were the schema open, the same rows would be: the grants are on what the views read'
);
select is((select count(*) from (select m.id from parley.message m) m), 5::bigint, 'with the same policies') ;
select t.act('eve');
select is((select count(*) from (select m.id from parley.message m) m), 0::bigint, 'for strangers, too');
select is(
    (select count(*) from pg_catalog.pg_inherits i
     where i.inhparent = 'parley.message'::regclass
        and (has_table_privilege(i.inhrelid, 'select') or has_any_column_privilege(i.inhrelid, 'select'))),
    0::bigint, 'a partition has no policy of its own, and nobody reads one'
);
select t.refused('42501', 'select last_read_seq from parley.participant', 'columns that are nobody else''s are not granted');
select t.host();
revoke usage on schema parley from authenticated;

-- no writing
select t.act('ann');
select is(t.writes('insert into parley_api.messages (id, conversation_id, seq) values (gen_random_uuid(), gen_random_uuid(), 1)'), '42501', 'nothing is inserted through a view');
select is(t.writes('update parley_api.messages set metadata = ''{}'''), '42501', 'updated');
select is(t.writes('delete from parley_api.messages'), '42501', 'or deleted');
select is(t.writes('update parley_api.participants set user_id = t.id(''eve'')'), '42501', 'nobody takes another''s place');
select is(t.writes('update parley_api.participants set role = ''owner'''), '0A000', 'makes themselves an owner');
select is(t.writes('delete from parley_api.conversations'), '55000', 'or deletes a conversation');
select is(t.writes('truncate parley.message'), '42501', 'nor the messages of everybody');
select t.claim('service_role', '{"role": "service_role"}');
select is(t.writes('update parley_api.messages set metadata = ''{}'''), '42501', 'the service role writes through functions, too');
select is(t.writes('delete from parley_api.participants'), '42501', 'only');

-- private functions
select t.act('ann');
select is(
    (
        select string_agg(p.proname, ' ' order by p.proname) from pg_catalog.pg_proc p
        where p.pronamespace = 'parley'::regnamespace and has_function_privilege(p.oid, 'execute')
            and p.proname not in (
                select w.proname from pg_catalog.pg_proc w
                where w.pronamespace = 'parley_api'::regnamespace and has_function_privilege(w.oid, 'execute')
            )
    ),
    'bounded_json bounded_list bounded_text current_user_id my_conversation_ids my_history_floors my_message_floor notice_text shares_my_receipts',
    'besides what the exposed functions call, a user may execute the helpers of policies and views'
);
select is(t.writes('select parley.my_conversation_ids()'), '42501', 'and cannot name them');
select is(t.writes($$select parley.append_event(null, 'x', null, null, null, null, null)$$), '42501', 'nobody writes to the log');

select * from finish();
rollback;
