-- What a conversation looked like after one of its events, for disputes. The log says what came after that event, and
-- the revisions what it replaced: today's rows are taken back by exactly that. So it reaches back as far as the log is
-- kept, and what has been purged, erased or has expired since stays gone.

create or replace function parley.keep_conversation_revision()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    -- as JSON, because the two tables have different columns
    v_new jsonb := to_jsonb(new);
    v_old jsonb := to_jsonb(old);
    v_was jsonb;
begin
    if tg_table_name = 'conversation_profile' then
        select jsonb_object_agg(o.key, o.value) into v_was
        from jsonb_each(v_old - 'updated_at') as o
        where o.value is distinct from v_new -> o.key;
    else
        v_was := jsonb_build_object('role', v_old -> 'role', 'app_role', v_old -> 'app_role');
    end if;
    if v_was is not null then
        insert into parley.conversation_revision (conversation_id, event_seq, user_id, was)
        select c.id, c.last_event_seq + 1, (v_new ->> 'user_id')::uuid, v_was
        from parley.conversation as c
        where c.id = old.conversation_id;
    end if;
    return null;
end;
$$;
comment on function parley.keep_conversation_revision() is
'Keeps what a profile or a role was. The change is made before it is announced: it belongs to the next event.';
revoke all on function parley.keep_conversation_revision() from public;

create or replace trigger conversation_profile_keeps_revisions
after update on parley.conversation_profile
for each row when (old.* is distinct from new.*)
execute function parley.keep_conversation_revision();

-- of these columns alone: reading and sending, which update the row as well, do not pay for it
create or replace trigger participant_keeps_revisions
after update of role, app_role on parley.participant
for each row when (old.role is distinct from new.role or old.app_role is distinct from new.app_role)
execute function parley.keep_conversation_revision();

create or replace function parley.oversight_role(conversation_id uuid)
returns text
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid;
    v_role text;
begin
    if oversight_role.conversation_id is null then
        raise exception using errcode = 'PT400', message = 'conversation_id is required.';
    end if;
    if parley.is_host() then
        if not exists (
            select from parley.conversation as c where c.id = oversight_role.conversation_id
        ) then
            raise exception using errcode = 'PT404', message = 'The conversation does not exist.';
        end if;
        return parley.current_role_name();
    end if;
    v_user_id := parley.require_caller();
    select t.role into v_role
    from parley.conversation_profile as cp
    inner join parley.tenant_member as t on cp.tenant_id = t.tenant_id
    where cp.conversation_id = oversight_role.conversation_id
        and t.user_id = v_user_id
        and t.role in ('owner', 'moderator');
    if not found then
        raise exception using
            errcode = 'PT403',
            message = 'You are not a moderator of this conversation''s tenant, or it does not exist.';
    end if;
    return v_role;
end;
$$;
comment on function parley.oversight_role(uuid) is
'By what right the caller oversees a conversation they need not be in: the application, or an owner or moderator of its tenant. Otherwise PT403, which does not tell an unknown conversation from a foreign one.';
revoke all on function parley.oversight_role(uuid) from public;

create or replace function parley.last_seq_as_of(conversation_id uuid, event_seq bigint)
returns bigint
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
set jit = off
as $$
#variable_conflict use_column
begin
    return coalesce(
        (
            select e.message_seq - 1
            from parley.event as e
            where e.conversation_id = last_seq_as_of.conversation_id
                and e.event_seq > last_seq_as_of.event_seq
                and e.kind = 'message:new'
            order by e.event_seq
            limit 1
        ),
        (select c.last_seq from parley.conversation as c where c.id = last_seq_as_of.conversation_id)
    );
end;
$$;
comment on function parley.last_seq_as_of(uuid, bigint) is 'seq of the newest message after that event.';
revoke all on function parley.last_seq_as_of(uuid, bigint) from public;

create or replace function parley.message_as_of(message parley.message, event_seq bigint)
returns parley.message
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_message parley.message := message;
    v_revision parley.message_revision;
begin
    select r.* into v_revision
    from parley.message_revision as r
    where r.conversation_id = message.conversation_id
        and r.message_id = message.id
        and r.event_seq > message_as_of.event_seq
    order by r.revision
    limit 1;
    if found then
        v_message.content := v_revision.content;
        v_message.metadata := v_revision.metadata;
        v_message.mentions := v_revision.mentions;
        v_message.mentions_all := v_revision.mentions_all;
        v_message.deleted_at := null;
        select max(r.replaced_at) into v_message.edited_at
        from parley.message_revision as r
        where r.conversation_id = message.conversation_id
            and r.message_id = message.id
            and r.revision < v_revision.revision;
    end if;
    if message.expires_at <= now() then
        v_message.content := null;
        v_message.metadata := null;
        v_message.mentions := null;
        v_message.mentions_all := false;
        v_message.deleted_at := message.expires_at;
    end if;
    return v_message;
end;
$$;
comment on function parley.message_as_of(parley.message, bigint) is
'A message as it was after that event. One that has expired since says nothing, as if it had been deleted then.';
revoke all on function parley.message_as_of(parley.message, bigint) from public;

create or replace function parley.attachments_as_of(message parley.message)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- all of them came with the message; what has become of each since is told beside it
    return (
        select coalesce(
            jsonb_agg(
                parley.attachment_json(a) || jsonb_build_object('removed_at', a.removed_at)
                order by a.position
            ),
            '[]'
        )
        from parley.attachment as a
        where a.message_id = message.id and a.conversation_id = message.conversation_id
    );
end;
$$;
comment on function parley.attachments_as_of(parley.message) is
'The attachments a message was sent with, also those that were removed since, with their state now.';
revoke all on function parley.attachments_as_of(parley.message) from public;

create or replace function parley.reactions_as_of(conversation_id uuid, message_ids uuid[], event_seq bigint)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
-- the log of one conversation once for the whole page, however much of the whole log that is
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
begin
    return (
        with
        -- the next thing that happened to each: what is going to be removed was there, what is going to be added was not
        next_change as (
            select distinct on (e.message_id, e.user_id, e.data ->> 'emoji')
                e.message_id,
                e.user_id,
                e.data ->> 'emoji' as emoji,
                e.data ->> 'op' as op
            from parley.event as e
            where e.conversation_id = reactions_as_of.conversation_id
                and e.event_seq > reactions_as_of.event_seq
                and e.kind = 'message:reaction'
                and e.message_id = any (reactions_as_of.message_ids)
            order by e.message_id, e.user_id, e.data ->> 'emoji', e.event_seq
        ),

        reacted as (
            select n.message_id, n.user_id, n.emoji
            from next_change as n
            where n.op = 'removed'
            union all
            select r.message_id, r.user_id, r.emoji
            from parley.reaction as r
            where r.conversation_id = reactions_as_of.conversation_id
                and r.message_id = any (reactions_as_of.message_ids)
                and not exists (
                    select from next_change as n
                    where n.message_id = r.message_id and n.user_id = r.user_id and n.emoji = r.emoji
                )
        )

        select coalesce(jsonb_object_agg(m.message_id, m.reactions), '{}')
        from (
            select
                g.message_id,
                jsonb_agg(
                    jsonb_build_object('emoji', g.emoji, 'count', cardinality(g.user_ids), 'user_ids', g.user_ids)
                    order by g.emoji
                ) as reactions
            from (
                select r.message_id, r.emoji, array_agg(r.user_id order by r.user_id) as user_ids
                from reacted as r
                group by r.message_id, r.emoji
            ) as g
            group by g.message_id
        ) as m
    );
end;
$$;
comment on function parley.reactions_as_of(uuid, uuid[], bigint) is
'The reactions of these messages after that event: {message id: [{emoji, count, user_ids}]}, by emoji and user, as the log does not keep since when.';
revoke all on function parley.reactions_as_of(uuid, uuid[], bigint) from public;

create or replace function parley.message_as_of_json(message parley.message, event_seq bigint, reactions jsonb)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_message parley.message := parley.message_as_of(message, message_as_of_json.event_seq);
    v_quoted parley.message;
begin
    if v_message.reply_to_id is not null and v_message.deleted_at is null then
        select m.* into v_quoted
        from parley.message as m
        where m.id = v_message.reply_to_id and m.conversation_id is not distinct from v_message.conversation_id;
        v_quoted := parley.message_as_of(v_quoted, message_as_of_json.event_seq);
    end if;
    -- what the log does not tell as of then is left out
    return parley.message_json(v_message, '[]') - '{status,pinned_at,poll,forward_count}'::text[]
        || jsonb_build_object(
            'attachments', case when v_message.deleted_at is null then parley.attachments_as_of(v_message) else '[]' end,
            'reactions', case
                when v_message.deleted_at is null then coalesce(message_as_of_json.reactions, '[]') else '[]'
            end,
            'reply_to', case
                when v_quoted.id is not null then parley.quote_json(
                    v_quoted,
                    case when v_quoted.deleted_at is null then parley.attachments_as_of(v_quoted) -> 0 end
                )
            end
        );
end;
$$;
comment on function parley.message_as_of_json(parley.message, bigint, jsonb) is
'A message as it was after that event, with its attachments, these reactions and the message it answers as that was; without pins and votes.';
revoke all on function parley.message_as_of_json(parley.message, bigint, jsonb) from public;

create or replace function parley.messages_as_of(
    conversation_id uuid, event_seq bigint, to_seq bigint, max_rows integer
)
returns jsonb[]
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
-- as message_page: walk the (conversation_id, seq) indexes and stop
set plan_cache_mode = force_generic_plan
set enable_sort = off
set enable_bitmapscan = off
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_messages parley.message[] := array(
        select q
        from parley.message as q
        where q.conversation_id = messages_as_of.conversation_id and q.seq <= messages_as_of.to_seq
        order by q.seq desc
        limit messages_as_of.max_rows
    );
    v_reactions jsonb := parley.reactions_as_of(
        messages_as_of.conversation_id, array(select m.id from unnest(v_messages) as m), messages_as_of.event_seq
    );
begin
    return array(
        select parley.message_as_of_json(m, messages_as_of.event_seq, v_reactions -> m.id::text)
        from unnest(v_messages) as m
        order by m.seq desc
    );
end;
$$;
comment on function parley.messages_as_of(uuid, bigint, bigint, integer) is
'The newest messages up to a seq, as they were after that event, newest first.';
revoke all on function parley.messages_as_of(uuid, bigint, bigint, integer) from public;

create or replace function parley.participants_as_of(conversation_id uuid, event_seq bigint)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
-- the log of one conversation, however much of the whole log that is
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
begin
    return (
        with
        -- the next thing that happened to each: who is going to join was not there, who is going to leave was
        next_change as (
            select distinct on (e.user_id) e.user_id, e.kind
            from parley.event as e
            where e.conversation_id = participants_as_of.conversation_id
                and e.event_seq > participants_as_of.event_seq
                and e.kind in ('participant:joined', 'participant:left')
            order by e.user_id, e.event_seq
        ),

        next_revision as (
            select distinct on (r.user_id) r.user_id, r.was
            from parley.conversation_revision as r
            where r.conversation_id = participants_as_of.conversation_id
                and r.event_seq > participants_as_of.event_seq
                and r.user_id is not null
            order by r.user_id, r.event_seq, r.revision
        )

        select coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'user_id', p.user_id,
                    'display_name', parley.display_name_of(p.user_id),
                    'role', coalesce(r.was -> 'role', to_jsonb(p.role)),
                    'app_role', case when r.was is null then to_jsonb(p.app_role) else r.was -> 'app_role' end
                )
                order by p.user_id
            ),
            '[]'
        )
        from parley.participant as p
        left join next_change as n on p.user_id = n.user_id
        left join next_revision as r on p.user_id = r.user_id
        where p.conversation_id = participants_as_of.conversation_id
            and coalesce(n.kind = 'participant:left', p.left_at is null)
    );
end;
$$;
comment on function parley.participants_as_of(uuid, bigint) is
'Who was in a conversation after that event, with their roles then and their names now.';
revoke all on function parley.participants_as_of(uuid, bigint) from public;

create or replace function parley.profile_as_of(conversation_id uuid, event_seq bigint)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return (
        -- of several changes of one column after that event the first wins, which comes last here
        select to_jsonb(cp) - 'conversation_id' || coalesce(
            (
                select jsonb_object_agg(w.key, w.value order by r.event_seq desc, r.revision desc)
                from parley.conversation_revision as r
                cross join lateral jsonb_each(r.was) as w
                where r.conversation_id = profile_as_of.conversation_id
                    and r.event_seq > profile_as_of.event_seq
                    and r.user_id is null
            ),
            '{}'
        )
        from parley.conversation_profile as cp
        where cp.conversation_id = profile_as_of.conversation_id
    );
end;
$$;
comment on function parley.profile_as_of(uuid, bigint) is
'The columns of a conversation''s profile as they were after that event; updated_at is of now.';
revoke all on function parley.profile_as_of(uuid, bigint) from public;

create or replace function parley.conversation_as_of(
    conversation_id uuid,
    event_seq bigint,
    reason text,
    before_seq bigint default null,
    page_size integer default 50
)
returns jsonb
language plpgsql
volatile
security definer
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
comment on function parley.conversation_as_of(uuid, bigint, text, bigint, integer) is
'A conversation as it was after one of its events: profile, participants and a page of messages, oldest first, with their mentions, reactions and attachments as then, each attachment with its state and removed_at of now. For owners and moderators of its tenant and the application; each call is in the audit log with its reason. gap instead, if the log since then is not kept.';
revoke all on function parley.conversation_as_of(uuid, bigint, text, bigint, integer) from public;
grant execute on function parley.conversation_as_of(uuid, bigint, text, bigint, integer) to authenticated, service_role;
