-- can_access_conversation: the check for an application's own rules, which tells strangers nothing.
begin;
select plan(19);
\ir ../people.psql
select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('bob')], 'group') ->> 'id');

select t.claim('anon', '');
select t.refused('42501', $$select parley_api.can_access_conversation(t.id('talk'))$$, 'anon may not ask');
select t.claim('authenticated', '');
select t.refused('42501', $$select parley_api.can_access_conversation(t.id('talk'))$$, 'nor nobody');
select t.refused('42501', $$select parley_api.can_access_conversation(t.id('talk'), t.id('ann'))$$, 'not about others either');
select t.act('eve');
select is(parley_api.can_access_conversation(t.id('talk')), false, 'a stranger has no access');
select is(parley_api.can_access_conversation(t.id('none')), false, 'nor to what does not exist');
select is(parley_api.can_access_conversation(null), false, 'nor to nothing');
select is(parley_api.can_access_conversation(t.id('talk'), t.id('ann')), false, 'and does not learn who has');
select t.act('ann');
select is(parley_api.can_access_conversation(t.id('talk')), true, 'a participant has');
select is(parley_api.can_access_conversation(t.id('talk'), t.id('ann')), true, 'also by name');
select is(parley_api.can_access_conversation(t.id('talk'), t.id('bob')), true, 'and knows of the other participants');
select is(parley_api.can_access_conversation(t.id('talk'), t.id('eve')), false, 'and of those who are none');
select t.claim('service_role', '{"role": "service_role"}');
select is(parley_api.can_access_conversation(t.id('talk'), t.id('bob')), true, 'the service role asks about anybody');
select is(parley_api.can_access_conversation(t.id('talk'), t.id('eve')), false, 'and gets both answers');
select is(parley_api.can_access_conversation(t.id('talk')), false, 'about nobody the answer is no');
select t.host();
select is(parley_api.can_access_conversation(t.id('talk'), t.id('bob')), true, 'plain SQL of the application as well');

-- as part of a policy of the host application
create schema shop;
create table shop.listing_photo (id bigint, conversation_id uuid not null);
alter table shop.listing_photo enable row level security;
grant usage on schema shop to authenticated;
grant select on shop.listing_photo to authenticated;
create policy photo_select on shop.listing_photo for select to authenticated using (parley_api.can_access_conversation(conversation_id));
insert into shop.listing_photo values (1, t.id('talk')), (2, t.id('none'));
select t.act('bob');
select results_eq('select id from shop.listing_photo', 'values (1::bigint)', 'it works in a policy of the application');
select t.act('eve');
select is_empty('select id from shop.listing_photo', 'for strangers, too');

select t.host();
update parley.participant set left_at = now() where user_id = t.id('bob');
select t.act('bob');
select is(parley_api.can_access_conversation(t.id('talk')), false, 'who has left has no access');
select t.act('ann');
select is(parley_api.can_access_conversation(t.id('talk'), t.id('bob')), false, 'in the eyes of others, too');

select * from finish();
rollback;
