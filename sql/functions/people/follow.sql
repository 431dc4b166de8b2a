-- Following, where the host keeps no followers of its own.

create or replace function parley.require_own_followers()
returns void
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if parley.follow_function() is not null then
        raise exception using
            errcode = 'PT400',
            message = 'The application keeps who follows whom.',
            hint = 'Follow users in the application.';
    end if;
end;
$$;
comment on function parley.require_own_followers is 'PT400 where a function of the host says who follows whom.';

create or replace function parley.follow_user(user_id uuid)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.provision_caller();
    v_id uuid;
begin
    perform parley.require_own_followers();
    perform parley.require_other_user(follow_user.user_id, v_user_id);
    perform parley.lock_rules_of(v_user_id);
    if not parley.follows(v_user_id, follow_user.user_id) then
        perform parley.require_share(
            v_user_id, 'max_followed_users',
            (select count(*) from parley.follow as f where f.follower_id = v_user_id)
        );
        insert into parley.follow (follower_id, followed_id) values (v_user_id, follow_user.user_id);
        perform parley.append_contact_event(v_user_id, follow_user.user_id);
        -- whom one follows is no stranger: what they have asked for is granted
        for v_id in
            select r.conversation_id
            from parley.message_request as r
            where r.recipient_id = v_user_id and r.sender_id = follow_user.user_id and r.status = 'pending'
            order by r.conversation_id
        loop
            perform parley.lock_conversation(v_id);
            if exists (
                select from parley.message_request as r
                where r.conversation_id = v_id and r.recipient_id = v_user_id and r.status = 'pending'
            ) then
                perform parley.accept_by_writing(v_id, v_user_id);
            end if;
        end loop;
    end if;
    return jsonb_build_object('user_id', follow_user.user_id, 'followed', true);
end;
$$;
comment on function parley.follow_user is
'The caller follows a user, who is not told. Pending requests of that user move to the inbox.';
grant execute on function parley.follow_user to authenticated;

create or replace function parley.unfollow_user(user_id uuid)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.provision_caller();
begin
    perform parley.require_own_followers();
    perform parley.require_other_user(unfollow_user.user_id, v_user_id);
    perform parley.lock_rules_of(v_user_id);
    delete from parley.follow as f where f.follower_id = v_user_id and f.followed_id = unfollow_user.user_id;
    if found then
        perform parley.append_contact_event(v_user_id, unfollow_user.user_id);
    end if;
    return jsonb_build_object('user_id', unfollow_user.user_id, 'followed', false);
end;
$$;
comment on function parley.unfollow_user is 'The caller follows a user no longer. Conversations stay where they are.';
grant execute on function parley.unfollow_user to authenticated;
