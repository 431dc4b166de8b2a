-- What was asked for, in the terms of the index.

create or replace function parley.parse_search(
    in language regconfig,
    in query text,
    out wanted tsquery,
    out in_block tsquery,
    out runs text[],
    out marks text[]
)
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
declare
    v_text text := parley.searchable_query(query);
    v_run text;
    v_at integer;
    v_mark text;
    v_tree text;
begin
    runs := '{}';
    marks := '{}';
    -- A run of a script without spaces becomes a word of its own, so that websearch syntax holds for it: each message
    -- that contains the run is taken to have that word.
    loop
        v_run := substring(v_text from parley.unspaced_run());
        exit when v_run is null or cardinality(runs) = 26;
        v_at := strpos(v_text, v_run);
        v_mark := 'parleyrunq' || chr(97 + cardinality(runs));
        v_text := left(v_text, v_at - 1)
            || case when substr(v_text, v_at - 1, 1) collate parley.unicode ~ '[[:alnum:]]' then ' ' else '' end
            || v_mark || ' ' || substr(v_text, v_at + char_length(v_run));
        runs := runs || v_run;
        -- as the dictionaries of the language leave it
        marks := marks || (tsvector_to_array(to_tsvector(parse_search.language, v_mark)))[1];
    end loop;
    wanted := websearch_to_tsquery(parse_search.language, v_text);
    if runs <> '{}' then
        -- such words have no place in the message that a phrase could ask for
        wanted := regexp_replace(wanted::text, ' <(-|[0-9]+)> ', ' & ', 'g')::tsquery;
    end if;
    v_tree := querytree(wanted);
    if v_tree in ('', 'T') then
        return;
    end if;
    in_block := regexp_replace(v_tree, ' <(-|[0-9]+)> ', ' & ', 'g')::tsquery;
    for i in 1..cardinality(runs) loop
        in_block := ts_rewrite(
            in_block,
            quote_literal(marks[i])::tsquery,
            (
                select string_agg(quote_literal(g.gram), ' & ')::tsquery
                from unnest(parley.character_pairs(runs[i])) as g (gram)
                where char_length(g.gram) = least(2, char_length(runs[i]))
            )
        );
    end loop;
end;
$$;
comment on function parley.parse_search is
'A search as it is asked of a message (with a word for each run written without spaces), and of a block of messages. in_block is null if there is nothing to look for.';
