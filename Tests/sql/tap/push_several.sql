-- One notification that stands for several messages: each of them counts.
begin;
select no_plan();
\ir ../people.psql
\ir push.psql
select t.act('bob');
select t.device('phone') is null as done \gset
select t.act('ann');
select t.keep('us', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group', 'Trip') ->> 'id');
select t.host();
select t.pump() > 0 as done \gset
select t.push() is null as done \gset

-- What comes of messages to Bob of which all wait: each is [who, text], and a text that begins with @ mentions him.
create function t.several(messages text[], change text default 'select') returns text language plpgsql as $$
declare
    v_pushed text;
begin
    for i in 1 .. array_length(messages, 1) loop
        perform t.act(messages[i][1]);
        perform parley_api.send_message(
            t.id('us'), messages[i][2], mentions => case when messages[i][2] like '@%' then array[t.id('bob')] end
        );
        perform t.host();
        perform t.pump();
    end loop;
    execute change;
    perform t.due();
    v_pushed := t.push();
    return coalesce(substring(v_pushed from 'phone message (.*) badge') || coalesce(substring(v_pushed from 'badge \d+( silent)'), ''), '');
end
$$;
-- How it stands.
create function t.told() returns text language sql security definer as $$
    select concat_ws(' ', j.state, j.reason) from parley.push_job j where j.user_id = t.id('bob') and j.kind = 'message' and j.device_id is not null
    order by j.last_seq desc, j.id desc limit 1
$$;
create function t.quiet(mode text) returns void language sql security definer as $$
    delete from parley.push_job where state = 'queued';
    insert into parley.push_preference (user_id, quiet_mode, quiet_hours, mentions_pierce_quiet)
    values (t.id('bob'), mode, '[{"weekdays": [1, 2, 3, 4, 5, 6, 7], "from": "00:00", "to": "00:00"}]', true)
    on conflict (user_id) do update set quiet_mode = excluded.quiet_mode
$$;

select t.quiet('hold');
select is(t.several('{{ann,one},{ann,two}}'), '', 'in quiet hours messages are held');
select is(t.told(), 'queued quiet_hours', 'until they end');
select t.quiet('hold');
select is(t.several('{{ann,@bob},{cid,three}}'), 'Cid: three', 'a mention that pierces them takes along what follows');
select is(t.told(), 'sent', 'at once');
select t.quiet('silent');
select is(t.several('{{ann,one}}'), 'Ann: one silent', 'or come silent');
select t.quiet('silent');
select is(t.several('{{ann,@bob},{cid,three}}'), 'Cid: three', 'but with a mention aloud');
select t.quiet('drop');
select is(t.several('{{ann,@bob}}'), 'Ann: @bob', 'a mention comes where others are dropped');
delete from parley.push_preference;

select is(
    t.several('{{cid,kept},{ann,not wanted}}', $$insert into parley.block (blocker_id, blocked_id) values (t.id('bob'), t.id('ann'))$$),
    'Cid: kept', 'a sender who is blocked takes nothing from others'
);
delete from parley.block;
select is(
    t.several('{{cid,kept},{ann,not wanted}}', $$insert into parley.restriction (restricter_id, restricted_id) values (t.id('bob'), t.id('ann'))$$),
    'Cid: kept', 'nor one who is restricted'
);
delete from parley.restriction;
select is(
    t.several('{{cid,one},{ann,two}}', $$update parley.participant set notification_level = 'none' where user_id = t.id('bob')$$),
    '', 'a conversation that is switched off is, whoever writes'
);
select is(t.told(), 'suppressed level_none', 'for that reason');

update parley.participant set notification_level = 'all' where user_id = t.id('bob');

-- What comes of messages to Bob that are read from the log together: how the jobs stand, and for which messages.
create function t.together(messages text[], change text default 'select') returns text language plpgsql as $$
declare
    v_before constant bigint := t.look(format('select last_seq from parley.conversation where id = %L', t.id('us')));
begin
    perform t.look('with d as (delete from parley.push_job returning 1) select count(*) from d');
    for i in 1 .. array_length(messages, 1) loop
        perform t.act(messages[i][1]);
        perform parley_api.send_message(
            t.id('us'), messages[i][2], mentions => case when messages[i][2] like '@%' then array[t.id('bob')] end
        );
    end loop;
    perform t.host();
    execute change;
    perform t.pump();
    return (
        select string_agg(
            concat_ws(' ', j.state, j.reason, concat_ws('-', j.first_seq - v_before, nullif(j.last_seq, j.first_seq) - v_before)),
            ', ' order by j.last_seq
        )
        from parley.push_job as j
        where j.user_id = t.id('bob')
    );
end
$$;
select is(t.together('{{ann,one},{ann,two},{cid,three},{ann,four}}'), 'queued 1-4', 'of those that are read together one notification tells');
select is(t.push(), 'phone message Ann: four badge ' || parley.push_badge(t.id('bob')), 'of the newest');
select is(
    t.together('{{ann,one},{ann,two},{cid,three},{ann,four}}', $$insert into parley.restriction (restricter_id, restricted_id) values (t.id('bob'), t.id('ann'))$$),
    'suppressed sender_restricted 1, suppressed sender_restricted 2, queued 3, suppressed sender_restricted 4', 'each that is not told has its reason'
);
select is(t.together('{{cid,one},{ann,two},{cid,three}}'), 'suppressed sender_restricted 2, queued 1-3', 'also between two that are told');
select t.push() is null as done \gset
select is(
    (
        select parley.push_step(m, p, a) ->> 'reason'
        from parley.message as m
        inner join parley.participant as p on p.conversation_id = m.conversation_id and p.user_id = t.id('bob')
        inner join parley.account as a on a.id = p.user_id
        where m.conversation_id = t.id('us') and m.content = 'two'
        order by m.seq desc
        limit 1
    ),
    'sender_restricted', 'and support is told of it'
);
delete from parley.restriction;
select is(
    t.together('{{ann,one},{ann,@bob},{ann,three}}', $$update parley.participant set notification_level = 'mentions' where user_id = t.id('bob')$$),
    'suppressed level_mentions 1, queued 2, suppressed level_mentions 3', 'a mention counts by itself'
);
update parley.participant set notification_level = 'all' where user_id = t.id('bob');
select is(
    t.together('{{ann,one},{ann,two},{ann,three}}', $$update parley.participant as p set last_read_seq = c.last_seq - 2 from parley.conversation as c where c.id = t.id('us') and p.conversation_id = c.id and p.user_id = t.id('bob')$$),
    'suppressed read 1, queued 2-3', 'so does one that was read'
);
select is(
    t.together('{{ann,one},{ann,two},{ann,three}}', $$insert into parley.message_hidden (conversation_id, user_id, seq, message_id, own) select m.conversation_id, t.id('bob'), m.seq, m.id, false from parley.message as m where m.conversation_id = t.id('us') and m.content = 'two' order by m.seq desc limit 1$$),
    'suppressed deleted_for_me 2, queued 1-3', 'or was deleted for oneself'
);

-- Two workers: the newer message waits for the older one, which the other may still be sending.
delete from parley.push_job where state = 'queued';
select parley.worker_start('other', '0') is not null as done \gset
create function t.next(worker text) returns text language sql as $$
    select string_agg(j #>> '{content,body}', ', ') from t.claimed(worker => worker) as j
$$;
select t.act('ann');
select t.send('us', 'older') is null as done \gset
select t.host();
select t.pump() > 0 as done \gset
select is(t.next('w1'), 'Ann: older', 'one worker sends a message');
select t.act('ann');
select t.send('us', 'newer') is null as done \gset
select t.host();
select t.pump() > 0 as done \gset
select is(t.next('w2'), null, 'meanwhile no other worker sends a newer one of the conversation to the device');
select is(t.told(), 'queued', 'which waits');
update parley.push_job set due_at = clock_timestamp() - interval '1 ms' where state = 'queued';
select is(t.next('w1'), 'Ann: newer', 'the same worker may: it keeps the order');

select * from finish();
rollback;
