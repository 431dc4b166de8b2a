-- Asking for an erasure, the job that carries it out, and the ledger that remembers it outside of the database.

create or replace function parley.erasure_json(erasure parley.erasure)
returns jsonb
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
    select jsonb_build_object(
        'user_id', erasure.user_id,
        'reason', erasure.reason,
        'content', erasure.content,
        'requested_at', erasure.requested_at,
        'finished_at', erasure.finished_at
    )
$$;
comment on function parley.erasure_json is 'An entry of the ledger: ids and reasons, nothing of the user.';

create or replace function parley.erase_user(
    user_id uuid, reason text, content text default null, requested_at timestamptz default clock_timestamp()
)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_content text := coalesce(erase_user.content, parley.setting_value('erased_content'));
    v_erasure parley.erasure;
begin
    if v_content is null or v_content not in ('keep', 'remove') then
        raise exception using
            errcode = 'PT400', message = 'content, or the setting erased_content, must be keep or remove.';
    end if;
    perform from parley.account as a where a.id = erase_user.user_id for no key update;
    if not found then
        raise exception using errcode = 'PT404', message = 'The user does not exist.';
    end if;
    select e.* into v_erasure from parley.erasure as e where e.user_id = erase_user.user_id;
    if not found then
        perform parley.audit(
            'erase_user', erase_user.reason, parley.current_role_name(),
            target_id => erase_user.user_id, detail => jsonb_build_object('content', v_content)
        );
        insert into parley.erasure as e (user_id, reason, content, requested_at)
        values (erase_user.user_id, btrim(erase_user.reason), v_content, coalesce(erase_user.requested_at, clock_timestamp()))
        returning e.* into v_erasure;
        -- leaves the groups, which get successors, ends calls and sessions, cancels what is to be sent
        update parley.account as a
        set deleted_at = coalesce(a.deleted_at, clock_timestamp()), updated_at = now()
        where a.id = erase_user.user_id;
        perform parley.erase_step(erase_user.user_id, 200);
        select e.* into v_erasure from parley.erasure as e where e.user_id = erase_user.user_id;
    end if;
    return parley.erasure_json(v_erasure);
end;
$$;
comment on function parley.erase_user is
'Erases a user: at once nobody but a deleted user to others, then all their own data by the job erase_users; what is held when the hold ends. content: keep or remove what they said, by default the setting erased_content. Again is fine. Audited. Returns the entry of the ledger.';

create or replace function parley.erase_users()
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid;
begin
    select e.user_id into v_user_id
    from parley.erasure as e
    where e.finished_at is null
        and (
            e.held_since is null
            or exists (select from parley.hold as h where h.released_at >= e.held_since)
        )
        -- its own closing comes first: who is still listed is taken out with a notice
        and not exists (
            select from parley.participant as p where p.user_id = e.user_id and p.left_at is null
        )
    order by e.tried_at
    limit 1;
    return v_user_id is not null and parley.erase_step(v_user_id, 200);
end;
$$;
comment on function parley.erase_users is 'A job: a step of the erasure that has waited longest. True: there is more.';

create or replace function parley.erasure_ledger(since timestamptz default '-infinity')
returns jsonb
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    update parley.erasure as e set exported_at = clock_timestamp() where e.requested_at >= since and e.exported_at is null;
    select coalesce(jsonb_agg(parley.erasure_json(e) order by e.requested_at, e.user_id), '[]')
    from parley.erasure as e
    where e.requested_at >= since
$$;
comment on function parley.erasure_ledger is
'The ledger of erasures, to be kept outside the database: [{user_id, reason, content, requested_at}]. parley doctor warns of an erasure of more than a day ago that it never told of.';

create or replace function parley.reapply_erasures(ledger jsonb)
returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_entry jsonb;
    v_count bigint := 0;
begin
    if ledger is null or jsonb_typeof(ledger) <> 'array' then
        raise exception using errcode = 'PT400', message = 'ledger must be the answer of parley.erasure_ledger().';
    end if;
    for v_entry in select x.entry from jsonb_array_elements(ledger) as x (entry) loop
        continue when exists (select from parley.erasure as e where e.user_id = (v_entry ->> 'user_id')::uuid);
        -- one that was made after the backup must not come back either
        insert into parley.account (id, tier_name)
        values ((v_entry ->> 'user_id')::uuid, parley.setting_value('default_tier'))
        on conflict (id) do nothing;
        perform parley.erase_user(
            (v_entry ->> 'user_id')::uuid, v_entry ->> 'reason', v_entry ->> 'content',
            (v_entry ->> 'requested_at')::timestamptz
        );
        v_count := v_count + 1;
    end loop;
    return v_count;
end;
$$;
comment on function parley.reapply_erasures is
'After a restore: erases again whoever was erased since the backup. Returns how many there were.';
