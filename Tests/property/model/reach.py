"""Who may reach whom: privacy, following, blocks, restriction and requests. docs/reach.md."""

from __future__ import annotations

from .things import DAY, Conversation, Event, Message, Request, refuse

DECLINED, REQUEST_MESSAGES = 30 * DAY, 5


class Reach:
    # What users say of each other.

    def set_privacy(self, user, message_privacy=None, read_receipts=None):
        new = message_privacy or self.privacy[user], self.receipts[user] if read_receipts is None else read_receipts
        if new != (self.privacy[user], self.receipts[user]):
            self.privacy[user], self.receipts[user] = new
            self.tell_own(user, None, "privacy:updated", actor=user)

    def host_setting(self, user, value):
        self.stranger_messages = value

    def contact(self, user: str, other: str) -> None:
        self.tell_own(user, None, "contact:updated", actor=user, data={
            "blocked": (user, other) in self.blocks, "restricted": (user, other) in self.restrictions,
            "followed": (user, other) in self.follows,
        })

    def follow_user(self, user, user_id):
        refuse(user_id == user, "PT400")
        if (user, user_id) in self.follows:
            return
        self.follows.add((user, user_id))
        self.contact(user, user_id)
        for c in self.conversations.values():
            request = c.requests.get(user)
            if request and request.sender == user_id and request.status == "pending":
                self.accept_by_writing(c, user)

    def unfollow_user(self, user, user_id):
        refuse(user_id == user, "PT400")
        if (user, user_id) in self.follows:
            self.follows.remove((user, user_id))
            self.contact(user, user_id)

    def block_user(self, user, user_id):
        refuse(user_id == user, "PT400")
        if (user, user_id) in self.blocks:
            return
        self.blocks.add((user, user_id))
        for c in self.directs(user, user_id):
            me = c.members[user]
            me.shown = me.read if me.shown is None else me.shown
            self.tell_quiet(c, user)
        self.contact(user, user_id)

    def unblock_user(self, user, user_id):
        refuse(user_id == user, "PT400")
        if (user, user_id) in self.blocks:
            self.blocks.remove((user, user_id))
            for c in self.directs(user, user_id):
                self.tell_quiet(c, user)
            self.contact(user, user_id)

    def restrict_user(self, user, user_id):
        refuse(user_id == user, "PT400")
        if (user, user_id) in self.restrictions:
            return
        self.restrictions.add((user, user_id))
        for c in self.directs(user, user_id):
            if user in c.present and c.members[user].folder == "inbox":
                c.members[user].folder = "requests"
                self.tell_own(user, c.name, "participant:updated", actor=user)
                self.tell_quiet(c, user)
        self.contact(user, user_id)

    def unrestrict_user(self, user, user_id):
        refuse(user_id == user, "PT400")
        if (user, user_id) in self.restrictions:
            self.restrictions.remove((user, user_id))
            for c in self.directs(user, user_id):
                # A request that is not answered stays one.
                if user not in c.requests or c.requests[user].status == "accepted":
                    self.accept(c, user)
            self.contact(user, user_id)

    def directs(self, user: str, other: str) -> list[Conversation]:
        return [c for c in self.conversations.values() if c.type == "direct" and {user, other} == set(c.members)]

    # Where what somebody begins lands.

    def stranger(self, user: str, other: str) -> bool:
        """To the other: whom they do not follow, have not accepted, have begun nothing with and have not written to."""
        accepted = any(
            c.requests[other].sender == user and c.requests[other].status == "accepted"
            for c in self.conversations.values() if other in c.requests
        )
        known = any(c.creator == other or any(m.sender == other for m in c.messages) for c in self.directs(user, other))
        return (other, user) not in self.follows and not accepted and not known

    def lands(self, user: str, other: str, expected: bool = False) -> str | None:
        """inbox or requests; None if the other cannot be reached. Expected: about what the host named, or by who manages the tenant."""
        follows, followed = (user, other) in self.follows, (other, user) in self.follows
        lets = {"everyone": True, "friends": follows and followed, "following": followed, "no_one": False}
        declined = any(
            c.requests[other].sender == user and c.requests[other].status == "declined"
            and self.now - c.requests[other].answered < DECLINED
            for c in self.conversations.values() if other in c.requests
        )
        if (other, user) in self.blocks or declined or not lets[self.privacy[other]]:
            return None
        if (other, user) in self.restrictions:
            return "requests"
        sorted_out = self.stranger_messages == "requests" and not expected and not follows and self.stranger(user, other)
        return "requests" if sorted_out else "inbox"

    def meet(self, user: str, others: list[str], tenant: str | None, context: tuple | None) -> dict[str, str]:
        """Where each of them finds what the user brings them into; the one refusal if one cannot be reached."""
        refuse(any((user, other) in self.blocks for other in others), "PT403")
        folders = {other: self.lands(user, other, context is not None or self.manages(user, tenant)) for other in others}
        refuse(None in folders.values(), "PT403")
        return folders

    # Requests.

    def ask(self, c: Conversation, user: str, other: str) -> None:
        self.tell_own(other, c.name, "request:new", actor=user)
        c.requests[other] = Request(user, self.now, order=self.own[other][-1][1].order)

    def grant(self, c: Conversation, user: str) -> None:
        request = c.requests.get(user)
        if request and request.status != "accepted":
            request.status, request.answered = "accepted", self.now
            self.tell_own(user, c.name, "request:updated", actor=request.sender)
            if request.sender in c.present:
                self.tell_own(request.sender, c.name, "request:updated", actor=request.sender)

    def accept(self, c: Conversation, user: str) -> None:
        """From the requests to the inbox."""
        if user in c.present and c.members[user].folder == "requests":
            c.members[user].folder = "inbox"
            self.grant(c, user)
            self.tell_own(user, c.name, "participant:updated", actor=user)
            self.tell_quiet(c, user)

    def accept_by_writing(self, c: Conversation, user: str) -> None:
        """An answer accepts, but changes nothing of a restriction."""
        if (user, c.other(user)) in self.restrictions:
            self.grant(c, user)
        else:
            self.accept(c, user)

    def accept_request(self, user, conversation_id):
        c = self.enter(user, conversation_id)
        refuse((user, c.other(user)) in self.blocks, "PT403")
        if c.type == "direct":
            self.unrestrict_user(user, c.other(user))
        self.accept(c, user)

    def decline_request(self, user, conversation_id, block=False):
        c = self.enter(user, conversation_id)
        refuse(c.members[user].folder != "requests", "PT409")
        asked_by = c.requests[user].sender if user in c.requests else c.other(user)
        if block and asked_by:
            self.block_user(user, asked_by)
        self.put_away(c, user, "declined")

    def put_away(self, c: Conversation, user: str, status: str) -> bool:
        """A direct conversation is deleted for its recipient, a group is left."""
        if user not in c.present or c.members[user].folder != "requests":
            return False
        asked_by = c.other(user) or c.members[user].added_by
        request = c.requests.get(user) or asked_by and Request(asked_by, self.now, "")
        if request and request.status != status:
            request.status, request.answered = status, self.now
            c.requests[user] = request
            self.tell_own(user, c.name, "request:updated", actor=request.sender)
        if c.type == "direct":
            self.delete_conversation(user, c.name)
            self.tell_quiet(c, user)
        else:
            self.depart(c, user, user)
        return True

    def unanswered(self, c: Conversation, user: str) -> Request | None:
        """What the user has asked of the other in a direct conversation, unless it was accepted."""
        request = c.requests.get(c.other(user))
        return request if request and request.sender == user and request.status != "accepted" else None

    def asked(self, c: Conversation, user: str) -> list[Request]:
        """What the user has asked of a group, as long as others are there, and all have it among their requests."""
        others = [name for name in c.present if name != user]
        if c.type == "direct" or not others or any(c.members[name].folder == "inbox" for name in others):
            return []
        return [request for request in c.requests.values() if request.sender == user and request.status == "pending"]

    def asks_anew(self, request: Request) -> bool:
        return request.status == "expired" or request.status == "declined" and self.now - request.answered >= DECLINED

    def may_say_more(self, c: Conversation, user: str) -> None:
        """Not to whom one has blocked, in a direct conversation, and to strangers only so much before the answer."""
        refuse(any(request.sent >= REQUEST_MESSAGES for request in self.asked(c, user)), "PT403")
        if c.type == "direct":
            refuse((user, c.other(user)) in self.blocks, "PT403")
            request = self.unanswered(c, user)
            refuse(request and not self.asks_anew(request) and request.sent >= REQUEST_MESSAGES, "PT403")

    def silenced(self, c: Conversation, user: str) -> str | None:
        """Who is not to learn of what the user says now in a direct conversation; what was declined long ago asks anew."""
        if c.type != "direct":
            for request in self.asked(c, user):
                request.sent += 1
            return None
        other = c.other(user)
        request = self.unanswered(c, user)
        if request and self.asks_anew(request):
            where = self.lands(user, other)
            if where == "inbox":
                self.accept(c, other)
                return None
            if where == "requests":
                self.ask(c, user, other)
            elif request.status == "declined" or self.now - request.created >= 30 * DAY:
                c.requests[other] = Request(user, self.now, "expired", self.now)
            request = c.requests[other]
            refuse(request.sent >= REQUEST_MESSAGES, "PT403")
        if request:
            request.sent += 1
        return other if (other, user) in self.blocks or request and request.status != "pending" else None

    def kept_from(self, c: Conversation, user: str) -> bool:
        """The other has blocked the user or not accepted them: the user changes nothing of the conversation itself."""
        return c.type == "direct" and ((c.other(user), user) in self.blocks or self.unanswered(c, user) is not None)

    # Who is told.

    def tell_quiet(self, c: Conversation, user: str) -> None:
        """Whether typing and presence are passed on."""
        if c.type == "direct":
            pair = [(user, c.other(user)), (c.other(user), user)]
            quiet = any(p in self.blocks for p in pair) or any(m.folder == "requests" for m in c.members.values())
            self.tell_own(user, c.name, "conversation:quiet", actor=user, data={"quiet": quiet})

    def tell_about(self, c: Conversation, m: Message, event: Event) -> None:
        """What is done with a message is told to all, unless the other is not to learn of it."""
        blocked = c.type == "direct" and event.actor and (c.other(event.actor), event.actor) in self.blocks
        if m.silenced_for or blocked and event.kind != "message:deleted":
            self.tell_own(event.actor or m.sender, c.name, event.kind, actor=event.actor, seq=event.seq, data=event.data)
        else:
            self.tell(c, event)
