"""Plays operations against the model and against Parley, compares after each, and shortens a history that disagrees."""

from __future__ import annotations

import asyncio
import copy
import itertools
import json
import time
from dataclasses import replace
from random import Random

import asyncpg
from compare import Comparison
from differences import Disagreement, compare
from model import Refused, World
from operations import TENANTS, USERS, Draw, Operation
from parley import Cluster, Worker
from subject import Gateway, Subject

# Everything is compared every so many steps; what a step touched, after each. It is an operation of its own, so that a
# shorter history compares where the longer one did.
WHOLE = 100
COMPARE = Operation(None, "compare_everything")
JOBS = ("host_wait", "host_expire_messages", "host_expire_requests", "host_retain", "host_index")
# Seconds spent on shortening a history that disagrees.
PATIENCE = 60


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


class Play(Comparison):
    """A world and the Parley that is to be like it. More than one subject: operations can be at once."""

    def __init__(self, subjects: list[Subject], random: Random, looking: bool = True):
        self.world, self.subject, self.subjects, self.random = World(USERS, TENANTS), subjects[0], subjects, random
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
        await self.subject.rest()
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
            if len(done) > 1:
                # A call that looks at several things, and loses its place between two looks, is refused by either.
                codes = ["PT403" if code == "PT404" else code for code in codes]
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
                there = row["conversation_id"] or json.loads(row["data"])["conversation_id"]
                names.bind((names.name(there), row["message_seq"]), row["message_id"])
        self.compare_log(rows, before, own_before)
        self.hear(rows)
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

    def hear(self, rows: list) -> None:
        """Which of several conversations a step speaks in first is open: whoever holds one is passed by."""
        places = [self.subject.names.name(row["message_id"]) for row in rows if row["kind"] == "message:new"]
        heard = [self.world.conversations[name].messages[seq - 1] for name, seq in places]
        for message, order in zip(heard, sorted(message.heard for message in heard)):
            message.heard = order

    def touched(self, operation: Operation) -> str | None:
        arguments = operation.arguments
        if operation.function == "start_conversation":
            return f"c{operation.label}"
        if operation.function == "forward_message":
            return arguments["conversation_ids"][0]
        return arguments.get("conversation_id") or self.world.places.get(arguments.get("message_id"), (None,))[0]


Step = tuple[Operation, ...]


async def play(cluster: Cluster, connections: list[asyncpg.Connection], steps: list[Step], seed: int, looking: bool = True) -> Disagreement | None:
    """A given history, from the beginning; the first disagreement."""
    run = Play(await subjects(cluster, connections), Random(seed), looking)
    try:
        for step in steps:
            await run.step(*step)
    except Disagreement as disagreement:
        return disagreement
    return None


async def subjects(cluster: Cluster, connections: list[asyncpg.Connection]) -> list[Subject]:
    first = Subject(connections[0], cluster.clock)
    await first.clean()
    await first.prepare()
    return [first, *(Subject(connection, cluster.clock, first.names) for connection in connections[1:])]


def kind(about: str) -> str:
    """The same disagreement may show itself to another user first."""
    return about.split("'s ", 1)[-1]


async def shorten(cluster: Cluster, connections: list[asyncpg.Connection], steps: list[Step], seed: int, about: str) -> list[Step]:
    """Delta debugging: leaves out what is not needed for the same kind of disagreement, while there is time."""
    until = time.monotonic() + PATIENCE
    looking = not about.startswith(("outcome", "log", "own events", "answer"))

    async def still(candidate: list[Step]) -> bool:
        found = await play(cluster, connections, candidate, seed, looking)
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


async def explore(cluster: Cluster, seed: int, steps: int, at_once: bool = False) -> None:
    """`steps` random operations, or pairs at once; on a disagreement, an error with the shortest history found for it."""
    connections = [await asyncpg.connect(cluster.superuser_url) for _ in range(2 if at_once else 1)]
    try:
        await explore_on(cluster, connections, seed, steps, at_once)
        await Subject(connections[0], cluster.clock).clean()
    finally:
        for connection in connections:
            await connection.close()


async def explore_on(cluster: Cluster, connections: list[asyncpg.Connection], seed: int, steps: int, at_once: bool) -> None:
    run = Play(await subjects(cluster, connections), Random(seed))
    history: list[Step] = []
    try:
        for number in range(1, steps + 1):
            history.append(run.draw.pair(run.world) if at_once and number > 30 else (run.draw.operation(run.world),))
            await run.step(*history[-1])
            if number % WHOLE == 0 or number == steps:
                history.append((COMPARE,))
                await run.step(COMPARE)
    except Disagreement as disagreement:
        shortest = await shorten(cluster, connections, history, seed, disagreement.about)
        again = await play(cluster, connections, shortest, seed) or disagreement
        lines = "\n".join("  " + "\n    at once with ".join(map(str, step)) for step in shortest)
        raise AssertionError(
            f"seed {seed}, step {len(history)}: {disagreement.about}\n{disagreement.details}\n"
            f"the shortest history found:\n{lines}\nwhere\n{again.details}"
        ) from None


async def explore_gateway(worker: Worker, seed: int, steps: int) -> None:
    """As `explore`, with every call of a user through the gateway of a worker; a history is not shortened."""
    connection = await asyncpg.connect(worker.cluster.superuser_url)
    try:
        subject = Gateway(connection, worker.cluster.clock, worker)
        await subject.prepare()
        run = Play([subject], Random(seed))
        for number in range(1, steps + 1):
            operation = run.draw.operation(run.world)
            try:
                # The clock of the worker stands where it is, and jobs are its own.
                if operation.function not in JOBS:
                    await run.step(operation)
                if number == steps:
                    await run.step(COMPARE)
            except Disagreement as disagreement:
                raise AssertionError(f"seed {seed}: {operation}: {disagreement.about}\n{disagreement.details}") from None
    finally:
        await connection.close()
