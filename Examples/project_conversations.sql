-- When a project is deleted its conversations go with it, as by "on delete cascade", in the same transaction.
-- They are those that were started with context_type 'project' and the project's id as context_id. Run it as a role
-- that may call delete_conversations_of_context (service_role, or the owner of Parley's schemas).
create function project_conversations_gone() returns trigger language plpgsql security definer set search_path = '' as $$
begin
    perform parley_api.delete_conversations_of_context('project', old.id::text);
    return null;
end
$$;
revoke all on function project_conversations_gone() from public;

create trigger project_conversations_gone after delete on project
for each row execute function project_conversations_gone();
