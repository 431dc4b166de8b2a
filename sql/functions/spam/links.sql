-- Links in a text, as a reader's program would find them, and the hosts that they lead to.

create or replace function parley.punycode_decoded(label text)
returns text
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
-- RFC 3492, 6.2: the characters of ASCII stand before the last hyphen; the rest says which others go where
declare
    v_output integer[] := '{}';
    v_input text := lower(substr(label, 5) collate "C");
    v_cut integer := length(v_input) - strpos(reverse(v_input), '-');
    v_place integer := 1;
    v_n integer := 128;
    v_i integer := 0;
    v_bias integer := 72;
    v_before integer;
    v_weight integer;
    v_digit integer;
    v_t integer;
    v_k integer;
    v_delta integer;
    v_count integer;
begin
    if label !~ '^[xX][nN]--[a-zA-Z0-9-]{1,59}$' then
        return label;
    end if;
    if strpos(v_input, '-') > 0 then
        v_output := array(select ascii(c.c) from string_to_table(left(v_input, v_cut), null) as c (c));
        v_place := v_cut + 2;
    end if;
    while v_place <= length(v_input) loop
        v_before := v_i;
        v_weight := 1;
        v_k := 36;
        loop
            v_digit := strpos('abcdefghijklmnopqrstuvwxyz0123456789', substr(v_input, v_place, 1)) - 1;
            if v_digit < 0 or v_place > length(v_input) then
                return label;
            end if;
            v_place := v_place + 1;
            v_i := v_i + v_digit * v_weight;
            v_t := greatest(1, least(26, v_k - v_bias));
            exit when v_digit < v_t;
            v_weight := v_weight * (36 - v_t);
            v_k := v_k + 36;
        end loop;
        v_count := cardinality(v_output) + 1;
        v_delta := (v_i - v_before) / case when v_before = 0 then 700 else 2 end;
        v_delta := v_delta + v_delta / v_count;
        v_k := 0;
        while v_delta > 455 loop
            v_delta := v_delta / 35;
            v_k := v_k + 36;
        end loop;
        v_bias := v_k + 36 * v_delta / (v_delta + 38);
        v_n := v_n + v_i / v_count;
        v_i := v_i % v_count;
        if v_n > 1114111 or v_n between 55296 and 57343 then
            return label;
        end if;
        v_output := v_output[:v_i] || v_n || v_output[v_i + 1:];
        v_i := v_i + 1;
    end loop;
    return (select string_agg(chr(u.n), '' order by u.place) from unnest(v_output) with ordinality as u (n, place));
exception
    -- a number beyond what a label can say
    when numeric_value_out_of_range then
        return label;
end;
$$;
comment on function parley.punycode_decoded is
'A label of a host name as it is shown: xn--... decoded (RFC 3492), any other as it is. One that cannot be decoded stays.';

create or replace function parley.host_skeleton(host text)
returns text
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
-- After Unicode's UTS 39, for the letters that matter in names of hosts: Cyrillic, Greek, Armenian and other letters that
-- look like Latin ones, digits that look like letters, and pairs that run together.
declare
    v_shown text := host;
begin
    if octet_length(host) = char_length(host) and host not like '%xn--%' then
        return replace(replace(translate(lower(host collate "C"), '10|i', 'loll'), 'rn', 'm'), 'vv', 'w');
    end if;
    if host like '%xn--%' then
        v_shown := (
            select string_agg(parley.punycode_decoded(l.label), '.' order by l.n)
            from string_to_table(host, '.') with ordinality as l (label, n)
        );
    end if;
    -- accents go, letters of other shapes become themselves
    v_shown := regexp_replace(normalize(v_shown, nfkd), E'[\u0300-\u036f]', '', 'g');
    v_shown := translate(
        v_shown,
        'аеорсухкмтвнгіїјѕԁԛԝһӏɡɑαορνυχκιτωγηցոսհօքіılI10іΑΒΕΖΗΙΚΜΝΟΡΤΥΧАВЕКМНОРСТХ|ø',
        'aeopcyxkmtbhriijsdqwhlgaaopvuxkitwynqnuhoqillllo' || 'iabezhikmnoptyxabekmhopctxlo'
    );
    return replace(replace(replace(lower(v_shown collate "C"), 'rn', 'm'), 'vv', 'w'), 'i', 'l');
end;
$$;
comment on function parley.host_skeleton is
'What a host name looks like: names that look alike have the same skeleton. It is for comparison alone.';

create or replace function parley.links_of(content text)
returns parley.message_link[]
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    -- full-width letters and dots are what they look like; what shows nothing could stand within a link
    v_text text := left(content, 10000);
    v_links parley.message_link[] := '{}';
    v_link parley.message_link;
    v_match text[];
    v_shown text;
begin
    if octet_length(v_text) <> char_length(v_text) then
        v_text := replace(normalize(v_text, nfkc), '。', '.');
        v_text := regexp_replace(v_text, E'[\u00ad\u034f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]', '', 'g');
    end if;
    for v_match in
        select m.found
        -- only in words that can have one: the expression is dear
        from string_to_table(translate(v_text, E'\t\n\r<>"', '      '), ' ') as w (word)
        cross join lateral regexp_matches(
            -- letters are letters whatever the locale: in C they would be none
            w.word collate parley.unicode,
            -- a scheme, or www, or a name of a common ending that is not part of an address of mail
            E'(?:(https?)://(?:([^\\s/?#@]*)@)?|(?<![\\w@.-])(?=(?:www\\.)?[\\w-]+(?:\\.[\\w-]+)*\\.(?:com|net|org|info|biz|co|io|ly|me|ru|cn|xyz|top|'
            || E'club|online|site|shop|store|app|link|click|live|gl|gd|to|uk|de|fr|es|it|nl|pl|tk|ml|ga|cf|in|cc|us|eu|tv|pw|icu|vip|win|bid)\\M(?!@)))'
            || E'(\\[[0-9a-f:.]+\\]|[\\w.-]+)((?::[0-9]+)?(?:[/?#][^\\s<>"]*)?)',
            'gi'
        ) as m (found)
        where strpos(w.word, '.') > 0 or strpos(w.word, '://') > 0
        limit 50
    loop
        v_link.host := rtrim(lower(v_match[3] collate parley.unicode), '.-_');
        continue when v_link.host = '';
        v_link.url := coalesce(lower(v_match[1]), 'http') || '://' || v_link.host || rtrim(v_match[4], '.,;:!?)''');
        v_shown := case
            when v_link.host like '%xn--%' then (
                select string_agg(parley.punycode_decoded(l.label), '.' order by l.n)
                from string_to_table(v_link.host, '.') with ordinality as l (label, n)
            )
            else v_link.host
        end;
        v_link.shapes := array_remove(
            array[
                -- four numbers, one number, or an address of IPv6: browsers take all of them
                case when v_link.host ~ E'^(\\[.*\\]|(0x[0-9a-f]+|[0-9]+)(\\.(0x[0-9a-f]+|[0-9]+)){0,3})$' then 'ip' end,
                case when v_match[2] is not null then 'credentials' end,
                case when v_link.host like '%xn--%' then 'punycode' end,
                -- within one label: a host may have a label in each script
                case
                    when v_shown ~ E'[a-z][^.]*[\u0370-\u058f]|[\u0370-\u058f][^.]*[a-z]'
                        or v_shown ~ E'[\u0370-\u03ff][^.]*[\u0400-\u052f]|[\u0400-\u052f][^.]*[\u0370-\u03ff]'
                        then 'mixed_script'
                end
            ],
            null
        );
        v_links := v_links || v_link;
    end loop;
    return v_links;
end;
$$;
comment on function parley.links_of is
'The links in a text, of its first 10,000 characters, 50 at most; also those without a scheme.';

create or replace function parley.imitates(host text, protected_host text)
returns boolean
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_host text := regexp_replace(host, E'^www\\.', '');
    v_skeleton text;
    v_protected text := parley.host_skeleton(protected_host);
begin
    if v_host = protected_host or right(v_host, length(protected_host) + 1) = '.' || protected_host then
        return false;
    end if;
    v_skeleton := parley.host_skeleton(v_host);
    return v_skeleton = v_protected
        or right(v_skeleton, length(v_protected) + 1) = '.' || v_protected
        -- the whole name in front of another's: paypal.com.example.net, paypal.com-login.example.net
        or strpos('.' || v_skeleton, '.' || v_protected || '.') > 0
        or strpos('.' || v_skeleton, '.' || v_protected || '-') > 0;
end;
$$;
comment on function parley.imitates is
'True: the host looks like the protected one, or begins with its name, and is neither it nor below it.';
