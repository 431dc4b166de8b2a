-- Searching messages. A query is asked twice: of the blocks (which of them can hold a match: without what is excluded,
-- and of scripts without spaces the pairs of characters), and of each message of those blocks (exactly). What decides
-- who sees a message is looked at there, too: nothing in the index is trusted to be allowed.
--
-- Order: blocks by their newest message, 32 at a time, and in each such window the best match first: the rank is
-- ts_rank, normalised by length, halved for every 30 days of age. A rare word has all its matches in one window; of a
-- word in every message one gets the newest, ranked. A cursor keeps the moment of the first page and a place in a
-- window: pages neither lose nor repeat a message, whatever is sent meanwhile. A page looks at 128 blocks at most; if
-- they hold little, or much text (page_bytes), it is short and has a cursor.

create or replace function parley.encode_search_cursor(
    as_of uuid, below uuid, down_to uuid, sort_key double precision, message_id uuid
)
returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
-- every digit of the key
set extra_float_digits = 1
as $$
    select translate(
        encode(
            convert_to(jsonb_build_array(as_of, below, down_to, sort_key::text, message_id)::text, 'UTF8'), 'base64'
        ),
        E'+/=\n', '-_'
    )
$$;
comment on function parley.encode_search_cursor is 'A place in the results of a search as opaque text.';

create or replace function parley.decode_search_cursor(
    in cursor text,
    out as_of uuid,
    out below uuid,
    out down_to uuid,
    out sort_key double precision,
    out message_id uuid
)
language plpgsql stable security invoker
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
comment on function parley.decode_search_cursor is 'Reads what encode_search_cursor wrote; PT400 for anything else.';

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
language plpgsql volatile security definer
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
    v_fitting integer;
    v_bytes bigint := 0;
begin
    if search_messages.query is null or not parley.shows_something(search_messages.query) then
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
    perform parley.take_tier_token(v_user_id, 'searches_per_minute');
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
                        v_floor_id,
                        parley.times_forwarded((f.message).conversation_id, f.message_id)
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
            ) filter (where f.is_fitting),
            array_agg(f.sort_key order by f.sort_key desc, f.message_id desc),
            array_agg(f.message_id order by f.sort_key desc, f.message_id desc),
            count(*) filter (where f.is_fitting),
            coalesce(max(f.bytes) filter (where f.is_fitting), v_bytes)
        into v_found, v_keys, v_ids, v_fitting, v_bytes
        from (
            select
                s.*,
                s.n <= v_missing
                -- one message at least, whatever its size
                and (s.bytes <= parley.page_bytes() or (s.n = 1 and cardinality(v_results) = 0)) as is_fitting
            from (
                select
                    m.message,
                    m.message_id,
                    m.history_from_seq,
                    m.sort_key,
                    m.text_rank,
                    row_number() over in_order as n,
                    -- the text comes twice: in the message and in the highlight
                    v_bytes + sum(
                        800 + 2 * coalesce(octet_length((m.message).content), 0)
                        + coalesce(octet_length((m.message).metadata::text), 0)
                    ) over in_order as bytes
                from parley.search_matches(
                    v_user_id, v_blocks.conversation_ids, v_blocks.blocks, v_blocks.history_from_seqs, v_blocks.first_ids,
                    v_language, v_query.wanted, v_query.runs, v_query.marks,
                    search_messages.sender_id, search_messages.types, search_messages.metadata, v_floor_id, v_as_of
                ) as m
                where v_sort_key is null or (m.sort_key, m.message_id) < (v_sort_key, v_message_id)
                window in_order as (order by m.sort_key desc, m.message_id desc)
                order by m.sort_key desc, m.message_id desc
                -- one more tells whether the window has more
                limit v_missing + 1
            ) as s
        ) as f;
        v_results := v_results || coalesce(v_found, '{}');
        if cardinality(v_ids) > v_fitting then
            -- a window of which nothing fits is begun by the next page
            v_next_cursor := case
                when v_fitting > 0
                    then parley.encode_search_cursor(v_as_of, v_below, v_down_to, v_keys[v_fitting], v_ids[v_fitting])
                else parley.encode_search_cursor(v_as_of, v_below, null, null, null)
            end;
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
comment on function parley.search_messages is
'Messages the caller may see that match a search in websearch syntax, with rank and highlight; of one conversation, sender or type, or whose metadata contains an object. complete is false while the index is far behind.';
grant execute on function parley.search_messages to authenticated;
