"""What Parley promises, as plain Python: users, conversations, messages, and a log of what changed.

Written from the design's words, not from the SQL. A method named as a function of the API does to the model what that
function does to Parley: it changes the model and returns, or raises `Refused` and changes nothing. `None` as the caller is
the host application. The methods at the end say what a user sees.

Users and conversations are names; a message is named after the operation that sent it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

ADMINS = ("owner", "admin")
TYPES = ("text", "image", "video", "media", "voice", "file", "location")
PERMISSIONS = {
    "send_messages": "who_can_send", "add_members": "who_can_add", "remove_members": "who_can_remove",
    "change_settings": "who_can_change_settings", "delete_messages": "who_can_delete",
}


class Refused(Exception):
    """The SQLSTATE class: PT400 invalid, PT403 forbidden, PT404 absent, PT409 conflict, PT413 too large."""


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
    expires: bool = False
    expired: bool = False
    edited: bool = False
    forwarded: bool = False
    pinned: bool = False
    deleted: bool = False
    minutes: int = 0
    # When, by the model's clock.
    sent: int = 0
    # Who caused a system message; the server's own words about a change are unread for nobody.
    actor: str | None = None
    notice: bool = False
    reactions: list = field(default_factory=list)
    hidden_by: set = field(default_factory=set)
    starred_by: set = field(default_factory=set)
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
    left: bool = False
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
class Conversation:
    name: str
    type: str
    activity: int
    title: str | None = None
    context: tuple | None = None
    status: str = "active"
    who_can_send: str = "everyone"
    who_can_add: str = "everyone"
    who_can_remove: str = "admins_only"
    who_can_change_settings: str = "admins_only"
    who_can_delete: str = "admins_only"
    history_visible: str = "joined"
    members: dict[str, Member] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    sent: dict = field(default_factory=dict)

    @property
    def last(self) -> int:
        return len(self.messages)

    @property
    def present(self) -> dict[str, Member]:
        return {user: member for user, member in self.members.items() if not member.left}

    def allows(self, user: str, permission: str) -> bool:
        return self.members[user].role in ADMINS or getattr(self, PERMISSIONS[permission]) == "everyone"


class World:
    def __init__(self, users: dict[str, str]):
        """`users`: name to tier."""
        self.tier = dict(users)
        self.receipts = {user: True for user in users}
        self.conversations: dict[str, Conversation] = {}
        self.direct: dict[tuple, str] = {}
        # By who started it and their client_message_id: what was asked, and the conversation.
        self.started: dict[tuple, tuple] = {}
        # The events that are one user's alone, by user: the conversation with each.
        self.own: dict[str, list[tuple[str, Event]]] = {user: [] for user in users}
        # Where the message of each operation is.
        self.places: dict[str, tuple[str, int]] = {}
        self.time, self.label = 0, ""

    def apply(self, operation) -> object:
        """What the operation answers; `Refused` if it is refused."""
        self.time += 1
        self.label = operation.label
        return getattr(self, operation.function)(operation.user, **operation.arguments)

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
        refuse(user not in c.present or m.seq < c.members[user].history_from or m.expired, "PT404")
        refuse(user in m.hidden_by and not also_hidden, "PT404")
        return c, m

    def stored(self, message_id: str) -> tuple[Conversation, Message]:
        refuse(message_id not in self.places, "PT404")
        name, seq = self.places[message_id]
        return self.conversations[name], self.conversations[name].messages[seq - 1]

    def visible(self, user: str, c: Conversation, m: Message) -> bool:
        return m.seq >= c.members[user].history_from and user not in m.hidden_by and not m.expired

    def tell_own(self, user: str, conversation: str, kind: str, **rest) -> None:
        """An event for the user's own devices."""
        self.own[user].append((conversation, Event(kind, **rest)))

    # Conversations.

    def start_conversation(self, user, participant_ids, type="direct", title=None, context=None, message=None,
                           client_message_id=None):
        name = f"c{self.label}"
        others = [other for other in dict.fromkeys(participant_ids) if other != user]
        refuse(not others, "PT400")
        refuse(type == "direct" and len(others) != 1, "PT400")
        if type == "direct":
            pair = (*sorted([user, *others]), context)
            if existing := self.direct.get(pair):
                c = self.conversations[existing]
                if message is not None:
                    self.send_message(user, existing, content=message, client_message_id=client_message_id)
                return {"conversation": c.name, "created": False}
            refuse(self.tier[user] == "free", "PT403")
        else:
            # A group is never found, but the same start again is the same start.
            request = (frozenset(others), type, title, message)
            first, existing = self.started.get((user, client_message_id), (request, None))
            refuse(first != request, "PT409")
            if existing:
                c = self.enter(user, existing)
                if message is not None:
                    self.send_message(user, existing, content=message, client_message_id=client_message_id)
                return {"conversation": c.name, "created": False}
            refuse(self.tier[user] == "free", "PT403")
        refuse(message is not None and not sendable(message), "PT400")
        c = self.conversations[name] = Conversation(name, type, self.time, title, context)
        if type == "announcement":
            c.who_can_send = c.who_can_add = "admins_only"
        if type != "direct" and client_message_id is not None:
            self.started[user, client_message_id] = (request, name)
        if type == "direct":
            self.direct[pair] = name
            c.who_can_add, c.who_can_change_settings = "admins_only", "everyone"
        for member in [user, *others]:
            c.members[member] = Member("owner" if member == user and type != "direct" else "member", self.time)
            c.events.append(Event("participant:joined", user, member, data={"history_from_seq": 1}))
        c.events.append(Event("conversation:new", user))
        if message is not None:
            self.send_message(user, name, content=message, client_message_id=client_message_id)
        return {"conversation": name, "created": True}

    def add_participants(self, user, conversation_id, participant_ids):
        c = self.enter(user, conversation_id)
        refuse(c.status != "active", "PT403")
        refuse(c.type == "direct", "PT400")
        refuse(user and not c.allows(user, "add_members"), "PT403")
        new = [other for other in dict.fromkeys(participant_ids) if other not in c.present]
        if not new:
            return
        # To bring in somebody one has no direct conversation with takes what starting a group takes.
        met = {frozenset(pair[:2]) for pair in self.direct}
        refuse(user and self.tier[user] == "free" and any(frozenset((user, other)) not in met for other in new), "PT403")
        for other in new:
            before = c.members.get(other)
            seen_from = 1 if c.history_visible == "start" else c.last + 1
            member = c.members[other] = Member("member", self.time, read=c.last, delivered=c.last, history_from=seen_from)
            if before:
                # Who comes back is as quiet to them as before, but in the inbox like a new one.
                member.muted, member.level = before.muted, before.level
                member.app_role, member.markers, member.private_markers = before.app_role, before.markers, before.private_markers
                if before.deleted_at is not None:
                    # What they once deleted for themselves does not come back.
                    member.deleted_at = min(before.deleted_at, c.last - 1)
                    if seen_from == 1:
                        member.history_from, member.history_from_event = before.history_from, before.history_from_event
        first = len(c.events) + 1
        for other in new:
            member = c.members[other]
            if c.history_visible == "joined":
                member.history_from_event = first
            c.events.append(Event("participant:joined", user, other, data={"history_from_seq": member.history_from}))
            self.tell_own(other, c.name, "conversation:new", actor=user)
        self.say(c, user, {"event": "participants_added", "user_ids": sorted(new)})

    def remove_participant(self, user, conversation_id, user_id):
        if user is not None and user == user_id:
            return self.leave_conversation(user, conversation_id)
        c = self.enter(user, conversation_id)
        refuse(user_id not in c.present, "PT404")
        refuse(c.status != "active", "PT403")
        refuse(c.type == "direct", "PT400")
        if user is not None:
            refuse(not c.allows(user, "remove_members"), "PT403")
            refuse(c.members[user].role != "owner" and c.members[user_id].role == "owner", "PT403")
        self.say(c, user, {"event": "participant_removed", "user_ids": [user_id]})
        self.depart(c, user, user_id)

    def leave_conversation(self, user, conversation_id):
        c = self.enter(user, conversation_id)
        refuse(c.type == "direct", "PT400")
        self.say(c, user, {"event": "participant_left", "user_ids": [user]})
        self.depart(c, user, user)

    def depart(self, c: Conversation, actor: str | None, user: str) -> None:
        c.members[user].left, c.members[user].draft = True, None
        c.events.append(Event("participant:left", actor, user))
        # The last one's role is handed on: to an admin, else to who has been there longest.
        rest, role = c.present, c.members[user].role
        if rest and role != "member" and not any(member.role in ("owner", role) for member in rest.values()):
            heir = min(rest, key=lambda other: (rest[other].role == "member", rest[other].joined, other))
            self.give_role(c, actor, heir, role)

    def set_participant_role(self, user, conversation_id, user_id, role):
        refuse(role not in ("owner", "admin", "member"), "PT400")
        c = self.enter(user, conversation_id)
        refuse(user_id not in c.present, "PT404")
        refuse(c.status != "active", "PT403")
        refuse(c.type == "direct", "PT400")
        other = c.members[user_id]
        if user is not None:
            mine = c.members[user].role
            refuse(mine not in ADMINS, "PT403")
            refuse(mine != "owner" and "owner" in (role, other.role), "PT403")
        if other.role == role:
            return
        # The last one keeps the role.
        peers = [m.role for name, m in c.present.items() if name != user_id]
        refuse(role != "owner" and other.role != "member" and not {"owner", other.role} & set(peers), "PT403")
        self.give_role(c, user, user_id, role)

    def give_role(self, c: Conversation, actor: str | None, user: str, role: str) -> None:
        c.members[user].role = role
        self.say(c, actor, {"event": "role_changed", "user_ids": [user]})
        c.events.append(Event("participant:updated", actor, user, data={"role": role}))

    def update_participant_settings(self, user, conversation_id, pin=None, mute_until=None, archive=None, notifications=None):
        refuse(notifications not in (None, "all", "mentions", "none"), "PT400")
        c = self.enter(user, conversation_id)
        me = c.members[user]
        before = (me.pinned, me.muted, me.archived, me.level)
        me.pinned = me.pinned if pin is None else pin
        me.archived = me.archived if archive is None else archive
        me.level = notifications or me.level
        if mute_until is not None:
            me.muted = mute_until == "infinity"
        if (me.pinned, me.muted, me.archived, me.level) != before:
            self.tell_own(user, c.name, "participant:updated", actor=user)

    # Messages.

    def send_message(self, user, conversation_id, content=None, type="text", client_message_id=None, reply_to_id=None,
                     mentions=None, metadata=None, expires_in=None):
        c = self.enter(user, conversation_id)
        request = (content, type, reply_to_id, tuple(mentions or ()), repr(metadata or {}), expires_in)
        if client_message_id is not None and (user, client_message_id) in c.sent:
            # For the life of the message: the same again is the same message, whatever else has changed.
            first, seq = c.sent[user, client_message_id]
            refuse(first != request, "PT409")
            m = c.messages[seq - 1]
            return self.show(None, c, m) | {"deleted": m.deleted or m.expired}
        # What is no text may say all that it says in its metadata.
        refuse(type not in TYPES or not (sendable(content) or (content is None and type != "text" and metadata)), "PT400")
        me = c.members[user]
        refuse(c.status != "active", "PT403")
        refuse(not c.allows(user, "send_messages"), "PT403")
        refuse(set(mentions or ()) - set(c.present), "PT400")
        if reply_to_id is not None:
            there, answered = self.find(user, reply_to_id)
            refuse(there is not c or answered.deleted, "PT404")
        message = self.append(c, Message(
            c.last + 1, user, type, content, me.app_role or me.role, metadata or {}, mentions or [],
            reply_to_id and answered.seq, client_message_id, expires=expires_in is not None,
        ), user)
        if client_message_id is not None:
            c.sent[user, client_message_id] = (request, message.seq)
        if me.draft is not None:
            self.save_draft(user, conversation_id, "")
        return self.show(user, c, message)

    def send_system_message(self, user, conversation_id, content, metadata=None):
        c = self.enter(user, conversation_id)
        refuse(not sendable(content), "PT400")
        return self.show(None, c, self.append(c, Message(c.last + 1, None, "system", content, metadata=metadata or {}), None))

    def say(self, c: Conversation, actor: str | None, metadata: dict) -> None:
        """The server's own words about a change."""
        self.append(c, Message(c.last + 1, None, "system", metadata=metadata, actor=actor, notice=True), actor)

    def append(self, c: Conversation, message: Message, actor: str | None) -> Message:
        message.sent = self.time
        c.messages.append(message)
        self.places[self.label] = (c.name, message.seq)
        c.activity = self.time
        c.events.append(Event("message:new", actor, seq=message.seq))
        # Who had read all before has read the own message, too.
        if actor and c.members[actor].read == message.seq - 1:
            c.members[actor].read = message.seq
        return message

    def edit_message(self, user, message_id, content, metadata=None, mentions=None):
        c, m = self.find(user, message_id)
        refuse(m.sender != user, "PT403")
        refuse(m.deleted, "PT409")
        refuse(c.status != "active", "PT403")
        refuse(m.forwarded, "PT403")
        refuse(not sendable(content), "PT400")
        new = (content, m.metadata if metadata is None else metadata, m.mentions if mentions is None else mentions)
        if new != (m.content, m.metadata, m.mentions):
            refuse(new[2] != m.mentions and set(new[2]) - set(c.present), "PT400")
            refuse(m.minutes > 15, "PT403")
            (m.content, m.metadata, m.mentions), m.edited = new, True
            c.events.append(Event("message:updated", user, seq=m.seq))
        return self.show(None, c, m)

    def delete_message(self, user, message_id, for_everyone=False):
        # What one has hidden one can still delete, for oneself again or for everyone.
        c, m = self.stored(message_id)
        refuse(user not in c.present or m.seq < c.members[user].history_from, "PT404")
        if not for_everyone:
            if user not in m.hidden_by:
                m.hidden_by.add(user)
                m.starred_by.discard(user)
                self.tell_own(user, c.name, "message:deleted", actor=user, seq=m.seq, data={"for_everyone": False})
            return
        refuse(m.expired, "PT404")
        if m.deleted:
            return
        if not c.allows(user, "delete_messages"):
            refuse(m.sender != user, "PT403")
            refuse(m.minutes > 60, "PT403")
        m.deleted, m.content, m.metadata, m.mentions, m.pinned, m.starred_by = True, None, {}, [], False, set()
        c.events.append(Event("message:deleted", user, seq=m.seq, data={"for_everyone": True}))

    def add_reaction(self, user, message_id, emoji):
        refuse(emoji.isascii(), "PT400")
        c, m = self.find(user, message_id)
        refuse(c.status != "active", "PT403")
        refuse(m.deleted, "PT409")
        if (user, emoji) not in m.reactions:
            m.reactions.append((user, emoji))
            c.events.append(Event("message:reaction", user, user, m.seq, {"op": "added", "emoji": emoji}))
        return self.show(None, c, m)

    def remove_reaction(self, user, message_id, emoji):
        c, m = self.find(user, message_id)
        refuse(c.status != "active", "PT403")
        if (user, emoji) in m.reactions:
            m.reactions.remove((user, emoji))
            c.events.append(Event("message:reaction", user, user, m.seq, {"op": "removed", "emoji": emoji}))
        return self.show(None, c, m)

    def star_message(self, user, message_id):
        c, m = self.find(user, message_id)
        refuse(m.deleted, "PT409")
        if user not in m.starred_by:
            m.starred_by.add(user)
            self.tell_own(user, c.name, "message:starred", actor=user, seq=m.seq)

    def unstar_message(self, user, message_id):
        c, m = self.find(user, message_id)
        if user in m.starred_by:
            m.starred_by.remove(user)
            self.tell_own(user, c.name, "message:unstarred", actor=user, seq=m.seq)

    def pin_message(self, user, message_id, pinned=True):
        # What one has hidden one can still unpin.
        c, m = self.find(user, message_id, also_hidden=not pinned)
        refuse(c.status != "active" or not c.allows(user, "change_settings"), "PT403")
        refuse(pinned and m.deleted, "PT409")
        if m.pinned != pinned:
            refuse(pinned and sum(other.pinned for other in c.messages) >= 50, "PT409")
            m.pinned = pinned
            c.events.append(Event("message:pinned" if pinned else "message:unpinned", user, seq=m.seq))
        return self.show(None, c, m)

    def unpin_message(self, user, message_id):
        return self.pin_message(user, message_id, False)

    def forward_message(self, user, message_id, conversation_ids):
        """To one conversation: a copy that says so, of what it says and not of whom it mentions."""
        [name] = conversation_ids
        _, m = self.find(user, message_id)
        refuse(m.deleted, "PT409")
        refuse(m.type == "system", "PT400")
        refuse(m.forwards.get(user, 0) >= 5, "PT403")
        c = self.enter(user, name)
        refuse(c.status != "active" or not c.allows(user, "send_messages"), "PT403")
        m.forwards[user] = m.forwards.get(user, 0) + 1
        me = c.members[user]
        copy = Message(c.last + 1, user, m.type, m.content, me.app_role or me.role, m.metadata, expires=m.expires, forwarded=True)
        return self.show(user, c, self.append(c, copy, user))

    # Read state: horizons only move forward.

    def mark_as_read(self, user, conversation_id, seq=None):
        c = self.enter(user, conversation_id)
        refuse(seq is not None and seq < 0, "PT400")
        me = c.members[user]
        to = c.last if seq is None else min(seq, c.last)
        changed, me.marked_unread = me.marked_unread, False
        if to > me.read:
            me.markers.append((me.read, to))
            me.read = to
            # Whoever keeps receipts to themselves does not show by delivery what they read.
            if self.receipts[user]:
                me.delivered = max(me.delivered, to)
            else:
                me.private_markers.append(me.markers[-1])
            # Between two, who shows no receipts is told of none.
            told = c.type != "direct" or all(self.receipts[other] for other in c.members)
            if self.receipts[user] and told:
                c.events.append(Event("message:read", user, user, data={"last_read_seq": to}))
            else:
                self.tell_own(user, c.name, "message:read", actor=user, data={"last_read_seq": to})
        elif changed:
            self.tell_own(user, c.name, "participant:updated", actor=user)

    def mark_message_as_read(self, user, message_id):
        c, m = self.find(user, message_id)
        self.mark_as_read(user, c.name, m.seq)

    def mark_as_unread(self, user, conversation_id):
        c = self.enter(user, conversation_id)
        if not c.members[user].marked_unread:
            c.members[user].marked_unread = True
            self.tell_own(user, c.name, "participant:updated", actor=user)

    def mark_as_delivered(self, user, conversation_id, seq=None):
        c = self.enter(user, conversation_id)
        refuse(seq is not None and seq < 0, "PT400")
        me = c.members[user]
        to = c.last if seq is None else min(seq, c.last)
        if to > me.delivered:
            me.delivered = to
            c.events.append(Event("message:delivered", user, user, data={"last_delivered_seq": to}))

    # The conversation itself.

    def update_conversation(self, user, conversation_id, permissions=None, **given):
        c = self.enter(user, conversation_id)
        if c.type == "direct":
            refuse(permissions or {"who_can_send", "who_can_add", "history_visible"} & set(given), "PT400")
        columns = {PERMISSIONS[name]: {"admins": "admins_only"}.get(who, who) for name, who in (permissions or {}).items()} | given
        refuse(c.type == "announcement" and columns.get("who_can_send") == "everyone", "PT400")
        changed = {name: value for name, value in columns.items() if getattr(c, name) != value}
        if not changed:
            return
        if user is not None:
            # Who may do what, who comes in and whether it is open is for admins.
            refuse(set(changed) - {"title"} and c.members[user].role not in ADMINS, "PT403")
            refuse(not c.allows(user, "change_settings"), "PT403")
            refuse(c.status != "active" and "status" not in changed, "PT403")
        fields = {column: permission for permission, column in PERMISSIONS.items()}
        for name, value in changed.items():
            setattr(c, name, value)
            self.say(c, user, {"event": "conversation_updated", "field": fields.get(name, name)})
        c.events.append(Event("conversation:updated", user, data={"changed": [fields.get(name, name) for name in changed]}))

    def delete_conversation(self, user, conversation_id):
        """For the caller alone: read to the end, and empty until the next message."""
        c = self.enter(user, conversation_id)
        me = c.members[user]
        had = me.pinned or me.archived or me.marked_unread or me.draft is not None
        if me.read < c.last:
            self.mark_as_read(user, conversation_id)
        if me.deleted_at != c.last or had:
            me.history_from, me.history_from_event, me.deleted_at = c.last + 1, len(c.events) + 1, c.last
            me.pinned = me.archived = me.marked_unread = False
            me.draft = None
            self.tell_own(user, c.name, "participant:updated", actor=user)

    def save_draft(self, user, conversation_id, content):
        c = self.enter(user, conversation_id)
        refuse(len(content) > 5000, "PT400")
        if c.members[user].draft != (content or None):
            c.members[user].draft = content or None
            self.tell_own(user, c.name, "draft:updated", actor=user)

    # What only the host does, or time.

    def host_receipts(self, user, user_id, receipts):
        if self.receipts[user_id] != receipts:
            self.tell_own(user_id, None, "privacy:updated")
        self.receipts[user_id] = receipts

    def host_expire(self, user, message_id):
        m = self.stored(message_id)[1]
        m.expires = m.expired = True

    def host_age(self, user, message_id, minutes):
        m = self.stored(message_id)[1]
        # As if it had been sent before anybody here joined.
        m.minutes, m.sent = minutes, 0

    # What a user sees.

    def show(self, user: str | None, c: Conversation, m: Message) -> dict:
        """A message as the user sees it: one that was deleted or has expired has its place, but says nothing."""
        gone = m.deleted or m.expired
        return {
            "seq": m.seq, "sender": m.sender, "sender_role": m.sender_role, "type": m.type, "key": m.key,
            "content": None if gone else m.content, "metadata": {} if gone else m.metadata,
            "mentions": [] if gone else m.mentions, "reply_to": m.reply_to,
            "reactions": [] if gone else grouped(m.reactions), "status": self.status(user, c, m),
            "edited": m.edited, "deleted": m.deleted, "expires": m.expires, "forwarded": m.forwarded, "pinned": m.pinned,
            "starred": user in m.starred_by,
            "quote": None if gone or m.reply_to is None else self.quote(user, c, c.messages[m.reply_to - 1]),
        }

    def quote(self, user: str | None, c: Conversation, m: Message) -> dict | None:
        """What a reply answers, in short; for everybody at once only what each of them may see."""
        if user is None and any(m.seq < member.history_from for member in c.present.values()):
            return None
        if user is not None and (m.seq < c.members[user].history_from or user in m.hidden_by):
            return None
        gone = m.deleted or m.expired
        return {
            "seq": m.seq, "sender": m.sender, "type": m.type, "deleted": gone,
            "content": None if gone or m.type == "system" or m.content is None else m.content[:200],
        }

    def carried(self, c: Conversation, m: Message) -> dict:
        """The message as an event carries it, for everybody alike; of one that has expired only the place is left."""
        if not m.expired:
            return self.show(None, c, m)
        return self.show(None, c, Message(m.seq, None, deleted=True))

    def status(self, user: str | None, c: Conversation, m: Message) -> str:
        """How far a message got with everybody else, as its sender sees it."""
        if m.sender is None or m.sender != user:
            return "sent"
        others = [(other, member) for other, member in c.present.items() if other != user]
        if self.receipts[user] and others and all(self.receipts[other] and member.read >= m.seq for other, member in others):
            return "read"
        if others and all(self.delivered(other, member) >= m.seq for other, member in others):
            return "delivered"
        return "sent"

    def history(self, user: str, conversation: str) -> list[dict]:
        c = self.enter(user, conversation)
        return [self.show(user, c, m) for m in c.messages if self.visible(user, c, m)]

    def replay(self, user: str, conversation: str) -> list[tuple[int, Event]]:
        """The events the user may be told, with their event_seq."""
        c = self.enter(user, conversation)
        me = c.members[user]
        return [
            (number, event) for number, event in enumerate(c.events, 1)
            if number >= me.history_from_event
            # Who shows no receipts gets none.
            and (event.kind != "message:read" or event.user == user or self.receipts[user])
            and (event.seq is None or (event.seq >= me.history_from and user not in c.messages[event.seq - 1].hidden_by))
        ]

    def unread(self, user: str, conversation: str, mentioning: bool = False) -> int:
        c = self.enter(user, conversation)
        return sum(
            m.seq > c.members[user].read and user != m.sender and not m.notice and not m.deleted and self.visible(user, c, m)
            and (not mentioning or user in m.mentions)
            for m in c.messages
        )

    def people(self, c: Conversation, viewer: str | None = None) -> dict[str, tuple]:
        """Who is in it, and how far each has read, as far as they want that known, and the viewer shows the same."""
        shares = viewer is None or self.receipts[viewer]
        return {
            other: (m.role, m.app_role, m.read, self.delivered(other, m))
            if self.receipts[other] and (shares or other == viewer)
            else (m.role, m.app_role, None, m.delivered)
            for other, m in c.present.items()
        }

    def row(self, user: str, conversation: str) -> dict:
        """A conversation in the inbox."""
        c = self.enter(user, conversation)
        me = c.members[user]
        shown = [self.show(user, c, m) for m in c.messages if self.visible(user, c, m) and not m.notice]
        return {
            "conversation": c.name, "type": c.type, "title": c.title, "status": c.status, "context": c.context,
            "last_seq": c.last, "last_event_seq": len(c.events), "unread": self.unread(user, conversation),
            "mentioned": self.unread(user, conversation, True), "draft": me.draft,
            "permissions": {
                name: {"admins_only": "admins"}.get(getattr(c, column), getattr(c, column))
                for name, column in PERMISSIONS.items()
            },
            "last_message": self.preview(shown[-1]) if shown else None, "people": self.people(c, user),
            "me": {
                "role": me.role, "app_role": me.app_role, "read": me.read, "delivered": max(me.delivered, me.read),
                "history_from": me.history_from, "marked_unread": me.marked_unread, "pinned": me.pinned,
                "archived": me.archived, "muted": me.muted, "level": me.level,
            },
        }

    def delivered(self, user: str, member: Member) -> int:
        """How far messages have got, as the others see it: what was read openly has arrived."""
        return max(member.delivered, member.read) if self.receipts[user] else member.delivered

    def receipts_of(self, user: str, message_id: str) -> dict:
        """Who has a message and who has read it, as far as they want that known."""
        c, m = self.find(user, message_id)
        others = {other: member for other, member in c.present.items() if other != m.sender}
        return {
            "status": self.status(user, c, m),
            "receipts": {
                other: (
                    # Who joined later never got it; who was there and then cleared the conversation did.
                    self.delivered(other, member) >= m.seq
                    and (
                        m.seq >= member.history_from or m.sent >= member.joined
                        or any(
                            after < m.seq <= to and (after, to) not in member.private_markers for after, to in member.markers
                        )
                    ),
                    any(
                        after < m.seq <= to
                        and (
                            other == user
                            or (self.receipts[user] and self.receipts[other] and (after, to) not in member.private_markers)
                        )
                        for after, to in member.markers
                    ),
                )
                for other, member in others.items()
            },
        }

    def preview(self, m: dict) -> dict:
        """A message in the inbox: the beginning of it, without reactions."""
        return m | {"reactions": [], "starred": False, "content": m["content"] and m["content"][:200]}

    def inbox(self, user: str, filter: str = "all") -> list[dict]:
        rows = [
            self.row(user, c.name) for c in self.conversations.values()
            if user in c.present and c.members[user].deleted_at != c.last
        ]
        rows = [row for row in rows if row["me"]["archived"] == (filter == "archived")]
        if filter == "unread":
            rows = [row for row in rows if row["unread"] or row["me"]["marked_unread"]]
        return sorted(
            rows, key=lambda row: (not row["me"]["pinned"], -self.conversations[row["conversation"]].activity)
        )

    def counts(self, user: str) -> dict:
        """Unread in total and by conversation; archived and muted ones apart."""
        rows = [self.row(user, c.name) for c in self.conversations.values() if user in c.present]
        totals = {"total": 0, "muted_total": 0, "archived_total": 0, "mentions_total": sum(row["mentioned"] for row in rows)}
        for row in rows:
            me = row["me"]
            quiet = "archived_total" if me["archived"] else "muted_total" if me["muted"] or me["level"] == "none" else "total"
            totals[quiet] += row["unread"]
        return totals | {
            "conversations": {
                row["conversation"]: (row["unread"], row["me"]["marked_unread"])
                for row in rows if row["unread"] or row["me"]["marked_unread"]
            },
        }


def sendable(content: str | None) -> bool:
    return content is not None and content.strip() != "" and len(content) <= 5000


def grouped(reactions: list[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """Emoji by emoji, the oldest first, with who reacted."""
    groups: dict[str, list[str]] = {}
    for user, emoji in reactions:
        groups.setdefault(emoji, []).append(user)
    return list(groups.items())
