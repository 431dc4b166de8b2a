"""Conversations, who is in them, and what each participant sets for themselves."""

from __future__ import annotations

from .messages import sendable
from .reach import DECLINED
from .things import ADMINS, PERMISSIONS, Conversation, Event, Member, refuse


class Conversations:
    def start_conversation(self, user, participant_ids, type="direct", title=None, context=None, message=None,
                           client_message_id=None):
        name = f"c{self.label}"
        others = [other for other in dict.fromkeys(participant_ids) if other != user]
        refuse(not others, "PT400")
        refuse(type == "direct" and len(others) != 1, "PT400")
        pair = (*sorted([user, *others]), context)
        request = (frozenset(others), type, title, message)
        existing = self.direct.get(pair) if type == "direct" else None
        if existing and self.is_released(self.conversations[existing]):
            existing = None
        if type != "direct":
            # A group is never found, but the same start again is the same start.
            first, existing = self.started.get((user, client_message_id), (request, None))
            refuse(first != request, "PT409")
        if existing:
            if type == "direct":
                self.reopen(user, self.conversations[existing])
            self.enter(user, existing)
            if message is not None:
                self.send_message(user, existing, content=message, client_message_id=client_message_id)
            return {"conversation": existing, "created": False}
        tenant, folders = self.begin(user, others, None)
        refuse(message is not None and not sendable(message), "PT400")
        c = self.conversations[name] = Conversation(name, type, user, tenant, title, context)
        if type == "announcement":
            c.who_can_send = c.who_can_add = "admins_only"
        if type == "direct":
            self.direct[pair] = name
            c.who_can_add, c.who_can_change_settings = "admins_only", "everyone"
        elif client_message_id is not None:
            self.started[user, client_message_id] = (request, name)
        for member in [user, *others]:
            c.members[member] = Member(
                "owner" if member == user and type != "direct" else "member", self.time,
                added_by=user if member != user else None, folder=folders.get(member, "inbox"),
            )
            self.tell(c, Event("participant:joined", user, member, data={"history_from_seq": 1}))
        self.tell(c, Event("conversation:new", user))
        self.ask_all(c, user, folders)
        if message is not None:
            self.send_message(user, name, content=message, client_message_id=client_message_id)
        return {"conversation": name, "created": True}

    def begin(self, user: str, others: list[str], context: tuple | None) -> tuple[str | None, dict[str, str]]:
        """May the user start with them: the tenant they share, and where each of them finds it."""
        tenant = self.shared_tenant(user, [user, *others])
        refuse(not self.may_initiate(user, tenant) or self.split([user, *others]), "PT403")
        return tenant, self.meet(user, others, tenant, context)

    def ask_all(self, c: Conversation, user: str, folders: dict[str, str]) -> None:
        for other, folder in sorted(folders.items()):
            if folder == "requests":
                self.ask(c, user, other)

    def is_released(self, c: Conversation) -> bool:
        """Somebody left a direct conversation with its tenant, which the two do not share: they begin another."""
        return bool(c.tenant) and len(c.present) < 2 and not set(c.members) <= set(self.tenants[c.tenant])

    def reopen(self, user: str, c: Conversation) -> None:
        """A direct conversation that somebody has left with the tenant: as if the two met anew."""
        gone = sorted(other for other, member in c.members.items() if member.left)
        if gone:
            _, folders = self.begin(user, [c.other(user)], None if c.creator else c.context)
            c.requests = {name: request for name, request in c.requests.items() if name not in gone}
            self.join(c, user, gone, {name: folder for name, folder in folders.items() if name in gone})

    def add_participants(self, user, conversation_id, participant_ids):
        c = self.enter(user, conversation_id)
        refuse(c.status != "active", "PT403")
        refuse(c.type == "direct", "PT400")
        refuse(user and not c.allows(user, "add_members"), "PT403")
        new = sorted(other for other in set(participant_ids) if other not in c.present)
        if not new:
            return
        # Within the tenant of the conversation, or nobody of any.
        tenants = {other: {t for t, members in self.tenants.items() if other in members} for other in new}
        refuse(any(c.tenant not in of if c.tenant else of for of in tenants.values()), "PT403")
        folders = {}
        if user:
            refuse(c.severed, "PT403")
            # To bring in somebody one has no direct conversation with takes what starting a group takes.
            met = {frozenset(pair[:2]) for pair in self.direct}
            strange = any(frozenset((user, other)) not in met for other in new)
            refuse(strange and not self.may_initiate(user, c.tenant), "PT403")
            folders = self.meet(user, new, c.tenant, None if c.creator else c.context)
            # Who declined to be here is left alone, but for the application.
            refuse(any(self.declined_here(c, other) for other in new), "PT403")
        self.join(c, user, new, folders)
        self.say(c, user, {"event": "participants_added", "user_ids": new})

    def declined_here(self, c: Conversation, user: str) -> bool:
        request = c.requests.get(user)
        return bool(request) and request.status == "declined" and self.now - request.answered < DECLINED

    def join(self, c: Conversation, actor: str | None, new: list[str], folders: dict[str, str]) -> None:
        from_start = c.history_visible == "start" and c.type != "direct"
        last, first = c.last, len(c.events) + 1
        for other in new:
            before = c.members.get(other)
            member = c.members[other] = Member(
                "member", self.time, read=last, delivered=last, history_from=1 if from_start else last + 1,
                history_from_event=1 if from_start else first, added_by=actor, folder=folders.get(other, "inbox"),
            )
            if before:
                # Who comes back is as quiet to them as before, but in the inbox like a new one.
                member.muted, member.level, member.shown = before.muted, before.level, before.shown
                member.app_role, member.markers, member.private_markers = before.app_role, before.markers, before.private_markers
                member.added_by = before.added_by if actor == other else actor
                if before.deleted_at is not None:
                    # What they once deleted for themselves does not come back.
                    member.deleted_at = min(before.deleted_at, last - 1)
                    if from_start:
                        member.history_from, member.history_from_event = before.history_from, before.history_from_event
            self.tell(c, Event("participant:joined", actor, other, data={"history_from_seq": member.history_from}))
            self.tell_own(other, c.name, "conversation:new", actor=actor)
        self.ask_all(c, actor, folders)

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
        self.depart(c, user, user_id)

    def leave_conversation(self, user, conversation_id):
        c = self.enter(user, conversation_id)
        refuse(c.type == "direct", "PT400")
        self.depart(c, user, user)

    def depart(self, c: Conversation, actor: str | None, user: str) -> None:
        """By the own doing, or another's, or with the tenant."""
        self.say(c, actor, {"event": "participant_left" if actor == user else "participant_removed", "user_ids": [user]})
        c.members[user].left, c.members[user].left_at, c.members[user].draft = True, self.time, None
        self.tell(c, Event("participant:left", actor, user))
        self.settle_boundary(c)
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
        self.tell(c, Event("participant:updated", actor, user, data={"role": role}))

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
            refuse((c.status != "active" or c.severed) and "status" not in changed, "PT403")
            if self.kept_from(c, user):
                return
        fields = {column: permission for permission, column in PERMISSIONS.items()}
        for name, value in changed.items():
            setattr(c, name, value)
            self.say(c, user, {"event": "conversation_updated", "field": fields.get(name, name)})
        self.tell(c, Event("conversation:updated", user, data={"changed": [fields.get(name, name) for name in changed]}))

    def emptied(self, user: str, c: Conversation) -> bool:
        """The user has deleted it, and has seen nothing come since."""
        deleted_at = c.members[user].deleted_at
        return deleted_at is not None and all(m.silenced_for == user for m in c.messages[deleted_at:])

    def delete_conversation(self, user, conversation_id):
        """For the caller alone: read to the end, and empty until the next message."""
        c = self.enter(user, conversation_id)
        me = c.members[user]
        had = me.pinned or me.archived or me.marked_unread or me.draft is not None
        if me.folder == "inbox" and me.read < c.last:
            self.mark_as_read(user, conversation_id)
        if not self.emptied(user, c) or had:
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
