"""scripts/setup.sh on a machine without packages: no service is started, no cluster made, and nothing stays behind.

Its apt-get, dpkg-query, sudo and id are stand-ins that note what they see; where it writes is a folder of the test.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from parley import ROOT

CONF = "# as the administrator has it\nstart_conf = 'manual'\n#create_main_cluster = true\n"


class Machine:
    """A copy of the scripts, and a machine whose packages are all missing."""

    def __init__(self, folder: Path):
        self.project, self.root, self.tools = folder / "project", folder / "root", folder / "bin"
        self.seen = folder / "seen"
        self.policy = self.root / "usr/sbin/policy-rc.d"
        self.conf = self.root / "etc/postgresql-common/createcluster.conf"
        for path in (self.policy.parent, self.conf.parent, self.tools):
            path.mkdir(parents=True)
        for name in ("Tests", ".venv/bin"):
            (self.project / name).mkdir(parents=True)
        self.seen.touch()
        shutil.copytree(ROOT / "scripts", self.project / "scripts")
        # The Python environment is there.
        (self.project / "Tests/requirements.txt").write_text("none\n")
        (self.project / ".venv/bin/python").symlink_to("/bin/true")
        stamp = subprocess.run(
            ["sha256sum", "Tests/requirements.txt"], cwd=self.project, check=True, capture_output=True, text=True
        ).stdout
        (self.project / ".venv/requirements.sha256").write_text(stamp)
        self.conf.write_text(CONF)
        self.tool("dpkg-query", "exit 1")
        self.tool("id", "echo 0")
        self.apt("")

    def tool(self, name: str, script: str) -> None:
        (self.tools / name).write_text(f"#!/bin/bash\n{script}\n")
        (self.tools / name).chmod(0o755)

    def apt(self, then: str) -> None:
        """An apt-get that notes its command, what a service would be told, and whether a cluster would be made."""
        self.tool(
            "apt-get",
            f'''{self.policy} >/dev/null 2>&1
echo "$1 ${{!#}} policy=$? $(grep -c "^create_main_cluster = false" {self.conf}) $DEBIAN_FRONTEND" >>{self.seen}
echo "Unpacking things"
{then}''',
        )

    def start(self) -> subprocess.Popen:
        clean = {key: value for key, value in os.environ.items() if key != "DEBIAN_FRONTEND"}
        return subprocess.Popen(
            ["scripts/setup.sh", "demo"], cwd=self.project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**clean, "PATH": f"{self.tools}:{os.environ['PATH']}", "PARLEY_SETUP_ROOT": str(self.root)},
            start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def run(self) -> tuple[int, str]:
        process = self.start()
        output, _ = process.communicate(timeout=60)
        return process.returncode, output

    @property
    def calls(self) -> list[str]:
        return self.seen.read_text().splitlines()

    def is_as_before(self) -> bool:
        return self.conf.read_text() == CONF and os.listdir(self.conf.parent) == [self.conf.name]


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


NO_CLUSTER = ["update -q policy=101 0 ", "install postgresql-common policy=101 0 noninteractive",
              "install curl policy=101 1 noninteractive"]


def test_no_service_and_no_cluster(machine):
    status, output = machine.run()
    assert status == 0, output
    assert machine.calls == NO_CLUSTER
    assert not machine.policy.exists() and machine.is_as_before()


def test_a_user_with_sudo(machine):
    machine.tool("id", "echo 1000")
    log = machine.seen.with_name("sudo")
    machine.tool("sudo", f'echo "$1 $2" >>{log}; exec "$@"')
    status, output = machine.run()
    assert status == 0, output
    assert machine.calls == NO_CLUSTER
    assert not machine.policy.exists() and machine.is_as_before()
    asked = log.read_text().splitlines()
    # First of all, while the terminal is free.
    assert asked[0].strip() == "true"
    assert {"apt-get update", "env DEBIAN_FRONTEND=noninteractive"} <= set(asked)


def test_a_policy_of_the_machine_stays(machine):
    machine.policy.write_text("#!/bin/sh\nexit 104\n")
    machine.policy.chmod(0o755)
    status, output = machine.run()
    assert status == 0, output
    assert [call.split()[2] for call in machine.calls] == ["policy=104"] * 3
    assert machine.policy.read_text() == "#!/bin/sh\nexit 104\n" and machine.is_as_before()


def test_after_a_failure_nothing_stays(machine):
    machine.apt('[ "${!#}" != curl ] || { echo "E: no such package" >&2; exit 100; }')
    status, output = machine.run()
    assert status == 100 and "E: no such package" in output
    assert machine.calls == NO_CLUSTER
    assert not machine.policy.exists() and machine.is_as_before()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_after_an_interruption_nothing_stays(machine, name):
    machine.apt('[ "${!#}" != curl ] || sleep 30')
    process = machine.start()
    limit = time.monotonic() + 20
    while len(machine.calls) < 3:
        assert time.monotonic() < limit and process.poll() is None
        time.sleep(0.05)
    # As the terminal does: everybody there gets it.
    os.killpg(process.pid, getattr(signal, name))
    process.communicate(timeout=20)
    assert process.returncode == 128 + getattr(signal, name)
    assert not machine.policy.exists() and machine.is_as_before()


def test_a_killed_run_is_cleaned_up_by_the_next(machine):
    machine.apt('[ "${!#}" != curl ] || sleep 30')
    process = machine.start()
    limit = time.monotonic() + 20
    while len(machine.calls) < 3:
        assert time.monotonic() < limit and process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=20)
    assert machine.policy.exists()
    machine.apt("")
    status, output = machine.run()
    assert status == 0, output
    assert not machine.policy.exists()


def test_long_steps_show_how_they_go_on(machine):
    machine.apt('[ "$1" != update ] || sleep 12')
    status, output = machine.run()
    assert status == 0, output
    assert output.splitlines()[0] == "== fetching the lists of packages"
    assert re.fullmatch(r" +\d+ s  Unpacking things", output.splitlines()[1])
    assert any(line.startswith("== installing ") and "postgresql-15" in line for line in output.splitlines())


def test_a_machine_that_has_all_is_left_alone(machine):
    machine.tool("dpkg-query", "echo install ok installed")
    machine.tool("id", "echo 1000")
    machine.tool("sudo", "exit 1")
    assert machine.run() == (0, "")
    assert machine.calls == [] and machine.is_as_before()
