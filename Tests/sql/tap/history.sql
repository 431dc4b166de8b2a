-- The history of a conversation: pages by seq in both directions, and what each viewer may see of it.
begin;
select plan(90);
\ir ../people.psql
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;

create function t.page(
    before_seq bigint default null, after_seq bigint default null, around_seq bigint default null, page_size integer default 50
) returns text language sql as $$
    select string_agg(m ->> 'seq', ' ' order by n)
        || case when (p -> 'has_more')::boolean then ' more' else '' end
    from parley_api.get_conversation_messages(t.id('talk'), $1, $2, $3, $4) p,
        jsonb_array_elements(p -> 'messages') with ordinality as x (m, n)
    group by p
$$;

create function t.page_at(direction text, message text, page_size integer) returns text language plpgsql as $$
declare
    v_page jsonb;
begin
    execute format('select parley_api.get_conversation_messages(%L, page_size => %s, %I => %L)',
        t.id('talk'), $3, $1 || '_message_id', t.id($2)) into v_page;
    return (select string_agg(m ->> 'seq', ' ' order by n) from jsonb_array_elements(v_page -> 'messages') with ordinality x (m, n))
        || case when (v_page -> 'has_more')::boolean then ' more' else '' end;
end
$$;

create function t.filtered(
    before_seq bigint, after_seq bigint, around_seq bigint, page_size integer, types text[], sender text default null
) returns text language sql as $$
    select concat_ws(' ',
        (select string_agg(m ->> 'seq', ' ' order by n) from jsonb_array_elements(p -> 'messages') with ordinality as x (m, n)),
        case when (p -> 'has_more_before')::boolean then 'before' end, case when (p -> 'has_more_after')::boolean then 'after' end,
        'of', p -> 'looked_from_seq', '-', p -> 'looked_to_seq')
    from parley_api.get_conversation_messages(t.id('long'), $1, $2, $3, $4, types => $5, sender_id => case when $6 is not null then t.id($6) end) p
$$;
create function t.in_view() returns text language sql as $$
    select string_agg(m.seq::text, ' ' order by m.seq) from parley_api.messages m where m.conversation_id = t.id('talk')
$$;

select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('bob')], 'group') ->> 'id');
select t.keep('m' || n, t.send('talk', 'm' || n)::text) from generate_series(1, 10) n;

-- refused
select t.act('eve');
select t.refused('PT403', $$select parley_api.get_conversation_messages(t.id('talk'))$$, 'a stranger reads nothing');
select is(
    t.failure($$select parley_api.get_conversation_messages(t.id('talk'))$$), t.failure($$select parley_api.get_conversation_messages(t.id('none'))$$),
    'as if there were nothing to read'
);
select t.act('bob');
select t.refused('PT400', 'select parley_api.get_conversation_messages(null)', 'a conversation is needed');
select t.refused('PT400', $$select parley_api.get_conversation_messages(t.id('talk'), 5, 5)$$, 'one direction at a time');
select t.refused('PT400', $$select parley_api.get_conversation_messages(t.id('talk'), before_seq => -1)$$, 'no negative seq before');
select t.refused('PT400', $$select parley_api.get_conversation_messages(t.id('talk'), after_seq => -1)$$, 'after');
select t.refused('PT400', $$select parley_api.get_conversation_messages(t.id('talk'), around_seq => -1)$$, 'or around');
select t.refused('PT400', $$select parley_api.get_conversation_messages(t.id('talk'), page_size => 0)$$, 'a page of nothing is refused');
select t.refused('PT400', $$select parley_api.get_conversation_messages(t.id('talk'), page_size => 201)$$, 'of more than 200');
select t.refused('PT400', $$select parley_api.get_conversation_messages(t.id('talk'), page_size => 1000000000)$$, 'of a billion');
select t.refused('PT400', $$select parley_api.get_conversation_messages(t.id('talk'), page_size => null)$$, 'and of unknown size');

-- pages
select is(t.page(), '1 2 3 4 5 6 7 8 9 10', 'a conversation that fits is one page, oldest first');
select is(t.page(page_size => 4), '7 8 9 10 more', 'else the newest page, and there is more before it');
select is(t.page(before_seq => 7, page_size => 4), '3 4 5 6 more', 'before it');
select is(t.page(before_seq => 3, page_size => 4), '1 2', 'up to the first');
select is(t.page(before_seq => 1), null, 'before which there is nothing');
select is(t.page(before_seq => 0), null, 'at all');
select is(t.page(before_seq => 9223372036854775807, page_size => 2), '9 10 more', 'before the end of time are the newest');
select is(t.page(after_seq => 0, page_size => 4), '1 2 3 4 more', 'from the beginning, there is more after it');
select is(t.page(after_seq => 8, page_size => 4), '9 10', 'to the last');
select is(t.page(after_seq => 10), null, 'after which there is nothing');
select is(t.page(after_seq => 99), null, 'nor further on');
select is(t.page(around_seq => 5, page_size => 5), '3 4 5 6 7 more', 'around a message it is in the middle');
select is(t.page(around_seq => 1, page_size => 5), '1 2 3', 'or at the edge');
select is(t.page(around_seq => 10, page_size => 4), '9 10 more', 'at the other, too');
select is(t.page(around_seq => 99, page_size => 4), '9 10 more', 'beyond the end it is the end');
-- the same by message, as a client that follows a search result or a reply asks for it
select is(t.page_at('before', 'm7', 4), '3 4 5 6 more', 'before a message instead of a number');
select is(t.page_at('after', 'm7', 2), '8 9 more', 'after it');
select is(t.page_at('around', 'm5', 5), '3 4 5 6 7 more', 'and around it');
select is(t.page_at('before', 'm1', 5), null, 'before the first there is nothing');
select t.refused('PT404', $$select t.page_at('around', 'none', 5)$$, 'a message that is not there is refused');
select t.act('ann');
select t.keep('elsewhere', parley_api.start_conversation(array[t.id('bob')], 'group') ->> 'id');
select t.keep('foreign', t.send('elsewhere', 'x')::text);
select t.act('bob');
select t.refused('PT404', $$select t.page_at('before', 'foreign', 5)$$, 'and so is one of another conversation');
select is(
    t.failure($$select t.page_at('before', 'foreign', 5)$$), t.failure($$select t.page_at('before', 'none', 5)$$), 'in the same words'
);
select t.refused('PT400', $$select parley_api.get_conversation_messages(t.id('talk'), before_seq => 5, around_message_id => t.id('m5'))$$, 'one place at a time');
select t.refused('PT400', $$select parley_api.get_conversation_messages(t.id('talk'), before_message_id => t.id('m4'), after_message_id => t.id('m5'))$$, 'however it is given');
select is(
    (select (p -> 'has_more_before')::boolean and (p -> 'has_more_after')::boolean
     from parley_api.get_conversation_messages(t.id('talk'), around_message_id => t.id('m5'), page_size => 3) p),
    true, 'a window in the middle says that there is more on both sides'
);
savepoint hidden;
select parley_api.delete_message(t.id('m7')) is null as hidden \gset
select is(t.page_at('before', 'm7', 2), '5 6 more', 'a place stays a place when its message was hidden');
rollback to hidden;
select t.act('eve');
select t.refused('PT403', $$select t.page_at('around', 'm5', 5)$$, 'a stranger finds no place');
select t.act('bob');
select is(
    parley_api.get_conversation_messages(t.id('talk'), around_seq => 5, page_size => 3) - 'messages',
    '{"has_more": true, "has_more_before": true, "has_more_after": true, "last_seq": 10, "last_read_seq": 0, "last_read_message_id": null}',
    'the page says what lies on both sides, and how far the viewer has read'
);
select is(
    parley_api.get_conversation_messages(t.id('talk'), after_seq => 9) #>> '{messages,0,id}', t.id('m10')::text, 'the messages are what they were'
);

-- what a viewer may see
select parley_api.delete_message(t.id('m5')) is null as hidden \gset
select is(t.page(page_size => 6), '4 6 7 8 9 10 more', 'a page is full though a message is hidden');
select is(t.page(around_seq => 5, page_size => 2), '4 6 more', 'around a hidden one are its neighbours');
select is(t.in_view(), '1 2 3 4 6 7 8 9 10', 'the view hides it as well');
select t.act('ann');
select is(t.page(page_size => 6), '5 6 7 8 9 10 more', 'from who hid it only');
select parley_api.send_message(t.id('talk'), 'brief', expires_in => '1 hour') is null as sent \gset
select is(t.page(after_seq => 9), '10 11', 'a message that expires is shown');
select t.host();
update parley.message set expires_at = now() - interval '1 second' where conversation_id = t.id('talk') and seq = 11;
select t.act('ann');
select is(t.page(after_seq => 9), '10', 'until it has expired');
select is(t.in_view(), '1 2 3 4 5 6 7 8 9 10', 'in the view, too');
select parley_api.add_participants(t.id('talk'), array[t.id('cid')]) is null as added \gset
select t.act('cid');
select is(t.page(), '12', 'who joined later sees what came from then on');
select is(t.page(before_seq => 12), null, 'and nothing before it');
select is(t.page(around_seq => 3), '12', 'wherever they look');
select is(t.in_view(), '12', 'in the view, too');

-- as far back as the viewer's own tier reaches
select t.host();
create function t.at_days_ago(days integer) returns uuid language sql as $$
    select overlay(gen_random_uuid()::text placing substr(parley.uuid_v7(now() - make_interval(days => $1))::text, 1, 18) from 1 for 18)::uuid
$$;
do $$
declare
    v_from date := date_trunc('month', now() - interval '400 days');
begin
    -- partitions for the past, which a running deployment has and a new one has not
    while v_from < date_trunc('month', now()) - interval '1 month' loop
        execute format(
            'create table parley.%I partition of parley.message for values from (%L) to (%L)', 'message_past_' || to_char(v_from, 'YYYY_MM'),
            parley.uuid_v7_floor(v_from::timestamp at time zone 'UTC'), parley.uuid_v7_floor((v_from + interval '1 month') at time zone 'UTC')
        );
        v_from := v_from + interval '1 month';
    end loop;
end
$$;
update parley.message set id = t.at_days_ago(366) where id = t.id('m1');
update parley.message set id = t.at_days_ago(364) where id = t.id('m2');
update parley.message set id = t.at_days_ago(181) where id = t.id('m3');
update parley.message set id = t.at_days_ago(179) where id = t.id('m4');
update parley.message set id = t.at_days_ago(31) where id = t.id('m6');
update parley.message set id = t.at_days_ago(29) where id = t.id('m7');
select t.act('ann');
select is(t.page(), '2 3 4 5 6 7 8 9 10 12', 'privileged_plus sees a year');
select is(t.in_view(), '2 3 4 5 6 7 8 9 10 12', 'in the view, too');
select t.act('bob');
select is(t.page(), '4 6 7 8 9 10 12', 'privileged sees half a year');
select is(t.in_view(), '4 6 7 8 9 10 12', 'in the view, too');
select t.host();
update parley.account set tier_name = 'free' where id = t.id('bob');
select t.act('bob');
select is(t.page(), '7 8 9 10 12', 'free sees 30 days, from the next statement on');
select is(t.in_view(), '7 8 9 10 12', 'in the view, too');
select is(t.page(after_seq => 0, page_size => 2), '7 8 more', 'a page begins where the tier reaches');
select t.refused('PT404', format('select parley_api.mark_message_as_read(%L)',
    t.look(format('select id from parley.message where conversation_id = %L and seq = 6', t.id('talk')))), 'what is further back is not found');
select t.host();
update parley.tier_limit set amount = null where name = 'retention_days' and tier_name = 'free';
select t.act('bob');
select is(t.page(), '1 2 3 4 6 7 8 9 10 12', 'no limit is everything');

-- of some types, or of one sender
select t.act('ann');
select t.keep('long', parley_api.start_conversation(array[t.id('bob')], 'group') ->> 'id');
select t.host();
insert into parley.message (id, conversation_id, seq, sender_id, created_at, type, content, metadata)
select parley.uuid_v7(now() + make_interval(secs => n * 0.001)), t.id('long'), n, case when n % 500 = 7 then t.id('bob') else t.id('ann') end, now(),
    case when n % 500 in (7, 8, 9) then 'location' else 'text' end, 'x', null
from generate_series(1, 3000) n;
update parley.conversation set last_seq = 3000 where id = t.id('long');
select t.act('ann');
select is(t.filtered(null, null, null, 2, '{location}'), '2508 2509 before of 2508 - 3000', 'the newest of a type');
select is(t.filtered(2508, null, null, 2, '{location}'), '2009 2507 before after of 2009 - 2507', 'those before');
select is(t.filtered(2009, null, null, 50, '{location}'), '1009 1507 1508 1509 2007 2008 before after of 1009 - 2008', 'a page looks at a thousand messages');
select is(t.filtered(1009, null, null, 50, '{location}'), '9 507 508 509 1007 1008 before after of 9 - 1008', 'the next one at those before');
select is(t.filtered(null, 0, null, 2, '{location}'), '7 8 after of 1 - 8', 'the oldest of a type');
select is(t.filtered(null, 8, null, 50, '{location}'), '9 507 508 509 1007 1008 before after of 9 - 1008', 'those after');
select is(t.filtered(null, null, 508, 4, '{location}'), '507 508 509 1007 before after of 507 - 1007', 'those around');
select is(t.filtered(null, null, null, 50, null, 'bob'), '2007 2507 before of 2001 - 3000', 'of a sender');
select is(t.filtered(null, null, null, 50, '{text}', 'bob'), 'before of 2001 - 3000', 'none is an answer, too, that says where to go on');
select is(t.filtered(1001, null, null, 50, '{text}', 'bob') , 'after of 1 - 2000', 'to the beginning');
select is(t.filtered(null, null, null, 50, '{nothing}'), 'before of 2001 - 3000', 'of a type there is none');
select is(t.filtered(null, null, null, 50, '{}'), 'before of 2001 - 3000', 'or of no type');

-- about something
select t.host();
update parley.message set metadata = jsonb_build_object('booking', jsonb_build_object('id', seq % 3), 'tags', '["a", "b"]'::jsonb)
where conversation_id = t.id('long') and type = 'location';
create function t.about(before_seq bigint, page_size integer, metadata jsonb, types text[] default null) returns text language sql as $$
    select concat_ws(' ',
        (select string_agg(m ->> 'seq', ' ' order by n) from jsonb_array_elements(p -> 'messages') with ordinality as x (m, n)),
        case when (p -> 'has_more_before')::boolean then 'before' end, 'of', p -> 'looked_from_seq', '-', p -> 'looked_to_seq')
    from parley_api.get_conversation_messages(t.id('long'), $1, page_size => $2, metadata => $3, types => $4) p
$$;
select t.act('ann');
select is(t.about(null, 1, '{"booking": {"id": 1}}'), '2509 before of 2509 - 3000', 'messages whose metadata contains an object');
select is(t.about(2008, 50, '{"booking": {"id": 1}}'), '1009 1507 before of 1008 - 2007', 'page by page, a thousand looked at in each');
select is(t.about(null, 50, '{"booking": {"id": 1}, "tags": ["b"]}'), '2008 2509 before of 2001 - 3000', 'all of it');
select is(t.about(null, 50, '{"booking": {"id": 1}, "tags": ["c"]}'), 'before of 2001 - 3000', 'not half');
select is(t.about(null, 50, '{"booking": {"id": "1"}}'), 'before of 2001 - 3000', 'a number is not a text');
select is(t.about(null, 1, '{}'), '3000 before of 3000 - 3000', 'nothing is in all, also in none');
select is(t.about(null, 50, '{"tags": ["a"]}', '{text}'), 'before of 2001 - 3000', 'together with the other filters');
select t.refused('PT400', format('select t.about(null, 50, %L)', m), 'no filter: ' || left(m, 10))
from unnest(array['null', '[]', '"booking"', '42', jsonb_build_object('a', repeat('x', 8192))::text]) m;
select t.act('bob');
select parley_api.delete_message((select m.id from parley_api.messages m where m.conversation_id = t.id('long') and m.seq = 2509)) is null as hidden \gset
select is(t.about(null, 50, '{"booking": {"id": 1}}'), '2008 before of 2001 - 3000', 'not what one has hidden');
select t.act('eve');
select t.refused('PT403', $$select t.about(null, 50, '{"booking": {"id": 1}}')$$, 'a stranger is told nothing');

-- pages by size: what is large comes in more pages, and none is left out
select t.act('ann');
select t.keep('large', parley_api.start_conversation(array[t.id('bob')], 'group') ->> 'id');
select t.send('large', 'message ' || n) is null as sent from generate_series(1, 5) n \g /dev/null
select t.host();
update parley.message m set metadata = jsonb_build_object('x', repeat('x', 400000)) where m.conversation_id = t.id('large') and m.content like 'message %';
create function t.large(arguments text) returns text language plpgsql as $$
declare
    v_page jsonb;
begin
    execute format('select parley_api.get_conversation_messages(t.id(%L), %s)', 'large', arguments) into v_page;
    return (select string_agg(m ->> 'seq', ' ' order by n) from jsonb_array_elements(v_page -> 'messages') with ordinality x (m, n))
        || case when (v_page -> 'has_more_before')::boolean then ' before' else '' end
        || case when (v_page -> 'has_more_after')::boolean then ' after' else '' end;
end
$$;
select t.last_seq('large') as last \gset
select t.act('bob');
select is(t.large('page_size => 50'), format('%s %s before', :last - 1, :last), 'the newest page ends at a megabyte');
select is(t.large(format('before_seq => %s', :last - 1)), format('%s %s before after', :last - 3, :last - 2), 'so does the one before');
select is(t.large(format('after_seq => %s', :last - 5)), format('%s %s after', :last - 4, :last - 3), 'and the one after');
select is(t.large(format('around_seq => %s', :last - 2)), format('%s %s before after', :last - 2, :last - 1), 'and each half of one around');

select * from finish();
rollback;
