"""Waits for what has to come, however long the machine takes for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def until(condition: Callable[[], Any], seconds: float = 30, step: float = 0.02) -> Any:
    """The first true answer of the condition."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if answer := condition():
            return answer
        time.sleep(step)
    raise AssertionError("it did not come to that in time")
