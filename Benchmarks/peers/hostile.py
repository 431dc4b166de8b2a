"""The clients of hostile.py: one kind, for so many seconds; says at its end what it was answered.

The head of each function says what it tries. They stop at nothing but the time.
"""

from __future__ import annotations

import collections
import http.client
import json
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "Tests" / "support"))

import raw  # noqa: E402

# Of each kind its own: what one address may have would else keep the kinds from each other.
SOURCE = f"127.0.1.{1 + sum(map(ord, sys.argv[1])) % 250}"
seen: collections.Counter[object] = collections.Counter()


class Target:
    """As `raw` wants a worker."""

    def __init__(self, port: int, anon: str):
        self.port, self.anon_key = port, anon


def until(end: float, threads: int, work) -> None:
    """Repeats `work(n)` in so many threads; a connection that is cut or refused counts, and is tried again."""

    def run(n: int) -> None:
        while time.monotonic() < end:
            try:
                work(n)
            except (OSError, http.client.HTTPException, AssertionError) as error:
                seen[type(error).__name__] += 1
                time.sleep(0.01)

    running = [threading.Thread(target=run, args=(n,)) for n in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


class Http:
    """One connection for each thread."""

    def __init__(self, target: Target):
        self.target, self.local = target, threading.local()

    def ask(self, method: str, path: str, token: str, body: bytes | None = None) -> None:
        connection = getattr(self.local, "connection", None)
        if connection is None:
            connection = self.local.connection = http.client.HTTPConnection("127.0.0.1", self.target.port, timeout=15, source_address=(SOURCE, 0))
        try:
            connection.request(method, path, body, {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            seen[answer.status] += 1
        except Exception:
            connection.close()
            self.local.connection = None
            raise


def numbers(target: Target, people: dict, end: float) -> None:
    """67 kB that are gigabytes once expanded, at every door that takes JSON."""
    flood = json.dumps([0] * 7500).replace("0", "1e131071")
    group, client = people["group"], Http(target)
    doors = [
        ("save_draft", f'"conversation_id":"{group}","content":"x","metadata"'), ("send_message", f'"conversation_id":"{group}","content":"x","metadata"'),
        ("search_messages", '"query":"x","metadata"'), ("update_conversation", f'"conversation_id":"{group}","settings"'),
        ("declare_attachment", f'"conversation_id":"{group}","kind":"file","file_name":"a","content_type":"a/b","byte_size":1,"metadata"'),
    ]

    def work(n: int) -> None:
        for function, head in doors:
            client.ask("POST", f"/rest/v1/rpc/{function}", people["tokens"][n], f'{{{head}:{{"a":{flood}}}}}'.encode())

    until(end, 3, work)


def shapes(target: Target, people: dict, end: float) -> None:
    """Statements that were never seen before, without and with a user, some very wide."""
    client, count = Http(target), [0]

    def work(n: int) -> None:
        count[0] += 1
        token = people["anon"] if n % 2 else people["tokens"][n]
        client.ask("GET", f"/rest/v1/messages?select=z{n}_{count[0]}:id&limit=1", token)
        if count[0] % 20 == 0:
            client.ask("GET", "/rest/v1/messages?limit=1&select=" + ",".join(f"c{count[0]}_{column}:id" for column in range(1600)), token)
            client.ask("GET", f"/rest/v1/messages?limit=1&select={'a' * 28_000}{count[0]}:id", token)

    until(end, 4, work)


def slow_reads(target: Target, people: dict, end: float) -> None:
    """Sixteen reads of one user at a time that sort all receipts."""
    client = Http(target)
    until(end, 16, lambda n: client.ask("GET", "/rest/v1/message_receipts?order=read_at.desc", people["tokens"][1]))


def unread_answers(target: Target, people: dict, end: float) -> None:
    """Twenty connections that ask for 20 MB, or for what one answer may hold, and read nothing."""
    def work(n: int) -> None:
        limit = 1000 if n % 2 else 350
        path = f"/rest/v1/messages?conversation_id=eq.{people['group']}&select=content&limit={limit}"
        with raw.connect(target, SOURCE, receive=4096) as connection:
            connection.sendall(raw.get(path, f"Authorization: Bearer {people['tokens'][2 + n % 5]}"))
            seen[raw.status_of(raw.read_head(connection))] += 1
            time.sleep(min(3, max(0, end - time.monotonic())))

    until(end, 20, work)


def sockets(target: Target, people: dict, end: float) -> None:
    """As many sockets as one address gets, with the public key, that join nothing."""
    held = []

    def work(_: int) -> None:
        connection = raw.connect(target, SOURCE)
        connection.sendall(raw.upgrade_request(target))
        seen[raw.status_of(raw.read_head(connection))] += 1
        held.append(connection)
        if len(held) > 10_000:
            held.pop(0).close()

    until(end, 8, work)


def pending_joins(target: Target, people: dict, end: float) -> None:
    """A join of each spelling of a topic, each followed by frames of a megabyte before it is decided."""
    filler = "x" * 1_000_000

    def work(n: int) -> None:
        group = people["group"]
        with raw.upgrade(target, source=SOURCE) as connection:
            for spelling in range(20):
                topic = "conversation:" + "".join(letter.upper() if spelling >> (place % 5) & 1 else letter for place, letter in enumerate(group))
                connection.sendall(raw.join(topic, people["tokens"][3]))
                for _ in range(4):
                    push = ["1", "2", f"realtime:{topic}", "broadcast", {"type": "broadcast", "event": "wave", "payload": {"a": filler}}]
                    connection.sendall(raw.frame(1, json.dumps(push).encode()))
                    seen["frames"] += 1
            seen[f"closed {raw.close_code(connection, 1)}"] += 1

    until(end, 2, work)


def broadcasts(target: Target, people: dict, end: float) -> None:
    """One user floods a topic with the largest broadcasts, through sockets and through HTTP, while others of it listen."""
    client, group = Http(target), people["group"]
    body = json.dumps({"messages": [{"topic": f"conversation:{group}", "event": "wave", "payload": {"a": "x" * 5000}, "private": True}] * 100}).encode()

    def work(n: int) -> None:
        if n < 2:
            return client.ask("POST", "/realtime/v1/api/broadcast", people["tokens"][4], body)
        with raw.upgrade(target, source=SOURCE) as connection:
            connection.sendall(raw.join(f"conversation:{group}", people["tokens"][4]))
            time.sleep(0.2)
            push = ["1", "2", f"realtime:conversation:{group}", "broadcast", {"type": "broadcast", "event": "wave", "payload": {"a": "x" * 200_000}}]
            for _ in range(50):
                connection.sendall(raw.frame(1, json.dumps(push).encode()))
                seen["frames"] += 1

    until(end, 4, work)


def main() -> None:
    people = json.load(sys.stdin)
    end = time.monotonic() + people["seconds"]
    globals()[sys.argv[1]](Target(people["port"], people["anon"]), people, end)
    print(", ".join(f"{count} {what}" for what, count in sorted(seen.items(), key=str)))


if __name__ == "__main__":
    main()
