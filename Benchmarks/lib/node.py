"""Node's `ws` and `pg` for a peer, from Debian's packages: unpacked below .build, because Debian's nodejs need not be there."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from lib.bench import ROOT

PACKAGES = ["node-ws", "node-pg", "node-split2", "node-readable-stream", "node-xtend"]


def node_environment() -> dict[str, str]:
    """The environment in which `node` finds them. They are fetched once."""
    if shutil.which("node") is None:
        raise SystemExit("node is the peer's: apt-get install nodejs")
    folder = ROOT / ".build" / "node"
    modules = folder / "usr" / "share" / "nodejs"
    if not all((modules / name).exists() for name in ("ws", "pg", "split2", "xtend")):
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "-q", *PACKAGES], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        for package in sorted(folder.glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", str(package), str(folder)], check=True)
    return {**os.environ, "NODE_PATH": str(modules)}
