-- How large a file may be, by what it is and by the plan of its owner.

create or replace function parley.attachment_limits(
    user_id uuid, kind text, out max_bytes bigint, out max_seconds bigint
)
returns record
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_tier text := parley.tier_of(attachment_limits.user_id);
begin
    -- the kind's own row, also where that says unlimited
    select l.amount into max_bytes
    from parley.tier_limit as l
    where l.tier_name = v_tier and l.name in (format('max_%s_bytes', attachment_limits.kind), 'max_file_bytes')
    order by l.name <> 'max_file_bytes' or attachment_limits.kind = 'file' desc
    limit 1;
    select l.amount into max_seconds
    from parley.tier_limit as l
    where l.tier_name = v_tier and l.name = format('max_%s_seconds', attachment_limits.kind);
end;
$$;
comment on function parley.attachment_limits is
'How large and how long an attachment of this kind may be for the user. Null: unlimited.';
