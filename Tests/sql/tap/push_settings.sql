-- What users want of notifications, and quiet hours by the clocks of their zone.
begin;
select no_plan();
\ir ../people.psql
\ir push.psql

select t.act('bob');
select is(
    parley_api.get_push_settings(),
    '{"enabled": true, "time_zone": "UTC", "quiet_hours": [], "quiet_mode": "silent", "mentions_pierce_quiet": false, "calls_pierce_quiet": true,
      "dnd_until": null, "privacy": "default"}'::jsonb, 'the defaults'
);
select is(
    parley_api.set_push_settings(
        time_zone => 'europe/berlin', quiet_hours => '[{"from": "22:00", "to": "07:00"}, {"weekdays": [6, 7], "from": "12:00", "to": "14:00"}]',
        quiet_mode => 'hold', privacy => 'sender'
    ),
    '{"enabled": true, "time_zone": "Europe/Berlin", "quiet_mode": "hold", "mentions_pierce_quiet": false, "calls_pierce_quiet": true,
      "quiet_hours": [{"weekdays": [1, 2, 3, 4, 5, 6, 7], "from": "22:00", "to": "07:00"}, {"weekdays": [6, 7], "from": "12:00", "to": "14:00"}],
      "dnd_until": null, "privacy": "sender"}'::jsonb, 'are changed'
);
select is(parley_api.set_push_settings(privacy => 'default') ->> 'quiet_mode', 'hold', 'what is left out stays');
select is(parley_api.get_push_settings() ->> 'privacy', 'default', 'and can be taken back');
select is(parley_api.set_push_settings(dnd_until => 'infinity') ->> 'dnd_until', 'infinity', 'nobody disturbs');
select is(parley_api.set_push_settings(dnd_until => '2020-01-01T00:00:00Z') -> 'dnd_until', 'null', 'until somebody may again');
select t.refused('PT400', q, why) from (values
    ($$select parley_api.set_push_settings(time_zone => 'Mars/Olympus')$$, 'a zone is known'),
    ($$select parley_api.set_push_settings(time_zone => '+02:00')$$, 'and has a name'),
    ($$select parley_api.set_push_settings(quiet_mode => 'loud')$$, 'a mode is one of three'),
    ($$select parley_api.set_push_settings(privacy => 'none')$$, 'privacy is one of three'),
    ($$select parley_api.set_push_settings(dnd_until => 'tomorrow')$$, 'a moment is ISO 8601'),
    ($$select parley_api.set_push_settings(quiet_hours => '{}')$$, 'quiet hours are a list'),
    ($$select parley_api.set_push_settings(quiet_hours => '[1]')$$, 'of objects'),
    ($$select parley_api.set_push_settings(quiet_hours => '[{"from": "25:00", "to": "07:00"}]')$$, 'with hours there are'),
    ($$select parley_api.set_push_settings(quiet_hours => '[{"from": "22:00"}]')$$, 'from and to'),
    ($$select parley_api.set_push_settings(quiet_hours => '[{"from": "22:00", "to": "07:00", "weekdays": [8]}]')$$, 'on days there are'),
    ($$select parley_api.set_push_settings(quiet_hours => '[{"from": "22:00", "to": "07:00", "weekdays": []}]')$$, 'and some'),
    ($$select parley_api.set_push_settings(quiet_hours => '[{"from": "22:00", "to": "07:00", "weekdays": "x"}]')$$, 'in a list')
) as x (q, why);
select is(parley_api.set_push_settings(quiet_hours => '[]') -> 'quiet_hours', '[]', 'none again');
select t.host();

-- when they end: 2027-01-04 is a Monday
create function t.ends(zone text, hours text, at text) returns text language sql as $$
    select to_char(parley.quiet_until(row(null, null, now(), true, false, true, 'hold', zone, null, parley.require_quiet_hours(hours::jsonb))::parley.push_preference, at::timestamptz) at time zone 'UTC', 'MM-DD HH24:MI')
$$;
select is(t.ends(zone, hours, at), ends, why) from (values
    ('UTC', '[{"from": "22:00", "to": "07:00"}]', '2027-01-04T23:00Z', '01-05 07:00', 'in the evening they end on the next day'),
    ('UTC', '[{"from": "22:00", "to": "07:00"}]', '2027-01-05T06:59Z', '01-05 07:00', 'in the morning on the same'),
    ('UTC', '[{"from": "22:00", "to": "07:00"}]', '2027-01-05T07:00Z', null, 'then they are over'),
    ('UTC', '[{"from": "22:00", "to": "07:00"}]', '2027-01-05T21:59Z', null, 'until they begin'),
    ('UTC', '[{"from": "22:00", "to": "07:00", "weekdays": [1]}]', '2027-01-05T01:00Z', '01-05 07:00', 'the night of Monday is a part of Tuesday'),
    ('UTC', '[{"from": "22:00", "to": "07:00", "weekdays": [1]}]', '2027-01-05T23:00Z', null, 'not that of Tuesday'),
    ('UTC', '[{"from": "22:00", "to": "07:00", "weekdays": [7]}]', '2027-01-04T01:00Z', '01-04 07:00', 'after Sunday comes Monday'),
    ('UTC', '[{"from": "09:00", "to": "09:00", "weekdays": [1]}]', '2027-01-05T08:00Z', '01-05 09:00', 'from nine to nine is a day'),
    ('America/New_York', '[{"from": "22:00", "to": "07:00"}]', '2027-01-05T03:30Z', '01-05 12:00', 'the clocks of the zone count'),
    ('America/New_York', '[{"from": "22:00", "to": "07:00"}]', '2027-01-05T12:30Z', null, 'and not those of the server'),
    ('Pacific/Kiritimati', '[{"from": "00:00", "to": "06:00", "weekdays": [2]}]', '2027-01-04T11:00Z', '01-04 16:00', 'where it is another day already'),
    ('Europe/Berlin', '[{"from": "22:00", "to": "07:00"}]', '2027-03-27T22:00Z', '03-28 05:00', 'a night with an hour less'),
    ('Europe/Berlin', '[{"from": "22:00", "to": "07:00"}]', '2027-10-30T21:00Z', '10-31 06:00', 'and with one more'),
    ('Europe/Berlin', '[{"from": "02:15", "to": "02:45"}]', '2027-03-28T01:30Z', null, 'an hour that is skipped'),
    ('Europe/Berlin', '[{"from": "22:00", "to": "23:00"}, {"from": "22:30", "to": "01:00"}]', '2027-01-04T21:45Z', '01-05 00:00', 'of two the later end')
) as x (zone, hours, at, ends, why);
update parley.push_preference set time_zone = 'Nowhere/Else', quiet_hours = '[{"weekdays": [1, 2, 3, 4, 5, 6, 7], "from": "00:00", "to": "00:00"}]';
select isnt((select parley.quiet_until(s, now()) from parley.push_preference s), null, 'a zone that has gone is UTC');

-- what becomes of a message in them
update parley.push_preference set time_zone = 'UTC', quiet_mode = 'silent';
select t.act('bob');
select t.device('phone') is null as done \gset
select t.act('ann');
select t.keep('us', parley_api.start_conversation(array[t.id('bob')], message => 'good night') ->> 'id');
select t.host();
select t.pump() > 0 as done \gset
select is(t.push(), 'phone message good night badge 1 silent', 'silent: it comes without a sound');
update parley.push_preference set quiet_mode = 'hold';
select t.act('ann');
select t.send('us', 'sleep well') is null as done \gset
select t.host();
select t.pump() > 0 as done \gset
select is(t.fate('bob'), 'queued quiet_hours', 'hold: it waits');
select ok((select due_at > clock_timestamp() and expires_at > due_at from parley.push_job where state = 'queued' and kind = 'message'), 'until they end, and is worth something then');
update parley.push_job set due_at = clock_timestamp() where state = 'queued' and kind = 'badge';
select is(t.push(), 'phone badge badge 2 silent', 'while the icon shows the number');
update parley.push_preference set quiet_hours = '[]';
select t.due();
select is(t.push(), 'phone message sleep well badge 2', 'then it comes');
update parley.push_preference set quiet_mode = 'drop', quiet_hours = '[{"weekdays": [1, 2, 3, 4, 5, 6, 7], "from": "00:00", "to": "00:00"}]';
select t.act('ann');
select t.send('us', 'nothing') is null as done \gset
select t.host();
select t.pump() > 0 as done \gset
select is(t.fate('bob'), 'suppressed quiet_hours', 'drop: it does not come');
select t.due();
select is(t.push(), 'phone badge badge 3 silent', 'but the number does');

select * from finish();
rollback;
