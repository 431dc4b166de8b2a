-- What a viewer may see of a message, as one verdict. Its clauses stand in scripts/verdict.py, which also writes them
-- where a reader of many messages needs them spelled out. Who may look into the conversation at all is decided before.

create or replace function parley.message_verdict(
    message parley.message, viewer_id uuid default null, from_seq bigint default null, floor_id uuid default null
)
returns text
language plpgsql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return case
        -- verdict: as a value
        -- of message viewer=viewer_id from=from_seq floor=floor_id
        when message.seq < from_seq then 'absent'
        when message.id < floor_id then 'absent'
        when exists (
            select from parley.message_hidden as h
            where
                h.conversation_id = message.conversation_id
                and h.user_id = viewer_id
                and h.seq = message.seq
        ) then 'absent'
        when message.expires_at <= now() then 'tombstone'
        when message.retired_at is not null then 'tombstone'
        when message.deleted_at is not null then 'tombstone'
        -- end verdict
        else 'readable'
    end;
end;
$$;
comment on function parley.message_verdict is
'What a viewer, whose history begins at from_seq and whose message_floor_of is floor_id, may see of a message: readable; tombstone, which is its place without what it said; or absent. What is null is not asked: without a viewer nothing counts as hidden.';

create or replace function parley.readable_part(message parley.message)
returns parley.message
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_message parley.message := message;
begin
    if parley.message_verdict(message) <> 'readable' then
        v_message.content := null;
        v_message.metadata := null;
        v_message.mentions := null;
        v_message.mentions_all := false;
        v_message.deleted_at := coalesce(v_message.deleted_at, least(v_message.expires_at, v_message.retired_at, now()));
    end if;
    return v_message;
end;
$$;
comment on function parley.readable_part is
'The message or, where it is readable to nobody any more, what is left of it: its place, as of one that was deleted.';

create or replace function parley.message_blocker(
    message parley.message, participant parley.participant, account parley.account, floor_id uuid default null
)
returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_floor_id constant uuid := coalesce(message_blocker.floor_id, parley.message_floor_of(participant.user_id));
begin
    return case
        when participant.left_at is not null then 'left'
        when account.deleted_at is not null then 'account_deleted'
        when account.suspended_at is not null then 'account_suspended'
        when exists (
            select from parley.message_hidden as h
            where h.conversation_id = message.conversation_id
                and h.user_id = participant.user_id
                and h.seq = message.seq
                and h.suppressed
        ) then 'sender_blocked'
        -- verdict: as a reason
        -- of message viewer=participant.user_id from=participant.history_from_seq floor=v_floor_id
        when message.seq < participant.history_from_seq then 'before_history'
        when message.expires_at <= now() then 'expired'
        when message.retired_at is not null then 'retired'
        when message.id < v_floor_id then 'beyond_tier'
        when exists (
            select from parley.message_hidden as h
            where
                h.conversation_id = message.conversation_id
                and h.user_id = participant.user_id
                and h.seq = message.seq
        ) then 'deleted_for_me'
        -- end verdict
    end;
end;
$$;
comment on function parley.message_blocker is
'Why somebody who is or was in the conversation cannot see a message: the access rule, said as a reason. Null: they can.';
