-- Cursors that clients hold: a position, bound to its user, to the epoch of the log and to the event it ends with, and
-- signed. Nobody can make one up, use another user's, or move one; its content is not secret, only its origin matters.
-- PostgreSQL's core has SHA-256 but no HMAC, so that is built here after RFC 2104, instead of requiring an extension.

create or replace function parley.encode_cursor(
    user_id uuid, epoch text, snapshot pg_snapshot, max_id bigint, inbox_after uuid, at timestamptz
)
returns text
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select b.body || '.' || encode(parley.hmac_sha256(s.value, convert_to(b.body, 'UTF8')), 'hex')
    from parley.secret s
    cross join (
        select translate(
            encode(
                convert_to(
                    concat_ws(
                        '|', 'sync2', user_id, epoch, snapshot, max_id, coalesce(inbox_after::text, '-'),
                        floor(extract(epoch from at)),
                        -- what the highest event is
                        coalesce(
                            (
                                select e.xid || ',' || (extract(epoch from e.created_at) * 1000000)::bigint
                                from parley.event e
                                where e.id = max_id
                            ),
                            '-'
                        )
                    ),
                    'UTF8'
                ),
                'base64'
            ),
            E'+/=\n', '-_'
        ) as body
    ) b
    where s.name = 'cursor_key'
$$;
comment on function parley.encode_cursor is
'A signed cursor of sync: a position in the log, and while the inbox is being loaded the last conversation loaded.';

create or replace function parley.decode_cursor(
    cursor text,
    user_id uuid,
    out epoch text,
    out snapshot pg_snapshot,
    out max_id bigint,
    out inbox_after uuid,
    out at timestamptz,
    out event_xid xid8,
    out event_at timestamptz
)
returns record
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_match text[] := regexp_match(cursor, E'^([A-Za-z0-9_-]+)\\.([0-9a-f]{64})$');
    v_part text[];
begin
    -- The signature is over the encoded text, so nothing is decoded before it has been proved to be ours. Hashes are
    -- compared: the time that takes says nothing about the signature.
    if v_match is not null
        and sha256(decode(v_match[2], 'hex')) = (
            select sha256(parley.hmac_sha256(s.value, convert_to(v_match[1], 'UTF8')))
            from parley.secret s
            where s.name = 'cursor_key'
        )
    then
        v_part := string_to_array(
            convert_from(
                decode(
                    rpad(translate(v_match[1], '-_', '+/'), (length(v_match[1]) + 3) / 4 * 4, '='), 'base64'
                ),
                'UTF8'
            ),
            '|'
        );
    end if;
    if v_part is null or v_part[1] <> 'sync2' or v_part[2]::uuid <> decode_cursor.user_id then
        raise exception using
            errcode = 'PT400',
            message = 'The cursor is not valid.',
            hint = 'Pass the cursor of the last answer unchanged, as the same user, or none to start afresh.';
    end if;
    epoch := v_part[3];
    snapshot := v_part[4]::pg_snapshot;
    max_id := v_part[5]::bigint;
    inbox_after := nullif(v_part[6], '-')::uuid;
    at := to_timestamp(v_part[7]::bigint);
    event_xid := split_part(nullif(v_part[8], '-'), ',', 1)::xid8;
    event_at := timestamptz 'epoch' + split_part(nullif(v_part[8], '-'), ',', 2)::bigint * interval '1 microsecond';
end
$$;
comment on function parley.decode_cursor is
'The content of a cursor made by encode_cursor for this user; PT400 for any other text.';
