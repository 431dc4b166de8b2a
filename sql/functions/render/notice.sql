-- What a notice says. The server's own messages about changes keep who did what to whom: the sentence, with {actor},
-- {users} and {title} in it, and the ids stand in the metadata, and content is null, which no other message of type
-- system has. So a name stands in no notice, and each reader gets those of now.

create or replace function parley.notice_text(metadata jsonb)
returns text
language plpgsql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return format(
        -- format() takes each place once: what stands in a name or a title is never taken for a place
        replace(
            replace(
                replace(replace(metadata ->> 'notice', '%', '%%'), '{actor}', '%1$s'),
                '{users}', '%2$s'
            ),
            '{title}', '%3$s'
        ),
        parley.actor_name((metadata ->> 'actor_id')::uuid),
        -- one that only counts them needs none of their names
        case
            when strpos(metadata ->> 'notice', '{users}') > 0 then (
                select string_agg(parley.display_name_of(u.id::uuid), ', ' order by u.n)
                from jsonb_array_elements_text(metadata -> 'user_ids') with ordinality as u (id, n)
            )
        end,
        metadata ->> 'title'
    );
end;
$$;
comment on function parley.notice_text is
'What a notice says, by its metadata, with the names of now. Null: the message is none.';
-- parley_api.messages reads it as its caller, who has no way into this schema
grant execute on function parley.notice_text to authenticated, service_role;
