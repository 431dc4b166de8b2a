-- Functions: a search_path of their own, nobody gets EXECUTE by default, and the worker gets exactly its own.
-- Each rule is a view of its violations: first it must find a bad example, then nothing in the installed schema.
begin;
select plan(13);

create temp view own_function as
select p.oid, n.nspname, p.proname, p.oid::regprocedure::text as name, p.prosecdef, p.proconfig, p.proacl, p.proowner
from pg_catalog.pg_proc as p
inner join pg_catalog.pg_namespace as n on p.pronamespace = n.oid
where n.nspname in ('parley', 'parley_api');

-- also of those with a body that was bound when it was created: without it they are inlined, and the right to execute an
-- inlined function is checked when a plan is made, which pooled sessions share between roles
create temp view without_search_path as
select f.name from own_function as f
where not coalesce(f.proconfig, '{}') @> '{"search_path=pg_catalog, pg_temp"}'
    -- one runs as its caller in every send, and names in full what it calls; the other is a part of its callers' plans
    and (f.proname not in ('message_json', 'log_since') or f.prosecdef);

-- A way that the planner was told not to take costs 10^10 when it takes it after all, and a generic plan for many
-- partitions costs a lot: either has the plan compiled, for seconds, to run for microseconds.
create temp view compiled as
select f.name from own_function as f
where array_to_string(f.proconfig, ' ') ~ '(enable_\w+|plan_cache_mode)=' and not f.proconfig @> '{jit=off}';

create temp view open_to_public as
select f.name
from own_function as f
cross join lateral aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) as a
where a.grantee = 0;

-- but for the one that is called most, which only calls its namesake: as its caller it would have to be bound, and its
-- body be read and planned by each call, a tenth of a send
create temp view exposed_definer as
select f.name from own_function as f where f.nspname = 'parley_api' and f.prosecdef and f.proname <> 'send_message';

create temp view granted_to_worker as
select f.proname::text as name
from own_function as f
cross join lateral aclexplode(f.proacl) as a
inner join pg_catalog.pg_roles as r on a.grantee = r.oid
where r.rolname = 'parley_worker';

select isnt_empty('select from own_function', 'there are functions to look at');

savepoint example;
create function parley.bad_example() returns integer language sql as 'select 1';
create function parley.bad_example(bigint) returns integer language sql
set search_path = pg_catalog, pg_temp set enable_sort = off as 'select 1';
create function parley_api.bad_example() returns integer language sql security definer as 'select 1';
select count(*) as found from without_search_path where name like '%bad_example%' \gset pinned_
select count(*) as found from open_to_public where name like '%bad_example%' \gset public_
select count(*) as found from exposed_definer where name like '%bad_example%' \gset definer_
select count(*) as found from compiled where name like '%bad_example%' \gset compiled_
rollback to example;

select is(:pinned_found, 2, 'a function without a pinned search_path is found');
select is_empty('select * from without_search_path', 'every function pins its search_path');
select is(:public_found, 3, 'a function that PUBLIC may execute is found');
select is_empty('select * from open_to_public', 'PUBLIC may execute no function');
select is(:compiled_found, 1, 'a function that steers the planner and leaves its plans to be compiled is found');
select is_empty('select * from compiled', 'no function that steers the planner has its plans compiled');
select is(:definer_found, 1, 'a security definer function in parley_api is found');
select is_empty('select * from exposed_definer', 'functions of parley_api run as their caller');

select bag_eq(
    'select name from granted_to_worker',
    $$values ('check_worker'), ('worker_start'), ('worker_beat'), ('worker_stop'), ('log_position'), ('read_log'), ('authorize_join'),
             ('worker_limits'), ('discretion_of'), ('record_refusal'), ('claim_spam_checks'), ('note_links'), ('answer_spam_check'),
             ('fail_spam_check'),
             ('replay'), ('create_consumer'), ('consume'), ('purge_events'), ('maintain'),
             ('run_job'), ('due_jobs'), ('job_states'), ('version'), ('event_kinds'),
             ('position_holds'), ('begin_epoch'), ('claim_export'), ('export_page'), ('export_advance'), ('restart_export'),
             ('expired_exports'), ('export_expired'), ('configure_push'), ('enqueue_push'), ('feed_push'), ('claim_push_jobs'),
             ('settle_push_job'), ('renew_push_focus'), ('requeue_push_jobs'), ('push_test'), ('push_test_outcome'),
             ('push_queue_state'), ('push_log_state'), ('log_id_salt')$$,
    'the worker may execute exactly the worker''s functions'
);

select is_empty(
    $$select f.name from own_function f where f.nspname = 'parley_api' and has_function_privilege('anon', f.oid, 'execute')$$,
    'a caller without a user may call nothing'
);

select is_empty(
    $$select f.name, r.name
      from own_function f, unnest(array['authenticated', 'service_role']) as r (name)
      where f.nspname = 'parley_api'
        and not f.prosecdef
        and has_function_privilege(r.name, f.oid, 'execute')
        and not exists (
            select from pg_catalog.pg_depend d
            inner join own_function t on d.refobjid = t.oid and t.nspname = 'parley'
            where d.objid = f.oid and d.classid = 'pg_proc'::regclass and d.refclassid = 'pg_proc'::regclass
              and has_function_privilege(r.name, t.oid, 'execute')
        )$$,
    'whoever may call a wrapper may call what it wraps'
);

select is_empty(
    $$select f.name from own_function f inner join pg_catalog.pg_proc p using (oid)
      where p.prosecdef and p.proowner in (select oid from pg_catalog.pg_roles where rolsuper)$$,
    'no function runs with the rights of a superuser'
);

select * from finish();
rollback;
