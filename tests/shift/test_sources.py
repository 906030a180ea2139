"""What is told from messages, heartbeats and figures, and what is not."""

from dataclasses import replace

import pytest

from okng.bus.clock import SECOND
from okng.bus.heartbeat import Beat
from okng.bus.messages import CameraState, Counters, Health, InspectState, Job, StationState, UplinkState
from okng.bus.part import Delivery, Outcome, Why
from okng.shift.options import AlarmOptions
from okng.shift.sources import EVENT_NS, GRACE_NS, Sources, under

from .test_challenge import record

JOB = Job("cap", "0123456789ab", "f" * 64, 100_000_000)
NAMES = ("io", "inspect", "records", "camera-top")
NONE = Counters(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


class Line:
    """Everything well, until the test says otherwise."""

    def __init__(self, **limits: float) -> None:
        self.sources = Sources(AlarmOptions.model_validate(limits), ("top",), 0)
        self.now = 100 * SECOND
        self.station = StationState("cell", "e1", "READY", True, (), 0, True, NAMES, JOB, NONE, 0, 1)
        self.inspect = InspectState(Health.READY, JOB, "cpu", 0, "")
        self.camera = CameraState("top", Health.READY, 1, "", 0, 0, 0, 0, 0, 0, 0, "host", 0)
        self.beats = {name: Beat(name, 1, Health.READY, 0, 0, 0) for name in NAMES}
        self.free = 50.0

    def look(self, **counters: int) -> dict[str, dict[str, str]]:
        self.now += SECOND // 4
        self.station = replace(self.station, at_ns=self.now, counters=replace(self.station.counters, **counters))
        for message in (self.station, self.inspect, self.camera):
            self.sources.hear(message, self.now)
        beats = {name: replace(beat, turned_ns=beat.turned_ns or self.now) for name, beat in self.beats.items()}
        self.sources.look(beats, self.free)
        return self.sources.causes(self.now)


@pytest.fixture
def line() -> Line:
    return Line()


def test_a_line_that_is_well_has_no_alarm(line: Line) -> None:
    assert line.look() == {}
    assert line.look(triggers=5, ok=3, ng=2, consecutive_ng=2) == {}, "an NG part is no alarm"


def test_processes_that_do_not_move(line: Line) -> None:
    line.beats["inspect"] = replace(line.beats["inspect"], turned_ns=line.now - 3 * SECOND)
    line.beats["records"] = replace(line.beats["records"], health=Health.FAULT)
    line.beats["camera-top"] = replace(line.beats["camera-top"], health=Health.LOST)
    assert set(line.look()) == {"inspect.silent", "records.stuck", "camera.lost:top"}


def test_a_start_takes_its_time() -> None:
    sources = Sources(AlarmOptions(), ("top",), 100 * SECOND)
    old = {name: Beat(name, 1, Health.LOST, 50 * SECOND, 0, 0) for name in NAMES}
    sources.look(old, 50.0)
    assert sources.causes(101 * SECOND) == {}
    assert set(sources.causes(100 * SECOND + GRACE_NS + 1)) == {
        "io.silent",
        "inspect.silent",
        "records.silent",
        "camera.lost:top",
    }


def test_what_a_camera_says(line: Line) -> None:
    line.camera = replace(line.camera, health=Health.LOST, detail="unplugged")
    assert line.look() == {"camera.lost:top": {"camera": "top", "detail": "unplugged"}}
    line.camera = replace(line.camera, health=Health.FAULT, detail="too hot")
    assert line.look() == {"camera.fault:top": {"camera": "top", "detail": "too hot"}}


def test_late_and_missed_and_the_first_word_of_a_run(line: Line) -> None:
    assert line.look(late=7, missed=7) == {}, "what was before is not news"
    found = line.look(late=9, missed=8)
    assert found == {
        "verdict.late": {"count": "2", "deadline": "100"},
        "trigger.overrun": {"count": "1"},
    }
    line.now += EVENT_NS
    assert line.look() == {}
    line.station = replace(line.station, epoch="e2")
    assert line.look(late=50) == {}
    line.station = replace(line.station, ready=False)
    line.look()
    assert line.look(missed=99) == {}, "a trigger while the line is not READY is no overrun"


def test_a_camera_that_does_not_take_its_triggers(line: Line) -> None:
    line.look()
    line.camera = replace(line.camera, early=3)
    assert line.look() == {"trigger.overrun": {"count": "3"}}


@pytest.mark.parametrize(
    ("given", "raised"),
    [
        (record(confirmed=False, why=Why.NG), True),
        (record(delivery=Delivery.UNCONFIRMED, why=Why.NG), True),
        (record(delivery=Delivery.UNCONFIRMED, why=Why.FAULT), False),
        (record(confirmed=True, why=Why.NG), False),
        (record(Outcome.OK, why=Why.OK, delivery=Delivery.UNCONFIRMED), False),
    ],
)
def test_rejects_that_nothing_confirms(line: Line, given: object, raised: bool) -> None:
    line.sources.hear(given, line.now)
    assert line.look() == ({"reject.unconfirmed": {"part": "7"}} if raised else {})


def test_yield_has_a_deadband() -> None:
    line = Line(yield_parts=20, yield_percent=60)
    good, bad = record(Outcome.OK, why=Why.OK), record(why=Why.NG)
    line.look()
    for _ in range(19):
        line.sources.hear(bad, line.now)
    assert "yield.low" not in line.look(), "too few parts to tell"
    for _ in range(11):
        line.sources.hear(good, line.now)
    assert line.look()["yield.low"] == {"yield": "55", "parts": "20", "limit": "60"}
    line.sources.hear(good, line.now)
    assert line.look()["yield.low"]["yield"] == "60", "it has to come back further than it fell"
    line.sources.hear(good, line.now)
    assert "yield.low" not in line.look()
    for _ in range(2):
        line.sources.hear(record(why=Why.CHALLENGE), line.now)
    assert "yield.low" not in line.look(), "test parts are no production"


def test_the_deadband() -> None:
    assert [under(v, 5, 2, was) for v, was in ((4.9, False), (5.0, False), (6.9, True), (7.0, True))] == [
        True,
        False,
        True,
        False,
    ]
    assert not under(0, 0, 2, True)


def test_the_disk_the_plc_and_the_ledger(line: Line) -> None:
    line.free = 3.0
    line.station = replace(
        line.station, plc_alive=False, reasons=("records does not answer: 3 entries of the ledger are lost",)
    )
    found = line.look()
    assert set(found) == {"disk.low", "plc.lost", "records.lost"}
    assert found["disk.low"] == {"free": "3.0"}


def test_a_fault_of_the_line(line: Line) -> None:
    line.station = replace(line.station, fault=2)
    assert line.look() == {"line.fault": {"code": "2"}}
    line.station = replace(line.station, fault=5, plc_alive=False)
    assert line.look() == {"line.fault": {"code": "5"}}, "a box without a PLC cannot lose it"


def test_the_judge_has_another_model(line: Line) -> None:
    line.inspect = replace(line.inspect, job=replace(JOB, model="e" * 64))
    assert set(line.look()) == {"model.mismatch"}


def test_drift_and_lamp(line: Line) -> None:
    line.inspect = replace(line.inspect, alarms=("top: lamp: brightness 80 of 120", "top: lens: focus 0.5"))
    assert set(line.look()) == {"light.failed:top", "drift:top"}


def test_rows_of_rejects(line: Line) -> None:
    assert line.look(consecutive_ng=5) == {"ng.consecutive": {"count": "5"}}
    assert Line(consecutive_ng=0).look(consecutive_ng=99) == {}


def test_the_clock_was_set(line: Line) -> None:
    line.look()
    line.sources.clock(10**18, line.now)
    line.sources.clock(10**18 + SECOND, line.now + SECOND)
    assert line.look() == {}
    line.sources.clock(10**18 + 3600 * SECOND, line.now + SECOND)
    assert line.look() == {"clock.wrong": {"seconds": "+3598.8"}}


def test_a_reported_escape(line: Line) -> None:
    line.sources.escaped(4, "crack at the customer", line.now)
    assert line.look() == {"escape.reported:4": {"detail": "crack at the customer"}}


def test_a_model_that_was_taken_back_is_told_as_long_as_sync_says_so(line: Line) -> None:
    said = UplinkState("enrolled", "", "", False, 0)
    line.sources.hear(replace(said, models_out=("cap: model b1b1: rejects rose",)), line.now)
    assert line.look() == {"model.back": {"detail": "cap: model b1b1: rejects rose"}}
    line.sources.hear(said, line.now)
    assert line.look() == {}
