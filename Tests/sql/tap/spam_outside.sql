-- Services outside: which messages they are asked about, and what becomes of a message by a late answer, or none.
begin;
select plan(36);
\ir ../people.psql
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;
update parley.tier_entitlement set granted = true;
update parley.account set created_at = now() - interval '30 days';

create function t.collect() returns boolean language sql security definer as $$
    update parley.event set xid = '3' where xid = pg_current_xact_id();
    select parley.collect_spam_checks();
$$;
create function t.waiting() returns text language sql security definer as $$
    select string_agg(n.name || ' ' || c.rule_name, ', ' order by n.name, c.rule_name) from parley.spam_check c left join t.named n on n.id = c.message_id
$$;
create function t.claimed() returns text language sql security definer as $$
    select string_agg(concat_ws(' ', n.name, c.rule_name, c.content, nullif(array_to_string(c.urls, '+'), '')), ', ' order by n.name, c.rule_name)
    from parley.claim_spam_checks() c left join t.named n on n.id = c.message_id
$$;
create function t.message(name text) returns text language sql security definer as $$
    select coalesce(m.content, 'gone') from parley.message m where m.id = t.id($1)
$$;
create function t.due() returns void language sql security definer as $$ update parley.spam_check set next_try_at = clock_timestamp() $$;

select t.act('ann');
select t.keep('old', parley_api.start_conversation(array[t.id('bob')], message => 'see http://old.example.com') ->> 'id');
select t.host();
select is(t.collect(), false, 'without a rule that asks a service nothing is collected');
select is((select count(*) from parley.consumer where name = 'spam'), 0::bigint, 'and nothing keeps the log waiting');
insert into parley.spam_rule values
('safe', 'safe_browsing', 'on', 1, 1, 'open', 'retract', '{"url": "https://safe.example.com/v4/threatMatches:find"}', 'Links.'),
('model', 'classifier', 'on', 0.8, 0.9, 'closed', 'requests', '{"url": "https://model.example.com/", "tries": 2}', 'Texts.');
select is(t.collect(), false, 'with one, from now on');
select is(t.waiting(), null, 'not of what was before');

-- who and what
select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('cid')]) ->> 'id');
select t.keep('plain', t.send('talk', 'a plain text')::text), t.keep('linked', t.send('talk', 'look at http://example.com/a and http://example.com/b')::text);
select t.keep('sealed', parley_api.send_message(t.id('talk'), type => 'encrypted', metadata => '{"envelope": "http://example.com"}') ->> 'id');
select t.act('eve');
select t.keep('friends', parley_api.start_conversation(array[t.id('dan')]) ->> 'id');
select t.act('dan');
select t.send('friends', 'yes?');
select t.act('eve');
select t.keep('friendly', t.send('friends', 'http://example.com/a')::text);
select t.host();
select is(t.collect(), false, 'the job has nothing left');
select is(t.waiting(), 'linked model, linked safe, plain model', 'of strangers, texts go to the classifier and links to link safety; what is encrypted goes nowhere');
select is(
    t.claimed(),
    'linked model look at http://example.com/a and http://example.com/b, linked safe http://example.com/a+http://example.com/b, plain model a plain text',
    'the worker takes them with what it asks about'
);
select is(t.claimed(), null, 'once');
select t.due();
select is((select count(*) from parley.claim_spam_checks(1)), 1::bigint, 'as many as it asks for');

-- answers
select is(parley.answer_spam_check(t.id('talk'), t.id('plain'), 'model', 0.89), false, 'a classifier that is not sure enough changes nothing');
select is(t.message('plain'), 'a plain text', 'the message stays');
select is(t.look(format('select folder from parley.participant where conversation_id = %L and user_id = %L', t.id('talk'), t.id('cid'))), 'inbox', 'where it was');
select is(parley.answer_spam_check(t.id('talk'), t.id('linked'), 'model', 0.95), true, 'one that is sure');
select is(t.look(format('select folder from parley.participant where conversation_id = %L and user_id = %L', t.id('talk'), t.id('cid'))), 'requests', 'moves it to the requests');
select is(parley.answer_spam_check(t.id('talk'), t.id('linked'), 'model', 0.95), false, 'a second answer changes nothing');
select parley.note_links('safe', '{http://example.com/a,http://example.com/b}', '{http://example.com/b}', '{600}');
select is(parley.answer_spam_check(t.id('talk'), t.id('linked'), 'safe'), true, 'a link that is warned of');
select is(t.message('linked'), 'gone', 'retracts its message');
select is(
    (select concat_ws(' ', e.kind, e.data, e.actor_id) from parley.event e where e.conversation_id = t.id('talk') order by e.event_seq desc limit 1),
    'message:deleted {"for_everyone": true}', 'and the conversation is told, of no actor'
);
select is(
    (select string_agg(concat_ws(' ', v.action, v.rules), ', ' order by v.id) from parley.spam_verdict v where v.conversation_id = t.id('talk')),
    'filter {model}, retract {safe}', 'both are recorded'
);
select is(t.waiting(), null, 'nothing waits any more');
select is(
    (select string_agg((round(extract(epoch from expires_at - clock_timestamp()) / 10) * 10)::text, ' ' order by is_bad) from parley.link_verdict), '300 600',
    'a warning holds as long as the service says, no warning for five minutes'
);

-- what is known is not asked again
update parley.spam_rule set parameters = parameters || '{"whom": "everyone"}' where name = 'safe';
select t.act('eve');
select t.keep('known', t.send('friends', 'http://example.com/a')::text);
select t.keep('known_bad', t.send('friends', 'http://example.com/b')::text);
select t.host();
select t.collect();
select is(t.waiting(), 'known safe, known_bad safe', 'whom: everyone is for friends as well');
select is(t.claimed(), null, 'links that are known are answered at once');
select is(concat_ws(' ', t.message('known'), t.message('known_bad')), 'http://example.com/a gone', 'each as it is known');
select t.act('ann');
select is(parley_api.check_spam('http://example.com/b', t.id('none')), '{"action": "block"}', 'and at the next send of a stranger');

-- edited meanwhile
select t.act('eve');
select t.keep('edited', t.send('friends', 'http://example.com/c')::text);
select t.host();
select t.collect();
select is(t.claimed(), 'edited safe http://example.com/c', 'a link that is new');
select t.act('eve');
select parley_api.edit_message(t.id('edited'), 'http://example.com/d') is null as edited;
select t.host();
select t.collect();
select parley.note_links('safe', '{http://example.com/c}', '{}', '{}');
select is(parley.answer_spam_check(t.id('friends'), t.id('edited'), 'safe'), false, 'an answer about what it said before an edit');
select is(t.claimed(), 'edited safe http://example.com/d', 'leaves the new text to be asked about');

-- no answer
select is(parley.fail_spam_check(t.id('friends'), t.id('edited'), 'safe'), false, 'a service that gives no answer is asked again');
select is((select round(extract(epoch from next_try_at - clock_timestamp())) from parley.spam_check), 2::numeric, 'after two seconds');
update parley.spam_check set tries = 5;
select is(parley.fail_spam_check(t.id('friends'), t.id('edited'), 'safe'), false, 'five times; then the rule fails open');
select is(concat_ws(' ', t.message('edited'), t.waiting()), 'http://example.com/d', 'the message stays');
select t.act('bob');
select t.keep('closed', parley_api.start_conversation(array[t.id('dan')]) ->> 'id');
select t.keep('unsure', t.send('closed', 'who knows')::text);
select t.host();
select t.collect();
select is(t.claimed(), 'unsure model who knows', 'a rule that fails closed');
update parley.spam_check set tries = 2;
select is(parley.fail_spam_check(t.id('closed'), t.id('unsure'), 'model'), true, 'after as many tries as it says');
select is(t.look(format('select folder from parley.participant where conversation_id = %L and user_id = %L', t.id('closed'), t.id('dan'))), 'requests', 'treats the message as spam');

-- gone meanwhile, and keys
select throws_ok($$select parley.set_spam_key('safe', 'short')$$, 'PT400', 'A key has at least 32 bytes.', 'a key is long');
select parley.set_spam_key('safe', repeat('k', 32));
update parley.spam_rule set mode = 'shadow' where name = 'model';
select * from finish();
rollback;
