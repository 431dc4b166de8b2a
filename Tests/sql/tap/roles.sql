-- Roles in a group: who gives and takes them, and that somebody is always left to decide.
begin;
select no_plan();
\ir ../people.psql
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;

create function t.roles() returns text language sql security definer as $$
    select string_agg(n.name || ':' || p.role, ' ' order by n.name)
    from parley.participant p inner join t.named n on n.id = p.user_id
    where p.conversation_id = t.id('us') and p.left_at is null
$$;
create function t.last_text() returns text language sql security definer as $$
    select parley.notice_text(m.metadata) from parley.message m where m.conversation_id = t.id('us') order by m.seq desc limit 1
$$;

select t.act('ann');
select t.keep('direct', parley_api.start_conversation(array[t.id('bob')]) ->> 'id');
select t.keep('us', parley_api.start_conversation(array[t.id('bob'), t.id('cid'), t.id('dan')], 'group') ->> 'id');

-- refused
select t.last_event_seq('us') as event_seq \gset
select t.refused('PT400', $$select parley_api.set_participant_role(t.id('us'), t.id('bob'), 'king')$$, 'an unknown role');
select t.refused('PT400', $$select parley_api.set_participant_role(t.id('us'), t.id('bob'), null)$$, 'no role');
select t.refused('PT400', $$select parley_api.set_participant_role(null, t.id('bob'), 'admin')$$, 'no conversation');
select t.refused('PT400', $$select parley_api.set_participant_role(t.id('direct'), t.id('bob'), 'admin')$$, 'two people have no admins');
select t.refused('PT404', $$select parley_api.set_participant_role(t.id('us'), t.id('eve'), 'admin')$$, 'who is not in it has none');
select t.refused('PT403', $$select parley_api.set_participant_role(t.id('us'), t.id('ann'), 'member')$$, 'the last owner stays');
select t.refused('PT403', $$select parley_api.set_participant_role(t.id('us'), t.id('ann'), 'admin')$$, 'owner');
select t.act('bob');
select t.refused('PT403', $$select parley_api.set_participant_role(t.id('us'), t.id('bob'), 'admin')$$, 'a member does not make themselves an admin');
select t.act('eve');
select is(
    t.failure($$select parley_api.set_participant_role(t.id('us'), t.id('bob'), 'admin')$$),
    t.failure($$select parley_api.set_participant_role(t.id('none'), t.id('bob'), 'admin')$$), 'a stranger learns nothing'
);
select is(t.events_since('us', :event_seq), null, 'none of which is an event');

-- given and taken
select t.act('ann');
select is(parley_api.set_participant_role(t.id('us'), t.id('bob'), 'admin') ->> 'role', 'admin', 'the owner makes an admin');
select is(t.last_text(), 'Ann made Bob an admin.', 'which is said');
select is(t.events_since('us', :event_seq), 'message:new participant:updated', 'and told');
select is(
    t.look(format('select (user_id, actor_id, data)::text from parley.event where conversation_id = %L and event_seq = %s', t.id('us'), :event_seq + 2)),
    format('(%s,%s,"{""role"": ""admin""}")', t.id('bob'), t.id('ann')), 'who, and by whom'
);
select t.last_event_seq('us') as event_seq \gset
select is(parley_api.set_participant_role(t.id('us'), t.id('bob'), 'admin') ->> 'role', 'admin', 'once more is fine');
select is(t.events_since('us', :event_seq), null, 'and no event');
select t.act('bob');
select is(parley_api.set_participant_role(t.id('us'), t.id('cid'), 'admin') ->> 'role', 'admin', 'an admin makes an admin');
select t.refused('PT403', $$select parley_api.set_participant_role(t.id('us'), t.id('cid'), 'owner')$$, 'but no owner');
select t.refused('PT403', $$select parley_api.set_participant_role(t.id('us'), t.id('bob'), 'owner')$$, 'least of all themselves');
select t.refused('PT403', $$select parley_api.set_participant_role(t.id('us'), t.id('ann'), 'member')$$, 'nor demotes one');
select is(parley_api.set_participant_role(t.id('us'), t.id('cid'), 'member') ->> 'role', 'member', 'an admin takes it back');
select is(t.last_text(), 'Bob made Cid a member.', 'which is said');
select t.act('ann');
select is(parley_api.set_participant_role(t.id('us'), t.id('bob'), 'owner') ->> 'role', 'owner', 'the owner makes an owner');
select is(parley_api.set_participant_role(t.id('us'), t.id('ann'), 'member') ->> 'role', 'member', 'and may step down, now');
select is(t.roles(), 'ann:member bob:owner cid:member dan:member', 'one owner is left');
select t.act('bob');
select parley_api.update_conversation(t.id('us'), status => 'locked') is null as locked \gset
select t.refused('PT403', $$select parley_api.set_participant_role(t.id('us'), t.id('cid'), 'admin')$$, 'what is locked stays as it is');
select parley_api.update_conversation(t.id('us'), status => 'active') is null as locked \gset

-- joining with a role
select t.act('cid');
select t.refused('PT403', $$select parley_api.add_participants(t.id('us'), array[t.id('eve')], roles => jsonb_build_object(t.id('eve'), 'admin'))$$, 'a member adds no admin');
select t.act('bob');
select t.refused('PT400', $$select parley_api.add_participants(t.id('us'), array[t.id('eve')], roles => '[]')$$, 'roles are an object');
select t.refused('PT400', $$select parley_api.add_participants(t.id('us'), array[t.id('eve')], roles => jsonb_build_object(t.id('eve'), 'king'))$$, 'of roles');
select t.refused('PT400', $$select parley_api.add_participants(t.id('us'), array[t.id('eve')], roles => jsonb_build_object(t.id('cid'), 'admin'))$$, 'of those who join');
select parley_api.add_participants(t.id('us'), array[t.id('eve')], roles => jsonb_build_object(t.id('eve'), 'admin')) is null as added \gset
select is(t.roles(), 'ann:member bob:owner cid:member dan:member eve:admin', 'an owner adds an admin');
select t.act('eve');
select t.refused('PT403', $$select parley_api.add_participants(t.id('us'), array[t.id('noa')], roles => jsonb_build_object(t.id('noa'), 'owner'))$$, 'who adds no owner');

-- somebody is always left
select t.act('bob');
select parley_api.leave_conversation(t.id('us')) is null as gone \gset
select is(t.roles(), 'ann:member cid:member dan:member eve:owner', 'the last owner leaves: an admin follows');
select is(t.last_text(), 'Eve is now the owner.', 'which is said');
select t.host();
select t.refused('PT403', $$select parley_api.set_participant_role(t.id('us'), t.id('eve'), 'admin')$$, 'the host does not leave a group without an owner either');
select parley_api.set_participant_role(t.id('us'), t.id('cid'), 'admin') is null as made \gset
select is(t.last_text(), 'The administration made Cid an admin.', 'it gives roles');
select parley_api.remove_participant(t.id('us'), t.id('eve')) is null as gone \gset
select is(t.roles(), 'ann:member cid:owner dan:member', 'whoever goes, and however');
select parley_api.add_participants(t.id('us'), array[t.id('bob')], roles => jsonb_build_object(t.id('bob'), 'admin')) is null as added \gset
update parley.account set suspended_at = now() where id in (t.id('bob'), t.id('ann'));
select parley_api.remove_participant(t.id('us'), t.id('cid')) is null as gone \gset
select is(t.roles(), 'ann:member bob:admin dan:owner', 'nobody whose account is closed takes over while there is somebody else');
update parley.account set suspended_at = null where id in (t.id('bob'), t.id('ann'));

-- made by the host
select t.claim('service_role', '{"role": "service_role"}');
select t.refused('PT400', $$select parley_api.start_conversation(array[t.id('bob'), t.id('cid')], roles => jsonb_build_object(t.id('bob'), 'owner'))$$, 'a direct conversation has no roles');
select t.refused('PT400', $$select parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group', roles => jsonb_build_object(t.id('dan'), 'owner'))$$, 'roles are for those who are in it');
select t.keep('us', parley_api.start_conversation(
    array[t.id('bob'), t.id('cid'), t.id('dan')], 'announcement', roles => jsonb_build_object(t.id('bob'), 'owner', t.id('cid'), 'admin')
) ->> 'id');
select is(t.roles(), 'bob:owner cid:admin dan:member', 'the host says who owns what it makes');
select t.act('cid');
select lives_ok($$select t.send('us', 'news')$$, 'who may send in its announcement');
select t.act('dan');
select t.refused('PT403', $$select t.send('us', 'news')$$, 'and the others may not');
select t.act('ann');
select t.refused('PT403', $$select parley_api.start_conversation(array[t.id('bob')], 'group', roles => jsonb_build_object(t.id('bob'), 'owner'))$$, 'a user owns what they start');

select * from finish();
rollback;
