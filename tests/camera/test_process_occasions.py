"""Whatever the simulated camera does wrong, at its first frames or later: no part gets another part's picture.

OKNG_MISHAPS=1 plays every kind at each of its first five occasions, about ten minutes.
"""

import itertools
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from okng.bus.clock import MS, now_ns
from okng.bus.messages import FrameLost, FrameReady
from okng.camera.frame import read_picture
from okng.simline.scene import Scene

from .process_line import Answer, Line, numbered

ALL = bool(int(os.environ.get("OKNG_MISHAPS") or 0))
OPTIONS = {
    "software": {"margin_ms": 60},
    "hardware": {"margin_ms": 60, "pair_before_ms": 100, "pair_after_ms": 80},
}
QUICK = [("held", 600_000), ("burst", 3), ("wrong_size", 1)]
EVERY = [
    *QUICK,
    *(("drop", 1), ("incomplete", 1), ("repeat", 1), ("late", 120_000), ("late", 600_000), ("held", 120_000)),
    *(
        ("wrong_format", 1),
        ("black", 1),
        ("clock_jump", -(10**11)),
        ("clock_jump", 10**12),
        ("clock_jump", 30_000_000),
        ("clock_jump", -30_000_000),
    ),
    *(("slow", 50), ("crash", 1), ("hang_delivery", 1), ("hang_register", 1)),
]
CASES = list(itertools.product(EVERY, (1, 2, 3, 4, 5))) if ALL else list(itertools.product(QUICK, (2,)))
PARTS = 8


@pytest.fixture
def line(short_path: Path, scene: Scene, producer: Path) -> Iterator[Line]:
    run_dir = short_path / "run"
    run_dir.mkdir()
    made = Line(run_dir, producer)
    yield made
    made.close()


def answer_of(line: Line, limit_s: float) -> Answer | None:
    """The next answer about a part; None: none in time, which the station's deadline rejects."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        message = line._hear(20)
        if message is not None and message.part:
            return message
    return None


def shoot(line: Line, scene: Scene, mode: str, part: int) -> Answer | None:
    scene.show(numbered(20 + 10 * part), part + 1)
    if mode == "hardware":
        at_ns = now_ns()
        scene.pulse_line0()
        time.sleep(0.004)
        line.trigger(part, at_ns=at_ns + 4 * MS, deadline_ms=1000)
    else:
        line.trigger(part, deadline_ms=1000)
    return answer_of(line, 6.0)


@pytest.mark.parametrize("mode", ["software", "hardware"])
@pytest.mark.parametrize(("mishap", "at"), CASES)
def test_no_part_gets_the_picture_of_another(
    line: Line, scene: Scene, mode: str, mishap: tuple[str, int], at: int
) -> None:
    kind, value = mishap
    scene.show(numbered(7), 1)
    line.supervise(trigger=mode, options=OPTIONS[mode]).ready()
    scene.plan(kind, at=at, value=value)
    answers = []
    for part in range(1, PARTS + 1):
        answer = shoot(line, scene, mode, part)
        answers.append(answer)
        if isinstance(answer, FrameReady):
            picture = read_picture(line.shelf, answer)
            assert picture is None or picture[0, 0] == 20 + 10 * answer.part
        time.sleep(0.2 if mode == "hardware" else 0)
    assert scene.happened(kind) == 1
    named = [answer.part for answer in answers if answer is not None]
    assert len(named) == len(set(named)), "one answer a part"
    assert all(isinstance(answer, FrameLost | FrameReady) for answer in answers if answer is not None)
    line.ready()  # it heals by itself
    again = shoot(line, scene, mode, PARTS + 1)
    assert isinstance(again, FrameReady)
    picture = read_picture(line.shelf, again)
    assert picture is not None
    assert picture[0, 0] == 20 + 10 * (PARTS + 1)
