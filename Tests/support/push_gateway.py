"""Stands for Apple, Google, a Web Push service and a host's webhook: HTTP/2 over TLS on a port of this machine.

    push_gateway.py <folder> [<process>]      writes keys and push.json (settings of a worker) there, prints one JSON line, serves
until its standard input ends, or the process that is named

What they check is in push_checks.py. `script` says how the next sends to a token, an endpoint or a webhook end, in
order; the last one of a list stays. An outcome is a dict: status, body, headers, delay (s), body_delay (s, after the
headers), hang, reset (an error code), goaway ("before": this stream is not processed, "after": it is), close, interim (an answer of status 103 first).
`max_streams` is what a connection allows once primed, and `prime` whether it allows one stream until the first 200.
GET /control/log tells what came, POST /control changes script and settings, POST /control/subscribe makes a browser.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import threading
import time
from pathlib import Path

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, DataReceived, RequestReceived, StreamEnded, StreamReset, WindowUpdated
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame
from push_checks import Checks
from secure import certificate


class LenientConnection(H2Connection):
    """Leaves it to us to refuse streams one by one, as the providers do; h2 would end the whole connection."""

    open_inbound_streams = 0


class Connection(asyncio.Protocol):
    def __init__(self, gateway: PushGateway):
        self.gateway, self.requests, self.open, self.unsent, self.slow = gateway, {}, set(), {}, set()
        self.h2 = LenientConnection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.limit = 1 if gateway.prime else gateway.max_streams

    def connection_made(self, transport):
        self.transport = transport
        self.number = None
        self.gateway.alive.add(self)
        self.h2.local_settings = Settings(client=False, initial_values={SettingCodes.MAX_CONCURRENT_STREAMS: self.limit})
        self.h2.initiate_connection()
        self.flush()

    def connection_lost(self, error):
        self.gateway.alive.discard(self)

    def data_received(self, data):
        try:
            events = self.h2.receive_data(data)
        except Exception as error:  # noqa: BLE001 - whatever a client does wrong is a finding
            self.gateway.violations.append(f"HTTP/2: {error!r}")
            self.transport.close()
            return
        for event in events:
            if isinstance(event, RequestReceived):
                self.begin(event)
            elif isinstance(event, DataReceived):
                if event.stream_id in self.requests:
                    self.requests[event.stream_id][1].extend(event.data)
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded) and event.stream_id in self.requests:
                headers, body = self.requests.pop(event.stream_id)
                self.gateway.handle(self, event.stream_id, headers, bytes(body))
            elif isinstance(event, StreamReset):
                self.requests.pop(event.stream_id, None)
                self.open.discard(event.stream_id)
                self.slow.discard(event.stream_id)
                self.gateway.resets += 1
            elif isinstance(event, WindowUpdated):
                for stream in list(self.unsent):
                    self.pump(stream)
            elif isinstance(event, ConnectionTerminated):
                self.transport.close()
        self.flush()

    def begin(self, event):
        if len(self.open) >= self.limit:
            self.gateway.refused += 1
            self.h2.reset_stream(event.stream_id, ErrorCodes.REFUSED_STREAM)
            return
        self.open.add(event.stream_id)
        self.gateway.most_streams = max(self.gateway.most_streams, len(self.open))
        self.requests[event.stream_id] = (dict(event.headers), bytearray())

    def answer(self, stream, status, headers, body, body_delay=0):
        """Whether it was written, or its headers were."""
        if stream not in self.open or self.transport.is_closing():
            return False
        self.open.discard(stream)
        self.h2.send_headers(stream, [(":status", str(status)), *headers.items()], end_stream=not body and not body_delay)
        if body_delay:
            self.slow.add(stream)
            asyncio.get_running_loop().call_later(body_delay, self.finish, stream, body)
        elif body:
            self.unsent[stream] = body
            self.pump(stream)
        self.flush()
        return True

    def finish(self, stream, body):
        if stream in self.slow and not self.transport.is_closing():
            self.slow.discard(stream)
            self.unsent[stream] = body or b" "
            self.pump(stream)
            self.flush()

    def pump(self, stream):
        """As much of an answer's body as the client's windows allow."""
        body = self.unsent.pop(stream)
        while body and (room := min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)) > 0:
            self.h2.send_data(stream, body[:room], end_stream=len(body) <= room)
            body = body[room:]
        if body:
            self.unsent[stream] = body

    def reset(self, stream, code):
        self.open.discard(stream)
        self.h2.reset_stream(stream, code)
        self.flush()

    def leave(self, last):
        """GOAWAY: streams after `last` were not processed. The others are still answered."""
        frame = GoAwayFrame(0)
        frame.last_stream_id, frame.error_code = last, 0
        # Not by h2, which takes and gives nothing more after it.
        self.transport.write(self.h2.data_to_send() + frame.serialize())
        self.open = {stream for stream in self.open if stream <= last}
        self.requests = {stream: request for stream, request in self.requests.items() if stream <= last}
        self.limit = 0
        asyncio.get_running_loop().call_later(0.5, self.transport.close)

    def opened_up(self):
        """A valid request was answered: Apple allows more streams from now on."""
        if 0 < self.limit < self.gateway.max_streams:
            self.limit = self.gateway.max_streams
            self.h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: self.limit})
            self.flush()

    def flush(self):
        data = self.h2.data_to_send()
        if data and not self.transport.is_closing():
            self.transport.write(data)


class PushGateway:
    def __init__(self, directory: Path):
        self.directory = Path(directory)
        self.certificate, self.key = certificate(self.directory)
        self.script: dict[str, list[dict]] = {}
        self.log: list[dict] = []
        self.violations: list[str] = []
        self.alive: set[Connection] = set()
        self.prime, self.max_streams = True, 100
        self.connections = self.refused = self.resets = self.most_streams = self.port = 0

    # What an embedding test uses: a thread with the loop.
    def __enter__(self) -> PushGateway:
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()

        def run():
            self.loop.run_until_complete(self.start())
            ready.set()
            self.loop.run_forever()

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()
        if not ready.wait(60):
            raise RuntimeError("the gateway does not start")
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    async def start(self, port: int = 0):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        context.set_alpn_protocols(["h2"])
        self.server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self), "127.0.0.1", port, ssl=context, backlog=512
        )
        self.port = self.server.sockets[0].getsockname()[1]
        self.origin = f"https://localhost:{self.port}"
        self.checks = Checks(self.directory, self.origin)

    def received(self, kind: str) -> list[dict]:
        return [entry for entry in self.log if entry["kind"] == kind]

    def handle(self, connection: Connection, stream: int, headers: dict, body: bytes):
        path = headers[":path"]
        if path.startswith("/control"):
            connection.answer(stream, 200, {"content-type": "application/json"}, self.control(path, body))
            return
        if connection.number is None:
            connection.number = self.connections = self.connections + 1
        entry, status, answer = self.checks.check(path, headers, body)
        if status >= 400:
            self.violations.append(f"{path}: {status} {answer.decode()}")
        script = self.script.get(entry["target"])
        if not script and status < 300 and entry["kind"] != "token":
            script = self.script.get("*")
        outcome = (script.pop(0) if len(script) > 1 else script[0]) if script else {}
        entry |= {"connection": connection.number, "at": asyncio.get_running_loop().time(), "wall": time.time()}
        entry["outcome"] = outcome
        if isinstance(outcome.get("body"), dict | list):
            answer = json.dumps(outcome["body"]).encode()
        elif "status" in outcome:
            answer = b""
        status = outcome.get("status", status)
        entry |= {"status": status, "answered": False}
        self.log.append(entry)
        if outcome.get("hang"):
            return
        if (goaway := outcome.get("goaway")) == "before":
            connection.leave(stream - 1)
            return
        if "reset" in outcome:
            connection.reset(stream, outcome["reset"])
            return
        if outcome.get("close"):
            connection.transport.abort()
            return
        fields = self.checks.answer_headers(entry) | outcome.get("headers", {})

        def respond():
            entry["answered"] = connection.answer(stream, status, fields, answer, outcome.get("body_delay", 0))
            if status < 300:
                connection.opened_up()
            if goaway:
                connection.leave(stream)

        if outcome.get("delay"):
            asyncio.get_running_loop().call_later(outcome["delay"], respond)
        else:
            respond()

    def control(self, path: str, body: bytes) -> bytes:
        if path == "/control/log":
            names = ("log", "violations", "connections", "refused", "resets", "most_streams")
            return json.dumps({name: getattr(self, name) for name in names}).encode()
        if path == "/control/subscribe":
            return json.dumps(self.checks.subscribe()).encode()
        for name, value in json.loads(body).items():
            if name == "goaway":
                for connection in list(self.alive):
                    connection.leave(max(connection.h2.highest_inbound_stream_id, 0))
            else:
                setattr(self, name, value)
        return b"{}"


async def serve(directory: Path, process: int | None):
    gateway = PushGateway(directory)
    await gateway.start()
    print(json.dumps({"port": gateway.port, **gateway.checks.description}), flush=True)
    if process is None:
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    while process is not None and Path(f"/proc/{process}").exists():
        await asyncio.sleep(0.5)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None))
