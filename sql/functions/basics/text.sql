-- Text that shows something, and names. The characters are listed: what a locale takes for a blank or a letter differs.

create or replace function parley.unseen_characters()
returns text
language sql immutable parallel safe security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- White_Space, Cc, Cf and Default_Ignorable_Code_Point of Unicode, the fillers of Hangul, the blank of Braille
    select E'\u0001-\u0020\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f'
        || E'\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb'
        || E'\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff'
$$;
comment on function parley.unseen_characters is
'The characters that show nothing, for a bracket of a regular expression.';

create or replace function parley.shows_something(value text)
returns boolean
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- most texts have a character of ASCII
    return value ~ '[!-~]' or value ~ ('[^' || parley.unseen_characters() || ']');
end;
$$;
comment on function parley.shows_something is
'Whether a reader sees anything of the text: not if it is empty or only blanks, joiners and other marks without a shape.';

create or replace function parley.require_name(value text, name text, max_length integer default 255)
returns text
language plpgsql immutable strict security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if char_length(value) > max_length then
        raise exception using
            errcode = 'PT400', message = format('%s may have at most %s characters.', name, max_length);
    end if;
    if not parley.shows_something(value) then
        raise exception using errcode = 'PT400', message = format('%s must show something.', name);
    end if;
    -- names are shown in one line and within the system's own messages
    if value ~ E'[\u0001-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]' then
        raise exception using
            errcode = 'PT400',
            message = format('%s may not have control characters, line ends or changes of direction.', name);
    end if;
    return value;
end;
$$;
comment on function parley.require_name is
'The name of something or somebody as it was given, or PT400: it shows something, within one line and in one direction. Null stays null.';
