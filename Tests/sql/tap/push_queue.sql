-- The queue: each event becomes jobs once, a newer message stands for an older one, leases, and how jobs end.
begin;
select no_plan();
\ir ../people.psql
select is(parley.enqueue_push(), 0, 'without credentials nothing is queued');
select is((select count(*) from parley.consumer where name = 'push'), 0::bigint, 'nor does anybody read the log');
\ir push.psql
select is((select count(*) from parley.consumer where name = 'push'), 1::bigint, 'with credentials there is a consumer');
select t.refused('PT400', $$select parley.configure_push('{}')$$, 'credentials are a list');
select is(parley.get_web_push_key() ->> 'public_key', 'BKey', 'browsers learn the key') from t.act('ann');
select t.host();

insert into parley.tenant (id, name) values (t.id('none'), 'Shop');
select t.act('bob');
select t.device('phone') is null as done \gset
select t.act('ann');
select t.keep('us', parley_api.start_conversation(array[t.id('bob')], message => 'one') ->> 'id');
select t.host();
select ok(t.pump() > 0, 'events are read');
select is(t.pump(), 0, 'once');
select is((select format('%s %s to %s', state, first_seq, last_seq) from parley.push_job), 'queued 0 to 1', 'the message stands for the new conversation, too');

-- a newer message
create function t.say(text) returns void language plpgsql as $$
begin
    perform t.act('ann');
    perform t.send('us', $1);
    perform t.host();
    perform t.pump();
end
$$;
select t.say('two');
select is((select format('%s %s to %s', state, first_seq, last_seq) from parley.push_job), 'queued 0 to 2', 'one that waits moves forward');
create temp table lease as select j.job from t.claimed() as j (job);
select is((select job #>> '{content,body}' from lease), 'two', 'and tells the newest');
select is((select format('%s %s %s', state, claim, worker) from parley.push_job), 'leased 1 w', 'a claim is a lease');
select is((select count(*) from t.claimed()), 0::bigint, 'nobody else gets it');
select t.say('three');
select is((select string_agg(format('%s %s', state, last_seq), ', ' order by id) from parley.push_job), 'leased 2, queued 3', 'what comes meanwhile waits on its own');

-- how it ends
create function t.settle(job jsonb, outcome text, more jsonb default '{}', worker text default 'w') returns integer language sql security definer as $$
    select parley.settle_push_job(worker, jsonb_build_array(job || jsonb_build_object('outcome', outcome, 'reason', 'said so') || more))
$$;
select is(t.settle(job, 'delivered', '{"claim": 2}'), 0, 'of another claim nothing counts') from lease;
select is(t.settle(job, 'delivered', worker => 'other'), 0, 'nor of another worker') from lease;
set local synchronous_commit = on;
select is(t.settle(job, 'made up'), 0, 'nor what no outcome is') from lease;
select is(current_setting('synchronous_commit'), 'off', 'nobody waits for such a commit');
select is(t.settle(job, 'retry', '{"after_ms": 60000, "counts": true}'), 1, 'it is tried again') from lease;
select is((select format('%s %s %s', state, attempts, answer) from parley.push_job where last_seq = 2), 'retrying 1 said so', 'and was tried');
select is((select count(*) from t.claimed()), 1::bigint, 'later: now there is only the newer one');
select is(t.settle(job, 'delivered'), 0, 'what was settled is settled') from lease;
select t.due();
select is((select string_agg(j #>> '{content,body}', ' ') from t.claimed() j), 'three', 'an old one never comes after a newer one');
select is((select format('%s %s', state, reason) from parley.push_job where last_seq = 2), 'folded newer', 'which stands for it');
select is((select format('%s %s %s', state, claim, first_seq) from parley.push_job where last_seq = 3), 'leased 2 0', 'whose lease had ended, is claimed again under the same id');
truncate lease;
select parley.settle_push_job('w', (select jsonb_build_array(jsonb_build_object('id', id, 'claim', claim, 'outcome', 'retry', 'after_ms', 0, 'counts', false)) from parley.push_job where last_seq = 3)) is null as done \gset
select is((select attempts from parley.push_job where last_seq = 3), 0, 'an attempt that was never made does not count');
select t.say('four');
select is((select string_agg(j #>> '{content,body}', ' ') from t.claimed() j), 'four', 'of one to be tried again and a newer one the newer is sent');
select is((select format('%s %s', first_seq, last_seq) from parley.push_job where state = 'leased'), '0 4', 'which stands for both');
insert into lease select jsonb_build_object('id', id, 'claim', claim) from parley.push_job where state = 'leased';
select is(t.settle(job, 'dead'), 1, 'one is given up') from lease;
select is((select format('%s %s', state, answer) from parley.push_job where last_seq = 4), 'dead said so', 'with what the provider said');
select is(parley.requeue_push_jobs('fcm'), 0::bigint, 'of another provider there is none');
select is(parley.requeue_push_jobs(reason => 'said so'), 1::bigint, 'it is tried again when somebody says so');
select is((select string_agg(j #>> '{content,body}', ' ') from t.claimed() j), 'four', 'and is sent');

-- a token that is dead
truncate lease;
insert into lease select jsonb_build_object('id', id, 'claim', claim) from parley.push_job where state = 'leased';
select is(t.settle(job, 'dead_token', '{"before": 1000}'), 1, 'the provider speaks of an older token') from lease;
select is((select dropped_at from parley.push_device where name = 'phone'), null, 'this one stays');
select t.say('five');
truncate lease;
insert into lease select j from t.claimed() j;
set local synchronous_commit = on;
select is(t.settle(job, 'dead_token', jsonb_build_object('before', (extract(epoch from clock_timestamp()) * 1000)::bigint)), 1, 'or of this one') from lease;
select is((select dropped_reason from parley.push_device where name = 'phone'), 'said so', 'then it is dropped');
select is(current_setting('synchronous_commit'), 'on', 'and the log, which tells of it, loses nothing in a crash');
select t.say('six');
select is((select count(*) from parley.push_job where last_seq = 6), 0::bigint, 'and nothing is queued for it');
select t.act('bob');
select t.device('phone') is null as done \gset
select t.host();

-- an outage: of several that are to be tried again the newest stands for all, and what it says is gone
select t.say('seven');
update parley.push_job set state = 'retrying', claim = 1 where last_seq = 7;
select t.say('eight');
update parley.push_job set state = 'retrying', claim = 1 where last_seq = 8;
select t.say('nine');
update parley.push_job set state = 'retrying', claim = 1 where last_seq = 9;
select t.act('ann');
select parley_api.delete_message((select id from parley_api.messages where content = 'nine'), true) is null as done \gset
select t.host();
select t.due();
select is((select string_agg(j #>> '{content,body}', ' ') from t.claimed() j), 'eight', 'of several to be tried again the newest that is there is told');
select is((select format('%s to %s', first_seq, last_seq) from parley.push_job where state = 'leased'), '7 to 9', 'for all of them');
delete from parley.push_job;

-- a test of a device
select isnt(parley.push_test(t.id('phone')), null, 'a test is queued');
select is((select string_agg(j #>> '{content,body}', ' ') from t.claimed() j), 'This is a test.', 'and sent');
select t.refused('PT404', $$select parley.push_test(t.id('none'))$$, 'to a device there is');

-- routes that are stopped, other providers
select t.act('bob');
select t.device('droid', 'fcm') is null as done \gset
select t.device('browser', 'webpush') is null as done \gset
select t.device('voip', kind => 'voip') is null as done \gset
select t.host();
select t.say('seven');
select is((select count(*) from t.claimed('apns', paused => '{app}')), 0::bigint, 'nothing of a route that is stopped');
select is((select count(*) from t.claimed('webpush', paused => '{https://push.example.net}')), 0::bigint, 'which of a browser is its push service');
select is((select j #>> '{target,p256dh}' is not null from t.claimed('webpush') j), true, 'a browser''s keys come with it');
select is((select count(*) from t.claimed('fcm')), 1::bigint, 'each provider has its own');
select is((select count(*) from parley.push_job where device_id = t.id('voip')), 0::bigint, 'on a VoIP token no message is sent');
select is((select count(*) from t.claimed('apns')), 1::bigint, 'and the rest');
delete from parley.push_job;

-- tenants take turns
insert into parley.push_job (id, tenant_id, user_id, device_id, due_at, expires_at, provider, route, lane, kind, state, collapse_key)
select parley.uuid_v7(), md5(x.tenant)::uuid, t.id('bob'), t.id('phone'), clock_timestamp() - interval '1 minute', now() + interval '1 hour',
    'apns', 'app', 'message', 'test', 'queued', x.tenant || n
from (values ('big', 200), ('small', 3), ('tiny', 1)) x (tenant, n_jobs) cross join generate_series(1, x.n_jobs) n;
select is(
    (select string_agg(format('%s', n), ' ' order by n) from (select count(*) as n from t.claimed('apns', 30) j inner join parley.push_job q on q.id = (j ->> 'id')::uuid group by q.tenant_id) x),
    '1 3 26', 'a claim takes of each tenant, and the rest of who has more'
);
select is((select count(*) from t.claimed('apns', 100)), 100::bigint, 'as many as asked for');
delete from parley.push_job;

-- a webhook of the host
select t.claim('service_role', '{"role": "service_role"}');
select is(parley_api.set_push_webhook('mail', t.id('cid')) ->> 'provider', 'webhook', 'the host names a webhook for one user');
select t.refused('PT400', $$select parley_api.set_push_webhook('')$$, 'it has a name');
select t.act('ann');
select t.keep('them', parley_api.start_conversation(array[t.id('cid'), t.id('dan')], 'group', message => 'hello') ->> 'id');
select t.host();
select ok(t.pump() > 0, 'there is a message');
select is((select string_agg(j #>> '{target,token}', ' ') from t.claimed('webhook') j), t.id('cid')::text, 'it is told who is meant');
select t.claim('service_role', '{"role": "service_role"}');
select parley_api.set_push_webhook('mail', t.id('cid'), false) is null as done \gset
select parley_api.set_push_webhook('mail') is null as done \gset
select t.act('ann');
select t.send('them', 'again') is null as done \gset
select t.host();
select t.pump() > 0 as done \gset
select is((select array_agg(j #>> '{target,token}' order by j #>> '{target,token}') from t.claimed('webhook') j), array[t.id('cid')::text, t.id('dan')::text], 'one for everybody is told of each');
select is((select count(distinct device_id) from parley.push_job where last_seq = 2), 1::bigint, 'by one device');

select t.claim('service_role', '{"role": "service_role"}');
select parley_api.set_push_webhook('mail', enabled => false) is null as done \gset
select t.act('ann');
select t.send('them', 'once more') is null as done \gset
select t.host();
select t.pump() > 0 as done \gset
select is((select count(*) from parley.push_job where last_seq = 3 and user_id = t.id('dan')), 0::bigint, 'and of nobody when it is switched off');

-- upkeep
update parley.push_job set due_at = now() - interval '1 hour', expires_at = now() - interval '1 minute' where settled_at is null;
select is(parley.push_upkeep(), false, 'upkeep leaves nothing to do');
select is((select string_agg(distinct reason, ' ') from parley.push_job where state = 'expired'), 'not_fetched', 'what nobody fetched has expired');
update parley.push_job set id = parley.uuid_v7(now() - interval '16 days' + n * interval '1 ms') from (select id as old, row_number() over () as n from parley.push_job) x where id = old;
select parley.push_upkeep() is null as done \gset
select isnt((select count(*) from parley.push_job), 0::bigint, 'what became of each is kept for two weeks');
insert into parley.push_job (id, tenant_id, user_id, device_id, conversation_id, last_seq, expires_at, settled_at, provider, route, lane, kind, state, collapse_key)
select parley.uuid_v7(), md5('x')::uuid, t.id('bob'), t.id('phone'), t.id('us'), 1, now(), now() - x.age::interval, 'apns', 'app', x.lane, x.kind, 'sent', 'x'
from (values ('61 min', 'quiet', 'clear'), ('61 min', 'quiet', 'badge'), ('59 min', 'quiet', 'clear'), ('61 min', 'message', 'message')) x (age, lane, kind);
select parley.push_upkeep() is null as done \gset
select is((select string_agg(format('%s %s', kind, now() - settled_at), ', ' order by kind) from parley.push_job where collapse_key = 'x'), 'clear 00:59:00, message 01:01:00', 'but of what set a number or took back an hour');
update parley.push_job set id = parley.uuid_v7(now() - interval '18 days' + n * interval '1 ms') from (select id as old, row_number() over () as n from parley.push_job) x where id = old;
select parley.push_upkeep() is null as done \gset
select is((select count(*) from parley.push_job), 0::bigint, 'and then forgotten');
update parley.push_device set token = null, token_sealed = null, keys = null, dropped_at = now() - interval '31 days', dropped_reason = 'x' where name = 'phone';
select parley.push_upkeep() is null as done \gset
select is((select count(*) from parley.push_device where name = 'phone'), 0::bigint, 'so is a device that was dropped a month ago');

-- credentials that are gone
select is(parley.configure_push('[]', 'w'), false, 'the last worker has no credentials any more');
select is((select count(*) from parley.consumer where name = 'push'), 0::bigint, 'nobody reads the log');
select parley.configure_push('[{"provider": "apns", "app_id": "app"}]', 'a') is null as done \gset
select parley.configure_push('[{"provider": "fcm", "app_id": "app"}]', 'b') is null as done \gset
select is(parley.has_push_provider('apns', 'app') and parley.has_push_provider('fcm', 'app') and not parley.has_push_provider('apns', 'x'), true, 'workers add up');
update parley.push_provider set seen_at = now() - interval '8 days';
select parley.configure_push('[{"provider": "fcm", "app_id": "app"}]', 'b') is null as done \gset
select parley.push_upkeep() is null as done \gset
select is((select string_agg(worker, ' ') from parley.push_provider), 'b', 'a worker that has said nothing for a week is forgotten');

-- much work at once is done in several transactions
select pg_get_functiondef('parley.queue_event_pushes'::regproc) as real_queue \gset
create temp table queued (id bigint);
grant all on queued to public;
insert into parley.event (kind, user_id, xid) select 'message:read', t.id('bob'), '3' from generate_series(1, 100);
create or replace function parley.queue_event_pushes(event_ids bigint[]) returns void language plpgsql as $$
begin
    insert into queued select unnest(event_ids);
    perform pg_sleep(0.05 * cardinality(event_ids));
end
$$;
update parley.push_state set resets = 2, skipped = 3;
select ok(events between 99 and 101 and age_ms >= 0, 'operators see how far push is behind') from parley.push_log_state();
select is((select format('%s %s', resets, skipped) from parley.push_log_state()), '2 3', 'how often it began anew, and how many events it passed over');
update parley.push_state set resets = 0, skipped = 0;
select ok(parley.enqueue_push() between 1 and 60, 'where events take long, some are read, and then the transaction ends');
create or replace function parley.queue_event_pushes(event_ids bigint[]) returns void language sql as $$
    insert into queued select unnest(event_ids)
$$;
select t.pump() is null as done \gset
select ok(count(*) >= 100 and count(*) = count(distinct id), 'the rest follows, each once') from queued;
select is((select format('%s %s', events, age_ms) from parley.push_log_state()), '0 0', 'and that it has caught up');
:real_queue;

-- what fails harms nothing else
select parley.configure_push('[{"provider": "apns", "app_id": "app"}]', 'w') is null as done \gset
select t.act('bob');
select t.device('phone') is null as done \gset
select t.act('eve');
select t.device('tablet') is null as done \gset
select t.act('ann');
select t.keep('bad', parley_api.start_conversation(array[t.id('bob'), t.id('eve')], 'group', 'Bad') ->> 'id');
select t.keep('good', parley_api.start_conversation(array[t.id('bob'), t.id('eve')], 'group', 'Good') ->> 'id');
select t.host();
-- One message that is not read yet, and nothing else.
create function t.only_one() returns void language plpgsql as $$
begin
    perform t.pump();
    delete from parley.push_job;
    perform t.act('ann');
    perform t.send('good', 'x');
    perform t.host();
end
$$;
savepoint failing;
create or replace function parley.push_tenant(conversation_id uuid) returns uuid language plpgsql stable security definer
set search_path = pg_catalog, pg_temp as $$
begin
    if 'Bad' = (select cp.title from parley.conversation_profile cp where cp.conversation_id = push_tenant.conversation_id) then
        raise division_by_zero;
    end if;
    return '00000000-0000-0000-0000-000000000000';
end
$$;
select t.pump() > 0 as done \gset
select is((select count(*) from parley.push_job where conversation_id = t.id('good') and state = 'queued' and provider = 'apns'), 2::bigint, 'an event of which nothing can be made stops no other');
select is((select count(*) from parley.push_job where conversation_id = t.id('bad')), 0::bigint, 'it is passed over');
select is((select format('%s %s', skipped, skipped_code) from parley.push_state), '1 22012', 'and operators are told');
create or replace function parley.push_privacy(setting text, device text, content text) returns text language plpgsql immutable security definer
set search_path = pg_catalog, pg_temp as $$
begin
    if device = 'id' then
        raise division_by_zero;
    end if;
    return 'full';
end
$$;
update parley.push_device set privacy = 'id' where name = 'phone';
select is(t.push(), 'tablet message badge 0', 'a job of which nothing can be made stops no other');
select is((select concat_ws(' ', state, reason, due_at > clock_timestamp() + interval '50 seconds') from parley.push_job where device_id = t.id('phone')), 'queued error_22012 t', 'it waits a minute, and says why');
create or replace function parley.push_tenant(conversation_id uuid) returns uuid language plpgsql stable security definer
set search_path = pg_catalog, pg_temp as $$ begin raise deadlock_detected; end $$;
select t.act('ann');
select t.send('good', 'x') is null as done \gset
select t.host();
select throws_ok('select t.pump()', '40P01', null, 'what goes better another time is tried another time');
rollback to failing;

-- reading and claiming at once
select t.only_one();
update parley.event set xid = '3' where xid = pg_current_xact_id();
set local synchronous_commit = on;
create temporary table fed as
select * from parley.feed_push(
    100, 'w', '[{"provider": "fcm", "lanes": ["call", "message"], "max": 10, "paused": []},
                {"provider": "apns", "lanes": ["call", "message"], "max": 1, "paused": []}]'
);
select is((select count(*) from fed where read > 0 and job is null), 1::bigint, 'who reads the log can claim with it: it says how much was read');
select is((select count(*) from fed where job -> 'target' ->> 'provider' = 'apns'), 1::bigint, 'and hands out as many jobs as were asked for');
select is((select string_agg(state || coalesce(' ' || worker, ''), ', ' order by state) from parley.push_job where provider = 'apns'), 'leased w, queued', 'the others wait');
select is(current_setting('synchronous_commit'), 'on', 'what was handed out must not be forgotten');
select is((select count(*) from parley.feed_push(100, 'w', '[{"provider": "apns", "lanes": ["message"], "max": 1}]')), 1::bigint, 'who reads nothing claims nothing');
select is(current_setting('synchronous_commit'), 'off', 'and waits for nothing');
rollback to failing;

-- what was decided a moment ago is not decided again, but later it is
select t.only_one();
select t.pump() > 0 as done \gset
update parley.participant set muted_until = 'infinity' where conversation_id = t.id('good') and user_id = t.id('bob');
create function t.claimed_since(since interval) returns bigint language sql as $$
    select count(*) from parley.claim_push_jobs('w', '{message}', 10, 'apns', '{}', decided_since => clock_timestamp() - since)
$$;
savepoint later;
select is(t.claimed_since('0.2 seconds'), 1::bigint, 'a mute since the decision counts where the claim came late');
rollback to later;
select is(t.claimed_since('0.05 seconds'), 2::bigint, 'and not where it came at once');
rollback to failing;

-- a token that is given again while the provider answers
select t.only_one();
select t.pump() > 0 as done \gset
update parley.push_device set registered_at = date_trunc('second', registered_at) + interval '0.0004 seconds' where name = 'phone';
create temporary table answered as select j.job from t.claimed() as j (job) where j.job #>> '{target,token}' = t.token('apns', 'phone');
savepoint answered;
update parley.push_device set registered_at = registered_at + interval '1 ms' where name = 'phone';
select t.settle(job, 'dead_token', jsonb_build_object('before', job #> '{target,registered_at}')) is null as done from answered \gset
select is((select dropped_reason from parley.push_device where name = 'phone'), null, 'what a provider says of it is of the former registration');
rollback to answered;
select t.settle(job, 'dead_token', jsonb_build_object('before', job #> '{target,registered_at}')) is null as done from answered \gset
select is((select dropped_reason from parley.push_device where name = 'phone'), 'said so', 'which it drops if it is still the same');
rollback to failing;

-- how many events go together
select t.act('ann');
select t.send('good', 'x') is null as done \gset
select t.send('good', 'y') is null as done \gset
select t.host();
select is(
    (select parley.push_work(array_agg(e.id)) from parley.event as e where e.conversation_id = t.id('good')), 3::bigint,
    'each participant is work, once for all messages of a sender'
);
select is(
    (select parley.push_work(array_agg(e.id), 1) from parley.event as e where e.conversation_id = t.id('good')), 6::bigint,
    'or for every message, where each is decided by itself'
);
insert into parley.event (kind, user_id) values ('message:read', t.id('bob'));
select is(
    (select parley.push_work(array_agg(e.id)) from parley.event as e where e.id = parley.log_end()), 8::bigint,
    'who reads is as much work as eight decisions'
);
update parley.conversation set restricted = true where id = t.id('good');
select is(
    (select parley.push_work(array_agg(e.id)) from parley.event as e where e.conversation_id = t.id('good')), 6::bigint,
    'where messages may expire each is decided by itself'
);
update parley.conversation set restricted = false where id = t.id('good');
create table t.share (n bigint generated always as identity, events integer);
grant insert on t.share to public;
create or replace function parley.queue_event_share(event_ids bigint[]) returns void language sql security definer
set search_path = pg_catalog, pg_temp as $$ insert into t.share (events) values (cardinality(event_ids)) $$;
create function t.shares(work text, late integer default 0, batch integer default 100) returns text language plpgsql as $$
begin
    execute format('create or replace function parley.push_work(event_ids bigint[], apart numeric default 0) returns bigint language sql return %s', work);
    delete from t.share;
    perform t.act('ann');
    for i in 1 .. 100 loop
        perform t.send('good', 'x');
    end loop;
    perform t.host();
    update parley.event set xid = '3' where xid = pg_current_xact_id();
    update parley.event set xid = '5' where id > parley.log_end() - 100 and id <= parley.log_end() - 100 + late;
    -- transaction 5 had not begun at the cursor
    update parley.consumer set snapshot = '5:5:', max_id = parley.log_end() - 100 + late where name = 'push';
    perform parley.enqueue_push(batch);
    return (select string_agg(s.events::text, ' ' order by s.n) from t.share as s);
end
$$;
select t.pump() > 0 as done \gset
select is(t.shares('0'), '100', 'all go together that are little work');
select is(t.shares('case cardinality(event_ids) when 100 then 12000 else 0 end'), '25 50 25', 'where they cost little ever more, but never more than twice as many, go together');
select is(t.shares('100000'), '25 25 25 25', 'but not if they are too much work for all at once');
select is(t.shares('ceil(cardinality(event_ids) * 30.1)', 0, 40000), '99 1', 'and the share falls from what there is, however much was asked for');
select is(t.shares('100000', 30), '55 25 20', 'late commits come on top, and hold up nothing');
rollback to failing;

-- the log is gone, or another one
update parley.log_state set purged_id = 9223372036854775806;
select is(parley.enqueue_push(), 0, 'what was purged cannot be read');
select is((select format('%s %s', resets, reset_reason) from parley.push_state), '1 the log was purged before it was read', 'which operators are told');
update parley.log_state set purged_id = 0;
select parley.begin_epoch('a copy was put back') is null as done \gset
select t.act('ann');
select t.send('them', 'an old message') is null as done \gset
select t.host();
select is(t.pump(), 0, 'after another epoch began nothing old is sent');
select is((select format('%s %s', resets, reset_reason) from parley.push_state), '2 another epoch of the log began', 'which is told, too');
select is((select count(*) from parley.push_job), 0::bigint, 'not once');

-- and it keeps no log waiting
update parley.consumer set max_id = 0 where name = 'push';
update parley.event set created_at = now() - interval '2 days';
select ok(parley.purge_events('1 day') > 0, 'the purge does not wait for push');
select is(parley.enqueue_push(), 0, 'which then passes over what is gone');
select is((select resets from parley.push_state), 3::bigint, 'and tells');

select * from finish();
rollback;
