-- The schemas: API roles look into parley_api only. anon may see that it is there, and is granted no function in it.

revoke all on schema parley from public;
revoke all on schema parley_api from public;
grant usage on schema parley_api to anon, authenticated, service_role;
-- The worker calls its own functions by name; it has no right to any table.
grant usage on schema parley to parley_worker;
