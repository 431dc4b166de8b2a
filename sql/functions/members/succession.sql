-- A group that loses its last owner or admin gets another one.

create or replace function parley.announce_role(participant parley.participant, actor_id uuid, notice text)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform parley.post_system_message(
        participant.conversation_id, actor_id, notice,
        jsonb_build_object(
            'event', 'role_changed', 'user_ids', jsonb_build_array(participant.user_id), 'role', participant.role
        )
    );
    perform parley.append_event(
        participant.conversation_id, 'participant:updated', actor_id, null, null, participant.user_id,
        jsonb_build_object('role', participant.role)
    );
end;
$$;
comment on function parley.announce_role is 'Says that a participant has another role now. The caller holds the lock.';

create or replace function parley.promote_successor(leaver parley.participant, actor_id uuid)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_heir parley.participant;
begin
    if leaver.role = 'member' then
        return;
    end if;
    -- who can use it before who cannot, who has it before who does not, an admin before a member, and who has been there
    -- longest
    select q.* into v_heir
    from parley.participant as q
    inner join parley.account as a on q.user_id = a.id
    where q.conversation_id = leaver.conversation_id and q.left_at is null and q.user_id <> leaver.user_id
    order by
        num_nonnulls(a.suspended_at, a.deleted_at) > 0,
        q.role in ('owner', leaver.role) desc,
        q.role = 'member',
        q.joined_at,
        q.user_id
    limit 1;
    if v_heir.role in ('owner', leaver.role) then
        return;
    end if;
    update parley.participant as p
    set role = leaver.role
    where p.conversation_id = v_heir.conversation_id and p.user_id = v_heir.user_id
    returning p.* into v_heir;
    if found then
        perform parley.announce_role(v_heir, actor_id, format(
            '{users} is now %s.',
            case v_heir.role when 'owner' then 'the owner' else 'an admin' end
        ));
    end if;
end;
$$;
comment on function parley.promote_successor is
'If the last owner whose account is open is gone, or the last admin where there is no owner, somebody takes over that role: an admin, else the longest-standing member, of those whose account is open.';

create or replace function parley.set_participant_role(conversation_id uuid, user_id uuid, role text)
returns jsonb
language plpgsql volatile security definer
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
    v_other := parley.require_other_participant(set_participant_role.conversation_id, set_participant_role.user_id);
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
        inner join parley.account as a on p.user_id = a.id
        where p.conversation_id = v_other.conversation_id
            and p.left_at is null
            and a.suspended_at is null
            and a.deleted_at is null
            and p.user_id <> v_other.user_id
            and p.role in ('owner', v_other.role)
    ) and set_participant_role.role <> 'owner' and v_other.role <> 'member' then
        raise exception using
            errcode = 'PT403',
            message = format('The last %s keeps this role.', v_other.role),
            hint = 'Give it to somebody else first.';
    end if;
    if not v_by_host then
        perform parley.take_tier_token(v_user_id, 'settings_per_minute');
    end if;
    update parley.participant as p
    set role = set_participant_role.role
    where p.conversation_id = v_other.conversation_id and p.user_id = v_other.user_id
    returning p.* into v_other;
    perform parley.announce_role(v_other, v_user_id, format(
        '{actor} made {users} %s.',
        case v_other.role when 'owner' then 'an owner' when 'admin' then 'an admin' else 'a member' end
    ));
    return parley.participant_json(v_other);
end;
$$;
comment on function parley.set_participant_role is
'Makes a participant owner, admin or member, by an admin; only an owner makes owners or changes them, and the last one stays. Returns the participant.';
grant execute on function parley.set_participant_role to authenticated, service_role;
