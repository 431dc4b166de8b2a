"""The benchmarks of another revision and of this tree, in turns in one run: is anything slower than it was?

    make bench-compare OLD=<revision>      (BENCH="send messages", ROUNDS=5)

The old revision is checked out and built below .build/compare, and either side has its own install.sql, worker and
benchmark. A figure is a ratio, new to old, and there are two ways to it:
- In slices: both sides stand at once, and one of them is frozen: its load, its worker and its Postgres, down to the
  vacuum. They are loaded for half a second each, old new new old, in a fresh pair of clusters every round, and a slice lasts
  until what was asked for is done. A ratio is of two slices that follow each other, so what the machine does meanwhile
  concerns both.
- In rounds: each runs the whole benchmark once a round, in a fresh cluster; the side that begins changes with every round.
Both are loaded by the generator of this tree.
The geometric mean of the ratios is shown, and the interval that holds 95 of 100 means of what is drawn at random from those
there were (bootstrap; of slices rounds are drawn, and then ratios of each). "worse" and "better" are said of a figure whose
whole interval is on that side of 1. Fails if anything is worse by more than the tolerance (5 %) for certain, or if there
were fewer than 5 rounds, after which nothing is.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from lib.bench import ROOT, Verdict, loadgen_binary, median

# Runs a benchmark for a single round, and writes its rows as JSON to the file.
RUN = """
import json, sys
import lib.bench
lib.bench.loadgen_binary = lambda: sys.argv[3]
rows = []
lib.bench.Verdict.row = lambda self, name, text: rows.append((name.strip(), text))
module = __import__(sys.argv[1])
if sys.argv[1] != "history":  # there a round is a call
    module.ROUNDS = 1
try:
    module.main()
except SystemExit as end:
    if not isinstance(end.code, (int, type(None))):
        raise
json.dump(rows, open(sys.argv[2], "w"))
"""
# Sets up what a benchmark loads, starts the load, and says how to count what it has done: below, with the names that the
# benchmarks of both sides have.
SLICED = {
    "send": ("send_message", """
        with Cluster("--fsync") as cluster:
            cluster.psql(bench.PREPARE)
            cluster.psql(bench.OPEN)
            cluster.psql("select parley.worker_start('bench', 'bench')", cluster.worker_url)
            load(cluster, "pgbench", "-n", "-M", "prepared", "-c", str(bench.CLIENTS), "-j", "2", "-T", "86400",
                 "-D", "turn=0", "-f", bench.send_script(), cluster.owner_url)
    """),
    "messages": ("maximum", """
        serve = getattr(bench, "our_worker", lambda cluster: Worker(cluster, "--log-level", "warning", prefix=pinned(SERVER_CORE)))
        with Cluster("--fsync") as cluster, serve(cluster) as worker:
            spec = spec_file(worker.port, bench.our_sockets(cluster, worker))
            load(cluster, *pinned(LOAD_CORE), sys.argv[2], "pairs", spec, str(bench.OUTSTANDING), "0", "86400", also=[worker.pid])
    """),
}
SETUP = """
import importlib, json, subprocess, sys
from pathlib import Path
from lib.bench import LOAD_CORE, SERVER_CORE, pinned, spec_file
from parley import Cluster, Worker
bench = importlib.import_module(sys.argv[1])

def load(cluster, *command, also=()):
    postmaster = int((Path(cluster.data) / "postmaster.pid").read_text().split()[0])
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        print(json.dumps({"url": cluster.owner_url, "load": process.pid, "servers": [*also, postmaster]}), flush=True)
        sys.stdin.read()
        if process.poll() is not None:
            sys.exit("the load has ended by itself")
        process.kill()

if True:
"""
# They serve sockets; the others ask the database alone.
WITH_A_WORKER = {"messages", "fanout", "idle"}
# Fewer rounds than this give an interval that is too narrow to be believed.
ENOUGH = 5
# Of a round: pairs of slices, after a warm-up of either side. Seconds.
PAIRS, SLICE, WARM_UP = 30, 0.5, 3.0
ENDS = (signal.SIGINT, signal.SIGTERM)
NUMBER = r"([\d,]*\.?\d+)"
# Benchmark, its row, the number in it, and whether more of it is better. A row that one side does not have is left out.
FIGURES = [
    ("messages", "parley, 1,000/s", rf"p50 {NUMBER}", False),
    ("messages", "parley, 1,000/s", rf"p99 {NUMBER}", False),
    ("fanout", "parley, saturated", rf"^\s*{NUMBER}", True),
    ("fanout", "parley, 60,000/s", rf"p99 {NUMBER}", False),
    ("idle", "parley", rf": {NUMBER} KB each", False),
    ("history", "newest page", rf"^\s*{NUMBER} ms", False),
    ("history", "newest page of the longest", rf"^\s*{NUMBER} ms", False),
    ("history", "around a message in its middle", rf"^\s*{NUMBER} ms", False),
    ("history", "inbox, first page", rf"^\s*{NUMBER} ms", False),
    ("history", "unread totals", rf"^\s*{NUMBER} ms", False),
    ("history", "search all: common word", rf"^\s*{NUMBER} ms", False),
]


def checkout(revision: str, builds: bool) -> Path:
    commit = subprocess.run(
        ["git", "rev-parse", "--verify", "--short=12", revision + "^{commit}"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()
    tree = ROOT / ".build" / "compare" / commit
    if not (tree / ".git").exists():
        subprocess.run(["git", "worktree", "prune"], cwd=ROOT, check=True)
        subprocess.run(["git", "worktree", "add", "--detach", str(tree), commit], cwd=ROOT, check=True)
    if builds:
        subprocess.run(["swift", "build", "-c", "release", "--product", "parley"], cwd=tree, check=True)
    return tree


def environment(tree: Path) -> dict[str, str]:
    return {
        "PARLEY_BENCH_MESSAGES": "100000", "PARLEY_BENCH_ROUNDS": "40", **os.environ, "PARLEY_WATCH": "off",
        "PYTHONPATH": f"{tree / 'Benchmarks'}:{tree / 'Tests' / 'support'}",
    }


def run(tree: Path, benchmark: str) -> dict[str, str]:
    """The rows of one round."""
    answer = ROOT / ".build" / "compare" / "rows.json"
    answer.unlink(missing_ok=True)
    folder = tree / "Benchmarks"
    subprocess.run(
        [sys.executable, "-c", RUN, benchmark, str(answer), loadgen_binary()], cwd=folder, check=True, stdout=subprocess.DEVNULL,
        env=environment(tree),
    )
    # Of two rows of one name the first is the measure, the other a promise.
    rows: dict[str, str] = {}
    for name, text in json.loads(answer.read_text()):
        rows.setdefault(name, text)
    return rows


def tell(process: int, sign: signal.Signals) -> None:
    """A process may have ended by itself; the others are told all the same."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, sign)


def end(number: int, _: object) -> None:
    """Ends this process by way of what thaws and stops the sides, once."""
    for sign in ENDS:
        signal.signal(sign, signal.SIG_IGN)
    sys.exit(128 + number)


class Side:
    """A load that runs for slices of time; between them it is frozen, with all that serves it."""

    def __init__(self, tree: Path, benchmark: str):
        self.driver = subprocess.Popen(
            [sys.executable, "-c", SETUP + SLICED[benchmark][1], benchmark, loadgen_binary()], cwd=tree / "Benchmarks", env=environment(tree),
            # a Ctrl-C is for this process alone, which thaws what is frozen before the driver stops it
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )
        self.place: dict | None = None

    def start(self) -> None:
        self.place = json.loads(self.driver.stdout.readline() or "null")
        if self.place is None:
            raise SystemExit("a load could not be set up")
        self.load(signal.SIGSTOP)
        self.done, _ = self.count()
        self.servers(signal.SIGSTOP)

    def stop(self) -> None:
        if self.place is not None:
            self.servers(signal.SIGCONT)
            self.load(signal.SIGCONT)
        self.driver.communicate()
        if self.driver.returncode != 0:
            raise SystemExit(f"a load failed: {self.driver.returncode}")

    def load(self, sign: signal.Signals) -> None:
        tell(self.place["load"], sign)

    def servers(self, sign: signal.Signals) -> None:
        """A server first, so that it starts no child that would be missed."""
        for server in self.place["servers"]:
            tell(server, sign)
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                for child in Path(f"/proc/{server}/task/{server}/children").read_text().split():
                    tell(int(child), sign)

    def count(self) -> tuple[int, float]:
        """Messages, once nothing is being done any more, and when there were so many."""
        counted, at = None, 0.0
        while True:
            last, counted = counted, int(subprocess.run(
                ["psql", "-XAtq", self.place["url"], "-c", "select sum(last_seq) from parley.conversation"],
                check=True, stdout=subprocess.PIPE, text=True,
            ).stdout)
            if last == counted:
                return counted, at
            at = time.monotonic()

    def slice(self, seconds: float) -> float:
        """Messages a second. What is still in flight when the load stops counts with the time that it takes."""
        self.servers(signal.SIGCONT)
        began = time.monotonic()
        self.load(signal.SIGCONT)
        time.sleep(seconds)
        self.load(signal.SIGSTOP)
        before, (self.done, ended) = self.done, self.count()
        self.servers(signal.SIGSTOP)
        return (self.done - before) / (ended - began)


def in_slices(trees: dict[str, Path], benchmark: str) -> list[dict[str, float]]:
    """Pairs of slices, one after the other of either side."""
    with contextlib.ExitStack() as stack:
        for sign in ENDS:
            stack.callback(signal.signal, sign, signal.signal(sign, end))
        sides: dict[str, Side] = {}
        for name, tree in trees.items():
            sides[name] = Side(tree, benchmark)
            # also what is frozen half
            stack.callback(sides[name].stop)
            # frozen when the next is set up
            sides[name].start()
        for side in sides.values():
            side.slice(WARM_UP)
        return [
            {name: sides[name].slice(SLICE) for name in list(sides)[:: 1 if turn % 2 == 0 else -1]} for turn in range(PAIRS)
        ]


def with_a_ratio(rounds: list[list[dict[str, float]]]) -> tuple[list[list[dict[str, float]]], int]:
    """Without the pairs in which one side did nothing, as during a checkpoint, and how many those were."""
    kept = [[pair for pair in pairs if all(pair.values())] for pairs in rounds]
    return [pairs for pairs in kept if pairs], sum(map(len, rounds)) - sum(map(len, kept))


def interval(rounds: list[list[float]]) -> tuple[float, float, float]:
    """The geometric mean and the bounds of 95 % of the means of samples drawn from the ratios of rounds."""
    logs = [[math.log(ratio) for ratio in ratios] for ratios in rounds]
    draw = random.Random(1)

    def mean(rounds: list[list[float]]) -> float:
        return sum(sum(ratios) / len(ratios) for ratios in rounds) / len(rounds)

    means = sorted(
        mean([draw.choices(ratios, k=len(ratios)) for ratios in draw.choices(logs, k=len(logs))]) for _ in range(10_000)
    )
    return math.exp(mean(logs)), math.exp(means[249]), math.exp(means[-250])


def figure(rows: dict[str, str], name: str, pattern: str) -> float | None:
    found = re.search(pattern, rows.get(name, ""))
    return float(found.group(1).replace(",", "")) if found else None


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("old")
    arguments.add_argument("benchmarks", nargs="*")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--tolerance", type=float, default=5, help="per cent")
    asked = arguments.parse_args()
    benchmarks = asked.benchmarks or ["send", "messages", "history"]
    trees = {"old": checkout(asked.old, not WITH_A_WORKER.isdisjoint(benchmarks)), "new": ROOT}
    whole = [name for name in benchmarks if any(name == figure[0] for figure in FIGURES)]
    results: dict[tuple[str, str], list[dict[str, str]]] = {}
    slices: dict[str, list[list[dict[str, float]]]] = {}
    load = [os.getloadavg()[0]]
    for turn in range(asked.rounds):
        sides = list(trees)[:: 1 if turn % 2 == 0 else -1]
        for benchmark in filter(SLICED.get, benchmarks):
            print(f"round {turn + 1} of {asked.rounds}: {benchmark}, in slices", file=sys.stderr, flush=True)
            slices.setdefault(benchmark, []).append(in_slices({side: trees[side] for side in sides}, benchmark))
        for benchmark in whole:
            for side in sides:
                print(f"round {turn + 1} of {asked.rounds}: {benchmark}, {side}", file=sys.stderr, flush=True)
                results.setdefault((side, benchmark), []).append(run(trees[side], benchmark))
        load.append(os.getloadavg()[0])
    # name, whether more is better, and by round the pairs of either side
    figures: list[tuple[str, bool, list[list[dict[str, float]]]]] = [
        (f"{benchmark}: {SLICED[benchmark][0]}, messages/s", True, rounds) for benchmark, rounds in slices.items()
    ]
    for benchmark, name, pattern, more_is_better in FIGURES:
        if benchmark not in benchmarks:
            continue
        values = {side: [figure(rows, name, pattern) for rows in results[side, benchmark]] for side in trees}
        if None in values["old"] + values["new"]:
            print(f"{benchmark}: not both sides have {name!r}", file=sys.stderr)
            continue
        pairs = [[{"old": old, "new": new}] for old, new in zip(values["old"], values["new"])]
        figures.append((f"{benchmark}: {name}" + (f", {pattern[:3]}" if pattern[0] == "p" else ""), more_is_better, pairs))
    if not figures:
        raise SystemExit("no figure was found on both sides")
    verdict = Verdict(f"this tree against {asked.old}, {asked.rounds} rounds in turns: new / old")
    verdict.row("load average of the machine", "   ".join(f"{value:.1f}" for value in load))
    worst, fewest = 0.0, asked.rounds
    for name, more_is_better, all_rounds in figures:
        rounds, idle = with_a_ratio(all_rounds)
        if idle:
            verdict.row(f"{name}: pairs left out, one side did nothing", f"{idle}")
        fewest = min(fewest, len(rounds))
        if not rounds:
            continue
        mean, low, high = interval([[pair["new"] / pair["old"] for pair in pairs] for pairs in rounds])
        good, bad = (low > 1, high < 1) if more_is_better else (high < 1, low > 1)
        # how much worse it is at least
        worst = max(worst, (1 / high if more_is_better else low) - 1)
        old, new = (median([pair[side] for pairs in rounds for pair in pairs]) for side in ("old", "new"))
        verdict.row(
            name, f"{old:>10,.2f} {new:>10,.2f}   {mean:.3f} ({low:.3f} to {high:.3f}) {'better' if good else 'worse' if bad else ''}"
        )
    if fewest < ENOUGH:
        raise SystemExit(f"nothing is certain after fewer than {ENOUGH} rounds")
    verdict.promise("worse for certain, at most, %", worst * 100, asked.tolerance, at_least=False)
    verdict.close()


if __name__ == "__main__":
    main()
