-- Searching messages: what is found, by whom, in which order, and what of it is shown.
begin;
select plan(156);
\ir ../people.psql
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;
-- the rules of spam have tests of their own
update parley.spam_rule set mode = 'off';

-- brings the index up to date with what is committed; what this transaction wrote it leaves for later, as the log does
create function t.index() returns bigint language plpgsql security definer as $$
declare
    v_rounds bigint := 0;
begin
    -- the events are this transaction's own: as if they had been committed before
    update parley.event set xid = '3' where xid = pg_current_xact_id();
    while parley.index_messages() loop
        v_rounds := v_rounds + 1;
        exit when v_rounds > 1000;
    end loop;
    return v_rounds;
end
$$;

-- What a search finds: the texts, best first.
create function t.found(
    query text, conversation text default null, sender text default null, types text[] default null, size integer default 20
) returns text language sql as $$
    select string_agg(r -> 'message' ->> 'content', ' | ' order by n)
    from jsonb_array_elements(
        parley_api.search_messages(
            $1, case when $2 is not null then t.id($2) end, case when $3 is not null then t.id($3) end, $4, page_size => $5
        ) -> 'results'
    ) with ordinality as x (r, n)
$$;

create function t.marked(query text) returns text language sql as $$
    select string_agg(
        (
            select string_agg(case when (h -> 'match')::boolean then '[' || (h ->> 'text') || ']' else h ->> 'text' end, '' order by k)
            from jsonb_array_elements(r -> 'highlight') with ordinality as y (h, k)
        ),
        ' | ' order by n
    )
    from jsonb_array_elements(parley_api.search_messages($1) -> 'results') with ordinality as x (r, n)
$$;

-- All pages, one result each: how many, and how many different.
create function t.paged(query text, size integer) returns bigint[] language plpgsql as $$
declare
    v_cursor text;
    v_page jsonb;
    v_ids text[] := '{}';
begin
    for i in 1..1000 loop
        v_page := parley_api.search_messages($1, cursor => v_cursor, page_size => $2);
        v_ids := v_ids || array(select r -> 'message' ->> 'id' from jsonb_array_elements(v_page -> 'results') r);
        v_cursor := v_page ->> 'next_cursor';
        exit when v_cursor is null;
    end loop;
    return array[cardinality(v_ids), (select count(distinct i) from unnest(v_ids) i)];
end
$$;

create function t.highlight(content text, query text) returns jsonb language sql security definer as $$
    select parley.search_highlight('simple', content, q.wanted, q.runs) from parley.parse_search('simple', query) q
$$;

create function t.tail_is_empty() returns boolean language sql security definer as $$
    select parley.read_log_ids(c.snapshot, c.max_id, 1, 0) = '{}' from parley.consumer c where c.name = 'search'
$$;

select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group', 'talk') ->> 'id');
select t.keep('other', parley_api.start_conversation(array[t.id('bob')], 'group', 'other') ->> 'id');
select t.keep('secret', parley_api.start_conversation(array[t.id('dan')], 'group', 'secret') ->> 'id');
select t.keep('fox', t.send('talk', 'The quick brown fox jumps over the lazy dog')::text);
select t.keep('dog', t.send('talk', 'A dog barks')::text);
select t.keep('cat', t.send('other', 'The cat and the dog sleep')::text);
select t.send('secret', 'No dog may know this') is not null as sent \gset
select t.send('talk', '我们今天去吃饭') is not null as sent \gset
select t.send('talk', '東京都に住んでいます') is not null as sent \gset
select t.send('talk', 'วันนี้อากาศดีมาก') is not null as sent \gset
select t.send('talk', 'iPhoneの充電器 and more') is not null as sent \gset
select t.send('talk', 'ＦＵＬＬ width') is not null as sent \gset

-- refused
select t.act('eve');
select t.refused('PT403', $$select parley_api.search_messages('dog', t.id('talk'))$$, 'a stranger searches no conversation');
select is(
    t.failure($$select parley_api.search_messages('dog', t.id('talk'))$$), t.failure($$select parley_api.search_messages('dog', t.id('none'))$$),
    'as if there were none'
);
select is(t.found('dog'), null, 'and finds nothing');
select t.act('bob');
select t.refused('PT400', $$select parley_api.search_messages(null)$$, 'a query is needed');
select t.refused('PT400', $$select parley_api.search_messages(E' \t')$$, 'with something in it');
select t.refused('PT400', $$select parley_api.search_messages(repeat('q', 201))$$, 'of at most 200 characters');
select t.refused('PT400', $$select parley_api.search_messages('-dog')$$, 'that looks for something');
select t.refused('PT400', $$select parley_api.search_messages('dog', page_size => 0)$$, 'a page of nothing is refused');
select t.refused('PT400', $$select parley_api.search_messages('dog', page_size => 201)$$, 'and one of more than 200');
select t.refused('PT400', $$select parley_api.search_messages('dog', types => array_fill('text'::text, array[51]))$$, 'and more than fifty types');
select t.refused('PT400', $$select parley_api.search_messages('dog', cursor => 'x')$$, 'a made-up cursor');
select t.refused('PT400', $$select parley_api.search_messages('dog', cursor => '')$$, 'an empty one');
select t.refused('PT400', $$select parley_api.search_messages('dog', cursor => encode('[1, 2, 3, 4, 5]', 'base64'))$$, 'one of the wrong things');
select t.refused(
    'PT400', $$select parley_api.search_messages('dog', cursor => encode(format('["%1$s", "%1$s", "%1$s", null, null]', t.id('ann'))::bytea, 'base64'))$$,
    'or half a one'
);

-- before anything is indexed
select t.host();
select is(t.look('select count(*) from parley.search_block'), '0', 'nothing is indexed by a send');
update parley.event set xid = '3' where xid = pg_current_xact_id();
select t.act('bob');
select is(t.found('dog'), 'A dog barks | The cat and the dog sleep | The quick brown fox jumps over the lazy dog',
    'what is not yet indexed is found all the same, the shortest first');
select is(t.found('饭'), '我们今天去吃饭', 'of every kind');
select t.host();
select cmp_ok(t.index(), '>=', 0::bigint, 'the job indexes it');
select ok(t.tail_is_empty(), 'and has then seen the whole log');
select is(t.look('select array_agg(block) from parley.search_block'), '{0,0,0}', 'a block of each conversation');
select t.act('bob');
select is(t.found('dog'), 'A dog barks | The cat and the dog sleep | The quick brown fox jumps over the lazy dog', 'which changes no answer');

-- syntax
select is(t.found('DOG lazy'), 'The quick brown fox jumps over the lazy dog', 'all words must be there, in any case');
select is(t.found('"brown fox"'), 'The quick brown fox jumps over the lazy dog', 'a phrase');
select is(t.found('"fox brown"'), null, 'in its order');
select is(t.found('barks or cat'), 'A dog barks | The cat and the dog sleep', 'one or the other');
select is(t.found('dog -fox -barks'), 'The cat and the dog sleep', 'but not those');
select is(t.found('dog "quick brown" or sleep'), 'The quick brown fox jumps over the lazy dog | The cat and the dog sleep', 'together');
select is(t.found('do'), null, 'a word is a whole word');
select is(t.found('zebra'), null, 'what nobody wrote is not found');
select is(t.found($$'; drop table parley.message; -- <b> & | ! ( ) : * \ %$$), null, 'whatever the characters');

-- scripts without spaces
select is(t.found('今天'), '我们今天去吃饭', 'Chinese is found by any part');
select is(t.found('天去吃'), '我们今天去吃饭', 'across words');
select is(t.found('天今'), null, 'in its order');
select is(t.found('今去'), null, 'not by characters that stand apart');
select is(t.found('京都'), '東京都に住んでいます', 'Japanese, too');
select is(t.found('住んで'), '東京都に住んでいます', 'with kana');
select is(t.found('อากาศ'), 'วันนี้อากาศดีมาก', 'and Thai');
select is(t.found('充電 iphone'), 'iPhoneの充電器 and more', 'next to Latin letters, which are a word');
select is(t.found('iphoneの充電'), 'iPhoneの充電器 and more', 'or written as one');
select is(t.found('今天 or 充電'), '我们今天去吃饭 | iPhoneの充電器 and more', 'one or the other, as with words');
select is(t.found('饭 -今天'), null, 'and not those');
select is(t.found('full'), 'ＦＵＬＬ width', 'wide letters are letters');

-- words among signs
select t.act('ann');
select t.keep('signs', parley_api.start_conversation(array[t.id('bob')], 'group', 'signs') ->> 'id');
create temp table said (n integer, content text);
insert into said values
(1, 'if a <b and so'), (2, 'secret hounds are nice'), (3, 'then c> d'), (4, 'use <hounds here>'), (5, 'R&parrot; <!-- hamster --> &#x41;'),
(6, 'mice/rats or report.pdf'), (7, 'see https://example.com/ferrets?x=1&y=otters#stoats'), (8, 'write to goose@example.org, +49 170'),
(9, 'covid-19 on 2026-05-07 at -3.50'), (10, 'Fine.Then ~/badgers/lynx C:\moles'), (11, 'ｶﾞｿﾘﾝ and ﬁshes＜wolves …'), (12, '“curly” «pointed»—dash。');
select count(t.send('signs', content)) as sent from (select s.content from said s order by s.n) s \gset
create temp table asked (query text, answer text);
insert into asked values
('hounds', '2 4'), ('so', '1'), ('b', '1'), ('here', '4'), ('parrot', '5'), ('hamster', '5'), ('x41', '5'), ('mice', '6'), ('rats', '6'),
('report', '6'), ('pdf', '6'), ('report.pdf', '6'), ('mice/rats', '6'), ('rats/mice', null), ('https', '7'), ('ferrets', '7'), ('otters', '7'), ('stoats', '7'),
('example.com', '7'), ('https://example.com/ferrets?x=1&y=otters#stoats', '7'), ('example', '7 8'), ('example -ferrets', '8'),
('goose', '8'), ('goose@example.org', '8'), ('49', '8'), ('+49', '8'), ('19', '9'), ('covid-19', '9'), ('"covid-19 on"', '9'), ('19-covid', null),
('05', '9'), ('2026-05-07', '9'), ('50', '9'), ('"-3.50"', '9'), ('on -19', null), ('fine', '10'), ('then', '3 10'), ('badgers', '10'), ('lynx', '10'),
('moles', '10'), ('fishes', '11'), ('wolves', '11'), ('ガソリン', '11'),
('curly', '12'), ('pointed', '12'), ('dash', '12');
select t.host();
create function t.answers() returns table (query text, answer text) language sql as $$
    select
        a.query,
        (
            select string_agg((select s.n::text from said s where s.content = r -> 'message' ->> 'content'), ' ' order by r -> 'message' -> 'seq')
            from jsonb_array_elements(parley_api.search_messages(a.query, t.id('signs')) -> 'results') as r
        )
    from asked a
$$;
update parley.event set xid = '3' where xid = pg_current_xact_id();
select t.act('bob');
select is(b.answer, a.answer, 'a word among signs: ' || a.query) from asked a inner join t.answers() b using (query);
select t.host();
select t.index() is not null as indexed \gset
select ok(t.tail_is_empty(), 'the job indexes them');
select t.act('bob');
select results_eq('select * from t.answers()', 'select * from asked', 'which changes no answer');
select is(t.marked('here'), 'use <hounds [here]>', 'what was found is marked in the text as it was written');
select is(t.marked('iphone'), '[iPhone]の充電器 and more', 'next to a script without spaces, too');
select is(t.marked('more 充電'), 'iPhoneの[充電]器 and [more]', 'both kinds at once');
select is(
    (select string_agg((h ->> 'match') || ' ' || (h ->> 'text'), '|' order by k) from jsonb_array_elements(
        t.highlight(repeat('我们今天去喝', 800) || 'Starbucks' || repeat('咖啡。', 800), 'starbucks 咖啡')
    ) with ordinality x (h, k)),
    'false ' || repeat('我们今天去喝', 10) || '|true Starbucks|' || repeat('true 咖啡|false 。|', 55) || 'true 咖啡|false 。咖', 'in a long text around the first match'
);
select is(
    t.highlight('see ' || repeat('y', 3000) || ' there', 'there'), jsonb_build_array(jsonb_build_object('text', 'see ' || repeat('y', 236), 'match', false)),
    'a word that is no word of the index, so long is it, shows where the text begins'
);
select is(t.marked('ガソリン fishes'), '[ｶﾞｿﾘﾝ] and [ﬁshes]＜wolves …', 'however it was written');

-- made by an earlier version
select t.host();
update parley.search_block set language = 'simple', terms = '''x''';
update parley.search_state set language = 'simple';
select t.act('bob');
select results_eq('select * from t.answers()', 'select * from asked', 'an index of an earlier version is not believed');
select t.host();
select t.index() is not null as indexed \gset
select is(
    t.look('select bool_and(language = parley.terms_version(''simple'')) and not bool_or(terms = $$''x''$$) from parley.search_block'), 'true',
    'and is made anew'
);

-- much at once
select t.act('ann');
select t.keep('much', parley_api.start_conversation(array[t.id('bob')], 'group', 'much') ->> 'id');
select t.send('much', 'begin') is not null as sent \gset
select t.host();
select t.index() is not null as indexed \gset
select t.act('ann');
select count(t.send('much', rpad('', 995, 'fill ') || case n when 20 then 'moose' else 'filly' end)) as sent from generate_series(1, 20) n \gset
select t.host();
select t.index() is not null as indexed \gset
select t.act('bob');
select isnt(t.found('moose', 'much'), null, 'the last word of twenty thousand characters is indexed');

-- about something
select t.act('ann');
select parley_api.send_message(t.id('signs'), 'the deposit', metadata => '{"booking_id": 42}') is not null as sent \gset
select parley_api.send_message(t.id('signs'), 'another deposit', metadata => '{"booking_id": 43}') is not null as sent \gset
select t.send('signs', 'no deposit at all') is not null as sent \gset
select t.host();
select t.index() is not null as indexed \gset
select t.act('bob');
select is(
    jsonb_path_query_array(parley_api.search_messages('deposit', metadata => '{"booking_id": 42}'), '$.results[*].message.content'),
    '["the deposit"]', 'of those whose metadata contains an object'
);
select t.refused('PT400', $$select parley_api.search_messages('deposit', metadata => '[42]')$$, 'no other value can be asked for');

-- restricted
select is(t.found('dog', 'other'), 'The cat and the dog sleep', 'inside one conversation');
select t.act('cid');
select is(t.found('dog'), 'A dog barks | The quick brown fox jumps over the lazy dog', 'a user finds what is in their own conversations');
select t.send('talk', 'my dog') is not null as sent \gset
select is(t.found('dog', sender => 'cid'), 'my dog', 'what one has just sent is found at once');
select t.host();
select t.index() is not null as indexed \gset
select t.act('cid');
select is(t.found('dog', sender => 'cid'), 'my dog', 'by sender');
select is(t.found('dog', sender => 'ann', types => '{image}'), null, 'and by type');
select is(t.found('dog', sender => 'ann', types => '{image,text}', size => 1), 'A dog barks', 'as many as asked for');

-- what one may see
select t.act('bob');
select parley_api.delete_message(t.id('dog')) is null as hidden \gset
select is(t.found('barks'), null, 'not what one has hidden');
select t.act('cid');
select is(t.found('barks'), 'A dog barks', 'others still find it');
select t.act('ann');
select parley_api.edit_message(t.id('cat'), 'The bird sings') is null as edited \gset
select t.host();
update parley.event set xid = '3' where xid = pg_current_xact_id();
select t.act('bob');
select is(t.found('bird'), 'The bird sings', 'what was edited is found by what it says now');
select is(t.found('cat'), null, 'and not by what it said');
select t.host();
select t.index() is not null as indexed \gset
select t.act('bob');
select is(t.found('bird'), 'The bird sings', 'the index follows');
select is(t.look(format('select terms @@ %L from parley.search_block where conversation_id = %L', 'cat', t.id('other'))), 'false', 'and forgets');
select t.act('ann');
select parley_api.delete_message(t.id('cat'), true) is null as deleted \gset
select is(t.found('bird'), null, 'what was deleted for everyone is not found');
select t.host();
select t.index() is not null as indexed \gset
select is(t.look(format('select terms @@ %L from parley.search_block where conversation_id = %L', 'bird', t.id('other'))), 'false', 'nor kept by the index');
update parley.message set expires_at = now() where id = t.id('fox');
select t.act('bob');
select is(t.found('fox'), null, 'nor what has expired');
select t.act('ann');
select parley_api.add_participants(t.id('secret'), array[t.id('bob')]) is null as added \gset
select t.act('bob');
select is(t.found('know'), null, 'nor what was said before one came');
select t.act('ann');
select parley_api.remove_participant(t.id('talk'), t.id('cid')) is null as removed \gset
select t.act('cid');
select is(t.found('dog'), null, 'nor anything of where one is no longer');

-- highlight
select t.act('ann');
select t.send('other', 'Say <script>alert("yak")</script> and <b>yak</b>' || chr(57344) || 'fake' || chr(57345)) is not null as sent \gset
select t.host();
select t.index() is not null as indexed \gset
select t.act('bob');
select is(t.marked('今天'), '我们[今天]去吃饭', 'what was found is marked');
select matches(t.marked('yak'), '\[yak\]', 'in data, so that text is never markup');
select unalike(t.marked('yak'), '%[fake]%', 'and cannot pass for a mark');
select is(t.marked('width'), 'ＦＵＬＬ [width]', 'with the text around it');

-- pages, and the order
select t.act('ann');
select t.keep('many', parley_api.start_conversation(array[t.id('bob')], 'group', 'many') ->> 'id');
select count(t.send('many', 'gnu ' || repeat('filler ', n % 5) || n)) as sent from generate_series(1, 150) n \gset
select t.host();
select t.index() is not null as indexed \gset
select t.act('bob');
select is(t.paged('gnu', 7), '{150,150}', 'pages lose none and repeat none');
select is(t.paged('gnu', 1), '{150,150}', 'of one');
select is(t.paged('gnu', 200), '{150,150}', 'or of all');
select t.act('bob');
select parley_api.search_messages('gnu', page_size => 5) ->> 'next_cursor' as cursor \gset
select t.act('ann');
select t.send('many', 'gnu meanwhile') is not null as sent \gset
select t.host();
select t.index() is not null as indexed \gset
select t.act('bob');
select is(
    (select jsonb_array_length(p -> 'results') || ' ' || (p::text like '%meanwhile%')::text
     from parley_api.search_messages('gnu', cursor => :'cursor', page_size => 200) p),
    '145 false', 'what is sent meanwhile comes in between no pages'
);
select t.host();
create function t.index_rows() returns text language sql security definer as $$
    select string_agg(s::text, E'\n' order by s.conversation_id, s.block) from parley.search_block s
$$;
select t.index_rows() as indexed \gset
select count(parley.index_block(s.conversation_id, s.block, 'simple')) as made from (table parley.search_block) s \gset
select is(t.index_rows(), :'indexed', 'rows that words were added to are as if made anew');
update parley.message set created_at = created_at - interval '90 days' where conversation_id = t.id('other') and content like 'Say%';
update parley.message set content = 'yak' where conversation_id = t.id('many') and seq = 150;
select parley.index_block(t.id('many'), 4, 'simple') is null as done \gset
select t.act('bob');
select matches(t.found('yak'), '^yak \| Say', 'of equal matches the recent one comes first');

-- language
select t.host();
select t.refused('PT400', $$select parley.set_search_language('klingon')$$, 'a language must be known to the server');
select parley.set_search_language('english') is null as set \gset
select t.act('bob');
select is(t.found('fillers', size => 1) is not null, true, 'another language is in use at once');
select t.host();
select t.index() is not null as indexed \gset
select is(t.look('select string_agg(distinct language, $$,$$) from parley.search_block'), 'english 2', 'the job rebuilds the index');
select is(t.look('select rebuild_after is null and language = $$english 2$$ from parley.search_state'), 'true', 'to the end');
select t.act('bob');
select is(t.found('fillers', size => 1) is not null, true, 'which then finds other forms of a word');
select is(parley_api.search_messages('the') -> 'results', '[]', 'and nothing by words that the language leaves out');

-- the index makes itself anew
select t.host();
delete from parley.consumer where name = 'search';
delete from parley.search_block;
select t.act('bob');
select is(t.found('zebra or barks'), null, 'without an index and its place in the log');
select is(t.found('gnu', 'many', size => 1) is not null, true, 'the newest are found in the log');
select t.host();
select t.index() is not null as indexed \gset
select is(t.look('select count(*) > 4 and bool_and(terms is not null) from parley.search_block'), 'true', 'which the job puts right');
delete from parley.search_block;
update parley.log_state set purged_id = (select max(id) from parley.event);
update parley.consumer set max_id = (select max(id) - 1 from parley.event);
select t.index() is not null as indexed \gset
select is(t.look('select count(*) > 4 from parley.search_block'), 'true', 'as it does when the log was purged before it was read');
delete from parley.message where conversation_id = t.id('many') and seq > 128;
select parley.index_block(t.id('many'), 4, 'simple') is null as done \gset
select is(t.look(format('select max(block) from parley.search_block where conversation_id = %L', t.id('many'))), '3', 'of messages that are no more nothing is kept');

-- a configuration of the deployment's own: without accents
select t.host();
create extension unaccent schema public;
create text search configuration public.without_accents (copy = simple);
alter text search configuration public.without_accents alter mapping for hword, hword_part, word with public.unaccent, simple;
select parley.set_search_language('public.without_accents') is null as set \gset
select t.act('bob');
select t.keep('folded', parley_api.start_conversation(array[t.id('cid'), t.id('ann')], 'group', title => 'folded') ->> 'id') is null as made \gset
select t.send('folded', 'Das Café in Kraków, eine Straße') is not null as sent \gset
select t.host();
select t.index() is not null as indexed \gset
select t.act('bob');
select is(t.marked('cafe strasse'), 'Das [Café] in Kraków, eine [Straße]', 'a configuration with unaccent finds words without their accents');
select is(t.found('KRAKÓW'), 'Das Café in Kraków, eine Straße', 'and with them');
select is(t.found('krakow', 'folded'), 'Das Café in Kraków, eine Straße', 'in one conversation, too');

-- a page is bounded by bytes, too
select t.act('bob');
select t.keep('long', parley_api.start_conversation(array[t.id('cid'), t.id('ann')], 'group', title => 'long') ->> 'id') is null as made \gset
select t.host();
select count(parley.write_message(t.id('bob'), t.id('long'), 'wolf ' || repeat(U&'\+01F40C', 4900))) as sent from generate_series(1, 30) \gset
select t.index() is not null as indexed \gset
create function t.pages(query text, out pages integer, out distinct_ids bigint, out most bigint) language plpgsql as $$
declare
    v_page jsonb;
    v_ids text[] := '{}';
begin
    pages := 0;
    most := 0;
    loop
        v_page := parley_api.search_messages(query, t.id('long'), cursor => v_page ->> 'next_cursor', page_size => 200);
        pages := pages + 1;
        most := greatest(most, octet_length(v_page::text));
        v_ids := v_ids || array(select r -> 'message' ->> 'id' from jsonb_array_elements(v_page -> 'results') as r);
        exit when v_page ->> 'next_cursor' is null or pages > 20;
    end loop;
    distinct_ids := (select count(distinct id) from unnest(v_ids) as id) - (select cardinality(v_ids) - count(distinct id) from unnest(v_ids) as id);
end
$$;
select t.act('bob');
select * from t.pages('wolf') \gset long_
select cmp_ok(:long_most, '<', 1300000, 'a page of long messages is bounded by bytes');
select cmp_ok(:long_pages, '>', 1, 'and has a cursor to go on from');
select is(:long_distinct_ids, 30, 'and pages neither lose nor repeat one');

-- a round is bounded by text, and smaller after a failure
select t.host();
select count(parley.write_message(t.id('bob'), t.id('long'), 'wolf ' || repeat(U&'\+01F40C', 4900))) as sent from generate_series(1, 60) \gset
update parley.event set xid = '3' where xid = pg_current_xact_id();
select is(parley.index_messages(), true, 'a round of the index takes a megabyte of text');
select is(t.index(), 0::bigint, 'and the next one the rest');
create function t.touched(seqs bigint[]) returns boolean language sql as $$
    select count(parley.append_event(m.conversation_id, 'message:updated', null, m.id, m.seq, null, null)) > 0
    from parley.message as m where m.conversation_id = t.id('long') and m.seq = any (seqs);
    update parley.event set xid = '3' where xid = pg_current_xact_id() returning true;
$$;
select t.touched('{10,40,70}') as touched \gset
select is(parley.index_messages(), true, 'an edit counts for the block that is made anew');
select is(t.index(), 1::bigint, 'of which each round has one');
select t.touched('{10,11,12}') as touched \gset
select is(t.index(), 0::bigint, 'and many edits of a block for one');
select parley.set_search_language('simple') is null as set \gset
select is(parley.rebuild_search_index(200), true, 'a rebuilding takes as much');
select cmp_ok(t.index(), '<', 4::bigint, 'in each round');
select t.act('bob');
select count(t.send('many', 'gnat')) as sent from generate_series(1, 10) \gset
select t.host();
update parley.event set xid = '3' where xid = pg_current_xact_id();
update parley.job set failures = 3 where name = 'index_messages';
select is(parley.index_messages(), true, 'what has failed is tried again with less');
update parley.job set failures = 1000 where name = 'index_messages';
select ok(t.index() >= 0 and t.tail_is_empty(), 'down to one event, until all is through');

-- the limit
select t.host();
update parley.tier_limit set amount = 10, burst = 10 where name = 'searches_per_minute';
delete from parley.rate_bucket where name = 'searches_per_minute';
select t.act('bob');
select count(parley_api.search_messages('dog')) as searched from generate_series(1, 10) \gset
select t.refused('PT429', $$select parley_api.search_messages('dog')$$, 'ten searches a minute');
select matches(t.failure($$select parley_api.search_messages('dog')$$) ->> 'detail', '^Retry-After: [1-9]', 'and when the next is free');

select * from finish();
rollback;
