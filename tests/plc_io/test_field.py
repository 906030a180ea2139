"""A field of pins and an encoder: what the caller does not affirm does not pass, and an edge knows its place."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okng.bus.clock import MS, now_ns
from okng.bus.errors import BadSettings, LinkLost
from okng.plc_io.encoder import CounterFile, Encoder, FakeEncoder, Trail
from okng.plc_io.field import Field, PinField, open_field
from okng.plc_io.pins import MOST_EDGES, FakePins
from okng.plc_io.pins_options import PinsOptions

OPTIONS = PinsOptions.model_validate(
    {
        "outputs": {"gate1": {"line": 0}, "gate2": {"line": 1, "active_low": True}, "run": {"line": 2}},
        "inputs": {"eye": {"line": 4}, "full": {"line": 5}},
        "affirm_ms": 100,
    }
)
NONE: frozenset[str] = frozenset()


class Machine:
    """The twin's wires, and what the field told."""

    def __init__(self, options: PinsOptions = OPTIONS) -> None:
        self.pins, self.encoder = FakePins(options), FakeEncoder()
        self.edges: list[tuple[str, bool, int, int]] = []
        self.lost: list[str] = []
        self.made = PinField(options, self.pins, self.encoder, lambda *edge: self.edges.append(edge), self.lost.append)
        self.field: Field = self.made

    def active(self) -> set[str]:
        """The outputs that are active."""
        outputs = self.pins.options.outputs
        return {name for name, one in outputs.items() if self.pins.volts(name) != one.active_low}


def run(what: Callable[[Machine], Awaitable[None]]) -> None:
    """One test in one loop."""

    async def main() -> None:
        machine = Machine()
        try:
            async with asyncio.timeout(20):
                await what(machine)
        finally:
            machine.field.close()
            machine.field.close()

    asyncio.run(main())


async def until(what: str, true: Callable[[], bool]) -> None:
    """Wait until the callable says so."""
    end = asyncio.get_running_loop().time() + 8
    while not true():
        assert asyncio.get_running_loop().time() < end, what
        await asyncio.sleep(0.002)


# -- gates -----------------------------------------------------------------------------------------------------------


def test_a_gate_passes_only_while_it_does_not_fire_and_is_told_so() -> None:
    async def go(machine: Machine) -> None:
        assert machine.active() == set(), "nothing was said: all reject"
        machine.field.signal(frozenset({"run", "ready"}))
        assert machine.active() == {"run"}, "ready has no wire"
        machine.field.set_gates(NONE)
        assert machine.active() == {"gate1", "gate2", "run"}
        machine.field.set_gates(frozenset({"gate2"}))
        assert machine.active() == {"gate1", "run"}
        with pytest.raises(ValueError, match="gate9: expected some of gate1, gate2"):
            machine.field.set_gates(frozenset({"gate9"}))
        with pytest.raises(ValueError, match="gate1: expected some of hb, ok, ready, run"):
            machine.field.signal(frozenset({"gate1"}))
        assert machine.active() == {"gate1", "run"}

    run(go)


class StoodStill(Exception):
    """This process did not run for so long that its field is right to be lost."""


def test_a_caller_that_falls_silent_rejects_all() -> None:
    async def go(machine: Machine) -> None:
        machine.field.signal(frozenset({"run"}))
        told = [now_ns()]
        for _ in range(30):
            machine.field.set_gates(NONE)
            told.append(now_ns())
            await asyncio.sleep(0.01)
        if max(later - sooner for sooner, later in pairwise([*told, now_ns()])) > 90 * MS:
            raise StoodStill
        assert machine.lost == []
        assert machine.active() == {"gate1", "gate2", "run"}
        await until("lost", lambda: machine.lost != [])
        assert "not told anew for 100 ms" in machine.lost[0]
        assert machine.active() == set()
        machine.field.set_gates(NONE)
        assert machine.active() == set(), "and it stays so"
        assert len(machine.lost) == 1

    for _ in range(20):
        with contextlib.suppress(StoodStill):
            run(go)
            return
    pytest.fail("this process stood still for 90 ms at each of 20 tries")


@pytest.mark.parametrize("how", ["unplug", "edges", "encoder", "close"])
def test_whatever_is_lost_all_reject(how: str) -> None:
    async def go(machine: Machine) -> None:
        machine.field.signal(frozenset({"run"}))
        machine.field.set_gates(NONE)
        match how:
            case "unplug":
                machine.pins.unplug()
            case "edges":
                for _ in range(MOST_EDGES):
                    machine.pins.drive("eye", high=True)
                    machine.pins.drive("eye", high=False)
            case "encoder":
                machine.encoder.unplug()
                with pytest.raises(LinkLost):
                    machine.field.counts()
            case _:
                machine.field.close()
        if how != "close":
            await until("lost", lambda: machine.lost != [])
        assert machine.active() == set()
        machine.field.set_gates(NONE)
        machine.field.signal(frozenset({"run"}))
        assert machine.active() == set()
        assert len(machine.lost) == (how != "close")

    run(go)


# -- edges -----------------------------------------------------------------------------------------------------------


def test_an_edge_is_told_with_the_count_at_its_moment() -> None:
    async def go(machine: Machine) -> None:
        machine.encoder.at = 2**32 - 50
        begin = now_ns()
        machine.field.counts()
        await asyncio.sleep(0.05)
        machine.encoder.at += 1000
        machine.pins.drive("eye", high=True, at_ns=begin + 1)
        await until("edge", lambda: machine.edges != [])
        (edge,) = machine.edges
        assert edge[:2] == ("eye", True)
        assert edge[3] == begin + 1
        assert (edge[2] - (2**32 - 50)) % 2**32 < 100, "where it was then, not where it is when it is read"
        assert machine.field.levels() == {"eye"}

    run(go)


def test_edges_are_told_in_their_order() -> None:
    async def go(machine: Machine) -> None:
        for _ in range(5):
            machine.pins.drive("eye", high=True)
            machine.pins.drive("full", high=True)
            machine.pins.drive("full", high=False)
            machine.pins.drive("eye", high=False)
        await until("edges", lambda: len(machine.edges) == 20)
        assert all(a[3] <= b[3] for a, b in pairwise(machine.edges))
        assert [edge[0] for edge in machine.edges[:4]] == ["eye", "full", "full", "eye"]

    run(go)


# -- the encoder -----------------------------------------------------------------------------------------------------


@pytest.fixture(params=["fake", "file"])
def stand(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Encoder, Callable[[int], None]]]:
    """An encoder of 16 bits and what moves it."""
    if request.param == "fake":
        fake = FakeEncoder(16)
        yield fake, lambda counts: setattr(fake, "at", counts)
        return
    file = tmp_path / "count"
    file.write_text("0\n")
    encoder = CounterFile(str(file), 16)

    def move(counts: int) -> None:
        file.write_text(f"{counts}\n")

    yield encoder, move
    encoder.close()


def test_every_encoder_counts_modulo_its_width(stand: tuple[Encoder, Callable[[int], None]]) -> None:
    encoder, move = stand
    assert encoder.bits == 16
    for counts in (0, 1, 65_535, 65_536, 70_000):
        move(counts)
        assert encoder.counts() == counts % 65_536
    encoder.close()
    encoder.close()
    with pytest.raises(LinkLost):
        encoder.counts()


def test_a_counter_that_says_no_number_is_lost(tmp_path: Path) -> None:
    file = tmp_path / "count"
    file.write_text("7\n")
    encoder = CounterFile(str(file), 32)
    assert encoder.counts() == 7
    file.write_text("gone\n")
    with pytest.raises(LinkLost, match="expected a whole number"):
        encoder.counts()
    encoder.close()


@pytest.mark.parametrize(
    ("beside", "complaint"),
    [
        ({"count": "x"}, "expected a whole number"),
        ({"count": "1", "enable": "0"}, "the counter is off"),
        ({"count": "1", "ceiling": "9999"}, "the counter ends at 9999, expected 4294967295"),
        ({}, "expected a count of a counter"),
    ],
)
def test_a_counter_that_cannot_be_had(tmp_path: Path, beside: dict[str, str], complaint: str) -> None:
    for name, text in beside.items():
        (tmp_path / name).write_text(text + "\n")
    with pytest.raises(BadSettings, match=complaint):
        CounterFile(str(tmp_path / "count"), 32)


def test_a_counter_with_a_wider_register_is_taken(tmp_path: Path) -> None:
    for name, text in {"count": str(2**40 + 5), "enable": "1", "ceiling": str(2**64 - 1)}.items():
        (tmp_path / name).write_text(text)
    encoder = CounterFile(str(tmp_path / "count"), 32)
    assert encoder.counts() == 5
    encoder.close()


@given(st.integers(0, 2**16 - 1), st.lists(st.integers(-300, 300), min_size=1, max_size=40), st.floats(0, 1))
def test_between_two_samples_lies_a_straight_line(start: int, steps: list[int], part: float) -> None:
    trail, at, true = Trail(16), 0, [start]
    trail.add(0, start)
    for step in steps:
        at += 2 * MS
        true.append(true[-1] + step)
        trail.add(at, true[-1] % 65_536)
    moment = round(part * at)
    index = min(moment // (2 * MS), len(steps) - 1)
    expected = true[index] + steps[index] * (moment - index * 2 * MS) / (2 * MS)
    off = (trail.at(moment) - round(expected) + 32_768) % 65_536 - 32_768
    assert abs(off) <= 1
    assert trail.at(at + MS) == true[-1] % 65_536, "after the last sample: where it was then"
    assert trail.at(-1) == start % 65_536


def test_without_a_sample_there_is_no_place() -> None:
    with pytest.raises(LookupError):
        Trail(16).at(1)


def test_the_field_of_the_settings_names_what_is_missing(tmp_path: Path) -> None:
    def never(*_: object) -> None:
        raise AssertionError

    async def go() -> None:
        with pytest.raises(BadSettings, match=r"plc\.pins\.counter"):
            open_field(OPTIONS, never, never)
        (tmp_path / "count").write_text("0")
        counter = {"counter": str(tmp_path / "count"), "chip": "/dev/gpiochip99"}
        with pytest.raises(BadSettings, match=r"plc\.pins\.chip"):
            open_field(OPTIONS.model_copy(update=counter), never, never)

    asyncio.run(go())
