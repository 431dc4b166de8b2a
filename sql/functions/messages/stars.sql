-- Stars are a user's own.

create or replace function parley.append_star_event(message parley.message, user_id uuid, kind text)
returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    select parley.append_event(
        null, append_star_event.kind, append_star_event.user_id, message.id, message.seq, append_star_event.user_id,
        jsonb_build_object('conversation_id', message.conversation_id)
    )
$$;
comment on function parley.append_star_event is
'Tells the user''s other devices that a message was starred or unstarred.';

create or replace function parley.star_json(message parley.message, starred_at timestamptz)
returns jsonb
language sql immutable security invoker
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
comment on function parley.star_json is 'Whether a message is starred, and since when.';

create or replace function parley.star_message(message_id uuid)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.provision_caller();
    -- under the conversation's lock: not on what is just being deleted, nor in what the caller just cleared
    v_message parley.message := parley.lock_message(star_message.message_id, v_user_id);
    v_starred_at timestamptz;
begin
    -- hiding takes the participant's row alone, and takes the star away: this comes before it, or is refused
    perform from parley.participant as p
    where p.conversation_id = v_message.conversation_id and p.user_id = v_user_id
    for no key update;
    perform parley.require_readable(parley.require_message(v_message.id, v_user_id));
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
comment on function parley.star_message is 'Stars a message for the caller, which nobody else sees; again is fine.';
grant execute on function parley.star_message to authenticated;

create or replace function parley.unstar_message(message_id uuid)
returns jsonb
language plpgsql volatile security definer
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
comment on function parley.unstar_message is 'Takes the caller''s star off a message; one without is fine.';
grant execute on function parley.unstar_message to authenticated;
