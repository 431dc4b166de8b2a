"""A plain Realtime client that shows every frame, for what the stock clients hide."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
import uuid
from urllib.parse import urlencode

import websockets
from websockets.asyncio.client import ClientConnection, connect


class Refused(Exception):
    """A join or push was answered with an error; `reason` is the protocol's."""

    def __init__(self, response: dict):
        self.response = response
        self.reason = response.get("reason", "")
        super().__init__(self.reason)


class Socket:
    """One connection. Every message that is not a reply is kept, in order, in `messages`."""

    def __init__(self, connection: ClientConnection, version: str):
        self.connection, self.version = connection, version
        self.refs = itertools.count(1)
        self.replies: dict[str, asyncio.Future] = {}
        self.join_refs: dict[str, str] = {}
        self.messages: list[dict] = []
        self.arrived = asyncio.Event()
        self.closed: asyncio.Future = asyncio.get_running_loop().create_future()
        self.reader = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, worker, apikey: str | None = None, version: str = "2.0.0", **query: str) -> Socket:
        query = {"apikey": apikey or worker.anon_key, "vsn": version, **query}
        uri = f"ws://127.0.0.1:{worker.port}/realtime/v1/websocket?{urlencode(query)}"
        return cls(await connect(uri, max_size=None, ping_interval=None), version)

    async def _read(self) -> None:
        try:
            async for frame in self.connection:
                message = self._decode(frame)
                future = self.replies.pop(message["ref"], None) if message["event"] == "phx_reply" else None
                if future is not None and not future.done():
                    future.set_result(message["payload"])
                else:
                    self.messages.append({**message, "at": time.monotonic()})
                    self.arrived.set()
        except websockets.ConnectionClosed:
            pass
        self.closed.set_result(self.connection.close_code)
        self.arrived.set()
        for future in self.replies.values():
            if not future.done():
                future.set_exception(ConnectionError("the socket closed"))
                future.exception()

    def _decode(self, frame: str | bytes) -> dict:
        if isinstance(frame, bytes):
            kind, topic_length, event_length, meta_length, encoding = frame[:5]
            assert kind == 4, f"the server sent a binary frame of kind {kind}"
            body = frame[5:]
            topic, body = body[:topic_length].decode(), body[topic_length:]
            event, body = body[:event_length].decode(), body[event_length:]
            meta, body = body[:meta_length], body[meta_length:]
            payload = {"type": "broadcast", "event": event, "payload": json.loads(body) if encoding == 1 else body}
            if meta:
                payload["meta"] = json.loads(meta)
            return {"join_ref": None, "ref": None, "topic": topic, "event": "broadcast", "payload": payload, "binary": True}
        message = json.loads(frame)
        if self.version == "2.0.0":
            join_ref, ref, topic, event, payload = message
            return {"join_ref": join_ref, "ref": ref, "topic": topic, "event": event, "payload": payload}
        assert set(message) == {"topic", "event", "payload", "ref"}, f"a V1 message with the keys {set(message)}"
        return {"join_ref": None, **message}

    async def send(self, topic: str, event: str, payload: object, ref: str | None = None, join_ref: str | None = None) -> None:
        if self.version == "2.0.0":
            await self.connection.send(json.dumps([join_ref, ref, topic, event, payload]))
        else:
            message = {"topic": topic, "event": event, "payload": payload, "ref": ref, "join_ref": join_ref}
            await self.connection.send(json.dumps(message))

    async def push(self, topic: str, event: str, payload: object, timeout: float = 15) -> dict:
        """Sends and waits for the reply: the `response`, or `Refused`."""
        ref = str(next(self.refs))
        join_ref = ref if event == "phx_join" else self.join_refs.get(topic)
        future = self.replies[ref] = asyncio.get_running_loop().create_future()
        if event == "phx_join":
            self.join_refs[topic] = ref
        await self.send(f"realtime:{topic}", event, payload, ref, join_ref)
        reply = await asyncio.wait_for(future, timeout)
        if reply["status"] != "ok":
            raise Refused(reply["response"])
        return reply["response"]

    async def join(self, topic: str, token: str | None = None, private: bool = True, **config: object) -> dict:
        broadcast = config.pop("broadcast", {"ack": True, "self": False})
        replay = config.pop("replay", None)
        if replay is not None:
            broadcast = {**broadcast, "replay": replay}
        payload = {"config": {"broadcast": broadcast, "private": private, **config}}
        if token is not None:
            payload["access_token"] = token
        return await self.push(topic, "phx_join", payload)

    async def leave(self, topic: str) -> dict:
        return await self.push(topic, "phx_leave", {})

    async def broadcast(self, topic: str, event: str, payload: object, timeout: float = 15) -> dict:
        """A broadcast on a channel joined with `ack`."""
        return await self.push(topic, "broadcast", {"type": "broadcast", "event": event, "payload": payload}, timeout)

    async def send_message(self, conversation: str, content: str, client_message_id: str | None = None) -> dict:
        payload = {"content": content, "client_message_id": client_message_id or str(uuid.uuid4())}
        return (await self.broadcast(f"conversation:{conversation}", "message:send", payload))["message"]

    def events(self, kind: str | None = None, topic: str | None = None) -> list[dict]:
        """Payloads of the broadcasts received so far; without the ends of replays, unless they are asked for."""
        return [
            message["payload"]["payload"]
            for message in self.messages
            if message["event"] == "broadcast"
            and message["payload"]["event"] in ([kind] if kind else {message["payload"]["event"]} - {"replay:end"})
            and (topic is None or message["topic"] == f"realtime:{topic}")
        ]

    async def wait(self, condition, timeout: float = 15) -> None:
        """Waits until `condition()` holds; it is looked at whenever something arrives."""
        limit = time.monotonic() + timeout
        while not condition():
            left = limit - time.monotonic()
            if left <= 0 or (self.closed.done() and not condition()):
                raise TimeoutError(f"not seen; the last messages are {self.messages[-5:]}")
            self.arrived.clear()
            try:
                await asyncio.wait_for(self.arrived.wait(), left)
            except TimeoutError:
                pass

    async def event(self, kind: str, topic: str | None = None, timeout: float = 15) -> dict:
        await self.wait(lambda: self.events(kind, topic), timeout)
        return self.events(kind, topic)[0]

    async def heartbeat(self) -> None:
        """Returns when the server has answered, that is, when it has handled everything sent before."""
        ref = str(next(self.refs))
        future = self.replies[ref] = asyncio.get_running_loop().create_future()
        await self.send("phoenix", "heartbeat", {}, ref)
        reply = await asyncio.wait_for(future, 15)
        assert reply == {"status": "ok", "response": {}}

    async def close(self) -> None:
        await self.connection.close()
        await self.reader

    async def __aenter__(self) -> Socket:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
