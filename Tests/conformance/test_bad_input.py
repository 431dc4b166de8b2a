"""Bad input at every door: a clear error or a close code, nothing changed, every other connection untouched."""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket as sockets
import time
import urllib.error
import urllib.request
import uuid

import pytest
from parley import RpcError
from raw import close_code, frame, read_all, status_of, upgrade
from sockets import Refused, Socket


class Bystander:
    """Someone else's conversation and the database, which bad input must leave alone."""

    def __init__(self, people):
        self.people = people
        self.conversation = people.conversation("Carol", "Dave")

    def counts(self) -> str:
        return self.people.cluster.psql(
            "select (select count(*) from parley.message), (select count(*) from parley.event),"
            " (select count(*) from parley.conversation), (select count(*) from parley.participant)"
        )

    async def __aenter__(self):
        self.socket = await Socket.open(self.people.worker)
        await self.socket.join(f"user:{self.people.id('Dave')}", self.people.token("Dave"))
        self.before = self.counts()
        return self

    async def __aexit__(self, kind, *_):
        if kind is None:
            assert self.counts() == self.before, "bad input changed rows"
            self.people.rpc("Carol", "send_message", conversation_id=self.conversation, content="all well?")
            await self.socket.event("message:new")
            assert not self.socket.closed.done()
        await self.socket.close()


def bad_calls(conversation: str) -> list[tuple[str, dict, int]]:
    """Function, arguments, HTTP status."""
    some = str(uuid.uuid4())
    return [
        ("send_message", {"conversation_id": conversation, "content": "x" * 5001}, 400),
        ("send_message", {"conversation_id": conversation, "content": ""}, 400),
        ("send_message", {"conversation_id": conversation, "content": "nul\u0000byte"}, 400),
        ("send_message", {"conversation_id": conversation, "content": None}, 400),
        ("send_message", {"conversation_id": conversation, "content": "x", "type": "system"}, 400),
        ("send_message", {"conversation_id": conversation, "content": "x", "type": "no such type"}, 400),
        ("send_message", {"conversation_id": conversation, "content": "x", "client_message_id": "not a uuid"}, 400),
        ("send_message", {"conversation_id": conversation, "content": "x", "reply_to_id": some}, 404),
        ("send_message", {"conversation_id": conversation, "content": "x", "metadata": "text"}, 400),
        ("send_message", {"conversation_id": conversation, "content": "x", "metadata": {"big": "x" * 100_000}}, 413),
        ("send_message", {"conversation_id": "not a uuid", "content": "x"}, 400),
        ("send_message", {"conversation_id": some, "content": "x"}, 403),
        ("send_message", {"content": "x"}, 404),
        ("send_message", {"conversation_id": conversation, "content": "x", "unknown": 1}, 404),
        ("no_such_function", {}, 404),
        ("get_conversation_messages", {"conversation_id": conversation, "page_size": 1_000_000_000}, 400),
        ("get_conversation_messages", {"conversation_id": conversation, "page_size": -1}, 400),
        ("get_conversation_messages", {"conversation_id": conversation, "page_size": "many"}, 400),
        ("get_user_conversations", {"cursor": "forged"}, 400),
        ("get_user_conversations", {"filter": "everything"}, 400),
        ("get_user_conversations", {"page_size": 0}, 400),
        ("sync", {"cursor": "forged"}, 400),
        ("start_conversation", {"participant_ids": []}, 400),
        ("start_conversation", {"participant_ids": [some]}, 403),
        ("start_conversation", {"participant_ids": "x"}, 400),
        ("mark_as_read", {"conversation_id": conversation, "seq": -5}, 400),
        ("mark_message_as_read", {"message_id": some}, 404),
        ("edit_message", {"message_id": some, "content": "x"}, 404),
        ("delete_message", {"message_id": some, "for_everyone": True}, 404),
        ("add_reaction", {"message_id": some, "emoji": "👍"}, 404),
        ("get_events", {"conversation_id": conversation, "after_seq": -1}, 400),
        ("get_events", {"conversation_id": conversation, "after_seq": 0, "page_size": 1_000_000_000}, 400),
    ]


@pytest.mark.asyncio
async def test_bad_arguments(people):
    conversation = people.conversation("Alice", "Bob")
    wrong = []
    async with Bystander(people):
        for function, arguments, status in bad_calls(conversation):
            try:
                people.rpc("Alice", function, **arguments)
                wrong.append((function, arguments, "was accepted"))
            except RpcError as error:
                body = error.body
                complete = set(body) == {"code", "message", "details", "hint"} and body["message"] and body["code"]
                if not (error.status == status and complete) or "x" * 50 in json.dumps(body):
                    wrong.append((function, str(arguments)[:80], error.status, body))
    assert wrong == []


def raw(worker, data: bytes, timeout: float = 15) -> bytes:
    """What the server answers to bytes until it closes; silence is a failure."""
    with sockets.create_connection(("127.0.0.1", worker.port), timeout=timeout) as connection:
        connection.sendall(data)
        return read_all(connection)


def http(worker, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, dict, bytes]:
    request = urllib.request.Request(worker.url + path, body, {k.replace("_", "-"): v for k, v in headers.items()}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


@pytest.mark.asyncio
async def test_bad_http(people):
    worker, token = people.worker, people.token("Alice")
    authorized = {"Authorization": f"Bearer {token}", "Content_Type": "application/json"}
    call = "/rest/v1/rpc/get_unread_counts"
    wrong = []

    def expect(name: str, got: int, *wanted: int) -> None:
        if got not in wanted:
            wrong.append((name, got, wanted))

    async with Bystander(people):
        for name, body in [
            ("cut", b"{"), ("array", b"[]"), ("text", b'"x"'), ("garbage", os.urandom(100)), ("nul", b'{"a":"\x00"}'),
            ("deep", b'{"a":' * 100_000 + b"1" + b"}" * 100_000), ("two keys", b'{"a":1,"a":2}'),
        ]:
            expect(f"body {name}", http(worker, "POST", call, body, **authorized)[0], 400, 404, 413)
        expect("huge body", http(worker, "POST", call, b'{"a":"' + b"x" * 3_000_000 + b'"}', **authorized)[0], 413)
        expect("wrong verb", http(worker, "DELETE", call, **authorized)[0], 405)
        expect("GET of a volatile function", http(worker, "GET", "/rest/v1/rpc/send_message?content=x", **authorized)[0], 404, 405)
        expect("insert into a view", http(worker, "POST", "/rest/v1/messages", b"{}", **authorized)[0], 405)
        expect("unknown view", http(worker, "GET", "/rest/v1/no_such_view", **authorized)[0], 404)
        expect("unknown column", http(worker, "GET", "/rest/v1/messages?nope=eq.1", **authorized)[0], 400)
        expect("unknown operator", http(worker, "GET", "/rest/v1/messages?seq=sounds.like", **authorized)[0], 400)
        expect("bad value", http(worker, "GET", "/rest/v1/messages?seq=eq.one", **authorized)[0], 400)
        expect("injection", http(worker, "GET", "/rest/v1/messages?select=id;drop%20table%20x", **authorized)[0], 400)
        expect("unknown schema", http(worker, "GET", "/rest/v1/messages", Accept_Profile="public", **authorized)[0], 406)
        expect("unknown path", http(worker, "GET", "/etc/passwd")[0], 404)
        expect("bad escape", http(worker, "GET", "/rest/v1/messages?seq=eq.%zz", **authorized)[0], 400)
        expect("a billion rows", http(worker, "GET", "/rest/v1/messages?limit=1000000000", **authorized)[0], 200, 206)
        expect("no token", http(worker, "POST", call, b"{}", Content_Type="application/json")[0], 401)
        status, headers, body = http(worker, "POST", call, b"{}", Authorization="Bearer nonsense", Content_Type="application/json")
        expect("bad token", status, 401)
        assert json.loads(body)["code"].startswith("PGRST3")
        broadcast = "/realtime/v1/api/broadcast"
        expect("broadcast without messages", http(worker, "POST", broadcast, b"{}", **authorized)[0], 400, 422)
        expect("broadcast without a token", http(worker, "POST", broadcast, b'{"messages":[]}')[0], 401)
        expect(
            "broadcast to a stranger's conversation",
            http(worker, "POST", f"{broadcast}/conversation%3A{uuid.uuid4()}/events/x?private=true", b"{}", **authorized)[0], 403,
        )
        for name, data, wanted in [
            ("not HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc" + os.urandom(200) + b"\r\n\r\n", 400),
            ("no version", b"GET /\r\n\r\n", 400),
            ("header without a colon", b"GET / HTTP/1.1\r\nHost localhost\r\n\r\n", 400),
            ("two lengths", b"POST /rest/v1/rpc/x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
            ("negative length", b"POST /rest/v1/rpc/x HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", 400),
            ("length and chunks", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
            ("a long header", b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 200_000 + b"\r\n\r\n", 431),
            ("a long path", b"GET /" + b"x" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
            ("many headers", b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 20_000 + b"\r\n", 431),
            ("a head that does not end", b"GET / HTTP/1.1\r\nHost: x\r\n", 408),
        ]:
            # It answers, and ends the connection: what follows cannot be read.
            expect(name, status_of(raw(worker, data)), wanted)
    assert wrong == []


@pytest.mark.asyncio
async def test_bad_frames_close_only_their_own_socket(people):
    worker, wrong = people.worker, []
    cases = [
        ("oversized text", [frame(1, b"x" * 3_000_000)], 1009),
        ("announced 2^62 bytes", [frame(1, b"x", claim=1 << 62)], 1009),
        ("unmasked", [frame(1, b"hello", masked=False)], 1002),
        ("reserved opcode", [frame(3, b"hello")], 1002),
        ("fragmented ping", [frame(9, b"x", fin=False)], 1002),
        ("long ping", [frame(9, b"x" * 126)], 1002),
        ("continuation of nothing", [frame(0, b"hello")], 1002),
        ("text that is no UTF-8", [frame(1, b"\xff\xfe\xfa")], 1007),
    ]
    async with Bystander(people):
        for name, frames, code in cases:
            with upgrade(worker) as connection:
                try:
                    for data in frames:
                        connection.sendall(data)
                except (BrokenPipeError, ConnectionResetError):
                    pass
                got = close_code(connection)
                if got != code:
                    wrong.append((name, got, code))
    assert wrong == []


@pytest.mark.asyncio
async def test_malformed_messages_are_dropped_and_the_connection_stays(people):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    async with Bystander(people):
        for version in ("1.0.0", "2.0.0"):
            async with await Socket.open(people.worker, version=version) as socket:
                bad = ["", "{", "[]", '{"a":1}', "null", '"x"', "[1,2,3,4,5]", '["1","bad","realtime:x"]', "\x00", '{"topic":1}',
                       '["1","bad","phoenix","heartbeat"]', "[" * 10_000, '{"topic":"realtime:x","event":"phx_join","payload":1,"ref":{}}']
                for text in bad:
                    await socket.connection.send(text)
                for data in [b"", b"\x03", b"\x00\x01\x02", b"\xff" * 300, b"\x03\xff\xff\xff\xff\xff\x01x", b"\x04\x00\x00\x00\x00"]:
                    await socket.connection.send(data)
                for _ in range(300):
                    await socket.connection.send(chance.randbytes(chance.randrange(0, 200)))
                await socket.heartbeat()
                await socket.join(f"user:{people.id('Alice')}", people.token("Alice"))


@pytest.mark.asyncio
async def test_bad_events_on_a_channel_answer_with_an_error(people):
    conversation = people.conversation("Alice", "Bob")
    topic = f"conversation:{conversation}"
    async with Bystander(people), await Socket.open(people.worker) as socket:
        await socket.join(topic, people.token("Alice"))
        for payload in [{}, {"content": 1}, {"content": "x" * 5001}, {"content": ""}, [], "text", None, {"content": "x", "type": "system"},
                        {"content": "x", "client_message_id": "no"}, {"content": "nul\u0000"}]:
            with pytest.raises(Refused) as refused:
                await socket.broadcast(topic, "message:send", payload)
            assert refused.value.reason, payload
        for payload in [{}, {"seq": "x"}, {"seq": -1}, {"message_id": "x"}, {"message_id": str(uuid.uuid4())}, 5]:
            with pytest.raises(Refused) as refused:
                await socket.broadcast(topic, "message:read", payload)
            assert refused.value.reason, payload
        await socket.heartbeat()


@pytest.mark.asyncio
async def test_half_open_and_slow_connections_disturb_nobody(people):
    worker, held = people.worker, []
    async with Bystander(people) as bystander:
        for n in range(200):
            connection = sockets.create_connection(("127.0.0.1", worker.port), timeout=15)
            # nothing; a cut request line; headers that never end; a cut frame
            connection.sendall([b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: y\r\n"][n % 3])
            held.append(connection)
        for _ in range(20):
            connection = upgrade(worker)
            connection.sendall(frame(1, b"x" * 100, claim=1000))
            held.append(connection)
        began = time.monotonic()
        people.rpc("Carol", "send_message", conversation_id=bystander.conversation, content="through the crowd")
        await bystander.socket.event("message:new")
        assert time.monotonic() - began < 10
        bystander.before = bystander.counts()
        bystander.socket.messages.clear()
        for connection in held:
            connection.close()


@pytest.mark.asyncio
async def test_a_slow_consumer_misses_broadcasts_and_nothing_durable(people):
    """Its queue is bounded, and no flood of another client closes it; another subscriber of the same topic gets everything
    meanwhile."""
    conversation = people.conversation("Alice", "Bob")
    topic = f"conversation:{conversation}"
    slow = upgrade(people.worker)
    join = ["1", "1", f"realtime:{topic}", "phx_join",
            {"config": {"broadcast": {}, "private": True}, "access_token": people.token("Bob")}]
    slow.sendall(frame(1, json.dumps(join).encode()))
    async with await Socket.open(people.worker) as quick, await Socket.open(people.worker) as alice:
        await quick.join(topic, people.token("Bob"))
        await alice.join(topic, people.token("Alice"))
        wave = {"filler": "x" * 200_000}
        for n in range(150):
            await alice.broadcast(topic, "wave", {**wave, "n": n})
        await quick.wait(lambda: len(quick.events("wave")) == 150, 60)
        assert [event["n"] for event in quick.events("wave")] == list(range(150))
        sent = await alice.send_message(conversation, "you missed this")
        await quick.event("message:new")
    # 30 MB were for the slow one; the server kept a part of it, and what the log says all the same.
    slow.settimeout(20)
    got, end = 0, b""
    while sent["id"].encode() not in end:
        chunk = slow.recv(1 << 20)
        assert chunk, "closed"
        got, end = got + len(chunk), end[-4096:] + chunk
    assert got < 30_000_000
    slow.close()
    async with await Socket.open(people.worker) as back:
        await back.join(topic, people.token("Bob"), replay={"after": 0, "limit": 1000})
        assert (await back.event("message:new"))["message"]["id"] == sent["id"]
