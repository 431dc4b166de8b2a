-- What it means for conversations that an account is suspended, erased or opened again, whoever writes its row.
begin;
select no_plan();
\ir ../people.psql
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;

create function t.roles(conversation text) returns text language sql security definer as $$
    select string_agg(lower(coalesce(nullif(a.display_name, ''), '?')) || ':' || p.role, ' ' order by a.id)
    from parley.participant p inner join parley.account a on a.id = p.user_id
    where p.conversation_id = t.id($1) and p.left_at is null
$$;
create function t.close(name text, how text) returns void language plpgsql security definer as $$
begin
    execute format('update parley.account set %s where id = %L', how, t.id(name));
end
$$;
create function t.status(message text) returns text[] language sql as $$
    select array[
        m ->> 'status', parley_api.get_message_receipts(t.id($1)) ->> 'status',
        (select c #>> '{last_message,status}' from jsonb_array_elements(parley_api.get_user_conversations() -> 'conversations') c where c ->> 'id' = t.id('us')::text)
    ]
    from jsonb_array_elements(parley_api.get_conversation_messages(t.id('us')) -> 'messages') m where m ->> 'id' = t.id($1)::text
$$;

select t.act('ann');
select t.keep('us', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group') ->> 'id');
select t.keep('pair', parley_api.start_conversation(array[t.id('bob')], message => 'hello') ->> 'id');
select t.act('bob');
select t.keep('m', t.send('us', 'one')::text);
select t.act('cid');
select parley_api.mark_as_read(t.id('us')) is null as done \gset
select t.act('bob');
select is(t.status('m'), array['sent', 'sent', 'sent'], 'one who has not read keeps a message at sent');

-- suspended
select t.act('ann');
select parley_api.start_call(t.id('us'), 'voice', 'a1') is null as started \gset
select t.last_event_seq('us') as before \gset
select t.close('ann', 'suspended_at = now()');
select is(t.roles('us'), 'ann:owner bob:owner cid:member', 'the group of a last owner who is suspended gets another one');
select is(t.events_since('us', :before), 'call:cancelled message:new message:new participant:updated', 'and the call ends, in the log');
select t.act('bob');
select is(t.status('m'), array['read', 'read', 'read'], 'who can receive nothing keeps no message back');
select t.refused('PT403', $$select parley_api.set_participant_role(t.id('us'), t.id('bob'), 'member')$$, 'an owner who cannot act does not count');
select is(t.look('select count(*) from parley.account_closing'), '1', 'it is looked at again');
select is(t.look('select parley.settle_closings()'), 'false', 'where there is nothing to do');
select t.look($$update parley.account_closing set changed_at = now() - interval '6 minutes', looked_at = now() - interval '2 minutes' returning 1$$) is null as later \gset
select is(t.look('select parley.settle_closings()'), 'false', 'after some minutes');
select is(t.look('select count(*) from parley.account_closing'), '0', 'no more');

-- both of the owners, then one of the two again
select t.close('bob', 'suspended_at = now()');
select is(t.roles('us'), 'ann:owner bob:owner cid:owner', 'one after the other');
select t.close('cid', 'suspended_at = now()');
select t.close('ann', 'suspended_at = null');
select is(t.roles('us'), 'ann:owner bob:owner cid:owner', 'who comes back has what they had');
select t.act('ann');
select is(parley_api.set_participant_role(t.id('us'), t.id('cid'), 'member') ->> 'role', 'member', 'and manages the group');
select parley_api.set_participant_role(t.id('us'), t.id('bob'), 'admin') is null as done \gset
select parley_api.add_participants(t.id('us'), array[t.id('dan')]) is null as done \gset
select t.close('dan', 'suspended_at = now()');
select t.close('ann', 'suspended_at = now()');
select is(t.roles('us'), 'ann:owner bob:admin cid:member dan:member', 'where nobody is there nobody takes over');
select t.close('dan', 'suspended_at = null');
select is(t.roles('us'), 'ann:owner bob:admin cid:member dan:owner', 'before somebody comes back');
select t.close('ann', 'suspended_at = null');
select t.close('bob', 'suspended_at = null');
select t.close('cid', 'suspended_at = null');

-- erased
select t.act('bob');
select parley_api.save_draft(t.id('pair'), 'begun') is null as saved \gset
select t.last_event_seq('us') as before \gset
select t.close('bob', 'deleted_at = now()');
select is(t.roles('us'), 'ann:owner cid:member dan:owner', 'who is erased leaves');
select is(t.events_since('us', :before), 'message:new participant:left', 'in the log');
select t.close('dan', 'deleted_at = now()');
select t.last_event_seq('us') as before \gset
select t.close('ann', 'deleted_at = now()');
select is(t.roles('us'), 'cid:owner', 'the last owner as any other');
select is(t.events_since('us', :before), 'message:new participant:left message:new participant:updated', 'and the successor with it');
select t.close('ann', 'deleted_at = null');
select is(t.roles('us'), 'cid:owner', 'for good');
select is(t.look('select count(*) from parley.draft'), '0', 'drafts go along');
select t.host();
select parley_api.add_participants(t.id('us'), array[t.id('ann')]) is null as done \gset
select t.act('ann');
select t.keep('both', parley_api.start_conversation(array[t.id('cid')], message => 'hi') ->> 'id');
select t.close('cid', 'deleted_at = now()');
select is(
    (select array[c #>> '{counterpart,display_name}', c #>> '{counterpart,user_id}', c #>> '{last_message,content}', c ->> 'participant_count']
     from jsonb_array_elements(parley_api.get_user_conversations() -> 'conversations') c where c ->> 'id' = t.id('both')::text),
    array['[Deleted User]', t.id('cid')::text, 'hi', '1'], 'their place in a conversation of two stays'
);
select lives_ok($$select t.send('both', 'still there?')$$, 'and one can go on writing there');

-- many conversations
select t.host();
select count(parley_api.start_conversation(array[t.id('ann'), t.id('eve')], 'group', 'n' || n, roles => jsonb_build_object(t.id('eve'), 'owner'))) as n from generate_series(1, 250) n \gset
select t.look('select count(*) from parley.settle_closings()') is null as others \gset
delete from parley.account_closing;
select t.close('eve', 'deleted_at = now()');
create function t.left_to_do() returns text language sql security definer as $$
    select count(*) || ' to go, ' || (select count(*) from parley.participant q where q.left_at is null and q.user_id = t.id('ann') and q.role = 'owner') || ' handed on'
    from parley.participant p where p.user_id = t.id('eve') and p.left_at is null
$$;
select is(t.left_to_do(), '150 to go, 101 handed on', 'a hundred at a time: the first at once');
select is(t.look('select parley.settle_closings()'), 'true', 'the next by the job');
select is(t.left_to_do(), '50 to go, 201 handed on', 'which says that there is more');
select is(t.look('select parley.settle_closings()'), 'false', 'until');
select is(t.left_to_do(), '0 to go, 251 handed on', 'all are done');
select t.act('eve');
select t.refused('PT403', $$select parley_api.get_user_conversations()$$, 'access had ended at once');

select * from finish();
rollback;
