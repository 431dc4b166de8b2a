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
    )
    or parley.follows(knows_sender.user_id, knows_sender.sender_id)
    or exists (
        select from parley.message_request as r
        where r.sender_id = knows_sender.sender_id
            and r.recipient_id = knows_sender.user_id
            and r.status = 'accepted'
    );
end;
$$;
comment on function parley.knows_sender is 'True if the user knows the sender: they have talked before, or the user follows the sender or has accepted a request.';

create or replace function parley.awaits_answer(
    actor_id uuid, user_ids uuid[], conversation_id uuid, tenant_id uuid
)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return awaits_answer.actor_id is not null
    and exists (
        select from unnest(user_ids) as u (id)
        where u.id <> awaits_answer.actor_id and not parley.knows_sender(u.id, awaits_answer.actor_id)
    )
    and not parley.is_expected(awaits_answer.actor_id, awaits_answer.conversation_id, awaits_answer.tenant_id);
end;
$$;
comment on function parley.awaits_answer is
'True if the actor brings somebody into a conversation who does not know them: what the actor sends there is judged until somebody answers. conversation_id is null for a new one.';

create or replace function parley.has_strangers(conversation_id uuid)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return exists (
        select from (
            -- the last to come first: they are the likeliest strangers, and the question costs 50 us for each
            select b.* from parley.participant as b
            where b.conversation_id = has_strangers.conversation_id and b.left_at is null and b.added_by <> b.user_id
            order by b.joined_at desc
            offset 0
        ) as p
        where not parley.knows_sender(p.user_id, p.added_by)
            and not exists (
                select from parley.message_request as r
                inner join parley.participant as q on r.conversation_id = q.conversation_id and r.recipient_id = q.user_id
                where r.conversation_id = p.conversation_id
                    and r.status = 'accepted'
                    and r.answered_at > p.joined_at
                    and q.left_at is null
            )
    );
end;
$$;
comment on function parley.has_strangers is
'True if somebody in the group does not know whoever brought them, and nobody who is there still has accepted a request since.';

create or replace function parley.settle_unanswered(conversation_id uuid)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    -- the mark first, because most groups have none and the members are looked at one by one
    if exists (select from parley.conversation as c where c.id = settle_unanswered.conversation_id and c.unanswered)
        and not exists (
            select from parley.direct_conversation as d where d.conversation_id = settle_unanswered.conversation_id
        )
        and not parley.has_strangers(settle_unanswered.conversation_id)
    then
        perform parley.end_unanswered(settle_unanswered.conversation_id);
    end if;
end;
$$;
comment on function parley.settle_unanswered is
'Somebody has gone from a group: what is sent there is judged no longer if no stranger is left to answer. The caller holds the lock.';

create or replace function parley.still_unanswered(conversation_id uuid, user_id uuid, added_by uuid)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if exists (
        select from parley.direct_conversation as d where d.conversation_id = still_unanswered.conversation_id
    )
    -- whoever knows who brought them answers for nobody else, nor does one who has brought others
    or not parley.knows_sender(still_unanswered.user_id, still_unanswered.added_by) and not exists (
        select from parley.participant as p
        where p.conversation_id = still_unanswered.conversation_id
            and p.added_by = still_unanswered.user_id
            and p.left_at is null
    )
    -- nobody is left, or a stranger has come to know whoever brought them
    or not parley.has_strangers(still_unanswered.conversation_id) then
        perform parley.end_unanswered(still_unanswered.conversation_id);
    end if;
    return (select c.unanswered from parley.conversation as c where c.id = still_unanswered.conversation_id);
end;
$$;
comment on function parley.still_unanswered is
'Takes what somebody does who was brought into an unanswered conversation as an answer, if it is one. True: it is unanswered still, so what they write is judged as well. The caller holds the lock.';
