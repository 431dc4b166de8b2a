-- Blocking and restricting. Nobody but the caller learns of it: the answer is the same whether or not there is such a
-- user, and nothing is written where the other could see it.

create or replace function parley.require_other_user(user_id uuid, caller_id uuid)
returns void
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if user_id is null then
        raise exception using errcode = 'PT400', message = 'user_id is required.';
    end if;
    if user_id = caller_id then
        raise exception using errcode = 'PT400', message = 'This is you: user_id must name another user.';
    end if;
end;
$$;
comment on function parley.require_other_user is 'PT400 unless user_id names somebody else.';

create or replace function parley.require_share(user_id uuid, limit_name text, used bigint)
returns void
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_max bigint := parley.limit_of(require_share.user_id, require_share.limit_name);
begin
    if require_share.used >= v_max then
        raise exception using
            errcode = 'PT403',
            message = format('You have reached %s users, which is the limit of this plan.', v_max),
            hint = format('Take somebody off the list: see %s in get_entitlements().', require_share.limit_name);
    end if;
end;
$$;
comment on function parley.require_share is 'PT403 if a user has used up what a limit allows.';

create or replace function parley.append_contact_event(user_id uuid, contact_id uuid)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_contact jsonb := jsonb_build_object(
        'contact_id', append_contact_event.contact_id,
        'blocked', parley.is_blocked(append_contact_event.user_id, append_contact_event.contact_id),
        'restricted', exists (
            select from parley.restriction as r
            where r.restricter_id = append_contact_event.user_id
                and r.restricted_id = append_contact_event.contact_id
        ),
        'followed', parley.follows(append_contact_event.user_id, append_contact_event.contact_id)
    );
begin
    perform parley.append_event(
        null, 'contact:updated', append_contact_event.user_id, null, null, append_contact_event.user_id, v_contact
    );
    return v_contact;
end;
$$;
comment on function parley.append_contact_event is
'Tells the devices of a user what the user has said of another user, and returns it.';

create or replace function parley.lock_conversations_of(user_id uuid, other_id uuid, with_id uuid default null)
returns setof uuid
language plpgsql volatile security definer
rows 2
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_direct_ids constant uuid[] := array(
        select d.conversation_id
        from parley.direct_conversation as d
        where d.user_low = least(lock_conversations_of.user_id, lock_conversations_of.other_id)
            and d.user_high = greatest(lock_conversations_of.user_id, lock_conversations_of.other_id)
        order by d.conversation_id
    );
    v_id uuid;
begin
    for v_id in
        select u.id from unnest(v_direct_ids || with_id) as u (id) where u.id is not null order by u.id
    loop
        perform parley.lock_conversation(v_id);
    end loop;
    return query select u.id from unnest(v_direct_ids) as u (id);
end;
$$;
comment on function parley.lock_conversations_of is
'Locks the direct conversations of two users, and another that the caller is going to change, in the order of their ids, as whoever writes to several does. Returns the direct ones: what is being sent there comes before what the caller does, or after it.';

create or replace function parley.write_block(blocker_id uuid, blocked_id uuid)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_id uuid;
begin
    if parley.is_blocked(write_block.blocker_id, write_block.blocked_id) then
        return;
    end if;
    perform parley.require_share(
        write_block.blocker_id, 'max_blocked_users',
        (select count(*) from parley.block as b where b.blocker_id = write_block.blocker_id)
    );
    insert into parley.block (blocker_id, blocked_id) values (write_block.blocker_id, write_block.blocked_id);
    for v_id in select c.id from parley.lock_conversations_of(write_block.blocker_id, write_block.blocked_id) as c (id) loop
        perform parley.end_call_part(v_id, write_block.blocker_id, write_block.blocker_id);
        update parley.participant as p
        set shown_read_seq = coalesce(p.shown_read_seq, p.last_read_seq)
        where p.conversation_id = v_id and p.user_id = write_block.blocker_id;
        perform parley.mark_conversation(v_id);
        perform parley.append_quiet_event(v_id, write_block.blocker_id);
    end loop;
    perform parley.append_contact_event(write_block.blocker_id, write_block.blocked_id);
end;
$$;
comment on function parley.write_block is
'Makes a block, and marks the direct conversations of the two. The caller holds the rules of the blocker.';

create or replace function parley.block_user(user_id uuid)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := parley.provision_caller();
begin
    perform parley.require_other_user(block_user.user_id, v_user_id);
    perform parley.lock_rules_of(v_user_id);
    perform parley.write_block(v_user_id, block_user.user_id);
    return jsonb_build_object('user_id', block_user.user_id, 'blocked', true);
end;
$$;
comment on function parley.block_user is
'Blocks a user, who is told nothing: their messages to the caller reach nobody, they cannot start anything with the caller or call, and see neither typing nor presence nor receipts. Groups that both are in stay as they are.';
grant execute on function parley.block_user to authenticated;

create or replace function parley.unblock_user(user_id uuid)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.provision_caller();
    v_id uuid;
begin
    perform parley.require_other_user(unblock_user.user_id, v_user_id);
    perform parley.lock_rules_of(v_user_id);
    delete from parley.block as b where b.blocker_id = v_user_id and b.blocked_id = unblock_user.user_id;
    if found then
        for v_id in select c.id from parley.lock_conversations_of(v_user_id, unblock_user.user_id) as c (id) loop
            perform parley.mark_conversation(v_id);
            perform parley.append_quiet_event(v_id, v_user_id);
        end loop;
        perform parley.append_contact_event(v_user_id, unblock_user.user_id);
    end if;
    return jsonb_build_object('user_id', unblock_user.user_id, 'blocked', false);
end;
$$;
comment on function parley.unblock_user is
'Ends a block. What was sent meanwhile stays hidden from the caller, and what the caller read meanwhile from the other until the caller reads on.';
grant execute on function parley.unblock_user to authenticated;
