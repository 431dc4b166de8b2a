"""Apple's part in benchmarks of push: nginx with TLS and HTTP/2 on a core of its own, which answers 200 to everything."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from lib.bench import LOAD_CORE, pinned
from secure import certificate
from waiting import until

NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    log_format arrivals '$msec $http_apns_id'; access_log {arrivals}; keepalive_requests 1000000000; keepalive_timeout 1h;
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    server {{
        listen 127.0.0.1:{port} ssl http2; http2_max_concurrent_streams 1000;
        ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
        location / {{ return 200; }}
    }}
}}
"""


class Gateway:
    def __init__(self, folder: Path, notes_arrivals: bool = False):
        self.folder = folder
        self.log = folder / "arrivals"
        certificate(folder)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        arrivals = f"{self.log} arrivals" if notes_arrivals else "off"
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=self.port, arrivals=arrivals))
        self.url = f"https://localhost:{self.port}"

    def __enter__(self) -> Gateway:
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        self.process = subprocess.Popen([*pinned(LOAD_CORE), program, "-c", str(self.folder / "nginx.conf")])
        until(self.answers, 5)
        return self

    def answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(10)

    def arrivals(self) -> list[tuple[float, str]]:
        """Seconds since 1970, and the apns-id, of each request since `forget`."""
        lines = (line.split() for line in self.log.read_text().splitlines())
        return [(float(at), job) for at, job in lines]

    def forget(self) -> None:
        self.log.write_text("")


def settings(folder: Path, url: str, in_flight: int = 100) -> Path:
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", folder / "AuthKey.p8"],
        check=True, capture_output=True,
    )  # fmt: skip
    app = {"app_id": "com.example.chat", "team_id": "TEAM123456", "key_id": "KEY1234567", "key_file": "AuthKey.p8", "url": url}
    path = folder / "push.json"
    path.write_text(json.dumps({"ca_file": "cert.pem", "in_flight": in_flight, "apns": [app]}))
    return path
