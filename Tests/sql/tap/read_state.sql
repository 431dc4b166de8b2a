-- Read and delivery state: horizons only move forward, each advance leaves its moment, and unread counts are exact.
begin;
select plan(79);
\ir ../people.psql

-- The definition that unread_count must agree with, message by message.
create function t.unread_by_hand(name text, conversation text) returns bigint language sql security definer as $$
    select count(*)
    from parley.participant p
    inner join parley.message m on m.conversation_id = p.conversation_id
    where
        p.conversation_id = t.id($2) and p.user_id = t.id($1)
        and m.seq > p.last_read_seq
        and m.sender_id is distinct from p.user_id
        -- a notice is unread for nobody
        and (m.sender_id is not null or not coalesce(m.metadata ? 'event', false))
        and m.deleted_at is null
        and (m.expires_at is null or m.expires_at > now())
        and m.id >= parley.message_floor_of(p.user_id)
        and not exists (
            select from parley.message_hidden h
            where h.conversation_id = m.conversation_id and h.user_id = p.user_id and h.seq = m.seq
        )
$$;

create function t.unread_told() returns bigint language sql as $$
    select coalesce(
        (
            select (c -> 'unread_count')::bigint
            from jsonb_array_elements(parley_api.get_unread_counts() -> 'conversations') c
            where c ->> 'conversation_id' = t.id('talk')::text
        ),
        0
    )
$$;

create function t.mentions_by_hand(name text, conversation text) returns bigint language sql security definer as $$
    select count(*)
    from parley.participant p
    inner join parley.message m on m.conversation_id = p.conversation_id
    where
        p.conversation_id = t.id($2) and p.user_id = t.id($1)
        and m.seq > p.last_read_seq
        and m.sender_id <> p.user_id
        and (p.user_id = any (m.mentions) or m.mentions_all)
        and m.deleted_at is null
        and (m.expires_at is null or m.expires_at > now())
        and not exists (
            select from parley.message_hidden h
            where h.conversation_id = m.conversation_id and h.user_id = p.user_id and h.seq = m.seq
        )
$$;

create function t.mentions_told() returns bigint language sql as $$
    select coalesce(
        (
            select (c -> 'mention_count')::bigint
            from jsonb_array_elements(parley_api.get_unread_counts() -> 'conversations') c
            where c ->> 'conversation_id' = t.id('talk')::text
        ),
        0
    )
$$;

create function t.participant(name text) returns parley.participant language sql security definer as $$
    select p.* from parley.participant p where p.conversation_id = t.id('talk') and p.user_id = t.id($1)
$$;

-- A day in a group, at random but the same each time: what each member is told is counted by hand after each step.
create function t.random_day(steps integer) returns table (step integer, did text, who text, told bigint, counted bigint, mentions_told bigint, mentions_counted bigint)
language plpgsql as $$
declare
    v_who text;
    v_message uuid;
    v_members text[];
    v_mine boolean;
begin
    perform setseed(0.42);
    for i in 1..steps loop
        step := i;
        v_members := string_to_array(t.look(format(
            'select string_agg(n.name, '','' order by n.name) from t.named n inner join parley.participant p
             on p.user_id = n.id and p.conversation_id = %L and p.left_at is null', t.id('talk')
        )), ',');
        v_who := v_members[1 + floor(random() * cardinality(v_members))];
        perform t.act(v_who);
        did := (array['send', 'send', 'send', 'read', 'read some', 'hide', 'delete', 'leave', 'return', 'remove', 'expire'])[1 + floor(random() * 11)];
        v_message := null;
        if did in ('hide', 'delete', 'expire') then
            select m.id, m.sender_id = t.id(v_who) into v_message, v_mine
            from parley_api.messages m
            where m.conversation_id = t.id('talk') and m.deleted_at is null order by random() limit 1;
        end if;
        case
            when did = 'send' then
                perform parley_api.send_message(
                    t.id('talk'), 'message ' || i,
                    mentions => case when i % 3 = 0 then array[t.id(v_members[1 + floor(random() * cardinality(v_members))])] end,
                    mentions_all => i % 7 = 0
                );
            when did = 'read' then
                perform parley_api.mark_as_read(t.id('talk'));
            when did = 'read some' then
                perform parley_api.mark_as_read(t.id('talk'), floor(random() * (t.last_seq('talk') + 1))::bigint);
            when did = 'hide' and v_message is not null then
                perform parley_api.delete_message(v_message);
            when did = 'delete' and v_message is not null and (v_mine or v_who = 'ann') then
                perform parley_api.delete_message(v_message, true);
            when did = 'leave' and v_who <> 'ann' then
                perform parley_api.leave_conversation(t.id('talk'));
            when did = 'return' and v_who = 'ann' then
                perform parley_api.add_participants(t.id('talk'), array[t.id('bob'), t.id('cid'), t.id('dan')]);
            when did = 'remove' and v_who = 'ann' and 'dan' = any (v_members) then
                perform parley_api.remove_participant(t.id('talk'), t.id('dan'));
            when did = 'expire' and v_message is not null then
                perform t.look(format('update parley.message set expires_at = now() where id = %L returning id', v_message));
            else
                continue;
        end case;
        foreach who in array v_members loop
            continue when (t.participant(who)).left_at is not null;
            perform t.act(who);
            told := t.unread_told();
            counted := t.unread_by_hand(who, 'talk');
            mentions_told := t.mentions_told();
            mentions_counted := t.mentions_by_hand(who, 'talk');
            return next;
        end loop;
    end loop;
end
$$;

-- what the others see
create function t.status(seq bigint) returns text language sql as $$
    select m ->> 'status' from jsonb_array_elements(parley_api.get_conversation_messages(t.id('talk')) -> 'messages') m
    where (m ->> 'seq')::bigint = $1
$$;

update parley.tier_limit set amount = null, burst = null where period_seconds is not null;

select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('bob'), t.id('cid'), t.id('dan')], 'group') ->> 'id');
select t.keep('m' || n, t.send('talk', 'm' || n)::text) from generate_series(1, 10) n;
select t.last_event_seq('talk') as event_seq \gset

-- refused
select t.act('eve');
select t.refused('PT403', $$select parley_api.mark_as_read(t.id('talk'))$$, 'a stranger reads nothing');
select t.refused('PT403', $$select parley_api.mark_as_delivered(t.id('talk'))$$, 'receives nothing');
select t.refused('PT403', $$select parley_api.mark_as_unread(t.id('talk'))$$, 'marks nothing');
select t.refused('PT404', $$select parley_api.mark_message_as_read(t.id('m1'))$$, 'and finds no message');
select is(
    t.failure($$select parley_api.mark_as_read(t.id('talk'))$$), t.failure($$select parley_api.mark_as_read(t.id('none'))$$),
    'as if there were no conversation'
);
select t.act('bob');
select t.refused('PT400', 'select parley_api.mark_as_read(null)', 'a conversation is needed');
select t.refused('PT400', $$select parley_api.mark_as_read(t.id('talk'), -1)$$, 'a negative seq is refused');
select t.refused('PT400', $$select parley_api.mark_as_delivered(t.id('talk'), -1)$$, 'for delivery, too');
select is(t.events_since('talk', :event_seq), null, 'none of which is an event');

-- forward only
select is(t.unread('bob', 'talk'), 10::bigint, 'ten messages are unread');
select parley_api.mark_as_read(t.id('talk'), 4) as state \gset
select is(
    :'state'::jsonb - 'last_read_at',
    jsonb_build_object(
        'conversation_id', t.id('talk'), 'last_read_seq', 4, 'last_read_message_id', t.id('m4'), 'last_delivered_seq', 4,
        'marked_unread', false, 'unread_count', 6, 'mention_count', 0
    ),
    'reading four leaves six, and what is read was delivered'
);
select is(t.events_since('talk', :event_seq), 'message:read', 'it is one event');
select is(
    t.look(format('select (user_id, data -> %L)::text from parley.event where conversation_id = %L and event_seq = %s',
        'last_read_seq', t.id('talk'), :event_seq + 1)),
    format('(%s,4)', t.id('bob')), 'that says who and how far'
);
select is(parley_api.mark_as_read(t.id('talk'), 3) -> 'last_read_seq', '4', 'a horizon does not go back');
select is(parley_api.mark_as_read(t.id('talk'), 0) -> 'last_read_seq', '4', 'not to the beginning');
select is(parley_api.mark_as_read(t.id('talk'), 4) -> 'last_read_at', :'state'::jsonb -> 'last_read_at', 'and the same again changes nothing');
select is(t.events_since('talk', :event_seq), 'message:read', 'nor is any of that an event');
select is(parley_api.mark_as_delivered(t.id('talk'), 3) -> 'last_delivered_seq', '4', 'delivery does not go back either');
select is(parley_api.mark_as_delivered(t.id('talk'), 7) -> 'last_delivered_seq', '7', 'only forward');
select is(t.events_since('talk', :event_seq), 'message:read message:delivered', 'which is an event');
select is((t.participant('bob')).last_read_seq, 4::bigint, 'and reads nothing');
select is(parley_api.mark_message_as_read(t.id('m6')) -> 'last_read_seq', '6', 'a message can be named instead of its number');
select is(parley_api.mark_as_read(t.id('talk'), 9223372036854775807) -> 'last_read_seq', '10', 'beyond the end is the end');
select is(
    t.look(format('select array_agg(seq order by seq) from parley.read_marker where conversation_id = %L and user_id = %L', t.id('talk'), t.id('bob'))),
    '{4,6,10}', 'each advance leaves a marker'
);
select is(
    t.look(format('select count(distinct read_at) = 3 and max(read_at) = %L from parley.read_marker where user_id = %L',
        (t.participant('bob')).last_read_at, t.id('bob'))),
    'true', 'with its own moment'
);
select is(
    t.look(format(
        'select array_agg(coalesce((select min(r.seq) from parley.read_marker r where r.conversation_id = m.conversation_id
             and r.user_id = %L and r.seq >= m.seq), 0) order by m.seq)
         from parley.message m where m.conversation_id = %L', t.id('bob'), t.id('talk')
    )),
    '{4,4,4,4,6,6,10,10,10,10}', 'from which follows when each message was read'
);

-- counts
select is(
    parley_api.get_unread_counts(),
    '{"total": 0, "muted_total": 0, "archived_total": 0, "requests_total": 0, "mentions_total": 0,
      "unread_conversations": 0, "unread_requests": 0, "conversations": []}',
    'who has read all has none'
);
select t.act('bob');
select t.send('talk', 'm11') is not null as sent \gset
select is((t.participant('bob')).last_read_seq, 11::bigint, 'who has read all before sending has read the own message, too');
select t.act('cid');
select t.send('talk', 'm12') is not null as sent \gset
select is(t.unread('cid', 'talk'), 11::bigint, 'who has not still has all but the own');
select parley_api.delete_message(t.id('m1')) is null as hidden \gset
select is(t.unread('cid', 'talk'), 10::bigint, 'a hidden message is not unread');
select t.act('ann');
select parley_api.delete_message(t.id('m2'), true) is null as deleted \gset
select t.act('cid');
select is(t.unread('cid', 'talk'), 9::bigint, 'nor one deleted for everyone');
select t.act('ann');
select parley_api.delete_message(t.id('m1'), true) is null as deleted \gset
select t.act('cid');
select is(t.unread('cid', 'talk'), 9::bigint, 'nor is one that is both left out twice');
select parley_api.mark_as_read(t.id('talk'), 11) is null as marked \gset
select is(t.unread('cid', 'talk'), 0::bigint, 'after reading up to the own message nothing is left');
create temp table day as select * from t.random_day(400);
select t.host();
select cmp_ok((select count(*) from day), '>', 500::bigint, 'after each of hundreds of random steps');
select is((select count(distinct did) from day), 9::bigint, 'of every kind');
select is_empty('select * from day where told <> counted', 'every member is told exactly what is unread');
select is_empty('select * from day where mentions_told <> mentions_counted', 'and how often they are mentioned there');
select cmp_ok((select max(mentions_counted) from day), '>', 2::bigint, 'which some are');
select cmp_ok((select max(counted) from day), '>', 5::bigint, 'which is not always nothing');

-- marked as unread
select t.act('bob');
select parley_api.mark_as_read(t.id('talk')) is null as read \gset
select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('bob')], 'group') ->> 'id');
select t.send('talk', 'one') is not null as sent \gset
select t.act('bob');
select parley_api.mark_as_read(t.id('talk')) as state \gset
select t.last_event_seq('talk') as event_seq \gset
select is(parley_api.mark_as_unread(t.id('talk')) - 'last_read_at', (:'state'::jsonb || '{"marked_unread": true}') - 'last_read_at',
    'marking as unread moves no horizon');
select is(parley_api.get_unread_counts() #> '{conversations,0,marked_unread}', 'true', 'but shows the conversation');
select is(t.events_since('talk', :event_seq), null, 'the others are not told');
select is(parley_api.mark_as_read(t.id('talk')) -> 'marked_unread', 'false', 'until it is read again');
select is_empty(
    $$select from jsonb_array_elements(parley_api.get_unread_counts() -> 'conversations') c where c ->> 'conversation_id' = t.id('talk')::text$$,
    'then it is not shown'
);

-- muted and archived
select t.act('ann');
select t.send('talk', 'two') is not null as sent \gset
select t.act('bob');
select parley_api.update_participant_settings(t.id('talk'), mute_until => 'infinity') is null as muted \gset
select is(
    parley_api.get_unread_counts() - 'conversations' - 'total' - 'unread_conversations',
    '{"muted_total": 1, "archived_total": 0, "requests_total": 0, "mentions_total": 0, "unread_requests": 0}',
    'muted conversations are counted apart'
);
select parley_api.update_participant_settings(t.id('talk'), mute_until => (now() - interval '1 second')::text, notifications => 'none') is null as muted \gset
select is(parley_api.get_unread_counts() -> 'muted_total', '1', 'and so are those without notifications');
select parley_api.update_participant_settings(t.id('talk'), notifications => 'all') is null as unmuted \gset
select is(parley_api.get_unread_counts() -> 'muted_total', '0', 'until they are not muted any more');

select t.act('ann');
select is(t.status(1), 'read', 'a message that everybody has read is read');
select is(t.status(2), 'sent', 'a new one is sent');
select t.act('bob');
select parley_api.mark_as_delivered(t.id('talk')) is null as delivered \gset
select is(t.status(2), 'sent', 'for who received it, it has no other state');
select t.act('ann');
select is(t.status(2), 'delivered', 'for its sender it is delivered');
select t.host();
update parley.account set read_receipts = false where id = t.id('bob');
select t.act('bob');
select t.last_event_seq('talk') as event_seq \gset
select is(parley_api.mark_as_read(t.id('talk')) -> 'last_read_seq', '2', 'who keeps receipts to themselves reads');
select is(t.events_since('talk', :event_seq), null, 'without the conversation being told');
select is(
    t.look(format('select count(*) from parley.event where kind = %L and conversation_id is null and user_id = %L', 'message:read', t.id('bob'))),
    '1', 'only their other devices'
);
select t.act('ann');
select is(t.status(2), 'delivered', 'the sender sees it delivered');
select is(
    (
        select p -> 'last_read_seq' from jsonb_array_elements(parley_api.get_user_conversations() #> '{conversations,0,participants}') p
        where p ->> 'display_name' = 'Bob'
    ),
    'null', 'and no horizon'
);

-- archived conversations and requests apart; a look into a request tells nobody
select t.act('ann');
select t.keep('ask', parley_api.start_conversation(array[t.id('bob')], 'group') ->> 'id');
select t.keep('ask1', t.send('ask', 'please')::text);
select parley_api.send_message(t.id('ask'), 'look', mentions => array[t.id('bob')]) is not null as sent \gset
select t.keep('put', parley_api.start_conversation(array[t.id('bob')], 'group') ->> 'id');
select t.send('put', 'away') is not null as sent \gset
select t.host();
update parley.participant set folder = 'requests' where conversation_id = t.id('ask') and user_id = t.id('bob');
update parley.participant set archived_at = now() where conversation_id = t.id('put') and user_id = t.id('bob');
select t.last_event_seq('ask') as event_seq \gset
select t.act('bob');
select is(
    parley_api.get_unread_counts() - 'conversations',
    '{"total": 0, "muted_total": 0, "archived_total": 1, "requests_total": 2, "mentions_total": 0, "unread_conversations": 0, "unread_requests": 1}',
    'each in its own sum'
);
select is(parley_api.mark_as_read(t.id('ask')) -> 'unread_count', '2', 'reading a request leaves it unread');
select is(parley_api.mark_message_as_read(t.id('ask1')) -> 'last_read_seq', '0', 'by message, too');
select is(parley_api.mark_as_delivered(t.id('ask')) -> 'last_delivered_seq', '0', 'nor is it delivered');
select is(t.events_since('ask', :event_seq), null, 'and nobody is told');
select parley_api.delete_conversation(t.id('ask')) is null as deleted \gset
select is(parley_api.get_unread_counts() -> 'requests_total', '0', 'a request that was deleted is not unread');
select t.act('ann');
select t.send('ask', 'again') is not null as sent \gset
select t.act('bob');
select is(parley_api.get_unread_counts() -> 'requests_total', '1', 'but for what comes after');
select t.host();
update parley.participant set folder = 'inbox' where conversation_id = t.id('ask') and user_id = t.id('bob');
select t.act('bob');
select is(parley_api.mark_as_read(t.id('ask')) -> 'unread_count', '0', 'once accepted it can be read');

-- the two counters of a booking: by application role
select t.host();
update parley.account set read_receipts = true where id = t.id('bob');
select t.act('ann');
select t.keep('booking', parley_api.start_conversation(
    array[t.id('bob')], 'group', app_roles => jsonb_build_object(t.id('ann')::text, 'customer', t.id('bob')::text, 'artist')) ->> 'id');
select is(parley_api.get_role_unread_counts(t.id('booking')), '{"unread_count_customer": 0, "unread_count_artist": 0}', 'nothing is unread by either side');
select count(t.send('booking', 'b' || n)) as sent from generate_series(1, 3) n \gset
select is(parley_api.get_role_unread_counts(t.id('booking')), '{"unread_count_customer": 0, "unread_count_artist": 3}', 'then it is by the other');
select t.host();
select is(parley_api.get_role_unread_counts(t.id('booking')), '{"unread_count_customer": 0, "unread_count_artist": 3}', 'the application sees both');
update parley.account set read_receipts = false where id = t.id('bob');
select t.act('ann');
select is(parley_api.get_role_unread_counts(t.id('booking')) -> 'unread_count_artist', 'null', 'who keeps receipts to themselves keeps that, too');
select t.act('bob');
select is(parley_api.get_role_unread_counts(t.id('booking')) -> 'unread_count_artist', '3', 'but not to themselves');
select t.act('eve');
select t.refused('PT403', $$select parley_api.get_role_unread_counts(t.id('booking'))$$, 'strangers count nothing');

-- what the reader may not see any more is not unread: expired, or beyond the window of the tier
select t.act('ann');
select t.keep('aged', parley_api.start_conversation(array[t.id('dan')], 'group') ->> 'id');
select count(t.send('aged', 'a' || n)) as sent from generate_series(1, 5) n \gset
select parley_api.mark_as_read(t.id('aged')) is null as read \gset
select t.act('dan');
select t.keep('by_dan', t.send('aged', 'a6')::text);
select t.act('ann');
select count(t.send('aged', 'a' || n)) as sent from generate_series(7, 10) n \gset
select t.unread('dan', 'aged') as unread \gset
select t.host();
select is(:unread::bigint, 9::bigint, 'nine of others are unread');
update parley.message set expires_at = now() where conversation_id = t.id('aged') and seq in (6, 9);
update parley.message set expires_at = now() + interval '1 hour' where conversation_id = t.id('aged') and seq = 8;
select is(t.unread('dan', 'aged'), 8::bigint, 'what has expired is not unread, once only, and what will expire still is');
select t.act('dan');
select parley_api.delete_message(id) is null as hidden from parley_api.messages
where conversation_id = t.id('aged') and seq = 10 \gset
select t.host();
update parley.message set expires_at = now() where conversation_id = t.id('aged') and seq = 10;
select is(t.unread('dan', 'aged'), 7::bigint, 'nor twice, when it was hidden before');
insert into parley.tier_limit (tier_name, name, amount) values ('free', 'retention_days', 2)
on conflict on constraint tier_limit_pkey do update set amount = excluded.amount;
update parley.participant set joined_at = joined_at - interval '10 days' where conversation_id = t.id('aged');
update parley.message set id = parley.uuid_v7(now() - interval '5 days' + seq * interval '1 second')
where conversation_id = t.id('aged') and seq <= 3;
select is(t.unread('dan', 'aged'), 4::bigint, 'messages beyond the window of the reader''s tier are not unread');
select is(t.unread('dan', 'aged'), t.unread_by_hand('dan', 'aged'), 'as counted by hand');
select is(t.unread('ann', 'aged'), t.unread_by_hand('ann', 'aged'), 'while another tier still counts them');
update parley.message set id = parley.uuid_v7(now() - interval '5 days' + seq * interval '1 second')
where conversation_id = t.id('aged') and seq between 4 and 7;
select is(t.unread('dan', 'aged'), 1::bigint, 'own ones beyond it are not taken off twice');
delete from parley.message where conversation_id = t.id('aged') and seq <= 5;
select is(t.unread('dan', 'aged'), 1::bigint, 'and the same when the oldest are purged');
update parley.message set id = parley.uuid_v7(now() - interval '5 days' + seq * interval '1 second')
where conversation_id = t.id('aged') and seq > 7;
select is(t.unread('dan', 'aged'), 0::bigint, 'nothing is unread when all of them are old');

select * from finish();
rollback;
