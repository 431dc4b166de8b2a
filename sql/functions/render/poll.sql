-- A poll as clients see it.

create or replace function parley.poll_counts(poll parley.poll)
returns bigint[]
language plpgsql stable security definer
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
comment on function parley.poll_counts is 'Votes of each option, in their order.';

create or replace function parley.poll_voter_count(poll parley.poll)
returns bigint
language plpgsql stable security definer
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
comment on function parley.poll_voter_count is 'How many have voted, whatever for.';

create or replace function parley.poll_json(conversation_id uuid, message_id uuid)
returns jsonb
language plpgsql stable security definer
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
comment on function parley.poll_json is
'A poll as everybody sees it: {options: [{id, text, votes, voter_ids unless anonymous, at most 256}], multiple, anonymous, total_voters, closes_at, closed_at}. Null: the message has none.';
