-- Every message is written here: a user's, a copy passed on, one that was scheduled, the server's. The order of the
-- locks is: the client's key, the sender's rate bucket, the conversation. A retry waits on the key and takes no seq.
-- One write costs the same for 2 and for 256 participants. One long function, because it is the hot path: a call of
-- another costs 10 us, a fiftieth of a send, and so do ten expressions: each is made ready anew in each transaction.

create or replace function parley.write_message(
    sender_id uuid,
    conversation_id uuid,
    content text,
    type text default 'text',
    client_message_id uuid default null,
    reply_to_id uuid default null,
    attachment_ids uuid[] default null,
    mentions uuid[] default null,
    metadata jsonb default null,
    expires_in interval default null,
    mentions_all boolean default false,
    from_server boolean default false,
    any_type boolean default false,
    was_scheduled boolean default false,
    actor_id uuid default null,
    forwards_id uuid default null,
    forward_count integer default null,
    request_hash bytea default null,
    is_notice boolean default false
)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id constant uuid := case when not write_message.from_server then write_message.sender_id end;
    v_sender record;
    v_has_partition boolean;
    v_metadata jsonb;
    v_mentions uuid[];
    v_attachment_ids uuid[];
    v_ttl interval;
    v_hash bytea;
    -- parley.uuid_v7(), written out: here a call costs more than what it does
    v_id uuid := encode(
        set_bit(
            set_bit(
                overlay(
                    uuid_send(gen_random_uuid()),
                    substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3),
                    1,
                    6
                ),
                52, 1
            ),
            53, 1
        ),
        'hex'
    )::uuid;
    v_conversation parley.conversation;
    v_participant record;
    v_hidden_from uuid;
    v_message parley.message;
    v_source parley.message;
begin
    if num_nonnulls(write_message.mentions, write_message.attachment_ids) > 0 then
        v_mentions := nullif(write_message.mentions, '{}');
        v_attachment_ids := nullif(write_message.attachment_ids, '{}');
    end if;
    -- Only this says whose message it is: a caller without a name is nobody, not the server.
    if write_message.from_server then
        v_metadata := write_message.metadata;
    else
        if write_message.metadata is not null then
            v_metadata := parley.validate_metadata(write_message.metadata, write_message.content, write_message.type);
        end if;

        -- 1. everything that decides, by primary keys, in one statement
        select
            a.suspended_at,
            a.deleted_at,
            a.tokens_valid_after,
            t.send_amount,
            t.send_period_seconds,
            t.send_burst,
            t.max_content_length,
            t.send_young_days,
            t.send_flagged,
            a.created_at > now() - t.new_account_hours * interval '1 hour' as is_new,
            a.complained_of or t.text_rules as is_measured,
            clock_timestamp() between t.partitions_from and t.partitions_until as has_partition
        into v_sender
        from parley.participant as p
        -- in this order (offset 0): while accounts are few, the planner would read all of a tier
        cross join lateral (
            select
                x.suspended_at,
                x.deleted_at,
                x.tokens_valid_after,
                x.created_at,
                x.complained_of,
                -- as parley.tier_of; below, a clock would keep the index from being asked
                case
                    when x.plan_until <= clock_timestamp() then parley.best_tier(x.id, in_any => true)
                    else coalesce(x.plan_tier_name, x.tier_name)
                end as tier_name
            from parley.account as x
            where x.id = p.user_id
            offset 0
        ) as a
        cross join lateral (select x.* from parley.tier as x where x.name = a.tier_name offset 0) as t
        where p.conversation_id = write_message.conversation_id and p.user_id = v_user_id and p.left_at is null;
        if not found then
            perform parley.refuse_sender(write_message.conversation_id, parley.require_caller());
        end if;
        v_has_partition := v_sender.has_partition;
        if v_sender.suspended_at is not null
            or v_sender.deleted_at is not null
            or v_sender.tokens_valid_after is not null
        then
            perform parley.require_caller();
        end if;

        -- 2. once and only once: a racing retry waits here for the first one to end, and a late one gets its message
        -- whatever has changed since
        if write_message.client_message_id is not null then
            v_hash := coalesce(write_message.request_hash, sha256(convert_to(
                row(
                    write_message.type, write_message.reply_to_id, v_mentions, v_metadata,
                    extract(epoch from write_message.expires_in), write_message.content, v_attachment_ids,
                    write_message.mentions_all
                )::text,
                'UTF8'
            )));
            insert into parley.message_key (conversation_id, sender_id, client_message_id, message_id, request_hash)
            values (write_message.conversation_id, v_user_id, write_message.client_message_id, v_id, v_hash)
            on conflict do nothing;
            if not found then
                return parley.repeated_message(write_message.conversation_id, v_user_id, write_message.client_message_id, v_hash);
            end if;
        end if;

        -- 3. the request itself; what is passed on was checked when it was written, by the rules for whoever wrote it
        if write_message.type = 'text'
            and v_attachment_ids is null
            and write_message.expires_in is null
            and write_message.forwards_id is null
        then
            -- looked at here first, because the call costs more than the look
            if write_message.content is null
                or char_length(write_message.content) > v_sender.max_content_length
                -- the letters of most texts, and no control character; validate_content knows all that show something
                or write_message.content !~ (
                    E'^[^\u0001-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*'
                    || E'[!-~\u00c0-\u0240\u0391-\u0481\u05d0-\u05ea\u0620-\u064a\u0904-\u0939\u0e01-\u0e30'
                    || E'\u3041-\u3096\u30a1-\u30fa\u3400-\u9fff\uac00-\ud7a3\U0001f300-\U0001faff]'
                    || E'[^\u0001-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$'
                )
            then
                perform parley.validate_content(write_message.content, v_sender.max_content_length);
            end if;
        elsif write_message.forwards_id is null then
            -- a day is 24 hours, also where the session's clocks are about to change
            write_message.expires_in := make_interval(secs => extract(epoch from write_message.expires_in)::double precision);
            perform parley.check_message_request(
                write_message.conversation_id, v_user_id, write_message.content, write_message.type,
                v_sender.max_content_length, v_attachment_ids, v_metadata, write_message.expires_in,
                write_message.any_type
            );
        end if;

        -- messaging is switched off, or not for everybody
        if v_sender.send_flagged then
            perform parley.require_messaging(v_user_id);
        end if;

        -- 4. not too many
        if v_sender.send_young_days is not null then
            -- where young accounts have less
            perform parley.take_tier_token(v_user_id, 'messages_per_minute');
        elsif v_sender.send_amount is not null then
            perform parley.take_token(
                v_user_id, 'messages_per_minute', v_sender.send_amount, v_sender.send_period_seconds, v_sender.send_burst
            );
        end if;
    end if;

    -- a clock that was set may stand in a month that upkeep has not been in
    if v_has_partition is not true
        and to_regclass('parley.message_' || to_char(clock_timestamp() at time zone 'UTC', 'YYYY_MM')) is null
    then
        perform parley.ensure_partitions(0);
    end if;

    -- 5. The lock: whoever updates this row is next. From here on commits have the order of seq.
    update parley.conversation as c
    set
        last_seq = c.last_seq + 1,
        last_event_seq = c.last_event_seq + 1,
        last_activity_at = greatest(c.last_event_at, clock_timestamp()),
        last_event_at = greatest(c.last_event_at, clock_timestamp())
    where c.id = write_message.conversation_id
    returning c.* into v_conversation;
    -- what the conversation says of sending is read under it, and only where it says something
    if v_conversation.restricted or write_message.from_server then
        if not write_message.from_server then
            v_ttl := parley.require_may_send(write_message.conversation_id, v_user_id);
            v_hidden_from := parley.silenced_for(write_message.conversation_id, v_user_id);
        elsif v_conversation.id is null then
            raise exception using errcode = 'PT404', message = 'The conversation does not exist.';
        elsif v_conversation.restricted then
            perform parley.end_quiet(write_message.conversation_id);
        end if;
    end if;
    -- The sender under it: a removal that committed before leaves nothing to update. Nobody need read what they said, or
    -- what the server says of them.
    update parley.participant as p
    set
        -- who has read everything before has also read this
        last_read_seq = case
            when p.last_read_seq = v_conversation.last_seq - 1 then v_conversation.last_seq else p.last_read_seq
        end,
        own_unread = case
            when p.last_read_seq = v_conversation.last_seq - 1 then 0
            -- a notice counts for nobody, so there is nothing to take off
            when write_message.is_notice then p.own_unread
            else p.own_unread + 1
        end
    where p.conversation_id = write_message.conversation_id
        and p.user_id = coalesce(v_user_id, write_message.actor_id)
        and p.left_at is null
    returning p.role, p.app_role, p.folder, p.history_from_seq, p.added_by, p.has_draft into v_participant;
    if not found and not write_message.from_server then
        perform parley.refuse_sender(write_message.conversation_id, v_user_id);
    end if;
    if v_participant.folder = 'requests' or write_message.was_scheduled or write_message.mentions_all
        or num_nonnulls(write_message.forwards_id, write_message.reply_to_id, v_mentions) > 0
    then
        if v_participant.folder = 'requests' and not write_message.from_server then
            perform parley.accept_by_writing(write_message.conversation_id, v_user_id);
        end if;
        -- and what the message points at: nobody can leave, delete or clear it any more
        if write_message.was_scheduled then
            -- who has left meanwhile, or what has gone, is no reason to keep it from the others
            v_mentions := nullif(parley.present_of(write_message.conversation_id, v_mentions), '{}');
            if write_message.reply_to_id is not null and not parley.may_answer(
                v_conversation.id, v_user_id, write_message.reply_to_id, v_participant.history_from_seq
            ) then
                write_message.reply_to_id := null;
            end if;
        elsif write_message.forwards_id is not null then
            -- as it is now, should it have been changed or hidden while this one waited
            v_source := parley.require_message(write_message.forwards_id, v_user_id);
            perform parley.require_readable(v_source);
            write_message.content := v_source.content;
            v_metadata := v_source.metadata;
        end if;
        if v_mentions is not null or write_message.mentions_all then
            perform parley.check_mentions(v_conversation.id, v_mentions, write_message.mentions_all, v_participant.role);
        end if;
        if write_message.reply_to_id is not null then
            perform parley.check_reply(
                v_conversation.id, v_user_id, write_message.reply_to_id, v_participant.history_from_seq
            );
        end if;
    end if;
    -- what strangers and new accounts send is judged; friends pay for the look at what was read anyway
    if v_user_id is not null then
        if v_conversation.unanswered or v_sender.is_new then
            -- as a condition, because perform would start an executor for it, which costs 10 us
            if parley.judge_message(
                v_conversation.id, v_conversation.unanswered, v_user_id, v_participant.added_by, v_sender.is_new, v_id,
                write_message.content, write_message.type, v_metadata, is_measured => v_sender.is_measured
            ) then
                null;
            end if;
        end if;
    end if;
    -- four plain statements: one with data-modifying CTEs costs a tenth more
    if v_hidden_from is null then
        insert into parley.event (event_seq, message_seq, created_at, conversation_id, actor_id, message_id, kind)
        values (
            v_conversation.last_event_seq, v_conversation.last_seq, v_conversation.last_event_at, v_conversation.id,
            coalesce(v_user_id, write_message.actor_id), v_id, 'message:new'
        );
    else
        perform parley.suppress_message(v_conversation, v_user_id, v_hidden_from, v_id);
    end if;
    insert into parley.message as m (
        id, conversation_id, seq, sender_id, reply_to_id, client_message_id, created_at, expires_at,
        sender_role, type, content, metadata, mentions, forward_count, has_attachments, mentions_all
    )
    values (
        v_id, v_conversation.id, v_conversation.last_seq, v_user_id, write_message.reply_to_id,
        write_message.client_message_id, v_conversation.last_event_at,
        -- not longer than the conversation keeps its messages; and what is to disappear does not live longer elsewhere
        least(v_conversation.last_event_at + least(write_message.expires_in, v_ttl), v_source.expires_at),
        case when not write_message.from_server then coalesce(v_participant.app_role, v_participant.role) end,
        write_message.type, write_message.content, v_metadata, v_mentions, write_message.forward_count,
        v_attachment_ids is not null, coalesce(write_message.mentions_all, false)
    );
    if v_attachment_ids is not null or write_message.is_notice or v_participant.has_draft then
        if v_attachment_ids is not null then
            select m.* into v_message from parley.message as m where m.id = v_id;
            if write_message.forwards_id is not null then
                perform parley.copy_attachments(v_message, v_attachment_ids);
            else
                perform parley.attach(v_message, v_attachment_ids);
            end if;
        end if;
        if write_message.is_notice then
            insert into parley.message_uncounted (conversation_id, seq, message_id, is_notice)
            values (v_conversation.id, v_conversation.last_seq, v_id, true);
        end if;
        -- what was begun is said; a copy, a poll or what was scheduled is something else
        if v_participant.has_draft and v_user_id is not null
            and not (write_message.was_scheduled or write_message.any_type or write_message.forwards_id is not null)
        then
            perform parley.clear_draft(v_conversation.id, v_user_id);
        end if;
    end if;
    -- parley.ring(), written out for the same reason
    if exists (select from parley.worker as w where not pg_try_advisory_xact_lock_shared(w.lock_key)) then
        perform pg_notify('parley', '');
    end if;
    -- a text and nothing else is answered from what is at hand
    if v_user_id is not null and write_message.type = 'text' and write_message.mentions_all is not true and num_nonnulls(
        v_mentions, v_attachment_ids, write_message.reply_to_id, write_message.forwards_id, write_message.expires_in, v_ttl
    ) = 0 then
        return parley.plain_message_json() || jsonb_build_object(
            'id', v_id, 'conversation_id', v_conversation.id, 'seq', v_conversation.last_seq, 'sender_id', v_user_id,
            'sender_role', coalesce(v_participant.app_role, v_participant.role), 'content', write_message.content,
            'metadata', coalesce(v_metadata, '{}'), 'client_message_id', write_message.client_message_id,
            'created_at', v_conversation.last_event_at, 'updated_at', v_conversation.last_event_at
        );
    end if;
    select m.* into v_message from parley.message as m where m.id = v_id;
    if write_message.reply_to_id is not null then
        -- the sender is shown what they answer, also where others may not see it
        return parley.message_json(
            v_message, '[]', 'sent', v_user_id, v_participant.history_from_seq, parley.message_floor_of(v_user_id)
        );
    end if;
    return parley.message_json(v_message, '[]');
end;
$$;
comment on function parley.write_message is
'Writes a message and returns it. A sender is asked everything a send is asked. from_server: it has no sender, and actor_id names whom it is about, who need not read it. is_notice: it is unread for nobody, and no preview. any_type allows a type users may not send; forwards_id names what is passed on, whose text and attachments are copied; was_scheduled leaves out mentions and a quote that are no longer possible; request_hash stands for the request where a retry may bring other text.';
