"""The belt on the virtual clock: what eyes see, where the jet meets a part, what the encoder reads."""

import math
from dataclasses import replace

import pytest

from okng.simline.belt_layout import CONFIRM, EYE, GATE_EYE, Edge, Gate, Ghost, Laid, Lane, Layout
from okng.simline.belt_physics import BeltWorld

GATE = Gate("g", jet_at_mm=200.0, jet_mm=4.0, on_s=0.012, off_s=0.008, eye_at_mm=150.0, confirm_at_mm=300.0)
LAYOUT = Layout((Lane("a", (GATE,)),), 40.0, 10.0, 32, 500, parts=(Laid("a", 20.0), Laid("a", 120.0)))


def rolling(layout: Layout, speed_mm_s: float = 500.0) -> BeltWorld:
    """A belt already at speed."""
    world = BeltWorld(layout)
    world.speed_mm_s = world.target_mm_s = speed_mm_s
    return world


def run_to(world: BeltWorld, travel_mm: float, step_s: float = 0.002) -> list[Edge]:
    edges: list[Edge] = []
    while (world.travel_mm < travel_mm) == (world.target_mm_s > 0):
        edges += world.advance(step_s)
    return edges


@pytest.mark.parametrize("step_s", [0.0005, 0.002, 0.1])
def test_edges_come_once_in_order_with_the_count_of_their_very_place(step_s: float) -> None:
    edges = run_to(rolling(LAYOUT), 500, step_s)
    assert [(edge.kind, edge.part, edge.counts) for edge in edges] == [
        (EYE, 0, 700),
        (EYE, 1, 1700),
        (GATE_EYE, 0, 2200),
        (GATE_EYE, 1, 3200),
        (CONFIRM, 0, 3700),
        (CONFIRM, 1, 4700),
    ]
    assert edges[0].at_s == pytest.approx(20 / 500)
    assert not any(edge.backwards for edge in edges)


def test_a_ramp_is_a_straight_line_of_speed() -> None:
    world = BeltWorld(LAYOUT)
    world.target_mm_s = 500.0
    world.advance(0.25)
    assert world.speed_mm_s == pytest.approx(500)
    assert world.travel_mm == pytest.approx(62.5)
    world.target_mm_s = -500.0
    world.advance(1.0)
    assert world.speed_mm_s == -500.0
    assert world.travel_mm == pytest.approx(62.5 - 0.5 * 500)


@pytest.mark.parametrize(("bits", "backwards"), [(16, False), (16, True), (32, False), (32, True)])
def test_the_encoder_goes_round(bits: int, backwards: bool) -> None:
    start = 100 if backwards else 2**bits - 100
    world = rolling(replace(LAYOUT, encoder_bits=bits, encoder_start=start, encoder_reversed=backwards))
    run_to(world, 50)
    gone = math.floor(world.travel_mm * 10)
    assert world.counts == (start + (-gone if backwards else gone)) % 2**bits
    assert 0 <= world.counts < 2**bits


def test_an_encoder_that_loses_its_count_reads_on_from_there() -> None:
    world = rolling(LAYOUT)
    run_to(world, 50)
    before = world.counts
    world.jump(-300)
    assert world.counts == before - 300


@pytest.mark.parametrize("speed_mm_s", [100.0, 500.0, 2000.0])
def test_air_comes_after_the_valve_and_meets_the_part_that_far_behind_its_edge(speed_mm_s: float) -> None:
    world = rolling(LAYOUT, speed_mm_s)
    run_to(world, 217, 1e-4)
    late_mm = world.travel_mm + speed_mm_s * 0.012 - (20 + 200 + 2)
    world.command("g", True)
    world.advance(0.05)
    touch = world.fates[0].touch
    assert touch is not None
    assert touch.contact_mm == pytest.approx(max(0.0, late_mm), abs=0.01)
    assert world.fates[0].reached_s["g"] == pytest.approx(218 / speed_mm_s)
    run_to(world, 600)
    assert world.fates[1].touch is not None, "air that stays on meets the next one too"
    assert world.fates[0].past_s is None


def test_what_is_not_touched_goes_by_and_what_is_gone_is_seen_no_more() -> None:
    world = rolling(LAYOUT)
    run_to(world, 200)
    world.command("g", True)
    run_to(world, 225)
    world.command("g", False)
    edges = run_to(world, 500)
    assert world.fates[0].touch is not None
    assert world.fates[1].touch is None
    assert world.fates[1].past_s is not None
    assert [edge.part for edge in edges if edge.kind == CONFIRM] == [1]
    assert world.finished


def test_air_over_a_part_that_stands_touches_it() -> None:
    world = rolling(replace(LAYOUT, ramp_mm_s2=20_000.0))
    run_to(world, 230)
    world.target_mm_s = 0.0
    world.advance(1.0)
    depth = world.travel_mm - 220 - 2
    world.command("g", True)
    world.advance(0.1)
    touch = world.fates[0].touch
    assert touch is not None
    assert touch.contact_mm == pytest.approx(depth)


def test_a_pulse_shorter_than_the_valve_is_no_air() -> None:
    world = BeltWorld(LAYOUT)
    world.command("g", True)
    world.advance(0.002)
    world.command("g", False)
    world.advance(0.1)
    assert not world.air["g"].on
    assert not world.air["g"].turns


def test_a_dead_valve_blows_nothing() -> None:
    world = rolling(replace(LAYOUT, lanes=(Lane("a", (replace(GATE, dead=True),)),)))
    world.command("g", True)
    run_to(world, 500)
    assert [fate.touch for fate in world.fates] == [None, None]


def test_link_and_valve_take_up_to_their_most_and_keep_the_order() -> None:
    gate = replace(GATE, link_s=0.004, jitter=0.5)
    for chance, expected_s in ((0.0, 0.012), (1.0, 0.004 + 0.006)):
        world = BeltWorld(replace(LAYOUT, lanes=(Lane("a", (gate,)),)), iter([chance, chance]).__next__)
        world.command("g", True)
        assert world.air["g"].turns[0][0] == pytest.approx(expected_s)


def test_in_reverse_an_eye_sees_the_trailing_edge_and_forward_the_leading_one_again() -> None:
    world = rolling(replace(LAYOUT, ramp_mm_s2=20_000.0))
    run_to(world, 70)
    world.target_mm_s = -500.0
    edges = run_to(world, 10)
    assert [(edge.kind, edge.part, edge.backwards, edge.counts) for edge in edges] == [(EYE, 0, True, 500 + 600)]
    world.target_mm_s = 500.0
    edges = run_to(world, 70)
    assert [(edge.kind, edge.part, edge.backwards, edge.counts) for edge in edges] == [(EYE, 0, False, 700)]


def test_a_part_that_comes_back_under_the_jet_is_met_at_its_trailing_edge() -> None:
    world = rolling(replace(LAYOUT, parts=(Laid("a", 20.0),)))
    run_to(world, 275)
    assert not world.finished
    world.command("g", True)
    world.target_mm_s = -500.0
    run_to(world, 250)
    touch = world.fates[0].touch
    assert touch is not None
    assert touch.contact_mm == pytest.approx(40.0)


@pytest.mark.parametrize("slip_mm", [-12.0, 12.0])
def test_a_part_that_slips_comes_later_or_earlier_from_there_on(slip_mm: float) -> None:
    part = Laid("a", 20.0, slip_mm=slip_mm, slip_from_mm=30.0, slip_over_mm=60.0)
    edges = run_to(rolling(replace(LAYOUT, parts=(part,))), 400)
    assert [edge.counts for edge in edges] == [700, round(2200 + slip_mm * 10), round(3700 + slip_mm * 10)]
    for place in (0.0, 25.0, 55.0, 150.0):
        assert part.place_at(part.travel_to(place)) == pytest.approx(place)


def test_an_eye_may_miss_a_part_and_see_a_ghost() -> None:
    parts = (replace(LAYOUT.parts[0], unseen_by=frozenset({(GATE_EYE, "g")})), LAYOUT.parts[1])
    world = rolling(replace(LAYOUT, parts=parts, ghosts=(Ghost(GATE_EYE, "g", 100.0),)))
    edges = [edge for edge in run_to(world, 400) if edge.kind == GATE_EYE]
    assert [(edge.part, edge.counts) for edge in edges] == [(None, 1500), (1, 3200)]


def test_lanes_have_their_own_parts_gates_and_eyes() -> None:
    other = replace(GATE, name="h")
    layout = replace(LAYOUT, lanes=(*LAYOUT.lanes, Lane("b", (other,))), parts=(Laid("a", 20.0), Laid("b", 30.0)))
    world = rolling(layout)
    world.command("h", True)
    edges = run_to(world, 400)
    assert [(edge.kind, edge.name) for edge in edges] == [
        (EYE, "a"),
        (EYE, "b"),
        (GATE_EYE, "g"),
        (GATE_EYE, "h"),
        (CONFIRM, "g"),
    ]
    assert world.fates[0].touch is None
    assert world.fates[1].touch is not None
