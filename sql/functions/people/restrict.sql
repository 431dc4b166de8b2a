-- Restricting: the messages of somebody land among the requests, without receipts, and nobody tells them.

create or replace function parley.restrict_user(user_id uuid)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.provision_caller();
    v_id uuid;
    v_participant parley.participant;
begin
    perform parley.require_other_user(restrict_user.user_id, v_user_id);
    perform parley.lock_rules_of(v_user_id);
    if not exists (
        select from parley.restriction as r
        where r.restricter_id = v_user_id and r.restricted_id = restrict_user.user_id
    ) then
        perform parley.require_share(
            v_user_id, 'max_restricted_users',
            (select count(*) from parley.restriction as r where r.restricter_id = v_user_id)
        );
        insert into parley.restriction (restricter_id, restricted_id) values (v_user_id, restrict_user.user_id);
        for v_id in select c.id from parley.lock_conversations_of(v_user_id, restrict_user.user_id) as c (id) loop
            perform parley.end_call_part(v_id, v_user_id, v_user_id);
            update parley.participant as p
            set folder = 'requests'
            where p.conversation_id = v_id and p.user_id = v_user_id and p.left_at is null and p.folder <> 'requests'
            returning p.* into v_participant;
            if found then
                perform parley.append_settings_event(v_participant);
                perform parley.append_quiet_event(v_id, v_user_id);
            end if;
        end loop;
        perform parley.append_contact_event(v_user_id, restrict_user.user_id);
    end if;
    return jsonb_build_object('user_id', restrict_user.user_id, 'restricted', true);
end;
$$;
comment on function parley.restrict_user is
'Restricts a user, who is told nothing: their direct conversations with the caller are among the requests, without receipts, typing, presence and calls, until unrestrict_user or accept_request.';
grant execute on function parley.restrict_user to authenticated;

create or replace function parley.lift_restriction(restricter_id uuid, restricted_id uuid)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_id uuid;
begin
    delete from parley.restriction as r
    where r.restricter_id = lift_restriction.restricter_id and r.restricted_id = lift_restriction.restricted_id;
    if not found then
        return;
    end if;
    for v_id in
        select c.id
        from parley.lock_conversations_of(lift_restriction.restricter_id, lift_restriction.restricted_id) as c (id)
    loop
        -- a request that is not answered stays one
        if not exists (
            select from parley.message_request as r
            where r.conversation_id = v_id
                and r.recipient_id = lift_restriction.restricter_id
                and r.status <> 'accepted'
        ) then
            perform parley.accept_in_place(v_id, lift_restriction.restricter_id);
        end if;
    end loop;
    perform parley.append_contact_event(lift_restriction.restricter_id, lift_restriction.restricted_id);
end;
$$;
comment on function parley.lift_restriction is
'Ends a restriction, and brings the conversations of the two back to the inbox. The caller holds the rules of the one who restricted.';

create or replace function parley.unrestrict_user(user_id uuid)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := parley.provision_caller();
begin
    perform parley.require_other_user(unrestrict_user.user_id, v_user_id);
    perform parley.lock_rules_of(v_user_id);
    perform parley.lift_restriction(v_user_id, unrestrict_user.user_id);
    return jsonb_build_object('user_id', unrestrict_user.user_id, 'restricted', false);
end;
$$;
comment on function parley.unrestrict_user is
'Ends a restriction: the direct conversations of the two come back to the inbox, but for requests that were never answered.';
grant execute on function parley.unrestrict_user to authenticated;
