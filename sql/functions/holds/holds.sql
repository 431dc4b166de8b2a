-- Legal holds: what must not go, whatever retention, expiry, a deletion or an erasure says. A hold changes nothing that
-- users see. Reports that are still open will be one more reason in is_held.

create or replace function parley.is_held(conversation_id uuid)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    -- there are few holds, mostly none
    return exists (
        select from parley.hold as h
        where h.released_at is null
            and case h.kind
                when 'conversation' then h.target_id = is_held.conversation_id
                when 'tenant' then exists (
                    select from parley.conversation_profile as cp
                    where cp.conversation_id = is_held.conversation_id and cp.tenant_id = h.target_id
                )
                else exists (
                    select from parley.participant as p
                    where p.conversation_id = is_held.conversation_id and p.user_id = h.target_id
                )
            end
    );
end;
$$;
comment on function parley.is_held is
'True if nothing of the conversation may go: it is held, its tenant is, or somebody who is or was in it.';

create or replace function parley.holds_stand_still()
returns boolean
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return pg_try_advisory_xact_lock_shared(hashtextextended('parley:holds', 0));
end;
$$;
comment on function parley.holds_stand_still is
'For whoever removes something, before looking at holds: until the end of the transaction none is placed. False: one is being placed; try again later.';

create or replace function parley.is_user_held(user_id uuid)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return exists (select from parley.hold as h where h.released_at is null)
        and (
            exists (
                select from parley.hold as h
                where h.kind = 'user' and h.target_id = is_user_held.user_id and h.released_at is null
            )
            or exists (
                select from parley.participant as p
                where p.user_id = is_user_held.user_id and parley.is_held(p.conversation_id)
            )
        );
end;
$$;
comment on function parley.is_user_held is 'True if the user, or a conversation the user is or was in, is held.';

create or replace function parley.hold_json(hold parley.hold)
returns jsonb
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
    select jsonb_build_object(
        'id', hold.id,
        'kind', hold.kind,
        'target_id', hold.target_id,
        'reason', hold.reason,
        'placed_at', hold.placed_at,
        'placed_by', hold.placed_by,
        'released_at', hold.released_at,
        'released_by', hold.released_by
    )
$$;
comment on function parley.hold_json is 'A hold as the application sees it.';

create or replace function parley.audit_hold(hold parley.hold, action text, reason text)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform parley.audit(
        audit_hold.action,
        audit_hold.reason,
        parley.current_role_name(),
        tenant_id => case when hold.kind = 'tenant' then hold.target_id end,
        conversation_id => case when hold.kind = 'conversation' then hold.target_id end,
        target_id => case when hold.kind = 'user' then hold.target_id end,
        detail => jsonb_build_object('hold_id', hold.id)
    );
end;
$$;
comment on function parley.audit_hold is 'Records what is done with a hold; PT400 without a reason.';

create or replace function parley.place_hold(kind text, id uuid, reason text)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_hold parley.hold;
    v_known boolean;
begin
    if place_hold.kind is null or place_hold.kind not in ('user', 'conversation', 'tenant') then
        raise exception using errcode = 'PT400', message = 'kind must be user, conversation or tenant.';
    end if;
    v_known := case place_hold.kind
        when 'user' then exists (select from parley.account as a where a.id = place_hold.id)
        when 'conversation' then exists (select from parley.conversation as c where c.id = place_hold.id)
        else exists (select from parley.tenant as t where t.id = place_hold.id)
    end;
    if not v_known then
        raise exception using errcode = 'PT404', message = format('There is no such %s.', place_hold.kind);
    end if;
    -- whoever purges looks under the same lock: what this transaction does not see going has not gone
    perform pg_advisory_xact_lock(hashtextextended('parley:holds', 0));
    select h.* into v_hold
    from parley.hold as h
    where h.kind = place_hold.kind and h.target_id = place_hold.id and h.released_at is null;
    if not found then
        insert into parley.hold as h (id, kind, target_id, reason, placed_by)
        values (
            parley.uuid_v7(), place_hold.kind, place_hold.id, left(coalesce(nullif(btrim(place_hold.reason), ''), '-'), 1000),
            parley.current_user_id()
        )
        returning h.* into v_hold;
        perform parley.audit_hold(v_hold, 'place_hold', place_hold.reason);
    end if;
    return parley.hold_json(v_hold);
end;
$$;
comment on function parley.place_hold is
'Keeps all there is of a user''s conversations, of one conversation or of a tenant from being purged or erased, until release_hold. A second hold of the same is the first. Audited. Returns the hold.';

create or replace function parley.release_hold(hold_id uuid, reason text)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_hold parley.hold;
begin
    update parley.hold as h
    set released_at = clock_timestamp(), released_by = parley.current_user_id()
    where h.id = release_hold.hold_id and h.released_at is null
    returning h.* into v_hold;
    if found then
        perform parley.audit_hold(v_hold, 'release_hold', release_hold.reason);
        return parley.hold_json(v_hold);
    end if;
    select h.* into v_hold from parley.hold as h where h.id = release_hold.hold_id;
    if not found then
        raise exception using errcode = 'PT404', message = 'There is no such hold.';
    end if;
    return parley.hold_json(v_hold);
end;
$$;
comment on function parley.release_hold is
'Ends a hold: what was due meanwhile goes with the next runs of retention, expiry and erasure. Again is fine. Audited. Returns the hold.';
