-- Who is a stranger to whom.

create or replace function parley.knows_sender(user_id uuid, sender_id uuid)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    -- both wrote, in any thread of the two
    return exists (
        select from parley.direct_conversation as d
        inner join parley.conversation as c on d.conversation_id = c.id
        where d.user_low = least(knows_sender.user_id, knows_sender.sender_id)
            and d.user_high = greatest(knows_sender.user_id, knows_sender.sender_id)
            and not c.unanswered
    );
end;
$$;
comment on function parley.knows_sender is 'True if the user is no stranger to the sender: they have talked before.';
