-- Reading: the inbox and the history of a conversation. Both page by key, never by offset.

create or replace function parley.require_page_size(page_size integer)
returns integer
language plpgsql
immutable
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if page_size is null or page_size not between 1 and 200 then
        raise exception using errcode = 'PT400', message = 'page_size must be between 1 and 200.';
    end if;
    return page_size;
end;
$$;
comment on function parley.require_page_size(integer) is 'A page size of 1 to 200, or PT400.';
revoke all on function parley.require_page_size(integer) from public;

create or replace function parley.message_status(message parley.message, user_id uuid)
returns text
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if message.sender_id is distinct from message_status.user_id then
        return 'sent';
    end if;
    return (
        select
            case
                when message.seq <= min(case when a.read_receipts then p.last_read_seq else 0 end) then 'read'
                when message.seq <= min(p.last_delivered_seq) then 'delivered'
                else 'sent'
            end
        from parley.participant as p
        inner join parley.account as a on p.user_id = a.id
        where p.conversation_id = message.conversation_id
            and p.user_id <> message_status.user_id
            and p.left_at is null
    );
end;
$$;
comment on function parley.message_status(parley.message, uuid) is
'How far a message has got, as the user sees it: read or delivered when it was with everybody else; of others'' messages always sent.';
revoke all on function parley.message_status(parley.message, uuid) from public;

create or replace function parley.last_visible_message(
    conversation_id uuid, user_id uuid, from_seq bigint, to_seq bigint, floor_id uuid
)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_message parley.message;
begin
    select m.* into v_message
    from parley.message_page(
        last_visible_message.conversation_id, last_visible_message.user_id, last_visible_message.floor_id,
        last_visible_message.from_seq, last_visible_message.to_seq, true, 1
    ) as m;
    if not found then
        return null;
    end if;
    -- a preview: nobody reads thousands of characters in a list
    v_message.content := left(v_message.content, 200);
    return parley.message_json(
        v_message,
        '[]',
        parley.message_status(v_message, last_visible_message.user_id),
        last_visible_message.user_id,
        last_visible_message.from_seq,
        last_visible_message.floor_id
    );
end;
$$;
comment on function parley.last_visible_message(uuid, uuid, bigint, bigint, uuid) is
'The newest message of a conversation the user may see, for previews: the first 200 characters, without reactions.';
revoke all on function parley.last_visible_message(uuid, uuid, bigint, bigint, uuid) from public;

create or replace function parley.encode_inbox_cursor(
    pinned boolean, last_activity_at timestamptz, id uuid, is_backward boolean default false
)
returns text
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select translate(
        encode(
            convert_to(
                jsonb_build_array(pinned, extract(epoch from last_activity_at)::text, id, is_backward)::text, 'UTF8'
            ),
            'base64'
        ),
        E'+/=\n', '-_'
    )
$$;
comment on function parley.encode_inbox_cursor(boolean, timestamptz, uuid, boolean) is
'Position in the inbox, and the direction to go from there, as opaque text.';
revoke all on function parley.encode_inbox_cursor(boolean, timestamptz, uuid, boolean) from public;

create or replace function parley.decode_inbox_cursor(
    in cursor text,
    out pinned boolean,
    out last_activity_at timestamptz,
    out id uuid,
    out is_backward boolean
)
language plpgsql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_parts jsonb;
    v_base64 text := translate(cursor, '-_', '+/');
begin
    is_backward := false;
    if cursor is null then
        return;
    end if;
    begin
        v_base64 := v_base64 || repeat('=', (4 - length(v_base64) % 4) % 4);
        v_parts := convert_from(decode(v_base64, 'base64'), 'UTF8')::jsonb;
        pinned := (v_parts ->> 0)::boolean;
        -- seconds and microseconds apart: a double would lose the last digit
        last_activity_at := timestamptz 'epoch'
            + make_interval(secs => trunc((v_parts ->> 1)::numeric)::double precision)
            + ((v_parts ->> 1)::numeric % 1 * 1000000)::integer * interval '1 microsecond';
        id := (v_parts ->> 2)::uuid;
        is_backward := (v_parts ->> 3)::boolean;
    exception
        when others then
            v_parts := null;
    end;
    if v_parts is null or num_nulls(pinned, last_activity_at, id, is_backward) > 0 then
        raise exception using
            errcode = 'PT400',
            message = 'The cursor is not valid.',
            hint = 'Pass next_cursor or prev_cursor as it was returned.';
    end if;
end;
$$;
comment on function parley.decode_inbox_cursor(text) is 'Reads what encode_inbox_cursor wrote; PT400 for anything else.';
revoke all on function parley.decode_inbox_cursor(text) from public;

create or replace function parley.matches_search(conversation_id uuid, title text, pattern text, user_id uuid)
returns boolean
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return (
        select
            title ilike pattern
            or exists (
                select from parley.participant as p
                inner join parley.account as a on p.user_id = a.id
                where
                    p.conversation_id = matches_search.conversation_id
                    and p.user_id <> matches_search.user_id
                    and p.left_at is null
                    and a.deleted_at is null
                    and a.display_name ilike matches_search.pattern
            )
    );
end;
$$;
comment on function parley.matches_search(uuid, text, text, uuid) is
'True if the title, or the name of another participant, is like the pattern.';
revoke all on function parley.matches_search(uuid, text, text, uuid) from public;

create or replace function parley.inbox_row(
    conversation_id uuid, user_id uuid, from_seq bigint, last_seq bigint, floor_id uuid
)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_row jsonb := parley.conversation_json(inbox_row.conversation_id, inbox_row.user_id, 8, inbox_row.floor_id);
begin
    return v_row || jsonb_build_object(
        'last_message', parley.last_visible_message(
            inbox_row.conversation_id, inbox_row.user_id, inbox_row.from_seq, inbox_row.last_seq, inbox_row.floor_id
        ),
        'draft', parley.draft(inbox_row.conversation_id, inbox_row.user_id),
        -- who is on the other side, where there is one such
        'counterpart', case
            when v_row ->> 'type' = 'direct'
                then (
                    select p.participant
                    from jsonb_array_elements(v_row -> 'participants') as p (participant)
                    where p.participant ->> 'user_id' <> inbox_row.user_id::text
                    limit 1
                )
        end
    );
end;
$$;
comment on function parley.inbox_row(uuid, uuid, bigint, bigint, uuid) is
'A conversation as the inbox shows it: with its first participants, the last message, and what the user has begun to write.';
revoke all on function parley.inbox_row(uuid, uuid, bigint, bigint, uuid) from public;

create or replace function parley.get_user_conversations(
    filter text default 'all',
    search text default null,
    context_type text default null,
    context_id text default null,
    cursor text default null,
    page_size integer default 50,
    type text default null,
    app_role text default null
)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.require_caller();
    v_page_size integer := parley.require_page_size(get_user_conversations.page_size);
    v_place record;
    v_pattern text;
    v_by_profile boolean := num_nonnulls(
        get_user_conversations.context_type, get_user_conversations.context_id, get_user_conversations.type
    ) > 0;
    v_floor_id uuid := parley.message_floor_of(v_user_id);
    v_page record;
    v_has_more boolean;
begin
    if filter is null or filter not in ('all', 'unread', 'archived', 'requests') then
        raise exception using errcode = 'PT400', message = 'filter must be all, unread, archived or requests.';
    end if;
    if get_user_conversations.type not in ('direct', 'group', 'project', 'support', 'announcement') then
        raise exception using
            errcode = 'PT400',
            message = 'type must be direct, group, project, support or announcement.';
    end if;
    if char_length(search) > 200 then
        raise exception using errcode = 'PT400', message = 'search may have at most 200 characters.';
    end if;
    if search ~ '\S' then
        v_pattern := '%' || replace(replace(replace(search, '\', '\\'), '%', '\%'), '_', '\_') || '%';
        v_by_profile := true;
    end if;
    v_place := parley.decode_inbox_cursor(get_user_conversations.cursor);

    -- The user's own rows by index, each conversation by its key, sorted in memory: no index on what a send updates.
    -- Only the rows of the page are then looked into.
    with mine as materialized (
        select
            p.conversation_id,
            p.pinned_at is not null as pinned,
            c.last_activity_at,
            p.history_from_seq,
            c.last_seq
        from parley.participant as p
        inner join parley.conversation as c on p.conversation_id = c.id
        where p.user_id = v_user_id
            and p.left_at is null
            and (p.folder = 'requests') = (filter = 'requests')
            and (filter = 'requests' or (p.archived_at is not null) = (filter = 'archived'))
            -- deleted for oneself, and nothing since
            and p.deleted_seq is distinct from c.last_seq
            -- one user can be customer here and artist there
            and (get_user_conversations.app_role is null or p.app_role = get_user_conversations.app_role)
            and (
                v_place.id is null
                or case
                    when v_place.is_backward
                        then (p.pinned_at is not null, c.last_activity_at, c.id)
                            > (v_place.pinned, v_place.last_activity_at, v_place.id)
                    else (p.pinned_at is not null, c.last_activity_at, c.id)
                        < (v_place.pinned, v_place.last_activity_at, v_place.id)
                end
            )
            and (
                not v_by_profile
                or exists (
                    select from parley.conversation_profile as cp
                    where cp.conversation_id = c.id
                        and cp.type = coalesce(get_user_conversations.type, cp.type)
                        -- any of the things it is about, of which the thread of a pair has many
                        and (
                            coalesce(get_user_conversations.context_type, get_user_conversations.context_id) is null
                            or exists (
                                select from parley.conversation_context as x
                                where x.conversation_id = c.id
                                    and x.context_type = coalesce(get_user_conversations.context_type, x.context_type)
                                    and x.context_id = coalesce(get_user_conversations.context_id, x.context_id)
                            )
                        )
                        and (v_pattern is null or parley.matches_search(c.id, cp.title, v_pattern, v_user_id))
                )
            )
            and (
                filter <> 'unread'
                or p.marked_unread
                or (c.last_seq > p.last_read_seq and parley.unread_count(p, c.last_seq, v_floor_id) > 0)
            )
    ),
    -- one more than asked for tells whether there is more in that direction
    near as (
        (
            select m.*, row_number() over (order by m.pinned desc, m.last_activity_at desc, m.conversation_id desc) as n
            from mine as m
            where not v_place.is_backward
            order by m.pinned desc, m.last_activity_at desc, m.conversation_id desc
            limit v_page_size + 1
        )
        union all
        (
            select m.*, row_number() over (order by m.pinned, m.last_activity_at, m.conversation_id) as n
            from mine as m
            where v_place.is_backward
            order by m.pinned, m.last_activity_at, m.conversation_id
            limit v_page_size + 1
        )
    )
    select
        coalesce(
            jsonb_agg(
                parley.inbox_row(r.conversation_id, v_user_id, r.history_from_seq, r.last_seq, v_floor_id)
                order by r.pinned desc, r.last_activity_at desc, r.conversation_id desc
            ) filter (where r.n <= v_page_size),
            '[]'
        ) as conversations,
        count(*) as found,
        (array_agg(
            parley.encode_inbox_cursor(r.pinned, r.last_activity_at, r.conversation_id, true)
            order by r.pinned desc, r.last_activity_at desc, r.conversation_id desc
        ) filter (where r.n <= v_page_size))[1] as before_first,
        (array_agg(
            parley.encode_inbox_cursor(r.pinned, r.last_activity_at, r.conversation_id, false)
            order by r.pinned, r.last_activity_at, r.conversation_id
        ) filter (where r.n <= v_page_size))[1] as after_last
    into v_page
    from near as r;
    v_has_more := v_page.found > v_page_size;
    return jsonb_build_object(
        'conversations', v_page.conversations,
        -- on the side one comes from there is always a page to go back to
        'next_cursor', case
            when v_place.is_backward
                then coalesce(
                    v_page.after_last,
                    -- all before it is gone: from here, and here included
                    parley.encode_inbox_cursor(
                        v_place.pinned, v_place.last_activity_at + interval '1 microsecond', v_place.id, false
                    )
                )
            when v_has_more then v_page.after_last
        end,
        'prev_cursor', case
            when v_place.is_backward then case when v_has_more then v_page.before_first end
            when v_place.id is not null
                then coalesce(
                    v_page.before_first,
                    parley.encode_inbox_cursor(
                        v_place.pinned, v_place.last_activity_at - interval '1 microsecond', v_place.id, true
                    )
                )
        end
    );
end;
$$;
comment on function parley.get_user_conversations(text, text, text, text, text, integer, text, text) is
'The caller''s inbox: pinned first, then recent activity, with unread counts, the first participants, the last message and the draft. Without requests, the archive, and what was deleted for oneself, unless asked for; with app_role only where the caller has that role.';
revoke all on function parley.get_user_conversations(text, text, text, text, text, integer, text, text) from public;
grant execute on function parley.get_user_conversations(text, text, text, text, text, integer, text, text)
to authenticated;
