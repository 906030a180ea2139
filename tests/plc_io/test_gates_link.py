"""A box that fires its gates itself, over the twin of the pins: eyes and encoder in, gates and records out."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from okng.bus.clock import MS, now_ns
from okng.bus.messages import Hold, Job
from okng.bus.part import Action, Outcome, Record, Trigger, Why
from okng.plc_io.belt_options import BeltOptions
from okng.plc_io.belt_station import BeltStation
from okng.plc_io.encoder import FakeEncoder
from okng.plc_io.field import OnEdge, OnLost, PinField
from okng.plc_io.gates_link import GatesLink
from okng.plc_io.handshake import Limits
from okng.plc_io.options import PlcOptions
from okng.plc_io.pins import FakePins
from okng.plc_io.pins_options import PinsOptions
from okng.plc_io.signals import FaultCode, Status

from .conftest import verdict_of

JOB = Job("cap", "0123456789ab", "f" * 64, 5000 * MS)
PINS = PinsOptions.model_validate(
    {
        "outputs": {"gate1": {"line": 1}, "ready": {"line": 2}, "run": {"line": 3}, "hb": {"line": 4}},
        "inputs": {"eye": {"line": 5}, "confirm": {"line": 6}, "reset": {"line": 7}, "enable": {"line": 8}},
        "counter": "/sys/bus/counter/devices/counter0/count0/count",
        "affirm_ms": 1000,
    }
)
BELT = BeltOptions.model_validate(
    {
        "counts_per_mm": 10,
        "max_speed_mm_s": 100,
        "part_length_mm": 20,
        "min_gap_mm": 10,
        "gate": [{"name": "gate1", "distance_mm": 60, "confirm_eye": "confirm", "confirm_eye_mm": 90}],
        "enable": "enable",
        "reset": "reset",
    }
)


class Machine:
    """A belt on the other side of the wires. It moves only as it is told."""

    def __init__(self) -> None:
        self.pins, self.encoder = FakePins(PINS), FakeEncoder()
        self.core = BeltStation("cell", JOB, Limits(10**9, 10**9, 10**9), BELT, 32)
        self.events: list[object] = []
        self.lost: list[str] = []
        self.opened = 0
        self.link = GatesLink(self.core, self._field, "the twin", flush=self.flush, on_lost=self._lost)

    def _field(self, on_edge: OnEdge, on_lost: OnLost) -> PinField:
        self.opened += 1
        if self.opened > 1:
            self.pins, self.encoder = FakePins(PINS), FakeEncoder()
        return PinField(PINS, self.pins, self.encoder, on_edge, on_lost)

    def _lost(self, reason: str) -> None:
        self.lost.append(reason)
        self.core.link_lost(reason, now_ns())

    def flush(self, at: int) -> None:
        self.core.allow(())
        self.link.publish(self.core.tick(at))
        self.events += self.core.events()

    def of(self, kind: type) -> list[object]:
        return [event for event in self.events if isinstance(event, kind)]

    async def settle(self, seconds: float = 0.02) -> None:
        await asyncio.sleep(seconds)
        self.flush(now_ns())

    async def go(self, mm: float) -> None:
        """Move on at some 40 mm/s."""
        for _ in range(round(mm)):
            self.encoder.at += 10
            await self.settle(0.02)

    async def pulse(self, name: str) -> None:
        self.pins.drive(name, high=True)
        await self.settle()
        self.pins.drive(name, high=False)
        await self.settle()

    async def part(self) -> Trigger:
        """A part at the eye; the trigger as it was told on the bus."""
        known = len(self.of(Trigger))
        await self.pulse("eye")
        found = self.of(Trigger)
        assert len(found) == known + 1
        trigger = found[-1]
        assert isinstance(trigger, Trigger)
        return trigger


def played(play: Callable[[Machine], Awaitable[None]]) -> Machine:
    async def run() -> Machine:
        machine = Machine()
        machine.pins.drive("enable", high=True)
        await machine.link.open()
        try:
            machine.flush(now_ns())
            await machine.settle()
            await play(machine)
        finally:
            await machine.link.close()
        return machine

    return asyncio.run(run())


def test_an_ok_keeps_its_gate_open_and_a_reject_shuts_it_at_its_place() -> None:
    async def play(machine: Machine) -> None:
        assert machine.pins.volts("ready")
        assert machine.pins.volts("run")
        assert machine.pins.volts("gate1")
        good = await machine.part()
        machine.core.submit(verdict_of(good, job=JOB), now_ns())
        await machine.go(45)
        bad = await machine.part()
        machine.core.submit(verdict_of(bad, Outcome.NG, JOB), now_ns())
        shut_at = []
        for _ in range(80):
            await machine.go(1)
            if not machine.pins.volts("gate1"):
                shut_at.append(machine.encoder.at / 10)
            if machine.encoder.at == 900:
                await machine.pulse("confirm")  # the good one goes on
        assert machine.core.counters().in_flight == 0
        # The bad one's leading edge is 58 mm behind its eye at the jet: 45 + 58, and shut no sooner than 10 mm before.
        assert 93 <= shut_at[0] <= 103
        assert 113 <= shut_at[-1] <= 120

    machine = played(play)
    records = [r for r in machine.of(Record) if isinstance(r, Record)]
    assert [(r.disposition.action, r.disposition.why) for r in records[:1]] == [(Action.PASS, Why.OK)]
    assert records[0].receipt.confirmed is True
    assert not machine.pins.volts("gate1")  # closed: everything rejects


def test_without_a_verdict_of_this_part_and_job_it_is_a_reject() -> None:
    async def play(machine: Machine) -> None:
        part = await machine.part()
        other = Job("cap", "ba9876543210", "f" * 64, JOB.deadline_ns)
        machine.core.submit(verdict_of(part, job=other), now_ns())
        shut = []
        for _ in range(75):
            await machine.go(1)
            shut.append(not machine.pins.volts("gate1"))
        assert any(shut)
        assert machine.core.counters().stale_verdicts == 1
        assert machine.core.counters().late == 1

    played(play)


def test_a_part_that_comes_while_the_box_is_not_ready_is_missed_and_rejected() -> None:
    async def play(machine: Machine) -> None:
        machine.core.hold(Hold("opcua", True, "stopped"), now_ns())
        await machine.settle()
        await machine.settle()
        assert not machine.pins.volts("ready")
        part = await machine.part()
        assert part.missed
        counters = machine.core.counters()
        assert (counters.triggers, counters.missed, counters.unjudged, counters.in_flight) == (1, 1, 1, 0)
        machine.core.hold(Hold("opcua", False, ""), now_ns())
        machine.pins.drive("enable", high=False)
        await machine.settle()
        assert any("enable" in reason for reason in machine.core.reasons)

    played(play)


def test_lost_wires_are_a_fault_until_a_person_resets_and_are_opened_afresh() -> None:
    async def play(machine: Machine) -> None:
        await machine.part()
        wires = machine.pins
        wires.unplug()
        await machine.settle(0.03)
        assert len(machine.lost) == 1
        assert not wires.volts("gate1")
        assert machine.core.fault_code == FaultCode.LINE
        for _ in range(40):
            await machine.settle(0.02)
            if machine.link.connected:
                break
        assert machine.opened == 2
        machine.pins.drive("enable", high=True)
        await machine.settle(0.05)
        assert not machine.pins.volts("run")
        assert Status.FAULT in machine.core.tick(now_ns()).status
        await machine.pulse("reset")
        assert machine.core.ready, machine.core.reasons
        assert machine.pins.volts("run")

    machine = played(play)
    assert machine.core.counters().in_flight == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"gate": [{"name": "gate2", "distance_mm": 60}]}, "missing gate2"),
        ({"gate": [{"name": "gate1", "distance_mm": 60, "eye": "eye9"}]}, "missing eye9"),
        ({"gate": [{"name": "gate1", "distance_mm": 20}]}, "distance_mm = 20: expected at least"),
        ({"reset": "resett"}, "missing resett"),
    ],
)
def test_wiring_that_does_not_fit_is_refused_with_its_key(change: dict[str, object], said: str) -> None:
    options = BeltOptions.model_validate({**BELT.model_dump(), **change})

    def check() -> None:
        options.check_wiring(PINS)
        options.belt(32)

    with pytest.raises(ValueError, match=said):
        check()


def test_an_eye_without_its_place_is_refused() -> None:
    with pytest.raises(ValueError, match="expected both or neither"):
        BeltOptions.model_validate(
            {**BELT.model_dump(), "gate": [{"name": "gate1", "distance_mm": 60, "confirm_eye": "confirm"}]}
        )


def test_the_settings_take_a_belt() -> None:
    options = PlcOptions.model_validate({"role": "gates", "belt": BELT.model_dump(), "pins": PINS.model_dump()})
    assert options.belt == BELT


def test_a_gate_that_is_held_rejects_while_it_is_held() -> None:
    async def play(machine: Machine) -> None:
        assert machine.pins.volts("gate1")
        machine.link.forced = frozenset({"gate1"})
        await machine.settle()
        assert not machine.pins.volts("gate1")
        levels = machine.link.levels()
        assert (levels["out", "gate1"], levels["in", "enable"]) == (True, True)
        machine.link.forced = frozenset()
        await machine.settle()
        assert machine.pins.volts("gate1")

    machine = played(play)
    assert machine.link.levels() == {}
