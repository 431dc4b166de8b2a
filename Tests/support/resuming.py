"""A client as an application would write one: it remembers the last event it has seen and continues from there."""

from __future__ import annotations

import asyncio
import itertools

import websockets
from sockets import Refused, Socket


def _turns(workers):
    return itertools.cycle(workers if isinstance(workers, (list, tuple)) else [workers])


class ResumingReader:
    """Follows one conversation through every reconnect; `events` is what its application would have applied.

    With several workers every connection is with the next of them, as behind a load balancer.
    """

    def __init__(self, workers, conversation: str, token: str, version: str = "2.0.0"):
        self.workers = _turns(workers)
        self.conversation, self.token, self.version = conversation, token, version
        self.topic = f"conversation:{conversation}"
        self.events: list[dict] = []
        self.violations: list[str] = []
        self.connections = 0
        self.live = asyncio.Event()
        self.task = asyncio.create_task(self._run())

    @property
    def last(self) -> int:
        return self.events[-1]["event_seq"] if self.events else 0

    def _apply(self, event: dict) -> None:
        if event["event_seq"] != self.last + 1:
            self.violations.append(f"{event['event_seq']} came after {self.last} on connection {self.connections}")
        self.events.append(event)

    async def _run(self) -> None:
        while True:
            self.live.clear()
            try:
                async with await Socket.open(next(self.workers), version=self.version) as socket:
                    self.connections += 1
                    await socket.join(self.topic, self.token, replay={"after": self.last, "limit": 1000})
                    self.live.set()
                    while not socket.closed.done():
                        await socket.arrived.wait()
                        socket.arrived.clear()
                        messages, socket.messages = socket.messages, []
                        for message in messages:
                            if message["event"] == "broadcast" and "event_seq" in message["payload"]["payload"]:
                                self._apply(message["payload"]["payload"])
            except (OSError, ConnectionError, Refused, TimeoutError, websockets.WebSocketException):
                pass
            await asyncio.sleep(0.1)

    async def caught_up(self, event_seq: int, timeout: float = 60) -> None:
        limit = asyncio.get_running_loop().time() + timeout
        while self.last < event_seq:
            if asyncio.get_running_loop().time() > limit:
                raise TimeoutError(f"{self.topic}: at {self.last} of {event_seq} after {self.connections} connections")
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        self.task.cancel()
        try:
            await self.task
        except asyncio.CancelledError:
            pass


class RetryingSender:
    """Sends numbered messages; one whose fate is unknown is sent again under the same id, or given up."""

    def __init__(self, workers, conversation: str, token: str, name: str, chance, pause: float = 0.01):
        self.workers = _turns(workers)
        self.conversation, self.token, self.name = conversation, token, name
        self.chance, self.pause = chance, pause
        self.acknowledged: list[dict] = []
        self.unknown: set[str] = set()
        self.stopping = False
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        import uuid

        number, pending = 0, None
        while not self.stopping:
            try:
                async with await Socket.open(next(self.workers)) as socket:
                    await socket.join(f"conversation:{self.conversation}", self.token)
                    while not self.stopping:
                        if pending is None:
                            number += 1
                            pending = (f"{self.name} {number}", str(uuid.uuid4()))
                        message = await socket.send_message(self.conversation, *pending)
                        self.acknowledged.append(message)
                        pending = None
                        await asyncio.sleep(self.pause)
            except (OSError, ConnectionError, Refused, TimeoutError, websockets.WebSocketException):
                # Half of those without an answer are retried, the other half left: 0 or 1 times is right for them.
                if pending is not None and self.chance.random() < 0.5:
                    self.unknown.add(pending[1])
                    pending = None
                await asyncio.sleep(0.1)
        if pending is not None:
            self.unknown.add(pending[1])

    async def stop(self) -> None:
        self.stopping = True
        await self.task
