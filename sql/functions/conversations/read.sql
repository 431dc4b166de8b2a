-- Reading one conversation.

create or replace function parley.get_conversation(conversation_id uuid)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := case when not parley.is_host() then parley.require_caller() end;
    v_me parley.participant;
    v_profile parley.conversation_profile;
begin
    if v_user_id is not null then
        v_me := parley.require_participant(get_conversation.conversation_id, v_user_id);
    end if;
    select cp.* into v_profile
    from parley.conversation_profile as cp
    where cp.conversation_id = get_conversation.conversation_id;
    if not found then
        raise exception using errcode = 'PT404', message = 'The conversation does not exist.';
    end if;
    return parley.conversation_json(v_profile.conversation_id, v_user_id)
        || jsonb_build_object('contexts', parley.contexts_json(v_profile.conversation_id))
        || case
            when v_user_id is null then '{}'
            else jsonb_build_object(
                'my_permissions', (
                    select jsonb_object_agg(
                        p.key, parley.has_permission(v_me, v_profile, p.key) and v_profile.status = 'active'
                    )
                    from jsonb_object_keys(parley.permissions_json(v_profile)) as p (key)
                ),
                'draft', parley.draft(v_profile.conversation_id, v_user_id)
            )
        end;
end;
$$;
comment on function parley.get_conversation is
'A conversation with its first 256 participants, its contexts, and the caller''s settings, permissions and draft.';
grant execute on function parley.get_conversation to authenticated, service_role;
