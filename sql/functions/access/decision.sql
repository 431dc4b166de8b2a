-- What an answer looks like, and the refusal it becomes.

create or replace function parley.allowed(folder text default 'inbox')
returns parley.decision
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
    select row(true, null, null, folder)::parley.decision
$$;
comment on function parley.allowed is 'Yes, and what is sent lands in this folder.';

create or replace function parley.denied(reason text, remedy text default null)
returns parley.decision
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
    select row(false, reason, remedy, null)::parley.decision
$$;
comment on function parley.denied is 'No, because of this; the remedy would change it.';

create or replace function parley.unreachable()
returns parley.decision
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
    select parley.denied('You cannot reach this user.')
$$;
comment on function parley.unreachable is
'The one answer for all that concerns the other: another tenant, and whatever else must not be told from it.';

create or replace function parley.own_block()
returns parley.decision
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
    select parley.denied('You have blocked this user.', 'Unblock them first, with unblock_user.')
$$;
comment on function parley.own_block is 'No, because the actor has blocked the other.';

create or replace function parley.severed()
returns parley.decision
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
    select parley.denied(
        'This conversation can only be read: its participants do not share a tenant.',
        'Members of a tenant write to members of the same tenant.'
    )
$$;
comment on function parley.severed is 'No, because the boundary of a tenant runs through the conversation.';

create or replace function parley.refuse(decision parley.decision)
returns void
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if decision.remedy is null then
        raise exception using errcode = 'PT403', message = decision.reason;
    end if;
    raise exception using errcode = 'PT403', message = decision.reason, hint = decision.remedy;
end;
$$;
comment on function parley.refuse is 'Fails with PT403 as the decision says.';
