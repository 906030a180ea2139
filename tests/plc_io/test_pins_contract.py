"""What every kind of pins keeps to: inactive is safe, exactly what is said is active, no edge is lost in silence."""

import asyncio
import select
import time
from collections.abc import Iterator

import pytest

from okng.bus.clock import MS, now_ns
from okng.bus.errors import BadSettings, Fault, LinkLost
from okng.plc_io.encoder import FakeEncoder
from okng.plc_io.field import PinField
from okng.plc_io.pins import MOST_EDGES, PinEdge, Pins
from okng.plc_io.pins_gpiod import GpioPins
from okng.plc_io.pins_options import OutputLine, PinsOptions

from .pin_rigs import FakeRig, Rig, SimRig

OUTPUTS = {
    "gate1": {"line": 0},
    "gate2": {"line": 1, "active_low": True},
    "run": {"line": 2},
    "hb": {"line": 3},
}
INPUTS = {
    "eye": {"line": 4},
    "confirm": {"line": 5, "active_low": True, "bias": "pull_up"},
    "full": {"line": 6, "debounce_us": 20_000},
}
NONE: frozenset[str] = frozenset()


@pytest.fixture(params=["fake", "gpio-sim"])
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """The twin always, the kernel's chip where there is one."""
    made: Rig = FakeRig() if request.param == "fake" else SimRig()
    yield made
    made.close()


@pytest.fixture
def options(rig: Rig) -> PinsOptions:
    """Four outputs, three inputs."""
    return rig.options(outputs=OUTPUTS, inputs=INPUTS, affirm_ms=1000)


@pytest.fixture
def pins(rig: Rig, options: PinsOptions) -> Iterator[Pins]:
    """Claimed, nothing said yet."""
    made = rig.make(options)
    yield made
    made.close()


def active(rig: Rig) -> set[str]:
    """The outputs that are active, by their voltage."""
    return {name for name, one in OUTPUTS.items() if rig.volts(name) != bool(one.get("active_low"))}


def edges_within(pins: Pins, wanted: int, timeout_s: float = 5.0) -> list[PinEdge]:
    """Wait for that many edges."""
    found: list[PinEdge] = []
    end = time.monotonic() + timeout_s
    while len(found) < wanted:
        assert time.monotonic() < end, f"{len(found)} of {wanted} edges came"
        select.select([pins.fileno()], [], [], 0.05)
        found += pins.edges()
    return found


def test_everything_is_inactive_until_it_is_said(rig: Rig, pins: Pins) -> None:
    assert active(rig) == set()
    assert pins.edges() == []


def test_exactly_what_is_said_is_active(rig: Rig, pins: Pins) -> None:
    for said in ({"gate1", "gate2", "run"}, {"gate2", "hb"}, {"gate1"}, set[str]()):
        pins.set(frozenset(said))
        assert active(rig) == said


def test_an_unknown_output_changes_nothing(rig: Rig, pins: Pins) -> None:
    pins.set(frozenset({"run"}))
    with pytest.raises(ValueError, match="gate9: expected some of gate1, gate2, hb, run"):
        pins.set(frozenset({"gate1", "gate9"}))
    with pytest.raises(ValueError, match="eye"):
        pins.set(frozenset({"eye"}))
    assert active(rig) == {"run"}


def test_edges_come_in_order_with_their_moment(rig: Rig, pins: Pins) -> None:
    before = now_ns()
    rig.drive("eye", high=True)
    time.sleep(0.002)
    rig.drive("confirm", high=False)
    time.sleep(0.002)
    rig.drive("eye", high=False)
    after = now_ns()
    told = edges_within(pins, 3)
    assert [(edge.name, edge.active) for edge in told] == [("eye", True), ("confirm", True), ("eye", False)]
    moments = [edge.at_ns for edge in told]
    assert moments == sorted(moments)
    assert before <= moments[0]
    assert moments[-1] <= after
    assert pins.edges() == []


def test_levels_are_those_of_now(rig: Rig, pins: Pins) -> None:
    assert pins.levels() == NONE
    rig.drive("eye", high=True)
    rig.drive("confirm", high=False)
    assert pins.levels() == {"eye", "confirm"}
    rig.drive("eye", high=False)
    assert pins.levels() == {"confirm"}


def test_the_descriptor_tells_that_there_is_something(rig: Rig, pins: Pins) -> None:
    assert select.select([pins.fileno()], [], [], 0)[0] == []
    rig.drive("eye", high=True)
    assert select.select([pins.fileno()], [], [], 5)[0] == [pins.fileno()]
    edges_within(pins, 1)
    assert select.select([pins.fileno()], [], [], 0)[0] == []


def test_a_level_that_does_not_stand_is_no_edge(rig: Rig, pins: Pins) -> None:
    for _ in range(3):
        rig.drive("full", high=True)
        time.sleep(0.001)
        rig.drive("full", high=False)
        time.sleep(0.001)
    began = now_ns()
    rig.drive("full", high=True)
    (edge,) = edges_within(pins, 1)
    assert (edge.name, edge.active) == ("full", True)
    assert abs(edge.at_ns - began) < 15 * MS, "the moment it began to stand, not the end of the 20 ms"


def test_edges_that_are_lost_are_a_fault(rig: Rig, pins: Pins) -> None:
    for _ in range(MOST_EDGES):
        rig.drive("eye", high=True)
        rig.drive("eye", high=False)
    with pytest.raises(Fault, match="edges of the inputs were lost"):
        edges_within(pins, 2 * MOST_EDGES)
    rig.drive("eye", high=True)
    assert [edge.active for edge in edges_within(pins, 1)] == [True]


def test_closing_makes_all_inactive(rig: Rig, pins: Pins) -> None:
    pins.set(frozenset(OUTPUTS))
    pins.close()
    pins.close()
    assert active(rig) == set()
    for call in (lambda: pins.set(NONE), pins.edges, pins.levels, pins.fileno):
        with pytest.raises(LinkLost):
            call()


def test_a_killed_process_leaves_all_inactive(rig: Rig, options: PinsOptions) -> None:
    rig.kill(frozenset(OUTPUTS), options)
    assert active(rig) == set()
    rig.make(options).set(frozenset({"run"}))
    assert active(rig) == {"run"}, "and the next one gets the lines"


def test_silence_makes_all_inactive(rig: Rig) -> None:
    pins = rig.make(rig.options(outputs=OUTPUTS, affirm_ms=50))
    time.sleep(0.3)
    pins.set(frozenset({"run"}))
    assert active(rig) == {"run"}, "the first word may come late"
    end = time.monotonic() + 5
    while active(rig) and time.monotonic() < end:
        time.sleep(0.01)
    assert active(rig) == set()
    with pytest.raises(LinkLost):
        pins.set(frozenset({"run"}))
    assert active(rig) == set()


def test_a_chip_that_goes_is_told(rig: Rig, pins: Pins) -> None:
    pins.set(frozenset({"run"}))
    rig.unplug()
    with pytest.raises(LinkLost):
        pins.set(frozenset({"run"}))
    with pytest.raises(LinkLost):
        pins.edges()
    pins.close()


def test_a_line_that_another_holds_cannot_be_had(rig: Rig, pins: Pins, options: PinsOptions) -> None:
    if isinstance(rig, FakeRig):
        pytest.skip("a twin is its owner's alone")
    with pytest.raises(BadSettings, match="another program or driver holds"):
        GpioPins(options)
    pins.set(frozenset({"run"}))
    assert active(rig) == {"run"}
    with pytest.raises(BadSettings, match="lines that it has"):
        GpioPins(options.model_copy(update={"outputs": {"x": OutputLine(line="no-such-line")}, "inputs": {}}))


def test_a_field_over_these_pins(rig: Rig, pins: Pins, options: PinsOptions) -> None:
    told: list[tuple[object, ...]] = []
    lost: list[str] = []

    async def go() -> None:
        encoder, came = FakeEncoder(), asyncio.Event()

        def edge(*what: object) -> None:
            told.append(what)
            came.set()

        field = PinField(options, pins, encoder, edge, lost.append)
        for turn in range(5):
            encoder.at = 100 * turn
            field.counts()
            field.signal(frozenset({"run"}))
            field.set_gates(frozenset({"gate2"}) if turn % 2 else NONE)
            assert active(rig) == ({"gate1", "run"} if turn % 2 else {"gate1", "gate2", "run"})
            rig.drive("eye", high=turn % 2 == 0)
            await came.wait()
            came.clear()
        rig.unplug()
        field.set_gates(NONE)
        await asyncio.sleep(0)
        field.close()

    asyncio.run(asyncio.wait_for(go(), 20))
    assert [edge[:2] for edge in told] == [("eye", turn % 2 == 0) for turn in range(5)]
    assert [edge[2] for edge in told] == [0, 100, 200, 300, 400]
    assert "gone" in lost[0] or "unplugged" in lost[0]
