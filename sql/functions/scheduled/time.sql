-- When a message is to be sent: a moment, or what the clocks of a place will show.

create or replace function parley.resolve_send_at(
    inout send_at timestamptz, in send_at_local timestamp, inout time_zone text
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if (send_at is null) = (send_at_local is null) then
        raise exception using errcode = 'PT400', message = 'One of send_at and send_at_local is required.';
    end if;
    if send_at_local is not null and time_zone is null then
        raise exception using errcode = 'PT400', message = 'send_at_local needs a time_zone.';
    end if;
    if time_zone is not null then
        time_zone := parley.require_time_zone(time_zone);
        if send_at_local is not null then
            send_at := send_at_local at time zone time_zone;
        end if;
    end if;
    if not isfinite(send_at) or send_at <= clock_timestamp() or send_at > clock_timestamp() + interval '366 days' then
        raise exception using
            errcode = 'PT400', message = 'A message can be scheduled for a moment from now on, within a year.';
    end if;
end;
$$;
comment on function parley.resolve_send_at is
'The moment to send at and the zone by its name. A local time that a zone skips is moved on by what is skipped; of one that comes twice the second is meant.';
