-- What a conversation is about: one thread for a pair over all their bookings, the only conversation about a project,
-- and what becomes of them when that is deleted.
begin;
select no_plan();
\ir ../people.psql
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;

create function t.contexts(conversation text) returns text language sql as $$
    select string_agg(concat(c ->> 'context_type', ' ', c ->> 'context_id'), ', ' order by n)
    from jsonb_array_elements(parley_api.get_conversation(t.id($1)) -> 'contexts') with ordinality x (c, n)
$$;
create function t.start(name text, arguments text) returns text language plpgsql as $$
declare
    v_answer jsonb;
begin
    execute format('select parley_api.start_conversation(%s)', arguments) into v_answer;
    perform t.keep(name, v_answer ->> 'id');
    return v_answer ->> 'created';
end
$$;
-- Rows of a conversation, in every table that has any.
create function t.rows(conversation text) returns text language plpgsql security definer as $$
declare
    v_table regclass;
    v_count bigint;
    v_found text;
begin
    for v_table in
        select c.oid from pg_class c inner join pg_attribute a on a.attrelid = c.oid and a.attname = 'conversation_id'
        where c.relnamespace = 'parley'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
        union all select 'parley.conversation'::regclass
        order by 1
    loop
        execute format(
            'select count(*) from %s where %I = $1', v_table, case when v_table = 'parley.conversation'::regclass then 'id' else 'conversation_id' end
        ) into v_count using t.id(conversation);
        v_found := nullif(concat_ws(' ', v_found, case when v_count > 0 then v_table::text end), '');
    end loop;
    return v_found;
end
$$;

-- one thread per pair, for all their bookings
update parley.setting set value = 'pair' where name = 'direct_threading';
select t.act('ann');
select is(t.start('pair', $$array[t.id('bob')], context_type => 'booking', context_id => '1', app_roles => jsonb_build_object(t.id('ann'), 'customer', t.id('bob'), 'artist')$$), 'true', 'the first booking of two people opens their thread');
select is(parley_api.get_conversation(t.id('pair')) ->> 'context_id', '1', 'which is about it');
select t.last_event_seq('pair') as event_seq \gset
select is(t.start('again', $$array[t.id('bob')], context_type => 'booking', context_id => '2'$$), 'false', 'the second');
select is(t.id('again'), t.id('pair'), 'finds it');
select is(t.contexts('pair'), 'booking 2, booking 1', 'and both are recorded');
select is(t.events_since('pair', :event_seq), 'conversation:updated', 'which is told');
select is(
    t.look(format('select data from parley.event where conversation_id = %L and event_seq = %s', t.id('pair'), :event_seq + 1)),
    '{"changed": ["contexts"], "context_id": "2", "context_type": "booking"}', 'with the booking'
);
select t.act('bob');
select is(t.start('again', $$array[t.id('ann')], context_type => 'booking', context_id => '1'$$), 'false', 'whoever of them asks');
select is(t.id('again'), t.id('pair'), 'for whichever');
select is(t.start('again', $$array[t.id('ann')]$$), 'false', 'or for none');
select is(t.events_since('pair', :event_seq), 'conversation:updated', 'is told nothing new');
select is((select string_agg(p ->> 'app_role', ' ' order by p ->> 'app_role') from jsonb_array_elements(parley_api.get_participants(t.id('pair')) -> 'participants') p), 'artist customer', 'roles stay as at the beginning');
select is(t.look('select count(*) from parley.conversation'), '1', 'there is one thread');
select is(
    (select count(*) from unnest(array['1', '2']) b cross join jsonb_array_elements(parley_api.get_user_conversations(context_type => 'booking', context_id => b) -> 'conversations') c where c ->> 'id' = t.id('pair')::text),
    2::bigint, 'and by either booking the inbox finds it'
);
select is(parley_api.get_user_conversations(context_type => 'booking', context_id => '3') -> 'conversations', '[]', 'by no other');
select is(jsonb_array_length(parley_api.get_user_conversations(context_id => '2') -> 'conversations'), 1, 'whatever it is');
select t.host();
update parley.setting set value = 'pair_and_context' where name = 'direct_threading';
select t.act('bob');
select is(t.start('third', $$array[t.id('ann')], context_type => 'booking', context_id => '3'$$), 'true', 'a deployment that threads by context opens another');
select is(t.contexts('third'), 'booking 3', 'about this one');
select is(t.contexts('pair'), 'booking 2, booking 1', 'and not that one');

-- who may begin
select t.host();
update parley.setting set value = 'buyer,customer' where name = 'initiating_app_roles';
select t.act('eve');
select t.refused('PT403', $$select parley_api.start_conversation(array[t.id('cid')])$$, 'where only buyers begin, nobody else does');
select t.refused('PT403', $$select parley_api.start_conversation(array[t.id('cid')], app_roles => jsonb_build_object(t.id('eve'), 'seller'))$$, 'a seller does not');
select t.refused('PT403', $$select parley_api.start_conversation(array[t.id('cid')], app_roles => jsonb_build_object(t.id('cid'), 'buyer'))$$, 'nor somebody who writes to a buyer');
select t.refused('PT403', $$select parley_api.start_conversation(array[t.id('cid')], app_roles => jsonb_build_object(t.id('eve'), 'buyer'))$$, 'nor somebody who says to be one');
select t.claim('service_role', '{"role": "service_role"}');
select is(parley_api.upsert_account(t.id('eve'), app_role => 'buyer') ->> 'app_role', 'buyer', 'the application says who is');
select t.refused('PT400', $$select parley_api.upsert_account(t.id('eve'), app_role => 'A buyer')$$, 'in a word');
select t.act('eve');
select t.refused('PT403', $$select parley_api.start_conversation(array[t.id('ann')], app_roles => jsonb_build_object(t.id('eve'), 'seller'))$$, 'nobody takes another role than theirs');
select is(t.start('sale', $$array[t.id('ann')], app_roles => jsonb_build_object(t.id('ann'), 'seller')$$), 'true', 'a buyer does');
select is(parley_api.send_message(t.id('sale'), 'hello') ->> 'sender_role', 'buyer', 'and is shown as one');
select t.act('ann');
select is(parley_api.send_message(t.id('sale'), 'yes') ->> 'sender_role', 'seller', 'and the seller answers');
select is(t.start('again', $$array[t.id('eve')]$$), 'false', 'and finds the thread');
select is(t.start('group', $$array[t.id('eve')], 'group'$$), 'true', 'groups are not meant');
select t.host();
update parley.setting set value = '' where name = 'initiating_app_roles';

-- the only one about a context
update parley.setting set value = 'support,announcement' where name = 'unique_context_types';
select t.act('ann');
select is(t.start('help', $$array[t.id('bob')], 'support', context_type => 'project', context_id => '7'$$), 'true', 'the first support thread of a project');
select is(t.start('again', $$array[t.id('bob'), t.id('eve')], 'support', context_type => 'project', context_id => '7'$$), 'false', 'is the only one');
select is(t.id('again'), t.id('help'), 'as it is');
select is(parley_api.get_conversation(t.id('help')) -> 'participant_count', '2', 'with those who are in it');
select is(t.start('other', $$array[t.id('bob')], 'support', context_type => 'project', context_id => '8'$$), 'true', 'another project has another');
select is(t.start('team', $$array[t.id('bob')], 'project', context_type => 'project', context_id => '7'$$), 'true', 'and so has another type');
select is(t.start('team', $$array[t.id('bob')], 'project', context_type => 'project', context_id => '7'$$), 'true', 'of which there may be several');
select is(t.start('any', $$array[t.id('bob')], 'support'$$), 'true', 'without a context, too');
select t.act('eve');
select t.refused('PT403', $$select parley_api.start_conversation(array[t.id('bob')], 'support', context_type => 'project', context_id => '7')$$, 'who is not in the only one does not get it');
select t.refused('PT403', $$select parley_api.start_conversation(array[t.id('bob')], 'project', context_type => 'project', context_id => '9', unique_context => true)$$, 'nor does a user make one the only one');
select is(t.look('select count(*) from parley.context_conversation'), '2', 'none of which leaves anything');
select t.act('bob');
select parley_api.leave_conversation(t.id('other')) is null as gone \gset
select t.act('ann');
select is(t.start('again', $$array[t.id('bob')], 'support', context_type => 'project', context_id => '8'$$), 'false', 'with one member it still is the only one');
select parley_api.leave_conversation(t.id('other')) is null as gone \gset
select is(t.start('again', $$array[t.id('bob')], 'support', context_type => 'project', context_id => '8'$$), 'true', 'when all have left, the next who asks gets a new one');
select t.claim('service_role', '{"role": "service_role"}');
select t.refused('PT400', $$select parley_api.start_conversation(array[t.id('ann'), t.id('bob')], 'direct', unique_context => true, context_type => 'project', context_id => '9')$$, 'a direct conversation follows its own rule');
select t.refused('PT400', $$select parley_api.start_conversation(array[t.id('ann'), t.id('bob')], 'group', unique_context => true)$$, 'there is no context to be the only one about');
select is(t.start('hosts', $$array[t.id('ann'), t.id('bob')], 'project', context_type => 'project', context_id => '9', unique_context => true$$), 'true', 'the host does');
select is(t.start('again', $$array[t.id('cid'), t.id('dan')], 'project', context_type => 'project', context_id => '9', unique_context => true$$), 'false', 'and finds it again');
select is(t.id('again'), t.id('hosts'), 'by its context alone');
select is(t.start('again', $$array[t.id('cid'), t.id('dan')], 'support', context_type => 'project', context_id => '7', unique_context => false$$), 'true', 'or makes one beside it, if it says so');

-- deleted with its context
select t.refused('PT400', $$select parley_api.delete_conversations_of_context('project', null)$$, 'a context has an id');
select t.refused('PT400', $$select parley_api.delete_conversations_of_context(null, '7')$$, 'and a type');
select is(parley_api.delete_conversations_of_context('project', 'none'), 0::bigint, 'nothing is deleted with what nothing is about');
select t.act('ann');
select t.keep('message', t.send('help', 'hello')::text);
select parley_api.add_reaction(t.id('message'), '👍') is null as reacted \gset
select parley_api.edit_message(t.id('message'), 'hello?') is null as edited \gset
select parley_api.save_draft(t.id('help'), 'and') is null as saved \gset
select parley_api.declare_attachment(t.id('help'), 'image', 'one.png', 'image/png', 1000) is null as declared \gset
select t.act('bob');
select parley_api.mark_as_read(t.id('help')) is null as read \gset
select t.send('team', 'all of us') is null as sent \gset
select parley_api.delete_message(t.id('message')) is null as hidden \gset
select t.claim('service_role', '{"role": "service_role"}');
select parley_api.conversation_as_of(t.id('help'), 3, 'a dispute') is null as looked \gset
select t.last_event_seq('help') as event_seq \gset
select alike(t.rows('help'), '%parley.message %parley.reaction%', 'a conversation has rows in many tables');
select t.claim('service_role', '{"role": "service_role"}');
select is(parley_api.delete_conversations_of_context('project', '7'), 4::bigint, 'a project takes all its conversations with it');
select t.host();
select is(t.rows('help'), 'parley.event parley.audit_log', 'and all their rows, but for the log and who looked into it, which have no text');
select is((select string_agg(o.reference_count::text, ' ') from parley.stored_object o where o.unreferenced_at is not null), '0', 'whose files are to be deleted');
select is(t.events_since('help', :event_seq), 'participant:left participant:left', 'where everybody leaves');
select is(
    (select string_agg(n.name, ' ' order by n.name) from parley.event e inner join t.named n on n.id = e.user_id where e.kind = 'conversation:deleted' and e.data ->> 'conversation_id' = t.id('help')::text),
    'ann bob', 'and is told'
);
select isnt(
    t.look(format('select payload from parley.event e cross join parley.render_events(array[e.id]) where e.conversation_id = %L and e.kind = %L limit 1', t.id('help'), 'participant:left')),
    null, 'in words clients get'
);
select t.act('bob');
select t.refused('PT403', $$select t.send('help', 'anybody?')$$, 'it is as if it had never been');
select t.refused('PT403', $$select parley_api.get_events(t.id('help'), 0)$$, 'its log, too');
select is_empty(format('select from parley_api.messages where id = %L', t.id('message')), 'its messages, too');
select is(t.start('help', $$array[t.id('ann')], 'support', context_type => 'project', context_id => '7'$$), 'true', 'and another can be opened');
select t.host();
select is(parley.delete_conversations_of_context('booking', '1'), 0::bigint, 'the thread of a pair is not a booking''s');
select t.act('ann');
select is(t.contexts('pair'), 'booking 2', 'and only forgets it');
select is(parley_api.get_conversation(t.id('pair')) -> 'context_id', 'null', 'as what it was begun for, too');
select t.host();
select is(parley.delete_conversations_of_context('booking', '3'), 1::bigint, 'a thread that is one booking''s goes with it');
select is(t.rows('third'), 'parley.event', 'wholly');
select is_empty(
    $$select k.conrelid::regclass, k.conname from pg_constraint k
      inner join pg_attribute a on a.attrelid = k.conrelid and a.attname = 'conversation_id'
      inner join pg_attribute b on b.attrelid = k.confrelid and b.attname = 'conversation_id'
      where k.contype = 'f' and k.confdeltype <> 'c' and k.connamespace = 'parley'::regnamespace$$,
    'no key among the rows of a conversation stands in the way of deleting them'
);

select is_empty(
    $$select c.oid::regclass from pg_class c
      inner join pg_attribute a on a.attrelid = c.oid and a.attname = 'conversation_id' and not a.attisdropped
      where c.relnamespace = 'parley'::regnamespace and c.relkind = 'r'
        and c.oid <> all ('{parley.event, parley.audit_log, parley.push_job, parley.push_focus}'::regclass[])
        and not exists (select from pg_index i where i.indrelid = c.oid and i.indkey[0] = a.attnum and i.indpred is null)$$,
    'and an index finds them, in every table and partition'
);

select * from finish();
rollback;
