-- Two stores whose people, titles and texts have the same names, and a third that has members of both. For whoever is not in the
-- south, everything of the south is as if it did not exist: every function and view of parley_api, tried by everybody with ids of
-- the south and with ids of nothing, gives the same answer to the letter.
begin;
select no_plan();
\ir ../people.psql
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;
update parley.account set tier_name = 'privileged_plus', display_name = 'Sam';
select t.keep('north', '00000000-0000-4000-8000-00000000000a');
select t.keep('south', '00000000-0000-4000-8000-00000000000b');
select t.keep('west', '00000000-0000-4000-8000-00000000000c');
insert into parley.tenant (id, name) select t.id(n), 'Books' from unnest(array['north', 'south', 'west']) n;
insert into parley.account (id, display_name, tier_name) values (t.id('noa'), 'Sam', 'privileged_plus');
insert into parley.tenant_member (tenant_id, user_id)
select t.id(m[1]), t.id(m[2])
from (values ('{north,ann}'::text[]), ('{north,bob}'), ('{south,cid}'), ('{south,eve}'), ('{west,bob}'), ('{west,eve}'), ('{north,noa}')) v (m);

-- a world in each store: a group with a text, a poll, a file and a call, and something scheduled
create function t.world(store text, host text, guest text, content text) returns void language plpgsql as $$
declare
    v_id uuid;
    v_conversation uuid;
begin
    perform t.act(host);
    v_conversation := parley_api.start_conversation(array[t.id(guest)], 'group', 'Club', message => content) ->> 'id';
    perform t.keep(store || '_conversation', v_conversation::text);
    perform t.keep(store || '_direct', parley_api.start_conversation(array[t.id(guest)], context_type => 'listing', context_id => content) ->> 'id');
    perform t.keep(store || '_message', parley_api.send_message(v_conversation, content) ->> 'id');
    perform t.keep(store || '_poll', parley_api.create_poll(v_conversation, content, array['a', 'b']) ->> 'id');
    perform t.keep(store || '_attachment', parley_api.declare_attachment(v_conversation, 'image', content || '.png', 'image/png', 9) ->> 'id');
    perform t.keep(store || '_call', parley_api.start_call(v_conversation, 'voice', 'phone') ->> 'id');
    perform t.keep(store || '_scheduled', parley_api.schedule_message(v_conversation, content, (now() + interval '1 day')::text) ->> 'id');
    perform t.keep(store || '_user', t.id(host)::text);
    perform t.host();
end
$$;
select t.world('north', 'ann', 'bob', 'alpha');
select t.world('south', 'cid', 'eve', 'omega');
select t.world('west', 'eve', 'bob', 'delta');
select t.keep('none_' || k, ('99999999-9999-4999-8999-0000000000' || lpad(n::text, 2, '0')))
from unnest(array['conversation', 'direct', 'message', 'poll', 'attachment', 'call', 'scheduled', 'user']) with ordinality u (k, n);
select t.keep('none', '99999999-9999-4999-8999-000000000099');
do $$ begin while parley.index_messages() loop null; end loop; end $$;

-- What a parameter is given, by its name and type: a thing of one store, and, where there is one, the conversation of another.
create function t.given(name text, type text, store text, within text) returns text language plpgsql stable security definer as $$
declare
    v_kind text := case
        when name in ('conversation_id', 'conversation_ids') then 'conversation'
        when name in ('message_id', 'reply_to_id') then 'message'
        when name = 'call_id' then 'call'
        when name in ('attachment_id', 'attachment_ids') then 'attachment'
        when name = 'id' then 'scheduled'
        when name ~ 'user|participant_ids|invite_ids|mentions|target_id|session' then 'user'
        when name = 'tenant_id' then store
    end;
    v_store text := case when v_kind in ('conversation', 'message') then within else store end;
    v_id uuid;
begin
    if type in ('uuid', 'uuid[]') and v_kind is not null then
        v_id := case when name = 'tenant_id' then t.id(store) else t.id(v_store || '_' || v_kind) end;
        return case when type = 'uuid' then format('%L::uuid', v_id) else format('array[%L]::uuid[]', v_id) end;
    end if;
    return case
        when name in ('query', 'search', 'context_id') then format('%L', case store when 'south' then 'omega' else 'never' end)
        when name = 'context_type' then '''listing'''
        when name = 'cursor' then 'null'
        when name = 'emoji' then '''👍'''
        when name = 'action' then '''start'''
        when type = 'text' then '''x'''
        when type = 'text[]' then '''{a,b}'''
        when type in ('bigint', 'integer') then '1'
        when type = 'jsonb' then '''{}'''
        when type = 'boolean' then 'false'
        when type = 'uuid' then '''99999999-9999-4999-8999-000000000098'''
        when type ~ 'integer\[\]|smallint\[\]' then '''{1}'''
        else 'null'
    end || '::' || type;
end
$$;

create temp table tried as
select p.oid, p.proname::text as name, p.pronargs - p.pronargdefaults as required, p.pronargs as count,
    coalesce(p.proargnames, '{}') as names, array(select format_type(u.o, null) from unnest(p.proargtypes::oid[]) with ordinality u (o, n) order by n) as types
from pg_proc p
where p.pronamespace = 'parley_api'::regnamespace;

-- The call with all that names something, and what is required.
create function t.call_of(oid oid, store text, within text) returns text language sql stable security definer as $$
    select format('parley_api.%I(%s)', f.name, string_agg(format('%I => %s', f.names[n], t.given(f.names[n], f.types[n], $2, $3)), ', ' order by n)
        filter (where n <= f.required or f.types[n] in ('uuid', 'uuid[]') and f.names[n] !~ '^client_|reply_to' or f.names[n] in ('search', 'query', 'context_type', 'context_id')))
    from tried f left join lateral generate_series(1, f.count) n on true
    where f.oid = $1
    group by f.name
$$;
grant select on tried, t.named to public;

create function t.answer(call text) returns text language plpgsql as $$
declare
    v_answer text;
    v_message text;
    v_detail text;
    v_hint text;
begin
    begin
        execute 'select string_agg(x::text, '' '') from ' || $1 || ' as x' into v_answer;
        raise sqlstate 'ZZ000' using message = coalesce(v_answer, '');
    exception
        when sqlstate 'ZZ000' then
            get stacked diagnostics v_answer = message_text;
            return 'ok ' || v_answer;
        when others then
            get stacked diagnostics v_message = message_text, v_detail = pg_exception_detail, v_hint = pg_exception_hint;
            return concat_ws('|', sqlstate, v_message, v_detail, v_hint);
    end;
end
$$;

-- Ids of the south and ids of nothing are the same; moments and ids that are made anew are none.
create function t.plain(answer text) returns text language plpgsql stable security definer as $$
declare
    v_name record;
    v_answer text := replace($1, 'omega', 'never');
begin
    for v_name in select n.name, n.id::text from t.named n where n.name ~ '^(south|none)' loop
        v_answer := replace(v_answer, v_name.id, regexp_replace(v_name.name, '^(south|none)', ''));
    end loop;
    return regexp_replace(
        regexp_replace(v_answer, '\d{4}-\d\d-\d\d[T ][\d:.+]+', 'then', 'g'),
        '01[0-9a-f]{6}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}', 'id', 'g'
    );
end
$$;

create function t.differences(within text) returns table (name text, of_south text, of_nothing text) language plpgsql as $$
declare
    v_tried record;
begin
    for v_tried in
        select f.oid, f.name from tried f
        where has_function_privilege(f.oid, 'execute') and f.name not in ('get_turn_credentials', 'sync')
        order by 2
    loop
        name := v_tried.name;
        of_south := t.plain(t.answer(t.call_of(v_tried.oid, 'south', coalesce(within, 'south'))));
        of_nothing := t.plain(t.answer(t.call_of(v_tried.oid, 'none', coalesce(within, 'none'))));
        if of_south is distinct from of_nothing then
            return next;
        end if;
    end loop;
end
$$;

-- What all views and the answers to calls that name nothing of the south say of it.
create function t.secrets() returns table (name text, secret text) language plpgsql as $$
declare
    v_call text;
    v_answer text;
begin
    for name, v_call in
        select c.relname::text, 'parley_api.' || c.relname from pg_class c
        where c.relnamespace = 'parley_api'::regnamespace and c.relkind = 'v' and has_table_privilege(c.oid, 'select')
        union all
        select f.name, t.call_of(f.oid, 'none', 'none') from tried f where has_function_privilege(f.oid, 'execute')
        union all
        select f.name, t.call_of(f.oid, 'north', 'north') from tried f where has_function_privilege(f.oid, 'execute')
    loop
        v_answer := t.answer(v_call);
        for secret in select n.id::text from t.named n where n.name ~ '^south' union values ('omega'), (t.id('cid')::text) loop
            if strpos(v_answer, secret) > 0 then
                return next;
            end if;
        end loop;
    end loop;
end
$$;

select cmp_ok((select count(*) from tried), '>', 70::bigint, 'there is much to try');
-- the ways to try see what there is to see: to a member of the south it is another answer
select t.act('cid');
select cmp_ok((select count(*) from t.differences(null)), '>', 30::bigint, 'a member of the south is answered otherwise');
select cmp_ok((select count(distinct s.name) from t.secrets() s), '>', 5::bigint, 'and reads of it');

select t.host();
create function t.be(actor text) returns void language plpgsql as $$
begin
    if actor = 'anonymous' then
        perform t.claim('anon', '{"role": "anon"}');
    else
        perform t.act(actor);
    end if;
end
$$;
-- a member of the north, one who meets members of the south in the west, and nobody
select t.be('ann');
select is_empty($$select * from t.differences(null)$$, 'for a member of the north there is no south');
select is_empty($$select * from t.differences('north')$$, 'nor from within a conversation of the north');
select is_empty($$select * from t.secrets()$$, 'and nothing tells of it');
select t.be('bob');
select is_empty($$select * from t.differences(null)$$, 'nor for somebody who is in a third store with one of the south');
select is_empty($$select * from t.differences('west')$$, 'not from within that store');
select is_empty($$select * from t.secrets()$$, 'and nothing tells of it');
select t.be('anonymous');
select is_empty($$select * from t.differences(null)$$, 'nor for nobody');
select is_empty($$select * from t.secrets()$$, 'who is told nothing');
select t.host();
select is(parley.oversight_role(t.id('north_conversation')) is null, false, 'the application oversees all');

-- every role in a store of one's own is none in another
create function t.with_role(role text) returns void language plpgsql as $$
begin
    perform t.host();
    update parley.tenant_member m set role = with_role.role where m.user_id = t.id('ann');
    perform t.act('ann');
end
$$;
select t.with_role('owner');
select is_empty($$select * from t.differences(null)$$, 'an owner of the north');
select is_empty($$select * from t.secrets()$$, 'is told nothing of the south');
select t.with_role('administrator');
select is_empty($$select * from t.differences(null)$$, 'nor is an administrator');
select t.with_role('manager');
select is_empty($$select * from t.differences(null)$$, 'nor a manager');
select t.with_role('moderator');
select is_empty($$select * from t.differences(null)$$, 'nor a moderator');
select is_empty($$select * from t.secrets()$$, 'at all');

-- topics of sockets
select t.host();
select is_empty(
    $$select n.name, x.topic from t.named n cross join lateral unnest(array['conversation:' || n.id, 'user:' || n.id, 'tenant:' || n.id || ':moderation']) x (topic)
      cross join lateral parley.authorize_join('authenticated', t.id('ann'), null, x.topic) a
      where n.name ~ '^south' and (a.allowed or a.conversation_ids <> '{}' or a.history_from <> '{}')$$,
    'a member of the north joins no topic of the south'
);
select is_empty(
    $$select n.name from t.named n cross join lateral parley.replay('authenticated', t.id('bob'), 'conversation:' || n.id, 0, null, 100) r where n.name ~ '^south_(conv|dir)'$$,
    'and replays none'
);
select is(
    (select count(*) from parley.replay('authenticated', t.id('bob'), 'user:' || t.id('bob'), null, now() - interval '1 hour', 1000) r where strpos(r.payload, 'omega') > 0), 0::bigint,
    'nor in an inbox'
);
-- whoever is in two stores sees each, and each conversation is of one
select t.act('eve');
select is(
    (select string_agg(n.name, ' ' order by n.name) from parley_api.conversations c inner join t.named n on n.id = c.id),
    'south_conversation south_direct west_conversation west_direct', 'who is in two stores is in both'
);
select is(parley_api.start_conversation(array[t.id('bob')], context_type => 'listing', context_id => '7') ->> 'tenant_id', t.id('west')::text, 'and meets people where both are');
select t.refused('PT403', $$select parley_api.add_participants(t.id('west_conversation'), array[t.id('cid')])$$, 'brings nobody of the one into the other');
select t.refused('PT403', $$select parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group')$$, 'nor together');

select * from finish();
rollback;
