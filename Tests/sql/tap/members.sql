-- Who is in a conversation, page by page, and whom a mention could mean.
begin;
select no_plan();
\ir ../people.psql
insert into parley.account (id, display_name, tier_name)
select md5('member ' || n)::uuid, name, 'free'
from unnest(array['Zoé Ångström', 'ZOË van der Berg', 'Bernd Özil-Zorn', 'Percy O''Zone', '100% _Zed_']) with ordinality m (name, n);
insert into parley.account (id, display_name, tier_name) values (md5('member 9')::uuid, null, 'free');

create function t.found(query text, page_size integer default 10) returns text language sql as $$
    select string_agg(m ->> 'display_name', '|' order by n)
    from jsonb_array_elements(parley_api.search_members(t.id('us'), $1, $2)) with ordinality x (m, n)
$$;

select t.act('ann');
select t.keep('us', parley_api.start_conversation(
    array[t.id('bob')] || array(select md5('member ' || n)::uuid from generate_series(1, 5) n) || md5('member 9')::uuid, 'group'
) ->> 'id');

-- search
select is(t.found('zo'), 'Zoé Ångström|ZOË van der Berg|Bernd Özil-Zorn|Percy O''Zone', 'any word of a name may begin with it, the first one before others');
select is(t.found('ZOÉ'), 'Zoé Ångström|ZOË van der Berg', 'whatever its case and accents');
select is(t.found('angs'), 'Zoé Ångström', 'on either side');
select is(t.found('zoe a'), 'Zoé Ångström', 'over a blank, too');
select is(t.found('@bo'), 'Bob', 'the sign of a mention does not matter');
select is(t.found('%'), '100% _Zed_', 'signs alone are looked for as they are');
select is(t.found('_zed'), '100% _Zed_', 'in front of a word they do not matter');
select is(t.found('@'), null, 'what nobody''s name has finds nobody');
select is(t.found(' ?! '), null, 'of no kind');
select is(t.found('erg'), null, 'the middle of a word does not count');
select is(t.found('ann'), null, 'one does not mention oneself');
select is(t.found('', 2), '100% _Zed_|Bernd Özil-Zorn', 'nothing finds all, as many as one asks for');
select is(t.found(E' \t', 2), t.found('', 2), 'as do blanks');
select is(t.found(null, 2), '100% _Zed_|Bernd Özil-Zorn', 'null is nothing');
select is(
    parley_api.search_members(t.id('us'), 'bob') -> 0,
    jsonb_build_object('user_id', t.id('bob'), 'display_name', 'Bob', 'role', 'member', 'app_role', null), 'with what a list shows'
);
select t.refused('PT400', $$select parley_api.search_members(t.id('us'), repeat('x', 201))$$, 'a query has an end');
select t.refused('PT400', $$select parley_api.search_members(t.id('us'), 'x', 0)$$, 'a page has a size');
select t.refused('PT400', $$select parley_api.search_members(t.id('us'), 'x', 201)$$, 'not any size');
select t.look(format('update parley.account set deleted_at = now() where id = %L returning id', md5('member 1')::uuid)) as erased \gset
select is(t.found('angs'), null, 'who was erased is not found');
select parley_api.remove_participant(t.id('us'), md5('member 2')::uuid) is null as gone \gset
select is(t.found('zoe'), null, 'nor who has gone');
select t.act('eve');
select is(
    t.failure($$select parley_api.search_members(t.id('us'), 'b')$$), t.failure($$select parley_api.search_members(t.id('none'), 'b')$$),
    'a stranger learns nothing'
);

-- names of scripts without spaces
select t.host();
insert into parley.account (id, display_name, tier_name)
select md5('eastern ' || n)::uuid, name, 'free'
from unnest(array['王小明', '王明Anna Li', 'ジョン・スミス', 'สมชาย ใจดี', '김민수', 'ﾔﾏﾀﾞ太郎', '🦊 Фокс']) with ordinality m (name, n);
select t.act('ann');
select t.keep('us', parley_api.start_conversation(array(select md5('eastern ' || n)::uuid from generate_series(1, 7) n), 'group') ->> 'id');
select is(t.found('王'), '王小明|王明Anna Li', 'a Chinese name is found by its beginning');
select is(t.found('小明'), '王小明', 'and by any other part');
select is(t.found('明'), '王小明|王明Anna Li', 'of one character');
select is(t.found('明小'), null, 'as it is written');
select is(t.found('anna'), '王明Anna Li', 'a word next to it is a word');
select is(t.found('明anna'), '王明Anna Li', 'or written as one');
select is(t.found('nna'), null, 'of which the middle does not count');
select is(t.found('スミ'), 'ジョン・スミス', 'a Japanese one');
select is(t.found('ｽﾐ'), 'ジョン・スミス', 'however wide');
select is(t.found('マダ太'), 'ﾔﾏﾀﾞ太郎', 'on either side');
select is(t.found('ชาย'), 'สมชาย ใจดี', 'a Thai one');
select is(t.found('민수'), '김민수', 'a Korean one');
select is(t.found('фок'), '🦊 Фокс', 'a Russian one by its beginning');
select is(t.found('окс'), null, 'only');
select is(t.found('🦊'), '🦊 Фокс', 'a picture is looked for as it is');
select is(t.found('🐶'), null, 'another one is not there');
select t.keep('us', t.look(format('select conversation_id from parley.participant where user_id = %L', md5('member 3')::uuid)));

-- pages
select t.host();
select parley_api.add_participants(t.id('us'), array[t.id('cid')]) is null as added \gset
update parley.participant p set joined_at = timestamptz '2026-03-01 12:00:00.000001' + n * interval '1 microsecond'
from (select user_id, row_number() over (order by user_id) / 2 as n from parley.participant) x
where p.user_id = x.user_id and p.conversation_id = t.id('us');
select t.act('bob');
create temp table page (n integer generated always as identity, page jsonb);
insert into page (page) values (parley_api.get_participants(t.id('us'), page_size => 3));
insert into page (page) select parley_api.get_participants(t.id('us'), page ->> 'next_cursor', 3) from page where n = 1;
insert into page (page) select parley_api.get_participants(t.id('us'), page ->> 'next_cursor', 3) from page where n = 2;
select is(
    (select string_agg(p ->> 'user_id', ' ' order by page.n, x.n) from page cross join jsonb_array_elements(page.page -> 'participants') with ordinality x (p, n)),
    t.look(format('select string_agg(user_id::text, %L order by joined_at, user_id) from parley.participant where left_at is null and conversation_id = %L', ' ', t.id('us'))),
    'pages show everybody, once, by joining, equal to the microsecond or not'
);
select is((select page -> 'next_cursor' from page where n = 3), 'null', 'the last page says so');
select is((select jsonb_array_length(page -> 'participants') from page where n = 3), 1, 'and has the rest');
select is(parley_api.get_participants(t.id('us')) -> 'next_cursor', 'null', 'as does one page for all');
select t.refused('PT400', format('select parley_api.get_participants(t.id(''us''), %L)', c), 'a cursor of somebody''s own making is refused: ' || c)
from unnest(array['', 'x', '1_x', '1', '9999999999999999999_' || t.id('bob'), '-1_' || t.id('bob')]) c;
select t.refused('PT400', $$select parley_api.get_participants(t.id('us'), page_size => 0)$$, 'a page has a size');
select t.act('eve');
select is(
    t.failure($$select parley_api.get_participants(t.id('us'))$$), t.failure($$select parley_api.get_participants(t.id('none'))$$),
    'a stranger learns nothing'
);
select is(
    t.failure($$select parley_api.get_conversation(t.id('us'))$$), t.failure($$select parley_api.get_conversation(t.id('none'))$$),
    'of the conversation either'
);

-- one conversation
select t.act('bob');
select is(
    parley_api.get_conversation(t.id('us')) #>> '{me,role}', 'member', 'a conversation shows the caller''s own settings'
);
select is(jsonb_array_length(parley_api.get_conversation(t.id('us')) -> 'participants'), 7, 'and who is in it');
select is(parley_api.get_conversation(t.id('us')) -> 'contexts', '[]', 'and what it is about');
select t.claim('service_role', '{"role": "service_role"}');
select is(parley_api.get_conversation(t.id('us')) ? 'me', false, 'the host has no settings in it');
select t.refused('PT404', $$select parley_api.get_conversation(t.id('none'))$$, 'and is told that there is none');
select t.refused('PT404', $$select parley_api.get_participants(t.id('none'))$$, 'nor anybody in it');

select * from finish();
rollback;
