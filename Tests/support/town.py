"""Three stores in which everybody listens: two that overlap, and a third with members of both.

Ann, Amy and Bo are in the north, Sid, Sue and Bo in the south, Amy and Sue in the west. Groups and people have the same names
everywhere; what is a store's own carries its mark.
"""

from __future__ import annotations

import json
import uuid

from sockets import Socket

STORES = {"north": ("alpha", "Ann", "Amy", "Bo"), "south": ("omega", "Sid", "Sue", "Bo"), "west": ("delta", "Sue", "Amy")}


class Store:
    """A store with a group and a direct conversation, and all that must not be heard outside of it."""

    def __init__(self, people, mark: str, *members: str):
        self.people, self.mark, self.members, self.host = people, mark, members, members[0]
        self.tenant = str(uuid.uuid4())
        people.cluster.psql(f"insert into parley.tenant (id, name) values ('{self.tenant}', 'Books')")
        for member in members:
            people.cluster.psql(f"insert into parley.tenant_member (tenant_id, user_id) values ('{self.tenant}', '{people.id(member)}')")

    def open(self) -> None:
        self.group = self.people.conversation(self.host, *self.members[1:], type="group", title="Club", message=self.mark)
        self.direct = self.people.conversation(
            self.host, self.members[1], context_type="listing", context_id="1", message=self.mark
        )
        self.message = self.ask("send_message", conversation_id=self.group, content=self.mark)["id"]
        self.call = self.ask("start_call", conversation_id=self.direct, kind="voice", device_id="a")["id"]
        self.secrets = {self.mark, self.tenant, self.group, self.direct, self.message, self.call}

    def ask(self, function: str, **arguments: object):
        return self.people.rpc(self.host, function, **arguments)

    @property
    def topics(self) -> list[str]:
        return [f"conversation:{self.group}", f"conversation:{self.direct}"]

    def topics_of(self, member: str) -> list[str]:
        return self.topics if member in self.members[:2] else self.topics[:1]


class Town:
    """The stores, and a socket of everybody that listens to all it may."""

    def __init__(self, people):
        self.people = people
        self.stores = {name: Store(people, *rest) for name, rest in STORES.items()}
        self.names = sorted({member for store in self.stores.values() for member in store.members})
        for name in self.names:
            mark = {"Ann": " alpha", "Sid": " omega"}.get(name, "")
            people.cluster.psql(f"update parley.account set display_name = 'Sam{mark}' where id = '{people.id(name)}'")
        for store in self.stores.values():
            store.open()
        self.sockets: dict[str, Socket] = {}

    def of(self, name: str) -> list[Store]:
        return [store for store in self.stores.values() if name in store.members]

    def foreign(self, name: str) -> list[Store]:
        return [store for store in self.stores.values() if name not in store.members]

    def inbox(self, name: str) -> str:
        return f"user:{self.people.id(name)}"

    async def connect(self) -> None:
        for name in self.names:
            socket = self.sockets[name] = await Socket.open(self.people.worker)
            await socket.join(self.inbox(name), self.people.token(name))
            for store in self.of(name):
                for topic in store.topics_of(name):
                    await socket.join(topic, self.people.token(name), presence={"key": "", "enabled": True})
                    await socket.push(topic, "presence", {"type": "presence", "event": "track", "payload": {"mark": store.mark}})

    async def settle(self) -> None:
        """Returns when all that has happened so far has reached whom it reaches: the log is one, and brings the barrier last."""
        barrier = str(uuid.uuid4())
        for store in self.stores.values():
            store.ask("send_message", conversation_id=store.group, content=barrier)
        for name, socket in self.sockets.items():
            wanted = {store.group for store in self.of(name)}

            def arrived(socket: Socket = socket, wanted: set = wanted, inbox: str = self.inbox(name)) -> bool:
                new = socket.events("message:new", inbox)
                return wanted <= {event["conversation_id"] for event in new if event["message"]["content"] == barrier}

            await socket.wait(arrived)
            await socket.heartbeat()

    def strangers(self, name: str) -> set[str]:
        """Ids of those with whom this one shares no store."""
        met = {member for store in self.of(name) for member in store.members}
        return {self.people.id(other) for other in set(self.names) - met}

    def nothing_foreign(self, name: str, told: object) -> None:
        text = json.dumps(told)
        secrets = self.strangers(name).union(*(store.secrets for store in self.foreign(name)))
        assert not [secret for secret in secrets if secret in text], (name, text)
