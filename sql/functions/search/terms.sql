-- The search index: which words a message has, and the rows that hold them, one for 32 messages of a conversation.
--
-- Why not a GIN index on the messages: measured on PostgreSQL 15 with 300,000 messages of 4 to 15 words, a user with
-- 1,000 conversations and 100,000 of the messages. GIN on to_tsvector(content) made each insert 4 times dearer (9 to 32
-- us), and a common word costs what all users together wrote (540 ms here, growing with the table). GIN on the words
-- prefixed by their conversation costs only what the caller wrote (32 to 390 ms), but 89 us an insert and 266 bytes a
-- message. Blocks: nothing at the send, 10 us a message later in the background, 80 bytes a message; 6 ms for a word
-- nobody wrote, 10 ms for a common one, at most 128 blocks (80 ms) for words that are common but seldom together. No
-- extension is needed.

create or replace function parley.searchable_text(content text)
returns text
language plpgsql immutable parallel safe security invoker
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
        E'[<>&/\\\\@.:+~\\u00A1-\\u00A9\\u00AB\\u00AC\\u00AE-\\u00BF\\u00D7\\u00F7\\u2010-\\u2027\\u2030-\\u205E\\u2E00-\\u2E5F'
        || E'\\u3001-\\u3003\\u3008-\\u3020-]',
        '_', 'g'
    );
end;
$$;
comment on function parley.searchable_text is
'The first 20,000 characters of a text in normal form (NFKC), without signs that would hide words. Every run of letters and digits is a word. Not found: signs and emoji, half a word, a word of more than 2,046 bytes, and what is written with invisible characters in it.';

create or replace function parley.searchable_query(query text)
returns text
language sql immutable parallel safe security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- Outside quotes a minus in front of a word means without it, and stays: a character that nobody types keeps its place.
    select translate(
        parley.searchable_text(
            string_agg(
                case
                    when p.n % 2 = 0 then p.part
                    else regexp_replace(p.part collate parley.unicode, E'(^|[\\s(])-', E'\\1\u0001', 'g')
                end,
                '"' order by p.n
            )
        ),
        E'\u0001',
        '-'
    )
    from unnest(string_to_array(normalize(query, nfkc), '"')) with ordinality as p (part, n)
$$;
comment on function parley.searchable_query is
'A query in websearch syntax, its words written as searchable_text writes those of messages.';

create or replace function parley.character_pairs(content text)
returns text[]
language sql immutable parallel safe security invoker
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
comment on function parley.character_pairs is
'Every character, and every pair of neighbours, of the runs that are written without spaces.';

create or replace function parley.search_terms(language regconfig, content text)
returns tsvector
language plpgsql immutable parallel safe security invoker
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
comment on function parley.search_terms is
'The words of a text as the search index keeps them; of scripts without spaces the characters and their pairs.';

create or replace function parley.message_terms(language regconfig, content text, runs text[], marks text[])
returns tsvector
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
declare
    v_text text := parley.searchable_text(content);
begin
    if octet_length(v_text) = char_length(v_text) then
        return to_tsvector(message_terms.language, v_text);
    end if;
    return to_tsvector(message_terms.language, regexp_replace(v_text, parley.unspaced_run(), ' ', 'g'))
        || array_to_tsvector(array(
            select r.mark
            from unnest(message_terms.runs, message_terms.marks) as r (run, mark)
            where strpos(v_text, r.run) > 0
        ));
end;
$$;
comment on function parley.message_terms is
'The words of a message with their places, and the word of each run it contains.';
