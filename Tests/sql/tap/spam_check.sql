-- Asking before a send, the evidence of what was refused, and upkeep.
begin;
select plan(28);
\ir ../people.psql
update parley.account set created_at = now() - interval '30 days';
\set phish '''Your account was closed, sign in at http://paypal.com:login@192.0.2.7/ to open it'''
\set offer '''I sell original watches at half the price, write to me today and I send you pictures of them'''

-- a slow run is given no token back
update parley.tier_limit set period_seconds = 86400 where name = 'spam_checks_per_minute';

-- a client learns the action alone
select t.act('ann');
select is(parley_api.check_spam(:phish, t.id('bob')), '{"action": "block"}', 'a client learns the action alone');
select is(parley_api.check_spam('hello Bob', t.id('bob')), '{"action": "allow"}', 'of a harmless text as well');
select is(parley_api.check_spam('see http://192.0.2.7/', t.id('none')), '{"action": "filter"}', 'a user who does not exist is a stranger like others');
select t.refused('PT403', $$select parley_api.check_spam('hello', t.id('bob'), t.id('cid'))$$, 'nobody asks for another');
select t.refused('PT400', $$select parley_api.check_spam(null)$$, 'there must be something to ask about');
select is(parley_api.check_spam('hello', sender_id => t.id('ann')), '{"action": "allow"}', 'to name oneself is fine');
select t.look(format('insert into parley.block values (%L, %L) returning true', t.id('eve'), t.id('ann'))) \g /dev/null
select is(parley_api.check_spam('hello'), '{"action": "allow"}', 'that somebody has blocked one is not told');
select t.look(format('delete from parley.block where blocked_id = %L returning true', t.id('ann'))) \g /dev/null
select matches(t.failure($$select parley_api.check_spam('hello')$$)::text, 'PT429.*Retry-After', 'six times a minute is too often: each answer would help a spammer');
select is(t.look('select count(*) from parley.spam_fingerprint'), '0', 'nothing is recorded by asking');
select t.act('bob');
select t.keep('talk', parley_api.start_conversation(array[t.id('ann')]) ->> 'id');
select t.act('ann');
select t.send('talk', 'yes?');
select t.act('bob');
select is(parley_api.check_spam(:phish, t.id('ann')), '{"action": "allow"}', 'friends may send what they like');

-- the application learns all
select t.claim('service_role', '{"role": "service_role"}');
select t.refused('PT400', $$select parley_api.check_spam('hello', t.id('bob'))$$, 'the application says who would send it');
select is(
    parley_api.check_spam(:phish, t.id('cid'), t.id('ann')),
    '{"is_spam": true, "confidence": 0.92, "reasons": ["credentials_in_link", "ip_link"], "action": "block"}', 'and learns all'
);
select is(
    parley_api.check_spam('hello', t.id('cid'), t.id('ann')), '{"is_spam": false, "confidence": 0, "reasons": [], "action": "allow"}',
    'of a harmless text as well'
);
select is((select count(*) from generate_series(1, 10) where parley_api.check_spam('hello', null, t.id('ann')) is not null), 10::bigint, 'as often as it likes');
select t.claim('anon', '{"role": "anon"}');
select t.refused('42501', $$select parley_api.check_spam('hello')$$, 'a visitor asks nothing');

-- what would be the fifth of its kind
select t.host();
insert into parley.spam_fingerprint (sender_id, conversation_id, simhash)
select t.id('eve'), gen_random_uuid(), parley.simhash(parley.spam_words(:offer)) from generate_series(1, 4);
select t.act('eve');
select is(parley_api.check_spam(:offer, t.id('bob')), '{"action": "filter"}', 'the fifth of its kind would land in the requests');

-- the evidence
select t.host();
create function t.evidence(query text) returns text language plpgsql as $$
declare
    v_evidence text;
begin
    execute query;
    return null;
exception when others then
    get stacked diagnostics v_evidence = constraint_name;
    return v_evidence;
end
$$;
select set_config('request.jwt.claims', json_build_object('sub', t.id('cid'), 'role', 'authenticated')::text, true);
update parley.tier_entitlement set granted = true;
select t.evidence(format($$select parley_api.start_conversation(array[t.id('dan')], message => %L)$$, :phish)) as evidence \gset
select is(:'evidence'::jsonb -> 'rules', '["credentials_in_link", "ip_link"]', 'the error carries the rules that fired');
select ok(:'evidence' !~ 'paypal', 'and not what the message said');
select t.claim('none', '');
set local role parley_worker;
select parley.record_refusal(:'evidence');
reset role;
select is(
    (select concat_ws(' ', v.action, v.confidence, v.rules, v.message_id) from parley.spam_verdict v where v.sender_id = t.id('cid')),
    'block 0.92 {credentials_in_link,ip_link}', 'from which the worker records it'
);
select is(
    (select v.simhash from parley.spam_verdict v where v.sender_id = t.id('cid')), parley.simhash(parley.spam_words(:phish)),
    'with its SimHash, to find its like'
);
set local role authenticated;
select t.refused('42501', format('select parley.record_refusal(%L)', :'evidence'), 'nobody else does');
reset role;

-- what is told to whom
select t.claim('service_role', '{"role": "service_role"}');
select t.refused('PT404', $$select parley_api.set_phone_verified(t.id('none'))$$, 'a telephone number belongs to somebody');
select lives_ok($$select parley_api.set_phone_verified(t.id('ann'))$$, 'the application vouches for a number');
select t.act('ann');
select t.refused('42501', $$select parley_api.set_phone_verified(t.id('ann'))$$, 'no user does');
select t.host();
update parley.setting set value = 'app_metadata.phone_verified' where name = 'phone_verified_claim';
select set_config('request.jwt.claims', json_build_object('sub', t.id('bob'), 'role', 'authenticated', 'app_metadata', json_build_object('phone_verified', true))::text, true);
select ok(parley.has_verified_phone(t.id('bob')) and not parley.has_verified_phone(t.id('cid')), 'the token vouches for its own user alone');
select t.claim('none', '');

-- upkeep
insert into parley.spam_fingerprint (sender_id, conversation_id, simhash, sent_at) values (t.id('dan'), t.id('talk'), 7, now() - interval '25 hours');
insert into parley.spam_verdict (sender_id, conversation_id, action, confidence, rules, at)
values (t.id('dan'), t.id('talk'), 'filter', 0.5, '{x}', now() - interval '91 days');
insert into parley.link_verdict values (sha256('a'), 'known_bad_link', true, now() - interval '1 second'), (sha256('b'), 'known_bad_link', true, now() + interval '1 day');
select is(parley.purge_spam_records(), false, 'upkeep has nothing left to do');
select is((select count(*) from parley.spam_fingerprint), 4::bigint, 'fingerprints are kept for a day');
select is(
    (select count(*) from parley.spam_verdict where sender_id = t.id('dan')) + (select count(*) from parley.link_verdict), 1::bigint,
    'verdicts and answers about links as long as they were to be'
);
select * from finish();
rollback;
