"""What tests of single frames share: a socket that keeps every frame as it came, and a room of them."""

from __future__ import annotations

import json

from sockets import Socket

VERSIONS = ("1.0.0", "2.0.0")


class FrameSocket(Socket):
    """A socket whose messages carry the frame they came in, text or bytes, as `raw`."""

    def _decode(self, frame: str | bytes) -> dict:
        return {**super()._decode(frame), "raw": frame}

    def seen(self, event: str) -> list[dict]:
        """Messages with this protocol event, in order."""
        return [message for message in self.messages if message["event"] == event]

    async def one(self, event: str) -> dict:
        """The only message with this protocol event, once it is there."""
        await self.wait(lambda: self.seen(event))
        await self.heartbeat()
        assert len(self.seen(event)) == 1, self.seen(event)
        return self.seen(event)[0]

    async def push_frame(self, topic: str, event: str, body: bytes, encoding: int = 1, ref: str = "77", meta: bytes = b"") -> None:
        """A client's binary broadcast (kind 3)."""
        join_ref = self.join_refs.get(topic, "")
        names = [join_ref.encode(), ref.encode(), f"realtime:{topic}".encode(), event.encode(), meta]
        await self.connection.send(bytes([3, *map(len, names), encoding]) + b"".join(names) + body)

    async def shout(self, topic: str, event: str, payload: object, ref: str | None = "5", **extra: object) -> None:
        """A text broadcast that waits for no reply."""
        await self.send(f"realtime:{topic}", "broadcast", {"type": "broadcast", "event": event, "payload": payload, **extra}, ref)


class Room:
    """A conversation with Alice and Bob, and sockets in it."""

    def __init__(self, people, conversation: str | None = None):
        self.people = people
        self.id = conversation or people.conversation("Alice", "Bob")
        self.topic = f"conversation:{self.id}"
        self.sockets: list[FrameSocket] = []

    async def socket(self, version: str = "2.0.0", apikey: str | None = None) -> FrameSocket:
        socket = await FrameSocket.open(self.people.worker, apikey, version=version)
        self.sockets.append(socket)
        return socket

    async def member(self, name: str = "Alice", version: str = "2.0.0", **config: object) -> FrameSocket:
        socket = await self.socket(version)
        await socket.join(self.topic, self.people.token(name), **config)
        return socket

    async def settled(self) -> None:
        """Returns when everything that was sent so far has been handled, and what it caused has arrived.

        The worker answers heartbeats in their turn, and hands broadcasts to their receivers before it reads on.
        """
        for _ in range(2):
            for socket in self.sockets:
                if not socket.closed.done():
                    await socket.heartbeat()

    async def __aenter__(self) -> Room:
        return self

    async def __aexit__(self, *_: object) -> None:
        for socket in self.sockets:
            await socket.close()


def spoken(topic: str, event: str, body: bytes) -> str:
    """A broadcast as text to a 1.0.0 socket, whose body keeps its bytes."""
    return '{"topic":"realtime:%s","event":"broadcast","payload":{"type":"broadcast","event":%s,"payload":%s},"ref":null}' % (
        topic, json.dumps(event, ensure_ascii=False), body.decode(),
    )
