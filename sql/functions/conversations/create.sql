-- A new conversation with its first participants, and a direct one that is taken up again.

create or replace function parley.create_conversation(
    profile parley.conversation_profile, user_ids uuid[], app_roles jsonb, roles jsonb, folders jsonb default null
)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_member record;
begin
    insert into parley.conversation (id, unanswered)
    values (
        profile.conversation_id,
        parley.awaits_answer(profile.created_by, user_ids, null, profile.tenant_id)
    );
    insert into parley.conversation_profile select profile.*;
    if profile.context_type is not null then
        insert into parley.conversation_context (conversation_id, context_type, context_id, added_by)
        values (profile.conversation_id, profile.context_type, profile.context_id, profile.created_by);
    end if;
    -- Joins first: whoever follows the log knows the members before the first thing they are told.
    for v_member in
        insert into parley.participant (conversation_id, user_id, role, app_role, added_by, folder, shown_read_seq)
        select
            profile.conversation_id,
            u.id,
            case
                when profile.type = 'direct' then 'member'
                when u.id = profile.created_by then 'owner'
                else coalesce(create_conversation.roles ->> u.id::text, 'member')
            end,
            create_conversation.app_roles ->> u.id::text,
            nullif(profile.created_by, u.id),
            coalesce(create_conversation.folders ->> u.id::text, 'inbox'),
            -- the application may bring two together of whom one has blocked the other
            case
                when profile.type = 'direct' and exists (
                    select from parley.block as b
                    where b.blocker_id = u.id and b.blocked_id = any (create_conversation.user_ids)
                ) then 0
            end
        from unnest(user_ids) as u (id)
        returning user_id
    loop
        perform parley.append_event(
            profile.conversation_id, 'participant:joined', profile.created_by,
            null, null, v_member.user_id, jsonb_build_object('history_from_seq', 1)
        );
    end loop;
    perform parley.append_event(
        profile.conversation_id, 'conversation:new', profile.created_by, null, null, null, null
    );
    perform parley.open_requests(profile.conversation_id, profile.created_by, create_conversation.folders);
end;
$$;
comment on function parley.create_conversation is
'Makes the rows of a new conversation and its events: every member joins, then the conversation is announced, and the requests that it is for some ({user_id: requests}).';

create or replace function parley.release_direct(conversation_id uuid, user_ids uuid[])
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if not exists (
        select from parley.participant as p
        where p.conversation_id = release_direct.conversation_id and p.left_at is not null
    ) then
        return false;
    end if;
    perform parley.hold_memberships(user_ids);
    -- under a context that nobody can name: the two still know each other from it
    update parley.direct_conversation as d
    set context_type = '-', context_id = d.conversation_id::text
    from parley.conversation_profile as cp
    where d.conversation_id = release_direct.conversation_id
        and cp.conversation_id = d.conversation_id
        and cp.tenant_id is not null
        and (
            select count(*) from parley.tenant_member as t
            where t.tenant_id = cp.tenant_id and t.user_id = any (user_ids)
        ) < 2;
    return found;
end;
$$;
comment on function parley.release_direct is
'A direct conversation that somebody left with its tenant stays that tenant''s. True: the pair no longer share the tenant, so this is not their conversation any more, and the next start makes another.';

create or replace function parley.reopen_direct(conversation_id uuid, user_ids uuid[], actor_id uuid)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_profile parley.conversation_profile;
    v_gone uuid[];
    v_folders jsonb;
    v_tenant_id uuid;
begin
    if (
        select count(*) from parley.participant as p
        where p.conversation_id = reopen_direct.conversation_id and p.left_at is null
    ) = 2 then
        return;
    end if;
    -- one of the two has left the tenant they shared: as if they met anew
    perform parley.hold_memberships(user_ids);
    if exists (
        select from parley.conversation_profile as cp
        where cp.conversation_id = reopen_direct.conversation_id
            and cp.tenant_id is not null
            and (
                select count(*) from parley.tenant_member as t
                where t.tenant_id = cp.tenant_id and t.user_id = any (user_ids)
            ) < 2
    ) then
        raise exception using
            errcode = '40001',
            message = 'A membership ended meanwhile.',
            hint = 'Try again.';
    end if;
    if actor_id is not null then
        perform parley.require_contact(actor_id, 'start', array_remove(user_ids, actor_id));
    end if;
    v_tenant_id := parley.shared_tenant(user_ids, actor_id);
    if actor_id is null then
        perform parley.require_accounts(user_ids);
    else
        v_folders := parley.require_reach(actor_id, array_remove(user_ids, actor_id), parley.is_expected(
            actor_id, reopen_direct.conversation_id, v_tenant_id
        ));
    end if;
    perform parley.lock_conversation(reopen_direct.conversation_id);
    v_gone := array(
        select p.user_id from parley.participant as p
        where p.conversation_id = reopen_direct.conversation_id and p.left_at is not null
        order by p.user_id
    );
    select cp.* into strict v_profile
    from parley.conversation_profile as cp
    where cp.conversation_id = reopen_direct.conversation_id;
    -- what was asked before they left is asked anew, or no longer; who stayed finds it where it was
    delete from parley.message_request as r
    where r.conversation_id = reopen_direct.conversation_id
        and r.recipient_id = any (v_gone)
        and (actor_id is not null or r.status <> 'declined');
    select jsonb_object_agg(f.key, f.value) into v_folders
    from jsonb_each(v_folders) as f
    where f.key::uuid = any (v_gone);
    perform parley.join_conversation(v_profile, v_gone, null, null, actor_id, v_folders);
    perform parley.mark_conversation(reopen_direct.conversation_id);
end;
$$;
comment on function parley.reopen_direct is
'Lets the users of a pair who had left come back, if the two could start a conversation now. They see messages from then on.';
