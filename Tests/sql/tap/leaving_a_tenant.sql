-- Coming to a tenant and leaving it, and what becomes of the conversations there. And plans that change.
begin;
select no_plan();
\ir ../people.psql
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;
select t.keep('north', '00000000-0000-4000-8000-00000000000a');
select t.keep('south', '00000000-0000-4000-8000-00000000000b');
insert into parley.tenant (id, name) values (t.id('north'), 'North'), (t.id('south'), 'South');

create function t.texts() returns text language sql as $$
    select string_agg(m ->> 'content', '|' order by (m ->> 'seq')::bigint)
    from jsonb_array_elements(parley_api.get_conversation_messages(t.id('direct')) -> 'messages') m
$$;
create function t.own_events(name text) returns text language sql security definer as $$
    select string_agg(e.kind || coalesce(' ' || (e.data ->> 'tier'), ''), ', ' order by e.id)
    from parley.event e where e.conversation_id is null and e.user_id = t.id($1) and e.kind not in ('conversation:new', 'entitlements:changed')
$$;
create function t.moderations_ended(name text) returns text language sql security definer as $$
    select string_agg(n.name, ' ' order by e.id)
    from parley.event e
    inner join t.named n on n.id::text = e.data ->> 'tenant_id'
    where e.kind = 'moderation:revoked' and e.conversation_id is null and e.actor_id is null and e.user_id = t.id($1)
$$;

-- coming
select t.act('ann');
select t.refused('42501', $$select parley_api.set_tenant_member(t.id('north'), t.id('ann'), 'owner')$$, 'users do not join by themselves');
select t.refused('42501', $$select parley_api.remove_tenant_member(t.id('north'), t.id('ann'))$$, 'nor leave');
select t.claim('service_role', '{"role": "service_role"}');
select t.refused('PT400', $$select parley_api.set_tenant_member(t.id('north'), t.id('ann'), 'king')$$, 'an unknown role is refused');
select t.refused('PT400', $$select parley_api.set_tenant_member(t.id('north'), null)$$, 'and nobody');
select t.refused('PT404', $$select parley_api.set_tenant_member(t.id('none'), t.id('ann'))$$, 'an unknown tenant');
select t.refused('PT404', $$select parley_api.set_tenant_member(t.id('north'), t.id('noa'))$$, 'an unknown user');
select t.refused('PT404', $$select parley_api.remove_tenant_member(t.id('north'), t.id('ann'))$$, 'who is no member does not leave');
select is(
    parley_api.set_tenant_member(t.id('north'), t.id(n)), jsonb_build_object('tenant_id', t.id('north'), 'user_id', t.id(n), 'role', 'member'), n || ' joins'
) from unnest(array['ann', 'bob', 'cid']) n;
select is(parley_api.set_tenant_member(t.id('north'), t.id('cid'), 'manager') ->> 'role', 'manager', 'and gets another role');
select parley_api.set_tenant_member(t.id('south'), t.id('ann')) is null as joined \gset
select parley_api.set_tenant_member(t.id('south'), t.id('eve')) is null as joined \gset

-- leaving
select t.act('ann');
select t.keep('direct', parley_api.start_conversation(array[t.id('bob')], message => 'one') ->> 'id');
select t.keep('south_direct', parley_api.start_conversation(array[t.id('eve')], message => 'one') ->> 'id');
select t.keep('us', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group') ->> 'id');
select t.last_event_seq('us') as event_seq \gset
select t.claim('service_role', '{"role": "service_role"}');
select is(
    parley_api.remove_tenant_member(t.id('north'), t.id('ann')),
    jsonb_build_object('tenant_id', t.id('north'), 'user_id', t.id('ann'), 'conversations_left', 2), 'who leaves is out of all conversations of the tenant'
);
select is(t.events_since('us', :event_seq), 'message:new participant:left message:new participant:updated', 'which is said and told, and somebody takes over');
select t.refused('PT404', $$select parley_api.remove_tenant_member(t.id('north'), t.id('ann'))$$, 'once');
select t.act('ann');
select set_eq('select c.id from parley_api.conversations c', $$select t.id('south_direct')$$, 'those of another tenant stay');
select t.refused('PT403', $$select t.send('direct', 'x')$$, 'what was said stays there');
select t.refused('PT403', $$select parley_api.start_conversation(array[t.id('bob')])$$, 'and there is no way back to it');
select t.act('bob');
select t.refused('PT403', $$select parley_api.start_conversation(array[t.id('ann')])$$, 'from the other side either');
select is(t.texts(), 'one|Ann left.', 'who stays keeps it');
select t.send('direct', 'alone') is null as sent \gset

-- and coming back
select t.host();
select parley.set_tenant_member(t.id('north'), t.id('ann')) is null as joined \gset
select t.last_event_seq('direct') as event_seq \gset
select t.act('ann');
select t.refused('PT403', $$select t.send('direct', 'x')$$, 'a membership alone opens nothing');
select is(parley_api.start_conversation(array[t.id('bob')], message => 'back') ->> 'id', t.id('direct')::text, 'the two find their thread');
select is(t.events_since('direct', :event_seq), 'participant:joined message:new', 'as one who joins');
select is(t.texts(), 'back', 'and sees what comes from then on');
select t.act('bob');
select is(t.texts(), 'one|Ann left.|alone|back', 'the other sees all');
select t.last_event_seq('direct') as event_seq \gset
select is(parley_api.start_conversation(array[t.id('ann')]) ->> 'id', t.id('direct')::text, 'and it is the one of the two');
select is(t.events_since('direct', :event_seq), null, 'as before');

-- plans that change
select t.host();
select is(t.own_events('bob'), null, 'a plan that is as it was is not told');
select parley.set_account_tier(t.id('bob'), 'privileged') is null as same \gset
select parley.upsert_account(t.id('bob'), 'Bobby', 'privileged') is null as same \gset
select parley.upsert_account(t.id('bob'), 'Bob') is null as same \gset
select is(t.own_events('bob'), null, 'however often it is set');
select is(parley.set_account_tier(t.id('bob'), 'free') ->> 'tier', 'free', 'a plan changes');
select is(t.own_events('bob'), 'account:updated free', 'and the user''s devices learn which it is');
select is(parley.upsert_account(t.id('bob'), tier => 'privileged_plus') ->> 'tier', 'privileged_plus', 'by the other function, too');
select is(t.own_events('bob'), 'account:updated free, account:updated privileged_plus', 'each time');
select parley.upsert_account(t.id('noa'), 'Noa', 'privileged') is null as new \gset
select is(t.own_events('noa'), null, 'a new account is no change of a plan');

-- moderators, as the one who follows the topic tenant:<id>:moderation
select t.keep('west', '00000000-0000-4000-8000-00000000000c');
insert into parley.tenant (id, name) values (t.id('west'), 'West');
select is(t.moderations_ended('ann'), null, 'a member who left had no moderation to lose');
select parley.set_tenant_member(t.id(s), t.id('dan'), 'moderator') is null as joined from unnest(array['west', 'south', 'north']) s;
select parley.set_tenant_member(t.id('west'), t.id('dan'), 'manager') is null as promoted \gset
select parley.set_tenant_member(t.id('west'), t.id('dan'), 'manager') is null as same \gset
select is(t.moderations_ended('dan'), null, 'another role that moderates ends nothing');
select parley.set_tenant_member(t.id('west'), t.id('dan')) is null as demoted \gset
select is(t.moderations_ended('dan'), 'west', 'a moderator who becomes a member loses the moderation of that tenant');
select parley.set_tenant_member(t.id('west'), t.id('dan')) is null as same \gset
select parley.remove_tenant_member(t.id('west'), t.id('dan')) is null as removed \gset
select is(t.moderations_ended('dan'), 'west', 'once');
select parley.remove_tenant_member(t.id('south'), t.id('dan')) is null as removed \gset
select is(t.moderations_ended('dan'), 'west south', 'and so does one who is removed');
delete from parley.tenant_member m where m.tenant_id = t.id('north') and m.user_id = t.id('dan');
select is(t.moderations_ended('dan'), 'west south north', 'whoever writes the row');

-- what was said in a tenant stays there
select parley.set_tenant_member(t.id('west'), t.id(n)) is null as joined from unnest(array['eve', 'dan']) n;
select t.act('eve');
select t.keep('of west', parley_api.start_conversation(array[t.id('dan')], message => 'in west') ->> 'id');
select t.host();
select parley.remove_tenant_member(t.id('west'), t.id('dan')) is null as left \gset
select parley.set_tenant_member(t.id('west'), t.id('dan')) is null as back \gset
select t.act('eve');
select is(
    (parley_api.start_conversation(array[t.id('dan')]) ->> 'id')::uuid, t.id('of west'),
    'two who are back in a tenant find their conversation'
);
select t.host();
select parley.remove_tenant_member(t.id('west'), t.id(n)) is null as left from unnest(array['eve', 'dan']) n;
select parley.set_tenant_member(t.id('south'), t.id(n)) is null as joined from unnest(array['eve', 'dan']) n;
select t.act('eve');
select t.keep('of south', parley_api.start_conversation(array[t.id('dan')], message => 'in south') ->> 'id');
select isnt(t.id('of south'), t.id('of west'), 'two who have met again in another tenant begin another conversation');
select is(
    (parley_api.start_conversation(array[t.id('dan')]) ->> 'id')::uuid, t.id('of south'), 'which is theirs from then on'
);
select is(
    t.look($$select string_agg((cp.tenant_id = t.id('south'))::text, ' ' order by cp.tenant_id = t.id('south'))
        from parley.conversation_profile as cp where cp.conversation_id in (t.id('of south'), t.id('of west'))$$), 'false true', 'each is of its tenant'
);

select * from finish();
rollback;
