-- Polls: a question in a conversation, votes that can be changed until it closes, and counts everybody can trust.
begin;
select plan(86);
\ir ../people.psql

create function t.ask(
    name text, multiple boolean default false, anonymous boolean default false, closes_in interval default null
) returns void language sql as $$
    select t.keep($1, parley_api.create_poll(
        t.id('talk'), $1, array['yes', 'no', 'maybe'], $2, (now() + $4)::text, $3
    ) ->> 'id')
$$;

-- a poll as its reader sees it: the own vote, the votes of each option, how many have voted
create function t.tally(poll jsonb) returns text language sql as $$
    select concat_ws(
        ' ', $1 -> 'my_vote', (select jsonb_agg(o -> 'votes' order by o -> 'id') from jsonb_array_elements($1 -> 'options') o), $1 ->> 'total_voters'
    )
$$;

create function t.vote(name text, variadic option_ids integer[] default '{}') returns text language sql as $$
    select t.tally(parley_api.vote(t.id($1), $2))
$$;

create function t.close_in_time(name text) returns void language sql security definer as $$
    update parley.poll set closes_at = now() - interval '1 second' where message_id = t.id($1)
$$;

-- what the last event of the conversation tells everybody
create function t.news() returns jsonb language sql security definer as $$
    select r.payload::jsonb || jsonb_build_object('kind', r.kind)
    from parley.event e, parley.render_events(array[e.id]) r
    where e.conversation_id = t.id('talk') order by e.event_seq desc limit 1
$$;

select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group') ->> 'id');
select t.last_event_seq('talk') as event_seq \gset

-- refused
select t.refused('PT400', format('select parley_api.create_poll(t.id(%L), %L, %L)', 'talk', 'q', options), format('no poll of %s', what))
from (
    values (array['a']::text[], 'one option'), ('{}', 'none'), (null, 'nothing'), (array(select n::text from generate_series(1, 13) n), 'thirteen'),
    (array['a', ' a'], 'the same twice'), (array['a', ' '], 'an empty one'), (array['a', null], 'an unknown one'), (array['a', repeat('x', 201)], 'a long one')
) as bad (options, what);
select t.refused('PT400', $$select parley_api.create_poll(t.id('talk'), ' ', array['a', 'b'])$$, 'a poll has a question');
select t.refused('PT400', $$select parley_api.create_poll(t.id('talk'), repeat('x', 5001), array['a', 'b'])$$, 'of some length');
select t.refused('PT400', $$select parley_api.create_poll(t.id('talk'), 'q', array['a', 'b'], closes_at => now()::text)$$, 'and closes in the future');
select t.refused('PT400', $$select parley_api.create_poll(t.id('talk'), 'q', array['a', 'b'], closes_at => 'infinity')$$, 'or never');
select t.refused('PT400', $$select parley_api.send_message(t.id('talk'), 'q', 'poll')$$, 'a message alone is none');
select t.act('eve');
select t.refused('PT403', $$select parley_api.create_poll(t.id('talk'), 'q', array['a', 'b'])$$, 'a stranger asks nothing');
select is(t.events_since('talk', :event_seq), null, 'and nothing has happened');

-- asked
select t.act('ann');
select parley_api.create_poll(
    t.id('talk'), 'Tea?', array[' yes', 'no', 'maybe'], client_message_id => '77777777-7777-4777-8777-777777777777'
) as asked \gset
select t.keep('tea', :'asked'::jsonb ->> 'id');
select is(
    jsonb_build_array(:'asked'::jsonb -> 'type', :'asked'::jsonb -> 'content', :'asked'::jsonb -> 'seq', :'asked'::jsonb -> 'sender_id'),
    jsonb_build_array('poll', 'Tea?', 1, t.id('ann')), 'a poll is a message'
);
select is(
    :'asked'::jsonb -> 'poll',
    '{"options": [{"id": 1, "text": "yes", "votes": 0, "voter_ids": []}, {"id": 2, "text": "no", "votes": 0, "voter_ids": []},
                  {"id": 3, "text": "maybe", "votes": 0, "voter_ids": []}],
      "multiple": false, "anonymous": false, "total_voters": 0, "closes_at": null, "closed_at": null}', 'with what one may vote for'
);
select is(t.events_since('talk', :event_seq), 'message:new', 'and one event');
select is(
    parley_api.create_poll(t.id('talk'), 'Tea?', array['yes', 'no', 'maybe'], client_message_id => '77777777-7777-4777-8777-777777777777') ->> 'id',
    t.id('tea')::text, 'asked again it is the same'
);
select t.refused(
    'PT409', $$select parley_api.create_poll(t.id('talk'), 'Tea?', array['yes', 'no'], client_message_id => '77777777-7777-4777-8777-777777777777')$$,
    'with other options it is another'
);
select is(t.events_since('talk', :event_seq), 'message:new', 'and of that there is no event');

-- voted
select t.act('bob');
select is(t.tally(parley_api.get_poll(t.id('tea'))), '[] [0, 0, 0] 0', 'everybody in the conversation sees it');
select is(t.vote('tea', 1), '[1] [1, 0, 0] 1', 'and votes');
select is(
    t.news() - '{at,event_seq,conversation_id,message_id}'::text[],
    jsonb_build_object('kind', 'poll:updated', 'seq', 1, 'actor_id', t.id('bob'), 'voter_id', t.id('bob'), 'option_ids', '[1]'::jsonb,
        'votes', '[1, 0, 0]'::jsonb, 'total_voters', 1, 'closed_at', null), 'which everybody is told'
);
select t.last_event_seq('talk') as event_seq \gset
select is(t.vote('tea', 1, 1), '[1] [1, 0, 0] 1', 'the same vote again');
select is(t.events_since('talk', :event_seq), null, 'is no news');
select is(t.vote('tea', 2), '[2] [0, 1, 0] 1', 'another replaces it');
select is(t.events_since('talk', :event_seq), 'poll:updated', 'which is one event');
select t.act('cid');
select is(t.vote('tea', 2), '[2] [0, 2, 0] 2', 'votes add up');
select is(
    parley_api.get_poll(t.id('tea')) #> '{options,1,voter_ids}', jsonb_build_array(t.id('bob'), t.id('cid')), 'and have names'
);
select is(t.vote('tea'), '[] [0, 1, 0] 1', 'none takes it back');
select is(
    parley_api.get_conversation_messages(t.id('talk')) #> '{messages,0,poll,total_voters}', '1', 'the history has the counts'
);
select t.refused('PT400', $$select parley_api.vote(t.id('tea'), array[1, 2])$$, 'here one has one vote');
select t.refused('PT400', $$select parley_api.vote(t.id('tea'), array[4])$$, 'for what there is');
select t.refused('PT400', $$select parley_api.vote(t.id('tea'), array[0])$$, 'from the first');
select t.refused('PT400', $$select parley_api.vote(t.id('tea'), array[null]::integer[])$$, 'and not for the unknown');
select t.refused('PT400', $$select parley_api.vote(t.id('tea'), null)$$, 'nor by saying nothing');
select t.refused('PT400', 'select parley_api.vote(null, array[1])', 'on something');
select t.keep('plain', t.send('talk', 'plain')::text);
select t.refused('PT400', $$select parley_api.vote(t.id('plain'), array[1])$$, 'that is a poll');
select t.refused('PT400', $$select parley_api.get_poll(t.id('plain'))$$, 'to look at, too');
select t.act('eve');
select t.refused('PT404', $$select parley_api.vote(t.id('tea'), array[1])$$, 'a stranger has no vote');
select t.refused('PT404', $$select parley_api.get_poll(t.id('tea'))$$, 'and sees none');
select t.refused('PT404', $$select parley_api.close_poll(t.id('tea'))$$, 'and closes none');
select is(
    t.failure($$select parley_api.vote(t.id('tea'), array[1])$$), t.failure($$select parley_api.vote(t.id('none'), array[1])$$), 'as if there were none'
);

-- more than one
select t.act('ann');
select t.ask('days', multiple => true);
select is(t.vote('days', 3, 1, 3), '[1, 3] [1, 0, 1] 1', 'of several options one may want several');
select is(t.vote('days', 2, 3), '[2, 3] [0, 1, 1] 1', 'and others');

-- without names
select t.ask('secret', anonymous => true);
select t.act('bob');
select is(t.vote('secret', 1), '[1] [1, 0, 0] 1', 'an anonymous poll tells one the own vote');
select is(
    t.news() - '{at,event_seq,conversation_id,message_id}'::text[],
    '{"kind": "poll:updated", "seq": 4, "actor_id": null, "votes": [1, 0, 0], "total_voters": 1, "closed_at": null}', 'and everybody only the counts'
);
select t.act('ann');
select unalike(
    parley_api.get_poll(t.id('secret'))::text || parley_api.get_conversation_messages(t.id('talk'), after_seq => 3)::text,
    '%' || t.id('bob') || '%', 'no name anywhere'
);
select is(
    t.look(format('select count(*) from parley.event where message_id = %L and (actor_id = %L or user_id = %L or data::text like %L)',
        t.id('secret'), t.id('bob'), t.id('bob'), '%' || t.id('bob') || '%')), '0', 'not even in the log'
);

-- what was asked stays asked
select t.ask('aksed');
select is(parley_api.edit_message(t.id('aksed'), 'asked') #>> '{poll,options,0,text}', 'yes', 'a slip in the question is mended');
select t.vote('aksed', 1) is null as voted \gset
select is(
    t.failure($$select parley_api.edit_message(t.id('aksed'), 'something else')$$) ->> 'code', 'PT409', 'but not once somebody has answered it'
);
select t.vote('aksed') is null as voted \gset
select lives_ok($$select parley_api.edit_message(t.id('aksed'), 'anything')$$, 'who takes the answer back frees it');

-- closed
select t.act('cid');
select t.refused('PT403', $$select parley_api.close_poll(t.id('tea'))$$, 'a member closes nobody else''s poll');
select t.act('ann');
select t.last_event_seq('talk') as event_seq \gset
select isnt(parley_api.close_poll(t.id('tea')) ->> 'closed_at', null, 'its author closes it');
select is(t.news() ->> 'actor_id', t.id('ann')::text, 'which is told');
select lives_ok($$select parley_api.close_poll(t.id('tea'))$$, 'again is fine');
select is(t.events_since('talk', :event_seq), 'poll:updated', 'and no news');
select is(
    t.failure($$select parley_api.vote(t.id('tea'), array[1])$$) - '{detail,hint}'::text[], '{"code": "PT409", "message": "The poll is closed."}', 'then no vote is taken'
);
select t.refused('PT409', $$select parley_api.vote(t.id('tea'), '{}')$$, 'nor taken back');
select t.act('bob');
select t.ask('bobs');
select t.act('ann');
select lives_ok($$select parley_api.close_poll(t.id('bobs'))$$, 'an admin closes anybody''s');

-- by the clock
select t.ask('short', closes_in => '1 hour');
select t.ask('shorter', closes_in => '1 hour');
select t.close_in_time('short') is null as closed \gset
select t.close_in_time('shorter') is null as closed \gset
select is(t.failure($$select parley_api.vote(t.id('short'), array[1])$$) ->> 'code', 'PT409', 'when its time has come no vote is taken');
select isnt(parley_api.get_poll(t.id('short')) ->> 'closed_at', null, 'and it is closed for all to see');
select t.refused('42501', 'select parley.close_due_polls()', 'users do not run the job');
select t.last_event_seq('talk') as event_seq \gset
select t.host();
select is(parley.close_due_polls(), false, 'the job closes all there are');
select is(t.events_since('talk', :event_seq), 'poll:updated poll:updated', 'of one conversation, too');
select is((select count(*) from parley.poll p where p.closed_at = p.closes_at and p.closed_by is null), 2::bigint, 'at their time, by nobody');
select is(parley.close_due_polls(), false, 'again there is nothing');
select is(t.events_since('talk', :event_seq), 'poll:updated poll:updated', 'to do');

-- who leaves leaves the vote
select t.act('ann');
select t.ask('stay');
select t.act('cid');
select is(t.vote('stay', 3), '[3] [0, 0, 1] 1', 'who votes');
select parley_api.leave_conversation(t.id('talk')) is null as left \gset
select t.refused('PT404', $$select parley_api.vote(t.id('stay'), array[1])$$, 'and leaves does not vote again');
select t.act('ann');
select is(t.tally(parley_api.get_poll(t.id('stay'))), '[] [0, 0, 1] 1', 'but has voted');

-- gone
select t.ask('gone');
select t.vote('gone', 1) is null as voted \gset
select parley_api.delete_message(t.id('gone'), true) is null as deleted \gset
select is(
    t.failure($$select parley_api.vote(t.id('gone'), array[1])$$) ->> 'message', 'The message was deleted.', 'on what was deleted nobody votes'
);
select t.refused('PT409', $$select parley_api.get_poll(t.id('gone'))$$, 'nor looks');
select t.refused('PT409', $$select parley_api.close_poll(t.id('gone'))$$, 'nor closes it');
select is(t.look(format('select count(*) from parley.poll where message_id = %L', t.id('gone'))), '0', 'its options are gone, too');
select is(t.look(format('select count(*) from parley.poll_vote where message_id = %L', t.id('gone'))), '0', 'and the votes');
select is(
    parley_api.create_poll(t.id('talk'), 'lost', array['a', 'b'], client_message_id => '88888888-8888-4888-8888-888888888888') is null, false, 'one that'
);
select parley_api.delete_message(
    (parley_api.create_poll(t.id('talk'), 'lost', array['a', 'b'], client_message_id => '88888888-8888-4888-8888-888888888888') ->> 'id')::uuid, true
) is null as deleted \gset
select isnt(
    parley_api.create_poll(t.id('talk'), 'lost', array['a', 'b'], client_message_id => '88888888-8888-4888-8888-888888888888') ->> 'deleted_at', null,
    'was asked before and deleted is not asked again'
);
select t.ask('expired');
select t.host();
update parley.message set expires_at = now() - interval '1 second' where id = t.id('expired');
select t.act('ann');
select t.refused('PT404', $$select parley_api.vote(t.id('expired'), array[1])$$, 'on what has expired nobody votes');
select t.host();
select is(parley.expire_messages(), false, 'and what it asked');
select is((select count(*) from parley.poll p where p.message_id = t.id('expired')), 0::bigint, 'goes with it');

-- a conversation that takes no changes
update parley.conversation_profile set status = 'locked' where conversation_id = t.id('talk');
select t.act('ann');
select t.refused('PT403', $$select parley_api.vote(t.id('stay'), array[1])$$, 'in a locked conversation nobody votes');
select t.refused('PT403', $$select parley_api.close_poll(t.id('stay'))$$, 'nor closes');
select t.refused('PT403', $$select parley_api.create_poll(t.id('talk'), 'q', array['a', 'b'])$$, 'nor asks');
select is(t.tally(parley_api.get_poll(t.id('stay'))), '[] [0, 0, 1] 1', 'but everybody may look');

select * from finish();
rollback;
