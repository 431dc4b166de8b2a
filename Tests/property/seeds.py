"""The runs: the same seeds each time, so that what has passed passes again, and beside them some that nobody has tried.

PARLEY_PROPERTY_SEEDS names others instead: `100:120,4711`, or `new` for nothing but new ones, as `make property` does. All
stand in the report, and a failure says how to repeat its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import SystemRandom

# Of every theme of a run one at least; the last two have found a fault.
FIXED = (1, 2, 5, 9, 11, 3002, 5000)
# Beside the fixed ones, each of a quarter of the steps: the suite takes a fourteenth longer.
NEW = 2
STEPS = int(os.environ.get("PARLEY_PROPERTY_STEPS", "1000"))


@dataclass(frozen=True)
class Run:
    # By its place, so that a test is called the same whatever its seed is.
    name: str
    seed: int
    steps: int = STEPS

    @contextmanager
    def told(self) -> Iterator[None]:
        """A failure within, of whatever kind, says how to repeat the run."""
        try:
            yield
        except Exception as failure:
            failure.add_note(f"the same again: make property SEEDS={self.seed} STEPS={self.steps}")
            raise


def runs() -> list[Run]:
    def numbered(what: str, seeds, steps: int = STEPS) -> list[Run]:
        return [Run(f"{what} {place}", seed, steps) for place, seed in enumerate(seeds, 1)]

    def new(count: int) -> list[int]:
        return [SystemRandom().randrange(10_000, 1 << 32) for _ in range(count)]

    named = os.environ.get("PARLEY_PROPERTY_SEEDS")
    if not named:
        return numbered("run", FIXED) + numbered("new run", new(NEW), STEPS // 4)
    if named == "new":
        return numbered("run", new(len(FIXED)))
    ranges = [[*map(int, part.split(":"))] for part in named.split(",")]
    return numbered("run", [seed for part in ranges for seed in (range(*part) if len(part) == 2 else part)])


RUNS = runs()
