-- The names of users in what the server writes.

create or replace function parley.display_name_of(user_id uuid)
returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return (
        select coalesce(
            (
                select case when a.deleted_at is null then a.display_name else '[Deleted User]' end
                from parley.account as a
                where a.id = display_name_of.user_id
            ),
            'A member'
        )
    );
end;
$$;
comment on function parley.display_name_of is 'Name of a user in a system message.';

create or replace function parley.actor_name(user_id uuid)
returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return case when user_id is null then 'The administration' else parley.display_name_of(user_id) end;
end;
$$;
comment on function parley.actor_name is 'Who did something, in a system message; null: the host application.';

create or replace function parley.people_of(who text)
returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
    select case who when 'everyone' then 'everyone' else 'only admins' end
$$;
comment on function parley.people_of is 'everyone or admins_only in words.';

-- A host may write these rows itself. Only names that are not plain letters of ASCII are looked at closely.
create or replace function parley.check_name()
returns trigger
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform parley.require_name(to_jsonb(new) ->> tg_argv[0], tg_argv[0]);
    return new;
end;
$$;
comment on function parley.check_name is
'Trigger: the name that stands in the column of its argument shows something, within one line and in one direction, or PT400, whoever writes it.';

create trigger account_name_trigger
before insert or update of display_name on parley_wanted.account
for each row
when (new.display_name ~ '[^ -~]' or new.display_name !~ '[!-~]')
execute function parley.check_name('display_name');
comment on trigger account_name_trigger on parley_wanted.account is 'Refuses names that could not be shown in one line.';

create trigger tenant_name_trigger
before insert or update of name on parley_wanted.tenant
for each row
when (new.name ~ '[^ -~]' or new.name !~ '[!-~]')
execute function parley.check_name('name');
comment on trigger tenant_name_trigger on parley_wanted.tenant is 'Refuses names that could not be shown in one line.';
