"""A camera is set up for the job that io orders, if the recipe on its own disk says the same."""

from dataclasses import replace

import pytest

from okng.bus.errors import BadRecipe, Refused
from okng.bus.messages import Job, JobOrder, JobPhase
from okng.camera.follower import Follower
from okng.camera.profiles import Profile, Setup

CAP, LID = Job("cap", "0123456789ab", "f" * 64, 10**8), Job("lid", "ba9876543210", "d" * 64, 10**8)
SETUPS = {
    1: Setup(1, CAP.revision, Profile("Mono8", 160, 120)),
    2: Setup(2, LID.revision, Profile("Mono8", 192, 144)),
}
STEADY = JobOrder("run", 0, JobPhase.STEADY, 1, CAP)
PREPARE = JobOrder("run", 1, JobPhase.PREPARE, 1, CAP, 2, LID)
COMMIT = JobOrder("run", 1, JobPhase.COMMIT, 2, LID)


class Disk:
    """What the recipes say; counts."""

    def __init__(self) -> None:
        self.reads: list[int] = []
        self.setups = dict(SETUPS)

    def __call__(self, number: int) -> Setup:
        self.reads.append(number)
        if number not in self.setups:
            raise BadRecipe(f"job {number}: cannot be read")
        return self.setups[number]


def test_it_follows_step_by_step() -> None:
    disk = Disk()
    follower = Follower(SETUPS[1], disk)
    assert follower.next_setup(STEADY) is None
    assert follower.next_setup(PREPARE) == SETUPS[2]
    follower.setup = SETUPS[2]
    assert follower.next_setup(PREPARE) is None
    assert follower.next_setup(COMMIT) is None
    assert follower.next_setup(replace(STEADY, change=1, number=2, job=LID)) is None
    assert follower.next_setup(replace(STEADY, change=1)) == SETUPS[1], "taken back"
    assert disk.reads == [2, 1]


def test_who_starts_late_goes_by_the_order_of_the_moment() -> None:
    assert Follower(SETUPS[1], Disk()).next_setup(COMMIT) == SETUPS[2]


def test_a_recipe_that_reads_otherwise_than_io_s_is_refused_once() -> None:
    disk = Disk()
    disk.setups[2] = replace(SETUPS[2], revision="ffffffffffff")
    follower = Follower(SETUPS[1], disk)
    for _ in range(3):
        with pytest.raises(Refused, match="reads as revision ffffffffffff here, io reads ba9876543210"):
            follower.next_setup(PREPARE)
    assert disk.reads == [2]
    disk.setups[2] = SETUPS[2]
    assert follower.next_setup(replace(PREPARE, change=2)) == SETUPS[2]


def test_what_the_camera_refused_is_not_tried_again() -> None:
    disk = Disk()
    follower = Follower(SETUPS[1], disk)
    follower.refuse(PREPARE, "Width = 192: expected 16..160")
    with pytest.raises(Refused, match="Width = 192"):
        follower.next_setup(PREPARE)
    assert disk.reads == []


def test_without_a_table_and_without_a_recipe_it_is_refused() -> None:
    with pytest.raises(Refused, match="without a table of jobs"):
        Follower(SETUPS[1], None).next_setup(PREPARE)
    disk = Disk()
    del disk.setups[2]
    with pytest.raises(BadRecipe, match="job 2: cannot be read"):
        Follower(SETUPS[1], disk).next_setup(PREPARE)
