"""Heartbeats: progress, not life."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from okng.bus.clock import MS, SECOND, now_ns
from okng.bus.heartbeat import SLOTS, Heartbeat, Pulse
from okng.bus.messages import Health


def test_a_turning_loop_has_moved_and_a_stuck_one_has_not(tmp_path: Path) -> None:
    heartbeat = Heartbeat(tmp_path, "inspect")
    heartbeat.health = Health.READY
    heartbeat.turn()
    beat = Pulse(tmp_path).beats()["inspect"]
    assert (beat.pid, beat.health) == (os.getpid(), Health.READY)
    assert beat.has_moved(beat.turned_ns + 249 * MS, SECOND)
    assert not beat.has_moved(beat.turned_ns + 250 * MS, SECOND)


def test_work_that_waits_past_the_deadline_counts_as_stuck(tmp_path: Path) -> None:
    heartbeat = Heartbeat(tmp_path, "inspect")
    arrived = now_ns()
    heartbeat.turn(oldest_ns=arrived)
    beat = Pulse(tmp_path).beats()["inspect"]
    assert beat.has_moved(arrived + 99 * MS, 100 * MS)
    assert not beat.has_moved(arrived + 100 * MS, 100 * MS)


def test_one_name_one_slot_also_after_a_restart(tmp_path: Path) -> None:
    Heartbeat(tmp_path, "io")
    for _ in range(3):
        code = f"import pathlib, okng.bus.heartbeat as h; h.Heartbeat(pathlib.Path({str(tmp_path)!r}), 'camera-top')"
        subprocess.run([sys.executable, "-c", code], check=True)
    assert sorted(Pulse(tmp_path).beats()) == ["camera-top", "io"]


def test_done_is_counted_and_close_says_lost(tmp_path: Path) -> None:
    heartbeat, pulse = Heartbeat(tmp_path, "io"), Pulse(tmp_path)
    heartbeat.turn(done=2)
    heartbeat.turn(done=3)
    assert pulse.beats()["io"].done == 5
    heartbeat.close()
    heartbeat.close()
    assert pulse.beats()["io"].health is Health.LOST


def test_no_file_no_beats_and_no_room_is_said(tmp_path: Path) -> None:
    assert Pulse(tmp_path).beats() == {}
    kept = [Heartbeat(tmp_path, f"p{n}") for n in range(SLOTS)]
    with pytest.raises(ValueError, match="taken"):
        Heartbeat(tmp_path, "one-more")
    with pytest.raises(ValueError, match=r"1\.\.32"):
        Heartbeat(tmp_path, "x" * 33)
    assert len(kept) == SLOTS


def test_a_reader_never_sees_a_beat_that_is_being_written(tmp_path: Path) -> None:
    code = (
        "import pathlib, time, okng.bus.heartbeat as h\n"
        f"beat = h.Heartbeat(pathlib.Path({str(tmp_path)!r}), 'io')\n"
        "beat.health = h.Health.READY\n"
        "print('up', flush=True)\n"
        "end = time.monotonic() + 3\n"
        "while time.monotonic() < end: beat.turn(oldest_ns=7, done=1)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"up\n"
        begun, pulse, looks, last = now_ns(), Pulse(tmp_path), 0, 0
        while writer.poll() is None:
            beat = pulse.beats()["io"]
            assert beat.pid == writer.pid
            assert beat.turned_ns >= max(last, begun - SECOND)
            assert beat.done == 0 or beat.oldest_ns == 7
            last, looks = beat.turned_ns, looks + 1
        pulse.close()
    assert looks > 1000
