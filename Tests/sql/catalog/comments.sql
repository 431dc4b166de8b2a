-- Everything has a comment: the catalog is the reference that a DBA reads.
begin;
select plan(10);

create temp view commented_table as
select c.oid, c.oid::regclass::text as name, c.relkind, c.relispartition, obj_description(c.oid, 'pg_class') as comment
from pg_catalog.pg_class as c
where c.relnamespace in ('parley'::regnamespace, 'parley_api'::regnamespace) and c.relkind in ('r', 'p', 'v', 'm');

create temp view silent_column as
select t.name, a.attname
from commented_table as t
inner join pg_catalog.pg_attribute as a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
where t.relkind in ('r', 'p') and not t.relispartition and col_description(t.oid, a.attnum) is null;

create temp view silent_function as
select p.oid::regprocedure::text as name
from pg_catalog.pg_proc as p
where
    p.pronamespace in ('parley'::regnamespace, 'parley_api'::regnamespace)
    and obj_description(p.oid, 'pg_proc') is null;

create temp view silent_policy as
select p.polname as name, p.polrelid::regclass::text as table_name
from pg_catalog.pg_policy as p
inner join commented_table as t on p.polrelid = t.oid
where obj_description(p.oid, 'pg_policy') is null;

savepoint example;
create table parley.bad_example (id integer);
create function parley.bad_example() returns integer language sql as 'select 1';
create policy bad_example on parley.bad_example for select to authenticated using (true);
select count(*) as found from commented_table where comment is null and name = 'parley.bad_example' \gset table_
select count(*) as found from silent_column where name = 'parley.bad_example' \gset column_
select count(*) as found from silent_function where name = 'parley.bad_example()' \gset function_
select count(*) as found from silent_policy where name = 'bad_example' \gset policy_
rollback to example;

select is(:table_found, 1, 'a table without a comment is found');
select is_empty('select name from commented_table where comment is null', 'every table and view has a comment');
select is(:column_found, 1, 'a column without a comment is found');
select is_empty('select * from silent_column', 'every column has a comment');
select is(:function_found, 1, 'a function without a comment is found');
select is_empty('select * from silent_function', 'every function has a comment');
select is(:policy_found, 1, 'a policy without a comment is found');
select is_empty('select * from silent_policy', 'every policy has a comment');
select isnt(obj_description('parley'::regnamespace, 'pg_namespace'), null, 'schema parley has a comment');
select isnt(obj_description('parley_api'::regnamespace, 'pg_namespace'), null, 'schema parley_api has a comment');

select * from finish();
rollback;
