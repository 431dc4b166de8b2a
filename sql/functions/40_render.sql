-- How messages, participants and conversations look to clients: one function per shape, used by the API and by the
-- payloads of the log.

create or replace function parley.quote_json(quoted parley.message, attachment jsonb)
returns jsonb
language plpgsql
stable
security definer
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'id', quoted.id,
        'seq', quoted.seq,
        'sender_id', quoted.sender_id,
        'type', quoted.type,
        'content', left(quoted.content, 200),
        -- what a preview has no room for is left out
        'attachment', attachment - '{waveform,metadata}'::text[],
        'deleted', quoted.deleted_at is not null
    );
end;
$$;
comment on function parley.quote_json(parley.message, jsonb) is
'A message in short, as one that answers it shows it: the first 200 characters, and its first attachment, which the caller looks up.';
revoke all on function parley.quote_json(parley.message, jsonb) from public;

create or replace function parley.quoted_json(
    message parley.message, viewer_id uuid, viewer_from_seq bigint, viewer_floor_id uuid
)
returns jsonb
language plpgsql
stable
security definer
parallel safe
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_quoted parley.message;
    v_from_seq bigint := quoted_json.viewer_from_seq;
    v_floor_id uuid := quoted_json.viewer_floor_id;
begin
    select m.* into v_quoted
    from parley.message as m
    -- by id alone, as in the render of the log
    where m.id = message.reply_to_id and m.conversation_id is not distinct from message.conversation_id;
    if not found then
        return null;
    end if;
    if v_from_seq is null then
        -- for everybody at once, as in the log: only what each of them may see
        select max(p.history_from_seq) into v_from_seq
        from parley.participant as p
        where p.conversation_id = message.conversation_id and p.left_at is null;
        select
            parley.uuid_v7_floor(now() - make_interval(days => least(min(l.amount), 36500)::integer))
        into v_floor_id
        from parley.tier_limit as l
        where l.name = 'retention_days';
        -- what every tier shows needs no look at who has which
        if v_quoted.id < v_floor_id then
            select
                parley.uuid_v7_floor(now() - make_interval(days => least(min(l.amount), 36500)::integer))
            into v_floor_id
            from (
                select distinct (select a.tier_name from parley.account as a where a.id = p.user_id) as name
                from parley.participant as p
                where p.conversation_id = message.conversation_id and p.left_at is null
            ) as t
            inner join parley.tier_limit as l on t.name = l.tier_name and l.name = 'retention_days';
        end if;
    end if;
    if v_quoted.seq < v_from_seq
        or v_quoted.id < v_floor_id
        or (
            quoted_json.viewer_id is not null
            and exists (
                select from parley.message_hidden as h
                where h.conversation_id = message.conversation_id
                    and h.user_id = quoted_json.viewer_id
                    and h.seq = v_quoted.seq
            )
        )
    then
        return null;
    end if;
    if v_quoted.expires_at <= now() then
        v_quoted.content := null;
        v_quoted.deleted_at := v_quoted.expires_at;
    end if;
    return parley.quote_json(
        v_quoted,
        case
            when v_quoted.has_attachments and v_quoted.deleted_at is null
                then parley.attachments_json(v_quoted.conversation_id, v_quoted.id) -> 0
        end
    );
end;
$$;
comment on function parley.quoted_json(parley.message, uuid, bigint, uuid) is
'What a reply answers, in short: as one viewer may see it, or, without a viewer, as all who are present may. Null: they may not. So an event, which is the same for everybody, has no quote where somebody joined later than what it quotes, or has a tier that does not reach back to it; who may see it finds it in the history.';
revoke all on function parley.quoted_json(parley.message, uuid, bigint, uuid) from public;

create or replace function parley.message_json(
    message parley.message,
    reactions jsonb,
    status text default 'sent',
    viewer_id uuid default null,
    viewer_from_seq bigint default null,
    viewer_floor_id uuid default null
)
returns jsonb
language plpgsql
stable
security invoker
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_json jsonb := jsonb_build_object(
        'id', message.id,
        'conversation_id', message.conversation_id,
        'seq', message.seq,
        'sender_id', message.sender_id,
        'sender_role', message.sender_role,
        'type', message.type,
        'content', message.content,
        'metadata', coalesce(message.metadata, '{}'),
        'mentions', coalesce(to_jsonb(message.mentions), '[]'),
        'mentions_all', message.mentions_all,
        'reply_to_id', message.reply_to_id,
        'reply_to', case
            when message.reply_to_id is null or message.deleted_at is not null then null
            else parley.quoted_json(message, viewer_id, viewer_from_seq, viewer_floor_id)
        end,
        'forwarded', message.forward_count is not null,
        'forward_count', coalesce(message.forward_count, 0),
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
        'created_at', message.created_at
    );
begin
    if message.type = 'poll' then
        return v_json || jsonb_build_object(
            'poll',
            case when message.deleted_at is null then parley.poll_json(message.conversation_id, message.id) end
        );
    end if;
    return v_json;
end;
$$;
comment on function parley.message_json(parley.message, jsonb, text, uuid, bigint, uuid) is
'A message as clients see it. One that was deleted for everyone has no content any more. What a reply quotes is for the viewer or, without one, for all participants.';
revoke all on function parley.message_json(parley.message, jsonb, text, uuid, bigint, uuid) from public;

create or replace function parley.reactions_json(conversation_id uuid, message_id uuid)
returns jsonb
language plpgsql
stable
security definer
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
comment on function parley.reactions_json(uuid, uuid) is 'Reactions of a message: [{emoji, count, user_ids}], the oldest first.';
revoke all on function parley.reactions_json(uuid, uuid) from public;

create or replace function parley.message_json(message parley.message)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if message.deleted_at is not null then
        return parley.message_json(message, '[]');
    end if;
    return parley.message_json(message, parley.reactions_json(message.conversation_id, message.id));
end;
$$;
comment on function parley.message_json(parley.message) is 'A message with its reactions as it stands now; what events carry.';
revoke all on function parley.message_json(parley.message) from public;

create or replace function parley.participant_json(participant parley.participant, account parley.account)
returns jsonb
language plpgsql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'user_id', participant.user_id,
        'display_name', case when account.deleted_at is null then account.display_name else '[Deleted User]' end,
        'role', participant.role,
        'app_role', participant.app_role,
        'joined_at', participant.joined_at,
        'left_at', participant.left_at,
        'last_read_seq', case when account.read_receipts then participant.last_read_seq end,
        'last_delivered_seq', participant.last_delivered_seq
    );
end;
$$;
comment on function parley.participant_json(parley.participant, parley.account) is
'A participant as the others see them: never their own settings, and no read horizon if they keep receipts to themselves.';
revoke all on function parley.participant_json(parley.participant, parley.account) from public;

create or replace function parley.participant_json(participant parley.participant)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_account parley.account;
begin
    select a.* into v_account from parley.account as a where a.id = participant.user_id;
    return parley.participant_json(participant, v_account);
end;
$$;
comment on function parley.participant_json(parley.participant) is
'A participant as the others see them, with the account looked up.';
revoke all on function parley.participant_json(parley.participant) from public;

create or replace function parley.first_seq_in_window(
    conversation_id uuid, after_seq bigint, last_seq bigint, floor_id uuid
)
returns bigint
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
-- one plan for all: the first entry of the (conversation_id, seq) indexes
set plan_cache_mode = force_generic_plan
set enable_sort = off
set enable_bitmapscan = off
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_old bigint := first_seq_in_window.after_seq; -- the message after this one is too old
    v_young bigint := first_seq_in_window.last_seq + 1; -- this one is young enough, or beyond the last
    v_probe bigint := first_seq_in_window.after_seq + 1;
    v_seq bigint;
    v_id uuid;
    v_first bigint := first_seq_in_window.last_seq + 1; -- the first message from v_young on
begin
    -- ids rise with seq: the first message is looked at, and if that is too old the border is found by halving
    while v_probe < v_young loop
        select m.seq, m.id into v_seq, v_id
        from parley.message as m
        where m.conversation_id = first_seq_in_window.conversation_id and m.seq >= v_probe and m.seq < v_young
        order by m.seq
        limit 1;
        if v_id >= floor_id or v_id is null then
            v_young := v_probe;
            v_first := coalesce(v_seq, v_first);
        else
            v_old := v_seq;
        end if;
        v_probe := (v_old + 1 + v_young) / 2;
    end loop;
    return v_first;
end;
$$;
comment on function parley.first_seq_in_window(uuid, bigint, bigint, uuid) is
'The first seq after after_seq whose message a viewer with this floor_id may see; one past the last if there is none.';
revoke all on function parley.first_seq_in_window(uuid, bigint, bigint, uuid) from public;

create or replace function parley.expired_count(participant parley.participant, from_seq bigint, floor_id uuid)
returns bigint
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
as $$
begin
    return (
        select count(*)
        from parley.message as m
        where m.conversation_id = participant.conversation_id
            and m.seq >= expired_count.from_seq
            and m.id >= expired_count.floor_id
            and m.id < parley.uuid_v7_floor(now() + interval '1 day')
            and m.expires_at <= now()
            and m.deleted_at is null
            and m.sender_id is distinct from participant.user_id
            and (m.sender_id is not null or m.metadata ->> 'actor_id' is distinct from participant.user_id::text)
            and not exists (
                select from parley.message_hidden as h
                where h.conversation_id = participant.conversation_id
                    and h.user_id = participant.user_id
                    and h.seq = m.seq
            )
    );
end;
$$;
comment on function parley.expired_count(parley.participant, bigint, uuid) is
'Messages of others from a seq on that have expired, without those deleted for everyone or hidden by the participant.';
revoke all on function parley.expired_count(parley.participant, bigint, uuid) from public;

create or replace function parley.unread_count(
    participant parley.participant, last_seq bigint, floor_id uuid default null
)
returns bigint
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_from_seq bigint := participant.last_read_seq + 1;
    v_unread bigint := last_seq - participant.last_read_seq - participant.own_unread;
    v_floor_id uuid := unread_count.floor_id;
begin
    if v_unread <= 0 then
        return 0;
    end if;
    -- a request that was deleted for oneself: its history begins after what was never read
    if participant.history_from_seq > v_from_seq then
        if participant.history_from_seq > last_seq then
            return 0;
        end if;
        v_from_seq := participant.history_from_seq;
        v_unread := last_seq - v_from_seq + 1 - participant.own_unread + case
            when participant.own_unread = 0 then 0
            else parley.own_messages(
                participant.conversation_id, participant.user_id, participant.last_read_seq, v_from_seq - 1
            )
        end;
    end if;
    if v_floor_id is null then
        v_floor_id := parley.message_floor_of(participant.user_id);
    end if;
    -- what is unread came after the participant; only one who joined before the tier's window can have some beyond it
    if v_floor_id > parley.uuid_v7_floor(participant.joined_at - interval '1 day') then
        v_from_seq := parley.first_seq_in_window(
            participant.conversation_id, v_from_seq - 1, last_seq, v_floor_id
        );
        if v_from_seq > participant.last_read_seq + 1 then
            v_unread := last_seq - v_from_seq + 1 - participant.own_unread + case
                when participant.own_unread = 0 then 0
                else parley.own_messages(
                    participant.conversation_id, participant.user_id, participant.last_read_seq, v_from_seq - 1
                )
            end;
            if v_unread <= 0 then
                return 0;
            end if;
        end if;
    end if;
    select
        v_unread
        - (
            select count(*)
            from parley.message_tombstone as t
            where t.conversation_id = participant.conversation_id
                and t.seq >= v_from_seq
                and t.sender_id is distinct from participant.user_id
        )
        - (
            select count(*)
            from parley.message_hidden as h
            where h.conversation_id = participant.conversation_id
                and h.user_id = participant.user_id
                and h.seq >= v_from_seq
                and not h.own
                and not exists (
                    select from parley.message_tombstone as t
                    where t.conversation_id = h.conversation_id and t.seq = h.seq
                )
        )
        - parley.expired_count(participant, v_from_seq, v_floor_id)
    into v_unread;
    return greatest(0, v_unread);
end;
$$;
comment on function parley.unread_count(parley.participant, bigint, uuid) is
'Messages of others past the read horizon and within the tier''s window, without those deleted for everyone, hidden by the participant, or expired. Callers that count many pass message_floor_of, to look it up once.';
revoke all on function parley.unread_count(parley.participant, bigint, uuid) from public;

create or replace function parley.mention_count(
    participant parley.participant, last_seq bigint, floor_id uuid default null
)
returns bigint
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
set jit = off
as $$
begin
    if mention_count.last_seq <= participant.last_read_seq + participant.own_unread then
        return 0;
    end if;
    return (
        select count(*)
        from parley.message as m
        where m.conversation_id = participant.conversation_id
            and m.seq > participant.last_read_seq
            and m.seq >= participant.history_from_seq
            -- the condition of the index, which holds few messages
            and (m.mentions is not null or m.mentions_all)
            and (m.mentions_all or participant.user_id = any (m.mentions))
            and m.sender_id is distinct from participant.user_id
            and m.deleted_at is null
            and (m.expires_at is null or m.expires_at > now())
            and m.id >= coalesce(mention_count.floor_id, parley.message_floor_of(participant.user_id))
            and m.id < parley.uuid_v7_floor(now() + interval '1 day')
            and not exists (
                select from parley.message_hidden as h
                where h.conversation_id = participant.conversation_id
                    and h.user_id = participant.user_id
                    and h.seq = m.seq
            )
    );
end;
$$;
comment on function parley.mention_count(parley.participant, bigint, uuid) is
'Unread messages that mention the participant, or everybody. Callers that count many pass message_floor_of, to look it up once.';
revoke all on function parley.mention_count(parley.participant, bigint, uuid) from public;

create or replace function parley.my_settings_json(participant parley.participant)
returns jsonb
language plpgsql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'role', participant.role,
        'app_role', participant.app_role,
        'last_read_seq', participant.last_read_seq,
        'last_read_at', participant.last_read_at,
        'last_delivered_seq', participant.last_delivered_seq,
        'history_from_seq', participant.history_from_seq,
        'marked_unread', participant.marked_unread,
        'muted_until', participant.muted_until,
        'is_muted', coalesce(participant.muted_until > now(), false),
        'pinned_at', participant.pinned_at,
        'archived_at', participant.archived_at,
        'notification_level', participant.notification_level,
        'notifications_enabled', participant.notification_level <> 'none',
        'folder', participant.folder,
        'deleted_seq', participant.deleted_seq
    );
end;
$$;
comment on function parley.my_settings_json(parley.participant) is 'A participant''s own state and settings, for nobody else.';
revoke all on function parley.my_settings_json(parley.participant) from public;

create or replace function parley.conversation_json(
    conversation_id uuid,
    viewer_id uuid default null,
    max_participants integer default 256,
    floor_id uuid default null
)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return (
        select jsonb_build_object(
            'id', c.id,
            'type', cp.type,
            'status', cp.status,
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
            'last_activity_at', c.last_activity_at,
            'participant_count', (
                select count(*)
                from parley.participant as p
                where p.conversation_id = c.id and p.left_at is null
            ),
            'participants', coalesce(
                (
                    select jsonb_agg(parley.participant_json(p.participant, a) order by p.joined_at, a.id)
                    from (
                        select q as participant, q.user_id, q.joined_at
                        from parley.participant as q
                        where q.conversation_id = c.id and q.left_at is null
                        order by q.joined_at, q.user_id
                        limit max_participants
                    ) as p
                    inner join parley.account as a on p.user_id = a.id
                ),
                '[]'
            )
        ) || case
            when me.user_id is null then '{}'
            else jsonb_build_object(
                'unread_count', parley.unread_count(me, c.last_seq, conversation_json.floor_id),
                'mention_count', parley.mention_count(me, c.last_seq, conversation_json.floor_id),
                'me', parley.my_settings_json(me)
            )
        end
        from parley.conversation as c
        inner join parley.conversation_profile as cp on c.id = cp.conversation_id
        left join parley.participant as me
            on c.id = me.conversation_id and conversation_json.viewer_id = me.user_id and me.left_at is null
        where c.id = conversation_json.conversation_id
    );
end;
$$;
comment on function parley.conversation_json(uuid, uuid, integer, uuid) is
'A conversation with its first participants; with a viewer also their unread count and settings.';
revoke all on function parley.conversation_json(uuid, uuid, integer, uuid) from public;
