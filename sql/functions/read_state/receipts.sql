-- Who has received and read a message, and when: views of the horizons and their markers.

create or replace function parley.read_at(message parley.message, reader_id uuid, viewer_id uuid)
returns timestamptz
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_marker parley.read_marker;
begin
    select k.* into v_marker
    from parley.read_marker as k
    where k.conversation_id = message.conversation_id and k.user_id = reader_id and k.seq >= message.seq
    order by k.seq
    limit 1;
    if v_marker.after_seq < message.seq and (not v_marker.is_private or reader_id = viewer_id) then
        return v_marker.read_at;
    end if;
    return null;
end;
$$;
comment on function parley.read_at is
'When a user read a message, for a viewer. Null: not yet, or it is not the viewer''s to know.';

create or replace function parley.message_status(message parley.message, user_id uuid)
returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_shares boolean;
begin
    if message.sender_id is distinct from message_status.user_id then
        return 'sent';
    end if;
    v_shares := parley.shares_receipts(message_status.user_id);
    return (
        select
            case
                when bool_or(exists (
                    select from parley.message_hidden as h
                    where h.conversation_id = p.conversation_id
                        and h.user_id = p.user_id
                        and h.seq = message.seq
                        and h.suppressed
                )) then 'sent'
                when v_shares and message.seq <= min(coalesce(r.read_seq, 0)) then 'read'
                when message.seq <= min(greatest(p.last_delivered_seq, r.read_seq)) then 'delivered'
                else 'sent'
            end
        from parley.participant as p
        cross join lateral (
            select x.read_receipts, x.deleted_at, x.suspended_at from parley.account as x where x.id = p.user_id offset 0
        ) as a
        cross join lateral (
            select case when a.read_receipts then coalesce(p.shown_read_seq, p.last_read_seq) end as read_seq
        ) as r
        where p.conversation_id = message.conversation_id
            and p.user_id <> message_status.user_id
            and p.left_at is null
            and a.deleted_at is null
            and a.suspended_at is null
    );
end;
$$;
comment on function parley.message_status is
'How far a message has got, as the user sees it: read or delivered when it was with everybody else; of others'' messages always sent.';

create or replace function parley.get_message_receipts(message_id uuid)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.require_caller();
    v_message parley.message := parley.require_message(get_message_receipts.message_id, v_user_id);
    v_shares constant boolean := parley.shares_receipts(v_user_id);
    v_receipts jsonb;
    v_status text;
begin
    select
        coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'user_id', r.user_id,
                    'display_name', case when r.deleted_at is null then r.display_name else '[Deleted User]' end,
                    'delivered', r.delivered,
                    'read_at', r.read_at
                )
                order by r.read_at, r.delivered desc, r.user_id
            ),
            '[]'
        ),
        -- as in the history: when all have it
        case
            when v_message.sender_id is distinct from v_user_id then 'sent'
            when bool_and(r.is_read) filter (where r.is_open) then 'read'
            when bool_and(r.is_past) filter (where r.is_open) then 'delivered'
            else 'sent'
        end
    into v_receipts, v_status
    from (
        select
            p.user_id,
            a.display_name,
            a.deleted_at,
            -- Who joined later never got it, but who was there and then cleared the conversation did; whether they had
            -- read it does not show where it is private.
            d.delivered_seq >= v_message.seq
            and not d.is_suppressed
            and (
                p.history_from_seq <= v_message.seq
                or p.joined_at <= v_message.created_at
                or (k.read_at is not null and not k.is_private)
            ) as delivered,
            d.delivered_seq >= v_message.seq and not d.is_suppressed as is_past,
            a.deleted_at is null and a.suspended_at is null as is_open,
            v_shares and coalesce(d.read_seq >= v_message.seq, false) and not d.is_suppressed as is_read,
            -- only the reader knows when they read what they keep to themselves
            case
                when p.user_id = v_user_id or (v_shares and a.read_receipts and not k.is_private and not d.is_suppressed) then k.read_at
            end as read_at
        from parley.participant as p
        inner join parley.account as a on p.user_id = a.id
        -- what was read has arrived, but private reading shows nowhere
        cross join lateral (
            select
                r.read_seq,
                greatest(p.last_delivered_seq, r.read_seq) as delivered_seq,
                exists (
                    select from parley.message_hidden as h
                    where h.conversation_id = p.conversation_id
                        and h.user_id = p.user_id
                        and h.seq = v_message.seq
                        and h.suppressed
                ) as is_suppressed
            from (
                select case when a.read_receipts then coalesce(p.shown_read_seq, p.last_read_seq) end as read_seq
            ) as r
        ) as d
        left join lateral (
            select k.read_at, k.is_private, k.after_seq
            from parley.read_marker as k
            where k.conversation_id = v_message.conversation_id and k.user_id = p.user_id and k.seq >= v_message.seq
            order by k.seq
            limit 1
        ) as k on k.after_seq < v_message.seq
        where p.conversation_id = v_message.conversation_id
            and p.left_at is null
            and p.user_id is distinct from v_message.sender_id
    ) as r;
    return jsonb_build_object(
        'message_id', v_message.id,
        'conversation_id', v_message.conversation_id,
        'seq', v_message.seq,
        'status', v_status,
        'read_count', (
            select count(*) from jsonb_array_elements(v_receipts) as r (receipt) where r.receipt ->> 'read_at' is not null
        ),
        'delivered_count', (
            select count(*) from jsonb_array_elements(v_receipts) as r (receipt) where (r.receipt -> 'delivered')::boolean
        ),
        'receipts', v_receipts
    );
end;
$$;
comment on function parley.get_message_receipts is
'Receipts of a message, for users who may see it. A reader without read receipts shows as delivered only.';
grant execute on function parley.get_message_receipts to authenticated;
