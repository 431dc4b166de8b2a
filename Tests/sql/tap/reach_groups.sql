-- Whoever reaches strangers with a group asks them as with a direct conversation: a request for each, a bound, and rules of
-- spam. What a user says that it is about changes nothing; what the application says does. A decline outlives its
-- conversation.
begin;
select no_plan();
\ir ../people.psql
\ir reach.psql
update parley.account set created_at = now() - interval '30 days';
create function t.unanswered(name text) returns text language sql as $$
    select t.look(format('select unanswered from parley.conversation where id = %L', t.id(name)))
$$;
create function t.restricted(name text) returns text language sql as $$
    select t.look(format('select restricted from parley.conversation where id = %L', t.id(name)))
$$;
create function t.group(with_whom text[], message text default null) returns text language sql as $$
    select parley_api.start_conversation(array(select t.id(n) from unnest($1) n), 'group', message => $2) ->> 'id'
$$;
\set phish '''Your account was closed, sign in at http://paypal.com:login@192.0.2.7/ to open it'''
\set links '''see a.example.com b.example.com c.example.com and d.example.com'''

-- strangers reach the inbox: a group is judged until somebody answers
select t.act('ann');
select t.keep('open', t.group('{bob,cid}', 'hello'));
select is(t.unanswered('open'), 'true', 'whoever brings strangers together is a stranger there');
select t.refused('PT422', format($$select t.send('open', %L)$$, :phish), 'and is refused what looks like spam');
select t.refused('PT422', format($$select t.group('{bob,cid}', %L)$$, :phish), 'from the first message');
select t.refused('PT422', format($$select parley_api.update_conversation(t.id('open'), %L)$$, :phish), 'as a title, too');
select is(t.restricted('open'), 'false', 'nothing is asked');
select t.act('bob');
select lives_ok(format($$select t.send('open', %L)$$, :phish), 'those who were brought there are not judged');
select is(t.unanswered('open'), 'false', 'and their answer ends it');
select t.act('ann');
select lives_ok(format($$select t.send('open', %L)$$, :phish), 'the group has talked');
select parley_api.add_participants(t.id('open'), array[t.id('dan')]) is not null as done \gset
select is(t.unanswered('open'), 'true', 'until its creator brings another stranger');
select t.keep('links', t.group('{cid,dan}', 'hello'));
select parley_api.send_message(t.id('links'), :links) is not null as done \gset
select is(t.folder('cid', 'links') || t.folder('dan', 'links'), 'requestsrequests', 'what is filtered makes it a request to those who do not know the sender');
select t.act('cid');
select t.send('links', 'who is this') is not null as done \gset
select is(t.folder('cid', 'links'), 'inbox', 'whoever answers has it in the inbox');
select is(t.unanswered('links'), 'true', 'and it is judged while it is a request to somebody');
select t.act('ann');
select parley_api.send_message(t.id('links'), :links) is not null as done \gset
select is(t.folder('cid', 'links'), 'inbox', 'who has answered keeps it there');
select t.act('dan');
select parley_api.accept_request(t.id('links')) is not null as done \gset
select is(t.unanswered('links'), 'false', 'the last to accept ends it');
-- a friend of its creator answers for nobody else
select t.act('bob');
select parley_api.follow_user(t.id('ann')) is not null as done \gset
select t.act('ann');
select t.keep('ring', t.group('{bob,eve}', 'hello'));
select t.act('bob');
select t.send('ring', 'hi') is not null as done \gset
select parley_api.accept_request(t.id('ring')) is not null as done \gset
select is(t.unanswered('ring'), 'true', 'the answer of a friend is none');
select t.refused('PT422', format($$select t.send('ring', %L)$$, :phish), 'and the friend is judged as well');
select t.act('eve');
select t.send('ring', 'hi') is not null as done \gset
select is(t.unanswered('ring'), 'false', 'that of a stranger is one');
select t.claim('service_role', '{"role": "service_role"}');
select parley_api.set_participant_role(t.id('ring'), t.id('eve'), 'admin') is not null as done \gset
select t.act('eve');
select parley_api.add_participants(t.id('ring'), array[t.id('dan')]) is not null as done \gset
select t.refused('PT422', format($$select t.send('ring', %L)$$, :phish), 'whoever brings a stranger is judged, whoever began it');
select t.act('dan');
select t.send('ring', 'hi') is not null as done \gset
select t.act('eve');
select lives_ok(format($$select t.send('ring', %L)$$, :phish), 'until that one answers');
select t.claim('service_role', '{"role": "service_role"}');
select t.keep('arranged', parley_api.start_conversation(array[t.id('ann'), t.id('eve')], 'group') ->> 'id');
select is(t.unanswered('arranged'), 'false', 'what the application begins is nobody''s request');

-- an old group, to which a member adds a stranger
select t.act('ann');
select t.keep('old', t.group('{bob,cid,dan}', 'hello'));
select t.act('cid');
select t.send('old', 'hi') is not null as done \gset
select t.claim('service_role', '{"role": "service_role"}');
select parley_api.set_participant_role(t.id('old'), t.id('bob'), 'admin') is not null as done \gset
select t.act('bob');
select parley_api.add_participants(t.id('old'), array[t.id('eve')]) is not null as done \gset
select parley_api.send_message(t.id('old'), :links) is not null as done \gset
select is(
    (select string_agg(t.folder(n, 'old'), ' ') from unnest('{ann,cid,dan,eve}'::text[]) n),
    'inbox inbox inbox requests',
    'what a member sends makes it a request to those alone whom the member brought'
);
-- the last stranger goes
select t.act('ann');
select t.keep('left', t.group('{bob,eve}', 'hello')), t.keep('removed', t.group('{bob,eve}', 'hello')) \g /dev/null
select parley_api.remove_participant(t.id('removed'), t.id('eve')) is not null as done \gset
select is(t.unanswered('removed'), 'false', 'friends are judged no longer once the stranger was removed');
select t.act('eve');
select parley_api.leave_conversation(t.id('left')) is not null as done \gset
select is(t.unanswered('left'), 'false', 'or has left');
-- those who were asked first say no, and one who came later has said nothing
select t.act('bob');
select parley_api.follow_user(t.id('eve')) is not null as done \gset
select t.act('eve');
select t.keep('shrunk', t.group('{cid,dan}', 'hello'));
select parley_api.send_message(t.id('shrunk'), :links) is not null as done \gset
select parley_api.add_participants(t.id('shrunk'), array[t.id('ann'), t.id('bob')]) is not null as done \gset
select t.act('cid');
select parley_api.decline_request(t.id('shrunk')) is not null as done \gset
select t.act('dan');
select parley_api.decline_request(t.id('shrunk'), true) is not null as done \gset
select is(t.folder('ann', 'shrunk') || ' ' || t.unanswered('shrunk'), 'inbox true', 'a decline answers for nobody else');
select t.act('eve');
select t.refused('PT422', format($$select t.send('shrunk', %L)$$, :phish), 'and whoever brought that one is judged still');
select t.act('ann');
select parley_api.follow_user(t.id('eve')) is not null as done \gset
select is(t.unanswered('shrunk'), 'true', 'a stranger who becomes a friend says nothing there');
select t.act('bob');
select t.send('shrunk', 'hi') is not null as done \gset
select is(t.unanswered('shrunk'), 'false', 'the next who writes among friends ends it');

-- strangers make requests
select t.set('stranger_messages', 'requests');
select t.host();
insert into parley.account (id, display_name, tier_name, created_at)
select md5(n)::uuid, n, 'privileged_plus', now() - interval '30 days' from unnest('{fay,gus,hal,ida,jon,kim,lou}'::text[]) n;
insert into t.named select n, md5(n)::uuid from unnest('{fay,gus,hal,ida,jon,kim,lou}'::text[]) n;
select t.last_event() as before \gset
select t.act('fay');
select t.keep('two', t.group('{gus}', 'm1'));
select is(t.folder('gus', 'two'), 'requests', 'a group of two strangers is a request');
select is(t.own_events('gus', :before), 'request:new', 'the recipient is told of it');
select is(t.restricted('two'), 'true', 'its sends are asked');
select t.send('two', 'm' || n) from generate_series(2, 5) n \g /dev/null
select is(
    t.failure($$select t.send('two', 'm6')$$),
    '{"code": "PT403", "message": "Until this user answers, you can send 5 messages.", "detail": "", "hint": "Wait for an answer."}',
    'five messages are what a stranger sends'
);
select is(t.last_seq('two'), 5::bigint, 'the sixth is not written');
select t.refused('PT422', format($$select t.group('{hal}', %L)$$, :phish), 'and it is judged');
select t.act('gus');
select parley_api.accept_request(t.id('two')) is not null as done \gset
select is(t.restricted('two'), 'false', 'accepted, it is like any group');
select is(t.unanswered('two'), 'false', 'judged no longer');
select t.act('fay');
select lives_ok($$select t.send('two', 'm6')$$, 'nor bounded');

-- of several, one who lets it in is enough for the bound
select t.keep('three', t.group('{hal,ida}'));
select t.send('three', 'm' || n) from generate_series(1, 5) n \g /dev/null
select t.refused('PT403', $$select t.send('three', 'm6')$$, 'of several strangers none has answered');
select t.act('ida');
select t.send('three', 'hi') is not null as done \gset
select t.act('fay');
select lives_ok($$select t.send('three', 'm6')$$, 'one is enough to go on');
select is(t.folder('hal', 'three') || ' ' || t.unanswered('three'), 'requests true', 'the other still has a request, and it is judged');
select t.act('hal');
select parley_api.decline_request(t.id('three')) is not null as done \gset
select is(t.restricted('three') || ' ' || t.unanswered('three'), 'false false', 'which a decline ends');

-- whoever has it as a request has it from strangers, whoever began it and whoever else is there
select t.act('fay');
select t.keep('mixed', t.group('{gus,kim}', 'm1'));
select is(t.folder('gus', 'mixed') || ' ' || t.folder('kim', 'mixed'), 'inbox requests', 'of a friend and a stranger only one is asked');
select t.act('gus');
select t.refused('PT422', format($$select t.send('mixed', %L)$$, :phish), 'the friend is judged there');
select t.send('mixed', 'hi') is not null as done \gset
select t.act('fay');
select t.refused('PT422', format($$select t.send('mixed', %L)$$, :phish), 'and ends nothing by an answer');
select t.act('kim');
select parley_api.accept_request(t.id('mixed')) is not null as done \gset
select t.act('gus');
select lives_ok(format($$select t.send('mixed', %L)$$, :phish), 'the stranger who accepts does');

-- whoever is added later
select t.act('fay');
select parley_api.add_participants(t.id('three'), array[t.id('jon')]) is not null as done \gset
select is(t.folder('jon', 'three') || ' ' || t.unanswered('three'), 'requests true', 'a stranger who is added is asked in the same way');

-- messages to strangers in an hour: R268
select t.host();
update parley.tier_limit set amount = 50, burst = 50 where name = 'messages_to_strangers_per_hour';
update parley.tier_limit set amount = null where name = 'request_messages';
select t.act('jon');
select t.keep('gk', t.group('{kim}')), t.keep('dk', t.start('lou')) \g /dev/null
select t.send('gk', 'm' || n) from generate_series(1, 25) n \g /dev/null
select t.send('dk', 'm' || n) from generate_series(1, 25) n \g /dev/null
select t.refused('PT429', format($$select t.send(%L, 'x')$$, c), c || ': fifty messages to strangers in an hour') from unnest('{gk,dk}'::text[]) c;
select t.act('kim');
select parley_api.accept_request(t.id('gk')) is not null as done \gset
select t.act('jon');
select lives_ok($$select t.send('gk', 'x')$$, 'whoever has accepted is none');
select t.act('fay');
select t.keep('crowd', t.group('{gus,lou}')) \g /dev/null
select t.send('crowd', 'm' || n) from generate_series(1, 50) n \g /dev/null
select t.refused('PT429', $$select t.send('crowd', 'x')$$, 'a friend who is there takes nothing off it');
select t.act('gus');
select lives_ok($$select t.send('crowd', 'm' || n) from generate_series(1, 51) n$$, 'whoever has brought nobody is not bounded by it');
select t.act('lou');
select parley_api.accept_request(t.id('crowd')) is not null as done \gset
select t.act('fay');
select lives_ok($$select t.send('crowd', 'x')$$, 'until nobody is asked any more');
select t.host();
update parley.tier_limit set amount = null, burst = null where name = 'messages_to_strangers_per_hour';

-- what it is about
select t.act('hal');
select t.keep('about', parley_api.start_conversation(array[t.id('kim')], context_type => 'listing', context_id => '1') ->> 'id');
select is(t.folder('kim', 'about'), 'requests', 'what a user says that it is about changes nothing');
select t.keep('team', parley_api.start_conversation(array[t.id('lou')], context_type => 'project', context_id => '1') ->> 'id');
select is(t.folder('lou', 'team'), 'requests', 'nor with a project');
select parley_api.add_participants(t.id('team'), array[t.id('gus')]) is not null as done \gset
select is(t.folder('gus', 'team'), 'requests', 'nor for those who are added');
select t.act('ann');
select parley_api.start_conversation(array[t.id('lou')], context_type => 'project', context_id => '3') is not null as done \gset
select t.host();
select parley.erase_user(t.id('ann'), 'asked to') is not null as done \gset
do $$ begin for n in 1 .. 50 loop perform parley.erase_users(); end loop; end $$;
select is((select concat_ws(' ', (select count(*) from parley.erasure e where e.finished_at is not null), count(*)) from parley.conversation_context x where x.added_by is null), '1 0', 'an erasure makes no context the application''s');
select t.claim('service_role', '{"role": "service_role"}');
select t.keep('hired', parley_api.start_conversation(array[t.id('hal'), t.id('ida')], 'project', context_type => 'project', context_id => '2', roles => jsonb_build_object(t.id('hal'), 'owner')) ->> 'id');
select is(t.folder('ida', 'hired'), 'inbox', 'what the application begins reaches the inbox');
select t.act('hal');
select parley_api.add_participants(t.id('hired'), array[t.id('kim')]) is not null as done \gset
select is(t.folder('kim', 'hired'), 'inbox', 'and so does whoever is added to what it says that it is about');

-- a decline outlives the conversation
select t.act('kim');
select parley_api.decline_request(t.id('about')) is not null as done \gset
select t.claim('service_role', '{"role": "service_role"}');
select is(parley_api.delete_conversations_of_context('listing', '1'), 1::bigint, 'the thing goes, and its conversation');
select t.act('hal');
select is(t.failure($$select t.start('kim')$$), t.unreachable(), 'the decline is still in force');
select is(t.failure($$select t.group('{kim}')$$), t.unreachable(), 'at each door');
select t.host();
select parley.expire_requests() is not null as done \gset
select is((select count(*) from parley.message_request r where r.purged), 1::bigint, 'for as long as any');
update parley.message_request set answered_at = now() - interval '31 days' where purged;
select t.act('hal');
select lives_ok($$select t.group('{kim}')$$, 'and no longer');
select t.host();
select parley.expire_requests() is not null as done \gset
select is((select count(*) from parley.message_request r where r.purged), 0::bigint, 'then it is forgotten');
select * from finish();
rollback;
