"""The seeds of this run: some that are always the same, and some that nobody has tried yet.

PARLEY_PROPERTY_SEEDS=100:120,4711 names others. They stand in the report, and a failure says its own.
"""

from __future__ import annotations

import os
from random import SystemRandom

# Of every theme of a run one at least.
FIXED, NEW = (1, 2, 5, 9, 11), 2


def seeds() -> list[int]:
    if named := os.environ.get("PARLEY_PROPERTY_SEEDS"):
        ranges = [[*map(int, part.split(":"))] for part in named.split(",")]
        return [seed for part in ranges for seed in (range(*part) if len(part) == 2 else part)]
    return [*FIXED, *(SystemRandom().randrange(1000, 1 << 32) for _ in range(NEW))]


SEEDS = seeds()
