-- A conversation as clients see it.

create or replace function parley.draft(conversation_id uuid, user_id uuid)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return (
        select jsonb_build_object(
            'content', d.content,
            'reply_to_id', d.reply_to_id,
            'metadata', coalesce(d.metadata, '{}'),
            'updated_at', d.updated_at
        )
        from parley.draft as d
        where d.conversation_id = draft.conversation_id and d.user_id = draft.user_id
    );
end;
$$;
comment on function parley.draft is 'The user''s draft in the conversation. Null: none.';

create or replace function parley.contexts_json(conversation_id uuid)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return (
        select coalesce(
            jsonb_agg(
                jsonb_build_object('context_type', x.context_type, 'context_id', x.context_id, 'added_at', x.added_at)
                order by x.added_at desc, x.context_type, x.context_id
            ),
            '[]'
        )
        from (
            select c.context_type, c.context_id, c.added_at
            from parley.conversation_context as c
            where c.conversation_id = contexts_json.conversation_id
            order by c.added_at desc, c.context_type, c.context_id
            limit 100
        ) as x
    );
end;
$$;
comment on function parley.contexts_json is 'Contexts of a conversation, newest first, at most 100.';

create or replace function parley.conversation_json(
    conversation_id uuid,
    viewer_id uuid default null,
    max_participants integer default 256,
    floor_id uuid default null
)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_with_receipts constant boolean := parley.shares_receipts(conversation_json.viewer_id);
begin
    return (
        select jsonb_build_object(
            'id', c.id,
            'type', cp.type,
            'status', cp.status,
            'read_only', cp.severed_at is not null,
            'title', cp.title,
            'description', cp.description,
            'icon_url', cp.icon_url,
            'settings', cp.settings || jsonb_build_object(
                'who_can_send', cp.who_can_send, 'who_can_add', cp.who_can_add
            ),
            -- as permissions_json; its call costs more than the rest of the row
            'permissions', jsonb_build_object(
                'send_messages', replace(cp.who_can_send, '_only', ''),
                'add_members', replace(cp.who_can_add, '_only', ''),
                'remove_members', replace(cp.who_can_remove, '_only', ''),
                'change_settings', replace(cp.who_can_change_settings, '_only', ''),
                'delete_messages', replace(cp.who_can_delete, '_only', '')
            ),
            'history_visible', cp.history_visible,
            'max_members', cp.max_members,
            'message_ttl_seconds', cp.message_ttl_seconds,
            'context_type', cp.context_type,
            'context_id', cp.context_id,
            'created_by', cp.created_by,
            'tenant_id', cp.tenant_id,
            'created_at', cp.created_at,
            'updated_at', cp.updated_at,
            'archived_at', cp.archived_at,
            'last_seq', c.last_seq,
            'last_event_seq', c.last_event_seq,
            'last_activity_at', coalesce(me.quiet_since, c.last_activity_at),
            'participant_count', (
                select count(*)
                from parley.participant as p
                where p.conversation_id = c.id and p.left_at is null
            ),
            'participants', coalesce(
                (
                    select jsonb_agg(
                        parley.participant_with_account_json(
                            p.participant, a.account, p.user_id = conversation_json.viewer_id or v_with_receipts
                        )
                        order by p.joined_at, p.user_id
                    )
                    from (
                        select q as participant, q.user_id, q.joined_at
                        from parley.participant as q
                        where q.conversation_id = c.id and q.left_at is null
                        order by q.joined_at, q.user_id
                        limit max_participants
                    ) as p
                    cross join lateral (
                        select b as account from parley.account as b where b.id = p.user_id offset 0
                    ) as a
                ),
                '[]'
            )
        ) || case
            when me.user_id is null then '{}'
            else jsonb_build_object(
                -- most have read everything, and a call that says so costs as much as one that counts
                'unread_count', case
                    when u.is_behind then parley.unread_count(me, c.last_seq, conversation_json.floor_id) else 0
                end,
                'mention_count', case
                    when u.is_behind then parley.mention_count(me, c.last_seq, conversation_json.floor_id) else 0
                end,
                'me', parley.my_settings_json(me)
            )
        end
        from parley.conversation as c
        inner join parley.conversation_profile as cp on c.id = cp.conversation_id
        left join parley.participant as me
            on c.id = me.conversation_id and conversation_json.viewer_id = me.user_id and me.left_at is null
        cross join lateral (select c.last_seq > me.last_read_seq + me.own_unread as is_behind) as u
        where c.id = conversation_json.conversation_id
    );
end;
$$;
comment on function parley.conversation_json is
'A conversation with its first participants; with a viewer also their unread count and settings.';
