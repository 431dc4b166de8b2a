-- Who is in a conversation. Every change takes the conversation's lock, so it has a place among the messages: what is
-- said before a removal the removed user still gets, what comes after never. Who calls is looked at before the lock, so
-- that strangers neither wait for a conversation nor hold it, and again under it, where the answer counts.

create or replace function parley.require_managed_conversation(conversation_id uuid)
returns parley.conversation_profile
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_profile parley.conversation_profile := parley.require_writable(conversation_id);
begin
    if v_profile.type = 'direct' then
        raise exception using
            errcode = 'PT400',
            message = 'The two participants of a direct conversation cannot change.',
            hint = 'Start a group, or archive the conversation.';
    end if;
    return v_profile;
end;
$$;
comment on function parley.require_managed_conversation(uuid) is
'The profile of a conversation whose members can change, or PT400 for a direct one.';
revoke all on function parley.require_managed_conversation(uuid) from public;

create or replace function parley.require_admin(participant parley.participant)
returns void
language plpgsql
immutable
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if participant.role not in ('owner', 'admin') then
        raise exception using errcode = 'PT403', message = 'Only admins of the conversation can do this.';
    end if;
end;
$$;
comment on function parley.require_admin(parley.participant) is 'PT403 unless the participant is owner or admin.';
revoke all on function parley.require_admin(parley.participant) from public;

create or replace function parley.check_new_members(
    profile parley.conversation_profile, user_ids uuid[], caller_id uuid
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_max bigint := parley.member_limit(profile.created_by, caller_id, profile.max_members);
begin
    perform parley.require_accounts(user_ids);
    perform parley.hold_memberships(user_ids);
    -- within the tenant of the conversation, or nobody of any
    if exists (
        select from unnest(user_ids) as u (id)
        where case
            when profile.tenant_id is null
                then exists (select from parley.tenant_member as t where t.user_id = u.id)
            else not exists (
                select from parley.tenant_member as t where t.user_id = u.id and t.tenant_id = profile.tenant_id
            )
        end
    ) then
        raise exception using
            errcode = 'PT403',
            message = 'One of the users cannot be in this conversation.',
            hint = 'Members of a tenant can only write to members of the same tenant.';
    end if;
    if cardinality(user_ids) + (
        select count(*) from parley.participant as p
        where p.conversation_id = profile.conversation_id and p.left_at is null
    ) > v_max then
        raise exception using
            errcode = 'PT400',
            message = format('A conversation may have at most %s participants.', v_max);
    end if;
end;
$$;
comment on function parley.check_new_members(parley.conversation_profile, uuid[], uuid) is
'May these users join: they exist, share the tenant, and there is room.';
revoke all on function parley.check_new_members(parley.conversation_profile, uuid[], uuid) from public;

create or replace function parley.join_conversation(
    profile parley.conversation_profile, user_ids uuid[], app_roles jsonb, roles jsonb, actor_id uuid
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_conversation parley.conversation;
    v_from_start boolean := profile.history_visible = 'start' and profile.type <> 'direct';
    v_new_id uuid;
    v_history_from_seq bigint;
begin
    -- where it stood before the first of them: the joins come before the message about them, so they see that too
    select c.* into strict v_conversation from parley.conversation as c where c.id = profile.conversation_id;
    foreach v_new_id in array user_ids loop
        insert into parley.participant as p (
            conversation_id, user_id, role, app_role, added_by,
            history_from_seq, history_from_event_seq, last_read_seq, last_delivered_seq
        )
        values (
            v_conversation.id, v_new_id, coalesce(roles ->> v_new_id::text, 'member'), app_roles ->> v_new_id::text,
            actor_id,
            case when v_from_start then 1 else v_conversation.last_seq + 1 end,
            case when v_from_start then 1 else v_conversation.last_event_seq + 1 end,
            v_conversation.last_seq, v_conversation.last_seq
        )
        on conflict (conversation_id, user_id) do update
        set
            role = excluded.role,
            app_role = coalesce(excluded.app_role, p.app_role),
            added_by = excluded.added_by,
            -- what somebody once deleted for themselves does not come back
            history_from_seq = case
                when v_from_start and p.deleted_seq is not null then p.history_from_seq else excluded.history_from_seq
            end,
            history_from_event_seq = case
                when v_from_start and p.deleted_seq is not null
                    then p.history_from_event_seq
                else excluded.history_from_event_seq
            end,
            last_read_seq = excluded.last_read_seq,
            last_delivered_seq = excluded.last_delivered_seq,
            own_unread = 0,
            marked_unread = false,
            pinned_at = null,
            archived_at = null,
            folder = excluded.folder,
            -- in the inbox again, and yet not forgotten
            deleted_seq = case when p.deleted_seq is not null then least(p.deleted_seq, v_conversation.last_seq - 1) end,
            joined_at = now(),
            left_at = null
        returning p.history_from_seq into v_history_from_seq;
        perform parley.append_event(
            v_conversation.id, 'participant:joined', actor_id, null, null, v_new_id,
            jsonb_build_object('history_from_seq', v_history_from_seq)
        );
        perform parley.append_event(
            null, 'conversation:new', actor_id, null, null, v_new_id,
            jsonb_build_object('conversation_id', v_conversation.id)
        );
    end loop;
end;
$$;
comment on function parley.join_conversation(parley.conversation_profile, uuid[], jsonb, jsonb, uuid) is
'Lets users in, who see what comes from here on, or all there is where history_visible says so. The caller holds the lock.';
revoke all on function parley.join_conversation(parley.conversation_profile, uuid[], jsonb, jsonb, uuid) from public;

create or replace function parley.add_participants(
    conversation_id uuid, participant_ids uuid[], app_roles jsonb default null, roles jsonb default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_by_host boolean := parley.is_host();
    v_user_id uuid := case when not v_by_host then parley.provision_caller() end;
    v_user_ids uuid[] := parley.clean_user_ids(add_participants.participant_ids, null);
    v_conversation parley.conversation;
    v_profile parley.conversation_profile;
    v_me parley.participant;
    v_new uuid[];
begin
    perform parley.check_app_roles(add_participants.app_roles, v_by_host);
    perform parley.check_roles(add_participants.roles, v_user_ids);
    if not v_by_host then
        perform parley.require_participant(add_participants.conversation_id, v_user_id);
    end if;
    v_conversation := parley.lock_conversation(add_participants.conversation_id);
    if v_by_host and v_conversation.id is null then
        raise exception using errcode = 'PT404', message = 'The conversation does not exist.';
    end if;
    if not v_by_host then
        v_me := parley.require_participant(add_participants.conversation_id, v_user_id);
    end if;
    v_profile := parley.require_managed_conversation(add_participants.conversation_id);
    if not v_by_host then
        perform parley.require_permission(v_me, v_profile, 'add_members');
        perform parley.require_may_give_roles(v_me, add_participants.roles);
    end if;
    v_new := array(
        select u.id from unnest(v_user_ids) as u (id)
        where not exists (
            select from parley.participant as p
            where p.conversation_id = add_participants.conversation_id and p.user_id = u.id and p.left_at is null
        )
        order by u.id
    );
    if cardinality(v_new) > 0 then
        perform parley.check_new_members(v_profile, v_new, v_user_id);
        perform parley.join_conversation(
            v_profile, v_new, add_participants.app_roles, add_participants.roles, v_user_id
        );
        perform parley.post_system_message(
            v_conversation.id,
            format(
                '%s added %s.',
                parley.actor_name(v_user_id),
                case
                    when cardinality(v_new) <= 3
                        then (
                            select string_agg(parley.display_name_of(u.id), ', ' order by u.n)
                            from unnest(v_new) with ordinality as u (id, n)
                        )
                    else cardinality(v_new) || ' members'
                end
            ),
            jsonb_strip_nulls(jsonb_build_object(
                'event', 'participants_added', 'actor_id', v_user_id, 'user_ids', to_jsonb(v_new)
            )),
            v_user_id
        );
    end if;
    return parley.conversation_json(v_conversation.id, v_user_id);
end;
$$;
comment on function parley.add_participants(uuid, uuid[], jsonb, jsonb) is
'Adds users, with roles if an admin gives some; those already in it are left alone. Returns the conversation.';
revoke all on function parley.add_participants(uuid, uuid[], jsonb, jsonb) from public;
grant execute on function parley.add_participants(uuid, uuid[], jsonb, jsonb) to authenticated, service_role;

create or replace function parley.end_participation(participant parley.participant, actor_id uuid, notice text)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_event_seq bigint;
begin
    perform parley.end_call_part(participant.conversation_id, participant.user_id, actor_id);
    perform parley.post_system_message(
        participant.conversation_id,
        notice,
        jsonb_strip_nulls(jsonb_build_object(
            'event', case when actor_id = participant.user_id then 'participant_left' else 'participant_removed' end,
            'actor_id', actor_id,
            'user_ids', jsonb_build_array(participant.user_id)
        )),
        actor_id
    );
    v_event_seq := parley.append_event(
        participant.conversation_id, 'participant:left', actor_id, null, null, participant.user_id, null
    );
    update parley.participant as p
    set left_at = clock_timestamp(), left_event_seq = v_event_seq
    where p.conversation_id = participant.conversation_id and p.user_id = participant.user_id;
    delete from parley.draft as d
    where d.conversation_id = participant.conversation_id and d.user_id = participant.user_id;
    -- what nobody is in any more must not stand for its context: the next who asks gets a new one
    delete from parley.context_conversation as x
    where x.conversation_id = participant.conversation_id
        and not exists (
            select from parley.participant as p
            where p.conversation_id = participant.conversation_id and p.left_at is null
        );
end;
$$;
comment on function parley.end_participation(parley.participant, uuid, text) is
'Says so, and then takes the participant out: nothing later in the log is for them. The caller holds the lock.';
revoke all on function parley.end_participation(parley.participant, uuid, text) from public;

create or replace function parley.remove_participant(conversation_id uuid, user_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_by_host boolean := parley.is_host();
    v_user_id uuid := case when not v_by_host then parley.provision_caller() end;
    v_profile parley.conversation_profile;
    v_me parley.participant;
    v_other parley.participant;
begin
    if remove_participant.user_id = v_user_id then
        return parley.leave_conversation(remove_participant.conversation_id);
    end if;
    if not v_by_host then
        perform parley.require_participant(remove_participant.conversation_id, v_user_id);
    end if;
    perform parley.lock_conversation(remove_participant.conversation_id);
    if not v_by_host then
        v_me := parley.require_participant(remove_participant.conversation_id, v_user_id);
    end if;
    select p.* into v_other
    from parley.participant as p
    where p.conversation_id = remove_participant.conversation_id
        and p.user_id = remove_participant.user_id
        and p.left_at is null;
    if not found then
        raise exception using
            errcode = 'PT404',
            message = 'The user is not a participant of this conversation.';
    end if;
    v_profile := parley.require_managed_conversation(remove_participant.conversation_id);
    if not v_by_host then
        perform parley.require_permission(v_me, v_profile, 'remove_members');
        if v_other.role <> 'member' then
            perform parley.require_admin(v_me);
        end if;
        if v_other.role = 'owner' and v_me.role <> 'owner' then
            raise exception using errcode = 'PT403', message = 'Only an owner can remove an owner.';
        end if;
    end if;
    perform parley.end_participation(
        v_other,
        v_user_id,
        format(
            '%s removed %s.',
            parley.actor_name(v_user_id),
            parley.display_name_of(v_other.user_id)
        )
    );
    perform parley.promote_successor(v_other, v_user_id);
    return parley.conversation_json(remove_participant.conversation_id, v_user_id);
end;
$$;
comment on function parley.remove_participant(uuid, uuid) is
'Takes a user out of a group, by who may remove members: they receive nothing committed after it. Returns the conversation.';
revoke all on function parley.remove_participant(uuid, uuid) from public;
grant execute on function parley.remove_participant(uuid, uuid) to authenticated, service_role;

create or replace function parley.promote_successor(leaver parley.participant, actor_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_heir parley.participant;
begin
    if leaver.role = 'member' or exists (
        select from parley.participant as p
        where p.conversation_id = leaver.conversation_id
            and p.left_at is null
            and p.role in ('owner', leaver.role)
    ) then
        return;
    end if;
    -- who can use it before who cannot, an admin before a member, and who has been there longest
    update parley.participant as p
    set role = leaver.role
    where p.conversation_id = leaver.conversation_id
        and p.user_id = (
            select q.user_id
            from parley.participant as q
            inner join parley.account as a on q.user_id = a.id
            where q.conversation_id = leaver.conversation_id and q.left_at is null
            order by num_nonnulls(a.suspended_at, a.deleted_at) > 0, q.role = 'member', q.joined_at, q.user_id
            limit 1
        )
    returning p.* into v_heir;
    if found then
        perform parley.announce_role(v_heir, actor_id, format(
            '%s is now %s.',
            parley.display_name_of(v_heir.user_id),
            case v_heir.role when 'owner' then 'the owner' else 'an admin' end
        ));
    end if;
end;
$$;
comment on function parley.promote_successor(parley.participant, uuid) is
'If the last owner is gone, or the last admin where there is no owner, somebody takes over that role: an admin, else the longest-standing member, of those whose account is open.';
revoke all on function parley.promote_successor(parley.participant, uuid) from public;

create or replace function parley.announce_role(participant parley.participant, actor_id uuid, notice text)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform parley.post_system_message(
        participant.conversation_id,
        notice,
        jsonb_strip_nulls(jsonb_build_object(
            'event', 'role_changed',
            'actor_id', actor_id,
            'user_ids', jsonb_build_array(participant.user_id),
            'role', participant.role
        )),
        actor_id
    );
    perform parley.append_event(
        participant.conversation_id, 'participant:updated', actor_id, null, null, participant.user_id,
        jsonb_build_object('role', participant.role)
    );
end;
$$;
comment on function parley.announce_role(parley.participant, uuid, text) is
'Says that a participant has another role now. The caller holds the lock.';
revoke all on function parley.announce_role(parley.participant, uuid, text) from public;

create or replace function parley.require_may_give_roles(participant parley.participant, roles jsonb)
returns void
language plpgsql
immutable
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if roles is null or roles = '{}' then
        return;
    end if;
    perform parley.require_admin(participant);
    if participant.role <> 'owner' and exists (select from jsonb_each_text(roles) as r where r.value = 'owner') then
        raise exception using errcode = 'PT403', message = 'Only an owner makes others owners.';
    end if;
end;
$$;
comment on function parley.require_may_give_roles(parley.participant, jsonb) is
'PT403 unless the participant may give these roles: admins do, and only an owner makes owners.';
revoke all on function parley.require_may_give_roles(parley.participant, jsonb) from public;

create or replace function parley.set_participant_role(conversation_id uuid, user_id uuid, role text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_by_host boolean := parley.is_host();
    v_user_id uuid := case when not v_by_host then parley.provision_caller() end;
    v_me parley.participant;
    v_other parley.participant;
begin
    if set_participant_role.role is null or set_participant_role.role not in ('owner', 'admin', 'member') then
        raise exception using errcode = 'PT400', message = 'role must be owner, admin or member.';
    end if;
    if not v_by_host then
        perform parley.require_participant(set_participant_role.conversation_id, v_user_id);
    end if;
    perform parley.lock_conversation(set_participant_role.conversation_id);
    if not v_by_host then
        v_me := parley.require_participant(set_participant_role.conversation_id, v_user_id);
    end if;
    select p.* into v_other
    from parley.participant as p
    where p.conversation_id = set_participant_role.conversation_id
        and p.user_id = set_participant_role.user_id
        and p.left_at is null;
    if not found then
        raise exception using
            errcode = 'PT404',
            message = 'The user is not a participant of this conversation.';
    end if;
    perform parley.require_managed_conversation(set_participant_role.conversation_id);
    if not v_by_host then
        perform parley.require_may_give_roles(
            v_me, jsonb_build_object(v_other.user_id, set_participant_role.role)
        );
        if v_other.role = 'owner' and v_me.role <> 'owner' then
            raise exception using errcode = 'PT403', message = 'Only an owner can change the role of an owner.';
        end if;
    end if;
    if v_other.role = set_participant_role.role then
        return parley.participant_json(v_other);
    end if;
    if not exists (
        select from parley.participant as p
        where p.conversation_id = v_other.conversation_id
            and p.left_at is null
            and p.user_id <> v_other.user_id
            and p.role in ('owner', v_other.role)
    ) and set_participant_role.role <> 'owner' and v_other.role <> 'member' then
        raise exception using
            errcode = 'PT403',
            message = format('The last %s keeps this role.', v_other.role),
            hint = 'Give it to somebody else first.';
    end if;
    update parley.participant as p
    set role = set_participant_role.role
    where p.conversation_id = v_other.conversation_id and p.user_id = v_other.user_id
    returning p.* into v_other;
    perform parley.announce_role(v_other, v_user_id, format(
        '%s made %s %s.',
        parley.actor_name(v_user_id),
        parley.display_name_of(v_other.user_id),
        case v_other.role when 'owner' then 'an owner' when 'admin' then 'an admin' else 'a member' end
    ));
    return parley.participant_json(v_other);
end;
$$;
comment on function parley.set_participant_role(uuid, uuid, text) is
'Makes a participant owner, admin or member, by an admin; only an owner makes owners or changes them, and the last one stays. Returns the participant.';
revoke all on function parley.set_participant_role(uuid, uuid, text) from public;
grant execute on function parley.set_participant_role(uuid, uuid, text) to authenticated, service_role;

create or replace function parley.leave_conversation(conversation_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.provision_caller();
    v_me parley.participant;
begin
    perform parley.require_participant(leave_conversation.conversation_id, v_user_id);
    perform parley.lock_conversation(leave_conversation.conversation_id);
    v_me := parley.require_participant(leave_conversation.conversation_id, v_user_id);
    if (
        select cp.type from parley.conversation_profile as cp
        where cp.conversation_id = leave_conversation.conversation_id
    ) = 'direct' then
        raise exception using
            errcode = 'PT400',
            message = 'A direct conversation cannot be left.',
            hint = 'Archive or mute it instead.';
    end if;
    perform parley.end_participation(v_me, v_user_id, format('%s left.', parley.display_name_of(v_user_id)));
    perform parley.promote_successor(v_me, v_user_id);
    return jsonb_build_object('conversation_id', leave_conversation.conversation_id, 'user_id', v_user_id);
end;
$$;
comment on function parley.leave_conversation(uuid) is
'Takes the caller out of a group; if they were the last owner or admin, somebody takes over.';
revoke all on function parley.leave_conversation(uuid) from public;
grant execute on function parley.leave_conversation(uuid) to authenticated;
