-- A page of messages by seq, answered by the (conversation_id, seq) index of the partitions that can hold it.

create or replace function parley.message_page(
    conversation_id uuid,
    user_id uuid,
    floor_id uuid,
    from_seq bigint,
    to_seq bigint,
    newest_first boolean,
    max_rows integer,
    with_notices boolean default true
)
returns setof parley.message
language plpgsql stable security definer
rows 50
set search_path = pg_catalog, pg_temp
-- One plan for all: walk the (conversation_id, seq) indexes in order and stop. Without knowing the parameters the
-- planner would guess that sorting a bitmap is cheaper; it never is.
set plan_cache_mode = force_generic_plan
set enable_sort = off
set enable_bitmapscan = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
-- a plan that cannot avoid what is off counts as dear enough to be compiled, which takes half a second
set jit = off
as $$
#variable_conflict use_column
declare
    v_ceiling_id uuid := parley.uuid_v7_floor(now() + interval '1 day');
begin
    -- two statements, one for each direction; the bounds on id leave out partitions
    if newest_first then
        return query
        select m.*
        from parley.message as m
        where m.conversation_id = message_page.conversation_id
            and m.seq <= message_page.to_seq
            and m.id < v_ceiling_id
            -- verdict: readable, tombstone unless expired
            -- of message m viewer=message_page.user_id from=message_page.from_seq floor=message_page.floor_id
            and m.seq >= message_page.from_seq
            and (m.expires_at is null or m.expires_at > now())
            and m.retired_at is null
            and m.id >= message_page.floor_id
            and not exists (
                select from parley.message_hidden as h
                where
                    h.conversation_id = m.conversation_id
                    and h.user_id = message_page.user_id
                    and h.seq = m.seq
            )
            -- end verdict
            and (
                message_page.with_notices
                or m.sender_id is not null
                or not exists (
                    select from parley.message_uncounted as u
                    where u.conversation_id = m.conversation_id and u.seq = m.seq and u.is_notice
                )
            )
        order by m.seq desc
        limit message_page.max_rows;
    else
        return query
        select m.*
        from parley.message as m
        where m.conversation_id = message_page.conversation_id
            and m.seq <= message_page.to_seq
            and m.id < v_ceiling_id
            -- verdict: readable, tombstone unless expired
            -- of message m viewer=message_page.user_id from=message_page.from_seq floor=message_page.floor_id
            and m.seq >= message_page.from_seq
            and (m.expires_at is null or m.expires_at > now())
            and m.retired_at is null
            and m.id >= message_page.floor_id
            and not exists (
                select from parley.message_hidden as h
                where
                    h.conversation_id = m.conversation_id
                    and h.user_id = message_page.user_id
                    and h.seq = m.seq
            )
            -- end verdict
        order by m.seq
        limit message_page.max_rows;
    end if;
end;
$$;
comment on function parley.message_page is 'Messages the user may see between two seqs, from one end or the other; from the newest also without notices.';

create or replace function parley.rows_in_page(messages parley.message[], newest_first boolean, max_bytes bigint)
returns integer
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_count constant integer := cardinality(messages);
    v_message parley.message;
    v_bytes bigint := 0;
begin
    for i in 1..v_count loop
        v_message := messages[case when newest_first then v_count + 1 - i else i end];
        v_bytes := v_bytes + 600
            + coalesce(octet_length(v_message.content), 0)
            + coalesce(octet_length(v_message.metadata::text), 0);
        if v_bytes > max_bytes and i > 1 then
            return i - 1;
        end if;
    end loop;
    return v_count;
end;
$$;
comment on function parley.rows_in_page is
'How many of these messages, which are in the order of seq, fit from one end; one at least. What is not text counts 600 bytes.';
