-- Texts that say nearly the same: the words of a text, and their SimHash (Charikar 2002), 56 bits of which few differ
-- where few words do. Each word votes on every bit by its own hash. Seven sums count all 56 votes: each sum holds eight
-- counters of seven bits. So at most 63 words vote, of a longer text those with the lowest hashes: nearly the same text
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
    v_words text[] := words;
    v_add constant bigint := 63 - least(cardinality(words), 63) / 2;
    v_simhash bigint;
begin
    if cardinality(words) > 63 then
        v_words := array(select u.word from unnest(words) as u (word) order by hashtextextended(u.word, 0) limit 63);
    end if;
    -- with v_add in it, a counter of more than half of the words has its bit 6 set
    select
        ((sum(w.h & 567382630219905)::bigint + v_add * 567382630219905) & 36312488334073920)
        | ((sum(w.h & 1134765260439810)::bigint + v_add * 1134765260439810) & 72624976668147840)
        | ((sum(w.h & 2269530520879620)::bigint + v_add * 2269530520879620) & 145249953336295680)
        | ((sum(w.h & 4539061041759240)::bigint + v_add * 4539061041759240) & 290499906672591360)
        | ((sum(w.h & 9078122083518480)::bigint + v_add * 9078122083518480) & 580999813345182720)
        | ((sum(w.h & 18156244167036960)::bigint + v_add * 18156244167036960) & 1161999626690365440)
        | ((sum(w.h & 36312488334073920)::bigint + v_add * 36312488334073920) & 2323999253380730880)
    into v_simhash
    from (select hashtextextended(unnest(v_words), 0) as h) as w;
    return v_simhash;
end;
$$;
comment on function parley.simhash is
'The SimHash of the words. Null: there are none. Two differ in bit_count((a # b)::bit(64)) of their 56 bits.';
