-- Tables: row-level security on every one, partitions included; API roles never write a table and never see the private
-- schema; every foreign key has its index.
begin;
select plan(17);

create temp view own_table as
select c.oid, c.oid::regclass::text as name, c.relkind, c.relrowsecurity, c.relforcerowsecurity
from pg_catalog.pg_class as c
inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid
where n.nspname in ('parley', 'parley_api') and c.relkind in ('r', 'p');

create temp view api_role as
select unnest(array['anon', 'authenticated', 'service_role', 'parley_worker']) as name;

create temp view without_rls as
select t.name from own_table as t where not t.relrowsecurity;

create temp view writable as
select t.name, r.name as role_name, p.name as privilege
from own_table as t
cross join api_role as r
cross join unnest(
    array['insert', 'update', 'delete', 'truncate', 'references', 'trigger']
    || case when current_setting('server_version_num')::integer >= 170000 then array['maintain'] end
) as p (name)
where
    has_table_privilege(r.name, t.oid, p.name)
    or (p.name in ('insert', 'update', 'references') and has_any_column_privilege(r.name, t.oid, p.name));

-- a foreign key whose columns do not begin an index makes every delete of the referenced row read the whole table
create temp view unindexed_key as
select k.conrelid::regclass::text as name, k.conname
from pg_catalog.pg_constraint as k
inner join own_table as t on k.conrelid = t.oid
where
    k.contype = 'f'
    and not exists (
        select from pg_catalog.pg_index as i
        where
            i.indrelid = k.conrelid
            and (string_to_array(i.indkey::text, ' ')::smallint[])[1:cardinality(k.conkey)] @> k.conkey
            -- a partial index helps if all it leaves out is null
            and (
                i.indpred is null
                or pg_get_expr(i.indpred, i.indrelid) ~ ('^\(' || (
                    select string_agg(a.attname, '|')
                    from pg_catalog.pg_attribute as a
                    where a.attrelid = k.conrelid and a.attnum = any (k.conkey)
                ) || ' IS NOT NULL\)$')
            )
    );

create temp view badly_named as
select k.conrelid::regclass::text as name, k.conname
from pg_catalog.pg_constraint as k
inner join own_table as t on k.conrelid = t.oid
where
    -- from PostgreSQL 18 on a not null is a constraint too, named by the server
    k.contype <> 'n'
    and k.conname !~ case k.contype when 'p' then '_pkey$' when 'u' then '_key$' when 'f' then '_fkey$' else '_check$' end;

create temp view key_without_conversation as
select t.name, i.indexrelid::regclass::text as index_name
from own_table as t
inner join pg_catalog.pg_attribute as a on a.attrelid = t.oid and a.attname = 'conversation_id'
inner join pg_catalog.pg_index as i on i.indrelid = t.oid and i.indisunique
where not a.attnum = any (string_to_array(i.indkey::text, ' ')::smallint[]);

select isnt_empty($$select from own_table where relkind = 'p'$$, 'there are partitioned tables to look at');
select isnt_empty($$select from own_table t inner join pg_inherits i on i.inhrelid = t.oid$$, 'and partitions');

savepoint example;
create table parley.bad_example (id integer primary key, other uuid constraint other_fk references parley.account (id));
grant select, insert on parley.bad_example to authenticated;
grant update (other) on parley.bad_example to service_role;
select count(*) as found from without_rls where name = 'parley.bad_example' \gset rls_
select count(*) as found from writable where name = 'parley.bad_example' \gset write_
select count(*) as found from unindexed_key where name = 'parley.bad_example' \gset key_
select count(*) as found from badly_named where name = 'parley.bad_example' \gset name_
create index on parley.bad_example (other) where other is not null;
select count(*) as found from unindexed_key where name = 'parley.bad_example' \gset indexed_
rollback to example;

select is(:rls_found, 1, 'a table without row-level security is found');
select is_empty('select * from without_rls', 'every table and partition has row-level security');
select is(:write_found, 2, 'a table that an API role may write is found');
select is_empty('select * from writable', 'API roles may write no table');
select is(:key_found, 1, 'a foreign key without an index is found');
select is(:indexed_found, 0, 'and no longer once it has one');
select is_empty('select * from unindexed_key', 'every foreign key has an index');
select is(:name_found, 1, 'a constraint named against the rule is found');
select is_empty('select * from badly_named', 'constraints are named <table>_<what>_<check|key|fkey|pkey>');

select is_empty('select name from own_table where relforcerowsecurity',
    'no table forces row-level security on its owner: the access helpers would see nothing');
select is_empty($$select name from api_role where name <> 'parley_worker' and has_schema_privilege(name, 'parley', 'usage')$$,
    'API roles have no usage on the private schema');
select is_empty($$select name from api_role where has_schema_privilege(name, 'parley', 'create')
    or has_schema_privilege(name, 'parley_api', 'create')$$, 'nobody but the owner creates objects there');
select is_empty($$select name from own_table where has_table_privilege('parley_worker', oid, 'select')
    or has_any_column_privilege('parley_worker', oid, 'select')$$, 'the worker reads no table, it calls its functions');
select is_empty(
    $$select * from key_without_conversation
      where (name, index_name) not in (
        values ('parley.event', 'parley.event_pkey'), ('parley.audit_log', 'parley.audit_log_pkey'),
               ('parley.retention_policy', 'parley.retention_policy_pkey'), ('parley.export', 'parley.export_pkey'),
               ('parley.message', 'parley.message_pkey'),
               ('parley.direct_conversation', 'parley.direct_conversation_pkey'),
               ('parley.context_conversation', 'parley.context_conversation_pkey'),
               ('parley.conversation_key', 'parley.conversation_key_pkey'),
               -- of users and their devices; the conversation is what they are about
               ('parley.push_focus', 'parley.push_focus_pkey'), ('parley.push_job', 'parley.push_job_pkey'),
               ('parley.push_job', 'parley.push_job_group_key'))
        and name not like 'parley.message\_2%'$$,
    'unique keys of rows that belong to a conversation contain it'
);
select is((select seqcache from pg_catalog.pg_sequence where seqrelid = pg_get_serial_sequence('parley.event', 'id')::regclass),
    1::bigint, 'the sequence of events hands out one id at a time, as the cursor of the log needs');

select * from finish();
rollback;
