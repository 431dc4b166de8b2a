-- Whom a user has blocked or restricted, the last first, page by page.

create or replace function parley.people_page(list text, cursor text, page_size integer)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.require_caller();
    v_page_size integer := parley.require_page_size(people_page.page_size);
    v_after record := parley.decode_participants_cursor(people_page.cursor);
begin
    return (
        select jsonb_build_object(
            'users', coalesce(
                jsonb_agg(
                    jsonb_build_object(
                        'user_id', u.user_id,
                        'display_name', (
                            select case when a.deleted_at is null then a.display_name else '[Deleted User]' end
                            from parley.account as a
                            where a.id = u.user_id
                                -- of others an id does not tell who they are, nor whether they are
                                and exists (
                                    select from parley.participant as p
                                    inner join parley.participant as q on p.conversation_id = q.conversation_id
                                    where p.user_id = a.id and q.user_id = v_user_id
                                )
                        ),
                        'created_at', u.created_at
                    )
                    order by u.n
                ) filter (where u.n <= v_page_size),
                '[]'
            ),
            'next_cursor', case
                when count(*) > v_page_size
                    then max(trunc(extract(epoch from u.created_at) * 1000000)::bigint || '_' || u.user_id)
                        filter (where u.n = v_page_size)
            end
        )
        from (
            select x.user_id, x.created_at, row_number() over (order by x.created_at desc, x.user_id desc) as n
            from (
                select b.blocked_id as user_id, b.created_at
                from parley.block as b
                where people_page.list = 'blocked' and b.blocker_id = v_user_id
                union all
                select r.restricted_id as user_id, r.created_at
                from parley.restriction as r
                where people_page.list = 'restricted' and r.restricter_id = v_user_id
            ) as x
            where people_page.cursor is null or (x.created_at, x.user_id) < (v_after.joined_at, v_after.user_id)
            order by x.created_at desc, x.user_id desc
            limit v_page_size + 1
        ) as u
    );
end;
$$;
comment on function parley.people_page is
'A page of the caller''s list of blocked or restricted users: {users, next_cursor}.';

create or replace function parley.get_blocked_users(cursor text default null, page_size integer default 50)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return parley.people_page('blocked', get_blocked_users.cursor, get_blocked_users.page_size);
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
begin
    return parley.people_page('restricted', get_restricted_users.cursor, get_restricted_users.page_size);
end;
$$;
comment on function parley.get_restricted_users is
'Whom the caller has restricted, the last first, page by page: {users: [{user_id, display_name, created_at}], next_cursor}. A name is told of users whom the caller has met in a conversation.';
grant execute on function parley.get_restricted_users to authenticated;
