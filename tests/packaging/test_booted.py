"""The package under a real systemd: started, used, upgraded while the line runs, removed. In a container that boots.

What a container cannot show is left to hardware: real time, locked memory, devices, the hardware watchdog.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .debian_root import DebianRoot, needed, repacked, root_to_begin_with

DEB = os.environ.get("OKNG_DEB", "")
pytestmark = [
    pytest.mark.deb,
    pytest.mark.needs_root,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not DEB, reason="no package: make test-deb"),
]
INSTALL = "DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends"
SETTINGS = """\
version = 1
recipe = "recipes/clip.yaml"
[box]
name = "box3"
[camera.top]
driver = "replay"
folder = "pictures"
must_differ = "off"
[plc]
host = "127.0.0.1"
port = 1502
[records]
store = "/var/lib/okng/store"
[workshop]
folder = "/var/lib/okng/workshop"
"""
RECIPE = """\
name: clip
deadline_ms: 500
camera: {width: 640, height: 480, pixel_format: Mono8, trigger: software}
tools:
  - {name: dirt, kind: blob, camera: top, box: [0, 0, 64, 64], max_count: 0, min_area: 12}
"""
PICTURES = """\
import cv2, numpy as np
r = np.random.default_rng(1)
for i in range(20):
    cv2.imwrite(f"/etc/okng/pictures/{i:02}.png", r.integers(60, 200, (480, 640)).astype("uint8"))
"""
USERS = """\
for each in /proc/[0-9]*; do
    tr '\\0' ' ' <$each/cmdline 2>/dev/null | grep -q ^/opt/okng/bin/python3 && stat -c %U $each || true
done
"""
"""Who runs okng: there is no ps in a bare Debian."""
PROCESSES = ("camera@top", "inspect", "io", "records", "shift", "web", "workshop")


class Machine:
    """A container with systemd as its first process."""

    def __init__(self, root: DebianRoot) -> None:
        self.root = root
        root.path("/etc/machine-id").write_text("")
        self._log = root.folder.with_name("boot.log").open("wb")
        container = ["systemd-nspawn", "-q", "-D", str(root.folder), "--boot", "--register=no", "--keep-unit"]
        self._process = subprocess.Popen(
            [*container, "--private-network", f"--machine=okng{os.getpid()}", "--console=pipe"],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )

    def booted(self) -> bool:
        """True once systemd says that it is up."""
        for _ in range(60):
            time.sleep(1)
            if self._process.poll() is not None:
                return False
            if self.leader and self.run("systemctl is-system-running", check=False).strip() in {"running", "degraded"}:
                return True
        return False

    @property
    def leader(self) -> str:
        """systemd's process, seen from outside; empty: not there yet."""
        ask = ["pgrep", "-P", str(self._process.pid), "-x", "systemd"]
        return subprocess.run(ask, check=False, capture_output=True, text=True).stdout.strip()

    def run(self, script: str, *, check: bool = True) -> str:
        """What a shell script inside says."""
        inside = ["nsenter", "-t", self.leader, "-m", "-u", "-i", "-n", "-p", "sh", "-ec", f"cd /; {script}"]
        done = subprocess.run(inside, check=False, capture_output=True, text=True, timeout=300)
        assert not check or done.returncode == 0, f"{script}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout + done.stderr

    def active(self, seconds: int = 60) -> list[str]:
        """Processes that run, as soon as all do."""
        found: list[str] = []
        for _ in range(seconds):
            found = [
                name for name in PROCESSES if self.run(f"systemctl is-active okng-{name}", check=False) == "active\n"
            ]
            if len(found) == len(PROCESSES):
                break
            time.sleep(1)
        return found

    def orders(self) -> list[str]:
        """What systemd has stopped and started, oldest first."""
        said = self.run("journalctl --no-pager -o cat _PID=1")
        return [line for line in said.splitlines() if "okng" in line and line.split()[0] in {"Stopped", "Started"}]

    def close(self) -> None:
        """Switch off."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    needed("systemd-nspawn")
    folder = tmp_path_factory.mktemp("boot") / "root"
    folder.mkdir()
    root = root_to_begin_with(folder, Path(DEB))
    newer = repacked(Path(DEB), tmp_path_factory.mktemp("newer"), "99.0", 999)
    newer.rename(root.path("/newer.deb"))
    made = Machine(root)
    try:
        if not made.booted():
            if os.environ.get("CI") == "true":
                pytest.fail("the container does not boot")
            pytest.skip("no container boots on this machine")
        yield made
    finally:
        made.close()


def test_nothing_runs_before_there_are_settings(machine: Machine) -> None:
    machine.run(f"{INSTALL} /new.deb")
    machine.run("systemctl start okng.target")
    for name in ("io", "records", "inspect", "web"):
        assert machine.run(f"systemctl is-active okng-{name}", check=False) == "inactive\n"
    assert machine.run("systemctl --failed --no-legend") == ""
    machine.run("systemctl stop okng.target")


def test_the_whole_box_runs_in_its_sandboxes(machine: Machine) -> None:
    machine.run("install -d -o okng-workshop -g okng /etc/okng/recipes /etc/okng/pictures")
    machine.root.path("/etc/okng/okng.toml").write_text(SETTINGS)
    machine.root.path("/etc/okng/recipes/clip.yaml").write_text(RECIPE)
    machine.root.path("/pictures.py").write_text(PICTURES)
    machine.run("/opt/okng/bin/python3 /pictures.py; chown -R okng-workshop:okng /etc/okng")
    machine.run("systemctl enable okng-camera@top; systemctl start okng.target")
    assert machine.active() == list(PROCESSES), machine.run("journalctl --no-pager -n 60 -u 'okng-*'")
    seen = machine.run("okng plc monitor --once --json")
    assert '"alive": true' in seen
    assert machine.run("ls /var/lib/okng/store/ledger.db").strip() == "/var/lib/okng/store/ledger.db"
    users = set(machine.run(USERS).split())
    assert {"okng-io", "okng-records", "okng-web", "okng-inspect", "okng-camera"} <= users
    assert "root" not in users


def test_an_upgrade_stops_the_line_in_order_and_starts_it_again(machine: Machine) -> None:
    before = len(machine.orders())
    machine.run(f"{INSTALL} /newer.deb")
    assert machine.active() == list(PROCESSES)
    orders = machine.orders()[before:]

    def place(word: str, process: str) -> int:
        found = [at for at, line in enumerate(orders) if line.startswith(f"{word} okng-{process}.service")]
        assert found, (word, process, orders)
        return found[0]

    stopped = {name: place("Stopped", name) for name in PROCESSES}
    assert min(stopped, key=lambda name: stopped[name]) == "io"
    assert stopped["records"] > max(stopped[name] for name in ("io", "inspect", "camera@top", "shift"))
    started = {name: place("Started", name) for name in PROCESSES}
    assert min(started.values()) > max(stopped.values())
    assert started["records"] < min(started[name] for name in ("io", "inspect", "camera@top"))
    assert machine.run("systemctl --failed --no-legend") == ""


def test_removed_nothing_runs_and_nothing_is_tried_again(machine: Machine) -> None:
    machine.run("DEBIAN_FRONTEND=noninteractive apt-get remove -y -qq okng")
    time.sleep(2)
    assert machine.run(USERS) == ""
    assert machine.run("systemctl list-units --no-legend --state=active 'okng*.service'") == ""
    assert machine.root.path("/etc/okng/okng.toml").read_text() == SETTINGS
    assert machine.root.path("/var/lib/okng/store/ledger.db").exists()
