-- Notices hold who did what to whom, and no name: every reader gets the names of now, also after a rename or an erasure.
begin;
select no_plan();
\ir ../people.psql
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;
update parley.account set display_name = 'Bob Quillfeather' where id = t.id('bob');
insert into t.named (name, id) select n, md5(n)::uuid from unnest(array['fay', 'gus', 'hal']) n;
insert into parley.account (id, display_name, tier_name) select t.id(n), initcap(n), 'privileged' from unnest(array['fay', 'gus', 'hal']) n;
-- of whom only the id is known
insert into parley.account (id, tier_name) values (t.id('noa'), 'privileged');

-- What Dan reads: the texts of the history, one a line.
create function t.page() returns jsonb language sql as $$
    select parley_api.get_conversation_messages(t.id('us'), page_size => 100) -> 'messages'
$$;
create function t.texts() returns text language sql as $$
    select string_agg(m ->> 'content', E'\n' order by (m ->> 'seq')::bigint) from jsonb_array_elements(t.page()) m
$$;
create function t.stored(word text) returns text language sql security definer as $$
    select count(*) filter (where m::text ilike '%' || $1 || '%') from parley.message m
$$;
create function t.set_name(who text, display_name text) returns void language sql security definer as $$
    update parley.account a set display_name = $2 where a.id = t.id($1)
$$;

-- each kind of notice
select t.act('ann');
select t.keep('us', parley_api.start_conversation(array[t.id('bob'), t.id('cid'), t.id('dan')], 'group') ->> 'id');
select parley_api.add_participants(t.id('us'), array[t.id('eve')]), parley_api.remove_participant(t.id('us'), t.id('eve')),
    parley_api.add_participants(t.id('us'), array[t.id('eve'), t.id('fay'), t.id('gus'), t.id('hal')]),
    parley_api.set_participant_role(t.id('us'), t.id('bob'), 'admin'),
    parley_api.update_conversation(t.id('us'), title => 'Owls') \g /dev/null
select t.act('bob');
select parley_api.update_conversation(t.id('us'), description => 'Of the night'),
    parley_api.update_conversation(t.id('us'), permissions => '{"change_settings": "everyone"}'),
    parley_api.update_conversation(t.id('us'), message_ttl_seconds => 7200),
    parley_api.add_participants(t.id('us'), array[t.id('noa')]) \g /dev/null
select t.host();
select parley_api.remove_participant(t.id('us'), t.id('hal')), parley_api.update_conversation(t.id('us'), status => 'locked'),
    parley_api.update_conversation(t.id('us'), status => 'active') \g /dev/null
select t.act('ann');
select t.keep('call', parley_api.start_call(t.id('us'), 'voice', 'a1') ->> 'id');
select parley_api.end_call(t.id('call'), 'a1'), parley_api.leave_conversation(t.id('us')) \g /dev/null
select t.act('dan');
select is(
    t.texts(),
    E'Ann added Eve.\nAnn removed Eve.\nAnn added 4 members.\nAnn made Bob Quillfeather an admin.\nAnn changed the title to "Owls".\n'
    || E'Bob Quillfeather changed the description.\nBob Quillfeather allowed everyone to change the settings.\n'
    || E'Bob Quillfeather made new messages disappear after 2 hours.\nBob Quillfeather added A member.\n'
    || E'The administration removed Hal.\nThe administration locked the conversation.\nThe administration reopened the conversation.\n'
    || E'Missed voice call\nAnn left.\nBob Quillfeather is now the owner.',
    'a notice is a sentence with names in it'
);
select t.host();
select is(t.stored('Quillfeather'), '0', 'which are not stored');
select is(
    t.look(format('select count(*) from parley.message where conversation_id = %L and content is not null', t.id('us'))), '0',
    'nor is the text'
);
select t.act('dan');
select is(
    t.page() -> 3 -> 'metadata',
    jsonb_build_object('event', 'role_changed', 'actor_id', t.id('ann'), 'user_ids', jsonb_build_array(t.id('bob')), 'role', 'admin', 'notice', '{actor} made {users} an admin.'),
    'but who did what to whom'
);

-- renamed, to what only looks like a place for a name
select t.host();
select t.set_name('bob', '{actor} %1$s\1') is null as renamed \gset
select t.set_name('ann', '{users}{title}') is null as renamed \gset
select t.act('bob');
select parley_api.update_conversation(t.id('us'), title => '{actor} 100% "{users}" {title}') is null as done \gset
select t.act('dan');
select is(
    t.texts(),
    E'{users}{title} added Eve.\n{users}{title} removed Eve.\n{users}{title} added 4 members.\n{users}{title} made {actor} %1$s\\1 an admin.\n{users}{title} changed the title to "Owls".\n'
    || E'{actor} %1$s\\1 changed the description.\n{actor} %1$s\\1 allowed everyone to change the settings.\n'
    || E'{actor} %1$s\\1 made new messages disappear after 2 hours.\n{actor} %1$s\\1 added A member.\n'
    || E'The administration removed Hal.\nThe administration locked the conversation.\nThe administration reopened the conversation.\n'
    || E'Missed voice call\n{users}{title} left.\n{actor} %1$s\\1 is now the owner.\n{actor} %1$s\\1 changed the title to "{actor} 100% "{users}" {title}".',
    'a name of now is a name, whatever it looks like'
);
select t.host();
select t.set_name('ann', 'Ann') is null as renamed \gset
select t.set_name('bob', 'Barnaby') is null as renamed \gset

-- what an application says is what it says
select parley_api.send_system_message(t.id('us'), '{actor} %1$s {users}', jsonb_build_object('notice', '{users} left.', 'user_ids', jsonb_build_array(t.id('bob')))) is null as sent \gset
select t.act('dan');
select is(t.page() #>> '{-1,content}', '{actor} %1$s {users}', 'no text of an application is a sentence to fill');

-- every way to read one: the notice that Bob is an admin
select t.keep('notice', t.page() #>> '{3,id}');
select t.keep('reply', parley_api.send_message(t.id('us'), 'Congratulations', reply_to_id => t.id('notice')) ->> 'id');
select parley_api.pin_message(t.id('notice')), parley_api.star_message(t.id('notice')) \g /dev/null
select t.host();
update parley.event set xid = '3' where xid = pg_current_xact_id();
create table t.door (place serial, name text, query text);
grant select on t.door to public;
insert into t.door (name, query) values
('the view', $$select m.content from parley_api.messages m where m.id = t.id('notice')$$),
('a page', $$select t.page() #>> '{3,content}'$$),
('a quote', $$select m #>> '{reply_to,content}' from jsonb_array_elements(t.page()) m where m ->> 'id' = t.id('reply')::text$$),
('a star', $$select jsonb_path_query_first(parley_api.get_starred_messages(), 'lax $.**.content') #>> '{}'$$),
('a pin', $$select jsonb_path_query_first(parley_api.get_pinned_messages(t.id('us')), 'lax $.**.content') #>> '{}'$$),
('the log', $$select e #>> '{payload,message,content}' from jsonb_array_elements(parley_api.get_events(t.id('us'), 0, 500) -> 'events') e where e #>> '{payload,message,id}' = t.id('notice')::text limit 1$$);
create function t.read_at_doors() returns text language plpgsql as $$
declare
    v_door t.door;
    v_text text;
    v_all text[] := '{}';
begin
    for v_door in select d.* from t.door d order by d.place loop
        execute v_door.query into v_text;
        v_all := v_all || concat(v_door.name, ': ', v_text);
    end loop;
    return array_to_string(v_all, E'\n');
end
$$;
-- The ways that only the server itself has: replay, exports, notifications, and the conversation as it was for a moderator.
create function t.read_inside() returns text language sql security definer as $$
    select concat_ws(
        E'\n',
        'replay: ' || (
            select r.payload::jsonb #>> '{message,content}'
            from parley.replay('authenticated', t.id('dan'), 'user:' || t.id('dan'), null, '-infinity', 1000) r
            where r.payload::jsonb #>> '{message,id}' = t.id('notice')::text limit 1
        ),
        'JSON: ' || (parley.message_line(m, t.id('dan'), 'json', true)::jsonb ->> 'content'),
        'CSV: ' || (regexp_match(parley.message_line(m, t.id('dan'), 'csv', true), '"system","([^"]*)"'))[1],
        'push: ' || (parley.push_message_content(null, m, null, null, false) ->> 'body'),
        'as of: ' || (parley.message_as_of_json(m, c.last_event_seq, '[]') ->> 'content')
    )
    from parley.message m inner join parley.conversation c on c.id = m.conversation_id where m.id = t.id('notice')
$$;
create function t.expected(who text) returns text language sql as $$
    select string_agg(concat(d.name, ': ', 'Ann made ', $1, ' an admin.'), E'\n' order by d.place) from t.door d
$$;
create function t.expected_inside(who text) returns text language sql as $$
    select string_agg(concat(n, ': ', 'Ann made ', $1, ' an admin.'), E'\n') from unnest(array['replay', 'JSON', 'CSV', 'push', 'as of']) n
$$;
select t.act('dan');
select is(t.read_at_doors(), t.expected('Barnaby'), 'a client reads the same at every door');
select is(t.read_inside(), t.expected_inside('Barnaby'), 'and so does what the server itself writes');
select is(
    jsonb_array_length(parley_api.search_messages('admin', t.id('us')) -> 'results'), 0, 'a search finds what people say, and no notice'
);

-- in a preview, where notices are one
select t.host();
update parley.setting set value = 'true' where name = 'notices_count';
select t.act('bob');
select parley_api.update_conversation(t.id('us'), title => repeat('x', 200)) is null as done \gset
select t.act('dan');
select is(
    (select array[c #>> '{last_message,content}', c #>> '{last_message,is_cut}'] from jsonb_array_elements(parley_api.get_user_conversations() -> 'conversations') c where c ->> 'id' = t.id('us')::text),
    array['Barnaby changed the title to "' || repeat('x', 170), 'true'], 'a preview has the first 200 characters'
);

-- deleted
select t.act('bob');
select t.keep('gone', t.page() #>> '{5,id}');
select parley_api.delete_message(t.id('gone'), true) is null as deleted \gset
select t.act('dan');
select is(t.page() #> '{5,content}', 'null', 'one that is deleted says nothing');

-- erased
select t.host();
update parley.account set deleted_at = now() where id = t.id('bob');
select t.act('dan');
select is(t.read_at_doors(), t.expected('[Deleted User]'), 'as soon as the account is closed nobody reads the name any more');
select is(t.read_inside(), t.expected_inside('[Deleted User]'), 'nor does the server write it');
select alike(t.texts(), '%Ann left.%[Deleted User] is now the owner.%Cid is now the owner.', 'others have their names');
select t.host();
select parley.erase_user(t.id('bob'), 'asked to', 'remove') is null as asked \gset
do $$ begin for i in 1..100 loop perform parley.erase_users(); end loop; end $$;
select t.act('dan');
select alike(t.texts(), '%[Deleted User] changed the title.%', 'what they made the title goes with them');
select t.host();
select is(t.stored('xxxx'), '0', 'and is not kept');
select is(t.look(format('select count(*) from parley.message_revision where message_id = %L', t.id('gone'))), '0', 'nor is what a deleted notice said');
select * from finish();
rollback;
