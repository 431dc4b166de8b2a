-- A moment is ISO 8601, with an offset exactly where one belongs, at every argument that is a time.
begin;
select plan(36);
\ir ../people.psql

select is_empty(
    $$select p.proname, format_type(a.type, null)
        from pg_proc p, unnest(p.proargtypes::oid[]) as a (type)
        where p.pronamespace = 'parley_api'::regnamespace
            and a.type = any ('{timestamptz,timestamp,date,time,timetz}'::regtype[]::oid[])$$,
    'no exposed function lets the session read its moments'
);

select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('bob')], 'group') ->> 'id');
select t.keep('later', parley_api.schedule_message(t.id('talk'), 'later', (now() + interval '1 hour')::text) ->> 'id');

reset role;
create function t.as_service(query text) returns void language plpgsql as $$
begin
    perform t.claim('service_role', '{"role": "service_role"}');
    execute query;
    perform t.act('ann');
end
$$;
create function t.doors() returns table (name text, is_local boolean, query text) language sql as $$
    values
        ('schedule_message.send_at', false, 'select parley_api.schedule_message(t.id(''talk''), ''x'', %L)'),
        ('update_scheduled_message.send_at', false, 'select parley_api.update_scheduled_message(t.id(''later''), send_at => %L)'),
        ('create_poll.closes_at', false, 'select parley_api.create_poll(t.id(''talk''), ''q'', ''{a,b}'', closes_at => %L)'),
        ('set_feature_flag.starts_at', false, 'select t.as_service($q$select parley_api.set_feature_flag(''x'', starts_at => %L)$q$)'),
        ('set_feature_flag.ends_at', false, 'select t.as_service($q$select parley_api.set_feature_flag(''x'', ends_at => %L)$q$)'),
        ('update_participant_settings.mute_until', false, 'select parley_api.update_participant_settings(t.id(''talk''), mute_until => %L)'),
        ('set_push_settings.dnd_until', false, 'select parley_api.set_push_settings(dnd_until => %L)'),
        (
            'schedule_message.send_at_local', true,
            'select parley_api.schedule_message(t.id(''talk''), ''x'', send_at_local => %L, time_zone => ''Asia/Tokyo'')'
        ),
        (
            'update_scheduled_message.send_at_local', true,
            'select parley_api.update_scheduled_message(t.id(''later''), send_at_local => %L, time_zone => ''Asia/Tokyo'')'
        )
$$;
select is(
    (
        select array_agg(d.name order by d.name) from t.doors() as d
    ),
    (
        select array_agg(p.proname || '.' || a.name order by p.proname || '.' || a.name)
        from pg_proc p, unnest(p.proargnames) as a (name)
        where p.pronamespace = 'parley_api'::regnamespace and a.name ~ '(_at|_at_local|_until|^as_of|^since|^before|^after)$'
    ),
    'these are all of them'
);

-- in a month, so that it is neither past nor too late
create function t.soon(suffix text) returns text language sql as $$
    select to_char(now() + interval '30 days', 'YYYY-MM-DD"T"HH24:MI:SS') || suffix
$$;
create function t.refuses(door text, value text) returns boolean language plpgsql as $$
begin
    execute format((select d.query from t.doors() as d where d.name = door), value);
    return false;
exception when sqlstate 'PT400' then
    return true;
end
$$;
select t.act('ann');
select is(
    (select string_agg(v.value, ', ') from (values
        ('tomorrow'), ('now'), ('today'), ('epoch'), ('05/01/2027'), ('05.01.2027'), ('2027-01-05'), ('Jan 5 2027 09:00'), ('20270105T090000Z'),
        ('2027-02-30T09:00:00Z'), ('2027-02-30T09:00:00'), ('2027-01-05T25:00:00Z'), ('2027-01-05T09:61:00'), ('09:00'), ('1798966800'),
        ('2027-01-05 09:00 Europe/Berlin'), ('2027-01-05T09:00:00+99'), (''), ('2027-01-05T09:00:00Z '), ('nan'), ('J2451187')
    ) as v (value) where not t.refuses(d.name, v.value)),
    null, d.name || ' takes nothing but ISO 8601'
)
from t.doors() as d;
select is(
    (select string_agg(v.value, ', ') from (values ('Z'), ('.123Z'), ('+05:30'), ('-0800'), ('+09')) as v (value)
        where t.refuses(d.name, t.soon(v.value)) is distinct from d.is_local),
    null, d.name || case when d.is_local then ' has no offset' else ' has an offset' end
)
from t.doors() as d;
select is(
    (select string_agg(v.value, ', ') from (values (''), ('.123')) as v (value)
        where t.refuses(d.name, t.soon(v.value)) is distinct from not d.is_local),
    null, d.name || case when d.is_local then ' is a time of clocks' else ' is no time of clocks' end
)
from t.doors() as d;

set local timezone = 'America/New_York';
set local datestyle = 'SQL, DMY';
select t.host();
select is(parley.parse_moment('2027-05-04T09:00:00+02:00', 'x') = timestamptz '2027-05-04 07:00:00+00', true, 'whatever the session has set');
select is(parley.parse_local_time('2027-05-04T09:00:00.25', 'x') = make_timestamp(2027, 5, 4, 9, 0, 0.25), true, 'with or without an offset');
select t.act('ann');
select is(
    (parley_api.update_participant_settings(t.id('talk'), mute_until => to_jsonb(now() + interval '1 hour') #>> '{}') ->> 'muted_until')::timestamptz,
    now() + interval '1 hour', 'a timestamptz of SQL by way of JSON'
);
select is(parley_api.update_participant_settings(t.id('talk'), mute_until => 'infinity') ->> 'muted_until', 'infinity', 'for good');
select is(parley_api.update_participant_settings(t.id('talk'), mute_until => '-infinity') ->> 'muted_until', null, 'and not at all');
select t.refused('PT400', $$select parley_api.create_poll(t.id('talk'), 'q', '{a,b}', closes_at => 'infinity')$$, 'where it means something');
select is(
    parley_api.schedule_message(t.id('talk'), 'once', t.soon('Z'), client_message_id => '77777777-7777-4777-8777-777777777777') ->> 'id',
    parley_api.schedule_message(
        t.id('talk'), 'once', replace(t.soon('+00:00'), 'T', ' '), client_message_id => '77777777-7777-4777-8777-777777777777'
    ) ->> 'id',
    'the same moment in other words is the same request'
);
select * from finish();
rollback;
