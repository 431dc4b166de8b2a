"""Helpers of the benchmarks: pinning, the load generator, medians, and one way to print a comparison."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "Tests" / "support"))

# The server under test on one core and the generator on the other: neither takes time from the other.
SERVER_CORE, LOAD_CORE = "0", "1"


def pinned(core: str) -> tuple[str, ...]:
    if (os.cpu_count() or 1) < 2 or shutil.which("taskset") is None:
        return ()
    return ("taskset", "-c", core)


def loadgen_binary() -> str:
    target = ROOT / ".build" / "loadgen"
    source = HERE / "loadgen.c"
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        target.parent.mkdir(exist_ok=True)
        compiler = shutil.which("cc") or shutil.which("clang")
        if compiler is None:
            raise SystemExit("a C compiler is needed for the load generator: apt-get install gcc")
        subprocess.run([compiler, "-O2", "-o", str(target), str(source)], check=True)
    return str(target)


def spec_file(port: int, sockets: list[tuple[str, str | None, str | None, str | None, int]]) -> str:
    """Writes the generator's description of every socket; see the head of loadgen.c."""
    handle = tempfile.NamedTemporaryFile("w", prefix="loadgen-", suffix=".tsv", delete=False)
    with handle:
        handle.write(f"127.0.0.1 {port}\n")
        for path, first, expect, message, peer in sockets:
            handle.write("\t".join([path, first or "-", expect or "-", message or "-", str(peer)]) + "\n")
    return handle.name


def loadgen(*arguments: object) -> dict:
    output = subprocess.run(
        [*pinned(LOAD_CORE), loadgen_binary(), *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    return json.loads(output)


def median(values: list[float]) -> float:
    return statistics.median(values)


class Verdict:
    """Collects the rows of one comparison; `close` prints them and fails the run if a promise is not kept."""

    def __init__(self, title: str):
        self.kept = True
        print(f"\n{title}\n{'-' * len(title)}")

    def row(self, name: str, text: str) -> None:
        print(f"{name:<44} {text}", flush=True)

    def promise(self, name: str, value: float, wanted: float, at_least: bool = True) -> None:
        kept = value >= wanted if at_least else value <= wanted
        self.kept = self.kept and kept
        self.row(name, f"{value:.2f}  (wanted {'>=' if at_least else '<='} {wanted:g})  {'kept' if kept else 'NOT KEPT'}")

    def close(self) -> None:
        sys.exit(0 if self.kept else 1)
