-- A conversation of no tenant through which the boundary of a tenant runs.

create or replace function parley.settle_severed(conversation_id uuid)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    update parley.conversation_profile as cp
    set severed_at = case when cp.severed_at is null then clock_timestamp() end, updated_at = clock_timestamp()
    where cp.conversation_id = settle_severed.conversation_id
        and cp.tenant_id is null
        and (cp.severed_at is not null) <> parley.is_split(settle_severed.conversation_id);
    if found then
        perform parley.append_event(
            settle_severed.conversation_id, 'conversation:updated', null, null, null, null,
            '{"changed": ["read_only"]}'
        );
    end if;
end;
$$;
comment on function parley.settle_severed is
'A conversation without a tenant can only be read while its participants share none and one is in one. The caller holds the lock.';
