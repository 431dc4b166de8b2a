-- Exports: all about the caller, or the history of a conversation with the consent of the others, page by page.
begin;
select no_plan();
\ir ../people.psql
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;

-- What a worker does, with a file in a column.
create table t.file (id uuid primary key, content text not null default '');
create function t.write(batch integer, pages integer default 100000) returns boolean language plpgsql security definer as $$
declare
    v_export record;
    v_page record;
    v_content text;
begin
    select c.* into v_export from parley.claim_export('here') c;
    if not found then
        return false;
    end if;
    insert into t.file (id) values (v_export.id) on conflict do nothing;
    select convert_from(substring(convert_to(f.content, 'UTF8') from 1 for v_export.bytes_written::integer), 'UTF8') into v_content from t.file f where f.id = v_export.id;
    for i in 1..pages loop
        select p.* into v_page from parley.export_page(v_export.id, batch) p;
        v_content := v_content || coalesce(v_page.lines, '');
        update t.file f set content = v_content where f.id = v_export.id;
        perform parley.export_advance(
            v_export.id, 'here', v_export.bytes_written, octet_length(coalesce(v_page.lines, '')), v_page.row_count, v_page.next
        );
        v_export.bytes_written := v_export.bytes_written + octet_length(coalesce(v_page.lines, ''));
        exit when v_page.next is null;
    end loop;
    -- a page that was written and never told of
    update t.file f set content = f.content || 'torn' where f.id = v_export.id and v_page.next is not null;
    return true;
end
$$;
create function t.lines(export text) returns setof jsonb language sql security definer as $$
    select l::jsonb from t.file f, unnest(string_to_array(rtrim(f.content, E'\n'), E'\n')) l where f.id = t.id($1)
$$;
create function t.kinds(export text) returns text language sql as $$
    select string_agg(k || ' ' || n, ', ' order by k collate "C") from (select l ->> 'kind' as k, count(*) as n from t.lines($1) l group by 1) x
$$;

insert into parley.tenant (id, name) values (t.id('none'), 'Shop');
insert into parley.tenant_member (tenant_id, user_id) values (t.id('none'), t.id('ann')), (t.id('none'), t.id('bob')), (t.id('none'), t.id('cid'));
select t.act('ann');
select t.keep('us', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group') ->> 'id');
select t.keep('m1', parley_api.send_message(t.id('us'), 'one', metadata => '{"a": 1}') ->> 'id');
select parley_api.edit_message(t.id('m1'), 'one!'), parley_api.star_message(t.id('m1')), parley_api.add_reaction(t.id('m1'), '👍'),
    parley_api.mark_as_read(t.id('us')) \g /dev/null
select t.keep('gone', parley_api.send_message(t.id('us'), 'disappears', expires_in => '1 hour') ->> 'id');
select parley_api.save_draft(t.id('us'), 'begun') is null as saved \gset
select parley_api.declare_attachment(t.id('us'), 'file', 'a.txt', 'text/plain', 10) is null as declared \gset
select t.act('bob');
select t.send('us', '=cmd|calc'), t.send('us', e'two "quoted"\nlines') \g /dev/null
select t.act('cid');
select t.send('us', 'three') is null as sent \gset
select t.host();
update parley.message set expires_at = now() - interval '1 second' where id = t.id('gone');

-- all about me
select t.act('ann');
select t.keep('mine', parley_api.export_my_data() ->> 'id');
select is(parley_api.export_my_data() ->> 'id', t.id('mine')::text, 'while one is being written there is no second');
select is(parley_api.get_export(t.id('mine')) - '{id,created_at,expires_at}'::text[], '{"conversation_id": null, "format": "jsonl", "state": "pending", "file": null, "rows": 0, "bytes": 0, "finished_at": null}', 'it is pending');
select t.act('bob');
select t.refused('PT404', $$select parley_api.get_export(t.id('mine'))$$, 'and nobody else''s');
select t.host();
select is(t.write(2, 3), true, 'a writer that is cut off');
select is(t.write(2), true, 'goes on where it was');
select is(t.write(2), false, 'and then there is nothing to write');
select is(t.kinds('mine'), 'account 1, attachment 1, conversation_profile 1, draft 1, export 1, message 1, message_star 1, participant 1, reaction 1, tenant_member 1', 'all about the caller is in it, once');
select is((select l ->> 'content' from t.lines('mine') l where l ->> 'kind' = 'message'), 'one!', 'what they said');
select is((select l ->> 'attachment_kind' from t.lines('mine') l where l ->> 'kind' = 'attachment'), 'file', 'of what kind a file is');
select is((select l #>> '{revisions,0,content}' from t.lines('mine') l where l ->> 'kind' = 'message'), 'one', 'and had said');
select is((select l ->> 'display_name' from t.lines('mine') l where l ->> 'kind' = 'account'), 'Ann', 'their name');
select unalike((select f.content from t.file f where f.id = t.id('mine')), '%three%', 'nothing that others said');
select unalike((select f.content from t.file f where f.id = t.id('mine')), '%disappears%', 'nor what has expired');
select unalike((select f.content from t.file f where f.id = t.id('mine')), '%torn%', 'nor what was torn');
select t.act('ann');
select is((parley_api.get_export(t.id('mine')) ->> 'bytes')::bigint, t.look(format('select octet_length(content) from t.file where id = %L', t.id('mine')))::bigint, 'the file is as long as it says');
select is(parley_api.get_export(t.id('mine')) ->> 'file', t.id('mine') || '.jsonl', 'and is ready');
select is(t.look($$select count(*) from parley.event where kind = 'export:ready'$$), '1', 'its user is told');
-- the same in pages of any size
select t.host();
select t.act('ann');
select t.keep('again', parley_api.export_my_data() ->> 'id');
select t.host();
select t.write(1000) is null as done \gset
select set_eq(
    $$select l from t.lines('again') l where l ->> 'kind' <> 'export'$$, $$select l from t.lines('mine') l where l ->> 'kind' <> 'export'$$, 'pages of any size say the same'
);

-- a conversation, with consent
select t.act('eve');
select t.refused('PT403', $$select parley_api.export_conversation(t.id('us'))$$, 'who is not in it exports nothing');
select t.refused('PT403', $$select parley_api.request_export_consent(t.id('us'))$$, 'nor asks');
select t.act('ann');
select t.refused('PT400', $$select parley_api.export_conversation(t.id('us'), 'xml')$$, 'as JSON Lines or CSV');
select is(jsonb_array_length(parley_api.request_export_consent(t.id('us')) -> 'consents'), 2, 'the others are asked');
select is(t.look($$select count(*) from parley.event where kind = 'export:consent'$$), '2', 'each is told');
select parley_api.request_export_consent(t.id('us')) is null as again \gset
select is(t.look($$select count(*) from parley.event where kind = 'export:consent'$$), '2', 'once');
select t.act('bob');
select t.refused('PT404', $$select parley_api.give_export_consent(t.id('us'), t.id('cid'))$$, 'who was not asked has nothing to answer');
select is(parley_api.give_export_consent(t.id('us'), t.id('ann')) ->> 'given', 'true', 'Bob consents');
select t.act('cid');
select is(parley_api.give_export_consent(t.id('us'), t.id('ann'), false) ->> 'given', 'false', 'Cid does not');
select t.act('ann');
select t.keep('talk', parley_api.export_conversation(t.id('us')) ->> 'id');
select t.keep('table', parley_api.export_conversation(t.id('us'), 'csv') ->> 'id');
select t.host();
select t.write(2), t.write(2) \g /dev/null
select is(
    (select string_agg(coalesce(l ->> 'content', case when (l ->> 'withheld')::boolean then 'withheld' end), ' ' order by (l ->> 'seq')::bigint) from t.lines('talk') l),
    e'one! =cmd|calc two "quoted"\nlines withheld', 'what was consented to is in it, and of the rest the place'
);
select is(
    (select regexp_replace(f.content, '"\d{4}-[^"]*Z"|"[0-9a-f]{8}-[^"]*"', '*', 'g') from t.file f where f.id = t.id('table')),
    e'seq,created_at,sender_id,sender,type,content,files,withheld\n1,*,*,"Ann","text","one!","",false\n3,*,*,"Bob","text","''=cmd|calc","",false\n'
    || e'4,*,*,"Bob","text","two ""quoted""\nlines","",false\n5,*,*,"Cid","text","","",true\n',
    'as a table, no field of which is a formula'
);
select is(
    (select string_agg(parley.csv_field(f), ' ' order by n) from unnest(array['=1', '+1', '-1', '@x', e'\t=1', ' =1', e'\r=1', 'a=1', '', '＝1']) with ordinality x (f, n)),
    e'"''=1" "''+1" "''-1" "''@x" "''\t=1" "'' =1" "''\r=1" "a=1" "" "''＝1"', 'whatever it begins with'
);
select t.act('bob');
select is(parley_api.give_export_consent(t.id('us'), t.id('ann'), false) ->> 'given', 'false', 'a consent is withdrawn');
select t.act('ann');
select is(parley_api.request_export_consent(t.id('us')) #>> '{consents,0,withdrawn_at}' is not null, true, 'which is recorded');
select t.keep('talk', parley_api.export_conversation(t.id('us')) ->> 'id');
select t.host();
select t.write(100) is null as done \gset
select unalike((select f.content from t.file f where f.id = t.id('talk')), '%quoted%', 'and holds from then on');

-- limits, other writers, the end of a file
select t.act('dan');
select t.refused('PT403', $$select parley_api.export_conversation(t.id('us'))$$, 'a stranger exports nothing');
select t.host();
update parley.tier_limit set amount = 1, burst = 1 where name = 'exports_per_day';
select t.act('cid');
select t.keep('cids', parley_api.export_my_data() ->> 'id');
select t.host();
select t.write(1, 2) is null as done \gset
select is(t.look($$select count(*) from parley.claim_export('there')$$), '0', 'nobody takes what another is writing');
update parley.export set claimed_until = now() where state = 'pending';
select is(t.look($$select bytes_written from parley.claim_export('there')$$), '0', 'what was left is begun anew');
select is(parley.export_advance(t.id('cids'), 'here', 0, 1, 1, null), false, 'and no longer another''s');
update parley.export set writer = 'here', expires_at = now() where state <> 'expired';
select is(t.look($$select count(*) from parley.expired_exports('here')$$), '6', 'files that are old enough');
select parley.export_expired(x.id, 'here') is null from parley.expired_exports('here') x \g /dev/null
select is(t.look($$select count(*) from parley.expired_exports('here')$$), '0', 'are deleted');
select t.act('cid');
select t.refused('PT429', $$select parley_api.export_my_data()$$, 'exports are limited');
select is(parley_api.get_export(t.id('cids')) ->> 'state', 'expired', 'and end');
-- of a conversation one has left, only what one was in it
select t.host();
update parley.participant set left_at = clock_timestamp() where conversation_id = t.id('us') and user_id = t.id('ann');
update parley.conversation_profile set title = 'Without Ann' where conversation_id = t.id('us');
select is(
    (select string_agg(l.lines, '') from parley.table_lines('conversation_profile.created_by', t.id('ann'), t.id('us'), null, 9) l),
    null, 'what became of it afterwards is not in an export'
);

-- for whoever oversees the conversation: everything that is still there, without consent and with a reason
select t.host();
create function t.said(page jsonb) returns text language sql as $$
    select string_agg(coalesce(l::jsonb ->> 'content', '-'), ' ' order by n)
    from string_to_table(rtrim(page ->> 'lines', E'\n'), E'\n') with ordinality as x (l, n)
    where l::jsonb ->> 'type' = 'text'
$$;
select t.claim('service_role', '{"role": "service_role"}');
select is(t.said(parley_api.export_messages(t.id('us'), 'a court')), e'one! =cmd|calc two "quoted"\nlines three', 'the application takes out what was said, but for what has expired');
select is(
    (select string_agg(p ->> 'next_after_seq', ' ') from (
        select parley_api.export_messages(t.id('us'), 'a court', page_size => 2) p
        union all select parley_api.export_messages(t.id('us'), 'a court', after_seq => 2, page_size => 1000)) x),
    '2', 'page by page'
);
select is(
    (select count(*) from string_to_table(rtrim(parley_api.export_messages(t.id('us'), 'a court', 'csv') ->> 'lines', E'\n'), E'\n') l
     where l like 'seq,created_at,%' or l like '%"''=cmd|calc"%'), 2::bigint, 'as a table, too, that no spreadsheet runs'
);
select is(parley_api.export_messages(t.id('us'), 'a court', 'csv', 1000) ->> 'lines', '', 'whose head comes once');
select t.refused('PT400', $$select parley_api.export_messages(t.id('us'), '')$$, 'not without a reason');
select t.refused('PT400', $$select parley_api.export_messages(t.id('us'), 'a court', 'xml')$$, 'in no other form');
select t.refused('PT400', $$select parley_api.export_messages(t.id('us'), 'a court', page_size => 1001)$$, 'not all at once');
select t.refused('PT400', $$select parley_api.export_messages(t.id('us'), 'a court', after_seq => -1)$$, 'from the beginning on');
select t.host();
select is(t.look($$select count(*) from parley.audit_log where action = 'export_messages' and reason = 'a court'$$), '5', 'each page is audited');
select * from finish();
rollback;
