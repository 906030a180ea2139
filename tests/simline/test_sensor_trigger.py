"""What the simulated camera makes of triggers: source, edge, delay, debounce, overlap, bursts."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from okng.simline.scene import Scene

from .sensor_rig import QUICK, SERIAL, TRIGGERED, Rig, opened, until

ROWS, COLUMNS = 16, 32
SLOW_US = 300_000.0
"""An exposure that is still under way when the next lines of a test run, on a loaded machine, too."""


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setenv("OKNG_SIM", str(tmp_path))
    with Scene(tmp_path, SERIAL, 64 * 64) as made:
        made.show(np.full((ROWS, COLUMNS), 100, np.uint8), 1)
        yield made


@pytest.fixture
def rig(scene: Scene) -> Iterator[Rig]:
    with opened() as made:
        made.set(**QUICK)
        yield made


@pytest.mark.parametrize(("source", "line"), [("Line0", 0), ("Line1", 1)])
def test_a_pulse_on_the_chosen_line_and_on_no_other_makes_a_frame(
    scene: Scene, rig: Rig, source: str, line: int
) -> None:
    rig.start(TriggerSource=source)
    assert scene.pulse_line(1 - line)
    rig.fire()
    assert scene.pulse_line(line)
    assert rig.must_fetch().number == 1
    assert rig.fetch(0.05) is None
    assert scene.exposures == 1
    assert scene.missed_triggers == 0


def test_a_falling_edge_comes_when_the_pulse_ends(scene: Scene, rig: Rig) -> None:
    rig.start(TriggerSource="Line0", TriggerActivation="FallingEdge")
    scene.pulse_line0(200_000)
    assert rig.fetch(0.05) is None
    assert rig.must_fetch().number == 1
    rig.start(TriggerActivation="RisingEdge")
    scene.pulse_line0(3_000_000)
    assert rig.must_fetch().number == 1


def test_a_delay_holds_the_exposure_back_by_its_us(scene: Scene, rig: Rig) -> None:
    rig.start(TriggerDelay=150_000.0, SimClockOffset=0)
    fired_ns = time.monotonic_ns()
    stamp = rig.shoot().device_ns
    assert stamp is not None
    assert 150_000_000 <= stamp - fired_ns < 2_000_000_000
    rig.start(TriggerDelay=0.0)
    fired_ns = time.monotonic_ns()
    stamp = rig.shoot().device_ns
    assert stamp is not None
    assert stamp - fired_ns < 150_000_000


def test_what_the_world_shows_when_the_delay_is_over_is_in_the_picture(scene: Scene, rig: Rig) -> None:
    rig.start(TriggerDelay=200_000.0)
    rig.fire()
    scene.show(np.full((ROWS, COLUMNS), 200, np.uint8), 2)
    assert set(rig.must_fetch().data.tolist()) == {200}


def test_a_pulse_shorter_than_the_debouncers_time_is_none(scene: Scene, rig: Rig) -> None:
    rig.start(TriggerSource="Line0", LineSelector="Line0", LineDebouncerTime=500.0, CounterEventSource="Line0")
    for width_us in (10, 499, 500, 499, 2000):
        assert scene.pulse_line0(width_us)
        time.sleep(0.02)
    assert until(scene, "exposures", 2) == 2
    assert [rig.must_fetch().number for _ in range(2)] == [1, 2]
    assert rig.get("CounterValue") == 2
    rig.set(LineSelector="Line1")
    assert rig.get("LineDebouncerTime") == 0.0, "each line has its own"
    assert rig.get("LineMode") == "Input"


@pytest.mark.parametrize(
    ("overlap", "exposing", "reading"),
    [("Off", False, False), ("ReadOut", False, True), ("PreviousFrame", True, True)],
)
def test_a_trigger_is_taken_when_the_overlap_says_so(
    scene: Scene, rig: Rig, overlap: str, exposing: bool, reading: bool
) -> None:
    rig.start(TriggerOverlap=overlap, ExposureTime=SLOW_US, SimReadoutTime=SLOW_US)
    rig.fire()
    rig.fire()  # the first exposure is still under way
    assert rig.get("SimMissedTriggers") == (0 if exposing else 1)
    assert rig.must_fetch().number == 1
    if exposing:
        assert rig.must_fetch().number == 2
    assert rig.fetch(0.02) is None

    before = rig.get("SimMissedTriggers")
    rig.set(ExposureTime=100.0)
    rig.fire()
    time.sleep(0.05)
    rig.fire()  # exposed long ago, still read out
    assert rig.get("SimMissedTriggers") - before == (0 if reading else 1)
    numbers = [rig.must_fetch().number for _ in range(2 if reading else 1)]
    assert rig.fetch(0.02) is None
    assert rig.shoot().number == numbers[-1] + 1, "a missed trigger has no number"


def test_one_trigger_is_kept_for_after_the_previous_frame_and_no_more(scene: Scene, rig: Rig) -> None:
    rig.start(TriggerOverlap="PreviousFrame", ExposureTime=SLOW_US)
    for _ in range(4):
        rig.fire()
    assert rig.get("SimMissedTriggers") == scene.missed_triggers == 2
    first, second = rig.must_fetch(), rig.must_fetch()
    assert (first.number, second.number) == (1, 2)
    assert first.device_ns is not None
    assert second.device_ns is not None
    assert second.device_ns - first.device_ns >= SLOW_US * 1000
    assert rig.fetch(0.02) is None


def test_missed_edges_of_line0_are_told_apart(scene: Scene, rig: Rig) -> None:
    rig.start(TriggerSource="Line0", ExposureTime=SLOW_US)
    for _ in range(3):
        scene.pulse_line0()
    assert until(scene, "line0_missed", 2) == 2
    assert scene.missed_triggers == 2
    assert rig.must_fetch().number == 1
    rig.start()
    assert rig.get("SimMissedTriggers") == 0, "counted anew in each stream"


def burst(frames: int) -> dict[str, object]:
    return {
        "TriggerSelector": "FrameStart",
        "TriggerMode": "Off",
        "AcquisitionBurstFrameCount": frames,
    }


def arm_burst(rig: Rig, frames: int, **features: object) -> None:
    rig.stop()
    rig.set(**burst(frames))
    rig.start(**{**TRIGGERED, "TriggerSelector": "FrameBurstStart"}, **features)


def test_one_trigger_makes_a_burst_of_frames(scene: Scene, rig: Rig) -> None:
    arm_burst(rig, 5)
    rig.fire()
    assert [rig.must_fetch().number for _ in range(5)] == [1, 2, 3, 4, 5]
    assert rig.fetch(0.05) is None
    rig.fire()
    assert [rig.must_fetch().number for _ in range(5)] == [6, 7, 8, 9, 10]
    assert rig.get("SimMissedTriggers") == 0


def test_a_trigger_during_a_burst_is_missed(scene: Scene, rig: Rig) -> None:
    arm_burst(rig, 3, ExposureTime=100_000.0)
    rig.fire()
    rig.fire()
    assert [rig.must_fetch().number for _ in range(3)] == [1, 2, 3]
    assert rig.fetch(0.15) is None
    assert rig.get("SimMissedTriggers") == 1


def test_with_both_triggers_on_each_frame_of_the_burst_waits_for_its_own(scene: Scene, rig: Rig) -> None:
    rig.stop()
    rig.set(**burst(2))
    rig.set(**{**TRIGGERED, "TriggerSelector": "FrameBurstStart", "TriggerSource": "Line0"})
    rig.start(**TRIGGERED)
    rig.fire()
    assert rig.get("SimMissedTriggers") == 1, "no burst has begun"
    scene.pulse_line0()
    assert rig.fetch(0.05) is None
    assert [rig.shoot().number for _ in range(2)] == [1, 2]
    rig.fire()
    assert rig.get("SimMissedTriggers") == 2, "the burst is over"


def test_a_line_scan_burst_shows_the_part_strip_by_strip(scene: Scene, rig: Rig) -> None:
    part = np.arange(64 * COLUMNS, dtype=np.uint32).astype(np.uint8).reshape(64, COLUMNS)
    part[:, 0] = np.arange(64)
    scene.show(part, 3)
    rig.stop()
    arm_burst(rig, 4, SimLineScan="On", Width=COLUMNS, Height=16)
    rig.fire()
    strips = [rig.must_fetch().data.reshape(16, COLUMNS) for _ in range(4)]
    assert np.array_equal(np.concatenate(strips), part)
    rig.fire()
    again = [rig.must_fetch().data.reshape(16, COLUMNS) for _ in range(4)]
    assert np.array_equal(np.concatenate(again), part), "the next part begins at its top"


def test_free_run_keeps_its_rate_and_may_be_let_go(scene: Scene, rig: Rig) -> None:
    rig.start(TriggerMode="Off", AcquisitionFrameRateEnable=True, AcquisitionFrameRate=50.0)
    stamps = [rig.must_fetch().device_ns or 0 for _ in range(11)]
    assert 0.19 <= (stamps[10] - stamps[0]) / 1e9 < 1.0
    rig.start(AcquisitionFrameRateEnable=False)
    stamps = [rig.must_fetch().device_ns or 0 for _ in range(11)]
    assert (stamps[10] - stamps[0]) / 1e9 < 0.19
