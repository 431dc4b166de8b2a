-- Changing what a conversation is: title and looks, who may do what, and whether it is open. Each change people would
-- notice is said in the conversation, and one event tells clients to draw it anew.

create or replace function parley.duration_words(seconds bigint)
returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- in the largest unit that says it exactly
    select format('%s %s%s', seconds / u.size, u.name, case when seconds / u.size = 1 then '' else 's' end)
    from (values (86400, 'day'), (3600, 'hour'), (60, 'minute'), (1, 'second')) as u (size, name)
    where seconds % u.size = 0
    order by u.size desc
    limit 1
$$;
comment on function parley.duration_words is 'A number of seconds in words: 90 seconds, 2 hours, 1 day.';

create or replace function parley.profile_changes(
    old_profile parley.conversation_profile, new_profile parley.conversation_profile
)
returns table (field text, notice text)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select c.field, c.notice
    from (
        values
        (
            'title', old_profile.title is distinct from new_profile.title,
            case
                when new_profile.title is null then 'removed the title'
                else 'changed the title to "{title}"'
            end
        ),
        (
            'description', old_profile.description is distinct from new_profile.description,
            case when new_profile.description is null then 'removed the description' else 'changed the description' end
        ),
        (
            'icon_url', old_profile.icon_url is distinct from new_profile.icon_url,
            case when new_profile.icon_url is null then 'removed the icon' else 'changed the icon' end
        ),
        ('settings', old_profile.settings <> new_profile.settings, 'changed the settings'),
        (
            'message_ttl_seconds', old_profile.message_ttl_seconds is distinct from new_profile.message_ttl_seconds,
            case
                when new_profile.message_ttl_seconds is null then 'turned off disappearing messages'
                else 'made new messages disappear after ' || parley.duration_words(new_profile.message_ttl_seconds)
            end
        ),
        (
            'send_messages', old_profile.who_can_send <> new_profile.who_can_send,
            'allowed ' || parley.people_of(new_profile.who_can_send) || ' to send messages'
        ),
        (
            'add_members', old_profile.who_can_add <> new_profile.who_can_add,
            'allowed ' || parley.people_of(new_profile.who_can_add) || ' to add members'
        ),
        (
            'remove_members', old_profile.who_can_remove <> new_profile.who_can_remove,
            'allowed ' || parley.people_of(new_profile.who_can_remove) || ' to remove members'
        ),
        (
            'change_settings', old_profile.who_can_change_settings <> new_profile.who_can_change_settings,
            'allowed ' || parley.people_of(new_profile.who_can_change_settings) || ' to change the settings'
        ),
        (
            'delete_messages', old_profile.who_can_delete <> new_profile.who_can_delete,
            'allowed ' || parley.people_of(new_profile.who_can_delete) || ' to delete messages of others'
        ),
        (
            'history_visible', old_profile.history_visible <> new_profile.history_visible,
            case new_profile.history_visible
                when 'start' then 'let new members see earlier messages'
                else 'let new members see only messages since they joined'
            end
        ),
        (
            'max_members', old_profile.max_members is distinct from new_profile.max_members,
            case
                when new_profile.max_members is null then 'removed the limit of members'
                else format('limited the conversation to %s members', new_profile.max_members)
            end
        ),
        (
            'status', old_profile.status <> new_profile.status,
            case new_profile.status
                when 'active' then 'reopened the conversation'
                when 'archived' then 'archived the conversation'
                else 'locked the conversation'
            end
        )
    ) as c (field, changed, notice)
    where c.changed;
end;
$$;
comment on function parley.profile_changes is
'The differences between two profiles of a conversation, in the words of a notice.';

create or replace function parley.update_conversation(
    conversation_id uuid,
    title text default null,
    description text default null,
    icon_url text default null,
    settings jsonb default null,
    status text default null,
    who_can_send text default null,
    who_can_add text default null,
    permissions jsonb default null,
    message_ttl_seconds bigint default null,
    history_visible text default null,
    max_members bigint default null
)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_by_host boolean := parley.is_host();
    v_user_id uuid := case when not v_by_host then parley.provision_caller() end;
    v_conversation parley.conversation;
    v_me parley.participant;
    v_before parley.conversation_profile;
    v_after parley.conversation_profile;
    v_changes text[] := '{}';
    v_change record;
begin
    if not v_by_host then
        perform parley.require_participant(update_conversation.conversation_id, v_user_id);
    end if;
    v_conversation := parley.lock_conversation(update_conversation.conversation_id);
    if not v_by_host then
        v_me := parley.require_participant(update_conversation.conversation_id, v_user_id);
    elsif v_conversation.id is null then
        raise exception using errcode = 'PT404', message = 'The conversation does not exist.';
    end if;
    select cp.* into strict v_before
    from parley.conversation_profile as cp
    where cp.conversation_id = v_conversation.id;
    v_after := parley.changed_profile(
        v_before, update_conversation.title, update_conversation.description, update_conversation.icon_url,
        update_conversation.settings, update_conversation.status, update_conversation.who_can_send,
        update_conversation.who_can_add, update_conversation.permissions, update_conversation.message_ttl_seconds,
        update_conversation.history_visible, update_conversation.max_members
    );
    if v_after is not distinct from v_before then
        return parley.conversation_json(v_conversation.id, v_user_id);
    end if;
    if not v_by_host then
        -- who may do what, who comes in, and whether it is open, is for admins; the rest for whom they let
        if (
            v_after.status, v_after.who_can_send, v_after.who_can_add, v_after.who_can_remove,
            v_after.who_can_change_settings, v_after.who_can_delete, v_after.history_visible, v_after.max_members
        ) is distinct from (
            v_before.status, v_before.who_can_send, v_before.who_can_add, v_before.who_can_remove,
            v_before.who_can_change_settings, v_before.who_can_delete, v_before.history_visible, v_before.max_members
        ) then
            perform parley.require_admin(v_me);
        end if;
        perform parley.require_permission(v_me, v_before, 'change_settings');
        -- what is closed changes only by being opened
        if num_nonnulls(nullif(v_before.status, 'active'), v_before.severed_at) > 0
            and v_after.status = v_before.status
        then
            perform parley.require_writable(v_conversation.id);
        end if;
        -- a title says something, too; before who is not heard goes on, whom the answer must not tell
        if (v_after.title, v_after.description) is distinct from (v_before.title, v_before.description) then
            perform parley.require_messaging(v_user_id);
        end if;
        perform parley.take_tier_token(v_user_id, 'settings_per_minute');
        -- whoever is not heard is told nothing of it
        if parley.is_kept_from(v_conversation.id, v_user_id) then
            return parley.conversation_json(v_conversation.id, v_user_id);
        end if;
        if (v_after.title, v_after.description) is distinct from (v_before.title, v_before.description) then
            perform parley.judge_message(
                v_conversation.id, v_conversation.unanswered, v_user_id, v_me.added_by, parley.is_new_account(v_user_id),
                null, concat_ws(E'\n', v_after.title, v_after.description), 'text', null, is_edit => true
            );
        end if;
    end if;
    update parley.conversation_profile as cp
    set
        title = v_after.title,
        description = v_after.description,
        icon_url = v_after.icon_url,
        settings = v_after.settings,
        status = v_after.status,
        archived_at = v_after.archived_at,
        who_can_send = v_after.who_can_send,
        who_can_add = v_after.who_can_add,
        who_can_remove = v_after.who_can_remove,
        who_can_change_settings = v_after.who_can_change_settings,
        who_can_delete = v_after.who_can_delete,
        message_ttl_seconds = v_after.message_ttl_seconds,
        history_visible = v_after.history_visible,
        max_members = v_after.max_members,
        updated_at = clock_timestamp()
    where cp.conversation_id = v_conversation.id;
    for v_change in select p.field, p.notice from parley.profile_changes(v_before, v_after) as p loop
        v_changes := v_changes || v_change.field;
        perform parley.post_system_message(
            v_conversation.id,
            v_user_id,
            format('{actor} %s.', v_change.notice),
            jsonb_build_object(
                'event', 'conversation_updated',
                'field', v_change.field,
                'title', case when v_change.field = 'title' then v_after.title end
            )
        );
    end loop;
    perform parley.append_event(
        v_conversation.id, 'conversation:updated', v_user_id, null, null, null,
        jsonb_build_object('changed', to_jsonb(v_changes))
    );
    return parley.conversation_json(v_conversation.id, v_user_id);
end;
$$;
comment on function parley.update_conversation is
'Changes the values that are given; a null argument leaves its value. An empty text or 0 clears it; a null inside settings removes that key. Returns the conversation.';
grant execute on function parley.update_conversation to authenticated, service_role;
