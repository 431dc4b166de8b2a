-- What text must show, what names may hold, and how they are found: the same rules at every argument.
begin;
select plan(59);
\ir ../people.psql

create table t.unseen (what text, value text);
insert into t.unseen values
    ('nothing', ''), ('a blank', ' '), ('lines', E'\n\t\r\n'), ('a blank that does not break', E'\u00a0'), ('a zero width space', E'\u200b'),
    ('joiners', E'\u200d\u2060'), ('a byte order mark', E'\ufeff'), ('a blank of Braille', E'\u2800'), ('a filler of Hangul', E'\u3164'),
    ('its half', E'\uffa0'), ('a soft hyphen', E'\u00ad'), ('an ideographic space', E'\u3000'), ('a selector', E'\ufe0f'),
    ('a tag', E'\U000e0041'), ('marks of direction', E'\u200e\u200f');

grant select on t.unseen to public;

select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group', title => 'talk') ->> 'id');
select t.refused('PT400', format('select parley_api.send_message(t.id(%L), %L)', 'talk', u.value), 'a message of ' || u.what || ' shows nothing')
from t.unseen u;
select is(
    parley_api.send_message(t.id('talk'), u.value) ->> 'content', u.value, 'and one of ' || u.what || ' is sent as it is'
)
from (values ('a mark that combines', E'\u200b\u0301'), ('Han', '好'), ('a blank before a letter', E'\u00a0é'), ('an emoji', '👍'), ('a dot', '.')) as u (what, value);

select t.keep('sent', t.send('talk', 'x')::text);

-- every other door of a text, in one go: what it says if the text shows nothing
select t.host();
create table t.door (what text, query text);
insert into t.door values
    ('edit_message', format('select parley_api.edit_message(%L, $v$%%s$v$)', t.id('sent'))),
    ('schedule_message', $$select parley_api.schedule_message(t.id('talk'), $v$%s$v$, (now() + interval '1 hour')::text)$$),
    ('send_system_message', $$select parley_api.send_system_message(t.id('talk'), $v$%s$v$)$$),
    ('create_poll', $$select parley_api.create_poll(t.id('talk'), $v$%s$v$, '{a,b}')$$),
    ('a poll option', $$select parley_api.create_poll(t.id('talk'), 'q', array['a', $v$%s$v$])$$),
    ('a title', $$select parley_api.start_conversation(array[t.id('bob')], 'group', title => $v$%s$v$)$$),
    ('a context', $$select parley_api.start_conversation(array[t.id('bob')], 'group', context_type => 'order', context_id => $v$%s$v$)$$),
    ('a first message', $$select parley_api.start_conversation(array[t.id('bob')], 'group', message => $v$%s$v$)$$),
    ('a file name', $$select parley_api.declare_attachment(t.id('talk'), 'image', $v$%s$v$, 'image/png', 10)$$),
    ('a search of messages', $$select parley_api.search_messages($v$%s$v$)$$),
    ('a display name', $$select parley_api.upsert_account(t.id('dan'), $v$%s$v$)$$),
    ('a row of an account', $$insert into parley.account (id, display_name, tier_name) values (gen_random_uuid(), $v$%s$v$, 'free')$$),
    ('a row of a tenant', $$insert into parley.tenant (name) values ($v$%s$v$)$$),
    ('the reason of an auditor', $$select parley_api.conversation_as_of(t.id('talk'), 1, $v$%s$v$)$$);
grant select on t.door to public;
create function t.takes(door t.door, value text) returns boolean language plpgsql as $$
begin
    if door.what like 'a row of %' then
        reset role;
    elsif door.what in ('a display name', 'the reason of an auditor', 'send_system_message') then
        perform t.host();
    end if;
    execute format(door.query, value);
    raise exception using errcode = 'PT200', message = 'taken';
exception
    when sqlstate 'PT400' then
        perform t.act('ann');
        return false;
    when sqlstate 'PT200' then
        perform t.act('ann');
        return true;
end
$$;
select t.act('ann');
select is(
    (select string_agg(u.what, ', ') from t.unseen u where t.takes(d, u.value)), null, d.what || ' must show something'
)
from t.door d;
select is(t.takes(d, 'fine 好'), true, d.what || ' takes what does') from t.door d;

-- names: one line, one direction
select is(
    (
        select string_agg(d.what || ' ' || n.what, ', ') from t.door d, (values
            ('control', E'a\u0007b'), ('line end', E'a\nb'), ('line separator', E'a\u2028b'), ('direction', E'a\u202eb'),
            ('isolate', E'a\u2066b'), ('C1', E'a\u0085b')
        ) as n (what, value)
        where d.what in ('a poll option', 'a title', 'a context', 'a file name', 'a display name', 'a row of an account', 'a row of a tenant') and t.takes(d, n.value)
    ),
    null, 'names have no control characters, line ends or changes of direction'
);
select t.refused('PT400', $$select parley_api.update_conversation(t.id('talk'), title => E'\u200b')$$, 'a title is not changed to nothing');
select is(
    parley_api.update_conversation(t.id('talk'), title => '') ->> 'title', null, 'it is taken away by an empty text'
);
select is(parley_api.save_draft(t.id('talk'), E'\u200b \u2800'), null, 'a draft that shows nothing is none');

-- one folding: whatever way a name was written, and searched for
select t.host();
create table t.spelt (stored text, sought text);
insert into t.spelt values
    (E'Jose\u0301 Nu\u0303ez', 'josé'), ('José', E'jose\u0301'), ('Straße', 'STRASSE'), ('Strasse', 'straße'), ('Σίσυφος', 'ΣΊΣΥΦΟΣ'),
    ('ΣΙΣΥΦΟΣ', 'σίσυφος'), ('Şahin', 'sahin'), ('sahin', 'ŞAHİN'), ('İsmet', 'ismet'), ('Ilgın', 'ilgin'), ('ILGIN', 'ılgın'),
    ('Łukasz', 'lukasz'), ('Søren', 'soren'), ('ＦＵＬＬ', 'full'), ('Ёлкин', 'елкин'), (E'Zo\u200bë', 'zoe'), ('山田太郎', '太郎'),
    ('محمّد', 'محمد'), ('हिन्दी', 'हिन्दी');
grant select on t.spelt to public;
create function t.finds(stored text, sought text) returns text language plpgsql as $$
begin
    perform t.host();
    perform parley_api.upsert_account(t.id('bob'), stored);
    perform t.act('ann');
    perform parley_api.update_conversation(t.id('titled'), title => stored);
    return concat_ws(
        ' ',
        (select 'inbox' from jsonb_array_elements(parley_api.get_user_conversations(search => sought) -> 'conversations') as c
            where (c ->> 'id')::uuid = t.id('direct')),
        (select 'members' from jsonb_array_elements(parley_api.search_members(t.id('direct'), sought)) as m where (m ->> 'user_id')::uuid = t.id('bob')),
        (select 'titles' from jsonb_array_elements(parley_api.get_user_conversations(search => sought) -> 'conversations') as c
            where (c ->> 'id')::uuid = t.id('titled'))
    );
end
$$;
select t.act('ann');
select t.keep('direct', parley_api.start_conversation(array[t.id('bob')]) ->> 'id');
select t.keep('titled', parley_api.start_conversation(array[t.id('cid')], 'group') ->> 'id');
select is(
    (select string_agg(s.stored || '/' || s.sought, ', ') from t.spelt s
        where t.finds(s.stored, s.sought) <> 'inbox members titles'),
    null, 'every search of names finds a name however it is written'
);
select is(t.finds('Ann 🎉', '🎉'), 'inbox members titles', 'signs are looked for as they are');
select is(t.finds('Ann', 'bob'), '', 'and another name is not found');
select t.host();
select is(parley.fold_name(n.name), n.folded, 'folded: ' || n.name)
from (values ('O''Brien-Smith', 'o brien smith'), ('Ærø', 'aero'), ('ﬁne', 'fine'), ('Đặng', 'dang')) as n (name, folded);
select * from finish();
rollback;
