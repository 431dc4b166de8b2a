-- Whom a plan lets a user reach, at every door: by tier, by subscription, by role in a tenant and in the application.
begin;
select no_plan();
\ir ../people.psql
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;
create function t.may(action text, target text) returns text language sql as $$
    select concat_ws(' ', m ->> 'allowed', m ->> 'reason') from parley_api.may($1, t.id($2)) m
$$;
create function t.told(name text) returns text language sql security definer as $$
    select string_agg(concat_ws(' ', e.data ->> 'tier', e.data ->> 'role'), ', ' order by e.id)
    from parley.event e where e.user_id = t.id($1) and e.conversation_id is null and e.kind = 'entitlements:changed'
$$;
create function t.subscribe(name text, tier text, starts interval, ends interval, tenant text default null) returns text language sql as $$
    insert into parley.subscription (user_id, tier_name, tenant_id, starts_at, ends_at)
    values (t.id($1), $2, case when $5 is not null then t.id($5) end, clock_timestamp() + $3, clock_timestamp() + $4) returning tier_name
$$;

-- adding is reaching, whoever the group belongs to
select t.act('ann');
select t.keep('club', parley_api.start_conversation(array[t.id('cid'), t.id('bob')], 'group') ->> 'id');
select t.act('cid');
select is(
    t.failure($$select parley_api.add_participants(t.id('club'), array[t.id('dan')])$$) - 'detail',
    '{"code": "PT403", "message": "Your plan does not include starting conversations.", "hint": "You can still answer in the conversations you are in."}',
    'whose plan starts nothing brings nobody into the group of another'
);
select is(t.failure($$select parley_api.start_conversation(array[t.id('dan')])$$), t.failure($$select parley_api.add_participants(t.id('club'), array[t.id('dan')])$$), 'in the words of every door');
select is(t.failure($$select parley_api.start_conversation(array[t.id('none')])$$), t.failure($$select parley_api.start_conversation(array[t.id('dan')])$$), 'whether or not the other exists');
select is(t.failure($$select parley_api.add_participants(t.id('club'), array[t.id('none')])$$), t.failure($$select parley_api.add_participants(t.id('club'), array[t.id('dan')])$$), 'at both');
select is(t.may('start', 'dan'), 'false Your plan does not include starting conversations.', 'and may() knows');
select lives_ok($$select t.send('club', 'hello')$$, 'writing to those who are there is answering');
select t.act('ann');
select parley_api.leave_conversation(t.id('club')) is null as gone \gset
select is(t.look($$select p.role from parley.participant p where p.conversation_id = t.id('club') and p.user_id = t.id('bob')$$), 'owner', 'a group is inherited');
select t.act('bob');
select parley_api.set_participant_role(t.id('club'), t.id('cid'), 'owner') is null as given \gset
select parley_api.leave_conversation(t.id('club')) is null as gone \gset
select t.act('cid');
select t.refused('PT403', $$select parley_api.add_participants(t.id('club'), array[t.id('dan')])$$, 'and its heir still brings nobody in');
select t.act('ann');
select t.keep('direct', parley_api.start_conversation(array[t.id('cid')]) ->> 'id');
select t.act('cid');
select is((parley_api.add_participants(t.id('club'), array[t.id('ann')])) -> 'participant_count', '2', 'but somebody of a direct conversation');
select is(t.may('start', 'ann'), 'true', 'who is no stranger');

-- one token for each stranger
select t.host();
update parley.tier_limit set amount = 2, burst = 2 where name = 'new_conversations_per_day';
delete from parley.rate_bucket;
select t.act('bob');
select t.keep('team', parley_api.start_conversation(array[t.id('ann')], 'group') ->> 'id');
select is(
    t.failure($$select parley_api.add_participants(t.id('team'), array[t.id('dan'), t.id('eve')])$$) ->> 'code', 'PT429', 'two strangers are two new conversations'
);
select is((parley_api.add_participants(t.id('team'), array[t.id('dan')])) -> 'participant_count', '3', 'one is one');
select is(parley_api.get_entitlements() #> '{limits,new_conversations_per_day,left}', '0', 'and get_entitlements says what is left');
select is(t.may('start', 'eve'), 'false Too many requests: the limit of this plan is reached.', 'so does may()');
select t.refused('PT429', $$select parley_api.add_participants(t.id('team'), array[t.id('eve')])$$, 'whatever the door');
select t.host();
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;

-- what may() says within a conversation is what happens
select t.act('bob');
select is(t.may(a, 'team'), 'true', a || ' in it') from unnest(array['write', 'forward', 'schedule', 'call', 'upload', 'join', 'add', 'invite']) a;
select is(t.may(a, 'direct'), 'false You are not a participant of this conversation, or it does not exist.', a || ' outside of it')
from unnest(array['write', 'call', 'upload', 'join', 'add']) a;
select t.refused('PT400', $$select parley_api.may('fly', t.id('team'))$$, 'an unknown action is refused');
select t.refused('PT400', $$select parley_api.may('start', null)$$, 'and no target');
select t.refused('PT400', $$select parley_api.may('start', t.id('bob'))$$, 'and oneself');
select parley_api.update_conversation(t.id('team'), status => 'archived') is null as done \gset
select is(t.may('write', 'team'), 'false ' || (t.failure($$select t.send('team', 'x')$$) ->> 'message'), 'write as a send says');
select is(
    t.may('upload', 'team'),
    'false ' || (t.failure($$select parley_api.declare_attachment(t.id('team'), 'image', 'a.png', 'image/png', 9)$$) ->> 'message'), 'upload as an upload'
);
select is(
    t.may('schedule', 'team'),
    'false ' || (t.failure($$select parley_api.schedule_message(t.id('team'), 'x', (now() + interval '1 day')::text)$$) ->> 'message'), 'schedule as a schedule'
);
select is(t.may('call', 'team'), 'false ' || (t.failure($$select parley_api.start_call(t.id('team'), 'voice', 'phone')$$) ->> 'message'), 'call as a call');
select is(t.may('join', 'team'), 'true', 'it can still be followed');

-- subscriptions
select t.host();
select is(t.told('dan'), null, 'nothing was told so far');
select t.subscribe('dan', 'privileged', interval '-1 hour', interval '1 hour');
select is(t.told('dan'), 'privileged', 'a subscription is told when it begins');
select t.act('dan');
select is(parley_api.get_entitlements() ->> 'tier', 'privileged', 'and counts');
select is(t.may('start', 'eve'), 'true', 'at the doors');
select t.keep('dans', parley_api.start_conversation(array[t.id('eve')]) ->> 'id');
select t.host();
select is(parley.limit_of(t.id('dan'), 'retention_days'), 180::bigint, 'and for the window');
select t.subscribe('dan', 'privileged_plus', interval '1 hour', interval '2 hours');
select is(parley.tier_of(t.id('dan')), 'privileged', 'one that begins later does not count yet');
update parley.subscription set starts_at = starts_at - interval '2 hours' where user_id = t.id('dan') and tier_name = 'privileged_plus';
select is(parley.tier_of(t.id('dan')), 'privileged_plus', 'of those that are active the best counts');
delete from parley.subscription where user_id = t.id('dan') and tier_name = 'privileged_plus';
select is(parley.tier_of(t.id('dan')), 'privileged', 'and the next one after it');
update parley.account set tier_name = 'privileged_plus' where id = t.id('dan');
select is(parley.tier_of(t.id('dan')), 'privileged_plus', 'also of the account itself');
update parley.account set tier_name = 'free' where id = t.id('dan');

-- an end needs no job: the row still says what was
update parley.subscription set starts_at = starts_at - interval '2 hours', ends_at = clock_timestamp() + interval '300 milliseconds' where user_id = t.id('dan');
update parley.tier_limit set amount = 0 where tier_name = 'free' and name = 'messages_per_minute';
select t.act('dan');
select lives_ok($$select t.send('dans', 'in time')$$, 'the plan of a subscription sends');
select pg_sleep(0.4) is null as waited \gset
select is(t.look($$select a.plan_tier_name from parley.account a where a.id = t.id('dan')$$), 'privileged', 'when it has ended the row of the account does not know yet');
select is(parley_api.get_entitlements() ->> 'tier', 'free', 'the caller has the tier of before');
select is(t.may('start', 'bob'), 'false Your plan does not include starting conversations.', 'with what it includes');
select t.refused('PT429', $$select t.send('dans', 'late')$$, 'and its limits, also of a send');
select t.host();
select t.told('dan') as told \gset
select is(parley.settle_plans(), false, 'the job');
select is(t.told('dan'), :'told' || ', free', 'tells the user');
select is((select num_nonnulls(a.plan_tier_name, a.plan_until) from parley.account a where a.id = t.id('dan')), 0, 'and tidies up');
select is(parley.settle_plans(), false, 'once');
select is(t.told('dan'), :'told' || ', free', 'and no more');
update parley.tier_limit set amount = null where name = 'messages_per_minute';

-- subscriptions of one tenant
insert into parley.tenant (id, name) values (t.id('none'), 'North'), (t.id('noa'), 'South');
insert into parley.tenant_member (tenant_id, user_id) select t.id('none'), t.id(n) from unnest(array['cid', 'eve']) n;
insert into parley.tenant_member (tenant_id, user_id) select t.id('noa'), t.id(n) from unnest(array['cid', 'bob']) n;
select t.subscribe('cid', 'privileged', interval '-1 hour', interval '1 hour', 'none');
select t.act('cid');
select is(t.may('start', 'eve'), 'true', 'a subscription of a tenant counts there');
select is(t.may('start', 'bob'), 'false Your plan does not include starting conversations.', 'and not in another');
select is(
    (select string_agg(x ->> 'role' || ' ' || (x #>> '{entitlements,can_create_groups}'), ', ' order by x ->> 'tenant_id' <> t.id('none')::text)
     from jsonb_array_elements(parley_api.get_entitlements() -> 'tenants') x), 'member true, member false', 'as get_entitlements says of each'
);
select is(parley_api.get_entitlements() #>> '{entitlements,can_create_groups}', 'false', 'and of outside');
select t.host();
delete from parley.tenant_member where user_id = t.id('cid') and tenant_id = t.id('none');
select is(parley.tier_of(t.id('cid')), 'free', 'who leaves the tenant has it no longer');

-- roles in a tenant
update parley.tenant_member set role = 'administrator' where user_id = t.id('cid');
select matches(t.told('cid'), 'free administrator$', 'another role is told');
select t.act('cid');
select is(t.may('start', 'bob'), 'true', 'an administrator starts on any tier');
select is(t.may('start', 'eve'), 'false You cannot reach this user.', 'within the tenant');
select is(
    t.failure($$select parley_api.start_conversation(array[t.id('eve')])$$), t.failure($$select parley_api.start_conversation(array[t.id('dan')])$$),
    'members of another and of none are the same to them'
);
select is(t.failure($$select parley_api.start_conversation(array[t.id('eve')])$$), t.failure($$select parley_api.start_conversation(array['88888888-8888-4888-8888-888888888888'::uuid])$$),
    'and so is nobody');
select t.host();
update parley.tenant_member set role = 'member' where user_id = t.id('cid');
select t.act('cid');
select is(t.may('start', 'eve'), t.may('start', 'bob'), 'who may start nothing does not learn who is where');

-- roles of a token
select t.host();
delete from parley.tenant_member;
update parley.setting set value = 'artist' where name = 'initiating_app_roles';
update parley.setting set value = 'musician=artist, guest=customer' where name = 'token_roles';
create function t.with_roles(name text, claims jsonb) returns void language sql as $$
    select t.claim('authenticated', (jsonb_build_object('sub', t.id($1), 'role', 'authenticated') || $2)::text)
$$;
select t.with_roles('eve', '{}');
select is(t.may('start', 'ann'), 'false In this role you cannot start a conversation.', 'a token without the role');
select t.with_roles('eve', '{"user": {"roles": ["guest"]}}');
select is(t.may('start', 'ann'), 'false In this role you cannot start a conversation.', 'or with another');
select t.with_roles('eve', '{"user_metadata": {"roles": ["musician"]}, "roles": ["musician"]}');
select is(t.may('start', 'ann'), 'false In this role you cannot start a conversation.', 'or with one where users write it');
select t.with_roles('eve', '{"user": {"roles": ["artist"]}}');
select is(t.may('start', 'ann'), 'false In this role you cannot start a conversation.', 'or with a word that is not mapped');
select t.with_roles('eve', '{"user": {"roles": ["guest", "musician"]}}');
select is(t.may('start', 'ann'), 'true', 'starts nothing; one with it does');
select t.refused('PT403', $$select parley_api.start_conversation(array[t.id('ann')], app_roles => jsonb_build_object(t.id('eve'), 'buyer'))$$, 'and in no role that it does not give');
select t.keep('booking', parley_api.start_conversation(array[t.id('ann')], app_roles => jsonb_build_object(t.id('eve'), 'artist')) ->> 'id');
select is(parley_api.send_message(t.id('booking'), 'x') ->> 'sender_role', 'artist', 'it is shown');
select t.with_roles('eve', '{"user": {"roles": "musician"}}');
select is(t.may('start', 'bob'), 'true', 'one role may be a text');

-- young accounts
select t.host();
update parley.setting set value = '' where name = 'initiating_app_roles';
update parley.tier_limit set amount = 10, burst = 10, young_days = 7, young_amount = 1 where name in ('messages_per_minute', 'new_conversations_per_day');
delete from parley.rate_bucket;
select t.act('eve');
select lives_ok($$select t.send('booking', 'x')$$, 'a young account has one message');
select t.refused('PT429', $$select t.send('booking', 'x')$$, 'and not two');
select is(parley_api.get_entitlements() #> '{limits,new_conversations_per_day}', '{"amount": 1, "burst": 1, "left": 1, "period_seconds": 86400}', 'as it is told');
select t.host();
update parley.account set created_at = created_at - interval '8 days' where id = t.id('eve');
delete from parley.rate_bucket;
select t.act('eve');
select lives_ok($$select t.send('booking', 'x')$$, 'after a week it has more');
select is(parley_api.get_entitlements() #> '{limits,new_conversations_per_day,amount}', '10', 'of everything');

select * from finish();
rollback;
