"""How far each has read: horizons only move forward. And how far a message has got, as its sender sees it."""

from __future__ import annotations

from .things import Conversation, Event, Member, Message, refuse


class Reading:
    def mark_as_read(self, user, conversation_id, seq=None):
        c = self.enter(user, conversation_id)
        refuse(seq is not None and seq < 0, "PT400")
        me = c.members[user]
        # To look into a request marks nothing.
        if me.folder == "requests":
            return
        to = c.last if seq is None else min(seq, c.last)
        changed, me.marked_unread = me.marked_unread, False
        if to > me.read:
            blocked = self.reads_behind_a_block(c, user)
            me.shown = me.shown if blocked else None
            private = blocked or not self.receipts[user]
            first, me.read = me.read, to
            if not private:
                me.delivered = max(me.delivered, to)
                # What was never to be seen was not read.
                silenced = [m.seq for m in c.messages[first:to] if m.silenced_for == user]
                if silenced:
                    me.markers.append((first, silenced[-1]))
                    me.private_markers.append((first, silenced[-1]))
                    first = silenced[-1]
            if first < to:
                me.markers.append((first, to))
                if private:
                    me.private_markers.append((first, to))
            # Between two, who shows no receipts is told of none, nor is who does not hear of the other.
            told = c.type != "direct" or all(self.receipts[other] for other in c.members) and not self.kept_from(c, user)
            if not private and told:
                self.tell(c, Event("message:read", user, user, data={"last_read_seq": to}))
            else:
                self.tell_own(user, c.name, "message:read", actor=user, data={"last_read_seq": to})
        elif changed:
            self.tell_own(user, c.name, "participant:updated", actor=user)

    def reads_behind_a_block(self, c: Conversation, user: str) -> bool:
        """Who has blocked the other is seen by them as one who never reads."""
        return c.members[user].shown is not None and (user, c.other(user)) in self.blocks

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
        if to > me.delivered and me.folder != "requests" and not (self.reads_behind_a_block(c, user) or self.kept_from(c, user)):
            me.delivered = to
            self.tell(c, Event("message:delivered", user, user, data={"last_delivered_seq": to}))

    # What others see of it.

    def horizon(self, member: Member) -> int:
        return member.read if member.shown is None else member.shown

    def delivered(self, user: str, member: Member) -> int:
        """How far messages have got, as the others see it: what was read openly has arrived."""
        return max(member.delivered, self.horizon(member)) if self.receipts[user] else member.delivered

    def status(self, user: str | None, c: Conversation, m: Message) -> str:
        """How far a message got with everybody else, as its sender sees it."""
        if m.sender is None or m.sender != user:
            return "sent"
        others = [(other, member) for other, member in c.present.items() if other != user]
        if not others or m.silenced_for in c.present:
            return "sent"
        if self.receipts[user] and all(self.receipts[other] and self.horizon(member) >= m.seq for other, member in others):
            return "read"
        return "delivered" if all(self.delivered(other, member) >= m.seq for other, member in others) else "sent"

    def people(self, c: Conversation, viewer: str | None = None) -> dict[str, tuple]:
        """Who is in it, and how far each has read, as far as they want that known, and the viewer shows the same."""
        shares = viewer is None or self.receipts[viewer]
        return {
            other: (m.role, m.app_role, self.horizon(m), self.delivered(other, m))
            if self.receipts[other] and (shares or other == viewer)
            else (m.role, m.app_role, None, m.delivered)
            for other, m in c.present.items()
        }

    def receipts_of(self, user: str, message_id: str) -> dict:
        """Who has a message and who has read it, as far as they want that known."""
        c, m = self.find(user, message_id)
        others = {other: member for other, member in c.present.items() if other != m.sender}
        return {
            "status": self.status(user, c, m),
            "receipts": {other: self.receipt(user, c, m, other, member) for other, member in others.items()},
        }

    def receipt(self, user: str, c: Conversation, m: Message, other: str, member: Member) -> tuple[bool, bool]:
        if m.silenced_for == other:
            return False, False
        marker = next(((after, to) for after, to in member.markers if after < m.seq <= to), None)
        open_marker = marker is not None and marker not in member.private_markers
        return (
            # Who joined later never got it; who was there and then cleared the conversation did.
            self.delivered(other, member) >= m.seq and (m.seq >= member.history_from or m.sent >= member.joined or open_marker),
            marker is not None and (other == user or self.receipts[user] and self.receipts[other] and open_marker),
        )
