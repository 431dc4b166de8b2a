-- Names as they are compared: one folding, by which the inbox and lists of members find them.

create or replace function parley.unspaced_run()
returns text
language sql immutable parallel safe security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- Han, Kana, Bopomofo, Hangul, Thai, Lao, Myanmar, Khmer: their words cannot be told apart by spaces
    select
        '[\u0E00-\u0EFF\u1000-\u109F\u1100-\u11FF\u1780-\u17FF\u2E80-\u2FDF\u3005-\u3007\u3040-\u312F\u3130-\u318F'
        || '\u31A0-\u31BF\u31F0-\u31FF\u3400-\u4DBF\u4E00-\u9FFF\uA960-\uA97F\uAC00-\uD7FF\uF900-\uFAFF'
        || '\U00020000-\U0003FFFD]+'
$$;
comment on function parley.unspaced_run is
'Regular expression: a run of characters of a script that is written without spaces.';

create or replace function parley.fold_name(name text)
returns text
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Letters and their marks come apart, and the marks go; what is no letter or digit separates words, and so does the
    -- border to a script that is written without spaces.
    return btrim(regexp_replace(
        regexp_replace(
            lower(regexp_replace(normalize(name, nfkd), '[\u0300-\u036f]', '', 'g')),
            -- whatever the locale takes for a letter, such a run is none of what separates
            '(' || parley.unspaced_run() || ')|[^[:alnum:]' || substr(parley.unspaced_run(), 2), ' \1 ', 'g'
        ),
        ' +', ' ', 'g'
    ));
end;
$$;
comment on function parley.fold_name is
'A name for comparison: small letters without accents, words with one blank between them.';

create or replace function parley.matches_search(conversation_id uuid, title text, pattern text, user_id uuid)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return (
        select
            title ilike pattern
            or exists (
                select from parley.participant as p
                inner join parley.account as a on p.user_id = a.id
                where
                    p.conversation_id = matches_search.conversation_id
                    and p.user_id <> matches_search.user_id
                    and p.left_at is null
                    and a.deleted_at is null
                    and a.display_name ilike matches_search.pattern
            )
    );
end;
$$;
comment on function parley.matches_search is
'True if the title, or the name of another participant, is like the pattern.';
