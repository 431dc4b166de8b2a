-- Read and delivery horizons. They only move forward; each advance of reading leaves a marker row, from which the
-- moment any message was read follows. Nothing is written per message or per recipient.

create or replace function parley.read_state_json(participant parley.participant, last_seq bigint)
returns jsonb
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
    select jsonb_build_object(
        'conversation_id', participant.conversation_id,
        'last_read_seq', participant.last_read_seq,
        'last_read_message_id', parley.message_id_at(participant.conversation_id, participant.last_read_seq),
        'last_read_at', participant.last_read_at,
        'last_delivered_seq', greatest(participant.last_delivered_seq, participant.last_read_seq),
        'marked_unread', participant.marked_unread,
        'unread_count', parley.unread_count(participant, last_seq),
        'mention_count', parley.mention_count(participant, last_seq)
    )
$$;
comment on function parley.read_state_json is 'Where a participant has got to in a conversation.';

create or replace function parley.append_read_event(participant parley.participant, is_private boolean)
returns void
language plpgsql volatile security definer
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
comment on function parley.append_read_event is
'Tells the conversation, or only the reader if they keep receipts to themselves, that the read horizon moved.';

create or replace function parley.advance_horizon(
    user_id uuid, conversation_id uuid, seq bigint, is_read boolean
)
returns jsonb
language plpgsql volatile security definer
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
    v_is_direct boolean;
    v_is_private boolean;
    v_hidden_seq bigint;
    v_is_hidden boolean;
    v_shown_seq bigint;
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
    if (is_read and v_seq <= v_participant.last_read_seq and not v_participant.marked_unread)
        or (not is_read and v_seq <= v_participant.last_delivered_seq)
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
    select
        -- while one of two has blocked the other, that one sees nobody read
        v_participant.shown_read_seq is not null and parley.is_blocked(v_participant.user_id, o.id),
        -- and whoever keeps receipts to themselves gets none, nor does who has blocked the reader or not accepted them
        not parley.shares_receipts(o.id)
        or parley.is_kept_from(advance_horizon.conversation_id, v_participant.user_id)
    into v_is_private, v_is_hidden
    from parley.direct_conversation as d
    cross join
        lateral (select case when d.user_low = v_participant.user_id then d.user_high else d.user_low end as id) as o
    where d.conversation_id = advance_horizon.conversation_id;
    v_is_direct := found;
    v_is_private := coalesce(v_is_private, false);
    v_shown_seq := case when v_is_private then v_participant.shown_read_seq end;
    if is_read and v_seq > v_read_before then
        v_is_private := v_is_private or not parley.shares_receipts(v_participant.user_id);
        update parley.participant as p
        set
            last_read_seq = v_seq,
            last_read_at = v_now,
            shown_read_seq = v_shown_seq,
            -- the others see it: private reading must not show there
            last_delivered_seq = case
                when v_is_private then p.last_delivered_seq else greatest(p.last_delivered_seq, v_seq)
            end,
            marked_unread = false,
            own_unread = case
                when p.own_unread = 0 or v_seq = v_last_seq then 0
                -- those that are left, not what was passed: of that some may have been purged
                else parley.own_messages(p.conversation_id, p.user_id, v_seq, v_last_seq)
            end
        where p.conversation_id = advance_horizon.conversation_id and p.user_id = advance_horizon.user_id
        returning p.* into v_participant;
        -- what was hidden from the reader was not read, and its sender is not told that it was
        if v_is_direct and not v_is_private then
            select max(h.seq) into v_hidden_seq
            from parley.message_hidden as h
            where h.conversation_id = advance_horizon.conversation_id
                and h.user_id = advance_horizon.user_id
                and h.seq > v_read_before
                and h.seq <= v_seq
                and h.suppressed;
        end if;
        if v_hidden_seq is not null then
            insert into parley.read_marker (conversation_id, user_id, seq, after_seq, read_at, is_private)
            values (
                advance_horizon.conversation_id, advance_horizon.user_id, v_hidden_seq, v_read_before, v_now, true
            );
            v_read_before := v_hidden_seq;
        end if;
        if v_read_before < v_seq then
            insert into parley.read_marker (conversation_id, user_id, seq, after_seq, read_at, is_private)
            values (advance_horizon.conversation_id, advance_horizon.user_id, v_seq, v_read_before, v_now, v_is_private);
        end if;
        perform parley.append_read_event(v_participant, v_is_private or coalesce(v_is_hidden, false));
    elsif not is_read and v_seq > v_participant.last_delivered_seq and not v_is_private
        and not parley.is_kept_from(advance_horizon.conversation_id, advance_horizon.user_id)
    then
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
comment on function parley.advance_horizon is
'Moves the read (and, unless receipts are private, delivery) or only the delivery horizon of a participant forward; nothing is written if it does not move.';
