-- Messages to be sent later. Until then only the author knows of them; then send_due_messages sends each as its author,
-- through send_message like any other, so what decides is decided at that moment: membership, plan, limits, whether the
-- conversation takes messages. A row goes from pending to sent, cancelled or failed, once, under its own lock: who
-- cancels waits for a send that has begun and learns how it ended; the sender passes by what is being changed.

create or replace function parley.resolve_send_at(
    inout send_at timestamptz, in send_at_local timestamp, inout time_zone text
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
-- left as it was by what looks up a name
set timezone = 'UTC'
as $$
declare
    v_zone text;
begin
    if (send_at is null) = (send_at_local is null) then
        raise exception using errcode = 'PT400', message = 'One of send_at and send_at_local is required.';
    end if;
    if send_at_local is not null and time_zone is null then
        raise exception using errcode = 'PT400', message = 'send_at_local needs a time_zone.';
    end if;
    if time_zone is not null then
        begin
            -- refuses what is no zone at all
            v_zone := set_config('timezone', time_zone, true);
            -- A name it must be, not an offset with its sign turned. Few names have digits: the view of all of them reads
            -- a thousand files.
            if v_zone ~ '[0-9]' then
                select z.name into v_zone from pg_timezone_names as z where lower(z.name) = lower(time_zone);
            end if;
        exception
            when invalid_parameter_value then
                v_zone := null;
        end;
        if v_zone is null then
            raise exception using
                errcode = 'PT400',
                message = 'time_zone is not a known time zone.',
                hint = 'Use a name like Europe/Berlin.';
        end if;
        time_zone := v_zone;
        if send_at_local is not null then
            send_at := send_at_local at time zone time_zone;
        end if;
    end if;
    if not isfinite(send_at) or send_at <= clock_timestamp() or send_at > clock_timestamp() + interval '366 days' then
        raise exception using
            errcode = 'PT400', message = 'A message can be scheduled for a moment from now on, within a year.';
    end if;
end;
$$;
comment on function parley.resolve_send_at(timestamptz, timestamp, text) is
'The moment to send at and the zone by its name. A local time that a zone skips is moved on by what is skipped; of one that comes twice the second is meant.';
revoke all on function parley.resolve_send_at(timestamptz, timestamp, text) from public;

create or replace function parley.scheduled_json(scheduled parley.scheduled_message)
returns jsonb
language plpgsql
stable
security invoker
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
comment on function parley.scheduled_json(parley.scheduled_message) is 'A scheduled message as its author sees it.';
revoke all on function parley.scheduled_json(parley.scheduled_message) from public;

create or replace function parley.append_scheduled_event(scheduled parley.scheduled_message)
returns void
language plpgsql
volatile
security definer
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
comment on function parley.append_scheduled_event(parley.scheduled_message) is
'Tells the author''s devices, and nobody else, how a scheduled message stands.';
revoke all on function parley.append_scheduled_event(parley.scheduled_message) from public;

create or replace function parley.check_scheduled_message(scheduled parley.scheduled_message)
returns void
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_participant parley.participant := parley.require_participant(scheduled.conversation_id, scheduled.sender_id);
    v_profile parley.conversation_profile;
begin
    -- Early word of what would fail; what counts is looked at again when it is sent.
    v_profile := parley.require_writable(scheduled.conversation_id);
    if v_profile.type = 'announcement' or v_profile.who_can_send = 'admins_only' then
        perform parley.require_admin(v_participant);
    end if;
    perform parley.check_message_request(
        scheduled.conversation_id, scheduled.sender_id, scheduled.content, scheduled.type,
        parley.limit_of(scheduled.sender_id, 'max_content_length'),
        nullif(scheduled.attachment_ids, '{}'), scheduled.metadata, scheduled.expires_in, null
    );
    if scheduled.reply_to_id is not null then
        perform parley.check_reply(
            scheduled.conversation_id, scheduled.sender_id, scheduled.reply_to_id, v_participant.history_from_seq
        );
    end if;
    perform parley.check_mentions(scheduled.conversation_id, scheduled.mentions, false, null);
end;
$$;
comment on function parley.check_scheduled_message(parley.scheduled_message) is
'Fails as sending this message now would, but for rates.';
revoke all on function parley.check_scheduled_message(parley.scheduled_message) from public;

create or replace function parley.schedule_message(
    conversation_id uuid,
    content text default null,
    send_at timestamptz default null,
    send_at_local timestamp default null,
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
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
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
            extract(epoch from v_new.expires_in), extract(epoch from schedule_message.send_at),
            extract(epoch from schedule_message.send_at_local), schedule_message.time_zone, v_new.content
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
    from parley.resolve_send_at(
        schedule_message.send_at, schedule_message.send_at_local, schedule_message.time_zone
    ) as r;
    v_new.attempt_at := v_new.send_at;
    perform parley.check_scheduled_message(v_new);
    if (
        select count(*) from parley.scheduled_message as s where s.sender_id = v_user_id and s.status = 'pending'
    ) >= v_max then
        raise exception using
            errcode = 'PT403', message = format('At most %s messages can be scheduled at a time.', v_max);
    end if;
    perform parley.take_token(v_user_id, 'schedules_per_hour');
    insert into parley.scheduled_message select (v_new).*;
    perform parley.append_scheduled_event(v_new);
    return parley.scheduled_json(v_new);
end;
$$;
comment on function parley.schedule_message(
    uuid, text, timestamptz, timestamp, text, text, uuid, uuid[], uuid[], jsonb, interval, uuid, boolean
) is
'Sends a message later, as the caller: at send_at, or when the clocks of time_zone show send_at_local. Returns what was scheduled; the same client_message_id again returns the first.';
revoke all on function parley.schedule_message(
    uuid, text, timestamptz, timestamp, text, text, uuid, uuid[], uuid[], jsonb, interval, uuid, boolean
) from public;
grant execute on function parley.schedule_message(
    uuid, text, timestamptz, timestamp, text, text, uuid, uuid[], uuid[], jsonb, interval, uuid, boolean
) to authenticated;

create or replace function parley.lock_scheduled_message(id uuid, user_id uuid)
returns parley.scheduled_message
language plpgsql
volatile
security definer
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
comment on function parley.lock_scheduled_message(uuid, uuid) is
'A scheduled message of the user, locked; PT404 if there is none, PT409 if it has been sent.';
revoke all on function parley.lock_scheduled_message(uuid, uuid) from public;

create or replace function parley.cancel_scheduled_message(id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_scheduled parley.scheduled_message := parley.lock_scheduled_message(
        cancel_scheduled_message.id, parley.provision_caller()
    );
begin
    if v_scheduled.status <> 'cancelled' then
        update parley.scheduled_message as s
        set
            status = 'cancelled',
            error_code = null,
            finished_at = clock_timestamp(),
            updated_at = clock_timestamp(),
            content = null,
            metadata = null,
            mentions = null,
            attachment_ids = null
        where s.conversation_id = v_scheduled.conversation_id and s.id = v_scheduled.id
        returning s.* into v_scheduled;
        perform parley.append_scheduled_event(v_scheduled);
    end if;
    return parley.scheduled_json(v_scheduled);
end;
$$;
comment on function parley.cancel_scheduled_message(uuid) is
'Takes back a message of the caller that has not been sent; also drops one that could not be. Again is fine; PT409 once it was sent.';
revoke all on function parley.cancel_scheduled_message(uuid) from public;
grant execute on function parley.cancel_scheduled_message(uuid) to authenticated;

create or replace function parley.update_scheduled_message(
    id uuid,
    content text default null,
    send_at timestamptz default null,
    send_at_local timestamp default null,
    time_zone text default null,
    metadata jsonb default null,
    mentions uuid[] default null,
    mentions_all boolean default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_before parley.scheduled_message := parley.lock_scheduled_message(
        update_scheduled_message.id, parley.provision_caller()
    );
    v_after parley.scheduled_message := v_before;
    v_checked parley.scheduled_message;
begin
    if v_before.status <> 'pending' then
        raise exception using
            errcode = 'PT409',
            message = format('The message is %s and cannot be changed.', v_before.status),
            hint = 'Schedule a new one.';
    end if;
    v_after.content := coalesce(update_scheduled_message.content, v_before.content);
    if update_scheduled_message.metadata is not null then
        v_after.metadata := parley.validate_metadata(
            update_scheduled_message.metadata,
            coalesce(update_scheduled_message.content, v_before.content), v_before.type
        );
    end if;
    if update_scheduled_message.mentions is not null then
        v_after.mentions := nullif(update_scheduled_message.mentions, '{}');
    end if;
    v_after.mentions_all := coalesce(update_scheduled_message.mentions_all, v_before.mentions_all);
    if update_scheduled_message.send_at is not null
        or update_scheduled_message.send_at_local is not null
        or update_scheduled_message.time_zone is not null
    then
        select r.send_at, r.time_zone
        into v_after.send_at, v_after.time_zone
        from parley.resolve_send_at(
            update_scheduled_message.send_at,
            update_scheduled_message.send_at_local,
            -- a local time without a zone is one of the zone it was set by
            coalesce(
                update_scheduled_message.time_zone,
                case when update_scheduled_message.send_at_local is not null then v_before.time_zone end
            )
        ) as r;
    end if;
    if v_after is not distinct from v_before then
        return parley.scheduled_json(v_before);
    end if;
    v_checked := v_after;
    -- what has become impossible is left out when it is sent, and keeps nobody from changing the rest
    v_checked.reply_to_id := null;
    if update_scheduled_message.mentions is null then
        v_checked.mentions := parley.present_of(v_after.conversation_id, v_after.mentions);
    end if;
    perform parley.check_scheduled_message(v_checked);
    update parley.scheduled_message as s
    set
        content = v_after.content,
        metadata = v_after.metadata,
        mentions = v_after.mentions,
        mentions_all = v_after.mentions_all,
        send_at = v_after.send_at,
        time_zone = v_after.time_zone,
        attempt_at = v_after.send_at,
        attempts = 0,
        error_code = null,
        updated_at = clock_timestamp()
    where s.conversation_id = v_before.conversation_id and s.id = v_before.id
    returning s.* into v_after;
    perform parley.append_scheduled_event(v_after);
    return parley.scheduled_json(v_after);
end;
$$;
comment on function parley.update_scheduled_message(
    uuid, text, timestamptz, timestamp, text, jsonb, uuid[], boolean
) is
'Changes the text, the metadata, the mentions or the time of a message of the caller that is still pending; what is left out stays.';
revoke all on function parley.update_scheduled_message(
    uuid, text, timestamptz, timestamp, text, jsonb, uuid[], boolean
) from public;
grant execute on function parley.update_scheduled_message(
    uuid, text, timestamptz, timestamp, text, jsonb, uuid[], boolean
) to authenticated;

create or replace function parley.get_scheduled_messages(
    conversation_id uuid default null,
    status text default 'pending',
    cursor text default null,
    page_size integer default 50
)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.require_caller();
    v_page_size integer := parley.require_page_size(get_scheduled_messages.page_size);
    v_cursor text[];
    v_after_at timestamptz := '-infinity';
    v_after_id uuid := '00000000-0000-0000-0000-000000000000';
    v_page parley.scheduled_message[];
begin
    if get_scheduled_messages.status is null
        or get_scheduled_messages.status not in ('pending', 'sent', 'cancelled', 'failed')
    then
        raise exception using errcode = 'PT400', message = 'status must be pending, sent, cancelled or failed.';
    end if;
    if get_scheduled_messages.cursor is not null then
        v_cursor := regexp_match(get_scheduled_messages.cursor, '^(\d{1,17})\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$');
        if v_cursor is null then
            raise exception using
                errcode = 'PT400',
                message = 'The cursor is not valid.',
                hint = 'Pass next_cursor as it was returned.';
        end if;
        v_after_at := timestamptz 'epoch' + v_cursor[1]::bigint * interval '1 microsecond';
        v_after_id := v_cursor[2]::uuid;
    end if;
    -- one more than asked for tells whether there is a next page
    v_page := array(
        select s
        from parley.scheduled_message as s
        where s.sender_id = v_user_id
            and s.status = get_scheduled_messages.status
            and (s.send_at, s.id) > (v_after_at, v_after_id)
            and (
                get_scheduled_messages.conversation_id is null
                or s.conversation_id = get_scheduled_messages.conversation_id
            )
        order by s.send_at, s.id
        limit v_page_size + 1
    );
    return jsonb_build_object(
        'scheduled_messages', (
            select coalesce(jsonb_agg(parley.scheduled_json(s) order by s.send_at, s.id), '[]')
            from unnest(v_page[1:v_page_size]) as s
        ),
        'next_cursor', case
            when cardinality(v_page) > v_page_size
                then format(
                    '%s.%s',
                    (extract(epoch from v_page[v_page_size].send_at) * 1000000)::bigint,
                    v_page[v_page_size].id
                )
        end
    );
end;
$$;
comment on function parley.get_scheduled_messages(uuid, text, text, integer) is
'The caller''s own scheduled messages of one status, of a conversation or of all, the next one first: {scheduled_messages, next_cursor}.';
revoke all on function parley.get_scheduled_messages(uuid, text, text, integer) from public;
grant execute on function parley.get_scheduled_messages(uuid, text, text, integer) to authenticated;

-- The job. One message in a run, that is in a transaction: a send takes the author's rate bucket and then the
-- conversation, and a second one after the first would take them in an order that no other send respects.
create or replace function parley.send_due_messages()
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
-- a conversation that somebody holds is passed by
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
declare
    v_now timestamptz := clock_timestamp();
    v_claims constant text := coalesce(current_setting('request.jwt.claims', true), '');
    v_scheduled parley.scheduled_message;
    v_message_id uuid;
    v_code text;
    v_detail text;
begin
    select s.* into v_scheduled
    from parley.scheduled_message as s
    where s.status = 'pending' and s.attempt_at <= v_now
    order by s.attempt_at, s.send_at, s.created_at
    limit 1
    for update skip locked;
    if not found then
        return false;
    end if;
    begin
        perform set_config(
            'request.jwt.claims',
            json_build_object(
                'sub', v_scheduled.sender_id, 'role', 'authenticated', 'iat', extract(epoch from v_now)
            )::text,
            true
        );
        v_message_id := parley.send_message(
            v_scheduled.conversation_id, v_scheduled.content, v_scheduled.type, v_scheduled.client_message_id,
            v_scheduled.reply_to_id, v_scheduled.attachment_ids, v_scheduled.mentions, v_scheduled.metadata,
            v_scheduled.expires_in, v_scheduled.mentions_all, '{"scheduled": true}'
        ) ->> 'id';
    exception
        when others then
            get stacked diagnostics v_code = returned_sqlstate, v_detail = pg_exception_detail;
    end;
    perform set_config('request.jwt.claims', v_claims, true);
    if v_code is null then
        update parley.scheduled_message as s
        set
            status = 'sent',
            message_id = v_message_id,
            error_code = null,
            finished_at = clock_timestamp(),
            content = null,
            metadata = null,
            mentions = null,
            attachment_ids = null
        where s.conversation_id = v_scheduled.conversation_id and s.id = v_scheduled.id
        returning s.* into v_scheduled;
        perform parley.append_scheduled_event(v_scheduled);
    elsif v_scheduled.attempts >= 19 or v_code = '42501' or (v_code like 'PT4%' and v_code <> 'PT429') then
        -- refused, and would be again; the text stays for its author to see
        update parley.scheduled_message as s
        set
            status = 'failed',
            error_code = v_code,
            attempts = s.attempts + 1,
            finished_at = clock_timestamp()
        where s.conversation_id = v_scheduled.conversation_id and s.id = v_scheduled.id
        returning s.* into v_scheduled;
        perform parley.append_scheduled_event(v_scheduled);
    else
        perform parley.put_off_scheduled_message(
            v_scheduled,
            v_code,
            case
                when v_code = 'PT429'
                    then coalesce(least(substring(v_detail from 'Retry-After: (\d{1,9})')::integer, 3600), 60)
                else least(1 << v_scheduled.attempts::integer, 300)
            end
        );
    end if;
    -- a variable: the clock itself cannot be looked up in an index
    v_now := clock_timestamp();
    return exists (
        select from parley.scheduled_message as s where s.status = 'pending' and s.attempt_at <= v_now
    );
end;
$$;
comment on function parley.send_due_messages() is
'A job: sends the scheduled message that has waited longest, as its author. True: another one is due.';
revoke all on function parley.send_due_messages() from public;

create or replace function parley.put_off_scheduled_message(
    scheduled parley.scheduled_message, code text, wait_seconds integer
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_now constant timestamptz := clock_timestamp();
begin
    -- What is due in the same place waits with it, or would overtake it: of the same author if the author sends too
    -- much, else of the same conversation.
    with waiting as (
        select s.conversation_id, s.id
        from parley.scheduled_message as s
        where s.status = 'pending'
            and s.attempt_at <= v_now
            and (
                (code = 'PT429' and s.sender_id = scheduled.sender_id)
                or (code <> 'PT429' and s.conversation_id = scheduled.conversation_id)
            )
        for update skip locked
    )

    update parley.scheduled_message as s
    set
        attempt_at = v_now + make_interval(secs => wait_seconds),
        attempts = s.attempts + (s.id = scheduled.id)::integer,
        error_code = case when s.id = scheduled.id then code else s.error_code end
    from waiting
    where s.conversation_id = waiting.conversation_id and s.id = waiting.id;
end;
$$;
comment on function parley.put_off_scheduled_message(parley.scheduled_message, text, integer) is
'Tries a message again later, and what is due behind it in the same place after it.';
revoke all on function parley.put_off_scheduled_message(parley.scheduled_message, text, integer) from public;

create or replace function parley.purge_scheduled_messages()
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_purged bigint;
begin
    with old as (
        select s.conversation_id, s.id
        from parley.scheduled_message as s
        where s.finished_at < now() - interval '30 days'
        order by s.finished_at
        limit 1000
        for update skip locked
    ),

    purged as (
        delete from parley.scheduled_message as s
        using old
        where s.conversation_id = old.conversation_id and s.id = old.id
        returning s.id
    )

    select count(*) into v_purged from purged;
    return v_purged = 1000;
end;
$$;
comment on function parley.purge_scheduled_messages() is
'A job: forgets scheduled messages that were sent, cancelled or given up a month ago.';
revoke all on function parley.purge_scheduled_messages() from public;
