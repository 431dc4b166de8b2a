"""Reading and searching 10 million messages in 100,000 conversations: what does it cost, and what does it depend on?

    make bench-history                                    (PARLEY_BENCH_MESSAGES=100000 for a quick look)

Two databases with the same first conversations, the one with ten times the messages of the other (lib/corpus.py), in a
throw-away cluster without fsync. Everything is asked through the API functions, as `authenticated` with the claims of
the same user, who is in 1,000 conversations, one of them with 100,000 messages. Each call is made in turns here and
there, with many different arguments; figures are medians of times seen by a client on the same machine.
Promises: no call costs more than 1.5 times as much in the large database, a page in the depth of a conversation or of
the inbox no more than 1.5 times the first; reading the view costs at most 1.3 times what the same query costs its owner
with the same condition written out; auto_explain sees no scan of a table that grows. The peer has the messages of the
small database in the tables most teams write first (peers/plain_history.sql); for a rare word its index of all messages
is the shorter way, for a page it shows rows without reactions, receipts, quoted messages or anything hidden.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from datetime import datetime, timezone
from pathlib import Path

import asyncpg

from lib.bench import Verdict, median
from lib.corpus import LONG_CHINESE, Corpus, build, run
from parley import Cluster

MESSAGES = int(os.environ.get("PARLEY_BENCH_MESSAGES", "10000000"))
ROUNDS = int(os.environ.get("PARLEY_BENCH_ROUNDS", "40"))
SMALL, LARGE = "parley", "large"
# Seconds for one call at the most: nothing here has a reason to take longer, and a peer may.
LIMIT = 10

SETTINGS = {
    "shared_buffers": "2GB", "wal_level": "minimal", "max_wal_senders": "0", "max_wal_size": "4GB",
    "checkpoint_timeout": "30min", "full_page_writes": "off", "autovacuum": "off", "synchronous_commit": "off",
    "effective_cache_size": "6GB", "random_page_cost": "1.1",
}

VIEW = "select coalesce(json_agg(p), '[]') from (select * from parley_api.messages as m where {where} order by m.seq desc limit 50) as p"
# The policy of parley.message, written out: without its comments, which would swallow what follows.
POLICY = (Path(__file__).resolve().parents[1] / "policies" / "message.sql").read_text().split("using (")[1].split("\n);")[0]
CONDITION = "m.conversation_id = $1 and m." + re.sub(r"\s*--[^\n]*", "", POLICY).replace("message.", "m.").strip()
# What has rows by the number of users, conversations or messages: all tables but these.
FEW_ROWS = set(
    "attachment_kind consumer expected_object job log_state media_type message_type migration search_state secret setting "
    "tier tier_entitlement tier_limit worker".split()
)

PEER_PAGE = (
    "select coalesce(json_agg(p), '[]') from (select * from plain.messages where conversation_id = $1 "
    "order by created_at desc limit 50 offset $2) as p"
)
PEER_SEARCH = "select coalesce(json_agg(p), '[]') from plain.search($1) as p"
PEER_SEARCH_BY_POLICY = (
    "select coalesce(json_agg(p), '[]') from (select * from plain.messages "
    "where to_tsvector('simple', content) @@ websearch_to_tsquery('simple', $1) order by created_at desc limit 20) as p"
)


class Call:
    """One statement with its arguments, in turns."""

    def __init__(self, sql: str, arguments: list[tuple]):
        self.sql, self.arguments = sql, arguments


def claims(user: str) -> str:
    return json.dumps({"sub": user, "role": "authenticated"})


async def connect(url: str, user: str | None, owner: bool = False) -> asyncpg.Connection:
    """A session of the user, as the API role or as the owner of the tables; without a user the superuser's."""
    connection = await asyncpg.connect(url)
    if user is not None:
        await connection.execute(f"set statement_timeout = '{LIMIT}s'")
        await connection.execute(f"set request.jwt.claims = '{claims(user)}'")
        await connection.execute(f"set role {'parley_owner' if owner else 'authenticated'}")
    return connection


async def timed(connection: asyncpg.Connection, call: Call, turn: int) -> float:
    """Milliseconds of one call; those of the limit if it was not done by then."""
    arguments = call.arguments[turn % len(call.arguments)]
    start = time.perf_counter()
    try:
        answer = await connection.fetchval(call.sql, *arguments)
    except asyncpg.QueryCanceledError:
        return LIMIT * 1000.0
    if answer is None:
        raise SystemExit(f"no answer to {call.sql} of {arguments}")
    return (time.perf_counter() - start) * 1000


async def compare(sides: dict[str, tuple[asyncpg.Connection, Call]], rounds: int = ROUNDS) -> dict[str, float]:
    """Medians of all sides, in turns, another one first each time. The first calls are not counted: they plan, and read the disk."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(-min(rounds, 10), rounds):
        order = list(sides)
        for name in order[turn % len(order):] + order[: turn % len(order)]:
            connection, call = sides[name]
            taken = await timed(connection, call, turn)
            if turn >= 0:
                times[name].append(taken)
            if taken >= LIMIT * 1000:
                times[name] = [taken] * rounds
        sides = {name: side for name, side in sides.items() if LIMIT * 1000.0 not in times[name]}
        if not sides:
            break
    return {name: median(values) for name, values in times.items()}


def counted(pieces: list[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for piece in pieces:
        for word in set(piece.split()):
            counts[word] = counts.get(word, 0) + 1
    return counts


async def words(connection: asyncpg.Connection, deep: str) -> dict[str, str]:
    """A query of each kind that the deep conversation has an answer to."""
    rows = await connection.fetch(
        "select content from parley.message where conversation_id = $1 and content is not null order by seq", deep
    )
    texts = [row["content"] for row in rows]
    counts = counted([text.replace(",", " ") for text in texts])
    plain = sorted((word for word in counts if word.isascii() and word.isalpha()), key=lambda word: (counts[word], word))
    long = next((text for text in texts if LONG_CHINESE in text), None)
    phrase = next(text.replace(",", " ").split()[1:3] for text in texts[len(texts) // 2:] if text.isascii() and len(text.split()) > 4)
    return {
        "rare word": plain[0],
        "common word": plain[-1],
        "phrase": f'"{" ".join(phrase)}"',
        "Chinese, part of a run": LONG_CHINESE[3:9] if long else "灯塔",
    }


async def deep_cursor(connection: asyncpg.Connection, page_size: int) -> str:
    """The cursor of the last full page of the inbox."""
    cursor, last = None, None
    while True:
        page = json.loads(await connection.fetchval(
            "select parley_api.get_user_conversations(cursor => $1, page_size => $2)", cursor, page_size
        ))
        if page["next_cursor"] is None:
            if last is None:
                raise SystemExit("the inbox has a single page")
            return last
        last, cursor = cursor or page["next_cursor"], page["next_cursor"]


async def calls(owner: asyncpg.Connection, user: asyncpg.Connection, corpus: Corpus) -> dict[str, Call]:
    deep = await owner.fetchval("select id from bench.conversation where n = 1")
    usual = [row["id"] for row in await owner.fetch(
        "select id from bench.conversation where n between 2 and $1 order by messages desc limit 40", corpus.busy
    )]
    page = "select parley_api.get_conversation_messages($1)"
    around = "select parley_api.get_conversation_messages($1, around_seq => $2)"
    page_size = min(50, corpus.busy // 5)
    made = {
        "newest page": Call(page, [(c,) for c in usual]),
        "newest page of the longest": Call(page, [(deep,)]),
        "around a message in its middle": Call(around, [(deep, corpus.deep // 2 + 97 * n % (corpus.deep // 4)) for n in range(40)]),
        "around a message near its start": Call(around, [(deep, 30 + 7 * n % (corpus.deep // 20)) for n in range(40)]),
        "inbox, first page": Call("select parley_api.get_user_conversations(page_size => $1)", [(page_size,)]),
        "inbox, last page": Call(
            "select parley_api.get_user_conversations(page_size => $1, cursor => $2)", [(page_size, await deep_cursor(user, page_size))]
        ),
        "unread totals": Call("select parley_api.get_unread_counts()", [()]),
    }
    for kind, query in (await words(owner, deep)).items():
        made[f"search one conversation: {kind}"] = Call("select parley_api.search_messages($1, $2)", [(query, deep)])
        made[f"search all: {kind}"] = Call("select parley_api.search_messages($1)", [(query,)])
    return made


async def scans(url: str, user: str, made: dict[str, Call], log: Path, schema: str = "parley") -> tuple[int, dict[str, set[str]]]:
    """How many plans auto_explain saw, and what they read from end to end of tables that grow."""
    connection = await connect(url, None)
    pages = {
        row["relname"]: row["pages"] for row in await connection.fetch(
            "select relname, pg_relation_size(oid) / 8192 as pages from pg_class where relnamespace = $1::regnamespace and relkind = 'r'", schema
        )
    }
    for setting in ("log_min_duration = 0", "log_nested_statements = on", "log_analyze = on", "log_timing = off", "log_format = text"):
        await connection.execute(("load 'auto_explain';" if "duration" in setting else "") + f"set auto_explain.{setting}")
    await connection.execute("set auto_explain.log_min_duration = -1")
    seen, found = 0, {}
    for name, call in made.items():
        # the second time on, plans are those of a session that has been there for long
        for turn in range(7):
            if turn in (0, 6):
                before = log.stat().st_size
                await connection.execute("set auto_explain.log_min_duration = 0")
            await connection.execute(f"set request.jwt.claims = '{claims(user)}'; set role authenticated")
            await connection.fetchval(call.sql, *call.arguments[turn % len(call.arguments)])
            await connection.execute("reset role; set auto_explain.log_min_duration = -1")
            if turn in (0, 6):
                with log.open("rb") as file:
                    file.seek(before)
                    text = file.read().decode()
                seen += len(re.findall(r" ms  plan:$", text, re.M))
                read = {
                    relation for relation, rest in re.findall(r"Seq Scan on (?:\w+\.)?(\w+)([^\n]*)", text)
                    if "never executed" not in rest and relation not in FEW_ROWS and pages.get(relation, 0) > 0
                }
                if read:
                    found.setdefault(name, set()).update(read)
    await connection.close()
    return seen, found


async def measure(cluster: Cluster, corpora: dict[str, Corpus], urls: dict[str, str]) -> None:
    verdict = Verdict(f"reading {MESSAGES:,} messages, medians of {ROUNDS} calls each")
    owners = {side: await connect(url, None) for side, url in urls.items()}
    user = str(await owners[SMALL].fetchval("select md5('person 0')::uuid"))
    users = {side: await connect(url, user) for side, url in urls.items()}
    for side, corpus in corpora.items():
        row = await owners[side].fetchrow(
            "select (select count(*) from parley.message) as messages, (select count(*) from parley.conversation) as conversations, "
            "(select count(*) from parley.participant where user_id = $1) as mine, pg_size_pretty(pg_database_size(current_database())) as size",
            user,
        )
        verdict.row(
            f"{side} database", f"{row['messages']:,} messages in {row['conversations']:,} conversations, {row['mine']:,} of them the reader's; {row['size']}"
        )
    sides = {side: await calls(owners[side], users[side], corpora[side]) for side in urls}

    for kind in sides[SMALL]:
        if kind.startswith("search all: "):
            verdict.row(kind, f"{sides[SMALL][kind].arguments[0][0]}   {sides[LARGE][kind].arguments[0][0]}")
    verdict.row("\ncall", f"{'small':>9} {'large':>12}  ratio")
    results, ratios = {}, {}
    for name in sides[SMALL]:
        results[name] = await compare({side: (users[side], sides[side][name]) for side in urls})
        ratios[name] = results[name][LARGE] / results[name][SMALL]
        verdict.row(name, f"{results[name][SMALL]:>9.2f} ms {results[name][LARGE]:>9.2f} ms {ratios[name]:.2f}")
    worst = max(ratios, key=lambda name: ratios[name])
    verdict.promise(f"ten times the table, at worst ({worst})", ratios[worst], 1.5, at_least=False)

    shallow = results["newest page of the longest"][LARGE]
    for name in ("around a message in its middle", "around a message near its start"):
        verdict.promise(f"{name}, of the newest page", results[name][LARGE] / shallow, 1.5, at_least=False)
    verdict.promise(
        "inbox, last page, of the first", results["inbox, last page"][LARGE] / results["inbox, first page"][LARGE], 1.5, at_least=False
    )

    await row_level_security(verdict, urls[LARGE], owners[LARGE], user, sides[LARGE])
    views = {
        "view, newest page": Call(VIEW.format(where="m.conversation_id = $1"), sides[LARGE]["newest page"].arguments),
        "view, newest messages of all": Call(VIEW.format(where="true").replace("m.seq", "m.id"), [()]),
    }
    seen, found = await scans(urls[LARGE], user, sides[LARGE] | views, Path(cluster.data).parent / "log")
    for name, relations in found.items():
        verdict.row(name, f"reads from end to end: {', '.join(sorted(relations))}")
    verdict.promise("plans seen", seen, 2 * len(sides[LARGE]))
    verdict.promise("calls that scan a table that grows", len(found), 0, at_least=False)
    await peer(verdict, urls[SMALL], users[SMALL], user, sides[SMALL], corpora[SMALL])
    for connection in [*owners.values(), *users.values()]:
        await connection.close()
    verdict.close()


async def row_level_security(verdict: Verdict, url: str, owner: asyncpg.Connection, busy: str, made: dict[str, Call]) -> None:
    """The newest page of the view: by policy, by its owner with the same condition, by its owner without any."""
    # somebody in an ordinary number of conversations, too
    few = str(await owner.fetchval(
        "select p.user_id from parley.participant p inner join bench.conversation c on c.id = p.conversation_id where p.left_at is null "
        "group by 1 having max(c.messages) between 200 and 2000 order by abs(count(*) - 20), 1 limit 1"
    ))
    longest = made["newest page of the longest"].arguments
    # the view's own text: the condition asks for columns that the view does not show
    view = (await owner.fetchval("select pg_get_viewdef('parley_api.messages'::regclass)")).rstrip().rstrip(";")
    written_out = f"select coalesce(json_agg(p), '[]') from ({view} where {CONDITION} order by m.seq desc limit 50) as p"
    for user, place in ((busy, "each"), (few, "each"), (busy, "the longest")):
        mine = await owner.fetch(
            "select c.id from parley.participant p inner join bench.conversation c on c.id = p.conversation_id "
            "where p.user_id = $1 and p.left_at is null and c.n > 1 order by c.messages desc", user,
        )
        # of all sizes
        conversations = longest if place == "the longest" else [(row["id"],) for row in mine[:: max(1, len(mine) // 20)]]
        # a session each: of two calls in one session the second finds more of what it needs at hand
        by_policy, by_condition, by_nothing = await connect(url, user), await connect(url, user, owner=True), await connect(url, user, owner=True)
        taken = await compare({
            "policy": (by_policy, Call(VIEW.format(where="m.conversation_id = $1"), conversations)),
            "condition": (by_condition, Call(written_out, conversations)),
            "nothing": (by_nothing, Call(VIEW.format(where="m.conversation_id = $1"), conversations)),
        }, ROUNDS if place == "the longest" else 5 * ROUNDS)  # the others take a millisecond
        name = f"view, {len(mine):,} conversations, page of {place}"
        verdict.row(
            name, f"{taken['policy']:.2f} ms by policy, {taken['condition']:.2f} ms by condition, {taken['nothing']:.2f} ms without rights"
        )
        verdict.promise(f"{name}: policy, of condition", taken["policy"] / taken["condition"], 1.3, at_least=False)
        for connection in (by_policy, by_condition, by_nothing):
            await connection.close()


async def peer(verdict: Verdict, url: str, ours: asyncpg.Connection, user: str, made: dict[str, Call], corpus: Corpus) -> None:
    run(url, (Path(__file__).parent / "peers" / "plain_history.sql").read_text())
    theirs = await connect(url, user)
    deep = made["newest page of the longest"].arguments[0][0]
    pages = {
        "newest page": ("newest page", Call(PEER_PAGE, [(c, 0) for (c,) in made["newest page"].arguments])),
        "deep page": (
            "around a message near its start",
            Call(PEER_PAGE, [(deep, corpus.deep - 80 - 7 * n % (corpus.deep // 20)) for n in range(40)]),
        ),
    }
    for kind in ("rare word", "common word", "phrase"):
        name = f"search all: {kind}"
        pages[name] = (name, Call(PEER_SEARCH, made[name].arguments))
    taken = {}
    for name, (our_name, call) in pages.items():
        taken[name] = await compare({"ours": (ours, made[our_name]), "theirs": (theirs, call)})
        verdict.row(
            f"small, {name}", f"{taken[name]['ours']:.2f} ms, plain tables {taken[name]['theirs']:.2f} ms: {taken[name]['ours'] / taken[name]['theirs']:.2f}"
        )
    call = Call(PEER_SEARCH_BY_POLICY, made["search all: rare word"].arguments)
    by_policy = await compare({"theirs": (theirs, call)}, rounds=3)
    verdict.row("small, their search by policy alone", f"{by_policy['theirs']:.0f} ms for the rare word")
    verdict.promise("deep page, of the peer's", taken["deep page"]["ours"] / taken["deep page"]["theirs"], 1, at_least=False)
    verdict.promise(
        "search for a common word, of the peer's",
        taken["search all: common word"]["ours"] / taken["search all: common word"]["theirs"], 1, at_least=False,
    )
    await theirs.close()


def main() -> None:
    if MESSAGES < 50_000:
        raise SystemExit("PARLEY_BENCH_MESSAGES: at least 50,000, or there is no smaller database to compare with")
    now = datetime.now(timezone.utc)
    corpora = {SMALL: Corpus(MESSAGES // 10, MESSAGES // 10, now), LARGE: Corpus(MESSAGES, MESSAGES // 10, now)}
    with Cluster(*(part for item in SETTINGS.items() for part in ("--set", "=".join(item)))) as cluster:
        cluster.command("database", LARGE)
        cluster.command("install", cluster.owner_url.rsplit("/", 1)[0] + "/" + LARGE)
        urls = {side: cluster.superuser_url.rsplit("/", 1)[0] + "/" + side for side in corpora}
        for side, corpus in corpora.items():
            start = time.monotonic()
            build(urls[side], corpus)
            print(f"built {side}: {corpus.messages:,} messages in {time.monotonic() - start:.0f} s", flush=True)
        asyncio.run(measure(cluster, corpora, urls))


if __name__ == "__main__":
    main()
