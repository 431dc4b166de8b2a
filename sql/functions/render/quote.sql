-- What a reply quotes.

create or replace function parley.quote_json(quoted parley.message, attachment jsonb)
returns jsonb
language plpgsql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'id', quoted.id,
        'seq', quoted.seq,
        'sender_id', quoted.sender_id,
        'type', quoted.type,
        'content', left(
            coalesce(quoted.content, case when quoted.type = 'system' then parley.notice_text(quoted.metadata) end), 200
        ),
        -- what a preview has no room for is left out
        'attachment', attachment - '{waveform,metadata}'::text[],
        'deleted', quoted.deleted_at is not null
    );
end;
$$;
comment on function parley.quote_json is
'A message in short, as one that answers it shows it: the first 200 characters, and its first attachment, which the caller looks up.';

create or replace function parley.quoted_json(
    message parley.message, viewer_id uuid, viewer_from_seq bigint, viewer_floor_id uuid
)
returns jsonb
language plpgsql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_quoted parley.message;
    v_verdict text;
    v_from_seq bigint := quoted_json.viewer_from_seq;
    v_floor_id uuid := quoted_json.viewer_floor_id;
begin
    select m.* into v_quoted
    from parley.message as m
    -- by id alone, as in the render of the log
    where m.id = message.reply_to_id and m.conversation_id is not distinct from message.conversation_id;
    if not found then
        return null;
    end if;
    if v_from_seq is null then
        -- nor what one of them was never to see
        if exists (
            select from parley.message_hidden as h
            where h.conversation_id = message.conversation_id and h.seq = v_quoted.seq and h.suppressed
        ) then
            return null;
        end if;
        -- for everybody at once, as in the log: only what each of them may see
        select max(p.history_from_seq) into v_from_seq
        from parley.participant as p
        where p.conversation_id = message.conversation_id and p.left_at is null;
        select
            parley.uuid_v7_floor(now() - make_interval(hours => 24 * least(min(l.amount), 36500)::integer))
        into v_floor_id
        from parley.tier as t
        cross join lateral parley.tier_limit_of(t.name, 'retention_days') as l;
        -- what every tier shows needs no look at who has which
        if v_quoted.id < v_floor_id then
            select
                parley.uuid_v7_floor(now() - make_interval(hours => 24 * least(min(l.amount), 36500)::integer))
            into v_floor_id
            from (
                select distinct parley.tier_of(p.user_id) as name
                from parley.participant as p
                where p.conversation_id = message.conversation_id and p.left_at is null
            ) as t
            cross join lateral parley.tier_limit_of(t.name, 'retention_days') as l;
        end if;
    end if;
    v_verdict := parley.message_verdict(v_quoted, quoted_json.viewer_id, v_from_seq, v_floor_id);
    if v_verdict = 'absent' then
        return null;
    elsif v_verdict = 'tombstone' then
        v_quoted := parley.readable_part(v_quoted);
    end if;
    return parley.quote_json(
        v_quoted,
        case
            when v_quoted.has_attachments and v_quoted.deleted_at is null
                then parley.attachments_json(v_quoted.conversation_id, v_quoted.id) -> 0
        end
    );
end;
$$;
comment on function parley.quoted_json is
'What a reply answers, in short: as one viewer may see it, or, without a viewer, as all who are present may. Null: they may not. So an event, which is the same for everybody, has no quote where somebody joined later than what it quotes, or has a tier that does not reach back to it; who may see it finds it in the history.';
