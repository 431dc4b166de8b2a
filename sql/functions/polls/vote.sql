-- Voting, and the end of a vote.

create or replace function parley.require_poll(message parley.message)
returns parley.poll
language plpgsql stable security definer
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
comment on function parley.require_poll is
'The poll of a message: PT400 if it is another kind of message, PT409 if it was deleted.';

create or replace function parley.append_poll_event(poll parley.poll, seq bigint, actor_id uuid, data jsonb)
returns void
language plpgsql volatile security definer
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
comment on function parley.append_poll_event is
'Tells the conversation how a poll stands: votes of each option, voters, whether it is closed.';

create or replace function parley.my_poll_json(message parley.message, user_id uuid)
returns jsonb
language plpgsql stable security definer
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
comment on function parley.my_poll_json is 'A poll as one of its voters sees it: with the question and the own vote.';

create or replace function parley.get_poll(message_id uuid)
returns jsonb
language plpgsql stable security definer
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
comment on function parley.get_poll is 'A poll with the caller''s own vote.';
grant execute on function parley.get_poll to authenticated;

create or replace function parley.vote(message_id uuid, option_ids integer[])
returns jsonb
language plpgsql volatile security definer
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
    -- a vote can be taken back while messaging is off
    if v_new <> '{}' then
        perform parley.require_messaging(v_user_id);
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
        -- of an anonymous poll the log does not know who voted either, unless nobody else is to hear of it
        perform parley.append_poll_event(
            v_poll, v_message.seq,
            case
                when not v_poll.anonymous
                    or parley.reaches_nobody(v_poll.conversation_id, 'poll:updated', v_user_id, v_message.seq)
                    then v_user_id
            end,
            case
                when v_poll.anonymous then '{}'
                else jsonb_build_object('voter_id', v_user_id, 'option_ids', to_jsonb(v_new))
            end
        );
    end if;
    return parley.my_poll_json(v_message, v_user_id);
end;
$$;
comment on function parley.vote is
'The caller votes for these options of a poll, instead of what they voted for before; an empty list takes the vote back. Returns the poll.';
grant execute on function parley.vote to authenticated;

create or replace function parley.close_poll(message_id uuid)
returns jsonb
language plpgsql volatile security definer
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
comment on function parley.close_poll is
'Ends a poll, by its author or an admin: no vote is taken any more. Again is fine. Returns the poll.';
grant execute on function parley.close_poll to authenticated;

-- The job. Conversations are taken in passing: one that somebody holds is left for the next run.
create or replace function parley.close_due_polls()
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
-- a plan that was made while the month's partition was empty, and known to be, would read all of it ever after
set enable_seqscan = off
set jit = off
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
comment on function parley.close_due_polls is 'A job: closes polls whose time has come. True: there may be more.';
