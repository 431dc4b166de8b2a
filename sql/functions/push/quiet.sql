-- Quiet hours, and until when somebody does not want to be disturbed.

create or replace function parley.quiet_until(preference parley.push_preference, at timestamptz)
returns timestamptz
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_zone text := preference.time_zone;
    v_local timestamp;
begin
    begin
        v_local := quiet_until.at at time zone v_zone;
    exception
        -- a zone that the server's list has no more
        when invalid_parameter_value then
            v_zone := 'UTC';
            v_local := quiet_until.at at time zone v_zone;
    end;
    return (
        select max(q.ends) at time zone v_zone
        from jsonb_array_elements(preference.quiet_hours) as h (item)
        -- those that began today, and those that began yesterday and end today
        cross join generate_series(0, 1) as b (days)
        cross join lateral (
            select
                v_local::date - b.days + (h.item ->> 'from')::time as begins,
                v_local::date - b.days + (h.item ->> 'to')::time
                + case when (h.item ->> 'to') <= (h.item ->> 'from') then interval '1 day' else interval '0' end as ends
        ) as q
        where h.item -> 'weekdays' @> to_jsonb(extract(isodow from q.begins)::integer)
            and v_local >= q.begins
            and v_local < q.ends
    );
end;
$$;
comment on function parley.quiet_until is
'When the quiet hours end that a user has at that moment, by the clocks of their zone. Null: none.';

create or replace function parley.quiet_decision(preference parley.push_preference, pierces boolean, at timestamptz)
returns parley.push_decision
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_until timestamptz;
begin
    if pierces or preference.user_id is null then
        return ('send', null, null)::parley.push_decision;
    end if;
    if preference.dnd_until > quiet_decision.at then
        return ('suppress', 'do_not_disturb', null)::parley.push_decision;
    end if;
    if preference.quiet_hours <> '[]' then
        v_until := parley.quiet_until(preference, quiet_decision.at);
        if v_until is not null then
            return (
                case preference.quiet_mode when 'silent' then 'silent' when 'hold' then 'delay' else 'suppress' end,
                'quiet_hours',
                case when preference.quiet_mode = 'hold' then v_until end
            )::parley.push_decision;
        end if;
    end if;
    return ('send', null, null)::parley.push_decision;
end;
$$;
comment on function parley.quiet_decision is
'What the time of day says of a notification. pierces: it is one that the user wants whatever the time.';
