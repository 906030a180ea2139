"""The camera process on sources that are no GenTL producer: each part its own picture, and none while it is away."""

import json
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from okng.bus.clock import MS
from okng.bus.messages import FrameLost, FrameReady, Health
from okng.camera.frame import read_picture

from .fake_gige import SERIAL, FakeGige
from .process_line import Line
from .rtsp import HEIGHT, TRANSFER_NS, WIDTH, RtspCamera, made_ms

SCRIPT = Path(__file__).with_name("run_source.py")
PROFILE: dict[str, Any] = {"pixel_format": "Mono8", "width": WIDTH, "height": HEIGHT, "exposure_us": 200.0}


class SourceLine(Line):
    """The process on a driver of the test's choice."""

    def __init__(self, run_dir: Path) -> None:
        super().__init__(run_dir, run_dir)
        self.before: list[str] = []
        """What runs the program."""
        self.driver, self.arguments = "", list[str]()
        self.options: dict[str, Any] = {}

    def _command(self, said: dict[str, Any]) -> list[str]:
        self.states.clear()
        what = {"options": self.options, "profile": PROFILE, "driver": self.driver, "arguments": self.arguments}
        return [*self.before, sys.executable, str(SCRIPT), str(self.run_dir), json.dumps(what | said)]


@pytest.fixture
def line(short_path: Path) -> Iterator[SourceLine]:
    run_dir = short_path / "run"
    run_dir.mkdir()
    made = SourceLine(run_dir)
    yield made
    made.close()


def picture_of(line: Line, answer: object) -> Any:
    assert isinstance(answer, FrameReady), answer
    picture = read_picture(line.shelf, answer)
    assert picture is not None
    return picture


def test_each_part_has_the_next_picture_of_a_folder(line: SourceLine, tmp_path: Path) -> None:
    for number in range(5):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((HEIGHT, WIDTH), 40 + 40 * number, np.uint8))
    line.driver, line.arguments = "replay", [str(tmp_path)]
    line.start().ready()
    levels = [int(picture_of(line, line.part(part))[0, 0]) for part in range(1, 9)]
    assert levels == [40 + 40 * (number % 5) for number in range(1, 9)], "the first one was the test shot"
    assert line.states[-1].clock == "latch"
    assert line.end() == 0


def test_each_part_of_a_stream_has_a_picture_made_after_its_trigger(line: SourceLine, rtsp: RtspCamera) -> None:
    line.driver, line.arguments = "video", [rtsp.url, str(TRANSFER_NS)]
    line.options = {"transfer_ms": TRANSFER_NS / MS, "margin_ms": 400}
    line.supervise().ready()
    for part in range(1, 7):
        trigger = line.trigger(part)
        (answer,) = line.answers(1)
        assert answer.part == part
        assert 0 <= made_ms(picture_of(line, answer)) - trigger.at_ns // MS < 1000
    assert line.states[-1].clock == "host"
    rtsp.send(signal.SIGKILL)
    line.ready(Health.LOST)
    line.until(lambda: "no stream" in line.states[-1].detail)  # said by the next process, which looks for it
    for part in (11, 12):
        answer = line.part(part)
        assert isinstance(answer, FrameLost), "no part passes while the camera is away"
    assert rtsp.url
    line.ready()
    assert made_ms(picture_of(line, line.part(20))) > 0


def test_a_gige_camera_without_a_producer_comes_back_by_itself(line: SourceLine, gige_wire: FakeGige) -> None:
    gige_wire.start()
    line.before = gige_wire.command
    # It does not take the time of an exposure, it only shows it: one long enough to be seen would date frames before
    # their triggers.
    line.driver, line.options = "aravis", {"serial": SERIAL, "margin_ms": 400, "black_level": -1}
    line.supervise().ready()
    numbers = []
    for part in range(1, 7):
        answer = line.part(part)
        assert picture_of(line, answer).shape == (HEIGHT, WIDTH)
        assert isinstance(answer, FrameReady)
        numbers.append(answer.number)
    assert numbers == list(range(numbers[0], numbers[0] + 6))
    gige_wire.kill()
    begun = time.monotonic()
    line.ready(Health.LOST)
    assert time.monotonic() - begun < 12
    line.until(lambda: "which sees none" in line.states[-1].detail)  # said by the next process, which looks for it
    assert isinstance(line.part(11), FrameLost), "no part passes while the camera is away"
    gige_wire.start()
    line.ready()
    assert picture_of(line, line.part(20)).shape == (HEIGHT, WIDTH)
