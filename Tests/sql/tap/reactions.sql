-- Reactions: an emoji, once per user, on a message one may see.
begin;
select plan(38);
\ir ../people.psql

create function t.emoji(emoji text) returns boolean language plpgsql as $$
begin
    perform parley_api.add_reaction(t.id('message'), emoji);
    perform parley_api.remove_reaction(t.id('message'), emoji);
    return true;
exception when sqlstate 'PT400' then
    return false;
end
$$;

select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group') ->> 'id');
select t.keep('message', t.send('talk', 'hello')::text);

select t.act('eve');
select t.refused('PT404', $$select parley_api.add_reaction(t.id('message'), '👍')$$, 'a stranger finds nothing to react to');
select is(
    t.failure($$select parley_api.add_reaction(t.id('message'), '👍')$$), t.failure($$select parley_api.add_reaction(t.id('none'), '👍')$$),
    'as if there were none'
);
select t.act('bob');
select t.refused('PT400', 'select parley_api.add_reaction(null, ''👍'')', 'a message is needed');
select is(t.emoji(null), false, 'no emoji is refused');
select is(t.emoji(''), false, 'an empty one');
select is(t.emoji('a'), false, 'a letter');
select is(t.emoji('1'), false, 'a digit');
select is(t.emoji('👍 '), false, 'a space behind it');
select is(t.emoji('👍ok'), false, 'a word behind it');
select is(t.emoji('<b>'), false, 'markup');
select is(t.emoji(E'\u200d'), false, 'a joiner alone');
select is(t.emoji(E'\ufe0f'), false, 'a selector alone');
select is(t.emoji(repeat('👍', 17)), false, 'and more than 64 bytes');
select is(t.emoji('👍'), true, 'an emoji is fine');
select is(t.emoji('👍🏽'), true, 'with a skin tone');
select is(t.emoji('❤️'), true, 'with a selector');
select is(t.emoji('👨‍👩‍👧‍👦'), true, 'a family');
select is(t.emoji('🇩🇪'), true, 'a flag');
select is(t.emoji('🏴󠁧󠁢󠁳󠁣󠁴󠁿'), true, 'a flag of tags');
select is(t.emoji('1️⃣'), true, 'a keycap');

select t.last_event_seq('talk') as event_seq \gset
select is(
    parley_api.add_reaction(t.id('message'), '👍') -> 'reactions',
    jsonb_build_array(jsonb_build_object('emoji', '👍', 'count', 1, 'user_ids', array[t.id('bob')])), 'a reaction is in the message'
);
select is(t.events_since('talk', :event_seq), 'message:reaction', 'and is an event');
select is(
    t.look(format('select (user_id, actor_id, message_seq, data)::text from parley.event where conversation_id = %L and event_seq = %s',
        t.id('talk'), :event_seq + 1)),
    format('(%s,%1$s,1,"{""op"": ""added"", ""emoji"": ""👍""}")', t.id('bob')), 'that says who, which and how'
);
select is(parley_api.add_reaction(t.id('message'), '👍') #> '{reactions,0,count}', '1', 'the same again counts once');
select is(t.events_since('talk', :event_seq), 'message:reaction', 'and is no event');
select t.look('update parley.reaction set created_at = created_at - interval ''1 minute'' returning emoji') as earlier \gset
select t.act('cid');
select is(parley_api.add_reaction(t.id('message'), '👍') #> '{reactions,0,count}', '2', 'another user''s counts');
select is(jsonb_array_length(parley_api.add_reaction(t.id('message'), '🎉') -> 'reactions'), 2, 'and so does another emoji');
select is(
    parley_api.remove_reaction(t.id('message'), '👍') #> '{reactions,0,user_ids}', jsonb_build_array(t.id('bob')),
    'everybody removes only their own'
);
select t.last_event_seq('talk') as event_seq \gset
select lives_ok($$select parley_api.remove_reaction(t.id('message'), '👍')$$, 'one that is not there is fine');
select is(t.events_since('talk', :event_seq), null, 'and no event');
select t.act('ann');
select is(
    parley_api.get_conversation_messages(t.id('talk')) #> '{messages,0,reactions}',
    jsonb_build_array(
        jsonb_build_object('emoji', '👍', 'count', 1, 'user_ids', array[t.id('bob')]),
        jsonb_build_object('emoji', '🎉', 'count', 1, 'user_ids', array[t.id('cid')])
    ),
    'the history carries them, the oldest first'
);
select is((select count(parley_api.add_reaction(t.id('message'), chr(128512 + n))) from generate_series(1, 20) n), 20::bigint, '20 of one user');
select t.refused('PT409', $$select parley_api.add_reaction(t.id('message'), '🚀')$$, 'are enough');
select lives_ok($$select parley_api.add_reaction(t.id('message'), chr(128513))$$, 'while one of them again is fine');

select t.host();
update parley.conversation_profile set status = 'locked' where conversation_id = t.id('talk');
select t.act('bob');
select t.refused('PT403', $$select parley_api.add_reaction(t.id('message'), '🚀')$$, 'a locked conversation takes no reactions');
select t.refused('PT403', $$select parley_api.remove_reaction(t.id('message'), chr(128513))$$, 'and gives none back');
select t.host();
update parley.conversation_profile set status = 'active' where conversation_id = t.id('talk');
select t.act('ann');
select parley_api.delete_message(t.id('message'), true) is null as deleted \gset
select t.act('bob');
select t.refused('PT409', $$select parley_api.add_reaction(t.id('message'), '🚀')$$, 'nor does a deleted message');
select is(parley_api.remove_reaction(t.id('message'), '👍') -> 'reactions', '[]', 'whose reactions are not shown');

select * from finish();
rollback;
