-- Messages to be sent later: known to their author alone, sent once and as the author, whatever happened meanwhile.
begin;
select no_plan();
\ir ../people.psql

-- the time comes for everything that is pending, in its order
create function t.time_passes() returns void language sql security definer as $$
    update parley.scheduled_message as s
    set send_at = s.send_at - interval '1 day', attempt_at = s.attempt_at - interval '1 day'
    where s.status = 'pending'
$$;

create function t.run() returns integer language plpgsql security definer as $$
declare
    v_runs integer := 1;
begin
    while parley.send_due_messages() loop
        v_runs := v_runs + 1;
    end loop;
    return v_runs;
end
$$;

create function t.scheduled(status text default 'pending') returns text language sql as $$
    select string_agg(s ->> 'content', ' ' order by n)
    from jsonb_array_elements(parley_api.get_scheduled_messages(status => $1) -> 'scheduled_messages') with ordinality as s (s, n)
$$;

create function t.texts() returns text language sql as $$
    select string_agg(coalesce(m ->> 'content', '-'), ' ' order by (m ->> 'seq')::bigint)
    from jsonb_array_elements(parley_api.get_conversation_messages(t.id('talk')) -> 'messages') m
$$;

create function t.state(name text) returns text language sql security definer as $$
    select concat_ws(' ', s.status, s.error_code, s.content) from parley.scheduled_message s where s.id = t.id($1)
$$;

-- the author's own events about scheduled messages, as "status status"
create function t.told(name text) returns text language sql security definer as $$
    select string_agg(e.data ->> 'status', ' ' order by e.id)
    from parley.event e
    where e.kind = 'scheduled:updated' and e.conversation_id is null and e.user_id = t.id($1)
$$;

select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group') ->> 'id');
select t.last_event_seq('talk') as event_seq \gset

-- refused
select t.refused('PT400', $$select parley_api.schedule_message(t.id('talk'), 'x')$$, 'a time is needed');
select t.refused('PT400', $$select parley_api.schedule_message(t.id('talk'), 'x', (now() - interval '1 minute')::text)$$, 'in the future');
select t.refused('PT400', $$select parley_api.schedule_message(t.id('talk'), 'x', (now() + interval '367 days')::text)$$, 'within a year');
select t.refused('PT400', $$select parley_api.schedule_message(t.id('talk'), 'x', 'infinity')$$, 'and not at the end of days');
select t.refused(
    'PT400', $$select parley_api.schedule_message(t.id('talk'), 'x', (now() + interval '1 hour')::text, (now() + interval '1 hour')::timestamp::text, 'UTC')$$,
    'one time, not two'
);
select t.refused(
    'PT400', $$select parley_api.schedule_message(t.id('talk'), 'x', send_at_local => (now() + interval '1 day')::timestamp::text)$$,
    'a local time needs a zone'
);
select t.refused(
    'PT400', format('select parley_api.schedule_message(t.id(%L), %L, (now() + interval %L)::text, time_zone => %L)', 'talk', 'x', '1 day', zone),
    format('"%s" is no zone', zone)
)
from unnest(array['Mars/Olympus', 'UTC+2', '2', 'CEST', '', '../../etc/passwd']) as zone;
select t.refused('PT400', $$select parley_api.schedule_message(t.id('talk'), ' ', (now() + interval '1 hour')::text)$$, 'text is needed as in any message');
select t.refused(
    'PT400', $$select parley_api.schedule_message(t.id('talk'), repeat('x', 5001), (now() + interval '1 hour')::text)$$, 'and not too much of it'
);
select t.refused('PT400', $$select parley_api.schedule_message(t.id('talk'), 'x', (now() + interval '1 hour')::text, type => 'system')$$, 'of a type users send');
select t.refused('PT400', $$select parley_api.schedule_message(null, 'x', (now() + interval '1 hour')::text)$$, 'in a conversation');
select t.refused(
    'PT404', $$select parley_api.schedule_message(t.id('talk'), 'x', (now() + interval '1 hour')::text, reply_to_id => t.id('none'))$$, 'in answer to what is there'
);
select t.act('eve');
select t.refused('PT403', $$select parley_api.schedule_message(t.id('talk'), 'x', (now() + interval '1 hour')::text)$$, 'a stranger schedules nothing');
select is(
    t.failure($$select parley_api.schedule_message(t.id('talk'), 'x', (now() + interval '1 hour')::text)$$),
    t.failure($$select parley_api.schedule_message(t.id('none'), 'x', (now() + interval '1 hour')::text)$$), 'as if there were no conversation'
);
select t.claim('anon', '{"role": "anon"}');
select t.refused('42501', $$select parley_api.schedule_message(t.id('talk'), 'x', (now() + interval '1 hour')::text)$$, 'nor does nobody');
select is(t.look('select count(*) from parley.scheduled_message'), '0', 'and nothing was kept of all that');

-- scheduled
select t.act('ann');
select parley_api.schedule_message(
    t.id('talk'), 'second', (date_trunc('second', now()) + interval '2 hours')::text, metadata => '{"mood": "good"}', mentions => array[t.id('bob')],
    client_message_id => '77777777-7777-4777-8777-777777777777', expires_in => '1 hour'
) as second \gset
select is(
    :'second'::jsonb - '{id,send_at,created_at,updated_at}'::text[],
    jsonb_build_object(
        'conversation_id', t.id('talk'), 'client_message_id', '77777777-7777-4777-8777-777777777777', 'send_at_local', null, 'time_zone', null,
        'status', 'pending', 'error_code', null, 'message_id', null, 'type', 'text', 'content', 'second', 'metadata', '{"mood": "good"}'::jsonb,
        'mentions', array[t.id('bob')], 'mentions_all', false, 'reply_to_id', null, 'attachment_ids', '[]'::jsonb, 'expires_in_seconds', 3600, 'finished_at', null
    ), 'a message is scheduled'
);
select is((:'second'::jsonb ->> 'send_at')::timestamptz, date_trunc('second', now()) + interval '2 hours', 'for its time');
select t.keep('second', :'second'::jsonb ->> 'id');
select t.keep('first', parley_api.schedule_message(t.id('talk'), 'first', (now() + interval '1 hour')::text) ->> 'id');
select t.keep('third', parley_api.schedule_message(t.id('talk'), 'third', (now() + interval '3 hours')::text) ->> 'id');
select is(
    parley_api.schedule_message(
        t.id('talk'), 'second', (date_trunc('second', now()) + interval '2 hours')::text, metadata => '{"mood": "good"}', mentions => array[t.id('bob')],
        client_message_id => '77777777-7777-4777-8777-777777777777', expires_in => '1 hour'
    ), :'second'::jsonb, 'the same call again returns it'
);
select t.refused(
    'PT409', $$select parley_api.schedule_message(t.id('talk'), 'else', (now() + interval '2 hours')::text, client_message_id => '77777777-7777-4777-8777-777777777777')$$,
    'another with its id is a conflict'
);
select is(t.scheduled(), 'first second third', 'its author sees what comes, the next first');
select is(
    parley_api.get_scheduled_messages(page_size => 2) - 'next_cursor' ->> 'scheduled_messages'
    = parley_api.get_scheduled_messages(t.id('talk'), page_size => 2) ->> 'scheduled_messages', true, 'by conversation as well'
);
select is(
    parley_api.get_scheduled_messages(cursor => parley_api.get_scheduled_messages(page_size => 2) ->> 'next_cursor')
    #>> '{scheduled_messages,0,content}', 'third', 'page by page'
);
select is(
    parley_api.get_scheduled_messages(cursor => parley_api.get_scheduled_messages(page_size => 2) ->> 'next_cursor') -> 'next_cursor', 'null',
    'to the end'
);
select is(parley_api.get_scheduled_messages(t.id('none')), '{"scheduled_messages": [], "next_cursor": null}', 'elsewhere there is none');
select t.refused('PT400', $$select parley_api.get_scheduled_messages(cursor => 'x')$$, 'a cursor is one');
select t.refused('PT400', $$select parley_api.get_scheduled_messages(status => 'lost')$$, 'and so is a status');
select t.refused('PT400', $$select parley_api.get_scheduled_messages(page_size => 201)$$, 'and pages have an end');
select is(t.texts(), null, 'nothing is sent yet');
select is(t.events_since('talk', :event_seq), null, 'and the conversation knows nothing');
select is(t.told('ann'), 'pending pending pending', 'the author''s devices are told');
select t.act('bob');
select is(t.scheduled(), null, 'nobody else sees them');
select t.refused('PT404', $$select parley_api.cancel_scheduled_message(t.id('first'))$$, 'nor cancels them');
select t.refused('PT404', $$select parley_api.update_scheduled_message(t.id('first'), 'mine')$$, 'nor changes them');

-- by the clocks of a zone
select t.host();
set local timezone = 'Asia/Tokyo';
select is((parley.resolve_send_at(null, (now() + interval '1 day')::timestamp, z.name)).time_zone, z.zone, 'the zone ' || z.name)
from (values ('utc', 'UTC'), ('etc/gmt+5', 'Etc/GMT+5'), ('est5edt', 'EST5EDT'), ('asia/ho_chi_minh', 'Asia/Ho_Chi_Minh')) as z (name, zone);
select is(current_setting('timezone'), 'Asia/Tokyo', 'and the session keeps its own');
set local timezone = 'UTC';
select t.act('ann');
select t.keep('local', parley_api.schedule_message(
    t.id('talk'), 'local', send_at_local => ((now() + interval '30 days')::date + time '09:00')::text, time_zone => 'america/new_york'
) ->> 'id');
select is(
    (select (s ->> 'send_at_local')::timestamp - ((now() + interval '30 days')::date + time '09:00') || ' ' || (s ->> 'time_zone')
     from parley_api.get_scheduled_messages(t.id('talk')) g, jsonb_array_elements(g -> 'scheduled_messages') s where s ->> 'content' = 'local'),
    '00:00:00 America/New_York', 'nine o''clock in New York is that, and the zone has its name'
);
select is(
    (select (s ->> 'send_at')::timestamptz from parley_api.get_scheduled_messages(t.id('talk')) g, jsonb_array_elements(g -> 'scheduled_messages') s
     where s ->> 'content' = 'local'),
    ((now() + interval '30 days')::date + time '09:00') at time zone 'America/New_York', 'as a moment, too'
);
select t.host();
-- the next last Sunday of a month, when the clocks of Berlin change
create function t.last_sunday(month integer) returns date language sql as $$
    select d.day - extract(dow from d.day)::integer
    from (
        select (make_date(extract(year from now())::integer + n, $1, 1) + interval '1 month - 1 day')::date from generate_series(0, 1) n
    ) as d (day)
    where d.day - extract(dow from d.day)::integer > current_date + 1
    order by 1
    limit 1
$$;
select is(
    (select r.send_at from parley.resolve_send_at(null, t.last_sunday(3) + time '02:30', 'Europe/Berlin') r),
    (t.last_sunday(3) + time '01:30') at time zone 'UTC', 'half past two, which the clocks skip in March, is half past three'
);
select is(
    (select r.send_at from parley.resolve_send_at(null, t.last_sunday(10) + time '02:30', 'Europe/Berlin') r),
    (t.last_sunday(10) + time '01:30') at time zone 'UTC', 'and the one that comes twice in October is the second'
);
select t.act('ann');

-- changed
select is(
    parley_api.update_scheduled_message(t.id('third'), 'third!', metadata => '{"n": 3}') - '{updated_at}'::text[] ->> 'content', 'third!', 'the author changes it'
);
select is(t.told('ann'), 'pending pending pending pending pending', 'which is told');
select lives_ok($$select parley_api.update_scheduled_message(t.id('third'), 'third!')$$, 'the same again is fine');
select is(t.told('ann'), 'pending pending pending pending pending', 'and no news');
select is(
    parley_api.update_scheduled_message(t.id('third'), mentions => array[t.id('bob')]) -> 'mentions', to_jsonb(array[t.id('bob')]), 'whom it mentions, too'
);
select is(parley_api.update_scheduled_message(t.id('third'), 'third!') -> 'mentions', to_jsonb(array[t.id('bob')]), 'which stays, if nothing is said of it');
select t.refused('PT400', $$select parley_api.update_scheduled_message(t.id('third'), mentions => array[t.id('eve')])$$, 'only who is there');
select is(parley_api.update_scheduled_message(t.id('third'), mentions => '{}') -> 'mentions', '[]', 'or nobody');
select is(t.told('ann'), 'pending pending pending pending pending pending pending', 'each is told');
select t.refused('PT400', $$select parley_api.update_scheduled_message(t.id('third'), send_at => now()::text)$$, 'not to the past');
select t.refused('PT400', $$select parley_api.update_scheduled_message(t.id('third'), '')$$, 'nor to nothing');
select t.refused('PT400', 'select parley_api.update_scheduled_message(null)', 'one is needed');
select t.refused('PT404', $$select parley_api.update_scheduled_message(t.id('none'))$$, 'that exists');

-- cancelled
select is(
    parley_api.cancel_scheduled_message(t.id('local')) - '{updated_at,finished_at,created_at}'::text[] ->> 'status', 'cancelled', 'it is taken back'
);
select is(t.state('local'), 'cancelled', 'and nothing of it is kept');
select lives_ok($$select parley_api.cancel_scheduled_message(t.id('local'))$$, 'again is fine');
select t.refused('PT409', $$select parley_api.update_scheduled_message(t.id('local'), 'x')$$, 'and it stays so');
select is(t.told('ann'), 'pending pending pending pending pending pending pending cancelled', 'which is told once');

-- sent
select t.time_passes();
select is(t.run(), 3, 'what is due is sent, each in a run of its own');
select is(t.texts(), 'first second third!', 'in order');
select is(
    (select m - '{id,created_at,expires_at,attachments,poll,pinned_at,forwarded,reply_to,forward_count}'::text[]
     from jsonb_array_elements(parley_api.get_conversation_messages(t.id('talk')) -> 'messages') m where m ->> 'content' = 'second') @>
    jsonb_build_object(
        'conversation_id', t.id('talk'), 'seq', 2, 'sender_id', t.id('ann'), 'sender_role', 'owner', 'type', 'text', 'metadata', '{"mood": "good"}'::jsonb,
        'mentions', array[t.id('bob')], 'client_message_id', '77777777-7777-4777-8777-777777777777'
    ), true, 'as their author would'
);
select is(t.state('second'), 'sent', 'the copy is gone');
select is(t.events_since('talk', :event_seq), 'message:new message:new message:new', 'the conversation is told of messages');
select is(t.told('ann'), 'pending pending pending pending pending pending pending cancelled sent sent sent', 'the author of what they came from');
select is(
    t.look(format('select s.message_id = m.id from parley.scheduled_message s, parley.message m where s.id = %L and m.content = %L', t.id('second'), 'second')),
    'true', 'which names them'
);
select t.refused('PT409', $$select parley_api.cancel_scheduled_message(t.id('second'))$$, 'what was sent cannot be taken back');
select is(t.run(), 1, 'and is not sent again');
select is(t.look($$select current_setting('request.jwt.claims')::json ->> 'sub'$$), t.id('ann')::text, 'whoever runs it stays who they are');

-- one that cannot be sent does not stop the rest
select t.act('cid');
select t.keep('lost', parley_api.schedule_message(t.id('talk'), 'lost', (now() + interval '1 minute')::text) ->> 'id');
select t.act('ann');
select t.keep('fourth', parley_api.schedule_message(
    t.id('talk'), 'fourth', (now() + interval '1 hour')::text, mentions => array[t.id('cid'), t.id('bob')]
) ->> 'id');
select parley_api.remove_participant(t.id('talk'), t.id('cid')) is null as removed \gset
select t.time_passes();
select is(t.run(), 2, 'of one who was removed and one who was not');
select is(t.state('lost') || ', ' || t.state('fourth'), 'failed PT403 lost, sent', 'one has failed, with its reason and its text, and one is sent');
select is(
    t.look(format('select m.mentions from parley.message m where m.conversation_id = %L and m.content = %L', t.id('talk'), 'fourth')),
    array[t.id('bob')]::text, 'and mentions who is still there'
);
select t.act('cid');
select is(t.scheduled('failed'), 'lost', 'the author sees what could not be sent');
select lives_ok($$select parley_api.cancel_scheduled_message(t.id('lost'))$$, 'and drops it');

-- too many
select t.host();
update parley.tier_limit set amount = 2 where name = 'max_scheduled_messages';
update parley.tier_limit set amount = 2, burst = 2 where tier_name = 'privileged' and name = 'messages_per_minute';
select t.act('bob');
select t.keep('b1', parley_api.schedule_message(t.id('talk'), 'b1', (now() + interval '1 hour')::text) ->> 'id');
select t.keep('b2', parley_api.schedule_message(t.id('talk'), 'b2', (now() + interval '1 hour')::text) ->> 'id');
select is(
    t.failure($$select parley_api.schedule_message(t.id('talk'), 'b3', (now() + interval '1 hour')::text)$$) ->> 'message',
    'At most 2 messages can be scheduled at a time.', 'a plan has its limit'
);

select is((parley_api.schedule_message(t.id('talk'), 'b1', (now() + interval '1 hour')::text,
    client_message_id => t.id('b1'))) ->> 'id', t.id('b1')::text,
    'which a repeated call does not meet');
select t.send('talk', 'now1') is null as sent \gset
select t.send('talk', 'now2') is null as sent \gset
select t.time_passes();
select is(t.run(), 1, 'who has just sent as much as the plan allows');
select is(t.state('b1') || ', ' || t.state('b2'), 'pending PT429 b1, pending b2', 'sends it later');
select is(
    t.look($$select bool_and(s.attempt_at between clock_timestamp() + interval '10 seconds' and clock_timestamp() + interval '60 seconds')
             from parley.scheduled_message s where s.status = 'pending'$$), 'true', 'as soon as the limit says, and the next one not before it'
);
select t.look($$with w as (update parley.tier_limit set amount = null where name = 'messages_per_minute' returning 1) select count(*) from w$$) is null as lifted \gset
select t.time_passes();
select is(t.run(), 2, 'then both go');
select is(right(t.texts(), 15), 'now1 now2 b1 b2', 'in order');

-- what else may have happened
select t.keep('b3', parley_api.schedule_message(t.id('talk'), 'b3', (now() + interval '1 hour')::text) ->> 'id');
select t.look(format('update parley.account set tokens_valid_after = now() + %L where id = %L returning 1', interval '-1 second', t.id('bob'))) is null as revoked \gset
select t.look($$with w as (update parley.tier_limit set amount = 10 where name = 'max_scheduled_messages' returning 1) select count(*) from w$$) is null as lifted \gset
select is(t.state('b3'), 'pending b3', 'sessions that ended before it was scheduled say nothing of a message');
select t.keep('b3b', parley_api.schedule_message(t.id('talk'), 'b3b', (now() + interval '1 hour')::text) ->> 'id');
select t.keep('b3c', parley_api.schedule_message(t.id('talk'), 'b3c', (now() + interval '1 hour')::text) ->> 'id');
select t.look(format('update parley.account set tokens_valid_after = clock_timestamp() where id = %L returning 1', t.id('bob'))) is null as revoked \gset
select t.look(format('update parley.account set tokens_valid_after = null where id = %L returning 1', t.id('bob'))) is null as signed_in_again \gset
select is(array[t.state('b3'), t.state('b3b')], array['held b3', 'held b3b'], 'a message of a session that is ended waits for its author');
select is(
    (select string_agg(s ->> 'content', ' ' order by s ->> 'content') from jsonb_array_elements(parley_api.get_scheduled_messages(status => 'held') -> 'scheduled_messages') s),
    'b3 b3b b3c', 'who finds it among those held'
);
select t.time_passes();
select t.run() is null as ran \gset
select is(t.state('b3'), 'held b3', 'it is not sent');
select is(parley_api.confirm_scheduled_message(t.id('b3')) ->> 'status', 'pending', 'before the author confirms it');
select is(parley_api.confirm_scheduled_message(t.id('b3')) ->> 'status', 'pending', 'twice is fine');
select is(parley_api.update_scheduled_message(t.id('b3b'), 'b3d', (now() + interval '2 hours')::text) ->> 'status', 'pending', 'or changes it');
select is(parley_api.cancel_scheduled_message(t.id('b3c')) ->> 'status', 'cancelled', 'or takes it back');
select t.refused('PT409', $$select parley_api.confirm_scheduled_message(t.id('b3c'))$$, 'for good');
select parley_api.cancel_scheduled_message(t.id('b3b')) is null as cancelled \gset
select t.time_passes();
select is(t.run(), 1, 'what is confirmed');
select is(t.state('b3'), 'sent', 'goes');
select t.keep('b3e', parley_api.schedule_message(t.id('talk'), 'b3e', (now() + interval '1 hour')::text) ->> 'id');
-- as if it had been written while the sessions were being revoked
select t.look(format('update parley.account set tokens_valid_after = clock_timestamp() where id = %L returning 1', t.id('bob'))) is null as revoked \gset
select t.look($$with w as (update parley.scheduled_message set status = 'pending' where status = 'held' returning 1) select count(*) from w$$) is null as late \gset
select t.time_passes();
select t.run() is null as ran \gset
select is(t.state('b3e'), 'held b3e', 'one that came while they were being ended is held when it is due');
select t.look(format('update parley.account set tokens_valid_after = null where id = %L returning 1', t.id('bob'))) is null as restored \gset
select t.keep('b4', parley_api.schedule_message(t.id('talk'), 'b4', (now() + interval '1 hour')::text) ->> 'id');
select t.look(format('update parley.account set suspended_at = now() where id = %L returning 1', t.id('bob'))) is null as suspended \gset
select is(array[t.state('b4'), t.state('b3e')], array['cancelled', 'cancelled'], 'of one who is suspended all are cancelled');
select t.time_passes();
select t.run() is null as ran \gset
select is(t.state('b4'), 'cancelled', 'and none is sent');
select t.act('ann');
select t.keep('a5', parley_api.schedule_message(t.id('talk'), 'a5', (now() + interval '1 hour')::text) ->> 'id');
select t.look(format('update parley.conversation_profile set status = %L where conversation_id = %L returning 1', 'locked', t.id('talk'))) is null as locked \gset
select t.refused('PT403', $$select parley_api.schedule_message(t.id('talk'), 'x', (now() + interval '1 hour')::text)$$, 'a locked conversation takes none');
select t.time_passes();
select is(t.run(), 1, 'not even one from before');
select is(t.state('a5'), 'failed PT403 a5', 'which is told as any refusal');

-- what it carries waits with it
select t.look(format('update parley.conversation_profile set status = %L where conversation_id = %L returning 1', 'active', t.id('talk'))) is null as opened \gset
select t.keep('file', parley_api.declare_attachment(t.id('talk'), 'image', 'later.png', 'image/png', 1000) ->> 'id');
select t.refused(
    'PT404', $$select parley_api.schedule_message(t.id('talk'), send_at => (now() + interval '1 hour')::text, type => 'image', attachment_ids => array[t.id('none')])$$,
    'only what is there can be sent later'
);
select t.claim('service_role', '{"role": "service_role"}');
select parley_api.record_upload(t.id('file'), 1000) is null as uploaded \gset
select t.act('ann');
select t.keep('picture', parley_api.schedule_message(
    t.id('talk'), send_at => (now() + interval '1 hour')::text, type => 'image', attachment_ids => array[t.id('file')]) ->> 'id');
select t.host();
update parley.attachment set declared_at = declared_at - interval '30 days';
select is(parley.remove_orphaned_attachments(), false, 'a picture that is to be sent later');
select is((select count(*) from parley.attachment), 1::bigint, 'is not forgotten meanwhile');
select t.time_passes();
select is(t.run(), 1, 'and');
select is((select a.state from parley.attachment a where a.id = t.id('file')), 'attached', 'goes with its message');
delete from parley.scheduled_message where id = t.id('picture');
select t.act('ann');

-- who may not speak
select t.look(format('update parley.conversation_profile set who_can_send = %L where conversation_id = %L returning 1', 'admins_only', t.id('talk'))) is null as closed \gset
select lives_ok($$select parley_api.cancel_scheduled_message((parley_api.schedule_message(t.id('talk'), 'x', (now() + interval '1 hour')::text) ->> 'id')::uuid)$$, 'where admins speak an admin may');
select t.look($$with d as (delete from parley.scheduled_message where status = 'cancelled' and sender_id = t.id('ann') and id <> t.id('local') returning 1) select count(*) from d$$) is null as gone \gset
select parley_api.add_participants(t.id('talk'), array[t.id('eve')]) is null as added \gset
select t.act('eve');
select t.refused('PT403', $$select parley_api.schedule_message(t.id('talk'), 'x', (now() + interval '1 hour')::text)$$, 'and a member may not, not even later');
select t.look(format('update parley.conversation_profile set who_can_send = %L where conversation_id = %L returning 1', 'everyone', t.id('talk'))) is null as opened \gset
select t.act('ann');

-- a failure that may pass is tried again, and given up in the end
select t.look(format('update parley.conversation_profile set status = %L where conversation_id = %L returning 1', 'active', t.id('talk'))) is null as opened \gset
select t.keep('a6', parley_api.schedule_message(t.id('talk'), 'a6', (now() + interval '1 hour')::text) ->> 'id');
select t.host();
create function t.stumble() returns trigger language plpgsql as $$ begin raise exception using errcode = '53100', message = 'a6'; end $$;
create trigger stumble before insert on parley.message_key for each row execute function t.stumble();
select t.time_passes();
select is(t.run(), 1, 'of a disk that is full');
select is(t.state('a6'), 'pending 53100 a6', 'one does not die at once');
update parley.scheduled_message set attempts = 19 where id = t.id('a6');
select t.time_passes();
select is(t.run(), 1, 'but after twenty times');
select is(t.state('a6'), 'failed 53100 a6', 'it is given up');
drop trigger stumble on parley.message_key;

-- forgotten
select is(parley.purge_scheduled_messages(), false, 'what is over');
select is((select count(*) from parley.scheduled_message), 15::bigint, 'is kept for a month');
update parley.scheduled_message set finished_at = finished_at - interval '31 days' where status = 'sent';
select is(parley.purge_scheduled_messages(), false, 'and then');
select is((select string_agg(distinct s.status, ' ' order by s.status) from parley.scheduled_message s), 'cancelled failed', 'forgotten');

select * from finish();
rollback;
