-- Coming to a tenant and leaving it. Who leaves is out of all conversations of the tenant in the same transaction.

create or replace function parley.set_tenant_member(tenant_id uuid, user_id uuid, role text default 'member')
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if set_tenant_member.role is null or set_tenant_member.role not in ('owner', 'manager', 'moderator', 'member') then
        raise exception using errcode = 'PT400', message = 'role must be owner, manager, moderator or member.';
    end if;
    if not exists (select from parley.tenant as t where t.id = set_tenant_member.tenant_id) then
        raise exception using errcode = 'PT404', message = 'The tenant does not exist.';
    end if;
    if set_tenant_member.user_id is null then
        raise exception using errcode = 'PT400', message = 'user_id is required.';
    end if;
    perform parley.require_accounts(array[set_tenant_member.user_id]);
    insert into parley.tenant_member (tenant_id, user_id, role)
    values (set_tenant_member.tenant_id, set_tenant_member.user_id, set_tenant_member.role)
    on conflict (tenant_id, user_id) do update set role = excluded.role;
    return jsonb_build_object(
        'tenant_id', set_tenant_member.tenant_id, 'user_id', set_tenant_member.user_id, 'role', set_tenant_member.role
    );
end;
$$;
comment on function parley.set_tenant_member(uuid, uuid, text) is
'Makes a user a member of a tenant, or gives a member another role there.';
revoke all on function parley.set_tenant_member(uuid, uuid, text) from public;
grant execute on function parley.set_tenant_member(uuid, uuid, text) to service_role;

create or replace function parley.tenant_conversations(tenant_id uuid, user_id uuid)
returns setof uuid
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select p.conversation_id
    from parley.participant as p
    inner join parley.conversation_profile as cp on p.conversation_id = cp.conversation_id
    where p.user_id = tenant_conversations.user_id
        and p.left_at is null
        and cp.tenant_id = tenant_conversations.tenant_id
    order by p.conversation_id;
end;
$$;
comment on function parley.tenant_conversations(uuid, uuid) is 'The conversations of a tenant a user is in.';
revoke all on function parley.tenant_conversations(uuid, uuid) from public;

create or replace function parley.remove_tenant_member(tenant_id uuid, user_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_ids uuid[] := array(
        select c.id
        from parley.tenant_conversations(remove_tenant_member.tenant_id, remove_tenant_member.user_id) as c (id)
    );
    v_id uuid;
    v_participant parley.participant;
    v_count bigint := 0;
begin
    -- Conversations before the membership, as everybody takes them. Whoever lets the user in somewhere holds the
    -- membership until they commit, so what they made is seen below.
    foreach v_id in array v_ids loop
        perform parley.lock_conversation(v_id);
    end loop;
    delete from parley.tenant_member as t
    where t.tenant_id = remove_tenant_member.tenant_id and t.user_id = remove_tenant_member.user_id;
    if not found then
        raise exception using errcode = 'PT404', message = 'The user is not a member of this tenant.';
    end if;
    for v_id in
        select c.id
        from parley.tenant_conversations(remove_tenant_member.tenant_id, remove_tenant_member.user_id) as c (id)
    loop
        perform parley.lock_conversation(v_id);
        select p.* into v_participant
        from parley.participant as p
        where p.conversation_id = v_id and p.user_id = remove_tenant_member.user_id and p.left_at is null;
        continue when not found;
        perform parley.end_participation(
            v_participant, null, format('%s left.', parley.display_name_of(remove_tenant_member.user_id))
        );
        perform parley.promote_successor(v_participant, null);
        v_count := v_count + 1;
    end loop;
    return jsonb_build_object(
        'tenant_id', remove_tenant_member.tenant_id,
        'user_id', remove_tenant_member.user_id,
        'conversations_left', v_count
    );
end;
$$;
comment on function parley.remove_tenant_member(uuid, uuid) is
'Ends a membership, and with it the user''s place in every conversation of the tenant. Returns how many those were.';
revoke all on function parley.remove_tenant_member(uuid, uuid) from public;
grant execute on function parley.remove_tenant_member(uuid, uuid) to service_role;

-- A moderator's place is lost by whoever writes the row: a function here, the host, or a tenant that is deleted. The
-- open subscription must end at that position of the log, and no other of that user with it.
create or replace function parley.end_moderation()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform parley.append_event(
        null, 'moderation:revoked', null, null, null, old.user_id, jsonb_build_object('tenant_id', old.tenant_id)
    );
    return null;
end;
$$;
comment on function parley.end_moderation() is
'Trigger: who is no moderator of a tenant any more loses the topic tenant:<id>:moderation by the event this writes.';
revoke all on function parley.end_moderation() from public;

create or replace trigger tenant_member_removed_trigger
after delete on parley.tenant_member
for each row
when (old.role <> 'member')
execute function parley.end_moderation();
comment on trigger tenant_member_removed_trigger on parley.tenant_member is 'Closes the moderation to who was removed.';

create or replace trigger tenant_member_demoted_trigger
after update on parley.tenant_member
for each row
when (
    old.role <> 'member'
    and (new.role = 'member' or new.tenant_id <> old.tenant_id or new.user_id <> old.user_id)
)
execute function parley.end_moderation();
comment on trigger tenant_member_demoted_trigger on parley.tenant_member is 'Closes the moderation to who was demoted.';
