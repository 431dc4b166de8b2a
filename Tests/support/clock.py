"""A clock that a test moves, for a cluster: `with Clock() as clock, Cluster(clock=clock): clock.set(minutes)`."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path


class Clock:
    """What the server reads is ahead of the true time by so many minutes, all of the server's processes alike."""

    def __enter__(self) -> Clock:
        self.folder = Path(tempfile.mkdtemp(prefix="parley-clock."))
        self.folder.chmod(0o755)
        library, self.file = self.folder / "clock.so", self.folder / "ahead"
        subprocess.run(
            ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, Path(__file__).with_name("clock.c"), "-ldl"],
            check=True,
        )
        self.set(0)
        self.file.chmod(0o644)
        self.environment = {"PARLEY_TEST_PRELOAD": str(library), "PARLEY_TEST_CLOCK": str(self.file)}
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder)

    def set(self, minutes: int) -> None:
        # In place: the server has mapped the file.
        with os.fdopen(os.open(self.file, os.O_RDWR | os.O_CREAT), "r+b") as file:
            file.write(struct.pack("<q", minutes * 60_000_000))
