-- Where a message matches, as pieces of its text and never as markup.

create or replace function parley.text_as_written(content text, place integer, lengths integer[])
returns text[]
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_text text := parley.searchable_text(content);
    v_written text[];
begin
    if not content is nfkc normalized then
        -- A character and the marks after it make one or more others; each belongs where the last of them is.
        with unit as (
            select u.parts[1] as written, sum(char_length(normalize(u.parts[1], nfkc))) over (order by u.n) as upto
            from regexp_matches(
                content, E'.[\\u0300-\\u036F\\u1160-\\u11FF\\u3099\\u309A\\uFF9E-\\uFFDC]*', 'g'
            ) with ordinality as u (parts, n)
        )
        select array_agg(coalesce(w.written, '') order by p.n) into v_written
        from (
            select x.n, x.length, place + sum(x.length) over (order by x.n) as upto
            from unnest(lengths) with ordinality as x (length, n)
        ) as p
        cross join lateral (
            select string_agg(u.written, '' order by u.upto) as written
            from unit as u
            where u.upto > p.upto - p.length and u.upto <= p.upto
        ) as w
        -- Others become one with what is before them: then rather as it was searched than in the wrong place.
        where (select max(u.upto) from unit as u) = char_length(v_text);
        if v_written is not null then
            return v_written;
        end if;
    else
        -- character by character
        v_text := content;
    end if;
    return array(
        select substr(v_text, (place + sum(x.length) over (order by x.n) - x.length + 1)::integer, x.length)
        from unnest(lengths) with ordinality as x (length, n)
        order by x.n
    );
end;
$$;
comment on function parley.text_as_written is
'Pieces of these lengths that follow each other after a place in the searchable form of a text, as the text itself has them.';

create or replace function parley.search_highlight(language regconfig, content text, wanted tsquery, runs text[])
returns jsonb
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
-- as in search_terms
set client_min_messages = warning
as $$
declare
    -- two characters without a meaning, taken out of the text first: what is in it cannot pass for a mark
    c_from constant text := chr(57344);
    c_to constant text := chr(57345);
    v_content text := translate(left(content, 20000), c_from || c_to, '');
    v_text text := parley.searchable_text(v_content);
    v_unspaced constant text := rtrim(parley.unspaced_run(), '+');
    v_masked text;
    v_marked text;
    v_run text;
    v_place integer;
    v_lengths integer[];
    v_matches boolean[];
begin
    if v_text !~ v_unspaced then
        v_marked := ts_headline(
            search_highlight.language, v_text, wanted,
            format('StartSel=%s, StopSel=%s, MaxWords=35, MinWords=15, MaxFragments=0', c_from, c_to)
        );
        v_place := strpos(v_text, translate(v_marked, c_from || c_to, '')) - 1;
        -- two thousand bytes without a word, or of one, are left out by the parser: then the beginning, without marks
        if v_place < 0 then
            v_place := 0;
            v_marked := left(v_text, 240);
        end if;
    else
        -- As in search_terms, a word ends where a script without spaces begins. A letter here and there, which is a word of
        -- nobody, keeps what is no word short enough for the parser.
        v_masked := regexp_replace(
            regexp_replace(v_text, v_unspaced, '_', 'g') collate parley.unicode,
            '[^[:alnum:]]{32}', rpad(lpad(chr(685), 16, '_'), 32, '_'), 'g'
        );
        v_marked := ts_headline(
            search_highlight.language, v_masked, wanted, format('StartSel=%s, StopSel=%s, HighlightAll=true', c_from, c_to)
        );
        if translate(v_marked, c_from || c_to, '') <> v_masked then
            v_marked := v_masked;
        end if;
        -- and without spaces there are no words to count: 240 characters around the first match
        select greatest(0, coalesce(min(f.place), 1) - 61) into v_place
        from (
            select strpos(v_marked, c_from)
            union all
            select strpos(v_text, r.run)
            from unnest(search_highlight.runs) as r (run)
        ) as f (place)
        where f.place > 0;
        select
            string_agg(
                case
                    when m.piece in (c_from, c_to) then m.piece
                    else substr(v_text, v_place + m.upto - char_length(m.piece) + 1, char_length(m.piece))
                end,
                '' order by m.n
            )
        into v_marked
        from (
            select
                p.parts[1] as piece,
                p.n,
                (sum(char_length(translate(p.parts[1], c_from || c_to, ''))) over (order by p.n))::integer as upto
            from regexp_matches(
                substr(v_marked, v_place + 1, 240), format('[%1$s%2$s]|[^%1$s%2$s]+', c_from, c_to), 'g'
            ) with ordinality as p (parts, n)
        ) as m;
        foreach v_run in array search_highlight.runs loop
            v_marked := replace(v_marked, v_run, c_from || v_run || c_to);
        end loop;
    end if;
    select array_agg(char_length(s.text) order by p.n, s.place), array_agg(s.is_match order by p.n, s.place)
    into v_lengths, v_matches
    from unnest(string_to_array(v_marked, c_from)) with ordinality as p (piece, n)
    cross join lateral (
        values
        (1, true, case when p.n > 1 then split_part(p.piece, c_to, 1) end),
        (
            2, false,
            case
                when p.n = 1 then p.piece
                when strpos(p.piece, c_to) > 0
                    then replace(substr(p.piece, strpos(p.piece, c_to) + 1), c_to, '')
            end
        )
    ) as s (place, is_match, text)
    where s.text <> '';
    return (
        select coalesce(jsonb_agg(jsonb_build_object('text', w.text, 'match', w.is_match) order by w.n), '[]')
        from unnest(parley.text_as_written(v_content, v_place, v_lengths), v_matches)
            with ordinality as w (text, is_match, n)
        where w.text <> ''
    );
end;
$$;
comment on function parley.search_highlight is
'The part of a text that matches best, as data: [{text, match}], to be put together in order, as it was written. Nothing of it is markup.';
