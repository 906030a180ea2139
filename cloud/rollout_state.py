"""Where each bundle and each signed plan stands, by what the boxes told."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ..bus.errors import Refused
from .tables import Box
from .tables_rollout import Climb, LineRings, Rollout
from .upsert import put

THROUGH_SHARE = 0.9
"""Of a ring's boxes so many have to be champions before the next ring opens."""
THROUGH = ("CHAMPION", "RETIRED")
FAILED = ("REFUSED", "ROLLED_BACK")
RUNGS = ("OFFERED", "FETCHED", "VERIFIED", "LOADED", "GOLDEN", "SHADOW", "CANARY", "CHAMPION", "RETIRED", *FAILED)
RUNNING, PAUSED, HALTED, OVER = "running", "paused", "halted", "over"
MOST_REASON = 500


def climbed(session: Session, box: str, epoch: int, events: Iterable[Mapping[str, Any]]) -> None:
    """Move the rungs by newly stored events of the stream `ladder`; an older one changes nothing."""
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for event in sorted(events, key=lambda one: int(one["seq"])):
        body = event.get("body")
        if not isinstance(body, Mapping):
            continue
        recipe, bundle, rung = (str(body.get(name) or "") for name in ("recipe", "bundle", "to"))
        if rung not in RUNGS or len(bundle) != 64:
            continue
        figures = body.get("figures")
        newest[recipe[:100], bundle] = {
            "box": box,
            "recipe": recipe[:100],
            "bundle": bundle,
            "rung": rung,
            "since": event["at"],
            "reason": str(body.get("reason") or "")[:MOST_REASON].replace("\0", ""),
            "figures": dict(figures) if isinstance(figures, Mapping) else {},
            "epoch": epoch,
            "seq": event["seq"],
            "unlocked_by": "",
        }
    changed = ("rung", "since", "reason", "figures", "epoch", "seq", "unlocked_by")
    put(session, Climb, list(newest.values()), replace=changed, newer_by=("epoch", "seq"))


@dataclass(frozen=True, slots=True)
class RingState:
    """One ring of a plan and its boxes."""

    name: str
    shadow_parts: int
    canary_parts: int
    max_error_pct: float
    is_open: bool
    boxes: list[tuple[str, str, str, str, Mapping[str, Any]]]
    """(id, name, rung, reason, figures); rung is empty where the box told nothing of this bundle yet."""

    @property
    def by_rung(self) -> dict[str, int]:
        """Boxes by rung, in the order of the ladder."""
        rungs = [box[2] for box in self.boxes]
        return {rung: n for rung in ("", *RUNGS) if (n := rungs.count(rung))}

    @property
    def through(self) -> int:
        """Boxes that made it champion."""
        return sum(box[2] in THROUGH for box in self.boxes)

    @property
    def errors(self) -> int:
        """Boxes that refused it or rolled it back."""
        return sum(box[2] in FAILED for box in self.boxes)

    @property
    def error_pct(self) -> float:
        """Of the ring's boxes."""
        return 100.0 * self.errors / len(self.boxes) if self.boxes else 0.0

    @property
    def is_through(self) -> bool:
        """Enough of it made it champion and few enough failed."""
        enough = bool(self.boxes) and self.through >= THROUGH_SHARE * len(self.boxes)
        return self.is_open and enough and self.error_pct <= self.max_error_pct


@dataclass(frozen=True, slots=True)
class RolloutState:
    """One signed plan with its rings."""

    rollout: Rollout
    rings: list[RingState]
    line_halted: bool
    line_reason: str
    trouble: str
    """Why the newest wish could not be signed; empty: it was."""
    is_signed: bool
    """What stands here is what boxes are told."""

    @property
    def next_ring(self) -> RingState | None:
        """The first that is not open yet."""
        return next((ring for ring in self.rings if not ring.is_open), None)

    @property
    def open_rings(self) -> list[RingState]:
        """In the plan's order."""
        return [ring for ring in self.rings if ring.is_open]

    @property
    def too_many_errors(self) -> RingState | None:
        """The ring whose boxes failed more often than the plan allows and a person has accepted; None: all is well."""
        for ring in self.open_rings:
            if ring.error_pct > ring.max_error_pct and ring.errors > int(self.rollout.borne.get(ring.name, 0)):
                return ring
        return None

    @property
    def due(self) -> bool:
        """The next ring may open by itself."""
        following = self.next_ring
        ready = all(ring.is_through for ring in self.open_rings)
        runs = self.rollout.state == RUNNING and not self.line_halted
        return following is not None and bool(following.boxes) and bool(self.open_rings) and ready and runs


def ring_row(session: Session, line: str) -> LineRings:
    """The line's row; made where there is none yet."""
    found = session.get(LineRings, line)
    if found is None:
        row = {"line": line, "members": {}, "halted": False, "reason": "", "wanted": 0, "signed": 0, "trouble": ""}
        put(session, LineRings, [row])
        found = session.get_one(LineRings, line)
    return found


def states(session: Session, line: str = "", over: bool = False) -> list[RolloutState]:
    """Every plan with its rings, the newest first; over: those too that a newer one took the place of."""
    asked = sa.select(Rollout).order_by(Rollout.line, Rollout.recipe, Rollout.role, Rollout.seq.desc()).limit(500)
    if line:
        asked = asked.where(Rollout.line == line)
    if not over:
        asked = asked.where(Rollout.state != OVER)
    plans = list(session.scalars(asked))
    rows = {
        one.line: one
        for one in session.scalars(sa.select(LineRings).where(LineRings.line.in_({p.line for p in plans})))
    }
    ids = {box for row in rows.values() for boxes in row.members.values() for box in boxes}
    names: dict[str, str] = {
        box: name for box, name in session.execute(sa.select(Box.id, Box.name).where(Box.id.in_(ids)))
    }
    bundles = {one.bundle for one in plans}
    climbs = {
        (one.box, one.recipe, one.bundle): one
        for one in session.scalars(sa.select(Climb).where(Climb.bundle.in_(bundles), Climb.box.in_(ids)))
    }
    return [_state(one, rows.get(one.line), names, climbs) for one in plans]


def _state(
    one: Rollout, row: LineRings | None, names: Mapping[str, str], climbs: Mapping[tuple[str, str, str], Climb]
) -> RolloutState:
    members = row.members if row is not None else {}
    rings = []
    for ring in one.plan:
        boxes: list[tuple[str, str, str, str, Mapping[str, Any]]] = []
        for box in members.get(ring["ring"], ()):
            climb = climbs.get((box, one.recipe, one.bundle))
            told = (climb.rung, climb.reason, climb.figures) if climb is not None else ("", "", {})
            boxes.append((box, names.get(box, box), *told))
        rings.append(
            RingState(
                ring["ring"],
                ring["shadow_parts"],
                ring["canary_parts"],
                ring["max_error_pct"],
                ring["ring"] in one.opened,
                boxes,
            )
        )
    halted, reason, trouble = (row.halted, row.reason, row.trouble) if row is not None else (False, "", "")
    return RolloutState(one, rings, halted, reason, trouble, row is not None and row.signed >= row.wanted)


def state_of(session: Session, line: str, recipe: str, role: str, seq: int) -> RolloutState:
    """One plan, its line locked until the transaction ends. Refused: it is not known, or over."""
    session.execute(sa.select(LineRings.line).where(LineRings.line == line).with_for_update())
    session.expire_all()
    for one in states(session, line):
        if (one.rollout.recipe, one.rollout.role, one.rollout.seq) == (recipe, role, seq):
            return one
    raise Refused(f"{line}/{recipe}/{role} number {seq}: expected a plan that is signed and not over")
