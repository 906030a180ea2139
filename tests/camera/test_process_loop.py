"""Faults that no cable makes: wrong sizes, pictures nobody asked for, triggers not taken, frames that come late."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest

from okng.bus.clock import now_ns
from okng.bus.errors import BadSettings, CameraBusy, CameraLost
from okng.bus.messages import FrameReady, Health
from okng.bus.stop import Stop
from okng.camera.arrival import Arrival
from okng.camera.profiles import Profile
from okng.camera.source import CameraHealth

from .scripted_camera import PROFILE, Box, ScriptedSource, burst

HARDWARE = replace(PROFILE, trigger="hardware")
WIDE = {"pair_before_ms": 60, "pair_after_ms": 60}
MakeBox = Callable[..., Box]


@pytest.fixture
def source() -> ScriptedSource:
    return ScriptedSource()


@pytest.fixture
def box(short_path: Path) -> Iterator[MakeBox]:
    made: list[Box] = []

    def make(source: ScriptedSource, profile: Profile = PROFILE, **options: object) -> Box:
        made.append(Box(short_path, source, profile, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


def eye(rig: Box, part: int) -> None:
    """The eye fires the camera, and the box hears of it."""
    at_ns = now_ns()
    rig.source.expose()
    rig.trigger(part, at_ns)


def test_a_wrong_size_is_a_fault_and_asks_for_a_fresh_set_up(source: ScriptedSource, box: MakeBox) -> None:
    rig = box(source)
    rig.ready()
    assert rig.part(1) == "ready"
    source.fates.extend(["small"] * 5)
    assert rig.part(2) == "wrong size"
    rig.ready(Health.FAULT)
    assert rig.state is not None
    assert "another size or format" in rig.state.detail
    rig.until(lambda: rig.loop.wants_setup)
    rig.loop.set_aside("", "timeout")
    source.stop()
    source.configure(PROFILE)
    source.start()
    rig.loop.begin_again(PROFILE, rig.ring)
    assert rig.state.health is Health.FAULT, "a set-up is no proof"
    rig.ready()
    assert rig.part(3) == "ready"
    assert not rig.loop.wants_setup


def test_a_part_that_passed_the_eye_before_the_camera_was_back_gets_no_late_picture(
    source: ScriptedSource, box: MakeBox
) -> None:
    begun_ns = now_ns()
    rig = box(source)
    rig.ready()
    shots = source.edges
    rig.trigger(1, begun_ns)
    assert rig.answer(1) == "camera lost"
    assert source.edges == shots
    assert rig.part(2) == "ready"
    before_ns = now_ns()
    rig.loop.set_aside("being set up for job 2")
    rig.loop.begin(PROFILE, rig.ring)
    rig.trigger(3, before_ns)
    assert rig.answer(3) == "job change"
    rig.ready()
    assert rig.part(4) == "ready"


def test_pictures_that_nobody_asked_for_are_a_fault_while_idle(source: ScriptedSource, box: MakeBox) -> None:
    rig = box(source)
    rig.ready()
    assert rig.part(1) == "ready"
    for _ in range(4):
        source.expose(counted=False)
    rig.ready(Health.FAULT)
    assert rig.state is not None
    assert "nobody asked for" in rig.state.detail
    assert rig.part(2) == "pairing", "no part passes meanwhile"
    rig.ready()
    assert rig.part(3) == "ready"
    rig.until(lambda: rig.state is not None and rig.state.delivered == 2)
    assert rig.state.strays >= 2
    assert rig.state.triggers == rig.state.delivered + rig.state.incomplete + rig.state.missed


def test_a_frame_no_trigger_has_made_is_nobodys(source: ScriptedSource, box: MakeBox) -> None:
    source.counts = True
    rig = box(source, HARDWARE, **WIDE)
    rig.ready()
    for part in range(1, 6):
        eye(rig, part)
        source.expose(counted=False)  # a second frame in the same window, with the count of the first
        assert rig.answer(part) == "ready"
        assert rig.pixels(part) == bytes([(source.level - 1) % 200 + 20]) * PROFILE.size_bytes
        rig.turns(0.15)
    rig.until(lambda: rig.state is not None and rig.state.strays == 5)


def test_a_trigger_the_camera_did_not_take_is_counted_as_early(source: ScriptedSource, box: MakeBox) -> None:
    source.counts = True
    rig = box(source, HARDWARE, margin_ms=400, **WIDE)
    rig.ready()
    eye(rig, 1)
    assert rig.answer(1) == "ready"
    rig.turns(0.15)
    source.edges += 1  # it comes during an exposure
    rig.trigger(2)
    rig.turns(0.15)
    eye(rig, 3)
    assert rig.answer(3) == "ready"
    assert rig.answer(2) == "missed trigger"
    rig.until(lambda: rig.state is not None and rig.state.delivered == 2)
    state = rig.state
    assert state is not None
    assert (state.triggers, state.missed, state.early, state.gaps) == (3, 1, 1, 0)


@pytest.mark.parametrize("latched", [True, False])
def test_fired_from_here_too_a_lost_frame_costs_its_part_only(box: MakeBox, latched: bool) -> None:
    source = ScriptedSource(latched=latched)
    source.counts = True
    rig = box(source, margin_ms=60)
    rig.ready()
    source.fates.extend(["ok", "drop", "ok", "incomplete", "ok"])
    found = [rig.part(part) for part in range(1, 6)]
    assert found == ["ready", "timeout", "ready", "incomplete", "ready"]


def test_a_late_frame_dated_by_its_arrival_is_told_by_its_count(box: MakeBox) -> None:
    source = ScriptedSource(latched=False)
    source.counts = True
    rig = box(source, HARDWARE, margin_ms=10, transfer_ms=10, **WIDE)
    rig.ready()
    eye(rig, 1)
    assert rig.answer(1) == "ready"
    rig.turns(0.2)
    source.fates.append("late")
    source.shots.clear()
    eye(rig, 2)
    rig.until(lambda: 2 in rig.answers)
    assert rig.answer(2) == "timeout"
    rig.trigger(3)  # the eye has seen it, the camera has not: and the frame of part 2 comes now
    assert rig.answer(3) in ("pairing", "timeout")
    rig.turns(0.3)
    eye(rig, 4)
    assert rig.answer(4) == "ready"
    assert rig.pixels(4) == bytes([source.level % 200 + 20]) * PROFILE.size_bytes


def test_a_picture_of_four_frames_is_whole_in_its_slot(source: ScriptedSource, box: MakeBox) -> None:
    rig = box(source, burst())
    rig.ready()
    for part in range(1, 12):
        assert rig.part(part) == "ready"
        ready = rig.answers[part]
        assert isinstance(ready, FrameReady)
        assert (ready.height, ready.size_bytes) == (PROFILE.height, PROFILE.size_bytes)
        frame = PROFILE.size_bytes // 4
        levels = [(source.level - 3 + at) % 200 + 20 for at in range(4)]
        assert rig.pixels(part) == b"".join(bytes([level]) * frame for level in levels)


@pytest.mark.parametrize(("fate", "reason"), [("drop", "gap"), ("incomplete", "incomplete"), ("small", "wrong size")])
@pytest.mark.parametrize("trigger", ["software", "hardware"])
def test_a_frame_lost_inside_costs_that_part_alone(
    source: ScriptedSource, box: MakeBox, fate: str, reason: str, trigger: str
) -> None:
    rig = box(source, burst(replace(PROFILE, trigger=trigger)), **WIDE)  # type: ignore[arg-type]
    rig.ready()

    def part(number: int) -> str:
        if trigger == "software":
            return rig.part(number)
        eye(rig, number)
        found = rig.answer(number)
        rig.turns(0.15)
        return found

    assert part(1) == "ready"
    source.fates.extend(["ok", fate, "ok", "ok"])
    assert part(2) == reason
    rig.ready()
    assert [part(3), part(4)] == ["ready", "ready"]
    levels = [(source.level - 3 + at) % 200 + 20 for at in range(4)]
    assert rig.pixels(4)[:: PROFILE.size_bytes // 4] == bytes(levels)


def test_free_run_faster_than_set_is_said(source: ScriptedSource, box: MakeBox) -> None:
    rig = box(source, replace(PROFILE, trigger="off", frame_rate_hz=20))
    end = time.monotonic() + 5
    while (rig.state is None or rig.state.health is not Health.FAULT) and time.monotonic() < end:
        source.expose()
        rig.turn()
        time.sleep(0.005)
    assert rig.state is not None
    assert "faster than set" in rig.state.detail
    end = time.monotonic() + 5
    while rig.state.health is not Health.READY and time.monotonic() < end:
        source.expose()
        rig.turn()
        time.sleep(0.05)
    assert rig.state.health is Health.READY


def test_a_camera_held_by_another_program_is_asked_for_until_it_is_free(source: ScriptedSource, box: MakeBox) -> None:
    rig = box(source)
    source.refusals.extend([CameraBusy("camera SN1 is in use by another program (busy)")] * 4)
    rig.trigger(7)
    arrival = Arrival(source, "SN1", rig.announcer, rig.heartbeat, rig.bus)
    said: list[str] = []
    before = rig.announcer.state

    def state(health: Health, detail: str, counts: CameraHealth) -> None:
        said.append(f"{health}: {detail}")
        before(health, detail, counts)

    with patch.object(rig.announcer, "state", state):
        assert arrival.wait(Stop())
    assert not source.refusals
    assert any("lost: camera SN1 is in use by another program (busy): close that program" in each for each in said)
    rig.until(lambda: 7 in rig.answers)
    assert rig.answer(7) == "camera lost"


def test_what_a_person_must_change_is_not_asked_again(source: ScriptedSource, box: MakeBox) -> None:
    rig = box(source)
    source.refusals.extend([CameraLost("camera SN1: not found"), BadSettings("serial = '': expected one camera's")])
    with pytest.raises(BadSettings, match="expected one camera's"):
        Arrival(source, "", rig.announcer, rig.heartbeat, rig.bus).wait(Stop())


def test_a_process_that_grows_while_it_waits_ends(
    source: ScriptedSource, box: MakeBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = box(source)
    source.refusals.extend([CameraLost("camera SN1: not found")] * 9)
    monkeypatch.setattr("okng.camera.arrival.GROWTH_BYTES", -1)
    with pytest.raises(CameraLost, match="not found"):
        Arrival(source, "SN1", rig.announcer, rig.heartbeat, rig.bus).wait(Stop())
    assert len(source.refusals) == 8
