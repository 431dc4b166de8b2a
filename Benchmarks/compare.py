"""The benchmarks of another revision and of this tree, in turns in one run: is anything slower than it was?

    make bench-compare OLD=<revision>      (BENCH="send messages", ROUNDS=5)

The old revision is checked out and built below .build/compare. Each round runs each benchmark once on either side, in a
fresh cluster with that side's own install.sql, worker and benchmark; the side that begins changes with every round. A
figure is a ratio, new to old, of the two runs of one round: their geometric mean, and the interval that holds 95 of
100 means of rounds drawn at random from those there were (bootstrap). "worse" and "better" are said of a figure whose
whole interval is on that side of 1. Fails if anything is worse by more than the tolerance (5 %) for certain, or if there
were fewer than 5 rounds, after which nothing is.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import re
import subprocess
import sys
from pathlib import Path

from lib.bench import ROOT, Verdict, median

# Runs a benchmark for a single round, and writes its rows as JSON to the file.
RUN = """
import json, sys
import lib.bench
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
# They serve sockets; the others ask the database alone.
WITH_A_WORKER = {"messages", "fanout", "idle"}
# Fewer rounds than this give an interval that is too narrow to be believed.
ENOUGH = 5
NUMBER = r"([\d,]*\.?\d+)"
# Benchmark, its row, the number in it, and whether more of it is better. A row that one side does not have is left out.
FIGURES = [
    ("send", "send_message", rf"^\s*{NUMBER}", True),
    ("messages", "parley, maximum", rf"^\s*{NUMBER}", True),
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


def run(tree: Path, benchmark: str) -> dict[str, str]:
    """The rows of one round."""
    answer = ROOT / ".build" / "compare" / "rows.json"
    answer.unlink(missing_ok=True)
    folder = tree / "Benchmarks"
    subprocess.run(
        [sys.executable, "-c", RUN, benchmark, str(answer)], cwd=folder, check=True, stdout=subprocess.DEVNULL,
        env={
            "PARLEY_BENCH_MESSAGES": "100000", "PARLEY_BENCH_ROUNDS": "10", **os.environ, "PARLEY_WATCH": "off",
            "PYTHONPATH": f"{folder}:{tree / 'Tests' / 'support'}",
        },
    )
    # Of two rows of one name the first is the measure, the other a promise.
    rows: dict[str, str] = {}
    for name, text in json.loads(answer.read_text()):
        rows.setdefault(name, text)
    return rows


def interval(ratios: list[float]) -> tuple[float, float, float]:
    """The geometric mean and the bounds of 95 % of the means of samples drawn from the ratios."""
    logs = [math.log(ratio) for ratio in ratios]
    draw = random.Random(1)
    means = sorted(sum(draw.choices(logs, k=len(logs))) / len(logs) for _ in range(10_000))
    return math.exp(sum(logs) / len(logs)), math.exp(means[249]), math.exp(means[-250])


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
    results: dict[tuple[str, str], list[dict[str, str]]] = {}
    load = [os.getloadavg()[0]]
    for turn in range(asked.rounds):
        for benchmark in benchmarks:
            for side in list(trees)[:: 1 if turn % 2 == 0 else -1]:
                print(f"round {turn + 1} of {asked.rounds}: {benchmark}, {side}", file=sys.stderr, flush=True)
                results.setdefault((side, benchmark), []).append(run(trees[side], benchmark))
        load.append(os.getloadavg()[0])
    verdict = Verdict(f"this tree against {asked.old}, {asked.rounds} rounds in turns: new / old")
    verdict.row("load average of the machine", "   ".join(f"{value:.1f}" for value in load))
    worst, seen = 0.0, 0
    for benchmark, name, pattern, more_is_better in FIGURES:
        if benchmark not in benchmarks:
            continue
        values = {side: [figure(rows, name, pattern) for rows in results[side, benchmark]] for side in trees}
        if None in values["old"] + values["new"]:
            print(f"{benchmark}: not both sides have {name!r}", file=sys.stderr)
            continue
        seen += 1
        mean, low, high = interval([new / old for old, new in zip(values["old"], values["new"])])
        good, bad = (low > 1, high < 1) if more_is_better else (high < 1, low > 1)
        # how much worse it is at least
        worst = max(worst, (1 / high if more_is_better else low) - 1)
        verdict.row(
            f"{benchmark}: {name}" + (f", {pattern[:3]}" if pattern[0] == "p" else ""),
            f"{median(values['old']):>10,.2f} {median(values['new']):>10,.2f}   {mean:.2f} ({low:.2f} to {high:.2f})"
            f" {'better' if good else 'worse' if bad else ''}",
        )
    if seen == 0:
        raise SystemExit("no figure was found on both sides")
    if asked.rounds < ENOUGH:
        raise SystemExit(f"nothing is certain after fewer than {ENOUGH} rounds")
    verdict.promise("worse for certain, at most, %", worst * 100, asked.tolerance, at_least=False)
    verdict.close()


if __name__ == "__main__":
    main()
