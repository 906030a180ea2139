"""How far a signed plan has gone, signed by the service: rings open one by one, halt, go on. No model, no numpy.

The service holds three online keys: `rings` signs what is in here, `snapshot` and `timestamp` say which set is newest.
With all three a thief can open rings of a plan that a person signed, halt it, or hold everything back; not more.

Published in this order, so that a box sees the old set whole or the new one: blobs, targets, rings, snapshot,
timestamp. Two writers at once are safe: numbered files are never written twice, and the timestamp is put in place only
over the very one that was read (`Shelf.swap`); who loses begins again.
"""

import hashlib
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tuf.api.metadata import Metadata, MetaFile, TargetFile

from ..bus.clock_floor import believed_now
from ..bus.errors import BadKey, StoreLost
from .channel_format import (
    RINGS_ROLE,
    ROLES,
    BadChannel,
    OpenForm,
    PointerForm,
    RingsForm,
    check_name,
    parse_pointer,
    parse_rings,
    rings_path,
    text_of,
)
from .channel_keys import load_signer
from .channel_published import Published, read_published, target_bytes
from .channel_shelf import FolderShelf, Shelf, metadata_key, target_key

__all__ = ["BadChannel", "FolderShelf", "OnlineKeys", "Rings", "RingsForm", "Shelf"]

TIMESTAMP_DAYS, SNAPSHOT_DAYS, RINGS_DAYS = 7, 30, 30
_MOST_TRIES = 30
_MOST_SKIPPED = 1000


@dataclass(frozen=True, slots=True)
class OnlineKeys:
    """The keys of the service."""

    timestamp: Any
    snapshot: Any
    rings: Any

    @classmethod
    def load(cls, folder: Path) -> "OnlineKeys":
        """`timestamp.pem`, `snapshot.pem`, `rings.pem`: Ed25519, PKCS #8, mode 0600. BadKey."""
        return cls(*(load_signer(folder / f"{name}.pem") for name in ("timestamp", "snapshot", RINGS_ROLE)))


class Rings:
    """Reads and signs what the service may say. One instance a process; several processes may work at once."""

    def __init__(self, shelf: Shelf, keys: OnlineKeys, clock: Callable[[], datetime] = believed_now) -> None:
        """shelf: where the channel is published. clock: UTC."""
        self._shelf, self._keys, self._clock = shelf, keys, clock

    def show(self, line: str) -> RingsForm:
        """What is said of a line now; of one that nothing was said of, nothing. BadChannel, StoreLost."""
        return self._said(self._now(), check_name(line, "line"))

    def plans(self, line: str) -> tuple[PointerForm, ...]:
        """The signed pointers of a line: what rings may be opened for. BadChannel, StoreLost."""
        return self._plans(self._now(), check_name(line, "line"))

    def members(self, line: str, members: Mapping[str, list[str] | tuple[str, ...]]) -> RingsForm:
        """Say which boxes are in which ring; the whole list. BadChannel: a name is none, or a box is in two rings."""
        for ring, boxes in members.items():
            check_name(ring, "ring")
            for box in boxes:
                check_name(box, "box")
        return self._change(line, lambda said, now: {"members": {ring: list(boxes) for ring, boxes in members.items()}})

    def open_ring(self, line: str, recipe: str, role: str, seq: int, ring: str) -> RingsForm:
        """Let one ring take the pointer of that number.

        BadChannel: there is no such pointer now, its plan has no such ring or an earlier one that is not open, nobody
        is in the ring, or it is halted.
        """
        plan = f"{recipe}/{role}"

        def edit(said: RingsForm, now: Published) -> dict[str, Any]:
            pointer = next((one for one in self._plans(now, line) if f"{one.recipe}/{one.role}" == plan), None)
            if pointer is None or pointer.seq != seq:
                found = "none" if pointer is None else f"number {pointer.seq}"
                raise BadChannel(f"{line}/{plan}: number {seq} is not what is published, {found} is")
            order = [one.ring for one in pointer.plan]
            if ring not in order:
                raise BadChannel(f"{line}/{plan}: ring {ring!r}: the signed plan has {', '.join(order)}")
            if not said.members.get(ring):
                raise BadChannel(f"{line}/{plan}: ring {ring!r} has no members")
            before = said.open.get(plan)
            opened = before.rings if before is not None and before.seq == seq else ()
            if said.halted or (before is not None and before.seq == seq and before.halted):
                raise BadChannel(f"{line}/{plan}: is halted ({said.reason or 'no reason given'}): resume it first")
            for earlier in order[: order.index(ring)]:
                if earlier not in opened:
                    raise BadChannel(f"{line}/{plan}: ring {ring!r}: {earlier!r} comes first and is not open")
            rings = (*opened, ring) if ring not in opened else opened
            return {"open": {**said.open, plan: OpenForm(seq=seq, rings=rings)}}

        return self._change(line, edit)

    def halt(self, line: str, reason: str, plan: str | None = None) -> RingsForm:
        """Stop a line's boxes where they stand. plan: `<recipe>/<role>`, only that one; None: everything of the line.

        BadChannel: that plan has no open ring.
        """
        return self._change(line, lambda said, now: {**self._halted(said, plan, True), "reason": reason[:500]})

    def resume(self, line: str, plan: str | None = None) -> RingsForm:
        """Let them go on. BadChannel: that plan has no open ring."""
        return self._change(line, lambda said, now: {**self._halted(said, plan, False), "reason": ""})

    def refresh(self) -> bool:
        """Sign anew what is past half its life, take up newer targets that lie there; return whether anything was.

        To be called at least once a day. BadChannel, BadKey: a person has to act. StoreLost: call again.
        """
        return self._publish(lambda now: None)

    def _halted(self, said: RingsForm, plan: str | None, halted: bool) -> dict[str, Any]:
        if plan is None:
            return {"halted": halted}
        if plan not in said.open:
            raise BadChannel(f"{said.line}/{plan}: has no open ring")
        return {"open": {**said.open, plan: said.open[plan].model_copy(update={"halted": halted})}}

    def _change(self, line: str, edit: Callable[[RingsForm, Published], Mapping[str, Any]]) -> RingsForm:
        check_name(line, "line")
        made: list[RingsForm] = []

        def change(now: Published) -> TargetFile:
            said = self._said(now, line)
            made[:] = [RingsForm.model_validate({**said.model_dump(), **_plain(edit(said, now))})]
            body = text_of(made[0])
            target = TargetFile.from_data(rings_path(line), body)
            self._shelf.add(target_key(target), body)
            return target

        try:
            self._publish(change)
        except ValueError as error:
            raise BadChannel(f"{rings_path(line)}: {error}") from error
        return made[0]

    def _publish(self, change: Callable[[Published], TargetFile | None]) -> bool:
        for _ in range(_MOST_TRIES):
            done = self._once(change)
            if done is not None:
                return done
            time.sleep(random.uniform(0, 0.2))
        raise StoreLost(f"{metadata_key('timestamp')}: others wrote it {_MOST_TRIES} times in between: try again")

    def _once(self, change: Callable[[Published], TargetFile | None]) -> bool | None:
        """One try. True: published; False: nothing to do; None: another writer was quicker."""
        now = self._now()
        target = change(now)
        if target is not None:
            now.rings.targets[target.path] = target
        renewed = target is not None or not now.rings_hold or self._old(now.rings, RINGS_DAYS)
        if not (renewed or now.adopted or not now.snapshot_holds or self._old(now.snapshot, SNAPSHOT_DAYS)):
            if now.timestamp_holds and not self._old(now.timestamp, TIMESTAMP_DAYS):
                return False
            return self._stamp(now, now.timestamp.snapshot_meta)
        if renewed:
            now.rings_bytes = self._add(now.rings, RINGS_ROLE, self._keys.rings, RINGS_DAYS)
        now.snapshot.meta["targets.json"] = meta_of(now.targets, now.targets_bytes)
        now.snapshot.meta[f"{RINGS_ROLE}.json"] = meta_of(now.rings, now.rings_bytes)
        data = self._add(now.snapshot, "snapshot", self._keys.snapshot, SNAPSHOT_DAYS)
        return self._stamp(now, meta_of(now.snapshot, data))

    def _add(self, signed: Any, name: str, key: Any, days: int) -> bytes:
        """Sign under the next free number: one that is taken was left by a writer that died, or is another's."""
        signed.expires = self._clock().replace(microsecond=0) + timedelta(days=days)
        for _ in range(_MOST_SKIPPED):
            signed.version += 1
            data = signed_by(signed, key)
            if self._shelf.add(metadata_key(name, signed.version), data):
                return data
        raise BadChannel(f"{metadata_key(name, signed.version)}: {_MOST_SKIPPED} numbers in a row are taken")

    def _stamp(self, now: Published, snapshot: MetaFile) -> bool | None:
        now.timestamp.version += 1
        now.timestamp.snapshot_meta = snapshot
        now.timestamp.expires = self._clock().replace(microsecond=0) + timedelta(days=TIMESTAMP_DAYS)
        data = signed_by(now.timestamp, self._keys.timestamp)
        return True if self._shelf.swap(metadata_key("timestamp"), now.timestamp_bytes, data) else None

    def _old(self, signed: Any, days: int) -> bool:
        left: timedelta = signed.expires - self._clock()
        return left < timedelta(days=days) / 2

    def _now(self) -> Published:
        """What is published, once it is known that these keys may say what is next. BadKey: they may not."""
        now = read_published(self._shelf)
        delegated = {} if now.targets.delegations is None else now.targets.delegations.roles or {}
        for name, key, role in (
            ("timestamp", self._keys.timestamp, now.root.roles["timestamp"]),
            ("snapshot", self._keys.snapshot, now.root.roles["snapshot"]),
            (RINGS_ROLE, self._keys.rings, delegated.get(RINGS_ROLE)),
        ):
            if role is None or key.public_key.keyid not in role.keyids:
                raise BadKey(f"{name}.pem: is not the key that the channel names for {name}")
        return now

    def _plans(self, now: Published, line: str) -> tuple[PointerForm, ...]:
        return tuple(
            parse_pointer(target_bytes(self._shelf, entry), path)
            for path, entry in sorted(now.targets.targets.items())
            if path.startswith(f"{line}/") and path.rpartition("/")[2].removesuffix(".json") in ROLES
        )

    def _said(self, now: Published, line: str) -> RingsForm:
        path = rings_path(line)
        entry = now.rings.targets.get(path)
        return RingsForm(line=line) if entry is None else parse_rings(target_bytes(self._shelf, entry), path)


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    opened = fields.get("open")
    if opened is None:
        return dict(fields)
    return {**fields, "open": {name: one.model_dump() for name, one in opened.items()}}


def signed_by(signed: Any, *keys: Any) -> bytes:
    """The bytes of metadata that these keys sign."""
    metadata = Metadata(signed)
    for key in keys:
        metadata.sign(key, append=True)
    return metadata.to_bytes()


def meta_of(signed: Any, data: bytes) -> MetaFile:
    """How one file of metadata speaks of another: by number, length and digest."""
    return MetaFile(signed.version, len(data), {"sha256": hashlib.sha256(data).hexdigest()})
