"""Fan-out: one publisher over HTTP, 1,000 subscribers of one topic, 200-byte messages; Parley next to nginx + nchan.

    make bench-fanout

Both servers run on one core, the generator on the other, alternating in one run. `saturated` keeps 16 requests in
flight; `60,000/s` publishes 60 messages a second on a fixed schedule and counts latency from the intended time.
Promise: at least 3 times nchan's deliveries/s when saturated, and a p99 at 60,000 deliveries/s no worse than nchan's.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

from lib.bench import SERVER_CORE, Verdict, loadgen, median, pinned, spec_file
from parley import Cluster, Worker, free_port

SUBSCRIBERS, PUBLISHERS, ROUNDS, SECONDS = 1000, 16, 3, 6
MARK = "@T" + "@" * 19 + "S" + "@" * 6

NCHAN = """
load_module {module};
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log error;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 100000000;
    nchan_max_reserved_memory 512M;
    server {{
        listen 127.0.0.1:{port};
        tcp_nodelay on;
        location = /pub {{ nchan_publisher; nchan_channel_id bench; nchan_message_buffer_length 100000; }}
        location = /sub {{ nchan_subscriber websocket; nchan_channel_id bench; nchan_subscriber_first_message newest; }}
    }}
}}
"""


class Nchan:
    def __enter__(self) -> Nchan:
        module = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
        if shutil.which("nginx") is None or not module.exists():
            raise SystemExit("nchan is the peer: apt-get install nginx-light libnginx-mod-nchan")
        self.port = free_port()
        self.folder = tempfile.mkdtemp(prefix="nchan-")
        os.chmod(self.folder, 0o755)
        config = Path(self.folder) / "nginx.conf"
        config.write_text(NCHAN.format(module=module, folder=self.folder, port=self.port))
        self.process = subprocess.Popen([*pinned(SERVER_CORE), "nginx", "-p", self.folder, "-c", str(config)])
        limit = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self
            except ConnectionRefusedError:
                if time.monotonic() > limit or self.process.poll() is not None:
                    raise SystemExit("nginx did not start") from None
                time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def request_file(head: str, body: str) -> str:
    handle = tempfile.NamedTemporaryFile("w", prefix="publish-", delete=False, newline="")
    with handle:
        handle.write(f"{head}\r\nContent-Length: {len(body)}\r\n\r\n{body}")
    return handle.name


def main() -> None:
    text = MARK + "x" * (200 - len(MARK))
    with Cluster() as cluster, Worker(cluster, "--max-connections-per-address", "0", prefix=pinned(SERVER_CORE)) as worker, Nchan() as nchan:
        owner = cluster.account("Owner")
        conversation = worker.rpc(
            "start_conversation", worker.token(owner), participant_ids=[cluster.account("Reader")], type="group"
        )
        topic = f"conversation:{conversation['id']}"
        # 1,000 sockets of one participant: what is measured is the fan-out, not the size of a group.
        join = (
            f'["1","1","realtime:{topic}","phx_join",{{"config":{{"broadcast":{{"ack":false,"self":true}},'
            f'"presence":{{"enabled":false}},"private":true}},"access_token":"{worker.token(owner)}"}}]'
        )
        path = f"/realtime/v1/websocket?apikey={worker.anon_key}&vsn=2.0.0"
        ours = spec_file(worker.port, [(path, join, '"status":"ok"', None, 0)] * SUBSCRIBERS)
        theirs = spec_file(nchan.port, [("/sub", None, None, None, 0)] * SUBSCRIBERS)
        our_request = request_file(
            f"POST /realtime/v1/api/broadcast/{topic}/events/{uuid.uuid4().hex[:8]}?private=true HTTP/1.1\r\n"
            f"Host: localhost\r\nAuthorization: Bearer {worker.service_key}\r\nContent-Type: application/json",
            '{"text":"' + text + '"}',
        )
        their_request = request_file(
            "POST /pub HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain", '{"text":"' + text + '"}'
        )
        sides = {
            "parley": (ours, our_request, worker.port),
            "nchan": (theirs, their_request, nchan.port),
        }
        results: dict[tuple[str, str], list[dict]] = {}
        for _ in range(ROUNDS):
            for name, (spec, request, port) in sides.items():
                for load, rate in (("saturated", 0), ("60,000/s", 60)):
                    answer = loadgen("fanout", spec, request, f"127.0.0.1:{port}", PUBLISHERS, rate, SECONDS)
                    results.setdefault((name, load), []).append(answer)
    verdict = Verdict(f"fan-out to {SUBSCRIBERS:,} subscribers, 200-byte messages, median of {ROUNDS} runs")
    for (name, load), runs in results.items():
        verdict.row(
            f"{name}, {load}",
            f"{median([r['per_second'] for r in runs]):>12,.0f} deliveries/s   p50 {median([r['p50_us'] for r in runs]) / 1000:.1f} ms"
            f"   p99 {median([r['p99_us'] for r in runs]) / 1000:.1f} ms   closed {sum(r['closed'] for r in runs)}",
        )
    saturated = {n: median([r["per_second"] for r in results[n, "saturated"]]) for n in sides}
    p99 = {n: median([r["p99_us"] for r in results[n, "60,000/s"]]) for n in sides}
    verdict.promise("saturated, times nchan", saturated["parley"] / saturated["nchan"], 3)
    verdict.promise("p99 at 60,000/s, of nchan's", p99["parley"] / p99["nchan"], 1, at_least=False)
    verdict.close()


if __name__ == "__main__":
    main()
