-- A participant as the others see them, and as they see themselves.

create or replace function parley.shares_receipts(user_id uuid)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return coalesce((select a.read_receipts from parley.account as a where a.id = shares_receipts.user_id), true);
end;
$$;
comment on function parley.shares_receipts is
'False if the user has turned read receipts off, and so neither shows nor sees any. True for nobody in particular.';

create or replace function parley.shares_my_receipts()
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return parley.shares_receipts(parley.current_user_id());
end;
$$;
comment on function parley.shares_my_receipts is 'False if the caller has turned read receipts off.';
grant execute on function parley.shares_my_receipts to authenticated;

create or replace function parley.participant_with_account_json(
    participant parley.participant, account parley.account, with_receipts boolean default true
)
returns jsonb
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    -- a block stops the clock for the one who is blocked
    v_read_seq constant bigint := case
        when account.read_receipts and with_receipts then coalesce(participant.shown_read_seq, participant.last_read_seq)
    end;
begin
    return jsonb_build_object(
        'user_id', participant.user_id,
        'display_name', case when account.deleted_at is null then account.display_name else '[Deleted User]' end,
        'role', participant.role,
        'app_role', participant.app_role,
        'joined_at', participant.joined_at,
        'left_at', participant.left_at,
        'last_read_seq', v_read_seq,
        -- what was read has arrived, but private reading shows nowhere
        'last_delivered_seq', greatest(participant.last_delivered_seq, v_read_seq)
    );
end;
$$;
comment on function parley.participant_with_account_json is
'A participant as the others see them: never their own settings, and no read horizon if they keep receipts to themselves, or whoever looks does (with_receipts: false).';

create or replace function parley.participant_json(participant parley.participant, with_receipts boolean default true)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_account parley.account;
begin
    select a.* into v_account from parley.account as a where a.id = participant.user_id;
    return parley.participant_with_account_json(participant, v_account, with_receipts);
end;
$$;
comment on function parley.participant_json is 'A participant as the others see them, with the account looked up.';

create or replace function parley.my_settings_json(participant parley.participant)
returns jsonb
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'role', participant.role,
        'app_role', participant.app_role,
        'last_read_seq', participant.last_read_seq,
        'last_read_at', participant.last_read_at,
        'last_delivered_seq', greatest(participant.last_delivered_seq, participant.last_read_seq),
        'history_from_seq', participant.history_from_seq,
        'marked_unread', participant.marked_unread,
        'muted_until', participant.muted_until,
        'is_muted', coalesce(participant.muted_until > now(), false),
        'pinned_at', participant.pinned_at,
        'archived_at', participant.archived_at,
        'notification_level', participant.notification_level,
        'notifications_enabled', participant.notification_level <> 'none',
        'folder', participant.folder,
        'deleted_seq', participant.deleted_seq
    );
end;
$$;
comment on function parley.my_settings_json is 'A participant''s own state and settings, for nobody else.';
