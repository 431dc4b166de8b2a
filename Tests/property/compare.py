"""What Parley shows, against what the model says."""

from __future__ import annotations

import itertools
import json

from differences import Disagreement, compare
from operations import USERS
from shelves import Shelves
from subject import Call
from syncing import Syncing, told

FOLDERS = ("all", "requests", "archived")


def in_any_order(events: list[tuple]) -> list[tuple]:
    """Those who join together join in no particular order."""
    sorted_runs = []
    for joined, run in itertools.groupby(events, lambda event: event[0] == "participant:joined"):
        sorted_runs += sorted(run, key=str) if joined else run
    return sorted_runs


def same(*event: object) -> str:
    return json.dumps(event, sort_keys=True)


def by_conversation(events: list[tuple]) -> list[tuple]:
    return sorted(events, key=lambda event: (event[0] or "", "" if event[0] else event[1]))


class Comparison(Syncing, Shelves):
    """Of `Play`, which has the world, the subject, a random and the cursors of `sync`."""

    async def look(self, users: list[str], queries: list[Call | str], strangers: set[str] = frozenset()) -> dict[str, list]:
        """What they are answered, and no refusal, except of strangers."""
        answers = await self.subject.look(users, queries)
        for user in set(users) - strangers:
            for query, answer in zip(queries, answers[user]):
                if isinstance(answer, dict) and "refused" in answer:
                    raise Disagreement(f"{user}'s refusal", f"  {query}: {answer['refused']}")
        return answers

    async def ask(self, user: str, function: str, **arguments: object) -> dict:
        return (await self.look([user], [Call(function, **arguments)]))[user][0]

    def compare_log(self, rows: list, before: dict[str, int], own_before: dict[str, int]) -> None:
        """The rows that were written, and no other: dense, of the right kinds, about the right things."""
        names = self.subject.names
        log: dict[str, list] = {}
        own: dict[str, list] = {}
        for row in rows:
            data = json.loads(row["data"] or "{}")
            event = names.event(row["kind"], row["actor_id"], row["user_id"], row["message_id"], data)
            if row["conversation_id"]:
                log.setdefault(names.name(row["conversation_id"]), []).append((row["event_seq"], event))
            else:
                own.setdefault(event[2], []).append((names.name(data.get("conversation_id")), *event[:2], *event[3:]))
        expected_log, expected_own = {}, {}
        for name, c in self.world.conversations.items():
            if new := c.events[before.get(name, 0):]:
                first = before.get(name, 0) + 1
                expected_log[name] = (list(range(first, first + len(new))), in_any_order([told(event) for event in new]))
        for user, events in self.world.own.items():
            if new := events[own_before[user]:]:
                expected_own[user] = [(name, e.kind, e.actor, e.seq, e.data) for name, e in new]
        compare("log", expected_log, {
            name: ([number for number, _ in events], in_any_order([event for _, event in events])) for name, events in log.items()
        })
        # Which conversation a user hears of first, where a step touches more than one, is open.
        compare("own events", {user: by_conversation(events) for user, events in expected_own.items()},
                {user: by_conversation(events) for user, events in own.items()})
        for user, events in own.items():
            new = {same(name, e.kind, e.actor, e.seq, e.data): (name, e) for name, e in self.world.own[user][-len(events):]}
            self.world.own[user][-len(events):] = [new[same(*event)] for event in events]
        for name, events in log.items():
            # Who joined together has an order from now on: the log's.
            c = self.world.conversations[name]
            new = {str(told(event)): event for event in c.events[-len(events):]}
            c.events[-len(events):] = [new[str(event)] for _, event in events]

    async def compare_seen(self, users: list[str], conversation: str) -> None:
        """What users see of one conversation."""
        world, names = self.world, self.subject.names
        c, id = world.conversations[conversation], names.id(conversation)
        after = max(0, len(c.events) - 10)
        answers = await self.look(users, [
            Call("get_conversation_messages", conversation_id=id, page_size=20),
            Call("get_events", conversation_id=id, after_seq=after),
            Call("can_access_conversation", conversation_id=id),
        ], set(USERS) - set(c.present))
        for user, (history, events, access) in answers.items():
            compare(f"{user}'s access", user in c.present, access)
            if user in c.present:
                shown = world.history(user, conversation)
                compare(f"{user}'s history", shown[-20:], [names.message(m) for m in history["messages"]])
                compare(f"{user}'s has_more", len(shown) > 20, history["has_more"])
                self.compare_replay(user, conversation, after, events)
            else:
                compare(f"{user}'s refusals", ["PT403", "PT403"], [answer["refused"] for answer in (history, events)])

    async def compare_inboxes(self, users: list[str]) -> None:
        """Their order, what each row shows, and the counts."""
        answers = await self.look(users, [
            *(Call("get_user_conversations", filter=folder) for folder in FOLDERS), Call("get_unread_counts"),
        ])
        for user, (*folders, counts) in answers.items():
            for folder, rows in zip(FOLDERS, folders):
                self.compare_inbox(user, folder, rows)
            compare(f"{user}'s counts", self.world.counts(user), self.subject.names.counts(counts))

    def compare_inbox(self, user: str, filter: str, answer: dict) -> None:
        compare(f"{user}'s inbox ({filter})", self.world.inbox(user, filter),
                [self.subject.names.row(row) for row in answer["conversations"]])

    def compare_replay(self, user: str, conversation: str, after: int, answer: dict) -> None:
        """A page of the log as a client gets it: what the user may be told, and a gap for what was before the user."""
        world = self.world
        c = world.conversations[conversation]
        expected = [(number, event) for number, event in world.replay(user, conversation) if number > after]
        compare(f"{user}'s event_seqs", [number for number, _ in expected], [e["payload"]["event_seq"] for e in answer["events"]])
        compare(f"{user}'s events", [told(event) for _, event in expected], [self.heard(user, c, e) for e in answer["events"]])
        first = world.events_from(user, c)
        compare(f"{user}'s gap", (after + 1, first - 1) if first > after + 1 else None,
                answer["gap"] and (answer["gap"]["from"], answer["gap"]["to"]))

    def heard(self, user: str, c, e: dict) -> tuple:
        """An event as a client gets it, in the terms of `told`; the message in it is compared."""
        event = self.subject.names.told(e)
        kind, _, _, seq, data = event
        if kind == "message:deleted":
            data = {"for_everyone": e["payload"]["for_everyone"]}
        elif kind in ("participant:left", "conversation:new"):
            data = {}
        if "message" in e["payload"]:
            # Rendered for everybody alike, so without what only the sender sees.
            compare(f"{user}'s event {e['payload'].get('event_seq')}", self.world.carried(c, c.messages[seq - 1]),
                    self.subject.names.message(e["payload"]["message"]))
        return (*event[:4], data)

    async def compare_all(self) -> None:
        """Everything that everybody sees, in pages, and through sync."""
        world, names = self.world, self.subject.names
        for conversation in world.conversations:
            await self.compare_seen(list(USERS), conversation)
        await self.compare_inboxes(list(USERS))
        for user in USERS:
            mine = [c for c in world.conversations.values() if user in c.present]
            for c in mine:
                await self.compare_pages(user, c)
                await self.compare_pinned(user, c)
                await self.compare_export(user, c)
            for c in world.conversations.values():
                await self.compare_receipts(user, c)
            await self.compare_starred(user)
            views = [
                "select jsonb_agg(to_jsonb(m) order by m.conversation_id, m.seq) from parley_api.messages m",
                "select jsonb_object_agg(c.id, jsonb_build_array(c.last_seq, c.last_event_seq)) from parley_api.conversations c",
                "select jsonb_agg(jsonb_build_array(p.conversation_id, p.user_id, p.role)) from parley_api.participants p",
                Call("get_user_conversations", filter="unread"),
                Call("get_user_conversations", page_size=2),
            ]
            messages, conversations, participants, unread, page = (await self.look([user], views))[user]
            compare(f"{user}'s view of messages", {
                (c.name, m["seq"]): (m["content"], m["deleted"], m["edited"])
                for c in mine for m in world.history(user, c.name)
            }, {
                names.name(m["id"]): (None if m["metadata"] and "event" in m["metadata"] else m["content"],
                                      m["deleted_at"] is not None, m["edited_at"] is not None)
                for m in messages or []
            })
            compare(f"{user}'s view of conversations", {c.name: [c.last, len(c.events)] for c in mine},
                    {names.name(id): row for id, row in (conversations or {}).items()})
            compare(f"{user}'s view of participants",
                    sorted((c.name, other, m.role) for c in mine for other, m in c.present.items()),
                    sorted((names.name(c), names.name(other), role) for c, other, role in participants or []))
            self.compare_inbox(user, "unread", unread)
            await self.compare_inbox_pages(user, page)
            for word in ("text", "edited", "notice"):
                await self.compare_search(user, word)
            await self.compare_sync(user)
        await self.compare_markers()

    async def compare_pages(self, user: str, c) -> None:
        """The whole history backwards, and the whole log forwards, in small pages."""
        names, id, size = self.subject.names, self.subject.names.id(c.name), self.random.randint(5, 60)
        shown, before = [], None
        while True:
            page = await self.ask(user, "get_conversation_messages", conversation_id=id, before_seq=before, page_size=size)
            shown = [names.message(m) for m in page["messages"]] + shown
            if not page["has_more"]:
                break
            before = shown[0]["seq"]
        compare(f"{user}'s whole history", self.world.history(user, c.name), shown)
        events, answer = [], {"has_more": True}
        while answer["has_more"]:
            after = events[-1]["payload"]["event_seq"] if events else 0
            answer = await self.ask(user, "get_events", conversation_id=id, after_seq=after, page_size=size)
            events += answer["events"]
            first = answer if after == 0 else first
        self.compare_replay(user, c.name, 0, first | {"events": events})

    async def compare_inbox_pages(self, user: str, page: dict) -> None:
        shown = [row["id"] for row in page["conversations"]]
        while page["next_cursor"]:
            page = await self.ask(user, "get_user_conversations", page_size=2, cursor=page["next_cursor"])
            shown += [row["id"] for row in page["conversations"]]
        compare(f"{user}'s inbox in pages", [row["conversation"] for row in self.world.inbox(user)],
                [self.subject.names.name(id) for id in shown])

    async def compare_search(self, user: str, word: str) -> None:
        page = await self.ask(user, "search_messages", query=word)
        found = page["results"]
        while page["next_cursor"]:
            page = await self.ask(user, "search_messages", query=word, cursor=page["next_cursor"])
            found += page["results"]
        compare(f"{user}'s search", sorted(self.world.found(user, word)),
                sorted(self.subject.names.name(r["message"]["id"]) for r in found))

    async def compare_markers(self) -> None:
        """Who read up to where, advance by advance."""
        for c in self.world.conversations.values():
            rows = await self.subject.connection.fetch(
                "select user_id::text, after_seq, seq from parley.read_marker where conversation_id = $1 order by seq",
                self.subject.names.id(c.name),
            )
            actual: dict[str, list] = {}
            for row in rows:
                actual.setdefault(self.subject.names.name(row["user_id"]), []).append((row["after_seq"], row["seq"]))
            compare("markers", {user: m.markers for user, m in c.members.items() if m.markers}, actual)
