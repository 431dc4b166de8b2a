-- A conversation as it was, for moderators and the application, with a reason that is kept.

create or replace function parley.conversation_as_of(
    conversation_id uuid,
    event_seq bigint,
    reason text,
    before_seq bigint default null,
    page_size integer default 50
)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_role text := parley.oversight_role(conversation_as_of.conversation_id);
    v_page_size integer := parley.require_page_size(conversation_as_of.page_size);
    v_last_event_seq bigint;
    v_kept_from bigint;
    v_last_seq bigint;
    v_messages jsonb[];
    v_then jsonb;
begin
    select c.last_event_seq into v_last_event_seq
    from parley.conversation as c
    where c.id = conversation_as_of.conversation_id;
    if event_seq is null or event_seq not between 1 and v_last_event_seq then
        raise exception using
            errcode = 'PT400',
            message = format('event_seq must be between 1 and %s.', v_last_event_seq);
    end if;
    if before_seq < 1 then
        raise exception using errcode = 'PT400', message = 'before_seq must be at least 1.';
    end if;
    perform parley.audit(
        'conversation_as_of', conversation_as_of.reason, v_role,
        (
            select cp.tenant_id from parley.conversation_profile as cp
            where cp.conversation_id = conversation_as_of.conversation_id
        ),
        conversation_as_of.conversation_id,
        detail => jsonb_build_object(
            'event_seq', conversation_as_of.event_seq,
            'before_seq', conversation_as_of.before_seq,
            'page_size', v_page_size
        )
    );
    v_last_seq := parley.last_seq_as_of(conversation_as_of.conversation_id, conversation_as_of.event_seq);
    v_messages := parley.messages_as_of(
        conversation_as_of.conversation_id, conversation_as_of.event_seq,
        least(v_last_seq, before_seq - 1), v_page_size + 1
    );
    v_then := jsonb_build_object(
        'conversation_id', conversation_as_of.conversation_id,
        'event_seq', conversation_as_of.event_seq,
        'at', (
            select e.created_at from parley.event as e
            where e.conversation_id = conversation_as_of.conversation_id
                and e.event_seq = conversation_as_of.event_seq
        ),
        'profile', parley.profile_as_of(conversation_as_of.conversation_id, conversation_as_of.event_seq),
        'participants', parley.participants_as_of(conversation_as_of.conversation_id, conversation_as_of.event_seq),
        'last_seq', v_last_seq,
        'messages', coalesce(
            (
                select jsonb_agg(m.message order by m.n desc)
                from unnest(v_messages[:v_page_size]) with ordinality as m (message, n)
            ),
            '[]'
        ),
        'has_more', cardinality(v_messages) > v_page_size,
        'gap', null
    );
    -- The events after it tell then from now. Looked at last: what is kept still was there when they were read.
    v_kept_from := parley.first_kept_event_seq(conversation_as_of.conversation_id);
    if event_seq < v_kept_from - 1 then
        return jsonb_build_object(
            'conversation_id', conversation_as_of.conversation_id,
            'event_seq', conversation_as_of.event_seq,
            'gap', jsonb_build_object('from', conversation_as_of.event_seq, 'to', v_kept_from - 2, 'reason', 'purged')
        );
    end if;
    return v_then;
end;
$$;
comment on function parley.conversation_as_of is
'A conversation as it was after one of its events: profile, participants and a page of messages, oldest first, with their mentions, reactions and attachments as then, each attachment with its state and removed_at of now. For owners and moderators of its tenant and the application; each call is in the audit log with its reason. gap instead, if the log since then is not kept.';
grant execute on function parley.conversation_as_of to authenticated, service_role;
