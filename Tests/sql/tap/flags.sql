-- Feature flags: off, on, for some; the switch for messaging; obeyed by the next statement, through every door.
begin;
select no_plan();
\ir ../people.psql
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;
select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group', message => 'hello') ->> 'id');
select t.keep('m', t.send('talk', 'one')::text);
select parley_api.send_message(t.id('talk'), 'kept', client_message_id => t.id('noa')) is null as sent \gset
select t.host();

create function t.set(flag text, set_to text) returns void language plpgsql security definer as $$
begin
    execute format('update parley.feature_flag set %s where name = %L', set_to, flag);
end
$$;
insert into parley.feature_flag (name, description) values ('stickers', 'Stickers.');

-- values
select is(parley.flag_for(t.id('ann'), 'stickers'), false, 'a flag is off by default');
select t.refused('PT404', $$select parley.flag_for(t.id('ann'), 'stikcers')$$, 'one there is not is an error');
select t.set('stickers', $$state = 'on'$$);
select is(parley.flag_for(t.id('ann'), 'stickers'), true, 'on is for everybody');
select t.set('stickers', $$state = 'some'$$);
select is(parley.flag_for(t.id('ann'), 'stickers'), false, 'some is for nobody else');
insert into parley.feature_flag_user values ('stickers', t.id('ann'));
select is(parley.flag_for(t.id('ann'), 'stickers'), true, 'than the listed');
insert into parley.tenant (id, name) values (t.id('none'), 'Shop');
insert into parley.tenant_member (tenant_id, user_id) values (t.id('none'), t.id('bob'));
insert into parley.feature_flag_tenant values ('stickers', t.id('none'));
select is(parley.flag_for(t.id('bob'), 'stickers'), true, 'members of a tenant');
select is(parley.flag_for(t.id('cid'), 'stickers'), false, 'and nobody else');
select t.set('stickers', 'percentage = 100');
select is(parley.flag_for(t.id('cid'), 'stickers'), true, 'and a share of all');
select t.set('stickers', $$starts_at = now() + interval '1 hour'$$);
select is(parley.flag_for(t.id('ann'), 'stickers'), false, 'before it starts it is off');
select t.set('stickers', $$starts_at = now() - interval '1 hour', ends_at = now() + interval '1 hour'$$);
select is(parley.flag_for(t.id('ann'), 'stickers'), true, 'then on');
select t.set('stickers', $$ends_at = now() - interval '1 second'$$);
select is(parley.flag_for(t.id('ann'), 'stickers'), false, 'and off when it ends');

-- 20% by hash is 20% within 1%, the same users each time, and more with more
create table t.roll as
select ('00000000-0000-4000-8000-' || lpad(to_hex(i), 12, '0'))::uuid as id from generate_series(1, 20000) i;
select cmp_ok(abs((select count(*) from t.roll r where parley.flag_bucket(r.id, 'stickers') < 20) / 200.0 - 20), '<', 1.0, '20% of users is 20% within 1%');
select is(
    (select count(*) from t.roll r where parley.flag_bucket(r.id, 'stickers') < 20 and parley.flag_bucket(r.id, 'stickers') < 50),
    (select count(*) from t.roll r where parley.flag_bucket(r.id, 'stickers') < 20), 'who has it keeps it with a greater share'
);
select cmp_ok((select count(*) from t.roll r where parley.flag_bucket(r.id, 'stickers') < 20 and parley.flag_bucket(r.id, 'other') < 20), '<', 1000::bigint, 'each flag has other users first');

-- the switch
delete from parley.tenant_member;
select is(t.look('select bool_or(send_flagged) from parley.tier'), 'false', 'while messaging is on no send asks');
select t.act('ann');
select parley_api.add_reaction(t.id('m'), '👍') is null as done \gset
select t.keep('poll', parley_api.create_poll(t.id('talk'), 'which?', array['a', 'b']) ->> 'id');
select parley_api.vote(t.id('poll'), '{1}') is null as done \gset
select t.host();
select t.set('messaging', $$state = 'off'$$);
select is(t.look('select bool_and(send_flagged) from parley.tier'), 'true', 'else every one does');
insert into parley.tier (name, rank, description) values ('late', 9, 'Late.');
select is(t.look($$select send_flagged from parley.tier where name = 'late'$$), 'true', 'also of a plan that is new');
select t.act('bob');
select is(t.failure($$select t.send('talk', 'two')$$) - 'message',
    '{"code": "PT503", "hint": "Reading goes on. Keep what is to be sent; get_entitlements tells when it is on again, as flags.messaging.", "detail": "{\"flag\": \"messaging\"}"}',
    'with messaging off a send is refused, and told how it goes on');
select t.refused('PT503', $$select parley_api.forward_message(t.id('m'), array[t.id('talk')])$$, 'so is a forward');
select t.refused('PT503', $$select parley_api.create_poll(t.id('talk'), 'which?', array['a', 'b'])$$, 'a poll');
select t.refused('PT503', $$select parley_api.start_conversation(array[t.id('cid')], 'group')$$, 'a new conversation');
select t.refused('PT503', $$select parley_api.start_call(t.id('talk'), 'voice', 'd1')$$, 'a call');
select t.refused('PT503', $$select parley_api.add_reaction(t.id('m'), '🎉')$$, 'a reaction');
select t.refused('PT503', $$select parley_api.declare_attachment(t.id('talk'), 'file', 'a.txt', 'text/plain', 10)$$, 'and a file');
select t.refused('PT503', $$select parley_api.vote(t.id('poll'), '{1}')$$, 'a vote');
select is(jsonb_array_length(parley_api.get_conversation_messages(t.id('talk')) -> 'messages'), 4, 'reading goes on');
select is(parley_api.mark_as_read(t.id('talk')) ->> 'unread_count', '0', 'also marking as read');
select is(parley_api.get_entitlements() #>> '{flags,messaging}', 'false', 'clients learn of it');
select is(parley_api.get_entitlements() #>> '{flags,stickers}', 'false', 'as of every flag');
select t.act('ann');
select t.refused('PT503', $$select parley_api.edit_message(t.id('m'), 'other words')$$, 'what was said is not said otherwise');
select t.refused('PT503', $$select parley_api.update_conversation(t.id('talk'), 'words')$$, 'nor by a title');
select t.refused('PT503', $$select parley_api.update_conversation(t.id('talk'), description => 'words')$$, 'or a description');
select t.refused('PT503', $$select parley_api.add_participants(t.id('talk'), array[t.id('dan')])$$, 'nobody else hears of it');
select is(parley_api.add_participants(t.id('talk'), array[t.id('bob')]) ->> 'id', t.id('talk')::text, 'who is there is');
select is(parley_api.update_conversation(t.id('talk'), max_members => 20) ->> 'id', t.id('talk')::text, 'a group is still kept in order');
select is(parley_api.vote(t.id('poll'), '{}') -> 'my_vote', '[]', 'a vote can be taken back');
select is(parley_api.remove_reaction(t.id('m'), '👍') -> 'reactions', '[]', 'a reaction can be taken back');
select is(parley_api.send_message(t.id('talk'), 'kept', client_message_id => t.id('noa')) ->> 'content', 'kept', 'a retry of what was sent is answered');
select t.host();
select lives_ok($$select parley.send_system_message(t.id('talk'), 'Back soon.')$$, 'the application still speaks');
select t.act('ann');
select parley_api.schedule_message(t.id('talk'), 'later', send_at => to_char(now() at time zone 'UTC' + interval '1 day', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) is null as done \gset
select t.host();
update parley.scheduled_message set send_at = now(), attempt_at = now(), attempts = 25;
select parley.send_due_messages() is null as done \gset
select is(t.look('select status || error_code from parley.scheduled_message'), 'pendingPT503', 'what is scheduled waits, however long');
select t.set('messaging', $$state = 'some', percentage = 0$$);
select t.act('bob');
select t.refused('PT403', $$select t.send('talk', 'two')$$, 'before messaging has reached a user it is not theirs');
select t.host();
insert into parley.feature_flag_user values ('messaging', t.id('bob'));
select t.act('bob');
select isnt(t.send('talk', 'two'), null, 'then it is');
select t.host();
select t.set('messaging', $$state = 'on'$$);
select is(t.look('select bool_or(send_flagged) from parley.tier'), 'false', 'on for all, no send asks any more');
delete from parley.feature_flag where name = 'messaging';
select t.act('cid');
select isnt(t.send('talk', 'three'), null, 'without the flag messaging is on');
select is(jsonb_array_length(parley_api.add_reaction(t.id('m'), '🎉') -> 'reactions'), 1, 'for all that it switches');

-- devices are told
select t.host();
do $$ begin while parley.announce_flags() loop end loop; end $$;
delete from parley.event;
select is(parley.announce_flags(), false, 'nothing new, nothing told');
select t.set('stickers', $$ends_at = null$$);
do $$ begin while parley.announce_flags() loop end loop; end $$;
select is(t.look($$select count(*) || ' ' || count(distinct e.user_id) || ' ' || bool_and(e.data -> 'flags' ? 'stickers') from parley.event e where e.kind = 'flags:updated'$$), '5 5 true', 'a change is told to everybody');
delete from parley.event;
select t.set('stickers', $$ends_at = now() - interval '1 second'$$);
update parley.feature_flag set announce_after = null, announced_at = now() - interval '1 minute';
do $$ begin while parley.announce_flags() loop end loop; end $$;
select is(t.look($$select count(*) from parley.event e where e.kind = 'flags:updated'$$), '5', 'as is an end that has come');

delete from parley.event;
insert into parley.feature_flag_user values ('stickers', t.id('cid'));
select is(t.look($$select string_agg(e.user_id::text, ' ') from parley.event e where e.kind = 'flags:updated'$$), t.id('cid')::text, 'who is listed is told');
insert into parley.feature_flag_tenant values ('stickers', t.id('none')) on conflict do nothing;
delete from parley.feature_flag_tenant where tenant_id = t.id('none');
do $$ begin while parley.announce_flags() loop end loop; end $$;
select is(t.look($$select count(*) from parley.event e where e.kind = 'flags:updated'$$), '6', 'and of a tenant everybody');

-- through the application's door
select t.claim('service_role', '{"role": "service_role"}');
select is(parley_api.set_feature_flag('badges', 'some', 25, description => 'Badges.') ->> 'percentage', '25.00', 'the application makes a flag');
select is(parley_api.set_feature_flag('badges', percentage => 50) ->> 'state', 'some', 'and changes what it names');
select t.refused('PT400', $$select parley_api.set_feature_flag('badges', 'maybe')$$, 'off, on or some');
select t.refused('PT400', $$select parley_api.set_feature_flag('badges', percentage => 101)$$, 'of at most all');
select t.refused('PT400', $$select parley_api.set_feature_flag('Badges!')$$, 'by a name');
select t.refused('PT400', $$select parley_api.set_feature_flag('badges', starts_at => '2026-01-01T00:00:00Z', ends_at => '2026-01-01T00:00:00Z')$$, 'with a start before its end');
select t.host();
select is(t.look($$select count(*) from parley.audit_log where action = 'set_feature_flag'$$), '2', 'both are audited');

-- may() knows of the kill switch
select t.act('ann');
select t.keep('asked', parley_api.start_conversation(array[t.id('dan'), t.id('eve')], 'group') ->> 'id');
select is(parley_api.may('write', t.id('asked')) -> 'allowed', 'true', 'one may write');
select t.claim('service_role', '{"role": "service_role"}');
select parley_api.set_feature_flag('messaging', 'off') is not null as done \gset
select t.act('ann');
select is(
    parley_api.may('write', t.id('asked')) - 'remedy', '{"allowed": false, "reason": "Messaging is switched off."}', 'but not while it is off'
);
select is(parley_api.may('add', t.id('asked')) -> 'allowed', 'false', 'nor add anybody');
select is(parley_api.may('join', t.id('asked')) -> 'allowed', 'true', 'reading goes on');
select * from finish();
rollback;
