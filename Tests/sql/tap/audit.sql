-- The audit log: written by one function, changed by nobody, forgotten when it is old enough.
begin;
select no_plan();
\ir ../people.psql

select t.act('ann');
select t.refused('42501', $$select parley.audit('peek', 'a reason', 'nobody')$$, 'users write no entries');
select t.refused('42501', 'select * from parley.audit_log', 'and read none');
select t.claim('service_role', '{"role": "service_role"}');
select t.refused('42501', 'select * from parley.audit_log', 'nor does the service role, but through functions');
select t.refused('42501', $$delete from parley.audit_log$$, 'or delete them');
select t.claim('none', json_build_object('sub', t.id('ann'), 'role', 'authenticated')::text);
select parley.audit('peek', '  a reason ', 'moderator', conversation_id => t.id('none'), target_id => t.id('bob'), detail => '{"n": 1}') as entry \gset
select t.host();
select results_eq(
    $$select actor_id, actor_role, session_role = session_user, action, reason, conversation_id, target_id, detail, created_at > now() - interval '1 minute' from parley.audit_log$$,
    $$values (t.id('ann'), 'moderator', true, 'peek', 'a reason', t.id('none'), t.id('bob'), '{"n": 1}'::jsonb, true)$$,
    'an entry says who did what to whom, when and why'
);
select t.refused('PT400', $$select parley.audit('peek', '', 'moderator')$$, 'never without a reason');
select t.refused('PT400', $$select parley.audit('peek', null, 'moderator')$$, 'not even by no answer');
select t.refused('23514', $$select parley.audit('Peek!', 'a reason', 'moderator')$$, 'the action is a name');

-- append-only, for the owner of the tables and the superuser, too
select t.refused('42501', $$update parley.audit_log set reason = 'another'$$, 'nobody changes an entry');
select t.refused('42501', $$delete from parley.audit_log$$, 'nobody deletes one');
select t.refused('42501', 'truncate parley.audit_log', 'nobody empties the log');
select t.refused('42501', $$update parley.audit_log set created_at = '2000-01-01'$$, 'or makes one old');
select t.refused('42501', $$insert into parley.audit_log (actor_role, action, reason) values ('x', 'peek', 'y') on conflict (id) do update set reason = 'z'; update parley.audit_log set reason = 'z'$$, 'in whatever way');

-- retention
insert into parley.audit_log (created_at, actor_role, action, reason)
select now() - make_interval(days => d), 'moderator', 'peek', d || ' days' from unnest(array[400, 366, 364, 1]) d;
select is(parley.purge_audit_log(), true, 'the job deletes what it finds');
select is(parley.purge_audit_log(), false, 'until there is nothing more to do');
-- the entry above, which came first by id, is young
select is((select count(*) from parley.audit_log), 3::bigint, 'what is older than a year is gone');
select is_empty($$select from parley.audit_log where created_at < now() - interval '365 days'$$, 'and that alone');
update parley.setting set value = '30' where name = 'audit_retention_days';
select parley.purge_audit_log() as more \gset
select is((select count(*) from parley.audit_log), 2::bigint, 'retention is a setting, which counts at once');
update parley.setting set value = 'soon' where name = 'audit_retention_days';
insert into parley.audit_log (created_at, actor_role, action, reason) values (now() - interval '10 years', 'moderator', 'peek', 'long ago');
select parley.purge_audit_log() as more \gset
select is((select count(*) from parley.audit_log), 3::bigint, 'one that makes no sense deletes nothing');
select t.refused('42501', $$delete from parley.audit_log$$, 'nor lets anybody delete');
update parley.setting set value = '30' where name = 'audit_retention_days';
insert into parley.audit_log (created_at, actor_role, action, reason)
select now() - interval '40 days', 'moderator', 'peek', 'many' from generate_series(1, 10001);
select is(parley.purge_audit_log(), true, 'a run is bounded');
select cmp_ok((select count(*) from parley.audit_log), '>', 2::bigint, 'and leaves the rest');
select is(parley.purge_audit_log(), true, 'to the next one');
select is((select count(*) from parley.audit_log), 2::bigint, 'until all are gone');
select isnt_empty($$select from parley.job where name = 'purge_audit_log' and enabled$$, 'it is among the jobs');

-- how the server's log names people
select is(parley.log_id(t.id('ann')), t.id('ann')::text, 'the log of the server has ids');
update parley.setting set value = 'hashed' where name = 'log_ids';
select matches(parley.log_id(t.id('ann')), '^[0-9a-f]{16}$', 'or hashes of them');
select parley.log_id(t.id('ann')) as hashed \gset
select is(parley.log_id(t.id('ann')), :'hashed', 'the same for the same user');
select parley.rotate_log_salt() is null as done \gset
select is(parley.log_id(t.id('ann')), :'hashed', 'for a time');
update parley.secret set created_at = now() - interval '31 days' where name = 'log_salt';
select parley.rotate_log_salt() is null as done \gset
select isnt(parley.log_id(t.id('ann')), :'hashed', 'and then another, which nobody can trace back');
select is(parley.log_id(null), null, 'nobody is nobody');

select * from finish();
rollback;
