-- Messages to be sent later. Until then only the author knows of them; then send_due_messages sends each as its author,
-- through send_message like any other, so what decides is decided at that moment: membership, plan, limits, whether the
-- conversation takes messages. A row goes from pending (or held, closing.sql) to sent, cancelled or failed,
-- once, under its own lock: who cancels waits for a send that has begun and learns how it ended; the sender passes by
-- what is being changed.

create or replace function parley.scheduled_json(scheduled parley.scheduled_message)
returns jsonb
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'id', scheduled.id,
        'conversation_id', scheduled.conversation_id,
        'client_message_id', scheduled.client_message_id,
        'send_at', scheduled.send_at,
        'send_at_local', scheduled.send_at at time zone scheduled.time_zone,
        'time_zone', scheduled.time_zone,
        'status', scheduled.status,
        'error_code', scheduled.error_code,
        'message_id', scheduled.message_id,
        'type', scheduled.type,
        'content', scheduled.content,
        'metadata', coalesce(scheduled.metadata, '{}'),
        'mentions', coalesce(to_jsonb(scheduled.mentions), '[]'),
        'mentions_all', scheduled.mentions_all,
        'reply_to_id', scheduled.reply_to_id,
        'attachment_ids', coalesce(to_jsonb(scheduled.attachment_ids), '[]'),
        'expires_in_seconds', extract(epoch from scheduled.expires_in),
        'created_at', scheduled.created_at,
        'updated_at', scheduled.updated_at,
        'finished_at', scheduled.finished_at
    );
end;
$$;
comment on function parley.scheduled_json is 'A scheduled message as its author sees it.';

create or replace function parley.append_scheduled_event(scheduled parley.scheduled_message)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform parley.append_event(
        null, 'scheduled:updated', scheduled.sender_id, null, null, scheduled.sender_id,
        jsonb_build_object(
            'conversation_id', scheduled.conversation_id,
            'scheduled_message_id', scheduled.id,
            'status', scheduled.status,
            'send_at', scheduled.send_at,
            'error_code', case when scheduled.status = 'failed' then scheduled.error_code end,
            -- not message_id: this is no event about that message
            'sent_message_id', scheduled.message_id
        )
    );
end;
$$;
comment on function parley.append_scheduled_event is
'Tells the author''s devices, and nobody else, how a scheduled message stands.';

create or replace function parley.check_scheduled_message(scheduled parley.scheduled_message)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_participant parley.participant := parley.require_participant(scheduled.conversation_id, scheduled.sender_id);
begin
    -- Early word of what would fail; what counts is looked at again when it is sent.
    perform parley.require_may(scheduled.sender_id, 'schedule', scheduled.conversation_id);
    perform parley.check_message_request(
        scheduled.conversation_id, scheduled.sender_id, scheduled.content, scheduled.type,
        parley.limit_of(scheduled.sender_id, 'max_content_length'),
        nullif(scheduled.attachment_ids, '{}'), scheduled.metadata, scheduled.expires_in, false
    );
    if scheduled.reply_to_id is not null then
        perform parley.check_reply(
            scheduled.conversation_id, scheduled.sender_id, scheduled.reply_to_id, v_participant.history_from_seq
        );
    end if;
    perform parley.check_mentions(scheduled.conversation_id, scheduled.mentions, false, null);
end;
$$;
comment on function parley.check_scheduled_message is 'Fails as sending this message now would, but for rates.';

create or replace function parley.lock_scheduled_message(id uuid, user_id uuid)
returns parley.scheduled_message
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_scheduled parley.scheduled_message;
begin
    if lock_scheduled_message.id is null then
        raise exception using errcode = 'PT400', message = 'id is required.';
    end if;
    -- one that is being sent is waited for
    select s.* into v_scheduled
    from parley.scheduled_message as s
    where s.id = lock_scheduled_message.id and s.sender_id = lock_scheduled_message.user_id
    for update;
    if not found then
        raise exception using errcode = 'PT404', message = 'There is no such scheduled message of yours.';
    end if;
    if v_scheduled.status = 'sent' then
        raise exception using
            errcode = 'PT409',
            message = 'The message has been sent.',
            hint = 'It can be edited or deleted like any other.';
    end if;
    return v_scheduled;
end;
$$;
comment on function parley.lock_scheduled_message is
'A scheduled message of the user, locked; PT404 if there is none, PT409 if it has been sent.';

create or replace function parley.schedule_message(
    conversation_id uuid,
    content text default null,
    send_at text default null,
    send_at_local text default null,
    time_zone text default null,
    type text default 'text',
    reply_to_id uuid default null,
    attachment_ids uuid[] default null,
    mentions uuid[] default null,
    metadata jsonb default null,
    expires_in interval default null,
    client_message_id uuid default null,
    mentions_all boolean default false
)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_send_at timestamptz := parley.parse_moment(schedule_message.send_at, 'send_at');
    v_send_at_local timestamp := parley.parse_local_time(schedule_message.send_at_local, 'send_at_local');
    v_user_id uuid := parley.provision_caller();
    v_max bigint := parley.limit_of(v_user_id, 'max_scheduled_messages');
    v_new parley.scheduled_message;
    v_old parley.scheduled_message;
begin
    perform parley.require_participant(schedule_message.conversation_id, v_user_id);
    v_new.id := parley.uuid_v7();
    v_new.conversation_id := schedule_message.conversation_id;
    v_new.sender_id := v_user_id;
    v_new.client_message_id := coalesce(schedule_message.client_message_id, v_new.id);
    v_new.attempts := 0;
    v_new.status := 'pending';
    v_new.created_at := clock_timestamp();
    v_new.updated_at := v_new.created_at;
    v_new.type := schedule_message.type;
    v_new.content := schedule_message.content;
    v_new.metadata := parley.validate_metadata(
        schedule_message.metadata, schedule_message.content, schedule_message.type
    );
    v_new.mentions := nullif(schedule_message.mentions, '{}');
    v_new.mentions_all := coalesce(schedule_message.mentions_all, false);
    v_new.reply_to_id := schedule_message.reply_to_id;
    v_new.attachment_ids := nullif(schedule_message.attachment_ids, '{}');
    v_new.expires_in := schedule_message.expires_in;
    v_new.request_hash := sha256(convert_to(
        row(
            v_new.type, v_new.reply_to_id, v_new.attachment_ids, v_new.mentions, v_new.mentions_all, v_new.metadata,
            extract(epoch from v_new.expires_in), extract(epoch from v_send_at),
            extract(epoch from v_send_at_local), schedule_message.time_zone, v_new.content
        )::text,
        'UTF8'
    ));
    -- one at a time per author: of two with the same id the second finds the first, and nobody passes the limit
    perform pg_advisory_xact_lock(hashtextextended('parley:schedule:' || v_user_id, 0));
    select s.* into v_old
    from parley.scheduled_message as s
    where s.conversation_id = v_new.conversation_id
        and s.sender_id = v_new.sender_id
        and s.client_message_id = v_new.client_message_id;
    if found then
        if v_old.request_hash <> v_new.request_hash then
            raise exception using
                errcode = 'PT409',
                message = 'This client_message_id was already used for another message.',
                hint = 'Use a new uuid for every message, and the same one only to repeat a call.';
        end if;
        return parley.scheduled_json(v_old);
    end if;
    select r.send_at, r.time_zone
    into v_new.send_at, v_new.time_zone
    from parley.resolve_send_at(v_send_at, v_send_at_local, schedule_message.time_zone) as r;
    v_new.attempt_at := v_new.send_at;
    perform parley.check_scheduled_message(v_new);
    if (
        select count(*) from parley.scheduled_message as s where s.sender_id = v_user_id and s.finished_at is null
    ) >= v_max then
        raise exception using
            errcode = 'PT403', message = format('At most %s messages can be scheduled at a time.', v_max);
    end if;
    perform parley.take_tier_token(v_user_id, 'schedules_per_hour');
    insert into parley.scheduled_message select (v_new).*;
    perform parley.append_scheduled_event(v_new);
    return parley.scheduled_json(v_new);
end;
$$;
comment on function parley.schedule_message is
'Sends a message later, as the caller: at send_at (ISO 8601 with an offset), or when the clocks of time_zone show send_at_local (without one). Returns what was scheduled; the same client_message_id again returns the first.';
grant execute on function parley.schedule_message to authenticated;
