-- Which conversations a session may follow.

create or replace function parley.session_is_valid(user_id uuid, issued_at numeric)
returns boolean
language sql stable security definer
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
                -- as token_is_valid: digit for digit, and in doubt refused
                or (a.tokens_valid_after is not null
                    and (issued_at is null or issued_at < extract(epoch from a.tokens_valid_after)))
            )
    )
$$;
comment on function parley.session_is_valid is
'False if the user is suspended or erased, or ended all sessions after this token was issued (seconds since 1970).';

create or replace function parley.conversations_of(
    user_id uuid, out ids uuid[], out history_from bigint[], out events_from bigint[]
)
returns record
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select
        coalesce(array_agg(p.conversation_id order by p.conversation_id), '{}'),
        coalesce(array_agg(p.history_from_seq order by p.conversation_id), '{}'),
        coalesce(array_agg(p.history_from_event_seq order by p.conversation_id), '{}')
    from parley.participant p
    where p.user_id = conversations_of.user_id and p.left_at is null
$$;
comment on function parley.conversations_of is
'Current conversations of a user, and for each the seq of the first message and of the first event the user may see.';

create or replace function parley.topic_uuid(topic text, prefix text, suffix text default '')
returns uuid
language sql immutable parallel safe
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
comment on function parley.topic_uuid is 'The uuid in a topic like <prefix><uuid><suffix>, else null.';
