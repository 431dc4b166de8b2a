-- Pins are the conversation's.

create or replace function parley.require_pinner(message parley.message, user_id uuid)
returns void
language plpgsql volatile security definer
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
comment on function parley.require_pinner is
'PT403 unless the user may change the conversation''s settings, which pinning needs.';

create or replace function parley.pin_message(message_id uuid)
returns jsonb
language plpgsql volatile security definer
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
    perform parley.require_readable(v_message);
    if v_message.pinned_at is not null then
        return parley.message_now_json(v_message);
    end if;
    if (
        select count(*)
        from parley.message_pin as p
        where p.conversation_id = v_message.conversation_id
            -- one that is retired is shown to nobody, and cannot be unpinned
            and p.seq > coalesce(
                (
                    select r.retired_seq
                    from parley.conversation_retention as r
                    where r.conversation_id = v_message.conversation_id
                ),
                0
            )
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
    return parley.message_now_json(v_message);
end;
$$;
comment on function parley.pin_message is
'Pins a message for everybody in the conversation. Needs the right to change its settings. A repeated call changes nothing. Returns the message.';
grant execute on function parley.pin_message to authenticated;

create or replace function parley.unpin_message(message_id uuid)
returns jsonb
language plpgsql volatile security definer
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
    return parley.message_now_json(v_message);
end;
$$;
comment on function parley.unpin_message is
'Unpins a message. Needs the right to change the conversation''s settings. A message without a pin stays as it is. Returns the message.';
grant execute on function parley.unpin_message to authenticated;
