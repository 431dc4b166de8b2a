-- Retention: what no window reaches is retired, comes back with a window that grows, and is purged after its grace, with
-- all that hangs on it; holds keep it; the preview tells it before. The clock of a pass is moved, the readers' is now.
begin;
select no_plan();
\ir ../people.psql
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;

create function t.pass(days integer, batch integer default 1000) returns parley.retention_run language plpgsql security definer as $$
declare
    v_run jsonb;
    v_row parley.retention_run;
begin
    loop
        v_run := parley.retention_run(now() + make_interval(days => days), batch);
        exit when not (v_run ->> 'more')::boolean;
    end loop;
    select r.* into v_row from parley.retention_run r where r.id = (v_run ->> 'id')::bigint;
    return v_row;
end
$$;
create function t.did(run parley.retention_run) returns text language sql as $$
    select format('retired %s, returned %s, purged %s', run.retired, run.returned, run.purged)
$$;
create function t.preview(days integer) returns text language sql security definer as $$
    select string_agg(concat_ws(' ', p.action, p.messages, p.tier, p.reason), ', ' order by p.action, p.tier, p.reason)
    from parley.retention_preview(now() + make_interval(days => days)) p
$$;
create function t.texts(conversation text) returns text language sql as $$
    select string_agg(coalesce(m ->> 'content', '-'), ' ' order by (m ->> 'seq')::bigint)
    from jsonb_array_elements(parley_api.get_conversation_messages(t.id($1)) -> 'messages') m where m ->> 'type' <> 'system'
$$;
create function t.rows_of(conversation text) returns text language sql security definer as $$
    select concat_ws(' ',
        (select 'messages ' || count(*) from parley.message x where x.conversation_id = t.id($1)),
        (select 'revisions ' || count(*) from parley.message_revision x where x.conversation_id = t.id($1)),
        (select 'reactions ' || count(*) from parley.reaction x where x.conversation_id = t.id($1)),
        (select 'stars ' || count(*) from parley.message_star x where x.conversation_id = t.id($1)),
        (select 'pins ' || count(*) from parley.message_pin x where x.conversation_id = t.id($1)),
        (select 'markers ' || count(*) from parley.read_marker x where x.conversation_id = t.id($1)),
        (select 'marks ' || count(*) from parley.message_uncounted x where x.conversation_id = t.id($1)),
        (select 'hidden ' || count(*) from parley.message_hidden x where x.conversation_id = t.id($1)),
        (select 'blocks ' || count(*) from parley.search_block x where x.conversation_id = t.id($1)),
        (select 'polls ' || count(*) from parley.poll x where x.conversation_id = t.id($1)),
        (select 'files ' || count(*) from parley.attachment x where x.conversation_id = t.id($1)))
$$;

-- Cid and Dan are on the free plan (30 days), Bob has 180, Ann a year.
insert into parley.tenant (id, name) values (t.id('none'), 'Shop');
select t.act('ann');
select t.keep('poor', parley_api.start_conversation(array[t.id('cid'), t.id('dan')], 'group') ->> 'id');
select t.keep('rich', parley_api.start_conversation(array[t.id('bob')], 'group') ->> 'id');
select t.send('rich', 'r1') is null as sent \gset
select t.keep('pair', parley_api.start_conversation(array[t.id('bob')], message => 'hello') ->> 'id');
select t.keep('a1', t.send('poor', 'a1')::text);
select parley_api.leave_conversation(t.id('poor')) is null as left \gset
select t.act('cid');
select t.keep('c1', parley_api.send_message(t.id('poor'), 'zugzwang', client_message_id => t.id('noa')) ->> 'id');
select t.keep('c2', t.send('poor', 'c2')::text);
select parley_api.edit_message(t.id('c1'), 'zugzwang!'), parley_api.add_reaction(t.id('c1'), '👍'), parley_api.star_message(t.id('c1')),
    parley_api.pin_message(t.id('c1')), parley_api.create_poll(t.id('poor'), 'which?', array['this', 'that']),
    parley_api.delete_message(t.id('c2')), parley_api.mark_as_read(t.id('poor')) \g /dev/null
select t.keep('file', parley_api.declare_attachment(t.id('poor'), 'image', 'x.png', 'image/png', 1000) ->> 'id');
select t.claim('service_role', '{"role": "service_role"}');
select parley_api.record_upload(t.id('file'), 1000) is null as done \gset
select t.act('cid');
select t.keep('picture', parley_api.send_message(t.id('poor'), type => 'image', attachment_ids => array[t.id('file')]) ->> 'id');
select t.keep('taken', t.send('poor', 'taken back')::text);
select parley_api.delete_message(t.id('taken'), true), parley_api.send_message(t.id('poor'), 'an answer', reply_to_id => t.id('c1')) \g /dev/null
select t.host();
update parley.event set xid = '3' where xid = pg_current_xact_id();
select parley.index_messages() is null as done \gset
select t.act('dan');
select t.unread('dan', 'poor') as unread \gset
select t.host();

-- windows
select is(t.preview(29), null, 'within every window nothing is due');
select is(t.did(t.pass(29)), 'retired 0, returned 0, purged 0', 'and nothing happens');
select t.rows_of('poor') as before \gset
select is(:'before'::text, 'messages 9 revisions 2 reactions 1 stars 1 pins 1 markers 1 marks 3 hidden 1 blocks 1 polls 1 files 1', 'there is one of each');
select is(t.preview(31), 'retire 9 free tier', 'the longest window of those who are there counts, not of who has left');
select is(t.did(t.pass(31)), 'retired 9, returned 0, purged 0', 'what nobody sees is retired');
select is(t.rows_of('poor'), :'before', 'with all that hangs on it kept');
select t.act('dan');
select is(t.texts('poor'), null, 'and shown to nobody');
select is(t.unread('dan', 'poor'), 0::bigint, 'nor unread');
select is(parley_api.search_messages('zugzwang', t.id('poor')) -> 'results', '[]', 'nor found');
select is(jsonb_array_length(parley_api.get_conversation_media(t.id('poor')) -> 'attachments'), 0, 'nor a file of it');
select is((select count(*) from parley_api.attachments a where a.conversation_id = t.id('poor')), 0::bigint, 'also in the view');
select t.refused('PT404', $$select parley_api.add_reaction(t.id('c1'), '👍')$$, 'nothing can be done with it');
select t.refused('PT404', $$select parley_api.send_message(t.id('poor'), 'what?', reply_to_id => t.id('c1'))$$, 'nor can it be answered');
select unalike((parley_api.get_events(t.id('poor'), 0)::text || parley_api.sync()::text || parley_api.get_user_conversations()::text), '%zugzwang%', 'no answer carries it');
select t.act('cid');
select is(jsonb_array_length(parley_api.get_starred_messages() -> 'messages'), 0, 'a star of it is not shown');
select is(jsonb_array_length(parley_api.get_pinned_messages(t.id('poor')) -> 'messages'), 0, 'nor a pin');
select t.look($$update parley.setting set value = '1' where name = 'max_pinned_messages' returning 1$$) is null as set \gset
select t.keep('fresh', t.send('poor', 'fresh')::text);
select isnt(parley_api.pin_message(t.id('fresh')) ->> 'pinned_at', null, 'nor does it take the place of another');
select t.look(format('delete from parley.message where id = %L returning 1', t.id('fresh'))) is null as gone \gset
select t.look(format('delete from parley.message_pin where message_id = %L returning 1', t.id('fresh'))) is null as gone \gset
select t.look(format('update parley.conversation set last_seq = last_seq - 1 where id = %L returning 1', t.id('poor'))) is null as gone \gset
select is(parley_api.send_message(t.id('poor'), 'zugzwang', client_message_id => t.id('noa')) ->> 'content', null, 'a retry returns its place');
select is(t.send('poor', 'new') is null, false, 'the conversation goes on');
select t.act('dan');
select is(t.unread('dan', 'poor'), 1::bigint, 'what is new is unread');
select is(t.texts('poor'), 'new', 'and shown');
select t.host();
select is(t.did(t.pass(31)), 'retired 1, returned 0, purged 0', 'a second pass finds what is new');
select is(t.did(t.pass(31)), 'retired 0, returned 0, purged 0', 'and then nothing');

-- a window grows
select parley.set_account_tier(t.id('dan'), 'privileged') is null as done \gset
select is(parley.return_messages(), false, 'a better plan is looked after');
select is(parley.return_messages(), false, 'once');
select t.act('dan');
select is(t.texts('poor'), 'a1 zugzwang! c2 which? - - an answer new', 'with it all comes back');
select is(t.unread('dan', 'poor'), (:unread + 1)::bigint, 'and is unread as before');
select is(parley_api.search_messages('zugzwang', t.id('poor')) #>> '{results,0,message,content}', 'zugzwang!', 'and found');
select is((select count(*) from parley_api.attachments a where a.conversation_id = t.id('poor')), 1::bigint, 'with its file');
select t.host();
select is(t.did(t.pass(31)), 'retired 0, returned 0, purged 0', 'the pass agrees');
select parley.set_account_tier(t.id('dan'), 'free') is null as done \gset
select is(t.did(t.pass(31)), 'retired 10, returned 0, purged 0', 'a worse plan retires it again');
update parley.tier_limit set amount = 40 where name = 'retention_days' and tier_name = 'free';
select is(t.preview(31), 'return 10 free tier', 'a plan that grows');
select is(t.did(t.pass(31)), 'retired 0, returned 10, purged 0', 'takes it back with the next pass');
update parley.tier_limit set amount = 30 where name = 'retention_days' and tier_name = 'free';
select is(t.did(t.pass(31)), 'retired 10, returned 0, purged 0', 'and one that shrinks retires it');

-- holds
select t.claim('service_role', '{"role": "service_role"}');
select t.refused('42501', $$select parley.retention_run()$$, 'the application does not purge');
select t.refused('42501', $$select parley.place_hold('user', t.id('cid'), 'a case')$$, 'nor reach the private schema');
select t.host();
select t.refused('PT400', $$select parley.place_hold('all', t.id('cid'), 'a case')$$, 'a hold is of a user, a conversation or a tenant');
select t.refused('PT404', $$select parley.place_hold('user', t.id('none'), 'a case')$$, 'that there is');
select t.refused('PT400', $$select parley.place_hold('user', t.id('cid'), ' ')$$, 'for a reason');
select t.keep('hold', parley.place_hold('user', t.id('ann'), 'a case') ->> 'id');
select is(parley.place_hold('user', t.id('ann'), 'again') ->> 'id', t.id('hold')::text, 'a second one is the first');
select is(t.preview(62), 'held 10 free tier', 'what is held is told apart: also who has left has taken part');
select is(t.did(t.pass(62)), 'retired 0, returned 0, purged 0', 'and stays');
select t.refused('PT409', $$select parley.purge_conversation(t.id('poor'), null)$$, 'not even the application deletes it');
update parley.message set expires_at = now() - interval '1 second' where id = t.id('c1');
select is(parley.expire_messages(), false, 'what expires');
select is(t.look(format('select content from parley.message where id = %L', t.id('c1'))), 'zugzwang!', 'stays, too');
select t.act('cid');
select unalike(coalesce(t.texts('poor'), ''), '%zugzwang%', 'unseen');
select t.host();
update parley.message set expires_at = null where id = t.id('c1');
select isnt(parley.release_hold(t.id('hold'), 'closed') ->> 'released_at', null, 'until the hold is released');
select is(parley.release_hold(t.id('hold'), 'closed') ->> 'released_at', parley.release_hold(t.id('hold'), 'closed') ->> 'released_at', 'again is fine');
select t.refused('PT404', $$select parley.release_hold(t.id('none'), 'closed')$$, 'one there is not cannot be released');
select is(t.look($$select string_agg(action, ' ' order by id) from parley.audit_log$$), 'place_hold release_hold', 'both are audited');
select parley.place_hold('conversation', t.id('poor'), 'a case') is null as done \gset
select is(t.preview(62), 'held 10 free tier', 'a conversation can be held');
update parley.hold set released_at = now();
update parley.conversation_profile set tenant_id = t.id('none') where conversation_id = t.id('poor');
select parley.place_hold('tenant', t.id('none'), 'a case') is null as done \gset
select is(t.preview(62), 'held 10 free tier', 'and a tenant');
update parley.hold set released_at = now();

-- the purge
select is(t.preview(60), null, 'within the grace period nothing goes');
select is(t.did(t.pass(60)), 'retired 0, returned 0, purged 0', 'indeed');
update parley.event set xid = '3' where xid = pg_current_xact_id();
select parley.index_messages() is null as done \gset
create table t.going as select d.message_id from parley.retention_due(now() + interval '62 days') d where d.action = 'purge';
select p.messages, p.bytes, p.checksum from parley.retention_preview(now() + interval '62 days') p \gset
select is(t.preview(62), 'purge 10 free tier', 'after it all goes');
select r.id as run from t.pass(62, 5) r \gset
select is(
    t.look(format('select (purged, purged_bytes, files, checksum, steps > 2, ended_at is not null)::text from parley.retention_run where id = %s', :run)),
    format('(%s,%s,1,%s,t,t)', :messages, :bytes, :checksum), 'what the preview told, by count, size and checksum, in several steps'
);
select is_empty('select message_id from t.going where exists (select from parley.message m where m.id = message_id)', 'row for row');
select is(t.rows_of('poor'), 'messages 0 revisions 0 reactions 0 stars 0 pins 0 markers 0 marks 0 hidden 0 blocks 0 polls 0 files 0', 'with all that hung on it');
select is(t.look('select count(*) from parley.stored_object where unreferenced_at is not null'), '1', 'its file is to be deleted');
select is(t.look(format('select count(*) from parley.message where conversation_id = %L', t.id('rich'))) || t.look(format('select count(*) from parley.message where conversation_id = %L', t.id('pair'))), '11', 'others have theirs');
select is(t.did(t.pass(62)), 'retired 0, returned 0, purged 0', 'a second pass finds nothing');
select is(t.look(format('select count(*) from parley.event where conversation_id = %L', t.id('poor'))), '0', 'the log has none of it');

select t.act('cid');
select t.refused('PT410', $$select parley_api.send_message(t.id('poor'), 'zugzwang', client_message_id => t.id('noa'))$$, 'a retry is told that it is gone');
select t.send('poor', 'next') is null as sent \gset
select is(t.last_seq('poor'), 11::bigint, 'numbers go on');
select t.act('dan');
select is(t.texts('poor'), 'next', 'who looks sees what is new');
select is(t.unread('dan', 'poor'), 1::bigint, 'and has that to read');
select is(parley_api.get_unread_counts() #>> '{total}', '1', 'in all');
select is((parley_api.get_events(t.id('poor'), 0) -> 'gap') ->> 'reason', 'purged', 'replay says what is gone');
select t.host();
update parley.purged_key set delete_after = now();
select is(t.did(t.pass(0)), 'retired 0, returned 0, purged 0', 'ninety days after the send');
select is(t.look(format('select count(*) from parley.message_key where client_message_id = %L', t.id('noa'))), '0', 'its key goes');

-- own messages that are purged unread of others count for nobody
select t.act('cid');
select parley_api.mark_as_read(t.id('poor')) is null as done \gset
select t.act('dan');
select t.send('poor', 'd1') is null as sent \gset
select t.act('cid');
select t.send('poor', 'c3') is null as sent \gset
select t.host();
select t.did(t.pass(31)), t.did(t.pass(62)) \g /dev/null
select t.act('dan');
select t.send('poor', 'd2') is null as sent \gset
select is(t.unread('cid', 'poor'), 1::bigint, 'what was purged unread, one''s own among it, takes nothing off what is unread');
select t.act('cid');
select t.send('poor', 'c4') is null as sent \gset
select is(t.unread('cid', 'poor'), 1::bigint, 'own ones count as little as ever');
select parley_api.mark_as_read(t.id('poor'), t.last_seq('poor') - 1) is null as done \gset
select is(t.unread('cid', 'poor'), 0::bigint, 'and reading goes on');

-- policies
select t.host();
insert into parley.retention_policy (conversation_type, visible_days, description) values ('group', 5, 'groups are short');
insert into parley.retention_policy (conversation_type, tenant_id, grace_days, description) values ('group', t.id('none'), 0, 'and go at once');
insert into parley.retention_policy (conversation_id, visible_days, description) values (t.id('rich'), 10, 'but this one');
select t.refused('23505', $$insert into parley.retention_policy (conversation_type, visible_days, description) values ('group', 6, 'x')$$, 'one policy for one scope');
select is(t.preview(6), 'purge 2 free policy', 'a policy is shorter than every plan, and may leave no grace');
select is(t.preview(11), 'purge 2 free policy, retire 1 privileged_plus policy', 'of two the more exact one counts');
delete from parley.retention_policy where conversation_id = t.id('rich');
select p.messages, p.bytes, p.checksum from parley.retention_preview(now() + interval '6 days') p where p.action = 'purge' \gset
select r.id as run from t.pass(6) r \gset
select is(t.did(r), 'retired 3, returned 0, purged 2', 'what leaves no grace is retired and purged at once') from parley.retention_run r where r.id = :run;
select is(
    t.look(format('select (purged, purged_bytes, checksum)::text from parley.retention_run where id = %s', :run)),
    format('(%s,%s,%s)', :messages, :bytes, :checksum), 'as the preview told it'
);
delete from parley.retention_policy;
select is(t.did(t.pass(6)), 'retired 0, returned 1, purged 0', 'without the policy the rest comes back');

-- nobody left
select t.act('ann');
select t.keep('lone', parley_api.start_conversation(array[t.id('dan')], 'group', message => 'anybody?') ->> 'id');
select parley_api.leave_conversation(t.id('lone')) is null as done \gset
select t.act('dan');
select parley_api.leave_conversation(t.id('lone')) is null as done \gset
select t.host();
select matches(t.preview(31), '^retire \d+ free left$', 'with nobody left the plan of the last who left counts');
select t.did(t.pass(31)) is null as done \gset
select parley.set_account_tier(t.id('dan'), 'privileged_plus') is null as done \gset
select is(t.preview(31), null, 'as it was found then, whatever becomes of it');

select * from finish();
rollback;
