-- The files of Examples/ that a host copies into its own database, as they are.
begin;
select no_plan();
\ir ../people.psql
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;
select t.keep('sam', '77777777-7777-4777-8777-777777777777');

-- the host's own tables; whoever works with them is nobody in Parley
create schema shop;
create role shop_clerk;
grant usage on schema shop to shop_clerk;
set local search_path = shop, public;
create table booking (id bigint primary key, status text not null, conversation_id uuid);
create table project (id bigint primary key);
grant select, update, delete on booking, project to shop_clerk;
-- as the service role, which is what a host has
grant usage, create on schema shop to service_role;
alter table booking owner to service_role;
alter table project owner to service_role;
set local role service_role;
\ir ../../../Examples/booking_messages.sql
\ir ../../../Examples/project_conversations.sql
reset role;

select t.act('ann');
select t.keep('us', parley_api.start_conversation(array[t.id('bob')], context_type => 'booking', context_id => '42') ->> 'id');
select t.host();
insert into booking values (42, 'requested', t.id('us')), (43, 'requested', null), (44, 'requested', t.id('none'));

create function t.said() returns text language sql security definer as $$
    select string_agg(concat(m.type, ' ', m.content, ' ', m.metadata), '|' order by m.seq) from parley.message m
$$;
create function t.update(query text) returns text language plpgsql as $$
begin
    perform t.claim('shop_clerk', '');
    execute query;
    perform t.host();
    return t.said();
end
$$;
select t.refused('42501', $$set local role shop_clerk; select parley_api.send_system_message(t.id('us'), 'x')$$, 'a clerk has no voice of their own');
select t.host();
select is(
    t.update($$update shop.booking set status = 'confirmed' where id = 42$$),
    'system The booking is now confirmed. {"status": "confirmed", "booking_id": 42}', 'a booking that is confirmed is said in its conversation'
);
select is(t.update($$update shop.booking set status = 'confirmed' where id in (42, 43)$$), t.said(), 'what does not change, or has no conversation, is not said');
select is(t.unread('ann', 'us'), 1::bigint, 'both read it');
select is(t.unread('bob', 'us'), 1::bigint, 'as a message of nobody');
savepoint before;
select t.update($$update shop.booking set status = 'cancelled' where id = 42$$) is null as said \gset
rollback to before;
select is(t.said(), 'system The booking is now confirmed. {"status": "confirmed", "booking_id": 42}', 'what is rolled back was never said');
select is(t.update($$update shop.booking set status = 'cancelled' where id = 44$$), t.said(), 'where the conversation has gone nothing is said');
select is((select b.status from shop.booking b where b.id = 44), 'cancelled', 'and the booking changes all the same');
select is(parley_api.delete_conversations_of_context('booking', '42'), 1::bigint, 'the conversation of a booking is deleted');
select lives_ok($$select t.update('update shop.booking set status = ''paid'' where id = 42')$$, 'and it goes on without');
select t.refused('PT400', $$select parley_api.send_system_message(t.id('none'), '', skip_if_gone => true)$$, 'what could never be said is an error in any case');

-- a project and its conversations
select t.act('ann');
select t.keep('team', parley_api.start_conversation(array[t.id('bob')], 'project', context_type => 'project', context_id => '7', message => 'hello') ->> 'id');
select t.keep('help', parley_api.start_conversation(array[t.id('bob')], 'support', context_type => 'project', context_id => '7') ->> 'id');
select t.keep('other', parley_api.start_conversation(array[t.id('bob')], 'project', context_type => 'project', context_id => '8') ->> 'id');
select t.host();
insert into shop.project values (7), (8);
select t.claim('shop_clerk', '');
delete from shop.project where id = 7;
select t.act('bob');
select set_eq(
    'select c.id from parley_api.conversations c', 'select t.id(n) from unnest(array[''other'']) n', 'with a project its conversations are gone'
);

select * from finish();
rollback;
