"""What Parley promises, as plain Python: users, tenants, conversations, messages, and a log of what changed.

Written from the documents, not from the SQL. A method named as a function of the API does to the model what that function
does to Parley: it changes the model and returns, or raises `Refused` and changes nothing that matters. `host_...` is what
the host does in SQL, and what time does. `None` as the caller is the host application. seen.py says what a user sees.

Users, tenants and conversations are names; a message is named after the operation that sent it.
"""

from __future__ import annotations

import copy

from .conversations import Conversations
from .messages import Messages
from .plans import Plans
from .reach import Reach
from .reading import Reading
from .seen import Seen
from .tenants import Tenants
from .things import DAY, PERMISSIONS, Conversation, Event, Message, Refused, refuse

__all__ = ["DAY", "PERMISSIONS", "Conversation", "Event", "Refused", "World"]


class World(Conversations, Messages, Reading, Reach, Tenants, Plans, Seen):
    def __init__(self, users: dict[str, str], tenants: list[str]):
        """`users`: name to tier."""
        self.tier = dict(users)
        self.subscriptions: dict[str, list] = {user: [] for user in users}
        self.tenants: dict[str, dict[str, str]] = {tenant: {} for tenant in tenants}
        self.receipts = {user: True for user in users}
        self.privacy = {user: "everyone" for user in users}
        self.stranger_messages = "inbox"
        self.follows: set[tuple] = set()
        self.blocks: set[tuple] = set()
        self.restrictions: set[tuple] = set()
        self.holds: set[tuple] = set()
        self.conversations: dict[str, Conversation] = {}
        self.direct: dict[tuple, str] = {}
        # By who started it and their client_message_id: what was asked, and the conversation.
        self.started: dict[tuple, tuple] = {}
        # The events that are one user's alone, by user: the conversation with each.
        self.own: dict[str, list[tuple[str, Event]]] = {user: [] for user in users}
        # Where the message of each operation is.
        self.places: dict[str, tuple[str, int]] = {}
        # The clock in minutes; and steps.
        self.now, self.time, self.label = 0, 0, ""

    def apply(self, operation) -> object:
        """What the operation answers; `Refused` if it is refused."""
        self.time += 1
        self.label = operation.label
        # Only a first message is refused when something has been done already.
        saved = copy.deepcopy(self.__dict__) if operation.arguments.get("message") else None
        try:
            return getattr(self, operation.function)(operation.user, **operation.arguments)
        except Refused:
            if saved:
                self.__dict__ = saved
            raise

    # Looking something up, as a caller who may not know that it exists.

    def enter(self, user: str | None, conversation: str) -> Conversation:
        """The conversation, for one who is in it; absent and forbidden are alike."""
        found = self.conversations.get(conversation)
        if user is None:
            refuse(found is None, "PT404")
        else:
            refuse(found is None or user not in found.present, "PT403")
        return found

    def find(self, user: str, message_id: str, also_hidden: bool = False) -> tuple[Conversation, Message]:
        """A message the user may see, deleted or not."""
        c, m = self.stored(message_id)
        refuse(user not in c.present or m.seq < c.members[user].history_from, "PT404")
        refuse(not self.alive(m) or not self.in_window(user, m.at), "PT404")
        refuse(user in m.hidden_by and not also_hidden, "PT404")
        return c, m

    def stored(self, message_id: str) -> tuple[Conversation, Message]:
        refuse(message_id not in self.places, "PT404")
        name, seq = self.places[message_id]
        refuse(self.conversations[name].messages[seq - 1].purged, "PT404")
        return self.conversations[name], self.conversations[name].messages[seq - 1]

    # The log.

    def tell(self, c: Conversation, event: Event) -> None:
        event.at = self.now
        c.events.append(event)

    def tell_own(self, user: str, conversation: str | None, kind: str, **rest) -> None:
        """An event for the user's own devices."""
        self.own[user].append((conversation, Event(kind, at=self.now, **rest)))

    def logs(self) -> list[list[Event]]:
        return [c.events for c in self.conversations.values()] + [[e for _, e in events] for events in self.own.values()]
