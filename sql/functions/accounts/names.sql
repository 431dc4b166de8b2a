-- The names of users in what the server writes.

create or replace function parley.display_name_of(user_id uuid)
returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return (
        select coalesce(
            (
                select case when a.deleted_at is null then a.display_name else '[Deleted User]' end
                from parley.account as a
                where a.id = display_name_of.user_id
            ),
            'A member'
        )
    );
end;
$$;
comment on function parley.display_name_of is 'Name of a user in a system message.';

create or replace function parley.actor_name(user_id uuid)
returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return case when user_id is null then 'The administration' else parley.display_name_of(user_id) end;
end;
$$;
comment on function parley.actor_name is 'Who did something, in a system message; null: the host application.';

create or replace function parley.people_of(who text)
returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
    select case who when 'everyone' then 'everyone' else 'only admins' end
$$;
comment on function parley.people_of is 'everyone or admins_only in words.';
