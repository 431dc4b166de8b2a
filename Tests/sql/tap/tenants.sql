-- The tenant boundary: drawn by membership rows, never by what a client sends.
begin;
select plan(17);
\ir ../people.psql
select t.keep('north', '00000000-0000-4000-8000-00000000000a');
select t.keep('south', '00000000-0000-4000-8000-00000000000b');
insert into parley.tenant (id, name) values (t.id('north'), 'North'), (t.id('south'), 'South');
insert into parley.tenant_member (tenant_id, user_id) values
(t.id('north'), t.id('ann')), (t.id('north'), t.id('bob')), (t.id('south'), t.id('cid')), (t.id('south'), t.id('eve'));

select t.act('ann');
select t.refused('PT403', $$select parley_api.start_conversation(array[t.id('cid')])$$, 'members of two stores do not meet');
select t.refused('PT403', $$select parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group')$$, 'not in a group either');
select t.refused('PT403', $$select parley_api.start_conversation(array[t.id('dan')])$$, 'nor a member and somebody of no store');
select t.host();
update parley.account set tier_name = 'privileged' where id = t.id('dan');
select t.act('dan');
select t.refused('PT403', $$select parley_api.start_conversation(array[t.id('ann')])$$, 'in neither direction');
select is(
    t.look('select count(*) from parley.conversation'), '0', 'none of which leaves anything'
);
select t.refused(
    '42883', $$select parley_api.start_conversation(array[t.id('ann')], tenant_id => t.id('north'))$$, 'no client says which store it is in'
);
select t.claim(
    'authenticated',
    json_build_object(
        'sub', t.id('dan'), 'role', 'authenticated', 'tenant_id', t.id('north'),
        'user_metadata', json_build_object('tenant_id', t.id('north'))
    )::text
);
select t.refused('PT403', $$select parley_api.start_conversation(array[t.id('ann')])$$, 'nor does a claim of the token');

select t.act('ann');
select parley_api.start_conversation(array[t.id('bob')]) as talk \gset
select t.keep('talk', :'talk'::jsonb ->> 'id');
select is(:'talk'::jsonb ->> 'tenant_id', t.id('north')::text, 'a conversation within a store belongs to it');
select t.act('dan');
select t.host();
update parley.account set tier_name = 'privileged' where id = t.id('dan');
insert into parley.account (id, tier_name) values (t.id('noa'), 'free');
select t.act('dan');
select is(parley_api.start_conversation(array[t.id('noa')]) -> 'tenant_id', 'null', 'people of no store talk outside of all');

-- adding members
select t.act('ann');
select t.keep('club', parley_api.start_conversation(array[t.id('bob')], 'group') ->> 'id');
select t.refused('PT403', $$select parley_api.add_participants(t.id('club'), array[t.id('cid')])$$, 'a member of another store is not added');
select t.refused('PT403', $$select parley_api.add_participants(t.id('club'), array[t.id('dan')])$$, 'nor somebody of none');
select t.claim('service_role', '{"role": "service_role"}');
select t.refused('PT403', $$select parley_api.add_participants(t.id('club'), array[t.id('cid')])$$, 'not even by the application');
select t.act('dan');
select t.keep('open', parley_api.start_conversation(array[t.id('noa')], 'group') ->> 'id');
select t.refused('PT403', $$select parley_api.add_participants(t.id('open'), array[t.id('ann')])$$, 'members of a store are not added outside of it');
select t.host();
insert into parley.tenant_member (tenant_id, user_id) values (t.id('north'), t.id('dan'));
select t.act('ann');
select is(
    (parley_api.add_participants(t.id('club'), array[t.id('dan')])) -> 'participant_count', '3', 'once a member, they are'
);

-- members of several stores
select t.host();
insert into parley.tenant_member (tenant_id, user_id, role) values (t.id('south'), t.id('ann'), 'manager');
select t.act('ann');
select is(
    parley_api.start_conversation(array[t.id('cid')]) ->> 'tenant_id', t.id('south')::text, 'who is in two stores talks in the one both share'
);
select t.refused(
    'PT403', $$select parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group')$$, 'but brings the two together in none'
);
select t.host();
insert into parley.tenant_member (tenant_id, user_id) values (t.id('south'), t.id('dan'));
select t.act('ann');
select is(
    parley_api.start_conversation(array[t.id('dan')]) ->> 'tenant_id', t.id('south')::text,
    'if they share both, it is the one the caller manages'
);

select * from finish();
rollback;
