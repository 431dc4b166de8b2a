-- What a conversation looked like after one of its events, for disputes. The log says what came after that event, and
-- the revisions what it replaced: today's rows are taken back by exactly that. So it reaches back as far as the log is
-- kept, and what has been purged, erased or has expired since stays gone.

create or replace function parley.last_seq_as_of(conversation_id uuid, event_seq bigint)
returns bigint
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
set jit = off
as $$
#variable_conflict use_column
begin
    return coalesce(
        (
            select e.message_seq - 1
            from parley.event as e
            where e.conversation_id = last_seq_as_of.conversation_id
                and e.event_seq > last_seq_as_of.event_seq
                and e.kind = 'message:new'
            order by e.event_seq
            limit 1
        ),
        (select c.last_seq from parley.conversation as c where c.id = last_seq_as_of.conversation_id)
    );
end;
$$;
comment on function parley.last_seq_as_of is 'seq of the newest message after that event.';

create or replace function parley.message_as_of(message parley.message, event_seq bigint)
returns parley.message
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_message parley.message := message;
    v_revision parley.message_revision;
begin
    select r.* into v_revision
    from parley.message_revision as r
    where r.conversation_id = message.conversation_id
        and r.message_id = message.id
        and r.event_seq > message_as_of.event_seq
    order by r.revision
    limit 1;
    if found then
        v_message.content := v_revision.content;
        v_message.metadata := v_revision.metadata;
        v_message.mentions := v_revision.mentions;
        v_message.mentions_all := v_revision.mentions_all;
        v_message.deleted_at := null;
        select max(r.replaced_at) into v_message.edited_at
        from parley.message_revision as r
        where r.conversation_id = message.conversation_id
            and r.message_id = message.id
            and r.revision < v_revision.revision;
    end if;
    if not (
        -- verdict: readable, tombstone unless expired
        -- of message
        (message.expires_at is null or message.expires_at > now())
        and message.retired_at is null
        -- end verdict
    ) then
        v_message.content := null;
        v_message.metadata := null;
        v_message.mentions := null;
        v_message.mentions_all := false;
        v_message.deleted_at := least(message.expires_at, message.retired_at);
    end if;
    return v_message;
end;
$$;
comment on function parley.message_as_of is
'A message as it was after that event. One that has expired or was retired since says nothing, as if it had been deleted then.';

create or replace function parley.attachments_as_of(message parley.message)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- all of them came with the message; what has become of each since is told beside it
    return (
        select coalesce(
            jsonb_agg(
                parley.attachment_json(a) || jsonb_build_object('removed_at', a.removed_at)
                order by a.position
            ),
            '[]'
        )
        from parley.attachment as a
        where a.message_id = message.id and a.conversation_id = message.conversation_id
    );
end;
$$;
comment on function parley.attachments_as_of is
'The attachments a message was sent with, also those that were removed since, with their state now.';

create or replace function parley.reactions_as_of(conversation_id uuid, message_ids uuid[], event_seq bigint)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
-- the log of one conversation once for the whole page, however much of the whole log that is
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
begin
    return (
        with
        -- the next thing that happened to each: what is going to be removed was there, what is going to be added was not
        next_change as (
            select distinct on (e.message_id, e.user_id, e.data ->> 'emoji')
                e.message_id,
                e.user_id,
                e.data ->> 'emoji' as emoji,
                e.data ->> 'op' as op
            from parley.event as e
            where e.conversation_id = reactions_as_of.conversation_id
                and e.event_seq > reactions_as_of.event_seq
                and e.kind = 'message:reaction'
                and e.message_id = any (reactions_as_of.message_ids)
            order by e.message_id, e.user_id, e.data ->> 'emoji', e.event_seq
        ),

        reacted as (
            select n.message_id, n.user_id, n.emoji
            from next_change as n
            where n.op = 'removed'
            union all
            select r.message_id, r.user_id, r.emoji
            from parley.reaction as r
            where r.conversation_id = reactions_as_of.conversation_id
                and r.message_id = any (reactions_as_of.message_ids)
                and not exists (
                    select from next_change as n
                    where n.message_id = r.message_id and n.user_id = r.user_id and n.emoji = r.emoji
                )
        )

        select coalesce(jsonb_object_agg(m.message_id, m.reactions), '{}')
        from (
            select
                g.message_id,
                jsonb_agg(
                    jsonb_build_object('emoji', g.emoji, 'count', cardinality(g.user_ids), 'user_ids', g.user_ids)
                    order by g.emoji
                ) as reactions
            from (
                select r.message_id, r.emoji, array_agg(r.user_id order by r.user_id) as user_ids
                from reacted as r
                group by r.message_id, r.emoji
            ) as g
            group by g.message_id
        ) as m
    );
end;
$$;
comment on function parley.reactions_as_of is
'The reactions of these messages after that event: {message id: [{emoji, count, user_ids}]}, by emoji and user, as the log does not keep since when.';

create or replace function parley.message_as_of_json(message parley.message, event_seq bigint, reactions jsonb)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_message parley.message := parley.message_as_of(message, message_as_of_json.event_seq);
    v_quoted parley.message;
begin
    if v_message.reply_to_id is not null and v_message.deleted_at is null then
        select m.* into v_quoted
        from parley.message as m
        where m.id = v_message.reply_to_id and m.conversation_id is not distinct from v_message.conversation_id;
        v_quoted := parley.message_as_of(v_quoted, message_as_of_json.event_seq);
    end if;
    -- what the log does not tell as of then is left out
    return parley.message_json(v_message, '[]') - '{status,pinned_at,poll,forward_count,updated_at}'::text[]
        || jsonb_build_object(
            'attachments', case when v_message.deleted_at is null then parley.attachments_as_of(v_message) else '[]' end,
            'reactions', case
                when v_message.deleted_at is null then coalesce(message_as_of_json.reactions, '[]') else '[]'
            end,
            'reply_to', case
                when v_quoted.id is not null then parley.quote_json(
                    v_quoted,
                    case when v_quoted.deleted_at is null then parley.attachments_as_of(v_quoted) -> 0 end
                )
            end
        );
end;
$$;
comment on function parley.message_as_of_json is
'A message as it was after that event, with its attachments, these reactions and the message it answers as that was; without pins and votes.';

create or replace function parley.messages_as_of(
    conversation_id uuid, event_seq bigint, to_seq bigint, max_rows integer
)
returns jsonb[]
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
-- as message_page: walk the (conversation_id, seq) indexes and stop
set plan_cache_mode = force_generic_plan
set enable_sort = off
set enable_bitmapscan = off
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_messages parley.message[] := array(
        select q
        from parley.message as q
        where q.conversation_id = messages_as_of.conversation_id and q.seq <= messages_as_of.to_seq
        order by q.seq desc
        limit messages_as_of.max_rows
    );
    v_reactions jsonb := parley.reactions_as_of(
        messages_as_of.conversation_id, array(select m.id from unnest(v_messages) as m), messages_as_of.event_seq
    );
begin
    return array(
        select parley.message_as_of_json(m, messages_as_of.event_seq, v_reactions -> m.id::text)
        from unnest(v_messages) as m
        order by m.seq desc
    );
end;
$$;
comment on function parley.messages_as_of is
'The newest messages up to a seq, as they were after that event, newest first.';
