-- One row of the search index: locking it, and making it anew from what its messages say.

create or replace function parley.lock_blocks(conversation_ids uuid[], blocks bigint[])
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
begin
    insert into parley.search_block as s (conversation_id, block, first_id, last_id, language)
    select
        t.conversation_id,
        t.block,
        '00000000-0000-0000-0000-000000000000',
        '00000000-0000-0000-0000-000000000000',
        ''
    from (
        select distinct u.conversation_id, u.block
        from unnest(lock_blocks.conversation_ids, lock_blocks.blocks) as u (conversation_id, block)
    ) as t
    -- held, so that the row's foreign key is kept; who sends does not wait for it
    cross join lateral (
        select from parley.conversation as c where c.id = t.conversation_id for key share
    ) as c
    order by t.conversation_id, t.block
    -- where false: the row is locked and stays as it is
    on conflict on constraint search_block_pkey do update
    set language = s.language
    where false;
end;
$$;
comment on function parley.lock_blocks is
'Locks the rows of these blocks, and makes those that are missing, for the caller to fill or delete. Whoever reads messages for the index does it after this, in another statement: so it sees what a purge or an erasure did whose lock it waited for.';

create or replace function parley.block_bytes(conversation_id uuid, block bigint)
returns bigint
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
        select coalesce(sum(octet_length(m.content)), 0)
        from parley.message as m
        where m.conversation_id = block_bytes.conversation_id
            and m.seq between 32 * block_bytes.block + 1 and 32 * block_bytes.block + 32
    );
end;
$$;
comment on function parley.block_bytes is 'How much text the 32 messages of a block have, which says what it costs to index them.';

create or replace function parley.index_block(conversation_id uuid, block bigint, language regconfig)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
    v_text text;
    v_first_id uuid;
    v_last_id uuid;
    v_terms tsvector;
begin
    perform parley.lock_blocks(array[index_block.conversation_id], array[index_block.block]);
    select
        -- a dot and a line between them: neither joins words
        string_agg(m.content, E' .\n') filter (where m.deleted_at is null and m.type <> 'encrypted'),
        (array_agg(m.id order by m.id))[1],
        (array_agg(m.id order by m.id desc))[1]
    into v_text, v_first_id, v_last_id
    from parley.message as m
    where m.conversation_id = index_block.conversation_id
        and m.seq between 32 * index_block.block + 1 and 32 * index_block.block + 32;
    if v_first_id is null then
        delete from parley.search_block as s
        where s.conversation_id = index_block.conversation_id and s.block = index_block.block;
        return;
    end if;
    begin
        v_terms := parley.search_terms(index_block.language, coalesce(v_text, ''));
        -- search_terms reads 20,000 characters: longer ones by message
        if char_length(v_text) > 20000 then
            v_terms := '';
            for v_text in
                select m.content
                from parley.message as m
                where m.conversation_id = index_block.conversation_id
                    and m.seq between 32 * index_block.block + 1 and 32 * index_block.block + 32
                    and m.deleted_at is null
                    and m.content is not null
                    and m.type <> 'encrypted'
            loop
                v_terms := v_terms || parley.search_terms(index_block.language, v_text);
            end loop;
        end if;
    exception
        -- more than a megabyte of words
        when program_limit_exceeded then
            v_terms := null;
    end;
    update parley.search_block as s
    set
        first_id = v_first_id,
        last_id = v_last_id,
        language = parley.terms_version(index_block.language),
        terms = v_terms
    where s.conversation_id = index_block.conversation_id and s.block = index_block.block;
end;
$$;
comment on function parley.index_block is
'Makes the row of 32 messages anew from what they say now; without any left there is no row.';
