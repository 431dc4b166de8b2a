-- Accounts: met at the first write, refused when suspended, erased or signed out.
begin;
select plan(65);
\ir ../people.psql

create function t.know(name text) returns boolean language sql as $$
    select t.look(format('select count(*) from parley.account where id = %L', t.id($1))) = '1'
$$;

create function t.bob_with(issued_at text) returns void language sql as $$
    select t.claim('authenticated', format('{"sub": "%s", "role": "authenticated"%s}', t.id('bob'), $1))
$$;

create function t.revocations(name text) returns bigint language sql as $$
    select t.look(format(
        'select count(*) from parley.event where kind = %L and user_id = %L and conversation_id is null and actor_id is null',
        'session:revoked', t.id($1)
    ))::bigint
$$;

-- unknown users
select t.act('ann');
select t.refused('PT403', $$select parley_api.start_conversation(array[t.id('noa')])$$, 'nobody writes to a user who is unknown');
select is(t.know('noa'), false, 'and that does not make them known');
select t.refused(
    'PT403', $$select parley_api.start_conversation(array[t.id('bob'), t.id('noa')], 'group')$$, 'nor with one such user among others'
);
select t.host();
update parley.setting set value = 'create' where name = 'unknown_users';
select t.act('ann');
select isnt(parley_api.start_conversation(array[t.id('noa')]) ->> 'id', null, 'unless the deployment creates unknown users');
select is(
    t.look(format('select tier_name from parley.account where id = %L', t.id('noa'))), 'free', 'whose tier is then the default'
);
select t.host();
update parley.setting set value = 'refuse' where name = 'unknown_users';

-- a caller the database has not met
select t.keep('joe', '77777777-7777-4777-8777-777777777777');
select t.act('joe');
select is(parley_api.get_entitlements() ->> 'tier', 'free', 'a caller without an account has the default tier');
select is(parley_api.get_user_conversations() -> 'conversations', '[]', 'and an empty inbox');
select is(t.know('joe'), false, 'reading makes no account');
select t.refused('PT403', $$select parley_api.start_conversation(array[t.id('bob')])$$, 'a refused write is refused by the default tier');
select is(t.know('joe'), false, 'and makes no account either');
select t.host();
update parley.setting set value = 'privileged' where name = 'default_tier';
select t.act('joe');
select isnt(parley_api.start_conversation(array[t.id('bob')]) ->> 'id', null, 'the default tier is a setting');
select is(
    t.look(format('select tier_name from parley.account where id = %L', t.id('joe'))), 'privileged', 'and the first write makes the account'
);

-- registered by the application
select t.act('ann');
select t.refused('42501', $$select parley_api.upsert_account(t.id('ann'), 'Ann', 'privileged_plus')$$, 'users do not register accounts');
select t.refused('42501', $$select parley_api.set_account_tier(t.id('ann'), 'privileged_plus')$$, 'nor choose their tier');
select t.refused('42501', $$select parley_api.revoke_sessions(t.id('bob'))$$, 'nor end sessions');
select t.claim('service_role', '{"role": "service_role"}');
select t.refused('PT400', 'select parley_api.upsert_account(null)', 'an account needs an id');
select t.refused('PT400', $$select parley_api.upsert_account(t.id('bob'), '')$$, 'a name of no characters is refused');
select t.refused('PT400', $$select parley_api.upsert_account(t.id('bob'), repeat('n', 256))$$, 'and one of 256');
select t.refused('PT404', $$select parley_api.upsert_account(t.id('bob'), 'Bob', 'platinum')$$, 'and a tier that does not exist');
select t.refused('PT404', $$select parley_api.set_account_tier(t.id('bob'), 'platinum')$$, 'also for an account that does');
select t.refused('PT404', $$select parley_api.set_account_tier(t.id('none'), 'free')$$, 'an unknown user has no tier to change');
select t.refused('PT404', $$select parley_api.revoke_sessions(t.id('none'))$$, 'nor sessions to end');
select is(
    parley_api.upsert_account(t.id('none'), 'Kim', 'privileged') - '{created_at,updated_at}'::text[],
    jsonb_build_object(
        'id', t.id('none'), 'display_name', 'Kim', 'tier', 'privileged', 'app_role', null, 'suspended_at', null, 'tokens_valid_after', null
    ),
    'the application registers a user'
);
select is(
    parley_api.upsert_account(t.id('none'), 'Kim Lee') ->> 'tier', 'privileged', 'registering again keeps what is left out'
);
select is(parley_api.upsert_account(t.id('none')) ->> 'display_name', 'Kim Lee', 'the name, too');
select is(parley_api.set_account_tier(t.id('none'), 'free') ->> 'tier', 'free', 'and the tier changes alone');

-- suspended and erased
select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('bob')], message => 'hello') ->> 'id');
select t.act('bob');
select is((select count(*) from parley_api.messages), 1::bigint, 'Bob reads');
select t.host();
update parley.account set suspended_reason = null where id = t.id('bob');
select is(t.revocations('bob'), 0::bigint, 'a change of an open account ends no session');
update parley.account set suspended_at = now(), suspended_reason = 'spam' where id = t.id('bob');
select is(t.revocations('bob'), 1::bigint, 'whoever suspends an account ends its sessions');
update parley.account set suspended_at = now() + interval '1 hour' where id = t.id('bob');
select is(t.revocations('bob'), 1::bigint, 'once');
select t.act('bob');
select is(
    t.failure('select parley_api.get_entitlements()') -> 'message', '"This account may not use messaging."',
    'a suspended user is told so, and no reason'
);
select t.refused('PT403', $$select t.send('talk', 'hello')$$, 'sends nothing');
select t.refused('PT403', $$select parley_api.get_conversation_messages(t.id('talk'))$$, 'reads no history');
select t.refused('PT403', $$select parley_api.mark_as_read(t.id('talk'))$$, 'and marks nothing');
select t.refused('PT403', 'select parley_api.sync()', 'synchronises nothing');
select t.refused('PT403', $$select parley_api.can_access_conversation(t.id('talk'))$$, 'may not ask');
select is_empty('select * from parley_api.messages', 'sees no message');
select is_empty('select * from parley_api.conversations', 'no conversation');
select is_empty('select * from parley_api.participants', 'no participant');
select t.act('ann');
select is(parley_api.can_access_conversation(t.id('talk'), t.id('bob')), false, 'and has no access in the eyes of others');
select t.host();
update parley.account set suspended_at = null, suspended_reason = null where id = t.id('bob');
select is(t.revocations('bob'), 1::bigint, 'letting them in again ends none');
savepoint erased;
update parley.account set deleted_at = now() where id = t.id('bob');
select is(t.revocations('bob'), 2::bigint, 'and so does whoever erases one');
select t.act('bob');
select t.refused('PT403', $$select t.send('talk', 'hello')$$, 'an erased user sends nothing');
select is_empty('select * from parley_api.messages', 'and sees nothing');
select t.act('ann');
select is(
    (
        select parley_api.get_user_conversations() #>> '{conversations,0,counterpart,display_name}'
    ),
    '[Deleted User]', 'others see a deleted user'
);
select t.refused('PT403', $$select parley_api.start_conversation(array[t.id('bob')], context_type => 'x', context_id => 'y')$$,
    'to whom nobody can start to write');
rollback to erased;
select t.host();

-- sessions that were ended
update parley.account set tokens_valid_after = '2020-01-01 00:00:00.5+00' where id = t.id('bob');
select t.bob_with(', "iat": 1577836799');
select t.refused('PT403', $$select t.send('talk', 'hello')$$, 'a token of before the end of all sessions is refused');
select is(t.failure('select parley_api.get_entitlements()') -> 'hint', '"Sign in again."', 'and told what helps');
select is_empty('select * from parley_api.messages', 'and sees nothing');
select t.bob_with(', "iat": 1577836800');
select t.refused('PT403', 'select parley_api.get_entitlements()', 'in the same second, too: iat knows no fractions');
select t.bob_with('');
select t.refused('PT403', 'select parley_api.get_entitlements()', 'one that does not say when it was issued is refused');
select is_empty('select * from parley_api.messages', 'and sees nothing either');
select t.bob_with(', "iat": 1577836801');
select lives_ok($$select t.send('talk', 'hello')$$, 'a later one is good');
select is((select count(*) from parley_api.messages), 2::bigint, 'and sees');
select t.claim('authenticated', '');
select set_config('parley.user_id', t.id('bob')::text, true) is null as with_setting \gset
select lives_ok($$select t.send('talk', 'hello')$$, 'SQL of the application itself has no token that could be old');
select t.claim('service_role', '{"role": "service_role"}');
select isnt(parley_api.revoke_sessions(t.id('bob')) -> 'tokens_valid_after', 'null', 'the application ends all sessions of a user');
select is(t.revocations('bob'), 2::bigint, 'which is an event for this user');
select t.bob_with(format(', "iat": %s', extract(epoch from now())::bigint - 1));
select t.refused('PT403', 'select parley_api.get_entitlements()', 'and from then on the token is refused');

-- a token that says fractions of a second
select t.host();
update parley.account set tokens_valid_after = '2020-01-01 00:00:00.500001+00' where id = t.id('bob');
select t.bob_with(', "iat": 1577836800.500000');
select t.refused('PT403', 'select parley_api.get_entitlements()', 'is refused for a millionth of a second before');
select t.bob_with(', "iat": 1577836800.500001');
select lives_ok('select parley_api.get_entitlements()', 'and good from that moment on');
select t.bob_with(', "iat": 1577836800.5000009999');
select t.refused('PT403', 'select parley_api.get_entitlements()', 'exactly');
select t.bob_with(', "iat": 1e400');
select lives_ok('select parley_api.get_entitlements()', 'however the number is written');
select t.bob_with(', "iat": "1577836801"');
select t.refused('PT403', 'select parley_api.get_entitlements()', 'a text is no time');
select t.bob_with(', "iat": "NaN"');
select t.refused('PT403', 'select parley_api.get_entitlements()', 'whatever it says');

-- the rule of joins is the same
select t.host();
select is(
    (
        select string_agg(j.allowed::text, ' ' order by iat nulls last)
        from unnest(array[1577836800.500000, 1577836800.5000009999, 1577836800.500001, 1577836801, null]) as iat
        cross join lateral parley.authorize_join('authenticated', t.id('bob'), iat, 'user:' || t.id('bob')) as j
    ),
    'false false true true false', 'a join is refused for a millionth of a second before, and good from that moment on'
);

select * from finish();
rollback;
