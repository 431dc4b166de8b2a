"""Receipts, pins, stars and exports: what a user finds of messages in other places than the history."""

from __future__ import annotations

import json

from differences import compare
from model import Refused
from subject import Call

# Of so many messages of a conversation that a user does not see, the receipts are asked for.
UNSEEN = 6


class Shelves:
    """Of `Comparison`."""

    async def compare_receipts(self, user: str, c) -> None:
        """Of every message that the user sees: who has it, and who has read it. Of the others nothing is said."""
        world, names = self.world, self.subject.names
        asked, unseen = {}, {}
        for label, (name, _) in world.places.items():
            if name == c.name:
                try:
                    asked[label] = world.receipts_of(user, label)
                except Refused as refused:
                    unseen[label] = {"refused": refused.args[0]}
        asked |= {label: unseen[label] for label in self.random.sample(list(unseen), min(UNSEEN, len(unseen)))}
        queries = [Call("get_message_receipts", message_id=names.id(label)) for label in asked]
        answers = (await self.look([user], queries, {user}))[user]
        for (label, expected), answer in zip(asked.items(), answers, strict=True):
            compare(f"{user}'s receipts of {label}", expected, answer if "refused" in answer else names.receipts(answer))

    async def compare_pinned(self, user: str, c) -> None:
        answer = await self.ask(user, "get_pinned_messages", conversation_id=self.subject.names.id(c.name))
        compare(f"{user}'s pinned messages", self.in_turn(self.world.pinned(user, c)),
                self.in_turn([self.subject.names.message(m) for m in answer["messages"]]))

    async def compare_starred(self, user: str) -> None:
        names, page = self.subject.names, await self.ask(user, "get_starred_messages", page_size=3)
        found = page["messages"]
        while page["next_cursor"]:
            page = await self.ask(user, "get_starred_messages", page_size=3, cursor=page["next_cursor"])
            found += page["messages"]
        compare(f"{user}'s starred messages", self.in_turn(self.world.starred(user)),
                self.in_turn([(names.name(m["conversation_id"]), names.message(m)) for m in found]))

    def in_turn(self, messages: list) -> list:
        """What was pinned or starred at once is in no particular order."""
        return messages if len(self.subjects) == 1 else sorted(messages, key=str)

    async def compare_export(self, user: str, c) -> None:
        """The page that a worker would write of a conversation."""
        names, connection = self.subject.names, self.subject.connection
        transaction = connection.transaction()
        await transaction.start()
        try:
            begun = await connection.fetchval(
                "select parley.begin_export($1, $2, 'jsonl') ->> 'id'", names.id(user), names.id(c.name)
            )
            lines = await connection.fetchval("select p.lines from parley.export_page($1, 100000) as p", begun)
        finally:
            await transaction.rollback()
        told = [json.loads(line) for line in (lines or "").splitlines()]
        compare(f"{user}'s export", self.world.exported(user, c), [
            (m["seq"], names.name(m.get("sender_id")), m.get("withheld", False),
             None if "event" in m.get("metadata", {}) else m.get("content")) for m in told
        ])
