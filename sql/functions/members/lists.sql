-- Who is in a conversation, page by page, and whom a mention could mean.

create or replace function parley.decode_participants_cursor(
    in cursor text, out joined_at timestamptz, out user_id uuid
)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_parts text[] := regexp_match(
        cursor, E'^([0-9]{1,18})_([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$'
    );
begin
    if cursor is null then
        joined_at := '-infinity';
        user_id := '00000000-0000-0000-0000-000000000000';
    elsif v_parts is null then
        raise exception using
            errcode = 'PT400',
            message = 'The cursor is not valid.',
            hint = 'Pass next_cursor as it was returned.';
    else
        -- whole days and microseconds apart: a double would lose the last digit
        joined_at := timestamptz 'epoch'
            + (v_parts[1]::bigint / 86400000000) * interval '1 day'
            + (v_parts[1]::bigint % 86400000000) * interval '1 microsecond';
        user_id := v_parts[2]::uuid;
    end if;
end;
$$;
comment on function parley.decode_participants_cursor is
'Position in the list of participants: microseconds of joining, and the user; PT400 for anything else.';

create or replace function parley.get_participants(
    conversation_id uuid, cursor text default null, page_size integer default 50
)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
#variable_conflict use_column
declare
    v_page_size integer := parley.require_page_size(get_participants.page_size);
    v_after record;
    v_with_receipts boolean := true;
begin
    if parley.is_host() then
        if not exists (select from parley.conversation as c where c.id = get_participants.conversation_id) then
            raise exception using errcode = 'PT404', message = 'The conversation does not exist.';
        end if;
    else
        perform parley.require_participant(get_participants.conversation_id, parley.require_caller());
        v_with_receipts := parley.shares_my_receipts();
    end if;
    v_after := parley.decode_participants_cursor(get_participants.cursor);
    return (
        select jsonb_build_object(
            'participants', coalesce(
                jsonb_agg(
                    parley.participant_with_account_json(
                        page.participant, a, v_with_receipts or page.user_id = parley.current_user_id()
                    )
                    order by page.n
                )
                filter (where page.n <= v_page_size),
                '[]'
            ),
            'next_cursor', case
                when count(*) > v_page_size
                    then max(
                        trunc(extract(epoch from page.joined_at) * 1000000)::bigint || '_' || page.user_id
                    ) filter (where page.n = v_page_size)
            end
        )
        from (
            -- one more than asked for tells whether there is a next page
            select
                p as participant,
                p.user_id,
                p.joined_at,
                row_number() over (order by p.joined_at, p.user_id) as n
            from parley.participant as p
            where p.conversation_id = get_participants.conversation_id
                and p.left_at is null
                and (p.joined_at, p.user_id) > (v_after.joined_at, v_after.user_id)
            order by p.joined_at, p.user_id
            limit v_page_size + 1
        ) as page
        inner join parley.account as a on page.user_id = a.id
    );
end;
$$;
comment on function parley.get_participants is
'The participants of a conversation by time of joining, page by page: {participants, next_cursor}.';
grant execute on function parley.get_participants to authenticated, service_role;

create or replace function parley.search_members(
    conversation_id uuid, query text default null, page_size integer default 10
)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.require_caller();
    v_page_size integer := parley.require_page_size(search_members.page_size);
    v_query text;
    v_literal text;
    v_any_part boolean;
begin
    perform parley.require_participant(search_members.conversation_id, v_user_id);
    if char_length(search_members.query) > 200 then
        raise exception using errcode = 'PT400', message = 'query may have at most 200 characters.';
    end if;
    v_query := coalesce(parley.fold_name(search_members.query), '');
    -- signs alone, or emoji, are not folded away but looked for as they are
    v_literal := case when v_query = '' and parley.shows_something(search_members.query) then btrim(search_members.query) else '' end;
    v_any_part := v_query ~ ('^' || parley.unspaced_run());
    return (
        select coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'user_id', m.user_id, 'display_name', m.display_name, 'role', m.role, 'app_role', m.app_role
                )
                order by m.n
            ),
            '[]'
        )
        from (
            select
                f.user_id,
                f.display_name,
                f.role,
                f.app_role,
                row_number() over (order by starts_with(f.folded, v_query) desc, f.folded, f.user_id) as n
            from (
                select p.user_id, p.role, p.app_role, a.display_name, parley.fold_name(a.display_name) as folded
                from (
                    select q.user_id, q.role, q.app_role
                    from parley.participant as q
                    where q.conversation_id = search_members.conversation_id
                        and q.user_id <> v_user_id
                        and q.left_at is null
                    -- a quarter of a second; a host may make groups of a million
                    order by q.user_id
                    limit 20000
                ) as p
                -- each account by its key, whatever the planner takes for few
                cross join lateral (
                    select b.display_name
                    from parley.account as b
                    where b.id = p.user_id and b.deleted_at is null and b.display_name is not null
                    offset 0
                ) as a
                -- each name is folded once
                offset 0
            ) as f
            where case
                when v_query = '' then v_literal = '' or strpos(f.display_name, v_literal) > 0
                when v_any_part then strpos(f.folded, v_query) > 0
                else starts_with(f.folded, v_query) or strpos(f.folded, ' ' || v_query) > 0
            end
            order by starts_with(f.folded, v_query) desc, f.folded, f.user_id
            limit v_page_size
        ) as m
    );
end;
$$;
comment on function parley.search_members is
'The other participants one of whose names begins with the query, whatever its case and accents, for mentions: [{user_id, display_name, role, app_role}]. Chinese, Japanese, Korean and Thai names are found by any part. No query finds all. In a conversation of more than 20,000 only so many are looked at.';
grant execute on function parley.search_members to authenticated;
