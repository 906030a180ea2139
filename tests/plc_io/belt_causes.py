"""What the plan of a run entitles a controller to, or obliges it: causes of faults, and parts nobody can place."""

from collections.abc import Iterator
from dataclasses import dataclass

from okng.simline.belt_layout import EYE, GATE_EYE, Gate, Ghost, Laid, Lane

from .belt_scene import Scene

SPARE_MM = 8.0
"""What is due at a place is asked for so much later."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something to be noted when the belt has come to a travel."""

    travel_mm: float
    what: str
    """`timely`: the last place at which a verdict is certainly in time. `clear`: what follows the part is known.
    `astray`: the part is lost from here on. `cause`: a fault may follow. `obliged`: it has to have come by here."""
    number: int
    """Of the part, or of the cause."""
    kind: str = ""
    part: int | None = None
    """A part that is no longer owed a fault once it has been blown off."""


def marks_of(scene: Scene) -> list[Mark]:
    """Return all marks of a plan, by travel."""
    marks: list[Mark] = []
    causes: list[tuple[float, float | None, str, int | None]] = []
    lanes = {lane.name: lane for lane in scene.layout.lanes}
    for number, part in enumerate(scene.layout.parts):
        lane = lanes[part.lane]
        first = min(lane.gates, key=lambda each: each.jet_at_mm)
        timely = part.travel_to(first.jet_at_mm - first.jet_mm / 2 - scene.commit_mm)
        marks.append(Mark(timely, "timely", number))
        marks.append(Mark(part.at_mm + scene.layout.part_length_mm + scene.group_mm, "clear", number))
        found = [*_unseen(part, lane), *(c for gate in lane.gates for c in _at_gate(scene, part, gate))]
        causes += [(*each, number if each[2] == "missed at the eye" else None) for each in found]
        if any(kind in ("slipped too far", "missed at the eye") for _, _, kind in found):
            marks.append(Mark(part.at_mm, "astray", number))
    for ghost in scene.layout.ghosts:
        causes.append((*_ghost(scene, ghost), None))
    for number, (from_mm, by_mm, kind, whose) in enumerate(causes):
        marks.append(Mark(from_mm, "cause", number, kind))
        if by_mm is not None:
            marks.append(Mark(by_mm + SPARE_MM, "obliged", number, kind, whose))
    return sorted(marks, key=lambda each: each.travel_mm)


def _at_gate(scene: Scene, part: Laid, gate: Gate) -> Iterator[tuple[float, float | None, str]]:
    if gate.eye_at_mm is None:
        return
    expected, comes = part.at_mm + gate.eye_at_mm, part.travel_to(gate.eye_at_mm)
    last = expected + max(scene.slip_mm, part.slip_mm)
    if (GATE_EYE, gate.name) in part.unseen_by:
        yield comes - 2 * scene.slip_mm - 1, last, "missed at the gate"
    elif abs(comes - expected) > scene.slip_mm:
        yield part.at_mm, last, "slipped too far"


def _unseen(part: Laid, lane: Lane) -> Iterator[tuple[float, float | None, str]]:
    if (EYE, part.lane) in part.unseen_by:
        later = [gate.eye_at_mm or gate.confirm_at_mm for gate in lane.gates]
        watched = [place for place in later if place is not None]
        yield part.at_mm, part.travel_to(min(watched)) if watched else None, "missed at the eye"


def _ghost(scene: Scene, ghost: Ghost) -> tuple[float, float | None, str]:
    layout, at_mm = scene.layout, ghost.at_mm
    lane = next(each for each in layout.lanes if ghost.name in (each.name, *(gate.name for gate in each.gates)))
    row = [part for part in layout.parts if part.lane == lane.name]
    close_mm = layout.part_length_mm + scene.min_gap_mm
    if ghost.kind == EYE:
        seen = [part.at_mm for part in row if (EYE, lane.name) not in part.unseen_by]
        close = [other for other in seen if abs(other - at_mm) < close_mm - 1]
        if close:
            return at_mm, max(at_mm, min(close, key=lambda other: abs(other - at_mm))), "phantom"
        eyes = [gate.eye_at_mm for gate in lane.gates if gate.eye_at_mm is not None]
        return at_mm, at_mm + min(eyes) + scene.slip_mm if eyes else None, "phantom"
    gate = next(each for each in lane.gates if each.name == ghost.name)
    place = gate.eye_at_mm if ghost.kind == GATE_EYE else gate.confirm_at_mm
    if place is None:
        raise ValueError(f"a ghost at the {ghost.kind} of {ghost.name}: there is no such eye")
    near = any(abs(part.travel_to(place) - at_mm) < close_mm + scene.slip_mm for part in row)
    return at_mm, None if near else at_mm, "phantom at a later eye"
