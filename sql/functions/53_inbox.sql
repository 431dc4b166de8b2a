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
begin
    return (
        select
            parley.message_json(
                m, '[]', parley.message_status(m, last_visible_message.user_id),
                last_visible_message.user_id, last_visible_message.from_seq, last_visible_message.floor_id
            )
        from parley.message_page(
            last_visible_message.conversation_id, last_visible_message.user_id, last_visible_message.floor_id,
            last_visible_message.from_seq, last_visible_message.to_seq, true, 1
        ) as m
    );
end;
$$;
comment on function parley.last_visible_message(uuid, uuid, bigint, bigint, uuid) is
'The newest message of a conversation the user may see, for previews (without reactions).';
revoke all on function parley.last_visible_message(uuid, uuid, bigint, bigint, uuid) from public;

create or replace function parley.encode_inbox_cursor(pinned boolean, last_activity_at timestamptz, id uuid)
returns text
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select translate(
        encode(
            convert_to(
                jsonb_build_array(pinned, extract(epoch from last_activity_at)::text, id)::text, 'UTF8'
            ),
            'base64'
        ),
        E'+/=\n', '-_'
    )
$$;
comment on function parley.encode_inbox_cursor(boolean, timestamptz, uuid) is 'Position in the inbox as opaque text.';
revoke all on function parley.encode_inbox_cursor(boolean, timestamptz, uuid) from public;

create or replace function parley.decode_inbox_cursor(
    in cursor text, out pinned boolean, out last_activity_at timestamptz, out id uuid
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
    exception
        when others then
            v_parts := null;
    end;
    if v_parts is null or pinned is null or last_activity_at is null or id is null then
        raise exception using
            errcode = 'PT400',
            message = 'The cursor is not valid.',
            hint = 'Pass next_cursor as it was returned.';
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

create or replace function parley.get_user_conversations(
    filter text default 'all',
    search text default null,
    context_type text default null,
    context_id text default null,
    cursor text default null,
    page_size integer default 50
)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.require_caller();
    v_page_size integer := parley.require_page_size(get_user_conversations.page_size);
    v_after record;
    v_pattern text;
    v_floor_id uuid := parley.message_floor_of(v_user_id);
    v_conversations jsonb;
    v_next_cursor text;
begin
    if filter is null or filter not in ('all', 'unread', 'archived') then
        raise exception using errcode = 'PT400', message = 'filter must be all, unread or archived.';
    end if;
    if char_length(search) > 200 then
        raise exception using errcode = 'PT400', message = 'search may have at most 200 characters.';
    end if;
    if search ~ '\S' then
        v_pattern := '%' || replace(replace(replace(search, '\', '\\'), '%', '\%'), '_', '\_') || '%';
    end if;
    v_after := parley.decode_inbox_cursor(get_user_conversations.cursor);

    with page as (
        -- one more than asked for tells whether there is a next page
        select
            p.conversation_id,
            p.pinned_at is not null as pinned,
            c.last_activity_at,
            p.history_from_seq,
            c.last_seq,
            row_number() over (order by (p.pinned_at is not null) desc, c.last_activity_at desc, c.id desc) as n
        from parley.participant as p
        inner join parley.conversation as c on p.conversation_id = c.id
        inner join parley.conversation_profile as cp on p.conversation_id = cp.conversation_id
        where p.user_id = v_user_id
            and p.left_at is null
            and (p.archived_at is not null) = (filter = 'archived')
            and (
                filter <> 'unread'
                or p.marked_unread
                or (c.last_seq > p.last_read_seq and parley.unread_count(p, c.last_seq, v_floor_id) > 0)
            )
            and (get_user_conversations.context_type is null or cp.context_type = get_user_conversations.context_type)
            and (get_user_conversations.context_id is null or cp.context_id = get_user_conversations.context_id)
            and (v_pattern is null or parley.matches_search(c.id, cp.title, v_pattern, v_user_id))
            and (
                v_after.id is null
                or ((p.pinned_at is not null), c.last_activity_at, c.id)
                < (v_after.pinned, v_after.last_activity_at, v_after.id)
            )
        order by (p.pinned_at is not null) desc, c.last_activity_at desc, c.id desc
        limit v_page_size + 1
    )

    select
        coalesce(
            jsonb_agg(
                parley.conversation_json(page.conversation_id, v_user_id, 8, v_floor_id)
                || jsonb_build_object(
                    'last_message',
                    parley.last_visible_message(
                        page.conversation_id, v_user_id, page.history_from_seq, page.last_seq, v_floor_id
                    )
                )
                order by page.n
            ) filter (where page.n <= v_page_size),
            '[]'
        ),
        case
            when count(*) > v_page_size
                then max(
                    parley.encode_inbox_cursor(page.pinned, page.last_activity_at, page.conversation_id)
                ) filter (where page.n = v_page_size)
        end
    into v_conversations, v_next_cursor
    from page;
    return jsonb_build_object('conversations', v_conversations, 'next_cursor', v_next_cursor);
end;
$$;
comment on function parley.get_user_conversations(text, text, text, text, text, integer) is
'The caller''s inbox: pinned first, then recent activity, with unread counts, the first participants and the last message.';
revoke all on function parley.get_user_conversations(text, text, text, text, text, integer) from public;
grant execute on function parley.get_user_conversations(text, text, text, text, text, integer) to authenticated;
