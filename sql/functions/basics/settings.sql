-- Settings are rows of parley.setting, read at the moment they matter.

create or replace function parley.setting_value(name text)
returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return (
        select s.value from parley.setting as s where s.name = setting_value.name
    );
end;
$$;
comment on function parley.setting_value is 'Value of a setting. Null: there is no such setting.';

create or replace function parley.setting_seconds(name text, fallback bigint, lowest bigint, highest bigint)
returns interval
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_value text := parley.setting_value(setting_seconds.name);
begin
    -- a setting that makes no sense must not stop calls
    return make_interval(secs => greatest(lowest, least(highest, case
        when v_value ~ '^[0-9]{1,9}$' then v_value::bigint
        else fallback
    end))::double precision);
end;
$$;
comment on function parley.setting_seconds is
'A setting in seconds, within its bounds; the fallback if it is missing or no number.';

create or replace function parley.setting_list(name text)
returns text[]
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(array_agg(btrim(u.item) order by u.n) filter (where btrim(u.item) <> ''), '{}')
    from unnest(string_to_array(parley.setting_value(setting_list.name), ',')) with ordinality as u (item, n)
$$;
comment on function parley.setting_list is 'The items of a setting that is a list separated by commas.';

create or replace function parley.setting_number(name text, fallback double precision)
returns double precision
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_value text := parley.setting_value(setting_number.name);
begin
    return case when v_value ~ E'^[0-9]{1,9}(\\.[0-9]{1,9})?$' then v_value::double precision else fallback end;
end;
$$;
comment on function parley.setting_number is 'A setting that is a number; the fallback if it is missing or none.';
