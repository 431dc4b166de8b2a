-- Which blocks can hold a match, what is too new to be in one, and the matches themselves.

create or replace function parley.last_id_in_block(conversation_id uuid, block bigint, before_id uuid)
returns uuid
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
as $$
#variable_conflict use_column
begin
    return (
        select (array_agg(m.id order by m.id desc))[1]
        from parley.message as m
        where m.conversation_id = last_id_in_block.conversation_id
            and m.seq between 32 * last_id_in_block.block + 1 and 32 * last_id_in_block.block + 32
            and m.id < last_id_in_block.before_id
    );
end;
$$;
comment on function parley.last_id_in_block is 'The greatest id of a block''s messages below another id.';

create or replace function parley.search_tail(
    user_id uuid, conversation_id uuid, max_blocks integer, out conversation_ids uuid[], out blocks bigint[]
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v_consumer parley.consumer;
    v_floor bigint;
begin
    select c.* into v_consumer from parley.consumer as c where c.name = 'search';
    if not found then
        v_consumer.snapshot := parley.cursor_snapshot();
        v_consumer.max_id := 0;
    end if;
    v_floor := parley.consumer_floor(v_consumer.epoch, parley.log_epoch());
    -- usually the index has seen all
    if parley.read_log_ids(v_consumer.snapshot, v_consumer.max_id, 1, v_floor) = '{}' then
        return;
    end if;
    select array_agg(b.conversation_id), array_agg(b.block)
    into conversation_ids, blocks
    from (
        select x.conversation_id, x.block
        from (
            select u.id as conversation_id, e.block, e.id
            from (
                select
                    c.id,
                    parley.first_unseen(c.id, c.last_event_seq, v_consumer.snapshot, v_consumer.max_id, v_floor) as event_seq
                from parley.participant as p
                inner join parley.conversation as c on p.conversation_id = c.id
                where p.user_id = search_tail.user_id
                    and p.left_at is null
                    -- as in search_blocks
                    and p.conversation_id >= coalesce(search_tail.conversation_id, '00000000-0000-0000-0000-000000000000')
                    and p.conversation_id <= coalesce(search_tail.conversation_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
                offset 0
            ) as u
            cross join lateral (
                select n.block, max(n.id) as id
                from (
                    select (e.message_seq - 1) / 32 as block, e.id
                    from parley.event as e
                    where e.conversation_id = u.id
                        and e.event_seq >= u.event_seq
                        and e.kind in ('message:new', 'message:updated')
                    order by e.event_seq desc
                    limit 32 * max_blocks
                ) as n
                group by n.block
            ) as e
            union all
            -- what the user said and nobody else is to learn of
            select n.conversation_id, n.block, n.id
            from (
                select (e.data ->> 'conversation_id')::uuid as conversation_id, (e.message_seq - 1) / 32 as block, e.id
                from parley.event as e
                where e.conversation_id is null
                    and e.user_id = search_tail.user_id
                    and e.id > v_consumer.max_id
                    and e.kind in ('message:new', 'message:updated')
                order by e.id desc
                limit 32 * max_blocks
            ) as n
            where n.conversation_id = coalesce(search_tail.conversation_id, n.conversation_id)
        ) as x
        group by x.conversation_id, x.block
        order by max(x.id) desc
        limit max_blocks
    ) as b;
end;
$$;
comment on function parley.search_tail is
'The blocks of the user''s conversations with messages that the index has not seen yet, the newest max_blocks of them.';

create or replace function parley.search_blocks(
    user_id uuid,
    only_conversation_id uuid,
    language text,
    in_block tsquery,
    floor_id uuid,
    as_of uuid,
    below uuid,
    down_to uuid,
    tail_conversation_ids uuid[],
    tail_blocks bigint[],
    max_blocks integer
)
returns table (conversation_id uuid, block bigint, history_from_seq bigint, first_id uuid, at_id uuid)
language plpgsql stable security definer
rows 33
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set max_parallel_workers_per_gather = 0
set jit = off
as $$
#variable_conflict use_column
begin
    return query
    with tail as materialized (
        select t.conversation_id, t.block
        from unnest(search_blocks.tail_conversation_ids, search_blocks.tail_blocks) as t (conversation_id, block)
    )
    select c.conversation_id, c.block, c.history_from_seq, c.first_id, c.at_id
    from (
        select
            s.conversation_id,
            s.block,
            p.history_from_seq,
            s.first_id,
            -- one that was written to since the first page stands where it stood then
            case
                when s.last_id < search_blocks.as_of then s.last_id
                else parley.last_id_in_block(s.conversation_id, s.block, search_blocks.as_of)
            end as at_id
        from parley.participant as p
        inner join parley.search_block as s on p.conversation_id = s.conversation_id
        where p.user_id = search_blocks.user_id
            and p.left_at is null
            -- a range of the index (user_id, conversation_id), with one plan for one conversation and for all
            and p.conversation_id >= coalesce(only_conversation_id, '00000000-0000-0000-0000-000000000000')
            and p.conversation_id <= coalesce(only_conversation_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
            and s.block >= (p.history_from_seq - 1) / 32
            and s.last_id >= search_blocks.floor_id
            and s.first_id < search_blocks.as_of
            and (s.terms is null or s.language <> search_blocks.language or s.terms @@ search_blocks.in_block)
            and (s.conversation_id, s.block) not in (select t.conversation_id, t.block from tail as t)
        union all
        select
            t.conversation_id,
            t.block,
            p.history_from_seq,
            search_blocks.floor_id,
            parley.last_id_in_block(t.conversation_id, t.block, search_blocks.as_of)
        from tail as t
        inner join parley.participant as p
            on t.conversation_id = p.conversation_id and search_blocks.user_id = p.user_id and p.left_at is null
    ) as c
    where c.at_id < search_blocks.below
        and c.at_id >= search_blocks.floor_id
        and (search_blocks.down_to is null or c.at_id >= search_blocks.down_to)
    order by c.at_id desc
    limit search_blocks.max_blocks;
end;
$$;
comment on function parley.search_blocks is
'The blocks of the user''s conversations that can hold a match, by their newest message before as_of, the newest first.';

create or replace function parley.search_matches(
    user_id uuid,
    conversation_ids uuid[],
    blocks bigint[],
    history_from_seqs bigint[],
    first_ids uuid[],
    language regconfig,
    wanted tsquery,
    runs text[],
    marks text[],
    sender_id uuid,
    types text[],
    metadata jsonb,
    floor_id uuid,
    as_of uuid
)
returns table (
    message parley.message,
    message_id uuid,
    history_from_seq bigint,
    sort_key double precision,
    text_rank double precision
)
language plpgsql stable security definer
rows 100
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set max_parallel_workers_per_gather = 0
set jit = off
as $$
#variable_conflict use_column
begin
    return query
    select
        m.message,
        (m.message).id,
        b.history_from_seq,
        -- order by age-weighted rank, written so that it does not depend on the time of asking
        ln(r.text_rank) + ln(2::double precision)
            * extract(epoch from (m.message).created_at)::double precision / (30 * 86400),
        r.text_rank
    from unnest(
        search_matches.conversation_ids, search_matches.blocks, search_matches.history_from_seqs, search_matches.first_ids
    ) as b (conversation_id, block, history_from_seq, first_id)
    cross join lateral (
        select n as message
        from parley.message as n
        where n.conversation_id = b.conversation_id
            and n.seq between 32 * b.block + 1 and 32 * b.block + 32
            and n.id >= b.first_id
            and n.id < search_matches.as_of
            and n.content is not null
            and n.type <> 'encrypted'
            and (search_matches.sender_id is null or n.sender_id = search_matches.sender_id)
            and (search_matches.types is null or n.type = any (search_matches.types))
            and (search_matches.metadata is null or coalesce(n.metadata, '{}') @> search_matches.metadata)
            -- verdict: readable
            -- of message n viewer=search_matches.user_id from=b.history_from_seq floor=search_matches.floor_id each
            and n.seq >= b.history_from_seq
            and (n.expires_at is null or n.expires_at > now())
            and n.retired_at is null
            and n.id >= search_matches.floor_id
            and n.deleted_at is null
            and not exists (
                select from parley.message_hidden as h
                where
                    h.conversation_id = n.conversation_id
                    and h.user_id = search_matches.user_id
                    and h.seq = n.seq
                offset 0
            )
            -- end verdict
        offset 0
    ) as m
    cross join lateral (
        select parley.message_terms(
            search_matches.language, (m.message).content, search_matches.runs, search_matches.marks
        ) as terms
        offset 0
    ) as t
    cross join lateral (
        select greatest(ts_rank(t.terms, search_matches.wanted, 1), 0.000001)::double precision as text_rank
    ) as r
    where t.terms @@ search_matches.wanted;
end;
$$;
comment on function parley.search_matches is 'The messages of these blocks that match and that the user may see.';
