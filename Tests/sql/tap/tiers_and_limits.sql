-- Plans are rows: entitlements, limits and rates are read at the moment they matter.
begin;
select plan(82);
\ir ../people.psql
select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('cid')], message => 'hello') ->> 'id');

-- entitlements
select t.act('cid');
select t.refused('PT403', $$select parley_api.start_conversation(array[t.id('bob')])$$, 'the free tier starts no direct conversation');
select t.refused('PT403', $$select parley_api.start_conversation(array[t.id('none')])$$, 'nor learns from trying which users exist');
select t.refused('PT403', $$select parley_api.start_conversation(array[t.id('bob')], 'group')$$, 'nor a group');
select is(
    t.failure($$select parley_api.start_conversation(array[t.id('bob')])$$) -> 'message',
    '"Your plan does not include starting conversations."', 'and is told why'
);
select lives_ok($$select t.send('talk', 'an answer')$$, 'but answers where it was written to');
select is(
    parley_api.start_conversation(array[t.id('ann')]) ->> 'id', t.id('talk')::text, 'and finds the conversation that exists'
);
select t.host();
update parley.tier_entitlement set granted = true where tier_name = 'free' and name = 'can_initiate_direct_messages';
select t.act('cid');
select isnt(parley_api.start_conversation(array[t.id('bob')]) ->> 'id', null, 'once the row grants it the next statement may');
select t.refused('PT403', $$select parley_api.start_conversation(array[t.id('bob')], 'group')$$, 'groups are another entitlement');
select t.host();
update parley.tier_entitlement set granted = false where tier_name = 'free';
select t.act('bob');
select isnt(parley_api.start_conversation(array[t.id('dan')], 'group') ->> 'id', null, 'a tier with the entitlement starts groups');
select t.host();
delete from parley.tier_entitlement where tier_name = 'privileged';
select t.act('bob');
select t.refused('PT403', $$select parley_api.start_conversation(array[t.id('dan')], 'group')$$, 'a row that is missing means no');
select t.refused('PT403', $$select parley_api.start_conversation(array[t.id('dan')])$$, 'for direct conversations, too');
select t.claim('service_role', '{"role": "service_role"}');
select is(parley_api.set_account_tier(t.id('bob'), 'privileged_plus') ->> 'tier', 'privileged_plus', 'another tier');
select t.act('bob');
select isnt(parley_api.start_conversation(array[t.id('dan')]) ->> 'id', null, 'is obeyed by the next statement');

-- tenants' managers
select t.host();
insert into parley.tenant (id, name) values (t.id('none'), 'Store');
insert into parley.tenant_member (tenant_id, user_id, role)
values (t.id('none'), t.id('cid'), 'member'), (t.id('none'), t.id('dan'), 'member');
select t.act('cid');
select t.refused('PT403', $$select parley_api.start_conversation(array[t.id('dan')])$$, 'a plain member of a store on the free tier starts nothing');
select t.host();
update parley.tenant_member set role = 'moderator' where user_id = t.id('cid');
select t.act('cid');
select t.refused('PT403', $$select parley_api.start_conversation(array[t.id('dan')])$$, 'nor does a moderator');
select t.host();
update parley.tenant_member set role = 'manager' where user_id = t.id('cid');
select t.act('cid');
select isnt(parley_api.start_conversation(array[t.id('dan')]) ->> 'id', null, 'a manager does, on any tier');
select isnt(parley_api.start_conversation(array[t.id('dan')], 'group') ->> 'id', null, 'groups, too');
select t.host();
update parley.tenant_member set role = 'owner' where user_id = t.id('cid');
select t.act('cid');
select isnt(parley_api.start_conversation(array[t.id('dan')], 'project', context_type => 'project', context_id => '1') ->> 'id', null, 'and so does an owner');
select t.host();
delete from parley.tenant_member;

-- plain limits
update parley.tier_limit set amount = 5 where tier_name = 'free' and name = 'max_content_length';
select t.act('cid');
select t.refused('PT400', $$select t.send('talk', '123456')$$, 'a lower limit of length holds for the next statement');
select lives_ok($$select t.send('talk', '12345')$$, 'up to the limit itself');
select t.host();
update parley.tier_limit set amount = null where tier_name = 'free' and name = 'max_content_length';
select t.act('cid');
select lives_ok($$select t.send('talk', repeat('x', 6000))$$, 'no amount is no limit');
select t.host();
delete from parley.tier_limit where tier_name = 'free' and name = 'max_content_length';
select t.act('cid');
select lives_ok($$select t.send('talk', repeat('x', 5000))$$, 'no row is the default');
select t.refused('PT400', $$select t.send('talk', repeat('x', 5001))$$, 'and not more');
select t.host();
select is(parley.limit_of(t.id('cid'), 'max_content_length'), 5000::bigint, 'as read by its name');
insert into parley.tier (name, rank, description) values ('trial', 9, 'Without any rows.');
update parley.account set tier_name = 'trial' where id = t.id('cid');
delete from parley.rate_bucket;
select t.act('cid');
select t.refused('PT400', $$select t.send('talk', repeat('x', 5001))$$, 'a tier without rows has the default length');
select t.refused('PT403', $$select parley_api.start_conversation(array[t.id('bob')], 'group')$$, 'no entitlement');
select is((select count(t.send('talk', 'n')) from generate_series(1, 120) n), 120::bigint, 'and the default burst');
select t.refused('PT429', $$select t.send('talk', 'one more')$$, 'of messages');
select is(parley_api.get_entitlements() -> 'entitlements', '{"can_create_groups": false, "can_initiate_direct_messages": false}', 'get_entitlements says so');
select is(parley_api.get_entitlements() #> '{limits,messages_per_minute}', '{"amount": 30, "period_seconds": 60, "burst": 120, "left": 0}', 'with the limits that are in force');
select is(
    (select array_agg(k order by k) from jsonb_object_keys(parley_api.get_entitlements() -> 'limits') k),
    t.look($$select array_agg(k.name order by k.name) from parley.limit_kind k where k.kind <> 'entitlement'$$)::text[],
    'all of the catalogue, and no other'
);
select t.host();
insert into parley.tier_limit (tier_name, name, amount) values ('trial', 'messages_per_minute', 7);
select is((select row(r.send_amount, r.send_period_seconds, r.send_burst)::text from parley.tier r where r.name = 'trial'), '(7,60,)', 'a row without a period has the period of the kind');
update parley.tier_limit set amount = null where tier_name = 'trial';
select is((select r.send_amount from parley.tier r where r.name = 'trial'), null, 'a null amount in a row is unlimited');
delete from parley.tier_limit where tier_name = 'trial';
select is((select row(r.send_amount, r.send_burst)::text from parley.tier r where r.name = 'trial'), '(30,120)', 'without the row the default counts again');
update parley.limit_kind set default_amount = 6 where name = 'max_content_length';
select parley.set_tier_limit_copies();
select is((select array_agg(distinct r.max_content_length) from parley.tier r where r.name in ('free', 'trial')), '{6}', 'another default reaches the copies');
\ir ../../../sql/functions/limits/limit_kinds.sql
select parley.set_tier_limit_copies();
select is((select r.max_content_length from parley.tier r where r.name = 'trial'), 5000::bigint, 'and an installation brings that of the release');
select is_empty($$select from parley.tier_limit l where l.tier_name = 'trial'$$, 'but no rows for kinds that are known');
update parley.account set tier_name = 'free' where id = t.id('cid');

-- a name that is misspelt
select t.refused('PT500', $$select parley.limit_of(t.id('ann'), 'max_contents_length')$$, 'a limit that does not exist is no limit nowhere');
select t.refused('PT500', $$select parley.limit_of(t.id('ann'), null)$$, 'nor is none');
select t.refused('PT500', $$select parley.take_tier_token(t.id('ann'), 'message_per_minute')$$, 'no token is taken of it');
select t.refused('PT500', $$select parley.is_entitled(t.id('ann'), 'can_initiate')$$, 'an entitlement that does not exist is not simply no');
select t.refused('PT500', $$select parley.limit_of(t.id('ann'), 'can_create_groups')$$, 'an entitlement is no limit');
select t.refused('PT500', $$select parley.is_entitled(t.id('ann'), 'max_forwards')$$, 'nor the other way round');
select t.refused('23503', $$insert into parley.tier_limit (tier_name, name, amount) values ('free', 'max_contents_length', 1)$$, 'a plan cannot have it');
select t.refused('23503', $$insert into parley.tier_entitlement values ('free', 'can_initiate', true)$$, 'or be given it');

-- rates
select t.host();
select results_eq(
    $$select distinct amount, period_seconds, burst from parley.tier_limit where name = 'messages_per_minute'$$,
    $$values (30::bigint, 60::bigint, 120::bigint)$$, 'a new deployment allows 30 messages a minute, in bursts of 120'
);
-- a token in two minutes instead of two seconds: the messages below may take their time
update parley.tier_limit set period_seconds = 3600 where name = 'messages_per_minute';
delete from parley.rate_bucket;
select t.act('ann');
select is((select count(t.send('talk', 'message ' || n)) from generate_series(1, 120) n), 120::bigint, 'a burst of 120 goes through');
select t.refused('PT429', $$select t.send('talk', 'one more')$$, 'the next one is too many');
select t.failure($$select t.send('talk', 'one more')$$) as failure \gset
select matches(:'failure'::jsonb ->> 'detail', '^Retry-After: (120|1[01]\d|\d\d)$', 'with the seconds until there is a token');
select is(:'failure'::jsonb ->> 'hint', 'This plan allows 30 messages an hour: see messages_per_minute in get_entitlements().', 'and a hint');
select is(
    t.look(format('select count(*) from parley.message where conversation_id = %L and content = %L', t.id('talk'), 'one more')),
    '0', 'and leaves nothing'
);
select t.act('cid');
select lives_ok($$select t.send('talk', 'still here')$$, 'everybody has a bucket of their own');
select t.host();
update parley.rate_bucket set refilled_at = refilled_at - interval '2 minutes' where user_id = t.id('ann');
select t.act('ann');
select lives_ok($$select t.send('talk', 'two minutes later')$$, 'a token in two minutes comes back');
select t.refused('PT429', $$select t.send('talk', 'one more')$$, 'and is spent once');
select t.host();
update parley.rate_bucket set refilled_at = refilled_at - interval '1 year' where user_id = t.id('ann');
select t.act('ann');
select is((select count(t.send('talk', 'message ' || n)) from generate_series(1, 120) n), 120::bigint, 'a year fills the bucket, and not more');
select t.refused('PT429', $$select t.send('talk', 'one more')$$, 'than that');
select t.host();
update parley.rate_bucket set refilled_at = clock_timestamp() + interval '30 seconds' where user_id = t.id('ann');
select t.act('ann');
select t.refused('PT429', $$select t.send('talk', 'one more')$$, 'a clock that was set back a little gives no tokens');
select matches(
    t.failure($$select t.send('talk', 'one more')$$) ->> 'detail', '^Retry-After: (120|1[01]\d|\d\d)$', 'and takes none: the wait stays as short as it was'
);
select t.host();
update parley.rate_bucket set refilled_at = clock_timestamp() + interval '1 hour' where user_id = t.id('ann');
select t.act('ann');
select is((select count(t.send('talk', 'message ' || n)) from generate_series(1, 120) n), 120::bigint, 'one that was set back an hour finds a full bucket');
select t.refused('PT429', $$select t.send('talk', 'one more')$$, 'once');

-- tokens are for messages, not for attempts
select t.host();
update parley.tier_limit set burst = 2 where name = 'messages_per_minute';
delete from parley.rate_bucket;
select t.act('ann');
select is((parley_api.send_message(t.id('talk'), 'once', client_message_id => t.id('noa'))) ->> 'content', 'once', 'one of two');
select is(
    (select count(parley_api.send_message(t.id('talk'), 'once', client_message_id => t.id('noa'))) from generate_series(1, 5)),
    5::bigint, 'sending it again takes no token'
);
select t.refused('PT400', $$select t.send('talk', '')$$, 'nor does an empty one');
select t.refused('PT400', $$select t.send('talk', repeat('x', 5001))$$, 'nor one that is too long');
select lives_ok($$select t.send('talk', 'two')$$, 'so the second goes through');
select t.refused('PT429', $$select t.send('talk', 'three')$$, 'the third does not');
select is(
    (parley_api.send_message(t.id('talk'), 'once', client_message_id => t.id('noa'))) ->> 'content', 'once',
    'while a repeated one still is answered'
);
select t.host();
update parley.tier_limit set amount = null, burst = null where name = 'messages_per_minute' and tier_name = 'privileged_plus';
select t.act('ann');
select lives_ok($$select t.send('talk', 'unlimited')$$, 'no amount is no limit of the rate');
select t.host();
update parley.tier_limit set amount = 0 where name = 'messages_per_minute' and tier_name = 'privileged_plus';
select t.act('ann');
select is(
    t.failure($$select t.send('talk', 'never')$$) - '{message,hint}'::text[],
    '{"code": "PT429", "detail": "Retry-After: 3600"}', 'an amount of 0 allows none'
);

-- new conversations
select t.host();
select is(
    (select string_agg(distinct format('%s in %s s', l.amount, l.period_seconds), ', ') from parley.tier_limit l where l.name = 'new_conversations_per_day'),
    '10 in 86400 s', 'ten a day, unless a row says otherwise'
);
update parley.tier_limit set amount = 2, burst = 2 where name = 'new_conversations_per_day';
update parley.tier_limit set amount = null, burst = null where name = 'messages_per_minute';
delete from parley.rate_bucket;
select t.claim('service_role', '{"role": "service_role"}');
select is(parley_api.set_account_tier(t.id('eve'), 'privileged_plus') ->> 'tier', 'privileged_plus', 'a new plan');
select t.act('eve');
select isnt(parley_api.start_conversation(array[t.id('bob')]) ->> 'id', null, 'the first new conversation of a day');
select is(parley_api.start_conversation(array[t.id('bob')]) -> 'created', 'false', 'finding it again takes no token');
select t.refused('PT403', $$select parley_api.start_conversation(array['88888888-8888-4888-8888-888888888888'::uuid])$$,
    'nor does an attempt that fails');
select isnt(parley_api.start_conversation(array[t.id('dan')], 'group') ->> 'id', null, 'the second');
select is(
    t.failure($$select parley_api.start_conversation(array[t.id('cid')])$$) - '{message,hint}'::text[],
    '{"code": "PT429", "detail": "Retry-After: 43200"}', 'the third has to wait for its token'
);
select t.host();
update parley.setting set value = 'pair' where name = 'direct_threading';
select t.act('eve');
select t.refused(
    'PT429', $$select parley_api.start_conversation(array[t.id('bob')], context_type => 'listing', context_id => '1')$$,
    'where a pair has one thread, so does the next thing it is about'
);
select t.host();
delete from parley.rate_bucket;
select t.act('eve');
select is(
    (select array_agg(parley_api.start_conversation(array[t.id('bob')], context_type => 'listing', context_id => n::text) ->> 'created') from unnest(array[1, 1, 1, 2]) n),
    array['false', 'false', 'false', 'false'], 'which takes one token however often it is asked for'
);
select t.refused(
    'PT429', $$select parley_api.start_conversation(array[t.id('bob')], context_type => 'listing', context_id => '3')$$, 'and each thing one'
);
select t.host();
update parley.setting set value = 'pair_and_context' where name = 'direct_threading';

-- what the caller is told
select t.host();
update parley.tier_entitlement set granted = true where tier_name = 'free' and name = 'can_create_groups';
select t.act('cid');
select is(
    parley_api.get_entitlements() - '{limits,flags}'::text[],
    jsonb_build_object(
        'user_id', t.id('cid'), 'tier', 'free', 'tenants', '[]'::jsonb,
        'entitlements', '{"can_create_groups": true, "can_initiate_direct_messages": false}'::jsonb
    ),
    'get_entitlements says what the rows say now'
);
select is(
    parley_api.get_entitlements() #> '{limits,new_conversations_per_day}',
    '{"amount": 2, "period_seconds": 86400, "burst": 2, "left": 2}', 'limits as well'
);
select is(
    parley_api.get_entitlements() #> '{limits,messages_per_minute,amount}', 'null', 'with null for unlimited'
);

select * from finish();
rollback;
