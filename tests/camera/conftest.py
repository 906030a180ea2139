"""A simulated camera to play against, reached through the real GenTL stack."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import genicam
import numpy as np
import numpy.typing as npt
import pytest

from okng.bus.clock import SECOND
from okng.camera.gentl import GentlSource
from okng.camera.profiles import Profile
from okng.camera.source import Grab, Source
from okng.simline.build import build
from okng.simline.scene import Scene

from .fake_gige import gige, gige_wire
from .rtsp import rtsp

__all__ = ["gige", "gige_wire", "rtsp"]
Picture = npt.NDArray[np.uint8]
SERIAL = "SN0000"
CAPACITY = 320 * 240 * 3


@pytest.fixture(scope="session")
def producer() -> Path:
    return build()


@pytest.fixture(scope="session")
def viky() -> Path:
    """A producer nobody here wrote: it comes with genicam."""
    return Path(genicam.__file__).parent / "viky.cti"


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose sockets' paths are short enough for the kernel."""
    path = Path(tempfile.mkdtemp(prefix="okng-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def picture() -> Picture:
    """160 x 120, every row and column different."""
    rows, columns = np.mgrid[0:120, 0:160]
    made: Picture = ((rows * 7 + columns * 3) % 251).astype(np.uint8)
    return made


@pytest.fixture
def scene(short_path: Path, picture: Picture, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """The world of one simulated camera, showing `picture`."""
    folder = short_path / "sim"
    monkeypatch.setenv("OKNG_SIM", str(folder))
    with Scene(folder, SERIAL, CAPACITY) as found:
        found.show(picture, 1)
        yield found


@dataclass
class Rig:
    """An open source and a slot."""

    source: Source
    profile: Profile
    slot: bytearray

    def grab(self, timeout_s: float = 1.0) -> Grab | None:
        return self.source.grab(memoryview(self.slot), int(timeout_s * SECOND))

    def shoot(self, timeout_s: float = 1.0) -> Grab | None:
        self.source.trigger()
        return self.grab(timeout_s)

    def pixels(self, grab: Grab) -> bytes:
        return bytes(self.slot[: grab.size_bytes])


@pytest.fixture
def open_rig(scene: Scene, producer: Path) -> Iterator[Callable[..., Rig]]:
    """Open the simulated camera with a profile and start it."""
    opened: list[Source] = []

    def make(profile: Profile, slot_bytes: int = CAPACITY) -> Rig:
        source = GentlSource(producer)
        opened.append(source)
        source.open(SERIAL)
        got = source.configure(profile)
        source.start()
        return Rig(source, got, bytearray(slot_bytes))

    yield make
    for source in opened:
        source.close()
