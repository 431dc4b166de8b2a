-- Texts that say nearly the same: the words of a text, and their SimHash (Charikar 2002), 48 bits of which few differ
-- where few words do. Each word votes on every bit by its own hash. Four sums count all 48 votes: each sum holds twelve
-- counters of five bits, and costs a judged send 17,000 instructions. So at most 31 words vote, of a longer text those
-- with the lowest hashes: nearly the same text has nearly the same ones, whatever was put in front of it.

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
    v_add bigint;
    v_simhash bigint;
begin
    if cardinality(words) > 31 then
        v_words := array(
            select u.word from unnest(words) as u (word) order by hashtextextended(u.word, 0) limit 31
        );
    end if;
    -- with it, a counter of more than half of the words has its bit 4 set
    v_add := 15 - cardinality(v_words) / 2;
    select
        ((sum(w.h & 37191016277640225)::bigint + v_add * 37191016277640225) & 595056260442243600)
        | ((sum(w.h & 74382032555280450)::bigint + v_add * 74382032555280450) & 1190112520884487200)
        | ((sum(w.h & 148764065110560900)::bigint + v_add * 148764065110560900) & 2380225041768974400)
        | ((sum(w.h & 297528130221121800)::bigint + v_add * 297528130221121800) & 4760450083537948800)
    into v_simhash
    from (select hashtextextended(unnest(v_words), 0) as h) as w;
    return v_simhash;
end;
$$;
comment on function parley.simhash is
'The SimHash of the words. Null: there are none. Two differ in bit_count((a # b)::bit(64)) of their 48 bits.';
