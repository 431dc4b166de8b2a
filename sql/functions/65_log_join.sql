-- Joins. The predicate is the one of the policies: who is a current participant. The answer carries the position it is
-- true at: an event with id <= max_id that is visible in snapshot is part of it, every other event comes after it.

create or replace function parley.topic_uuid(topic text, prefix text, suffix text default '')
returns uuid
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
    -- a case, because the planner may evaluate a cast of constants before any where
    select case
        when
            topic = prefix || t.id || suffix
            and t.id ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
            then t.id::uuid
    end
    from (select substr(topic, length(prefix) + 1, 36) as id) t
$$;
revoke all on function parley.topic_uuid(text, text, text) from public;
comment on function parley.topic_uuid(text, text, text) is 'The uuid in a topic like <prefix><uuid><suffix>, else null.';

create or replace function parley.conversations_of(
    user_id uuid, out ids uuid[], out history_from bigint[], out events_from bigint[]
)
returns record
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
    select
        coalesce(array_agg(p.conversation_id order by p.conversation_id), '{}'),
        coalesce(array_agg(p.history_from_seq order by p.conversation_id), '{}'),
        coalesce(array_agg(p.history_from_event_seq order by p.conversation_id), '{}')
    from parley.participant p
    where p.user_id = conversations_of.user_id and p.left_at is null
$$;
revoke all on function parley.conversations_of(uuid) from public;
comment on function parley.conversations_of(uuid)
is 'Current conversations of a user, and for each the seq of the first message and of the first event the user may see.';

create or replace function parley.session_is_valid(user_id uuid, issued_at bigint)
returns boolean
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
    select not exists (
        select
        from parley.account a
        where
            a.id = session_is_valid.user_id
            and (
                a.suspended_at is not null
                or a.deleted_at is not null
                -- iat has whole seconds: in doubt refused, as in token_is_valid
                or (a.tokens_valid_after is not null
                    and (issued_at is null or to_timestamp(issued_at) < a.tokens_valid_after))
            )
    )
$$;
revoke all on function parley.session_is_valid(uuid, bigint) from public;
comment on function parley.session_is_valid(uuid, bigint)
is 'False if the user is suspended or erased, or ended all sessions after this token was issued (seconds since 1970).';

create or replace function parley.authorize_join(role text, user_id uuid, issued_at bigint, topic text)
returns table (
    allowed boolean,
    snapshot pg_snapshot,
    max_id bigint,
    last_event_seq bigint,
    conversation_ids uuid[],
    history_from bigint[]
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_service constant boolean := coalesce(authorize_join.role = 'service_role', false);
    v_user constant uuid := parley.topic_uuid(topic, 'user:');
    v_conversation constant uuid := parley.topic_uuid(topic, 'conversation:');
    v_tenant constant uuid := parley.topic_uuid(topic, 'tenant:', ':moderation');
begin
    allowed := false;
    snapshot := pg_current_snapshot();
    max_id := parley.log_end();
    conversation_ids := '{}';
    history_from := '{}';

    if not v_service
        and (
            authorize_join.role is distinct from 'authenticated'
            or authorize_join.user_id is null
            or not parley.session_is_valid(authorize_join.user_id, issued_at)
        )
    then
        null; -- nobody, or a session that has ended
    elsif v_user is not null then
        allowed := v_service or v_user = authorize_join.user_id;
        if allowed then
            select c.ids, c.history_from into conversation_ids, history_from from parley.conversations_of(v_user) c;
        end if;
    elsif v_conversation is not null then
        select true, c.last_event_seq, array[c.id], array[coalesce(p.history_from_seq, 1)]
        into allowed, last_event_seq, conversation_ids, history_from
        from parley.conversation c
        left join parley.participant p
            on p.conversation_id = c.id and p.user_id = authorize_join.user_id and p.left_at is null
        where c.id = v_conversation and (v_service or p.user_id is not null);
        if not found then
            allowed := false;
            conversation_ids := '{}';
            history_from := '{}';
        end if;
    elsif v_tenant is not null then
        allowed := v_service or exists (
            select
            from parley.tenant_member t
            where
                t.tenant_id = v_tenant
                and t.user_id = authorize_join.user_id
                and t.role in ('owner', 'manager', 'moderator')
        );
    end if;
    return next;
end
$$;
revoke all on function parley.authorize_join(text, uuid, bigint, text) from public;
grant execute on function parley.authorize_join(text, uuid, bigint, text) to parley_worker;
comment on function parley.authorize_join(text, uuid, bigint, text)
is 'May this token subscribe to this topic (without "realtime:")? With the position in the log at which the answer holds.';
