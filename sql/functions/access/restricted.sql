-- A conversation that says something about sending is marked, so that the others are not asked.

-- A send looks at the profile only if it says something about sending. That it does stands in the conversation's
-- own row, which every send locks and reads; a trigger keeps it true, whoever writes the profile.
create or replace function parley.says_something(profile parley.conversation_profile)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return profile.status <> 'active'
    or profile.type = 'announcement'
    or profile.who_can_send <> 'everyone'
    or profile.message_ttl_seconds is not null
    or profile.severed_at is not null
    or exists (
        select from parley.message_request as r
        where r.conversation_id = profile.conversation_id
            -- whoever declines a group, or lets the request expire, is out of it
            and (r.status = 'pending' or profile.type = 'direct' and r.status <> 'accepted')
    )
    or (
        profile.type = 'direct'
        and (
            exists (
                select from parley.direct_conversation as d
                inner join parley.block as b
                    on (d.user_low = b.blocker_id and d.user_high = b.blocked_id)
                        or (d.user_high = b.blocker_id and d.user_low = b.blocked_id)
                where d.conversation_id = profile.conversation_id
            )
            or exists (
                select from parley.participant as p
                where p.conversation_id = profile.conversation_id and p.quiet_since is not null
            )
        )
    );
end;
$$;
comment on function parley.says_something is
'True if a send must be asked for more than membership: by the profile, because one of a pair has blocked the other, or because somebody has not accepted a request.';

create or replace function parley.set_restricted()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_restricted boolean := parley.says_something(new);
begin
    update parley.conversation as c
    set restricted = v_restricted
    where c.id = new.conversation_id and c.restricted <> v_restricted;
    return null;
end;
$$;
comment on function parley.set_restricted is
'Trigger: conversation.restricted says whether the profile restricts sending, or makes messages disappear.';

create or replace function parley.mark_conversation(conversation_id uuid)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    update parley.conversation as c
    set restricted = not c.restricted
    from parley.conversation_profile as cp
    where c.id = mark_conversation.conversation_id
        and cp.conversation_id = c.id
        and c.restricted <> parley.says_something(cp);
end;
$$;
comment on function parley.mark_conversation is
'Makes conversation.restricted true to what it stands for. The caller holds the conversation''s lock.';

create trigger conversation_profile_restricted_trigger
after insert or update of type, status, who_can_send, message_ttl_seconds, severed_at
on parley_wanted.conversation_profile
for each row execute function parley.set_restricted();
comment on trigger conversation_profile_restricted_trigger on parley_wanted.conversation_profile is
'Keeps conversation.restricted true.';
