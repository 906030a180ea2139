"""The real records process: what it answered is on disk, whatever happens to it."""

import contextlib
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from okng.bus.heartbeat import Pulse
from okng.bus.messages import FrameLost, FrameReady, Health
from okng.bus.part import CodeRead, Outcome, Verdict, Why
from okng.records.check import check
from okng.records.options import RecordsOptions
from okng.records.read import LedgerReader, PartRow
from okng.records.retention_options import RetentionOptions

SCRIPT = Path(__file__).with_name("run_records.py")


class Process:
    """Starts, kills and stops the records process of one test."""

    def __init__(self, run_dir: Path, store: Path, cameras: tuple[str, ...] = ("cam0",), **options: Any) -> None:
        self.run_dir, self.cameras = run_dir, cameras
        # The disk under a test may be fuller than that of a box.
        roomy = RetentionOptions(low_percent=97, high_percent=98, hard_cap_percent=99)
        self.options = RecordsOptions(store=store, **{"min_free_mb": 0, "retention": roomy, **options})
        self.log = run_dir / "records.log"
        self.child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                [sys.executable, SCRIPT, self.run_dir, self.options.model_dump_json(), *self.cameras], stderr=log
            )
        self.wait_for(Health.READY)

    def wait_for(self, health: Health, seconds: float = 30.0) -> None:
        assert self.child is not None
        end, pulse = time.monotonic() + seconds, Pulse(self.run_dir)
        while time.monotonic() < end and self.child.poll() is None:
            beat = pulse.beats().get("records")
            if beat is not None and beat.health is health and (beat.pid == self.child.pid):
                return
            time.sleep(0.01)
        pytest.fail(f"records did not say {health} in {seconds} s:\n{self.log.read_text()}")

    def kill(self) -> None:
        assert self.child is not None
        self.child.kill()
        self.child.wait()

    def stop(self) -> int:
        assert self.child is not None
        self.child.send_signal(signal.SIGTERM)
        return self.child.wait(10)


@pytest.fixture
def line(maker: ModuleType, run_dir: Path) -> Iterator[Any]:
    made = maker.Line(run_dir)
    yield made
    made.close()


@pytest.fixture
def side(maker: ModuleType, line: Any, run_dir: Path) -> Iterator[Any]:
    """A second camera of the same line."""
    made = maker.Line(run_dir, camera="side", inspect=line.inspect)
    yield made
    made.ring.close()
    made.camera.close()


@pytest.fixture
def sender(maker: ModuleType, run_dir: Path) -> Iterator[Any]:
    made = maker.Sender(run_dir)
    yield made
    made.close()


@contextlib.contextmanager
def running(run_dir: Path, store: Path, cameras: tuple[str, ...] = ("cam0",), **options: Any) -> Iterator[Process]:
    process = Process(run_dir, store, cameras, **options)
    process.start()
    time.sleep(0.3)  # its subscription reaches inspect and the camera
    try:
        yield process
    finally:
        assert process.child is not None
        if process.child.poll() is None:
            assert process.stop() == 0, process.log.read_text()


def send_part(maker: ModuleType, sender: Any, part: int, why: Why, said: Any, epoch: str = "run-1") -> None:
    sender.send(maker.trigger_entry(2 * part - 1, part, epoch))
    sender.send(maker.record_entry(2 * part, part, why, epoch, said=said))


def rows(store: Path) -> dict[int, PartRow]:
    return {row.part: row for row in LedgerReader(store).rows(1000)}


def read_grey(store: Path, row: PartRow) -> Any:
    assert row.picture is not None
    return cv2.imread(str(store / row.picture), cv2.IMREAD_UNCHANGED)


def expected(frame: FrameReady) -> np.ndarray:
    picture = np.full((48, 64), frame.part % 251, np.uint8)
    picture[0] = range(64)
    return picture


def test_pictures_of_ng_and_unjudged_parts_are_kept_and_of_ok_parts_a_sample(
    maker: ModuleType, line: Any, sender: Any, run_dir: Path, tmp_path: Path
) -> None:
    with running(run_dir, tmp_path, ok_sample_percent=50.0) as process:
        frames = {}
        for part, outcome in enumerate(
            (Outcome.NG, Outcome.OK, Outcome.UNJUDGED, Outcome.OK, Outcome.OK, Outcome.OK), 1
        ):
            frames[part] = line.picture(part)
            line.inspect.send(maker.verdict(part, outcome, None, frames[part], (maker.HEAT,)))
            time.sleep(0.02)
            whole = maker.verdict(part, outcome, None, frames[part])
            why = {Outcome.OK: Why.OK, Outcome.NG: Why.NG}.get(outcome, Why.FAULT)
            send_part(maker, sender, part, why, whole)
            sender.turn()
        sender.send(maker.counters_entry(13, ok=4, ng=1, unjudged=1))
        assert sender.settle(), process.log.read_text()
    found = rows(tmp_path)
    assert [part for part, row in sorted(found.items()) if row.picture_kept] == [1, 3, 4, 6]
    for part in (1, 3):
        assert str(found[part].picture).startswith("pictures/2026/11/23/08/")
        assert np.array_equal(read_grey(tmp_path, found[part]), expected(frames[part]))
        assert found[part].heat == (maker.HEAT,)
    assert found[2].heat == ()
    assert str(found[4].picture).endswith(".jpg")
    balance = check(tmp_path, full=True)
    assert balance.balanced, balance.problems
    assert (balance.triggers, balance.ok, balance.ng, balance.unjudged, balance.pictures) == (6, 4, 1, 1, 4)


def test_a_part_that_nobody_judged_keeps_its_picture(
    maker: ModuleType, line: Any, sender: Any, run_dir: Path, tmp_path: Path
) -> None:
    with running(run_dir, tmp_path):
        frame = line.picture(5)
        line.camera.send(frame)
        time.sleep(0.05)
        send_part(maker, sender, 5, Why.LATE, None)
        sender.send(maker.trigger_entry(11, 6))
        sender.send(maker.record_entry(12, 6, Why.LOST, missed=True))
        assert sender.settle()
    found = rows(tmp_path)
    assert found[5].picture_kept
    assert np.array_equal(read_grey(tmp_path, found[5]), expected(frame))
    assert (found[5].width, found[5].height) == (64, 48)
    assert (found[6].picture_kept, found[6].missed, found[6].latency_ms) == (False, True, None)


def seen_by(maker: ModuleType, frame: FrameReady, outcome: Outcome) -> Verdict:
    said: Verdict = maker.verdict(frame.part, outcome, seen=frame, heat=(maker.HEAT,))
    return replace(said, camera=frame.camera, codes=(CodeRead(frame.camera, f"{frame.part}", "QRCode", True),))


def test_every_view_of_a_rejected_part_keeps_its_picture_and_of_ok_parts_all_or_none(
    maker: ModuleType, line: Any, side: Any, sender: Any, run_dir: Path, tmp_path: Path
) -> None:
    """What decides comes before the other view, or after it; io hears only what came until then."""
    decides = {1: "cam0", 2: "side", 3: "", 4: "", 5: "lost"}
    frames: dict[int, dict[str, FrameReady]] = {}
    with running(run_dir, tmp_path, ("cam0", "side"), ok_sample_percent=50.0) as process:
        for part, bad in decides.items():
            frames[part] = {"cam0": line.picture(part)}
            line.camera.send(frames[part]["cam0"])
            if bad == "lost":
                side.camera.send(FrameLost(part, "side", maker.at(part), "gap"))
            else:
                frames[part]["side"] = side.picture(part)
                side.camera.send(frames[part]["side"])
            said = [seen_by(maker, f, Outcome.NG if f.camera == bad else Outcome.OK) for f in frames[part].values()]
            for verdict in said:
                line.inspect.send(verdict)
            time.sleep(0.02)
            if bad == "lost":
                whole, why = (
                    replace(said[0], outcome=Outcome.UNJUDGED, reasons=("no picture by camera side",)),
                    Why.LOST,
                )
            elif bad:
                whole, why = next(v for v in said if v.camera == bad), Why.NG
                whole = replace(whole, views=(frames[part]["cam0"],) if bad == "side" else ())
            else:
                whole, why = replace(said[0], views=(frames[part]["side"],)), Why.OK
            send_part(maker, sender, part, why, replace(whole, heat=()))
            sender.turn()
        assert sender.settle(), process.log.read_text()
    found = rows(tmp_path)
    assert {part: row.camera for part, row in found.items()} == {1: "cam0", 2: "side", 3: "cam0", 4: "cam0", 5: "cam0"}
    kept = {part: [row.picture_kept, *(view.picture_kept for view in row.views)] for part, row in found.items()}
    assert kept == {1: [True, True], 2: [True, True], 3: [False, False], 4: [True, True], 5: [True]}
    for part in (1, 2, 5):
        pictures = {found[part].camera: found[part].picture, **{v.camera: v.picture for v in found[part].views}}
        assert pictures.keys() == frames[part].keys()
        for path in pictures.values():
            drawn: Any = cv2.imread(str(tmp_path / str(path)), cv2.IMREAD_UNCHANGED)
            assert np.array_equal(drawn, expected(frames[part]["cam0"]))
        assert found[part].heat == (maker.HEAT,)
        assert {code.name for code in found[part].codes} == frames[part].keys()  # also of the view io did not hear
    assert [p for p in check(tmp_path, full=True).problems if "picture" in p or "view" in p or "serial" in p] == []


def test_killed_again_and_again_it_loses_nothing_and_doubles_nothing(
    maker: ModuleType, line: Any, sender: Any, run_dir: Path, tmp_path: Path
) -> None:
    pick, parts = random.Random(11), 240
    process = Process(run_dir, tmp_path, ok_sample_percent=10.0)
    process.start()
    kills = sorted(pick.sample(range(10, parts), 6))
    for part in range(1, parts + 1):
        outcome = Outcome.NG if part % 4 == 0 else Outcome.OK
        seen = line.picture(part)
        line.inspect.send(maker.verdict(part, outcome, None, seen, (maker.HEAT,)))
        said = maker.verdict(part, outcome, None, seen)
        send_part(maker, sender, part, Why.NG if outcome is Outcome.NG else Why.OK, said)
        sender.turn()
        time.sleep(pick.uniform(0, 0.01))
        if part in kills:
            process.kill()
            confirmed = set(sender.stored)
            process.start()
            with LedgerReader(tmp_path).asking() as ask:
                numbers = {row["number"] for row in ask("select number from part union select number from trigger")}
            assert {number for _, number in confirmed} <= numbers
    sender.send(maker.counters_entry(2 * parts + 1, ok=parts - parts // 4, ng=parts // 4))
    assert sender.settle(), process.log.read_text()
    assert process.stop() == 0
    assert sorted(rows(tmp_path)) == list(range(1, parts + 1))
    balance = check(tmp_path, full=True)
    assert balance.balanced, balance.problems
    assert not list(tmp_path.glob("*.corrupt-*"))


def test_a_dead_run_of_io_is_closed_after_a_new_one_was_heard(
    maker: ModuleType, line: Any, sender: Any, run_dir: Path, tmp_path: Path
) -> None:
    with running(run_dir, tmp_path) as process:
        for part in (1, 2):
            sender.send(maker.trigger_entry(part, part, "run-1"))
        assert sender.settle()
        time.sleep(1.5)
        assert rows(tmp_path) == {}
        send_part(maker, sender, 3, Why.OK, None, "run-2")
        sender.send(maker.counters_entry(7, "run-2", ok=1))
        assert sender.settle()
        end = time.monotonic() + 15
        while len(rows(tmp_path)) < 3 and time.monotonic() < end:
            time.sleep(0.1)
        assert "died with parts open" in process.log.read_text()
    found = rows(tmp_path)
    assert [(part, found[part].why, found[part].recovered) for part in (1, 2, 3)] == [
        (1, "fault", True),
        (2, "fault", True),
        (3, "ok", False),
    ]
    assert check(tmp_path).balanced


def test_a_second_process_on_the_same_store_is_refused(run_dir: Path, tmp_path: Path) -> None:
    with running(run_dir, tmp_path) as process:
        other = subprocess.run(
            [sys.executable, SCRIPT, run_dir, process.options.model_dump_json()],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert other.returncode != 0
        assert "another okng is writing this ledger" in other.stderr


@pytest.mark.needs_root
def test_a_full_disk_stops_neither_the_process_nor_the_line(
    maker: ModuleType, line: Any, sender: Any, run_dir: Path, full_disk: Path
) -> None:
    """Entries stay with io while there is no room, and are all stored once there is."""
    ballast = full_disk / "ballast"
    with running(run_dir, full_disk / "store") as process:
        send_part(maker, sender, 1, Why.OK, None)
        assert sender.settle()
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(b"0" * 4096)
        for part in range(2, 200):
            seen = line.picture(part)
            line.inspect.send(maker.verdict(part, Outcome.NG, None, seen, (maker.HEAT,)))
            send_part(maker, sender, part, Why.NG, maker.verdict(part, Outcome.NG, None, seen))
            sender.turn()
            time.sleep(0.005)
        process.wait_for(Health.FAULT)
        assert not sender.settle(1.5)
        ballast.unlink()
        assert sender.settle(), process.log.read_text()
        process.wait_for(Health.READY)
    text = process.log.read_text()
    assert text.count("nothing is written to the ledger") == 1
    assert text.count("the ledger is written again after") == 1
    assert sorted(rows(full_disk / "store")) == list(range(1, 200))
    problems = check(full_disk / "store", full=True).problems
    assert problems == []
