-- Polls. A poll is a message of type poll: its content is the question, the options stand in parley.poll. Every
-- change takes the conversation's lock and looks again, so a vote and the closing or the deletion have an order, and
-- counts are those of the votes before them.

create or replace function parley.poll_options(options text[])
returns text[]
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_options text[];
begin
    if coalesce(cardinality(options), 0) not between 2 and 12 then
        raise exception using errcode = 'PT400', message = 'A poll has 2 to 12 options.';
    end if;
    v_options := array(
        select parley.require_name(btrim(o.text, E' \t\r\n'), 'An option', 200)
        from unnest(options) with ordinality as o (text, n)
        order by o.n
    );
    if array_position(v_options, null) is not null then
        raise exception using errcode = 'PT400', message = 'An option must show something.';
    end if;
    if cardinality(v_options) > (select count(distinct o.text) from unnest(v_options) as o (text)) then
        raise exception using errcode = 'PT400', message = 'The options of a poll must differ.';
    end if;
    return v_options;
end;
$$;
comment on function parley.poll_options is 'The options as they are stored, without space around them, or PT400.';

create or replace function parley.create_poll(
    conversation_id uuid,
    question text,
    options text[],
    multiple boolean default false,
    closes_at text default null,
    anonymous boolean default false,
    client_message_id uuid default null
)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_message jsonb;
    v_sent parley.message;
    v_new parley.poll;
begin
    v_new.options := parley.poll_options(create_poll.options);
    v_new.multiple := coalesce(create_poll.multiple, false);
    v_new.anonymous := coalesce(create_poll.anonymous, false);
    v_new.closes_at := parley.parse_moment(create_poll.closes_at, 'closes_at');
    -- the options count as part of what is sent: a repeated call with others is a conflict
    v_message := parley.write_message(
        parley.current_user_id(), create_poll.conversation_id, create_poll.question, 'poll',
        client_message_id => create_poll.client_message_id,
        any_type => true,
        request_hash => sha256(convert_to(row(
            'poll', create_poll.question, v_new.options, v_new.multiple, v_new.anonymous, extract(epoch from v_new.closes_at)
        )::text, 'UTF8'))
    );
    v_new.conversation_id := create_poll.conversation_id;
    v_new.message_id := v_message ->> 'id';
    -- Sent before, it may be gone by now, and so may the caller: seen under the lock, which a first call holds already.
    perform parley.lock_conversation(v_new.conversation_id);
    perform parley.require_participant(v_new.conversation_id, parley.current_user_id());
    select m.* into v_sent
    from parley.message as m
    where m.id = v_new.message_id and m.conversation_id is not distinct from v_new.conversation_id;
    v_sent := parley.readable_part(v_sent);
    if v_sent.deleted_at is not null then
        return parley.message_now_json(v_sent);
    end if;
    if not exists (
        select from parley.poll as p
        where p.conversation_id = v_new.conversation_id and p.message_id = v_new.message_id
    ) then
        -- asked here, since a repeated call may come when the poll has closed
        if not isfinite(v_new.closes_at)
            or v_new.closes_at <= clock_timestamp()
            or v_new.closes_at > clock_timestamp() + interval '366 days'
        then
            raise exception using errcode = 'PT400', message = 'closes_at must be from now on, within a year.';
        end if;
        -- an option says something, too
        perform parley.judge_message(
            c.id, c.unanswered, v_sent.sender_id, (parley.require_participant(c.id, v_sent.sender_id)).added_by,
            parley.is_new_account(v_sent.sender_id), v_sent.id,
            concat_ws(E'\n', v_sent.content, array_to_string(v_new.options, E'\n')), v_sent.type, v_sent.metadata,
            is_edit => true
        )
        from parley.conversation as c
        where c.id = v_new.conversation_id;
        insert into parley.poll select (v_new).*;
    end if;
    return v_message || jsonb_build_object('poll', parley.poll_json(v_new.conversation_id, v_new.message_id));
end;
$$;
comment on function parley.create_poll is
'Sends a question with 2 to 12 options to vote on, as the caller, until closes_at (ISO 8601 with an offset) if given. Returns the message, with its poll.';
grant execute on function parley.create_poll to authenticated;
