-- Jobs: run when due, by one at a time, each failure its own; and what they look for they find by index.
begin;
select plan(49);
\ir ../people.psql

create function t.tuples(relation text) returns bigint language sql security definer as $$
    select sum(pg_stat_get_xact_tuples_returned(c.oid))::bigint + sum(pg_stat_get_xact_tuples_fetched(c.oid))::bigint
    from pg_catalog.pg_class c
    where c.relnamespace = 'parley'::regnamespace and c.relkind in ('r', 'i') and c.relname ~ ('^' || $1)
$$;

create function t.read_by(query text, relation text) returns bigint language plpgsql security definer as $$
declare
    v_before bigint := t.tuples(relation);
begin
    execute query;
    return t.tuples(relation) - v_before;
end
$$;

create table t.run (n integer generated always as identity, name text);
create function parley.good() returns boolean language sql security definer set search_path = pg_catalog, pg_temp as
$$insert into t.run (name) values ('good'); select false$$;
create function parley.busy() returns boolean language sql security definer set search_path = pg_catalog, pg_temp as
$$insert into t.run (name) values ('busy'); select true$$;
create function parley.told() returns jsonb language sql security definer set search_path = pg_catalog, pg_temp as
$$insert into t.run (name) values ('told'); select '{"more": true}'::jsonb$$;
create function parley.bad() returns boolean language plpgsql security definer set search_path = pg_catalog, pg_temp as
$$begin insert into t.run (name) values ('bad'); raise exception using errcode = '53100', message = 'what nobody shall read'; end$$;
create function parley.endless() returns boolean language plpgsql security definer set search_path = pg_catalog, pg_temp as
$$begin raise query_canceled; end$$;

create function t.runs() returns text language sql security definer as $$ select string_agg(name, ' ' order by n) from t.run $$;
create function t.job(name text) returns parley.job language sql security definer as $$ select j from parley.job j where j.name = $1 $$;
-- seconds until it is due
create function t.wait(name text) returns integer language sql security definer as $$
    select round(extract(epoch from (t.job($1)).next_run_at - clock_timestamp()))::integer
$$;
create function t.now_due(name text) returns void language sql security definer as $$
    update parley.job set next_run_at = now() where parley.job.name = $1
$$;

-- those there are
select is_empty(
    $$select n from unnest(array[
        'maintain', 'send_due_messages', 'expire_messages', 'close_due_polls', 'purge_scheduled_messages', 'remove_orphaned_attachments',
        'expire_calls', 'purge_audit_log', 'index_messages'
      ]) n except select name from parley.job$$,
    'everything that must be done at a time is a job'
);
select is_empty('select name from parley.job_states() where not exists_as_function', 'each is a function');
select is_empty($$select name from parley.job where not parley.run_job(name) is not null$$, 'each can be run');
select is_empty('select name from parley.job_states() where failures > 0', 'and none fails');
select is_empty('select name from parley.due_jobs() where wait_ms = 0', 'then none is due');

delete from parley.job;
insert into parley.job (name, period_seconds, description)
select n, 10, 'x' from unnest(array['good', 'busy', 'told', 'bad', 'endless', 'absent']) n;

-- by whom
select t.act('ann');
select t.refused('42501', 'select parley.run_job(''good'')', 'a user runs no job');
select t.refused('42501', 'select parley.due_jobs()', 'and lists none');
select t.claim('service_role', '{"role": "service_role"}');
select t.refused('42501', 'select parley.run_job(''good'')', 'nor does the service role');
select t.claim('parley_worker', '');
select t.refused('PT404', 'select parley.run_job(''nothing'')', 'what is no job');
select t.refused('PT404', 'select parley.run_job(''expire_calls'')', 'is not run, function or not');
select t.refused('PT404', 'select parley.run_job(null)', 'nor is nothing');

-- a good one
select set_eq('select name from parley.due_jobs() where wait_ms = 0', $$values ('good'), ('busy'), ('told'), ('bad'), ('endless'), ('absent')$$, 'all are due at first');
select is(parley.run_job('good'), false, 'one that leaves nothing to do');
select is(t.runs(), 'good', 'runs');
select is(t.wait('good'), 10, 'and is due again after its period');
select is(parley.run_job('good'), false, 'before that');
select is(t.runs(), 'good', 'it does not run again');
select is((select d.wait_ms between 9000 and 10000 from parley.due_jobs() d where d.name = 'good'), true, 'which the list says');
select is((t.job('good')).last_ok_at = (t.job('good')).last_run_at and (t.job('good')).last_error_at is null, true, 'when it went well is known');
select is(parley.run_job('busy'), true, 'one that leaves something');
select is(t.wait('busy'), 0, 'is due at once');
select is(parley.run_job('busy'), true, 'again');
select is(parley.run_job('told'), false, 'what says something else has no more to do');
select is(t.runs(), 'good busy busy told', 'so far so good');

-- bad ones
select is(parley.run_job('bad'), false, 'one that fails does not say so');
select is(t.runs(), 'good busy busy told', 'has done nothing');
select is((t.job('bad')).last_error_code || ' ' || (t.job('bad')).failures, '53100 1', 'but its code is kept');
select is((t.job('bad')).last_ok_at, null, 'it never went well');
select is(t.look($$select count(*) from parley.job j where j::text like '%nobody%'$$), '0', 'and what it said is not kept');
select is(t.wait('bad'), 20, 'it waits twice its period');
select t.now_due('bad') is null as due \g /dev/null
select parley.run_job('bad') as ran \g /dev/null
select is(t.wait('bad'), 40, 'then four times');
select results_eq(
    $$select d.failures, d.last_error_code from parley.due_jobs() d where d.name = 'bad'$$, $$values (2::bigint, '53100')$$, 'which the list says'
);
select t.look('select parley.job_wait_seconds(10, 40)') as longest \gset
select is(:longest, 300, 'but no longer than five minutes');
select is(t.look('select parley.job_wait_seconds(3600, 40)')::integer, 3600, 'or its period');
select is(parley.run_job('endless'), false, 'one that takes too long');
select is((t.job('endless')).last_error_code, '57014', 'has failed, too');
select is(parley.run_job('absent'), false, 'one that is not there');
select is((t.job('absent')).last_error_code, '42883', 'as well');
select results_eq('select name from parley.job_states() where not exists_as_function', $$values ('absent')$$, 'which can be seen');
select is(parley.run_job('told') or t.wait('good') <> 10, false, 'the others do not notice');
select t.host();
create or replace function parley.bad() returns boolean language sql security definer set search_path = pg_catalog, pg_temp as 'select false';
select t.now_due('bad') is null as due \g /dev/null
select parley.run_job('bad') as ran \g /dev/null
select is((t.job('bad')).failures || ' ' || t.wait('bad'), '0 10', 'when it is mended it is as good as the others');
-- the clock was a day ahead when it last ran
update parley.job set last_run_at = last_run_at + interval '1 day', next_run_at = next_run_at + interval '1 day' where name = 'bad';
select is((select d.wait_ms from parley.due_jobs() d where d.name = 'bad'), 0::bigint, 'when the clock is set back a job is due');
select parley.run_job('bad') as ran \g /dev/null
select is(t.wait('bad'), 10, 'and then as ever');
update parley.job set enabled = false, next_run_at = now() where name = 'good';
select is(parley.run_job('good') or exists (select from parley.due_jobs() d where d.name = 'good'), false, 'one that is switched off is neither listed nor run');

-- what they look for (the bounds leave room for what tests before this one have left dead in the indexes)
insert into parley.conversation (id, last_seq) select md5('c' || n)::uuid, 20 from generate_series(1, 500) n;
insert into parley.conversation_profile (conversation_id, type) select md5('c' || n)::uuid, 'group' from generate_series(1, 500) n;
insert into parley.message (id, conversation_id, seq, created_at, expires_at, type, content)
select parley.uuid_v7(), md5('c' || c)::uuid, n, now(), now() + make_interval(hours => n), 'text', 'x' from generate_series(1, 500) c, generate_series(1, 20) n;
insert into parley.poll (conversation_id, message_id, multiple, anonymous, closes_at, options)
select m.conversation_id, m.id, false, false, m.expires_at, '{a,b}' from parley.message m;
insert into parley.scheduled_message (id, conversation_id, sender_id, client_message_id, request_hash, send_at, attempt_at, type, content)
select m.id, m.conversation_id, t.id('ann'), m.id, '', m.expires_at, m.expires_at, 'text', 'x' from parley.message m;
analyze parley.message, parley.poll, parley.scheduled_message, parley.conversation;
update parley.message set expires_at = now() - interval '1 hour' where conversation_id = md5('c7')::uuid and seq <= 3;
select cmp_ok(t.read_by('select parley.expire_messages()', 'message_2'), '<', 2000::bigint, 'of ten thousand that will expire, those that have are found by index');
update parley.poll set closes_at = now() - interval '1 hour' where conversation_id = md5('c8')::uuid;
select cmp_ok(t.read_by('select parley.close_due_polls()', 'poll'), '<', 2000::bigint, 'of ten thousand polls, those whose time has come');
update parley.scheduled_message set attempt_at = now() - interval '1 hour', send_at = now() - interval '1 hour' where conversation_id = md5('c9')::uuid;
select cmp_ok(t.read_by('select parley.send_due_messages()', 'scheduled_message'), '<', 2000::bigint, 'of ten thousand messages for later, the one that is next');
select is((select count(*) from parley.scheduled_message s where s.status = 'failed'), 1::bigint, 'which Ann, who is in no such conversation, cannot send');
select cmp_ok(t.read_by('select parley.purge_scheduled_messages()', 'scheduled_message'), '<', 2000::bigint, 'and of those that are over, the old ones');

select * from finish();
rollback;
