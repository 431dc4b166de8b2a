-- Who may reach the caller, and what others learn of the caller.

create or replace function parley.privacy_json(account parley.account)
returns jsonb
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'message_privacy', coalesce(account.message_privacy, 'everyone'),
        'read_receipts', coalesce(account.read_receipts, true),
        'show_presence', coalesce(account.show_presence, true)
    );
end;
$$;
comment on function parley.privacy_json is 'The privacy settings of an account; of one that is not there yet the defaults.';

create or replace function parley.get_privacy()
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := parley.require_caller();
    v_account parley.account;
begin
    select a.* into v_account from parley.account as a where a.id = v_user_id;
    return parley.privacy_json(v_account);
end;
$$;
comment on function parley.get_privacy is
'The caller''s privacy settings: {message_privacy, read_receipts, show_presence}.';
grant execute on function parley.get_privacy to authenticated;

create or replace function parley.set_privacy(
    message_privacy text default null, read_receipts boolean default null, show_presence boolean default null
)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.provision_caller();
    v_account parley.account;
begin
    if set_privacy.message_privacy not in ('everyone', 'friends', 'following', 'no_one') then
        raise exception using
            errcode = 'PT400',
            message = 'message_privacy must be everyone, friends, following or no_one.';
    end if;
    perform parley.lock_rules_of(v_user_id);
    update parley.account as a
    set
        message_privacy = coalesce(set_privacy.message_privacy, a.message_privacy),
        read_receipts = coalesce(set_privacy.read_receipts, a.read_receipts),
        show_presence = coalesce(set_privacy.show_presence, a.show_presence),
        updated_at = now()
    where a.id = v_user_id
        and (
            a.message_privacy <> coalesce(set_privacy.message_privacy, a.message_privacy)
            or a.read_receipts <> coalesce(set_privacy.read_receipts, a.read_receipts)
            or a.show_presence <> coalesce(set_privacy.show_presence, a.show_presence)
        );
    select a.* into strict v_account from parley.account as a where a.id = v_user_id;
    return parley.privacy_json(v_account);
end;
$$;
comment on function parley.set_privacy is
'Changes privacy settings of the caller; those left out stay. message_privacy: who may start with, add or call the caller: everyone, friends (who follow each other), following (whom the caller follows), no_one. Without read_receipts the caller neither shows nor sees when messages are read. Without show_presence others do not see the caller online.';
grant execute on function parley.set_privacy to authenticated;

-- Whoever writes the row: the application may keep these settings, too.
create or replace function parley.announce_privacy()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform parley.append_event(
        null, 'privacy:updated', new.id, null, null, new.id, parley.privacy_json(new)
    );
    return null;
end;
$$;
comment on function parley.announce_privacy is
'Trigger: the devices of a user, and the worker, learn of other privacy settings at this place in the log.';

create trigger account_privacy_trigger
after update of message_privacy, read_receipts, show_presence on parley_wanted.account
for each row
when (
    old.message_privacy <> new.message_privacy
    or old.read_receipts <> new.read_receipts
    or old.show_presence <> new.show_presence
)
execute function parley.announce_privacy();
comment on trigger account_privacy_trigger on parley_wanted.account is 'Announces other privacy settings.';
