-- Read and delivery horizons. They only move forward; each advance of reading leaves a marker row, from which the
-- moment any message was read follows. Nothing is written per message or per recipient.

create or replace function parley.own_messages(
    conversation_id uuid, user_id uuid, after_seq bigint, up_to_seq bigint
)
returns bigint
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return (
        select count(*)
        from parley.message as m
        where
            m.conversation_id = own_messages.conversation_id
            and m.seq > own_messages.after_seq
            and m.seq <= own_messages.up_to_seq
            and (
                m.sender_id = own_messages.user_id
                or (m.sender_id is null and m.metadata ->> 'actor_id' = own_messages.user_id::text)
                or (
                    m.sender_id is null
                    and m.deleted_at is not null
                    and exists (
                        select from parley.message_tombstone as t
                        where
                            t.conversation_id = m.conversation_id
                            and t.seq = m.seq
                            and t.sender_id = own_messages.user_id
                    )
                )
            )
    );
end;
$$;
comment on function parley.own_messages(uuid, uuid, bigint, bigint) is
'How many messages in that range the user sent or, for system messages, caused.';
revoke all on function parley.own_messages(uuid, uuid, bigint, bigint) from public;

create or replace function parley.message_id_at(conversation_id uuid, seq bigint)
returns uuid
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
as $$
#variable_conflict use_column
begin
    return (
        select m.id
        from parley.message as m
        where m.conversation_id = message_id_at.conversation_id and m.seq = message_id_at.seq
    );
end;
$$;
comment on function parley.message_id_at(uuid, bigint) is 'The message with this seq. Null: there is none, or none any more.';
revoke all on function parley.message_id_at(uuid, bigint) from public;

create or replace function parley.read_state_json(participant parley.participant, last_seq bigint)
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select jsonb_build_object(
        'conversation_id', participant.conversation_id,
        'last_read_seq', participant.last_read_seq,
        'last_read_message_id', parley.message_id_at(participant.conversation_id, participant.last_read_seq),
        'last_read_at', participant.last_read_at,
        'last_delivered_seq', participant.last_delivered_seq,
        'marked_unread', participant.marked_unread,
        'unread_count', parley.unread_count(participant, last_seq),
        'mention_count', parley.mention_count(participant, last_seq)
    )
$$;
comment on function parley.read_state_json(parley.participant, bigint) is 'Where a participant has got to in a conversation.';
revoke all on function parley.read_state_json(parley.participant, bigint) from public;

create or replace function parley.advance_horizon(
    user_id uuid, conversation_id uuid, seq bigint, is_read boolean
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_participant parley.participant := parley.require_participant(
        advance_horizon.conversation_id, advance_horizon.user_id
    );
    v_last_seq bigint;
    v_seq bigint;
    v_read_before bigint;
    v_is_private boolean;
    v_now timestamptz;
begin
    if advance_horizon.seq < 0 then
        raise exception using errcode = 'PT400', message = 'seq must not be negative.';
    end if;
    select c.last_seq into strict v_last_seq
    from parley.conversation as c
    where c.id = advance_horizon.conversation_id;
    v_seq := least(coalesce(advance_horizon.seq, v_last_seq), v_last_seq);
    -- looking into a request tells nobody anything, also not that one has looked
    if v_participant.folder = 'requests' then
        return parley.read_state_json(v_participant, v_last_seq);
    end if;
    -- horizons never go back, so without the lock a "nothing to do" can already be trusted
    if v_seq <= v_participant.last_delivered_seq
        and (not is_read or (v_seq <= v_participant.last_read_seq and not v_participant.marked_unread))
    then
        return parley.read_state_json(v_participant, v_last_seq);
    end if;

    v_last_seq := (parley.lock_conversation(advance_horizon.conversation_id)).last_seq;
    -- under it, so that of two devices the one that reads further has not read before the other
    v_now := clock_timestamp();
    v_participant := parley.require_participant(advance_horizon.conversation_id, advance_horizon.user_id);
    v_read_before := v_participant.last_read_seq;
    if v_participant.folder = 'requests' then
        return parley.read_state_json(v_participant, v_last_seq);
    end if;
    if is_read and v_seq > v_read_before then
        update parley.participant as p
        set
            last_read_seq = v_seq,
            last_read_at = v_now,
            last_delivered_seq = greatest(p.last_delivered_seq, v_seq),
            marked_unread = false,
            own_unread = case
                when p.own_unread = 0 or v_seq = v_last_seq then 0
                else greatest(
                    0, p.own_unread - parley.own_messages(p.conversation_id, p.user_id, p.last_read_seq, v_seq)
                )
            end
        where p.conversation_id = advance_horizon.conversation_id and p.user_id = advance_horizon.user_id
        returning p.* into v_participant;
        v_is_private := not (select a.read_receipts from parley.account as a where a.id = v_participant.user_id);
        insert into parley.read_marker (conversation_id, user_id, seq, after_seq, read_at, is_private)
        values (advance_horizon.conversation_id, advance_horizon.user_id, v_seq, v_read_before, v_now, v_is_private);
        perform parley.append_read_event(v_participant, v_is_private);
    elsif not is_read and v_seq > v_participant.last_delivered_seq then
        update parley.participant as p
        set last_delivered_seq = v_seq
        where p.conversation_id = advance_horizon.conversation_id and p.user_id = advance_horizon.user_id
        returning p.* into v_participant;
        perform parley.append_event(
            advance_horizon.conversation_id, 'message:delivered', advance_horizon.user_id, null, null,
            advance_horizon.user_id, jsonb_build_object('last_delivered_seq', v_seq)
        );
    elsif is_read and v_participant.marked_unread then
        update parley.participant as p
        set marked_unread = false
        where p.conversation_id = advance_horizon.conversation_id and p.user_id = advance_horizon.user_id
        returning p.* into v_participant;
        perform parley.append_settings_event(v_participant);
    end if;
    return parley.read_state_json(v_participant, v_last_seq);
end;
$$;
comment on function parley.advance_horizon(uuid, uuid, bigint, boolean) is
'Moves the read (and delivery) or only the delivery horizon of a participant forward; nothing is written if it does not move.';
revoke all on function parley.advance_horizon(uuid, uuid, bigint, boolean) from public;

create or replace function parley.append_read_event(participant parley.participant, is_private boolean)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_data jsonb := jsonb_build_object(
        'last_read_seq', participant.last_read_seq, 'read_at', participant.last_read_at
    );
begin
    -- without read receipts only the reader's own devices learn of it
    if not is_private then
        perform parley.append_event(
            participant.conversation_id, 'message:read', participant.user_id, null, null, participant.user_id, v_data
        );
    else
        perform parley.append_event(
            null, 'message:read', participant.user_id, null, null, participant.user_id,
            v_data || jsonb_build_object('conversation_id', participant.conversation_id)
        );
    end if;
end;
$$;
comment on function parley.append_read_event(parley.participant, boolean) is
'Tells the conversation, or only the reader if they keep receipts to themselves, that the read horizon moved.';
revoke all on function parley.append_read_event(parley.participant, boolean) from public;

create or replace function parley.append_settings_event(participant parley.participant)
returns void
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
    select parley.append_event(
        null, 'participant:updated', participant.user_id, null, null, participant.user_id,
        jsonb_build_object(
            'conversation_id', participant.conversation_id,
            'settings', parley.my_settings_json(participant)
        )
    )
$$;
comment on function parley.append_settings_event(parley.participant) is
'Tells a participant''s other devices that their own settings for a conversation changed.';
revoke all on function parley.append_settings_event(parley.participant) from public;

create or replace function parley.mark_as_read(conversation_id uuid, seq bigint default null)
returns jsonb
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
    select parley.advance_horizon(parley.require_caller(), mark_as_read.conversation_id, mark_as_read.seq, true)
$$;
comment on function parley.mark_as_read(uuid, bigint) is
'The caller has read everything up to seq, by default everything. Returns the read state.';
revoke all on function parley.mark_as_read(uuid, bigint) from public;
grant execute on function parley.mark_as_read(uuid, bigint) to authenticated;

create or replace function parley.mark_message_as_read(message_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := parley.require_caller();
    v_message parley.message := parley.require_message(message_id, v_user_id);
begin
    return parley.advance_horizon(v_user_id, v_message.conversation_id, v_message.seq, true);
end;
$$;
comment on function parley.mark_message_as_read(uuid) is
'The caller has read everything up to this message. Returns the read state.';
revoke all on function parley.mark_message_as_read(uuid) from public;
grant execute on function parley.mark_message_as_read(uuid) to authenticated;

create or replace function parley.mark_as_delivered(conversation_id uuid, seq bigint default null)
returns jsonb
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
    select parley.advance_horizon(
        parley.require_caller(), mark_as_delivered.conversation_id, mark_as_delivered.seq, false
    )
$$;
comment on function parley.mark_as_delivered(uuid, bigint) is
'Everything up to seq, by default everything, has reached a device of the caller. Returns the read state.';
revoke all on function parley.mark_as_delivered(uuid, bigint) from public;
grant execute on function parley.mark_as_delivered(uuid, bigint) to authenticated;

create or replace function parley.mark_as_unread(conversation_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.require_caller();
    v_participant parley.participant := parley.require_participant(mark_as_unread.conversation_id, v_user_id);
    v_last_seq bigint := (parley.lock_conversation(mark_as_unread.conversation_id)).last_seq;
begin
    update parley.participant as p
    set marked_unread = true
    where p.conversation_id = mark_as_unread.conversation_id
        and p.user_id = v_user_id and p.left_at is null and not p.marked_unread
    returning p.* into v_participant;
    if found then
        perform parley.append_settings_event(v_participant);
    else
        v_participant := parley.require_participant(mark_as_unread.conversation_id, v_user_id);
    end if;
    return parley.read_state_json(v_participant, v_last_seq);
end;
$$;
comment on function parley.mark_as_unread(uuid) is
'Shows the conversation as unread to the caller until it is next read. The read horizon, and so the receipts, stay.';
revoke all on function parley.mark_as_unread(uuid) from public;
grant execute on function parley.mark_as_unread(uuid) to authenticated;

create or replace function parley.get_unread_counts()
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
-- one's own rows, each conversation by its key: never a hash of all conversations
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    v_user_id uuid := parley.require_caller();
    v_floor_id uuid := parley.message_floor_of(v_user_id);
begin
    return (
        -- materialized: each count is computed once
        with u as materialized (
            select
                p.conversation_id,
                p.app_role::text as app_role,
                p.marked_unread,
                p.folder = 'requests' as requested,
                c.last_activity_at,
                parley.unread_count(p, c.last_seq, v_floor_id) as unread,
                parley.mention_count(p, c.last_seq, v_floor_id) as mentioned,
                p.archived_at is not null as archived,
                coalesce(p.muted_until > now(), false) or p.notification_level = 'none' as muted
            from parley.participant as p
            inner join parley.conversation as c on p.conversation_id = c.id
            where p.user_id = v_user_id
                and p.left_at is null
                and (c.last_seq > p.last_read_seq or p.marked_unread)
        )

        select jsonb_build_object(
            -- each conversation counts in one of the four: a request, else archived, else muted, else in the inbox
            'total', coalesce(sum(u.unread) filter (where not u.requested and not u.archived and not u.muted), 0),
            'muted_total', coalesce(sum(u.unread) filter (where not u.requested and not u.archived and u.muted), 0),
            'archived_total', coalesce(sum(u.unread) filter (where not u.requested and u.archived), 0),
            'requests_total', coalesce(sum(u.unread) filter (where u.requested), 0),
            'mentions_total', coalesce(sum(u.mentioned) filter (where not u.requested), 0),
            'unread_conversations', count(*) filter (where not u.requested and not u.archived and not u.muted),
            'unread_requests', count(*) filter (where u.requested),
            'conversations', coalesce(
                jsonb_agg(
                    jsonb_build_object(
                        'conversation_id', u.conversation_id,
                        'app_role', u.app_role,
                        'unread_count', u.unread,
                        'mention_count', u.mentioned,
                        'marked_unread', u.marked_unread,
                        'muted', u.muted,
                        'archived', u.archived,
                        'requested', u.requested
                    )
                    order by u.last_activity_at desc, u.conversation_id
                ),
                '[]'
            )
        )
        from u
        where u.unread > 0 or u.marked_unread
    );
end;
$$;
comment on function parley.get_unread_counts() is
'Unread messages of the caller: in total, those of muted and archived conversations and of requests apart, unread mentions, and for each conversation that has any.';
revoke all on function parley.get_unread_counts() from public;
grant execute on function parley.get_unread_counts() to authenticated;

create or replace function parley.get_role_unread_counts(conversation_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_by_host boolean := parley.is_host();
    v_user_id uuid := case when not v_by_host then parley.require_caller() end;
begin
    if not v_by_host then
        perform parley.require_participant(get_role_unread_counts.conversation_id, v_user_id);
    end if;
    return (
        select coalesce(jsonb_object_agg('unread_count_' || u.app_role, u.unread), '{}')
        from (
            select
                p.app_role::text as app_role,
                -- how much somebody has left to read says how far they have read
                case
                    when v_by_host or bool_and(a.read_receipts or p.user_id = v_user_id)
                        then sum(parley.unread_count(p, c.last_seq))
                end as unread
            from parley.participant as p
            inner join parley.conversation as c on p.conversation_id = c.id
            inner join parley.account as a on p.user_id = a.id
            where p.conversation_id = get_role_unread_counts.conversation_id
                and p.left_at is null
                and p.app_role is not null
            group by p.app_role
        ) as u
    );
end;
$$;
comment on function parley.get_role_unread_counts(uuid) is
'What the participants with each application role have not read: {unread_count_customer, unread_count_artist}. Null for a role somebody of which keeps receipts to themselves.';
revoke all on function parley.get_role_unread_counts(uuid) from public;
grant execute on function parley.get_role_unread_counts(uuid) to authenticated, service_role;

create or replace function parley.read_at(message parley.message, reader_id uuid, viewer_id uuid)
returns timestamptz
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_marker parley.read_marker;
begin
    select k.* into v_marker
    from parley.read_marker as k
    where k.conversation_id = message.conversation_id and k.user_id = reader_id and k.seq >= message.seq
    order by k.seq
    limit 1;
    if v_marker.after_seq < message.seq and (not v_marker.is_private or reader_id = viewer_id) then
        return v_marker.read_at;
    end if;
    return null;
end;
$$;
comment on function parley.read_at(parley.message, uuid, uuid) is
'When a user read a message, for a viewer. Null: not yet, or it is not the viewer''s to know.';
revoke all on function parley.read_at(parley.message, uuid, uuid) from public;

create or replace function parley.get_message_receipts(message_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.require_caller();
    v_message parley.message := parley.require_message(get_message_receipts.message_id, v_user_id);
    v_receipts jsonb;
    v_status text;
begin
    select
        coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'user_id', r.user_id,
                    'display_name', case when r.deleted_at is null then r.display_name else '[Deleted User]' end,
                    'delivered', r.delivered,
                    'read_at', r.read_at
                )
                order by r.read_at, r.delivered desc, r.user_id
            ),
            '[]'
        ),
        -- as in the history: when all have it
        case
            when v_message.sender_id is distinct from v_user_id or count(*) = 0 then 'sent'
            when bool_and(r.is_read) then 'read'
            when bool_and(r.is_past) then 'delivered'
            else 'sent'
        end
    into v_receipts, v_status
    from (
        select
            p.user_id,
            a.display_name,
            a.deleted_at,
            -- who joined later never got it, but who has read it and then cleared the conversation did
            p.last_delivered_seq >= v_message.seq
            and (p.history_from_seq <= v_message.seq or k.read_at is not null) as delivered,
            p.last_delivered_seq >= v_message.seq as is_past,
            a.read_receipts and p.last_read_seq >= v_message.seq as is_read,
            -- only the reader knows when they read what they keep to themselves
            case
                when p.user_id = v_user_id or (a.read_receipts and not k.is_private) then k.read_at
            end as read_at
        from parley.participant as p
        inner join parley.account as a on p.user_id = a.id
        left join lateral (
            select k.read_at, k.is_private, k.after_seq
            from parley.read_marker as k
            where k.conversation_id = v_message.conversation_id and k.user_id = p.user_id and k.seq >= v_message.seq
            order by k.seq
            limit 1
        ) as k on k.after_seq < v_message.seq
        where p.conversation_id = v_message.conversation_id
            and p.left_at is null
            and p.user_id is distinct from v_message.sender_id
    ) as r;
    return jsonb_build_object(
        'message_id', v_message.id,
        'conversation_id', v_message.conversation_id,
        'seq', v_message.seq,
        'status', v_status,
        'read_count', (
            select count(*) from jsonb_array_elements(v_receipts) as r (receipt) where r.receipt ->> 'read_at' is not null
        ),
        'delivered_count', (
            select count(*) from jsonb_array_elements(v_receipts) as r (receipt) where (r.receipt -> 'delivered')::boolean
        ),
        'receipts', v_receipts
    );
end;
$$;
comment on function parley.get_message_receipts(uuid) is
'Who has received and who has read a message, and when, for those who may see it. Who keeps receipts to themselves shows as delivered only.';
revoke all on function parley.get_message_receipts(uuid) from public;
grant execute on function parley.get_message_receipts(uuid) to authenticated;
