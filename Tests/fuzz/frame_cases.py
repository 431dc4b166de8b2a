"""Frames of WebSockets as drawn, in both serializers, and a socket that waits for the answer to each that names a ref."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import dataclass
from urllib.parse import urlencode

from hypothesis import strategies as st
from http_cases import Description
from values import anything, arguments, damaged, mapping, mostly, strings, texts
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

VERSIONS = ["1.0.0", "2.0.0"]
CONVERSATION, INBOX = "realtime:conversation:<conversation>", "realtime:user:<alice>"
TOPICS = [
    "phoenix", "realtime:", "", "realtime:user:<bob>", "realtime:conversation:<other>", "realtime:tenant:<tenant>:moderation",
    "realtime:conversation:<CONVERSATION>", "realtime:Conversation:<conversation>", "realtime:" + "x" * 900, "realtime:conversation:<conversation>\u0000",
]
NAMES = [
    "message:send", "message:read", "message:delivered", "typing:start", "typing:stop", "user:typing", "call:start", "call:accept", "call:end",
    "call:ice", "call:me", "message:new", "MESSAGE:NEW", "partİcİpant:left", "wave", "", "x" * 300, "rpc:no_such_function", "rpc:",
]
# Codes by which the server ends a socket that broke a rule, and says so.
RULES = {1002, 1003, 1007, 1008, 1009, 1013}


@dataclass(frozen=True)
class Frame:
    version: str
    topic: str
    event: str
    payload: bytes
    copies: int
    numeric: bool = False
    encoding: int | None = None

    def __str__(self) -> str:
        kind = "text" if self.encoding is None else f"binary {self.encoding}"
        return f"{self.version} {kind}, {self.copies} times: {self.topic!r} {self.event!r} numeric={self.numeric} {self.payload[:2000]!r}"

    def bytes(self, ref: str, fill) -> bytes:
        if self.encoding is not None:
            names = [b"", ref.encode(), fill(self.topic.encode()), self.event.encode("utf-8", "surrogatepass")[:255], b""]
            names = [name[:255] for name in names]
            return bytes([3, *map(len, names), self.encoding]) + b"".join(names) + fill(self.payload)
        quoted = ref if self.numeric else f'"{ref}"'
        topic, event = fill(json.dumps(self.topic).encode()), json.dumps(self.event).encode()
        if self.version == "2.0.0":
            return b'[null,' + quoted.encode() + b"," + topic + b"," + event + b"," + fill(self.payload) + b"]"
        return b'{"topic":' + topic + b',"ref":' + quoted.encode() + b',"event":' + event + b',"payload":' + fill(self.payload) + b"}"

    @property
    def wants_answer(self) -> bool:
        """A token's exchange has none, ever."""
        return self.event != "access_token"


def short(topic: str) -> str:
    """As long as a topic may be for an answer to repeat it, however it is escaped."""
    while len(json.dumps(topic)) > 1000:
        topic = topic[:-50]
    return topic


@st.composite
def joins(draw: st.DrawFn) -> str:
    replay = draw(st.one_of(st.sampled_from(['{"after":0}', '{"since":0,"limit":5}', '{"after":99999999,"limit":1000}']), anything))
    broadcast = mapping([('"ack"', draw(st.sampled_from(["true", "1", "null"]))), ('"self"', "false"), ('"replay"', replay)][: draw(st.integers(0, 3))])
    config = mapping([('"private"', "true"), ('"broadcast"', broadcast), ('"presence"', draw(anything)), ('"postgres_changes"', draw(anything))][: draw(st.integers(0, 4))])
    return draw(mostly(st.just(f'{{"config":{config},"access_token":"<token>"}}'), anything, 4))


@st.composite
def frames(draw: st.DrawFn, about: Description) -> Frame:
    event = draw(st.sampled_from(["broadcast"] * 8 + ["phx_join", "phx_join", "presence", "presence", "phx_leave", "access_token", "heartbeat", "other"]))
    encoding = None
    if event == "broadcast":
        function = draw(st.sampled_from([None, *sorted(about.functions)]))
        name = draw(st.sampled_from(NAMES)) if function is None else f"rpc:{function}"
        wanted, required = about.functions[function or "send_message"]
        inner = draw(mostly(arguments(wanted, required), anything, 5))
        if draw(st.sampled_from(range(5))) == 4:
            encoding, event, payload = draw(st.sampled_from([0, 1, 1, 7])), name, inner
        else:
            payload = mapping([('"type"', '"broadcast"'), ('"event"', json.dumps(name)), ('"payload"', inner)])
    elif event == "phx_join":
        payload = draw(joins())
    elif event == "presence":
        payload = draw(st.one_of(anything, anything.map(lambda value: f'{{"type":"presence","event":"track","payload":{value}}}'), st.just('{"event":"untrack"}')))
    elif event == "access_token":
        payload = draw(st.one_of(anything, strings.map(lambda text: f'{{"access_token":{text}}}')))
    else:
        payload = draw(anything)
        event = draw(texts) if event == "other" else event
    payload = draw(mostly(st.just(payload), anything, 19))
    topic = draw(mostly(
        st.sampled_from([CONVERSATION, CONVERSATION, INBOX]), st.one_of(st.sampled_from(TOPICS), texts.map("realtime:{}".format)), 7
    ))
    return Frame(
        draw(st.sampled_from(VERSIONS)), short(topic), event, draw(damaged(st.just(payload))), draw(st.sampled_from([1] * 12 + [2, 40])),
        draw(st.sampled_from(range(20))) == 19, encoding,
    )


def decoded(data: str | bytes, version: str) -> tuple[object, str, object]:
    """Ref, event and payload of what the server sent; all of it must be well-formed."""
    if isinstance(data, bytes):
        assert data[0] == 4, f"a binary frame of kind {data[0]}"
        return None, "broadcast", data
    message = json.loads(data)
    if version == "2.0.0":
        assert len(message) == 5, message
        return message[1], message[3], message[4]
    assert set(message) == {"topic", "event", "payload", "ref"}, message
    return message["ref"], message["event"], message["payload"]


class Speaker:
    """A socket joined to the conversation and to the inbox of its user."""

    refs = itertools.count(1)

    def __init__(self, port: int, version: str, key: str, token: str, topics: list[str]):
        query = urlencode({"apikey": key, "vsn": version})
        self.version = version
        # with a bounded queue the library stops reading at 16 frames, and its close() then waits for 10 s
        self.connection = connect(
            f"ws://127.0.0.1:{port}/realtime/v1/websocket?{query}", max_size=None, max_queue=None, ping_interval=None, compression=None
        )
        for topic in topics:
            payload = json.dumps({"config": {"private": True, "broadcast": {"ack": True}}, "access_token": token}).encode()
            join = Frame(version, topic, "phx_join", payload, 1)
            (_, status, response), _ = self.say(join, lambda data: data, 15)
            assert status == "ok", (topic, response)

    def say(self, frame: Frame, fill, seconds: float) -> tuple[tuple[float, str, dict], int | None]:
        """Sends it; returns the slowest time, worst status and its response, and the code if the socket was closed."""
        began, waiting, worst, longest = time.monotonic(), set(), ("none", {}), 0.0
        try:
            for _ in range(frame.copies):
                ref = str(next(self.refs))
                waiting.add(ref)
                self.connection.send(frame.bytes(ref, fill), text=frame.encoding is None)
            if not frame.wants_answer:
                waiting = {str(next(self.refs))}
                self.connection.send(Frame(self.version, "phoenix", "heartbeat", b"{}", 1).bytes(*waiting, fill), text=True)
            while waiting:
                left = began + seconds - time.monotonic()
                try:
                    ref, event, payload = decoded(self.connection.recv(timeout=max(0.01, left)), self.version)
                except TimeoutError:
                    raise AssertionError(f"{len(waiting)} of {frame.copies} frames were not answered within {seconds:g} s") from None
                if event != "phx_reply" or str(ref) not in waiting:
                    continue
                waiting.discard(str(ref))
                longest = time.monotonic() - began
                assert set(payload) == {"status", "response"} and isinstance(payload["response"], dict), payload
                if worst[0] in ("none", "ok"):
                    worst = (payload["status"], payload["response"])
        except ConnectionClosed:
            code = self.connection.close_code
            assert code in RULES, f"the socket was closed with {code}"
            return (time.monotonic() - began, "closed", {}), code
        return (longest, *worst), None

    def drain(self) -> None:
        """Reads what came by itself, and judges its form."""
        while True:
            try:
                decoded(self.connection.recv(timeout=0), self.version)
            except TimeoutError:
                return

    def close(self) -> None:
        self.connection.close()
