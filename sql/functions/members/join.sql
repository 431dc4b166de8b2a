-- Who is in a conversation. Every change takes the conversation's lock, so it has a place among the messages: what is
-- said before a removal the removed user still gets, what comes after never. Who calls is looked at before the lock, so
-- that strangers neither wait for a conversation nor hold it, and again under it, where the answer counts.

create or replace function parley.member_limit(creator_id uuid, caller_id uuid, max_members bigint)
returns bigint
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_max bigint := parley.limit_of(coalesce(creator_id, caller_id), 'max_group_size');
begin
    -- the application may go beyond a tier by saying so; who uses it may not
    return case when caller_id is null then coalesce(max_members, v_max) else least(v_max, max_members) end;
end;
$$;
comment on function parley.member_limit is
'Most participants of a conversation, by its creator''s tier and its own max_members. For the host (no caller) max_members decides alone. Null: unlimited.';

create or replace function parley.admit_members(
    profile parley.conversation_profile, user_ids uuid[], caller_id uuid
)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_max bigint := parley.member_limit(profile.created_by, caller_id, profile.max_members);
    v_folders jsonb;
begin
    perform parley.hold_memberships(user_ids);
    if caller_id is not null then
        perform parley.require_messaging(caller_id);
        perform parley.require_may(caller_id, 'add', profile.conversation_id);
        perform parley.require_contact(caller_id, 'add', user_ids, profile.tenant_id, profile.type);
        v_folders := parley.require_reach(
            caller_id, user_ids, parley.is_expected(caller_id, profile.conversation_id, profile.tenant_id)
        );
        -- who declined to be here is left alone, whoever asks next; and whom they declined stays declined
        if exists (
            select from parley.message_request as r
            where r.conversation_id = profile.conversation_id
                and r.recipient_id = any (user_ids)
                and r.status = 'declined'
                and r.answered_at > now() - parley.setting_days('request_decline_days', 30)
        ) then
            perform parley.refuse(parley.unreachable());
        end if;
    else
        perform parley.require_accounts(user_ids);
    end if;
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
        perform parley.refuse(parley.unreachable());
    end if;
    if cardinality(user_ids) + (
        select count(*) from parley.participant as p
        where p.conversation_id = profile.conversation_id and p.left_at is null
    ) > v_max then
        raise exception using
            errcode = 'PT400',
            message = format('A conversation may have at most %s participants.', v_max);
    end if;
    return v_folders;
end;
$$;
comment on function parley.admit_members is
'May these users join: the caller may reach them, they share the tenant, and there is room. Returns those who find it among their requests: {user_id: requests}; null where the application adds them.';

create or replace function parley.join_conversation(
    profile parley.conversation_profile, user_ids uuid[], app_roles jsonb, roles jsonb, actor_id uuid,
    folders jsonb default null
)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_conversation parley.conversation;
    v_from_start boolean := profile.history_visible = 'start' and profile.type <> 'direct';
    v_new_id uuid;
    v_history_from_seq bigint;
begin
    foreach v_new_id in array user_ids loop
        perform parley.settle_departure(profile.conversation_id, v_new_id);
    end loop;
    -- where it stood before the first of them: the joins come before the message about them, so they see that too
    select c.* into strict v_conversation from parley.conversation as c where c.id = profile.conversation_id;
    foreach v_new_id in array user_ids loop
        insert into parley.participant as p (
            conversation_id, user_id, role, app_role, added_by, folder,
            history_from_seq, history_from_event_seq, last_read_seq, last_delivered_seq, joined_at
        )
        values (
            v_conversation.id, v_new_id, coalesce(roles ->> v_new_id::text, 'member'), app_roles ->> v_new_id::text,
            actor_id, coalesce(folders ->> v_new_id::text, 'inbox'),
            case when v_from_start then 1 else v_conversation.last_seq + 1 end,
            case when v_from_start then 1 else v_conversation.last_event_seq + 1 end,
            v_conversation.last_seq, v_conversation.last_seq, clock_timestamp()
        )
        on conflict (conversation_id, user_id) do update
        set
            role = excluded.role,
            app_role = coalesce(excluded.app_role, p.app_role),
            -- who comes back by their own doing was let in by whom they were
            added_by = case when excluded.added_by = p.user_id then p.added_by else excluded.added_by end,
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
            joined_at = excluded.joined_at,
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
    perform parley.open_requests(v_conversation.id, actor_id, folders);
end;
$$;
comment on function parley.join_conversation is
'Lets users in, who see what comes from here on, or all there is where history_visible says so; those in {user_id: requests} find it among their requests. The caller holds the lock.';

create or replace function parley.add_participants(
    conversation_id uuid, participant_ids uuid[], app_roles jsonb default null, roles jsonb default null
)
returns jsonb
language plpgsql volatile security definer
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
    v_folders jsonb;
begin
    perform parley.check_app_roles(add_participants.app_roles, v_by_host);
    perform parley.check_roles(add_participants.roles, v_user_ids);
    if not v_by_host then
        perform parley.require_participant(add_participants.conversation_id, v_user_id);
        perform parley.hold_rules_of(v_user_ids);
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
        v_folders := parley.admit_members(v_profile, v_new, v_user_id);
        perform parley.join_conversation(
            v_profile, v_new, add_participants.app_roles, add_participants.roles, v_user_id, v_folders
        );
        -- whoever brings strangers: all who were there before are strangers to them
        update parley.conversation as c
        set unanswered = true
        where c.id = v_conversation.id
            and not c.unanswered
            and parley.awaits_answer(v_user_id, v_new, c.id, v_profile.tenant_id);
        perform parley.post_system_message(
            v_conversation.id,
            v_user_id,
            format(
                '{actor} added %s.',
                case when cardinality(v_new) <= 3 then '{users}' else cardinality(v_new) || ' members' end
            ),
            jsonb_build_object('event', 'participants_added', 'user_ids', v_new)
        );
    end if;
    return parley.conversation_json(v_conversation.id, v_user_id);
end;
$$;
comment on function parley.add_participants is
'Adds users, with roles if an admin gives some; those already in it are left alone. Returns the conversation.';
grant execute on function parley.add_participants to authenticated, service_role;
