-- Texts that say nearly the same: the words of a text, and their SimHash (Charikar 2002), 64 bits of which few differ
-- where few words do. Each word votes on every bit by its own hash. Eight sums count all 64 votes: each sum holds eight
-- counters of eight bits. So at most 63 words vote, of a longer text those with the lowest hashes: nearly the same text
-- has nearly the same ones, whatever was put in front of it.

create or replace function parley.spam_words(content text)
returns text[]
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    -- what a text of the longest allowed costs has a bound
    v_text text := parley.fold_name(left(content, 4000));
begin
    -- looked for first, because to translate costs as much as all the rest
    if v_text ~ '[1-9]' then
        v_text := translate(v_text, '123456789', '000000000');
    end if;
    -- a script without spaces: pieces of two characters stand for words
    if octet_length(v_text) > char_length(v_text) and v_text ~ parley.unspaced_run() then
        return array(select substr(v_text, i, 2) from generate_series(1, least(char_length(v_text) - 1, 500)) as i);
    end if;
    return array_remove(string_to_array(v_text, ' '), '');
end;
$$;
comment on function parley.spam_words is
'The words of a text for comparison: folded, each digit a 0, without punctuation. Of the first 4,000 characters.';

create or replace function parley.simhash(words text[])
returns bigint
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_mask constant bigint := 72340172838076673;  -- 0x0101010101010101
    v_words text[] := words;
    v_simhash bigint;
begin
    if cardinality(words) > 63 then
        v_words := array(select u.word from unnest(words) as u (word) order by hashtextextended(u.word, 0) limit 63);
    end if;
    -- with that added, a counter of more than half of the words has its bit 6 set
    select
        (((sum(w.h & v_mask)::bigint + v_mask * (63 - count(*) / 2)) >> 6) & v_mask)
        | ((((sum((w.h >> 1) & v_mask)::bigint + v_mask * (63 - count(*) / 2)) >> 6) & v_mask) << 1)
        | ((((sum((w.h >> 2) & v_mask)::bigint + v_mask * (63 - count(*) / 2)) >> 6) & v_mask) << 2)
        | ((((sum((w.h >> 3) & v_mask)::bigint + v_mask * (63 - count(*) / 2)) >> 6) & v_mask) << 3)
        | ((((sum((w.h >> 4) & v_mask)::bigint + v_mask * (63 - count(*) / 2)) >> 6) & v_mask) << 4)
        | ((((sum((w.h >> 5) & v_mask)::bigint + v_mask * (63 - count(*) / 2)) >> 6) & v_mask) << 5)
        | ((((sum((w.h >> 6) & v_mask)::bigint + v_mask * (63 - count(*) / 2)) >> 6) & v_mask) << 6)
        | ((((sum((w.h >> 7) & v_mask)::bigint + v_mask * (63 - count(*) / 2)) >> 6) & v_mask) << 7)
    into v_simhash
    from (select hashtextextended(unnest(v_words), 0) as h) as w;
    return v_simhash;
end;
$$;
comment on function parley.simhash is
'The SimHash of the words. Null: there are none. Two differ in bit_count((a # b)::bit(64)) of their 64 bits.';
