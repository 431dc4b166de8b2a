-- Who may reach whom: message_privacy and followers, at the doors that begin something, with one refusal.
begin;
select no_plan();
\ir ../people.psql
\ir reach.psql

-- the settings
select t.act('eve');
select is(parley_api.get_privacy(), '{"message_privacy": "everyone", "read_receipts": true, "show_presence": true}', 'everything is open at first');
select is(parley_api.set_privacy(message_privacy => 'no_one') ->> 'message_privacy', 'no_one', 'one thing is changed');
select is(parley_api.set_privacy(read_receipts => false), '{"message_privacy": "no_one", "read_receipts": false, "show_presence": true}', 'the others stay');
select parley_api.set_privacy(read_receipts => true) is not null as done \gset
select t.refused('PT400', $$select parley_api.set_privacy('nobody')$$, 'there are four ways');
select t.last_event() as before \gset
select parley_api.set_privacy('no_one') is not null as done \gset
select is(t.own_events('eve', :before), null, 'what changes nothing is no event');
select parley_api.set_privacy(show_presence => false) is not null as done \gset
select is(t.own_events('eve', :before), 'privacy:updated', 'what does is one for the user alone');
select t.host();
update parley.account set show_presence = true where id = t.id('eve');
select is(t.own_events('eve', :before), 'privacy:updated privacy:updated', 'whoever writes the row');

-- one refusal
select t.act('ann');
create temporary table refusal as
select x.who, x.door, t.failure(format(x.query, t.id(x.who))) as answer
from (
    select w.who, q.door, q.query
    from (values ('eve'), ('noa')) as w (who),
        (values
            ('start', 'select parley_api.start_conversation(array[%L::uuid])'),
            ('context', 'select parley_api.start_conversation(array[%L::uuid], context_type => ''listing'', context_id => ''1'')'),
            ('group', 'select parley_api.start_conversation(array[%L::uuid, t.id(''bob'')], ''group'')')
        ) as q (door, query)
) x;
select t.keep('us', parley_api.start_conversation(array[t.id('bob')], 'group') ->> 'id');
insert into refusal select w, 'add', t.failure(format('select parley_api.add_participants(t.id(''us''), array[%L::uuid])', t.id(w))) from unnest('{eve,noa}'::text[]) w;
select is((select count(*) from refusal), 8::bigint, 'four doors, two users');
select is_empty('select who, door, answer from refusal where answer is distinct from t.unreachable()', 'no_one and nobody are refused alike at each door');
select t.act('eve');
select parley_api.set_privacy('everyone') is not null as done \gset
select parley_api.block_user(t.id('ann')) is not null as done \gset
select t.act('ann');
select is(t.failure($$select t.start('eve')$$), t.unreachable(), 'as is one who has blocked');
select is(t.failure($$select parley_api.add_participants(t.id('us'), array[t.id('eve')])$$), t.unreachable(), 'also where they would be added');
select t.act('eve');
select parley_api.unblock_user(t.id('ann')) is not null as done \gset
select t.host();
update parley.account set suspended_at = now() where id = t.id('eve');
select t.act('ann');
select is(t.failure($$select t.start('eve')$$), t.unreachable(), 'or is suspended');
select t.host();
update parley.account set suspended_at = null where id = t.id('eve');
update parley.account set deleted_at = now() where id = t.id('dan');
select t.act('ann');
select is(t.failure($$select t.start('dan')$$), t.unreachable(), 'or was erased');
select is(t.failure($$select t.start('ann')$$) ->> 'code', 'PT400', 'oneself is nobody to write to');
-- the actor's own half comes first
select t.host();
update parley.tier_entitlement set granted = false;
update parley.account set message_privacy = 'no_one' where id = t.id('eve');
select t.act('ann');
select is(t.failure($$select t.start('eve')$$), t.failure($$select t.start('noa')$$), 'who may start nothing');
select isnt(t.failure($$select t.start('eve')$$), t.unreachable(), 'learns nothing of anybody');
select t.host();
update parley.tier_entitlement set granted = true;

-- friends and following
select t.host();
update parley.account set message_privacy = 'following' where id = t.id('eve');
select t.act('ann');
select is(t.failure($$select t.start('eve')$$), t.unreachable(), 'following: not whom eve does not follow');
select is(parley_api.follow_user(t.id('eve')), jsonb_build_object('user_id', t.id('eve'), 'followed', true), 'one follows');
select is(parley_api.follow_user(t.id('eve')), jsonb_build_object('user_id', t.id('eve'), 'followed', true), 'again, and nothing more happens');
select is(t.look('select count(*) from parley.follow'), '1', 'it is one row');
select is(t.failure($$select t.start('eve')$$), t.unreachable(), 'and to follow eve is not enough');
select t.act('eve');
select parley_api.follow_user(t.id('ann')) is not null as done \gset
select t.act('ann');
select lives_ok($$select t.start('eve')$$, 'whom eve follows may');
select t.host();
update parley.account set message_privacy = 'friends' where id = t.id('cid');
select t.act('ann');
select parley_api.follow_user(t.id('cid')) is not null as done \gset
select is(t.failure($$select t.start('cid')$$), t.unreachable(), 'friends: not who only follows');
select t.act('cid');
select parley_api.follow_user(t.id('ann')) is not null as done \gset
select parley_api.unfollow_user(t.id('ann')) is not null as done \gset
select t.act('ann');
select is(t.failure($$select t.start('cid')$$), t.unreachable(), 'nor who is followed no longer');
select t.act('cid');
select parley_api.follow_user(t.id('ann')) is not null as done \gset
select t.act('ann');
select lives_ok($$select t.start('cid')$$, 'two who follow each other may');
select t.refused('PT400', $$select parley_api.follow_user(t.id('ann'))$$, 'nobody follows themselves');
select t.refused('PT400', $$select parley_api.follow_user(null)$$, 'nor nobody');
select is(parley_api.follow_user(t.id('noa')) ->> 'followed', 'true', 'whether there is such a user is not told');

-- the host's own followers
select t.host();
create table public.fan (fan uuid, star uuid);
create function public.is_fan(a uuid, b uuid) returns boolean language sql stable security definer as $$ select exists (select from public.fan f where f.fan = a and f.star = b) $$;
select t.set('follow_function', 'public.is_fan');
update parley.account set message_privacy = 'following' where id = t.id('bob');
select t.act('ann');
select is(t.failure($$select t.start('bob')$$), t.unreachable(), 'a function of the host is asked');
select t.refused('PT400', $$select parley_api.follow_user(t.id('bob'))$$, 'and following is the host''s');
select t.refused('PT400', $$select parley_api.unfollow_user(t.id('bob'))$$, 'as is its end');
select t.host();
insert into public.fan values (t.id('bob'), t.id('ann'));
select t.act('ann');
select lives_ok($$select t.start('bob')$$, 'what it says counts');
select t.host();
select t.set('follow_function', 'public.no_such');
select t.act('ann');
select t.refused('PT500', $$select parley_api.start_conversation(array[t.id('bob')], context_type => 'x', context_id => '1')$$, 'one that is not there lets nobody in');
select t.host();
select t.set('follow_function', '');

-- the host is not asked
update parley.account set message_privacy = 'no_one';
select lives_ok($$select parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group')$$, 'the application brings together whom it wants');

select * from finish();
rollback;
