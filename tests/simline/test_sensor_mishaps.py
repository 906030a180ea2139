"""Every mishap the world can plan for the simulated camera, at the 1st, 2nd and later occasion, seen by harvesters."""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from okng.simline.genapi import FORMATS
from okng.simline.mishaps import FOREVER, KINDS, Mishap, offset_of
from okng.simline.scene import Scene

from .sensor_rig import QUICK, REFUSED, SERIAL, Rig, opened

ROWS, COLUMNS, LEVEL = 16, 32, 100
AT = pytest.mark.parametrize("at", [1, 2, 5])


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setenv("OKNG_SIM", str(tmp_path))
    with Scene(tmp_path, SERIAL, 64 * 64) as made:
        made.show(np.full((ROWS, COLUMNS), LEVEL, np.uint8), 1, noise=3)
        yield made


@pytest.fixture
def rig(scene: Scene) -> Iterator[Rig]:
    with opened() as made:
        made.start(**QUICK)
        made.shoot()
        yield made


def good(rig: Rig, count: int) -> None:
    """So many frames in which nothing is wrong."""
    for _ in range(count):
        shot = rig.shoot()
        assert abs(shot.data.mean() - LEVEL) < 2
        assert (shot.width, shot.height, shot.data.size) == (COLUMNS, ROWS, COLUMNS * ROWS)


# -- the plan ----------------------------------------------------------------------------------------------


def test_a_plan_says_from_when_how_often_and_at_which_distance(scene: Scene, rig: Rig) -> None:
    scene.plan("drop", at=2, times=3, every=2)
    came = []
    for _ in range(9):
        rig.fire()
        came.append(rig.fetch(0.05) is not None)
    assert came == [True, False, True, False, True, False, True, True, True]
    assert (scene.planned("drop"), scene.happened("drop")) == (0, 3)
    assert rig.shoot().number == 11, "the numbers of the lost ones are skipped"


def test_for_ever_lasts_until_it_is_taken_back(scene: Scene, rig: Rig) -> None:
    scene.plan(Mishap.BLACK, times=FOREVER)
    assert [rig.shoot().data.max() <= 3 for _ in range(10)] == [True] * 10
    assert (scene.planned("black"), scene.happened("black")) == (FOREVER, 10)
    scene.clear_faults()
    assert scene.planned("black") == 0
    good(rig, 2)


def test_two_mishaps_of_one_frame_do_not_hide_each_other(scene: Scene, rig: Rig) -> None:
    scene.plan("drop", at=2)
    scene.plan("bright", at=2)
    scene.plan("late", at=2, value=1)
    rig.shoot()
    rig.fire()
    assert rig.fetch(0.1) is None
    assert [scene.happened(kind) for kind in ("drop", "bright", "late")] == [1, 1, 1]
    good(rig, 1)


@pytest.mark.parametrize("wrong", [{"at": 0}, {"every": 0}, {"times": -1}, {"times": 2**32}, {"value": 2**63}])
def test_a_plan_that_is_none_is_refused(scene: Scene, wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        scene.plan("drop", **wrong)
    with pytest.raises(ValueError, match="nonsense"):
        scene.plan("nonsense")
    assert scene.planned("drop") == 0


def test_each_kind_has_its_own_place_before_the_pixels() -> None:
    places = [offset_of(kind) for kind in KINDS]
    assert places == sorted(set(places))
    assert all(later - earlier == 32 for earlier, later in itertools.pairwise(places))
    assert places[-1] + 32 <= 4096


# -- what a frame can be -----------------------------------------------------------------------------------


@AT
def test_incomplete(scene: Scene, rig: Rig, at: int) -> None:
    scene.plan("incomplete", at=at)
    good(rig, at - 1)
    rig.fire()
    assert rig.fetch(1.0) is None
    assert rig.incomplete.seen == 1
    good(rig, 2)


@AT
def test_freeze(scene: Scene, rig: Rig, at: int) -> None:
    shots = [rig.shoot()]
    scene.plan("freeze", at=at)
    shots += [rig.shoot() for _ in range(at + 1)]
    same = [np.array_equal(one.data, other.data) for one, other in itertools.pairwise(shots)]
    assert [place for place, equal in enumerate(same, 1) if equal] == [at]
    assert [shot.number for shot in shots] == list(range(2, at + 4))
    assert len({shot.device_ns for shot in shots}) == at + 2


@AT
def test_repeat(scene: Scene, rig: Rig, at: int) -> None:
    shots = [rig.shoot()]
    scene.plan("repeat", at=at)
    shots += [rig.shoot() for _ in range(at + 1)]
    again, before = shots[at], shots[at - 1]
    assert (again.number, again.device_ns) == (before.number, before.device_ns)
    assert np.array_equal(again.data, before.data)
    assert shots[at + 1].number == before.number + 1
    assert not np.array_equal(shots[at + 1].data, before.data)


@AT
def test_late(scene: Scene, rig: Rig, at: int) -> None:
    scene.plan("late", at=at, value=150_000)
    good(rig, at - 1)
    fired_ns = time.monotonic_ns()
    shot = rig.shoot()
    assert time.monotonic_ns() - fired_ns >= 150_000_000
    assert shot.number == at + 1
    good(rig, 1)


@AT
def test_held(scene: Scene, rig: Rig, at: int) -> None:
    scene.plan("held", at=at, value=400_000)
    good(rig, at - 1)
    fired_ns = time.monotonic_ns()
    rig.fire()
    assert rig.fetch(0.03) is None
    rig.fire()  # taken while the other one is on its way: no frame comes for the first when it is due, then two
    shots = [rig.must_fetch(), rig.must_fetch()]
    assert time.monotonic_ns() - fired_ns >= 400_000_000
    assert [shot.number for shot in shots] == [at + 1, at + 2]
    assert rig.get("SimMissedTriggers") == 0
    good(rig, 1)


def test_a_camera_whose_memory_is_full_takes_no_trigger(scene: Scene, rig: Rig) -> None:
    scene.plan("held", value=1_000_000)
    for _ in range(12):
        rig.fire()
        time.sleep(0.005)
    missed = rig.get("SimMissedTriggers")
    assert missed >= 4, "memory for eight"
    assert [rig.must_fetch().number for _ in range(12 - missed)] == list(range(2, 14 - missed))
    good(rig, 1)


@AT
def test_wrong_size(scene: Scene, rig: Rig, at: int) -> None:
    scene.plan("wrong_size", at=at)
    good(rig, at - 1)
    shot = rig.shoot()
    assert (shot.width, shot.height, shot.data.size) == (COLUMNS, ROWS // 2, COLUMNS * ROWS // 2)
    good(rig, 2)


@AT
@pytest.mark.parametrize(("wanted", "sent"), [("Mono8", "BayerRG8"), ("Mono12", "Mono8"), ("RGB8", "Mono8")])
def test_wrong_format(scene: Scene, rig: Rig, at: int, wanted: str, sent: str) -> None:
    rig.start(PixelFormat=wanted)
    scene.plan("wrong_format", at=at)
    shots = [rig.shoot() for _ in range(at + 1)]
    codes = dict(FORMATS)
    assert [shot.pixel_format for shot in shots] == [codes[wanted]] * (at - 1) + [codes[sent], codes[wanted]]
    assert shots[at - 1].data.size == COLUMNS * ROWS


@AT
def test_black_and_bright(scene: Scene, rig: Rig, at: int) -> None:
    scene.plan("black", at=at)
    scene.plan("bright", at=at + 1)
    good(rig, at - 1)
    assert rig.shoot().data.max() <= 3
    assert rig.shoot().data.min() >= 252
    good(rig, 1)


@AT
def test_a_burst_nobody_asked_for(scene: Scene, rig: Rig, at: int) -> None:
    scene.plan("burst", at=at, value=4)
    good(rig, at - 1)
    numbers = [rig.shoot().number] + [rig.must_fetch().number for _ in range(4)]
    assert numbers == list(range(at + 1, at + 6))
    assert rig.fetch(0.05) is None
    good(rig, 1)


@AT
@pytest.mark.parametrize("value", [10**12, -(10**11)])
def test_the_clock_jumps_and_stays_there(scene: Scene, rig: Rig, at: int, value: int) -> None:
    rig.set(SimClockOffset=0)
    scene.plan("clock_jump", at=at, value=value)
    for number in range(1, at + 3):
        fired_ns = time.monotonic_ns()
        stamp = rig.shoot().device_ns
        assert stamp is not None
        jumped = value if number >= at else 0
        assert 0 <= stamp - jumped - fired_ns < 5_000_000_000
    rig.set(TimestampLatch=True)
    assert abs(rig.get("TimestampLatchValue") - value - time.monotonic_ns()) < 5_000_000_000


@AT
def test_unplugged_in_the_middle_of_a_frame(scene: Scene, rig: Rig, at: int) -> None:
    scene.plan("unplug", at=at)
    good(rig, at - 1)
    rig.fire()
    assert rig.fetch(0.05) is None
    with pytest.raises(REFUSED):
        rig.get("PayloadSize")
    assert scene.pending("unplug") == 1
    scene.clear_faults()
    with pytest.raises(REFUSED):
        rig.get("PayloadSize")  # it does not come back before it is opened anew


def test_a_camera_without_a_clock(scene: Scene) -> None:
    scene.set_clock(False)
    with opened() as rig:
        rig.start(**QUICK)
        assert rig.shoot().device_ns is None
        assert rig.get("SimHasClock") == 0
        for name in ("TimestampLatch", "TimestampLatchValue"):
            assert rig.nodes.get_node(name).get_access_mode() == 1, "not available"
        with pytest.raises(REFUSED):
            rig.set(TimestampLatch=True)
        scene.set_clock(True)
        assert rig.shoot().device_ns is not None
        rig.set(TimestampLatch=True)
        assert rig.get("TimestampLatchValue") > 0
