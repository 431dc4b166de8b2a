-- Membership follows tenant_member, whoever writes the row: who leaves a tenant is out of all its conversations in the
-- same transaction, and conversations of no tenant can only be read while a tenant's boundary runs through them.

create or replace function parley.depart_from_tenant(tenant_id uuid, user_id uuid)
returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_count bigint;
begin
    -- Only rows of the user, so that nothing is waited for but what the user does at this moment. From here on the user
    -- reads and writes nothing; the conversations are told below, and where somebody holds one, by the job.
    with gone as (
        update parley.participant as p
        set left_at = clock_timestamp(), has_draft = false
        from parley.conversation_profile as cp
        where p.user_id = depart_from_tenant.user_id
            and p.left_at is null
            and p.conversation_id = cp.conversation_id
            and cp.tenant_id = depart_from_tenant.tenant_id
        returning p.conversation_id
    )

    insert into parley.departure (conversation_id, user_id)
    select g.conversation_id, depart_from_tenant.user_id
    from gone as g
    on conflict on constraint departure_pkey do nothing;
    get diagnostics v_count = row_count;
    if v_count > 0 then
        perform parley.settle_departures_of(depart_from_tenant.user_id, 100);
    end if;
    return v_count;
end;
$$;
comment on function parley.depart_from_tenant is
'Takes a user out of all conversations of a tenant at once, and tells up to a hundred of them. Returns how many they are.';

create or replace function parley.settle_boundary(user_id uuid)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_ids constant uuid[] := array(
        select p.conversation_id
        from parley.participant as p
        inner join parley.conversation_profile as cp on p.conversation_id = cp.conversation_id
        where p.user_id = settle_boundary.user_id and p.left_at is null and cp.tenant_id is null
    );
    v_id uuid;
begin
    -- all of them before the first look: two who come to the same tenant at once look one after the other
    perform from parley.conversation as c where c.id = any (v_ids) order by c.id for no key update;
    foreach v_id in array v_ids loop
        perform parley.settle_severed(v_id);
    end loop;
end;
$$;
comment on function parley.settle_boundary is
'Opens and closes the conversations of no tenant that a user is in, as the memberships of their participants say.';

create or replace function parley.begin_membership()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- whoever is letting the user in somewhere has decided by the memberships there were, see parley.hold_memberships
    perform from parley.account as a where a.id = new.user_id for update;
    return new;
end;
$$;
comment on function parley.begin_membership is
'Trigger: a membership waits for conversations that are being started with the user, and they for it.';

create trigger tenant_member_begin_trigger
before insert or update of tenant_id, user_id on parley_wanted.tenant_member
for each row execute function parley.begin_membership();
comment on trigger tenant_member_begin_trigger on parley_wanted.tenant_member is
'Takes the account, so that nothing is started meanwhile by the memberships of before.';

create or replace function parley.follow_membership()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op <> 'INSERT' and (tg_op = 'DELETE' or (old.tenant_id, old.user_id) <> (new.tenant_id, new.user_id)) then
        perform parley.depart_from_tenant(old.tenant_id, old.user_id);
        perform parley.settle_boundary(old.user_id);
        perform parley.change_plan(old.user_id, jsonb_build_object('tenant_id', old.tenant_id, 'role', null));
    end if;
    if tg_op <> 'DELETE' and (
        tg_op = 'INSERT' or (old.tenant_id, old.user_id, old.role) <> (new.tenant_id, new.user_id, new.role)
    ) then
        perform parley.settle_boundary(new.user_id);
        perform parley.change_plan(new.user_id, jsonb_build_object('tenant_id', new.tenant_id, 'role', new.role));
    end if;
    return null;
end;
$$;
comment on function parley.follow_membership is
'Trigger: a membership that begins, ends or changes has its consequences in the same transaction, and the user is told.';

create trigger tenant_member_follow_trigger
after insert or update or delete on parley_wanted.tenant_member
for each row execute function parley.follow_membership();
comment on trigger tenant_member_follow_trigger on parley_wanted.tenant_member is
'Conversations follow the memberships of their participants.';
