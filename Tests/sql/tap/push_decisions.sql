-- Whether a message is worth a notification: every reason not to, when it is queued and again when it is about to be sent.
begin;
select no_plan();
\ir ../people.psql
\ir push.psql
insert into parley.tenant (id, name) values (t.id('none'), 'Shop');

select t.act('bob');
select t.device('phone') is null as done \gset
select t.act('cid');
select t.device('pad') is null as done \gset
select t.act('ann');
select t.keep('us', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group', 'Trip') ->> 'id');
select t.keep('pair', parley_api.start_conversation(array[t.id('bob')]) ->> 'id');
select t.host();
select t.pump() > 0 as done \gset
select is(t.push(), 'pad message badge 0, phone message badge 0, phone message badge 0', 'a new conversation is told of, to those who were asked into it');
select is(t.jobs('ann'), null, 'whoever did it is told nothing');

-- plainly
select t.act('ann');
select t.send('us', 'Where are you?') is null as done \gset
select t.host();
select t.pump() > 0 as done \gset
select is(t.push(), 'pad message Ann: Where are you? badge 1, phone message Ann: Where are you? badge 1', 'a message goes to every other participant');
select t.act('ann');
select t.send('pair', 'For you') is null as done \gset
select t.host();
select t.pump() > 0 as done \gset
select is(t.push(), 'phone message For you badge 2', 'the number counts all conversations');
select is(t.fate('bob'), 'sent', 'and it is kept that it was sent');

-- nowhere to send it
create function t.nowhere(change text, back text) returns text language plpgsql as $$
declare
    v_fate text;
begin
    execute change;
    perform t.act('ann');
    perform t.send('us', 'x');
    perform t.host();
    perform t.pump();
    v_fate := t.fate('bob');
    perform t.push();
    execute back;
    return v_fate;
end
$$;
select is(t.nowhere($$update parley.push_device set enabled = false$$, $$update parley.push_device set enabled = true$$), 'suppressed device_off', 'to devices that are switched off nothing is sent');
select is(t.nowhere($$update parley.push_device set app_id = 'other'$$, $$update parley.push_device set app_id = 'app'$$), 'suppressed no_provider', 'nor to an app that no worker has credentials for');

-- one reason after another: how the world is made so, and what becomes of a message then; first when it is queued, then of
-- one that waits while the world changes
create table t.reason (word text, change text, back text);
insert into t.reason values
('suppressed push_off', $$insert into parley.push_preference (user_id, enabled) values (t.id('bob'), false)$$, $$delete from parley.push_preference$$),
('suppressed level_none', $$update parley.participant set notification_level = 'none' where user_id = t.id('bob')$$, $$update parley.participant set notification_level = 'all'$$),
('suppressed level_mentions', $$update parley.participant set notification_level = 'mentions' where user_id = t.id('bob')$$, $$update parley.participant set notification_level = 'all'$$),
('suppressed muted', $$update parley.participant set muted_until = now() + interval '1 hour' where user_id = t.id('bob')$$, $$update parley.participant set muted_until = null$$),
('suppressed request', $$update parley.participant set folder = 'requests' where user_id = t.id('bob')$$, $$update parley.participant set folder = 'inbox'$$),
('suppressed do_not_disturb', $$insert into parley.push_preference (user_id, dnd_until) values (t.id('bob'), 'infinity')$$, $$delete from parley.push_preference$$),
('suppressed quiet_hours', $$insert into parley.push_preference (user_id, quiet_mode, quiet_hours) values (t.id('bob'), 'drop', '[{"weekdays": [1, 2, 3, 4, 5, 6, 7], "from": "00:00", "to": "00:00"}]')$$, $$delete from parley.push_preference$$),
('suppressed sender_restricted', $$insert into parley.restriction (restricter_id, restricted_id) values (t.id('bob'), t.id('ann'))$$, $$delete from parley.restriction$$),
('suppressed sender_blocked', $$insert into parley.block (blocker_id, blocked_id) values (t.id('bob'), t.id('ann'))$$, $$delete from parley.block$$),
('suppressed account_suspended', $$update parley.account set suspended_at = now() where id = t.id('bob')$$, $$update parley.account set suspended_at = null$$),
('suppressed before_history', $$update parley.participant set history_from_seq = 1000 where user_id = t.id('bob')$$, $$update parley.participant set history_from_seq = 1$$);
create function t.after(change text, back text, at_claim boolean) returns text language plpgsql as $$
declare
    v_fate text;
begin
    perform t.act('ann');
    perform t.send('us', 'x');
    perform t.host();
    if not at_claim then
        execute change;
    end if;
    perform t.pump();
    if at_claim then
        execute change;
    end if;
    perform t.push();
    v_fate := t.fate('bob');
    execute back;
    -- suspending drops what was registered
    update parley.push_device set dropped_at = null, dropped_reason = null, token = repeat('ab', 16) where token is null;
    return v_fate;
end
$$;
-- (of an account that is suspended the devices are gone)
select is(t.after(r.change, r.back, false), r.word, r.word || ', when it is queued') from t.reason r where r.word not like '%suspended';
select is(t.after(r.change, r.back, true), case when r.word like '%suspended' then 'cancelled device_dropped' else r.word end, r.word || ', when it is to be sent') from t.reason r;
select is(t.fate('cid'), 'sent', 'and it is nobody else''s reason');
select is(
    (select count(*) from parley.push_job j where j.user_id = t.id('bob') and j.state = 'suppressed' and j.device_id is null and j.last_seq > 0 and j.reason not in ('device_off', 'no_provider')), 10::bigint,
    'a decision for all devices is one row'
);

-- of one that waits
create function t.waits(change text) returns text language plpgsql as $$
begin
    perform t.act('ann');
    perform t.keep('m', t.send('us', 'waits')::text);
    perform t.host();
    perform t.pump();
    execute change;
    perform t.push();
    return t.fate('bob');
end
$$;
select is(t.waits($$do 'begin perform t.act(''bob''); perform parley_api.mark_as_read(t.id(''us'')); perform t.host(); end'$$), 'cancelled read', 'one that was read meanwhile is not sent');
select is(t.waits($$do 'begin perform t.act(''ann''); perform parley_api.delete_message(t.id(''m''), true); perform t.host(); end'$$), 'suppressed deleted', 'nor one that was deleted');
select is(t.waits($$update parley.message set expires_at = now() where id = t.id('m')$$), 'suppressed expired', 'nor one that has expired');
select is(t.waits($$update parley.message set retired_at = now() where id = t.id('m')$$), 'suppressed retired', 'nor one that was retired');
select is(t.waits($$delete from parley.message where id = t.id('m')$$), 'suppressed gone', 'nor one that was purged');
select is(t.waits($$update parley.push_device set enabled = false where user_id = t.id('bob')$$), 'suppressed device_off', 'nor where the device is switched off');
update parley.push_device set enabled = true;
select is(t.waits($$update parley.participant set left_at = now() where user_id = t.id('bob') and conversation_id = t.id('us')$$), 'suppressed left', 'nor to who has left');
update parley.participant set left_at = null;
select is(t.waits($$update parley.push_job set expires_at = now() where settled_at is null$$), 'expired too_late', 'nor when nobody wants it any more');
select is(t.waits($$select parley.edit_message(t.id('m'), 'edited') from t.act('ann')$$), 'sent', 'one that was edited is');
select is(t.waits($$delete from parley.push_device where user_id = t.id('bob')$$), 'cancelled device_dropped', 'not to a device that is gone');
select t.act('bob');
select t.device('phone') is null as done \gset
select t.host();

-- of several that wait the newest is told that can be
select t.act('bob');
select parley_api.mark_as_read(t.id('us')) is null as done \gset
select t.host();
select t.pump() > 0 as done \gset
select t.act('ann');
select t.send('us', 'stays') is null as done \gset
select t.keep('m', t.send('us', 'goes')::text);
select t.host();
select t.pump() > 0 as done \gset
select is((select format('%s to %s', first_seq - last_seq, last_seq - last_seq) from parley.push_job where user_id = t.id('bob') and state = 'queued' and kind = 'message'), '-1 to 0', 'one job stands for both');
select t.act('ann');
select parley_api.delete_message(t.id('m'), true) is null as done \gset
select t.host();
select matches(t.push(), 'phone message Ann: stays', 'if the last is deleted, the one before');

-- mentions
create function t.mention(everybody boolean default false) returns text language plpgsql as $$
begin
    perform t.act('ann');
    perform parley_api.send_message(t.id('us'), 'look', mentions => case when not everybody then array[t.id('bob')] end, mentions_all => everybody);
    perform t.host();
    perform t.pump();
    return (select string_agg(t.fate('bob') || ' ' || (j #>> '{content,category}'), '') from t.claimed() j where j #>> '{target,token}' = t.token('apns', 'phone') and j #>> '{content,kind}' = 'message');
end
$$;
select is(t.mention(), 'leased mention', 'a mention is told as one');
update parley.participant set notification_level = 'mentions' where user_id = t.id('bob');
select is(t.mention(), 'leased mention', 'where mentions are wanted alone');
select is(t.mention(true), 'leased mention', 'also one of everybody');
update parley.participant set muted_until = 'infinity' where user_id = t.id('bob');
select is(t.mention(), 'leased mention', 'also while the rest is muted');
update parley.participant set notification_level = 'all' where user_id = t.id('bob');
select is(t.mention(), null, 'not where all is muted');
select is(t.fate('bob'), 'suppressed muted', 'for that reason');
update parley.participant set muted_until = null, notification_level = 'mentions' where user_id = t.id('bob');
insert into parley.block (blocker_id, blocked_id) values (t.id('bob'), t.id('ann'));
select is(t.mention(), null, 'nor one of somebody who is blocked');
delete from parley.block;
update parley.participant set notification_level = 'all';
insert into parley.push_preference (user_id, dnd_until) values (t.id('bob'), 'infinity');
select is(t.mention(), null, 'nor while one does not want to be disturbed');
update parley.push_preference set mentions_pierce_quiet = true;
select is(t.mention(), 'leased mention', 'but where mentions pierce that');
delete from parley.push_preference;

-- what is for nobody
select t.act('ann');
select parley_api.update_conversation(t.id('us'), title => 'Journey') is null as done \gset
select t.host();
select count(*) as before from parley.push_job \gset
select t.pump() > 0 as done \gset
select is((select count(*) from parley.push_job), :before::bigint, 'a notice makes no notification');
select t.claim('service_role', '{"role": "service_role"}');
select parley_api.send_system_message(t.id('us'), 'The host has changed the time.') is null as done \gset
select t.host();
select t.pump() > 0 as done \gset
select matches(t.push(), 'phone message The host has changed the time\.', 'what the application says does');

-- before somebody's eyes; what still waits goes first
select t.due();
select t.push() is null as done \gset
select parley.renew_push_focus(jsonb_build_array(jsonb_build_object('user_id', t.id('bob'), 'lease', 'socket', 'conversation_id', t.id('us')))) is null as done \gset
select t.act('ann');
select t.send('us', 'seen') is null as done \gset
select t.host();
select t.pump() > 0 as done \gset
select is(t.push(), 'pad message Ann: seen badge ' || t.unread('cid', 'us'), 'who has it before their eyes is not told at once');
select is(t.fate('bob'), 'queued in_view', 'but a little later');
select ok((select due_at > clock_timestamp() + interval '3 seconds' from parley.push_job where user_id = t.id('bob') and state = 'queued' and kind = 'message'), 'in some seconds');
select t.due();
select is(t.push(), null, 'again');
select t.due();
select is(t.push(), null, 'and again');
select t.due();
select matches(t.push(), 'phone message Ann: seen', 'then it is told');
select t.act('ann');
select t.send('us', 'seen') is null as done \gset
select t.act('bob');
select parley_api.mark_as_read(t.id('us')) is null as done \gset
select t.host();
select t.pump() > 0 as done \gset
select is(t.fate('bob'), 'suppressed read', 'what was read is not');
select parley.renew_push_focus(jsonb_build_array(jsonb_build_object('user_id', t.id('bob'), 'lease', 'socket', 'conversation_id', t.id('pair')))) is null as done \gset
select t.act('ann');
select t.send('us', 'elsewhere') is null as done \gset
select t.host();
select t.pump() > 0 as done \gset
select matches(t.push(), 'phone message Ann: elsewhere', 'who has another conversation before their eyes is told at once');
select parley.renew_push_focus(jsonb_build_array(jsonb_build_object('user_id', t.id('bob'), 'lease', 'socket', 'active', false))) is null as done \gset
select is((select count(*) from parley.push_focus), 0::bigint, 'a socket that closes ends it');

-- how much is told
create function t.told() returns jsonb language plpgsql as $$
begin
    perform t.act('ann');
    perform t.send('us', 'secret');
    perform t.host();
    perform t.pump();
    return (select j -> 'content' from t.claimed() j where j #>> '{target,token}' = t.token('apns', 'phone') and j #>> '{content,kind}' = 'message');
end
$$;
select is(t.told() ->> 'privacy', 'full', 'all of it');
update parley.push_device set privacy = 'sender' where user_id = t.id('bob');
select is(t.told() ->> 'privacy', 'sender', 'or as much as the device may show');
insert into parley.push_preference (user_id, privacy) values (t.id('bob'), 'id');
select is(t.told() ->> 'privacy', 'id', 'or the user wants');
delete from parley.push_preference;
update parley.push_device set privacy = null;
update parley.setting set value = 'id' where name = 'push_privacy';
select is(t.told() ->> 'privacy', 'id', 'or the deployment lets them');
update parley.setting set value = 'full' where name = 'push_privacy';
update parley.setting set value = 'https://chat.example.com/c/{conversation_id}#{message_id}' where name = 'push_link';
select is(t.told() -> 'url', null, 'an app knows where a click leads');
select t.act('bob');
select t.device('browser', 'webpush') is null as done \gset
select t.host();
select t.told() is null as done \gset
select matches((select j #>> '{content,url}' from t.claimed('webpush') j), 'https://chat\.example\.com/c/' || t.id('us') || '#[0-9a-f-]{36}$', 'a browser is told');
select is(t.told() - '{seq,message_id,badge,url}'::text[], jsonb_build_object(
    'kind', 'message', 'privacy', 'full', 'conversation_id', t.id('us'), 'title', 'Journey', 'sender', 'Ann', 'body', 'Ann: secret',
    'loc_key', 'PARLEY_TEXT', 'loc_args', '["Ann"]'::jsonb, 'category', 'message', 'silent', false
), 'what a worker gets');
update parley.message_type set client_may_send = true;
select t.act('ann');
select parley_api.send_message(t.id('us'), null, 'encrypted', metadata => '{"envelope": "x"}') is null as done \gset
select t.host();
select t.pump() > 0 as done \gset
select is((select (j #> '{content}') ? 'body' or j #>> '{content,privacy}' <> 'id' from t.claimed() j limit 1), false, 'of one that is encrypted ids alone');

select * from finish();
rollback;
