"""Where two answers are different."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from operations import short


@dataclass
class Disagreement(Exception):
    """What is different, in one word, and how."""

    about: str
    details: str


def differences(expected: object, actual: object, path: str = "") -> list[str]:
    if isinstance(expected, dict) and isinstance(actual, dict):
        return [d for key in sorted({*expected, *actual}, key=str) for d in differences(
            expected.get(key, "(none)"), actual.get(key, "(none)"), f"{path}.{key}"
        )]
    if isinstance(expected, (list, tuple)) and isinstance(actual, (list, tuple)):
        return [d for n, (one, other) in enumerate(itertools.zip_longest(expected, actual, fillvalue="(none)"))
                for d in differences(one, other, f"{path}[{n}]")]
    return [] if expected == actual else [f"{path}: the model says {short(expected)}, Parley {short(actual)}"]


def compare(about: str, expected: object, actual: object) -> None:
    if different := differences(expected, actual):
        raise Disagreement(about, "\n".join(f"  {about}{line}" for line in different[:12]))
