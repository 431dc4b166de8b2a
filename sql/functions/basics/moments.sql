-- Moments as callers write them. The arguments are text, because a timestamptz would have been read before any function
-- sees it: by the time zone and the date style of the session, and with words like tomorrow.

create or replace function parley.parse_moment(value text, name text, may_be_infinite boolean default false)
returns timestamptz
language plpgsql stable strict parallel safe security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if value in ('infinity', '-infinity') and may_be_infinite then
        return value::timestamptz;
    end if;
    if value ~ (
        '^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?'
        || '([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)$'
    ) then
        return value::timestamptz;
    end if;
    raise exception using
        errcode = 'PT400',
        message = format('%s must be a moment as ISO 8601 writes it, with an offset: 2027-01-05T09:00:00Z.', name),
        hint = 'In SQL, of a timestamptz: to_jsonb(now()) #>> ''{}'', or now()::text where DateStyle is ISO.';
exception
    when datetime_field_overflow or invalid_datetime_format or invalid_time_zone_displacement_value then
        raise exception using errcode = 'PT400', message = format('%s is a moment that does not exist.', name);
end;
$$;
comment on function parley.parse_moment is
'The moment of a text of ISO 8601 with an offset, whatever the settings of the session; PT400 for anything else. Null stays null.';

create or replace function parley.parse_local_time(value text, name text)
returns timestamp
language plpgsql stable strict parallel safe security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if value ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?$' then
        return value::timestamp;
    end if;
    raise exception using
        errcode = 'PT400',
        message = format('%s must be a time as ISO 8601 writes it, without an offset: 2027-01-05T09:00:00.', name),
        hint = 'The clocks of time_zone show it. A moment with an offset has an argument of its own.';
exception
    when datetime_field_overflow or invalid_datetime_format then
        raise exception using errcode = 'PT400', message = format('%s is a time that does not exist.', name);
end;
$$;
comment on function parley.parse_local_time is
'What clocks show, of a text of ISO 8601 without an offset; PT400 for anything else. Null stays null.';

create or replace function parley.require_time_zone(name text)
returns text
language plpgsql stable strict security definer
set search_path = pg_catalog, pg_temp
-- left as it was by what looks up a name
set timezone = 'UTC'
as $$
declare
    v_zone text;
begin
    begin
        -- refuses what is no zone at all
        v_zone := set_config('timezone', require_time_zone.name, true);
        -- A name it must be, not an offset with its sign turned. Few names have digits: the view of all of them reads a
        -- thousand files.
        if v_zone ~ '[0-9]' then
            select z.name into v_zone
            from pg_timezone_names as z
            where lower(z.name collate "C") = lower(require_time_zone.name collate "C");
        end if;
    exception
        when invalid_parameter_value then
            v_zone := null;
    end;
    if v_zone is null then
        raise exception using
            errcode = 'PT400',
            message = 'time_zone is not a known time zone.',
            hint = 'Use a name like Europe/Berlin.';
    end if;
    return v_zone;
end;
$$;
comment on function parley.require_time_zone is 'A time zone by its own name, or PT400. Null stays null.';
