-- The media gallery of a conversation.

create or replace function parley.get_conversation_media(
    conversation_id uuid, kinds text[] default null, before_seq bigint default null, page_size integer default 50
)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
-- one plan for all: walk the index of each kind from its end and stop
set plan_cache_mode = force_generic_plan
set enable_bitmapscan = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.require_caller();
    v_page_size integer := parley.require_page_size(get_conversation_media.page_size);
    v_me parley.participant := parley.require_participant(get_conversation_media.conversation_id, v_user_id);
    v_floor_id uuid := parley.message_floor_of(v_user_id);
    v_before_seq bigint := coalesce(get_conversation_media.before_seq, 9223372036854775807);
    v_kinds text[] := coalesce(
        get_conversation_media.kinds, (select array_agg(k.name) from parley.attachment_kind as k)
    );
    v_attachments jsonb;
    v_split_seq bigint;
    v_more boolean;
begin
    if exists (
        select from unnest(v_kinds) as u (name)
        where not exists (select from parley.attachment_kind as k where k.name = u.name)
    ) then
        raise exception using
            errcode = 'PT400',
            message = 'There is no such kind of attachment.',
            hint = (select format('Kinds: %s.', string_agg(k.name, ', ' order by k.name)) from parley.attachment_kind as k);
    end if;
    -- From each kind as much as a page and one message more can need. The attachments of one message are never on two
    -- pages, because the next one goes on before its seq.
    with candidate as (
        select a.attachment, a.message_seq, a.position
        from (select distinct u.name from unnest(v_kinds) as u (name)) as kind
        cross join lateral (
            select b as attachment, b.message_seq, b.position
            from parley.attachment as b
            where b.conversation_id = v_me.conversation_id
                and b.kind = kind.name
                and b.state = 'attached'
                and b.message_seq < v_before_seq
                and b.scan_state <> 'infected'
                -- verdict: readable
                -- of attachment b viewer=v_user_id from=v_me.history_from_seq floor=v_floor_id
                and b.message_seq >= v_me.history_from_seq
                and (b.expires_at is null or b.expires_at > now())
                and b.retired_at is null
                and b.message_id >= v_floor_id
                and not exists (
                    select from parley.message_hidden as h
                    where
                        h.conversation_id = b.conversation_id
                        and h.user_id = v_user_id
                        and h.seq = b.message_seq
                )
                -- end verdict
            order by b.message_seq desc, b.position desc
            limit v_page_size + 100
        ) as a
    ),

    ranked as (
        select
            c.attachment,
            c.message_seq,
            c.position,
            row_number() over (order by c.message_seq desc, c.position desc) as n
        from candidate as c
    ),

    split as (
        select coalesce(max(r.message_seq) filter (where r.n = v_page_size), 0) as seq from ranked as r
    )

    select
        coalesce(
            jsonb_agg(
                parley.attachment_json(r.attachment) || jsonb_build_object(
                    'conversation_id', (r.attachment).conversation_id,
                    'message_id', (r.attachment).message_id,
                    'seq', r.message_seq,
                    'sender_id', (r.attachment).owner_id,
                    'created_at', (r.attachment).attached_at
                )
                order by r.message_seq desc, r.position
            ) filter (where r.message_seq >= s.seq),
            '[]'
        ),
        min(r.message_seq) filter (where r.message_seq >= s.seq),
        coalesce(bool_or(r.message_seq < s.seq), false)
    into v_attachments, v_split_seq, v_more
    from ranked as r
    cross join split as s;
    return jsonb_build_object(
        'attachments', v_attachments,
        'has_more', v_more,
        'next_before_seq', case when v_more then v_split_seq end
    );
end;
$$;
comment on function parley.get_conversation_media is
'Attachments of a conversation that the caller may see, newest first, of some kinds or of all: {attachments, has_more, next_before_seq}. A page ends with a whole message, so it may have a few more than page_size.';
grant execute on function parley.get_conversation_media to authenticated;
