"""A camera that refuses what it is to be set up for works as before: parts are set aside only for the time of a try."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from okng.bus.errors import BadSettings, Refused
from okng.camera import process
from okng.camera.announcer import Announcer
from okng.camera.follower import Follower
from okng.camera.options import CameraOptions
from okng.camera.profiles import Profile, Setup

from .scripted_camera import PROFILE, ScriptedSource

JOB = Setup(1, "a" * 12, PROFILE)


class Picky(ScriptedSource):
    """Refuses the profiles that a test names."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: set[float] = set()
        """By exposure or rate."""

    def _configure(self, profile: Profile) -> Profile:
        if self.refused & {profile.exposure_us, profile.frame_rate_hz}:
            raise BadSettings("it will not")
        return super()._configure(profile)


class Loop:
    """Notes what the camera's loop is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.hold = ""

    def set_aside(self, why: str) -> None:
        self.told.append(("aside", why))

    def stamp(self) -> None:
        """Between two slow steps."""

    def begin(self, profile: Profile, ring: object) -> None:
        self.told.append((profile.exposure_us, profile.trigger))


@pytest.fixture
def source() -> Picky:
    made = Picky()
    made.open("")
    made.configure(PROFILE)
    made.start(8)
    return made


@pytest.fixture
def camera(short_path: Path, source: Picky) -> Iterator[Any]:
    announcer = Announcer("top", short_path)
    made = process._Camera("top", CameraOptions(), Follower(JOB, None), short_path, source, announcer)
    yield made
    made.close()
    announcer.close()


def test_a_job_it_cannot_be_set_up_for_is_refused_and_the_one_before_goes_on(camera: Any, source: Picky) -> None:
    loop, wanted = Loop(), Setup(2, "b" * 12, replace(PROFILE, exposure_us=777))
    source.refused = {777}
    with pytest.raises(Refused, match="job 2: it will not"):
        camera._change(wanted, loop)
    assert loop.told == [("aside", "being set up for job 2"), (100, "software")]
    assert camera._follower.setup is JOB
    source.refused = set()
    camera._change(wanted, loop)
    assert loop.told[-1] == (777, "software")
    assert camera._follower.setup is wanted


def test_a_live_picture_it_cannot_give_leaves_the_job_as_it_is(camera: Any, source: Picky) -> None:
    loop = Loop()
    source.refused = {process.LOOK_HZ}
    with pytest.raises(Refused):
        camera._look(loop)
    assert loop.told == [("aside", process.BY_HAND), (100, "software")]
    assert not loop.hold
    source.refused = set()
    camera._look(loop)
    assert loop.told[-1] == (100, "off")
    assert loop.hold == process.BY_HAND
    camera._work(loop)
    assert loop.told[-1] == (100, "software")
    assert not loop.hold
