-- Replay: what a client that was away missed, by the same access rule as the join. For a conversation from an event_seq
-- on (lossless: nothing is between two numbers), or from a time on; for a user's inbox from a time on. Oldest first.
-- What lies before the reader joined, or further back than the reader's tier reaches, is left out.

create or replace function parley.first_kept_event_seq(conversation_id uuid)
returns bigint
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(
        (
            select min(e.event_seq) from parley.event e
            where e.conversation_id = first_kept_event_seq.conversation_id
        ),
        (select c.last_event_seq + 1 from parley.conversation c where c.id = first_kept_event_seq.conversation_id)
    )
$$;
revoke all on function parley.first_kept_event_seq(uuid) from public;
comment on function parley.first_kept_event_seq(uuid)
is 'The first event_seq of a conversation that has not been purged; one past the last if none is left.';

create or replace function parley.events_after(
    conversation_id uuid, after_event_seq bigint, history_from bigint, message_floor uuid, max_rows integer
)
returns bigint[]
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
    select array(
        select e.id
        from parley.event e
        where
            e.conversation_id = events_after.conversation_id
            and e.event_seq > after_event_seq
            and (e.message_seq is null or e.message_seq >= history_from)
            and (e.message_id is null or e.message_id >= message_floor)
        order by e.event_seq
        limit max_rows
    )
$$;
revoke all on function parley.events_after(uuid, bigint, bigint, uuid, integer) from public;
comment on function parley.events_after(uuid, bigint, bigint, uuid, integer)
is 'The next events of a conversation that somebody with this history and tier may see.';

create or replace function parley.replay_ids_since(
    conversation_ids uuid[],
    history_from bigint[],
    events_from bigint[],
    user_id uuid,
    message_floor uuid,
    since timestamptz,
    max_rows integer
)
returns bigint[]
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
    -- event_seq is dense, so the event before n is n - 1: walk back from each newest event while it is young enough
    with recursive back as (
        select
            e.id, e.conversation_id, e.event_seq, e.message_seq, e.message_id, u.history_from, u.events_from, 1 as depth
        from unnest(conversation_ids, history_from, events_from) as u (conversation_id, history_from, events_from)
        inner join parley.conversation c on c.id = u.conversation_id
        inner join parley.event e on e.conversation_id = c.id and e.event_seq = c.last_event_seq
        where e.created_at >= since and e.event_seq >= u.events_from
        union all
        select
            e.id, e.conversation_id, e.event_seq, e.message_seq, e.message_id, b.history_from, b.events_from,
            b.depth + 1
        from back b
        inner join parley.event e on e.conversation_id = b.conversation_id and e.event_seq = b.event_seq - 1
        where e.created_at >= since and e.event_seq >= b.events_from and b.depth < max_rows
    ),
    newest as (
        select b.id from back b
        where
            (b.message_seq is null or b.message_seq >= b.history_from)
            and (b.message_id is null or b.message_id >= message_floor)
        union all
        select e.id from parley.event e
        where e.conversation_id is null and e.user_id = replay_ids_since.user_id and e.created_at >= since
        order by 1 desc
        limit max_rows
    )
    select coalesce(array_agg(n.id order by n.id), '{}') from newest n
$$;
revoke all on function parley.replay_ids_since(uuid[], bigint[], bigint[], uuid, uuid, timestamptz, integer)
from public;
comment on function parley.replay_ids_since(uuid[], bigint[], bigint[], uuid, uuid, timestamptz, integer)
is 'The newest max_rows events since a time of these conversations, and of the user alone if one is given.';

create or replace function parley.replay_gap(
    conversation_id uuid, after_event_seq bigint, kept_from bigint, events_from bigint
)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    select case
        when after_event_seq + 1 < greatest(kept_from, events_from)
            then jsonb_build_object(
                'conversation_id', conversation_id,
                'from', after_event_seq + 1,
                'to', greatest(kept_from, events_from) - 1,
                'reason', case when kept_from >= events_from then 'purged' else 'before_joining' end
            )
    end
$$;
revoke all on function parley.replay_gap(uuid, bigint, bigint, bigint) from public;
comment on function parley.replay_gap(uuid, bigint, bigint, bigint)
is 'What lies after an event_seq and cannot be read, because it is no longer kept or before the reader joined. Null: nothing.';

create or replace function parley.replay(
    role text, reader_id uuid, topic text, after_event_seq bigint, since timestamptz, max_rows integer
)
returns table (
    id bigint,
    xid xid8,
    conversation_id uuid,
    event_seq bigint,
    user_id uuid,
    kind text,
    actor_id uuid,
    message_id uuid,
    message_seq bigint,
    history_from_seq bigint,
    payload text
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_service constant boolean := coalesce(replay.role = 'service_role', false);
    v_conversation constant uuid := parley.topic_uuid(topic, 'conversation:');
    v_user constant uuid := parley.topic_uuid(topic, 'user:');
    v_limit constant integer := least(greatest(coalesce(max_rows, 1000), 0), 10000);
    v_floor uuid := '00000000-0000-0000-0000-000000000000';
    v_history_from bigint;
    v_events_from bigint;
    v_gap jsonb;
    v_after constant bigint := case when after_event_seq >= 0 then after_event_seq when after_event_seq < 0 then 0 end;
    v_ids bigint[];
begin
    if not v_service then
        v_floor := parley.message_floor_of(reader_id);
    end if;

    if v_conversation is not null then
        select coalesce(p.history_from_seq, 1), coalesce(p.history_from_event_seq, 1)
        into v_history_from, v_events_from
        from parley.conversation c
        left join parley.participant p on p.conversation_id = c.id and p.user_id = reader_id and p.left_at is null
        where c.id = v_conversation and (v_service or p.user_id is not null);
        if not found then
            return;
        end if;
        if v_after is null then
            v_ids := parley.replay_ids_since(
                array[v_conversation], array[v_history_from], array[v_events_from], null, v_floor, since, v_limit
            );
        else
            v_gap := parley.replay_gap(
                v_conversation, v_after, parley.first_kept_event_seq(v_conversation), v_events_from
            );
            if v_gap is not null then
                return query select
                    0::bigint, null::xid8, v_conversation, null::bigint, null::uuid, 'replay:gap', null::uuid, null::uuid,
                    null::bigint, null::bigint, v_gap::text;
            end if;
            v_ids := parley.events_after(
                v_conversation, greatest(v_after, v_events_from - 1), v_history_from, v_floor, v_limit
            );
        end if;
    elsif v_user is not null and (v_service or v_user = reader_id) and since is not null then
        select parley.replay_ids_since(c.ids, c.history_from, c.events_from, v_user, v_floor, since, v_limit)
        into v_ids
        from parley.conversations_of(v_user) c;
    end if;
    if v_ids <> '{}' then
        return query select * from parley.render_events(v_ids);
    end if;
end
$$;
revoke all on function parley.replay(text, uuid, text, bigint, timestamptz, integer) from public;
grant execute on function parley.replay(text, uuid, text, bigint, timestamptz, integer) to parley_worker;
comment on function parley.replay(text, uuid, text, bigint, timestamptz, integer)
is 'Events of a topic the reader missed, oldest first; a first row of kind replay:gap says what was purged, or was before the reader joined.';
