"""OKNG_GATE on belts nobody drew: any gaps, speeds, stops, reversals and results. The judge knows positions alone."""

from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from .st_machine import published

COMMIT, OPEN, CLOSE = 4800, 4880, 5620
SPAN = CLOSE - OPEN


@dataclass
class Part:
    """A part on the belt, as the judge sees it."""

    number: int
    eye: int
    """Belt position, counts without end, when it was at the eye."""
    says_at: int
    """Its result comes when it has travelled this far; beyond the gate: never."""
    ok: bool
    says_as: int
    """The number its result carries."""
    farthest: int = 0
    good: bool = False
    told: bool = False


@st.composite
def belts(draw: st.DrawFn) -> tuple[list[Part], list[int], int]:
    """Parts by their place, the steps of the belt, the encoder's start."""
    gaps = draw(st.lists(st.integers(200, 2500), min_size=1, max_size=12))
    parts, eye = [], 0
    for number, gap in enumerate(gaps, 1):
        eye += gap
        says_at = draw(st.one_of(st.integers(0, COMMIT + 60), st.integers(0, 2 * CLOSE)))
        says_as = number if draw(st.integers(0, 9)) else draw(st.integers(1, len(gaps)))
        parts.append(Part(number, eye, says_at, draw(st.integers(0, 3)) > 0, says_as))
    steps = draw(st.lists(st.one_of(st.integers(1, 120), st.integers(-40, 0)), min_size=20, max_size=60))
    return parts, steps, draw(st.sampled_from((0, 2**32 - 3000, 2**31 - 3000, 77)))


def groups(parts: list[Part]) -> dict[int, list[Part]]:
    """Which parts the gate cannot tell apart."""
    found: list[list[Part]] = []
    for part in parts:
        if found and part.eye - found[-1][-1].eye < SPAN:
            found[-1].append(part)
        else:
            found.append([part])
    return {part.number: group for group in found for part in group}


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(belts())
def test_the_gate_is_open_for_parts_that_passed_in_time_and_for_nothing_else(
    belt: tuple[list[Part], list[int], int],
) -> None:
    parts, steps, start = belt
    gate = published().make("OKNG_GATE")
    group_of = groups(parts)
    clear: dict[int, bool] = {}  # by its first part: all of a group were OK when that one became final
    at, turn, coming = 0, 0, list(parts)
    road: list[Part] = []
    while coming or road:
        step = steps[turn % len(steps)] if turn < 400 else 100
        turn += 1
        newest = road[-1].eye if road else 0
        at = max(at + step, newest)  # no part goes back through the eye
        new = coming.pop(0) if coming and at >= coming[0].eye else None
        if new is not None:
            at = new.eye
            road.append(new)
        for part in road:
            part.farthest = max(part.farthest, at - part.eye)
            group = group_of[part.number]
            if part is group[0] and part.farthest >= COMMIT:
                clear.setdefault(part.number, all(one.good for one in group))
        said = next((p for p in road if not p.told and at - p.eye >= p.says_at), None)
        if said is not None:
            said.told = True
            for part in road:
                if part.number == said.says_as and part.farthest < COMMIT:
                    part.good = said.ok
        gate(
            encoder=(start + at) % 2**32,
            commit_counts=COMMIT,
            open_counts=OPEN,
            close_counts=CLOSE,
            new_part=new is not None,
            part=new.number if new else 0,
            void_part=0,
            result=said is not None,
            result_part=said.says_as if said else 0,
            result_ok=said.ok if said else False,
            reject_all=False,
            reset=False,
        )
        inside = [part for part in road if OPEN <= at - part.eye < CLOSE and part.farthest < CLOSE]
        if gate["gate_open"]:
            assert inside, "nobody is at the gate"
            assert all(part.good for part in inside), "a part without an OK in time is let through"
        elif inside:
            whole = [group_of[part.number] for part in inside]
            assert not all(clear[group[0].number] and all(one.good for one in group) for group in whole), (
                "a part that passed in time, with all its neighbours, is hit"
            )
        road = [part for part in road if part.farthest < CLOSE]
    assert gate["passed"] + gate["rejected"] == len(parts)
    assert gate["on_the_way"] == 0
    assert not gate["overflow"]
