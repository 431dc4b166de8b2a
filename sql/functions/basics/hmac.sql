-- Keyed hashes. PostgreSQL's core has SHA-256 but no HMAC and no SHA-1, so both are built here (RFC 2104, RFC 3174),
-- instead of requiring an extension. The few blocks of a cursor or a password take a millisecond.

create or replace function parley.hmac_sha256(key bytea, message bytea)
returns bytea
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_key bytea := case when octet_length(key) > 64 then sha256(key) else key end;
    v_inner bytea := decode(repeat('36', 64), 'hex');
    v_outer bytea := decode(repeat('5c', 64), 'hex');
    v_byte integer;
begin
    for i in 0 .. octet_length(v_key) - 1 loop
        v_byte := get_byte(v_key, i);
        v_inner := set_byte(v_inner, i, v_byte # 54);
        v_outer := set_byte(v_outer, i, v_byte # 92);
    end loop;
    return sha256(v_outer || sha256(v_inner || message));
end
$$;
comment on function parley.hmac_sha256 is 'HMAC-SHA256 (RFC 2104).';

create or replace function parley.sha1(data bytea)
returns bytea
language plpgsql immutable strict parallel safe security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_mask constant bigint := 4294967295;
    v_padded constant bytea := data || E'\\x80'::bytea
        || decode(repeat('00', ((119 - octet_length(data) % 64) % 64)), 'hex')
        || int8send(octet_length(data)::bigint * 8);
    v_w bigint[];
    v_h0 bigint := 1732584193;
    v_h1 bigint := 4023233417;
    v_h2 bigint := 2562383102;
    v_h3 bigint := 271733878;
    v_h4 bigint := 3285377520;
    v_a bigint;
    v_b bigint;
    v_c bigint;
    v_d bigint;
    v_e bigint;
    v_x bigint;
begin
    for v_block in 0..octet_length(v_padded) / 64 - 1 loop
        for v_i in 0..15 loop
            v_w[v_i] := (get_byte(v_padded, v_block * 64 + v_i * 4)::bigint << 24)
                | (get_byte(v_padded, v_block * 64 + v_i * 4 + 1)::bigint << 16)
                | (get_byte(v_padded, v_block * 64 + v_i * 4 + 2)::bigint << 8)
                | get_byte(v_padded, v_block * 64 + v_i * 4 + 3)::bigint;
        end loop;
        for v_i in 16..79 loop
            v_x := v_w[v_i - 3] # v_w[v_i - 8] # v_w[v_i - 14] # v_w[v_i - 16];
            v_w[v_i] := ((v_x << 1) & v_mask) | (v_x >> 31);
        end loop;
        v_a := v_h0;
        v_b := v_h1;
        v_c := v_h2;
        v_d := v_h3;
        v_e := v_h4;
        for v_i in 0..79 loop
            v_x := (((v_a << 5) & v_mask) | (v_a >> 27)) + v_e + v_w[v_i] + case
                when v_i < 20 then ((v_b & v_c) | ((v_mask # v_b) & v_d)) + 1518500249
                when v_i < 40 then (v_b # v_c # v_d) + 1859775393
                when v_i < 60 then ((v_b & v_c) | (v_b & v_d) | (v_c & v_d)) + 2400959708
                else (v_b # v_c # v_d) + 3395469782
            end;
            v_e := v_d;
            v_d := v_c;
            v_c := ((v_b << 30) & v_mask) | (v_b >> 2);
            v_b := v_a;
            v_a := v_x & v_mask;
        end loop;
        v_h0 := (v_h0 + v_a) & v_mask;
        v_h1 := (v_h1 + v_b) & v_mask;
        v_h2 := (v_h2 + v_c) & v_mask;
        v_h3 := (v_h3 + v_d) & v_mask;
        v_h4 := (v_h4 + v_e) & v_mask;
    end loop;
    return substr(int8send(v_h0), 5) || substr(int8send(v_h1), 5) || substr(int8send(v_h2), 5)
        || substr(int8send(v_h3), 5) || substr(int8send(v_h4), 5);
end;
$$;
comment on function parley.sha1 is 'SHA-1 (FIPS 180-4). For HMAC only: it no longer resists collisions.';

create or replace function parley.hmac_sha1(key bytea, message bytea)
returns bytea
language plpgsql immutable strict parallel safe security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_key bytea := case when octet_length(key) > 64 then parley.sha1(key) else key end;
    v_inner bytea := decode(repeat('36', 64), 'hex');
    v_outer bytea := decode(repeat('5c', 64), 'hex');
begin
    for v_i in 0..octet_length(v_key) - 1 loop
        v_inner := set_byte(v_inner, v_i, get_byte(v_key, v_i) # 54);
        v_outer := set_byte(v_outer, v_i, get_byte(v_key, v_i) # 92);
    end loop;
    return parley.sha1(v_outer || parley.sha1(v_inner || message));
end;
$$;
comment on function parley.hmac_sha1 is 'HMAC-SHA1 (RFC 2104).';
