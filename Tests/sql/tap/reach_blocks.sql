-- Blocks: silence for the one who is blocked, in an old direct conversation, in calls, mentions, receipts and the log.
begin;
select no_plan();
\ir ../people.psql
\ir reach.psql
create function t.shown(reader text, conversation text) returns text language sql as $$
    select p ->> 'last_read_seq'
    from jsonb_array_elements(parley_api.get_conversation(t.id($2)) -> 'participants') p
    where p ->> 'user_id' = t.id($1)::text
$$;
create function t.hidden(name text, conversation text) returns bigint language sql security definer as $$
    select count(*) from parley.message_hidden h where h.conversation_id = t.id($2) and h.user_id = t.id($1) and h.suppressed
$$;
create function t.commit_events() returns void language sql security definer as $$
    update parley.event set xid = '3' where xid = pg_current_xact_id()
$$;

select t.act('ann');
select t.keep('us', parley_api.start_conversation(array[t.id('bob')], message => 'a1') ->> 'id');
select t.act('bob');
select t.keep('b2', t.send('us', 'b2')::text);
select t.act('ann');
select parley_api.mark_as_read(t.id('us')) is not null as done \gset
select t.keep('other', parley_api.start_conversation(array[t.id('cid')], message => 'later') ->> 'id');

-- the block itself
select t.last_event() as before \gset
select is(parley_api.block_user(t.id('bob')), jsonb_build_object('user_id', t.id('bob'), 'blocked', true), 'somebody is blocked');
select is(t.own_events('ann', :before), 'conversation:quiet contact:updated', 'which the own devices learn');
select is(t.own_events('bob', :before), null, 'and nobody else');
select is(t.events_since('us', 4), 'message:new message:read', 'nor is it in the conversation');
select t.last_event() as before \gset
select is(parley_api.block_user(t.id('bob')), jsonb_build_object('user_id', t.id('bob'), 'blocked', true), 'again');
select is(t.last_event(), :before::bigint, 'and nothing happens');
select is(parley_api.block_user(t.id('noa')) ->> 'blocked', 'true', 'whether there is such a user is not told');
select t.refused('PT400', $$select parley_api.block_user(t.id('ann'))$$, 'nobody blocks themselves');
select t.refused('PT400', $$select parley_api.block_user(null)$$, 'nor nobody');
select is((select string_agg(coalesce(u ->> 'display_name', '-'), ' ' order by u ->> 'display_name') from jsonb_array_elements(parley_api.get_blocked_users() -> 'users') u), 'Bob -', 'they are listed');
select is(jsonb_array_length(parley_api.get_blocked_users(page_size => 1) -> 'users'), 1, 'page by page');
select is(
    (select count(distinct u ->> 'user_id') from (
        select jsonb_array_elements(p.page -> 'users') as u from (
            select parley_api.get_blocked_users(page_size => 1) as page
            union all
            select parley_api.get_blocked_users(parley_api.get_blocked_users(page_size => 1) ->> 'next_cursor', 1)
        ) p
    ) x), 2::bigint, 'without losing one'
);
select t.refused('PT400', $$select parley_api.get_blocked_users('x')$$, 'a cursor is one of ours');
select is(t.failure($$select t.send('us', 'x')$$) ->> 'message', 'You have blocked this user.', 'who blocks does not write');
select is(t.failure($$select parley_api.start_call(t.id('us'), 'voice', 'phone')$$) ->> 'message', 'You have blocked this user.', 'nor call');
select is(t.failure($$select parley_api.start_conversation(array[t.id('bob')], context_type => 'x', context_id => '1')$$) ->> 'message', 'You have blocked this user.', 'nor start anew');

-- silence
select t.look($$select last_event_seq from parley.conversation where id = t.id('us')$$) as seq \gset
select t.act('bob');
select t.last_event() as before \gset
select parley_api.send_message(t.id('us'), 'b3') as answer \gset
select t.keep('b3', :'answer'::jsonb ->> 'id');
select is(
    (select array_agg(k order by k) from jsonb_object_keys(:'answer'::jsonb) k),
    (select array_agg(k order by k) from jsonb_object_keys((parley_api.get_conversation_messages(t.id('us')) #> '{messages,0}') - '{starred,read_at}'::text[]) k),
    'the answer has the shape of any'
);
select is(:'answer'::jsonb ->> 'status', 'sent', 'the message is sent');
select is(t.status('b3'), 'sent', 'and stays sent');
select is(t.sees('us'), 'a1 b2 b3', 'its sender sees it');
select is(t.own_events('bob', :before), 'message:new', 'the devices of the sender are told');
select is(t.own_events('ann', :before), null, 'those of the blocker are not');
select is(t.last_event_seq('us'), :seq::bigint, 'it has no event_seq');
select is(t.hidden('ann', 'us'), 1::bigint, 'it is hidden in the same breath');
select is((parley_api.get_user_conversations() #>> '{conversations,0,last_message,content}'), 'b3', 'it is the last of the sender''s inbox');
select t.keep('dup', gen_random_uuid()::text);
select t.keep('b4', parley_api.send_message(t.id('us'), 'b4', client_message_id => t.id('dup')) ->> 'id');
select is(parley_api.send_message(t.id('us'), 'b4', client_message_id => t.id('dup')) ->> 'id', t.id('b4')::text, 'a retry gets it again');
select is(parley_api.edit_message(t.id('b4'), 'b4!') ->> 'content', 'b4!', 'it can be edited');
select lives_ok($$select parley_api.add_reaction(t.id('b4'), '👍')$$, 'and all the rest');
select is(t.last_event_seq('us'), :seq::bigint, 'of which nobody is told');
select lives_ok($$select parley_api.add_reaction(t.id('b2'), '👍')$$, 'nor of what is done with an older one');
select is(t.last_event_seq('us'), :seq::bigint, 'while it lasts');
select lives_ok($$select parley_api.create_poll(t.id('us'), 'Why?', '{a,b}')$$, 'a poll');
select is(parley_api.update_conversation(t.id('us'), title => 'Hey!') ->> 'title', null, 'the conversation is not changed');
select t.set('direct_threading', 'pair');
select is(parley_api.start_conversation(array[t.id('ann')], context_type => 'booking', context_id => '7') ->> 'id', t.id('us')::text, 'nor found anew about something');
select is(t.look($$select count(*) from parley.conversation_context$$), '0', 'of which it is not');
select t.set('direct_threading', 'pair_and_context');
select lives_ok($$select parley_api.schedule_message(t.id('us'), 'b6', (clock_timestamp() + interval '1 hour')::text)$$, 'what is scheduled');
select t.host();
update parley.scheduled_message set send_at = clock_timestamp(), attempt_at = clock_timestamp();
select isnt(t.look('select parley.send_due_messages()'), null, 'is sent when it is time');
select is(t.look('select status from parley.scheduled_message'), 'sent', 'as ever');
select t.last_event() as before \gset
select t.act('bob');
select parley_api.mark_as_delivered(t.id('us')) is not null and parley_api.mark_as_read(t.id('us')) is not null as done \gset
select is(t.own_events('bob', :before), 'message:read', 'how far the blocked one reads is told to their own devices');
select is(t.last_event_seq('us'), :seq::bigint, 'and to no other');
select t.act('ann');
select is(t.sees('us'), 'a1 b2', 'the blocker sees nothing of it');
select is(t.unread('ann', 'us'), 0::bigint, 'nothing is unread');
select is(parley_api.get_unread_counts() -> 'total', '0', 'nothing counts');
select is(parley_api.get_user_conversations() #>> '{conversations,0,id}', t.id('other')::text, 'nor does it come up in the inbox');
select is(parley_api.get_user_conversations() #>> '{conversations,1,last_message,content}', 'b2', 'where the last is the last one seen');
select t.refused('PT404', $$select parley_api.get_message_receipts(t.id('b3'))$$, 'its id is of no use');
select t.refused('PT404', $$select parley_api.add_reaction(t.id('b3'), '👍')$$, 'for anything');
select t.refused('PT404', $$select parley_api.forward_message(t.id('b3'), array[t.id('other')])$$, 'at all');
select is_empty($$select * from parley_api.messages m where m.id = t.id('b3')$$, 'no view has it');
select is(
    (select string_agg(e ->> 'event', ' ' order by n) from jsonb_array_elements(parley_api.get_events(t.id('us'), :seq) -> 'events') with ordinality x (e, n)),
    null, 'the log has nothing for the blocker'
);
select is(parley_api.get_events(t.id('us'), 0) -> 'to', to_jsonb(:seq::bigint), 'and says that all numbers are settled');
select t.commit_events();
select is(parley_api.sync(parley_api.sync() ->> 'cursor') -> 'events', '[]', 'a sync brings nothing');
select is(parley_api.sync() -> 'to' -> t.id('us')::text, to_jsonb(:seq::bigint), 'and says up to where');
select is((select count(*) from parley_api.attachments), 0::bigint, 'no files');
select t.host();
select is(
    (select count(*) from parley.replay('authenticated', t.id('ann'), 'user:' || t.id('ann'), null, '-infinity', 1000) r where r.payload::jsonb #>> '{message,content}' = 'b3'), 0::bigint, 'a replay has nothing either'
);
select is(
    (select r.kind from parley.replay('authenticated', t.id('bob'), 'user:' || t.id('bob'), null, '-infinity', 1000) r where (r.payload::jsonb #>> '{message,content}') = 'b3'), 'message:new', 'that of its sender has'
);
select is((select parley.run_job('index_messages')) is null, false, 'the index is made');
select t.act('ann');
select is(parley_api.search_messages('b3') -> 'results', '[]', 'a search finds nothing');
select is(parley_api.search_messages('b2') #>> '{results,0,message,content}', 'b2', 'but what was before');
select t.act('bob');
select is(parley_api.search_messages('b3') #>> '{results,0,message,content}', 'b3', 'its sender finds it');

-- receipts, calls
select t.act('ann');
select t.last_event() as before \gset
select is(parley_api.mark_as_read(t.id('us')) ->> 'last_read_seq', t.last_seq('us')::text, 'the blocker reads');
select is(parley_api.mark_as_delivered(t.id('us')) is null, false, 'or receives');
select is(t.own_events('ann', :before), 'message:read', 'which only they learn');
select is(t.last_event_seq('us'), :seq::bigint, 'the other does not');
select t.act('bob');
select is(t.shown('ann', 'us'), '2', 'who sees a recipient who never reads');
select is(t.status('b3'), 'sent', 'nor has it arrived');
select is(
    (select string_agg(m ->> 'status', ' ' order by (m ->> 'seq')::bigint) from jsonb_array_elements(parley_api.get_conversation_messages(t.id('us')) -> 'messages') m where m ->> 'sender_id' = t.id('bob')::text),
    'read sent sent sent sent', 'in the history'
);
select is(t.failure($$select parley_api.start_call(t.id('us'), 'voice', 'phone')$$), t.unreachable(), 'a call is refused');
select is((select d ->> 'display_name' from jsonb_array_elements(parley_api.search_members(t.id('us'), 'ann')) d), 'Ann', 'who is in it is found as before');

-- a group
select t.act('cid');
select t.keep('group', parley_api.start_conversation(array[t.id('ann'), t.id('bob')], 'group') ->> 'id');
select t.act('bob');
select t.keep('g', parley_api.send_message(t.id('group'), 'g1', mentions => array[t.id('ann'), t.id('cid')]) ->> 'id');
select is(parley_api.get_conversation_messages(t.id('group')) #> '{messages,-1,mentions}', jsonb_build_array(t.id('ann'), t.id('cid')), 'in a group both are in one can be mentioned');
select is((select jsonb_agg(p ->> 'user_id' order by p ->> 'user_id') from jsonb_array_elements(parley_api.start_call(t.id('group'), 'voice', 'phone', array[t.id('ann'), t.id('cid')]) -> 'participants') p), jsonb_build_array(t.id('bob'), t.id('cid')), 'but it does not ring');
select t.act('ann');
select is(t.sees('group'), 'g1', 'what is said is seen');
select is(t.unread('ann', 'group'), 1::bigint, 'and counts');
select is((select c ->> 'mention_count' from jsonb_array_elements(parley_api.get_user_conversations() -> 'conversations') c where c ->> 'id' = t.id('group')::text), '0', 'but does not pierce');
select t.act('cid');
select is((select c ->> 'mention_count' from jsonb_array_elements(parley_api.get_user_conversations() -> 'conversations') c where c ->> 'id' = t.id('group')::text), '1', 'as it does for others');

-- the end of it
select t.act('ann');
select is(parley_api.unblock_user(t.id('bob')), jsonb_build_object('user_id', t.id('bob'), 'blocked', false), 'a block ends');
select is(parley_api.unblock_user(t.id('bob')) ->> 'blocked', 'false', 'once');
select is(t.sees('us'), 'a1 b2', 'and reveals nothing');
select t.act('bob');
select is(t.shown('ann', 'us'), '2', 'to nobody');
select t.keep('b7', parley_api.send_message(t.id('us'), 'b7', reply_to_id => t.id('b3')) ->> 'id');
select is(parley_api.get_events(t.id('us'), :seq) #>> '{events,0,payload,message,content}', 'b7', 'what comes now is seen');
select is(parley_api.get_events(t.id('us'), :seq) #> '{events,0,payload,message,reply_to}', 'null', 'without a quote of what was not');
select t.act('ann');
select is(t.sees('us'), 'a1 b2 b7', 'by both');
select is(parley_api.get_conversation_messages(t.id('us')) #> '{messages,-1,reply_to}', 'null', 'quoting nothing');
select is(t.unread('ann', 'us'), 1::bigint, 'one is unread');
select is(parley_api.get_user_conversations() #>> '{conversations,0,id}', t.id('us')::text, 'and it comes up in the inbox');
select parley_api.mark_as_read(t.id('us')) is not null as done \gset
select t.act('bob');
select is(t.status('b7'), 'read', 'and is read');
select is(t.status('b3'), 'sent', 'what was hidden stays sent');
select is(parley_api.get_message_receipts(t.id('b3')) -> 'read_count', '0', 'read by nobody');
select is(
    (select string_agg(coalesce(m ->> 'read_at', '-'), '' order by (m ->> 'seq')::bigint) from jsonb_array_elements(parley_api.get_conversation_messages(t.id('us')) -> 'messages') m where m ->> 'id' = t.id('b3')::text),
    '-', 'at no time'
);
select is_empty($$select * from parley_api.message_receipts r where r.message_id = t.id('b3') and r.user_id = t.id('ann')$$, 'nor in the view');
select isnt_empty($$select * from parley_api.message_receipts r where r.message_id = t.id('b7') and r.user_id = t.id('ann')$$, 'which has what came after');
select is(t.look($$select restricted from parley.conversation where id = t.id('us')$$), 'false', 'and a send costs what it did');
select t.look($$select last_event_seq from parley.conversation where id = t.id('us')$$) as seq \gset
select parley_api.delete_message(t.id('b4'), true) is not null as done \gset
select is(t.last_event_seq('us'), :seq::bigint, 'what was hidden never gets a number');

-- why did it not get there
select t.host();
select is(parley.explain_delivery(t.id('b3'), null, 'why') #>> '{participants,0,blocked_by}', 'sender_blocked', 'the application can ask');

-- the application brings two together
select t.act('dan');
select parley_api.block_user(t.id('eve')) is not null as done \gset
select t.host();
select t.keep('met', parley_api.start_conversation(array[t.id('dan'), t.id('eve')]) ->> 'id');
select t.act('eve');
select t.send('met', 'e1') is not null as done \gset
select t.act('dan');
select is(t.sees('met'), null, 'a block holds also there');
select parley_api.mark_as_read(t.id('met')) is not null as done \gset
select t.act('eve');
select is(t.shown('dan', 'met'), '0', 'nobody is seen to read');

-- what tells a blocker of the other by a way round
select t.host();
insert into parley.spam_rule (name, kind, mode, weight, threshold, parameters, description)
values ('casino', 'pattern', 'on', 0.6, 1, '{"pattern": "casino"}', 'Games.');
update parley.setting set value = 'inbox' where name = 'stranger_messages';
insert into parley.account (id, display_name, tier_name) select md5(n)::uuid, n, 'privileged' from unnest('{fay,gus}'::text[]) n;
insert into t.named select n, md5(n)::uuid from unnest('{fay,gus}'::text[]) n;
select t.act('fay');
select t.keep('way', parley_api.start_conversation(array[t.id('gus')], message => 'f1') ->> 'id');
select t.act('gus');
select t.keep('secret', parley_api.create_poll(t.id('way'), 'Which?', '{a,b}', anonymous => true) ->> 'id');
select t.host();
update parley.conversation set unanswered = true where id = t.id('way');
select t.act('gus');
select parley_api.block_user(t.id('fay')) is not null as done \gset
select t.last_event() as before, t.last_event_seq('way') as seq \gset
select t.act('fay');
select lives_ok($$select t.send('way', 'come to the casino tonight my dear')$$, 'what looks like spam');
select lives_ok($$select parley_api.vote(t.id('secret'), '{1}')$$, 'a vote that nobody sees');
select lives_ok($$select parley_api.request_export_consent(t.id('way'))$$, 'a question for consent');
select is(t.own_events('gus', :before), null, 'none of them tells whoever has blocked');
select is(t.events_since('way', :seq), null, 'nor is it in the conversation');
select is(t.folder('gus', 'way'), 'inbox', 'which stays where it was');
select t.host();
select is(
    (select count(*) from generate_series(1, 1) cross join lateral parley.table_lines('message_hidden.user_id', t.id('gus'), t.id('way'), null, 100)),
    0::bigint, 'an export does not say what was hidden'
);
select is(
    (select count(*) from parley.user_reference u where u.table_name = 'message_request' and u.column_name = 'sender_id' and u.exported),
    0::bigint, 'nor that a request was declined'
);

-- the place in the inbox: of what was hidden none, of what comes then the place of what comes
select t.host();
insert into t.named select n, md5(n)::uuid from unnest('{hal,ida,jon}'::text[]) n;
insert into parley.account (id, display_name, tier_name) select n.id, n.name, 'privileged_plus' from t.named n where n.name in ('hal', 'ida', 'jon');
create function t.first_of(name text) returns text language sql as $$
    select t.act($1);
    select case parley_api.get_user_conversations() #>> '{conversations,0,id}'
        when t.id('quarrel')::text then 'quarrel' when t.id('peace')::text then 'peace'
    end
$$;
select t.act('hal');
select t.keep('quarrel', parley_api.start_conversation(array[t.id('ida')], message => 'h1') ->> 'id');
select t.keep('peace', parley_api.start_conversation(array[t.id('jon')], message => 'h2') ->> 'id');
select parley_api.block_user(t.id('ida')) is not null as done \gset
select t.act('ida');
select t.send('quarrel', 'hidden') is not null as done \gset
select is(t.first_of('hal'), 'peace', 'what is hidden moves nothing');
select parley_api.unblock_user(t.id('ida')) is not null as done \gset
select is(t.first_of('hal'), 'peace', 'nor does the end of the block');
select t.send('quarrel', 'h3') is not null as done \gset
select is(t.first_of('hal'), 'quarrel', 'what one writes oneself does');
select parley_api.block_user(t.id('ida')) is not null as done \gset
select t.act('ida');
select t.send('quarrel', 'hidden, too') is not null as done \gset
select t.act('hal');
select t.send('peace', 'h4') is not null as done \gset
select is(t.first_of('hal'), 'peace', 'and is passed');
select t.host();
select parley_api.send_system_message(t.id('quarrel'), 'for both') is not null as done \gset
select is(t.first_of('hal'), 'quarrel', 'so does what the application says to both');
select t.act('ida');
select t.send('quarrel', 'hidden again') is not null as done \gset
select t.act('hal');
select t.send('peace', 'h5') is not null as done \gset
select parley_api.unblock_user(t.id('ida')) is not null as done \gset
select t.act('ida');
select parley_api.block_user(t.id('hal')) is not null as done \gset
select t.act('hal');
select t.send('quarrel', 'h6') is not null as done \gset
select is(t.first_of('hal'), 'quarrel', 'and what one writes oneself to whoever does not hear it');
select t.act('ida');
select parley_api.unblock_user(t.id('hal')) is not null as done \gset
select t.act('hal');
select parley_api.block_user(t.id('ida')) is not null as done \gset

-- whoever is blocked finds their own words as before, at once and when the index has seen them
select t.host();
create function t.hits(name text) returns integer language sql as $$
    select t.act($1);
    select jsonb_array_length(parley_api.search_messages('unheard') -> 'results')
$$;
select t.commit_events();
do $$ begin while parley.index_messages() loop end loop; end $$;
select t.act('ida');
select t.send('quarrel', 'unheard') is not null as done \gset
select t.host();
select t.commit_events();
select is(t.hits('ida'), 1, 'the sender finds what nobody else sees');
select is(t.hits('hal'), 0, 'nobody else does');
select t.host();
do $$ begin while parley.index_messages() loop end loop; end $$;
select is(t.hits('ida'), 1, 'also by the index');
select is(t.hits('hal'), 0, 'and nobody else');

-- a block of one's own does not tell who is in a tenant
select t.host();
insert into parley.account (id, display_name, tier_name) values (md5('shopper')::uuid, 'Shopper', 'privileged');
insert into t.named values ('shopper', md5('shopper')::uuid);
insert into parley.tenant (id, name) values (t.id('none'), 'Shop') on conflict do nothing;
insert into parley.tenant_member (tenant_id, user_id) values (t.id('none'), t.id('shopper'));
select t.act('fay');
select parley_api.block_user(t.id('shopper')), parley_api.block_user(t.id('noa')) \g /dev/null
select is(t.failure($$select t.start('shopper')$$), t.failure($$select t.start('noa')$$), 'nor do starts tell');
select is(t.failure($$select t.start('shopper')$$) ->> 'message', 'You have blocked this user.', 'which say why');
select is(parley_api.may('start', t.id('shopper')), parley_api.may('start', t.id('noa')), 'nor may()');

-- whoever was blocked before they came
select t.act('fay');
select parley_api.block_user(md5('late')::uuid) \g /dev/null
select t.host();
insert into parley.account (id, tier_name) values (md5('late')::uuid, 'free'), (md5('other')::uuid, 'free');
select is(
    (select string_agg(a.complained_of::text, ' ' order by a.complained_of) from parley.account as a where a.id in (md5('late')::uuid, md5('other')::uuid)),
    'false true', 'an account begins with what was said of the user before'
);
select * from finish();
rollback;
