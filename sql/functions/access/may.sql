-- Whether somebody may do something: the one place that decides. It reads and takes no token. Every door asks it, and
-- says no in its words. The half of the actor comes first, so that nobody who may not start anything learns anything of
-- whom they named.

create or replace function parley.is_acquainted(user_id uuid, other_id uuid)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return exists (
        select from parley.direct_conversation as d
        where d.user_low = least(is_acquainted.user_id, is_acquainted.other_id)
            and d.user_high = greatest(is_acquainted.user_id, is_acquainted.other_id)
    );
end;
$$;
comment on function parley.is_acquainted is
'True if the two have a direct conversation: to reach the other takes no entitlement and no token any more.';

create or replace function parley.decide_initiative(
    actor_id uuid, entitlement text, tenant_id uuid, in_any boolean
)
returns parley.decision
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if parley.is_tenant_manager(actor_id, decide_initiative.tenant_id)
        or parley.is_entitled(actor_id, entitlement, decide_initiative.tenant_id)
        -- where they share no tenant: who may start nothing anywhere does not learn that
        or in_any and exists (
            select from parley.tenant_member as m
            where m.user_id = actor_id
                and (
                    m.role in ('owner', 'administrator', 'manager')
                    or parley.is_entitled(actor_id, entitlement, m.tenant_id)
                )
        )
    then
        return parley.allowed();
    end if;
    return parley.denied(
        'Your plan does not include starting conversations.', 'You can still answer in the conversations you are in.'
    );
end;
$$;
comment on function parley.decide_initiative is
'May the actor reach new people in the tenant, or outside of all: by tier, by subscription, or as its manager. in_any: or in any tenant of theirs.';

create or replace function parley.decide_contact(
    actor_id uuid, action text, target_ids uuid[], tenant_id uuid, type text
)
returns parley.decision
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_new constant uuid[] := array(
        select u.id from unnest(target_ids) as u (id) where not parley.is_acquainted(actor_id, u.id)
    );
    v_initiators constant text := parley.setting_value('initiating_app_roles');
    v_tenant_id uuid := decide_contact.tenant_id;
    v_is_split boolean;
    v_decision parley.decision;
begin
    if action = 'start' then
        select c.tenant_id, c.is_split into v_tenant_id, v_is_split
        from parley.common_tenant(target_ids || actor_id, actor_id) as c;
    else
        -- within the tenant of the conversation, or nobody of any
        v_is_split := exists (
            select from unnest(target_ids) as u (id)
            where exists (
                select from parley.tenant_member as m
                where m.user_id = u.id and (v_tenant_id is null or m.tenant_id = v_tenant_id)
            ) <> (v_tenant_id is not null)
        );
    end if;
    if action = 'start' or cardinality(v_new) > 0 then
        v_decision := parley.decide_initiative(
            actor_id,
            case when action = 'start' and type = 'direct' then 'can_initiate_direct_messages' else 'can_create_groups' end,
            -- only a start has no tenant of its own to be decided by
            v_tenant_id, v_is_split and action = 'start'
        );
        if not v_decision.allowed then
            return v_decision;
        end if;
    end if;
    if action = 'start' and type = 'direct' and parley.shows_something(v_initiators)
        and not parley.own_app_roles(actor_id) && parley.setting_list('initiating_app_roles')
    then
        return parley.denied(
            'In this role you cannot start a conversation.',
            format('The application gives roles. It takes one of: %s.', v_initiators)
        );
    end if;
    -- before the tenants: whoever blocks somebody must not learn by that whether they are in one
    if exists (
        select from parley.block as b where b.blocker_id = actor_id and b.blocked_id = any (target_ids)
    ) then
        return parley.own_block();
    end if;
    if v_is_split then
        return parley.unreachable();
    end if;
    return parley.allowed();
end;
$$;
comment on function parley.decide_contact is
'May the actor start a conversation of that type with these users, or bring them into one of the tenant.';

create or replace function parley.decide_in_conversation(actor_id uuid, action text, conversation_id uuid)
returns parley.decision
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_participant parley.participant;
    v_profile parley.conversation_profile;
begin
    select p.* into v_participant
    from parley.participant as p
    inner join parley.account as a on p.user_id = a.id
    where p.conversation_id = decide_in_conversation.conversation_id
        and p.user_id = actor_id
        and p.left_at is null
        and a.suspended_at is null
        and a.deleted_at is null;
    if not found then
        return parley.denied('You are not a participant of this conversation, or it does not exist.');
    end if;
    if action = 'join' then
        return parley.allowed();
    end if;
    select cp.* into strict v_profile
    from parley.conversation_profile as cp
    where cp.conversation_id = decide_in_conversation.conversation_id;
    if v_profile.status <> 'active' then
        return parley.denied(format(
            'This conversation is %s and takes no %s.',
            v_profile.status, case when action in ('add', 'call', 'invite') then 'changes' else 'new messages' end
        ));
    end if;
    if v_profile.severed_at is not null then
        return parley.severed();
    end if;
    if action in ('add', 'invite') then
        if v_profile.type = 'direct' or not parley.has_permission(v_participant, v_profile, 'add_members') then
            return parley.denied('Only admins of the conversation can do this.', 'It takes the permission add_members.');
        end if;
    elsif not parley.has_permission(v_participant, v_profile, 'send_messages') then
        return case
            when action = 'call'
                then parley.denied(
                    'Only admins of the conversation can do this.', 'It takes the permission send_messages.'
                )
            else parley.denied('Only admins can send messages in this conversation.')
        end;
    end if;
    return parley.allowed();
end;
$$;
comment on function parley.decide_in_conversation is
'May the actor do that in a conversation: as a participant, by its status, its tenant''s boundary and its permissions.';

create or replace function parley.decide(
    actor_id uuid,
    action text,
    target_ids uuid[] default null,
    tenant_id uuid default null,
    conversation_id uuid default null,
    type text default 'direct'
)
returns parley.decision
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_decision parley.decision := parley.allowed();
begin
    if action is null
        or action not in ('start', 'add', 'invite', 'write', 'forward', 'schedule', 'call', 'upload', 'join')
    then
        raise exception using
            errcode = 'PT400',
            message = 'There is no such action.',
            hint = 'Actions: start, add, invite, write, forward, schedule, call, upload, join.';
    end if;
    if action <> 'start' then
        v_decision := parley.decide_in_conversation(actor_id, action, conversation_id);
    end if;
    if v_decision.allowed and target_ids <> '{}' and action in ('start', 'add', 'invite') then
        v_decision := parley.decide_contact(actor_id, action, target_ids, tenant_id, type);
    end if;
    return v_decision;
end;
$$;
comment on function parley.decide is
'May the actor do that: start with those users, add them to a conversation of the tenant, or write, forward, schedule, call, upload and join in the conversation. Takes no token.';

create or replace function parley.may(action text, target_id uuid)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := parley.require_caller();
    v_decision parley.decision;
    v_is_there boolean;
    v_reason text;
    v_remedy text;
begin
    if target_id is null or target_id = v_user_id then
        raise exception using
            errcode = 'PT400',
            message = 'target_id must be another user for start, and a conversation for everything else.';
    end if;
    v_is_there := action = 'start' and exists (
        select from parley.direct_conversation as d
        where d.user_low = least(v_user_id, target_id)
            and d.user_high = greatest(v_user_id, target_id)
            and d.context_type = ''
            and d.context_id = ''
            -- one whom either has left is begun anew
            and not exists (
                select from parley.participant as p
                where p.conversation_id = d.conversation_id and p.left_at is not null
            )
    );
    if v_is_there then
        v_decision := parley.allowed();
    elsif action = 'start' then
        v_decision := parley.decide(v_user_id, action, array[target_id]);
        if v_decision.allowed
            and parley.tokens_left(v_user_id, parley.user_limit(v_user_id, 'new_conversations_per_day')) < 1
        then
            v_decision := parley.denied(
                'Too many requests: the limit of this plan is reached.',
                'See new_conversations_per_day in get_entitlements().'
            );
        end if;
        if v_decision.allowed and parley.reach_of(v_user_id, target_id) = 'refused' then
            v_decision := parley.unreachable();
        end if;
    else
        v_decision := parley.decide(v_user_id, action, conversation_id => target_id);
    end if;
    -- messaging may be switched off; what is scheduled waits
    if v_decision.allowed and not v_is_there and action in ('start', 'add', 'write', 'forward', 'call', 'upload') then
        begin
            perform parley.require_messaging(v_user_id);
        exception
            when sqlstate 'PT403' or sqlstate 'PT503' then
                get stacked diagnostics v_reason = message_text, v_remedy = pg_exception_hint;
                v_decision := parley.denied(v_reason, v_remedy);
        end;
    end if;
    return jsonb_build_object(
        'allowed', v_decision.allowed, 'reason', v_decision.reason, 'remedy', v_decision.remedy
    );
end;
$$;
comment on function parley.may is
'Whether the caller may do that, why not, and what would change it: start with a user; add, write, forward, schedule, call, upload or join in a conversation. Nothing happens by asking.';
grant execute on function parley.may to authenticated;
