-- How much is unread. A count is a difference of numbers, corrected for own, hidden, deleted and expired messages, and
-- for notices.

create or replace function parley.unread_count(
    participant parley.participant, last_seq bigint, floor_id uuid default null
)
returns bigint
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_from_seq bigint := participant.last_read_seq + 1;
    v_unread bigint := last_seq - participant.last_read_seq - participant.own_unread;
    v_floor_id uuid := unread_count.floor_id;
    v_visible_seq bigint := participant.history_from_seq;
begin
    if v_unread <= 0 then
        return 0;
    end if;
    select greatest(v_visible_seq, r.retired_seq + 1) into v_visible_seq
    from parley.conversation_retention as r
    where r.conversation_id = participant.conversation_id;
    v_visible_seq := coalesce(v_visible_seq, participant.history_from_seq);
    -- a request that was deleted for oneself, or what was never read was retired: the history begins after it
    if v_visible_seq > v_from_seq then
        if v_visible_seq > last_seq then
            return 0;
        end if;
        v_from_seq := v_visible_seq;
        v_unread := last_seq - v_from_seq + 1 - case
            when participant.own_unread = 0 then 0
            -- those that are there: what was before may have been purged
            else parley.own_messages(participant.conversation_id, participant.user_id, v_from_seq - 1, last_seq)
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
            v_unread := last_seq - v_from_seq + 1 - case
                when participant.own_unread = 0 then 0
                else parley.own_messages(participant.conversation_id, participant.user_id, v_from_seq - 1, last_seq)
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
            from parley.message_uncounted as t
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
                    select from parley.message_uncounted as t
                    where t.conversation_id = h.conversation_id and t.seq = h.seq
                )
        )
        - parley.expired_count(participant, v_from_seq, v_floor_id)
    into v_unread;
    return greatest(0, v_unread);
end;
$$;
comment on function parley.unread_count is
'Messages of others past the read horizon and within the tier''s window, without notices, those deleted for everyone, hidden by the participant, or expired. Callers that count many pass message_floor_of, to look it up once.';

create or replace function parley.mention_count(
    participant parley.participant, last_seq bigint, floor_id uuid default null
)
returns bigint
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
as $$
declare
    v_floor_id uuid := mention_count.floor_id;
begin
    if mention_count.last_seq <= participant.last_read_seq + participant.own_unread then
        return 0;
    end if;
    if v_floor_id is null then
        v_floor_id := parley.message_floor_of(participant.user_id);
    end if;
    return (
        select count(*)
        from parley.message as m
        where m.conversation_id = participant.conversation_id
            and m.seq > participant.last_read_seq
            and m.seq <= mention_count.last_seq
            -- the condition of the index, which holds few messages
            and (m.mentions is not null or m.mentions_all)
            and (m.mentions_all or participant.user_id = any (m.mentions))
            and m.sender_id is distinct from participant.user_id
            -- who was blocked mentions nobody
            and not exists (
                select from parley.block as b
                where b.blocker_id = participant.user_id and b.blocked_id = m.sender_id
            )
            and m.id < parley.uuid_v7_floor(now() + interval '1 day')
            -- verdict: readable
            -- of message m viewer=participant.user_id from=participant.history_from_seq floor=v_floor_id
            and m.seq >= participant.history_from_seq
            and (m.expires_at is null or m.expires_at > now())
            and m.retired_at is null
            and m.id >= v_floor_id
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
comment on function parley.mention_count is
'Unread messages that mention the participant, or everybody, but for those of users whom the participant has blocked. Callers that count many pass message_floor_of, to look it up once.';
