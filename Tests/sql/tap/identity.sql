-- Who is calling: claims that name nobody are nobody, whatever else they say.
begin;
select plan(44);
\ir ../people.psql

create function t.signed_in(claims text) returns boolean language plpgsql as $$
begin
    perform set_config('request.jwt.claims', claims, true);
    perform parley_api.get_entitlements();
    return true;
exception when insufficient_privilege then
    return false;
end
$$;

select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('bob')], message => 'hello') ->> 'id');

-- without a user
select t.claim('anon', '');
select t.refused('42501', 'select parley_api.get_entitlements()', 'anon calls nothing');
select t.refused('42501', $$select parley_api.send_message(t.id('none'), 'hello')$$, 'anon sends nothing');
select t.refused('42501', $$select parley_api.start_conversation(array[t.id('bob')])$$, 'anon starts nothing');
select t.refused('42501', 'select * from parley_api.messages', 'anon reads no view');
select t.claim('anon', json_build_object('sub', t.id('ann'), 'role', 'anon')::text);
select t.refused('42501', 'select parley_api.get_entitlements()', 'anon calls nothing even with the id of a user');

select t.claim('authenticated', '');
select is(
    t.failure('select parley_api.get_entitlements()') - 'detail',
    '{"code": "42501", "message": "You must be signed in.", "hint": "Send a token whose sub claim is the uuid of a user."}',
    'without claims nobody is signed in'
);
select is_empty('select * from parley_api.conversations', 'and no view shows anything');

select is(t.signed_in('{}'), false, 'empty claims are nobody');
select is(t.signed_in('{"sub": null}'), false, 'a null sub is nobody');
select is(t.signed_in('{"sub": ""}'), false, 'an empty sub is nobody');
select is(t.signed_in('{"sub": "admin"}'), false, 'a sub that is no uuid is nobody');
select is(t.signed_in('{"sub": 1}'), false, 'a number is nobody');
select is(t.signed_in('{"sub": {"id": "11111111-1111-4111-8111-111111111111"}}'), false, 'an object is nobody');
select is(t.signed_in('["11111111-1111-4111-8111-111111111111"]'), false, 'claims that are a list are nobody');
select is(t.signed_in('"11111111-1111-4111-8111-111111111111"'), false, 'claims that are a string are nobody');
select is(t.signed_in('{"sub": "11111111-1111-4111-8111-111111111111 "}'), false, 'a uuid with a space behind it is nobody');
select is(t.signed_in(E'{"sub": "11111111-1111-4111-8111-111111111111\\n"}'), false, 'nor one with a line end');
select is(t.signed_in('{"sub": "{11111111-1111-4111-8111-111111111111}"}'), false, 'nor one in braces');
select is(t.signed_in('{"sub": "11111111111141118111111111111111"}'), false, 'nor one without dashes');
select is(t.signed_in('{"user_id": "11111111-1111-4111-8111-111111111111"}'), false, 'other claims do not name a user');
select t.claim('authenticated', '}{');
select t.refused('22P02', 'select parley_api.get_entitlements()', 'claims that are no JSON fail');
select t.refused('22P02', 'select * from parley_api.conversations', 'also in a view, instead of showing something');

-- with one
select t.act('ann');
select is(parley_api.get_entitlements() ->> 'user_id', t.id('ann')::text, 'the user is the sub of the claims');
select ok(t.signed_in('{"sub": "AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA", "role": "authenticated"}'), 'a uuid in capitals is a user');
select set_config('request.jwt.claims', '{"sub": "AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA"}', true) is null as as_capitals \gset
select is(parley_api.get_entitlements() ->> 'user_id', 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', 'the same as in small letters');

-- the claim as older PostgREST passes it
select t.claim('authenticated', '');
select set_config('request.jwt.claim.sub', t.id('bob')::text, true) is null as with_legacy \gset
select is(parley_api.get_entitlements() ->> 'user_id', t.id('bob')::text, 'a legacy claim names the user');
select set_config('request.jwt.claims', '{"role": "authenticated"}', true) is null as with_both \gset
select t.refused('42501', 'select parley_api.get_entitlements()', 'but not beside claims that name nobody');

-- plain SQL of the host application
select t.claim('authenticated', '');
select set_config('parley.user_id', t.id('bob')::text, true) is null as with_setting \gset
select is(parley_api.get_entitlements() ->> 'user_id', t.id('bob')::text, 'an application''s own SQL names its user by parley.user_id');
select set_config('parley.user_id', 'bob', true) is null as with_setting \gset
select t.refused('42501', 'select parley_api.get_entitlements()', 'which must be a uuid');
select t.act('ann');
select set_config('parley.user_id', t.id('bob')::text, true) is null as with_both \gset
select is(parley_api.get_entitlements() ->> 'user_id', t.id('ann')::text, 'and never replaces a token''s user');
select t.claim('authenticated', '{"role": "authenticated"}');
select set_config('parley.user_id', t.id('bob')::text, true) is null as with_both \gset
select t.refused('42501', 'select parley_api.get_entitlements()', 'nor gives one to a token without');

select t.host();
create role authenticator noinherit;
grant authenticated to authenticator;
set local session authorization authenticator;
select t.claim('authenticated', '');
select set_config('parley.user_id', t.id('bob')::text, true) is null as with_setting \gset
select t.refused('42501', 'select parley_api.get_entitlements()', 'PostgREST''s connections may not name their user by it');
reset session authorization;
set local session authorization parley_worker;
select t.claim('authenticated', '');
select set_config('parley.user_id', t.id('bob')::text, true) is null as with_setting \gset
select t.refused('42501', 'select parley_api.get_entitlements()', 'nor may the worker''s');
reset session authorization;
create role worker_login login in role parley_worker;
set local session authorization worker_login;
select t.claim('authenticated', '');
select set_config('parley.user_id', t.id('bob')::text, true) is null as with_setting \gset
select t.refused('42501', 'select parley_api.get_entitlements()', 'under whatever name it logs in');
reset session authorization;

-- who is the host application
select t.claim('authenticated', '{"role": "service_role"}');
select t.refused(
    '42501', $$select parley_api.start_conversation(array[t.id('ann'), t.id('bob')])$$,
    'a claimed role gives no rights that the database role does not have'
);
select t.claim('service_role', '{"role": "service_role"}');
select isnt(
    parley_api.start_conversation(array[t.id('ann'), t.id('bob')]) ->> 'id', null, 'the service role without a user is the host'
);
select t.refused('42501', 'select parley_api.get_entitlements()', 'who has no entitlements of its own');
select t.refused('42501', $$select parley_api.send_message(t.id('none'), 'hello')$$, 'and cannot send as a user');
select t.claim('authenticated', '{"role": "authenticated"}');
select t.refused(
    '42501', $$select parley_api.start_conversation(array[t.id('ann'), t.id('bob')])$$, 'a token without a user is not the host'
);
-- a role of the deployment's own: it may do what authenticated may, and a token may name its user otherwise than by uuid
select t.host();
create role moderator;
grant authenticated to moderator;
create role backend;
grant service_role to backend;
select t.claim('moderator', '{"role": "moderator", "sub": "auth0|42"}');
select t.refused(
    '42501', $$select parley_api.start_conversation(array[t.id('ann'), t.id('bob')])$$,
    'a role that merely has another name is not the host'
);
select t.refused('42501', $$select parley_api.add_participants(t.id('talk'), array[t.id('eve')])$$, 'and adds nobody');
select t.claim('backend', '');
select isnt(
    parley_api.start_conversation(array[t.id('ann'), t.id('bob')]) ->> 'id', null, 'a role with the rights of the service role is'
);

-- a plan made for one role does not serve another
select t.act('ann');
prepare entitlements as select parley_api.get_entitlements();
prepare starting as select parley_api.start_conversation(array[t.id('bob')]);
execute entitlements \g /dev/null
execute starting \g /dev/null
select set_config('role', 'anon', true) is null as as_anon \gset
select t.refused('42501', 'execute entitlements', 'a statement prepared as another role is refused to anon');
select t.refused('42501', 'execute starting', 'also one that writes');

select * from finish();
rollback;
