-- Typing and presence in a direct conversation: none where one of the two has blocked the other, or finds it among the
-- requests. The worker obeys the event at its place in the log.

create or replace function parley.is_quiet(conversation_id uuid)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return exists (
        select from parley.direct_conversation as d
        where d.conversation_id = is_quiet.conversation_id
            and (
                parley.is_blocked(d.user_low, d.user_high)
                or parley.is_blocked(d.user_high, d.user_low)
                or exists (
                    select from parley.participant as p
                    where p.conversation_id = d.conversation_id and p.folder = 'requests'
                )
            )
    );
end;
$$;
comment on function parley.is_quiet is
'True if typing and presence are not passed on in the conversation: of two, one has blocked the other or has it among the requests.';

create or replace function parley.append_quiet_event(conversation_id uuid, user_id uuid)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (
        select from parley.direct_conversation as d
        where d.conversation_id = append_quiet_event.conversation_id
    ) then
        perform parley.append_event(
            null, 'conversation:quiet', append_quiet_event.user_id, null, null, append_quiet_event.user_id,
            jsonb_build_object(
                'conversation_id', append_quiet_event.conversation_id,
                'quiet', parley.is_quiet(append_quiet_event.conversation_id)
            )
        );
    end if;
end;
$$;
comment on function parley.append_quiet_event is
'Tells the worker, and the user whose doing it is, whether a direct conversation is quiet now.';
