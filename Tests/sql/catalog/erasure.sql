-- Nothing that may name a user is forgotten by an erasure: every such column says what becomes of it.
begin;
select no_plan();

create view pg_temp.suspect as
select c.relname::text as table_name, a.attname::text as column_name
from pg_catalog.pg_class c
inner join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relnamespace = 'parley'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    and (a.atttypid in ('uuid'::regtype, 'uuid[]'::regtype, 'jsonb'::regtype) or c.relname = 'account');

select is_empty(
    $$select s.table_name, s.column_name from pg_temp.suspect s
      where not exists (select from parley.user_reference u where u.table_name in (s.table_name, '*') and u.column_name = s.column_name)$$,
    'every column that may name a user has an action in sql/functions/erasure/user_references.sql'
);
select is_empty(
    $$select u.table_name, u.column_name from parley.user_reference u
      where not exists (select from pg_temp.suspect s where s.column_name = u.column_name and u.table_name in (s.table_name, '*'))$$,
    'and every action its column'
);
select is_empty(
    $$select u.table_name, u.column_name from parley.user_reference u
      where u.action = 'clear' and (
          select a.attnotnull from pg_catalog.pg_attribute a
          where a.attrelid = format('parley.%I', u.table_name)::regclass and a.attname = u.column_name
      )$$,
    'what is cleared may be null'
);
create table parley.forgotten (user_id uuid);
select isnt_empty(
    $$select from pg_temp.suspect s
      where not exists (select from parley.user_reference u where u.table_name in (s.table_name, '*') and u.column_name = s.column_name)$$,
    'a new table is noticed'
);
select * from finish();
rollback;
