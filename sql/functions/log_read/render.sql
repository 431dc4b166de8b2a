-- What readers of the log receive: each event as the complete JSON object for clients, made from the rows as they are
-- now. The log holds no text, so an event of a message that was since deleted, has expired or was purged shows that
-- message as it is now: without content. Event by event, and each thing looked up by its whole key: no statement here
-- can be planned in two ways, whatever the statistics say of a new partition. What an event does not show is not looked
-- for, so that a few events cost what their rows cost. One function reads and renders, for at low rates each message is
-- read by itself: one more function with settings, statement and set of rows would cost more than the row.
--
-- By default it gives four pages of parley.page_bytes().
--
-- A payload has conversation_id, event_seq, actor_id and at, the ids and the delta of the event, and for the kinds
-- message:new|updated, conversation:* and participant:* the thing itself.

create or replace function parley.read_log(
    after_snapshot pg_snapshot,
    after_id bigint,
    batch integer,
    ids bigint[] default null,
    max_bytes bigint default 4194304
)
returns setof parley.rendered_event
language plpgsql stable security definer
rows 1000
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set max_parallel_workers_per_gather = 0
set jit = off
as $$
#variable_conflict use_column
declare
    -- as in read_log_ids
    v_xmax constant xid8 := pg_snapshot_xmax(after_snapshot);
    v_xip constant xid8[] := string_to_array(split_part(after_snapshot::text, ':', 3), ',')::xid8[];
    v_own constant xid8 := coalesce(pg_current_xact_id_if_assigned(), '0');
    v_events parley.event[];
    v_read record;
    v_event parley.event;
    v_message parley.message;
    v_shown jsonb;
    v_participant parley.participant;
    v_json jsonb;
    v_payload text;
    v_answer parley.rendered_event;
    v_conversation_id uuid;
    v_is_message boolean;
    v_bytes bigint := 0;
begin
    if ids is null then
        v_events := array(
            select e from parley.log_since(after_id, batch, null, v_xmax, v_xip, v_own) as e order by e.id
        );
    else
        v_events := array(select e from parley.event as e where e.id = any (ids) order by e.id);
    end if;
    if cardinality(v_events) = 0 then
        return;
    end if;
    for v_read in
        select
            e as event,
            -- Payloads show things as they are now. Whoever has left by now, at a later event, is not shown what happened
            -- since; nor is who deleted the conversation for themselves shown a message of before.
            case when ids is null then nullif(
                array(
                    select p.user_id
                    from parley.participant as p
                    where p.conversation_id = e.conversation_id and p.left_event_seq > e.event_seq
                    union all
                    select p.user_id
                    from parley.participant as p
                    where p.conversation_id = e.conversation_id and p.deleted_seq >= e.message_seq
                    union all
                    select d.user_id
                    from parley.departure as d
                    where d.conversation_id = e.conversation_id and e.conversation_id is not null
                )
                || case
                    when e.kind = 'message:read' then parley.readers_without_receipts(e.conversation_id, e.user_id)
                end,
                '{}'
            ) end as revoked,
            -- offset 0: else the planner may gather all reactions of everybody first
            e.kind in ('message:new', 'message:updated') and exists (
                select from parley.reaction as x
                where x.conversation_id = coalesce(e.conversation_id, (e.data ->> 'conversation_id')::uuid)
                    and x.message_id = e.message_id
                offset 0
            ) as has_reactions
        -- in their order already, so that nothing is worked out of what the bound cuts off
        from unnest(v_events) as e
    loop
        v_event := v_read.event;
        v_is_message := v_event.kind in ('message:new', 'message:updated');
        v_payload := null;
        if v_is_message then
            -- of the sender's own event about a message that reaches nobody else, as of any other
            v_conversation_id := coalesce(v_event.conversation_id, (v_event.data ->> 'conversation_id')::uuid);
            -- by id alone: an equal conversation_id would offer the planner the index on (conversation_id, seq)
            select m.* into v_message
            from parley.message as m
            where m.id = v_event.message_id and m.conversation_id is not distinct from v_conversation_id;
            -- A text just sent is nearly every event. As JSON it would cost more, and each function named here
            -- is made ready once a transaction.
            v_payload := case
                when v_event.kind = 'message:new' and v_message.type = 'text'
                    and not (v_message.has_attachments or v_message.mentions_all or v_read.has_reactions)
                    and num_nonnulls(
                        v_event.user_id, v_event.data, v_message.reply_to_id, v_message.mentions, v_message.forward_count,
                        v_message.pinned_at, v_message.edited_at, v_message.deleted_at, v_message.expires_at,
                        v_message.retired_at
                    ) = 0
                    and num_nulls(v_event.conversation_id, v_event.actor_id, v_message.sender_id, v_message.content) = 0
                    then format(
                        '{"conversation_id": "%1$s", "event_seq": %2$s, "actor_id": "%3$s", "at": %4$s, "message": '
                        '{"conversation_id": "%1$s", "id": "%5$s", "seq": %6$s, "sender_id": "%7$s", "sender_role": %8$s, '
                        '"content": %9$s, "metadata": %10$s, "client_message_id": %11$s, "created_at": %12$s, '
                        '"updated_at": %12$s, %13$s}',
                        v_event.conversation_id, v_event.event_seq, v_event.actor_id, to_json(v_event.created_at),
                        v_message.id, v_message.seq, v_message.sender_id, coalesce(to_json(v_message.sender_role), 'null'),
                        to_json(v_message.content), coalesce(v_message.metadata, '{}'),
                        coalesce(to_json(v_message.client_message_id), 'null'), to_json(v_message.created_at),
                        substr(parley.plain_message_json()::text, 2)
                    )
            end;
        end if;
        if v_payload is null then
            if v_is_message then
                if v_message.id is null or not (
                    -- verdict: readable, tombstone unless expired
                    -- of message v_message
                    (v_message.expires_at is null or v_message.expires_at > now())
                    and v_message.retired_at is null
                    -- end verdict
                ) then
                    v_shown := parley.tombstone_json(
                        v_event.message_id,
                        v_conversation_id,
                        v_event.message_seq,
                        coalesce(least(v_message.expires_at, v_message.retired_at), v_event.created_at)
                    );
                else
                    v_shown := parley.message_json(
                        v_message,
                        case
                            when v_read.has_reactions and v_message.deleted_at is null
                                then parley.reactions_json(v_conversation_id, v_event.message_id)
                            else '[]'
                        end,
                        times_forwarded => case
                            when v_event.kind = 'message:updated'
                                then parley.times_forwarded(v_conversation_id, v_event.message_id)
                            else 0
                        end
                    );
                end if;
            end if;
            v_json := jsonb_build_object(
                'conversation_id', v_event.conversation_id,
                'event_seq', v_event.event_seq,
                'actor_id', v_event.actor_id,
                'at', v_event.created_at
            );
            if v_event.user_id is not null then
                v_json := v_json || jsonb_build_object('user_id', v_event.user_id);
            end if;

            -- most events are messages, and show nothing else: each condition is made ready anew in each transaction
            if not v_is_message then
                if v_event.message_id is not null then
                    v_json := v_json || jsonb_build_object('message_id', v_event.message_id, 'seq', v_event.message_seq);
                end if;

                -- whom it is about, where the event shows something of them
                v_participant := null;
                if v_event.user_id is not null and (v_event.conversation_id is null or v_event.kind like 'participant:%') then
                    select p.* into v_participant
                    from parley.participant as p
                    where p.conversation_id = coalesce(v_event.conversation_id, (v_event.data ->> 'conversation_id')::uuid)
                        and p.user_id = v_event.user_id;
                end if;

                -- A user's own event about a conversation shows it as that user sees it, and no longer once the user left.
                -- Of a large group the first fifty, as in sync: all 256 are 60 KB, for every subscriber of every change.
                if v_event.kind in ('conversation:new', 'conversation:updated') then
                    if v_event.conversation_id is not null then
                        v_json := v_json || jsonb_build_object(
                            'conversation', parley.conversation_json(v_event.conversation_id, null, 50)
                        );
                    elsif v_participant.left_at is null and v_participant.user_id is not null then
                        v_json := v_json || jsonb_build_object(
                            'conversation', parley.conversation_json(v_participant.conversation_id, v_event.user_id, 50)
                        );
                    end if;
                elsif v_event.kind like 'participant:%' then
                    if v_participant.user_id is not null and v_event.conversation_id is not null then
                        v_json := v_json || jsonb_build_object('participant', parley.participant_json(v_participant));
                    end if;
                elsif v_event.kind like 'call:%' then
                    -- of a call's own devices: nothing of it any more once the user has left
                    if v_event.conversation_id is not null or v_participant.left_at is null then
                        v_json := v_json || parley.call_event_json(v_event);
                    end if;
                elsif v_event.kind = 'entitlements:changed' then
                    v_json := v_json || jsonb_build_object('limits', parley.worker_limits(v_event.user_id));
                elsif v_event.kind = 'draft:updated' and v_participant.left_at is null then
                    v_json := v_json || jsonb_build_object(
                        'draft', parley.draft(v_participant.conversation_id, v_event.user_id)
                    );
                end if;
            end if;

            v_payload := case when v_event.data is null then v_json else v_json || v_event.data end;
            if v_is_message then
                -- as text: as JSON the whole message would be copied once more
                v_payload := left(v_payload, -1) || ', "message": ' || v_shown::text || '}';
            end if;
        end if;
        v_bytes := v_bytes + octet_length(v_payload);
        exit when v_bytes > max_bytes and v_bytes > octet_length(v_payload) and v_event.id > after_id;
        v_answer := row(
            v_event.id,
            v_event.xid,
            v_event.conversation_id,
            v_event.event_seq,
            v_event.user_id,
            v_event.kind,
            v_event.actor_id,
            v_event.message_id,
            v_event.message_seq,
            case
                when v_event.kind = 'participant:joined'
                    then coalesce((v_event.data ->> 'history_from_seq')::bigint, v_participant.history_from_seq)
            end,
            v_payload,
            v_read.revoked,
            v_event.created_at
        );
        return next v_answer;
    end loop;
end;
$$;
comment on function parley.read_log is
'Events that became visible since the cursor, by id, with their payloads, and who must not be shown them any more because they left or deleted the conversation since, or have turned off the receipts it is one of: late commits complete, newer ids at most batch and max_bytes, but one event anyway. Given ids, those events instead, without whom not to show them.';
grant execute on function parley.read_log to parley_worker;

create or replace function parley.render_events(
    ids bigint[], max_bytes bigint default null, whole_up_to bigint default 0
)
returns setof parley.rendered_event
language plpgsql stable security definer
rows 1000
set search_path = pg_catalog, pg_temp
as $$
begin
    return query select r.* from parley.read_log(null, whole_up_to, null, coalesce(ids, '{}'), max_bytes) as r;
end;
$$;
comment on function parley.render_events is
'These events by id, each once, with the payloads clients receive, as of now. With max_bytes no more than those many bytes of payloads, but the first event and all up to the id whole_up_to come anyway.';

create or replace function parley.events_json(
    ids bigint[], max_bytes bigint default null, whole_up_to bigint default 0
)
returns jsonb
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(
        jsonb_agg(jsonb_build_object('event', r.kind, 'payload', r.payload::jsonb) order by r.id), '[]'
    )
    from parley.render_events(ids, max_bytes, whole_up_to) r
$$;
comment on function parley.events_json is
'These events as clients receive them: [{event, payload}], by id; max_bytes and whole_up_to as in render_events.';
