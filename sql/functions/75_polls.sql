-- Polls. A poll is a message of type poll: its content is the question, the options stand in parley.poll. Every
-- change takes the conversation's lock and looks again, so a vote and the closing or the deletion have an order, and
-- counts are those of the votes before them.

create or replace function parley.poll_counts(poll parley.poll)
returns bigint[]
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select array_agg(
            (
                select count(*)
                from parley.poll_vote as v
                where v.conversation_id = poll.conversation_id
                    and v.message_id = poll.message_id
                    and v.option_id = o.id
            )
            order by o.id
        )
        from generate_series(1, cardinality(poll.options)) as o (id)
    );
end;
$$;
comment on function parley.poll_counts(parley.poll) is 'Votes of each option, in their order.';
revoke all on function parley.poll_counts(parley.poll) from public;

create or replace function parley.poll_voter_count(poll parley.poll)
returns bigint
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select count(distinct v.user_id)
        from parley.poll_vote as v
        where v.conversation_id = poll.conversation_id and v.message_id = poll.message_id
    );
end;
$$;
comment on function parley.poll_voter_count(parley.poll) is 'How many have voted, whatever for.';
revoke all on function parley.poll_voter_count(parley.poll) from public;

create or replace function parley.poll_json(conversation_id uuid, message_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_poll parley.poll;
begin
    select p.* into v_poll
    from parley.poll as p
    where p.conversation_id = poll_json.conversation_id and p.message_id = poll_json.message_id;
    if not found then
        return null;
    end if;
    return jsonb_build_object(
        'options', (
            select jsonb_agg(
                jsonb_build_object('id', o.id, 'text', o.text, 'votes', o.votes)
                || case
                    when v_poll.anonymous then '{}'
                    else jsonb_build_object(
                        'voter_ids', (
                            select coalesce(jsonb_agg(w.user_id order by w.voted_at, w.user_id), '[]')
                            from (
                                select v.user_id, v.voted_at
                                from parley.poll_vote as v
                                where v.conversation_id = v_poll.conversation_id
                                    and v.message_id = v_poll.message_id
                                    and v.option_id = o.id
                                order by v.voted_at, v.user_id
                                limit 256
                            ) as w
                        )
                    )
                end
                order by o.id
            )
            from unnest(v_poll.options, parley.poll_counts(v_poll)) with ordinality as o (text, votes, id)
        ),
        'multiple', v_poll.multiple,
        'anonymous', v_poll.anonymous,
        'total_voters', parley.poll_voter_count(v_poll),
        'closes_at', v_poll.closes_at,
        'closed_at', case
            when v_poll.closed_at is not null then v_poll.closed_at
            -- its time has come, whether or not the job has been there
            when v_poll.closes_at <= now() then v_poll.closes_at
        end
    );
end;
$$;
comment on function parley.poll_json(uuid, uuid) is
'A poll as everybody sees it: {options: [{id, text, votes, voter_ids unless anonymous, at most 256}], multiple, anonymous, total_voters, closes_at, closed_at}. Null: the message has none.';
revoke all on function parley.poll_json(uuid, uuid) from public;

create or replace function parley.poll_options(options text[])
returns text[]
language plpgsql
immutable
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_options text[] := array(
        select btrim(o.text, E' \t\r\n') from unnest(options) with ordinality as o (text, n) order by o.n
    );
begin
    if cardinality(v_options) not between 2 and 12 then
        raise exception using errcode = 'PT400', message = 'A poll has 2 to 12 options.';
    end if;
    if exists (
        select from unnest(v_options) as o (text)
        where o.text is null or o.text !~ '\S' or char_length(o.text) > 200
    ) then
        raise exception using errcode = 'PT400', message = 'An option has 1 to 200 characters.';
    end if;
    if cardinality(v_options) > (select count(distinct o.text) from unnest(v_options) as o (text)) then
        raise exception using errcode = 'PT400', message = 'The options of a poll must differ.';
    end if;
    return v_options;
end;
$$;
comment on function parley.poll_options(text[]) is 'The options as they are stored, without space around them, or PT400.';
revoke all on function parley.poll_options(text[]) from public;

create or replace function parley.create_poll(
    conversation_id uuid,
    question text,
    options text[],
    multiple boolean default false,
    closes_at timestamptz default null,
    anonymous boolean default false,
    client_message_id uuid default null
)
returns jsonb
language plpgsql
volatile
security definer
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
    v_new.closes_at := create_poll.closes_at;
    -- the options count as part of what is sent: a repeated call with others is a conflict
    v_message := parley.send_message(
        create_poll.conversation_id, create_poll.question, 'poll',
        client_message_id => create_poll.client_message_id,
        server => jsonb_build_object(
            'type', 'poll',
            'options', to_jsonb(v_new.options),
            'multiple', v_new.multiple,
            'anonymous', v_new.anonymous,
            'closes_at', extract(epoch from v_new.closes_at)
        )
    );
    v_new.conversation_id := create_poll.conversation_id;
    v_new.message_id := v_message ->> 'id';
    -- Sent before, it may be gone by now, and so may the caller: seen under the lock, which a first call holds already.
    perform parley.lock_conversation(v_new.conversation_id);
    perform parley.require_participant(v_new.conversation_id, parley.current_user_id());
    select m.* into v_sent
    from parley.message as m
    where m.id = v_new.message_id and m.conversation_id is not distinct from v_new.conversation_id;
    v_sent := parley.unless_expired(v_sent);
    if v_sent.deleted_at is not null then
        return parley.message_json(v_sent);
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
        insert into parley.poll select (v_new).*;
    end if;
    return v_message || jsonb_build_object('poll', parley.poll_json(v_new.conversation_id, v_new.message_id));
end;
$$;
comment on function parley.create_poll(uuid, text, text[], boolean, timestamptz, boolean, uuid) is
'Sends a question with 2 to 12 options to vote on, as the caller. Returns the message, with its poll.';
revoke all on function parley.create_poll(uuid, text, text[], boolean, timestamptz, boolean, uuid) from public;
grant execute on function parley.create_poll(uuid, text, text[], boolean, timestamptz, boolean, uuid)
to authenticated;

create or replace function parley.my_poll_json(message parley.message, user_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return jsonb_build_object(
        'message_id', message.id,
        'conversation_id', message.conversation_id,
        'seq', message.seq,
        'question', message.content,
        'my_vote', (
            select coalesce(jsonb_agg(v.option_id order by v.option_id), '[]')
            from parley.poll_vote as v
            where v.conversation_id = message.conversation_id
                and v.message_id = message.id
                and v.user_id = my_poll_json.user_id
        )
    ) || parley.poll_json(message.conversation_id, message.id);
end;
$$;
comment on function parley.my_poll_json(parley.message, uuid) is 'A poll as one of its voters sees it: with the question and the own vote.';
revoke all on function parley.my_poll_json(parley.message, uuid) from public;

create or replace function parley.require_poll(message parley.message)
returns parley.poll
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_poll parley.poll;
begin
    if message.type <> 'poll' then
        raise exception using errcode = 'PT400', message = 'The message is no poll.';
    end if;
    select p.* into v_poll
    from parley.poll as p
    where p.conversation_id = message.conversation_id and p.message_id = message.id;
    if not found or message.deleted_at is not null then
        raise exception using errcode = 'PT409', message = 'The message was deleted.';
    end if;
    return v_poll;
end;
$$;
comment on function parley.require_poll(parley.message) is
'The poll of a message: PT400 if it is another kind of message, PT409 if it was deleted.';
revoke all on function parley.require_poll(parley.message) from public;

create or replace function parley.append_poll_event(poll parley.poll, seq bigint, actor_id uuid, data jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform parley.append_event(
        poll.conversation_id, 'poll:updated', actor_id, poll.message_id, seq, null,
        jsonb_build_object(
            'votes', to_jsonb(parley.poll_counts(poll)),
            'total_voters', parley.poll_voter_count(poll),
            'closed_at', poll.closed_at
        ) || data
    );
end;
$$;
comment on function parley.append_poll_event(parley.poll, bigint, uuid, jsonb) is
'Tells the conversation how a poll stands: votes of each option, voters, whether it is closed.';
revoke all on function parley.append_poll_event(parley.poll, bigint, uuid, jsonb) from public;

create or replace function parley.get_poll(message_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := parley.require_caller();
    v_message parley.message := parley.require_message(message_id, v_user_id);
begin
    perform parley.require_poll(v_message);
    return parley.my_poll_json(v_message, v_user_id);
end;
$$;
comment on function parley.get_poll(uuid) is 'A poll with the caller''s own vote.';
revoke all on function parley.get_poll(uuid) from public;
grant execute on function parley.get_poll(uuid) to authenticated;

create or replace function parley.vote(message_id uuid, option_ids integer[])
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.provision_caller();
    v_message parley.message := parley.lock_message(vote.message_id, v_user_id);
    v_poll parley.poll := parley.require_poll(v_message);
    v_new bigint[] := array(select distinct o.id from unnest(vote.option_ids) as o (id) order by o.id);
    v_old bigint[];
begin
    if vote.option_ids is null then
        raise exception using
            errcode = 'PT400', message = 'option_ids is required.', hint = 'An empty list takes the vote back.';
    end if;
    perform parley.require_writable(v_message.conversation_id);
    if v_poll.closed_at is not null or v_poll.closes_at <= clock_timestamp() then
        raise exception using errcode = 'PT409', message = 'The poll is closed.';
    end if;
    if exists (
        select from unnest(v_new) as o (id) where o.id is null or o.id not between 1 and cardinality(v_poll.options)
    ) then
        raise exception using
            errcode = 'PT400',
            message = format('An option is a number from 1 to %s.', cardinality(v_poll.options));
    end if;
    if cardinality(v_new) > 1 and not v_poll.multiple then
        raise exception using errcode = 'PT400', message = 'This poll takes one vote of each.';
    end if;
    v_old := array(
        select v.option_id
        from parley.poll_vote as v
        where v.conversation_id = v_poll.conversation_id
            and v.message_id = v_poll.message_id
            and v.user_id = v_user_id
        order by v.option_id
    );
    if v_old <> v_new then
        delete from parley.poll_vote as v
        where v.conversation_id = v_poll.conversation_id
            and v.message_id = v_poll.message_id
            and v.user_id = v_user_id
            and not v.option_id = any(v_new);
        insert into parley.poll_vote (conversation_id, message_id, user_id, option_id, voted_at)
        select v_poll.conversation_id, v_poll.message_id, v_user_id, o.id, clock_timestamp()
        from unnest(v_new) as o (id)
        on conflict do nothing;
        -- of an anonymous poll the log does not know who voted either
        perform parley.append_poll_event(
            v_poll, v_message.seq,
            case when not v_poll.anonymous then v_user_id end,
            case
                when v_poll.anonymous then '{}'
                else jsonb_build_object('voter_id', v_user_id, 'option_ids', to_jsonb(v_new))
            end
        );
    end if;
    return parley.my_poll_json(v_message, v_user_id);
end;
$$;
comment on function parley.vote(uuid, integer[]) is
'The caller votes for these options of a poll, instead of what they voted for before; an empty list takes the vote back. Returns the poll.';
revoke all on function parley.vote(uuid, integer[]) from public;
grant execute on function parley.vote(uuid, integer[]) to authenticated;

create or replace function parley.close_poll(message_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.provision_caller();
    v_message parley.message := parley.lock_message(close_poll.message_id, v_user_id);
    v_poll parley.poll := parley.require_poll(v_message);
begin
    if v_message.sender_id is distinct from v_user_id then
        perform parley.require_admin(parley.require_participant(v_message.conversation_id, v_user_id));
    end if;
    perform parley.require_writable(v_message.conversation_id);
    if v_poll.closed_at is null then
        update parley.poll as p
        -- one whose time has come was closed then, and by nobody
        set
            closed_at = least(clock_timestamp(), p.closes_at),
            closed_by = case when p.closes_at <= clock_timestamp() then null else v_user_id end
        where p.conversation_id = v_poll.conversation_id and p.message_id = v_poll.message_id
        returning p.* into v_poll;
        perform parley.append_poll_event(v_poll, v_message.seq, v_poll.closed_by, '{}');
    end if;
    return parley.my_poll_json(v_message, v_user_id);
end;
$$;
comment on function parley.close_poll(uuid) is
'Ends a poll, by its author or an admin: no vote is taken any more. Again is fine. Returns the poll.';
revoke all on function parley.close_poll(uuid) from public;
grant execute on function parley.close_poll(uuid) to authenticated;

-- The job. Conversations are taken in passing: one that somebody holds is left for the next run.
create or replace function parley.close_due_polls()
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    -- all of them before the first change: a conversation changed meanwhile by this very call would be passed by
    v_due constant parley.poll[] := array(
        select p
        from parley.poll as p
        inner join parley.conversation as c on p.conversation_id = c.id
        where p.closed_at is null and p.closes_at <= now()
        order by p.closes_at
        limit 100
        for no key update of c skip locked
    );
    v_found parley.poll;
    v_poll parley.poll;
begin
    foreach v_found in array v_due loop
        -- again, under the lock
        update parley.poll as p
        set closed_at = p.closes_at
        where p.conversation_id = v_found.conversation_id
            and p.message_id = v_found.message_id
            and p.closed_at is null
            and p.closes_at <= now()
        returning p.* into v_poll;
        continue when not found;
        perform parley.append_poll_event(
            v_poll,
            (
                select m.seq from parley.message as m
                where m.conversation_id = v_poll.conversation_id and m.id = v_poll.message_id
            ),
            null,
            '{}'
        );
    end loop;
    return cardinality(v_due) = 100;
end;
$$;
comment on function parley.close_due_polls() is 'A job: closes polls whose time has come. True: there may be more.';
revoke all on function parley.close_due_polls() from public;

create or replace function parley.remove_poll(message parley.message)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    delete from parley.poll as p
    where p.conversation_id = message.conversation_id and p.message_id = message.id;
end;
$$;
comment on function parley.remove_poll(parley.message) is
'The options of a poll and its votes, which go with what the message said. The caller holds the conversation''s lock.';
revoke all on function parley.remove_poll(parley.message) from public;
