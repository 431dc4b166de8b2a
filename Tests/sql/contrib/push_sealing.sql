-- Tokens of devices sealed with a public key. This needs the extension pgcrypto, which a server may not have.
begin;
select no_plan();
\ir ../people.psql
\ir ../tap/push.psql
create extension if not exists pgcrypto schema public;
select t.act('bob');
select t.device('phone') is null as done \gset
select t.device('browser', 'webpush') is null as done \gset
select t.host();
\set public `cat Tests/sql/contrib/push_key.public.asc`
\set private `cat Tests/sql/contrib/push_key.private.asc`
update parley.setting set value = :'public' where name = 'push_public_key';
select t.act('bob');
select t.device('sealed', 'webpush') is null as done \gset
select t.host();
select is((select num_nonnulls(token, keys) from parley.push_device where name = 'sealed'), 0, 'with a public key the token is not in the table');
select is((select position('example' in encode(token_sealed, 'escape')) from parley.push_device where name = 'sealed'), 0, 'in any form that can be read');
select t.act('ann');
select t.keep('us', parley_api.start_conversation(array[t.id('bob')], message => 'hello') ->> 'id');
select t.host();
select t.pump() > 0 as done \gset
select is((select string_agg(d.name, ' ') from t.claimed('webpush') j inner join parley.push_job q on q.id = (j ->> 'id')::uuid inner join parley.push_device d on d.id = q.device_id), 'browser', 'without the private key it waits');
select is((select j #>> '{target,token}' from t.claimed('webpush', secret => :'private') j), 'https://push.example.net/sealed', 'a worker that has it gets the endpoint');
select t.due();
select is((select count(*) from t.claimed('webpush', secret => 'nonsense') j where j #>> '{target,token}' like '%sealed'), 0::bigint, 'no other key opens it');
select is((select reason from parley.push_job q inner join parley.push_device d on d.id = q.device_id and d.name = 'sealed'), 'sealed_with_another_key', 'which is told');
select is(parley.seal_push_devices(), 2::bigint, 'what was there before is sealed when somebody says so');
select is((select count(*) from parley.push_device where token is not null), 0::bigint, 'all of it');
update parley.setting set value = 'nonsense' where name = 'push_public_key';
select t.act('bob');
select is(t.failure($$select t.device('other')$$) ->> 'code', 'PT500', 'a setting that is no key is told');
select t.host();
update parley.setting set value = '' where name = 'push_public_key';

select * from finish();
rollback;
