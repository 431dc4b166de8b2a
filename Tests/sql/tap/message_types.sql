-- What a message can say: types, places, envelopes, formatting, quotes, mentions of everybody, revisions, and text that is
-- given back as it was sent.
begin;
select plan(144);
\ir ../people.psql

create function t.sent(type text, content text, metadata text) returns jsonb language sql as $$
    select parley_api.send_message(t.id('talk'), content, type, metadata => metadata::jsonb)
$$;

create function t.formatted(formatting text, content text default 'hello') returns jsonb language sql as $$
    select parley_api.send_message(t.id('talk'), content, metadata => jsonb_build_object('formatting', formatting::jsonb)) #> '{metadata,formatting}'
$$;

create function t.quoted(message text) returns jsonb language sql as $$
    select m -> 'reply_to' from jsonb_array_elements(parley_api.get_conversation_messages(t.id('talk')) -> 'messages') m where m ->> 'id' = t.id($1)::text
$$;

-- as everybody in the conversation receives it
create function t.quoted_in_log(message text) returns jsonb language sql security definer as $$
    select r.payload::jsonb #> '{message,reply_to}'
    from parley.render_events((select array_agg(e.id) from parley.event e where e.message_id = t.id($1) and e.kind = 'message:new')) r
$$;

create table t.text (n integer generated always as identity, content text);
grant select on t.text to public;
insert into t.text (content) values
('<script>alert(1)</script>'), ('&lt;b&gt;'), ('{{7*7}} ${7*7} <%= 7*7 %>'), ($$'); drop table parley.message; --$$), ('%s %n %d'), ('\x41 \n \u0041 \\'),
('**bold** _it_ [a](javascript:x)'), (E'two\nlines\tand a tab'), ('  spaces  '), ('e' || U&'\0301' || ' é'), ('👩‍👩‍👧 🏴󠁧󠁢󠁥󠁮󠁧󠁿'), (U&'\202Egnp.exe'), ('"quoted" ''twice'''),
('null'), ('😀'), ('مرحبا שלום 你好 สวัสดี'), (repeat('長', 5000));

select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group') ->> 'id');
select t.keep('pair', parley_api.start_conversation(array[t.id('bob')]) ->> 'id');

-- places
select is(
    t.sent('location', 'here', '{"latitude": -90, "longitude": 180, "name": "far away"}') -> 'metadata',
    '{"latitude": -90, "longitude": 180, "name": "far away"}', 'a place has coordinates, and whatever else'
);
select t.refused('PT400', format('select t.sent(''location'', ''x'', %L)', m), 'not a place: ' || coalesce(m, 'nothing'))
from unnest(array[
    null, '{}', '{"latitude": 1}', '{"longitude": 1}', '{"latitude": "1", "longitude": 1}', '{"latitude": 1, "longitude": null}',
    '{"latitude": 90.1, "longitude": 1}', '{"latitude": 1, "longitude": -180.1}', '{"latitude": 1e400, "longitude": 1}'
]) m;

-- envelopes
select is(
    t.sent('encrypted', null, '{"envelope": {"to": {"a": "AAAA"}}}') - '{id,created_at,seq,conversation_id,sender_id}'::text[] -> 'metadata',
    '{"envelope": {"to": {"a": "AAAA"}}}', 'an encrypted message is an envelope, kept as it is'
);
select is(t.sent('encrypted', null, '{"envelope": "AAAA"}') -> 'content', 'null', 'which has no content');
select t.refused('PT400', $$select t.sent('encrypted', 'hello', '{"envelope": "AAAA"}')$$, 'nor may it have any');
select t.refused('PT400', format('select t.sent(''encrypted'', null, %L)', m), 'not an envelope: ' || coalesce(m, 'nothing'))
from unnest(array[null, '{}', '{"ciphertext": "A"}', '{"envelope": null}', '{"envelope": ""}', '{"envelope": {}}', '{"envelope": 1}', '{"envelope": ["A"]}']) m;
select isnt(t.sent('encrypted', null, jsonb_build_object('envelope', repeat('A', 60000))::text), null, 'an envelope may be large');
select t.refused('PT413', $$select t.sent('encrypted', null, jsonb_build_object('envelope', repeat('A', 66000))::text)$$, 'but not very large');
select t.refused('PT413', $$select t.sent('text', 'x', jsonb_build_object('a', repeat('A', 9000))::text)$$, 'metadata of other messages less so');
select t.keep('envelope', t.sent('encrypted', null, '{"envelope": "AAAA"}') ->> 'id');
select is(parley_api.edit_message(t.id('envelope'), null, '{"envelope": "BBBB"}') -> 'metadata', '{"envelope": "BBBB"}', 'an envelope can be exchanged');
select t.refused('PT400', $$select parley_api.edit_message(t.id('envelope'), 'open', '{"envelope": "BBBB"}')$$, 'not opened');
select t.refused('PT400', $$select parley_api.edit_message(t.id('envelope'), null, '{"a": 1}')$$, 'nor taken away');

-- formatting
select is(
    t.formatted('[{"start": 0, "length": 5, "style": "bold"}, {"start": 1, "length": 2, "style": "link", "url": "https://example.org/a?b#c"}]'),
    '[{"start": 0, "length": 5, "style": "bold"}, {"start": 1, "length": 2, "style": "link", "url": "https://example.org/a?b#c"}]',
    'formatting lies beside the text'
);
select is(t.formatted('[]'), '[]', 'there may be none');
select is(t.formatted('[{"start": 0, "length": 2, "style": "code"}]', '🎉!') is null, false, 'it counts characters, whatever their bytes');
select is(jsonb_array_length(t.formatted((select jsonb_agg('{"start": 0, "length": 1, "style": "italic"}'::jsonb) from generate_series(1, 90))::text)), 90, 'many spans');
select t.refused('PT400', format('select t.formatted(%L)', f), 'not a format: ' || left(f, 90))
from unnest(array[
    'null', '{}', '"bold"', '["bold"]', '[{}]', '[{"start": 0, "length": 6, "style": "bold"}]', '[{"start": 5, "length": 1, "style": "bold"}]',
    '[{"start": -1, "length": 1, "style": "bold"}]', '[{"start": 0, "length": 0, "style": "bold"}]', '[{"start": 0.5, "length": 1, "style": "bold"}]',
    '[{"start": "0", "length": 1, "style": "bold"}]', '[{"start": 0, "style": "bold"}]', '[{"start": 0, "length": 1}]',
    '[{"start": 999999999, "length": 999999999, "style": "bold"}]', '[{"start": 0, "length": 12345678901, "style": "bold"}]',
    '[{"start": 0, "length": 1, "style": "blink"}]', '[{"start": 0, "length": 1, "style": null}]', '[{"start": 0, "length": 1, "style": "bold", "onclick": "x"}]',
    '[{"start": 0, "length": 1, "style": "bold", "url": "https://example.org"}]', '[{"start": 0, "length": 1, "style": "link"}]',
    '[{"start": 0, "length": 1, "style": "link", "url": 1}]', '[{"start": 0, "length": 1, "style": "link", "url": "javascript:alert(1)"}]',
    '[{"start": 0, "length": 1, "style": "link", "url": " https://example.org"}]', '[{"start": 0, "length": 1, "style": "link", "url": "https://"}]',
    '[{"start": 0, "length": 1, "style": "link", "url": "data:text/html,x"}]', '[{"start": 0, "length": 1, "style": "link", "url": "https://a\nb"}]',
    '[{"start": 0, "length": 1, "style": "link", "url": "//example.org"}]'
]) f;
select t.refused('PT400', $$select t.formatted((select jsonb_agg('{}'::jsonb) from generate_series(1, 201))::text)$$, 'nor are too many spans');
select t.refused('PT400', $$select t.formatted('[{"start": 0, "length": 1, "style": "bold"}]', null)$$, 'or spans of no text');
select t.keep('bold', parley_api.send_message(t.id('talk'), 'hello', metadata => '{"formatting": [{"start": 0, "length": 5, "style": "bold"}], "a": 1}') ->> 'id');
select is(parley_api.edit_message(t.id('bold'), 'hi') -> 'metadata', '{"a": 1}', 'new text loses the formatting of the old');
select is(
    parley_api.edit_message(t.id('bold'), 'hi!', '{"formatting": [{"start": 0, "length": 3, "style": "bold"}]}') -> 'metadata',
    '{"formatting": [{"start": 0, "length": 3, "style": "bold"}]}', 'unless it comes with its own'
);
select t.refused('PT400', $$select parley_api.edit_message(t.id('bold'), 'h', '{"formatting": [{"start": 0, "length": 3, "style": "bold"}]}')$$, 'that fits');

-- text is text: what is stored is what was sent, whatever it means elsewhere
select is(
    (select m ->> 'content' from parley_api.send_message(t.id('talk'), x.content) m), x.content, 'text comes back as it was sent: ' || left(x.content, 20)
) from t.text x order by x.n;
select is(
    (select array_agg(m ->> 'content' order by m -> 'seq') from jsonb_array_elements(parley_api.get_conversation_messages(t.id('talk'), page_size => 17) -> 'messages') m),
    (select array_agg(x.content order by x.n) from t.text x), 'and is read so'
);
select is(
    (select array_agg(m.content order by m.seq) from parley_api.messages m where m.conversation_id = t.id('talk') and m.seq > t.last_seq('talk') - 17),
    (select array_agg(x.content order by x.n) from t.text x), 'from the view, too'
);

-- but what is no text
select t.refused('PT400', format('select t.send(''talk'', %L)', 'a' || chr(c) || 'b'), 'no text: character ' || c)
from unnest(array[1, 7, 8, 11, 12, 27, 31, 127, 128, 155, 159]) c;
select is(t.sent('text', 'a' || chr(c) || 'b', null) ->> 'content', 'a' || chr(c) || 'b', 'text: character ' || c) from unnest(array[9, 10, 13, 160, 173, 8206]) c;
select t.refused('PT400', format('select parley_api.edit_message(t.id(''bold''), %L)', 'a' || chr(27) || '[2J'), 'nor does an edit make it');

-- quotes
select t.keep('said', t.send('talk', repeat('長', 201))::text);
select t.act('bob');
select parley_api.send_message(t.id('talk'), 'indeed', reply_to_id => t.id('said')) as reply \gset
select t.keep('reply', :'reply'::jsonb ->> 'id');
select is(
    :'reply'::jsonb -> 'reply_to',
    jsonb_build_object('id', t.id('said'), 'seq', t.last_seq('talk') - 1, 'sender_id', t.id('ann'), 'type', 'text', 'content', repeat('長', 200), 'attachment', null, 'deleted', false),
    'a reply quotes the first 200 characters'
);
select is(t.quoted('reply'), :'reply'::jsonb -> 'reply_to', 'so it does in the history');
select is(t.quoted_in_log('reply'), :'reply'::jsonb -> 'reply_to', 'and in the log');
select t.act('ann');
select parley_api.edit_message(t.id('said'), 'edited') is null as edited \gset
select is(t.quoted('reply') ->> 'content', 'edited', 'as it says now');
select t.act('cid');
select parley_api.delete_message(t.id('said')) is null as hidden \gset
select is(t.quoted('reply'), 'null', 'not to who has hidden it');
select t.refused('PT404', $$select parley_api.send_message(t.id('talk'), 'x', reply_to_id => t.id('said'))$$, 'who does not answer it either');
select t.host();
select parley_api.add_participants(t.id('talk'), array[t.id('dan')]) is null as added \gset
select t.act('dan');
select t.keep('late', t.send('talk', 'late')::text);
select t.act('bob');
select isnt(t.quoted('reply'), 'null', 'others see it as before');
select parley_api.send_message(t.id('talk'), 'as said', reply_to_id => t.id('said')) ->> 'id' as id \gset
select t.keep('again', :'id');
select t.act('dan');
select is(t.quoted('again'), 'null', 'who came later is not shown what was said before');
select is(t.quoted_in_log('again'), 'null', 'so the log, which all receive, does not quote it');
select t.act('ann');
select isnt(t.quoted('again'), 'null', 'those who may see it are shown it');
select parley_api.send_message(t.id('talk'), 'yes', reply_to_id => t.id('late')) ->> 'id' as id \gset
select t.keep('yes', :'id');
select is(t.quoted_in_log('yes') ->> 'content', 'late', 'what all may see it quotes');
select t.keep('old', t.look('select parley.uuid_v7(now() - interval ''2 days'')'));
select t.look(format('update parley.message set id = %L where id = %L returning 1', t.id('old'), t.id('late'))) as aged \gset
select t.look(format('update parley.message set reply_to_id = %L where id = %L returning 1', t.id('old'), t.id('yes'))) as aged \gset
select t.keep('late', t.id('old')::text);
select is(t.quoted_in_log('yes') ->> 'content', 'late', 'also what is of the day before yesterday');
select t.look($$update parley.tier_limit set amount = 1 where tier_name = 'free' and name = 'retention_days' returning 1$$) as retention \gset
select t.act('bob');
select t.look(format('update parley.account set tier_name = ''free'' where id = %L returning 1', t.id('bob'))) as tier \gset
select t.refused('PT404', $$select parley_api.send_message(t.id('talk'), 'x', reply_to_id => t.id('late'))$$, 'nobody answers what lies too far back for them');
select is(t.quoted('yes'), 'null', 'or is shown it');
select t.act('ann');
select is(parley_api.send_message(t.id('talk'), 'x', reply_to_id => t.id('late')) #>> '{reply_to,content}', 'late', 'others do, and are');
select is(t.quoted_in_log('yes'), 'null', 'nor what lies too far back for the plan of some');
select t.look($$update parley.tier_limit set amount = 30 where tier_name = 'free' and name = 'retention_days' returning 1$$) as retention \gset
select t.look($$update parley.tier_limit set amount = 1 where tier_name = 'privileged' and name = 'retention_days' returning 1$$) as retention \gset
select is(t.quoted_in_log('yes') ->> 'content', 'late', 'a plan that nobody there has takes nothing away');
select t.look(format('update parley.account set tier_name = ''privileged'' where id = %L returning 1', t.id('bob'))) as tier \gset
select is(t.quoted_in_log('yes'), 'null', 'until somebody there has it');
select t.look(format('update parley.participant set left_at = now() where user_id = %L and conversation_id = %L returning 1', t.id('bob'), t.id('talk'))) as gone \gset
select is(t.quoted_in_log('yes') ->> 'content', 'late', 'or has gone');
select t.look(format('update parley.participant set left_at = null where user_id = %L and conversation_id = %L returning 1', t.id('bob'), t.id('talk'))) as back \gset
select t.look(format('update parley.message set expires_at = now() where id = %L returning 1', t.id('late'))) as expired \gset
select is(t.quoted('yes') - 'seq', jsonb_build_object('id', t.id('late'), 'sender_id', t.id('dan'), 'type', 'text', 'content', null, 'attachment', null, 'deleted', true), 'what has expired is quoted without text');
select parley_api.delete_message(t.id('said'), true) is null as deleted \gset
select is(t.quoted('reply') -> 'content', 'null', 'as is what was deleted');
select is(t.quoted('reply') -> 'deleted', 'true', 'and it says so');
select t.refused('PT404', $$select parley_api.send_message(t.id('talk'), 'x', reply_to_id => t.id('said'))$$, 'what was deleted is not answered');

-- mentions of everybody
select t.act('cid');
select is(parley_api.send_message(t.id('talk'), 'all of you', mentions_all => true) -> 'mentions_all', 'true', 'everybody in a group can be mentioned at once');
select is((select m.mentions_all from parley_api.messages m where m.content = 'all of you'), true, 'the view shows it');
select is(parley_api.send_message(t.id('talk'), 'nobody', mentions_all => null) -> 'mentions_all', 'false', 'nothing is no');
select t.act('ann');
select t.refused('PT400', $$select parley_api.send_message(t.id('pair'), 'you', mentions_all => true)$$, 'in a pair there is no everybody');
select t.host();
update parley.setting set value = 'admins' where name = 'who_can_mention_all';
select t.act('cid');
select t.refused('PT403', $$select parley_api.send_message(t.id('talk'), 'all of you', mentions_all => true)$$, 'a deployment may leave it to admins');
select t.act('ann');
select t.keep('call', parley_api.send_message(t.id('talk'), 'all', mentions_all => true) ->> 'id');
select is(parley_api.delete_message(t.id('call'), true) ->> 'for_everyone', 'true', 'who can take it back');
select is((select m.mentions_all from parley_api.messages m where m.id = t.id('call')), false, 'and then mentions nobody');

-- revisions
select t.keep('e', t.send('talk', 'one')::text);
select t.act('bob');
select is(parley_api.get_message_revisions(t.id('e')) -> 'revisions', '[]', 'what was not edited has no revisions');
select t.act('ann');
select parley_api.edit_message(t.id('e'), 'two', '{"a": 1}') is null as edited \gset
select parley_api.edit_message(t.id('e'), 'three') is null as edited \gset
select t.act('bob');
select is(
    (select jsonb_agg(r - '{written_at,replaced_at,mentions,mentions_all}'::text[]) from jsonb_array_elements(parley_api.get_message_revisions(t.id('e')) -> 'revisions') r),
    '[{"revision": 1, "content": "one", "metadata": {}}, {"revision": 2, "content": "two", "metadata": {"a": 1}}]', 'participants see what a message said before'
);
select is(
    (select r #> '{revisions,0,replaced_at}' = r #> '{revisions,1,written_at}' and r #>> '{revisions,0,written_at}' is not null
        and (r #>> '{revisions,1,replaced_at}')::timestamptz <= (r ->> 'edited_at')::timestamptz
     from parley_api.get_message_revisions(t.id('e')) r),
    true, 'and when'
);
select t.act('eve');
select t.refused('PT404', $$select parley_api.get_message_revisions(t.id('e'))$$, 'strangers do not');
select is(t.failure($$select parley_api.get_message_revisions(t.id('e'))$$), t.failure($$select parley_api.get_message_revisions(t.id('none'))$$), 'as if there were nothing');
select t.act('ann');
select parley_api.delete_message(t.id('e'), true) is null as deleted \gset
select is(parley_api.get_message_revisions(t.id('e')) -> 'revisions', '[]', 'what was deleted is nobody''s to read, in any version');

-- permission to delete
select t.act('bob');
select t.keep('bobs', t.send('talk', 'bobs')::text);
select t.act('cid');
select t.refused('PT403', $$select parley_api.delete_message(t.id('bobs'), true)$$, 'members do not delete what others said');
select t.look(format($$update parley.conversation_profile set who_can_delete = 'everyone' where conversation_id = %L returning type$$, t.id('talk'))) as set_permission \gset
select is(parley_api.delete_message(t.id('bobs'), true) ->> 'for_everyone', 'true', 'unless everybody has the permission');
select t.act('bob');
select t.keep('pairs', t.send('pair', 'pairs')::text);
select t.act('ann');
select t.refused('PT403', $$select parley_api.delete_message(t.id('pairs'), true)$$, 'of two, neither takes back what the other said');

-- disappearing messages
select t.look(format($$update parley.conversation_profile set message_ttl_seconds = 3600 where conversation_id = %L returning type$$, t.id('talk'))) as set_ttl \gset
select is(
    (select (m ->> 'expires_at')::timestamptz - (m ->> 'created_at')::timestamptz from parley_api.send_message(t.id('talk'), 'x') m), interval '1 hour',
    'where messages disappear, one does'
);
select is(
    (select (m ->> 'expires_at')::timestamptz - (m ->> 'created_at')::timestamptz from parley_api.send_message(t.id('talk'), 'x', expires_in => '1 minute') m),
    interval '1 minute', 'or sooner, as asked'
);
select is(
    (select (m ->> 'expires_at')::timestamptz - (m ->> 'created_at')::timestamptz from parley_api.send_message(t.id('talk'), 'x', expires_in => '300 days') m),
    interval '1 hour', 'but not later'
);

-- types are rows, and the server's are the server's
select t.refused('PT400', $$select parley_api.send_message(t.id('talk'), 'x', 'poll')$$, 'a poll is made otherwise');
select t.refused('42883', $$select parley_api.send_message(t.id('talk'), 'x', 'poll', server => '{"type": "poll"}')$$, 'no client says it is the server');

select * from finish();
rollback;
