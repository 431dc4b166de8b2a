"""What `sync` brings, against the model."""

from __future__ import annotations

from differences import compare
from model import Event


def told(event: Event) -> tuple:
    return (event.kind, event.actor, event.user, event.seq, event.data)


class Syncing:
    """Of `Comparison`."""

    async def compare_sync(self, user: str) -> None:
        """A client that comes back is told of what it may know and has not seen, once and in order."""
        world, names = self.world, self.subject.names
        cursor, seen = self.cursors.get(user, (None, None))
        answer, events, conversations, gone, unread = {"has_more": True}, [], {}, set(), {}
        new_cursor, afresh = cursor, self.must_sync_afresh(user, seen)
        while answer["has_more"]:
            answer = await self.ask(user, "sync", cursor=new_cursor)
            if new_cursor == cursor:
                compare(f"{user}'s resync", afresh, answer["resync_required"])
            new_cursor = answer["cursor"]
            events += answer["events"]
            conversations |= {names.name(c["id"]): c["unread_count"] for c in answer["conversations"]}
            unread |= {names.name(id): count for id, count in answer["unread"].items()}
            gone |= {names.name(id) for id in answer["left_conversation_ids"]}
        present = {c.name: c for c in world.conversations.values() if user in c.present}
        if cursor is None or afresh:
            compare(f"{user}'s first sync", {name: world.unread(user, name) for name in present}, conversations)
            compare(f"{user}'s first sync", [], events)
        else:
            own: list[tuple] = []
            told_of: dict[str, list[tuple]] = {}
            for e in events:
                name, number = names.name(e["payload"].get("conversation_id")), e["payload"].get("event_seq")
                event = self.heard(user, world.conversations.get(name), e)
                if number:
                    told_of.setdefault(name, []).append((number, *event))
                else:
                    own.append((name, *event))
            expected = {
                name: new for name in present
                if (new := [(number, *told(event)) for number, event in world.replay(user, name) if number > seen.get(name, 0)])
            }
            # Of a conversation that the user is not in, nothing comes.
            compare(f"{user}'s sync", expected, told_of)
            compare(f"{user}'s own events by sync",
                    [(name, e.kind, e.actor, user, e.seq, e.data) for name, e in world.own[user][seen[None]:]], own)
            compare(f"{user}'s conversations by sync", {}, {
                name: count for name, count in (conversations | unread).items()
                if name not in present or count != world.unread(user, name)
            })
            compare(f"{user}'s changed conversations by sync", set(), set(expected) - set(unread))
            left_since = {
                name for name, c in world.conversations.items()
                if user in c.members and name not in present and any(
                    e.kind == "participant:left" and e.user == user for e in c.events[seen.get(name, 0):])
            }
            # Once is enough, but it may be said again: a client only ever forgets them.
            ever = {name for name, c in world.conversations.items() if user in c.members} - set(present)
            compare(f"{user}'s left conversations", (set(), set()), (left_since - gone, gone - ever))
        self.cursors[user] = new_cursor, {
            **{c.name: len(c.events) for c in world.conversations.values()}, None: len(world.own[user]), "last": self.kept_events()[-1:],
        }

    def kept_events(self) -> list[Event]:
        world = self.world
        kept = [e for c in world.conversations.values() for e in c.events[c.kept_from - 1:]]
        return sorted([*kept, *(e for events in world.own.values() for _, e in events)], key=lambda e: e.order)

    def must_sync_afresh(self, user: str, seen: dict | None) -> bool:
        """What came since the cursor begins before the window, or the event it points at went with its conversation."""
        if seen is None or not seen["last"]:
            return False
        kept, last = self.kept_events(), seen["last"][0].order
        new = [e for e in kept if e.order > last]
        return bool(new) and not self.world.in_window(user, new[0].at) or all(e.order != last for e in kept)
