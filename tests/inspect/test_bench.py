"""What inspect has at hand at a job change: loaded beside the old one, proved, and let go of again."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import pytest

from okng.bus.errors import BadBundle
from okng.bus.messages import Job, JobOrder, JobPhase, JobReport
from okng.inspect.bench import Bench
from okng.inspect.inspector import Inspector

CAP = Job("cap", "0123456789ab", "f" * 64, 10**8)
LID = Job("lid", "ba9876543210", "d" * 64, 10**8)
JOBS = {1: CAP, 2: LID}


@dataclass(eq=False)
class Loaded:
    """As much of an inspector as the bench looks at."""

    number: int
    job: Job
    closed: bool = False

    def close(self) -> None:
        self.closed = True


class Loader:
    """Loads what JOBS says, when `go` is set; counts."""

    def __init__(self) -> None:
        self.loads: list[int] = []
        self.go = threading.Event()
        self.go.set()
        self.error: Exception | None = None

    def __call__(self, number: int, job: Job | None, folders: dict[str, Path]) -> Inspector:
        self.loads.append(number)
        assert self.go.wait(10)
        if self.error is not None:
            raise self.error
        assert job is not None
        return cast(Inspector, Loaded(number, job))


class Room:
    """A bench, its loader, and io's orders."""

    def __init__(self) -> None:
        self.load = Loader()
        self.first = cast(Inspector, Loaded(1, CAP))
        self.bench = Bench(self.first, self.load)
        self.order = JobOrder("run", 1, JobPhase.PREPARE, 1, CAP, 2, LID)

    def hear(self, **change: object) -> JobReport | None:
        """An order, and one turn."""
        self.order = replace(self.order, **change)  # type: ignore[arg-type]
        self.bench.follow(self.order)
        return self.bench.turn()

    def until(self, done: Callable[[JobReport | None], bool]) -> JobReport | None:
        """Turn until it is so."""
        end = time.monotonic() + 10
        while True:
            report = self.bench.turn()
            if done(report):
                return report
            assert time.monotonic() < end
            time.sleep(0.002)

    def prepared(self) -> None:
        """Have job 2 beside job 1."""
        assert self.hear() is None
        assert self.until(lambda report: report is not None) == JobReport("inspect", "run", 1, JobPhase.PREPARE, "")

    def commit(self) -> JobReport | None:
        """All were ready."""
        return self.hear(phase=JobPhase.COMMIT, number=2, job=LID, next_number=0, next_job=None)

    def steady(self, number: int) -> JobReport | None:
        """The change is over."""
        return self.hear(phase=JobPhase.STEADY, number=number, job=JOBS[number], next_number=0, next_job=None)


def test_it_judges_by_the_old_job_until_all_are_ready() -> None:
    room = Room()
    room.prepared()
    assert room.bench.active is room.first
    assert room.commit() == JobReport("inspect", "run", 1, JobPhase.COMMIT, "")
    assert (room.bench.active.number, room.bench.active.job) == (2, LID)
    assert room.steady(2) is None
    assert room.load.loads == [2]


def test_the_loop_turns_while_a_model_is_loaded() -> None:
    room = Room()
    room.load.go.clear()
    started = time.monotonic()
    for _ in range(50):
        assert room.hear() is None
    assert time.monotonic() - started < 5
    assert room.bench.loading
    assert room.load.loads == [2]
    room.load.go.set()
    room.until(lambda report: report is not None)


def test_each_order_gets_an_answer() -> None:
    room = Room()
    room.prepared()
    assert room.bench.turn() is None
    again = room.hear()
    assert again is not None
    assert again.refusal == ""
    assert room.load.loads == [2]


@pytest.mark.parametrize("error", [BadBundle("model.onnx: damaged"), MemoryError("no room for it")])
def test_what_cannot_be_loaded_is_refused_once_for_each_change(error: Exception) -> None:
    room = Room()
    room.load.error = error
    room.hear()
    report = room.until(lambda report: report is not None)
    assert report is not None
    assert str(error) in report.refusal
    assert room.hear() == report
    assert room.load.loads == [2]
    assert room.steady(1) is None
    assert room.bench.active is room.first
    room.load.error = None
    room.hear(change=2, phase=JobPhase.PREPARE, next_number=2, next_job=LID)
    report = room.until(lambda report: report is not None)
    assert report == JobReport("inspect", "run", 2, JobPhase.PREPARE, "")


def test_the_old_job_is_taken_back_without_loading() -> None:
    room = Room()
    room.prepared()
    room.commit()
    room.steady(1)
    assert room.bench.active is room.first
    assert room.load.loads == [2]


def test_a_job_given_up_while_it_was_loaded_is_let_go_of() -> None:
    room = Room()
    room.load.go.clear()
    room.hear()
    room.steady(1)
    room.load.go.set()
    room.until(lambda _: not room.bench.loading)
    room.bench.turn()
    assert room.bench._at_hand == [room.first]
    assert room.bench.active is room.first


def test_another_run_of_io_with_another_job_is_followed() -> None:
    room = Room()
    room.hear(epoch="next run", change=0)
    room.steady(2)
    room.until(lambda _: room.bench.active.number == 2)
    assert room.bench._at_hand == [room.bench.active]


def test_the_job_of_the_line_is_tried_again_until_it_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room()
    room.load.error = MemoryError("no room for it")
    assert room.steady(2) is None
    room.until(lambda _: bool(room.bench.unfit))
    assert "no room for it" in room.bench.unfit
    assert room.bench.lacking
    assert room.steady(2) is None
    assert room.load.loads == [2], "not at every turn"
    monkeypatch.setattr("okng.inspect.bench.RETRY_NS", 0)
    room.load.error = None
    room.until(lambda _: room.bench.active.number == 2)
    assert (room.bench.unfit, room.bench.lacking) == ("", False)


def test_a_refused_change_makes_nobody_unfit() -> None:
    room = Room()
    room.load.error = BadBundle("model.onnx: damaged")
    room.hear()
    room.until(lambda report: report is not None)
    assert (room.bench.unfit, room.bench.lacking) == ("", False)
    room.steady(1)
    assert (room.bench.unfit, room.bench.lacking) == ("", False)
