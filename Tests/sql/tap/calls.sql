-- Calls: every way from ringing to ended, who may do what when, what each leaves in the log and in the thread.
begin;
select plan(147);
\ir ../people.psql

create function t.in_call(call text) returns jsonb language sql security definer as $$
    select jsonb_build_object(
        'state', c.state, 'outcome', c.outcome,
        'parts', (
            select jsonb_object_agg(n.name, p.state)
            from parley.call_participant p inner join t.named n on n.id = p.user_id
            where p.call_id = c.id
        )
    )
    from parley.call c where c.id = t.id($1)
$$;

create function t.start(conversation text, device text, kind text default 'voice') returns jsonb language plpgsql as $$
declare
    v_call jsonb := parley_api.start_call(t.id(conversation), kind, device);
begin
    perform t.keep('call', v_call ->> 'id');
    return v_call;
end
$$;

create function t.accept(device text) returns jsonb language sql as $$ select parley_api.accept_call(t.id('call'), device) $$;
create function t.decline(busy boolean default false) returns jsonb language sql as $$
    select parley_api.decline_call(t.id('call'), busy)
$$;
create function t.hang_up(device text default null, failed boolean default false) returns jsonb language sql as $$
    select parley_api.end_call(t.id('call'), device, failed)
$$;
-- The last message of a conversation: its text and metadata.
create function t.last_message(conversation text) returns jsonb language sql security definer as $$
    select jsonb_build_object('type', m.type, 'content', parley.notice_text(m.metadata)) || m.metadata - 'notice'
    from parley.message m where m.conversation_id = t.id($1)
    order by m.seq desc limit 1
$$;
create function t.rewind(conversation text, period interval) returns void language sql security definer as $$
    update parley.call c
    set
        created_at = c.created_at - period, due_at = c.due_at - period, ring_expires_at = c.ring_expires_at - period,
        answered_at = c.answered_at - period
    where c.conversation_id = t.id($1) and c.ended_at is null
$$;
create function t.expire() returns boolean language sql security definer as $$ select parley.expire_calls() $$;

select t.act('ann');
select t.keep('us', parley_api.start_conversation(array[t.id('bob')]) ->> 'id');
select t.keep('listing', parley_api.start_conversation(array[t.id('bob')], context_type => 'listing', context_id => '7') ->> 'id');
select t.keep('group', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group') ->> 'id');
select t.keep('news', parley_api.start_conversation(array[t.id('bob')], 'announcement') ->> 'id');

-- --- refused before it starts
select t.refused('PT400', $$select parley_api.start_call(t.id('us'), 'fax', 'a1')$$, 'a kind that is none');
select t.refused('PT400', $$select parley_api.start_call(t.id('us'), null, 'a1')$$, 'no kind');
select t.refused('PT400', $$select parley_api.start_call(t.id('us'), 'voice')$$, 'no device');
select t.refused('PT400', $$select parley_api.start_call(t.id('us'), 'voice', 'a phone')$$, 'a device with a blank');
select t.refused('PT400', $$select parley_api.start_call(t.id('us'), 'voice', repeat('a', 65))$$, 'a long device');
select t.refused('PT400', $$select parley_api.start_call(null, 'voice', 'a1')$$, 'no conversation');
select t.refused('PT403', $$select parley_api.start_call(t.id('none'), 'voice', 'a1')$$, 'an unknown conversation');
select t.act('eve');
select t.refused('PT403', $$select parley_api.start_call(t.id('us'), 'voice', 'e1')$$, 'somebody else''s conversation');
select t.refused('PT404', $$select parley_api.get_call(t.id('none'))$$, 'an unknown call');
select t.act('bob');
select t.refused('PT403', $$select parley_api.start_call(t.id('news'), 'voice', 'b1')$$, 'only admins call where only they send');
select t.claim('anon', '{}');
select t.refused('42501', $$select parley_api.start_call(t.id('us'), 'voice', 'b1')$$, 'nobody calls without a token');
select t.host();
select t.refused('42501', $$select parley_api.start_call(t.id('us'), 'voice', 'b1')$$, 'nor does the host, who is nobody to talk to');
select t.act('bob');
select t.refused('PT400', $$select parley_api.start_call(t.id('group'), 'voice', 'b1', array[t.id('eve')])$$, 'strangers are not invited');
select t.refused('PT400', $$select parley_api.start_call(t.id('group'), 'voice', 'b1', array[t.id('bob')])$$, 'nobody is left to ring');
select t.refused('PT400', $$select parley_api.start_call(t.id('group'), 'voice', 'b1', array[null]::uuid[])$$, 'null is nobody');
select t.look($$update parley.conversation_profile set status = 'locked' where conversation_id = t.id('listing') returning 1$$);
select t.refused('PT403', $$select parley_api.start_call(t.id('listing'), 'voice', 'b1')$$, 'not where it is locked');
select t.look($$update parley.conversation_profile set status = 'active' where conversation_id = t.id('listing') returning 1$$);
select t.look($$update parley.participant set folder = 'requests' where conversation_id = t.id('us') and user_id = t.id('ann') returning 1$$);
select t.refused('PT403', $$select parley_api.start_call(t.id('us'), 'voice', 'b1')$$, 'not before the other has accepted the conversation');
select t.look($$update parley.participant set folder = 'inbox' where conversation_id = t.id('us') and user_id = t.id('ann') returning 1$$);
select t.look($$update parley.account set suspended_at = now() where id = t.id('ann') returning 1$$);
select is(
    t.failure($$select parley_api.start_call(t.id('us'), 'voice', 'b1')$$),
    '{"code": "PT403", "message": "You cannot reach this user.", "detail": "", "hint": ""}',
    'nor while the other is suspended: the same refusal'
);
select t.look($$update parley.account set suspended_at = null where id = t.id('ann') returning 1$$);
select is(t.look('select count(*) from parley.call'), '0', 'none of that left a call');

-- --- ring, accept, hang up
select t.act('ann');
select t.last_event_seq('us') as before \gset
select t.start('us', 'a1', 'video') as call \gset
select is(:'call'::jsonb - '{id,created_at,ring_expires_at,participants}'::text[], jsonb_build_object(
    'conversation_id', t.id('us'), 'kind', 'video', 'state', 'ringing', 'outcome', null, 'initiator_id', t.id('ann'),
    'client_call_id', null, 'answered_at', null, 'ended_at', null, 'duration_seconds', null
), 'a call as it rings');
select is(t.in_call('call') -> 'parts', '{"ann": "accepted", "bob": "ringing"}', 'the initiator is in it, the other rings');
select is(
    (:'call'::jsonb ->> 'ring_expires_at')::timestamptz - (:'call'::jsonb ->> 'created_at')::timestamptz,
    interval '45 seconds', 'for 45 seconds'
);
select is(t.events_since('us', :before), 'call:ring', 'one event says so');
select is(t.start('us', 'a1', 'video') ->> 'id', t.id('call')::text, 'starting again on the same device is no change');
select is(t.events_since('us', :before), 'call:ring', 'and no event');
select t.refused('PT409', $$select parley_api.start_call(t.id('us'), 'video', 'a2')$$, 'another device of the initiator is refused');
select t.refused('PT409', $$select t.accept('a2')$$, 'also when it accepts');
select t.refused('PT409', $$select t.decline()$$, 'the initiator cannot decline');
select t.act('bob');
select is(parley_api.get_call(t.id('call')) ->> 'state', 'ringing', 'the other sees it');
select t.refused('PT403', $$select parley_api.cancel_call(t.id('call'))$$, 'but cannot cancel it');
select t.refused('PT400', $$select parley_api.accept_call(t.id('call'), 'b 1')$$, 'nor accept with no proper device');
select t.refused('PT400', $$select parley_api.accept_call(null, 'b1')$$, 'or no call');
select t.act('eve');
select t.refused('PT404', format('select %s', e), 'for a stranger it does not exist: ' || e)
from unnest(array[
    $$parley_api.accept_call(t.id('call'), 'e1')$$, $$parley_api.decline_call(t.id('call'))$$,
    $$parley_api.cancel_call(t.id('call'))$$, $$parley_api.end_call(t.id('call'))$$, $$parley_api.get_call(t.id('call'))$$,
    $$parley_api.signal_call(t.id('call'), t.id('ann'), 'offer', '{}')$$
]) as e;
select t.refused('PT403', $$select parley_api.get_calls(t.id('us'))$$, 'and there is no history');
select t.act('bob');
select is(t.accept('b1') ->> 'state', 'active', 'accepting makes it active');
select is(t.accept('b1') ->> 'state', 'active', 'again on the same device is no change');
select t.refused('PT409', $$select t.accept('b2')$$, 'a second device comes too late');
select is(t.events_since('us', :before), 'call:ring call:accepted', 'one event says so');
select is(
    t.look($$select string_agg(e.kind || ' ' || (e.data ->> 'device_id'), ',') from parley.event e
             where e.user_id = t.id('bob') and e.conversation_id is null and e.kind like 'call:%'$$),
    'call:answered_elsewhere b1', 'and one tells the other devices of who answered'
);
select t.refused('PT409', $$select t.decline()$$, 'it is too late to decline');
select t.refused('PT409', $$select t.hang_up('b2')$$, 'another device does not hang up by mistake');
select t.act('ann');
select t.refused('PT409', $$select parley_api.cancel_call(t.id('call'))$$, 'it is too late to cancel');
select t.rewind('us', interval '200 seconds');
select t.act('bob');
select t.hang_up('b1') as call \gset
select is(:'call'::jsonb ->> 'state', 'ended', 'hanging up ends it');
select is(:'call'::jsonb ->> 'outcome', 'completed', 'it is completed');
select is(:'call'::jsonb ->> 'duration_seconds', '200', 'after 200 seconds');
select is(t.in_call('call') -> 'parts', '{"ann": "left", "bob": "left"}', 'nobody is in it any more');
select is(
    t.events_since('us', :before), 'call:ring call:accepted call:ended message:new',
    'the end is one event, and a message'
);
select is(
    t.last_message('us'),
    jsonb_build_object(
        'type', 'system', 'content', 'Video call, 3 min', 'event', 'call_ended', 'actor_id', t.id('ann'),
        'call_id', t.id('call'), 'kind', 'video', 'outcome', 'completed', 'duration_seconds', 200
    ),
    'which says what it was'
);
select is(t.unread('ann', 'us'), 0::bigint, 'who called need not read it');
select is(t.unread('bob', 'us'), 0::bigint, 'nor who answered: they were there');
select is(t.hang_up('b1') ->> 'outcome', 'completed', 'hanging up again is no change');
select is(parley_api.get_call(t.id('call')) ->> 'outcome', 'completed', 'it is on record');
select is(t.last_message('us') ->> 'content', 'Video call, 3 min', 'and there is no second message');
select t.refused('PT409', $$select t.accept('b1')$$, 'what has ended is not accepted');
select t.refused('PT409', $$select t.decline()$$, 'nor declined');
select t.act('ann');
select t.refused('PT409', $$select parley_api.cancel_call(t.id('call'))$$, 'nor cancelled');
select is(t.failure($$select t.accept('a1')$$) ->> 'detail', 'outcome: completed', 'and the refusal says how it ended');

-- --- the other ends of a direct call
select t.last_event_seq('us') as before \gset
select t.start('us', 'a1') is null as ok \gset
select t.act('bob');
select is(t.decline() ->> 'outcome', 'declined', 'declining ends a direct call');
select is(t.decline() ->> 'outcome', 'declined', 'twice is no change');
select is(t.events_since('us', :before), 'call:ring call:declined message:new', 'as one event, and a message');
select is(t.last_message('us') ->> 'content', 'Declined voice call', 'that says so');
select is(t.hang_up() ->> 'outcome', 'declined', 'hanging up what was declined is no change');

select t.act('ann');
select t.last_event_seq('us') as before \gset
select t.start('us', 'a1') is null as ok \gset
select t.act('bob');
select is(t.decline(true) ->> 'outcome', 'busy', 'a device that is in another call says busy');
select is(t.in_call('call') -> 'parts', '{"ann": "left", "bob": "busy"}', 'and so does the record');
select is(t.events_since('us', :before), 'call:ring call:busy message:new', 'the event is another');
select is(t.last_message('us') ->> 'content', 'Missed voice call', 'the thread says it was missed');
select is(t.last_message('us') ->> 'outcome', 'busy', 'and why');

select t.act('ann');
select t.last_event_seq('us') as before \gset
select t.start('us', 'a1') is null as ok \gset
select is(parley_api.cancel_call(t.id('call')) ->> 'outcome', 'cancelled', 'the initiator cancels');
select is(parley_api.cancel_call(t.id('call')) ->> 'outcome', 'cancelled', 'twice is no change');
select is(t.in_call('call') -> 'parts', '{"ann": "left", "bob": "missed"}', 'the other has missed it');
select is(t.events_since('us', :before), 'call:ring call:cancelled message:new', 'as one event, and a message');
select is(t.last_message('us') ->> 'content', 'Missed voice call', 'which says so');
select is(t.unread('bob', 'us'), 0::bigint, 'as a notice, which is not unread');
select t.act('bob');
select t.refused('PT409', $$select t.accept('b1')$$, 'what was cancelled is not accepted');

select t.act('ann');
select t.start('us', 'a1') is null as ok \gset
select is(t.hang_up('a1') ->> 'outcome', 'cancelled', 'hanging up what rings is cancelling');
select t.start('us', 'a1') is null as ok \gset
select t.act('bob');
select is(t.hang_up() ->> 'outcome', 'declined', 'or declining');
select t.act('ann');
select t.start('us', 'a1') is null as ok \gset
select t.act('bob');
select t.unread('bob', 'us') as unread \gset
select t.accept('b1') is null as ok \gset
select is(t.hang_up(failed => true) ->> 'outcome', 'failed', 'devices that could not connect say so');
select is(t.last_message('us') ->> 'content', 'Failed voice call', 'and the thread does');
select is(t.unread('bob', 'us'), :unread::bigint, 'where nobody has one thing more to read');
select parley_api.mark_as_read(t.id('us')) is null as ok \gset
select parley_api.mark_as_unread(t.id('us')) is null as ok \gset
select t.act('ann');
select t.start('us', 'a1') is null as ok \gset
select t.act('bob');
select t.accept('b1') is null as ok \gset
select t.hang_up() is null as ok \gset
select is(t.look($$select marked_unread from parley.participant where conversation_id = t.id('us') and user_id = t.id('bob')$$), 'true', 'nor who keeps it unread');
select parley_api.mark_as_read(t.id('us')) is null as ok \gset
select is(t.unread('bob', 'us'), 0::bigint, 'until they read it');

-- --- time
select t.act('ann');
select t.last_event_seq('us') as before \gset
select t.start('us', 'a1') is null as ok \gset
select is(t.expire(), false, 'nothing is due yet');
select is(t.in_call('call') ->> 'state', 'ringing', 'it rings on');
select t.rewind('us', interval '46 seconds');
select is(t.expire(), false, 'what is due is little');
select is(t.in_call('call'), '{"state": "ended", "outcome": "missed", "parts": {"ann": "left", "bob": "missed"}}', 'a call that rang for 45 s is missed');
select is(t.events_since('us', :before), 'call:ring call:missed message:new', 'as one event, and a message');
select is(t.last_message('us') ->> 'content', 'Missed voice call', 'which says so');
select t.start('us', 'a1') is null as ok \gset
select t.rewind('us', interval '76 seconds');
select t.act('bob');
select t.refused('PT409', $$select t.accept('b1')$$, 'a call of yesterday is not answered, though nobody has ended it');
select isnt(t.start('us', 'b1') ->> 'initiator_id', t.id('ann')::text, 'and does not stand in the way of the next');
select is(t.last_message('us') ->> 'outcome', 'missed', 'which ends it first');
select t.act('ann');
select t.accept('a1') is null as ok \gset
select t.rewind('us', interval '28801 seconds');
select is(t.expire(), false, 'a call that nobody hung up');
select is(t.in_call('call') ->> 'outcome', 'completed', 'is ended after eight hours');
select is(t.last_message('us') ->> 'content', 'Voice call, 8 h 0 min', 'with its length');
select t.look($$update parley.setting set value = '20' where name = 'call_ring_seconds' returning 1$$);
select t.start('us', 'a1') as call \gset
select is(
    (:'call'::jsonb ->> 'ring_expires_at')::timestamptz - (:'call'::jsonb ->> 'created_at')::timestamptz,
    interval '20 seconds', 'how long it rings is a setting'
);
select t.hang_up() is null as ok \gset
select t.look($$update parley.setting set value = 'long' where name = 'call_ring_seconds' returning 1$$);
select t.start('us', 'a1') as call \gset
select is(
    (:'call'::jsonb ->> 'ring_expires_at')::timestamptz - (:'call'::jsonb ->> 'created_at')::timestamptz,
    interval '45 seconds', 'and one that makes no sense stops no calls'
);

-- --- glare
select t.last_event_seq('us') as before \gset
select t.act('bob');
select t.start('us', 'b1', 'video') as call \gset
select is(:'call'::jsonb ->> 'initiator_id', t.id('ann')::text, 'who calls back is in the call of the first');
select is(t.in_call('call'), '{"state": "active", "outcome": null, "parts": {"ann": "accepted", "bob": "accepted"}}', 'and has answered it');
select is(t.events_since('us', :before), 'call:accepted', 'which the other learns');
select t.hang_up() is null as ok \gset
select t.act('ann');
select t.start('us', 'a1') is null as ok \gset
select t.act('bob');
select t.start('listing', 'b1') as call \gset
select is(:'call'::jsonb ->> 'conversation_id', t.id('us')::text, 'also when they call each other in two conversations');
select is(t.start('listing', 'b1') ->> 'id', :'call'::jsonb ->> 'id', 'a start whose answer was lost finds it again');
select is(t.look($$select count(*) from parley.call where ended_at is null$$), '1', 'there is one call');
select t.hang_up() is null as ok \gset

-- --- the same start again
select t.act('ann');
select parley_api.start_call(t.id('us'), 'voice', 'a1', client_call_id => t.id('none')) ->> 'id' as first \gset
select t.keep('call', :'first');
select t.hang_up() is null as ok \gset
select is(
    parley_api.start_call(t.id('us'), 'voice', 'a1', client_call_id => t.id('none')) ->> 'id', :'first',
    'a repeated start returns its call, though it has ended'
);
select t.refused('PT409', $$select parley_api.start_call(t.id('us'), 'video', 'a1', client_call_id => t.id('none'))$$, 'for another kind it is refused');

-- --- groups
select t.last_event_seq('group') as before \gset
select t.start('group', 'a1') is null as ok \gset
select is(t.in_call('call') -> 'parts', '{"ann": "accepted", "bob": "ringing", "cid": "ringing"}', 'a group rings as one');
select t.act('bob');
select is(t.decline() ->> 'state', 'ringing', 'who declines does so alone');
select t.act('cid');
select is(t.accept('c1') ->> 'state', 'active', 'another answers');
select t.act('bob');
select is(t.start('group', 'b1') ->> 'id', t.id('call')::text, 'who declined may join, also by calling');
select is(t.hang_up() ->> 'state', 'active', 'and leave');
select is(t.hang_up() ->> 'state', 'active', 'once');
select is(t.accept('b2') ->> 'state', 'active', 'and come back with another device');
select t.act('ann');
select is(t.hang_up() ->> 'state', 'active', 'the initiator leaves, the call goes on');
select t.act('bob');
select is(t.hang_up() ->> 'state', 'active', 'one is left');
select t.act('cid');
select is(t.hang_up() ->> 'outcome', 'completed', 'the last one ends it');
select is(
    t.events_since('group', :before),
    'call:ring call:declined call:accepted call:accepted call:left call:accepted call:left call:left call:ended message:new',
    'every step is one event'
);
select t.act('ann');
select parley_api.start_call(t.id('group'), 'voice', 'a1', array[t.id('cid')]) ->> 'id' as id \gset
select t.keep('call', :'id');
select is(t.in_call('call') -> 'parts', '{"ann": "accepted", "cid": "ringing"}', 'only who is invited rings');
select t.act('bob');
select t.refused('PT409', $$select t.decline()$$, 'who was not rung has nothing to decline');
select t.refused('PT409', $$select t.hang_up()$$, 'nor to hang up');
select t.act('cid');
select is(t.decline() ->> 'outcome', 'declined', 'when nobody rings any more it is over');
select t.act('ann');
select t.start('group', 'a1') is null as ok \gset
select t.act('bob');
select t.accept('b1') is null as ok \gset
select t.rewind('group', interval '46 seconds');
select t.expire() as ok \gset
select is(t.in_call('call'), '{"state": "active", "outcome": null, "parts": {"ann": "accepted", "bob": "accepted", "cid": "missed"}}', 'in a call that goes on the rest stop ringing');
select t.act('cid');
select t.accept('c1') is null as ok \gset
select t.act('ann');
select t.last_event_seq('group') as before \gset
select parley_api.remove_participant(t.id('group'), t.id('bob')) is null as ok \gset
select is(t.in_call('call') -> 'parts' ->> 'bob', 'left', 'who is removed is out of the call');
select is(t.events_since('group', :before), 'call:left message:new participant:left', 'and that comes before the removal');
select t.act('bob');
select t.refused('PT404', $$select t.accept('b1')$$, 'and stays out');
select t.refused('PT404', $$select parley_api.get_call(t.id('call'))$$, 'for them it is gone');
select is(parley_api.get_calls() -> 'calls' @> jsonb_build_array(jsonb_build_object('id', t.id('call'))), false, 'also in their own history');
select t.act('cid');
select parley_api.leave_conversation(t.id('group')) is null as ok \gset
select t.act('ann');
select t.hang_up() is null as ok \gset
select t.refused('PT400', $$select parley_api.start_call(t.id('group'), 'voice', 'a1')$$, 'alone one calls nobody');
select t.look($$update parley.tier_limit set amount = 2 where name = 'max_call_participants' returning 1$$);
select parley_api.add_participants(t.id('group'), array[t.id('bob'), t.id('cid')]) is null as ok \gset
select t.refused('PT400', $$select parley_api.start_call(t.id('group'), 'voice', 'a1')$$, 'a group beyond the limit does not ring as one');
select parley_api.start_call(t.id('group'), 'voice', 'a1', array[t.id('bob')]) ->> 'id' as id \gset
select t.keep('call', :'id');
select t.act('bob');
select t.accept('b1') is null as ok \gset
select t.act('cid');
select t.refused('PT409', $$select t.accept('c1')$$, 'nor is there room for one more');

-- --- history
select t.act('ann');
select t.hang_up() is null as ok \gset
select t.act('bob');
select t.hang_up() is null as ok \gset
select is(jsonb_array_length(parley_api.get_calls(t.id('group')) -> 'calls'), 1, 'history begins where the member''s own does');
select t.act('ann');
select is(jsonb_array_length(parley_api.get_calls(t.id('group')) -> 'calls'), 4, 'who was always there sees all');
select parley_api.get_calls(t.id('group'), page_size => 3) as page \gset
select is(
    (select string_agg(c ->> 'id', ',' order by n) from jsonb_array_elements(:'page'::jsonb -> 'calls') with ordinality as p (c, n)),
    t.look($$select string_agg(c.id::text, ',' order by c.id desc) from (
        select id from parley.call where conversation_id = t.id('group') order by id desc limit 3) c$$),
    'the newest first'
);
select is(
    jsonb_array_length(parley_api.get_calls(t.id('group'), :'page'::jsonb ->> 'next_cursor', 3) -> 'calls'), 1,
    'page by page'
);
select is(
    parley_api.get_calls(t.id('group'), :'page'::jsonb ->> 'next_cursor', 3) ->> 'next_cursor', null, 'to the end'
);
select is(
    jsonb_array_length(parley_api.get_calls() -> 'calls')::text,
    t.look($$select count(*) from parley.call_participant where user_id = t.id('ann')$$), 'one''s own over all conversations'
);
select t.refused('PT400', $$select parley_api.get_calls(page_size => 101)$$, 'a page has an end');
select t.refused('PT400', $$select parley_api.get_calls(page_size => 0)$$, 'and a beginning');
select t.refused('PT400', $$select parley_api.get_calls(cursor => 'x')$$, 'a cursor that is none');
select t.refused('PT403', $$select parley_api.get_calls(t.id('none'))$$, 'a conversation that is none');
select t.look($$insert into parley.call
    (id, conversation_id, initiator_id, event_seq, created_at, ring_expires_at, ended_at, kind, state, outcome)
    select parley.uuid_v7_floor(now() - interval '364 days'), t.id('group'), t.id('ann'), 1, now(), now(), now(), 'voice',
        'ended', 'missed'
    returning 1$$);
select is(jsonb_array_length(parley_api.get_calls(t.id('group')) -> 'calls'), 5, 'a call of 364 days ago is history');
select t.look($$update parley.account set tier_name = 'free' where id = t.id('ann') returning 1$$);
select is(jsonb_array_length(parley_api.get_calls(t.id('group')) -> 'calls'), 4, 'as far back as one''s plan reaches');

-- an answer shows what the call has done
select t.host();
update parley.account set tier_name = 'privileged_plus' where id = t.id('ann');
create function t.mine(call jsonb) returns text language sql as $$
    select format('%s %s', p ->> 'state', p ->> 'joined_at' is not null)
    from jsonb_array_elements(call -> 'participants') p where p ->> 'user_id' = t.id('bob')::text
$$;
select t.act('ann');
select t.start('us', 'a1') is null as done \gset
select t.act('bob');
select is(t.mine(t.accept('b1')), 'accepted t', 'who accepts is in the call that is answered');
select is(t.mine(t.hang_up('b1')), 'left t', 'who hangs up is out of it');
select t.act('ann');
select t.start('us', 'a1') is null as done \gset
select t.act('bob');
select is(t.mine(t.decline()), 'declined f', 'and who declines has declined');
select * from finish();
rollback;
