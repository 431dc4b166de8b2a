-- Every limit and entitlement of the catalogue is enforced at each of the doors it lists, and lists all that it has.
begin;
select plan(count(*)::integer * 2 + 7) from (
    select k.name, unnest(k.doors) from parley.limit_kind k where k.since is not null and k.enforced_by = 'database'
    union all
    -- starting a conversation has three ways, and a file without a limit of its own two
    select 'new_conversations_per_day', unnest(array['group', 'context'])
    union all
    select 'max_file_bytes', 'image'
) as d;
\ir ../people.psql
\ir probes.psql
grant select on t.probe to public;

create function t.declare(kind text) returns text language sql as $$
    select parley_api.declare_attachment(
        t.id('talk'), $1, 'f',
        case $1 when 'image' then 'image/png' when 'video' then 'video/mp4' else 'application/pdf' end, 10,
        duration_ms => case $1 when 'video' then 5000 end
    ) ->> 'id'
$$;
create function t.record(name text) returns text language sql as $$
    select parley_api.record_upload(t.id($1), 10) ->> 'status'
$$;
create function t.two_files() returns uuid[] language sql as $$ select array[t.id('file1'), t.id('file2')] $$;
create function t.schedule(content text, attachment_ids uuid[] default null, reply_to_id uuid default null)
returns text language sql as $$
    select parley_api.schedule_message(
        case when $3 is null then t.id('talk') else t.id('past') end, $1, (clock_timestamp() + interval '1 hour')::text,
        type => case when $2 is null then 'text' else 'media' end, attachment_ids => $2, reply_to_id => $3
    ) ->> 'id'
$$;
create function t.send_due(name text) returns text language plpgsql as $$
begin
    update parley.scheduled_message set send_at = clock_timestamp(), attempt_at = clock_timestamp() where id = t.id($1);
    perform parley.send_due_messages();
    return (select concat_ws(' ', s.status, s.error_code) from parley.scheduled_message s where s.id = t.id($1));
end
$$;
create function t.shows(answer jsonb) returns boolean language sql as $$ select strpos($1::text, 'antique') > 0 $$;

-- Ann has written to Eve, who has not accepted it
create function t.ask() returns void language plpgsql as $$
declare
    v_id uuid;
begin
    perform t.act('ann');
    v_id := parley_api.start_conversation(array[t.id('eve')]) ->> 'id';
    perform t.keep('request', v_id::text);
    perform t.host();
    update parley.participant set folder = 'requests' where conversation_id = v_id and user_id = t.id('eve');
    update parley.conversation set restricted = true where id = v_id;
end
$$;
create function t.try_probe(n integer, limited boolean) returns text language plpgsql as $$
declare
    v_probe t.probe;
    v_statement text;
    v_end text;
begin
    select p.* into strict v_probe from t.probe p where p.n = try_probe.n;
    begin
        execute v_probe.prepare;
        perform t.host();
        if limited and exists (select from parley.limit_kind k where k.name = v_probe.name and k.kind = 'entitlement') then
            update parley.tier_entitlement e set granted = false where e.name = v_probe.name;
        elsif limited then
            update parley.tier_limit l set amount = v_probe.amount where l.name = v_probe.name;
        end if;
        case v_probe.actor
            when 'host' then null;
            when 'service' then perform t.claim('service_role', '{"role": "service_role"}');
            else perform t.act(v_probe.actor);
        end case;
        begin
            execute 'select ' || v_probe.statement into v_end;
        exception when others then
            v_end := sqlstate;
        end;
        raise exception using errcode = 'ZZZZZ', message = coalesce(v_end, 'null');
    exception when sqlstate 'ZZZZZ' then
        get stacked diagnostics v_end = message_text;
    end;
    return v_end;
end
$$;

-- the world: no limits at all, two conversations, and all of `past` twenty days old
update parley.tier_limit set amount = null, burst = null;
update parley.tier_entitlement set granted = true;
select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group') ->> 'id');
select t.keep('past', parley_api.start_conversation(array[t.id('bob')], 'group') ->> 'id');
select t.keep('mine', t.send('talk', 'x')::text);
select t.keep('file1', t.declare('image'));
select t.keep('file2', t.declare('image'));
select t.keep('file3', parley_api.declare_attachment(t.id('past'), 'image', 'antique.png', 'image/png', 10) ->> 'id');
select t.claim('service_role', '{"role": "service_role"}');
select parley_api.record_upload(t.id(f)) is null as uploaded from unnest(array['file1', 'file2', 'file3']) f;
select t.act('ann');
select t.keep('poll', parley_api.create_poll(t.id('past'), 'an antique?', '{yes,no}') ->> 'id');
select t.keep('old', parley_api.send_message(t.id('past'), 'an antique', 'image', attachment_ids => array[t.id('file3')]) ->> 'id');
select parley_api.pin_message(t.id('old')) is null as pinned;
select parley_api.star_message(t.id('old')) is null as starred;
select t.act('bob');
select t.keep('of_bob', t.send('talk', 'x')::text);
select t.keep('last', t.send('past', 'antique, too')::text);
select t.host();
do $$
declare
    v_name text;
    v_table text;
    v_old uuid;
    v_new uuid;
begin
    foreach v_name in array array['poll', 'old', 'last'] loop
        v_old := t.id(v_name);
        v_new := parley.uuid_v7(now() - interval '20 days');
        update parley.message set id = v_new where id = v_old;
        for v_table in
            select a.attrelid::regclass from pg_attribute a inner join pg_class c on c.oid = a.attrelid
            where a.attname = 'message_id' and c.relnamespace = 'parley'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
        loop
            execute format('update %s set message_id = $1 where message_id = $2', v_table) using v_new, v_old;
        end loop;
        perform t.keep(v_name, v_new::text);
    end loop;
    update parley.participant set joined_at = joined_at - interval '21 days' where conversation_id = t.id('past');
    update parley.event set xid = '3' where xid = pg_current_xact_id();
    while parley.index_messages() loop
        null;
    end loop;
end
$$;

-- every pair of the catalogue has its probe, and only those
select set_eq(
    'select p.name, p.door from t.probe p',
    'select k.name, d.door from parley.limit_kind k cross join unnest(k.doors) as d (door)
     where k.since is not null and k.enforced_by = ''database''',
    'there is a probe for every door that a limit lists, and no other'
);
select isnt(t.try_probe(p.n, false), p.refused, format('%s: %s works without a limit (%s)', p.name, p.door, p.n))
from t.probe p order by p.n;
select is(t.try_probe(p.n, true), p.refused, format('%s: %s keeps to it (%s)', p.name, p.door, p.n))
from t.probe p order by p.n;

-- Which functions come to which limit, by their texts: a function reads a limit if its body names it (or its copy in
-- parley.tier), and reaches what the functions it calls reach. Entries are what clients and jobs call.
create temp view code as
select
    p.proname::text as name,
    regexp_replace(p.prosrc, '--[^\n]*', '', 'g') as body
from pg_proc p
where p.pronamespace = 'parley'::regnamespace or p.oid = 'parley_api.send_message'::regproc;
create temp view entry as
select p.proname::text as name from pg_proc p where p.pronamespace = 'parley_api'::regnamespace
union
select j.name from parley.job j;
create temp view reads as
select c.name, k.name as kind
from code c inner join parley.limit_kind k on c.body ~ format('\m%s\M', k.name)
where c.name not in ('set_tier_limit_copy', 'set_tier_limit_copies', 'begin_tier')
union all
-- these names are put together
values ('attachment_limits', 'max_video_bytes'), ('attachment_limits', 'max_video_seconds');
create temp table reaches as
with recursive calls as (
    select distinct c.name, m[1] as callee from code c, regexp_matches(c.body, 'parley\.(\w+)\(', 'g') m
    -- the server's own messages have no sender and so no plan
    where not (m[1] = 'write_message' and c.body ~ 'from_server => true')
), reached as (
    select e.name as entry, e.name from entry e
    union
    select r.entry, c.callee from reached r inner join calls c using (name)
)
select distinct r.entry, x.kind from reached r inner join reads x using (name);
create temp table without_effect (kind text, entry text, why text);
insert into without_effect values
('max_attachments', 'forward_message', 'what is passed on was within the limit'),
('max_attachments', 'create_poll', 'a poll has no files'),
('max_attachments', 'start_conversation', 'a first message has no files'),
('max_content_length', 'forward_message', 'what is passed on was within the limit'),
('new_conversations_per_day', 'may', 'tells the limit'),
('can_initiate_direct_messages', 'may', 'tells the entitlement'),
('can_create_groups', 'may', 'tells the entitlement'),
('can_initiate_direct_messages', 'add_participants', 'nobody is added to a direct conversation'),
('max_file_bytes', 'get_stored_attachment', 'tells the limit'),
('new_account_hours', 'collect_spam_checks', 'refuses nothing: services are asked about what new accounts sent'),
('max_video_bytes', 'get_stored_attachment', 'tells the limit'),
('max_video_seconds', 'get_stored_attachment', 'tells the limit');

select is_empty(
    $$select k.name from parley.limit_kind k where k.since is not null and k.enforced_by = 'database' and not exists (select from reads r where r.kind = k.name)$$,
    'a limit that no function reads is not in the catalogue'
);
select is_empty(
    $$select k.name, d.door from parley.limit_kind k cross join unnest(k.doors) as d (door)
     where k.enforced_by = 'database' and not exists (select from reaches r where r.kind = k.name and r.entry = d.door)$$,
    'no door is listed that does not come to the limit'
);
select set_eq(
    $$select r.kind, r.entry from reaches r inner join parley.limit_kind k on k.name = r.kind
      where r.entry <> all (k.doors) and k.name <> 'retention_days'$$,
    'select kind, entry from without_effect',
    'no door is left out, but for those without effect (what is seen of a message, tests of its own try everywhere)'
);
select is_empty(
    $$select c.name, m[1]
      from code c, regexp_matches(c.body, '(?:limit_of|take_tier_token|is_entitled|take_token|tier_limit_of)\([^;]*?''(\w+)''', 'g') m
      where not exists (select from parley.limit_kind k where k.name = m[1])
        -- these choose a name by what they are asked; one of another name would leave one of the catalogue unread
        and c.name not in ('get_entitlements', 'entitlements_json', 'decide_initiative')$$,
    'no function asks for a limit that is not in the catalogue'
);
select is_empty(
    $$select c.name, k.name from code c, regexp_matches(c.body, 'take_tier_token\([^;]*?''(\w+)''', 'g') m
      inner join parley.limit_kind k on k.name = m[1] where k.kind <> 'rate'$$,
    'and tokens are taken of rates'
);
select is_empty(
    $$select k.name from parley.limit_kind k cross join parley.tier t
      where k.kind <> 'entitlement' and not exists (select from parley.tier_limit l where l.tier_name = t.name and l.name = k.name)$$,
    'every plan of a new deployment shows all its limits'
);

select * from finish();
rollback;
