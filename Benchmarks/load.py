"""The load of a project portal: 100 users in 10 groups arrive in 2 minutes, stay for 5 and leave in 2, with all rates on.

    make bench-load                                    9 minutes
    make bench-load SCALE=0.05                         the same stages, 20 times as short
    python load.py --scale 0.05 -- --max-connections 50    what follows -- goes to the worker

Every user sends a message every 3 seconds through a socket. Each member whose socket had joined when a message was sent
and had not left when it was acknowledged must receive it once, as `message:new` with its content. Printed are the time
from send to receipt and what went wrong: handshakes not answered 101, messages refused, lost, altered or doubled,
sockets closed by the server. The run fails if anything did.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

import lib.bench  # noqa: F401  puts Tests/support on the path
import websockets
from parley import Cluster, Worker
from sockets import Refused, Socket

USERS, GROUP = 100, 10
RAMP, HOLD, INTERVAL = 120.0, 300.0, 3.0
# How long a message may be under way, scaled or not.
PATIENCE = 10.0


@dataclass
class Sent:
    """A message that was acknowledged: when its sending began and when the answer was there."""

    content: str
    began: float
    acknowledged: float


@dataclass
class Stay:
    """What one socket was there for, and what it got: (message id, content, time of receipt)."""

    joined: float
    left: float = 0
    received: list[tuple[str, str | None, float]] = field(default_factory=list)

    def due(self, sent: dict[str, Sent]) -> set[str]:
        return {id for id, message in sent.items() if message.began > self.joined and message.acknowledged < self.left}


@dataclass
class Outcome:
    handshakes: Counter = field(default_factory=Counter)
    wrong: Counter = field(default_factory=Counter)
    sent: int = 0
    latencies: list[float] = field(default_factory=list)

    def account(self, stay: Stay, sent: dict[str, Sent]) -> None:
        """Compares what a socket got with what it was due."""
        times = Counter(id for id, _, _ in stay.received)
        self.wrong["lost"] += len(stay.due(sent) - set(times))
        self.wrong["doubled"] += sum(n - 1 for n in times.values())
        for id, content, at in stay.received:
            if id in sent:
                self.wrong["altered"] += content != sent[id].content
                self.latencies.append(at - sent[id].began)

    def percentile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")

    @property
    def failed(self) -> bool:
        return any(self.wrong.values()) or any(n for status, n in self.handshakes.items() if status != 101) or not self.latencies

    def report(self) -> str:
        other = sum(n for status, n in self.handshakes.items() if status != 101)
        answers = ", ".join(f"{n} x {status}" for status, n in sorted(self.handshakes.items(), key=str))
        lines = [
            f"handshakes     {answers}; not 101: {other}",
            f"messages       {self.sent} sent, {len(self.latencies)} receipts",
            "delivery       " + "   ".join(f"p{p} {self.percentile(p / 100) * 1000:.1f} ms" for p in (50, 95, 99)),
            "wrong          " + ", ".join(f"{name}: {self.wrong[name]}" for name in ("lost", "doubled", "altered", "refused", "closed")),
        ]
        return "\n".join([*lines, "FAILED" if self.failed else "kept"])


def receipts(socket: Socket) -> list[tuple[str, str | None, float]]:
    return [
        (m["payload"]["payload"]["message"]["id"], m["payload"]["payload"]["message"].get("content"), m["at"])
        for m in socket.messages
        if m["event"] == "broadcast" and m["payload"]["event"] == "message:new"
    ]


async def user(
    name: str, worker: Worker, token: str, conversation: str, arrive: float, leave: float, interval: float,
    sent: dict[str, Sent], outcome: Outcome,
) -> Stay | None:
    """One user from arrival to departure, both times of the monotonic clock."""
    await asyncio.sleep(max(0, arrive - time.monotonic()))
    try:
        socket = await Socket.open(worker)
        outcome.handshakes[101] += 1
    except websockets.InvalidStatus as refusal:
        outcome.handshakes[refusal.response.status_code] += 1
        return None
    except (OSError, TimeoutError, websockets.InvalidHandshake) as failure:
        outcome.handshakes[type(failure).__name__] += 1
        return None
    stay = None
    try:
        await socket.join(f"conversation:{conversation}", token)
        stay = Stay(joined=time.monotonic())
        number, intended = 0, stay.joined
        while intended < leave:
            await asyncio.sleep(max(0, intended - time.monotonic()))
            number, intended, content, began = number + 1, intended + interval, f"message {number} of {name}", time.monotonic()
            message = await socket.send_message(conversation, content)
            sent[message["id"]] = Sent(content, began, time.monotonic())
            outcome.sent += 1
        await asyncio.sleep(max(0, leave - time.monotonic()))
        stay.left = time.monotonic()
        due = stay.due(sent)
        try:
            await socket.wait(lambda: due <= {id for id, _, _ in receipts(socket)}, PATIENCE)
        except TimeoutError:
            pass  # counted as lost
    except (Refused, TimeoutError):
        outcome.wrong["refused"] += 1
    except (ConnectionError, websockets.ConnectionClosed):
        pass  # counted below
    outcome.wrong["closed"] += socket.closed.done()
    if stay is not None:
        stay.left = stay.left or time.monotonic()
        stay.received = receipts(socket)
    await socket.close()
    return stay


async def load(
    worker: Worker, groups: dict[str, list[str]], ramp: float, hold: float, interval: float
) -> Outcome:
    """`groups` are conversations with their members, who arrive one after the other and leave in the same order."""
    outcome, sent = Outcome(), {conversation: {} for conversation in groups}
    members = [(c, u) for c, users in groups.items() for u in users]
    start = time.monotonic()
    stays = await asyncio.gather(*[
        user(
            str(n), worker, worker.token(u), c, start + ramp * n / len(members),
            start + ramp + hold + ramp * n / len(members), interval, sent[c], outcome,
        )
        for n, (c, u) in enumerate(members)
    ])
    for (conversation, _), stay in zip(members, stays, strict=True):
        if stay is not None:
            outcome.account(stay, sent[conversation])
    return outcome


def groups(cluster: Cluster, worker: Worker, count: int, size: int, tier: str) -> dict[str, list[str]]:
    """Group conversations of new users."""
    made = {}
    for _ in range(count):
        users = cluster.psql(
            "insert into parley.account (id, display_name, tier_name) "
            f"select gen_random_uuid(), 'user ' || n, '{tier}' from generate_series(1, {size}) n returning id"
        ).splitlines()
        made[worker.rpc("start_conversation", worker.token(users[0]), participant_ids=users[1:], type="group")["id"]] = users
    # They have talked: whoever writes much before the first answer is judged as a stranger.
    cluster.psql("update parley.conversation set unanswered = false")
    return made


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="factor of the stages' length; users and rates stay")
    parser.add_argument("flags", nargs="*", help="flags of the worker, after --")
    arguments = parser.parse_args()
    ramp, hold = RAMP * arguments.scale, HOLD * arguments.scale
    with Cluster() as cluster, Worker(cluster, *arguments.flags) as worker:
        made = groups(cluster, worker, USERS // GROUP, GROUP, "privileged_plus")
        print(f"load: {USERS} users in groups of {GROUP}: {ramp:g} s to come, {hold:g} s to stay, {ramp:g} s to go", flush=True)
        outcome = asyncio.run(load(worker, made, ramp, hold, INTERVAL))
    print(outcome.report())
    return 1 if outcome.failed else 0


if __name__ == "__main__":
    sys.exit(main())
