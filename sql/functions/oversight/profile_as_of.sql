-- Who was in a conversation, and what it was called, after one of its events.

create or replace function parley.participants_as_of(conversation_id uuid, event_seq bigint)
returns jsonb
language plpgsql stable security definer
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
comment on function parley.participants_as_of is
'Who was in a conversation after that event, with their roles then and their names now.';

create or replace function parley.profile_as_of(conversation_id uuid, event_seq bigint)
returns jsonb
language plpgsql stable security definer
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
comment on function parley.profile_as_of is
'The columns of a conversation''s profile as they were after that event; updated_at is of now.';
