"""Random people, messages and changes, random kills of three workers and of Postgres: who is told is who the model says.

    PARLEY_PUSH_SEEDS=4711 PARLEY_PUSH_ROUNDS=200 pytest Tests/push/test_oracle.py      one run of thousands of steps

In each round people change what they want, then messages are sent while things break, then everything settles and is
compared: every device that should have had news of a conversation was sent its last message, and accepted it; nobody else
got anything; nothing was sent again once its acceptance was recorded; and every message that somebody was not told of has
its reason.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from random import Random, SystemRandom

import pytest
from house import House, is_shown, kind, push_id
from oracle import Changes, Message, Part, Person, Talk, World

SEEDS = [int(seed) for seed in os.environ.get("PARLEY_PUSH_SEEDS", f"1,{SystemRandom().randrange(1000, 1 << 32)}").split(",")]
ROUNDS = int(os.environ.get("PARLEY_PUSH_ROUNDS", "6"))
NAMES = ["Ann", "Bob", "Cyd", "Dan", "Eve", "Fay"]
# Of providers; none that lets a route rest for half a minute.
ODDITIES = [{"delay": 0.3}, {"goaway": "before"}, {"goaway": "after"}, {"reset": 7}, {"close": True}]


class Play:
    def __init__(self, house: House, seed: int):
        self.house, self.random, self.world = house, Random(seed), World()
        self.changes = Changes(house, self.world, self.random)
        self.steps = self.kills = 0
        # Who has read or sent something.
        self.active: set[str] = set()
        self.history: list[str] = []

    def set_up(self) -> None:
        for _ in range(3):
            self.house.worker()
        for name in NAMES:
            person = Person(name, self.house.user(name))
            self.world.people[name] = person
            for _ in range(self.random.randint(1, 3)):
                person.devices.append(self.house.device(person.id, self.random.choice(["apns", "fcm", "webpush"])))
        ids = {name: person.id for name, person in self.world.people.items()}
        for one, other in [("Ann", "Bob"), ("Cyd", "Dan"), ("Ann", "Eve"), ("Bob", "Fay")]:
            self.world.talks.append(Talk(self.house.conversation(ids[one], ids[other]), False, {one: Part(), other: Part()}))
        for size in (6, 4):
            names = self.random.sample(NAMES, size)
            id = self.house.conversation(ids[names[0]], *(ids[name] for name in names[1:]), title="Group")
            self.world.talks.append(Talk(id, True, {name: Part() for name in names}))
        for talk in self.world.talks:
            talk.last = int(self.house.sql(f"select last_seq from parley.conversation where id = '{talk.id}'"))
        self.house.calm()

    # --- a round

    def round(self) -> None:
        self.readers: set[str] = set()
        for _ in range(self.random.randint(2, 8)):
            self.note(self.changes.any())
        self.active |= {name for talk in self.world.talks for name, part in talk.parts.items() if part.read}
        self.house.calm()
        self.gateway_oddities()
        self.broken = self.random.choice(["", "", "worker", "worker", "postgres"])
        sent: list[tuple[Talk, Message]] = []
        count = self.random.randint(4, 12)
        breaks_at = self.random.randrange(count)
        for n in range(count):
            if n == breaks_at and self.broken:
                self.break_something()
            sent.append(self.send())
            if self.random.random() < 0.15:
                self.read_meanwhile()
        self.house.gateway.script.clear()
        self.settle()
        self.compare(sent)
        self.mend()

    def note(self, what: str) -> None:
        self.steps += 1
        self.history.append(what)

    def gateway_oddities(self) -> None:
        if self.random.random() < 0.7:
            self.house.gateway.script["*"] = [
                self.random.choice(ODDITIES) if self.random.random() < 0.15 else {} for _ in range(200)
            ] + [{}]

    def living(self):
        return [worker for worker in self.house.workers if worker.process and worker.process.poll() is None]

    def ask(self, user: str, function: str, **arguments):
        """Asks any worker until one answers: what is asked has a key of its own."""
        limit = time.monotonic() + 60
        while True:
            try:
                return self.house.rpc(user, function, worker=self.random.choice(self.living()), **arguments)
            except Exception as error:  # noqa: BLE001 - whatever a kill looks like from outside
                if getattr(error, "status", 503) not in (500, 503, 504) or time.monotonic() > limit:
                    raise
                time.sleep(0.1)

    def send(self) -> tuple[Talk, Message]:
        # Who has blocked somebody writes them nothing.
        talk, sender = self.random.choice([
            (talk, name) for talk in self.world.talks if len(talk.parts) > 1 for name in talk.parts
            if talk.is_group or not self.world.people[name].blocked & set(talk.parts)
        ])
        others = [name for name in talk.parts if name != sender]
        mentions = set(self.random.sample(others, self.random.randint(0, min(2, len(others))))) if self.random.random() < 0.4 else set()
        row = self.ask(
            self.world.people[sender].id, "send_message", conversation_id=talk.id, content=f"message {self.steps}",
            client_message_id=str(uuid.UUID(int=self.random.getrandbits(128), version=4)),
            mentions=[self.world.people[name].id for name in sorted(mentions)],
        )
        message = Message(row["id"], row["seq"], sender, mentions)
        talk.last = max(talk.last, row["seq"])
        self.active.add(sender)
        self.note(f"{sender} sends {row['seq']} in {self.world.talks.index(talk)}, mentioning {sorted(mentions)}")
        return talk, message

    def read_meanwhile(self) -> None:
        talk, person, part = self.changes.part()
        if talk.last:
            self.ask(person.id, "mark_as_read", conversation_id=talk.id, seq=talk.last)
            part.read = max(part.read, talk.last)
            self.readers.add(person.name)
            self.active.add(person.name)
        self.note(f"{person.name} reads {self.world.talks.index(talk)} to {talk.last}")

    def break_something(self) -> None:
        self.kills += 1
        if self.broken == "worker":
            victim = self.random.choice(self.living())
            victim.kill9()
            self.note(f"worker {self.house.workers.index(victim)} is killed")
        else:
            self.house.cluster.command("kill9")
            time.sleep(self.random.random())
            self.house.cluster.command("restart")
            self.note("Postgres is killed")

    def mend(self) -> None:
        for place, worker in enumerate(list(self.house.workers)):
            if worker.process.poll() is not None:
                self.house.workers.remove(worker)
                self.house.worker()
        assert len(self.living()) == 3

    def settle(self) -> None:
        limit = time.monotonic() + 120
        while True:
            try:
                # A lease of more than some seconds is nobody's: a minute passes.
                if self.broken:
                    self.house.sql(
                        "update parley.push_job set due_at = clock_timestamp() "
                        "where state = 'leased' and due_at between clock_timestamp() and clock_timestamp() + interval '52 seconds'"
                    )
                self.house.settled(2)
                return
            except AssertionError:
                if time.monotonic() > limit:
                    raise

    # --- what came of it

    def compare(self, sent: list[tuple[Talk, Message]]) -> None:
        entries = list(self.house.gateway.log)
        devices = {device.target: (person, device) for person in self.world.people.values() for device in person.devices}
        got: dict[tuple[str, str], list[dict]] = {}
        for entry in entries:
            if entry["kind"] == "token":
                continue
            found = devices.get(House.target(entry))
            assert found, f"{House.target(entry)} is nobody's device\n{self.story()}"
            person, device = found
            if not is_shown(entry):
                # Who sends at the end of a conversation has read it, too.
                assert person.name in self.active, f"{person.name} has read nothing and got {kind(entry)}\n{self.story()}"
                continue
            got.setdefault((device.target, self.conversation(entry)), []).append(entry)
        for talk in self.world.talks:
            messages = [message for there, message in sent if there is talk]
            for name in NAMES:
                self.compare_person(talk, messages, self.world.people[name], got)
        assert not got, f"more than there should be: {[(devices[target][0].name, c) for target, c in got]}\n{self.story()}"
        self.check_attempts(entries)
        assert self.house.gateway.violations == [], self.house.gateway.violations

    def compare_person(self, talk: Talk, messages: list[Message], person: Person, got: dict) -> None:
        verdicts = {message.seq: self.world.decide(talk, message, person.name) for message in messages}
        # Who read while it was sent may have been told before, or not.
        open_ = {seq for seq, verdict in verdicts.items() if verdict.reason == "read" and person.name in self.readers}
        due = [seq for seq, verdict in verdicts.items() if not verdict.reason]
        for device in person.devices:
            entries = got.pop((device.target, talk.id), [])
            accepted = [entry for entry in entries if House.was_accepted(entry)]
            seqs = {self.seq(entry) for entry in entries}
            about = f"{person.name} {device.provider}, conversation {self.world.talks.index(talk)}: {verdicts}, got {seqs}"
            assert seqs <= set(due) | open_, f"{about}\n{self.story()}"
            if due:
                assert max(due) in {self.seq(entry) for entry in accepted}, f"{about}\n{self.story()}"
        for message in messages:
            if (reason := verdicts[message.seq].reason) and reason not in ("own", "left") and message.seq not in open_:
                self.check_reason(message, person, reason)

    def check_reason(self, message: Message, person: Person, reason: str) -> None:
        answer = json.loads(self.house.sql(
            f"select parley.explain_delivery('{message.id}', '{person.id}', 'a test')"
        ))
        assert reason in json.dumps(answer), f"{person.name}, {message.seq}: {reason} is not in {answer}\n{self.story()}"

    def check_attempts(self, entries: list[dict]) -> None:
        jobs = {row["id"]: row for row in self.house.rows(
            "select id, state, extract(epoch from settled_at)::float as settled, claim from parley.push_job where device_id is not null"
        )}
        times: dict[str, list[dict]] = {}
        for entry in entries:
            if entry["kind"] != "token":
                times.setdefault(push_id(entry), []).append(entry)
        for id, attempts in times.items():
            job = jobs[id]
            # Not one more once its acceptance was recorded; without a kill, not one more once it was accepted.
            late = [entry for entry in attempts if job["state"] == "sent" and entry["wall"] > job["settled"]]
            assert not late, f"{id} was sent after it was settled: {job} {late}\n{self.story()}"
            accepted = [entry for entry in attempts if House.was_accepted(entry)]
            assert len(accepted) <= 1 or self.broken, f"{id} was accepted {len(accepted)} times\n{self.story()}"

    @staticmethod
    def data(entry: dict) -> dict:
        payload = entry["payload"]
        return payload.get("parley") or payload.get("data") or payload["notification"]["data"]

    def conversation(self, entry: dict) -> str:
        return self.data(entry)["conversation_id"]

    def seq(self, entry: dict) -> int:
        return int(self.data(entry)["seq"])

    def story(self) -> str:
        return "\n".join([*self.history[-40:], self.house.story()])


@pytest.fixture(params=range(len(SEEDS)), ids=lambda place: f"run {place + 1}")
def seed(request):
    print(f"PARLEY_PUSH_SEEDS={SEEDS[request.param]} PARLEY_PUSH_ROUNDS={ROUNDS}")
    return SEEDS[request.param]


def test_those_are_told_who_should_be_and_nobody_else(house: House, seed: int):
    play = Play(house, seed)
    play.set_up()
    for _ in range(ROUNDS):
        play.round()
    print(f"{play.steps} steps, {play.kills} kills")
    assert play.steps >= ROUNDS * 4
