-- The boundary of tenants holds whenever something is read or sent, whoever writes tenant_member, and when.
begin;
select no_plan();
\ir ../people.psql
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;
update parley.account set tier_name = 'privileged' where tier_name = 'free';
select t.keep('north', '00000000-0000-4000-8000-00000000000a');
select t.keep('south', '00000000-0000-4000-8000-00000000000b');
insert into parley.tenant (id, name) values (t.id('north'), 'North'), (t.id('south'), 'South');
grant select on t.named to public;
create function t.join_tenant(name text, tenant text) returns void language sql as $$
    insert into parley.tenant_member (tenant_id, user_id) values (t.id($2), t.id($1))
$$;
create function t.leave_tenant(name text, tenant text) returns void language sql as $$
    delete from parley.tenant_member m where m.tenant_id = t.id($2) and m.user_id = t.id($1)
$$;
create function t.severed(conversation text) returns text language sql security definer as $$
    select concat_ws(' ', cp.severed_at is not null, c.restricted)
    from parley.conversation_profile cp inner join parley.conversation c on c.id = cp.conversation_id
    where cp.conversation_id = t.id($1)
$$;
create function t.sees(name text) returns text language plpgsql as $$
begin
    perform t.act(name);
    return (select string_agg(n.name, ' ' order by n.name) from parley_api.conversations c inner join t.named n on n.id = c.id);
end
$$;

-- conversations from before: Ann and Bob, and a group of Ann, Bob and Cid, meet outside of all stores
select t.act('ann');
select t.keep('old', parley_api.start_conversation(array[t.id('bob')], message => 'hello') ->> 'id');
select t.keep('oldgroup', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group', message => 'hello') ->> 'id');
select t.host();
select is(t.severed('old'), 'f f', 'people of no store write to each other');
select t.last_event_seq('old') as event_seq \gset
select t.join_tenant('ann', 'north') is null as done \gset
select is(t.severed('old'), 't t', 'once one of them is in a store their conversation is read-only');
select is(t.events_since('old', :event_seq), 'conversation:updated', 'and tells it');
select is(t.severed('oldgroup'), 't t', 'so is their group');
select t.act('ann');
select is(t.sees('ann'), 'old oldgroup', 'both are still read');
select is(parley_api.get_conversation(t.id('old')) -> 'read_only', 'true', 'and say so');
select is(
    t.failure($$select t.send('old', 'x')$$) - 'detail',
    '{"code": "PT403", "message": "This conversation can only be read: its participants do not share a tenant.", "hint": "Members of a tenant write to members of the same tenant."}',
    'a send is refused'
);
select is(t.failure(q), t.failure($$select t.send('old', 'x')$$), 'in the same words: ' || q)
from unnest(array[
    $$select parley_api.start_conversation(array[t.id('bob')], message => 'x')$$,
    $$select parley_api.schedule_message(t.id('old'), 'x', (now() + interval '1 day')::text)$$,
    $$select parley_api.start_call(t.id('old'), 'voice', 'phone')$$,
    $$select parley_api.declare_attachment(t.id('old'), 'image', 'a.png', 'image/png', 9)$$,
    $$select parley_api.create_poll(t.id('old'), 'Which?', '{a,b}')$$,
    $$select parley_api.update_conversation(t.id('oldgroup'), 'Title')$$,
    $$select parley_api.add_participants(t.id('oldgroup'), array[t.id('eve')])$$
]) q;
select is((parley_api.get_conversation_messages(t.id('old')) #>> '{messages,0,id}') is null, false, 'reading goes on');
select t.keep('hello', parley_api.get_conversation_messages(t.id('old')) #>> '{messages,0,id}');
select t.refused('PT403', $$select parley_api.edit_message(t.id('hello'), 'y')$$, 'no edit');
select t.refused('PT403', $$select parley_api.add_reaction(t.id('hello'), '👍')$$, 'no reaction');
select t.refused('PT403', $$select parley_api.forward_message(t.id('hello'), array[t.id('oldgroup')])$$, 'no forward into it');
select t.act('bob');
select t.refused('PT403', $$select t.send('old', 'x')$$, 'for the other either');
select is(parley_api.start_conversation(array[t.id('ann')]) ->> 'id', t.id('old')::text, 'who finds the conversation there is');
select t.refused('PT403', $$select parley_api.start_conversation(array[t.id('ann')], 'group')$$, 'and begins none anew');
select t.host();
select t.join_tenant('bob', 'south') is null as done \gset
select is(t.severed('old'), 't t', 'in two stores they do not write either');
select t.join_tenant('bob', 'north') is null as done \gset
select is(t.severed('old'), 'f f', 'in the same one they do');
select is(t.severed('oldgroup'), 't t', 'but not with somebody of none');
select t.act('ann');
select lives_ok($$select t.send('old', 'again')$$, 'the conversation goes on');
select is((parley_api.remove_participant(t.id('oldgroup'), t.id('cid'))) -> 'read_only', 'false', 'and the group without the one who is outside');
select t.act('bob');
select lives_ok($$select t.send('oldgroup', 'again')$$, 'is written to');
select t.host();
select t.leave_tenant('bob', 'north') is null as done \gset
select is(t.severed('old') || t.severed('oldgroup'), 't tt t', 'who moves away takes the boundary along');
select t.leave_tenant('ann', 'north') is null as done \gset
select t.leave_tenant('bob', 'south') is null as done \gset
select is(t.severed('old') || t.severed('oldgroup'), 'f ff f', 'with nobody in a store all is as before');

-- host SQL on tenant_member: out of all of the store at once, and only of it
select t.join_tenant(n, 'north') is null as done from unnest(array['ann', 'bob', 'cid']) n;
select t.join_tenant(n, 'south') is null as done from unnest(array['ann', 'eve']) n;
select t.act('ann');
select t.keep('north1', parley_api.start_conversation(array[t.id('cid')], message => 'hello') ->> 'id');
select t.keep('north2', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group', message => 'hello') ->> 'id');
select t.keep('south1', parley_api.start_conversation(array[t.id('eve')], message => 'hello') ->> 'id');
select t.host();
select is(t.sees('ann'), 'north1 north2 old oldgroup south1', 'a member of two stores sees both');
select t.host();
select t.last_event_seq('north2') as event_seq \gset
delete from parley.tenant_member m where m.user_id = t.id('ann') and m.tenant_id = t.id('north');
select is(t.events_since('north2', :event_seq), 'message:new participant:left message:new participant:updated', 'a deleted row ends her place in its conversations, which are told');
select is(t.look('select count(*) from parley.departure'), '0', 'at once');
select is(t.sees('ann'), 'old oldgroup south1', 'and she sees those of the other');
select is(t.severed('old'), 't t', 'what she had outside with those of the store is read-only');
select t.refused('PT403', format('select parley_api.%s', f), 'nothing reads or writes: ' || f)
from unnest(array[
    $$send_message(t.id('north1'), 'x')$$, $$get_conversation(t.id('north1'))$$, $$get_conversation_messages(t.id('north1'))$$,
    $$get_events(t.id('north1'))$$, $$get_participants(t.id('north1'))$$, $$search_members(t.id('north2'), 'b')$$,
    $$mark_as_read(t.id('north1'), 1)$$, $$add_participants(t.id('north2'), array[t.id('eve')])$$, $$save_draft(t.id('north1'), 'x')$$
]) f;
select is(strpos(parley_api.get_unread_counts()::text, t.id(c)::text), 0, 'nothing is counted') from unnest(array['north1', 'north2']) c;
select is(strpos(parley_api.sync()::text, t.id('north1')::text), 0, 'nothing is synchronised');
select t.host();
select is(
    (select a.allowed from parley.authorize_join('authenticated', t.id('ann'), null, 'conversation:' || t.id('north1')) a), false, 'and no topic is joined'
);

-- a move is a leaving and a coming
select t.last_event_seq('north1') as event_seq \gset
update parley.tenant_member set tenant_id = t.id('south') where user_id = t.id('cid');
select is(t.events_since('north1', :event_seq), 'message:new participant:left', 'who is moved by host SQL leaves what is there');
select is(t.sees('cid'), null, 'and takes nothing along');
select is(parley_api.start_conversation(array[t.id('eve')]) ->> 'tenant_id', t.id('south')::text, 'but meets people where they are now');
select t.refused('PT403', $$select parley_api.start_conversation(array[t.id('bob')])$$, 'and no longer where they were');

-- a member of many conversations: what cannot be told at once is told by the job, and is over all the same
select t.host();
select t.join_tenant('dan', 'south') is null as done \gset
select t.act('ann');
select count(parley_api.start_conversation(array[t.id('dan')], context_type => 'listing', context_id => n::text)) from generate_series(1, 130) n;
select t.host();
delete from parley.tenant_member m where m.user_id = t.id('dan');
select is(t.look('select count(*) from parley.departure'), '30', 'a hundred are told in the transaction');
select is(t.sees('dan'), null, 'all are gone');
select t.host();
select t.keep('untold', t.look('select min(d.conversation_id::text) from parley.departure d'));
select t.act('ann');
select lives_ok($$select t.send('untold', 'still there?')$$, 'the other goes on');
select t.host();
update parley.event set xid = '3' where xid = pg_current_xact_id();
select is(
    (select r.revoked from parley.read_log('1:1:', 0, 1000000) r where r.conversation_id = t.id('untold') order by r.id desc limit 1),
    array[t.id('dan')], 'a socket that is still open gets nothing of it'
);
select t.join_tenant('dan', 'south') is null as done \gset
select t.last_event_seq('untold') as event_seq \gset
select t.act('ann');
select t.look(format('select x.context_id from parley.conversation_context x where x.conversation_id = %L', t.id('untold'))) as context_id \gset
select is(parley_api.start_conversation(array[t.id('dan')], context_type => 'listing', context_id => :'context_id') ->> 'id', t.id('untold')::text, 'who comes back before it was told');
select is(t.events_since('untold', :event_seq), 'message:new participant:left participant:joined', 'has left first');
select t.act('dan');
select is(parley_api.get_conversation_messages(t.id('untold')) -> 'messages', '[]', 'and sees nothing of what was said meanwhile');
select t.host();
select is(parley.settle_departures(), false, 'the job does the rest');
select is(t.look('select count(*) from parley.departure'), '0', 'all of it');
select is(
    (select count(*) from parley.participant p where p.user_id = t.id('dan') and p.left_at is not null and p.left_event_seq is not null), 129::bigint, 'each is told'
);

-- a request, and the one who was asked leaves the store and comes back
update parley.setting set value = 'requests' where name = 'stranger_messages';
insert into parley.account (id, display_name, tier_name) select md5(n)::uuid, n, 'privileged' from unnest('{fay,gus}'::text[]) n;
insert into t.named select n, md5(n)::uuid from unnest('{fay,gus}'::text[]) n;
select t.join_tenant('fay', 'south'), t.join_tenant('gus', 'south') \g /dev/null
select t.act('fay');
select t.keep('ask', parley_api.start_conversation(array[t.id('gus')], message => 'f1') ->> 'id');
select t.host();
select t.leave_tenant('gus', 'south') is null as done \gset
select t.join_tenant('gus', 'south') is null as done \gset
insert into parley.follow values (t.id('fay'), t.id('gus'));
select t.act('fay');
select parley_api.start_conversation(array[t.id('gus')]) is not null as done \gset
select is(t.look($$select p.folder from parley.participant p where p.conversation_id = t.id('ask') and p.user_id = t.id('gus')$$), 'inbox', 'who comes back finds it where it lands now');
select lives_ok($$select t.send('ask', 'f' || n) from generate_series(2, 9) n$$, 'and it is a request no longer');
select is(t.look($$select restricted from parley.conversation where id = t.id('ask')$$), 'false', 'of which nothing is asked');
-- what may() says of a pair of which one is gone
select t.host();
delete from parley.follow;
select t.leave_tenant('gus', 'south') is null as done \gset
select t.act('fay');
select is(parley_api.may('start', t.id('gus')) - 'remedy', '{"allowed": false, "reason": "You cannot reach this user."}', 'one who is gone is begun with anew');
select is(t.failure($$select parley_api.start_conversation(array[t.id('gus')])$$) ->> 'message', 'You cannot reach this user.', 'which is what happens');
select t.host();
insert into parley.follow values (t.id('fay'), t.id('gus'));
select t.join_tenant('gus', 'south') is null as done \gset
select t.act('fay');
select parley_api.start_conversation(array[t.id('gus')]) is not null as done \gset
-- the one who asked leaves and comes back: they have not been answered by that
select t.host();
delete from parley.follow;
select t.leave_tenant('fay', 'south'), t.join_tenant('fay', 'south') \g /dev/null
select t.act('fay');
select parley_api.start_conversation(array[t.id('gus')], message => 'again') is not null as done \gset
select is(t.look($$select unanswered from parley.conversation where id = t.id('ask')$$), 'true', 'nobody answers themselves');
select is(t.look($$select count(*) from parley.message_request r where r.conversation_id = t.id('ask')$$), '0', 'who stayed is asked nothing anew');

select * from finish();
rollback;
