"""OKNG_GATE on belts nobody drew: any gaps, speeds, stops, reversals and results. The judge knows positions alone."""

from dataclasses import dataclass
from random import Random

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


def belt_of(dice: Random) -> tuple[list[Part], list[int], int]:
    """Parts by their place, the steps of the belt, the encoder's start."""
    low, high = dice.choice(((200, SPAN + 40), (200, 2500), (SPAN, 2500)))
    parts, eye = [], 0
    count = dice.choice((3, 10, 45))  # the last: more of them than the register has places, though not at once
    for number in range(1, count + 1):
        eye += dice.randint(low, high)
        early = dice.randint(0, dice.choice((500, COMMIT - 200)))
        says_at = dice.choice((early, early, early, early, dice.randint(COMMIT - 60, OPEN + 60), 2 * CLOSE))
        says_as = number if dice.random() < 0.97 else dice.randint(1, count)
        parts.append(Part(number, eye, says_at, dice.random() < 0.85, says_as))
    steps = [dice.randint(-40, 0) if dice.random() < 0.15 else dice.randint(1, 120) for _ in range(60)]
    return parts, steps, dice.choice((0, 2**32 - 3000, 2**31 - 3000, 77))


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
    max_examples=150,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.integers(0, 2**64))
def test_the_gate_is_open_for_parts_that_passed_in_time_and_for_nothing_else(seed: int) -> None:
    parts, steps, start = belt_of(Random(seed))
    gate = published().make("OKNG_GATE")
    group_of = groups(parts)
    clear: dict[int, bool] = {}  # by its first part: all of a group were OK when that one became final
    known: dict[int, bool] = {}  # and all of it had been at the eye by then
    at, turn, coming = 0, 0, list(parts)
    road: list[Part] = []
    while coming or road:
        step = steps[turn % len(steps)]
        turn += 1
        newest = road[-1].eye if road else 0
        at = max(at + step, newest - 30)  # back behind the eye, but no second edge of it
        new = coming.pop(0) if coming and at >= coming[0].eye else None
        if new is not None:
            at = new.eye
            road.append(new)
        for part in road:
            part.farthest = max(part.farthest, at - part.eye)
            group = group_of[part.number]
            if part is group[0] and part.farthest >= COMMIT and part.number not in clear:
                clear[part.number] = all(one.good for one in group)
                known[part.number] = all(one in road for one in group)
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
            firsts = {group_of[part.number][0].number for part in inside}
            assert all(clear[first] or not known[first] for first in firsts), "a neighbour of a reject is let through"
        elif inside:
            whole = [group_of[part.number] for part in inside]
            assert not all(clear[group[0].number] and all(one.good for one in group) for group in whole), (
                "a part that passed in time, with all its neighbours, is hit"
            )
        road = [part for part in road if part.farthest < CLOSE]
    assert gate["passed"] + gate["rejected"] == len(parts)
    assert gate["on_the_way"] == 0
    assert not gate["overflow"]
