-- Changing, taking back and listing what is scheduled.

create or replace function parley.cancel_scheduled_message(id uuid)
returns jsonb
language plpgsql volatile security definer
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
comment on function parley.cancel_scheduled_message is
'Takes back a message of the caller that has not been sent; also drops one that could not be. Again is fine; PT409 once it was sent.';
grant execute on function parley.cancel_scheduled_message to authenticated;

create or replace function parley.update_scheduled_message(
    id uuid,
    content text default null,
    send_at text default null,
    send_at_local text default null,
    time_zone text default null,
    metadata jsonb default null,
    mentions uuid[] default null,
    mentions_all boolean default null
)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_send_at timestamptz := parley.parse_moment(update_scheduled_message.send_at, 'send_at');
    v_send_at_local timestamp := parley.parse_local_time(update_scheduled_message.send_at_local, 'send_at_local');
    v_before parley.scheduled_message := parley.lock_scheduled_message(
        update_scheduled_message.id, parley.provision_caller()
    );
    v_after parley.scheduled_message := v_before;
    v_checked parley.scheduled_message;
begin
    if v_before.status not in ('pending', 'held') then
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
    if num_nonnulls(v_send_at, v_send_at_local, update_scheduled_message.time_zone) > 0 then
        select r.send_at, r.time_zone
        into v_after.send_at, v_after.time_zone
        from parley.resolve_send_at(
            v_send_at,
            v_send_at_local,
            -- a local time without a zone is one of the zone it was set by
            coalesce(
                update_scheduled_message.time_zone,
                case when v_send_at_local is not null then v_before.time_zone end
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
        -- whoever changes it means it
        status = 'pending',
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
comment on function parley.update_scheduled_message is
'Changes the text, the metadata, the mentions or the time of a message of the caller that is still pending or held, which it is no more; what is left out stays.';
grant execute on function parley.update_scheduled_message to authenticated;

create or replace function parley.get_scheduled_messages(
    conversation_id uuid default null,
    status text default 'pending',
    cursor text default null,
    page_size integer default 50
)
returns jsonb
language plpgsql stable security definer
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
        or get_scheduled_messages.status not in ('pending', 'held', 'sent', 'cancelled', 'failed')
    then
        raise exception using errcode = 'PT400', message = 'status must be pending, held, sent, cancelled or failed.';
    end if;
    if get_scheduled_messages.cursor is not null then
        v_cursor := regexp_match(get_scheduled_messages.cursor, E'^([0-9]{1,17})\\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$');
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
comment on function parley.get_scheduled_messages is
'The caller''s own scheduled messages of one status, of a conversation or of all, the next one first: {scheduled_messages, next_cursor}.';
grant execute on function parley.get_scheduled_messages to authenticated;
