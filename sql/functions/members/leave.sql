-- Leaving a group and being taken out of it.

create or replace function parley.end_participation(participant parley.participant, actor_id uuid, notice text)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_event_seq bigint;
begin
    perform parley.end_call_part(participant.conversation_id, participant.user_id, actor_id);
    perform parley.post_system_message(
        participant.conversation_id, actor_id, notice,
        jsonb_build_object(
            'event', case when actor_id = participant.user_id then 'participant_left' else 'participant_removed' end,
            'user_ids', jsonb_build_array(participant.user_id)
        )
    );
    v_event_seq := parley.append_event(
        participant.conversation_id, 'participant:left', actor_id, null, null, participant.user_id, null
    );
    update parley.participant as p
    set left_at = clock_timestamp(), left_event_seq = v_event_seq, has_draft = false
    where p.conversation_id = participant.conversation_id and p.user_id = participant.user_id;
    perform parley.settle_unanswered(participant.conversation_id);
    if exists (
        select from parley.conversation_profile as cp
        where cp.conversation_id = participant.conversation_id and cp.severed_at is not null
    ) then
        perform parley.settle_severed(participant.conversation_id);
    end if;
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
comment on function parley.end_participation is
'Says so, and then takes the participant out: nothing later in the log is for them. The caller holds the lock.';

create or replace function parley.leave_conversation(conversation_id uuid)
returns jsonb
language plpgsql volatile security definer
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
    perform parley.end_participation(v_me, v_user_id, '{users} left.');
    perform parley.promote_successor(v_me, v_user_id);
    return jsonb_build_object('conversation_id', leave_conversation.conversation_id, 'user_id', v_user_id);
end;
$$;
comment on function parley.leave_conversation is
'Takes the caller out of a group; if they were the last owner or admin, somebody takes over.';
grant execute on function parley.leave_conversation to authenticated;

create or replace function parley.remove_participant(conversation_id uuid, user_id uuid)
returns jsonb
language plpgsql volatile security definer
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
    v_other := parley.require_other_participant(remove_participant.conversation_id, remove_participant.user_id);
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
    perform parley.end_participation(v_other, v_user_id, '{actor} removed {users}.');
    perform parley.promote_successor(v_other, v_user_id);
    return parley.conversation_json(remove_participant.conversation_id, v_user_id);
end;
$$;
comment on function parley.remove_participant is
'Removes a user from a group. Needs the right to remove members. The user receives nothing that is committed afterwards. Returns the conversation.';
grant execute on function parley.remove_participant to authenticated, service_role;
