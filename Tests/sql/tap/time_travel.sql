-- conversation_as_of: what a conversation looked like after each of its events, whatever happened to it since.
begin;
select no_plan();
\ir ../people.psql
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;
insert into parley.tenant (id, name) values (t.id('none'), 'Shop');
insert into parley.tenant_member (tenant_id, user_id, role) values
(t.id('none'), t.id('ann'), 'member'), (t.id('none'), t.id('bob'), 'member'), (t.id('none'), t.id('cid'), 'member'),
(t.id('none'), t.id('dan'), 'moderator');

-- The application's look at the conversation, in one line: title, who is in it, what is said.
create function t.as_of(event_seq bigint) returns text language plpgsql as $$
declare
    v_old_role text := current_setting('role');
    v_old_claims text := current_setting('request.jwt.claims', true);
    v_then jsonb;
begin
    perform t.host();
    v_then := parley_api.conversation_as_of(t.id('talk'), event_seq, 'a test');
    perform set_config('role', v_old_role, true), set_config('request.jwt.claims', v_old_claims, true);
    return format(
        '%s | %s | %s',
        v_then #>> '{profile,title}',
        (
            select string_agg(concat(p ->> 'display_name', ' ', p ->> 'role'), ', ' order by p ->> 'display_name')
            from jsonb_array_elements(v_then -> 'participants') p
        ),
        (
            select string_agg(
                case
                    when m ->> 'deleted_at' is not null then '-'
                    else concat(
                        m ->> 'content', case when m ->> 'edited_at' is not null then '*' end,
                        ' to ' || (m #>> '{reply_to,content}')
                    )
                end, ', ' order by m -> 'seq'
            )
            from jsonb_array_elements(v_then -> 'messages') m
            where m ->> 'type' <> 'system'
        )
    );
end
$$;

-- What is remembered is the line of each event; what is compared is what the last look says of them all.
create table t.line (event_seq bigint primary key, line text);
grant all on t.line to public;
create function t.note() returns void language sql as $$
    insert into t.line select e, t.as_of(e) from t.last_event_seq('talk') e
    on conflict (event_seq) do update set line = excluded.line
$$;

select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('bob'), t.id('cid')], 'group', 'Old') ->> 'id');
select t.note();
select t.keep('m1', t.send('talk', 'one')::text);
select t.note();
select t.act('bob');
select t.keep('m2', t.send('talk', 'two')::text);
select t.note();
select parley_api.edit_message(t.id('m2'), 'two again') is null as edited \gset
select t.note();
select parley_api.edit_message(t.id('m2'), 'two at last') is null as edited \gset
select t.note();
select t.act('ann');
select parley_api.delete_message(t.id('m2'), true) is null as deleted \gset
select t.note();
select parley_api.remove_participant(t.id('talk'), t.id('cid')) is null as removed \gset
select t.note();
select t.keep('m3', t.send('talk', 'three')::text);
select t.note();
select parley_api.add_participants(t.id('talk'), array[t.id('cid')]) is null as added \gset
select t.note();
select parley_api.delete_message(t.id('m1')) is null as hidden \gset
select parley_api.add_reaction(t.id('m3'), '👍') is null as reacted \gset
select t.note();
select t.keep('m4', parley_api.send_message(t.id('talk'), 'four', reply_to_id => t.id('m3')) ->> 'id');
select t.note();
select parley_api.edit_message(t.id('m3'), 'three again') is null as edited \gset
select t.note();
select parley_api.update_conversation(t.id('talk'), title => 'New') is null as renamed \gset
select t.note();
select parley_api.set_participant_role(t.id('talk'), t.id('cid'), 'admin') is null as raised \gset
select t.note();
select parley_api.update_conversation(t.id('talk'), title => 'Newer', description => 'about') is null as renamed \gset
select t.note();
select parley_api.leave_conversation(t.id('talk')) is null as gone \gset
select t.note();
select t.act('cid');

-- what brings more than one change with it
select t.keep('m5', parley_api.create_poll(t.id('talk'), 'five?', array['yes', 'no']) ->> 'id');
select t.note();
select parley_api.pin_message(t.id('m5')) is null as pinned \gset
select t.note();
select parley_api.delete_message(t.id('m5'), true) is null as deleted \gset
select t.note();
select t.host();
select is_empty(
    $$select r.message_id, r.event_seq from parley.message_revision r
      where not exists (
        select from parley.event e
        where e.conversation_id = r.conversation_id and e.event_seq = r.event_seq and e.message_id = r.message_id
          and e.kind = case r.reason when 'deleted' then 'message:deleted' else 'message:updated' end
      )$$,
    'every revision belongs to the event that announced the change'
);
select is_empty(
    $$select event_seq, line, t.as_of(event_seq) from t.line where line is distinct from t.as_of(event_seq)$$,
    'every event shows the same as when it was the last'
);
select is((select count(*) from t.line), 19::bigint, 'of all that was done');
select is((select line from t.line order by event_seq limit 1), 'Old | Ann owner, Bob member, Cid member | ', 'from the start');
select results_eq(
    $$select split_part(line, ' | ', 3) from t.line where line like '%two%' order by event_seq$$,
    $$values ('one, two'), ('one, two again*'), ('one, two at last*')$$, 'each text at its time'
);
select matches((select line from t.line where line like '%-%' order by event_seq limit 1), 'one, -$', 'a deleted message from its deletion on');
select isnt_empty($$select from t.line where line like 'Old | Ann owner, Bob member | %'$$, 'without who had left');
select is(
    (select line from t.line order by event_seq desc limit 1), 'Newer | Bob member, Cid owner | one, -, three again*, four to three again, -',
    'and with title and roles of the last'
);
select results_eq(
    $$select distinct on (split_part(line, ' | ', 1)) split_part(line, ' | ', 1) from t.line order by split_part(line, ' | ', 1), event_seq$$,
    $$values ('New'), ('Newer'), ('Old')$$, 'each title at its time'
);
select isnt_empty($$select from t.line where line like 'New | Ann owner, Bob member, Cid admin | %'$$, 'each role');
select results_eq(
    $$select split_part(line, ' | ', 3) from t.line where line like '% four %' order by event_seq limit 2$$,
    $$values ('one, -, three, four to three'), ('one, -, three again*, four to three again')$$, 'and what is quoted as it was'
);
select is(
    (select count(*) from generate_series(1, t.last_event_seq('talk')) e where t.as_of(e) is null), 0::bigint, 'there is an answer for every event'
);

-- pages, oldest first in each
select is(
    jsonb_path_query_array(p, '$.messages[*].content'), '["three again"]', 'a page before a seq'
) from (
    select parley_api.conversation_as_of(t.id('talk'), t.last_event_seq('talk'), 'a test', m.seq + 1, 1) p
    from parley.message m where m.id = t.id('m3')
) x;
select is(p -> 'has_more', 'true', 'tells that there is more') from parley_api.conversation_as_of(t.id('talk'), t.last_event_seq('talk'), 'a test', 3, 1) p;
select is(p -> 'has_more', 'false', 'or not') from parley_api.conversation_as_of(t.id('talk'), t.last_event_seq('talk'), 'a test', 3, 2) p;
select is(p -> 'messages', '[]', 'nothing lies before the first') from parley_api.conversation_as_of(t.id('talk'), t.last_event_seq('talk'), 'a test', 1) p;
select is((p ->> 'at')::timestamptz, e.created_at, 'the time of the event stands in it')
from parley.event e, parley_api.conversation_as_of(e.conversation_id, e.event_seq, 'a test') p
where e.message_id = t.id('m3') and e.kind = 'message:new';

-- the moderator of the tenant, and who is none
select t.act('dan');
select is(
    parley_api.conversation_as_of(t.id('talk'), 5, 'a complaint') #>> '{messages,0,content}', 'one', 'a moderator of the tenant sees what was said'
);
select t.refused('PT400', $$select parley_api.conversation_as_of(t.id('talk'), 5, null)$$, 'but not without a reason');
select t.refused('PT400', $$select parley_api.conversation_as_of(t.id('talk'), 5, E' \n')$$, 'a blank is none');
select t.refused('PT400', $$select parley_api.conversation_as_of(t.id('talk'), 5, repeat('x', 1001))$$, 'nor a book');
select t.refused('PT400', $$select parley_api.conversation_as_of(t.id('talk'), 0, 'a complaint')$$, 'not before the first event');
select t.refused('PT400', $$select parley_api.conversation_as_of(t.id('talk'), null, 'a complaint')$$, 'not at no event');
select t.refused('PT400', $$select parley_api.conversation_as_of(t.id('talk'), 1000, 'a complaint')$$, 'not in the future');
select t.refused('PT400', $$select parley_api.conversation_as_of(t.id('talk'), 5, 'a complaint', 0)$$, 'not before seq 0');
select t.refused('PT400', $$select parley_api.conversation_as_of(t.id('talk'), 5, 'a complaint', null, 0)$$, 'not in pages of nothing');
select t.refused('PT400', $$select parley_api.conversation_as_of(null, 5, 'a complaint')$$, 'not of nothing');
select t.refused('PT403', $$select parley_api.conversation_as_of(t.id('none'), 5, 'a complaint')$$, 'what does not exist');
select t.failure($$select parley_api.conversation_as_of(t.id('none'), 5, 'a complaint')$$) as unknown \gset
select t.act('bob');
select t.refused('PT403', $$select parley_api.conversation_as_of(t.id('talk'), 5, 'curiosity')$$, 'an owner of the conversation is no moderator');
select t.act('eve');
select is(t.failure($$select parley_api.conversation_as_of(t.id('talk'), 5, 'curiosity')$$), :'unknown'::jsonb, 'what is not one''s own looks like what does not exist');
select t.host();
update parley.tenant_member set role = 'manager' where user_id = t.id('dan');
select t.act('dan');
select t.refused('PT403', $$select parley_api.conversation_as_of(t.id('talk'), 5, 'curiosity')$$, 'a manager sells, and does not oversee');
select t.host();
update parley.tenant_member set role = 'owner' where user_id = t.id('dan');
update parley.account set suspended_at = now() where id = t.id('dan');
select t.act('dan');
select t.refused('PT403', $$select parley_api.conversation_as_of(t.id('talk'), 5, 'revenge')$$, 'a suspended owner of the tenant sees nothing');
select t.host();
update parley.account set suspended_at = null where id = t.id('dan');
select t.act('dan');
select isnt(parley_api.conversation_as_of(t.id('talk'), 5, 'a complaint'), null, 'an owner of the tenant does');
select t.claim('service_role', '{"role": "service_role"}');
select isnt(parley_api.conversation_as_of(t.id('talk'), 5, 'the police'), null, 'and so does the application');
select t.refused('PT404', $$select parley_api.conversation_as_of(t.id('none'), 5, 'the police')$$, 'which may know what does not exist');

-- every look is in the audit log
select t.host();
select results_eq(
    $$select actor_id, actor_role, tenant_id, conversation_id, action, reason, detail -> 'event_seq'
      from parley.audit_log where reason in ('a complaint', 'the police') order by id$$,
    $$select * from (values
        (t.id('dan'), 'moderator', t.id('none'), t.id('talk'), 'conversation_as_of', 'a complaint', '5'::jsonb),
        (t.id('dan'), 'owner', t.id('none'), t.id('talk'), 'conversation_as_of', 'a complaint', '5'::jsonb),
        (null, 'service_role', t.id('none'), t.id('talk'), 'conversation_as_of', 'the police', '5'::jsonb)) x$$,
    'who looked, by what right, at what, when and why'
);
select is_empty($$select from parley.audit_log where reason in ('curiosity', 'revenge')$$, 'nothing was seen, nothing is logged');
select is_empty($$select from parley.audit_log l where l::text ~ '(one|two|three)'$$, 'and never what was said');

-- what is gone stays gone
update parley.message set expires_at = now() - interval '1 second' where id = t.id('m1');
select unalike(t.as_of(5), '%one%', 'what has expired is not shown as of before it had');
delete from parley.message_revision where message_id = t.id('m2');
select unalike(string_agg(t.as_of(e), ''), '%two%', 'nor what was purged') from generate_series(1, t.last_event_seq('talk')) e;

-- as far back as the log is kept
select event_seq as kept from parley.event where message_id = t.id('m3') and kind = 'message:new' \gset
delete from parley.event where conversation_id = t.id('talk') and event_seq < :kept;
select alike(t.as_of(:kept), '%three', 'the first event that is kept');
select unalike(t.as_of(:kept - 1), '%three%', 'the state it found is known as well');
select is(
    p - 'conversation_id', jsonb_build_object('event_seq', :kept - 2, 'gap', jsonb_build_object('from', :kept - 2, 'to', :kept - 2, 'reason', 'purged')),
    'before that there is a gap, and nothing else'
) from parley_api.conversation_as_of(t.id('talk'), :kept - 2, 'too late') p;
select is((select count(*) from parley.audit_log where reason = 'too late'), 1::bigint, 'which is a look, too');

-- a picture that was sent, reacted to, changed and deleted for everyone
create function t.shown(event_seq bigint) returns jsonb language plpgsql as $$
declare
    v_old_role text := current_setting('role');
    v_old_claims text := current_setting('request.jwt.claims', true);
    v_then jsonb;
begin
    perform t.host();
    v_then := parley_api.conversation_as_of(t.id('pics'), event_seq, 'a test') #> '{messages,0}';
    perform set_config('role', v_old_role, true), set_config('request.jwt.claims', v_old_claims, true);
    return v_then;
end
$$;
-- without what is of now: the state of the file
create function t.of_then(event_seq bigint) returns jsonb language sql as $$
    select jsonb_build_object(
        'content', m -> 'content',
        'mentions', (select jsonb_agg(n.name order by n.name) from t.named n where m -> 'mentions' ? n.id::text),
        'all', m -> 'mentions_all',
        'reactions', (
            select jsonb_object_agg(r ->> 'emoji', (select string_agg(n.name, ' ' order by n.name) from t.named n where r -> 'user_ids' ? n.id::text))
            from jsonb_array_elements(m -> 'reactions') r
        ),
        'files', (select jsonb_agg(concat_ws(' ', a ->> 'file_name', a ->> 'kind', a ->> 'content_type', a ->> 'byte_size') order by n)
            from jsonb_array_elements(m -> 'attachments') with ordinality x (a, n))
    )
    from t.shown($1) m
$$;
create table t.picture (event_seq bigint primary key, seen jsonb);
grant all on t.picture, t.named to public;
create function t.see() returns void language sql as $$
    insert into t.picture select e, t.of_then(e) from t.last_event_seq('pics') e
$$;

insert into parley.tenant_member (tenant_id, user_id, role) values (t.id('none'), t.id('eve'), 'member');
select t.act('bob');
select t.keep('pics', parley_api.start_conversation(array[t.id('cid'), t.id('eve')], 'group') ->> 'id');
select t.keep('cat', parley_api.declare_attachment(t.id('pics'), 'image', 'cat.png', 'image/png', 2000, 640, 480) ->> 'id');
select t.keep('dog', parley_api.declare_attachment(t.id('pics'), 'image', 'dog.png', 'image/png', 1000, 64, 48) ->> 'id');
select t.claim('service_role', '{"role": "service_role"}');
select parley_api.record_upload(t.id('cat')) is null as uploaded, parley_api.record_upload(t.id('dog'), 3000) is null as uploaded2 \gset
select t.act('bob');
select t.keep('picture', parley_api.send_message(
    t.id('pics'), 'look', attachment_ids => array[t.id('cat'), t.id('dog')], mentions => array[t.id('cid')]) ->> 'id');
select t.see();
select t.act('cid');
select parley_api.add_reaction(t.id('picture'), '👍') is null as reacted \gset
select t.see();
select t.act('eve');
select parley_api.add_reaction(t.id('picture'), '👍') is null as reacted \gset
select t.see();
select parley_api.add_reaction(t.id('picture'), '🎉') is null as reacted \gset
select t.see();
select t.act('cid');
select parley_api.remove_reaction(t.id('picture'), '👍') is null as reacted \gset
select t.see();
select t.act('bob');
select parley_api.edit_message(t.id('picture'), 'look', mentions => array[t.id('eve'), t.id('cid')], mentions_all => true) is null as edited \gset
select t.see();
select t.act('cid');
select parley_api.add_reaction(t.id('picture'), '👍') is null as reacted \gset
select t.see();
select t.act('eve');
select parley_api.remove_reaction(t.id('picture'), '🎉') is null as reacted \gset
select t.see();
select t.act('bob');
select parley_api.edit_message(t.id('picture'), 'look here', mentions => '{}', mentions_all => false) is null as edited \gset
select t.see();
select t.last_event_seq('pics') as shown \gset
select parley_api.delete_message(t.id('picture'), true) is null as deleted \gset
select t.see();
select t.keep('answer', t.send('pics', 'so what')::text);
select parley_api.add_reaction(t.id('answer'), '👍') is null as reacted \gset
select t.host();
select is_empty(
    $$select event_seq, seen, t.of_then(event_seq) from t.picture where seen is distinct from t.of_then(event_seq)$$,
    'every event shows mentions, reactions and files as when it was the last'
);
select is((select count(distinct seen) from t.picture), 10::bigint, 'each of them another');
select is(
    t.of_then(:shown),
    '{"content": "look here", "mentions": null, "all": false, "reactions": {"👍": "cid eve"},
        "files": ["cat.png image image/png 2000", "dog.png image image/png 3000"]}',
    'of a message that was deleted since, all that it was'
);
select is(
    (select jsonb_agg(a ->> 'state') from jsonb_array_elements(t.shown(:shown) -> 'attachments') a), '["removed", "removed"]', 'its files with what has become of them'
);
select is(
    (select jsonb_agg((a ->> 'removed_at')::timestamptz) from jsonb_array_elements(t.shown(:shown) -> 'attachments') a),
    (select jsonb_agg(a.removed_at order by a.position) from parley.attachment a where a.message_id = t.id('picture')), 'and since when'
);
select is(
    t.of_then(:shown + 1), '{"content": null, "mentions": null, "all": false, "reactions": null, "files": null}', 'and nothing from its deletion on'
);
select is(
    t.shown(:shown - 3) -> 'reactions',
    jsonb_build_array(
        jsonb_build_object('emoji', '🎉', 'count', 1, 'user_ids', array[t.id('eve')]),
        jsonb_build_object('emoji', '👍', 'count', 1, 'user_ids', array[t.id('eve')])
    ), 'reactions look as everywhere'
);
select t.act('bob');
select t.keep('cow', parley_api.declare_attachment(t.id('pics'), 'image', 'cow.png', 'image/png', 2000, 640, 480) ->> 'id');
select t.claim('service_role', '{"role": "service_role"}');
select parley_api.record_upload(t.id('cow')) is null as uploaded \gset
select t.act('bob');
select t.keep('asked', parley_api.send_message(t.id('pics'), 'a cow', attachment_ids => array[t.id('cow')]) ->> 'id');
select parley_api.send_message(t.id('pics'), 'moo', reply_to_id => t.id('asked')) is null as sent \gset
select t.last_event_seq('pics') as answered \gset
select parley_api.delete_message(t.id('asked'), true) is null as deleted \gset
select t.host();
select is(
    parley_api.conversation_as_of(t.id('pics'), :answered, 'a test') #>> '{messages,3,reply_to,attachment,file_name}', 'cow.png',
    'a quote shows what it quoted, too'
);
select is(
    parley_api.conversation_as_of(t.id('pics'), :answered + 1, 'a test') #> '{messages,3,reply_to,attachment}', 'null', 'until that was deleted'
);
update parley.message set expires_at = now() - interval '1 second' where id = t.id('picture');
select is(
    t.of_then(:shown), '{"content": null, "mentions": null, "all": false, "reactions": null, "files": null}', 'one that has expired shows none of it'
);
delete from parley.event where conversation_id = t.id('pics') and event_seq <= :shown + 1;
select is(
    parley_api.conversation_as_of(t.id('pics'), :shown, 'a test') #>> '{gap,reason}', 'purged', 'nor is anything guessed where the log is gone'
);

select * from finish();
rollback;
