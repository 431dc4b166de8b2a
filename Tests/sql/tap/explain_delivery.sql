-- explain_delivery: what became of a message, and why somebody did not get it.
begin;
select no_plan();
\ir ../people.psql
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;
insert into parley.account (id, display_name, tier_name) select md5(n)::uuid, n, 'privileged' from unnest('{late,gone,clear,susp,tier}'::text[]) n;
insert into t.named select n, md5(n)::uuid from unnest('{late,gone,clear,susp,tier}'::text[]) n;
insert into parley.tenant (id, name) values (t.id('none'), 'Shop');
insert into parley.tenant_member (tenant_id, user_id, role)
select t.id('none'), n.id, case n.name when 'dan' then 'moderator' else 'member' end from t.named n where n.name not in ('eve', 'noa', 'none');

select t.act('ann');
select t.keep('talk', parley_api.start_conversation(
    array[t.id('bob'), t.id('cid'), t.id('gone'), t.id('clear'), t.id('susp'), t.id('tier')], 'group'
) ->> 'id');
select t.keep('m', t.send('talk', 'a secret')::text);
select parley_api.add_participants(t.id('talk'), array[t.id('late')]) is null as added \gset
select parley_api.remove_participant(t.id('talk'), t.id('gone')) is null as removed \gset
select parley_api.edit_message(t.id('m'), 'another secret') is null as edited \gset
select t.act('bob');
select parley_api.mark_as_read(t.id('talk')) is null as read \gset
select t.act('cid');
select parley_api.mark_as_delivered(t.id('talk')) is null as delivered \gset
select t.act('clear');
select parley_api.delete_message(t.id('m')) is null as hidden \gset
select t.host();
update parley.account set suspended_at = now() where id = t.id('susp');
grant select on t.named to public;
select t.act('dan');
create temp table traced as select parley_api.explain_delivery(t.id('m'), null, 'a complaint') as trace;
select results_eq(
    $$select n.name, p ->> 'blocked_by', p -> 'delivered', p -> 'read', p ->> 'read_at' is not null
      from traced, jsonb_array_elements(trace -> 'participants') p inner join t.named n on n.id = (p ->> 'user_id')::uuid order by n.name$$,
    $$values ('bob', null, 'true'::jsonb, 'true'::jsonb, true), ('cid', null, 'true', 'false', false), ('clear', 'deleted_for_me', 'false', 'false', false),
             ('gone', 'left', 'false', 'false', false), ('late', 'before_history', 'false', 'false', false),
             ('susp', 'account_suspended', 'false', 'false', false), ('tier', null, 'false', 'false', false)$$,
    'who has it, who has read it, and who cannot see it for what reason'
);
select is(
    jsonb_path_query_array(trace, '$.events[*].event'), '["message:new", "message:updated"]', 'what the log says of it'
) from traced;
select is((trace #>> '{message,seq}')::bigint, 1::bigint, 'which message it is') from traced;
select unalike(trace::text, '%secret%', 'but not what it says') from traced;
select is(
    jsonb_array_length(parley_api.explain_delivery(t.id('m'), t.id('bob'), 'a complaint') -> 'participants'), 1, 'of one user, if asked so'
);
select is(
    parley_api.explain_delivery(t.id('m'), t.id('eve'), 'a complaint') #>> '{participants,0,answer}', 'They were never in the conversation.', 'who was never there is told so'
);
-- what it says of each is what each can do
select t.host();
create function t.sees(person text) returns boolean language plpgsql as $$
declare
    v_seen boolean;
begin
    perform t.act(person);
    v_seen := (select exists (select from parley_api.messages m where m.id = t.id('m')));
    perform t.host();
    return v_seen;
end
$$;
select is_empty(
    $$select n.name from traced, jsonb_array_elements(trace -> 'participants') p inner join t.named n on n.id = (p ->> 'user_id')::uuid
      where t.sees(n.name) <> (p -> 'blocked_by' = 'null')$$,
    'and is true of each'
);
insert into parley.message (id, conversation_id, seq, sender_id, created_at, type, content)
select parley.uuid_v7(now() - interval '20 days'), t.id('talk'), 100, t.id('ann'), now() - interval '20 days', 'text', 'long ago'
returning id as old \gset
update parley.tier_limit set amount = 10 where tier_name = 'privileged' and name = 'retention_days';
select is(parley_api.explain_delivery(:'old', t.id('tier'), 'a test') #>> '{participants,0,blocked_by}', 'beyond_tier', 'the tier reaches back so far only');
update parley.tier_limit set amount = 180 where tier_name = 'privileged' and name = 'retention_days';
select is(parley_api.explain_delivery(:'old', t.id('tier'), 'a test') #> '{participants,0,blocked_by}', 'null', 'or far enough');
update parley.message set expires_at = now() where id = t.id('m');
select is(parley_api.explain_delivery(t.id('m'), t.id('bob'), 'a test') #>> '{participants,0,blocked_by}', 'expired', 'one that has expired nobody sees');

select t.act('dan');
select t.refused('PT400', $$select parley_api.explain_delivery(t.id('m'), null, null)$$, 'there must be a reason');
select t.refused('PT400', $$select parley_api.explain_delivery(null, null, 'a complaint')$$, 'and a message');
select t.failure($$select parley_api.explain_delivery(t.id('none'), null, 'a complaint')$$) as unknown \gset
select is((:'unknown'::jsonb) ->> 'code', 'PT403', 'what does not exist');
select t.act('ann');
select is(t.failure($$select parley_api.explain_delivery(t.id('m'), null, 'curiosity')$$), :'unknown'::jsonb, 'looks like what is not one''s to look at, even for the sender');
select t.claim('service_role', '{"role": "service_role"}');
select t.refused('PT404', $$select parley_api.explain_delivery(t.id('none'), null, 'a ticket')$$, 'the application may know');
select isnt(parley_api.explain_delivery(t.id('m'), null, 'a ticket'), null, 'and looks at any');
select t.host();
select results_eq(
    $$select action, actor_id, actor_role, target_id, message_id, conversation_id, tenant_id from parley.audit_log where reason in ('a complaint', 'a ticket') order by id$$,
    $$select 'explain_delivery', x.actor, x.role, x.target, t.id('m'), t.id('talk'), t.id('none')
      from (values (t.id('dan'), 'moderator', null::uuid), (t.id('dan'), 'moderator', t.id('bob')),
                   (t.id('dan'), 'moderator', t.id('eve')), (null, 'service_role', null)) x (actor, role, target)$$,
    'each look is in the audit log'
);

-- what became of notifications
update parley.message set expires_at = null where id = t.id('m');
\ir push.psql
create function t.answer(person text, message text) returns text language sql as $$
    select parley.explain_delivery(t.id(message), t.id(person), 'a test') #>> '{participants,0,answer}'
$$;
create function t.pushed(person text, message text) returns jsonb language sql as $$
    select s - '{devices,why,step}'::text[] from jsonb_array_elements(parley.explain_delivery(t.id(message), t.id(person), 'a test') #> '{participants,0,steps}') s
    where s ->> 'step' = 'pushed'
$$;
select is(t.answer('bob', 'm'), 'They have read it.', 'who has read it got it');
select is(t.answer('clear', 'm'), 'They cannot see it. They have deleted it for themselves.', 'who cannot see it did not');
select is(t.answer('cid', 'm'), 'It has reached a device of theirs, and is not read.', 'who got it has not read it yet');
select t.act('tier');
select t.device('phone') is null as done \gset
select t.act('cid');
select t.device('pad') is null as done \gset
select t.device('browser', 'webpush') is null as done \gset
select parley_api.update_participant_settings(t.id('talk'), mute_until => 'infinity') is null as done \gset
select t.act('ann');
select t.keep('n', t.send('talk', 'news')::text);
select t.host();
select is(t.pushed('tier', 'n') ->> 'reason', 'not_looked_at', 'what is not decided yet') from parley.push_provider limit 1;
select t.pump() > 0 as done \gset
select is(t.pushed('tier', 'n'), '{"ok": false, "reason": "not_looked_at"}', 'and what waits');
select is(t.pushed('tier', 'm') ->> 'reason', 'no_device', 'who had no device was sent nothing');
select is(t.answer('tier', 'm'), 'They can see it, and no device of theirs has fetched it. No notification was sent: They had no device on which they can be reached.', 'in words');
select t.push() is null as done \gset
select is(t.pushed('tier', 'n'), '{"ok": true, "reason": null}', 'what was sent');
select is(t.answer('tier', 'n'), 'A provider accepted a notification of it. No device of theirs has fetched it since.', 'is told');
select is(
    (parley.explain_delivery(t.id('n'), t.id('tier'), 'a test') #> '{participants,0,steps,6,devices,0}') - '{job_id,device_id,queued_at,settled_at}'::text[],
    '{"provider": "apns", "state": "sent", "answer": "200", "worker": "w", "attempts": 1}'::jsonb, 'to which device, by whom, and with what answer'
);
update parley.participant set muted_until = null where user_id = t.id('cid');
select is(t.pushed('cid', 'n'), '{"ok": false, "reason": "muted"}', 'the reason is that of then');
select is(t.answer('cid', 'n'), 'They can see it, and no device of theirs has fetched it. No notification was sent: They had muted the conversation.', 'in words');
select is(
    (select array_agg(s ->> 'step') from jsonb_array_elements(parley.explain_delivery(t.id('n'), t.id('cid'), 'a test') #> '{participants,0,steps}') s),
    '{member,window,blocked,request,muted,rendered,pushed,delivered,read}', 'step by step'
);
select is(t.answer('ann', 'n'), 'They sent it, or caused it, themselves.', 'its sender');
-- nobody without a device has a row
select t.act('late');
select t.device('bought later') is null as done \gset
select t.host();
select is(t.pushed('late', 'n') ->> 'reason', 'no_device', 'who has a device now had none then');
select t.act('late');
select parley_api.mark_as_read(t.id('talk')) is null as read \gset
select t.host();
select is(t.pushed('late', 'n') ->> 'reason', 'no_device', 'also once it is read');
select is(t.pushed('late', 'm') ->> 'reason', 'before_history', 'nor was there a notification of what was before they came');
-- who leaves afterwards was there when it was sent
select t.act('tier');
select parley_api.leave_conversation(t.id('talk')) is null as has_left \gset
select t.act('cid');
select parley_api.leave_conversation(t.id('talk')) is null as has_left \gset
select t.host();
select is(
    (parley.explain_delivery(t.id('n'), t.id('tier'), 'a test') #> '{participants,0,steps,0}') - '{joined_at,left_at}'::text[],
    '{"step": "member", "ok": true, "reason": null}'::jsonb, 'who leaves afterwards was there when it was sent'
);
select is(t.answer('tier', 'n'), 'A provider accepted a notification of it. No device of theirs has fetched it since.', 'and was told');
select is(t.answer('cid', 'n'), 'They have left since, and no device of theirs had fetched it. No notification was sent: They had muted the conversation.', 'or was not');
select is(t.answer('gone', 'n'), 'They cannot see it. They have left the conversation.', 'who had left before was not there');
select is(t.pushed('gone', 'n') ->> 'reason', 'left', 'and was not to be told');
delete from parley.push_job where user_id = t.id('tier');
select is(t.pushed('tier', 'n') ->> 'reason', 'passed_over', 'who had a device has a row, unless the log was passed over');
select t.act('ann');
select t.keep('two', parley_api.start_conversation(array[t.id('cid')]) ->> 'id');
select t.act('cid');
select parley_api.block_user(t.id('ann')) is null as done \gset
select t.act('ann');
select t.keep('unheard', t.send('two', 'you do not hear this')::text);
select t.host();
select t.pump() >= 0 as done \gset
select is(t.pushed('cid', 'unheard') ->> 'reason', 'sender_blocked', 'one that reaches nobody but its sender');
-- every reason there can be has words
select is_empty(
    $$select r.word from (
        select distinct m[1] as word from pg_catalog.pg_proc p cross join lateral regexp_matches(p.prosrc, '(?:then|suppress'',) ''([a-z_]+)''', 'g') m
        where p.oid in ('parley.decide_push'::regproc, 'parley.message_blocker'::regproc, 'parley.prepare_message_push'::regproc)
      ) r where parley.delivery_words(r.word) is null and r.word not in ('send', 'silent', 'delay', 'suppress')$$,
    'each reason has words'
);

select * from finish();
rollback;
