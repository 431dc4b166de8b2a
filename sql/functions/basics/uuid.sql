-- UUIDv7: 48 bits of milliseconds, then random bits. Messages are partitioned by it, so a time becomes a bound on id.

-- plpgsql, whose plans are kept: an SQL function with a search_path of its own is planned anew in every statement.
create or replace function parley.uuid_v7(at timestamptz default clock_timestamp())
returns uuid
language plpgsql volatile security invoker parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    -- a random v4 uuid with the time laid over its first 48 bits; 0100 becomes 0111 by setting two bits
    return encode(
        set_bit(
            set_bit(
                overlay(
                    uuid_send(gen_random_uuid()),
                    substring(int8send((extract(epoch from at) * 1000)::bigint) from 3),
                    1,
                    6
                ),
                52, 1
            ),
            53, 1
        ),
        'hex'
    )::uuid;
end;
$$;
comment on function parley.uuid_v7 is 'A new UUIDv7 of that time, by default of now.';

create or replace function parley.uuid_v7_floor(at timestamptz)
returns uuid
language plpgsql immutable security invoker parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return encode(
        substring(int8send(greatest(0, floor(extract(epoch from at) * 1000))::bigint) from 3)
        || E'\\x00000000000000000000'::bytea,
        'hex'
    )::uuid;
end;
$$;
comment on function parley.uuid_v7_floor is
'The smallest uuid of that millisecond: ids of that time or later are not below it.';
