-- Every reader of messages against the one verdict: a message in every combination of the reasons to see less of it, read
-- in every way. A new reader is one row of t.reader, a new reason one column of t.state and one line in t.make.
begin;
select plan(32);
\ir ../people.psql

-- Bob is the viewer; his tier reaches a day back. Each state has a conversation of its own.
create table t.state (
    name text primary key, conversation_id uuid default gen_random_uuid(), id uuid, reply_id uuid default parley.uuid_v7(),
    event_id bigint, before_joining boolean, beyond_window boolean, expired boolean, deleted boolean, hidden boolean, retired boolean
);
insert into t.state (name, id, before_joining, beyond_window, expired, deleted, hidden, retired)
select
    coalesce(nullif(concat_ws(' ', case when b then 'before' end, case when w then 'beyond' end, case when e then 'expired' end,
        case when d then 'deleted' end, case when h then 'hidden' end, case when r then 'retired' end), ''), 'plain'),
    parley.uuid_v7(now() - case when w then interval '2 days' else interval '1 hour' end), b, w, e, d, h, r
from (values (false), (true)) as b (b), (values (false), (true)) as w (w), (values (false), (true)) as e (e),
    (values (false), (true)) as d (d), (values (false), (true)) as h (h), (values (false), (true)) as r (r);
update parley.tier_limit set amount = 1 where name = 'retention_days' and tier_name = 'privileged';
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;

-- The message is Ann's, mentions Bob, has a picture, is pinned, starred by Bob and read by Cid; Bob's own reply quotes it.
create function t.make(s t.state) returns void language plpgsql as $$
begin
    insert into parley.conversation (id, last_seq, last_event_seq) values (s.conversation_id, 2, 2);
    insert into parley.conversation_profile (conversation_id, type, who_can_change_settings) values (s.conversation_id, 'group', 'everyone');
    insert into parley.participant (conversation_id, user_id, joined_at, history_from_seq, own_unread)
    select s.conversation_id, t.id(n), now() - interval '9 days', case when n = 'bob' and s.before_joining then 2 else 1 end, (n = 'bob')::int
    from unnest('{ann,bob,cid}'::text[]) n;
    insert into parley.message (
        id, conversation_id, seq, sender_id, created_at, type, content, mentions, pinned_at, has_attachments, client_message_id, expires_at, deleted_at, retired_at
    ) values (
        s.id, s.conversation_id, 1, t.id('ann'), now() - interval '1 hour', 'text', case when not s.deleted then 'zugzwang' end, array[t.id('bob')],
        now(), true, s.id, case when s.expired then now() - interval '1 second' else now() + interval '1 hour' end, case when s.deleted then now() end, case when s.retired then now() end
    );
    if s.retired then
        insert into parley.conversation_retention (conversation_id, retired_seq) values (s.conversation_id, 1);
    end if;
    insert into parley.message (id, conversation_id, seq, sender_id, created_at, type, content, reply_to_id)
    values (s.reply_id, s.conversation_id, 2, t.id('bob'), now(), 'text', 'what?', s.id);
    insert into parley.message_key (conversation_id, sender_id, client_message_id, message_id, request_hash)
    values (s.conversation_id, t.id('ann'), s.id, s.id, '');
    insert into parley.event (conversation_id, event_seq, message_seq, message_id, actor_id, kind, xid)
    values (s.conversation_id, 1, 1, s.id, t.id('ann'), 'message:new', '3'), (s.conversation_id, 2, 2, s.reply_id, t.id('bob'), 'message:new', '3');
    insert into parley.stored_object (storage_path, reference_count) values (s.id, 1);
    insert into parley.attachment (
        id, conversation_id, owner_id, message_id, message_seq, position, byte_size, kind, state, file_name, content_type, storage_path, attached_at,
        removed_at, expires_at, retired_at
    )
    select
        s.id, s.conversation_id, m.sender_id, m.id, m.seq, 1, 1, 'image', case when s.deleted then 'removed' else 'attached' end, 'x', 'image/png',
        s.id, now(), m.deleted_at, m.expires_at, m.retired_at
    from parley.message m where m.id = s.id;
    insert into parley.message_star (conversation_id, message_id, user_id) values (s.conversation_id, s.id, t.id('bob'));
    insert into parley.message_pin (conversation_id, message_id, seq) values (s.conversation_id, s.id, 1);
    insert into parley.read_marker (conversation_id, user_id, seq, after_seq) values (s.conversation_id, t.id('cid'), 1, 0);
    if s.deleted then
        insert into parley.message_uncounted (conversation_id, seq, message_id, sender_id, deleted_at) values (s.conversation_id, 1, s.id, t.id('ann'), now());
    end if;
    if s.hidden then
        insert into parley.message_hidden (conversation_id, user_id, seq, message_id, own) values (s.conversation_id, t.id('bob'), 1, s.id, false);
    end if;
end
$$;
select t.make(s) is null from t.state s \g /dev/null
update t.state s set event_id = e.id from parley.event e where e.message_id = s.id;

-- the verdict, against what the reasons mean one by one
create function t.verdict(s t.state, asked text default 'viewer') returns text language sql as $$
    select parley.message_verdict(
        m, case when asked = 'viewer' then t.id('bob') end, case when asked <> 'nobody' then p.history_from_seq end,
        case when asked <> 'nobody' then parley.message_floor_of(t.id('bob')) end
    )
    from parley.message m, parley.participant p
    where m.id = s.id and p.conversation_id = s.conversation_id and p.user_id = t.id('bob')
$$;
select is_empty($$
    select s.name, t.verdict(s) from t.state s where t.verdict(s) is distinct from case
        when s.before_joining or s.beyond_window or s.hidden then 'absent' when s.expired or s.deleted or s.retired then 'tombstone' else 'readable'
    end
$$, 'the verdict is the worst of what the reasons say');
select is(
    (select string_agg(concat(v, n), ' ' order by v) from (select t.verdict(s), count(*) from t.state s group by 1) x (v, n)),
    'absent56 readable1 tombstone7', 'there are messages of each verdict'
);

-- Which way, what it accepts, for whom it asks (the viewer; all but what the viewer has hidden; nobody in particular),
-- and as whom. $1 is the conversation, $2 the message, $3 its event, $4 the reply. The answer is a verdict, or `there`
-- where a reader does not show what the message says.
create table t.reader (n int generated always as identity, name text primary key, accepts text, asked text, as_user boolean, query text);
create function t.seen(m jsonb) returns text language sql as $$
    select case when jsonb_typeof(m) is distinct from 'object' then 'absent' when m ->> 'content' is null then 'tombstone' else 'readable' end
$$;
create function t.among(list jsonb, id uuid) returns text language sql as $$
    select t.seen((select m from jsonb_array_elements(list) m where $2::text in (m ->> 'id', m ->> 'message_id')))
$$;
create function t.among_events(list jsonb, id uuid) returns text language sql as $$
    select t.seen((select e #> '{payload,message}' from jsonb_array_elements(list) e where e #>> '{payload,message,id}' = $2::text))
$$;
create function t.refusal(query text) returns text language sql as $$
    select case f ->> 'code' when 'PT404' then 'absent' when 'PT409' then 'tombstone' when 'PT403' then 'there' else coalesce(f ->> 'message', 'readable') end
    from t.failure(query) f
$$;
-- whether something is there at all
create function t.there(query text) returns text language plpgsql as $$
declare
    v_found boolean;
begin
    execute query into v_found;
    return case when v_found then 'there' else 'absent' end;
end
$$;
insert into t.reader (name, accepts, asked, as_user, query) values
('the history', 'tombstone unless expired', 'viewer', true, $$t.among(parley_api.get_conversation_messages($1) -> 'messages', $2)$$),
('the history, onward', 'tombstone unless expired', 'viewer', true, $$t.among(parley_api.get_conversation_messages($1, after_seq => 0) -> 'messages', $2)$$),
('the view of messages', 'tombstone unless expired', 'viewer', true, $$t.seen((select to_jsonb(m) from parley_api.messages m where m.id = $2))$$),
('the view of attachments', 'readable', 'viewer', true, $$t.there(format('select exists (select from parley_api.attachments where message_id = %L)', $2))$$),
('the view of receipts', 'tombstone unless expired', 'viewer', true, $$t.there(format('select exists (select from parley_api.message_receipts where message_id = %L)', $2))$$),
('the media', 'readable', 'viewer', true, $$t.there(format('select exists (select from jsonb_array_elements(parley_api.get_conversation_media(%L) -> %L))', $1, 'attachments'))$$),
('the pins', 'tombstone unless expired', 'viewer', true, $$t.among(parley_api.get_pinned_messages($1) -> 'messages', $2)$$),
('the stars', 'readable', 'viewer', true, $$t.among(parley_api.get_starred_messages() -> 'messages', $2)$$),
('the preview', 'tombstone unless expired', 'viewer', false,
    $$t.seen((select parley.last_visible_message($1, t.id('bob'), p.history_from_seq, 1, parley.message_floor_of(t.id('bob')))
        from parley.participant p where p.conversation_id = $1 and p.user_id = t.id('bob')))$$),
('the search', 'readable', 'viewer', true,
    $$t.seen((select r -> 'message' from jsonb_array_elements(parley_api.search_messages('zugzwang', $1) -> 'results') r))$$),
('the unread count', 'readable', 'viewer', false, $$t.there(format('select t.count_of(%L, %L) = 1', 'unread_count', $1))$$),
('the count of mentions', 'readable', 'viewer', false, $$t.there(format('select t.count_of(%L, %L) = 1', 'mention_count', $1))$$),
('the unread totals', 'readable', 'viewer', true,
    $$t.there(format('select exists (select from jsonb_array_elements(parley_api.get_unread_counts() -> %L) c where c ->> %L = %L)', 'conversations', 'conversation_id', $1))$$),
('a quote', 'tombstone', 'viewer', true,
    $$t.seen((select m -> 'reply_to' from jsonb_array_elements(parley_api.get_conversation_messages($1) -> 'messages') m where m ->> 'id' = $4::text))$$),
('a page of events', 'tombstone', 'viewer', true, $$t.among_events(parley_api.get_events($1) -> 'events', $2)$$),
('a sync', 'tombstone', 'viewer', false,
    $$t.among_events(parley.events_json(parley.sync_event_ids(t.id('bob'), '1:1:', 0, 1000)), $2)$$),
('a sync of late commits', 'tombstone', 'viewer', false,
    $$t.among_events(parley.events_json(parley.sync_event_ids(t.id('bob'), '1:1:', 9223372036854775806, 1000)), $2)$$),
('a replay from a number', 'tombstone', 'viewer', false,
    $$t.seen((select r.payload::jsonb -> 'message' from parley.replay('authenticated', t.id('bob'), 'conversation:' || $1, 0, null, 100) r where r.id = $3))$$),
('a replay from a time', 'tombstone', 'viewer', false,
    $$t.seen((select r.payload::jsonb -> 'message' from parley.replay('authenticated', t.id('bob'), 'conversation:' || $1, null, '-infinity', 100) r where r.id = $3))$$),
('a replay of the inbox', 'tombstone', 'viewer', false,
    $$t.seen((select r.payload::jsonb -> 'message' from parley.replay('authenticated', t.id('bob'), 'user:' || t.id('bob'), null, '-infinity', 100) r where r.id = $3))$$),
('an event', 'tombstone', 'nobody', false, $$t.seen((select r.payload::jsonb -> 'message' from parley.render_events(array[$3]) r))$$),
('a repeated send', 'tombstone', 'nobody', false, $$t.seen(parley.repeated_message($1, t.id('ann'), $2, ''))$$),
('the explanation', 'tombstone unless expired', 'viewer', false,
    $$t.there(format('select p -> %L = %L from jsonb_array_elements(parley.explain_delivery(%L, %L, %L) -> %L) p', 'blocked_by', 'null', $2, t.id('bob'), 'why', 'participants'))$$),
('the receipts', 'tombstone unless expired', 'viewer', true, $$t.there(format('select %L <> %L', t.refusal(format('select parley_api.get_message_receipts(%L)', $2)), 'absent'))$$),
('the revisions', 'tombstone unless expired', 'viewer', true, $$t.there(format('select %L <> %L', t.refusal(format('select parley_api.get_message_revisions(%L)', $2)), 'absent'))$$),
('a reply', 'readable', 'viewer', true, $$t.refusal(format('select parley_api.send_message(%L, %L, reply_to_id => %L)', $1, 'oh', $2))$$),
('a forward', 'tombstone unless expired', 'viewer', true, $$t.refusal(format('select parley_api.forward_message(%L, array[%L::uuid])', $2, $1))$$),
('a reaction', 'tombstone unless expired', 'viewer', true, $$t.refusal(format('select parley_api.add_reaction(%L, %L)', $2, '👍'))$$),
('a deletion for everyone', 'tombstone unless expired', 'not hidden', true, $$t.there(format('select %L <> %L', t.refusal(format('select parley_api.delete_message(%L, true)', $2)), 'absent'))$$),
('reading up to it', 'tombstone unless expired', 'viewer', true, $$t.there(format('select %L <> %L', t.refusal(format('select parley_api.mark_message_as_read(%L)', $2)), 'absent'))$$);

create function t.count_of(which text, conversation_id uuid) returns bigint language plpgsql as $$
declare
    v_count bigint;
begin
    execute format('select parley.%I(p, 2) from parley.participant p where p.conversation_id = %L and p.user_id = %L', which, conversation_id, t.id('bob'))
    into v_count;
    return v_count;
end
$$;

-- where a reader answers otherwise than the verdict and what it accepts
create function t.differing(r t.reader) returns setof text language plpgsql as $$
declare
    v_state t.state;
    v_states t.state[] := array(select s from t.state s order by s.name);
    v_verdict text;
    v_wanted text;
    v_answer text;
begin
    foreach v_state in array v_states loop
        v_verdict := t.verdict(v_state, r.asked);
        v_wanted := case
            -- what points at a message shows no more than its place
            when v_verdict = 'absent' and r.asked = 'nobody' then 'tombstone'
            when v_verdict = 'tombstone' and (r.accepts = 'readable' or r.accepts = 'tombstone unless expired' and (v_state.expired or v_state.retired)) then 'absent'
            else v_verdict
        end;
        if r.as_user then
            perform t.act('bob');
        end if;
        execute 'select ' || r.query into v_answer using v_state.conversation_id, v_state.id, v_state.event_id, v_state.reply_id;
        perform t.host();
        if v_answer is distinct from v_wanted and (v_answer is distinct from 'there' or v_wanted = 'absent') then
            return next format('%s: %s, not %s', v_state.name, v_answer, v_wanted);
        end if;
    end loop;
end
$$;
select is_empty(
    format('select t.differing(r) from t.reader r where r.n = %s', r.n),
    format('%s: %s', r.name, case r.accepts when 'readable' then r.accepts else 'readable, ' || r.accepts end)
)
from (select n, name, accepts from t.reader order by n) r;

select * from finish();
rollback;
