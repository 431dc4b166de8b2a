-- How large a file may be, by what it is and by the plan of its owner.

create or replace function parley.attachment_limits(
    user_id uuid, kind text, out max_bytes bigint, out max_seconds bigint
)
returns record
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_bytes text := format('max_%s_bytes', kind);
    v_seconds text := format('max_%s_seconds', kind);
    v_kinds text[] := array(select k.name from parley.limit_kind as k where k.name in (v_bytes, v_seconds));
begin
    max_bytes := parley.limit_of(user_id, case when v_bytes = any (v_kinds) then v_bytes else 'max_file_bytes' end);
    if v_seconds = any (v_kinds) then
        max_seconds := parley.limit_of(user_id, v_seconds);
    end if;
end;
$$;
comment on function parley.attachment_limits is
'How large and how long an attachment of this kind may be for the user. Null: unlimited.';
