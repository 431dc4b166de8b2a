-- What a user wants of notifications, on all devices. For a conversation the participant's own settings say it.

create or replace function parley.require_push_privacy(privacy text)
returns void
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if privacy not in ('full', 'sender', 'id', 'default') then
        raise exception using errcode = 'PT400', message = 'privacy must be full, sender, id or default.';
    end if;
end;
$$;
comment on function parley.require_push_privacy is 'PT400 unless notifications can say so much; default: what is said elsewhere.';

create or replace function parley.require_quiet_hours(quiet_hours jsonb)
returns jsonb
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_hours jsonb;
begin
    if quiet_hours is null then
        return null;
    end if;
    if jsonb_typeof(quiet_hours) = 'array' and jsonb_array_length(quiet_hours) <= 21 then
        select
            case when bool_and(
                jsonb_typeof(q.item) = 'object'
                and q.item ->> 'from' ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$'
                and q.item ->> 'to' ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$'
                and case jsonb_typeof(q.item -> 'weekdays')
                    when 'array' then
                        q.item -> 'weekdays' <@ '[1, 2, 3, 4, 5, 6, 7]'
                        and jsonb_array_length(q.item -> 'weekdays') between 1 and 7
                    else not q.item ? 'weekdays'
                end
            )
                then jsonb_agg(
                    jsonb_build_object(
                        'weekdays', coalesce(q.item -> 'weekdays', '[1, 2, 3, 4, 5, 6, 7]'),
                        'from', q.item -> 'from',
                        'to', q.item -> 'to'
                    )
                    order by q.n
                )
            end
        into v_hours
        from jsonb_array_elements(quiet_hours) with ordinality as q (item, n);
        if quiet_hours = '[]' then
            return quiet_hours;
        end if;
    end if;
    if v_hours is null then
        raise exception using
            errcode = 'PT400',
            message = 'quiet_hours must be a list of at most 21 of {weekdays, from, to}.',
            hint = '[{"weekdays": [1, 2, 3, 4, 5], "from": "22:00", "to": "07:00"}]: 1 is Monday, to may be on the next day.';
    end if;
    return v_hours;
end;
$$;
comment on function parley.require_quiet_hours is 'Quiet hours as they are stored, or PT400. Null stays null.';

create or replace function parley.push_settings_json(preference parley.push_preference)
returns jsonb
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'enabled', coalesce(preference.enabled, true),
        'time_zone', coalesce(preference.time_zone, 'UTC'),
        'quiet_hours', coalesce(preference.quiet_hours, '[]'),
        'quiet_mode', coalesce(preference.quiet_mode, 'silent'),
        'mentions_pierce_quiet', coalesce(preference.mentions_pierce_quiet, false),
        'calls_pierce_quiet', coalesce(preference.calls_pierce_quiet, true),
        'dnd_until', case
            when preference.dnd_until > now() then to_jsonb(preference.dnd_until)
        end,
        'privacy', coalesce(preference.privacy, 'default')
    );
end;
$$;
comment on function parley.push_settings_json is 'What a user wants of notifications; without a row the defaults.';

create or replace function parley.get_push_settings()
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
declare
    v_user_id uuid := parley.require_caller();
    v_preference parley.push_preference;
begin
    select s.* into v_preference from parley.push_preference as s where s.user_id = v_user_id;
    return parley.push_settings_json(v_preference);
end;
$$;
comment on function parley.get_push_settings is
'What the caller wants of notifications: {enabled, time_zone, quiet_hours, quiet_mode, mentions_pierce_quiet, calls_pierce_quiet, dnd_until, privacy}.';
grant execute on function parley.get_push_settings to authenticated;

create or replace function parley.set_push_settings(
    enabled boolean default null,
    time_zone text default null,
    quiet_hours jsonb default null,
    quiet_mode text default null,
    mentions_pierce_quiet boolean default null,
    calls_pierce_quiet boolean default null,
    dnd_until text default null,
    privacy text default null
)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_dnd_until timestamptz := parley.parse_moment(set_push_settings.dnd_until, 'dnd_until', may_be_infinite => true);
    v_zone text := parley.require_time_zone(set_push_settings.time_zone);
    v_hours jsonb := parley.require_quiet_hours(set_push_settings.quiet_hours);
    v_user_id uuid := parley.provision_caller();
    v_preference parley.push_preference;
begin
    if set_push_settings.quiet_mode not in ('silent', 'hold', 'drop') then
        raise exception using errcode = 'PT400', message = 'quiet_mode must be silent, hold or drop.';
    end if;
    perform parley.require_push_privacy(set_push_settings.privacy);
    perform parley.take_tier_token(v_user_id, 'settings_per_minute');
    insert into parley.push_preference (user_id) values (v_user_id) on conflict on constraint push_preference_pkey do nothing;
    update parley.push_preference as s
    set
        enabled = coalesce(set_push_settings.enabled, s.enabled),
        time_zone = coalesce(v_zone, s.time_zone),
        quiet_hours = coalesce(v_hours, s.quiet_hours),
        quiet_mode = coalesce(set_push_settings.quiet_mode, s.quiet_mode),
        mentions_pierce_quiet = coalesce(set_push_settings.mentions_pierce_quiet, s.mentions_pierce_quiet),
        calls_pierce_quiet = coalesce(set_push_settings.calls_pierce_quiet, s.calls_pierce_quiet),
        -- a moment that has passed ends it
        dnd_until = case when v_dnd_until is null then s.dnd_until when v_dnd_until > now() then v_dnd_until end,
        privacy = case
            when set_push_settings.privacy is null then s.privacy
            else nullif(set_push_settings.privacy, 'default')
        end,
        updated_at = now()
    where s.user_id = v_user_id
    returning s.* into strict v_preference;
    return parley.push_settings_json(v_preference);
end;
$$;
comment on function parley.set_push_settings is
'Changes what the caller wants of notifications; what is left out stays. quiet_hours: [{weekdays: [1 to 7], from: "22:00", to: "07:00"}] by the clocks of time_zone, in which messages come silent, are held until the end (hold) or do not come (drop). dnd_until: ISO 8601, infinity, or a past moment to end it. privacy: full, sender, id or default.';
grant execute on function parley.set_push_settings to authenticated;
