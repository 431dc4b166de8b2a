-- Stars, which are a user's own, and pins, which are the conversation's.

create or replace function parley.message_json_for(
    message parley.message, participant parley.participant, floor_id uuid, status text default 'sent'
)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return parley.message_json(
        message,
        case
            when message.deleted_at is null then parley.reactions_json(message.conversation_id, message.id)
            else '[]'
        end,
        status,
        participant.user_id,
        participant.history_from_seq,
        floor_id
    );
end;
$$;
comment on function parley.message_json_for(parley.message, parley.participant, uuid, text) is
'A message with its reactions as one participant sees it; floor_id is message_floor_of the participant.';
revoke all on function parley.message_json_for(parley.message, parley.participant, uuid, text) from public;

create or replace function parley.append_star_event(message parley.message, user_id uuid, kind text)
returns void
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
    select parley.append_event(
        null, append_star_event.kind, append_star_event.user_id, message.id, message.seq, append_star_event.user_id,
        jsonb_build_object('conversation_id', message.conversation_id)
    )
$$;
comment on function parley.append_star_event(parley.message, uuid, text) is
'Tells the user''s other devices that a message was starred or unstarred.';
revoke all on function parley.append_star_event(parley.message, uuid, text) from public;

create or replace function parley.star_json(message parley.message, starred_at timestamptz)
returns jsonb
language sql
immutable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select jsonb_build_object(
        'message_id', message.id,
        'conversation_id', message.conversation_id,
        'seq', message.seq,
        'starred', star_json.starred_at is not null,
        'starred_at', star_json.starred_at
    )
$$;
comment on function parley.star_json(parley.message, timestamptz) is 'Whether a message is starred, and since when.';
revoke all on function parley.star_json(parley.message, timestamptz) from public;

create or replace function parley.star_message(message_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.provision_caller();
    -- under the conversation's lock: not on what is just being deleted, nor in what the caller just cleared
    v_message parley.message := parley.lock_message(star_message.message_id, v_user_id);
    v_starred_at timestamptz;
begin
    if v_message.deleted_at is not null then
        raise exception using errcode = 'PT409', message = 'The message was deleted.';
    end if;
    insert into parley.message_star as s (conversation_id, message_id, user_id)
    values (v_message.conversation_id, v_message.id, v_user_id)
    on conflict do nothing
    returning s.starred_at into v_starred_at;
    if found then
        perform parley.append_star_event(v_message, v_user_id, 'message:starred');
    else
        select s.starred_at into v_starred_at
        from parley.message_star as s
        where s.conversation_id = v_message.conversation_id
            and s.message_id = v_message.id
            and s.user_id = v_user_id;
    end if;
    return parley.star_json(v_message, v_starred_at);
end;
$$;
comment on function parley.star_message(uuid) is 'Stars a message for the caller, which nobody else sees; again is fine.';
revoke all on function parley.star_message(uuid) from public;
grant execute on function parley.star_message(uuid) to authenticated;

create or replace function parley.unstar_message(message_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.provision_caller();
    v_message parley.message := parley.require_message(unstar_message.message_id, v_user_id);
begin
    delete from parley.message_star as s
    where s.conversation_id = v_message.conversation_id
        and s.message_id = v_message.id
        and s.user_id = v_user_id;
    if found then
        perform parley.append_star_event(v_message, v_user_id, 'message:unstarred');
    end if;
    return parley.star_json(v_message, null);
end;
$$;
comment on function parley.unstar_message(uuid) is 'Takes the caller''s star off a message; one without is fine.';
revoke all on function parley.unstar_message(uuid) from public;
grant execute on function parley.unstar_message(uuid) to authenticated;

create or replace function parley.get_starred_messages(cursor text default null, page_size integer default 50)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
-- one plan for all: the user's stars in order, each with its message by key
set plan_cache_mode = force_generic_plan
set enable_hashjoin = off
set enable_mergejoin = off
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.require_caller();
    v_page_size integer := parley.require_page_size(get_starred_messages.page_size);
    v_floor_id uuid := parley.message_floor_of(v_user_id);
    v_from record := parley.decode_inbox_cursor(get_starred_messages.cursor);
    v_star record;
    v_starred_at timestamptz;
    v_message_id uuid;
    v_messages jsonb[] := '{}';
    v_next text;
begin
    for v_star in
        select
            s.starred_at,
            s.message_id,
            parley.message_json_for(
                m.message, p, v_floor_id, parley.message_status(m.message, v_user_id)
            ) as json
        from parley.message_star as s
        cross join lateral (
            select n as message, n.id, n.seq, n.deleted_at, n.expires_at
            from parley.message as n
            where n.id = s.message_id and n.conversation_id is not distinct from s.conversation_id
        ) as m
        inner join parley.participant as p on s.conversation_id = p.conversation_id and s.user_id = p.user_id
        where s.user_id = v_user_id
            and (
                v_from.id is null
                or (s.starred_at, s.message_id) < (v_from.last_activity_at, v_from.id)
            )
            and p.left_at is null
            and m.seq >= p.history_from_seq
            and m.id >= v_floor_id
            and m.deleted_at is null
            and (m.expires_at is null or m.expires_at > now())
            and not exists (
                select from parley.message_hidden as h
                where h.conversation_id = s.conversation_id and h.user_id = v_user_id and h.seq = m.seq
            )
        order by s.starred_at desc, s.message_id desc
        limit v_page_size + 1
    loop
        if cardinality(v_messages) = v_page_size then
            v_next := parley.encode_inbox_cursor(false, v_starred_at, v_message_id);
            exit;
        end if;
        v_starred_at := v_star.starred_at;
        v_message_id := v_star.message_id;
        v_messages := v_messages || (v_star.json || jsonb_build_object('starred_at', v_star.starred_at));
    end loop;
    return jsonb_build_object('messages', to_jsonb(v_messages), 'next_cursor', v_next);
end;
$$;
comment on function parley.get_starred_messages(text, integer) is
'The caller''s starred messages that they may still see, the last starred first: {messages, next_cursor}.';
revoke all on function parley.get_starred_messages(text, integer) from public;
grant execute on function parley.get_starred_messages(text, integer) to authenticated;

create or replace function parley.require_pinner(message parley.message, user_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform parley.require_permission(
        parley.require_participant(message.conversation_id, require_pinner.user_id),
        parley.require_writable(message.conversation_id),
        'change_settings'
    );
end;
$$;
comment on function parley.require_pinner(parley.message, uuid) is
'PT403 unless the user may pin messages of the conversation: who may change its settings.';
revoke all on function parley.require_pinner(parley.message, uuid) from public;

create or replace function parley.pin_message(message_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.provision_caller();
    v_message parley.message := parley.lock_message(pin_message.message_id, v_user_id);
    v_max bigint := parley.setting_value('max_pinned_messages')::bigint;
    v_pinned_at timestamptz;
begin
    perform parley.require_pinner(v_message, v_user_id);
    if v_message.deleted_at is not null then
        raise exception using errcode = 'PT409', message = 'The message was deleted.';
    end if;
    if v_message.pinned_at is not null then
        return parley.message_json(v_message);
    end if;
    if (
        select count(*) from parley.message_pin as p where p.conversation_id = v_message.conversation_id
    ) >= v_max then
        raise exception using
            errcode = 'PT409',
            message = format('At most %s messages of a conversation can be pinned.', v_max),
            hint = 'Unpin another one first.';
    end if;
    insert into parley.message_pin as p (conversation_id, message_id, seq, pinned_by)
    values (v_message.conversation_id, v_message.id, v_message.seq, v_user_id)
    returning p.pinned_at into v_pinned_at;
    update parley.message as m
    set pinned_at = v_pinned_at
    where m.id = v_message.id
    returning m.* into v_message;
    perform parley.append_event(
        v_message.conversation_id, 'message:pinned', v_user_id, v_message.id, v_message.seq, null,
        jsonb_build_object('pinned_at', v_pinned_at)
    );
    return parley.message_json(v_message);
end;
$$;
comment on function parley.pin_message(uuid) is
'Pins a message for everybody in the conversation, by who may change its settings; again is fine. Returns the message.';
revoke all on function parley.pin_message(uuid) from public;
grant execute on function parley.pin_message(uuid) to authenticated;

create or replace function parley.unpin_message(message_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.provision_caller();
    -- also one that the caller has hidden: it is pinned for the others, and takes a place
    v_message parley.message := parley.lock_message(unpin_message.message_id, v_user_id, true);
begin
    perform parley.require_pinner(v_message, v_user_id);
    if v_message.pinned_at is not null then
        delete from parley.message_pin as p
        where p.conversation_id = v_message.conversation_id and p.message_id = v_message.id;
        update parley.message as m
        set pinned_at = null
        where m.id = v_message.id
        returning m.* into v_message;
        perform parley.append_event(
            v_message.conversation_id, 'message:unpinned', v_user_id, v_message.id, v_message.seq, null, null
        );
    end if;
    return parley.message_json(v_message);
end;
$$;
comment on function parley.unpin_message(uuid) is
'Unpins a message, by who may change the conversation''s settings; one that is not pinned is fine. Returns the message.';
revoke all on function parley.unpin_message(uuid) from public;
grant execute on function parley.unpin_message(uuid) to authenticated;

create or replace function parley.get_pinned_messages(conversation_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_hashjoin = off
set enable_mergejoin = off
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.require_caller();
    v_me parley.participant := parley.require_participant(get_pinned_messages.conversation_id, v_user_id);
    v_floor_id uuid := parley.message_floor_of(v_user_id);
begin
    return jsonb_build_object(
        'messages', (
            select coalesce(
                jsonb_agg(
                    parley.message_json_for(
                        m.message, v_me, v_floor_id, parley.message_status(m.message, v_user_id)
                    )
                    || jsonb_build_object('pinned_by', p.pinned_by)
                    order by p.pinned_at desc, p.message_id
                ),
                '[]'
            )
            from parley.message_pin as p
            cross join lateral (
                select n as message, n.id, n.seq, n.expires_at
                from parley.message as n
                where n.id = p.message_id and n.conversation_id is not distinct from p.conversation_id
            ) as m
            where p.conversation_id = v_me.conversation_id
                and m.seq >= v_me.history_from_seq
                and m.id >= v_floor_id
                and (m.expires_at is null or m.expires_at > now())
                and not exists (
                    select from parley.message_hidden as h
                    where h.conversation_id = v_me.conversation_id and h.user_id = v_user_id and h.seq = m.seq
                )
        )
    );
end;
$$;
comment on function parley.get_pinned_messages(uuid) is
'The pinned messages of a conversation that the caller may see, the last pinned first: {messages}.';
revoke all on function parley.get_pinned_messages(uuid) from public;
grant execute on function parley.get_pinned_messages(uuid) to authenticated;
