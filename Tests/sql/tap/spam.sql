-- Spam: strangers and new accounts are judged, friends are not; what is refused, what lands in the requests, and what stays
-- as evidence. Rules are rows.
begin;
select plan(77);
\ir ../people.psql
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;
update parley.account set created_at = now() - interval '30 days';
insert into t.named select 'user' || n, gen_random_uuid() from generate_series(1, 20) n;
insert into parley.account (id, tier_name, created_at)
select t.id('user' || n), 'free', now() - interval '30 days' from generate_series(1, 20) n;

create function t.start(name text, with_whom text, message text default null) returns void language plpgsql as $$
begin
    perform t.keep(name, parley_api.start_conversation(array[t.id(with_whom)], message => message) ->> 'id');
end
$$;
create function t.unanswered(name text) returns text language sql as $$
    select t.look(format('select unanswered from parley.conversation where id = %L', t.id(name)))
$$;
create function t.folder(name text, person text) returns text language sql as $$
    select t.look(format('select folder from parley.participant where conversation_id = %L and user_id = %L', t.id(name), t.id(person)))
$$;
create function t.verdicts(name text) returns text language sql as $$
    select t.look(format($q$
        select string_agg(concat_ws(' ', v.action, nullif(array_to_string(v.rules, '+'), ''), '(' || nullif(array_to_string(v.shadow_rules, '+'), '') || ')'), ', ' order by v.id)
        from parley.spam_verdict v where v.conversation_id = %L$q$, t.id(name)))
$$;
create function t.rule(statement text) returns void language plpgsql security definer as $$
begin
    execute statement;
end
$$;
create function t.findings(content text) returns text language sql security definer as $$
    select string_agg(f.name, ' ' order by f.name)
    from unnest(parley.spam_findings($1, parley.spam_words($1), 0, 0, t.id('cid'), false)) f
$$;
\set phish '''Your account was closed, sign in at http://paypal.com:login@192.0.2.7/ to open it'''
\set offer '''Dear friend, I sell original watches at half the price, write to me today and I send you pictures of them'''

-- who is judged
select t.act('ann');
select t.start('talk', 'bob', 'hello Bob');
select is(t.unanswered('talk'), 'true', 'whoever starts a conversation is a stranger there');
select is(
    t.failure(format($$select t.send('talk', %L)$$, :phish)),
    '{"code": "PT422", "message": "This message was not sent: it looks like spam.", "detail": "",
      "hint": "Send it without its links, or in other words, or not to so many."}',
    'and is refused what looks like spam'
);
select is(t.last_seq('talk'), 1::bigint, 'which takes no number');
select t.refused('PT422', format($$select parley_api.create_poll(t.id('talk'), 'Which?', array['a', %L])$$, :phish), 'as an option of a poll, too');
select t.refused('PT422', format($$select parley_api.update_conversation(t.id('talk'), %L)$$, :phish), 'or as a title');
select t.refused('PT422', format($$select parley_api.start_conversation(array[t.id('cid')], description => %L)$$, :phish), 'from the beginning');
select lives_ok($$select t.send('talk', 'see https://example.com/bicycle for pictures')$$, 'one honest link is fine');
select t.act('bob');
select lives_ok(format($$select t.send('talk', %L)$$, :phish), 'the one who was written to is not judged');
select is(t.unanswered('talk'), 'false', 'and their answer ends it');
select t.act('ann');
select lives_ok(format($$select t.send('talk', %L)$$, :phish), 'friends are not judged');
select is(t.verdicts('talk'), null, 'nor recorded');
select t.keep('again', parley_api.start_conversation(array[t.id('bob')], context_type => 'listing', context_id => '7') ->> 'id');
select is(t.unanswered('again'), 'false', 'another thread of two who have talked is none of strangers');
select t.keep('group', parley_api.start_conversation(array[t.id('user1'), t.id('user2')], 'group') ->> 'id');
select is(t.unanswered('group'), 'true', 'a group is, with strangers');
select t.claim('service_role', '{"role": "service_role"}');
select t.keep('arranged', parley_api.start_conversation(array[t.id('ann'), t.id('user3')]) ->> 'id');
select is(t.unanswered('arranged'), 'false', 'nor what the application began');
select t.act('bob');
select t.refused('PT422', format($$select parley_api.start_conversation(array[t.id('user4')], message => %L)$$, :phish), 'a first message is judged');
select is(
    t.look(format('select count(*) from parley.direct_conversation where %L in (user_low, user_high)', t.id('user4'))), '0',
    'refused, it starts no conversation'
);

-- what is not text, and what becomes of it
select t.act('ann');
select t.start('quiet', 'user5', 'good evening');
select lives_ok($$select parley_api.send_message(t.id('quiet'), type => 'encrypted', metadata => jsonb_build_object('envelope', 'http://a@192.0.2.7/'))$$,
    'what is encrypted is not looked into');
select t.refused('PT422', format($$select parley_api.send_message(t.id('quiet'), 'look', metadata => jsonb_build_object('url', %L))$$, :phish), 'links in metadata count');
select t.keep('edited', t.send('quiet', 'is it still there')::text);
select t.refused('PT422', format($$select parley_api.edit_message(t.id('edited'), %L)$$, :phish), 'an edit is judged like a send');
select lives_ok($$select parley_api.edit_message(t.id('edited'), 'is it still there?')$$, 'an honest one is fine');
select t.keep('copied', parley_api.send_message(t.id('talk'), :phish) ->> 'id');
select t.refused('PT422', $$select parley_api.forward_message(t.id('copied'), array[t.id('quiet')])$$, 'and so is a copy');
select t.keep('later', parley_api.schedule_message(t.id('quiet'), :phish, (clock_timestamp() + interval '1 hour')::text) ->> 'id');
select t.host();
update parley.scheduled_message set attempt_at = clock_timestamp() where id = t.id('later');
select parley.send_due_messages();
select is(
    (select concat_ws(' ', s.status, s.error_code) from parley.scheduled_message s where s.id = t.id('later')), 'failed PT422',
    'and what was scheduled'
);
select is(t.verdicts('quiet'), 'block credentials_in_link+ip_link', 'which is recorded');

-- the same to many
select t.act('ann');
select t.start('mass' || n, 'user' || n + 5, replace(:offer, 'friend', 'user ' || n)) from generate_series(1, 6) n;
select is(t.verdicts('mass4'), null, 'four may get the same');
select is(t.folder('mass4', 'user9'), 'inbox', 'in their inbox');
select is(t.verdicts('mass5'), 'filter mass_send', 'the fifth is one too many');
select is(t.folder('mass5', 'user10'), 'requests', 'and finds it among the requests');
select is(t.folder('mass5', 'ann'), 'inbox', 'of which the sender sees nothing');
select is(
    t.look(format($$select string_agg(e.data #>> '{settings,folder}', ',') from parley.event e where e.user_id = %L and e.kind = 'participant:updated'$$, t.id('user10'))),
    'requests', 'the recipient''s devices are told'
);
select t.act('user10');
select is(jsonb_array_length(parley_api.get_user_conversations() -> 'conversations'), 0, 'the inbox is without it');
select is(jsonb_array_length(parley_api.get_user_conversations(filter => 'requests') -> 'conversations'), 1, 'the requests have it');
select is(parley_api.get_unread_counts() ->> 'total', '0', 'and nothing is unread');
select t.act('ann');
select t.host();
select is(
    (select f.simhash from parley.spam_fingerprint f where f.conversation_id = t.id('mass1')),
    parley.simhash(parley.spam_words(replace(:offer, 'friend', 'user 1'))),
    'a send keeps the SimHash that parley.simhash gives'
);
select t.act('ann');
select t.start('greeted' || n, 'user' || n + 11, 'good morning') from generate_series(1, 6) n;
select is(t.verdicts('greeted6'), null, 'a greeting is nobody''s mass mailing');

-- repeated in one place
select t.act('dan');
select t.rule($$update parley.tier_entitlement set granted = true$$);
select t.start('nagging', 'user1', :offer);
select t.send('nagging', :offer) from generate_series(1, 4);
select is(t.folder('nagging', 'user1'), 'inbox', 'five times the same may be said');
select t.send('nagging', upper(:offer) || '!');
select is(t.folder('nagging', 'user1'), 'requests', 'the sixth time is one too many');
select is(t.verdicts('nagging'), 'filter repeated_text', 'and says why');

-- five texts in turns of four: the last 16 never say what comes
select t.act('cid');
select t.start('turns' || n, 'user' || n) from generate_series(1, 20) n;
select t.send('turns' || n, case (n - 1) / 4
    when 0 then 'the red bicycle in the yard of my aunt is for sale with a basket and two new tyres'
    when 1 then 'we look for somebody who waters tomatoes and feeds three cats all of next August please'
    when 2 then 'cheap lessons on piano or guitar every evening except Sunday close to the old harbour'
    when 3 then 'earn money at home by filling envelopes while your children are at school each morning'
    else 'tickets of tomorrow''s concert left over because my sister fell ill and cannot travel now'
end) from generate_series(1, 20) n;
select is(
    (select count(*) from generate_series(1, 20) n where t.verdicts('turns' || n) is not null), 0::bigint,
    'four of each of five texts may be sent'
);
select t.send('turns5', 'the red bicycle in the yard of my aunt is for sale with a basket and two new tyres');
select is(t.verdicts('turns5'), 'filter mass_send', 'the fifth of one of them is one too many');

-- links
select is(t.findings('see https://example.com'), null, 'an ordinary link is fine');
select is(t.findings('see bit.ly/abc'), 'shortened_link', 'a shortener hides where it leads');
select is(t.findings('see https://m.bit.ly/abc'), 'shortened_link', 'also below its name');
select is(t.findings('see http://rabbit.ly/abc'), null, 'a name that ends like it is another');
select is(t.findings('a.com b.com c.com d.com'), 'many_links', 'four links are many');
select is(t.findings('http://paypa1.com'), 'lookalike_link', 'a host that looks like another''s');
select is(t.findings('http://paypal.com and http://www.google.com'), null, 'the hosts themselves are fine');
select is(t.findings('http://xn--80ak6aa92e.com'), 'lookalike_link punycode_link', 'also in punycode');
select is(t.findings('http://раypal.com'), 'lookalike_link mixed_script_link', 'and in letters of another script');
select is(t.findings('http://3232235777/'), 'ip_link', 'a number');
select t.rule($$insert into parley.link_verdict values (sha256('http://example.com/bad'), 'known_bad_link', true, now() + interval '1 hour')$$);
select is(t.findings('example.com/bad'), 'known_bad_link', 'a link that a service warned of');
select t.rule($$update parley.link_verdict set expires_at = now() - interval '1 second'$$);
select is(t.findings('example.com/bad'), null, 'as long as it said');

-- rules are rows
select t.refused('23514', $$select t.rule($q$insert into parley.spam_rule values ('x', 'magic', 'on', 1, 1, 'open', 'requests', '{}', 'x')$q$)$$, 'a rule is of a kind');
select t.refused('PT400', $$select t.rule($q$insert into parley.spam_rule values ('x', 'pattern', 'on', 1, 1, 'open', 'requests', '{"pattern": "("}', 'x')$q$)$$, 'a pattern that is none is refused at once');
select t.refused('PT400', $$select t.rule($q$insert into parley.spam_rule values ('x', 'terms', 'on', 1, 1, 'open', 'requests', '{"terms": {"free": "much"}}', 'x')$q$)$$, 'a term needs a number');
select t.refused('PT400', $$select t.rule($q$update parley.spam_rule set parameters = '{}' where name = 'ip_link'$q$)$$, 'shapes are needed');
select t.rule($$insert into parley.spam_rule values
    ('money', 'pattern', 'shadow', 0.6, 1, 'open', 'requests', '{"pattern": "western union|wire the money"}', 'Talk of money.'),
    ('words', 'terms', 'on', 0.5, 3, 'open', 'requests', '{"terms": {"free": 2, "prize": 1.5, "lunch": -2}}', 'Words.')$$);
select is(t.findings('Please wire the money today'), 'money', 'a pattern of the deployment''s own');
select is(t.findings('FREE prize!'), 'words', 'words that weigh enough together');
select is(t.findings('free free free lunch'), null, 'each counts once, and some speak against it');
select t.act('eve');
select is(t.look('select bool_and(text_rules) from parley.tier'), 'true', 'a send knows that there are rules for words');
select t.start('shadow', 'user2', 'Could you wire the money by tomorrow please');
select is(t.verdicts('shadow'), 'allow (money)', 'a rule in the shadow is recorded');
select is(t.folder('shadow', 'user2'), 'inbox', 'and changes nothing');
select t.rule($$update parley.spam_rule set mode = 'on' where name = 'money'$$);
select t.send('shadow', 'wire the money now please');
select is(t.folder('shadow', 'user2'), 'requests', 'switched on, the next message obeys');
select t.rule($$update parley.setting set value = '0.55' where name = 'spam_block_at'$$);
select t.refused('PT422', $$select t.send('shadow', 'wire the money')$$, 'a lower bound is obeyed by the next');
select t.rule($$update parley.setting set value = '2' where name in ('spam_block_at', 'spam_filter_at')$$);
select lives_ok(format($$select t.send('shadow', %L)$$, :phish), 'a bound above 1 is never reached');
select t.rule($$update parley.setting set value = '0.9' where name = 'spam_block_at'$$);
select t.rule($$update parley.setting set value = '0.5' where name = 'spam_filter_at'$$);

-- reputation
select t.host();
select is(parley.sender_reputation(t.id('cid')), 1::double precision, 'against a newcomer nothing speaks');
select is((select a.complained_of from parley.account as a where a.id = t.id('cid')), false, 'nor is there a mark');
insert into parley.block (blocker_id, blocked_id) values (t.id('eve'), t.id('cid'));
insert into parley.message_request (conversation_id, recipient_id, sender_id, status, answered_at)
values (t.id('talk'), t.id('dan'), t.id('cid'), 'declined', now());
select is(round(parley.sender_reputation(t.id('cid'))::numeric, 2), 0.40, 'a block and a decline speak against');
select is((select a.complained_of from parley.account as a where a.id = t.id('cid')), true, 'of which there is a mark, for the send');
select is(t.findings('hello there'), 'bad_reputation', 'so that the rule fires');
update parley.block set created_at = now() - interval '60 days';
update parley.message_request set answered_at = now() - interval '60 days' where status = 'declined';
select is(round(parley.sender_reputation(t.id('cid'))::numeric, 2), 0.73, 'half of it is forgotten in 30 days');
select t.rule($$update parley.spam_rule set mode = 'on' where name = 'reported_without_phone'$$);
select parley.note_report(t.id('cid'));
select is(t.findings('hello there'), 'bad_reputation reported_without_phone', 'a report without a verified telephone number');
select parley_api.set_phone_verified(t.id('cid'));
select is(t.findings('hello there'), 'bad_reputation', 'with one only the report itself');

-- new accounts are judged among friends, too
select t.rule($$update parley.account set created_at = now() where id = t.id('bob')$$);
select t.act('bob');
select t.refused('PT422', format($$select t.send('talk', %L)$$, :phish), 'a new account is judged everywhere');
select t.rule($$update parley.tier_limit set amount = 0 where name = 'new_account_hours'$$);
select lives_ok(format($$select t.send('talk', %L)$$, :phish), 'unless none counts as new');
select t.rule($$update parley.tier_limit set amount = 24 where name = 'new_account_hours'$$);
select lives_ok($$select t.send('talk', 'bit.ly/abc')$$, 'what would be filtered passes');
select is(t.folder('talk', 'ann'), 'inbox', 'in a conversation of friends nothing moves');

-- trying a rule over the past
select t.host();
select is(
    (select count(*) from parley.try_spam_rule('mass_send', now() - interval '1 day') r where r.conversation_id in (t.id('mass5'), t.id('mass6'))),
    2::bigint, 'a rule is tried over the past'
);
select * from finish();
rollback;
