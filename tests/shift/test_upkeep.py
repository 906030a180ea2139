"""A process that does not stay up, and a second judge that is missing, are causes of alarms while they stand."""

from pathlib import Path

from okng.bus.clock import SECOND, now_ns
from okng.bus.degraded import give_up, read_degraded
from okng.bus.heartbeat import Beat
from okng.bus.messages import Health
from okng.shift.catalogue import KINDS
from okng.shift.upkeep import Upkeep


class Heard:
    """What was said and stands."""

    def __init__(self) -> None:
        self.stands: dict[str, dict[str, str]] = {}

    def say(self, key: str, fill: dict[str, str] | None) -> None:
        if fill is None:
            del self.stands[key]
        else:
            self.stands[key] = fill


def beat(name: str, turned_ns: int, health: Health = Health.READY) -> dict[str, Beat]:
    return {name: Beat(name, 5, health, turned_ns, 0, 0)}


def test_who_is_given_up_stands_until_it_is_well_and_leaves_the_list_after_a_minute(tmp_path: Path) -> None:
    at, heard = now_ns(), Heard()
    upkeep = Upkeep(tmp_path, at)
    upkeep.look({}, at, heard.say)
    assert heard.stands == {}
    give_up(tmp_path, "camera-top", "exit code 70 (a fault)")
    at += SECOND * 2
    upkeep.look({}, at, heard.say)
    (key,) = heard.stands
    assert key == "process.failing:camera-top"
    assert set(KINDS["process.failing"].fills) <= set(heard.stands[key])
    assert "last with 70." in KINDS["process.failing"].why % heard.stands[key]
    for second in range(58):
        upkeep.look(beat("camera-top", at + second * SECOND), at + second * SECOND, heard.say)
    assert heard.stands == {}
    assert read_degraded(tmp_path), "for a minute it may be only another try"
    for second in range(58, 70):
        upkeep.look(beat("camera-top", at + second * SECOND), at + second * SECOND, heard.say)
    assert read_degraded(tmp_path) == ()
    upkeep.look({}, at + 80 * SECOND, heard.say)
    assert heard.stands == {}, "stopped on purpose later, it is not said to fail"


def test_one_that_falls_again_stands_again(tmp_path: Path) -> None:
    at, heard = now_ns(), Heard()
    upkeep = Upkeep(tmp_path, at)
    give_up(tmp_path, "web", "killed by SIGABRT, watchdog")
    for second, well in ((1, False), (3, True), (30, True), (40, False), (95, False)):
        upkeep.look(beat("web", at + second * SECOND * well), at + second * SECOND, heard.say)
        assert bool(heard.stands) is not well
    assert heard.stands["process.failing:web"]["end"] == "SIGABRT"


def test_only_a_box_that_had_a_second_judge_lacks_one(tmp_path: Path) -> None:
    at, heard = now_ns(), Heard()
    upkeep = Upkeep(tmp_path, at)
    upkeep.look(beat("inspect", at), at, heard.say)
    upkeep.look(beat("inspect-standby", at - SECOND, Health.LOST), at, heard.say)
    assert heard.stands == {}, "of an earlier run of the box"
    upkeep.look(beat("inspect-standby", at + SECOND), at + SECOND, heard.say)
    assert heard.stands == {}
    upkeep.look(beat("inspect-standby", at + SECOND, Health.STARTING), at + SECOND, heard.say)
    assert heard.stands == {"standby.missing": {}}
    upkeep.look(beat("inspect-standby", at + SECOND), at + 9 * SECOND, heard.say)
    assert heard.stands == {"standby.missing": {}}
    upkeep.look(beat("inspect-standby", at + 9 * SECOND), at + 9 * SECOND, heard.say)
    assert heard.stands == {}
