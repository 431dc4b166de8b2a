"""What is said, and what is done with it."""

from __future__ import annotations

from .things import TYPES, Conversation, Event, Message, refuse

WINDOWS = {"edit": 15, "delete": 60}


class Messages:
    def send_message(self, user, conversation_id, content=None, type="text", client_message_id=None, reply_to_id=None,
                     mentions=None, metadata=None, expires_in=None):
        c = self.enter(user, conversation_id)
        request = (content, type, reply_to_id, tuple(mentions or ()), repr(metadata or {}), expires_in)
        if client_message_id is not None and (user, client_message_id) in c.sent:
            # For the life of the message: the same again is the same message, whatever else has changed.
            first, seq = c.sent[user, client_message_id]
            refuse(first != request, "PT409")
            m = c.messages[seq - 1]
            refuse(m.purged, "PT410")
            return self.show(None, c, m) | {"deleted": m.deleted or not self.alive(m)}
        # What is no text may say all that it says in its metadata.
        refuse(type not in TYPES or not (sendable(content) or (content is None and type != "text" and metadata)), "PT400")
        me = c.members[user]
        self.may_send(c, user)
        refuse(set(mentions or ()) - set(c.present), "PT400")
        if reply_to_id is not None:
            there, answered = self.find(user, reply_to_id)
            refuse(there is not c or answered.deleted, "PT404")
        message = self.deliver(c, Message(
            c.last + 1, user, type, content, me.app_role or me.role, metadata or {}, mentions or [],
            reply_to_id and answered.seq, client_message_id, expires_at=self.now + 60 if expires_in is not None else None,
        ))
        if client_message_id is not None:
            c.sent[user, client_message_id] = (request, message.seq)
        if me.draft is not None:
            self.save_draft(user, conversation_id, "")
        return self.show(user, c, message)

    def may_send(self, c: Conversation, user: str) -> None:
        self.writable(c)
        refuse(not c.allows(user, "send_messages"), "PT403")
        self.may_say_more(c, user)

    def deliver(self, c: Conversation, message: Message) -> Message:
        """What a user says; whoever is not to learn of it never does. To write is to accept."""
        message.silenced_for = self.silenced(c, message.sender)
        if message.silenced_for:
            message.hidden_by.add(message.silenced_for)
        if c.members[message.sender].folder == "requests":
            self.accept_by_writing(c, message.sender)
        return self.append(c, message, message.sender)

    def send_system_message(self, user, conversation_id, content, metadata=None):
        c = self.enter(user, conversation_id)
        refuse(not sendable(content), "PT400")
        return self.show(None, c, self.append(c, Message(c.last + 1, None, "system", content, metadata=metadata or {}), None))

    def say(self, c: Conversation, actor: str | None, metadata: dict) -> None:
        """The server's own words about a change."""
        self.append(c, Message(c.last + 1, None, "system", metadata=metadata, actor=actor, notice=True), actor)

    def append(self, c: Conversation, message: Message, actor: str | None) -> Message:
        event = Event("message:new", actor, seq=message.seq)
        message.at, message.sent, message.order, message.heard = self.now, self.time, event.order, event.order
        c.messages.append(message)
        self.places[self.label] = (c.name, message.seq)
        if message.silenced_for:
            self.tell_own(actor, c.name, "message:new", actor=actor, seq=message.seq)
        else:
            self.tell(c, event)
        # Who had read all before has read the own message, too.
        if actor and c.members[actor].read == message.seq - 1:
            c.members[actor].read = message.seq
        return message

    def edit_message(self, user, message_id, content, metadata=None, mentions=None):
        c, m = self.find(user, message_id)
        refuse(m.sender != user, "PT403")
        refuse(m.deleted, "PT409")
        self.writable(c)
        refuse(m.forwarded, "PT403")
        refuse(not sendable(content), "PT400")
        new = (content, m.metadata if metadata is None else metadata, m.mentions if mentions is None else mentions)
        if new != (m.content, m.metadata, m.mentions):
            refuse(new[2] != m.mentions and set(new[2]) - set(c.present), "PT400")
            refuse(self.now - m.at >= WINDOWS["edit"], "PT403")
            (m.content, m.metadata, m.mentions), m.edited = new, True
            self.tell_about(c, m, Event("message:updated", user, seq=m.seq))
        return self.show(None, c, m)

    def delete_message(self, user, message_id, for_everyone=False):
        # What one has hidden one can still delete, for oneself again or for everyone.
        c, m = self.stored(message_id)
        refuse(user not in c.present or m.seq < c.members[user].history_from, "PT404")
        if not for_everyone:
            if user not in m.hidden_by:
                m.hidden_by.add(user)
                m.starred_by.pop(user, None)
                self.tell_own(user, c.name, "message:deleted", actor=user, seq=m.seq, data={"for_everyone": False})
            return
        self.find(user, message_id, also_hidden=True)
        if m.deleted:
            return
        if not c.allows(user, "delete_messages"):
            refuse(m.sender != user, "PT403")
            refuse(self.now - m.at >= WINDOWS["delete"], "PT403")
        self.clear(m)
        self.tell_about(c, m, Event("message:deleted", user, seq=m.seq, data={"for_everyone": True}))

    def clear(self, m: Message) -> None:
        m.deleted, m.content, m.metadata, m.mentions, m.pinned, m.starred_by = True, None, {}, [], None, {}

    def add_reaction(self, user, message_id, emoji):
        refuse(emoji.isascii(), "PT400")
        c, m = self.find(user, message_id)
        self.writable(c)
        refuse(m.deleted, "PT409")
        if (user, emoji) not in m.reactions:
            m.reactions.append((user, emoji))
            self.tell_about(c, m, Event("message:reaction", user, user, m.seq, {"op": "added", "emoji": emoji}))
        return self.show(None, c, m)

    def remove_reaction(self, user, message_id, emoji):
        c, m = self.find(user, message_id)
        self.writable(c)
        if (user, emoji) in m.reactions:
            m.reactions.remove((user, emoji))
            self.tell_about(c, m, Event("message:reaction", user, user, m.seq, {"op": "removed", "emoji": emoji}))
        return self.show(None, c, m)

    def star_message(self, user, message_id):
        c, m = self.find(user, message_id)
        refuse(m.deleted, "PT409")
        if user not in m.starred_by:
            m.starred_by[user] = self.time
            self.tell_own(user, c.name, "message:starred", actor=user, seq=m.seq)

    def unstar_message(self, user, message_id):
        c, m = self.find(user, message_id)
        if user in m.starred_by:
            del m.starred_by[user]
            self.tell_own(user, c.name, "message:unstarred", actor=user, seq=m.seq)

    def pin_message(self, user, message_id, pinned=True):
        # What one has hidden one can still unpin.
        c, m = self.find(user, message_id, also_hidden=not pinned)
        self.writable(c)
        refuse(not c.allows(user, "change_settings"), "PT403")
        refuse(pinned and m.deleted, "PT409")
        if (m.pinned is not None) != pinned:
            refuse(pinned and sum(other.pinned is not None for other in c.messages) >= 50, "PT409")
            m.pinned = self.time if pinned else None
            self.tell_about(c, m, Event("message:pinned" if pinned else "message:unpinned", user, seq=m.seq))
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
        self.may_send(c, user)
        m.forwards[user] = m.forwards.get(user, 0) + 1
        me = c.members[user]
        copy = Message(c.last + 1, user, m.type, m.content, me.app_role or me.role, m.metadata, expires_at=m.expires_at, forwarded=True)
        return self.show(user, c, self.deliver(c, copy))


def sendable(content: str | None) -> bool:
    return content is not None and content.strip() != "" and len(content) <= 5000
