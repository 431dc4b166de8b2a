-- Whose turn it is: tenants, routes of a tenant, and workers with other credentials.
begin;
select no_plan();
\ir ../people.psql
\ir push.psql

select t.act('bob');
select t.device('phone') is null as done \gset
select t.host();
-- Jobs of a tenant and route that are due.
create function t.wait(tenant uuid, n_jobs integer, route text default 'app', provider text default 'apns') returns void language sql as $$
    insert into parley.push_job (id, tenant_id, user_id, device_id, due_at, expires_at, provider, route, lane, kind, state, collapse_key)
    select parley.uuid_v7(), tenant, t.id('bob'), t.id('phone'), clock_timestamp() - interval '1 minute', now() + interval '1 hour',
        provider, route, 'message', 'test', 'queued', concat_ws(' ', tenant, route, provider, n)
    from generate_series(1, n_jobs) n
$$;

-- ids that lie together, as those of one day do
create temp table ten as select n, format('019ab000-0000-7000-8000-%s', lpad(to_hex(n), 12, '0'))::uuid as id from generate_series(1, 12) n;
select t.wait(id, 300) is null as done from ten \g /dev/null
select t.claimed('apns', 5) is null as done from generate_series(1, 60) \g /dev/null
select is(
    (select string_agg(format('%s', x.n), ' ') from (select count(*) as n from parley.push_job j where j.state = 'leased' group by j.tenant_id) x),
    '25 25 25 25 25 25 25 25 25 25 25 25', 'however few a claim takes, each tenant has its turn'
);
delete from parley.push_job;

-- a tenant with many push services
select t.wait(id, 1, 'https://' || r || '.example') is null as done from ten cross join generate_series(1, 400) r where n = 1 \g /dev/null
select t.wait(id, 50) is null as done from ten where n > 1 \g /dev/null
select t.claimed('apns', 24) is null as done \g /dev/null
select is(
    (select string_agg(format('%s', x.n), ' ') from (select count(*) as n from parley.push_job j where j.state = 'leased' group by j.tenant_id) x),
    '2 2 2 2 2 2 2 2 2 2 2 2', 'many routes of a tenant take nothing from the others'
);
delete from parley.push_job;

-- many tenants of which nothing is due yet
select t.wait(md5(n::text)::uuid, 1) is null as done from generate_series(1, 6000) n \g /dev/null
update parley.push_job set due_at = clock_timestamp() + interval '1 hour';
select t.wait('ffffffff-ffff-7fff-bfff-ffffffffffff', 1) is null as done \gset
update parley.push_turn set tenant_id = '00000000-0000-0000-0000-000000000000';
select is((select count(*) from t.claimed('apns', 5)), 0::bigint, 'a claim looks at so many groups');
select is((select count(*) from t.claimed('apns', 5)), 1::bigint, 'and the next goes on from there');
delete from parley.push_job;

-- what was done since the oldest snapshot began is passed once
create function t.pages(query text) returns bigint language plpgsql as $$
declare
    v_plan json;
begin
    execute 'explain (analyze, buffers, timing off, format json) ' || query into v_plan;
    return (v_plan #>> '{0,Plan,Shared Hit Blocks}')::bigint + (v_plan #>> '{0,Plan,Shared Read Blocks}')::bigint;
end
$$;
select t.wait(t.id('bob'), 3000) is null as done \gset
update parley.push_job set state = 'sent', settled_at = now();
select t.wait(t.id('bob'), 3) is null as done \gset
update parley.push_job set due_at = due_at + interval '1 second' where settled_at is null;
select t.pages($$select * from parley.push_groups('apns', 'message', false, '{}', 100)$$) as looked \gset
select ok(:looked > 3000, 'done jobs lie before what is due');
select cmp_ok(t.pages($$select * from parley.claim_push_jobs('w', '{message}', 100, 'apns', '{}')$$), '<', :looked::bigint * 3 / 2, 'a claim passes them once');
select is((select count(*) from parley.push_job where state = 'leased'), 3::bigint, 'and takes what is due');
delete from parley.push_job;

-- workers with other credentials
select parley.configure_push('[{"provider": "apns", "app_id": "one"}]', 'a') is null as done \gset
select parley.configure_push('[{"provider": "apns", "app_id": "two"}, {"provider": "webpush", "app_id": ""}]', 'b') is null as done \gset
create function t.of_set(provider text, name text) returns text language sql as $$
    select string_agg(q.route, ' ' order by q.route)
    from parley.claim_push_jobs('w', '{message}', 10, provider, '{}', provider_set => name) j
    inner join parley.push_job q on q.id = (j ->> 'id')::uuid
$$;
select t.wait(md5('one')::uuid, 1, r) is null as done from unnest('{one,two,three}'::text[]) r \g /dev/null
select t.wait(md5('one')::uuid, 1, 'https://push.example', 'webpush') is null as done \gset
select is(t.of_set('apns', 'a'), 'one', 'a worker gets what it has credentials for');
select is(t.of_set('apns', 'b'), 'two', 'another the rest');
select is(t.of_set('webpush', 'b'), 'https://push.example', 'who has the key of the deployment every push service');
select is(t.of_set('apns', 'c'), null, 'who told of nothing gets nothing');
select is((select string_agg(route, ' ') from parley.push_job where state = 'queued'), 'three', 'what nobody has waits');

-- Apple's sandbox fails by itself
delete from parley.push_job;
select parley.configure_push('[{"provider": "apns", "app_id": "app"}]', 'w') is null as done \gset
select t.act('bob');
select parley_api.register_device('apns', 'app', t.token('apns', 'prototype'), environment => 'sandbox', name => 'prototype') is null as done \gset
select t.act('ann');
select t.keep('chat', parley_api.start_conversation(array[t.id('bob')]) ->> 'id');
select t.host();
select t.pump() is null as done \gset
create function t.reached(paused text[]) returns text language sql as $$
    select string_agg(j #>> '{target,environment}', ' ' order by j #>> '{target,environment}')
    from parley.claim_push_jobs('w', '{message}', 10, 'apns', paused, provider_set => 'w') j
$$;
savepoint waiting;
select is(t.reached('{}'), 'production sandbox', 'a worker with the credentials of an app sends to both environments');
rollback to waiting;
select is(t.reached('{app}'), 'sandbox', 'when one of them is stopped, the other goes on');
rollback to waiting;
select is(t.reached('{app sandbox}'), 'production', 'whichever it is');

select * from finish();
rollback;
