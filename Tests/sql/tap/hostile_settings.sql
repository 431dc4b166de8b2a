-- Whatever a session has set, functions mean the same. The settings come before any function of Parley has been called, so
-- that each is read and planned under them.
begin;
select plan(32);
\ir ../people.psql

-- A literal with a backslash is written E'': it is then the same with and without standard_conforming_strings.
select is_empty(
    $$select p.oid::regprocedure
        from pg_proc p
        where p.pronamespace in ('parley'::regnamespace, 'parley_api'::regnamespace)
            and p.prosqlbody is null
            and strpos(
                regexp_replace(regexp_replace(p.prosrc, '--[^\n]*', '', 'g'), E'\\mE''(?:[^''\\\\]|\\\\.|'''')*''', '', 'g'), E'\\'
            ) > 0$$,
    'no function has a backslash outside of an E literal'
);
-- Which characters are letters or blanks is a matter of the locale, unless the expression names its collation.
select is_empty(
    $$select p.oid::regprocedure
        from pg_proc p
        where p.pronamespace in ('parley'::regnamespace, 'parley_api'::regnamespace)
            and p.prosqlbody is null
            and p.prosrc ~ E'\\[:[a-z]+:\\]|\\\\\\\\[swdSWDmMyY]'
            and p.prosrc !~ 'collate parley.unicode'$$,
    'no function leaves it to the locale what is a letter, a digit or a blank'
);

set local standard_conforming_strings = off;
set local escape_string_warning = off;
set local backslash_quote = off;
set local quote_all_identifiers = on;
set local datestyle = 'German, DMY';
set local intervalstyle = 'sql_standard';
set local timezone = 'America/New_York';
set local extra_float_digits = -15;
set local bytea_output = 'escape';
set local xmloption = 'document';
set local transform_null_equals = on;
set local array_nulls = off;
set local default_text_search_config = 'pg_catalog.german';
set local plpgsql.variable_conflict = 'use_column';
set local search_path = t, public, pg_catalog;

-- they are in force
select is('a\163'::text, 'as', 'strings have escapes');
select is((date '2027-05-04')::text, '04.05.2027', 'dates are German');

select t.act('ann');
select t.keep('talk', parley_api.start_conversation(
    array[t.id('bob'), t.id('cid')], 'group', 'lists', icon_url => 'https://example.org/ssss', client_message_id => t.id('none')
) ->> 'id');
select is(
    parley_api.start_conversation(
        array[t.id('bob'), t.id('cid')], 'group', 'lists', icon_url => 'https://example.org/ssss', client_message_id => t.id('none')
    ) ->> 'id',
    t.id('talk')::text, 'a conversation is started once'
);
select is(parley_api.send_message(t.id('talk'), m.content) ->> 'content', m.content, 'text is text: ' || m.content)
from (values ('ssss'), ('uuuu u0001'), ('ffff'), ('wdS'), ('好')) as m (content);
select t.refused('PT400', format('select parley_api.send_message(t.id(%L), %L)', 'talk', m.content), 'not ' || m.what)
from (values (' ', 'a blank'), (chr(10), 'a line end'), (chr(8203), 'what has no width'), ('a' || chr(7), 'a bell')) as m (content, what);
select is(
    parley_api.send_message(
        t.id('talk'), 'see', metadata => '{"formatting": [{"start": 0, "length": 3, "style": "link", "url": "https://example.org/ss"}]}'
    ) #>> '{metadata,formatting,0,url}', 'https://example.org/ss', 'links are links'
);
select t.keep('message', parley_api.send_message(t.id('talk'), 'to react to', client_message_id => t.id('noa')) ->> 'id');
select is(
    parley_api.send_message(t.id('talk'), 'to react to', client_message_id => t.id('noa')) ->> 'id', t.id('message')::text, 'exactly once'
);
select is(parley_api.add_reaction(t.id('message'), chr(10084)) #>> '{reactions,0,emoji}', chr(10084) || chr(65039), 'an emoji is one');
select t.refused('PT400', $$select parley_api.add_reaction(t.id('message'), 'u')$$, 'a letter is none');

-- what a retry brings is the same request in every time zone
select t.keep('poll', parley_api.create_poll(
    t.id('talk'), 'Tea?', array['yes', 'no'], closes_at => to_jsonb(now() + interval '5 days') #>> '{}', client_message_id => t.id('eve')
) ->> 'id');
set local timezone = 'Asia/Tokyo';
select is(
    parley_api.create_poll(
        t.id('talk'), 'Tea?', array['yes', 'no'], closes_at => to_jsonb(now() + interval '5 days') #>> '{}', client_message_id => t.id('eve')
    ) ->> 'id',
    t.id('poll')::text, 'a poll is asked once'
);
select is(parley_api.vote(t.id('poll'), array[2]) ->> 'my_vote', '[2]', 'and voted on');
select t.keep('later', parley_api.schedule_message(
    t.id('talk'), 'later', send_at_local => to_jsonb(now()::timestamp + interval '5 days') #>> '{}', time_zone => 'europe/berlin'
) ->> 'id');
select parley_api.schedule_message(t.id('talk'), 'still later', to_jsonb(now() + interval '6 days') #>> '{}') is null as failed \gset
select is(
    (parley_api.get_scheduled_messages(page_size => 1) #> '{scheduled_messages,0}') ->> 'time_zone', 'Europe/Berlin', 'a message is scheduled'
);
-- a day of a message that disappears has 24 hours, whatever the clocks do
select is(
    (m ->> 'expires_at')::timestamptz - (m ->> 'created_at')::timestamptz = interval '4800:00:00', true, '200 days are 4,800 hours'
)
from parley_api.send_message(t.id('talk'), 'gone', expires_in => interval '200 days') as m;

-- every cursor leads on
select is(
    parley_api.get_scheduled_messages(page_size => 1, cursor => parley_api.get_scheduled_messages(page_size => 1) ->> 'next_cursor')
    #>> '{scheduled_messages,0,content}', 'still later', 'of what is scheduled'
);
select is(
    jsonb_array_length(
        parley_api.get_participants(
            t.id('talk'), parley_api.get_participants(t.id('talk'), page_size => 1) ->> 'next_cursor', 5
        ) -> 'participants'
    ),
    2, 'of participants'
);
select t.keep('direct', parley_api.start_conversation(array[t.id('bob')], message => 'sss') ->> 'id');
select is(
    parley_api.get_user_conversations(page_size => 1, cursor => parley_api.get_user_conversations(page_size => 1) ->> 'next_cursor')
    #>> '{conversations,0,id}', t.id('talk')::text, 'of the inbox'
);
select is((parley_api.sync(parley_api.sync() ->> 'cursor') ->> 'cursor') is not null, true, 'of sync');
select parley_api.star_message(t.id('message')) is null as failed \gset
select is(parley_api.get_starred_messages(page_size => 1) #>> '{messages,0,id}', t.id('message')::text, 'what is starred');

-- searches
select t.host();
select parley_api.upsert_account(t.id('bob'), 'Bobs Stra' || chr(223) || 'e') is null as failed \gset
-- a transaction does not read its own events: these count as another's
update parley.event set xid = '3' where xid = pg_current_xact_id();
select parley.index_messages() is null as failed \gset
select t.act('ann');
select is(
    (select string_agg(r #>> '{message,content}', ', ') from jsonb_array_elements(parley_api.search_messages('ssss') -> 'results') as r),
    'ssss', 'messages are found'
);
select is(parley_api.get_user_conversations(search => 'strasse') #>> '{conversations,0,id}', t.id('direct')::text, 'so are names');
select is(jsonb_array_length(parley_api.search_members(t.id('talk'), 'bobs s')), 1, 'and members');

select t.host();
select is((select count(*) from parley.catalog_differences()), 0::bigint, 'the catalogue is what it was');
select is(parley.terms_version('pg_catalog.english'), 'english 2', 'and the index of the same language');
select * from finish();
rollback;
