"""What the model's names are called in the database, and what Parley answers in the model's terms."""

from __future__ import annotations

import json
import uuid

from operations import Operation

# The arguments that name something, and what.
CONVERSATION, MESSAGES, PERSON, PEOPLE = "conversation_id", ("message_id", "reply_to_id"), "user_id", ("participant_ids", "mentions")
TENANT = ("tenant", "to")
DATA = (
    "op", "emoji", "last_read_seq", "last_delivered_seq", "for_everyone", "history_from_seq", "role", "changed",
    "blocked", "restricted", "followed", "quiet",
)


class Names:
    """What the model's names are called in the database."""

    def __init__(self, users: list[str], tenants: list[str]):
        # Sorted as the names are, so that the model can say who comes first of two who joined together.
        names = [*sorted(users), *sorted(tenants)]
        self.users = dict(zip(names, sorted(str(uuid.uuid4()) for _ in names)))
        self.ids: dict[object, str] = {}
        # Where the message of each label is, as the model has it.
        self.places: dict[str, tuple] = {}
        self.names: dict[str, object] = {id: name for name, id in self.users.items()}

    def bind(self, name: object, id: str) -> None:
        """A conversation by its name, a message by its place."""
        self.ids[name], self.names[id] = id, name

    def id(self, name: object) -> str:
        """The id of a name; one that nothing has, if the name is unknown."""
        known = self.users.get(name) or self.ids.get(self.places.get(name, name))
        return known or str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.users} {name}"))

    def name(self, id: str | None) -> object:
        return None if id is None else self.names.get(id, id)

    def arguments(self, operation: Operation) -> dict:
        """The operation's arguments as the API takes them."""
        given = {}
        for name, value in operation.arguments.items():
            if name == "context":
                given["context_type"], given["context_id"] = value
            elif name in (*PEOPLE, "conversation_ids"):
                given[name] = [self.id(each) for each in value]
            elif value is not None and name in (CONVERSATION, PERSON, "name", *TENANT, *MESSAGES):
                given[name] = self.id(value)
            elif name == "client_message_id":
                given[name] = str(uuid.uuid5(uuid.NAMESPACE_OID, value))
                self.names[given[name]] = value
            else:
                given[name] = value
        return given

    # What Parley says, in the model's terms.

    def receipts(self, r: dict) -> dict:
        return {
            "status": r["status"],
            "receipts": {self.name(o["user_id"]): (o["delivered"], o["read_at"] is not None) for o in r["receipts"]},
        }

    def message(self, m: dict | None) -> dict | None:
        if m is None:
            return None
        said = None if m["type"] == "system" and m["metadata"].get("event") else m["content"]
        return {
            "seq": m["seq"], "sender": self.name(m["sender_id"]), "sender_role": m["sender_role"], "type": m["type"],
            "key": self.name(m["client_message_id"]), "content": said, "metadata": self.metadata(m["metadata"]),
            "mentions": [self.name(user) for user in m["mentions"]],
            "reply_to": m["reply_to_id"] and self.name(m["reply_to_id"])[1],
            "reactions": [(r["emoji"], [self.name(user) for user in r["user_ids"]]) for r in m["reactions"]],
            "status": m["status"], "edited": m["edited_at"] is not None, "deleted": m["deleted_at"] is not None,
            "expires": m["expires_at"] is not None, "forwarded": m["forwarded"], "pinned": m["pinned_at"] is not None,
            "starred": m.get("starred", False), "quote": self.quote(m["reply_to"]),
        }

    def quote(self, q: dict | None) -> dict | None:
        return q and {
            "seq": q["seq"], "sender": self.name(q["sender_id"]), "type": q["type"], "deleted": q["deleted"],
            "content": None if q["type"] == "system" else q["content"],
        }

    def metadata(self, metadata: dict) -> dict:
        """Of a system message: what it says of whom; who caused it and the order of the users are told elsewhere."""
        if "event" not in metadata:
            return metadata
        said = {name: metadata[name] for name in ("event", "field") if name in metadata}
        return said | ({"user_ids": sorted(self.name(user) for user in metadata["user_ids"])} if "user_ids" in metadata else {})

    def people(self, participants: list[dict]) -> dict[str, tuple]:
        return {
            self.name(p["user_id"]): (p["role"], p["app_role"], p["last_read_seq"], p["last_delivered_seq"])
            for p in participants
        }

    def row(self, c: dict) -> dict:
        me = c["me"]
        return {
            "conversation": self.name(c["id"]), "type": c["type"], "title": c["title"], "status": c["status"],
            "read_only": c["read_only"], "context": c["context_type"] and (c["context_type"], c["context_id"]),
            "tenant": self.name(c["tenant_id"]),
            "last_seq": c["last_seq"], "last_event_seq": c["last_event_seq"], "unread": c["unread_count"],
            "mentioned": c["mention_count"], "draft": c["draft"] and c["draft"]["content"], "permissions": c["permissions"],
            "last_message": self.message(c["last_message"]), "people": self.people(c["participants"]),
            "me": {
                "role": me["role"], "app_role": me["app_role"], "read": me["last_read_seq"], "delivered": me["last_delivered_seq"],
                "history_from": me["history_from_seq"], "marked_unread": me["marked_unread"],
                "pinned": me["pinned_at"] is not None, "archived": me["archived_at"] is not None, "muted": me["is_muted"],
                "level": me["notification_level"], "folder": me["folder"],
            },
        }

    def counts(self, c: dict) -> dict:
        return {
            "total": c["total"], "muted_total": c["muted_total"], "archived_total": c["archived_total"],
            "requests_total": c["requests_total"], "mentions_total": c["mentions_total"],
            "conversations": {
                self.name(row["conversation_id"]): (row["unread_count"], row["marked_unread"]) for row in c["conversations"]
            },
        }

    def event(self, kind: str, actor: str | None, user: str | None, message: str | None, data: dict) -> tuple:
        """As `told` of the model's events."""
        message = self.name(message)
        return (kind, self.name(actor), self.name(user), message and message[1], {k: v for k, v in data.items() if k in DATA})

    def told(self, e: dict) -> tuple:
        """An event as a client gets it."""
        p = e["payload"]
        message = p["message"]["id"] if "message" in p else p.get("message_id")
        return self.event(e["event"], p["actor_id"], p.get("user_id"), message, p)


def literal(value: object) -> str:
    """Of unknown type, so that it takes the type of the argument it is given for."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        value = "{" + ",".join(value) + "}"
    elif isinstance(value, dict):
        value = json.dumps(value)
    return "'" + value.replace("'", "''") + "'"
