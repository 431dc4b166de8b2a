-- Text is stored and shown as it was written; these are its bounds.

create or replace function parley.validate_content(content text, max_length bigint)
returns void
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if char_length(content) > max_length then
        raise exception using
            errcode = 'PT400',
            message = format('content may have at most %s characters.', max_length),
            detail = format('It has %s.', char_length(content));
    end if;
    if content is null or not parley.shows_something(content) then
        raise exception using
            errcode = 'PT400', message = 'content must not be empty.', hint = 'It must show something.';
    end if;
    -- text is shown as it is, also by terminals; a tab and the ends of lines are text
    if content ~ E'[\u0001-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]' then
        raise exception using errcode = 'PT400', message = 'content may not have control characters.';
    end if;
end;
$$;
comment on function parley.validate_content is
'Fails with PT400 if the text shows nothing, is longer than the limit (null: no limit) or has control characters.';

create or replace function parley.validate_formatting(formatting jsonb, content text)
returns void
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_length integer := coalesce(char_length(content), 0);
    v_known text[] := '{bold,italic,underline,strikethrough,code,preformatted,quote,spoiler,link}';
    v_span jsonb;
    v_problem text;
begin
    if jsonb_typeof(formatting) <> 'array' or jsonb_array_length(formatting) > 200 then
        raise exception using
            errcode = 'PT400',
            message = 'metadata.formatting must be an array of at most 200 spans {start, length, style}.';
    end if;
    for v_span in select s.value from jsonb_array_elements(formatting) as s (value) loop
        v_problem := case
            when jsonb_typeof(v_span) <> 'object' then 'is not an object'
            when coalesce(v_span ->> 'start', '') !~ '^[0-9]{1,9}$' or coalesce(v_span ->> 'length', '') !~ '^[0-9]{1,9}$'
                or jsonb_typeof(v_span -> 'start') <> 'number' or jsonb_typeof(v_span -> 'length') <> 'number'
                then 'needs start and length, whole numbers of characters'
            when (v_span ->> 'length')::integer = 0 then 'is empty'
            when (v_span ->> 'start')::integer + (v_span ->> 'length')::integer > v_length
                then format('ends after the %s characters of the content', v_length)
            when jsonb_typeof(v_span -> 'style') is distinct from 'string' or v_span ->> 'style' <> all (v_known)
                then format('has no known style (%s)', array_to_string(v_known, ', '))
            when (v_span ->> 'style' = 'link') <> (v_span ? 'url') then 'has a url without being a link, or is a link without one'
            -- nothing that runs when it is followed
            when v_span ? 'url' and (
                jsonb_typeof(v_span -> 'url') <> 'string'
                or char_length(v_span ->> 'url') > 2000
                or (v_span ->> 'url') collate parley.unicode !~* '^https?://[^[:space:][:cntrl:]/?#]+([/?#][^[:space:][:cntrl:]]*)?$'
            ) then 'has a url that is not http or https'
            when v_span - '{start,length,style,url}'::text[] <> '{}' then 'has keys other than start, length, style and url'
        end;
        if v_problem is not null then
            raise exception using
                errcode = 'PT400',
                message = format('A span of metadata.formatting %s.', v_problem);
        end if;
    end loop;
end;
$$;
comment on function parley.validate_formatting is
'Fails with PT400 unless it is a list of spans within the text, counted in characters (Unicode code points) from 0: {start, length, style[, url]}. The text itself is never interpreted.';

create or replace function parley.validate_metadata(metadata jsonb, content text default null, type text default 'text')
returns jsonb
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    -- an envelope holds a whole message, once for each device it is for
    v_max_bytes integer := case when type = 'encrypted' then 65536 else 8192 end;
begin
    if metadata is null or metadata = '{}' then
        return null;
    end if;
    if jsonb_typeof(metadata) <> 'object' then
        raise exception using errcode = 'PT400', message = 'metadata must be a JSON object.';
    end if;
    if octet_length(metadata::text) > v_max_bytes then
        raise exception using errcode = 'PT413', message = format('metadata may have at most %s bytes.', v_max_bytes);
    end if;
    if metadata ? 'formatting' then
        perform parley.validate_formatting(metadata -> 'formatting', content);
    end if;
    return metadata;
end;
$$;
comment on function parley.validate_metadata is
'Metadata as it is stored: an object of at most 8192 bytes (65536 for an encrypted message), whose formatting fits the content; null for an empty one.';

create or replace function parley.require_metadata_filter(metadata jsonb)
returns void
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(metadata) <> 'object' or octet_length(metadata::text) > 8192 then
        raise exception using
            errcode = 'PT400',
            message = 'metadata must be a JSON object of at most 8192 bytes.',
            hint = 'The page then shows the messages with this object in their metadata.';
    end if;
end;
$$;
comment on function parley.require_metadata_filter is
'PT400 for anything but an object of the size that metadata may have; null is no filter.';
