-- A message fits its type.

create or replace function parley.check_message_body(
    message_type parley.message_type,
    content text,
    metadata jsonb,
    attachment_count bigint,
    max_length bigint
)
returns void
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if message_type.name = 'encrypted' then
        -- opaque to the server, which therefore has nothing to check, to search or to show
        if content is not null then
            raise exception using
                errcode = 'PT400',
                message = 'An encrypted message has no content.',
                hint = 'Put the ciphertext into metadata.envelope.';
        end if;
        if coalesce(jsonb_typeof(metadata -> 'envelope'), 'null') not in ('string', 'object')
            or metadata -> 'envelope' in ('""', '{}')
        then
            raise exception using
                errcode = 'PT400',
                message = 'An encrypted message needs metadata.envelope, a text or an object.';
        end if;
        return;
    end if;
    if content is not null or (message_type.requires_content and attachment_count = 0) then
        perform parley.validate_content(content, max_length);
    elsif metadata is null and attachment_count = 0 then
        raise exception using errcode = 'PT400', message = 'A message needs content, metadata or an attachment.';
    end if;
    if message_type.name = 'location' and not (
        jsonb_typeof(metadata -> 'latitude') is not distinct from 'number'
        and jsonb_typeof(metadata -> 'longitude') is not distinct from 'number'
        and (metadata ->> 'latitude')::numeric between -90 and 90
        and (metadata ->> 'longitude')::numeric between -180 and 180
    ) then
        raise exception using
            errcode = 'PT400',
            message = 'A location needs metadata.latitude (-90 to 90) and metadata.longitude (-180 to 180).';
    end if;
end;
$$;
comment on function parley.check_message_body is 'PT400 if the content of a message does not fit its type.';
