-- The history of a conversation: pages by seq, answered by the (conversation_id, seq) index of the partitions that can
-- hold what the viewer may see.

create or replace function parley.get_conversation_messages(
    conversation_id uuid,
    before_seq bigint default null,
    after_seq bigint default null,
    around_seq bigint default null,
    page_size integer default 50,
    before_message_id uuid default null,
    after_message_id uuid default null,
    around_message_id uuid default null,
    types text[] default null,
    sender_id uuid default null,
    metadata jsonb default null
)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.require_caller();
    v_page_size integer := parley.require_page_size(get_conversation_messages.page_size);
    v_me parley.participant := parley.require_participant(get_conversation_messages.conversation_id, v_user_id);
    v_floor_id uuid := parley.message_floor_of(v_user_id);
    v_last_seq bigint;
    -- a filter looks at so many messages at most, on each side
    v_reach bigint := case when num_nonnulls(types, sender_id, metadata) > 0 then 1000 end;
    v_from_seq bigint;
    v_to_seq bigint;
    v_older parley.message[];
    v_newer parley.message[];
    v_older_size integer := v_page_size;
    v_newer_size integer := 0;
    v_sides constant integer := case when num_nonnulls(around_seq, around_message_id) > 0 then 2 else 1 end;
    v_bytes constant bigint := parley.page_bytes() / v_sides;
    v_split_seq bigint;
    v_more_before boolean;
    v_more_after boolean;
    v_read_seq bigint;
    v_delivered_seq bigint;
    v_starred uuid[];
    v_reacted uuid[];
    v_forwarded uuid[];
    v_suppressed bigint[] := '{}';
    v_shares constant boolean := parley.shares_receipts(v_user_id);
    v_other_id uuid;
    v_is_direct boolean;
begin
    if num_nonnulls(
        before_seq, after_seq, around_seq, before_message_id, after_message_id, around_message_id
    ) > 1 then
        raise exception using
            errcode = 'PT400',
            message = 'Only one of before, after and around can be given, as a seq or as a message.';
    end if;
    perform parley.require_metadata_filter(get_conversation_messages.metadata);
    before_seq := coalesce(before_seq, parley.seq_of_message(v_me, before_message_id));
    after_seq := coalesce(after_seq, parley.seq_of_message(v_me, after_message_id));
    around_seq := coalesce(around_seq, parley.seq_of_message(v_me, around_message_id));
    if least(before_seq, after_seq, around_seq) < 0 then
        raise exception using errcode = 'PT400', message = 'A seq must not be negative.';
    end if;
    select c.last_seq into v_last_seq
    from parley.conversation as c
    where c.id = get_conversation_messages.conversation_id;

    -- the page is what lies up to the split, newest first, and what lies after it, oldest first
    v_split_seq := v_last_seq;
    if before_seq is not null then
        v_split_seq := least(before_seq - 1, v_last_seq);
    elsif after_seq is not null then
        v_split_seq := least(after_seq, v_last_seq);
        v_older_size := 0;
        v_newer_size := v_page_size;
    elsif around_seq is not null then
        v_split_seq := least(around_seq, v_last_seq);
        v_older_size := (v_page_size + 1) / 2;
        v_newer_size := v_page_size - v_older_size;
    end if;

    -- one more than needed on each side tells whether there is more
    v_from_seq := greatest(v_me.history_from_seq, v_split_seq - v_reach + 1);
    v_to_seq := least(v_last_seq, v_split_seq + v_reach);
    select coalesce(array_agg(m order by m.seq), '{}') into v_older
    from parley.message_page(
        get_conversation_messages.conversation_id, v_user_id, v_floor_id,
        v_from_seq, v_split_seq, true, coalesce(v_reach::integer, v_older_size + 1)
    ) as m
    where (get_conversation_messages.types is null or m.type = any(get_conversation_messages.types))
        and (get_conversation_messages.sender_id is null or m.sender_id = get_conversation_messages.sender_id)
        and (
            get_conversation_messages.metadata is null
            or coalesce(m.metadata, '{}') @> get_conversation_messages.metadata
        );
    v_older_size := least(v_older_size, parley.rows_in_page(v_older, true, v_bytes));
    v_more_before := cardinality(v_older) > v_older_size;
    if v_more_before then
        v_older := v_older[cardinality(v_older) - v_older_size + 1:];
        v_from_seq := coalesce(v_older[1].seq, v_split_seq + 1);
    end if;
    select coalesce(array_agg(m order by m.seq), '{}') into v_newer
    from parley.message_page(
        get_conversation_messages.conversation_id, v_user_id, v_floor_id,
        greatest(v_me.history_from_seq, v_split_seq + 1), v_to_seq, false, coalesce(v_reach::integer, v_newer_size + 1)
    ) as m
    where (get_conversation_messages.types is null or m.type = any(get_conversation_messages.types))
        and (get_conversation_messages.sender_id is null or m.sender_id = get_conversation_messages.sender_id)
        and (
            get_conversation_messages.metadata is null
            or coalesce(m.metadata, '{}') @> get_conversation_messages.metadata
        );
    v_newer_size := least(v_newer_size, parley.rows_in_page(v_newer, false, v_bytes));
    v_more_after := cardinality(v_newer) > v_newer_size;
    if v_more_after then
        v_newer := v_newer[:v_newer_size];
        v_to_seq := coalesce(v_newer[v_newer_size].seq, v_split_seq);
    end if;
    if v_reach is not null then
        v_more_before := v_more_before or v_from_seq > v_me.history_from_seq;
        v_more_after := v_more_after or v_to_seq < v_last_seq;
    end if;

    -- a message of the viewer is read when everybody has read it, delivered when everybody has it
    select
        min(case when v_shares then coalesce(r.read_seq, 0) else 0 end),
        min(greatest(p.last_delivered_seq, r.read_seq)),
        case when v_shares and bool_and(a.read_receipts) then (array_agg(p.user_id))[1] end
    into v_read_seq, v_delivered_seq, v_other_id
    from parley.participant as p
    inner join parley.account as a on p.user_id = a.id
    cross join lateral (
        select case when a.read_receipts then coalesce(p.shown_read_seq, p.last_read_seq) end as read_seq
    ) as r
    where p.conversation_id = get_conversation_messages.conversation_id
        and p.user_id <> v_user_id
        and p.left_at is null
        -- who can receive nothing keeps nothing from getting through
        and a.deleted_at is null
        and a.suspended_at is null;
    -- between two people a message also says when it was read
    select cp.type = 'direct' into v_is_direct
    from parley.conversation_profile as cp
    where cp.conversation_id = get_conversation_messages.conversation_id;

    if v_is_direct then
        v_suppressed := array(
            select h.seq
            from parley.message_hidden as h
            where h.conversation_id = v_me.conversation_id
                and h.seq in (select m.seq from unnest(v_older || v_newer) as m)
                and h.suppressed
        );
    end if;

    -- few have any of these: looked for here, because a call for each message costs more than the look
    select
        coalesce(array_agg(m.id) filter (where exists (
            select from parley.message_star as s
            where s.conversation_id = m.conversation_id and s.message_id = m.id and s.user_id = v_user_id
            offset 0
        )), '{}'),
        array_agg(m.id) filter (where m.deleted_at is null and exists (
            select from parley.reaction as r
            where r.conversation_id = m.conversation_id and r.message_id = m.id
            offset 0
        )),
        array_agg(m.id) filter (where exists (
            select from parley.message_forward as f
            where f.conversation_id = m.conversation_id and f.message_id = m.id
            offset 0
        ))
    into v_starred, v_reacted, v_forwarded
    from unnest(v_older || v_newer) as m;
    return jsonb_build_object(
        'messages', coalesce(
            (
                select jsonb_agg(
                    parley.message_json(
                        m,
                        case
                            when m.id = any (v_reacted) then parley.reactions_json(m.conversation_id, m.id)
                            else '[]'
                        end,
                        case
                            when m.sender_id is distinct from v_user_id then 'sent'
                            when m.seq = any (v_suppressed) then 'sent'
                            when m.seq <= v_read_seq then 'read'
                            when m.seq <= v_delivered_seq then 'delivered'
                            else 'sent'
                        end,
                        v_user_id,
                        v_me.history_from_seq,
                        v_floor_id,
                        case
                            when m.id = any (v_forwarded) then parley.times_forwarded(m.conversation_id, m.id)
                            else 0
                        end
                    )
                    || jsonb_build_object('starred', m.id = any(v_starred))
                    || case
                        when v_is_direct
                            then jsonb_build_object(
                                'read_at',
                                case
                                    when m.seq = any(v_suppressed) then null
                                    else parley.read_at(
                                        m,
                                        case when m.sender_id = v_user_id then v_other_id else v_user_id end,
                                        v_user_id
                                    )
                                end
                            )
                        else '{}'
                    end
                    order by m.seq
                )
                from unnest(v_older || v_newer) as m
            ),
            '[]'
        ),
        'has_more', case when after_seq is not null then v_more_after else v_more_before end,
        'has_more_before', v_more_before,
        'has_more_after', v_more_after,
        'last_seq', v_last_seq,
        'last_read_seq', v_me.last_read_seq,
        'last_read_message_id', parley.message_id_at(v_me.conversation_id, v_me.last_read_seq)
    ) || case
        when v_reach is null then '{}'
        else jsonb_build_object('looked_from_seq', v_from_seq, 'looked_to_seq', v_to_seq)
    end;
end;
$$;
comment on function parley.get_conversation_messages is
'A page of a conversation, oldest first: the newest by default, or before, after or around a seq or a message. A page holds about a megabyte, however many were asked for; has_more looks in the direction asked for. Of some types, of one sender, or with metadata that contains an object, among the next 1000 messages: looked_from_seq and looked_to_seq say from where to go on, also if there were none.';
grant execute on function parley.get_conversation_messages to authenticated;
