-- A message as clients see it.

-- Without a `set` clause, which would cost each send a hundredth: it runs as its caller, and names all that it calls
-- in full.
create or replace function parley.message_json(
    message parley.message,
    reactions jsonb,
    status text default 'sent',
    viewer_id uuid default null,
    viewer_from_seq bigint default null,
    viewer_floor_id uuid default null,
    times_forwarded bigint default 0
)
returns jsonb
language plpgsql stable security invoker parallel safe
as $$
declare
    v_json jsonb := pg_catalog.jsonb_build_object(
        'id', message.id,
        'conversation_id', message.conversation_id,
        'seq', message.seq,
        'sender_id', message.sender_id,
        'sender_role', message.sender_role,
        'type', message.type,
        'content', coalesce(
            message.content,
            case when message.type operator(pg_catalog.=) 'system' then parley.notice_text(message.metadata) end
        ),
        'metadata', coalesce(message.metadata, '{}'),
        'mentions', coalesce(pg_catalog.to_jsonb(message.mentions), '[]'),
        'mentions_all', message.mentions_all,
        'reply_to_id', message.reply_to_id,
        'reply_to', case
            when message.reply_to_id is null or message.deleted_at is not null then null
            else parley.quoted_json(message, viewer_id, viewer_from_seq, viewer_floor_id)
        end,
        'forwarded', message.forward_count is not null,
        'forward_count', coalesce(message.forward_count, 0) operator(pg_catalog.+) times_forwarded,
        'client_message_id', message.client_message_id,
        'attachments', case
            when message.has_attachments and message.deleted_at is null
                then parley.attachments_json(message.conversation_id, message.id)
            else '[]'
        end,
        'reactions', reactions,
        'status', status,
        'pinned_at', message.pinned_at,
        'edited_at', message.edited_at,
        'deleted_at', message.deleted_at,
        'expires_at', message.expires_at,
        'created_at', message.created_at,
        'updated_at', greatest(message.created_at, message.edited_at, message.deleted_at, message.pinned_at)
    );
begin
    if message.type operator(pg_catalog.=) 'poll' then
        return v_json operator(pg_catalog.||) pg_catalog.jsonb_build_object(
            'poll',
            case when message.deleted_at is null then parley.poll_json(message.conversation_id, message.id) end
        );
    end if;
    return v_json;
end;
$$;
comment on function parley.message_json is
'A message as clients see it. A message that was deleted for everyone has no content. Its quote is made for the viewer or, without one, for all participants.';

create or replace function parley.plain_message_json()
returns jsonb
language sql immutable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select '{
        "type": "text", "mentions": [], "mentions_all": false, "reply_to_id": null, "reply_to": null,
        "forwarded": false, "forward_count": 0, "attachments": [], "reactions": [], "status": "sent",
        "pinned_at": null, "edited_at": null, "deleted_at": null, "expires_at": null
    }'::jsonb
$$;
comment on function parley.plain_message_json is
'The part of message_json that is the same for every text just sent: write_message adds the rest, at half the cost of message_json.';

create or replace function parley.reactions_json(conversation_id uuid, message_id uuid)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return (
        select coalesce(
            jsonb_agg(
                jsonb_build_object('emoji', g.emoji, 'count', g.n, 'user_ids', g.user_ids)
                order by g.first_at, g.emoji
            ),
            '[]'
        )
        from (
            select
                r.emoji,
                count(*) as n,
                min(r.created_at) as first_at,
                to_jsonb(array_agg(r.user_id order by r.created_at, r.user_id)) as user_ids
            from parley.reaction as r
            where r.conversation_id = reactions_json.conversation_id and r.message_id = reactions_json.message_id
            group by r.emoji
        ) as g
    );
end;
$$;
comment on function parley.reactions_json is 'Reactions of a message: [{emoji, count, user_ids}], the oldest first.';

create or replace function parley.times_forwarded(conversation_id uuid, message_id uuid)
returns bigint
language plpgsql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return (
        select coalesce(sum(f.forward_count), 0)::bigint
        from parley.message_forward as f
        where f.conversation_id = times_forwarded.conversation_id and f.message_id = times_forwarded.message_id
    );
end;
$$;
comment on function parley.times_forwarded is
'How often a message has been passed on by all users. message_json adds how often its text had been before it got here.';

create or replace function parley.message_now_json(message parley.message)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if message.deleted_at is not null then
        return parley.message_json(message, '[]');
    end if;
    return parley.message_json(
        message,
        parley.reactions_json(message.conversation_id, message.id),
        times_forwarded => parley.times_forwarded(message.conversation_id, message.id)
    );
end;
$$;
comment on function parley.message_now_json is 'A message with its reactions as it stands now; what events carry.';

create or replace function parley.message_json_for(
    message parley.message, participant parley.participant, floor_id uuid, status text default 'sent'
)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return parley.message_json(
        message,
        case
            when message.deleted_at is null then parley.reactions_json(message.conversation_id, message.id)
            else '[]'
        end,
        status,
        participant.user_id,
        participant.history_from_seq,
        floor_id,
        parley.times_forwarded(message.conversation_id, message.id)
    );
end;
$$;
comment on function parley.message_json_for is
'A message with its reactions as one participant sees it; floor_id is message_floor_of the participant.';

create or replace function parley.tombstone_json(
    message_id uuid, conversation_id uuid, seq bigint, deleted_at timestamptz
)
returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select parley.message_json(
        row(
            message_id, conversation_id, seq, null, null, null, null, null, deleted_at, null, null, 'text', null, null, null,
            null, null, false, false, null
        )::parley.message,
        '[]'
    )
$$;
comment on function parley.tombstone_json is 'A message that is no longer there, in the shape of a deleted one.';
