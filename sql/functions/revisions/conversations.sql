-- What a conversation was called and who was what in it before a change.

create or replace function parley.keep_conversation_revision()
returns trigger
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    -- as JSON, because the two tables have different columns
    v_new jsonb := to_jsonb(new);
    v_old jsonb := to_jsonb(old);
    v_was jsonb;
begin
    if tg_table_name = 'conversation_profile' then
        select jsonb_object_agg(o.key, o.value) into v_was
        from jsonb_each(v_old - 'updated_at') as o
        where o.value is distinct from v_new -> o.key;
    else
        v_was := jsonb_build_object('role', v_old -> 'role', 'app_role', v_old -> 'app_role');
    end if;
    if v_was is not null then
        insert into parley.conversation_revision (conversation_id, event_seq, user_id, was)
        select c.id, c.last_event_seq + 1, (v_new ->> 'user_id')::uuid, v_was
        from parley.conversation as c
        where c.id = old.conversation_id;
    end if;
    return null;
end;
$$;
comment on function parley.keep_conversation_revision is
'Keeps what a profile or a role was. The change is made before it is announced: it belongs to the next event.';

create trigger conversation_profile_keeps_revisions
after update on parley_wanted.conversation_profile
for each row when (old.* is distinct from new.*)
execute function parley.keep_conversation_revision();

-- of these columns alone: reading and sending, which update the row as well, do not pay for it
create trigger participant_keeps_revisions
after update of role, app_role on parley_wanted.participant
for each row when (old.role is distinct from new.role or old.app_role is distinct from new.app_role)
execute function parley.keep_conversation_revision();
