-- Policies guard reads only, name their roles, and call context functions once per statement; views run as their caller.
begin;
select plan(11);

create temp view own_policy as
select
    p.polname as name, p.polrelid, p.polrelid::regclass::text as table_name, p.polcmd, p.polroles,
    concat_ws(' and ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) as expression
from pg_catalog.pg_policy as p
inner join pg_catalog.pg_class as c on p.polrelid = c.oid
where c.relnamespace in ('parley'::regnamespace, 'parley_api'::regnamespace);

create temp view to_public as
select p.name, p.table_name from own_policy as p where 0 = any (p.polroles);

create temp view writes as
select p.name, p.table_name from own_policy as p where p.polcmd <> 'r';

-- called for each row instead of once: milliseconds become seconds
create temp view unwrapped as
select p.name, p.table_name, p.expression
from own_policy as p
where regexp_replace(p.expression, 'SELECT parley\.\w+\([^()]*\)', '', 'g') ~ '(parley\.\w+|current_setting|auth\.\w+)\(';

create temp view doubled as
select p.table_name, r.role_id, p.polcmd
from own_policy as p
cross join unnest(p.polroles) as r (role_id)
group by p.table_name, r.role_id, p.polcmd
having count(*) > 1;

create temp view definer_view as
select c.oid::regclass::text as name
from pg_catalog.pg_class as c
where
    c.relnamespace in ('parley'::regnamespace, 'parley_api'::regnamespace)
    and c.relkind in ('v', 'm')
    and not coalesce(c.reloptions, '{}') && '{security_invoker=true,security_invoker=on,security_invoker=1}';

select isnt_empty('select from own_policy', 'there are policies to look at');

savepoint example;
create policy bad_public on parley.account for select using (id = parley.current_user_id());
create policy bad_write on parley.account for update to authenticated using (true);
create policy bad_second on parley.conversation for select to authenticated using (true);
create view parley_api.bad_view as select a.id from parley.account as a;
select count(*) as found from to_public where name like 'bad%' \gset public_
select count(*) as found from writes where name like 'bad%' \gset write_
select count(*) as found from unwrapped where name like 'bad%' \gset wrap_
select count(*) as found from doubled \gset double_
select count(*) as found from definer_view where name like '%bad%' \gset view_
rollback to example;

select is(:public_found, 1, 'a policy for PUBLIC is found');
select is_empty('select * from to_public', 'every policy names its roles');
select is(:write_found, 1, 'a policy for writes is found');
select is_empty('select * from writes', 'policies only allow reads: all writes go through functions');
select is(:wrap_found, 1, 'a context call that is not wrapped in a select is found');
select is_empty('select * from unwrapped', 'context calls in policies are made once per statement');
select is(:double_found, 1, 'a second policy for one role and command is found');
select is_empty('select * from doubled', 'one policy per table, role and command');
select is(:view_found, 1, 'a view that runs as its owner is found');
select is_empty('select * from definer_view', 'every view runs as its caller');

select * from finish();
rollback;
