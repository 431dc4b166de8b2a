-- May one user reach another, and where does it land. Blocked, declined, closed, absent, no_one: one answer for all of
-- them, and every question is asked whatever the answer to the one before, so that neither the words nor the time tell
-- them apart.

create or replace function parley.is_blocked(blocker_id uuid, blocked_id uuid)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return exists (
        select from parley.block as b
        where b.blocker_id = is_blocked.blocker_id and b.blocked_id = is_blocked.blocked_id
    );
end;
$$;
comment on function parley.is_blocked is 'True if the first user has blocked the second.';

create or replace function parley.is_kept_from(conversation_id uuid, user_id uuid)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return exists (
        select from parley.direct_conversation as d
        inner join parley.block as b
            on b.blocked_id = is_kept_from.user_id and b.blocker_id in (d.user_low, d.user_high)
        where d.conversation_id = is_kept_from.conversation_id
    ) or exists (
        select from parley.direct_conversation as d
        inner join parley.message_request as r on d.conversation_id = r.conversation_id
        where d.conversation_id = is_kept_from.conversation_id
            and r.sender_id = is_kept_from.user_id
            and r.status <> 'accepted'
    );
end;
$$;
comment on function parley.is_kept_from is
'True if, of the two in a direct conversation, the other has blocked the user or has not accepted the user''s request: then the user changes nothing of the conversation itself.';

create or replace function parley.is_asking(conversation_id uuid, user_id uuid)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    -- in a large group the first member at hand says no
    return not exists (
        select from parley.participant as p
        where p.conversation_id = is_asking.conversation_id
            and p.user_id <> is_asking.user_id
            and p.left_at is null
            and p.folder <> 'requests'
    ) and exists (
        select from parley.participant as p
        where p.conversation_id = is_asking.conversation_id and p.user_id <> is_asking.user_id and p.left_at is null
    );
end;
$$;
comment on function parley.is_asking is
'True if all others in the conversation have it among their requests: nobody has let the user in yet.';

create or replace function parley.is_asked(conversation_id uuid, sender_id uuid default null)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    -- by the requests, which most conversations have none of
    return exists (
        select from parley.message_request as r
        inner join parley.participant as p on r.conversation_id = p.conversation_id and r.recipient_id = p.user_id
        where r.conversation_id = is_asked.conversation_id
            and r.status = 'pending'
            and (is_asked.sender_id is null or r.sender_id = is_asked.sender_id)
            and p.left_at is null
            and p.folder = 'requests'
    );
end;
$$;
comment on function parley.is_asked is
'True if the conversation is a request to somebody in it: of this sender, or of anybody if no sender is named.';

create or replace function parley.setting_days(name text, fallback bigint)
returns interval
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_value text := parley.setting_value(setting_days.name);
begin
    return make_interval(hours => 24 * least(3650, greatest(1, case
        when v_value ~ '^[0-9]{1,9}$' then v_value::bigint
        else fallback
    end))::integer);
end;
$$;
comment on function parley.setting_days is
'A setting in days of 24 hours, 1 to 3650; the fallback if it is missing or no number.';

create or replace function parley.is_stranger(actor_id uuid, target_id uuid)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return not exists (
        select from parley.message_request as r
        where r.recipient_id = is_stranger.target_id and r.sender_id = is_stranger.actor_id and r.status = 'accepted'
    ) and not exists (
        select from parley.direct_conversation as d
        inner join parley.conversation_profile as cp on d.conversation_id = cp.conversation_id
        where d.user_low = least(is_stranger.actor_id, is_stranger.target_id)
            and d.user_high = greatest(is_stranger.actor_id, is_stranger.target_id)
            and (
                cp.created_by = is_stranger.target_id
                or exists (
                    select from parley.message as m
                    where m.conversation_id = d.conversation_id and m.sender_id = is_stranger.target_id
                )
            )
    );
end;
$$;
comment on function parley.is_stranger is
'True unless the target has accepted a request of the actor, or begun a direct conversation with the actor, or written in one.';

create or replace function parley.reach_of(actor_id uuid, target_id uuid, is_expected boolean default false)
returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_privacy text;
    v_blocked boolean := parley.is_blocked(reach_of.target_id, reach_of.actor_id);
    v_declined boolean := exists (
        select from parley.message_request as r
        where r.sender_id = reach_of.actor_id
            and r.recipient_id = reach_of.target_id
            and r.status = 'declined'
            and r.answered_at > now() - parley.setting_days('request_decline_days', 30)
    );
    v_restricted boolean := exists (
        select from parley.restriction as r
        where r.restricter_id = reach_of.target_id and r.restricted_id = reach_of.actor_id
    );
    v_is_followed boolean := parley.follows(reach_of.target_id, reach_of.actor_id);
    v_follows boolean := parley.follows(reach_of.actor_id, reach_of.target_id);
    v_sorts constant boolean := coalesce(parley.setting_value('stranger_messages') = 'requests', false);
    v_followers_pass constant boolean := parley.setting_value('followers_reach_inbox') is distinct from 'false';
begin
    select a.message_privacy into v_privacy
    from parley.account as a
    where a.id = reach_of.target_id and a.deleted_at is null and a.suspended_at is null;
    if v_blocked or v_declined or not coalesce(
        case v_privacy
            when 'everyone' then true
            when 'friends' then v_is_followed and v_follows
            when 'following' then v_is_followed
            when 'no_one' then false
        end,
        false
    ) then
        return 'refused';
    end if;
    if v_restricted then
        return 'requests';
    end if;
    if not v_sorts
        or coalesce(reach_of.is_expected, false)
        or v_is_followed
        or (v_follows and v_followers_pass)
        or not parley.is_stranger(reach_of.actor_id, reach_of.target_id)
    then
        return 'inbox';
    end if;
    return 'requests';
end;
$$;
comment on function parley.reach_of is
'Where what the actor sends to the target for the first time lands: inbox or requests; refused where the target is absent or closed, has blocked or declined the actor, or lets others reach them (message_privacy). is_expected: it is no stranger''s, see parley.is_expected.';

create or replace function parley.is_expected(actor_id uuid, conversation_id uuid, tenant_id uuid)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return exists (
        select from parley.conversation_context as x
        where x.conversation_id = is_expected.conversation_id and x.added_by is null
    ) or exists (
        select from parley.tenant_member as t
        where t.tenant_id = is_expected.tenant_id
            and t.user_id = is_expected.actor_id
            and t.role in ('owner', 'administrator', 'manager')
    );
end;
$$;
comment on function parley.is_expected is
'True if a conversation is no stranger''s: the application has said what it is about, or the actor has a role in its tenant. A context that a user names says nothing, since anybody can name one. conversation_id is null for a new one.';

create or replace function parley.refuse_reach(own_block boolean)
returns void
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if own_block then
        perform parley.refuse(parley.own_block());
    end if;
    perform parley.refuse(parley.unreachable());
end;
$$;
comment on function parley.refuse_reach is
'The one refusal for a user who is absent or closed, has blocked or declined the caller, or lets others reach them; another where it is the caller who has blocked.';

-- The rules of a user (whom they follow, block, restrict, let in) change while nobody is about to begin with them, and
-- the other way round: each sees what the other did.
create or replace function parley.hold_rules_of(user_ids uuid[])
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id uuid;
begin
    for v_id in select distinct u.id from unnest(user_ids) as u (id) where u.id is not null order by u.id loop
        perform pg_advisory_xact_lock_shared(hashtextextended(format('parley:rules:%s', v_id), 0));
    end loop;
end;
$$;
comment on function parley.hold_rules_of is
'Keeps the rules of these users as they are until the transaction ends. Taken before the lock of a conversation.';

create or replace function parley.lock_rules_of(user_id uuid)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform pg_advisory_xact_lock(hashtextextended(format('parley:rules:%s', lock_rules_of.user_id), 0));
end;
$$;
comment on function parley.lock_rules_of is
'Taken to change the rules of a user; waits for whoever is about to begin with that user. Before the lock of a conversation.';

create or replace function parley.require_reach(actor_id uuid, target_ids uuid[], is_expected boolean default false)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_folders jsonb;
    v_refused boolean;
    v_own_block boolean;
begin
    perform parley.meet_accounts(require_reach.target_ids);
    perform parley.hold_rules_of(require_reach.target_ids);
    v_own_block := exists (
        select from parley.block as b
        where b.blocker_id = require_reach.actor_id and b.blocked_id = any (require_reach.target_ids)
    );
    select
        jsonb_object_agg(r.id, r.reach) filter (where r.reach = 'requests'),
        bool_or(r.reach = 'refused')
    into v_folders, v_refused
    from (
        select u.id, parley.reach_of(require_reach.actor_id, u.id, require_reach.is_expected) as reach
        from unnest(require_reach.target_ids) as u (id)
        offset 0
    ) as r;
    if v_own_block or v_refused then
        perform parley.refuse_reach(v_own_block);
    end if;
    return coalesce(v_folders, '{}');
end;
$$;
comment on function parley.require_reach is
'Fails with the one PT403 unless the actor may reach all of these users. Returns those who find it among their requests: {user_id: requests}. Their rules stay as they are until the transaction ends.';
