"""What is written into a request: JSON as text, so that it may hold what no library writes; names, times, topics.

`<conversation>`, `<alice>`, `<message>` and the like stand for ids of the round, so that a seed draws the same again.
"""

from __future__ import annotations

import json

from hypothesis import strategies as st

PLACES = ["conversation", "group", "direct", "message", "poll", "scheduled", "call", "attachment", "alice", "bob", "carol", "tenant"]

# What looks empty, turns the direction, joins, folds, or has been refused or broken somewhere before.
NAMES = [
    "", " ", "\u200b", "\u2800", "\u3164", "\u00a0", "\u202e", "\u0000", "\u0085", "\ufeff", "\ufffd", "\U000e0041", "a\u0301" * 200,
    "stra\u00dfe", "\u03c3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2", "\u015eahin", "\u0130\u0131", "\U0001f44d", "\U0001f44d\ufe0f", "\u2190",
    "\U0001f1e9", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\\", "%", "_", "'", '"', "''; select 1 --", "$1", "{}", "null",
    "\u1100" * 50, "x" * 5001, "\U0001f40c" * 5000, "\u0e01\u0e33" * 300,
]
TIMES = [
    "2027-01-05T09:00:00.000Z", "2027-01-05 09:00", "2027-01-05T09:00:00+14:00", "2027-01-05T09:00:00-99:99", "2027-02-30T00:00:00Z",
    "2027-13-01T00:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:60Z", "294277-01-01T00:00:00Z", "4714-11-24 BC", "infinity", "-infinity",
    "now", "tomorrow", "epoch", "05/01/2027", "2027-W01-1", "2027001", "20270105T090000Z", "2027-01-05T24:00:00Z", "1e9", "-1", "\u0662\u0660\u0662\u0667",
]
SPANS = ["1 hour", "PT1H", "-1 hour", "1 century", "178000000 years", "P1Y2M", "1", "infinity", "00:00:00.0000001", "1e10 s"]
ZONES = ["Asia/Tokyo", "UTC", "America/New_York", "posixrules", "../../etc/passwd", "+25", "EST5EDT4,M3.2.0,M11.1.0", "localtime", "Europe/Kyiv\u0000"]
WORDS = [
    "text", "image", "system", "poll", "direct", "group", "project", "support", "announcement", "all", "unread", "requests", "archived",
    "owner", "admin", "member", "everyone", "no_one", "active", "closed", "voice", "video", "offer", "ice", "file", "image/png", "https://x.invalid/a",
]

texts = st.one_of(
    st.sampled_from(NAMES), st.sampled_from(TIMES), st.sampled_from(SPANS), st.sampled_from(ZONES), st.sampled_from(WORDS),
    st.text(max_size=40), st.sampled_from(PLACES).map("<{}>".format),
)
strings = st.one_of(
    texts.map(json.dumps),
    texts.map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.sampled_from([r'"\ud83d"', r'"\udc00\ud83d"', r'"\u0000"', r'"\x"', '"\\', '"\t"', '"\x7f"', r'"\u12"', r'"A\/"']),
)
numbers = st.one_of(
    st.integers(-(2**65), 2**65).map(str), st.integers(-3, 200).map(str), st.floats().map(repr),
    st.sampled_from([
        "1e131071", "1e400", "1e401", "-1e-999", "1e99999999999", "0.1e-400", "-0", "01", "1.", ".5", "+1", "0x1", "NaN", "-Infinity",
        "9" * 101, "9" * 10_000, "1e" + "9" * 500, "9223372036854775807", "9223372036854775808", "2147483648", "1.0", "1.5",
    ]),
)
leaves = st.one_of(strings, numbers, st.sampled_from(["null", "true", "false", "nul", "True", ""]))


@st.composite
def mostly(draw: st.DrawFn, usual: st.SearchStrategy, rare: st.SearchStrategy, times: int = 9):
    """`one_of` would make one branch of equal ones."""
    return draw(rare if draw(st.sampled_from(range(times + 1))) == times else usual)


def array(items: list[str]) -> str:
    return "[" + ",".join(items) + "]"


def mapping(items: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{key}:{value}" for key, value in items) + "}"


values = st.recursive(
    leaves, lambda inner: st.one_of(
        st.lists(inner, max_size=5).map(array), st.lists(st.tuples(strings, inner), max_size=5).map(mapping),
    ), max_leaves=12,
)
# Small to send, large to whoever expands it.
floods = st.one_of(
    st.tuples(leaves, st.sampled_from([100, 7_500, 60_000])).map(lambda drawn: array([drawn[0]] * drawn[1])),
    st.tuples(values, st.sampled_from([60, 70, 100, 20_000])).map(lambda drawn: "[" * drawn[1] + drawn[0] + "]" * drawn[1]),
    st.sampled_from([65, 5_000]).map(lambda depth: '{"a":' * depth + "1" + "}" * depth),
    st.sampled_from([2_000, 20_000]).map(lambda n: mapping([(f'"k{i}"', "1e131071") for i in range(n)])),
    st.sampled_from([1_000, 70_000, 900_000]).map(lambda n: '"' + "x" * n + '"'),
    st.sampled_from([1_000, 300_000]).map(lambda n: '"' + r"é" * n + '"'),
    st.sampled_from([1_000, 100_000]).map(lambda n: mapping([('"a"', "1")] * n)),
)
anything = mostly(values, floods, 7)


def ids(*places: str) -> st.SearchStrategy[str]:
    return st.sampled_from(places).map(lambda place: f'"<{place}>"')


def quoted(choices: list[str]) -> st.SearchStrategy[str]:
    return st.sampled_from(choices).map(json.dumps)


users = ids("alice", "bob", "carol")
# What an argument takes, by its name or else by the format that the API's description gives; `<soon>` is a moment to come.
GOOD_NAMES = {
    "conversation_id": ids("conversation", "group", "direct"), "user_id": users, "to_user_id": users, "sender_id": users,
    "call_id": ids("call"), "id": ids("scheduled"), "attachment_id": ids("attachment"), "tenant_id": ids("tenant"),
    "message_id": ids("message", "message", "poll"), "reply_to_id": ids("message"),
    "send_at": st.just('"<soon>"'), "closes_at": st.just('"<soon>"'), "mute_until": st.just('"<soon>"'), "send_at_local": st.just('"<local>"'),
    "time_zone": quoted(["Asia/Tokyo", "UTC"]), "expires_in": quoted(["1 hour", "P1D"]), "emoji": quoted(["\U0001f44d", "\u2764\ufe0f"]),
    "participant_ids": st.lists(users, min_size=1, max_size=2).map(array), "conversation_ids": st.lists(ids("group", "direct"), min_size=1, max_size=2).map(array),
    "attachment_ids": st.lists(ids("attachment"), max_size=1).map(array), "page_size": st.sampled_from(["1", "50", "1000"]),
    "kind": quoted(["voice", "image", "offer", "ice", "file"]), "type": quoted(["text", "direct", "group"]), "role": quoted(["member", "admin"]),
    "filter": quoted(["all", "unread", "archived"]), "status": quoted(["active", "archived", "pending"]), "tier": quoted(["free", "privileged"]),
    "content_type": quoted(["image/png"]), "icon_url": quoted(["https://x.invalid/a.png"]), "cursor": st.just("null"),
    "metadata": st.sampled_from(["{}", '{"booking_id":"42"}', '{"a":[1,2,{"b":null}]}']), "option_ids": st.sampled_from(["[1]", "[2]", "[]"]),
    "options": st.just('["here","there"]'), "payload": st.just('{"sdp":"v=0"}'), "settings": st.just("{}"), "permissions": st.just("{}"),
}
GOOD_FORMATS = {
    "uuid": st.uuids().map(lambda value: f'"{value}"'), "uuid[]": st.lists(users, max_size=2).map(array),
    "text": quoted(["Hello", "Good morning", "the lighthouse", "stra\u00dfe \U0001f44d"]), "text[]": st.just('["text"]'),
    "bigint": st.integers(0, 60).map(str), "integer": st.integers(1, 60).map(str), "integer[]": st.just("[1,2,3]"),
    "boolean": st.sampled_from(["true", "false"]), "interval": st.just('"1 hour"'), "jsonb": st.just("{}"),
}
# What tries an argument of a format most.
HOSTILE = {
    "text": st.one_of(quoted(NAMES), quoted(TIMES), quoted(ZONES), quoted(WORDS), texts.map(json.dumps)), "interval": quoted(SPANS),
    "text[]": st.lists(quoted(NAMES), max_size=4).map(array), "bigint": numbers, "integer": numbers, "integer[]": st.lists(numbers, max_size=5).map(array),
    "uuid[]": st.lists(st.one_of(users, ids("attachment", "tenant")), max_size=300).map(array), "jsonb": anything,
}


@st.composite
def arguments(draw: st.DrawFn, wanted: dict[str, str], required: list[str]) -> str:
    """What the function takes, but for up to two arguments: so a call gets past its first check."""
    names = [name for name in wanted if name in required or draw(st.integers(0, 2)) == 0]
    tried = draw(st.lists(st.sampled_from(sorted(wanted)), max_size=draw(st.sampled_from([0, 1, 1, 2])))) if wanted else []
    members = []
    for name in [*names, *(name for name in tried if name not in names)]:
        kind = wanted[name]
        if name in tried:
            value = draw(mostly(HOSTILE.get(kind, values), anything, 3))
        else:
            value = draw(GOOD_NAMES.get(name, GOOD_FORMATS.get(kind, values)))
        members.append((json.dumps(name), value))
    if draw(st.sampled_from(range(30))) == 29:
        members.append((draw(strings), draw(values)))
    return mapping(members)


def damaged(text: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    """As bytes; one in fifteen is cut, or has bytes in it that do not belong there."""

    @st.composite
    def damage(draw: st.DrawFn) -> bytes:
        whole = draw(text).encode("utf-8", "surrogatepass")
        kind = draw(st.sampled_from(range(30)))
        if kind < 28 or not whole:
            return whole
        at = draw(st.integers(0, len(whole) - 1))
        return whole[:at] if kind == 28 else whole[:at] + draw(st.binary(min_size=1, max_size=4)) + whole[at:]

    return damage()
