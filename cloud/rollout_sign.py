"""Signs with the service's online keys what is wanted of a line's rings, and tends the plans from time to time.

Any worker may do it at any time: who signs holds the line's row, finds out what is said now, says only what differs.
"""

import logging
import threading
import time
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from ..bus.errors import Refused, StoreLost
from ..fleet.rings import BadChannel, FolderShelf, OnlineKeys, Rings, RingsForm
from . import rollout_state, rollouts
from .database import reading, writing
from .service import Service
from .tables import Box
from .tables_rollout import LineRings, Rollout

log = logging.getLogger(__name__)
EVERY_S = 20.0
REFRESH_S = 3600.0
_TROUBLES = (Refused, StoreLost, OSError)


def rings_of(service: Service) -> Rings | None:
    """What signs; None: the service has no channel, or its rings are moved elsewhere. BadKey: a key is none."""
    folder, keys = service.options.channel.folder, service.channel_keys
    if folder is None or keys is None:
        return None
    return Rings(FolderShelf(folder), OnlineKeys.load(keys))


def sign(engine: Engine, rings: Rings, line: str) -> str:
    """Bring what boxes are told of a line to what is wanted. Return what stands in the way; empty: it was done."""
    with writing(engine) as db:
        row = db.scalars(sa.select(LineRings).where(LineRings.line == line).with_for_update()).one_or_none()
        if row is None or row.signed >= row.wanted:
            return ""
        plans = list(db.scalars(sa.select(Rollout).where(Rollout.line == line, Rollout.state != rollout_state.OVER)))
        try:
            _say(rings, row, plans)
            row.trouble, row.signed, row.signed_at = "", row.wanted, datetime.now(UTC)
        except _TROUBLES as error:
            log.warning("rings of line %s: %s", line, error)
            row.trouble = str(error)[:500]
        return row.trouble


def _say(rings: Rings, row: LineRings, plans: list[Rollout]) -> None:
    """Halts first: whatever fails after them, boxes stand still."""
    said = rings.show(row.line)
    if row.halted and not said.halted:
        said = rings.halt(row.line, row.reason or "halted")
    for one in plans:
        if one.state == rollout_state.HALTED:
            said = _turned(rings, said, one, halted=True)
    wanted = {ring: tuple(boxes) for ring, boxes in row.members.items()}
    if wanted != {ring: tuple(boxes) for ring, boxes in said.members.items()}:
        said = rings.members(row.line, wanted)
    if row.halted:
        return
    if said.halted:
        said = rings.resume(row.line)
    for one in plans:
        if one.state != rollout_state.HALTED:
            said = _turned(rings, said, one, halted=False)
            now = said.open.get(f"{one.recipe}/{one.role}")
            have = now.rings if now is not None and now.seq == one.seq else ()
            for ring in one.opened:
                if ring not in have:
                    said = rings.open_ring(one.line, one.recipe, one.role, one.seq, ring)


def _turned(rings: Rings, said: RingsForm, one: Rollout, halted: bool) -> RingsForm:
    plan = f"{one.recipe}/{one.role}"
    now = said.open.get(plan)
    if now is None or now.seq != one.seq or now.halted == halted:
        return said  # no ring of it is open: there is nothing to halt
    return rings.halt(one.line, one.why or "halted", plan) if halted else rings.resume(one.line, plan)


def turn(engine: Engine, rings: Rings) -> list[str]:
    """Look once at every line: take up what was newly signed, tend the plans, sign what is wanted."""
    done = []
    with reading(engine) as db:
        lines = sorted({*db.scalars(sa.select(Box.line).distinct()), *db.scalars(sa.select(LineRings.line))})
    for line in lines:
        try:
            pointers = rings.plans(line)
        except BadChannel as error:
            log.debug("line %s: %s", line, error)  # no name of a line, for one: no plan can be signed for it
            continue
        with reading(engine) as db:
            asked = sa.select(Rollout.recipe, Rollout.role, Rollout.seq).where(Rollout.line == line)
            known = {tuple(row) for row in db.execute(asked)}
        if any((one.recipe, one.role, one.seq) not in known for one in pointers):
            with writing(engine) as db:
                if n := rollouts.adopt(db, line, pointers):
                    done.append(f"line {line}: {n} plan(s) taken up")
        if known or pointers:
            with writing(engine) as db:
                done += rollouts.tend(db, line)
        sign(engine, rings, line)
    return done


class Turner:
    """A thread of a worker that takes its turn now and then. Many workers: the line's row lets one at a time."""

    def __init__(self, service: Service, every_s: float = EVERY_S) -> None:
        self._service, self._every_s = service, every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rollouts", daemon=True)
        self._refreshed = 0.0

    def start(self) -> None:
        """After the fork."""
        self._thread.start()

    def stop(self) -> None:
        """End it, within a few seconds."""
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._once()
            except (*_TROUBLES, SQLAlchemyError) as error:
                log.warning("rollouts: %s", error)
            self._stop.wait(self._every_s)

    def _once(self) -> None:
        rings = rings_of(self._service)
        if rings is None:
            return
        now = time.monotonic()
        if not self._refreshed or now - self._refreshed > REFRESH_S:
            if rings.refresh():
                log.info("channel: signed anew at %s", datetime.now(UTC).isoformat(timespec="seconds"))
            self._refreshed = now
        for what in turn(self._service.engine, rings):
            log.info("rollouts: %s", what)
