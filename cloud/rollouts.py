"""How far each signed plan goes: what people, or the plan itself, open, pause, halt and resume.

The service can open rings of a plan that a person signed offline, in the plan's order, and it can halt. It cannot say
which bundle runs, and every box still climbs its own ladder. What is wanted stands here; `rollout_sign` signs it.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ..bus.errors import Refused
from .deeds import note
from .rollout_state import FAILED, HALTED, MOST_REASON, OVER, PAUSED, RUNNING, RolloutState, ring_row, states
from .tables import Box
from .tables_rollout import Climb, LineRings, Rollout

SERVICE = "service"
LATELY_S = 120
"""So long after a signature each state that comes is answered with the word to look; a state comes every 30 s."""


def adopt(session: Session, line: str, pointers: Sequence[Any]) -> int:
    """Take up what is signed and not known yet; older numbers of the same channel are over. Return how many are new.

    pointers: `PointerForm`s of the line.
    """
    session.refresh(ring_row(session, line), with_for_update=True)
    new = 0
    for one in pointers:
        where = (Rollout.line == line, Rollout.recipe == one.recipe, Rollout.role == one.role)
        if session.get(Rollout, (line, one.recipe, one.role, one.seq)) is not None:
            continue
        now = datetime.now(UTC)
        session.execute(sa.update(Rollout).where(*where, Rollout.seq < one.seq).values(state=OVER))
        session.add(
            Rollout(
                line=line,
                recipe=one.recipe,
                role=one.role,
                seq=one.seq,
                bundle=one.bundle,
                plan=[ring.model_dump(mode="json") for ring in one.plan],
                signed_at=one.at,
                approved_by=one.approved_by,
                seen_at=now,
                opened=[],
                state=RUNNING,
                automatic=False,
                borne={},
                why="",
                changed_at=now,
                changed_by=SERVICE,
            )
        )
        new += 1
    session.flush()
    return new


def open_next(session: Session, who: str, at: RolloutState, ring: str, reason: str = "") -> None:
    """Open a ring: the next one, or do nothing where it is open already. Refused: it is not its turn, or halted.

    Before the rings before it are through a person has to say why.
    """
    one, following = at.rollout, at.next_ring
    if ring in one.opened:
        return
    where = f"{one.line}/{one.recipe}/{one.role}: ring {ring!r}"
    if following is None or following.name != ring:
        raise Refused(f"{where}: expected {following.name if following else 'no ring: all are open'}")
    if at.line_halted or one.state != RUNNING:
        raise Refused(f"{where}: the plan is {HALTED if at.line_halted else one.state}: resume it first")
    if not following.boxes:
        raise Refused(f"{where}: has no boxes: put some into it first")
    early = not all(each.is_through for each in at.open_rings)
    if early and not reason.strip():
        raise Refused(f"{where}: the rings before it are not through: expected a reason")
    one.opened = [*one.opened, ring]
    said = {"ring": ring, "early": early, "boxes": len(following.boxes), "reason": reason[:MOST_REASON]}
    _changed(session, at, who, "rollout ring opened", reason, said)


def pause(session: Session, who: str, at: RolloutState, reason: str) -> None:
    """Let no further ring open. Boxes of open rings go on."""
    _turn(session, who, at, (RUNNING,), PAUSED, "rollout paused", reason)


def halt(session: Session, who: str, at: RolloutState, reason: str) -> None:
    """Stop the plan's boxes where they stand."""
    _turn(session, who, at, (RUNNING, PAUSED), HALTED, "rollout halted", reason)


def resume(session: Session, who: str, at: RolloutState, reason: str) -> None:
    """Let it go on; failures that there are by now are accepted. Refused: no reason, or it is not stopped."""
    at.rollout.borne = {ring.name: ring.errors for ring in at.open_rings if ring.errors}
    _turn(session, who, at, (PAUSED, HALTED), RUNNING, "rollout resumed", reason)


def set_automatic(session: Session, who: str, at: RolloutState, automatic: bool) -> None:
    """Let the next ring open by itself, or not any more."""
    if at.rollout.automatic != automatic:
        at.rollout.automatic = automatic
        _changed(session, at, who, "rollout automatic" if automatic else "rollout by hand", at.rollout.why, {})


def _turn(
    session: Session, who: str, at: RolloutState, before: tuple[str, ...], after: str, what: str, reason: str
) -> None:
    one = at.rollout
    if one.state == after:
        return
    if one.state not in before:
        raise Refused(f"{one.line}/{one.recipe}/{one.role}: is {one.state}: expected {' or '.join(before)}")
    if not reason.strip():
        raise Refused(f"{one.line}/{one.recipe}/{one.role}: expected a reason")
    one.state = after
    _changed(session, at, who, what, reason, {"reason": reason[:MOST_REASON]})


def _changed(session: Session, at: RolloutState, who: str, what: str, why: str, said: dict[str, Any]) -> None:
    one = at.rollout
    one.changed_at, one.changed_by, one.why = datetime.now(UTC), who, why[:MOST_REASON]
    _wanted(session, [one.line])
    note(session, who, what, f"{one.line}/{one.recipe}/{one.role}/{one.seq}", {"bundle": one.bundle} | said)


def _wanted(session: Session, lines: Sequence[str]) -> None:
    session.flush()
    session.execute(sa.update(LineRings).where(LineRings.line.in_(lines)).values(wanted=LineRings.wanted + 1))


def halt_all(session: Session, who: str, reason: str, lines: Sequence[str] = ()) -> list[str]:
    """The red button: no box of these lines goes further with anything. lines: none named, all. Return which."""
    return _all_halted(session, who, True, reason, lines)


def resume_all(session: Session, who: str, reason: str, lines: Sequence[str] = ()) -> list[str]:
    """Take the red button back. Refused: no reason. Return which lines go on."""
    if not reason.strip():
        raise Refused("resume: expected a reason")
    return _all_halted(session, who, False, reason, lines)


def _all_halted(session: Session, who: str, halted: bool, reason: str, lines: Sequence[str]) -> list[str]:
    asked = sa.select(LineRings).order_by(LineRings.line).with_for_update()
    rows = [row for row in session.scalars(asked) if (not lines or row.line in lines) and row.halted != halted]
    for row in rows:
        row.halted, row.reason = halted, reason[:MOST_REASON] if halted else ""
    changed = [row.line for row in rows]
    _wanted(session, changed)
    what = "all rollouts halted" if halted else "all rollouts resumed"
    note(session, who, what, ", ".join(changed)[:200], {"lines": changed, "reason": reason[:MOST_REASON]})
    return changed


def unlock(session: Session, who: str, box: str, recipe: str, bundle: str, reason: str) -> None:
    """Let a box try a bundle again that it refused or rolled back. Refused: no reason, or it stands elsewhere."""
    climb = session.get(Climb, (box, recipe, bundle), with_for_update=True)
    if climb is None or climb.rung not in FAILED:
        raise Refused(f"box {box[:40]!r}, bundle {bundle[:12]}: expected one that was refused or rolled back")
    if not reason.strip():
        raise Refused("unlock: expected a reason")
    climb.unlocked_by = who
    session.flush()
    detail = {"recipe": recipe, "bundle": bundle, "was": climb.reason, "reason": reason[:MOST_REASON]}
    note(session, who, "bundle unlocked", f"box:{box}", detail)


def waits_for(session: Session, box: str, now: datetime) -> dict[str, Any]:
    """What a box is told when it tells its state: whether rings were signed lately, bundles that a person unlocked."""
    lately = now - timedelta(seconds=LATELY_S)
    asked = sa.select(sa.func.count()).select_from(Box).join(LineRings, LineRings.line == Box.line)
    signed = session.scalar(asked.where(Box.id == box, LineRings.signed_at > lately))
    unlocked = session.scalars(sa.select(Climb.bundle).where(Climb.box == box, Climb.unlocked_by != ""))
    return {"rings": bool(signed), "unlock": sorted(set(unlocked))}


def set_members(session: Session, who: str, line: str, members: Mapping[str, Sequence[str]]) -> None:
    """Say which boxes of a line are in which ring; the whole list. Refused: a box is in two, or not of the line."""
    row = ring_row(session, line)
    session.refresh(row, with_for_update=True)
    own = set(session.scalars(sa.select(Box.id).where(Box.line == line, Box.retired_at.is_(None))))
    said = [box for boxes in members.values() for box in boxes]
    if len(said) != len(set(said)):
        raise Refused(f"rings of line {line!r}: a box is in two rings")
    if strangers := sorted(set(said) - own):
        raise Refused(f"rings of line {line!r}: {strangers[0][:40]!r}: expected a box of this line")
    fresh = {ring: sorted(boxes) for ring, boxes in members.items() if boxes}
    if fresh == row.members:
        return
    before, row.members = row.members, fresh
    _wanted(session, [line])
    note(session, who, "rings set", line, {"before": before, "after": fresh})


def tend(session: Session, line: str) -> list[str]:
    """What a line's plans do by themselves: halt where too many boxes failed, open the next ring where it is due.

    Return what was done, for the log.
    """
    session.execute(sa.select(LineRings.line).where(LineRings.line == line).with_for_update())
    session.expire_all()
    done = []
    for at in states(session, line):
        one, bad = at.rollout, at.too_many_errors
        name = f"{one.line}/{one.recipe}/{one.role}/{one.seq}"
        if bad is not None and one.state in (RUNNING, PAUSED):
            told = f"ring {bad.name}: {bad.errors} of {len(bad.boxes)} boxes failed, more than {bad.max_error_pct:g} %"
            halt(session, SERVICE, at, told)
            done.append(f"{name} halted: {told}")
        elif one.automatic and at.due and at.next_ring is not None:
            ring = at.next_ring.name
            open_next(session, SERVICE, at, ring, "the ring before it is through")
            done.append(f"{name}: ring {ring} opened")
    return done
