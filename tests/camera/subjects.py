"""The cameras that keep the contract: each driver with a camera it was not written for where there is one."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from okng.bus.clock import MS, SECOND
from okng.camera.gentl import GentlSource
from okng.camera.profiles import Profile
from okng.camera.replay import ReplaySource
from okng.camera.source import ClockKind, Source
from okng.camera.video import VideoSource
from okng.simline.scene import Scene

from .conftest import SERIAL
from .fake_gige import SERIAL as GIGE_SERIAL
from .fake_gige import FakeGige
from .rtsp import HEIGHT, TRANSFER_NS, WIDTH, RtspCamera

FREE_RUN = Profile("Mono8", 160, 120, trigger="off", exposure_us=200, frame_rate_hz=100)


@dataclass
class Subject:
    """A driver under test and what its camera can do."""

    make: Callable[[], Source]
    free_run: Profile = FREE_RUN
    triggered: Profile | None = None
    """None: it has no trigger."""
    serial: str = ""
    hardware: bool = False
    """It has a trigger line."""
    dated: bool = False
    """It dates frames by the device's clock."""
    clock: ClockKind = "host"
    lose: Callable[[], None] | None = None
    """Unplug the camera; None: it cannot be."""
    lost_within_ns: int = 2 * SECOND
    find_again: Callable[[], None] = lambda: None
    """Plug it in again."""
    beyond: tuple[str, float] | None = None
    """A feature and a value that the camera refuses."""
    latency_ns: int = 0
    """A triggered frame is due so long after the trigger, at most."""
    forgets: bool = True
    """A trigger that has no frame yet is forgotten when the stream is stopped; else it waits inside the camera."""
    window_ns: int = field(default=MS)
    """A frame may be dated this long before its trigger: clocks are not the same."""


def simulated(producer: Path, scene: Scene) -> Subject:
    def source() -> Source:
        return GentlSource(producer)

    return Subject(
        source,
        triggered=replace(FREE_RUN, trigger="software"),
        serial=SERIAL,
        hardware=True,
        dated=True,
        clock="latch",
        lose=lambda: scene.fault("unplug"),
        find_again=lambda: scene.fault("unplug", 0),
        beyond=("Width", 100000),
    )


def viky(producer: Path) -> Subject:
    profile = replace(FREE_RUN, width=400, height=400)
    return Subject(
        lambda: GentlSource(producer), profile, serial="VikyTL_DEV_red", beyond=("AcquisitionFrameRate", 1e9)
    )


def replay(folder: Path) -> Subject:
    pictures, away = folder / "pictures", folder / "away"
    pictures.mkdir()
    for number in range(3):
        cv2.imwrite(str(pictures / f"{number}.png"), np.full((100, 100), 50 * number + 20, np.uint8))

    def lose() -> None:
        pictures.rename(away)

    def find_again() -> None:
        away.rename(pictures)

    return Subject(
        lambda: ReplaySource(pictures),
        triggered=replace(FREE_RUN, trigger="software"),
        dated=True,
        clock="latch",
        lose=lose,
        find_again=find_again,
        beyond=("Width", 100000),
    )


def video_file(file: Path) -> Subject:
    """A video of 1.5 s; its end is the end of the camera."""
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 100, (160, 120))
    for number in range(150):
        writer.write(np.full((120, 160, 3), number, np.uint8))
    writer.release()
    return Subject(
        lambda: VideoSource(str(file), 0),
        triggered=replace(FREE_RUN, trigger="software"),
        lose=lambda: time.sleep(1.5),
        latency_ns=200 * MS,
        beyond=("Width", 100000),
    )


def rtsp_stream(camera: RtspCamera) -> Subject:
    profile = replace(FREE_RUN, width=WIDTH, height=HEIGHT)

    def find_again() -> None:
        assert camera.url

    return Subject(
        lambda: VideoSource(camera.url, TRANSFER_NS),
        profile,
        replace(profile, trigger="software"),
        lose=lambda: camera.send(signal.SIGKILL),
        find_again=find_again,
        latency_ns=2 * TRANSFER_NS,
        beyond=("Width", 100000),
    )


def aravis(camera: FakeGige) -> Subject:
    """Its rate is 25 Hz after each start, its exposure shows nothing; a trigger is seen within 40 ms."""
    from okng.camera.aravis import AravisSource

    return Subject(
        AravisSource,
        triggered=replace(FREE_RUN, trigger="software"),
        serial=GIGE_SERIAL,
        dated=True,
        lose=camera.kill,
        lost_within_ns=5 * SECOND,
        find_again=camera.start,
        beyond=("Width", 100000),
        latency_ns=SECOND,
        forgets=False,
        hardware=True,
    )
