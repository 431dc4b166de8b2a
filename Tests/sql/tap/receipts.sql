-- Receipts: who has received and read which message, and when, from horizons and markers; and who keeps theirs private.
begin;
select plan(51);
\ir ../people.psql
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;

-- Who of a message's receipts has read it, and who only received it.
create function t.receipts(message text) returns text language sql as $$
    select string_agg(
        (r ->> 'display_name') || case when r ->> 'read_at' is not null then ' read' when (r -> 'delivered')::boolean then ' has' else ' -' end,
        ', ' order by r ->> 'display_name'
    )
    from jsonb_array_elements(parley_api.get_message_receipts(t.id($1)) -> 'receipts') r
$$;

create function t.in_view(message text) returns text language sql as $$
    select string_agg(n.name, ' ' order by n.name)
    from parley_api.message_receipts r inner join t.named n on n.id = r.user_id
    where r.message_id = t.id($1)
$$;
grant select on t.named to public;

-- What each reader's receipts must be, counted by hand from the calls that were made.
create table t.made (who text, seq bigint, at timestamptz);
create function t.read(who text, seq bigint) returns void language plpgsql security definer as $$
declare
    v_claims text := current_setting('request.jwt.claims');
    v_before bigint := (select p.last_read_seq from parley.participant p where p.conversation_id = t.id('talk') and p.user_id = t.id($1));
    v_state jsonb;
begin
    perform set_config('request.jwt.claims', json_build_object('sub', t.id($1), 'role', 'authenticated')::text, true);
    v_state := parley.mark_as_read(t.id('talk'), $2);
    perform set_config('request.jwt.claims', v_claims, true);
    insert into t.made
    select $1, m.seq, (v_state ->> 'last_read_at')::timestamptz
    from parley.message m
    where m.conversation_id = t.id('talk') and m.seq > v_before and m.seq <= (v_state -> 'last_read_seq')::bigint
        and m.sender_id <> t.id($1);
end
$$;
create function t.all_made() returns table (who text, seq bigint, at timestamptz) language sql security definer as $$
    select * from t.made
$$;

select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('bob'), t.id('cid'), t.id('dan')], 'group') ->> 'id');
select t.keep('m' || n, t.send('talk', 'm' || n)::text) from generate_series(1, 6) n;
select t.keep('two', parley_api.start_conversation(array[t.id('bob')]) ->> 'id');

-- refused
select t.act('eve');
select t.refused('PT404', $$select parley_api.get_message_receipts(t.id('m1'))$$, 'a stranger learns nothing');
select is(
    t.failure($$select parley_api.get_message_receipts(t.id('m1'))$$), t.failure($$select parley_api.get_message_receipts(t.id('none'))$$),
    'as if there were no message'
);
select t.refused('PT400', 'select parley_api.get_message_receipts(null)', 'a message is needed');
select is_empty('select * from parley_api.message_receipts', 'and the view is empty');

-- from nothing to read
select t.act('ann');
select is(t.receipts('m3'), 'Bob -, Cid -, Dan -', 'nobody has a new message');
select is(parley_api.get_message_receipts(t.id('m3')) ->> 'status', 'sent', 'it is sent');
select t.act('bob');
select parley_api.mark_as_delivered(t.id('talk'), 3) is null as delivered \gset
select t.act('ann');
select is(t.receipts('m3'), 'Bob has, Cid -, Dan -', 'then one has');
select is(t.receipts('m4'), 'Bob -, Cid -, Dan -', 'but not the next one');
select t.read('bob', 2);
select is(t.receipts('m2'), 'Bob read, Cid -, Dan -', 'and has read');
select is(t.receipts('m3'), 'Bob has, Cid -, Dan -', 'as far as they have');
select t.read('bob', 5);
select t.read('cid', 6);
select t.read('dan', 1);
select is(t.receipts('m1'), 'Bob read, Cid read, Dan read', 'until all have');
select is(parley_api.get_message_receipts(t.id('m1')) ->> 'status', 'read', 'which is read');
select is(parley_api.get_message_receipts(t.id('m1')) - 'receipts' - 'message_id' - 'conversation_id',
    '{"seq": 1, "status": "read", "read_count": 3, "delivered_count": 3}', 'and counted');
select is(parley_api.get_message_receipts(t.id('m2')) ->> 'status', 'sent', 'others are not');
select t.act('dan');
select parley_api.mark_as_delivered(t.id('talk'), 2) is null as delivered \gset
select t.act('ann');
select is(parley_api.get_message_receipts(t.id('m2')) ->> 'status', 'delivered', 'or delivered only');
select t.act('cid');
select is(t.receipts('m2'), 'Bob read, Cid read, Dan has', 'every participant may look');
select is(parley_api.get_message_receipts(t.id('m2')) ->> 'status', 'sent', 'though the state is the sender''s');

-- the view, exactly
select is(t.in_view('m2'), 'bob cid', 'the view has who read');
select is(t.in_view('m6'), 'cid', 'each message by itself');
select t.act('bob');
select t.keep('own', t.send('talk', 'of bob')::text);
select t.read('ann', null);
select t.read('cid', 7);
select t.read('dan', 4);
select t.read('dan', 7);
select t.act('ann');
select set_eq(
    $$select n.name, r.seq, r.read_at from parley_api.message_receipts r inner join t.named n on n.id = r.user_id and n.name <> 'none'
      where r.conversation_id = t.id('talk') and n.name in ('ann', 'bob', 'cid', 'dan')$$,
    'select * from t.all_made()', 'and is what was done, to the moment'
);
select cmp_ok((select count(distinct at) from t.all_made()), '>=', 6::bigint, 'at different moments');
select is((select count(*) from (select message_id, user_id from parley_api.message_receipts group by 1, 2 having count(*) > 1) x), 0::bigint, 'one of each');
select is(t.in_view('own'), 'ann cid dan', 'nobody reads their own message');

-- private
select t.host();
update parley.account set read_receipts = false where id = t.id('cid');
select t.act('ann');
select t.keep('m8', t.send('talk', 'm8')::text);
select t.read('cid', 8);
select t.read('dan', 8);
select is(t.receipts('m8'), 'Bob -, Cid -, Dan read', 'who keeps receipts to themselves does not show by delivery that they read');
select is(
    (select array_agg(p ->> k) from jsonb_array_elements(parley_api.get_conversation(t.id('talk')) -> 'participants') p, unnest('{last_read_seq,last_delivered_seq}'::text[]) k where p ->> 'display_name' = 'Cid'),
    array[null, '7'], 'nor among the participants'
);
select t.act('cid');
select is(parley_api.mark_as_read(t.id('talk')) ->> 'last_delivered_seq', '8', 'to themselves it is there');
select parley_api.mark_as_delivered(t.id('talk')) is null as delivered \gset
select t.act('ann');
select is(t.receipts('m8'), 'Bob -, Cid has, Dan read', 'that it has arrived is told by whoever says so');
select is(t.in_view('m8'), 'dan', 'nor is it in the view');
select is(t.receipts('m1'), 'Bob read, Cid has, Dan read', 'nor what they read before, while they do');
select t.act('cid');
select is(t.receipts('m8'), 'Bob -, Cid read, Dan has', 'they themselves see when they read, and of others no more than others of them');
select is(t.in_view('m8'), 'cid', 'in the view as well');
select t.host();
update parley.account set read_receipts = true where id = t.id('cid');
select t.act('ann');
select is(t.receipts('m8'), 'Bob -, Cid has, Dan read', 'what was read in private stays private');
select is(t.receipts('m1'), 'Bob read, Cid read, Dan read', 'what was not is shown again');
select is(
    (select p -> 'last_read_seq' from jsonb_array_elements(parley_api.get_conversation(t.id('talk')) -> 'participants') p where p ->> 'display_name' = 'Cid'),
    '8', 'and how far, but not when'
);

-- who comes and goes
select parley_api.add_participants(t.id('talk'), array[t.id('eve')]) is null as added \gset
select is(t.receipts('m8'), 'Bob -, Cid has, Dan read, Eve -', 'who came later has nothing of before');
select t.act('eve');
select t.refused('PT404', $$select parley_api.get_message_receipts(t.id('m8'))$$, 'and may not look');
select is(t.in_view('m8'), null, 'not in the view either');
select t.act('ann');
select parley_api.remove_participant(t.id('talk'), t.id('dan')) is null as removed \gset
select is(t.receipts('m8'), 'Bob -, Cid has, Eve -', 'who left is not waited for');
select is(t.in_view('m8'), 'dan', 'but has read it');
select t.act('dan');
select is_empty($$select * from parley_api.message_receipts where conversation_id = t.id('talk')$$, 'and sees no receipts any more');
select t.act('ann');
select parley_api.delete_message(t.id('m8')) is null as hidden \gset
select is(t.in_view('m8'), null, 'nor does who has hidden the message');
select t.refused('PT404', $$select parley_api.get_message_receipts(t.id('m8'))$$, 'who finds none of it');

-- two people
select t.keep('hi', t.send('two', 'hi')::text);
select is(parley_api.get_message_receipts(t.id('hi')) ->> 'status', 'sent', 'of two people');
select t.act('bob');
select parley_api.mark_as_read(t.id('two')) is null as read \gset
select t.act('ann');
select is(parley_api.get_message_receipts(t.id('hi')) ->> 'status', 'read', 'one is enough');
select is(
    (select m ->> 'status' from jsonb_array_elements(parley_api.get_conversation_messages(t.id('two')) -> 'messages') m where m ->> 'content' = 'hi'),
    'read', 'as the history says'
);
select is(
    (select (m ->> 'read_at')::timestamptz from jsonb_array_elements(parley_api.get_conversation_messages(t.id('two')) -> 'messages') m where m ->> 'content' = 'hi'),
    (select r.read_at from parley_api.message_receipts r where r.message_id = t.id('hi')), 'with the moment'
);
select is(
    (select m ? 'read_at' from jsonb_array_elements(parley_api.get_conversation_messages(t.id('talk')) -> 'messages') m limit 1),
    false, 'which only a message between two people has'
);
select t.act('bob');
select parley_api.delete_conversation(t.id('two')) is null as cleared \gset
select t.act('ann');
select is(
    parley_api.get_message_receipts(t.id('hi')) - '{message_id,conversation_id,seq,receipts}'::text[],
    '{"status": "read", "read_count": 1, "delivered_count": 1}', 'who has read it and then cleared the conversation got it'
);
select t.keep('late', parley_api.start_conversation(array[t.id('bob')], 'group') ->> 'id');
select t.keep('early', t.send('late', 'early')::text);
select t.act('bob');
select parley_api.mark_as_delivered(t.id('late')) is null as delivered \gset
select t.act('ann');
select parley_api.add_participants(t.id('late'), array[t.id('dan')]) is null as added \gset
select is(parley_api.get_message_receipts(t.id('early')) ->> 'status', 'delivered', 'who came later is not waited for');
select is(
    (select m ->> 'status' from jsonb_array_elements(parley_api.get_conversation_messages(t.id('late')) -> 'messages') m where m ->> 'content' = 'early'),
    'delivered', 'here as in the history'
);
select t.refused('42501', 'insert into parley.read_marker default values', 'and nobody writes receipts but by reading');

select * from finish();
rollback;
