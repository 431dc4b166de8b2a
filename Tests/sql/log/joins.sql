-- Who may subscribe to what.
begin;
select plan(22);
\ir ../setup.psql

create function pg_temp.may_join(role text, user_id text, topic text, issued_at bigint default 0) returns boolean language sql as $$
    select allowed from parley.authorize_join(role, user_id::uuid, issued_at, topic)
$$;

select is(pg_temp.may_join('authenticated', :'ann', :'topic'), true, 'a participant joins the conversation');
select is(pg_temp.may_join('authenticated', :'eve', :'topic'), false, 'a stranger does not');
select is(pg_temp.may_join('anon', null, :'topic'), false, 'nor somebody without a user');
select is(pg_temp.may_join('anon', :'ann', :'topic'), false, 'nor a user whose token is not of an authenticated role');
select is(pg_temp.may_join(null, :'ann', :'topic'), false, 'nor a token without a role');
select is(pg_temp.may_join('service_role', null, :'topic'), true, 'the service role joins any conversation');
select is(pg_temp.may_join('service_role', null, 'conversation:' || gen_random_uuid()), false, 'that exists');

select is(pg_temp.may_join('authenticated', :'ann', 'user:' || :'ann'), true, 'a user joins the topic of their own');
select is(pg_temp.may_join('authenticated', :'ann', 'user:' || :'bob'), false, 'but not that of another');
select results_eq(
    format('select conversation_ids, history_from from parley.authorize_join(%L, %L, 0, %L)', 'authenticated', :'bob', 'user:' || :'bob'),
    format('select array[%L::uuid], array[1::bigint]', :'conversation'),
    'and learns the conversations it carries, and from where on'
);
select is(
    (select last_event_seq from parley.authorize_join('authenticated', :'ann', 0, :'topic')),
    (select last_event_seq from parley.conversation where id = :'conversation'),
    'a conversation''s join says which event is its newest'
);

select is(pg_temp.may_join('authenticated', :'ann', upper(:'topic')), false, 'topics are exact');
select is(pg_temp.may_join('authenticated', :'ann', :'topic' || 'x'), false, 'to the last character');
select is(pg_temp.may_join('authenticated', :'ann', 'realtime:' || :'topic'), false, 'and come without realtime:');
select is(pg_temp.may_join('authenticated', :'ann', ''), false, 'an empty topic is nobody''s');
select is(pg_temp.may_join('authenticated', :'ann', null), false, 'and no topic at all, too');

insert into parley.tenant (id, name) values ('44444444-4444-4444-8444-444444444444', 'Store');
insert into parley.tenant_member (tenant_id, user_id, role)
values ('44444444-4444-4444-8444-444444444444', :'ann', 'moderator'), ('44444444-4444-4444-8444-444444444444', :'bob', 'member');
select results_eq(
    $$select pg_temp.may_join('authenticated', u, 'tenant:44444444-4444-4444-8444-444444444444:moderation')
      from unnest(array['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222']) u$$,
    'values (true), (false)', 'moderators of a tenant join its moderation, members do not'
);

update parley.account set tokens_valid_after = '2030-01-01 00:00:00.5+00' where id = :'ann';
select is(pg_temp.may_join('authenticated', :'ann', :'topic', 1893456000), false, 'a token of before the sessions were ended does not join');
select is(pg_temp.may_join('authenticated', :'ann', :'topic', 1893456001), true, 'a later one does');
select is(pg_temp.may_join('authenticated', :'ann', :'topic', null), false, 'one that does not say when does not');

update parley.account set suspended_at = now() where id = :'bob';
select is(pg_temp.may_join('authenticated', :'bob', 'user:' || :'bob'), false, 'a suspended user joins nothing');

update parley.participant set left_at = now() where user_id = :'ann';
select is(pg_temp.may_join('authenticated', :'ann', :'topic', 1893456001), false, 'who has left does not join any more');

select * from finish();
rollback;
