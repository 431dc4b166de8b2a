"""Plays operations against the model and against Parley, compares after each, and shortens a history that disagrees."""

from __future__ import annotations

import asyncio
import copy
import itertools
import json
import time
from dataclasses import dataclass, replace
from random import Random

import asyncpg
from model import Event, Refused, World
from operations import USERS, Draw, Operation, short
from subject import Call, Gateway, Subject

# Everything is compared every so many steps; what a step touched, after each. It is an operation of its own, so that a
# shorter history compares where the longer one did.
WHOLE = 100
COMPARE = Operation(None, "compare_everything")
# Seconds spent on shortening a history that disagrees.
PATIENCE = 60


@dataclass
class Disagreement(Exception):
    """What is different, in one word, and how."""

    about: str
    details: str


def differences(expected: object, actual: object, path: str = "") -> list[str]:
    if isinstance(expected, dict) and isinstance(actual, dict):
        return [d for key in sorted({*expected, *actual}, key=str) for d in differences(
            expected.get(key, "(none)"), actual.get(key, "(none)"), f"{path}.{key}"
        )]
    if isinstance(expected, (list, tuple)) and isinstance(actual, (list, tuple)):
        return [d for n, (one, other) in enumerate(itertools.zip_longest(expected, actual, fillvalue="(none)"))
                for d in differences(one, other, f"{path}[{n}]")]
    return [] if expected == actual else [f"{path}: the model says {short(expected)}, Parley {short(actual)}"]


def compare(about: str, expected: object, actual: object) -> None:
    if different := differences(expected, actual):
        raise Disagreement(about, "\n".join(f"  {about}{line}" for line in different[:12]))


def told(event: Event) -> tuple:
    return (event.kind, event.actor, event.user, event.seq, event.data)


def in_any_order(events: list[tuple]) -> list[tuple]:
    """Those who join together join in no particular order."""
    sorted_runs = []
    for joined, run in itertools.groupby(events, lambda event: event[0] == "participant:joined"):
        sorted_runs += sorted(run, key=str) if joined else run
    return sorted_runs


def as_asked(operation: Operation, world: World) -> Operation:
    """The operation with what it says of the end of the conversation, or of a message, when it was asked for."""
    if operation.function == "mark_message_as_read":
        try:
            there, message = world.find(operation.user, operation.arguments["message_id"])
        except Refused:
            return operation
        return replace(operation, function="mark_as_read", arguments={"conversation_id": there.name, "seq": message.seq})
    c = world.conversations.get(operation.arguments.get("conversation_id"))
    if c is None or operation.function not in ("mark_as_read", "mark_as_delivered"):
        return operation
    seq = operation.arguments.get("seq")
    return replace(operation, arguments=operation.arguments | {"seq": c.last if seq is None else min(seq, c.last)})


class Play:
    """A world and the Parley that is to be like it. More than one subject: operations can be at once."""

    def __init__(self, subjects: list[Subject], random: Random, looking: bool = True):
        self.world, self.subject, self.subjects, self.random = World(USERS), subjects[0], subjects, random
        self.draw = Draw(random)
        # Without looking, only what is answered and logged is compared.
        self.looking = looking
        self.cursors: dict[str, str] = {}

    async def step(self, *operations: Operation) -> None:
        """One operation and what it did; of several at once, that it is what one order of them does."""
        if operations == (COMPARE,):
            return await self.compare_all()
        world, found = self.world, []
        self.subject.names.places = world.places
        actual = await asyncio.gather(*[subject.do(operation) for subject, operation in zip(self.subjects, operations)])
        rows = await self.subject.new_events()
        orders = list(itertools.permutations(range(len(operations))))
        # Who marks may reach only as far as there were messages when they asked: what came while they waited is not read,
        # and what they hid meanwhile was there to be read.
        asked = [operations, tuple(as_asked(operation, world) for operation in operations)]
        for order, meant in itertools.product(orders, asked if len(orders) > 1 else asked[:1]):
            self.world = world if len(orders) == 1 else copy.deepcopy(world)
            try:
                return await self.check([(meant[n], actual[n]) for n in order], rows)
            except Disagreement as disagreement:
                found.append(disagreement)
        self.world = world
        raise Disagreement(found[0].about, "\n  nor\n".join(disagreement.details for disagreement in found))

    async def check(self, done: list[tuple[Operation, object]], rows: list) -> None:
        """Operations in an order, with what Parley answered, against the world."""
        names, before = self.subject.names, {name: len(c.events) for name, c in self.world.conversations.items()}
        own_before = {user: len(events) for user, events in self.world.own.items()}
        answers = []
        for operation, actual in done:
            try:
                expected = self.world.apply(operation)
            except Refused as refused:
                expected = {"refused": refused.args[0]}
            codes = [(outcome or {}).get("refused") for outcome in (expected, actual)]
            compare(f"outcome of {operation.function}, {codes}", *codes)
            if operation.function == "start_conversation" and "refused" not in expected:
                compare("created", expected["created"], actual["created"])
                if expected["created"]:
                    names.bind(expected["conversation"], actual["id"])
                compare("conversation", expected["conversation"], names.name(actual["id"]))
            answers.append(expected)
        names.places = self.world.places
        for row in rows:
            if row["kind"] == "message:new":
                names.bind((names.name(row["conversation_id"]), row["message_seq"]), row["message_id"])
        self.compare_log(rows, before, own_before)
        if len(done) == 1 and answers[0] and "seq" in answers[0]:
            answer = done[0][1]
            compare("answer", answers[0], names.message(answer["messages"][0] if "messages" in answer else answer))
        if not self.looking:
            return
        watchers = self.random.sample(list(USERS), 3)
        for touched in {self.touched(operation) for operation, _ in done} & set(self.world.conversations):
            await self.compare_seen(list({*watchers, *(o.user or watchers[0] for o, _ in done)}), touched)
        # Which of two conversations was active last shows in the inbox only.
        await self.compare_inboxes(watchers[:2] if len(done) == 1 else list(USERS))

    async def look(self, users: list[str], queries: list[Call | str], strangers: set[str] = frozenset()) -> dict[str, list]:
        """What they are answered, and no refusal, except of strangers."""
        answers = await self.subject.look(users, queries)
        for user in set(users) - strangers:
            for query, answer in zip(queries, answers[user]):
                if isinstance(answer, dict) and "refused" in answer:
                    raise Disagreement(f"{user}'s refusal", f"  {query}: {answer['refused']}")
        return answers

    async def ask(self, user: str, function: str, **arguments: object) -> dict:
        return (await self.look([user], [Call(function, **arguments)]))[user][0]

    def touched(self, operation: Operation) -> str | None:
        arguments = operation.arguments
        if operation.function == "start_conversation":
            return f"c{operation.label}"
        if operation.function == "forward_message":
            return arguments["conversation_ids"][0]
        return arguments.get("conversation_id") or self.world.places.get(arguments.get("message_id"), (None,))[0]

    def compare_log(self, rows: list, before: dict[str, int], own_before: dict[str, int]) -> None:
        """The rows that were written, and no other: dense, of the right kinds, about the right things."""
        names = self.subject.names
        log: dict[str, list] = {}
        own: dict[str, list] = {}
        for row in rows:
            data = json.loads(row["data"] or "{}")
            event = names.event(row["kind"], row["actor_id"], row["user_id"], row["message_id"], data)
            if row["conversation_id"]:
                log.setdefault(names.name(row["conversation_id"]), []).append((row["event_seq"], event))
            else:
                own.setdefault(event[2], []).append((names.name(data.get("conversation_id")), event[0], *event[3:]))
        expected_log, expected_own = {}, {}
        for name, c in self.world.conversations.items():
            if new := c.events[before.get(name, 0):]:
                first = before.get(name, 0) + 1
                expected_log[name] = (list(range(first, first + len(new))), in_any_order([told(event) for event in new]))
        for user, events in self.world.own.items():
            if new := events[own_before[user]:]:
                expected_own[user] = [(name, e.kind, e.seq, e.data) for name, e in new]
        compare("log", expected_log, {
            name: ([number for number, _ in events], in_any_order([event for _, event in events])) for name, events in log.items()
        })
        compare("own events", expected_own, own)
        for name, events in log.items():
            # Who joined together has an order from now on: the log's.
            c = self.world.conversations[name]
            new = {str(told(event)): event for event in c.events[-len(events):]}
            c.events[-len(events):] = [new[str(event)] for _, event in events]

    async def compare_seen(self, users: list[str], conversation: str) -> None:
        """What users see of one conversation."""
        world, names = self.world, self.subject.names
        c, id = world.conversations[conversation], names.id(conversation)
        after = max(0, len(c.events) - 10)
        answers = await self.look(users, [
            Call("get_conversation_messages", conversation_id=id, page_size=20),
            Call("get_events", conversation_id=id, after_seq=after),
            Call("can_access_conversation", conversation_id=id),
        ], set(USERS) - set(c.present))
        for user, (history, events, access) in answers.items():
            compare(f"{user}'s access", user in c.present, access)
            if user in c.present:
                shown = world.history(user, conversation)
                compare(f"{user}'s history", shown[-20:], [names.message(m) for m in history["messages"]])
                compare(f"{user}'s has_more", len(shown) > 20, history["has_more"])
                self.compare_replay(user, conversation, after, events)
            else:
                compare(f"{user}'s refusals", ["PT403", "PT403"], [answer["refused"] for answer in (history, events)])

    async def compare_inboxes(self, users: list[str]) -> None:
        """Their order, what each row shows, and the counts."""
        answers = await self.look(users, [
            Call("get_user_conversations"), Call("get_user_conversations", filter="archived"), Call("get_unread_counts"),
        ])
        for user, (inbox, archive, counts) in answers.items():
            self.compare_inbox(user, "all", inbox)
            self.compare_inbox(user, "archived", archive)
            compare(f"{user}'s counts", self.world.counts(user), self.subject.names.counts(counts))

    def compare_inbox(self, user: str, filter: str, answer: dict) -> None:
        compare(f"{user}'s inbox ({filter})", self.world.inbox(user, filter),
                [self.subject.names.row(row) for row in answer["conversations"]])

    def compare_replay(self, user: str, conversation: str, after: int, answer: dict) -> None:
        """A page of the log as a client gets it: what the user may be told, and a gap for what was before the user."""
        world, names = self.world, self.subject.names
        c = world.conversations[conversation]
        expected = [(number, event) for number, event in world.replay(user, conversation) if number > after]
        compare(f"{user}'s event_seqs", [number for number, _ in expected], [e["payload"]["event_seq"] for e in answer["events"]])
        actual = []
        for e in answer["events"]:
            event = names.told(e)
            kind, _, _, seq, data = event
            if kind == "message:deleted":
                data = {"for_everyone": e["payload"]["for_everyone"]}
            elif kind in ("participant:left", "conversation:new"):
                data = {}
            if "message" in e["payload"]:
                told_message = names.message(e["payload"]["message"])
                m = c.messages[seq - 1]
                # Rendered for everybody alike, so without what only the sender sees.
                compare(f"{user}'s event {e['payload']['event_seq']}", world.carried(c, m), told_message)
            actual.append((*event[:4], data))
        compare(f"{user}'s events", [told(event) for _, event in expected], actual)
        first = c.members[user].history_from_event
        compare(f"{user}'s gap", (after + 1, first - 1) if first > after + 1 else None,
                answer["gap"] and (answer["gap"]["from"], answer["gap"]["to"]))

    async def compare_all(self) -> None:
        """Everything that everybody sees, in pages, and through sync."""
        world, names = self.world, self.subject.names
        for conversation in world.conversations:
            await self.compare_seen(list(USERS), conversation)
        await self.compare_inboxes(list(USERS))
        for user in USERS:
            mine = [c for c in world.conversations.values() if user in c.present]
            for c in mine:
                await self.compare_pages(user, c)
                await self.compare_receipts(user, c)
            views = [
                "select jsonb_agg(to_jsonb(m) order by m.conversation_id, m.seq) from parley_api.messages m",
                "select jsonb_object_agg(c.id, jsonb_build_array(c.last_seq, c.last_event_seq)) from parley_api.conversations c",
                "select jsonb_agg(jsonb_build_array(p.conversation_id, p.user_id, p.role)) from parley_api.participants p",
                Call("get_user_conversations", filter="unread"),
                Call("get_user_conversations", page_size=2),
            ]
            messages, conversations, participants, unread, page = (await self.look([user], views))[user]
            compare(f"{user}'s view of messages", {
                (c.name, m["seq"]): (m["content"], m["deleted"], m["edited"])
                for c in mine for m in world.history(user, c.name)
            }, {
                names.name(m["id"]): (None if m["metadata"] and "event" in m["metadata"] else m["content"],
                                      m["deleted_at"] is not None, m["edited_at"] is not None)
                for m in messages or []
            })
            compare(f"{user}'s view of conversations", {c.name: [c.last, len(c.events)] for c in mine},
                    {names.name(id): row for id, row in (conversations or {}).items()})
            compare(f"{user}'s view of participants",
                    sorted((c.name, other, m.role) for c in mine for other, m in c.present.items()),
                    sorted((names.name(c), names.name(other), role) for c, other, role in participants or []))
            self.compare_inbox(user, "unread", unread)
            await self.compare_inbox_pages(user, page)
            await self.compare_sync(user)
        await self.compare_markers()

    async def compare_pages(self, user: str, c) -> None:
        """The whole history backwards, and the whole log forwards, in small pages."""
        names, id, size = self.subject.names, self.subject.names.id(c.name), self.random.randint(5, 60)
        shown, before = [], None
        while True:
            page = await self.ask(user, "get_conversation_messages", conversation_id=id, before_seq=before, page_size=size)
            shown = [names.message(m) for m in page["messages"]] + shown
            if not page["has_more"]:
                break
            before = shown[0]["seq"]
        compare(f"{user}'s whole history", self.world.history(user, c.name), shown)
        events, answer = [], {"has_more": True}
        while answer["has_more"]:
            after = events[-1]["payload"]["event_seq"] if events else 0
            answer = await self.ask(user, "get_events", conversation_id=id, after_seq=after, page_size=size)
            events += answer["events"]
            first = answer if after == 0 else first
        self.compare_replay(user, c.name, 0, first | {"events": events})

    async def compare_receipts(self, user: str, c) -> None:
        """Of every message that the user sees: who has it, and who has read it."""
        names = self.subject.names
        labels = {place: label for label, place in self.world.places.items()}
        seen = [labels[c.name, m["seq"]] for m in self.world.history(user, c.name) if (c.name, m["seq"]) in labels]
        queries = [Call("get_message_receipts", message_id=names.id(label)) for label in seen]
        for label, answer in zip(seen, (await self.look([user], queries))[user], strict=True):
            compare(f"{user}'s receipts of {label}", self.world.receipts_of(user, label), names.receipts(answer))

    async def compare_inbox_pages(self, user: str, page: dict) -> None:
        shown = [row["id"] for row in page["conversations"]]
        while page["next_cursor"]:
            page = await self.ask(user, "get_user_conversations", page_size=2, cursor=page["next_cursor"])
            shown += [row["id"] for row in page["conversations"]]
        compare(f"{user}'s inbox in pages", [row["conversation"] for row in self.world.inbox(user)],
                [self.subject.names.name(id) for id in shown])

    async def compare_sync(self, user: str) -> None:
        """A client that comes back is told of what it may know and has not seen, once and in order."""
        world, names = self.world, self.subject.names
        cursor, seen = self.cursors.get(user, (None, None))
        answer, events, conversations, gone, unread = {"has_more": True}, [], {}, set(), {}
        new_cursor = cursor
        while answer["has_more"]:
            answer = await self.ask(user, "sync", cursor=new_cursor)
            compare(f"{user}'s resync", False, answer["resync_required"])
            new_cursor = answer["cursor"]
            events += answer["events"]
            conversations |= {names.name(c["id"]): c["unread_count"] for c in answer["conversations"]}
            unread |= {names.name(id): count for id, count in answer["unread"].items()}
            gone |= {names.name(id) for id in answer["left_conversation_ids"]}
        present = {c.name: c for c in world.conversations.values() if user in c.present}
        if cursor is None:
            compare(f"{user}'s first sync", {name: world.unread(user, name) for name in present}, conversations)
            compare(f"{user}'s first sync", [], events)
        else:
            told_of: dict[str, list[int]] = {}
            for e in events:
                if e["payload"].get("event_seq"):
                    told_of.setdefault(names.name(e["payload"]["conversation_id"]), []).append(e["payload"]["event_seq"])
            expected = {
                name: numbers for name in present
                if (numbers := [number for number, _ in world.replay(user, name) if number > seen.get(name, 0)])
            }
            compare(f"{user}'s sync", expected, {name: numbers for name, numbers in told_of.items() if name in present})
            compare(f"{user}'s own events by sync", [e.kind for _, e in world.own[user][seen[None]:]],
                    [e["event"] for e in events if not e["payload"].get("event_seq")])
            compare(f"{user}'s conversations by sync", {}, {
                name: count for name, count in (conversations | unread).items()
                if name not in present or count != world.unread(user, name)
            })
            compare(f"{user}'s changed conversations by sync", set(), set(expected) - set(unread))
            left_since = {
                name for name, c in world.conversations.items()
                if user in c.members and name not in present and any(
                    e.kind == "participant:left" and e.user == user for e in c.events[seen.get(name, 0):])
            }
            # Once is enough, but it may be said again: a client only ever forgets them.
            ever = {name for name, c in world.conversations.items() if user in c.members} - set(present)
            compare(f"{user}'s left conversations", (set(), set()), (left_since - gone, gone - ever))
        self.cursors[user] = (new_cursor, {c.name: len(c.events) for c in world.conversations.values()} | {None: len(world.own[user])})

    async def compare_markers(self) -> None:
        """Who read up to where, advance by advance."""
        for c in self.world.conversations.values():
            rows = await self.subject.connection.fetch(
                "select user_id::text, after_seq, seq from parley.read_marker where conversation_id = $1 order by seq",
                self.subject.names.id(c.name),
            )
            actual: dict[str, list] = {}
            for row in rows:
                actual.setdefault(self.subject.names.name(row["user_id"]), []).append((row["after_seq"], row["seq"]))
            compare("markers", {user: m.markers for user, m in c.members.items() if m.markers}, actual)


Step = tuple[Operation, ...]


async def play(connections: list[asyncpg.Connection], steps: list[Step], seed: int, looking: bool = True) -> Disagreement | None:
    """A given history, from the beginning; the first disagreement."""
    run = Play(await subjects(connections), Random(seed), looking)
    try:
        for step in steps:
            await run.step(*step)
    except Disagreement as disagreement:
        return disagreement
    return None


async def subjects(connections: list[asyncpg.Connection]) -> list[Subject]:
    first = Subject(connections[0], USERS)
    await first.prepare()
    return [first, *(Subject(connection, USERS, first.names) for connection in connections[1:])]


def kind(about: str) -> str:
    """The same disagreement may show itself to another user first."""
    return about.split("'s ", 1)[-1]


async def shorten(connections: list[asyncpg.Connection], steps: list[Step], seed: int, about: str) -> list[Step]:
    """Delta debugging: leaves out what is not needed for the same kind of disagreement, while there is time."""
    until = time.monotonic() + PATIENCE
    looking = not about.startswith(("outcome", "log", "own events", "answer"))

    async def still(candidate: list[Step]) -> bool:
        found = await play(connections, candidate, seed, looking)
        return found is not None and kind(found.about) == kind(about)

    plain = [step for step in steps if step != (COMPARE,)]
    steps = plain if await still(plain) else steps
    size = len(steps) // 2
    while size and time.monotonic() < until:
        start, before = 0, len(steps)
        while start < len(steps) and time.monotonic() < until:
            candidate = steps[:start] + steps[start + size:]
            if await still(candidate):
                steps = candidate
            else:
                start += size
        # The last of all sizes is tried again until nothing more can be left out.
        size = size // 2 or (1 if len(steps) < before else 0)
    return steps


async def explore(url: str, seed: int, steps: int, at_once: bool = False) -> None:
    """`steps` random operations, or pairs at once; on a disagreement, an error with the shortest history found for it."""
    connections = [await asyncpg.connect(url) for _ in range(2 if at_once else 1)]
    try:
        await explore_on(connections, seed, steps, at_once)
    finally:
        for connection in connections:
            await connection.close()


async def explore_on(connections: list[asyncpg.Connection], seed: int, steps: int, at_once: bool) -> None:
    run = Play(await subjects(connections), Random(seed))
    history: list[Step] = []
    try:
        for number in range(1, steps + 1):
            history.append(run.draw.pair(run.world) if at_once and number > 30 else (run.draw.operation(run.world),))
            await run.step(*history[-1])
            if number % WHOLE == 0 or number == steps:
                history.append((COMPARE,))
                await run.step(COMPARE)
    except Disagreement as disagreement:
        shortest = await shorten(connections, history, seed, disagreement.about)
        again = await play(connections, shortest, seed) or disagreement
        lines = "\n".join("  " + "\n    at once with ".join(map(str, step)) for step in shortest)
        raise AssertionError(
            f"seed {seed}, step {len(history)}: {disagreement.about}\n{disagreement.details}\n"
            f"the shortest history found:\n{lines}\nwhere\n{again.details}"
        ) from None


async def explore_gateway(worker: object, seed: int, steps: int) -> None:
    """As `explore`, with every call of a user through the gateway of a worker; a history is not shortened."""
    connection = await asyncpg.connect(worker.cluster.superuser_url)
    try:
        subject = Gateway(connection, USERS, worker)
        # What expired in earlier histories is removed before this one begins, not in its midst.
        while await connection.fetchval("select parley.expire_messages()"):
            pass
        await subject.prepare()
        run = Play([subject], Random(seed))
        for number in range(1, steps + 1):
            operation = run.draw.operation(run.world)
            # The worker's own job deletes what has expired, sooner or later.
            if operation.function == "host_expire":
                continue
            try:
                await run.step(operation)
                if number == steps:
                    await run.step(COMPARE)
            except Disagreement as disagreement:
                raise AssertionError(f"seed {seed}: {operation}: {disagreement.about}\n{disagreement.details}") from None
    finally:
        await connection.close()
