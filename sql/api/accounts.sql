-- Accounts and plans. Bodies are bound to the private functions when they are created, so callers need no usage
-- on the private schema; the search_path keeps them from being inlined, see messages.sql.

create or replace function parley_api.get_entitlements()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.get_entitlements();
end;
comment on function parley_api.get_entitlements() is
'The caller''s tier, entitlements and limits.';
revoke all on function parley_api.get_entitlements() from public;
grant execute on function parley_api.get_entitlements() to authenticated;

create or replace function parley_api.upsert_account(
    user_id uuid,
    display_name text default null,
    tier text default null
)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.upsert_account(upsert_account.user_id, upsert_account.display_name, upsert_account.tier);
end;
comment on function parley_api.upsert_account(uuid, text, text) is
'Registers a user, or changes the display name and tier.';
revoke all on function parley_api.upsert_account(uuid, text, text) from public;
grant execute on function parley_api.upsert_account(uuid, text, text) to service_role;

create or replace function parley_api.set_account_tier(user_id uuid, tier text)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.set_account_tier(set_account_tier.user_id, set_account_tier.tier);
end;
comment on function parley_api.set_account_tier(uuid, text) is
'Moves a user to another tier.';
revoke all on function parley_api.set_account_tier(uuid, text) from public;
grant execute on function parley_api.set_account_tier(uuid, text) to service_role;

create or replace function parley_api.revoke_sessions(user_id uuid)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.revoke_sessions(revoke_sessions.user_id);
end;
comment on function parley_api.revoke_sessions(uuid) is
'Ends every session of a user: their tokens are refused and their sockets closed.';
revoke all on function parley_api.revoke_sessions(uuid) from public;
grant execute on function parley_api.revoke_sessions(uuid) to service_role;

create or replace function parley_api.set_tenant_member(tenant_id uuid, user_id uuid, role text default 'member')
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.set_tenant_member(set_tenant_member.tenant_id, set_tenant_member.user_id, set_tenant_member.role);
end;
comment on function parley_api.set_tenant_member(uuid, uuid, text) is
'Makes a user a member of a tenant, or gives a member another role there.';
revoke all on function parley_api.set_tenant_member(uuid, uuid, text) from public;
grant execute on function parley_api.set_tenant_member(uuid, uuid, text) to service_role;

create or replace function parley_api.remove_tenant_member(tenant_id uuid, user_id uuid)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.remove_tenant_member(remove_tenant_member.tenant_id, remove_tenant_member.user_id);
end;
comment on function parley_api.remove_tenant_member(uuid, uuid) is
'Ends a membership and the user''s place in every conversation of the tenant.';
revoke all on function parley_api.remove_tenant_member(uuid, uuid) from public;
grant execute on function parley_api.remove_tenant_member(uuid, uuid) to service_role;
