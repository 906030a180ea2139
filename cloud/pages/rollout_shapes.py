"""What the API takes and answers of signed plans and rings."""

from typing import Annotated

from pydantic import Field

from ..rollout_state import HALTED, OVER, PAUSED, RUNGS, RUNNING
from ..spec import Among, Shape
from .part_shapes import Said


class BoxRung(Shape):
    """How far a box is with the bundle."""

    box: str
    rung: Annotated[str, Among(("", *RUNGS))] = Field(description="Empty: it told nothing of it yet.")
    reason: str


class PlannedRing(Shape):
    """A ring of a plan and its boxes."""

    ring: str
    open: bool
    through: bool
    boxes: list[BoxRung]
    by_rung: dict[str, int] = Field(description="Boxes by rung; NOTHING_TOLD where they told nothing.")
    errors: int
    error_pct: float
    max_error_pct: float
    shadow_parts: int
    canary_parts: int


class Plan(Shape):
    """A signed plan and how far it is."""

    line: str
    recipe: str
    role: str
    seq: int
    bundle: str
    signed_at: str
    approved_by: str
    state: Annotated[str, Among((RUNNING, PAUSED, HALTED, OVER))]
    automatic: bool
    why: str
    changed_by: str
    changed_at: str
    line_halted: bool
    signed: bool = Field(description="What stands here is what boxes are told.")
    trouble: str = Field(description="Why it could not be signed; empty: it was.")
    next_ring: str | None
    rings: list[PlannedRing]


class Disagreements(Shape):
    """Settled parts on which challenger and champion differ."""

    wrong: int = Field(description="The challenger was.")
    right: int
    missed: int
    checked_ng: int
    open: int = Field(description="Not settled yet.")
    sprt: float


class Beside(Shape):
    """How the bundle does beside the champion."""

    parts: int
    ng: int
    missed_at_most: float | None = Field(description="Share of the defects, 95 %; null: nothing can be said.")
    disagreements: Disagreements


class PlanBeside(Plan):
    """A plan, and how its bundle does."""

    beside: Beside


class Plans(Shape):
    """Of all lines, the newest of each channel first."""

    rollouts: list[PlanBeside]


class Stop(Shape):
    """Why all rollouts are halted; may lack."""

    reason: Said = ""


class GoOn(Shape):
    """Why they go on; has to be said."""

    reason: Said = ""


class Turned(Shape):
    """Lines that were not so before."""

    lines: list[str]


class PlanChange(Shape):
    """What a change needs."""

    ring: Said = Field(default="", description="Of open: which.")
    reason: Said = Field(default="", description="Of pause, halt, resume, and of open before its turn.")


class NewRings(Shape):
    """Which boxes of a line are in which ring; the whole list."""

    members: dict[Said, list[Said]] = Field(description="{ring: [box, …]}")


class RingsOfLine(Shape):
    """The rings of a line."""

    line: str
    members: dict[str, list[str]]
    halted: bool
    reason: str
    signed: bool = Field(description="What stands here is what boxes are told.")
