"""What there is in a world: conversations, who is in them, what is said there, and the log."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

ADMINS = ("owner", "admin")
TYPES = ("text", "image", "video", "media", "voice", "file", "location")
PERMISSIONS = {
    "send_messages": "who_can_send", "add_members": "who_can_add", "remove_members": "who_can_remove",
    "change_settings": "who_can_change_settings", "delete_messages": "who_can_delete",
}
DAY = 24 * 60


class Refused(Exception):
    """The SQLSTATE class: PT400 invalid, PT403 forbidden, PT404 absent, PT409 conflict, PT410 gone, PT413 too large."""


def refuse(condition: object, code: str) -> None:
    if condition:
        raise Refused(code)


@dataclass
class Event:
    kind: str
    actor: str | None = None
    user: str | None = None
    seq: int | None = None
    data: dict = field(default_factory=dict)
    # When, in minutes by the world's clock; and its place among all events.
    at: int = 0
    order: int = field(default_factory=count().__next__)


@dataclass
class Message:
    seq: int
    sender: str | None
    type: str = "text"
    # None in a system message: the text is the server's own affair.
    content: str | None = None
    sender_role: str | None = None
    metadata: dict = field(default_factory=dict)
    mentions: list = field(default_factory=list)
    reply_to: int | None = None
    key: str | None = None
    edited: bool = False
    forwarded: bool = False
    # In which step.
    pinned: int | None = None
    deleted: bool = False
    # When, in minutes by the world's clock; in steps, to say who was there before; and the place of its event in the log.
    at: int = 0
    sent: int = 0
    order: int = 0
    # The same, but where one step says something in several conversations the order of Parley.
    heard: int = 0
    expires_at: int | None = None
    retired_at: int | None = None
    purged: bool = False
    # Who caused a system message; the server's own words about a change are unread for nobody.
    actor: str | None = None
    notice: bool = False
    reactions: list = field(default_factory=list)
    hidden_by: set = field(default_factory=set)
    # Who was never to learn of it.
    silenced_for: str | None = None
    # By user, in which step.
    starred_by: dict = field(default_factory=dict)
    # How often each user has passed it on.
    forwards: dict = field(default_factory=dict)


@dataclass
class Member:
    role: str
    joined: int
    read: int = 0
    delivered: int = 0
    history_from: int = 1
    history_from_event: int = 1
    app_role: str | None = None
    added_by: str | None = None
    folder: str = "inbox"
    left: bool = False
    # When, in steps.
    left_at: int = 0
    # How far the others see that the member has read, if not as far as it is.
    shown: int | None = None
    marked_unread: bool = False
    pinned: bool = False
    archived: bool = False
    muted: bool = False
    level: str = "all"
    # Deleted for this user alone, when it had so many messages.
    deleted_at: int | None = None
    draft: str | None = None
    # (after, up to): one per advance of the read horizon; and those which are nobody else's business.
    markers: list = field(default_factory=list)
    private_markers: list = field(default_factory=list)


@dataclass
class Request:
    sender: str
    created: int
    status: str = "pending"
    answered: int = 0
    sent: int = 0
    # In the order in which they were asked they expire.
    order: int = 0


@dataclass
class Conversation:
    name: str
    type: str
    creator: str
    tenant: str | None = None
    title: str | None = None
    context: tuple | None = None
    status: str = "active"
    # The boundary of a tenant runs through it.
    severed: bool = False
    who_can_send: str = "everyone"
    who_can_add: str = "everyone"
    who_can_remove: str = "admins_only"
    who_can_change_settings: str = "admins_only"
    who_can_delete: str = "admins_only"
    history_visible: str = "joined"
    members: dict[str, Member] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    # The first event that is still kept; and up to which message receipts and events have gone.
    kept_from: int = 1
    swept: int = 0
    sent: dict = field(default_factory=dict)
    # By who finds it among their requests, or did.
    requests: dict[str, Request] = field(default_factory=dict)
    # Whose plan counts while nobody is there.
    left_window: int | None = None

    @property
    def last(self) -> int:
        return len(self.messages)

    @property
    def present(self) -> dict[str, Member]:
        return {user: member for user, member in self.members.items() if not member.left}

    def allows(self, user: str, permission: str) -> bool:
        return self.members[user].role in ADMINS or getattr(self, PERMISSIONS[permission]) == "everyone"

    def other(self, user: str) -> str | None:
        """Of the two in a direct conversation, the other."""
        return next(name for name in self.members if name != user) if self.type == "direct" else None
