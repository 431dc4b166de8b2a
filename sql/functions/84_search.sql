-- Searching messages. A query is asked twice: of the blocks (which of them can hold a match: without what is excluded,
-- and of scripts without spaces the pairs of characters), and of each message of those blocks (exactly). What decides
-- who sees a message is looked at there, too: nothing in the index is trusted to be allowed.
--
-- Order: blocks by their newest message, 32 at a time, and in each such window the best match first: the rank is
-- ts_rank, normalised by length, halved for every 30 days of age. A rare word has all its matches in one window; of a
-- word in every message one gets the newest, ranked. A cursor keeps the moment of the first page and a place in a
-- window: pages neither lose nor repeat a message, whatever is sent meanwhile. A page looks at 128 blocks at most; if
-- they hold little it is short and has a cursor.

create or replace function parley.parse_search(
    in language regconfig,
    in query text,
    out wanted tsquery,
    out in_block tsquery,
    out runs text[],
    out marks text[]
)
language plpgsql
immutable
security invoker
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
declare
    v_text text := parley.searchable_query(query);
    v_run text;
    v_at integer;
    v_mark text;
    v_tree text;
begin
    runs := '{}';
    marks := '{}';
    -- A run of a script without spaces becomes a word of its own, so that websearch syntax holds for it: each message
    -- that contains the run is taken to have that word.
    loop
        v_run := substring(v_text from parley.unspaced_run());
        exit when v_run is null or cardinality(runs) = 26;
        v_at := strpos(v_text, v_run);
        v_mark := 'parleyrunq' || chr(97 + cardinality(runs));
        v_text := left(v_text, v_at - 1)
            || case when substr(v_text, v_at - 1, 1) ~ '[[:alnum:]]' then ' ' else '' end
            || v_mark || ' ' || substr(v_text, v_at + char_length(v_run));
        runs := runs || v_run;
        -- as the dictionaries of the language leave it
        marks := marks || (tsvector_to_array(to_tsvector(parse_search.language, v_mark)))[1];
    end loop;
    wanted := websearch_to_tsquery(parse_search.language, v_text);
    if runs <> '{}' then
        -- such words have no place in the message that a phrase could ask for
        wanted := regexp_replace(wanted::text, ' <(-|[0-9]+)> ', ' & ', 'g')::tsquery;
    end if;
    v_tree := querytree(wanted);
    if v_tree in ('', 'T') then
        return;
    end if;
    in_block := regexp_replace(v_tree, ' <(-|[0-9]+)> ', ' & ', 'g')::tsquery;
    for i in 1..cardinality(runs) loop
        in_block := ts_rewrite(
            in_block,
            quote_literal(marks[i])::tsquery,
            (
                select string_agg(quote_literal(g.gram), ' & ')::tsquery
                from unnest(parley.character_pairs(runs[i])) as g (gram)
                where char_length(g.gram) = least(2, char_length(runs[i]))
            )
        );
    end loop;
end;
$$;
comment on function parley.parse_search(regconfig, text) is
'A search as it is asked of a message (with a word for each run written without spaces), and of a block of messages. in_block is null if there is nothing to look for.';
revoke all on function parley.parse_search(regconfig, text) from public;

create or replace function parley.message_terms(language regconfig, content text, runs text[], marks text[])
returns tsvector
language plpgsql
immutable
security invoker
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
declare
    v_text text := parley.searchable_text(content);
begin
    if octet_length(v_text) = char_length(v_text) then
        return to_tsvector(message_terms.language, v_text);
    end if;
    return to_tsvector(message_terms.language, regexp_replace(v_text, parley.unspaced_run(), ' ', 'g'))
        || array_to_tsvector(array(
            select r.mark
            from unnest(message_terms.runs, message_terms.marks) as r (run, mark)
            where strpos(v_text, r.run) > 0
        ));
end;
$$;
comment on function parley.message_terms(regconfig, text, text[], text[]) is
'The words of a message with their places, and the word of each run it contains.';
revoke all on function parley.message_terms(regconfig, text, text[], text[]) from public;

create or replace function parley.text_as_written(content text, place integer, lengths integer[])
returns text[]
language plpgsql
immutable
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_text text := parley.searchable_text(content);
    v_written text[];
begin
    if not content is nfkc normalized then
        -- A character and the marks after it make one or more others; each belongs where the last of them is.
        with unit as (
            select u.parts[1] as written, sum(char_length(normalize(u.parts[1], nfkc))) over (order by u.n) as upto
            from regexp_matches(
                content, '.[\u0300-\u036F\u1160-\u11FF\u3099\u309A\uFF9E-\uFFDC]*', 'g'
            ) with ordinality as u (parts, n)
        )
        select array_agg(coalesce(w.written, '') order by p.n) into v_written
        from (
            select x.n, x.length, place + sum(x.length) over (order by x.n) as upto
            from unnest(lengths) with ordinality as x (length, n)
        ) as p
        cross join lateral (
            select string_agg(u.written, '' order by u.upto) as written
            from unit as u
            where u.upto > p.upto - p.length and u.upto <= p.upto
        ) as w
        -- Others become one with what is before them: then rather as it was searched than in the wrong place.
        where (select max(u.upto) from unit as u) = char_length(v_text);
        if v_written is not null then
            return v_written;
        end if;
    else
        -- character by character
        v_text := content;
    end if;
    return array(
        select substr(v_text, (place + sum(x.length) over (order by x.n) - x.length + 1)::integer, x.length)
        from unnest(lengths) with ordinality as x (length, n)
        order by x.n
    );
end;
$$;
comment on function parley.text_as_written(text, integer, integer[]) is
'Pieces of these lengths that follow each other after a place in the searchable form of a text, as the text itself has them.';
revoke all on function parley.text_as_written(text, integer, integer[]) from public;

create or replace function parley.search_highlight(language regconfig, content text, wanted tsquery, runs text[])
returns jsonb
language plpgsql
immutable
security invoker
set search_path = pg_catalog, pg_temp
-- as in search_terms
set client_min_messages = warning
as $$
declare
    -- two characters without a meaning, taken out of the text first: what is in it cannot pass for a mark
    c_from constant text := chr(57344);
    c_to constant text := chr(57345);
    v_content text := translate(left(content, 20000), c_from || c_to, '');
    v_text text := parley.searchable_text(v_content);
    v_unspaced constant text := rtrim(parley.unspaced_run(), '+');
    v_masked text;
    v_marked text;
    v_run text;
    v_place integer;
    v_lengths integer[];
    v_matches boolean[];
begin
    if v_text !~ v_unspaced then
        v_marked := ts_headline(
            search_highlight.language, v_text, wanted,
            format('StartSel=%s, StopSel=%s, MaxWords=35, MinWords=15, MaxFragments=0', c_from, c_to)
        );
        v_place := strpos(v_text, translate(v_marked, c_from || c_to, '')) - 1;
        -- two thousand bytes without a word, or of one, are left out by the parser: then the beginning, without marks
        if v_place < 0 then
            v_place := 0;
            v_marked := left(v_text, 240);
        end if;
    else
        -- As in search_terms, a word ends where a script without spaces begins. A letter here and there, which is a word of
        -- nobody, keeps what is no word short enough for the parser.
        v_masked := regexp_replace(
            regexp_replace(v_text, v_unspaced, '_', 'g'),
            '[^[:alnum:]]{32}', rpad(lpad(chr(685), 16, '_'), 32, '_'), 'g'
        );
        v_marked := ts_headline(
            search_highlight.language, v_masked, wanted, format('StartSel=%s, StopSel=%s, HighlightAll=true', c_from, c_to)
        );
        if translate(v_marked, c_from || c_to, '') <> v_masked then
            v_marked := v_masked;
        end if;
        -- and without spaces there are no words to count: 240 characters around the first match
        select greatest(0, coalesce(min(f.place), 1) - 61) into v_place
        from (
            select strpos(v_marked, c_from)
            union all
            select strpos(v_text, r.run)
            from unnest(search_highlight.runs) as r (run)
        ) as f (place)
        where f.place > 0;
        select
            string_agg(
                case
                    when m.piece in (c_from, c_to) then m.piece
                    else substr(v_text, v_place + m.upto - char_length(m.piece) + 1, char_length(m.piece))
                end,
                '' order by m.n
            )
        into v_marked
        from (
            select
                p.parts[1] as piece,
                p.n,
                (sum(char_length(translate(p.parts[1], c_from || c_to, ''))) over (order by p.n))::integer as upto
            from regexp_matches(
                substr(v_marked, v_place + 1, 240), format('[%1$s%2$s]|[^%1$s%2$s]+', c_from, c_to), 'g'
            ) with ordinality as p (parts, n)
        ) as m;
        foreach v_run in array search_highlight.runs loop
            v_marked := replace(v_marked, v_run, c_from || v_run || c_to);
        end loop;
    end if;
    select array_agg(char_length(s.text) order by p.n, s.place), array_agg(s.is_match order by p.n, s.place)
    into v_lengths, v_matches
    from unnest(string_to_array(v_marked, c_from)) with ordinality as p (piece, n)
    cross join lateral (
        values
        (1, true, case when p.n > 1 then split_part(p.piece, c_to, 1) end),
        (
            2, false,
            case
                when p.n = 1 then p.piece
                when strpos(p.piece, c_to) > 0
                    then replace(substr(p.piece, strpos(p.piece, c_to) + 1), c_to, '')
            end
        )
    ) as s (place, is_match, text)
    where s.text <> '';
    return (
        select coalesce(jsonb_agg(jsonb_build_object('text', w.text, 'match', w.is_match) order by w.n), '[]')
        from unnest(parley.text_as_written(v_content, v_place, v_lengths), v_matches)
            with ordinality as w (text, is_match, n)
        where w.text <> ''
    );
end;
$$;
comment on function parley.search_highlight(regconfig, text, tsquery, text[]) is
'The part of a text that matches best, as data: [{text, match}], to be put together in order, as it was written. Nothing of it is markup.';
revoke all on function parley.search_highlight(regconfig, text, tsquery, text[]) from public;

create or replace function parley.last_id_in_block(conversation_id uuid, block bigint, before_id uuid)
returns uuid
language plpgsql
stable
security definer
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
comment on function parley.last_id_in_block(uuid, bigint, uuid) is
'The greatest id of a block''s messages below another id.';
revoke all on function parley.last_id_in_block(uuid, bigint, uuid) from public;

create or replace function parley.search_tail(
    user_id uuid, conversation_id uuid, max_blocks integer, out conversation_ids uuid[], out blocks bigint[]
)
language plpgsql
stable
security definer
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
        select u.id as conversation_id, e.block
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
        order by e.id desc
        limit max_blocks
    ) as b;
end;
$$;
comment on function parley.search_tail(uuid, uuid, integer) is
'The blocks of the user''s conversations with messages that the index has not seen yet, the newest max_blocks of them.';
revoke all on function parley.search_tail(uuid, uuid, integer) from public;

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
language plpgsql
stable
security definer
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
    select c.*
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
comment on function parley.search_blocks(
    uuid, uuid, text, tsquery, uuid, uuid, uuid, uuid, uuid[], bigint[], integer
) is
'The blocks of the user''s conversations that can hold a match, by their newest message before as_of, the newest first.';
revoke all on function parley.search_blocks(
    uuid, uuid, text, tsquery, uuid, uuid, uuid, uuid, uuid[], bigint[], integer
) from public;

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
language plpgsql
stable
security definer
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
            and n.seq between greatest(32 * b.block + 1, b.history_from_seq) and 32 * b.block + 32
            and n.id >= greatest(b.first_id, search_matches.floor_id)
            and n.id < search_matches.as_of
            and n.deleted_at is null
            and n.content is not null
            and n.type <> 'encrypted'
            and (n.expires_at is null or n.expires_at > now())
            and (search_matches.sender_id is null or n.sender_id = search_matches.sender_id)
            and (search_matches.types is null or n.type = any (search_matches.types))
            and (search_matches.metadata is null or coalesce(n.metadata, '{}') @> search_matches.metadata)
            and not exists (
                select from parley.message_hidden as g
                where g.conversation_id = b.conversation_id
                    and g.user_id = search_matches.user_id
                    and g.seq = n.seq
                -- one lookup by the whole key for each message, instead of all that the user has hidden there
                offset 0
            )
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
comment on function parley.search_matches(
    uuid, uuid[], bigint[], bigint[], uuid[], regconfig, tsquery, text[], text[], uuid, text[], jsonb, uuid, uuid
) is
'The messages of these blocks that match and that the user may see.';
revoke all on function parley.search_matches(
    uuid, uuid[], bigint[], bigint[], uuid[], regconfig, tsquery, text[], text[], uuid, text[], jsonb, uuid, uuid
) from public;

create or replace function parley.encode_search_cursor(
    as_of uuid, below uuid, down_to uuid, sort_key double precision, message_id uuid
)
returns text
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select translate(
        encode(
            convert_to(jsonb_build_array(as_of, below, down_to, sort_key::text, message_id)::text, 'UTF8'), 'base64'
        ),
        E'+/=\n', '-_'
    )
$$;
comment on function parley.encode_search_cursor(uuid, uuid, uuid, double precision, uuid) is
'A place in the results of a search as opaque text.';
revoke all on function parley.encode_search_cursor(uuid, uuid, uuid, double precision, uuid) from public;

create or replace function parley.decode_search_cursor(
    in cursor text,
    out as_of uuid,
    out below uuid,
    out down_to uuid,
    out sort_key double precision,
    out message_id uuid
)
language plpgsql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_parts jsonb;
    v_base64 text := translate(cursor, '-_', '+/');
begin
    if cursor is null then
        return;
    end if;
    begin
        v_base64 := v_base64 || repeat('=', (4 - length(v_base64) % 4) % 4);
        v_parts := convert_from(decode(v_base64, 'base64'), 'UTF8')::jsonb;
        as_of := (v_parts ->> 0)::uuid;
        below := (v_parts ->> 1)::uuid;
        down_to := (v_parts ->> 2)::uuid;
        sort_key := (v_parts ->> 3)::double precision;
        message_id := (v_parts ->> 4)::uuid;
    exception
        when others then
            as_of := null;
    end;
    if as_of is null or below is null or num_nonnulls(down_to, sort_key, message_id) not in (0, 3) then
        raise exception using
            errcode = 'PT400',
            message = 'The cursor is not valid.',
            hint = 'Pass next_cursor as it was returned, with the same query.';
    end if;
end;
$$;
comment on function parley.decode_search_cursor(text) is 'Reads what encode_search_cursor wrote; PT400 for anything else.';
revoke all on function parley.decode_search_cursor(text) from public;

create or replace function parley.search_messages(
    query text,
    conversation_id uuid default null,
    sender_id uuid default null,
    types text[] default null,
    cursor text default null,
    page_size integer default 20,
    metadata jsonb default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    c_window constant integer := 32;
    c_windows constant integer := 4;
    c_tail constant integer := 64;
    v_user_id uuid := parley.require_caller();
    v_page_size integer := parley.require_page_size(search_messages.page_size);
    v_language regconfig := parley.search_language();
    v_query record;
    v_place record;
    v_tail record;
    v_floor_id uuid;
    v_as_of uuid;
    v_below uuid;
    v_down_to uuid;
    v_sort_key double precision;
    v_message_id uuid;
    v_blocks record;
    v_found jsonb[];
    v_keys double precision[];
    v_ids uuid[];
    v_results jsonb[] := '{}';
    v_next_cursor text;
    v_missing integer;
begin
    if search_messages.query is null or search_messages.query !~ '\S' then
        raise exception using errcode = 'PT400', message = 'query must not be empty.';
    end if;
    if char_length(search_messages.query) > 200 then
        raise exception using errcode = 'PT400', message = 'query may have at most 200 characters.';
    end if;
    if cardinality(search_messages.types) > 50 then
        raise exception using errcode = 'PT400', message = 'At most 50 types can be asked for.';
    end if;
    perform parley.require_metadata_filter(search_messages.metadata);
    v_place := parley.decode_search_cursor(search_messages.cursor);
    if search_messages.conversation_id is not null then
        perform parley.require_participant(search_messages.conversation_id, v_user_id);
    end if;
    perform parley.take_token(v_user_id, 'searches_per_minute');
    v_query := parley.parse_search(v_language, search_messages.query);
    if v_query.in_block is null and numnode(v_query.wanted) > 0 then
        raise exception using
            errcode = 'PT400',
            message = 'query must have a word to look for.',
            hint = 'Words with a minus only leave out messages from those found.';
    end if;
    if v_query.in_block is null then
        -- nothing but words that the language leaves out
        return jsonb_build_object('results', '[]'::jsonb, 'next_cursor', null, 'complete', true);
    end if;

    v_floor_id := parley.message_floor_of(v_user_id);
    v_as_of := coalesce(v_place.as_of, parley.uuid_v7_floor(clock_timestamp() + interval '1 millisecond'));
    v_below := coalesce(v_place.below, v_as_of);
    v_down_to := v_place.down_to;
    v_sort_key := v_place.sort_key;
    v_message_id := v_place.message_id;
    v_tail := parley.search_tail(v_user_id, search_messages.conversation_id, c_tail);

    for v_window in 1..c_windows loop
        select
            array_agg(b.conversation_id order by b.at_id desc) as conversation_ids,
            array_agg(b.block order by b.at_id desc) as blocks,
            array_agg(b.history_from_seq order by b.at_id desc) as history_from_seqs,
            array_agg(b.first_id order by b.at_id desc) as first_ids,
            array_agg(b.at_id order by b.at_id desc) as at_ids
        into v_blocks
        from parley.search_blocks(
            v_user_id, search_messages.conversation_id, parley.terms_version(v_language), v_query.in_block, v_floor_id,
            v_as_of, v_below, v_down_to, v_tail.conversation_ids, v_tail.blocks, c_window
        ) as b;
        exit when v_blocks.blocks is null and v_down_to is null;
        -- a window that was begun on an earlier page is the same again
        v_down_to := coalesce(v_down_to, v_blocks.at_ids[cardinality(v_blocks.at_ids)]);
        v_missing := v_page_size - cardinality(v_results);
        select
            array_agg(
                jsonb_build_object(
                    'conversation_id', (f.message).conversation_id,
                    'message', parley.message_json(
                        f.message,
                        parley.reactions_json((f.message).conversation_id, f.message_id),
                        parley.message_status(f.message, v_user_id),
                        v_user_id,
                        f.history_from_seq,
                        v_floor_id
                    ),
                    'rank', round(
                        (
                            f.text_rank * power(
                                0.5,
                                greatest(0, extract(epoch from now() - (f.message).created_at)::double precision)
                                / (30 * 86400)
                            )
                        )::numeric,
                        6
                    ),
                    'highlight', parley.search_highlight(
                        v_language, (f.message).content, v_query.wanted, v_query.runs
                    )
                )
                order by f.sort_key desc, f.message_id desc
            ) filter (where f.n <= v_missing),
            array_agg(f.sort_key order by f.sort_key desc, f.message_id desc),
            array_agg(f.message_id order by f.sort_key desc, f.message_id desc)
        into v_found, v_keys, v_ids
        from (
            select m.*, row_number() over (order by m.sort_key desc, m.message_id desc) as n
            from parley.search_matches(
                v_user_id, v_blocks.conversation_ids, v_blocks.blocks, v_blocks.history_from_seqs, v_blocks.first_ids,
                v_language, v_query.wanted, v_query.runs, v_query.marks,
                search_messages.sender_id, search_messages.types, search_messages.metadata, v_floor_id, v_as_of
            ) as m
            where v_sort_key is null or (m.sort_key, m.message_id) < (v_sort_key, v_message_id)
            order by m.sort_key desc, m.message_id desc
            -- one more tells whether the window has more
            limit v_missing + 1
        ) as f;
        v_results := v_results || coalesce(v_found, '{}');
        if cardinality(v_ids) > v_missing then
            v_next_cursor := parley.encode_search_cursor(
                v_as_of, v_below, v_down_to, v_keys[v_missing], v_ids[v_missing]
            );
            exit;
        end if;
        v_below := v_down_to;
        v_down_to := null;
        v_sort_key := null;
        v_message_id := null;
        -- there may be more windows; the next page, or the next round, sees
        v_next_cursor := case
            when v_window = c_windows or cardinality(v_results) >= v_page_size
                then parley.encode_search_cursor(v_as_of, v_below, null, null, null)
        end;
        exit when v_next_cursor is not null;
    end loop;
    return jsonb_build_object(
        'results', to_jsonb(v_results),
        'next_cursor', v_next_cursor,
        'complete', coalesce(cardinality(v_tail.blocks), 0) < c_tail
    );
end;
$$;
comment on function parley.search_messages(text, uuid, uuid, text[], text, integer, jsonb) is
'Messages the caller may see that match a search in websearch syntax, with rank and highlight; of one conversation, sender or type, or whose metadata contains an object. complete is false while the index is far behind.';
revoke all on function parley.search_messages(text, uuid, uuid, text[], text, integer, jsonb) from public;
grant execute on function parley.search_messages(text, uuid, uuid, text[], text, integer, jsonb) to authenticated;
