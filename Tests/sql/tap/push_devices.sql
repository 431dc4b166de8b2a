-- Devices: who registers what, handing over, and what ends them. No token ever comes back.
begin;
select no_plan();
\ir ../people.psql
\ir push.psql

select t.act('bob');
select t.keep('phone', parley_api.register_device('apns', 'app', repeat('AB', 32), locale => 'pt-BR', name => 'Bob''s phone', platform => 'ios') ->> 'id');
select is(parley_api.list_devices() #>> '{0,name}', 'Bob''s phone', 'a device is registered');
select is(
    array(select jsonb_object_keys(parley_api.list_devices() -> 0) order by 1),
    '{app_id,dropped,dropped_at,enabled,environment,id,kind,locale,name,platform,privacy,provider,registered_at,this_session}',
    'and is shown without its token'
);
select is(t.look($$select token from parley.push_device$$), repeat('ab', 32), 'hexadecimal digits are small');
select is(parley_api.register_device('apns', 'app', repeat('ab', 32)) ->> 'id', t.id('phone')::text, 'registered again, it is the same');
select is(parley_api.list_devices() #>> '{0,name}', 'Bob''s phone', 'what is left out stays');
select isnt(parley_api.register_device('apns', 'app', repeat('ab', 32), 'sandbox') ->> 'id', t.id('phone')::text, 'of another environment it is another');
select isnt(parley_api.register_device('apns', 'app', repeat('ab', 32), kind => 'voip') ->> 'id', t.id('phone')::text, 'of another kind, too');
select is(parley_api.register_device('fcm', 'app', 'an-installation-id', kind => 'fid') ->> 'kind', 'fid', 'an installation of Firebase');
select is(
    parley_api.register_device('webpush', 'web', 'https://push.example.net:443/x', keys => t.keys()) ->> 'provider', 'webpush', 'a browser'
);
select is(t.look($$select route from parley.push_device where provider = 'webpush'$$), 'https://push.example.net', 'whose route is the push service');

select t.refused('PT400', q, why) from (values
    ($$select parley_api.register_device('sms', 'app', 'x')$$, 'a provider is one of three'),
    ($$select parley_api.register_device('webhook', 'app', 'x')$$, 'nobody registers a webhook'),
    ($$select parley_api.register_device('apns', '', repeat('ab', 32))$$, 'an app has a name'),
    ($$select parley_api.register_device('apns', 'app', 'xyz')$$, 'a token of APNs is hexadecimal'),
    ($$select parley_api.register_device('apns', 'app', null)$$, 'there is a token'),
    ($$select parley_api.register_device('apns', 'app', repeat('ab', 32), 'test')$$, 'there are two environments'),
    ($$select parley_api.register_device('fcm', 'app', 'an-installation-id', kind => 'voip')$$, 'VoIP is of APNs'),
    ($$select parley_api.register_device('webpush', 'web', 'http://push.example.net/x', keys => t.keys())$$, 'an endpoint is https'),
    ($$select parley_api.register_device('webpush', 'web', 'https://u:p@push.example.net/x', keys => t.keys())$$, 'without a password'),
    ($$select parley_api.register_device('webpush', 'web', 'https://push.example.net/x')$$, 'a browser has keys'),
    ($$select parley_api.register_device('webpush', 'web', 'https://push.example.net/x', keys => '{"p256dh": "BP4", "auth": "x"}')$$, 'of their length'),
    ($$select parley_api.register_device('apns', 'app', repeat('ab', 32), name => E'a\nb')$$, 'a name is one line'),
    ($$select parley_api.register_device('apns', 'app', repeat('ab', 32), locale => 'a b')$$, 'a locale is a tag'),
    ($$select parley_api.register_device('apns', 'app', repeat('ab', 32), platform => 'My OS')$$, 'a platform is a word')
) as x (q, why);
select t.refused('PT413', $$select parley_api.register_device('fcm', 'app', repeat('a', 20000))$$, 'a token has its bounds');

-- what the user wants of one
select is(parley_api.update_device(t.id('phone'), false, 'sender') - '{registered_at}'::text[] @> '{"enabled": false, "privacy": "sender"}', true, 'a device is switched off');
select is(parley_api.update_device(t.id('phone'), true, 'default') -> 'privacy', 'null', 'and on');
select t.refused('PT400', $$select parley_api.update_device(t.id('phone'), privacy => 'none')$$, 'privacy is one of three');
select t.act('eve');
select t.refused('PT404', $$select parley_api.update_device(t.id('phone'), false)$$, 'nobody changes a foreign one');
select t.refused('PT404', $$select parley_api.remove_device(t.id('phone'))$$, 'nor removes it');
select is(parley_api.list_devices(), '[]', 'nor sees it');

-- it changes hands
select t.act('ann');
select t.keep('us', parley_api.start_conversation(array[t.id('bob')], message => 'a secret for Bob') ->> 'id');
select t.host();
select isnt(t.pump(), 0, 'something waits for the device');
select t.act('eve');
select t.keep('eves', parley_api.register_device('apns', 'app', repeat('ab', 32)) ->> 'id');
select isnt(t.id('eves'), t.id('phone'), 'another user registers the token: it is another device');
select is(t.look($$select count(*) from parley.push_job where device_id = t.id('phone') and state = 'queued'$$), '0', 'what waited for the former user ends');
select is(t.look($$select reason from parley.push_job where device_id = t.id('phone')$$), 'handed_over', 'for that reason');
select t.act('bob');
select is(parley_api.list_devices() @> jsonb_build_array(jsonb_build_object('id', t.id('phone'))), false, 'who had it has it no more');

select is(
    t.look($$select data::text from parley.event where kind = 'device:dropped' and user_id = t.id('bob')$$)::jsonb,
    jsonb_build_object('device_id', t.id('phone'), 'reason', 'handed_over'), 'and is told so'
);
select t.host();
delete from parley.event where kind = 'device:dropped';
select t.act('dan');
select t.device('shared', 'webpush') is null as done \gset
select t.act('eve');
select isnt(
    parley_api.register_device('webpush', 'web', t.token('webpush', 'shared'), keys => t.keys() || jsonb_build_object('auth', repeat('c', 22))) ->> 'id', t.id('shared')::text,
    'who knows the endpoint of a browser alone'
);
select is(t.look($$select user_id from parley.push_device where id = t.id('shared')$$), t.id('dan')::text, 'takes it from nobody');
select isnt(t.device('shared', 'webpush') ->> 'id', null, 'who signs in on it does');
select is(t.look($$select count(*) from parley.push_device where user_id = t.id('dan')$$), '0', 'it has changed hands');
select is(t.look($$select count(*) from parley.event where kind = 'device:dropped' and user_id = t.id('dan')$$), '1', 'which who had it is told');
select t.host();
delete from parley.event where kind = 'device:dropped';

-- a session has one token of each kind
select t.act('cid');
select t.device('first', session => 's1') is null as done \gset
select t.device('voip', kind => 'voip', session => 's1') is null as done \gset
select t.device('other', session => 's2') is null as done \gset
select t.device('second', session => 's1') is null as done \gset
select is(
    (select string_agg(d ->> 'name', ' ' order by d ->> 'name') from jsonb_array_elements(parley_api.list_devices()) d), 'other second voip',
    'a new token replaces the one of the session'
);

-- what waits for a token goes to the one that takes its place
select t.act('dan');
select t.device('former', session => 's1') is null as done \gset
select t.act('ann');
select t.keep('waits', parley_api.start_conversation(array[t.id('dan')], message => 'waits') ->> 'id');
select t.host();
select t.pump() > 0 as done \gset
select t.act('dan');
select t.device('latter', session => 's1') is null as done \gset
select t.host();
delete from parley.push_job where user_id <> t.id('dan');
select is(t.push(), 'latter message waits badge 1', 'what waits for a token goes to the one that takes its place');
select is(
    (select d ->> 'session_id' from jsonb_array_elements(parley.push_jobs_of((select m from parley.message m where m.conversation_id = t.id('waits') and m.seq = 1), t.id('dan'))) d), 's1',
    'and it is told to which session'
);
select t.act('ann');
select t.send('waits', 'refused for now') is null as done \gset
select t.host();
select t.pump() > 0 as done \gset
select parley.settle_push_job('w', (select jsonb_agg(j || '{"outcome": "retry", "reason": "503"}') from t.claimed() j)) is null as done \gset
select t.act('dan');
select t.device('latest', session => 's1') is null as done \gset
select t.host();
select t.due();
select is(t.push(), 'latest message refused for now badge 2', 'so does what is tried again');
select t.act('ann');
select t.send('waits', 'under way') is null as done \gset
select t.host();
select t.pump() > 0 as done \gset
create temp table under_way as select j.job from t.claimed() as j (job);
select t.act('dan');
select parley_api.update_device(t.id('latest'), privacy => 'sender') is null as done \gset
select is(
    t.device('newest', session => 's1') - '{name,registered_at}'::text[] @> jsonb_build_object('id', t.id('latest'), 'privacy', 'sender'), true,
    'a new token of a session is of the same device, with what its user wants of it'
);
select t.host();
select is(
    parley.settle_push_job('w', (select jsonb_agg(job || '{"outcome": "dead_token", "reason": "Unregistered"}') from under_way)), 0,
    'the answer for a former token says nothing of the new one'
);
select is(t.push(), 'newest message under way badge 3', 'to which comes, at once, what was being sent');
select t.act('dan');
select parley_api.remove_device(t.id('newest')) is null as done \gset

-- the provider knows it no longer
select t.host();
select parley.drop_push_device(t.id('other'), 'Unregistered') as dropped \gset
select ok(:'dropped', 'a device is dropped');
select is(parley.drop_push_device(t.id('other'), 'Unregistered'), false, 'once');
select is(t.look($$select data::text from parley.event where kind = 'device:dropped'$$)::jsonb, jsonb_build_object('device_id', t.id('other'), 'reason', 'Unregistered'), 'its app is told');
select is(t.look($$select num_nonnulls(token, token_sealed, keys) from parley.push_device where id = t.id('other')$$), '0', 'its token is forgotten');
select t.act('cid');
select is((select d ->> 'dropped' from jsonb_array_elements(parley_api.list_devices()) d where d ->> 'id' = t.id('other')::text), 'Unregistered', 'and the list says why');
select is(t.device('other', session => 's2') ->> 'dropped', null, 'registered anew it is there again');
select is(t.look($$select count(*) from parley.push_device where user_id = t.id('cid') and name = 'other'$$), '1', 'once');

-- sign-out
select is(parley_api.remove_device(t.id('other')) -> 'removed', 'true', 'a device is removed');
select t.refused('PT404', $$select parley_api.remove_device(t.id('other'))$$, 'once');

-- too many
select t.host();
update parley.setting set value = '2' where name = 'push_devices_per_user';
select t.act('cid');
select t.device('third') is null as done \gset
select is(
    (select string_agg(d ->> 'name', ' ' order by d ->> 'name') from jsonb_array_elements(parley_api.list_devices()) d where d ->> 'dropped' is null),
    'second third', 'of too many the oldest goes'
);
select is(
    (select string_agg(d ->> 'dropped', ' ') from jsonb_array_elements(parley_api.list_devices()) d where d ->> 'dropped' is not null), 'too_many', 'which is told'
);

select count(t.device('more' || n)) from generate_series(1, 30) n \g /dev/null
select is(
    (select string_agg(format('%s', n), ' ') from (select count(*) as n from jsonb_array_elements(parley_api.list_devices()) d group by d ->> 'dropped' is null order by 1) x),
    '2 20', 'and of as many as were dropped the last 20'
);
-- one that is there already counts against no limit
select t.host();
update parley.tier_limit set amount = 0, burst = null where name = 'devices_per_hour';
select is(t.failure($$select t.device('more30')$$), null, 'an app that starts again is not refused') from t.act('cid');
select is(t.failure($$select t.device('yet another')$$) ->> 'code', 'PT429', 'one device more is');
select t.host();
update parley.tier_limit set amount = null, burst = null where name = 'devices_per_hour';
delete from parley.push_device where user_id = t.id('cid') and name like 'more%';
delete from parley.event where kind = 'device:dropped';
select t.act('cid');
select t.device('second', session => 's1') is null as done \gset
select t.device('stays', session => 's2') is null as done \gset

-- sessions and accounts that end
select t.host();
select t.claim('service_role', '{"role": "service_role"}');
select is(parley_api.end_session_devices(t.id('cid'), 's1') -> 'devices', '1', 'the devices of a session go with it');
select is(parley_api.end_session_devices(t.id('cid'), 's1') -> 'devices', '0', 'once');
select t.refused('PT400', $$select parley_api.end_session_devices(t.id('cid'), '')$$, 'a session has a name');
select is(t.look($$select count(*) > 0 from parley.push_device where user_id = t.id('cid') and dropped_at is null$$), 'true', 'those of others stay');
select parley_api.revoke_sessions(t.id('cid')) is null as done \gset
select t.host();
select is(t.look($$select string_agg(distinct dropped_reason, ' ' order by dropped_reason) from parley.push_device where user_id = t.id('cid') and dropped_reason like 's%'$$), 'session_ended', 'and all devices with all sessions');
select is(t.look($$select count(*) from parley.push_device where user_id = t.id('cid') and token is not null$$), '0', 'none is left');
select t.act('eve');
select parley_api.set_push_settings(quiet_mode => 'drop') is null as done \gset
select t.host();
update parley.account set suspended_at = now() where id = t.id('bob');
select is(t.look($$select string_agg(distinct dropped_reason, ' ') from parley.push_device where user_id = t.id('bob')$$), 'account_suspended', 'who is suspended is sent nothing');
select parley.erase_user(t.id('eve'), 'a request') is null as done \gset
select is(t.look($$select count(*) from parley.push_device where user_id = t.id('eve')$$), '0', 'of who is erased nothing is kept');
select is(t.look($$select count(*) from parley.push_preference where user_id = t.id('eve')$$), '0', 'nor what they wanted');

-- what an export tells
select t.act('ann');
select t.device('exported', 'webpush') is null as done \gset
select t.host();
select matches(
    t.look($$select string_agg(l.lines, '') from parley.table_lines('push_device.user_id', t.id('ann'), null, null, 10) l$$), '"name": "exported"',
    'an export has the devices'
);
select doesnt_match(
    t.look($$select string_agg(l.lines, '') from parley.table_lines('push_device.user_id', t.id('ann'), null, null, 10) l$$),
    'example.net/exported|p256dh|token', 'without what reaches them'
);

-- the rights
select t.act('ann');
select throws_ok($$select count(*) from parley.push_device$$, '42501', null, 'no API role sees the table');
select t.claim('service_role', '{"role": "service_role"}');
select throws_ok($$select count(*) from parley.push_device$$, '42501', null, 'nor does the application''s');
set local role parley_worker;
select throws_ok($$select count(*) from parley.push_device$$, '42501', null, 'nor the worker''s');

select * from finish();
rollback;
