"""A worker that cannot start says so in one line and ends with exit code 2, every time."""

from __future__ import annotations

import collections
import os
import pwd
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from parley import Cluster, binary

RUNS = 100


def serve(cluster: Cluster, *flags: str, nobody: bool = False) -> subprocess.CompletedProcess:
    """Runs `parley serve` in front of a database that can be reached, as far as it comes."""
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("PARLEY_")},
        "PARLEY_DATABASE_URL": cluster.worker_url, "PARLEY_JWT_SECRET": "0" * 64,
    }
    user = pwd.getpwnam("nobody").pw_uid if nobody and os.geteuid() == 0 else None
    return subprocess.run([binary(), "serve", *flags], env=environment, user=user, capture_output=True, text=True, timeout=60)


def outcome(run: subprocess.CompletedProcess) -> tuple[int, str]:
    return run.returncode, run.stdout + run.stderr


def test_a_port_that_is_taken_a_hundred_times(cluster):
    """With many connections to make at that moment: threads that still make them must not meet the end of the process."""
    with socket.create_server(("127.0.0.1", 0)) as taken, ThreadPoolExecutor(4) as pool:
        port = taken.getsockname()[1]
        flags = ("--port", str(port), "--db-pool-size", "60")
        seen = collections.Counter(pool.map(lambda _: outcome(serve(cluster, *flags)), range(RUNS)))
    line = (
        f"parley serve: --host (PARLEY_HOST) and --port (PARLEY_PORT): cannot listen on 127.0.0.1 port {port}: "
        "another program listens there; stop it or choose another port\n"
    )
    assert seen == {(2, line): RUNS}


@pytest.mark.parametrize("kind", ["missing", "not a pair", "no certificate"])
def test_a_certificate_that_cannot_be_used(cluster, tmp_path, kind):
    for name in ("one", "two"):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x",
             "-keyout", tmp_path / f"{name}.key", "-out", tmp_path / f"{name}.pem"],
            check=True, capture_output=True,
        )
    certificate, key, problem = {
        "missing": (tmp_path / "none.pem", tmp_path / "one.key", f"cannot read {tmp_path}/none.pem"),
        "not a pair": (tmp_path / "one.pem", tmp_path / "two.key", "the certificate and key are not valid or not a pair"),
        "no certificate": (tmp_path / "one.key", tmp_path / "one.key", "the certificate and key are not valid or not a pair"),
    }[kind]
    for _ in range(10):
        run = serve(cluster, "--port", "0", "--tls-cert", str(certificate), "--tls-key", str(key))
        assert outcome(run) == (2, f"parley serve: --tls-cert (PARLEY_TLS_CERT) and --tls-key (PARLEY_TLS_KEY): {problem}\n")


@pytest.mark.parametrize(
    "host, problem",
    [
        ("192.0.2.1", "cannot listen on 192.0.2.1 port 1: this machine has no such address"),
        ("no such host", "no such host port 1 is not a local address or host name and a port"),
    ],
)
def test_an_address_that_does_not_exist(cluster, host, problem):
    for _ in range(10):
        run = serve(cluster, "--host", host, "--port", "1")
        assert outcome(run) == (2, f"parley serve: --host (PARLEY_HOST) and --port (PARLEY_PORT): {problem}\n")


def test_a_port_that_needs_a_privilege(cluster):
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 80:
        pytest.skip("this system lets everybody bind port 80")
    run = serve(cluster, "--port", "80", nobody=True)
    assert run.returncode == 2
    assert run.stdout + run.stderr == (
        "parley serve: --host (PARLEY_HOST) and --port (PARLEY_PORT): cannot listen on 127.0.0.1 port 80: "
        "a port below 1024 needs the right to bind it (CAP_NET_BIND_SERVICE); choose a higher one\n"
    )
