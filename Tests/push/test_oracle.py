"""Random people, messages and changes, random kills of three workers and of Postgres: who is told is who the model says.

    make push-oracle                            thousands of steps of seeds that nobody has tried, which it prints
    make push-oracle SEEDS=4711 ROUNDS=200      those of one seed

In each round people change what they want, then messages are sent while things break, or while jobs are held back until
people have changed their minds; then everything settles, quiet hours end in which something is held, and it is compared: every device that should have had news of a
conversation was sent its last message, and accepted it; nobody else got anything; nothing was sent again once its acceptance
was recorded; and every message that somebody was not told of has its reason. At last somebody reads: what their devices
show is taken back, and their icons have the right number.
"""

from __future__ import annotations

import os
import time
import uuid
from random import Random, SystemRandom

import pytest
from house import House
from oracle import Changes, Message, Part, Person, Talk, Verdict, World, new_device
from oracle_checks import Checks

ROUNDS = int(os.environ.get("PARLEY_PUSH_ROUNDS", "6"))


def runs() -> dict[str, tuple[int, int]]:
    """Seed and rounds, by a name that stays: the same in every run of all tests and a short new one, or those that are named."""
    named, new = os.environ.get("PARLEY_PUSH_SEEDS"), SystemRandom()
    if named == "new":
        named = f"{new.randrange(1 << 32)},{new.randrange(1 << 32)}"
    seeds = [int(seed) for seed in (named or "1,1000446894").split(",")]
    fixed = {f"run {place}": (seed, ROUNDS) for place, seed in enumerate(seeds, 1)}
    return fixed if named else fixed | {"new run": (new.randrange(1 << 32), 2)}


RUNS = runs()
NAMES = ["Ann", "Bob", "Cyd", "Dan", "Eve", "Fay"]
# While there is a row, what becomes a job is not due for an hour.
HOLD = """
create table public.hold (yes boolean);
create function public.hold() returns trigger language plpgsql security definer as $$
begin
    if exists (select from public.hold) then
        new.due_at := greatest(new.due_at, clock_timestamp() + interval '1 hour');
    end if;
    return new;
end $$;
create trigger push_job_hold_trigger before insert on parley.push_job for each row execute function public.hold();
"""
UNREAD = "select count(*) from parley.event e where e.id > (select c.max_id from parley.consumer c where c.name = 'push')"
# What is held until quiet hours end.
HELD = "reason = 'quiet_hours' and due_at > now() + interval '2 minutes'"
# Of providers; none that lets a route rest for half a minute.
ODDITIES = [{"delay": 0.3}, {"goaway": "before"}, {"goaway": "after"}, {"reset": 7}, {"close": True}]


class Play(Checks):
    def __init__(self, house: House, seed: int):
        self.house, self.random, self.world = house, Random(seed), World()
        self.changes = Changes(house, self.world, self.random)
        self.steps = self.kills = self.held = 0
        self.active: set[str] = set()
        self.history: list[str] = []
        self.shown: dict[tuple[str, str, str], int] = {}

    def set_up(self) -> None:
        self.house.superuser(HOLD)
        for _ in range(3):
            self.house.worker()
        for name in NAMES:
            person = Person(name, self.house.user(name))
            self.world.people[name] = person
            for _ in range(self.random.randint(1, 3)):
                person.devices.append(new_device(self.house, self.random, person))
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
        self.changes.moved.clear()
        for _ in range(self.random.randint(2, 8)):
            self.note(self.changes.any())
        # Ends with the round, so it is drawn more often than the rest.
        if self.random.random() < 0.6:
            self.note(f"settings {self.changes.settings('hold')}")
        self.active |= {name for talk in self.world.talks for name, part in talk.parts.items() if part.read}
        # Some of it was taken back, or stands for a device that is gone.
        self.shown.clear()
        self.house.calm()
        self.check_icons(self.changes.moved)
        if self.random.random() < 0.4:
            self.broken = ""
            self.compare(*self.change_their_minds())
        else:
            self.compare(self.send_while_things_break(), {})
        self.read_at_rest()
        self.mend()

    def send_while_things_break(self) -> list[tuple[Talk, Message]]:
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
            if self.random.random() < 0.15:
                self.note(f"while it is sent: start_app {self.changes.start_app(self.ask)}")
        self.house.gateway.script.clear()
        self.settle()
        self.end_quiet_hours()
        return sent

    def change_their_minds(self) -> tuple[list[tuple[Talk, Message]], dict[tuple[str, str], Verdict]]:
        """Sends, and changes something before a job is due; what was decided at first, too."""
        self.house.superuser("insert into public.hold values (true)")
        sent = [self.send() for _ in range(self.random.randint(4, 10))]
        self.house.wait(lambda: self.house.sql(UNREAD) == "0", "the log read")
        first = {(message.id, name): self.world.decide(talk, message, name) for talk, message in sent for name in NAMES}
        changes = self.changes
        for _ in range(self.random.randint(1, 5)):
            change = self.random.choice([changes.level, changes.mute, changes.block, changes.settings, changes.read, changes.start_app])
            self.note(f"while jobs wait: {change.__name__} {change()}")
        self.active |= {name for talk in self.world.talks for name, part in talk.parts.items() if part.read}
        self.house.wait(lambda: self.house.sql(UNREAD) == "0", "the log read")
        self.house.superuser("delete from public.hold; update parley.push_job set due_at = clock_timestamp() where settled_at is null")
        self.settle()
        self.end_quiet_hours()
        return sent, first

    def end_quiet_hours(self) -> None:
        """Of what is held nothing was shown; then it comes."""
        self.check_held(self.house.rows(
            f"select device_id, conversation_id, first_seq, last_seq from parley.push_job where settled_at is null and {HELD}"
        ))
        for person in self.world.people.values():
            if person.quiet == "hold":
                self.ask(person.id, "set_push_settings", quiet_hours=[])
                person.quiet = None
                self.note(f"the quiet hours of {person.name} end")
        self.house.sql("update parley.push_job set due_at = clock_timestamp() where settled_at is null")
        self.settle()

    def read_at_rest(self) -> None:
        """Somebody whose devices show something reads it, and nothing else happens."""
        if not self.shown:
            return
        name, _, conversation = self.random.choice(sorted(self.shown))
        person, talk = self.world.people[name], next(talk for talk in self.world.talks if talk.id == conversation)
        self.house.calm()
        self.ask(person.id, "mark_as_read", conversation_id=conversation, seq=talk.last)
        talk.parts[name].read = talk.last
        self.active.add(name)
        self.note(f"{name} reads {self.world.talks.index(talk)} to {talk.last} at rest")
        self.settle()
        self.check_reading(person, conversation)

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
                self.house.settled(2, HELD)
                return
            except AssertionError:
                if time.monotonic() > limit:
                    raise


@pytest.mark.parametrize("run", RUNS)
def test_those_are_told_who_should_be_and_nobody_else(house: House, run: str):
    seed, rounds = RUNS[run]
    print(f"make push-oracle SEEDS={seed} ROUNDS={rounds}")
    play = Play(house, seed)
    play.set_up()
    for _ in range(rounds):
        play.round()
    print(f"{play.steps} steps, {play.kills} kills, {play.held} held")
    assert play.steps >= rounds * 4
