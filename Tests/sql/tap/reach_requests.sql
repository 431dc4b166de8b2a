-- Requests: what strangers write lands apart, marks nothing, and is accepted, declined, or expires.
begin;
select no_plan();
\ir ../people.psql
\ir reach.psql

-- the default: strangers reach the inbox
select t.act('ann');
select t.keep('plain', t.start('dan'));
select is(t.folder('dan', 'plain'), 'inbox', 'strangers reach the inbox');
select t.set('stranger_messages', 'requests');

-- who is no stranger
select t.act('dan');
select t.keep('again', parley_api.start_conversation(array[t.id('ann')], context_type => 'listing', context_id => '1') ->> 'id');
select is(t.folder('ann', 'again'), 'inbox', 'whom one has written to');
select t.keep('back', parley_api.start_conversation(array[t.id('ann')], context_type => 'listing', context_id => '2') ->> 'id');
select t.act('eve');
select parley_api.follow_user(t.id('cid')) is not null as done \gset
select t.keep('fan', t.start('cid'));
select is(t.folder('cid', 'fan'), 'inbox', 'or whoever follows');
select t.set('followers_reach_inbox', 'false');
select parley_api.follow_user(t.id('dan')) is not null as done \gset
select t.keep('fan2', t.start('dan'));
select is(t.folder('dan', 'fan2'), 'requests', 'unless the deployment says otherwise');
select t.set('followers_reach_inbox', 'true');
select t.act('cid');
select parley_api.follow_user(t.id('bob')) is not null as done \gset
select t.act('bob');
select t.keep('friend', t.start('cid'));
select is(t.folder('cid', 'friend'), 'inbox', 'or whom the recipient follows');

-- a stranger
select t.last_event() as before \gset
select t.act('ann');
select t.keep('ask', parley_api.start_conversation(array[t.id('bob')], message => 'm1') ->> 'id');
select is(t.folder('bob', 'ask'), 'requests', 'a stranger lands among the requests');
select is(t.folder('ann', 'ask'), 'inbox', 'and has it in the inbox');
select is(t.own_events('bob', :before), 'request:new', 'the recipient is told of a request');
select t.keep('m2', t.send('ask', 'm2')::text);
select t.act('bob');
select is(parley_api.get_user_conversations() -> 'conversations' @? format('$[*] ? (@.id == "%s")', t.id('ask'))::jsonpath, false, 'the inbox is without it');
select is(parley_api.get_user_conversations('requests') #>> '{conversations,0,id}', t.id('ask')::text, 'the requests show it');
select is(parley_api.get_user_conversations('requests') #>> '{conversations,0,last_message,content}', 'm2', 'with a preview');
select is(parley_api.get_unread_counts() - '{conversations,muted_total,archived_total,mentions_total}'::text[], '{"total": 0, "requests_total": 2, "unread_conversations": 0, "unread_requests": 1}', 'counted apart');
select t.last_event() as before \gset
select is(t.sees('ask'), 'm1 m2', 'it can be read');
select is(parley_api.mark_as_read(t.id('ask')) ->> 'unread_count', '2', 'which marks nothing');
select is(parley_api.mark_as_delivered(t.id('ask')) ->> 'last_delivered_seq', '0', 'nor that it arrived');
select is(t.last_event(), :before::bigint, 'and is no event');
select t.act('ann');
select is(t.status('m2'), 'sent', 'the sender learns nothing');
select is(t.failure($$select parley_api.start_call(t.id('ask'), 'voice', 'phone')$$), t.unreachable(), 'and it does not ring');

-- the cap
select t.keep('m3', t.send('ask', 'm3')::text), t.keep('m4', t.send('ask', 'm4')::text), t.keep('m5', t.send('ask', 'm5')::text);
select t.refused('PT403', $$select t.send('ask', 'm6')$$, 'five messages are what a stranger sends');
select is(t.last_seq('ask'), 5::bigint, 'the sixth is not written');
select t.host();
update parley.tier_limit set amount = 6 where name = 'request_messages';
select t.act('ann');
select lives_ok($$select t.send('ask', 'm6')$$, 'the next statement obeys another limit');
select t.refused('PT403', $$select t.send('ask', 'm7')$$, 'to the letter');

-- accepted
select t.last_event() as before \gset
select t.act('bob');
select is(parley_api.accept_request(t.id('ask')) #>> '{me,folder}', 'inbox', 'a request is accepted');
select is(t.own_events('bob', :before), 'request:updated participant:updated conversation:quiet', 'which the devices learn');
select is(t.own_events('ann', :before), 'request:updated', 'and the sender');
select is(parley_api.accept_request(t.id('ask')) #>> '{me,folder}', 'inbox', 'again, and nothing happens');
select is(t.own_events('ann', :before), 'request:updated', 'nobody is told twice');
select is(parley_api.get_unread_counts() -> 'total', '6', 'what came counts in the inbox');
select t.act('ann');
select is(t.status('m2'), 'sent', 'what was looked at before is not read');
select lives_ok($$select t.send('ask', 'm7')$$, 'there is no cap any more');
select is(t.look($$select restricted from parley.conversation where id = t.id('ask')$$), 'false', 'nor a mark in the way of a send');
select t.act('bob');
select parley_api.mark_as_read(t.id('ask')) is not null as done \gset
select t.act('ann');
select is(t.status('m2'), 'read', 'then it is');
select t.refused('PT409', $$select parley_api.decline_request(t.id('ask'))$$, 'what is no request is not declined');
select t.keep('more', parley_api.start_conversation(array[t.id('bob')], context_type => 'x', context_id => '1') ->> 'id');
select t.act('eve');
select t.refused('PT403', $$select parley_api.accept_request(t.id('ask'))$$, 'others answer nothing');
select t.refused('PT403', $$select parley_api.decline_request(t.id('none'))$$, 'of which they learn nothing');

-- answered by writing
select t.keep('ask2', parley_api.start_conversation(array[t.id('ann')], message => 'e1') ->> 'id');
select is(t.folder('ann', 'ask2'), 'requests', 'another stranger');
select t.act('ann');
select t.keep('a1', t.send('ask2', 'a1')::text);
select is(t.folder('ann', 'ask2'), 'inbox', 'whoever answers has accepted');
select is(t.look($$select status from parley.message_request where conversation_id = t.id('ask2')$$), 'accepted', 'it is accepted');

-- whom one follows
select t.act('cid');
select t.keep('ask3', parley_api.start_conversation(array[t.id('ann')], message => 'c1') ->> 'id');
select is(t.folder('ann', 'ask3'), 'requests', 'a third');
select t.act('ann');
select parley_api.follow_user(t.id('cid')) is not null as done \gset
select is(t.folder('ann', 'ask3'), 'inbox', 'is none any more when followed');
select is(t.look($$select unanswered from parley.conversation where id = t.id('ask3')$$), 'false', 'nor judged');

-- declined
select t.act('dan');
select t.keep('ask4', parley_api.start_conversation(array[t.id('cid')], message => 'd1') ->> 'id');
select t.act('cid');
select t.last_event() as before \gset
select is(parley_api.decline_request(t.id('ask4')), jsonb_build_object('conversation_id', t.id('ask4'), 'status', 'declined', 'blocked', false), 'a request is declined');
select is(t.own_events('dan', :before), null, 'the sender is not told');
select is(t.events_since('ask4', 0), 'participant:joined participant:joined conversation:new message:new', 'nor anybody in it');
select is(parley_api.get_user_conversations('requests') -> 'conversations', '[]', 'it is gone');
select is(t.sees('ask4'), null, 'with what it said');
select is(parley_api.decline_request(t.id('ask4')) ->> 'status', 'declined', 'again, and nothing happens');
select t.act('dan');
select t.last_event_seq('ask4') as seq, t.last_event() as before \gset
select t.keep('d2', t.send('ask4', 'd2')::text);
select is(t.sees('ask4'), 'd1 d2', 'the sender goes on');
select is(t.status('d2'), 'sent', 'and sees what was sent');
select is(t.last_event_seq('ask4'), :seq::bigint, 'without a number');
select is(t.own_events('dan', :before), 'message:new', 'the devices of the sender alone are told');
select t.keep('same', t.start('cid'));
select is(t.id('same'), t.id('ask4'), 'a start finds it as before');
select is(t.failure($$select parley_api.start_conversation(array[t.id('cid')], context_type => 'x', context_id => '9')$$), t.unreachable(), 'another thread is refused as to who is blocked');
select t.send('ask4', 'd3'), t.send('ask4', 'd4'), t.send('ask4', 'd5');
select lives_ok($$select t.send('ask4', 'd6')$$, 'the cap is where it was');
select t.refused('PT403', $$select t.send('ask4', 'd7')$$, 'and no elsewhere');
select t.act('cid');
select is(parley_api.get_user_conversations('requests') -> 'conversations', '[]', 'for the recipient nothing came');
select is(parley_api.get_unread_counts() -> 'requests_total', '0', 'nothing counts');
select t.host();
update parley.message_request set answered_at = now() - interval '31 days' where conversation_id = t.id('ask4');
select t.act('dan');
select t.last_event() as before \gset
select t.keep('d8', t.send('ask4', 'd8')::text);
select is(t.own_events('cid', :before), 'request:new', 'after thirty days it is asked anew');
select t.act('cid');
select is(parley_api.get_user_conversations('requests') #>> '{conversations,0,id}', t.id('ask4')::text, 'and shows');
select is(t.sees('ask4'), 'd8', 'without what was hidden');
select is(t.unread('cid', 'ask4'), 1::bigint, 'one is unread');
select lives_ok($$select t.send('ask4', 'c8')$$, 'it can be answered');
select t.act('dan');
select is(t.sees('ask4'), 'd1 d2 d3 d4 d5 d6 d8 c8', 'the sender sees all');

-- declined and blocked
select t.act('bob');
select t.keep('ask5', parley_api.start_conversation(array[t.id('eve')], message => 'b1') ->> 'id');
select t.act('eve');
select is(parley_api.decline_request(t.id('ask5'), true) ->> 'blocked', 'true', 'a request is blocked');
select is(parley_api.get_blocked_users() #>> '{users,0,user_id}', t.id('bob')::text, 'and its sender listed');
select t.act('bob');
select is(t.failure($$select parley_api.start_conversation(array[t.id('eve')], context_type => 'x', context_id => '1')$$), t.unreachable(), 'who is refused');

-- expired
select t.act('bob');
select t.keep('ask6', parley_api.start_conversation(array[t.id('dan')], 'group', message => 'b1') ->> 'id');
select t.keep('ask7', parley_api.start_conversation(array[t.id('dan')], message => 'b1') ->> 'id');
select t.host();
select is(parley.run_job('expire_requests'), false, 'nothing is old');
update parley.message_request set created_at = now() - interval '31 days' where conversation_id in (t.id('ask6'), t.id('ask7'));
select is(t.look('select parley.expire_requests()'), 'true', 'one expires');
select is(t.look('select parley.expire_requests()'), 'true', 'and the other');
select is(t.look('select parley.expire_requests()'), 'false', 'then all is done');
select is(t.look($$select string_agg(status, ' ') from parley.message_request where conversation_id in (t.id('ask6'), t.id('ask7'))$$), 'expired expired', 'they are expired');
select t.act('dan');
select is(parley_api.get_user_conversations('requests') -> 'conversations' @? format('$[*] ? (@.id == "%s")', t.id('ask7'))::jsonpath, false, 'it is gone');
select t.act('bob');
select lives_ok($$select t.send('ask7', 'b2')$$, 'its sender tries again');
select t.act('dan');
select is(t.sees('ask7'), 'b2', 'and is seen');

-- a group
select t.host();
insert into parley.account (id, display_name, tier_name) select md5(n)::uuid, n, 'privileged' from unnest('{fay,gus,hal}'::text[]) n;
insert into t.named select n, md5(n)::uuid from unnest('{fay,gus,hal}'::text[]) n;
insert into parley.follow values (t.id('hal'), t.id('fay'));
select t.act('fay');
select t.keep('group', parley_api.start_conversation(array[t.id('gus'), t.id('hal')], 'group', message => 'hello') ->> 'id');
select is(t.folder('gus', 'group'), 'requests', 'a stranger''s group is a request');
select is(t.folder('hal', 'group'), 'inbox', 'but not for who follows the stranger');
select t.act('gus');
select is(parley_api.decline_request(t.id('group')) ->> 'status', 'declined', 'it is declined');
select t.refused('PT403', $$select t.sees('group')$$, 'by leaving it');
select t.act('fay');
select is(t.failure($$select parley_api.add_participants(t.id('group'), array[t.id('gus')])$$), t.unreachable(), 'and nobody is added again');
select t.host();
update parley.participant set role = 'admin' where conversation_id = t.id('group') and user_id = t.id('hal');
select t.act('hal');
select is(t.failure($$select parley_api.add_participants(t.id('group'), array[t.id('gus')])$$), t.unreachable(), 'nor by somebody else');
select t.act('fay');
select is(t.failure($$select t.start('gus')$$), t.unreachable(), 'and the one who was declined stays so');
select t.act('hal');
select t.keep('group2', parley_api.start_conversation(array[t.id('fay')], 'group', context_type => 'club', context_id => '1') ->> 'id');
select t.act('fay');
select t.keep('group3', parley_api.start_conversation(array[t.id('hal')], 'group') ->> 'id');
select t.act('hal');
select parley_api.add_participants(t.id('group3'), array[t.id('gus')]) is not null as done \gset
select is(t.folder('gus', 'group3'), 'requests', 'whoever is added by a stranger has a request');
select t.act('gus');
select t.send('group3', 'hi') is not null as done \gset
select is(t.folder('gus', 'group3'), 'inbox', 'and accepts by writing');

-- a context
select t.host();
insert into parley.account (id, display_name, tier_name) select md5(n)::uuid, n, 'privileged' from unnest('{buyer,seller,third}'::text[]) n;
insert into t.named select n, md5(n)::uuid from unnest('{buyer,seller,third}'::text[]) n;
update parley.tier_limit set amount = null where period_seconds is not null;
select t.act('buyer');
select t.keep('claimed', parley_api.start_conversation(array[t.id('seller')], context_type => 'sale', context_id => '1') ->> 'id');
select is(t.folder('seller', 'claimed'), 'requests', 'a stranger gets no further by naming a context');
select t.keep('claimed_group', parley_api.start_conversation(array[t.id('third')], 'group', context_type => 'sale', context_id => '1') ->> 'id');
select is(t.folder('third', 'claimed_group'), 'requests', 'nor with a group');
select parley_api.add_participants(t.id('claimed_group'), array[t.id('seller')]) is not null as done \gset
select is(t.folder('seller', 'claimed_group'), 'requests', 'nor by adding to it');
select t.host();
select t.keep('sale', parley_api.start_conversation(array[t.id('buyer'), t.id('third')], context_type => 'sale', context_id => '2') ->> 'id');
select is(t.folder('third', 'sale'), 'inbox', 'what the application starts is in the inbox');
select t.keep('team', parley_api.start_conversation(array[t.id('buyer'), t.id('third')], 'group', context_type => 'sale', context_id => '3') ->> 'id');
select t.act('buyer');
select parley_api.add_participants(t.id('team'), array[t.id('seller')]) is not null as done \gset
select is(t.folder('seller', 'team'), 'inbox', 'also for whom others add to it');

-- roles of a tenant
select t.host();
update parley.tier_limit set amount = null;
insert into parley.account (id, display_name, tier_name) values (md5('boss')::uuid, 'Boss', 'free'), (md5('worker')::uuid, 'Worker', 'free'), (md5('mate')::uuid, 'Mate', 'privileged');
insert into t.named values ('boss', md5('boss')::uuid), ('worker', md5('worker')::uuid), ('mate', md5('mate')::uuid);
insert into parley.tenant (id, name) values (md5('shop')::uuid, 'Shop');
insert into parley.tenant_member (tenant_id, user_id, role) select md5('shop')::uuid, t.id(n), case n when 'boss' then 'manager' else 'member' end from unnest('{boss,worker,mate}'::text[]) n;
select t.act('boss');
select t.keep('order', t.start('worker'));
select is(t.folder('worker', 'order'), 'inbox', 'who manages the store of both is no stranger');
select t.act('mate');
select t.keep('chat', t.start('worker'));
select is(t.folder('worker', 'chat'), 'requests', 'a colleague is');

-- nobody answers themselves
select t.act('mate');
select t.keep('own', t.start('boss'));
select parley_api.accept_request(t.id('own')) is not null as done \gset
select is(t.look($$select unanswered from parley.conversation where id = t.id('own')$$), 'true', 'whoever asks does not accept for the other');

-- who manages the tenant reaches the inbox, also of a member who left and is back
select t.host();
delete from parley.tenant_member m where m.user_id = t.id('worker');
insert into parley.tenant_member (tenant_id, user_id) values (md5('shop')::uuid, t.id('worker'));
select t.act('boss');
select is(t.start('worker'), t.id('order')::text, 'what somebody left with the tenant is taken up again');
select is(t.folder('worker', 'order'), 'inbox', 'and its manager is no stranger then either');

-- a request that has expired: to the sender it is the same whether they are blocked
select t.host();
update parley.tier_limit set amount = 2 where name = 'request_messages';
insert into parley.account (id, display_name, tier_name) select md5(n)::uuid, n, 'privileged' from unnest('{ida,jon,kay}'::text[]) n;
insert into t.named select n, md5(n)::uuid from unnest('{ida,jon,kay}'::text[]) n;
select t.act('ida');
select t.keep('ij', t.start('jon')), t.keep('ik', t.start('kay')) \g /dev/null
select t.send(c, 'i' || n) from unnest('{ij,ik}'::text[]) c, generate_series(1, 2) n \g /dev/null
select t.act('kay');
select parley_api.block_user(t.id('ida')) is not null as done \gset
select t.host();
update parley.message_request set created_at = now() - interval '31 days' where sender_id = t.id('ida');
do $$ begin while parley.expire_requests() loop end loop; end $$;
select t.last_event() as before \gset
select t.act('ida');
select is(t.failure(format('select t.send(%L, %L) from generate_series(1, 2)', c, 'x')), null, c || ': it is asked anew') from unnest('{ij,ik}'::text[]) c;
select is(t.failure($$select t.send('ij', 'y')$$), t.failure($$select t.send('ik', 'y')$$), 'and no more often');
select is(t.failure($$select t.send('ij', 'y')$$) ->> 'code', 'PT403', 'than before');
select is(t.own_events('kay', :before), null, 'nobody is asked who has blocked');
select t.act('kay');
select is(parley_api.get_user_conversations('requests') -> 'conversations', '[]', 'nor finds it');
select * from finish();
rollback;
