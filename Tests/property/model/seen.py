"""What a user sees: the history, the log, the inbox, counts and findings. All of it follows from one rule, `visible`."""

from __future__ import annotations

from .things import PERMISSIONS, Conversation, Event, Message


class Seen:
    def visible(self, user: str, c: Conversation, m: Message) -> bool:
        return (
            m.seq >= c.members[user].history_from and user not in m.hidden_by and self.alive(m) and self.in_window(user, m.at)
        )

    def show(self, user: str | None, c: Conversation, m: Message) -> dict:
        """A message as the user sees it: one that was deleted or has expired has its place, but says nothing."""
        gone = m.deleted or not self.alive(m)
        return {
            "seq": m.seq, "sender": m.sender, "sender_role": m.sender_role, "type": m.type, "key": m.key,
            "content": None if gone else m.content, "metadata": {} if gone else m.metadata,
            "mentions": [] if gone else m.mentions, "reply_to": m.reply_to,
            "reactions": [] if gone else grouped(m.reactions), "status": self.status(user, c, m),
            "edited": m.edited, "deleted": m.deleted, "expires": m.expires_at is not None, "forwarded": m.forwarded,
            "pinned": m.pinned is not None, "starred": user in m.starred_by,
            "quote": None if gone or m.reply_to is None else self.quote(user, c, c.messages[m.reply_to - 1]),
        }

    def quote(self, user: str | None, c: Conversation, m: Message) -> dict | None:
        """What a reply answers, in short; for everybody at once only what each of them may see."""
        viewers = c.present if user is None else [user]
        if m.purged or any(m.seq < c.members[viewer].history_from or not self.in_window(viewer, m.at) for viewer in viewers):
            return None
        if m.silenced_for if user is None else user in m.hidden_by:
            return None
        gone = m.deleted or not self.alive(m)
        return {
            "seq": m.seq, "sender": m.sender, "type": m.type, "deleted": gone,
            "content": None if gone or m.type == "system" or m.content is None else m.content[:200],
        }

    def carried(self, c: Conversation, m: Message) -> dict:
        """The message as an event carries it, for everybody alike; of one that has gone only the place is left."""
        if self.alive(m):
            return self.show(None, c, m)
        return self.show(None, c, Message(m.seq, None, deleted=True))

    def history(self, user: str, conversation: str) -> list[dict]:
        c = self.enter(user, conversation)
        return [self.show(user, c, m) for m in c.messages if self.visible(user, c, m)]

    def events_from(self, user: str, c: Conversation) -> int:
        """The first event of the log that is kept, and within the membership and the window of the user."""
        window = next((number for number, e in enumerate(c.events, 1) if self.in_window(user, e.at)), len(c.events) + 1)
        return max(c.members[user].history_from_event, c.kept_from, window)

    def replay(self, user: str, conversation: str) -> list[tuple[int, Event]]:
        """The events the user may be told, with their event_seq."""
        c = self.enter(user, conversation)
        me, first = c.members[user], self.events_from(user, c)
        return [
            (number, event) for number, event in enumerate(c.events, 1)
            if number >= first
            # Who shows no receipts gets none.
            and (event.kind != "message:read" or event.user == user or self.receipts[user])
            and (event.seq is None or self.may_hear_of(user, me.history_from, c.messages[event.seq - 1]))
        ]

    def may_hear_of(self, user: str, history_from: int, m: Message) -> bool:
        return m.seq >= history_from and user not in m.hidden_by and self.in_window(user, m.at)

    def unread(self, user: str, conversation: str, mentioning: bool = False) -> int:
        c = self.enter(user, conversation)
        return sum(
            m.seq > c.members[user].read and user != m.sender and not m.notice and not m.deleted and self.visible(user, c, m)
            # Whom one has blocked mentions nobody.
            and (not mentioning or user in m.mentions and (user, m.sender) not in self.blocks)
            for m in c.messages
        )

    def row(self, user: str, conversation: str) -> dict:
        """A conversation in the inbox."""
        c = self.enter(user, conversation)
        me = c.members[user]
        shown = [m for m in c.messages if self.visible(user, c, m) and not m.notice]
        return {
            "conversation": c.name, "type": c.type, "title": c.title, "status": c.status, "read_only": c.severed,
            "context": c.context, "tenant": c.tenant,
            "last_seq": c.last, "last_event_seq": len(c.events), "unread": self.unread(user, conversation),
            "mentioned": self.unread(user, conversation, True), "draft": me.draft,
            "permissions": {
                name: {"admins_only": "admins"}.get(getattr(c, column), getattr(c, column))
                for name, column in PERMISSIONS.items()
            },
            "last_message": self.preview(self.show(user, c, shown[-1])) if shown else None, "people": self.people(c, user),
            "me": {
                "role": me.role, "app_role": me.app_role, "read": me.read, "delivered": max(me.delivered, me.read),
                "history_from": me.history_from, "marked_unread": me.marked_unread, "pinned": me.pinned,
                "archived": me.archived, "muted": me.muted, "level": me.level, "folder": me.folder,
            },
        }

    def preview(self, m: dict) -> dict:
        """A message in the inbox: the beginning of it, without reactions."""
        return m | {"reactions": [], "starred": False, "content": m["content"] and m["content"][:200]}

    def activity(self, user: str, c: Conversation) -> int:
        """When the user last saw something come, as a place in the log."""
        return max((m.heard for m in c.messages if m.silenced_for != user), default=c.events[0].order)

    def inbox(self, user: str, filter: str = "all") -> list[dict]:
        mine = [c for c in self.conversations.values() if user in c.present and not self.emptied(user, c)]
        if filter == "requests":
            mine = [c for c in mine if c.members[user].folder == "requests"]
        else:
            mine = [
                c for c in mine
                if c.members[user].folder == "inbox" and c.members[user].archived == (filter == "archived")
            ]
        if filter == "unread":
            mine = [c for c in mine if self.unread(user, c.name) or c.members[user].marked_unread]
        mine.sort(key=lambda c: (not c.members[user].pinned, -self.activity(user, c)))
        return [self.row(user, c.name) for c in mine]

    def counts(self, user: str) -> dict:
        """Unread in total and by conversation; requests, archived and muted ones apart."""
        totals = dict.fromkeys(("total", "muted_total", "archived_total", "requests_total", "mentions_total"), 0)
        conversations = {}
        for c in self.conversations.values():
            if user not in c.present:
                continue
            me, unread = c.members[user], self.unread(user, c.name)
            quiet = "archived_total" if me.archived else "muted_total" if me.muted or me.level == "none" else "total"
            totals["requests_total" if me.folder == "requests" else quiet] += unread
            totals["mentions_total"] += self.unread(user, c.name, True) if me.folder == "inbox" else 0
            if unread or me.marked_unread:
                conversations[c.name] = (unread, me.marked_unread)
        return totals | {"conversations": conversations}

    def shelved(self, user: str, c: Conversation, m: Message) -> dict:
        """Only the history says what is starred."""
        return self.show(user, c, m) | {"starred": False}

    def pinned(self, user: str, c: Conversation) -> list[dict]:
        """The last pinned first."""
        pins = [m for m in c.messages if m.pinned is not None and self.visible(user, c, m)]
        return [self.shelved(user, c, m) for m in sorted(pins, key=lambda m: -m.pinned)]

    def starred(self, user: str) -> list[tuple[str, dict]]:
        """Of all conversations, the last starred first."""
        stars = [
            (c, m) for c in self.conversations.values() if user in c.present
            for m in c.messages if user in m.starred_by and self.visible(user, c, m)
        ]
        return [(c.name, self.shelved(user, c, m)) for c, m in sorted(stars, key=lambda star: -star[1].starred_by[user])]

    def exported(self, user: str, c: Conversation) -> list[tuple]:
        """What the user sees, without what others say: nobody has consented."""
        return [
            (m.seq, m.sender, m.sender not in (user, None), m.content if m.sender in (user, None) else None)
            for m in c.messages if self.visible(user, c, m) and not m.deleted
        ]

    def found(self, user: str, word: str) -> set[tuple[str, int]]:
        """Where a search finds a word."""
        return {
            (c.name, m.seq) for c in self.conversations.values() if user in c.present
            for m in c.messages if self.visible(user, c, m) and not m.deleted and word in (m.content or "").split()
        }


def grouped(reactions: list[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """Emoji by emoji, the oldest first, with who reacted."""
    groups: dict[str, list[str]] = {}
    for user, emoji in reactions:
        groups.setdefault(emoji, []).append(user)
    return list(groups.items())
