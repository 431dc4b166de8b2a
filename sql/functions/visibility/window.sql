-- The window of a tier in a conversation: ids rise with seq, so its border is found by halving.

create or replace function parley.first_seq_in_window(
    conversation_id uuid, after_seq bigint, last_seq bigint, floor_id uuid
)
returns bigint
language plpgsql stable security definer
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
comment on function parley.first_seq_in_window is
'The first seq after after_seq whose message a viewer with this floor_id may see; one past the last if there is none.';

create or replace function parley.own_messages(
    conversation_id uuid, user_id uuid, after_seq bigint, up_to_seq bigint
)
returns bigint
language plpgsql stable security definer
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
                or (
                    m.sender_id is null
                    and m.metadata ->> 'actor_id' = own_messages.user_id::text
                    -- a notice counts for nobody
                    and not exists (
                        select from parley.message_uncounted as t
                        where t.conversation_id = m.conversation_id and t.seq = m.seq and t.is_notice
                    )
                )
                or (
                    m.sender_id is null
                    and m.deleted_at is not null
                    and exists (
                        select from parley.message_uncounted as t
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
comment on function parley.own_messages is
'How many messages in that range the user sent or, for system messages, caused; notices, which count for nobody, apart.';

create or replace function parley.expired_count(participant parley.participant, from_seq bigint, floor_id uuid)
returns bigint
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
as $$
begin
    return (
        select count(*)
        from parley.message as m
        where m.conversation_id = participant.conversation_id
            -- the bounds on id leave out partitions; without an end of seq, too, the planner may take them for the way in
            and m.seq < 9223372036854775807
            and m.id < parley.uuid_v7_floor(now() + interval '1 day')
            and m.sender_id is distinct from participant.user_id
            and (m.sender_id is not null or m.metadata ->> 'actor_id' is distinct from participant.user_id::text)
            -- a notice has been taken off before
            and (m.sender_id is not null or not exists (
                select from parley.message_uncounted as t
                where t.conversation_id = m.conversation_id and t.seq = m.seq
            ))
            -- verdict: not readable, and listed nowhere
            -- of message m viewer=participant.user_id from=expired_count.from_seq floor=expired_count.floor_id
            and m.expires_at <= now()
            and m.seq >= expired_count.from_seq
            and m.retired_at is null
            and m.id >= expired_count.floor_id
            and m.deleted_at is null
            and not exists (
                select from parley.message_hidden as h
                where
                    h.conversation_id = m.conversation_id
                    and h.user_id = participant.user_id
                    and h.seq = m.seq
            )
            -- end verdict
    );
end;
$$;
comment on function parley.expired_count is
'Messages of others from a seq on that have expired, without those deleted for everyone or hidden by the participant.';

create or replace function parley.message_id_at(conversation_id uuid, seq bigint)
returns uuid
language plpgsql stable security definer
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
comment on function parley.message_id_at is 'The message with this seq. Null: there is none, or none any more.';

create or replace function parley.seq_of_message(participant parley.participant, message_id uuid)
returns bigint
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_seq bigint;
begin
    if seq_of_message.message_id is null then
        return null;
    end if;
    -- also one that was hidden or has expired since: a client pages on from what it has
    select m.seq into v_seq
    from parley.message as m
    where
        -- verdict: readable, tombstone
        -- of message m from=participant.history_from_seq
        m.seq >= participant.history_from_seq
        -- end verdict
        and m.id = seq_of_message.message_id
        and m.conversation_id = participant.conversation_id;
    if not found then
        raise exception using
            errcode = 'PT404',
            message = 'The message does not exist in this conversation, or you may not see it.';
    end if;
    return v_seq;
end;
$$;
comment on function parley.seq_of_message is
'Where a message stands in the participant''s conversation, or PT404. Null for null.';
