-- Whom a user has blocked or restricted, the last first, page by page.

create or replace function parley.people_page(people jsonb, page_size integer, viewer_id uuid)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
#variable_conflict use_column
begin
    return (
        select jsonb_build_object(
            'users', coalesce(
                jsonb_agg(
                    jsonb_build_object(
                        'user_id', u.person ->> 'user_id',
                        'display_name', (
                            select case when a.deleted_at is null then a.display_name else '[Deleted User]' end
                            from parley.account as a
                            where a.id = (u.person ->> 'user_id')::uuid
                                -- of others an id does not tell who they are, nor whether they are
                                and exists (
                                    select from parley.participant as p
                                    inner join parley.participant as q on p.conversation_id = q.conversation_id
                                    where p.user_id = a.id and q.user_id = people_page.viewer_id
                                )
                        ),
                        'created_at', u.person -> 'created_at'
                    )
                    order by u.n
                ) filter (where u.n <= people_page.page_size),
                '[]'
            ),
            'next_cursor', case
                when count(*) > people_page.page_size
                    then max(u.person ->> 'cursor') filter (where u.n = people_page.page_size)
            end
        )
        from jsonb_array_elements(people_page.people) with ordinality as u (person, n)
    );
end;
$$;
comment on function parley.people_page is
'A page of [{user_id, created_at, cursor}], of which there is one more if there is a next page: {users, next_cursor}. Names are those of users whom the viewer has been in a conversation with.';

create or replace function parley.get_blocked_users(cursor text default null, page_size integer default 50)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.require_caller();
    v_page_size integer := parley.require_page_size(get_blocked_users.page_size);
    v_after record := parley.decode_participants_cursor(get_blocked_users.cursor);
begin
    return parley.people_page(
        (
            select jsonb_agg(
                jsonb_build_object(
                    'user_id', x.blocked_id,
                    'created_at', x.created_at,
                    'cursor', trunc(extract(epoch from x.created_at) * 1000000)::bigint || '_' || x.blocked_id
                )
                order by x.created_at desc, x.blocked_id desc
            )
            from (
                select b.blocked_id, b.created_at
                from parley.block as b
                where b.blocker_id = v_user_id
                    and (
                        get_blocked_users.cursor is null
                        or (b.created_at, b.blocked_id) < (v_after.joined_at, v_after.user_id)
                    )
                order by b.created_at desc, b.blocked_id desc
                limit v_page_size + 1
            ) as x
        ),
        v_page_size,
        v_user_id
    );
end;
$$;
comment on function parley.get_blocked_users is
'Whom the caller has blocked, the last first, page by page: {users: [{user_id, display_name, created_at}], next_cursor}. A name is told of users whom the caller has met in a conversation.';
grant execute on function parley.get_blocked_users to authenticated;

create or replace function parley.get_restricted_users(cursor text default null, page_size integer default 50)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.require_caller();
    v_page_size integer := parley.require_page_size(get_restricted_users.page_size);
    v_after record := parley.decode_participants_cursor(get_restricted_users.cursor);
begin
    return parley.people_page(
        (
            select jsonb_agg(
                jsonb_build_object(
                    'user_id', x.restricted_id,
                    'created_at', x.created_at,
                    'cursor', trunc(extract(epoch from x.created_at) * 1000000)::bigint || '_' || x.restricted_id
                )
                order by x.created_at desc, x.restricted_id desc
            )
            from (
                select r.restricted_id, r.created_at
                from parley.restriction as r
                where r.restricter_id = v_user_id
                    and (
                        get_restricted_users.cursor is null
                        or (r.created_at, r.restricted_id) < (v_after.joined_at, v_after.user_id)
                    )
                order by r.created_at desc, r.restricted_id desc
                limit v_page_size + 1
            ) as x
        ),
        v_page_size,
        v_user_id
    );
end;
$$;
comment on function parley.get_restricted_users is
'Whom the caller has restricted, the last first, page by page: {users: [{user_id, display_name, created_at}], next_cursor}. A name is told of users whom the caller has met in a conversation.';
grant execute on function parley.get_restricted_users to authenticated;
