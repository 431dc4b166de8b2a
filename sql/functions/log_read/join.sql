-- Joins. The predicate is the one of the policies: who is a current participant. The answer carries the position it is
-- true at: an event with id <= max_id that is visible in snapshot is part of it, every other event comes after it.

create or replace function parley.authorize_join(role text, user_id uuid, issued_at numeric, topic text)
returns table (
    allowed boolean,
    snapshot pg_snapshot,
    max_id bigint,
    last_event_seq bigint,
    conversation_ids uuid[],
    history_from bigint[]
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_service constant boolean := coalesce(authorize_join.role = 'service_role', false);
    v_user constant uuid := parley.topic_uuid(topic, 'user:');
    v_conversation constant uuid := parley.topic_uuid(topic, 'conversation:');
    v_tenant constant uuid := parley.topic_uuid(topic, 'tenant:', ':moderation');
begin
    allowed := false;
    snapshot := parley.certain_snapshot();
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
                and t.role in ('owner', 'administrator', 'manager', 'moderator')
        );
    end if;
    return next;
end
$$;
comment on function parley.authorize_join is
'May this token subscribe to this topic (without "realtime:")? With the position in the log at which the answer holds.';
grant execute on function parley.authorize_join to parley_worker;

create or replace function parley.discretion_of(
    in user_id uuid, in topic text, out quiet boolean, out hides_presence boolean
)
returns record
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
#variable_conflict use_column
begin
    quiet := parley.is_quiet(parley.topic_uuid(topic, 'conversation:'));
    hides_presence := exists (
        select from parley.account as a where a.id = discretion_of.user_id and not a.show_presence
    );
end;
$$;
comment on function parley.discretion_of is
'What the worker keeps back: quiet: typing, presence and broadcasts are not passed on between the users of the topic''s conversation; hides_presence: the user is not shown to be present.';
grant execute on function parley.discretion_of to parley_worker;
