"""A model that failed costs its part and is loaded again off the path; a GPU is kept warm between parts."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from okng.bus.errors import BadBundle, Fault
from okng.models.box import Box
from okng.models.bundle import Bundle
from okng.models.findings import Findings
from okng.models.keeper import Keeper, KeeperCounts
from okng.models.proof import proved_detector
from okng.models.runtime_options import RuntimeOptions
from okng.models.warmup import warm_up

MS = 1_000_000
REGION = Box(0, 0, 4, 4)
PICTURE = np.zeros((4, 4), np.uint8)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000 * MS

    def __call__(self) -> int:
        return self.now


class Scripted:
    """A detector that fails when told to."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.failures = self.warmed = 0
        self.broken = False
        self.threads: set[str] = set()

    def _ran(self) -> bool:
        self.threads.add(threading.current_thread().name)
        self.failures += self.broken
        return not self.broken

    def find(self, picture: Any, region: Box, limits: Mapping[str, float] | None = None) -> Findings:
        sound = self._ran()
        heat = np.zeros((2, 3), np.float32)
        return Findings(region, 1.0 if sound else np.inf, heat, "ab" * 32, 5, "" if sound else "device lost")

    def find_many(
        self, regions: Sequence[tuple[Any, Box]], limits: Sequence[Mapping[str, float] | None] | None = None
    ) -> list[Findings]:
        return [self.find(picture, region) for picture, region in regions]

    def warm(self) -> None:
        self.warmed += 1
        if not self._ran():
            raise RuntimeError("device lost")


class Workshop:
    """Builds detectors; refuses as often as told."""

    def __init__(self) -> None:
        self.made: list[Scripted] = []
        self.refuse = 0
        self.threads: list[str] = []
        self.open = threading.Event()
        self.open.set()

    def __call__(self) -> Scripted:
        self.threads.append(threading.current_thread().name)
        assert self.open.wait(10)
        if self.refuse:
            self.refuse -= 1
            raise BadBundle("no device")
        self.made.append(Scripted(len(self.made)))
        return self.made[-1]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("okng.models.keeper._FIRST_WAIT_S", 0.001)


def turned(keeper: Keeper[Scripted]) -> bool:
    keeper.turn()
    return keeper.fit


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_a_failed_run_is_unsound_and_the_model_comes_back_whole() -> None:
    build = Workshop()
    keeper = Keeper(build)
    assert keeper.find(PICTURE, REGION).sound
    build.open.clear()
    build.made[0].broken = True
    assert keeper.find(PICTURE, REGION).trouble == "device lost"
    assert not keeper.fit
    between = keeper.find(PICTURE, REGION)  # the rebuilding goes on: nothing passes, and nothing waits for it
    assert not between.sound
    assert between.score == np.inf
    assert "device lost" in between.trouble
    assert (between.model, between.heat.shape) == ("ab" * 32, (2, 3))
    assert keeper.wait_ns() is not None
    keeper.turn()
    build.open.set()
    until(lambda: turned(keeper))
    assert keeper.find(PICTURE, REGION).sound
    assert build.threads == ["MainThread", "rebuild"]
    assert build.made[1].threads == {"MainThread"}
    assert keeper.counts == KeeperCounts(finds=3, failures=1, refused=1, rebuilds=1)
    keeper.close()


def test_several_regions_in_one_go_are_lost_and_found_together() -> None:
    build = Workshop()
    keeper = Keeper(build)
    regions = [(PICTURE, REGION)] * 3
    assert [one.sound for one in keeper.find_many(regions)] == [True] * 3
    build.made[0].broken = True
    build.open.clear()
    assert [one.sound for one in keeper.find_many(regions)] == [False] * 3
    assert [one.trouble for one in keeper.find_many(regions)] == ["no model at hand: device lost"] * 3
    build.open.set()
    until(lambda: turned(keeper))
    assert keeper.counts == KeeperCounts(finds=6, failures=1, refused=3, rebuilds=1)


def test_attempts_are_bounded_then_it_is_a_fault() -> None:
    build = Workshop()
    keeper = Keeper(build, attempts=3)
    build.refuse = 99
    build.made[0].broken = True
    keeper.find(PICTURE, REGION)
    with pytest.raises(Fault, match="after 3 attempts: no device"):
        until(lambda: turned(keeper))
    assert len(build.threads) == 1 + 3
    assert keeper.counts.failed_builds == 3
    assert not keeper.find(PICTURE, REGION).sound  # still nothing passes
    with pytest.raises(Fault, match="no device"):
        _ = keeper.detector


def test_a_model_that_fails_again_and_again_uses_its_attempts_up() -> None:
    build = Workshop()
    keeper = Keeper(build, attempts=2)

    def break_it() -> None:
        build.made[-1].broken = True
        assert not keeper.find(PICTURE, REGION).sound

    for _ in range(2):
        break_it()
        until(lambda: turned(keeper))
    break_it()
    with pytest.raises(Fault, match="after 2 attempts"):
        keeper.turn()


def test_a_long_sound_run_gives_the_attempts_back() -> None:
    clock, build = Clock(), Workshop()
    keeper = Keeper(build, attempts=1, clock_ns=clock)
    for _ in range(4):
        clock.now += 700_000 * MS
        build.made[-1].broken = True
        keeper.find(PICTURE, REGION)
        until(lambda: turned(keeper))
    assert keeper.counts.rebuilds == 4


def test_one_refusal_is_tried_again() -> None:
    build = Workshop()
    keeper = Keeper(build)
    build.refuse = 2
    build.made[0].broken = True
    keeper.find(PICTURE, REGION)
    until(lambda: turned(keeper))
    assert (keeper.counts.failed_builds, keeper.counts.rebuilds) == (2, 1)


def test_idle_is_kept_warm_and_busy_is_left_alone() -> None:
    clock, build = Clock(), Workshop()
    keeper = Keeper(build, warm_ms=50, clock_ns=clock)
    (detector,) = build.made
    assert keeper.wait_ns() == 50 * MS
    clock.now += 49 * MS
    keeper.turn()
    assert detector.warmed == 0
    clock.now += MS
    assert keeper.wait_ns() == 0
    keeper.turn()
    keeper.turn()
    assert detector.warmed == 1  # once per pause, not once per turn
    for _ in range(10):
        clock.now += 49 * MS
        keeper.find(PICTURE, REGION)
        keeper.turn()
    assert detector.warmed == 1
    assert keeper.counts.warm_runs == 1


def test_without_a_period_nothing_is_warmed_or_waited_for() -> None:
    clock, build = Clock(), Workshop()
    keeper = Keeper(build, clock_ns=clock)
    clock.now += 10**15
    keeper.turn()
    assert keeper.wait_ns() is None
    assert build.made[0].warmed == 0


def test_a_failure_while_keeping_warm_is_found_before_the_next_part() -> None:
    clock, build = Clock(), Workshop()
    keeper = Keeper(build, warm_ms=50, clock_ns=clock)
    build.made[0].broken = True
    clock.now += 60 * MS
    keeper.turn()
    until(lambda: turned(keeper))
    assert keeper.find(PICTURE, REGION).sound


def test_what_the_first_build_raises_goes_to_the_caller() -> None:
    build = Workshop()
    build.refuse = 1
    with pytest.raises(BadBundle, match="no device"):
        Keeper(build)


def test_warming_up_ends_when_the_times_settle() -> None:
    clock, times = Clock(), [900, 500, 300, 120, 105, 101, *[100] * 200]

    def run() -> None:
        clock.now += times.pop(0)

    done = warm_up(run, clock_ns=clock)
    assert done.settled
    assert done.first_ns == 900
    assert done.settled_ns == 100
    assert done.runs <= 30


def test_warming_up_is_bounded() -> None:
    clock, step = Clock(), [10_000]

    def faster_for_ever() -> None:
        step[0] = step[0] * 9 // 10 + 1
        clock.now += step[0] * MS

    assert not warm_up(faster_for_ever, most_runs=7, clock_ns=clock).settled
    step[0] = 10_000
    assert warm_up(faster_for_ever, most_ms=15_000, clock_ns=clock).runs == 2


def brittle(tiny: Any) -> Any:
    """The tiny model, which fails in ONNX Runtime itself where a pixel is brighter than 200."""
    model = tiny.graph()
    (last,) = [node for node in model.graph.node if "score" in node.output]
    last.output[0] = "score.own"
    model.graph.node.extend(
        [
            helper.make_node("Cast", ["score.own"], ["place"], to=TensorProto.INT64),
            helper.make_node("Gather", ["table", "place"], ["nothing"]),
            helper.make_node("Add", ["score.own", "nothing"], ["score"]),
        ]
    )
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(201, np.float32), "table"))
    return model


def test_a_run_that_fails_inside_the_runtime_costs_its_part_alone(
    make_bundle: Callable[..., Bundle], tiny: Any
) -> None:
    bundle = make_bundle(brittle(tiny), scores={10: 10.0, 100: 100.0})
    keeper = Keeper(lambda: proved_detector(bundle, RuntimeOptions(), timed=False))
    good, deadly = np.full((32, 32), 50, np.uint8), np.full((32, 32), 250, np.uint8)
    good[0, 0] = 60
    whole = Box(0, 0, 32, 32)
    assert keeper.find(good, whole).score == 60.0
    lost = keeper.find(deadly, whole)
    assert (lost.sound, lost.score) == (False, np.inf)
    assert "the model did not run" in lost.trouble
    end = time.monotonic() + 20
    while not keeper.fit:
        assert time.monotonic() < end
        time.sleep(0.01)
        keeper.turn()
    again = keeper.find(good, whole)
    assert (again.sound, again.score, again.model) == (True, 60.0, bundle.digest)
    assert (keeper.counts.failures, keeper.counts.rebuilds) == (1, 1)
    keeper.close()
