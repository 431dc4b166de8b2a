"""Who is to be told of a message, and why not: a small model of what a user of Parley is promised."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random


@dataclass
class Person:
    name: str
    id: str
    devices: list = field(default_factory=list)
    push: bool = True
    # None, or what comes in quiet hours that never end.
    quiet: str | None = None
    dnd: bool = False
    has_been_quiet: bool = False
    mentions_pierce: bool = False
    blocked: set[str] = field(default_factory=set)
    restricted: set[str] = field(default_factory=set)


@dataclass
class Part:
    level: str = "all"
    muted: bool = False
    read: int = 0


@dataclass
class Message:
    id: str
    seq: int
    sender: str
    mentions: set[str]


@dataclass
class Talk:
    id: str
    is_group: bool
    parts: dict[str, Part]
    last: int = 0


@dataclass
class Verdict:
    """`reason` is empty when it is to be sent."""

    reason: str
    is_silent: bool = False


class World:
    def __init__(self):
        self.people: dict[str, Person] = {}
        self.talks: list[Talk] = []

    def decide(self, talk: Talk, message: Message, name: str) -> Verdict:
        person, part = self.people[name], talk.parts.get(name)
        if part is None:
            return Verdict("left")
        if name == message.sender:
            return Verdict("own")
        mentioned = name in message.mentions
        if message.sender in person.blocked:
            return Verdict("sender_blocked")
        if message.sender in person.restricted:
            return Verdict("sender_restricted")
        if message.seq <= part.read:
            return Verdict("read")
        if not person.push:
            return Verdict("push_off")
        if part.level == "none":
            return Verdict("level_none")
        if part.muted and not (part.level == "mentions" and mentioned):
            return Verdict("muted")
        if part.level == "mentions" and not mentioned:
            return Verdict("level_mentions")
        if person.mentions_pierce and mentioned:
            return Verdict("")
        if person.dnd:
            return Verdict("do_not_disturb")
        # What is held comes when the quiet hours end, before the round does.
        if person.quiet:
            return Verdict("quiet_hours" if person.quiet == "drop" else "", person.quiet == "silent")
        return Verdict("")


def new_device(house, random: Random, person: Person):
    return house.device(person.id, random.choice(["apns", "fcm", "webpush"]), session=f"session {random.getrandbits(64)}")


class Changes:
    """Draws what people change, and does it to the world and to Parley."""

    def __init__(self, house, world: World, random: Random):
        self.house, self.world, self.random = house, world, random
        # Whose number on the icon has moved.
        self.moved: set[str] = set()

    def person(self) -> Person:
        return self.random.choice(list(self.world.people.values()))

    def part(self) -> tuple[Talk, Person, Part]:
        talk = self.random.choice([talk for talk in self.world.talks if talk.parts])
        name = self.random.choice(list(talk.parts))
        return talk, self.world.people[name], talk.parts[name]

    def any(self) -> str:
        change = self.random.choice(
            [self.level, self.mute, self.read, self.block, self.unblock, self.restrict, self.settings, self.add_device, self.drop_device, self.start_app, self.leave]
        )
        return f"{change.__name__} {change()}"

    def level(self) -> str:
        talk, person, part = self.part()
        before, part.level = part.level, self.random.choice(["all", "mentions", "none"])
        if part.level != before:
            self.moved.add(person.name)
        self.house.rpc(person.id, "update_participant_settings", conversation_id=talk.id, notifications=part.level)
        return f"{person.name} {part.level}"

    def mute(self) -> str:
        talk, person, part = self.part()
        part.muted = not part.muted
        self.moved.add(person.name)
        until = "infinity" if part.muted else "2000-01-01T00:00:00Z"
        self.house.rpc(person.id, "update_participant_settings", conversation_id=talk.id, mute_until=until)
        return f"{person.name} {part.muted}"

    def read(self) -> str:
        talk, person, part = self.part()
        if talk.last:
            self.house.rpc(person.id, "mark_as_read", conversation_id=talk.id, seq=talk.last)
        part.read = max(part.read, talk.last)
        return f"{person.name} {talk.last}"

    def block(self) -> str:
        one, other = self.random.sample(list(self.world.people.values()), 2)
        one.blocked.add(other.name)
        self.house.rpc(one.id, "block_user", user_id=other.id)
        return f"{one.name} {other.name}"

    def unblock(self) -> str:
        one = self.person()
        if one.blocked:
            other = self.world.people[self.random.choice(sorted(one.blocked))]
            one.blocked.remove(other.name)
            self.house.rpc(one.id, "unblock_user", user_id=other.id)
        return one.name

    def restrict(self) -> str:
        one, other = self.random.sample(list(self.world.people.values()), 2)
        if any(not talk.is_group and {one.name, other.name} == set(talk.parts) for talk in self.world.talks):
            # Their conversation would become a request, of which Tests/push/test_rules.py knows more.
            return "nobody"
        turn = other.name in one.restricted
        one.restricted ^= {other.name}
        self.house.rpc(one.id, "unrestrict_user" if turn else "restrict_user", user_id=other.id)
        return f"{one.name} {other.name} {not turn}"

    def settings(self, *quiet: str) -> str:
        person = self.person()
        person.push = self.random.random() < 0.8
        person.quiet = self.random.choice(quiet or [None, None, "silent", "drop", "hold"])
        person.dnd = self.random.random() < 0.15
        person.has_been_quiet |= person.quiet is not None or person.dnd
        person.mentions_pierce = self.random.random() < 0.5
        zone = self.random.choice(["UTC", "Asia/Kathmandu", "America/St_Johns", "Pacific/Chatham"])
        # From midnight to midnight, every day: the whole day, in whatever zone.
        always = [{"weekdays": [1, 2, 3, 4, 5, 6, 7], "from": "00:00", "to": "00:00"}]
        self.house.rpc(
            person.id, "set_push_settings", enabled=person.push, mentions_pierce_quiet=person.mentions_pierce, time_zone=zone,
            quiet_hours=always if person.quiet else [], quiet_mode=person.quiet or "silent",
            dnd_until="infinity" if person.dnd else "2000-01-01T00:00:00Z",
        )
        return f"{person.name} {person.push} {person.quiet} {person.dnd} {zone}"

    def add_device(self) -> str:
        person = self.person()
        if len(person.devices) < 4:
            person.devices.append(new_device(self.house, self.random, person))
        return person.name

    def start_app(self, rpc=None) -> str:
        person = self.person()
        device, is_new = self.random.choice(person.devices), self.random.random() < 0.6
        self.house.app_starts(device, is_new, rpc)
        return f"{person.name} {device.provider} {'new' if is_new else 'same'}"

    def drop_device(self) -> str:
        person = self.person()
        if len(person.devices) > 1:
            device = person.devices.pop(self.random.randrange(len(person.devices)))
            self.house.rpc(person.id, "remove_device", device_id=device.id)
        return person.name

    def leave(self) -> str:
        groups = [talk for talk in self.world.talks if talk.is_group and len(talk.parts) > 3]
        if not groups or self.random.random() < 0.5:
            return "nobody"
        talk = self.random.choice(groups)
        name = self.random.choice(list(talk.parts)[1:])
        del talk.parts[name]
        self.moved.add(name)
        self.house.rpc(self.world.people[name].id, "leave_conversation", conversation_id=talk.id)
        # Says so in the conversation.
        talk.last = int(self.house.sql(f"select last_seq from parley.conversation where id = '{talk.id}'"))
        return name
