-- The search index: which words a message has, and the rows that hold them, one for 32 messages of a conversation.
--
-- Why not a GIN index on the messages: measured on PostgreSQL 15 with 300,000 messages of 4 to 15 words, a user with
-- 1,000 conversations and 100,000 of the messages. GIN on to_tsvector(content) made each insert 4 times dearer (9 to 32
-- us), and a common word costs what all users together wrote (540 ms here, growing with the table). GIN on the words
-- prefixed by their conversation costs only what the caller wrote (32 to 390 ms), but 89 us an insert and 266 bytes a
-- message. Blocks: nothing at the send, 10 us a message later in the background, 80 bytes a message; 6 ms for a word
-- nobody wrote, 10 ms for a common one, at most 128 blocks (80 ms) for words that are common but seldom together. No
-- extension is needed.

create or replace function parley.unspaced_run()
returns text
language sql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- Han, Kana, Bopomofo, Hangul, Thai, Lao, Myanmar, Khmer: their words cannot be told apart by spaces
    select
        '[\u0E00-\u0EFF\u1000-\u109F\u1100-\u11FF\u1780-\u17FF\u2E80-\u2FDF\u3005-\u3007\u3040-\u312F\u3130-\u318F'
        || '\u31A0-\u31BF\u31F0-\u31FF\u3400-\u4DBF\u4E00-\u9FFF\uA960-\uA97F\uAC00-\uD7FF\uF900-\uFAFF'
        || '\U00020000-\U0003FFFD]+'
$$;
comment on function parley.unspaced_run() is 'Regular expression: a run of characters of a script that is written without spaces.';
revoke all on function parley.unspaced_run() from public;

create or replace function parley.searchable_text(content text)
returns text
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_text text := left(content, 20000);
begin
    -- what has only ASCII is as it should be; full-width letters and the like become ordinary ones
    if octet_length(v_text) <> char_length(v_text) then
        v_text := normalize(v_text, nfkc);
    end if;
    -- The parser would take the first of these for parts of a tag, an entity, an address, a path, a host or a number, and
    -- then keep only the whole, or nothing; where LC_CTYPE is C it takes the others for letters. An underscore is nothing
    -- to it; in a query what it stands between is then a phrase. (translate would take three times as long.)
    return regexp_replace(
        v_text,
        '[<>&/\\@.:+~\u00A1-\u00A9\u00AB\u00AC\u00AE-\u00BF\u00D7\u00F7\u2010-\u2027\u2030-\u205E\u2E00-\u2E5F'
        || '\u3001-\u3003\u3008-\u3020-]',
        '_', 'g'
    );
end;
$$;
comment on function parley.searchable_text(text) is
'The first 20,000 characters of a text in normal form (NFKC), without signs that would hide words. Every run of letters and digits is a word. Not found: signs and emoji, half a word, a word of more than 2,046 bytes, and what is written with invisible characters in it.';
revoke all on function parley.searchable_text(text) from public;

create or replace function parley.searchable_query(query text)
returns text
language sql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- Outside quotes a minus in front of a word means without it, and stays: a character that nobody types keeps its place.
    select translate(
        parley.searchable_text(
            string_agg(
                case
                    when p.n % 2 = 0 then p.part
                    else regexp_replace(p.part, '(^|[\s(])-', E'\\1\u0001', 'g')
                end,
                '"' order by p.n
            )
        ),
        E'\u0001',
        '-'
    )
    from unnest(string_to_array(normalize(query, nfkc), '"')) with ordinality as p (part, n)
$$;
comment on function parley.searchable_query(text) is
'A query in websearch syntax, its words written as searchable_text writes those of messages.';
revoke all on function parley.searchable_query(text) from public;

create or replace function parley.character_pairs(content text)
returns text[]
language sql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(array_agg(distinct g.gram), '{}')
    from regexp_matches(content, parley.unspaced_run(), 'g') as run (parts)
    cross join lateral (
        select c.character, lead(c.character) over (order by c.n) as next
        from unnest(string_to_array(run.parts[1], null)) with ordinality as c (character, n)
    ) as p
    cross join lateral (values (p.character), (p.character || p.next)) as g (gram)
    where g.gram is not null
$$;
comment on function parley.character_pairs(text) is
'Every character, and every pair of neighbours, of the runs that are written without spaces.';
revoke all on function parley.character_pairs(text) from public;

create or replace function parley.search_terms(language regconfig, content text)
returns tsvector
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
-- words too long to be indexed are left out without a word
set client_min_messages = warning
as $$
declare
    v_text text := parley.searchable_text(content);
begin
    if octet_length(v_text) = char_length(v_text) or v_text !~ parley.unspaced_run() then
        return strip(to_tsvector(search_terms.language, v_text));
    end if;
    return strip(to_tsvector(search_terms.language, regexp_replace(v_text, parley.unspaced_run(), ' ', 'g')))
        || array_to_tsvector(parley.character_pairs(v_text));
end;
$$;
comment on function parley.search_terms(regconfig, text) is
'The words of a text as the search index keeps them; of scripts without spaces the characters and their pairs.';
revoke all on function parley.search_terms(regconfig, text) from public;

create or replace function parley.search_language()
returns regconfig
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_name text := parley.setting_value('search_language');
    v_language regconfig;
begin
    -- a configuration that is gone, or never was, must not stop the index
    select c.oid::regconfig into v_language
    from pg_catalog.pg_ts_config as c
    inner join pg_catalog.pg_namespace as n on c.cfgnamespace = n.oid
    where v_name in (c.cfgname, n.nspname || '.' || c.cfgname)
    order by n.nspname = 'pg_catalog' desc, n.nspname
    limit 1;
    return coalesce(v_language, 'pg_catalog.simple'::regconfig);
end;
$$;
comment on function parley.search_language() is 'The text search configuration of this deployment, by the setting search_language.';
revoke all on function parley.search_language() from public;

create or replace function parley.terms_version(language regconfig)
returns text
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- to be raised when search_terms makes other words of a text: the index is then rebuilt as for another language
    select language::text || ' 2'
$$;
comment on function parley.terms_version(regconfig) is
'What search_block.language says of terms that search_terms makes now. Blocks that say anything else are looked into.';
revoke all on function parley.terms_version(regconfig) from public;

create or replace function parley.set_search_language(name text)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (
        select from pg_catalog.pg_ts_config as c
        inner join pg_catalog.pg_namespace as n on c.cfgnamespace = n.oid
        where set_search_language.name in (c.cfgname, n.nspname || '.' || c.cfgname)
    ) then
        raise exception using
            errcode = 'PT400',
            message = 'There is no text search configuration of this name.',
            hint = 'Those of this server: select cfgname from pg_ts_config.';
    end if;
    update parley.setting as s
    set value = set_search_language.name, updated_at = now()
    where s.name = 'search_language';
end;
$$;
comment on function parley.set_search_language(text) is
'Changes the language of the message search. index_messages() rebuilds the index in steps; meanwhile searches find everything, but look at more messages.';
revoke all on function parley.set_search_language(text) from public;

create or replace function parley.index_block(conversation_id uuid, block bigint, language regconfig)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
    v_text text;
    v_first_id uuid;
    v_last_id uuid;
    v_terms tsvector;
begin
    select
        -- a dot and a line between them: neither joins words
        string_agg(m.content, E' .\n') filter (where m.deleted_at is null and m.type <> 'encrypted'),
        (array_agg(m.id order by m.id))[1],
        (array_agg(m.id order by m.id desc))[1]
    into v_text, v_first_id, v_last_id
    from parley.message as m
    where m.conversation_id = index_block.conversation_id
        and m.seq between 32 * index_block.block + 1 and 32 * index_block.block + 32;
    if v_first_id is null then
        delete from parley.search_block as s
        where s.conversation_id = index_block.conversation_id and s.block = index_block.block;
        return;
    end if;
    begin
        v_terms := parley.search_terms(index_block.language, coalesce(v_text, ''));
        -- search_terms reads 20,000 characters: longer ones by message
        if char_length(v_text) > 20000 then
            v_terms := '';
            for v_text in
                select m.content
                from parley.message as m
                where m.conversation_id = index_block.conversation_id
                    and m.seq between 32 * index_block.block + 1 and 32 * index_block.block + 32
                    and m.deleted_at is null
                    and m.content is not null
                    and m.type <> 'encrypted'
            loop
                v_terms := v_terms || parley.search_terms(index_block.language, v_text);
            end loop;
        end if;
    exception
        -- more than a megabyte of words
        when program_limit_exceeded then
            v_terms := null;
    end;
    insert into parley.search_block as s (conversation_id, block, first_id, last_id, language, terms)
    values (
        index_block.conversation_id, index_block.block, v_first_id, v_last_id,
        parley.terms_version(index_block.language), v_terms
    )
    on conflict on constraint search_block_pkey do update
    set
        first_id = excluded.first_id,
        last_id = excluded.last_id,
        language = excluded.language,
        terms = excluded.terms;
end;
$$;
comment on function parley.index_block(uuid, bigint, regconfig) is
'Makes the row of 32 messages anew from what they say now; without any left there is no row.';
revoke all on function parley.index_block(uuid, bigint, regconfig) from public;
