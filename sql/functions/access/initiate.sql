-- Who may begin a conversation.

create or replace function parley.require_initiator(user_id uuid, type text, tenant_id uuid, app_role text)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if not exists (
        select from parley.tenant_member as t
        where t.tenant_id = require_initiator.tenant_id
            and t.user_id = require_initiator.user_id
            and t.role in ('owner', 'manager')
    ) and not parley.is_entitled(
        require_initiator.user_id,
        case when require_initiator.type = 'direct' then 'can_initiate_direct_messages' else 'can_create_groups' end
    ) then
        raise exception using
            errcode = 'PT403',
            message = 'Your plan does not include starting conversations.',
            hint = 'You can still answer in the conversations you are in.';
    end if;
    if require_initiator.type = 'direct'
        and parley.setting_value('initiating_app_roles') ~ '[^[:space:]]'
        and not coalesce(
            require_initiator.app_role = any (string_to_array(parley.setting_value('initiating_app_roles'), ',')), false
        )
    then
        raise exception using
            errcode = 'PT403',
            message = 'In this role you cannot start a conversation.',
            hint = format('app_roles must give you one of: %s.', parley.setting_value('initiating_app_roles'));
    end if;
    perform parley.take_tier_token(require_initiator.user_id, 'new_conversations_per_day');
end;
$$;
comment on function parley.require_initiator is
'May the user start a conversation of that type: by tier, or as a manager of the tenant, and in that role in the application; takes one token of the daily limit.';
