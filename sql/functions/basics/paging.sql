-- The size of a page, and the cursors of lists that are ordered by a moment.

create or replace function parley.require_page_size(page_size integer)
returns integer
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if page_size is null or page_size not between 1 and 200 then
        raise exception using errcode = 'PT400', message = 'page_size must be between 1 and 200.';
    end if;
    return page_size;
end;
$$;
comment on function parley.require_page_size is 'A page size of 1 to 200, or PT400.';

create or replace function parley.page_bytes()
returns bigint
language sql immutable security invoker parallel safe
set search_path = pg_catalog, pg_temp
as $$ select 1048576::bigint $$;
comment on function parley.page_bytes is
'How many bytes of payloads a page holds at most, however many rows were asked for; the first row comes whatever its size.';

create or replace function parley.encode_inbox_cursor(
    pinned boolean, last_activity_at timestamptz, id uuid, is_backward boolean default false
)
returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
    select translate(
        encode(
            convert_to(
                jsonb_build_array(pinned, extract(epoch from last_activity_at)::text, id, is_backward)::text, 'UTF8'
            ),
            'base64'
        ),
        E'+/=\n', '-_'
    )
$$;
comment on function parley.encode_inbox_cursor is
'Position in the inbox, and the direction to go from there, as opaque text.';

create or replace function parley.decode_inbox_cursor(
    in cursor text,
    out pinned boolean,
    out last_activity_at timestamptz,
    out id uuid,
    out is_backward boolean
)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_parts jsonb;
    v_base64 text := translate(cursor, '-_', '+/');
begin
    is_backward := false;
    if cursor is null then
        return;
    end if;
    begin
        v_base64 := v_base64 || repeat('=', (4 - length(v_base64) % 4) % 4);
        v_parts := convert_from(decode(v_base64, 'base64'), 'UTF8')::jsonb;
        pinned := (v_parts ->> 0)::boolean;
        -- seconds and microseconds apart: a double would lose the last digit
        last_activity_at := timestamptz 'epoch'
            + make_interval(secs => trunc((v_parts ->> 1)::numeric)::double precision)
            + ((v_parts ->> 1)::numeric % 1 * 1000000)::integer * interval '1 microsecond';
        id := (v_parts ->> 2)::uuid;
        is_backward := (v_parts ->> 3)::boolean;
    exception
        when others then
            v_parts := null;
    end;
    if v_parts is null or num_nulls(pinned, last_activity_at, id, is_backward) > 0 then
        raise exception using
            errcode = 'PT400',
            message = 'The cursor is not valid.',
            hint = 'Pass next_cursor or prev_cursor as it was returned.';
    end if;
end;
$$;
comment on function parley.decode_inbox_cursor is 'Decodes a cursor of encode_inbox_cursor; PT400 for anything else.';
