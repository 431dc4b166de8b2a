"""Builds a deployment with a past: millions of messages in conversations of all sizes, with what belongs to them.

Everything goes straight into the tables, in sets, by the superuser of a throw-away cluster; what is built depends on the
number of messages and the moment only, so the first conversations are the same in a small and in a large database.

- Conversations have 1 to thousands of messages (a few most of them), one has a hundredth of all; two people, or up to 32.
- Messages are spread over the last half year and stored in the order they were sent, as in life: neighbours of a
  conversation lie far apart. Their words follow Zipf's law; one in twenty is Chinese.
- Some are deleted, hidden, answered, reacted to, mention somebody or will expire; people have read up to somewhere.
- The log has its 90 days of events. Keys of sends (message_key), which no reading looks at, are left out.
- The search index is built by parley.index_block, as the worker's job does it.
"""

from __future__ import annotations

import random
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

MONTHS, AVERAGE, WORDS, FRAGMENTS = 6, 100, 20_000, 50_000
FREQUENT = (
    "the be to of and a in that have it for not on with he as you do at this but his by from they we say her she or an "
    "will my one all would there their what so up out if about who get which go me when make can like time no just him "
    "know take people into year your good some could them see other than then now look only come its over think also"
).split()
CHINESE = (
    "我们 明天 今天 会议 项目 时间 价格 可以 谢谢 没有 问题 已经 什么 怎么 知道 现在 下午 上午 客户 合同 付款 发货 地址 电话 "
    "图片 设计 修改 颜色 尺寸 北京 上海 天气 航班 酒店 火车 晚饭 朋友 学校 老师 孩子 周末 生日 快乐 灯塔 书店 咖啡 音乐 电影"
).split()
# 20 characters: long enough to be rare, and found only as a part
LONG_CHINESE = "人民代表大会常务委员会第二十三次全体会议"


class Corpus:
    """The sizes of what is built, and the people and conversations that a benchmark asks for."""

    def __init__(self, messages: int, smallest: int, now: datetime):
        """`smallest` is the number of messages of the smallest database that is to have the same first conversations."""
        self.messages, self.now = messages, now
        self.deep = max(500, min(100_000, smallest // 10))
        self.conversations = messages // AVERAGE
        self.shared = smallest // AVERAGE
        # a deployment where one user has a thousand conversations has ten thousand
        self.busy = max(20, min(1000, self.shared // 10))
        self.start = now - timedelta(days=MONTHS * 30)


def fragments(seed: int) -> list[str]:
    """Pieces of 2 to 7 words, by Zipf's law, that messages are put together from."""
    rng = random.Random(seed)
    syllables = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "er", "is")]
    words = list(FREQUENT)
    known = set(words)
    while len(words) < WORDS:
        word = "".join(rng.choices(syllables, k=rng.choice((2, 2, 3, 3, 4))))
        if word not in known:
            known.add(word)
            words.append(word)
    weights = [1 / rank for rank in range(1, WORDS + 1)]
    cumulative = [weights[0]]
    for weight in weights[1:]:
        cumulative.append(cumulative[-1] + weight)
    chinese = [1 / rank for rank in range(1, len(CHINESE) + 1)]
    pieces = []
    for n in range(FRAGMENTS):
        if n % 20 == 7:
            pieces.append("".join(rng.choices(CHINESE, chinese, k=rng.randint(2, 6))) + "。")
        else:
            pieces.append(" ".join(rng.choices(words, cum_weights=cumulative, k=rng.randint(2, 7))))
    return pieces


def run(url: str, sql: str, stdin: str | None = None) -> str:
    """One session of psql; a statement after the other, each committed."""
    result = subprocess.run(
        ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", url, *(["-c", sql] if stdin is not None else ["-f", "-"])],
        input=stdin if stdin is not None else sql, stdout=subprocess.PIPE, text=True,
    )
    if result.returncode != 0:
        raise SystemExit(f"psql failed on:\n{sql[:2000]}")
    return result.stdout.strip()


def run_all(url: str, statements: list[str]) -> None:
    """Two at a time: that is how many cores there are."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda sql: run(url, sql), statements))


SESSION = """
set timezone = 'UTC';
set synchronous_commit = off;
set work_mem = '256MB';
set maintenance_work_mem = '256MB';
set jit = off;
set max_parallel_workers_per_gather = 0;
"""

# Everything at random comes from a hash, so that it can be asked for again. `span` is an interval's seconds.
HELPERS = """
create schema bench;
create function bench.hash(a bigint, b bigint, salt bigint) returns bigint language sql immutable parallel safe as
$$ select hashint8extended(a * 1000003 + b, salt) & 9223372036854775807 $$;
create function bench.share(a bigint, b bigint, salt bigint) returns double precision language sql immutable parallel safe as
$$ select (hashint8extended(a * 1000003 + b, salt) & 1048575) / 1048576.0::double precision $$;
create function bench.at(n bigint, seq bigint, start_at timestamptz, span double precision, messages bigint)
returns timestamptz language sql stable parallel safe as
$$ select start_at + ((seq - 1 + 0.9 * bench.share(n, seq, 1)) / messages * span) * interval '1 second' $$;
create function bench.v7(at timestamptz, a bigint, b bigint) returns uuid language sql stable parallel safe as
$$ select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7'
    || overlay(substr(md5(a || ':' || b), 1, 19) placing '8' from 4))::uuid $$;
create table bench.fragment (n integer not null, text text not null);
"""

PEOPLE = """
insert into parley.account (id, display_name, tier_name)
select md5('person ' || n)::uuid, 'Person ' || n, 'privileged_plus' from generate_series(0, {people}) n;
-- no limit of a rate stands in the way of measuring
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;
"""

CONVERSATIONS = """
create table bench.conversation as
select
    n, bench.v7(k.start_at, n, 0) as id, k.messages, k.members, k.start_at,
    greatest(3600, extract(epoch from k.end_at - k.start_at))::double precision as span
from (
    select
        n,
        case when n = 1 then {deep} else greatest(1, round({average} / 2 * ln(1 - s.size) ^ 2)) end::bigint as messages,
        case
            when n = 1 then 6
            when n % 10 < 7 then 2
            when n % 10 < 9 then 3 + bench.hash(n, 0, 2) % 6
            else 9 + bench.hash(n, 0, 2) % 24
        end::integer as members,
        case when n = 1 then '{start}'::timestamptz else '{start}'::timestamptz + s.began * ('{now}'::timestamptz - '{start}'::timestamptz) * 0.99 end
            as start_at,
        case when n = 1 then '{now}'::timestamptz
            else '{now}'::timestamptz - (1 - s.began) * s.ended ^ 3 * ('{now}'::timestamptz - '{start}'::timestamptz) * 0.9 end as end_at
    from generate_series(1, {conversations}) n
    cross join lateral (
        -- evenly spread, so that sums come out as meant
        select (n * 0.6180339887498949 % 1)::double precision as size, bench.share(n, 0, 3) as began, bench.share(n, 0, 4) as ended
    ) s
) k;
-- The first conversations are those of person 0. Of the others some are in many, most in few.
create table bench.member as
select n, row_number() over (partition by n order by k)::integer as k, user_id
from (
    select distinct on (n, user_id) n, k, user_id
    from (
        select
            c.n, k,
            md5('person ' || case
                when k = 1 and c.n <= {busy} then 0
                else 1 + floor((case when c.n <= {shared} then {shared_people} else {people} end) * bench.share(c.n, k, 5) ^ 2)::integer
            end)::uuid as user_id
        from bench.conversation c cross join lateral generate_series(1, c.members) k
    ) m
    order by n, user_id, k
) m;
update bench.conversation c set members = m.members from (select n, count(*)::integer as members from bench.member group by n) m
where m.n = c.n and m.members <> c.members;
alter table bench.conversation add primary key (n);
alter table bench.member add primary key (n, k);
analyze bench.conversation; analyze bench.member; analyze bench.fragment;
insert into parley.conversation (id, last_seq, last_event_seq, last_activity_at)
select id, messages, messages, bench.at(n, messages, start_at, span, messages) from bench.conversation order by start_at;
begin;
insert into parley.direct_conversation (user_low, user_high, conversation_id)
select least(a.user_id, b.user_id), greatest(a.user_id, b.user_id), c.id
from bench.conversation c
inner join bench.member a on a.n = c.n and a.k = 1
inner join bench.member b on b.n = c.n and b.k = 2
where c.members = 2
on conflict do nothing;
insert into parley.conversation_profile (conversation_id, type, title, created_by, created_at, updated_at)
select
    c.id, case when d.conversation_id is null then 'group' else 'direct' end,
    case when d.conversation_id is null then 'Group ' || c.n end, m.user_id, c.start_at, c.start_at
from bench.conversation c
inner join bench.member m on m.n = c.n and m.k = 1
left join parley.direct_conversation d on d.conversation_id = c.id
order by c.start_at;
commit;
"""

# One in three has not read the last messages; some of a group joined when it had a quarter of them.
PARTICIPANTS = """
insert into parley.participant (
    conversation_id, user_id, last_read_seq, last_delivered_seq, own_unread, history_from_seq, history_from_event_seq,
    joined_at, last_read_at, pinned_at, archived_at, muted_until, role
)
select
    c.id, m.user_id, r.read_seq, greatest(r.read_seq, c.messages - bench.hash(c.n, m.k, 7) % 2),
    (select count(*) from generate_series(r.read_seq + 1, c.messages) q where 1 + bench.hash(c.n, q, 11) % c.members = m.k),
    r.from_seq, r.from_seq, bench.at(c.n, r.from_seq, c.start_at, c.span, c.messages),
    bench.at(c.n, greatest(1, r.read_seq), c.start_at, c.span, c.messages),
    case when bench.hash(c.n, m.k, 8) % 200 = 0 then '{now}'::timestamptz end,
    case when bench.hash(c.n, m.k, 9) % 50 = 0 then '{now}'::timestamptz end,
    case when bench.hash(c.n, m.k, 10) % 30 = 0 then 'infinity'::timestamptz end,
    case when m.k = 1 then 'owner' else 'member' end
from bench.conversation c
inner join bench.member m on m.n = c.n
cross join lateral (
    select
        h.from_seq,
        greatest(h.from_seq - 1, case
            when bench.hash(c.n, m.k, 7) % 3 > 0 then c.messages
            else c.messages - floor(-20 * ln(1 - bench.share(c.n, m.k, 12)))::bigint
        end) as read_seq
    from (select case when m.k > 3 and bench.hash(c.n, m.k, 6) % 10 = 0 then c.messages / 4 + 1 else 1 end as from_seq) h
) r
order by c.start_at;
insert into parley.read_marker (conversation_id, user_id, seq, after_seq, read_at)
select p.conversation_id, p.user_id, s.seq, s.after_seq, p.joined_at + (p.last_read_at - p.joined_at) * (s.seq::double precision / p.last_read_seq)
from parley.participant p
cross join lateral (
    select i.from_seq + (p.last_read_seq - i.from_seq) * q / 4 as seq, i.from_seq + (p.last_read_seq - i.from_seq) * (q - 1) / 4 as after_seq
    from (select p.history_from_seq - 1 as from_seq) i cross join generate_series(1, 4) q
) s
where s.seq > s.after_seq;
"""

MESSAGES = """
insert into parley.{partition} (
    id, conversation_id, seq, sender_id, reply_to_id, created_at, deleted_at, expires_at, sender_role, type, content, mentions
)
select
    bench.v7(x.at, x.n, x.seq), x.id, x.seq, m.user_id,
    case
        when x.h % 20 = 3 and x.seq > 3
            then bench.v7(bench.at(x.n, x.seq - 3, x.start_at, x.span, x.messages), x.n, x.seq - 3)
    end,
    x.at,
    case when x.h % 100 = 11 then x.at + interval '1 minute' end,
    case when x.h % 200 = 21 then x.at + interval '400 days' end,
    case when m.k = 1 then 'owner' else 'member' end,
    'text',
    case
        when x.h % 100 = 11 then null
        when x.h % 50000 = 31 then a.text || ' {long_chinese} ' || b.text
        when x.h % 3 = 0 then a.text || ' ' || b.text
        else a.text || ' ' || b.text || ', ' || c.text
    end,
    case
        when x.h % 33 = 5
            then array[(select o.user_id from bench.member o where o.n = x.n and o.k = 1 + x.h / 100 % x.members)]
    end
from (
    select
        c.*, q.seq, bench.hash(c.n, q.seq, 20) as h, 1 + bench.hash(c.n, q.seq, 11) % c.members as k,
        bench.at(c.n, q.seq, c.start_at, c.span, c.messages) as at
    from bench.conversation c
    -- near enough; exactly below
    cross join lateral generate_series(
        greatest(1, floor(c.messages * extract(epoch from '{since}'::timestamptz - c.start_at) / c.span)::bigint - 1),
        least(c.messages, ceil(c.messages * extract(epoch from '{before}'::timestamptz - c.start_at) / c.span)::bigint + 2)
    ) q (seq)
) x
inner join bench.member m on m.n = x.n and m.k = x.k
inner join bench.fragment a on a.n = x.h % {fragments}
inner join bench.fragment b on b.n = x.h / 1000003 % {fragments}
inner join bench.fragment c on c.n = x.h / 9000000017 % {fragments}
where x.at >= '{since}' and x.at < '{before}'
order by x.at;
"""

BELONGINGS = [
    """
    insert into parley.message_uncounted (conversation_id, seq, message_id, sender_id, deleted_at, deleted_by)
    select conversation_id, seq, id, sender_id, deleted_at, sender_id from parley.message where deleted_at is not null;
    insert into parley.message_hidden (conversation_id, user_id, seq, message_id, own)
    select m.conversation_id, o.user_id, m.seq, m.id, o.user_id = m.sender_id
    from parley.message m
    inner join bench.conversation c on c.id = m.conversation_id
    inner join bench.member o on o.n = c.n and o.k = 1 + bench.hash(c.n, m.seq, 31) % c.members
    where bench.hash(c.n, m.seq, 30) % 200 = 0;
    insert into parley.reaction (conversation_id, message_id, user_id, emoji, created_at)
    select m.conversation_id, m.id, o.user_id, (array['👍', '❤️', '😂', '🎉'])[1 + bench.hash(c.n, m.seq, 34) % 4], m.created_at
    from parley.message m
    inner join bench.conversation c on c.id = m.conversation_id
    inner join bench.member o on o.n = c.n and o.k = 1 + bench.hash(c.n, m.seq, 33) % c.members
    where bench.hash(c.n, m.seq, 32) % 20 = 0 and m.deleted_at is null;
    """,
    # xid 3 is older than any snapshot. What is older than the log keeps counts as purged.
    """
    select setval(pg_get_serial_sequence('parley.event', 'id'), count(*)) from parley.message
    where created_at <= '{now}'::timestamptz - interval '90 days';
    update parley.log_state set
        purged_id = currval(pg_get_serial_sequence('parley.event', 'id')), purged_at = '{now}'::timestamptz - interval '90 days';
    insert into parley.event (event_seq, message_seq, conversation_id, actor_id, message_id, kind, xid, created_at)
    select seq, seq, conversation_id, sender_id, id, 'message:new', '3', created_at
    from parley.message where created_at > '{now}'::timestamptz - interval '90 days' order by id;
    update parley.consumer set max_id = (select max(id) from parley.event), snapshot = pg_current_snapshot() where name = 'search';
    """,
]

# What index_messages() does, in two sessions at once: it lets in only one.
INDEX = """
do $$
declare
    v record;
begin
    for v in select c.n, c.id, (c.messages - 1) / 32 as last_block from bench.conversation c where c.n % 2 = {half} order by c.n loop
        for v_block in 0..v.last_block loop
            perform parley.index_block(v.id, v_block, parley.search_language());
        end loop;
        if v.n / 2 % 500 = 0 then
            commit;
        end if;
    end loop;
end
$$;
"""


# What would be told wrong, if these formulas and those of the messages disagreed.
CHECK = """
select 'seq is not dense' where (select count(*) from parley.message) <> (select sum(last_seq) from parley.conversation)
union all
select 'own_unread of ' || p.user_id || ' in ' || p.conversation_id
from parley.participant p inner join bench.conversation c on c.id = p.conversation_id
where c.n <= 100 and p.own_unread <> (
    select count(*) from parley.message m where m.conversation_id = p.conversation_id and m.seq > p.last_read_seq and m.sender_id = p.user_id
)
union all
select 'not the message it answers: ' || m.id
from parley.message m inner join bench.conversation c on c.id = m.conversation_id
where c.n <= 100 and m.reply_to_id is not null
    and not exists (select from parley.message r where r.id = m.reply_to_id and r.conversation_id = m.conversation_id)
union all
select 'without its place in the search index: ' || m.id
from parley.message m inner join bench.conversation c on c.id = m.conversation_id
where c.n <= 100 and not exists (
    select from parley.search_block s where s.conversation_id = m.conversation_id and s.block = (m.seq - 1) / 32 and m.id between s.first_id and s.last_id
)
limit 5
"""


def partitions(url: str, corpus: Corpus) -> list[tuple[str, str, str]]:
    """Makes those of the past by the function that makes those of the future; (name, from, to) of all that get rows."""
    definition = run(url, "select pg_get_functiondef('parley.ensure_partitions'::regproc)")
    reaching_back = definition.replace("in -1..months_ahead", f"in -{MONTHS + 1}..months_ahead")
    if reaching_back == definition:
        raise SystemExit("ensure_partitions makes them otherwise than this benchmark thinks")
    run(url, f"{reaching_back}; select parley.ensure_partitions(); {definition}")
    months = []
    for name in run(
        url, "select relname from pg_class where relnamespace = 'parley'::regnamespace and relkind = 'r' and relname ~ '^message_[0-9]' order by 1"
    ).split():
        year, month = map(int, re.findall(r"\d+", name))
        since = datetime(year, month, 1, tzinfo=timezone.utc)
        before = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=timezone.utc)
        if before > corpus.start and since <= corpus.now:
            months.append((name, since.isoformat(), before.isoformat()))
    return months


def build(url: str, corpus: Corpus) -> None:
    """Fills an installed, empty database."""
    values = {
        "now": corpus.now.isoformat(), "start": corpus.start.isoformat(), "conversations": corpus.conversations,
        "deep": corpus.deep, "busy": corpus.busy, "shared": corpus.shared, "people": corpus.conversations // 2,
        "shared_people": corpus.shared // 2, "average": AVERAGE * (1 - corpus.deep / corpus.messages),
    }
    run(url, SESSION + HELPERS)
    run(url, "copy bench.fragment from stdin", "".join(f"{n}\t{text}\n" for n, text in enumerate(fragments(1))))
    months = partitions(url, corpus)
    run(url, SESSION + PEOPLE.format(**values) + CONVERSATIONS.format(**values))
    run_all(url, [SESSION + PARTICIPANTS.format(**values)] + [
        SESSION + MESSAGES.format(partition=name, since=since, before=before, fragments=FRAGMENTS, long_chinese=LONG_CHINESE)
        for name, since, before in reversed(months)
    ])
    # before anything is looked up in them
    run(url, SESSION + "vacuum analyze parley.message; vacuum analyze parley.conversation; vacuum analyze parley.participant;")
    run_all(url, [SESSION + part.format(**values) for part in BELONGINGS])
    run_all(url, [SESSION + INDEX.format(half=half) for half in (0, 1)])
    run(
        url,
        SESSION + "update parley.search_state set language = parley.terms_version(parley.search_language()), rebuild_after = null, rebuild_block = 0;"
        "vacuum analyze; checkpoint;"
    )
    wrong = run(url, CHECK)
    if wrong:
        raise SystemExit(f"the corpus is not as Parley would have made it: {wrong}")
    differences = run(url, "select kind, name, state from parley.catalog_differences()")
    if differences:
        raise SystemExit(f"the schema is not as it was installed:\n{differences}")
