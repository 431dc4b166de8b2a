-- Credentials for TURN servers: SHA-1 and HMAC against the published vectors, the form coturn expects, and what is refused.
begin;
select plan(34);
\ir ../people.psql

-- --- SHA-1 (FIPS 180-4) and HMAC-SHA1 (RFC 2202)
select is(encode(parley.sha1('abc'), 'hex'), 'a9993e364706816aba3e25717850c26c9cd0d89d', 'SHA-1 of abc');
select is(
    encode(parley.sha1('abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq'), 'hex'),
    '84983e441c3bd26ebaae4aa1f95129e5e54670f1', 'SHA-1 of two blocks'
);
create function t.sample(size integer) returns bytea language sql as $$
    select coalesce(string_agg(set_byte('\x00', 0, (i * 7 + size) % 256), '' order by i), '')
    from generate_series(0, size - 1) i
$$;
-- around every border of the padding; the digests are those of OpenSSL
select is(encode(parley.sha1(t.sample(s.size)), 'hex'), s.digest, format('SHA-1 of %s bytes', s.size))
from (
    values
    (0, 'da39a3ee5e6b4b0d3255bfef95601890afd80709'),
    (1, 'bf8b4530d8d246dd74ac53a13471bba17941dff7'),
    (3, '4201de9f98cb0a9b8cf52398be7802b55d45266a'),
    (54, '7fe50979b12cf9232dda5ca196ac5d968090bc2c'),
    (55, '63ac9708fb581dd150d3647549f9e0cb51dcf1df'),
    (56, '5a0c4d0eb2f15e05bbbff6b8dada9ae767fc03f0'),
    (57, '4e77d3077d2ab5167db3434c31cac3d15a3afc12'),
    (63, 'd94ff3ad53f9b9327704b812ee9c1f3abbba3d48'),
    (64, '5f55a35e13f1865e7ffc22dca1275b1a49b0ff56'),
    (65, 'd7f8931010f8342a97383e1410a58c47d057708b'),
    (118, 'b348b9a103899a241372402cdc7b44c9bf3a8fcd'),
    (119, '774001b5ad1f46b40c48e1b94cb092c593ead25b'),
    (120, '6ebf3111dc761f11b13f29df0484848785385973'),
    (127, '82d007f6e7e5672722c0717b6bea2ba6f17cd35c'),
    (128, '0a44ac02432f6ead67d86fcb70a4d8ce589e50ec'),
    (129, '461b146c523c63566b8bf8852dc8462116cf2e3f'),
    (300, 'c85d81e5e65c69fc968bf5b0c509dbdb80bc2c2d')
) as s (size, digest);
select is(
    encode(parley.hmac_sha1(decode(repeat('0b', 20), 'hex'), 'Hi There'), 'hex'),
    'b617318655057264e28bc0b6fb378c8ef146be00', 'RFC 2202 case 1'
);
select is(
    encode(parley.hmac_sha1('Jefe', 'what do ya want for nothing?'), 'hex'),
    'effcdf6ae5eb2fa2d27416d5f184df9c259a7c79', 'RFC 2202 case 2'
);
select is(
    encode(parley.hmac_sha1(decode(repeat('aa', 20), 'hex'), decode(repeat('dd', 50), 'hex')), 'hex'),
    '125d7342b9ac11cd91a39af48aa17b4f63f175d3', 'RFC 2202 case 3'
);
select is(
    encode(
        parley.hmac_sha1(
            decode(repeat('aa', 80), 'hex'), 'Test Using Larger Than Block-Size Key - Hash Key First'
        ),
        'hex'
    ),
    'aa4ae5e15272d00e95705637ce8a3b55ed402112', 'RFC 2202 case 6: a key longer than a block'
);

select is(
    encode(
        parley.hmac_sha1('0123456789abcdef0123456789abcdef', '1735689600:11111111-1111-4111-8111-111111111111'), 'base64'
    ),
    'q4mB9L1SebwC7iH62AztaADfPnM=',
    'a credential as OpenSSL makes it'
);

-- --- credentials
select t.act('ann');
select t.refused('PT503', 'select parley_api.get_turn_credentials()', 'without a server it says so');
select is(
    t.failure('select parley_api.get_turn_credentials()') ->> 'hint',
    'The operator sets turn_urls in parley.setting, and the secret with parley.set_turn_secret().', 'and what to do'
);
select t.refused('42501', $$select parley.set_turn_secret(repeat('s', 32))$$, 'users do not set the secret');
select t.host();
select t.refused('PT400', $$select parley.set_turn_secret('short')$$, 'a short secret is refused');
select parley.set_turn_secret('first ' || repeat('s', 32));
select parley.set_turn_secret('0123456789abcdef0123456789abcdef');
select t.act('ann');
select t.refused('PT503', 'select parley_api.get_turn_credentials()', 'a secret alone is not enough');
select t.host();
update parley.setting set value = 'turn:turn.example.com:3478?transport=udp, turns:turn.example.com:5349' where name = 'turn_urls';
update parley.setting set value = 'stun:stun.example.com' where name = 'stun_urls';
update parley.setting set value = '600' where name = 'turn_ttl_seconds';
select t.act('ann');
select parley_api.get_turn_credentials() as c \gset
select is(split_part(:'c'::jsonb ->> 'username', ':', 2), t.id('ann')::text, 'the user name names the user');
select is(
    split_part(:'c'::jsonb ->> 'username', ':', 1)::bigint - extract(epoch from clock_timestamp())::bigint between 598 and 601,
    true, 'after when it expires'
);
select is(
    :'c'::jsonb ->> 'credential',
    t.look(format(
        $$select encode(parley.hmac_sha1('0123456789abcdef0123456789abcdef', %L), 'base64')$$, :'c'::jsonb ->> 'username'
    )),
    'the credential is the HMAC of the user name, with the newest secret'
);
select is(
    :'c'::jsonb -> 'ice_servers',
    jsonb_build_array(
        '{"urls": ["stun:stun.example.com"]}'::jsonb,
        jsonb_build_object(
            'urls', '["turn:turn.example.com:3478?transport=udp", "turns:turn.example.com:5349"]'::jsonb,
            'username', :'c'::jsonb -> 'username', 'credential', :'c'::jsonb -> 'credential'
        )
    ),
    'the list of servers is what a browser takes'
);
select t.claim('anon', '{}');
select t.refused('42501', 'select parley_api.get_turn_credentials()', 'without a token there are none');
select * from finish();
rollback;
