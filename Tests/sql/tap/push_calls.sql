-- Calls: they ring where nobody is connected, and stop when they were answered elsewhere. What is read elsewhere goes.
begin;
select no_plan();
\ir ../people.psql
\ir push.psql

select t.act('bob');
select t.device('phone', session => 's1') is null as done \gset
select t.device('phone voip', kind => 'voip', session => 's1') is null as done \gset
select t.device('tablet', session => 's2') is null as done \gset
select t.device('droid', 'fcm', session => 's3') is null as done \gset
select t.device('browser', 'webpush', session => 's4') is null as done \gset
select t.act('ann');
select t.keep('us', parley_api.start_conversation(array[t.id('bob')]) ->> 'id');
select t.host();
select t.pump() > 0 as done \gset
delete from parley.push_job;
create function t.ring() returns void language plpgsql as $$
begin
    perform t.act('ann');
    perform t.keep('call', parley_api.start_call(t.id('us'), 'video', 'laptop') ->> 'id');
    perform t.host();
    perform t.pump();
end
$$;
create function t.everywhere() returns text language sql as $$
    select string_agg(x.pushed, ', ' order by n) from (values (1, 'apns'), (2, 'fcm'), (3, 'webpush')) p (n, provider)
    cross join lateral (select t.push(p.provider) as pushed) x
$$;

select t.ring();
select is(t.jobs('ann'), null, 'who calls is not rung');
select is((select distinct expires_at from parley.push_job), (select ring_expires_at from parley.call), 'it is worth sending while it rings');
create temp table rung as select j.job from t.claimed() as j (job);
select is(
    (select string_agg(concat_ws(' ', job #>> '{target,kind}', job ->> 'lane', job #>> '{content,kind}', job #>> '{content,loc_key}', job #>> '{content,sender}'), ', ' order by job #>> '{target,kind}') from rung),
    'alert call call PARLEY_VIDEO_CALL Ann, voip call call PARLEY_VIDEO_CALL Ann',
    'a phone rings by its VoIP token, a device without one by a notification'
);
select is((select count(*) from rung where (job #>> '{target,token}') = t.token('apns', 'phone')), 0::bigint, 'and by nothing else');
select is(t.push('fcm'), 'droid call', 'and elsewhere');
select is(t.push('webpush'), 'browser call', 'in a browser, too');
select parley.settle_push_job('w', (select jsonb_agg(job || '{"outcome": "delivered"}') from rung)) is null as done \gset

-- answered on one of them
select t.act('bob');
select parley_api.accept_call(t.id('call'), 'tablet') is null as done \gset
select t.host();
select t.pump() > 0 as done \gset
select is(t.everywhere(), 'phone call_end silent, tablet call_end silent, droid call_end silent, browser call_end silent', 'devices that ring stop, a phone by its other token');
select is((select string_agg(distinct kind, ' ') from parley.push_job where device_id = t.id('phone voip')), 'call', 'nothing but a call goes to a VoIP token');
select t.act('ann');
select parley_api.end_call(t.id('call')) is null as done \gset
select t.host();
select t.pump() > 0 as done \gset
select is(t.everywhere(), null, 'its end is no news, nor is the message that tells of it');

-- missed
select t.ring();
select t.act('ann');
select parley_api.cancel_call(t.id('call')) is null as done \gset
select t.host();
select t.pump() > 0 as done \gset
select is((select string_agg(distinct concat_ws(' ', kind, state, reason), ', ') from parley.push_job where call_id = t.id('call') and kind = 'call'), 'call cancelled call_over', 'what waited to ring rings no more');
select is(t.everywhere(), 'phone call_end, tablet call_end, droid call_end, browser call_end', 'who missed it learns of it, everywhere');
select is((select string_agg(distinct state, ' ') from parley.push_job where kind = 'call_end' and call_id = t.id('call')), 'sent', 'once');
select t.act('ann');
select t.keep('call', parley_api.start_call(t.id('us'), 'video', 'laptop') ->> 'id');
select parley_api.cancel_call(t.id('call')) is null as done \gset
select t.host();
select is(t.pump() > 0, true, 'a call that is over before anybody looked');
select is((select count(*) from parley.push_job where call_id = t.id('call') and kind = 'call'), 0::bigint, 'does not ring');
delete from parley.push_job;

-- declined
select t.ring();
select is(t.push('fcm'), 'droid call', 'one device rings');
select t.act('bob');
select parley_api.decline_call(t.id('call')) is null as done \gset
select t.host();
select t.pump() > 0 as done \gset
select is(t.everywhere(), 'droid call_end silent', 'and stops when the call is declined');

-- what users want
create function t.rings(change text, back text) returns text language plpgsql as $$
declare
    v_fate text;
begin
    perform t.ring();
    execute change;
    perform t.everywhere();
    v_fate := (select string_agg(distinct concat_ws(' ', state, reason), ', ') from parley.push_job where call_id = t.id('call'));
    execute back;
    perform t.act('ann');
    perform parley_api.cancel_call(t.id('call'));
    perform t.host();
    perform t.pump();
    perform t.everywhere();
    return v_fate;
end
$$;
select is(t.rings('select', 'select'), 'sent', 'it rings');
select is(t.rings($$insert into parley.push_preference (user_id, dnd_until) values (t.id('bob'), 'infinity')$$, 'select'), 'sent', 'also where nobody disturbs');
select is(t.rings($$update parley.push_preference set calls_pierce_quiet = false$$, $$delete from parley.push_preference$$), 'suppressed do_not_disturb', 'unless calls do not pierce that');
select is(t.rings($$insert into parley.push_preference (user_id, enabled) values (t.id('bob'), false)$$, $$delete from parley.push_preference$$), 'suppressed push_off', 'not where notifications are off');
select is(t.rings($$update parley.participant set muted_until = 'infinity' where user_id = t.id('bob')$$, $$update parley.participant set muted_until = null$$), 'suppressed muted', 'nor in a conversation that is muted');
select is(t.rings($$insert into parley.block (blocker_id, blocked_id) values (t.id('bob'), t.id('ann'))$$, $$delete from parley.block$$), 'suppressed sender_blocked', 'nor from somebody who is blocked');
select is(t.rings($$update parley.call_participant set state = 'declined' where user_id = t.id('bob') and call_id = t.id('call')$$, $$update parley.call_participant set state = 'ringing' where user_id = t.id('bob') and call_id = t.id('call')$$), 'cancelled call_over', 'nor after it was answered');
delete from parley.push_job;

-- read elsewhere
select t.act('ann');
select t.send('us', 'one') is null as done \gset
select t.host();
select t.pump() > 0 as done \gset
select is(t.push(), 'phone message one badge 1, tablet message one badge 1', 'a message is shown');
select is(t.push('webpush'), 'browser message one badge 1', 'in a browser, too');
select t.act('ann');
select t.send('us', 'two') is null as done \gset
select t.host();
select t.pump() > 0 as done \gset
select t.act('bob');
select parley_api.mark_as_read(t.id('us')) is null as done \gset
select t.host();
select t.pump() > 0 as done \gset
select is((select string_agg(distinct concat_ws(' ', state, reason), ', ') from parley.push_job where kind = 'message' and last_seq = t.last_seq('us')), 'cancelled read', 'what waits is not sent any more');
select is(t.push(), null, 'a little later');
select t.due();
select is(t.everywhere(), 'phone badge badge 0 silent, phone clear silent, tablet badge badge 0 silent, tablet clear silent', 'what was shown is taken back and the number set, but in browsers, which show all');
select is((select count(*) from parley.push_job where kind in ('badge', 'clear') and device_id = t.id('droid')), 0::bigint, 'and where nothing was shown');
select t.act('ann');
select t.send('us', 'three') is null as done \gset
select t.host();
select t.pump() > 0 as done \gset
select t.push() is null as done \gset
select t.act('bob');
select parley_api.mark_as_read(t.id('us')) is null as done \gset
select t.act('ann');
select t.send('us', 'four') is null as done \gset
select t.host();
select t.pump() > 0 as done \gset
select t.push() is null as done \gset
select t.due();
select is(t.push(), null, 'not what came after it: the number is right as it is');
select is((select string_agg(distinct concat_ws(' ', kind, state, reason), ', ') from parley.push_job where state = 'suppressed'), 'badge suppressed badge_unchanged, clear suppressed newer_unread', 'for these reasons');

-- one that is being sent when it is read
select t.act('ann');
select t.send('us', 'under way') is null as done \gset
select t.host();
select t.pump() > 0 as done \gset
create temp table sending as select j.job from t.claimed() as j (job);
select t.act('bob');
select parley_api.mark_as_read(t.id('us')) is null as done \gset
select t.host();
select t.pump() > 0 as done \gset
update parley.push_job set due_at = clock_timestamp() where state = 'queued';
select is(t.push(), 'phone badge badge 0 silent, tablet badge badge 0 silent', 'what is being sent is taken back after it was sent');
select is((select string_agg(distinct concat_ws(' ', state, reason), ', ') from parley.push_job where kind = 'clear' and settled_at is null), 'queued being_sent', 'the taking back waits');
select parley.settle_push_job('w', (select jsonb_agg(job || '{"outcome": "delivered"}') from sending)) is null as done \gset
update parley.push_job set due_at = clock_timestamp() where state = 'queued';
select is(t.push(), 'phone clear silent, tablet clear silent', 'and then comes');

-- shown, and followed by much of which no device was told
select t.act('ann');
select t.send('us', 'shown') is null as done \gset
select t.host();
select t.pump() > 0 as done \gset
select t.push() is null as done \gset
insert into parley.push_job (id, tenant_id, user_id, conversation_id, message_id, first_seq, last_seq, expires_at, settled_at, lane, kind, state, collapse_key, reason)
select parley.uuid_v7(), j.tenant_id, j.user_id, j.conversation_id, j.message_id, j.last_seq, j.last_seq, j.expires_at, now(), 'message', 'message', 'suppressed', j.collapse_key, 'muted'
from (select j.* from parley.push_job j where j.kind = 'message' and j.state = 'sent' order by j.last_seq desc limit 1) j, generate_series(1, 150);
update parley.push_job set first_seq = first_seq - 1, last_seq = last_seq - 1 where state = 'sent' and kind = 'message' and last_seq = t.last_seq('us');
select t.act('bob');
select parley_api.mark_as_read(t.id('us')) is null as done \gset
select t.host();
select t.pump() > 0 as done \gset
select t.due();
select matches(t.push(), 'phone clear silent.*tablet clear silent', 'is taken back all the same');
delete from parley.push_job where state = 'suppressed';

-- deleted for everyone
select t.act('ann');
select t.keep('five', t.send('us', 'five')::text);
select t.host();
select t.pump() > 0 as done \gset
select matches(t.push(), 'phone message five', 'a message is shown');
select t.act('ann');
select parley_api.delete_message(t.id('five'), true) is not null as done \gset
select t.host();
select t.pump() > 0 as done \gset
select is(t.push(), 'phone clear silent, tablet clear silent', 'and taken back when it is deleted');
select t.act('ann');
select t.keep('six', t.send('us', 'six')::text);
select t.host();
select t.pump() > 0 as done \gset
select t.push() is null as done \gset
select t.act('ann');
select t.send('us', 'seven') is null as done \gset
select t.host();
select t.pump() > 0 as done \gset
select t.push() is null as done \gset
select t.act('ann');
select parley_api.delete_message(t.id('six'), true) is not null as done \gset
select t.host();
select t.pump() > 0 as done \gset
select is(t.push(), null, 'not where a newer one stands in its place');

-- the number on the icon goes with whatever changes it
create function t.icons(change text, who text default 'bob') returns text language plpgsql as $$
begin
    perform t.act('ann');
    perform t.keep('last', t.send('us', 'more')::text);
    perform t.send('group', 'more');
    perform t.host();
    perform t.pump();
    perform t.everywhere();
    perform t.act(who);
    execute change;
    perform t.host();
    perform t.pump();
    perform t.due();
    perform t.everywhere();
    return (
        select string_agg(distinct d.last_badge::text, ' ') || case when bool_and(d.last_badge = parley.push_badge(d.user_id)) then '' else ' wrong' end
        from parley.push_device d where d.user_id = t.id('bob') and d.kind <> 'voip' and d.provider <> 'webpush'
    );
end
$$;
select t.act('ann');
select t.keep('group', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group') ->> 'id');
select is(
    t.icons($$select parley_api.mark_as_read(t.id('us')), parley_api.mark_as_read(t.id('group'))$$), '0', 'all is read'
);
select is(t.icons($$select parley_api.delete_message(t.id('last'), true)$$, 'ann'), '1', 'a message is deleted for everyone');
select is(t.icons($$select parley_api.delete_message(t.id('last'))$$), '2', 'or for oneself');
select is(t.icons($$select parley_api.update_participant_settings(t.id('us'), mute_until => 'infinity')$$), '3', 'a conversation is muted');
select is(t.icons($$select parley_api.update_participant_settings(t.id('us'), mute_until => '2000-01-01T00:00:00Z')$$), '6', 'or not any more');
select is(t.icons($$select parley_api.block_user(t.id('ann'))$$), '8', 'what a user that is blocked has written before counts as ever');
select t.act('bob');
select parley_api.unblock_user(t.id('ann')) is null as done \gset
select is(t.icons($$select parley_api.leave_conversation(t.id('group'))$$), '4', 'a group is left');
select is(t.icons($$select parley_api.update_participant_settings(t.id('us'), archive => true)$$), '0', 'a conversation is archived');

-- an app registers at each start: whether its icon still shows a number nobody knows
select t.act('ann');
select t.send('us', 'last') is null as done \gset
select t.host();
select t.pump() > 0 as done \gset
select matches(t.push(), 'phone message last', 'a message is shown');
select is(t.device('phone', session => 's1') ->> 'name', 'phone', 'its app starts') from t.act('bob');
select t.device('new tablet', session => 's2') ->> 'name' = 'new tablet' as done \gset
select parley_api.mark_as_read(t.id('us')) is null as done \gset
select t.host();
select t.pump() > 0 as done \gset
select t.due();
select is(
    t.push(), 'new tablet badge badge 0 silent, new tablet clear silent, phone badge badge 0 silent, phone clear silent',
    'what is read elsewhere takes number and notification away, after a new token, too'
);

select * from finish();
rollback;
