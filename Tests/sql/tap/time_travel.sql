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

select * from finish();
rollback;
