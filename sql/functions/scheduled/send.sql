-- Sending what is due, each message as its author would.

create or replace function parley.put_off_scheduled_message(
    scheduled parley.scheduled_message, code text, wait_seconds integer
)
returns void
language plpgsql volatile security definer
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
comment on function parley.put_off_scheduled_message is
'Tries a message again later, and what is due behind it in the same place after it.';

-- The job. One message in a run, that is in a transaction: a send takes the author's rate bucket and then the
-- conversation, and a second one after the first would take them in an order that no other send respects.
create or replace function parley.send_due_messages()
returns boolean
language plpgsql volatile security definer
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
    v_evidence text;
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
    -- one that was scheduled while the sessions of its author were being revoked
    if exists (
        select from parley.account as a
        where a.id = v_scheduled.sender_id and a.tokens_valid_after > v_scheduled.updated_at
    ) then
        update parley.scheduled_message as s
        set status = 'held', error_code = null
        where s.conversation_id = v_scheduled.conversation_id and s.id = v_scheduled.id
        returning s.* into v_scheduled;
        perform parley.append_scheduled_event(v_scheduled);
        return true;
    end if;
    begin
        perform set_config(
            'request.jwt.claims',
            json_build_object(
                'sub', v_scheduled.sender_id, 'role', 'authenticated', 'iat', extract(epoch from v_now)
            )::text,
            true
        );
        v_message_id := parley.write_message(
            v_scheduled.sender_id, v_scheduled.conversation_id, v_scheduled.content, v_scheduled.type, v_scheduled.client_message_id,
            v_scheduled.reply_to_id, v_scheduled.attachment_ids, v_scheduled.mentions, v_scheduled.metadata,
            v_scheduled.expires_in, v_scheduled.mentions_all, was_scheduled => true
        ) ->> 'id';
    exception
        when others then
            get stacked diagnostics
                v_code = returned_sqlstate, v_detail = pg_exception_detail, v_evidence = constraint_name;
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
    elsif (v_scheduled.attempts >= 19 and v_code <> 'PT503') or v_code = '42501' or (v_code like 'PT4%' and v_code <> 'PT429') then
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
        if v_code = 'PT422' then
            perform parley.record_refusal(v_evidence);
        end if;
    else
        perform parley.put_off_scheduled_message(
            v_scheduled,
            v_code,
            case
                when v_code = 'PT429'
                    then coalesce(least(substring(v_detail from E'Retry-After: ([0-9]{1,9})')::integer, 3600), 60)
                else least(1 << least(v_scheduled.attempts, 9)::integer, 300)
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
comment on function parley.send_due_messages is
'A job: sends the scheduled message that has waited longest, as its author. True: another one is due.';

create or replace function parley.purge_scheduled_messages()
returns boolean
language plpgsql volatile security definer
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
comment on function parley.purge_scheduled_messages is
'A job: forgets scheduled messages that were sent, cancelled or given up a month ago.';
