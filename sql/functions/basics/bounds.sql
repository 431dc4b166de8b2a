-- What an argument may be at most, measured before anything reads, locks or expands it. The exposed functions call
-- these (scripts/generate_sql.py); send_message looks first whether it must: a call costs more than the look.

create or replace function parley.bounded_text(value text, name text, max_bytes integer)
returns text
language plpgsql immutable strict parallel safe security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if octet_length(value) > max_bytes then
        raise exception using
            errcode = 'PT413',
            message = format('%s may have at most %s bytes.', name, max_bytes),
            detail = format('It has %s.', octet_length(value));
    end if;
    return value;
end;
$$;
comment on function parley.bounded_text is 'The text, or PT413 if it is longer. Null stays null.';
grant execute on function parley.bounded_text to authenticated, service_role;

create or replace function parley.bounded_list(value anyarray, name text, max_bytes integer)
returns anyarray
language plpgsql immutable strict parallel safe security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if pg_column_size(value) > max_bytes then
        raise exception using
            errcode = 'PT413', message = format('%s may have at most %s bytes.', name, max_bytes);
    end if;
    -- what counts its places from 1 would miss some
    if array_ndims(value) > 1 or array_lower(value, 1) <> 1 then
        raise exception using errcode = 'PT400', message = format('%s must be a plain list.', name);
    end if;
    return value;
end;
$$;
comment on function parley.bounded_list is
'The list, PT413 if it is larger, PT400 if it has dimensions or does not begin at 1. Null stays null.';
grant execute on function parley.bounded_list to authenticated, service_role;

create or replace function parley.bounded_json(value jsonb, name text, max_bytes integer)
returns jsonb
language plpgsql immutable strict parallel safe security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- as it is in memory: as text a few bytes of a number can become 130,000
    if pg_column_size(value) > max_bytes then
        raise exception using
            errcode = 'PT413', message = format('%s may have at most %s bytes.', name, max_bytes);
    end if;
    if jsonb_path_exists(value, 'strict $.**{64 to last} ? (@.type() == "array" || @.type() == "object")') then
        raise exception using errcode = 'PT400', message = format('%s may be nested at most 64 levels deep.', name);
    end if;
    if exists (
        select from jsonb_path_query(value, 'strict $.** ? (@.type() == "number")') as n (number)
        where abs(n.number::numeric) >= 1e100 or scale(n.number::numeric) > 100
    ) then
        raise exception using
            errcode = 'PT400',
            message = format('A number in %s may have at most 100 digits on either side of its point.', name);
    end if;
    return value;
end;
$$;
comment on function parley.bounded_json is
'The JSON, PT413 if it is larger, PT400 if it is nested deeper than 64 levels or has a number of more than 100 digits before or after its point: its text is then of a size in proportion. Null stays null.';
grant execute on function parley.bounded_json to authenticated, service_role;
