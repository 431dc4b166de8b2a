"""How tests run Node: Debian's own, whose modules lie in /usr/share/nodejs."""

from __future__ import annotations

import os


def node_environment() -> dict[str, str]:
    """NODE_PATH also for a Node that is not Debian's."""
    paths = [os.environ.get("NODE_PATH"), "/usr/share/nodejs"]
    return {**os.environ, "NODE_PATH": ":".join(path for path in paths if path)}
