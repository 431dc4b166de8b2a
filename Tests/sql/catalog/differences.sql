-- What `parley doctor` compares: after an installation there is no difference, and each that is made is found and can be
-- repaired by the statement that comes with it.
begin;
select plan(10);

select isnt_empty('select from parley.expected_object', 'the installation has recorded what it made');
select is_empty('select * from parley.catalog_differences()', 'and there is nothing else');
select is_empty(
    $$select e.name from parley.expected_object e inner join pg_inherits i on e.name like '%' || i.inhrelid::regclass::text || '%'$$,
    'partitions come and go: none is recorded'
);
select parley.ensure_partitions(12) as made \gset
select is_empty('select * from parley.catalog_differences()', 'and making more of them is no difference');

savepoint broken;
grant select on parley.message to anon;
revoke execute on function parley_api.sync(text) from authenticated;
revoke execute on function parley.sync(text) from authenticated;
revoke usage on schema parley_api from authenticated;
grant usage on schema parley to public;
alter table parley.secret disable row level security;
alter table parley.message_revision drop constraint message_revision_pkey;
alter policy message_select_mine on parley.message using (true);
alter view parley_api.messages set (security_invoker = false);
alter function parley.current_user_id() security definer;
alter table parley.audit_log disable trigger audit_log_is_append_only;
drop trigger audit_log_is_not_truncated on parley.audit_log;
select set_eq(
    'select kind, name, state from parley.catalog_differences()',
    $$values
    ('grant', 'select on table parley.message to anon', 'must not be'),
    ('grant', 'execute on routine parley_api.sync(text) to authenticated', 'missing'),
    ('grant', 'execute on routine parley.sync(text) to authenticated', 'missing'),
    ('grant', 'usage on schema parley_api to authenticated', 'missing'),
    ('grant', 'usage on schema parley to public', 'must not be'),
    ('row-level security', 'parley.secret', 'off'),
    ('constraint', 'message_revision_pkey on parley.message_revision', 'missing'),
    ('policy', 'message_select_mine on parley.message', 'changed'),
    ('view', 'parley_api.messages', 'changed'),
    ('trigger', 'audit_log_is_append_only on parley.audit_log', 'changed'),
    ('trigger', 'audit_log_is_not_truncated on parley.audit_log', 'missing'),
    ('function', 'parley.current_user_id()', 'changed')$$,
    'every difference is found, and no other'
);
do $$
declare
    v_remedy text;
begin
    for v_remedy in select remedy from parley.catalog_differences() where remedy <> '' loop
        execute v_remedy;
    end loop;
end
$$;
select set_eq(
    'select kind from parley.catalog_differences()', $$values ('policy'), ('view'), ('function')$$,
    'the statements repair all but what an installation makes anew'
);
rollback to broken;
update parley.expected_object set name = '14' where kind = 'server';
alter policy message_select_mine on parley.message using (true);
revoke execute on function parley_api.sync(text) from authenticated;
select set_eq(
    'select kind, state from parley.catalog_differences()',
    $$values ('server', 'installed on 14: definitions are not compared until Parley is installed again'), ('grant', 'missing')$$,
    'another major version of the server prints definitions in other words'
);
rollback to broken;
select is_empty('select * from parley.catalog_differences()', 'and without them there is none');

select is_empty(
    $$select r from unnest(array['anon', 'authenticated', 'service_role', 'parley_worker']) r
      where has_table_privilege(r, 'parley.expected_object', 'select')
        or has_function_privilege(r, 'parley.catalog_differences()', 'execute')
        or has_function_privilege(r, 'parley.catalog_fingerprint()', 'execute')
        or has_function_privilege(r, 'parley.record_catalog(text[])', 'execute')$$,
    'only the owner may look'
);
create index of_the_host on parley.account (created_at);
create function parley_api.of_the_host() returns integer language sql return 1;
revoke all on function parley_api.of_the_host() from public;
grant execute on function parley_api.of_the_host() to authenticated;
select is_empty('select * from parley.catalog_differences()', 'what the host adds is its own affair');

select * from finish();
rollback;
