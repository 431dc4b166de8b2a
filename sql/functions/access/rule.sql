-- The one access rule: a current participant sees a conversation, from history_from_seq on, as far back as the viewer's
-- own tier allows. Policies, joins, replay and every function use the helpers below.

create or replace function parley.my_conversation_ids()
returns setof uuid
language plpgsql stable security definer
rows 50
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := parley.current_user_id();
begin
    -- plpgsql, because its plans are kept from call to call; the account first, and once for all of its conversations
    if not exists (
        select from parley.account as a
        where a.id = v_user_id
            and a.suspended_at is null
            and a.deleted_at is null
            and parley.token_is_valid(a.tokens_valid_after)
    ) then
        return;
    end if;
    return query
    select p.conversation_id
    from parley.participant as p
    where p.user_id = v_user_id and p.left_at is null;
end;
$$;
comment on function parley.my_conversation_ids is
'Conversations the caller is in. For policies: conversation_id = any (array(select parley.my_conversation_ids())).';
grant execute on function parley.my_conversation_ids to authenticated;

create or replace function parley.my_history_floors()
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return (
        select coalesce(jsonb_object_agg(p.conversation_id, p.history_from_seq), '{}')
        from parley.participant as p
        where p.user_id = (select parley.current_user_id()) and p.left_at is null and p.history_from_seq > 1
    );
end;
$$;
comment on function parley.my_history_floors is
'First seq the caller may see, by conversation, where that is not the first message.';
grant execute on function parley.my_history_floors to authenticated;

create or replace function parley.message_floor_of(user_id uuid)
returns uuid
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
-- as tier_of
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_days bigint;
begin
    -- what limit_of says, in one look for almost everybody: each read and each notification asks
    select l.amount into v_days
    from parley.account as a
    inner join parley.tier_limit as l on l.tier_name = coalesce(a.plan_tier_name, a.tier_name)
    where a.id = message_floor_of.user_id
        and (a.plan_until is null or a.plan_until > clock_timestamp())
        and l.name = 'retention_days'
        and l.young_days is null;
    if not found then
        v_days := parley.limit_of(message_floor_of.user_id, 'retention_days');
    end if;
    if v_days is null then
        return '00000000-0000-0000-0000-000000000000';
    end if;
    return parley.uuid_v7_floor(now() - make_interval(hours => 24 * least(v_days, 36500)::integer));
end;
$$;
comment on function parley.message_floor_of is
'The smallest message id the user may see: how far back the tier reaches. A bound on id also skips old partitions.';

create or replace function parley.my_message_floor()
returns uuid
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return parley.message_floor_of(parley.current_user_id());
end;
$$;
comment on function parley.my_message_floor is 'The smallest message id the caller may see.';
grant execute on function parley.my_message_floor to authenticated;

create or replace function parley.can_access_conversation(conversation_id uuid, user_id uuid default null)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_caller uuid := parley.current_user_id();
    v_user_id uuid := coalesce(can_access_conversation.user_id, v_caller);
begin
    if not parley.is_host() then
        v_caller := parley.require_caller();
        -- who is in a conversation is known only to those who are
        if v_user_id <> v_caller and not exists (
            select from parley.participant as p
            where p.conversation_id = can_access_conversation.conversation_id
                and p.user_id = v_caller and p.left_at is null
        ) then
            return false;
        end if;
    end if;
    return exists (
        select from parley.participant as p
        inner join parley.account as a on p.user_id = a.id
        where p.conversation_id = can_access_conversation.conversation_id
            and p.user_id = v_user_id
            and p.left_at is null
            and a.suspended_at is null
            and a.deleted_at is null
    );
end;
$$;
comment on function parley.can_access_conversation is
'True if the user (by default the caller) is in the conversation. A caller who is not in it gets false for everybody.';
grant execute on function parley.can_access_conversation to authenticated, service_role;

create or replace function parley.require_participant(conversation_id uuid, user_id uuid)
returns parley.participant
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_participant parley.participant;
begin
    if require_participant.conversation_id is null then
        raise exception using errcode = 'PT400', message = 'conversation_id is required.';
    end if;
    select p.* into v_participant
    from parley.participant as p
    where p.conversation_id = require_participant.conversation_id
        and p.user_id = require_participant.user_id
        and p.left_at is null;
    if not found then
        raise exception using
            errcode = 'PT403',
            message = 'You are not a participant of this conversation, or it does not exist.';
    end if;
    return v_participant;
end;
$$;
comment on function parley.require_participant is
'The user''s current participant row, or PT403, which does not tell an unknown conversation from a foreign one.';

create or replace function parley.require_other_participant(conversation_id uuid, user_id uuid)
returns parley.participant
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_participant parley.participant;
begin
    select p.* into v_participant
    from parley.participant as p
    where p.conversation_id = require_other_participant.conversation_id
        and p.user_id = require_other_participant.user_id
        and p.left_at is null;
    if not found then
        raise exception using
            errcode = 'PT404',
            message = 'The user is not a participant of this conversation.';
    end if;
    return v_participant;
end;
$$;
comment on function parley.require_other_participant is
'The participant whom an admin is about to change, or PT404. The caller has been found to be in the conversation.';
