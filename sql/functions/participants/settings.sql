-- A participant's own settings of a conversation: nobody else's business, so the event goes to the user's own topic.

create or replace function parley.append_settings_event(participant parley.participant)
returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    select parley.append_event(
        null, 'participant:updated', participant.user_id, null, null, participant.user_id,
        jsonb_build_object(
            'conversation_id', participant.conversation_id,
            'settings', parley.my_settings_json(participant)
        )
    )
$$;
comment on function parley.append_settings_event is
'Tells a participant''s other devices that their own settings for a conversation changed.';

create or replace function parley.update_participant_settings(
    conversation_id uuid,
    pin boolean default null,
    mute_until text default null,
    archive boolean default null,
    notifications text default null
)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_mute_until timestamptz := parley.parse_moment(mute_until, 'mute_until', may_be_infinite => true);
    v_user_id uuid := parley.provision_caller();
    v_before parley.participant;
    v_after parley.participant;
begin
    if notifications not in ('all', 'mentions', 'none') then
        raise exception using errcode = 'PT400', message = 'notifications must be all, mentions or none.';
    end if;
    perform parley.require_participant(update_participant_settings.conversation_id, v_user_id);
    perform parley.lock_conversation(update_participant_settings.conversation_id);
    v_before := parley.require_participant(update_participant_settings.conversation_id, v_user_id);
    update parley.participant as p
    set
        pinned_at = case
            when pin is null then p.pinned_at
            when pin then coalesce(p.pinned_at, now())
        end,
        archived_at = case
            when archive is null then p.archived_at
            when archive then coalesce(p.archived_at, now())
        end,
        -- a moment that has passed ends a mute
        muted_until = case
            when v_mute_until is null then p.muted_until
            when v_mute_until > now() then v_mute_until
        end,
        notification_level = coalesce(notifications, p.notification_level)
    where p.conversation_id = update_participant_settings.conversation_id and p.user_id = v_user_id
    returning p.* into v_after;
    if v_after is distinct from v_before then
        perform parley.take_tier_token(v_user_id, 'settings_per_minute');
        perform parley.append_settings_event(v_after);
    end if;
    return parley.my_settings_json(v_after);
end;
$$;
comment on function parley.update_participant_settings is
'The caller''s own settings for a conversation; arguments left out stay as they are. mute_until: ISO 8601 with an offset, infinity for good, a past moment to end it.';
grant execute on function parley.update_participant_settings to authenticated;
