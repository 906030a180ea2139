"""The supervisor: what dies comes back, with a budget; what hangs is killed; all stop in order."""

import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from okng.appliance.supervisor import BUDGET, CAMERA_LOST, OPENING_NS, Child, Supervisor, box_children
from okng.bus.clock import SECOND
from okng.bus.degraded import read_degraded

TURNS = """
import pathlib, signal, sys, time
from okng.bus.heartbeat import Heartbeat
from okng.bus.messages import Health
from okng.bus.stop import Stop
stop, beat = Stop(), Heartbeat(pathlib.Path(sys.argv[1]), sys.argv[2])
beat.health = Health.READY
print(sys.argv[2], 'up', flush=True)
while not stop.asked.wait(0.02):
    beat.turn()
print(sys.argv[2], 'down', flush=True)
"""


def turning(run_dir: Path, name: str) -> Child:
    return Child(name, [sys.executable, "-c", TURNS, str(run_dir), name])


def until(supervisor: Supervisor, true: Callable[[], bool], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        supervisor.watch()
        if true():
            return True
        time.sleep(0.02)
    return False


def test_a_killed_process_comes_back(tmp_path: Path) -> None:
    child = turning(tmp_path, "inspect")
    supervisor = Supervisor([child], tmp_path)
    supervisor.start()
    try:
        first = supervisor.pids()["inspect"]
        os.kill(first, signal.SIGKILL)
        assert until(supervisor, lambda: supervisor.pids().get("inspect", first) != first)
        assert child.restarts == 1
    finally:
        supervisor.stop()


def test_a_process_that_hangs_after_ready_is_killed_and_comes_back(tmp_path: Path) -> None:
    child = turning(tmp_path, "records")
    supervisor = Supervisor([child], tmp_path)
    with (tmp_path / "log").open("wb") as log:
        supervisor = Supervisor([child], tmp_path, log)
        supervisor.start()
        try:
            assert until(supervisor, lambda: b"up" in (tmp_path / "log").read_bytes())
            first = supervisor.pids()["records"]
            time.sleep(0.2)
            os.kill(first, signal.SIGSTOP)
            assert until(supervisor, lambda: supervisor.pids().get("records", first) != first)
        finally:
            supervisor.stop()


def test_a_crash_loop_ends_after_its_budget(tmp_path: Path) -> None:
    child = Child("web", [sys.executable, "-c", "raise SystemExit(3)"])
    supervisor = Supervisor([child], tmp_path)
    supervisor.start()
    try:
        assert until(supervisor, lambda: child.given_up)
        assert len(child.starts) == BUDGET
    finally:
        supervisor.stop()


def test_an_unplugged_camera_costs_nothing_of_the_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("okng.appliance.supervisor.BACK_OFF_NS", (1,))
    child = Child("camera-top", [sys.executable, "-c", f"raise SystemExit({CAMERA_LOST})"])
    supervisor = Supervisor([child], tmp_path)
    supervisor.start()
    try:
        assert until(supervisor, lambda: child.restarts > BUDGET + 2)
        assert not child.given_up
    finally:
        supervisor.stop()


def test_io_is_never_given_up(tmp_path: Path) -> None:
    child = Child("io", [sys.executable, "-c", "raise SystemExit(3)"], never_give_up=True)
    supervisor = Supervisor([child], tmp_path)
    supervisor.start()
    try:
        assert until(supervisor, lambda: child.restarts > BUDGET)
    finally:
        supervisor.stop()


def test_all_stop_in_the_order_given(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        supervisor = Supervisor([turning(tmp_path, "io"), turning(tmp_path, "records")], tmp_path, log)
        supervisor.start()
        text = tmp_path / "log"
        assert until(supervisor, lambda: text.read_bytes().count(b"up") == 2)
        supervisor.stop()
    said = [line for line in text.read_text(encoding="utf-8").splitlines() if line.endswith("down")]
    assert said == ["io down", "records down"]
    assert supervisor.pids() == {}


def test_children_die_with_the_supervisor(tmp_path: Path) -> None:
    import subprocess

    code = (
        "import pathlib, sys, time\n"
        "from okng.appliance.supervisor import Child, Supervisor\n"
        "s = Supervisor([Child('x', [sys.executable, '-c', 'import time; time.sleep(60)'])], "
        "pathlib.Path(sys.argv[1]))\n"
        "s.start(); print(s.pids()['x'], flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 10
    while time.monotonic() < end and Path(f"/proc/{child}").exists():
        stat = Path(f"/proc/{child}/stat").read_text(encoding="ascii") if Path(f"/proc/{child}").exists() else "Z"
        if ") Z " in stat:
            break
        time.sleep(0.05)
    else:
        assert not Path(f"/proc/{child}").exists()


OPENS = """
import pathlib, sys, time
from okng.bus.heartbeat import Heartbeat
from okng.bus.messages import Health
run_dir, how = pathlib.Path(sys.argv[1]), sys.argv[2]
if how == 'before':
    time.sleep(60)
beat = Heartbeat(run_dir, 'camera-top')
beat.health = Health(how)
for _ in range(5):
    beat.turn()
    time.sleep(0.02)
(run_dir / 'inside').touch()
time.sleep(60)
"""


@pytest.mark.parametrize("how", ["before", "starting", "lost", "fault"])
def test_a_camera_that_hangs_inside_its_library_is_killed_before_it_is_ready_too(tmp_path: Path, how: str) -> None:
    command = [sys.executable, "-c", OPENS, str(tmp_path), how]
    child = Child("camera-top", command, opening_ns=1_500_000_000 if how != "fault" else 60_000_000_000)
    supervisor = Supervisor([child], tmp_path)
    supervisor.start()
    try:
        first = supervisor.pids()["camera-top"]
        assert until(supervisor, lambda: supervisor.pids().get("camera-top", first) != first)
        assert child.restarts == 1
        assert (tmp_path / "inside").exists() == (how != "before")
    finally:
        supervisor.stop()


def test_others_may_take_their_time_until_they_are_ready(tmp_path: Path) -> None:
    child = Child("inspect", [sys.executable, "-c", OPENS.replace("camera-top", "inspect"), str(tmp_path), "starting"])
    supervisor = Supervisor([child], tmp_path)
    supervisor.start()
    try:
        first = supervisor.pids()["inspect"]
        assert until(supervisor, (tmp_path / "inside").exists)
        assert not until(supervisor, lambda: supervisor.pids().get("inspect") != first, 2.5)
    finally:
        supervisor.stop()


LOSES = """
import pathlib, sys, time
from okng.bus.heartbeat import Heartbeat
from okng.bus.messages import Health
beat = Heartbeat(pathlib.Path(sys.argv[1]), 'camera-top')
beat.health = Health(sys.argv[2])
end = time.monotonic() + 0.3
while time.monotonic() < end:
    beat.turn()
    time.sleep(0.01)
raise SystemExit(75)
"""


@pytest.mark.parametrize(("health", "at_once"), [("ready", True), ("starting", False)])
def test_a_camera_that_was_ready_is_started_again_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, health: str, at_once: bool
) -> None:
    monkeypatch.setattr("okng.appliance.supervisor.BACK_OFF_NS", (60_000_000_000,))
    child = Child("camera-top", [sys.executable, "-c", LOSES, str(tmp_path), health], opening_ns=10_000_000_000)
    supervisor = Supervisor([child], tmp_path)
    supervisor.start()
    try:
        assert until(supervisor, lambda: child.restarts == 2 or (not at_once and child.losses == 1))
        assert (child.restarts, child.losses) == ((2, 0) if at_once else (0, 1))
        assert not child.given_up
    finally:
        supervisor.stop()


def test_who_is_given_up_is_written_down_with_its_last_words_and_taken_back_when_it_stays_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("okng.appliance.supervisor.RETRY_NS", 10_000_000)
    monkeypatch.setattr("okng.appliance.supervisor.STABLE_NS", 300_000_000)
    breaks = (
        "import pathlib, sys\nfrom okng.bus.stacks import keep_stacks\n"
        "keep_stacks(pathlib.Path(sys.argv[1]), sys.argv[2])\n"
        "if not pathlib.Path(sys.argv[1], 'mended').exists(): raise ValueError('the lamp is gone')\n"
    )
    child = Child("web", [sys.executable, "-c", breaks + TURNS, str(tmp_path), "web"])
    supervisor = Supervisor([child], tmp_path)
    supervisor.start()
    try:
        assert until(supervisor, lambda: child.given_up)
        (found,) = read_degraded(tmp_path)
        assert (found.name, found.ended) == ("web", "exit code 1")
        assert "ValueError: the lamp is gone" in found.stack
        assert until(supervisor, lambda: child.restarts > BUDGET)
        assert read_degraded(tmp_path)[0].since == found.since
        (tmp_path / "mended").touch()
        assert until(supervisor, lambda: read_degraded(tmp_path) == ())
        assert not child.given_up
    finally:
        supervisor.stop()


def test_of_two_judges_the_one_that_breaks_is_shown_with_its_own_last_words(tmp_path: Path) -> None:
    """The one that was started as the judge breaks while the other one judges: it is the standby that is missing."""
    breaks = (
        "import pathlib, sys\nfrom okng.bus.stacks import keep_stacks\n"
        "keep_stacks(pathlib.Path(sys.argv[1]), 'inspect')\nraise ValueError('the lamp is gone')\n"
    )
    judges = TURNS.replace("sys.argv[2])", "'inspect')", 1)
    children = [
        Child("inspect-standby", [sys.executable, "-c", judges, str(tmp_path), "inspect-standby"]),
        Child("inspect", [sys.executable, "-c", breaks, str(tmp_path)]),
    ]
    supervisor = Supervisor(children, tmp_path)
    supervisor.start()
    try:
        assert until(supervisor, lambda: children[1].given_up)
        (found,) = read_degraded(tmp_path)
        assert found.name == "inspect-standby"
        assert "ValueError: the lamp is gone" in found.stack
    finally:
        supervisor.stop()


def test_a_judge_that_hangs_before_it_is_ready_is_watched_as_a_camera_is() -> None:
    children = {child.name: child for child in box_children(Path("okng.toml"), ("top",), standby=True)}
    watched = {name for name, child in children.items() if child.opening_ns == OPENING_NS}
    assert watched == {"camera-top", "inspect", "inspect-standby"}


def test_who_may_wait_for_a_disk_gets_the_time_that_its_unit_gives_it() -> None:
    """A sync of some seconds is no hang of records; io, which waits for nothing, is killed after two seconds."""
    units = Path(__file__).parent.parent.parent / "systemd"
    children = {child.name: child for child in box_children(Path("okng.toml"), ("top",))}
    for name in ("io", "inspect", "records", "shift", "web", "workshop"):
        said = re.search(r"^WatchdogSec=(\d+)s$", (units / f"okng-{name}.service").read_text(), re.MULTILINE)
        assert said is not None
        assert children[name].silent_ns == int(said.group(1)) * SECOND


def test_a_box_stops_io_first_and_the_ledger_after_all_that_makes_rows(tmp_path: Path) -> None:
    names = [child.name for child in box_children(tmp_path / "okng.toml", ("top",), beside=("mqtt",), standby=True)]
    assert names[:2] == ["io", "shift"], "READY falls before anything that it vouches for ends"
    assert names.index("records") > max(
        names.index(name) for name in ("io", "camera-top", "inspect", "inspect-standby")
    )
    assert "inspect-standby" not in [child.name for child in box_children(tmp_path / "okng.toml", ("top",))]
