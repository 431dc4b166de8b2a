-- Names as they are compared: one folding, by which the inbox and lists of members find them.

create or replace function parley.unspaced_run()
returns text
language sql immutable parallel safe security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- Han, Kana, Bopomofo, Hangul, Thai, Lao, Myanmar, Khmer: their words cannot be told apart by spaces
    select
        E'[\\u0E00-\\u0EFF\\u1000-\\u109F\\u1100-\\u11FF\\u1780-\\u17FF\\u2E80-\\u2FDF\\u3005-\\u3007\\u3040-\\u312F\\u3130-\\u318F'
        || E'\\u31A0-\\u31BF\\u31F0-\\u31FF\\u3400-\\u4DBF\\u4E00-\\u9FFF\\uA960-\\uA97F\\uAC00-\\uD7FF\\uF900-\\uFAFF'
        || E'\\U00020000-\\U0003FFFD]+'
$$;
comment on function parley.unspaced_run is
'Regular expression: a run of characters of a script that is written without spaces.';

create or replace function parley.fold_name(name text)
returns text
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_name text;
begin
    if octet_length(name) = char_length(name) then
        return btrim(regexp_replace(lower(name collate "C"), '[^a-z0-9]+', ' ', 'g'));
    end if;
    -- Letters and their marks come apart, and the marks go, and what has no shape. The letters are then lowered by
    -- Unicode, not by the locale: a database may have C, or Turkish.
    v_name := regexp_replace(
        normalize(name, nfkd),
        E'[\u00ad\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u061c\u0640'
        || E'\u064b-\u065f\u0670\u1ab0-\u1aff\u1dc0-\u1dff\u200b-\u200f\u202a-\u202e\u2060-\u206f\u20d0-\u20f0'
        || E'\ufe00-\ufe0f\ufe20-\ufe2f\ufeff]',
        '', 'g'
    );
    v_name := lower(v_name collate parley.unicode);
    -- letters with a stroke or of another shape that nobody types into a search
    v_name := translate(v_name, 'ςıøđłħŧƀðɨɵʉ', 'σiodlhtbdiou');
    v_name := replace(replace(replace(replace(v_name, 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th');
    -- what is no letter or digit separates words, and so does the border to a script that is written without spaces
    return btrim(regexp_replace(
        regexp_replace(v_name, '(' || parley.unspaced_run() || ')', E' \\1 ', 'g'),
        E'[\u0001-/:-`{-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7\u02c2-\u02c5\u02d2-\u02df\u0375\u037e'
        || E'\u0387\u055a-\u055f\u0589\u058a\u05be\u05c0\u05c3\u05c6\u05f3\u05f4\u0606-\u060f\u061b\u061d-\u061f\u066a-\u066d'
        || E'\u06d4\u0700-\u070d\u0964\u0965\u0970\u0df4\u10fb\u1360-\u1368\u1680\u1800-\u180a\u2000-\u206f\u20a0-\u20cf'
        || E'\u2100-\u214d\u2150-\u2bff\u2e00-\u2e7f\u2ff0-\u3004\u3008-\u3020\u302a-\u3030\u303b-\u303f\ufd3e\ufd3f'
        || E'\ufff0-\uffff\U0001f000-\U0001faff\U000e0000-\U000e0fff]+',
        ' ', 'g'
    ));
end;
$$;
comment on function parley.fold_name is
'A name for comparison, the same in every locale: small letters without accents (ß is ss, ς is σ, ı is i), words with one blank between them.';

create or replace function parley.is_named(display_name text, folded text, literal text)
returns boolean
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return case
        when folded <> '' then strpos(parley.fold_name(display_name), folded) > 0
        else strpos(display_name, literal) > 0
    end;
end;
$$;
comment on function parley.is_named is
'Whether the name has that part, by what fold_name makes of it, or as it is where that is nothing: signs alone, emoji.';

create or replace function parley.matches_search(
    conversation_id uuid, title text, folded text, literal text, user_id uuid
)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return (
        select
            parley.is_named(title, folded, literal)
            or exists (
                select from parley.participant as p
                inner join parley.account as a on p.user_id = a.id
                where
                    p.conversation_id = matches_search.conversation_id
                    and p.user_id <> matches_search.user_id
                    and p.left_at is null
                    and a.deleted_at is null
                    and parley.is_named(a.display_name, matches_search.folded, matches_search.literal)
            )
    );
end;
$$;
comment on function parley.matches_search is
'True if the title, or the name of another participant, has what is searched for in it.';
