-- Who else may take what somebody said out of a conversation: asked, given or refused, and withdrawn.

create or replace function parley.consents_json(conversation_id uuid, requester_id uuid)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return (
        select coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'user_id', c.user_id,
                    'requested_at', c.requested_at,
                    'answered_at', c.answered_at,
                    'given', c.given and c.withdrawn_at is null,
                    'withdrawn_at', c.withdrawn_at
                )
                order by c.requested_at, c.user_id
            ),
            '[]'
        )
        from parley.export_consent as c
        where c.conversation_id = consents_json.conversation_id and c.requester_id = consents_json.requester_id
    );
end;
$$;
comment on function parley.consents_json is 'What others have answered to a user who asked.';

create or replace function parley.append_consent_event(consent parley.export_consent, addressee_id uuid)
returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    select parley.append_event(
        null, 'export:consent', null, null, null, addressee_id,
        jsonb_build_object(
            'conversation_id', consent.conversation_id,
            'requester_id', consent.requester_id,
            'user_id', consent.user_id,
            'given', consent.given and consent.withdrawn_at is null
        )
    )
$$;
comment on function parley.append_consent_event is 'Tells somebody of a question, or of an answer.';

create or replace function parley.request_export_consent(conversation_id uuid)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.provision_caller();
    v_consent parley.export_consent;
    v_silent boolean;
begin
    perform parley.require_participant(request_export_consent.conversation_id, v_user_id);
    -- of two, one who has blocked the caller, or put their request away, is asked nothing
    v_silent := exists (
        select from parley.direct_conversation as d
        where d.conversation_id = request_export_consent.conversation_id
            and (
                exists (
                    select from parley.block as b
                    where b.blocked_id = v_user_id and b.blocker_id in (d.user_low, d.user_high)
                )
                or exists (
                    select from parley.message_request as r
                    where r.conversation_id = d.conversation_id
                        and r.sender_id = v_user_id
                        and r.status not in ('pending', 'accepted')
                )
            )
    );
    for v_consent in
        insert into parley.export_consent as c (conversation_id, requester_id, user_id)
        select p.conversation_id, v_user_id, p.user_id
        from parley.participant as p
        where p.conversation_id = request_export_consent.conversation_id
            and p.user_id <> v_user_id
            and p.left_at is null
        order by p.user_id
        on conflict do nothing
        returning c.*
    loop
        if not v_silent then
            perform parley.append_consent_event(v_consent, v_consent.user_id);
        end if;
    end loop;
    return jsonb_build_object(
        'conversation_id', request_export_consent.conversation_id,
        'consents', parley.consents_json(request_export_consent.conversation_id, v_user_id)
    );
end;
$$;
comment on function parley.request_export_consent is
'Asks the others in a conversation whether the caller may export what they have said; each is asked once. Returns all answers so far.';
grant execute on function parley.request_export_consent to authenticated;

create or replace function parley.give_export_consent(
    conversation_id uuid, requester_id uuid, given boolean default true
)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.provision_caller();
    v_consent parley.export_consent;
begin
    if give_export_consent.conversation_id is null or give_export_consent.requester_id is null or give_export_consent.given is null then
        raise exception using errcode = 'PT400', message = 'conversation_id, requester_id and given are required.';
    end if;
    -- also of one who has left since: what they said is still theirs
    update parley.export_consent as c
    set
        given = give_export_consent.given or coalesce(c.given, false),
        answered_at = clock_timestamp(),
        withdrawn_at = case when not give_export_consent.given and c.given then clock_timestamp() end
    where c.conversation_id = give_export_consent.conversation_id
        and c.requester_id = give_export_consent.requester_id
        and c.user_id = v_user_id
    returning c.* into v_consent;
    if not found then
        raise exception using
            errcode = 'PT404',
            message = 'You were not asked.',
            hint = 'request_export_consent asks.';
    end if;
    perform parley.append_consent_event(v_consent, v_consent.requester_id);
    return jsonb_build_object(
        'conversation_id', v_consent.conversation_id,
        'requester_id', v_consent.requester_id,
        'given', v_consent.given and v_consent.withdrawn_at is null,
        'answered_at', v_consent.answered_at,
        'withdrawn_at', v_consent.withdrawn_at
    );
end;
$$;
comment on function parley.give_export_consent is
'Answers somebody who wants to export what the caller has said in a conversation: yes, or no, which also takes a yes back.';
grant execute on function parley.give_export_consent to authenticated;

create or replace function parley.may_export(conversation_id uuid, requester_id uuid, sender_id uuid)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return may_export.sender_id is null
    or may_export.sender_id = may_export.requester_id
    or exists (
        select from parley.export_consent as c
        where c.conversation_id = may_export.conversation_id
            and c.requester_id = may_export.requester_id
            and c.user_id = may_export.sender_id
            and c.given
            and c.withdrawn_at is null
    );
end;
$$;
comment on function parley.may_export is
'True if somebody may export what a sender has said: their own, the server''s, and with consent that was not taken back.';
