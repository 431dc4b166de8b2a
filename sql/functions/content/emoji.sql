-- A reaction is one emoji.

create or replace function parley.require_emoji(emoji text)
returns text
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- pictographs with their joiners, selectors and tags (Unicode TR 51), or a keycap
    if emoji is null
        or octet_length(emoji) > 64
        or (
            emoji !~ '^[0-9#*]\ufe0f?\u20e3$'
            and (
                emoji !~ (
                    '^[\u00a9\u00ae\u200d\u203c\u2049\u2122\u2139\u2190-\u2bff\u3030\u303d\u3297\u3299\ufe0e\ufe0f'
                    || '\U0001f000-\U0001faff\U000e0020-\U000e007f]+$'
                )
                or emoji ~ '^[\u200d\ufe0e\ufe0f\U000e0020-\U000e007f]'
            )
        )
    then
        raise exception using errcode = 'PT400', message = 'emoji must be one emoji of at most 64 bytes.';
    end if;
    return emoji;
end;
$$;
comment on function parley.require_emoji is 'The text if it is an emoji, or PT400.';
