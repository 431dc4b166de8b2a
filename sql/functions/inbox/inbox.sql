-- The inbox of a user, by key and never by offset: pinned first, then by activity.

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
language plpgsql stable security definer
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
    v_folded text;
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
    if parley.shows_something(search) then
        v_folded := parley.fold_name(search);
        v_by_profile := true;
    end if;
    v_place := parley.decode_inbox_cursor(get_user_conversations.cursor);

    -- The user's own rows by index, each conversation by its key, sorted in memory: no index on what a send updates.
    -- Only the rows of the page are then looked into.
    with mine as materialized (
        select
            p.conversation_id,
            p.pinned_at is not null as pinned,
            a.last_activity_at,
            p.history_from_seq,
            c.last_seq
        from parley.participant as p
        inner join parley.conversation as c on p.conversation_id = c.id
        -- where all that came since is hidden from the user
        cross join lateral (select coalesce(p.quiet_since, c.last_activity_at) as last_activity_at) as a
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
                        then (p.pinned_at is not null, a.last_activity_at, c.id)
                            > (v_place.pinned, v_place.last_activity_at, v_place.id)
                    else (p.pinned_at is not null, a.last_activity_at, c.id)
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
                        and (v_folded is null or parley.matches_search(c.id, cp.title, v_folded, btrim(search), v_user_id))
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
            select
                m.conversation_id,
                m.pinned,
                m.last_activity_at,
                m.history_from_seq,
                m.last_seq,
                row_number() over (order by m.pinned desc, m.last_activity_at desc, m.conversation_id desc) as n
            from mine as m
            where not v_place.is_backward
            order by m.pinned desc, m.last_activity_at desc, m.conversation_id desc
            limit v_page_size + 1
        )
        union all
        (
            select
                m.conversation_id,
                m.pinned,
                m.last_activity_at,
                m.history_from_seq,
                m.last_seq,
                row_number() over (order by m.pinned, m.last_activity_at, m.conversation_id) as n
            from mine as m
            where v_place.is_backward
            order by m.pinned, m.last_activity_at, m.conversation_id
            limit v_page_size + 1
        )
    ),
    -- materialized: each row is made once, although its size and its text are asked for
    seen as materialized (
        select
            e.*,
            case
                when e.n <= v_page_size
                    then parley.inbox_row(e.conversation_id, v_user_id, e.history_from_seq, e.last_seq, v_floor_id)
            end as inbox_row
        from near as e
    ),
    page as materialized (
        select
            s.*,
            s.n <= v_page_size
            -- one at least, whatever its size
            and (s.n = 1 or sum(pg_column_size(s.inbox_row)) over (order by s.n) <= parley.page_bytes()) as is_fitting
        from seen as s
    )
    select
        coalesce(
            jsonb_agg(r.inbox_row order by r.pinned desc, r.last_activity_at desc, r.conversation_id desc)
            filter (where r.is_fitting),
            '[]'
        ) as conversations,
        count(*) > count(*) filter (where r.is_fitting) as has_more,
        (
            select parley.encode_inbox_cursor(f.pinned, f.last_activity_at, f.conversation_id, true)
            from page as f
            where f.is_fitting
            order by f.pinned desc, f.last_activity_at desc, f.conversation_id desc
            limit 1
        ) as before_first,
        (
            select parley.encode_inbox_cursor(l.pinned, l.last_activity_at, l.conversation_id, false)
            from page as l
            where l.is_fitting
            order by l.pinned, l.last_activity_at, l.conversation_id
            limit 1
        ) as after_last
    into v_page
    from page as r;
    v_has_more := v_page.has_more;
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
comment on function parley.get_user_conversations is
'The caller''s inbox: pinned first, then recent activity, with unread counts, the first participants, the last message and the draft. Without requests, the archive, and what was deleted for oneself, unless asked for; with app_role only where the caller has that role.';
grant execute on function parley.get_user_conversations to authenticated;
