-- A draft that is no longer wanted. participant.has_draft says whether there is one: whoever makes or clears a draft
-- holds the participant's row, so the two agree.

create or replace function parley.clear_draft(conversation_id uuid, user_id uuid)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    update parley.participant as p
    set has_draft = false
    where p.conversation_id = clear_draft.conversation_id and p.user_id = clear_draft.user_id and p.has_draft;
    if not found then
        return false;
    end if;
    delete from parley.draft as d
    where d.conversation_id = clear_draft.conversation_id and d.user_id = clear_draft.user_id;
    perform parley.append_event(
        null, 'draft:updated', clear_draft.user_id, null, null, clear_draft.user_id,
        jsonb_build_object('conversation_id', clear_draft.conversation_id)
    );
    return true;
end;
$$;
comment on function parley.clear_draft is
'Forgets what a participant has begun to write, and tells their devices. True: there was something.';
