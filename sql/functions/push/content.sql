-- What a notification says, made from what is true when it is about to be sent. Workers bring it into the form of each
-- provider, and cut what is too long for one.

create or replace function parley.push_privacy(setting text, device text, content text)
returns text
language plpgsql immutable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- the strictest of all who have a say
    return case
        when 'id' in (push_privacy.setting, push_privacy.device, push_privacy.content) then 'id'
        when 'sender' in (push_privacy.setting, push_privacy.device, push_privacy.content) then 'sender'
        else 'full'
    end;
end;
$$;
comment on function parley.push_privacy is 'How much a notification may tell: full, sender or id.';

create or replace function parley.push_badge(user_id uuid, floor_id uuid default null)
returns bigint
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
-- as get_unread_counts
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v_floor_id uuid := push_badge.floor_id;
    v_badge bigint := 0;
    v_row record;
begin
    for v_row in
        select p as participant, c.last_seq
        from parley.participant as p
        inner join parley.conversation as c on p.conversation_id = c.id
        where p.user_id = push_badge.user_id
            and p.left_at is null
            and p.folder <> 'requests'
            and p.archived_at is null
            and p.notification_level <> 'none'
            and (p.muted_until is null or p.muted_until <= now())
            and c.last_seq > p.last_read_seq + p.own_unread
    loop
        v_floor_id := coalesce(v_floor_id, parley.message_floor_of(push_badge.user_id));
        v_badge := v_badge + parley.unread_count(v_row.participant, v_row.last_seq, v_floor_id);
    end loop;
    return v_badge;
end;
$$;
comment on function parley.push_badge is 'The number on the icon: unread messages as in the total of get_unread_counts.';

create or replace function parley.push_link(conversation_id uuid, message_id uuid)
returns text
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select replace(
        replace(nullif(parley.setting_value('push_link'), ''), '{conversation_id}', coalesce(conversation_id::text, '')),
        '{message_id}', coalesce(message_id::text, '')
    )
$$;
comment on function parley.push_link is 'What a click on a notification opens. Null: the setting push_link is empty.';

create or replace function parley.push_message_content(
    job parley.push_job,
    message parley.message,
    participant parley.participant,
    preference parley.push_preference,
    is_silent boolean
)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_profile parley.conversation_profile;
    v_actor_id uuid := message.sender_id;
    v_sender text;
    v_title text;
    v_body text := nullif(
        left(
            coalesce(message.content, case when message.type = 'system' then parley.notice_text(message.metadata) end), 1000
        ),
        ''
    );
begin
    select cp.* into v_profile
    from parley.conversation_profile as cp
    where cp.conversation_id = job.conversation_id;
    if message.id is null then
        v_actor_id := v_profile.created_by;
    end if;
    if v_actor_id is not null then
        v_sender := parley.display_name_of(v_actor_id);
    end if;
    if v_profile.type <> 'direct' then
        v_title := v_profile.title;
        -- under the name of a group, the text says whose it is
        if v_title is not null and v_sender is not null then
            v_body := v_sender || ': ' || v_body;
        end if;
    end if;
    return jsonb_strip_nulls(jsonb_build_object(
        'kind', 'message',
        'privacy', case when message.type = 'encrypted' then 'id' else coalesce(preference.privacy, 'full') end,
        'conversation_id', job.conversation_id,
        'message_id', message.id,
        'seq', message.seq,
        'title', v_title,
        'sender', v_sender,
        'body', v_body,
        'loc_key', case
            when message.id is null then 'PARLEY_NEW_CONVERSATION'
            else 'PARLEY_' || upper(message.type)
        end,
        'loc_args', case when v_sender is not null then jsonb_build_array(v_sender) end,
        'category', case
            when message.id is null then 'conversation'
            when message.mentions_all or participant.user_id = any (message.mentions) then 'mention'
            else 'message'
        end,
        'silent', is_silent
    ));
end;
$$;
comment on function parley.push_message_content is
'The notification of a message, or without one of a conversation that is new: PushContent of the workers, without what depends on the device.';

create or replace function parley.push_call_content(
    job parley.push_job,
    call parley.call,
    preference parley.push_preference,
    part_state text,
    is_silent boolean
)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_sender text := parley.display_name_of(call.initiator_id);
begin
    return jsonb_strip_nulls(jsonb_build_object(
        'kind', job.kind,
        'privacy', coalesce(preference.privacy, 'full'),
        'conversation_id', job.conversation_id,
        'call_id', call.id,
        'title', (
            select cp.title
            from parley.conversation_profile as cp
            where cp.conversation_id = job.conversation_id and cp.type <> 'direct'
        ),
        'sender', v_sender,
        'loc_key', case
            when job.kind = 'call' then 'PARLEY_' || upper(call.kind) || '_CALL'
            when part_state = 'missed' then 'PARLEY_MISSED_CALL'
            when part_state in ('accepted', 'left') then 'PARLEY_CALL_ANSWERED_ELSEWHERE'
            else 'PARLEY_CALL_DECLINED'
        end,
        'loc_args', jsonb_build_array(v_sender),
        'category', job.kind,
        'silent', is_silent
    ));
end;
$$;
comment on function parley.push_call_content is
'The notification of a call that rings, or of its end: PushContent of the workers, without what depends on the device.';
