-- What of a notification depends on its device.

create or replace function parley.push_target_json(job parley.push_job, device parley.push_device, secret text)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_token text := device.token;
    v_keys jsonb := device.keys;
    v_opened jsonb;
begin
    if device.token_sealed is not null then
        v_opened := parley.open_push_token(device.token_sealed, secret);
        if v_opened is null then
            return null;
        end if;
        v_token := v_opened ->> 'token';
        v_keys := v_opened -> 'keys';
    elsif device.provider = 'webhook' then
        -- a webhook for everybody is told whom it is about
        v_token := job.user_id;
    end if;
    return jsonb_strip_nulls(jsonb_build_object(
        'provider', device.provider,
        'app_id', device.app_id,
        'token', v_token,
        'kind', device.kind,
        'environment', device.environment,
        'p256dh', v_keys ->> 'p256dh',
        'auth', v_keys ->> 'auth',
        'platform', device.platform,
        'locale', device.locale,
        'registered_at', floor(extract(epoch from device.registered_at) * 1000)
    ));
end;
$$;
comment on function parley.push_target_json is
'Where a job goes: PushTarget of the workers. Null: the private key does not open the token.';

create or replace function parley.push_device_content(
    job parley.push_job, device parley.push_device, content jsonb, privacy text, badge bigint
)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if job.kind in ('message', 'call', 'call_end') then
        if push_device_content.privacy <> 'full' or device.privacy <> 'full' then
            content := jsonb_set(content, '{privacy}', to_jsonb(
                parley.push_privacy(push_device_content.privacy, device.privacy, content ->> 'privacy')
            ));
        end if;
        -- apps on phones know where to go
        if device.provider in ('webpush', 'webhook') then
            content := content || jsonb_strip_nulls(jsonb_build_object(
                'url', parley.push_link(job.conversation_id, (content ->> 'message_id')::uuid)
            ));
        end if;
    end if;
    return case
        when push_device_content.badge is null then content
        else content || jsonb_build_object('badge', push_device_content.badge)
    end;
end;
$$;
comment on function parley.push_device_content is
'What a notification says on one device. privacy: the setting push_privacy; badge: null for none.';
