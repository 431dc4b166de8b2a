-- The inbox: pinned first, then recent activity, in pages that neither lose nor repeat a conversation.
begin;
select plan(106);
\ir ../people.psql
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;

create function t.inbox(cursor text default null, size integer default 50, filter text default 'all') returns text language sql as $$
    select string_agg(c ->> 'title', ' ' order by n)
    from jsonb_array_elements(parley_api.get_user_conversations(filter, cursor => $1, page_size => $2) -> 'conversations')
        with ordinality as x (c, n)
$$;

create function t.next(cursor text, size integer) returns text language sql as $$
    select parley_api.get_user_conversations(cursor => $1, page_size => $2) ->> 'next_cursor'
$$;

create function t.prev(cursor text, size integer) returns text language sql as $$
    select parley_api.get_user_conversations(cursor => $1, page_size => $2) ->> 'prev_cursor'
$$;

create function t.row_of(title text, filter text default 'all') returns jsonb language sql as $$
    select c from jsonb_array_elements(parley_api.get_user_conversations(filter) -> 'conversations') c where c ->> 'title' = $1
$$;

create function t.found(search text default null, context_type text default null, context_id text default null) returns text language sql as $$
    select string_agg(c ->> 'title', ' ' order by c ->> 'title')
    from jsonb_array_elements(
        parley_api.get_user_conversations(search => $1, context_type => $2, context_id => $3) -> 'conversations'
    ) c
$$;

select t.act('ann');
select t.keep('c' || n, parley_api.start_conversation(array[t.id('bob')], 'group', 'c' || n) ->> 'id') from generate_series(1, 7) n;
select t.keep('direct', parley_api.start_conversation(array[t.id('bob')], context_type => 'listing', context_id => '7') ->> 'id');
select t.host();
update parley.conversation c set last_activity_at = now() - interval '1 day' + n * interval '1 second'
from generate_series(1, 7) n where c.id = t.id('c' || n);
update parley.conversation c set last_activity_at = now() - interval '2 days' where c.id = t.id('direct');
update parley.conversation_profile set title = 'direct' where conversation_id = t.id('direct');

-- refused
select t.act('bob');
select t.refused('PT400', $$select parley_api.get_user_conversations('spam')$$, 'an unknown filter is refused');
select t.refused('PT400', $$select parley_api.get_user_conversations(null)$$, 'and no filter');
select t.refused('PT400', $$select parley_api.get_user_conversations(page_size => 0)$$, 'a page of nothing');
select t.refused('PT400', $$select parley_api.get_user_conversations(page_size => -1)$$, 'of less than nothing');
select t.refused('PT400', $$select parley_api.get_user_conversations(page_size => 201)$$, 'of more than 200');
select t.refused('PT400', $$select parley_api.get_user_conversations(page_size => null)$$, 'or of unknown size');
select t.refused('PT400', $$select parley_api.get_user_conversations(search => repeat('s', 201))$$, 'a search text of 201 characters');
select t.refused('PT400', $$select parley_api.get_user_conversations(cursor => '')$$, 'an empty cursor');
select t.refused('PT400', $$select parley_api.get_user_conversations(cursor => 'forged')$$, 'a made-up one');
select t.refused('PT400', $$select parley_api.get_user_conversations(cursor => encode('[true]', 'base64'))$$, 'half a one');
select t.refused('PT400', $$select parley_api.get_user_conversations(cursor => encode('[true, "x", "y"]', 'base64'))$$, 'one of the wrong things');
select t.refused('PT400', $$select parley_api.get_user_conversations(cursor => encode('[true, "1e400", "11111111-1111-4111-8111-111111111111"]', 'base64'))$$, 'one from the end of time');
select t.refused('PT400', $$select parley_api.get_user_conversations(cursor => encode('[true, "NaN", "11111111-1111-4111-8111-111111111111"]', 'base64'))$$, 'or of no time');
select t.refused('PT400', $$select parley_api.get_user_conversations(cursor => encode('\xff', 'base64'))$$, 'or of no text');
select t.refused('PT400', $$select parley_api.get_user_conversations(type => 'chat')$$, 'an unknown type');
select t.refused('PT400', $$select parley_api.get_user_conversations(cursor => encode('[true, "1", "11111111-1111-4111-8111-111111111111", 7]', 'base64'))$$, 'and a cursor to nowhere');
select t.act('eve');
select is(parley_api.get_user_conversations(), '{"conversations": [], "next_cursor": null, "prev_cursor": null}', 'a stranger has an empty inbox');

-- order and pages
select t.act('bob');
select is(t.inbox(), 'c7 c6 c5 c4 c3 c2 c1 direct', 'the most recent comes first');
select parley_api.update_participant_settings(t.id('c2'), pin => true) is null as pinned \gset
select parley_api.update_participant_settings(t.id('c4'), pin => true) is null as pinned \gset
select is(t.inbox(), 'c4 c2 c7 c6 c5 c3 c1 direct', 'pinned ones before all others');
select t.act('ann');
select is(t.inbox(), 'c7 c6 c5 c4 c3 c2 c1 direct', 'for who pinned them');
select t.send('c1', 'news') is not null as sent \gset
select t.act('bob');
select is(t.inbox(), 'c4 c2 c1 c7 c6 c5 c3 direct', 'a message moves its conversation up');
select is(t.inbox(null, 3), 'c4 c2 c1', 'a page has as many as asked for');
select is(t.inbox(t.next(null, 3), 3), 'c7 c6 c5', 'the next one goes on from there');
select is(t.inbox(t.next(t.next(null, 3), 3), 3), 'c3 direct', 'and so does the one after it');
select is(t.next(t.next(t.next(null, 3), 3), 3), null, 'the last one says so');
select is(t.inbox(t.next(null, 1), 50), 'c2 c1 c7 c6 c5 c3 direct', 'a cursor stands between any two');
select is(t.next(null, 8), null, 'a page that holds all is the last');
select is(t.inbox(t.next(null, 2), 2), 'c1 c7', 'the pinned ones end where they end');
select t.host();
update parley.conversation set last_activity_at = now() - interval '3 hours';
select t.act('bob');
with recursive pages (n, titles, cursor) as (
    select 1, t.inbox(null, 1), t.next(null, 1)
    union all
    select n + 1, t.inbox(cursor, 1), t.next(cursor, 1) from pages where cursor is not null and n < 20
)
select is((select array[count(*), count(distinct titles)] from pages), '{8,8}', 'the same moment for all loses none and repeats none');
select t.next(null, 3) as cursor \gset
select parley_api.update_participant_settings(t.id('c2'), pin => false) is null as unpinned \gset
select t.act('ann');
select t.send('c3', 'news') is not null as sent \gset
select t.act('bob');
select cmp_ok(length(t.inbox(:'cursor', 50)), '>', 0, 'a cursor stays good while the inbox changes');


-- back again
select is(t.prev(null, 3), null, 'before the first page there is none');
select is(t.inbox(t.prev(t.next(null, 3), 3), 3), t.inbox(null, 3), 'before the second is the first');
select is(t.prev(t.prev(t.next(null, 3), 3), 3), null, 'which says so');
select is(t.next(t.prev(t.next(null, 3), 3), 3), t.next(null, 3), 'and leads on again');
select is(
    t.inbox(t.prev(t.next(t.next(null, 3), 3), 3), 3), t.inbox(t.next(null, 3), 3), 'before the third is the second'
);
select is(t.inbox(t.prev(t.next(t.next(null, 3), 3), 3), 2), (select string_agg(w, ' ' order by n) from (
    select w, n from regexp_split_to_table(t.inbox(null, 6), ' ') with ordinality x (w, n) order by n desc limit 2) y), 'its end, if it is shorter');
with recursive forth (n, titles, cursor) as (
    select 1, t.inbox(null, 2), null
    union all
    select n + 1, t.inbox(t.next(cursor, 2), 2), t.next(cursor, 2) from forth where t.next(cursor, 2) is not null and n < 20
),
back (n, titles, cursor) as (
    select n, titles, cursor from (select n, titles, cursor from forth order by n desc limit 1) l
    union all
    select n - 1, t.inbox(t.prev(cursor, 2), 2), t.prev(cursor, 2) from back where t.prev(cursor, 2) is not null and n > -20
)
select is((select array_agg(titles order by n) from back), (select array_agg(titles order by n) from forth), 'all the way back is all the way forth');
select t.inbox(null, 3) as first, t.prev(t.next(null, 3), 3) as back \gset
select t.host();
update parley.participant set archived_at = now() where user_id = t.id('bob') and conversation_id in (select t.id(w) from regexp_split_to_table(:'first', ' ') w);
select t.act('bob');
select is(t.inbox(:'back', 3), null, 'when all before is gone the page is empty');
select is(t.inbox(t.next(:'back', 3), 50), t.inbox(), 'and leads to what is left, all of it');
select t.host();
update parley.participant set archived_at = null where user_id = t.id('bob');
select t.act('bob');

-- filters
select parley_api.mark_as_read(c.id) is null as marked from parley_api.conversations c \g /dev/null
select is(t.inbox(filter => 'unread'), null, 'nothing is unread');
select t.act('ann');
select t.send('c5', 'one') is not null as sent \gset
select t.act('bob');
select is(t.inbox(filter => 'unread'), 'c5', 'until there is a message');
select parley_api.mark_as_unread(t.id('c6')) is null as marked \gset
select is(t.inbox(filter => 'unread'), 'c5 c6', 'or a conversation is marked');
select t.send('c7', 'own') is not null as sent \gset
select is(t.inbox(filter => 'unread'), 'c5 c6', 'an own message is not unread');
select parley_api.update_participant_settings(t.id('c5'), archive => true) is null as archived \gset
select is(t.inbox(filter => 'archived'), 'c5', 'what is archived is in the archive');
select unalike(t.inbox(), '%c5%', 'and not in the inbox');
select is(t.inbox(filter => 'unread'), 'c6', 'nor among the unread');
select t.act('ann');
select is(t.inbox(filter => 'archived'), null, 'for who archived it only');

-- search and context
select is(t.found(search => 'C7'), 'c7', 'search finds titles in any case');
select is(t.found(search => '%'), null, 'a percent sign is a percent sign');
select is(t.found(search => '_'), null, 'an underscore an underscore');
select is(t.found(search => '\'), null, 'and a backslash a backslash');
select is(t.found(search => 'bob'), 'c1 c2 c3 c4 c5 c6 c7 direct', 'search finds the others by name');
select is(t.found(search => 'ann'), null, 'not oneself');
select is(t.found(search => '  '), 'c1 c2 c3 c4 c5 c6 c7 direct', 'blanks are no search');
select is(t.found(context_type => 'listing'), 'direct', 'a kind of context');
select is(t.found(context_type => 'listing', context_id => '7'), 'direct', 'and one of it');
select is(t.found(context_type => 'listing', context_id => '8'), null, 'and not another');

select t.act('bob');
select is((select count(*) from jsonb_array_elements(parley_api.get_user_conversations(type => 'direct') -> 'conversations')), 1::bigint, 'a type');
select is(t.row_of('direct') -> 'counterpart' ->> 'display_name', 'Ann', 'a direct one names who is on the other side');
select is(t.row_of('c7') -> 'counterpart', 'null', 'which a group has not');

-- requests, and what was deleted for oneself
select t.host();
update parley.participant set folder = 'requests' where conversation_id = t.id('c1') and user_id = t.id('bob');
select t.act('bob');
select is(t.inbox(filter => 'requests'), 'c1', 'requests are apart');
select is(t.row_of('c1'), null, 'not in the inbox');
select t.act('ann');
select t.send('c1', 'please') is not null as sent \gset
select t.act('bob');
select is(t.inbox(filter => 'unread') like '%c1%', false, 'nor among the unread');
select is(t.row_of('c1', 'requests') -> 'unread_count', '1', 'where they are unread');
select is(t.row_of('c1', 'requests') -> 'me' ->> 'folder', 'requests', 'and say what they are');
select parley_api.update_participant_settings(t.id('c1'), archive => true) is null as archived \gset
select is(t.inbox(filter => 'archived') like '%c1%', false, 'an archived request is in no archive');
select is(t.row_of('c1', 'requests') is not null, true, 'but still a request');
select parley_api.update_participant_settings(t.id('c1'), archive => false) is null as archived \gset
select t.act('ann');
select is(t.inbox(filter => 'requests'), null, 'others have none');
select is(t.row_of('c1') is not null, true, 'for whom it is in the inbox');
select t.host();
update parley.participant set folder = 'inbox' where conversation_id = t.id('c1') and user_id = t.id('bob');
select t.act('bob');
select parley_api.delete_conversation(t.id('c1')) is null as deleted \gset
select is(t.row_of('c1'), null, 'what was deleted for oneself is gone');
select is(t.row_of('c1', 'unread'), null, 'from every list');
select t.act('ann');
select is(t.row_of('c1') is not null, true, 'but not for others');
select t.send('c1', 'still there?') is not null as sent \gset
select t.act('bob');
select is(t.row_of('c1') #>> '{last_message,content}', 'still there?', 'until there is something new');
select is(t.row_of('c1') -> 'unread_count', '1', 'which alone is unread');

-- previews
select t.act('ann');
select t.keep('long', parley_api.send_message(t.id('c1'), repeat('long ', 500), mentions => array[t.id('bob')]) ->> 'id');
select t.act('bob');
select is(t.row_of('c1') -> 'mention_count', '1', 'mentions are counted');
select is(length(t.row_of('c1') #>> '{last_message,content}'), 200, 'a preview is short');
select parley_api.save_draft(t.id('c1'), 'well') is null as saved \gset
select is(t.row_of('c1') -> 'draft' ->> 'content', 'well', 'what one has begun to write is there');
select t.act('ann');
select is(t.row_of('c1') -> 'draft', 'null', 'for nobody else');
select is(t.row_of('c1') #>> '{last_message,status}', 'sent', 'the sender sees what became of the last message');
select t.act('bob');
select parley_api.mark_as_delivered(t.id('c1')) is null as delivered \gset
select t.act('ann');
select is(t.row_of('c1') #>> '{last_message,status}', 'delivered', 'delivered');
select t.act('bob');
select parley_api.mark_as_read(t.id('c1')) is null as read \gset
select t.act('ann');
select is(t.row_of('c1') #>> '{last_message,status}', 'read', 'or read');
select parley_api.delete_message(t.id('long'), true) is null as deleted \gset
select t.act('bob');
select is(t.row_of('c1') -> 'last_message' -> 'content', 'null', 'one that was deleted says nothing');
select is(t.row_of('c1') -> 'last_message' ->> 'deleted_at' is not null, true, 'but that it was');
select t.act('ann');
select t.keep('fleeting', t.send('c1', 'fleeting')::text);
select t.host();
update parley.message set expires_at = now() where id = t.id('fleeting');
select t.act('bob');
select is(t.row_of('c1') #>> '{last_message,id}', t.id('long')::text, 'and one that has expired is not shown');
select parley_api.delete_conversation(t.id('c1')) is null as deleted \gset

-- what it shows
select t.act('bob');
select parley_api.get_user_conversations('archived') #> '{conversations,0}' as shown \gset
select is(:'shown'::jsonb -> 'unread_count', '1', 'with the unread count');
select is(:'shown'::jsonb #>> '{last_message,content}', 'one', 'the last message');
select is(jsonb_array_length(:'shown'::jsonb -> 'participants'), 2, 'the participants');
select is(:'shown'::jsonb -> 'me' -> 'last_read_seq', '0', 'and the caller''s own state');
select t.keep('message', :'shown'::jsonb #>> '{last_message,id}');
select parley_api.delete_message(t.id('message')) is null as hidden \gset
select is(
    parley_api.get_user_conversations('archived') #> '{conversations,0,last_message}', 'null', 'what the caller has hidden is not the last message'
);
select t.act('ann');
select t.keep('crowd', parley_api.start_conversation(array[t.id('bob'), t.id('cid'), t.id('dan')], 'group', 'crowd') ->> 'id');
select t.host();
insert into parley.account (id, tier_name) select gen_random_uuid(), 'free' from generate_series(1, 20);
insert into parley.participant (conversation_id, user_id) select t.id('crowd'), a.id from parley.account a on conflict do nothing;
select t.act('ann');
select is(
    (select jsonb_build_array(c -> 'participant_count', jsonb_array_length(c -> 'participants'))
     from jsonb_array_elements(parley_api.get_user_conversations() -> 'conversations') c where c ->> 'id' = t.id('crowd')::text),
    '[25, 8]', 'of a large group the first eight, and how many there are'
);

-- the last message is shown as the history shows it
select t.host();
create function t.preview(key text) returns text language sql as $$
    select c -> 'last_message' ->> key
    from jsonb_array_elements(parley_api.get_user_conversations() -> 'conversations') c where c ->> 'id' = t.id('direct')::text
$$;
select t.act('ann');
select t.keep('asked', t.send('direct', 'are you there?')::text);
select is(t.preview('status'), 'sent', 'an own message is sent');
select t.act('bob');
select parley_api.mark_as_read(t.id('direct')) is null as marked \gset
select is(t.preview('status'), 'sent', 'for who has read it, it has no other state');
select t.act('ann');
select is(t.preview('status'), 'read', 'for its sender it is read');
select t.act('bob');
select parley_api.send_message(t.id('direct'), 'yes', reply_to_id => t.id('asked')) is null as sent \gset
select t.act('ann');
select parley_api.delete_message(t.id('asked')) is null as hidden \gset
select is(t.preview('reply_to'), null, 'and an answer quotes nothing that the viewer has hidden');

-- one user can be customer here and artist there
select t.host();
create function t.as_role(app_role text) returns text language sql as $$
    select c ->> 'id' from jsonb_array_elements(parley_api.get_user_conversations(app_role => $1) -> 'conversations') c
$$;
select t.act('bob');
select t.keep('paints', parley_api.start_conversation(
    array[t.id('cid')], context_type => 'booking', context_id => '1', app_roles => format('{"%s": "artist", "%s": "customer"}', t.id('bob'), t.id('cid'))::jsonb
) ->> 'id');
select t.keep('is painted', parley_api.start_conversation(
    array[t.id('cid')], context_type => 'booking', context_id => '2', app_roles => format('{"%s": "customer", "%s": "artist"}', t.id('bob'), t.id('cid'))::jsonb
) ->> 'id');
select is(t.as_role('artist'), t.id('paints')::text, 'the inbox of somebody in one of their roles');
select is(t.as_role('customer'), t.id('is painted')::text, 'and in the other');
select is(t.as_role('seller'), null, 'and in none');
select t.act('cid');
select is(t.as_role('artist'), t.id('is painted')::text, 'the role is the caller''s own');
select t.send('paints', 'when?') is not null as sent \gset
select t.act('bob');
select is(
    (
        select sum((c ->> 'unread_count')::bigint)
        from jsonb_array_elements(parley_api.get_unread_counts() -> 'conversations') c
        where c ->> 'app_role' = 'artist'
    ),
    1::numeric, 'unread counts name the role, too'
);

-- a page is bounded by bytes, too
select t.host();
select t.act('ann');
create temporary table large on commit drop as
select parley_api.start_conversation(array[t.id('cid'), t.id('dan')], 'group', title => 'g' || n) ->> 'id' as id from generate_series(1, 150) as n;
select t.host();
select count(
    parley.write_message(t.id('ann'), id::uuid, repeat('x', 201), metadata => jsonb_build_object('a', repeat('x', 8000)))
) as sent from large \gset
create function t.all_pages(key text, cursor text, out pages integer, out ids text[], out most bigint, out last text) language plpgsql as $$
declare
    v_page jsonb;
begin
    pages := 0;
    most := 0;
    ids := '{}';
    loop
        v_page := parley_api.get_user_conversations(cursor => all_pages.cursor, page_size => 200);
        pages := pages + 1;
        most := greatest(most, octet_length(v_page::text));
        ids := ids || array(select c ->> 'id' from jsonb_array_elements(v_page -> 'conversations') as c);
        last := coalesce(v_page ->> 'prev_cursor', last);
        all_pages.cursor := v_page ->> all_pages.key;
        exit when all_pages.cursor is null or pages > 20;
    end loop;
end
$$;
-- weighing the page is no second making of it
select t.host();
set local track_functions = 'all';
select t.act('bob');
select jsonb_array_length(parley_api.get_user_conversations(page_size => 3) -> 'conversations') as rows \gset
select t.host();
select is(pg_stat_get_xact_function_calls('parley.inbox_row'::regproc), :rows::bigint, 'each row of a page is made once');
reset track_functions;
select t.act('ann');
select pages, cardinality(ids) as found, (select count(distinct i) from unnest(ids) as i) as distinct_ids, most, last
from t.all_pages('next_cursor', null) \gset there_
select cmp_ok(:there_most, '<', 1300000, 'a page of large previews is bounded by bytes');
select cmp_ok(:there_pages, '>', 1, 'and has a cursor to go on from');
select is(:there_found, :there_distinct_ids, 'pages repeat no conversation');
select is(t.look(format('select %s = count(*) from parley.participant where user_id = %L and left_at is null', :there_found, t.id('ann'))), 'true', 'nor lose one');
select is(
    (select count(*) from unnest((select p.ids from t.all_pages('prev_cursor', :'there_last') as p)) as i) >= 1, true,
    'on the way back, too, a page has what fits'
);
select is(
    (select c -> 'last_message' -> 'is_cut' from jsonb_array_elements(parley_api.get_user_conversations(page_size => 1) -> 'conversations') as c),
    'true', 'a preview says that it was cut'
);

select * from finish();
rollback;
