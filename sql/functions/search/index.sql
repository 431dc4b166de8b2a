-- Keeping the search index: a durable consumer of the log, so that each message is indexed exactly once, whatever
-- crashes; and the rebuilding after a change of language, or of what was there before the index. Both in bounded steps.

create or replace function parley.index_new_messages(batch integer)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v_language constant regconfig := parley.search_language();
    v_version constant text := parley.terms_version(v_language);
    -- A job has 30 seconds. A megabyte of Chinese takes two; of a language with spaces it is more than the events of a batch.
    v_most_bytes constant bigint := 1000000;
    v_size integer := batch;
    v_ids bigint[];
    v_touched record;
    v_bytes bigint;
    v_left record;
begin
    -- as many events as have not too much text together, or one
    loop
        begin
            v_ids := parley.consume_ids('search', v_size);
            if v_ids = '{}' then
                return false;
            end if;
            select
                array_agg(w.conversation_id) as conversation_ids,
                array_agg((e.message_seq - 1) / 32) as blocks,
                -- null: not a new message
                array_agg(case when e.kind = 'message:new' then e.message_id end) as message_ids,
                coalesce(sum(m.bytes), 0) as bytes
            into v_touched
            from unnest(v_ids) as i (id)
            cross join lateral (select a.* from parley.event as a where a.id = i.id offset 0) as e
            -- an event for the sender alone names it in its data
            cross join lateral (
                select coalesce(e.conversation_id, (e.data ->> 'conversation_id')::uuid) as conversation_id offset 0
            ) as w
            left join lateral (
                select octet_length(x.content) as bytes
                from parley.message as x
                where e.kind = 'message:new'
                    and x.id = e.message_id
                    and x.conversation_id is not distinct from w.conversation_id
                offset 0
            ) as m on true
            where e.kind in ('message:new', 'message:updated', 'message:deleted')
                -- what somebody has hidden is still there
                and e.data ->> 'for_everyone' is distinct from 'false';
            -- the blocks of the others are made anew, each once
            v_bytes := v_touched.bytes + (
                select coalesce(sum(parley.block_bytes(c.conversation_id, c.block)), 0)
                from (
                    select distinct u.conversation_id, u.block
                    from unnest(v_touched.conversation_ids, v_touched.blocks, v_touched.message_ids)
                        as u (conversation_id, block, message_id)
                    where u.message_id is null
                ) as c
            );
            exit when v_bytes <= v_most_bytes or v_size = 1;
            raise exception using errcode = 'PT503', message = 'These events have too much text at once.';
        exception
            -- the cursor is back where it was
            when sqlstate 'PT503' then
                v_size := greatest(1, least(v_size, cardinality(v_ids)) / 2);
        end;
    end loop;
    perform parley.lock_blocks(v_touched.conversation_ids, v_touched.blocks);
    -- New words go to the rows there are, in one statement: one for each row would cost three times as much. The rest is
    -- made anew, row by row.
    begin
        with touched as materialized (
            select t.conversation_id, t.block, array_agg(t.message_id) as message_ids
            from unnest(v_touched.conversation_ids, v_touched.blocks, v_touched.message_ids)
                as t (conversation_id, block, message_id)
            group by t.conversation_id, t.block
        ),

        texts as materialized (
            select
                t.conversation_id,
                t.block,
                n.ids,
                n.content,
                n.ids is not null and coalesce(char_length(n.content), 0) <= 20000 as is_appended
            from touched as t
            -- each thing by its whole key: while tables are small, the planner would read all of them for every row
            cross join lateral (
                select
                    array_agg(m.id order by m.id) as ids,
                    string_agg(m.content, E' .\n') filter (where m.deleted_at is null and m.type <> 'encrypted') as content
                from unnest(t.message_ids) as i (id)
                cross join lateral (
                    select x.id, x.content, x.deleted_at, x.type
                    from parley.message as x
                    where x.id = i.id
                        -- not equal: the index on (conversation_id, seq) would read all of the conversation
                        and x.conversation_id is not distinct from t.conversation_id
                    offset 0
                ) as m
                where array_position(t.message_ids, null) is null
                    and exists (
                        select from parley.search_block as b
                        where b.conversation_id = t.conversation_id and b.block = t.block and b.language = v_version
                        offset 0
                    )
            ) as n
        ),

        appended as (
            insert into parley.search_block as s (conversation_id, block, first_id, last_id, language, terms)
            select
                t.conversation_id,
                t.block,
                t.ids[1],
                t.ids[cardinality(t.ids)],
                v_version,
                parley.search_terms(v_language, coalesce(t.content, ''))
            from texts as t
            where t.is_appended
            order by t.conversation_id, t.block
            -- always in conflict: each of these rows is locked
            on conflict on constraint search_block_pkey do update
            set
                first_id = least(s.first_id, excluded.first_id),
                last_id = greatest(s.last_id, excluded.last_id),
                terms = s.terms || excluded.terms
        )

        select array_agg(t.conversation_id) as conversation_ids, array_agg(t.block) as blocks into v_left
        from texts as t
        where not t.is_appended;
    exception
        -- more than a megabyte of words, which made anew they will say
        when program_limit_exceeded then
            v_left := v_touched;
    end;
    perform parley.index_block(l.conversation_id, l.block, v_language)
    from (
        select distinct u.conversation_id, u.block
        from unnest(v_left.conversation_ids, v_left.blocks) as u (conversation_id, block)
        order by u.conversation_id, u.block
    ) as l;
    return cardinality(v_ids) >= v_size;
end;
$$;
comment on function parley.index_new_messages is
'Brings what the next events of the log say about messages into the search index. True: there is more.';

create or replace function parley.rebuild_search_index(batch integer)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
declare
    v_language constant regconfig := parley.search_language();
    v_version constant text := parley.terms_version(v_language);
    v_state parley.search_state;
    v_conversation parley.conversation;
    v_left integer := batch;
    v_bytes bigint := 0;
    v_to bigint;
begin
    select s.* into v_state from parley.search_state as s;
    if v_state.language = v_version and v_state.rebuild_after is null then
        return false;
    end if;
    if v_state.language <> v_version then
        v_state.rebuild_after := '00000000-0000-0000-0000-000000000000';
        v_state.rebuild_block := 0;
    end if;
    -- as much text as index_new_messages takes
    while v_left > 0 and v_bytes < 1000000 loop
        select c.* into v_conversation
        from parley.conversation as c
        where c.id > v_state.rebuild_after
        order by c.id
        limit 1;
        if not found then
            v_state.rebuild_after := null;
            exit;
        end if;
        v_to := least((v_conversation.last_seq - 1) / 32, v_state.rebuild_block + v_left - 1);
        for v_block in v_state.rebuild_block..v_to loop
            perform parley.index_block(v_conversation.id, v_block, v_language);
            v_bytes := v_bytes + parley.block_bytes(v_conversation.id, v_block);
            if v_bytes >= 1000000 then
                v_to := v_block;
                exit;
            end if;
        end loop;
        v_left := v_left - greatest(1, v_to - v_state.rebuild_block + 1)::integer;
        if v_to >= (v_conversation.last_seq - 1) / 32 then
            v_state.rebuild_after := v_conversation.id;
            v_state.rebuild_block := 0;
        else
            v_state.rebuild_block := v_to + 1;
        end if;
    end loop;
    update parley.search_state as s
    set
        language = v_version,
        rebuild_after = v_state.rebuild_after,
        rebuild_block = v_state.rebuild_block;
    return v_state.rebuild_after is not null;
end;
$$;
comment on function parley.rebuild_search_index is
'The next blocks of a rebuilding, if one is due because the language changed, or how words are made. True: there is more.';

create or replace function parley.index_messages()
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    -- What has failed is tried again with less each time, down to one.
    v_shift constant integer := 3 * least(4, (select j.failures from parley.job as j where j.name = 'index_messages'));
begin
    -- the row of the consumer keeps the log; this lock the rebuilding
    if not pg_try_advisory_xact_lock(hashtextextended('parley:index_messages', 0)) then
        return false;
    end if;
    -- Without its place in the log, or with one from which the log has been purged, the index begins again: from here
    -- on by the log, and what was before by the messages.
    if not exists (
        select from parley.consumer as c
        where c.name = 'search' and c.max_id >= (select s.purged_id from parley.log_state as s)
    ) then
        delete from parley.consumer as c where c.name = 'search';
        perform parley.create_consumer('search');
        update parley.search_state as s
        set rebuild_after = '00000000-0000-0000-0000-000000000000', rebuild_block = 0;
    end if;
    if parley.index_new_messages(greatest(1, 5000 >> v_shift)) then
        return true;
    end if;
    return parley.rebuild_search_index(greatest(1, 200 >> v_shift));
end;
$$;
comment on function parley.index_messages is
'One round of indexing for the message search, a bounded amount of it, less after a failure; as often as every five seconds. True: call again at once.';
