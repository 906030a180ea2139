"""A change of champion on the line and on the disk, step by step: each turn does what is next, again after any stop.

    up    ask io for the new one, then the slot; refused or unanswered: the way back
    back  the slot first, then ask io, as often as it takes

The word on what decides is io's (`StationState.job.model`); the slot is read by who starts. The ladder holds what was
begun, so a stop between any two of these is gone on from.
"""

import logging
from dataclasses import dataclass, field

from ..bus.clock import SECOND
from ..bus.errors import BadBundle
from ..bus.messages import StationState
from ..models.manifest import digest
from .climb_box import ClimbBox, RecipeAt
from .climb_line import Line
from .ladder import drop_swap, end_swap
from .ladder_slots import active, fall_back, take_over
from .ladder_state import Ladder, Swap

log = logging.getLogger(__name__)
_AGAIN_NS = SECOND
_PATIENCE_NS = 30 * SECOND
"""io may be away so long while a change upwards is under way."""


@dataclass(slots=True)
class Swapping:
    """One recipe's change of champion as it goes on. One thread."""

    asked_ns: int = 0
    began_ns: int = 0
    told: str = ""
    """What io last said against it."""
    trouble: str = field(default="")
    """For people: why the line does not go by the ladder yet; empty: it does."""


def turn_swap(
    box: ClimbBox, recipe: RecipeAt, ladder: Ladder, line: Line, now_ns: int, at: float, state: Swapping
) -> Ladder:
    """Do what is next; the ladder comes back without the change once it is done. StoreLost: the slot stays."""
    swap = ladder.swap(recipe.name)
    if swap is None:
        return ladder
    if not state.began_ns:
        state.began_ns = now_ns
    station = line.station(now_ns)
    return (_up if swap.up else _back)(box, recipe, ladder, swap, line, station, now_ns, at, state)


def _up(
    box: ClimbBox,
    recipe: RecipeAt,
    ladder: Ladder,
    swap: Swap,
    line: Line,
    station: StationState | None,
    now_ns: int,
    at: float,
    state: Swapping,
) -> Ladder:
    # The slot of a job that is not the active one is read when that job comes.
    if station is not None and (station.job.recipe != recipe.name or station.job.model == swap.to):
        take_over(recipe.slot, box.place(swap.to))
        return end_swap(ladder, recipe.name, at)
    answer = line.swap_answer(now_ns)
    if answer is not None and not answer.done:
        log.warning("the line does not take bundle %.12s: %s", swap.to, answer.detail)
        state.told, state.began_ns = answer.detail, 0
        return drop_swap(ladder, recipe.name)
    if station is None:
        if now_ns - state.began_ns > _PATIENCE_NS:
            state.told, state.began_ns = "io is silent", 0
            return drop_swap(ladder, recipe.name)
        return ladder
    if not line.swap_asked:
        line.ask_swap(_body(box, station, swap), now_ns)
    return ladder


def _back(
    box: ClimbBox,
    recipe: RecipeAt,
    ladder: Ladder,
    swap: Swap,
    line: Line,
    station: StationState | None,
    now_ns: int,
    at: float,
    state: Swapping,
) -> Ladder:
    fall_back(recipe.slot, box.place(swap.to))
    if station is None:  # who starts reads the slot, and says by what it goes
        return ladder
    if station.job.recipe != recipe.name or station.job.model == swap.to:
        state.trouble, state.told, state.began_ns = "", "", 0
        return end_swap(ladder, recipe.name, at)
    answer = line.swap_answer(now_ns)
    if answer is not None and not answer.done:
        if answer.detail != state.told:
            log.error("the line does not go back to bundle %.12s yet: %s", swap.to, answer.detail)
        state.told = answer.detail
        state.trouble = f"the line does not go back to {swap.to[:12]} yet: {answer.detail}"
    if not line.swap_asked and now_ns - state.asked_ns >= _AGAIN_NS:
        state.asked_ns = now_ns
        # What judges now must not go on: where the other one is not at hand READY is off until it is.
        line.ask_swap({**_body(box, station, swap), "wait": True}, now_ns)
    return ladder


def _body(box: ClimbBox, station: StationState, swap: Swap) -> dict[str, object]:
    return {
        "job": station.job_number,
        "recipe": station.job.revision,
        "from_model": station.job.model,
        "to_model": swap.to,
        "folder": str(box.place(swap.to)),
    }


def slot_digest(recipe: RecipeAt) -> str:
    """Digest of the bundle that the slot points at, by its folder's manifest; empty: none."""
    place = active(recipe.slot)
    if place is None:
        return ""
    try:
        return digest(place)
    except BadBundle:
        return ""
