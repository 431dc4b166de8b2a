-- Signals of spam: texts that say nearly the same, and links that are not as they look.
begin;
select plan(47);
\ir ../people.psql

create function t.bits_apart(a text, b text) returns bigint language sql as $$
    select bit_count((parley.simhash(parley.spam_words($1)) # parley.simhash(parley.spam_words($2)))::bit(64))
$$;
create function t.links(content text) returns text language sql as $$
    select coalesce(string_agg(concat_ws(' ', l.url, nullif(l.shapes::text, '{}')), ', '), 'none') from unnest(parley.links_of($1)) l
$$;
\set offer '''Dear friend, I sell original watches at half the price, write to me today and I send you pictures of them'''

-- words
select is(parley.spam_words('Call 0906, NOW: it''s fr-ee!'), '{call,0000,now,it,s,fr,ee}', 'words are folded, and each digit is the same');
select is(parley.spam_words(E'ＷＩＮ Cäsh\tｎow'), '{win,cash,now}', 'wide letters and accents as well');
select is(cardinality(parley.spam_words('今天晚上一起吃饭吗我请客你来不来')), 15, 'a script without spaces is cut into pieces');
select is(cardinality(parley.spam_words(repeat('word ', 2000))), 800, 'a long text costs no more than 4,000 characters');
select is(parley.simhash('{}'), null, 'no words have no SimHash');

-- nearly the same
select is(t.bits_apart(:offer, :offer), 0::bigint, 'the same text is the same');
select is(t.bits_apart(:offer, upper(:offer) || '!!!'), 0::bigint, 'also in capitals');
select cmp_ok(t.bits_apart(:offer, replace(:offer, 'friend', 'Bob')), '<=', 10::bigint, 'with another name it is nearly the same');
select cmp_ok(t.bits_apart(:offer, :offer || ' (nr 4711)'), '<=', 10::bigint, 'with a number behind it as well');
select cmp_ok(
    t.bits_apart(:offer, 'Is the bicycle still there? I could come on Saturday morning and pick it up at your place'), '>', 10::bigint,
    'another text is another'
);
select cmp_ok(t.bits_apart(repeat(:offer || ' ', 30), 'Good morning! ' || repeat(:offer || ' ', 30)), '<=', 10::bigint, 'long ones compare, too');
select is(
    parley.simhash(array_fill('a'::text, array[31]) || array_fill('b'::text, array[31])),
    parley.simhash(array[case when hashtextextended('a', 0) < hashtextextended('b', 0) then 'a' else 'b' end]),
    'of a text of more than 31 words 31 vote, as often as each is there'
);
select is(
    t.bits_apart(repeat('fine ', 20) || 'watches sold here to you for half of that price', repeat('fine ', 20) || 'watches sold here to you for half of that price today my friend'), 0::bigint,
    'a word said often weighs as much in 32 words as in 29'
);
select is(
    (
        select count(*) from generate_series(1, 200) i
        where t.bits_apart(
            (select string_agg(md5((i * 100 + j)::text), ' ') from generate_series(1, 20) j),
            (select string_agg(md5((i * 100 + j)::text), ' ') from generate_series(21, 40) j)
        ) <= 10
    ),
    0::bigint, 'of 200 pairs that share no word none is nearly the same'
);

-- links
select is(t.links('see https://example.com/a?b=1#c.'), 'https://example.com/a?b=1#c', 'a link ends before the full stop');
select is(t.links('see www.Example.com, or example.org/x'), 'http://www.example.com, http://example.org/x', 'without a scheme it is one, too');
select is(t.links('write to me@example.com'), 'none', 'an address of mail is none');
select is(t.links('I see.Then 3.50 e.g. this.or that'), 'none', 'nor is a full stop without a space');
select is(t.links('https://paypal.com@example.net/x'), 'https://example.net/x {credentials}', 'what stands before the @ is not the host');
select is(t.links('http://user:pass@example.net'), 'http://example.net {credentials}', 'with a password or without');
select is(t.links('http://192.168.0.1/a'), 'http://192.168.0.1/a {ip}', 'a number for a host');
select is(t.links('http://3232235777/'), 'http://3232235777/ {ip}', 'written as one number');
select is(t.links('http://0xC0.0xA8.1/'), 'http://0xc0.0xa8.1/ {ip}', 'or in hexadecimal');
select is(t.links('http://[2001:db8::1]:8080/'), 'http://[2001:db8::1]:8080/ {ip}', 'or of IPv6');
select is(t.links('http://10.example.com/'), 'http://10.example.com/', 'but not a name with a number in it');
select is(t.links('http://xn--80ak6aa92e.com'), 'http://xn--80ak6aa92e.com {punycode}', 'punycode');
select is(t.links('http://раypal.com'), 'http://раypal.com {mixed_script}', 'letters of two scripts in a label');
select is(t.links('http://почта.example.com'), 'http://почта.example.com', 'but not two labels, each in a script of its own');
select is(t.links('http://xn--ypal-43d9g.com'), 'http://xn--ypal-43d9g.com {punycode,mixed_script}', 'also where punycode hides it');
select is(t.links(E'http://exam\u200bple.com/ ｅxample．com'), 'http://example.com/, http://example.com', 'what shows nothing and wide letters hide nothing');
select is(cardinality(parley.links_of(repeat('http://example.com ', 200))), 50, 'fifty links are read');
select is(t.links(repeat('x', 10000) || ' http://example.com'), 'none', 'of 10,000 characters');

-- RFC 3492, 7.1
select is(parley.punycode_decoded('xn--mnchen-3ya'), 'münchen', 'punycode is decoded');
select is(parley.punycode_decoded('xn--ihqwcrb4cv8a8dqg056pqjye'), '他们为什么不说中文', 'Chinese');
select is(parley.punycode_decoded('xn--b1abfaaepdrnnbgefbadotcwatmq2g4l'), 'почемужеонинеговорятпорусски', 'Russian');
select is(parley.punycode_decoded('xn--3B-ww4c5e180e575a65lsy2b'), '3年b組金八先生', 'with ASCII in it');
select is(parley.punycode_decoded('xn--99999999'), 'xn--99999999', 'what is none stays');
select is(parley.punycode_decoded('xn--zzzzzzzzzzzzzzzzzzzz'), 'xn--zzzzzzzzzzzzzzzzzzzz', 'also a number beyond all characters');
select is(parley.punycode_decoded('example'), 'example', 'and what is not meant to be any');

-- look-alikes
select ok(parley.imitates('paypa1.com', 'paypal.com'), 'a digit for a letter imitates');
select ok(parley.imitates('xn--80ak6aa92e.com', 'apple.com'), 'so do Cyrillic letters');
select ok(parley.imitates('rnicrosoft.com', 'microsoft.com'), 'and two letters that run together');
select ok(parley.imitates('paypal.com.example.net', 'paypal.com'), 'and its whole name before another');
select ok(not parley.imitates('paypal.com', 'paypal.com'), 'it does not imitate itself');
select ok(not parley.imitates('www.paypal.com', 'paypal.com'), 'nor with www');
select ok(not parley.imitates('mail.paypal.com', 'paypal.com'), 'nor below it');
select ok(not parley.imitates('example.com', 'paypal.com'), 'another host does not');

select * from finish();
rollback;
