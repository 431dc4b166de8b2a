"""Random operations: mostly sensible ones, and some that are to be refused."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

from circumstances import Circumstances
from model import PERMISSIONS, Conversation, World

USERS = {
    "ann": "privileged_plus", "bob": "privileged_plus", "cid": "privileged", "dan": "privileged", "eve": "free", "fay": "free",
}
TENANTS = ["north", "south"]
EMOJI = ("👍", "🎉", "❤️", "x")


@dataclass
class Operation:
    # None: the host application.
    user: str | None
    function: str
    arguments: dict = field(default_factory=dict)
    # Names the conversation and the message that it makes; stays the same when a history is shortened.
    label: str = ""

    def __str__(self) -> str:
        arguments = ", ".join(f"{name}={short(value)}" for name, value in self.arguments.items())
        return f"{self.label}: {self.user or 'the host'}: {self.function}({arguments})"


def short(value: object) -> str:
    return f"{value[0]!r} * {len(value)}" if isinstance(value, str) and len(value) > 80 else repr(value)


class Draw(Circumstances):
    """One operation after the other, each fitting the world as it is."""

    def __init__(self, random: Random):
        self.random = random
        self.step = 0
        # Set: what is drawn happens there.
        self.focus: Conversation | None = None
        self.opening = [Operation(None, function, arguments) for function, arguments in self.first()]

    def pair(self, world: World) -> tuple[Operation, ...]:
        """Two operations that may get in each other's way."""
        self.focus = self.random.choice(list(world.conversations.values()))
        first, second = self.operation(world), self.operation(world)
        self.focus = None
        if alone := [operation for operation in (first, second) if operation.function in ALONE]:
            return alone[0],
        if first.function == "start_conversation" and first.arguments["type"] == "direct" and self.chance(0.7):
            # The same pair, from the other side.
            [other] = first.arguments["participant_ids"]
            second = Operation(other, first.function, first.arguments | {"participant_ids": [first.user]}, second.label)
        elif self.chance(0.15) or first.function == second.function == "add_participants":
            # The same again. Who of two that are added at once has been there longer is open.
            second = Operation(first.user, first.function, first.arguments, second.label)
        return first, second

    def operation(self, world: World) -> Operation:
        self.world = world
        self.step += 1
        if self.opening:
            return replace(self.opening.pop(), label=str(self.step))
        choices = [choice for choice in WEIGHTS if len(self.world.conversations) > 1 or choice is Draw.start]
        weights = [WEIGHTS[choice] * self.often(choice.__name__) for choice in choices]
        operation = self.random.choices(choices, weights)[0](self)
        operation.label = str(self.step)
        return operation

    def make(self, user: str | None, function: str, arguments: dict) -> Operation:
        return Operation(user, function, arguments)

    # What to do it to.

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def user(self) -> str:
        return self.random.choice(list(USERS))

    def others(self, most: int) -> list[str]:
        return self.random.sample(list(USERS), self.random.randint(1, most))

    def conversation(self) -> Conversation:
        if self.focus and self.chance(0.9):
            return self.focus
        return self.random.choice(list(self.world.conversations.values()))

    def member(self, c: Conversation) -> str:
        """Who is in it; seldom somebody else."""
        return self.user() if not c.present or self.chance(0.06) else self.random.choice(list(c.present))

    def place(self) -> tuple[str, dict]:
        c = self.conversation()
        return self.member(c), {"conversation_id": c.name}

    def message(self, recent: int = 15) -> tuple[str, dict]:
        """A message, mostly one of the newest, and somebody, mostly its sender or a member."""
        c = self.conversation()
        seq = max(1, c.last - self.random.randrange(recent)) if c.last else 1
        sender = c.messages[seq - 1].sender if c.last else None
        user = sender if sender and self.chance(0.5) else self.member(c)
        return user, {"message_id": self.name(c, seq)}

    def name(self, c: Conversation, seq: int) -> str:
        return next((label for label, place in self.world.places.items() if place == (c.name, seq)), "none")

    # What to do.

    def start(self) -> Operation:
        left = [c for c in self.world.conversations.values() if c.type == "direct" and len(c.present) < 2]
        if left and self.chance(0.3):
            # Again, after somebody left with the tenant.
            c = self.random.choice(left)
            user, other = self.random.sample(list(c.members), 2)
            arguments = {"participant_ids": [other], "type": "direct"} | ({"context": c.context} if c.context else {})
            return Operation(user, "start_conversation", arguments)
        type = self.random.choice(["direct", "direct", "direct", "group", "group", "announcement"])
        arguments = {"participant_ids": self.others(1 if type == "direct" else 4), "type": type}
        if type == "direct" and self.chance(0.3):
            arguments["context"] = ("listing", self.random.choice("12"))
        if type != "direct" and self.chance(0.5):
            arguments["title"] = f"Title {self.step}"
        if self.chance(0.3):
            arguments |= {"message": f"first of {self.step}", "client_message_id": f"k{self.random.randrange(10)}"}
        return Operation(self.user(), "start_conversation", arguments)

    def send(self) -> Operation:
        user, arguments = self.place()
        c = self.world.conversations[arguments["conversation_id"]]
        arguments["content"] = f"text {self.step}"
        if self.chance(0.25):
            # One of few ids, and one of few texts: retries, and conflicts.
            arguments |= {"client_message_id": f"k{self.random.randrange(6)}", "content": self.random.choice(["this", "this", "that"])}
        if self.chance(0.1):
            arguments["content"] = self.random.choice([None, "", "  ", "x" * 5001, "x" * 5000])
        if self.chance(0.05):
            arguments["type"] = self.random.choice(["file", "system", "telegram"])
        if self.chance(0.2) and c.last:
            there = c if self.chance(0.9) else self.conversation()
            arguments["reply_to_id"] = self.name(there, self.random.randint(max(1, c.last - 10), c.last))
        if self.chance(0.15):
            arguments["mentions"] = self.random.sample(list(c.present) or ["ann"], 1) + (["fay"] if self.chance(0.1) else [])
        if self.chance(0.1):
            arguments["metadata"] = {"n": self.step}
        if self.chance(0.1):
            arguments["expires_in"] = "1 hour"
        return Operation(user, "send_message", arguments)

    def edit(self) -> Operation:
        user, arguments = self.message()
        arguments["content"] = self.random.choice([f"edited {self.step}", f"edited {self.step}", "the same", ""])
        if self.chance(0.2):
            arguments["metadata"] = self.random.choice([{}, {"edited": self.step}])
        if self.chance(0.15):
            arguments["mentions"] = self.random.choice([[], [self.user()]])
        return Operation(user, "edit_message", arguments)

    def delete(self) -> Operation:
        user, arguments = self.message()
        return Operation(user, "delete_message", arguments | {"for_everyone": self.chance(0.5)})

    def react(self) -> Operation:
        user, arguments = self.message(5)
        function = self.random.choice(["add_reaction", "add_reaction", "remove_reaction"])
        return Operation(user, function, arguments | {"emoji": self.random.choice(EMOJI if function == "add_reaction" else EMOJI[:3])})

    def mark(self) -> Operation:
        user, arguments = self.place()
        function = self.random.choice(["mark_as_read", "mark_as_read", "mark_as_delivered", "mark_as_unread"])
        if function != "mark_as_unread" and self.chance(0.6):
            last = self.world.conversations[arguments["conversation_id"]].last
            arguments["seq"] = self.random.randint(-1 if self.chance(0.1) else 0, last + 2)
        return Operation(user, function, arguments)

    def mark_message(self) -> Operation:
        return Operation(self.member(self.conversation()), "mark_message_as_read", self.message()[1])

    def settings(self) -> Operation:
        user, arguments = self.place()
        name, values = self.random.choice([
            ("pin", [True, False]), ("archive", [True, False, False]), ("mute_until", ["infinity", "-infinity"]),
            ("notifications", ["all", "mentions", "none", "loud"]),
        ])
        return Operation(user, "update_participant_settings", arguments | {name: self.random.choice(values)})

    def add(self) -> Operation:
        user, arguments = self.place()
        return Operation(user if self.chance(0.9) else None, "add_participants", arguments | {"participant_ids": self.others(3)})

    def remove(self) -> Operation:
        user, arguments = self.place()
        c = self.world.conversations[arguments["conversation_id"]]
        return Operation(user if self.chance(0.9) else None, "remove_participant", arguments | {"user_id": self.member(c)})

    def leave(self) -> Operation:
        user, arguments = self.place()
        return Operation(user, "leave_conversation", arguments)

    def system(self) -> Operation:
        _, arguments = self.place()
        content = self.random.choice([f"notice {self.step}", f"notice {self.step}", ""])
        return Operation(None, "send_system_message", arguments | {"content": content})

    def update(self) -> Operation:
        user, arguments = self.place()
        # Seldom closed for long.
        if self.world.conversations[arguments["conversation_id"]].status != "active":
            change = {"status": "active"}
        else:
            who, permission = self.random.choice(["everyone", "everyone", "admins"]), self.random.choice(list(PERMISSIONS))
            change = self.random.choice([
                {"status": "locked"}, {"status": "archived"}, {"title": f"Title {self.step}"}, {"title": f"Title {self.step}"},
                {"who_can_send": self.random.choice(["everyone", "admins_only"])}, {"permissions": {permission: who}},
                {"permissions": {permission: who}}, {"history_visible": self.random.choice(["start", "joined"])},
            ])
        return Operation(user if self.chance(0.6) else None, "update_conversation", arguments | change)

    def clear(self) -> Operation:
        user, arguments = self.place()
        return Operation(user, "delete_conversation", arguments)

    def draft(self) -> Operation:
        user, arguments = self.place()
        return Operation(user, "save_draft", arguments | {"content": self.random.choice(["", f"draft {self.step}", "the same"])})

    def keep(self) -> Operation:
        user, arguments = self.message()
        [function] = self.random.choices(["star_message", "unstar_message", "pin_message", "unpin_message"], [4, 1, 6, 1])
        c = self.world.conversations.get(self.world.places.get(arguments["message_id"], ("none",))[0])
        may = [member for member in c.present if c.allows(member, "change_settings")] if c else []
        if may and function == "pin_message" and self.chance(0.8):
            user = self.random.choice(may)
        return Operation(user, function, arguments)

    def forward(self) -> Operation:
        user, arguments = self.message()
        return Operation(user, "forward_message", arguments | {"conversation_ids": [self.conversation().name]})

    def role(self) -> Operation:
        user, arguments = self.place()
        c = self.world.conversations[arguments["conversation_id"]]
        role = self.random.choice(["owner", "admin", "admin", "member", "member"])
        arguments |= {"user_id": self.member(c), "role": role}
        return Operation(user if self.chance(0.9) else None, "set_participant_role", arguments)


WEIGHTS = {
    Draw.start: 3, Draw.send: 30, Draw.edit: 8, Draw.delete: 9, Draw.react: 9, Draw.mark: 14, Draw.mark_message: 3,
    Draw.settings: 5, Draw.add: 5, Draw.remove: 2, Draw.leave: 2, Draw.system: 1.5, Draw.role: 3, Draw.update: 4,
    Draw.clear: 1.5, Draw.draft: 2, Draw.keep: 14, Draw.forward: 3,
    Draw.privacy: 1.5, Draw.follow: 1.5, Draw.block: 2.5, Draw.restrict: 1, Draw.answer: 3.5, Draw.setting: 0.2,
    Draw.tenant: 1, Draw.plan: 1.5, Draw.hold: 0.5, Draw.wait: 1.5, Draw.work: 1.2,
}
# The clock does not move while something happens, and jobs wait for nobody.
ALONE = (
    "host_wait", "host_expire_messages", "host_expire_requests", "host_retain", "host_index", "host_setting", "host_hold",
    "host_release",
)
