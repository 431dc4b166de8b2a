-- Requests: what strangers ask for by writing. Their state changes under the conversation's lock.

create or replace function parley.request_json(request parley.message_request)
returns jsonb
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'conversation_id', request.conversation_id,
        'recipient_id', request.recipient_id,
        'sender_id', request.sender_id,
        'status', request.status,
        'created_at', request.created_at,
        'answered_at', request.answered_at
    );
end;
$$;
comment on function parley.request_json is 'A request as its recipient sees it.';

create or replace function parley.append_request_event(request parley.message_request, kind text, user_id uuid)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform parley.append_event(
        null, append_request_event.kind, request.sender_id, null, null, append_request_event.user_id,
        jsonb_build_object('conversation_id', request.conversation_id, 'request', parley.request_json(request))
    );
end;
$$;
comment on function parley.append_request_event is 'Tells one user that a request came, or was answered.';

create or replace function parley.open_requests(conversation_id uuid, sender_id uuid, folders jsonb)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_request parley.message_request;
begin
    if coalesce(folders, '{}') = '{}' then
        return;
    end if;
    for v_request in
        insert into parley.message_request as r (conversation_id, recipient_id, sender_id)
        select open_requests.conversation_id, f.key::uuid, open_requests.sender_id
        from jsonb_object_keys(folders) as f (key)
        order by f.key
        on conflict on constraint message_request_pkey do update
        set
            sender_id = excluded.sender_id,
            sent_count = 0,
            created_at = excluded.created_at,
            answered_at = null,
            status = 'pending'
        returning r.*
    loop
        perform parley.append_request_event(v_request, 'request:new', v_request.recipient_id);
    end loop;
    perform parley.mark_conversation(open_requests.conversation_id);
end;
$$;
comment on function parley.open_requests is
'Makes requests for those of {user_id: requests}, who are in the conversation with that folder. The caller holds the lock.';

create or replace function parley.end_unanswered(conversation_id uuid)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    update parley.conversation as c
    set unanswered = false
    where c.id = end_unanswered.conversation_id and c.unanswered and not parley.is_asked(c.id);
end;
$$;
comment on function parley.end_unanswered is
'Somebody whom a stranger wrote to has answered or accepted, or no stranger is left: what is sent there is judged no longer, unless it is a request to others still. The caller holds the lock.';

create or replace function parley.grant_request(conversation_id uuid, user_id uuid)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_request parley.message_request;
begin
    update parley.message_request as r
    set status = 'accepted', answered_at = clock_timestamp()
    where r.conversation_id = grant_request.conversation_id
        and r.recipient_id = grant_request.user_id
        and r.status <> 'accepted'
    returning r.* into v_request;
    if found then
        perform parley.end_unanswered(v_request.conversation_id);
        perform parley.append_request_event(v_request, 'request:updated', v_request.recipient_id);
        -- who is out of it, with their tenant, hears nothing of it any more
        if exists (
            select from parley.participant as p
            where p.conversation_id = v_request.conversation_id
                and p.user_id = v_request.sender_id
                and p.left_at is null
        ) then
            perform parley.append_request_event(v_request, 'request:updated', v_request.sender_id);
        end if;
    end if;
    perform parley.mark_conversation(grant_request.conversation_id);
end;
$$;
comment on function parley.grant_request is
'Accepts what was asked of a participant, wherever they find the conversation, and tells both. The caller holds the lock.';

create or replace function parley.accept_in_place(conversation_id uuid, user_id uuid)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_participant parley.participant;
begin
    update parley.participant as p
    set folder = 'inbox'
    where p.conversation_id = accept_in_place.conversation_id
        and p.user_id = accept_in_place.user_id
        and p.left_at is null
        and p.folder = 'requests'
    returning p.* into v_participant;
    if not found then
        return false;
    end if;
    perform parley.grant_request(accept_in_place.conversation_id, accept_in_place.user_id);
    perform parley.append_settings_event(v_participant);
    perform parley.append_quiet_event(accept_in_place.conversation_id, accept_in_place.user_id);
    return true;
end;
$$;
comment on function parley.accept_in_place is
'Moves a conversation from a participant''s requests to the inbox and tells both. True: it was there. The caller holds the lock.';

create or replace function parley.accept_by_writing(conversation_id uuid, user_id uuid)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    -- a restriction stays: its messages are answered from where they are, and the other has an answer as from anybody
    if exists (
        select from parley.direct_conversation as d
        inner join parley.restriction as r
            on r.restricter_id = accept_by_writing.user_id and r.restricted_id in (d.user_low, d.user_high)
        where d.conversation_id = accept_by_writing.conversation_id
    ) then
        perform parley.grant_request(accept_by_writing.conversation_id, accept_by_writing.user_id);
    else
        perform parley.accept_in_place(accept_by_writing.conversation_id, accept_by_writing.user_id);
    end if;
end;
$$;
comment on function parley.accept_by_writing is
'Whoever writes in a conversation that they have among their requests accepts it, unless they have restricted the other.';
