"""The history of one part: everything that was known, set, said and done when it was judged, from one place.

Also the other way round, see `trace_back.py`. Read-only; each question goes by an index.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ..bus.clock import utc_text
from .gallery_read import golden_of
from .known import Known, known, known_then
from .people_rows import Golden, Label, label_of_row
from .read import Ask, LedgerReader, PartRow, part_rows
from .rows import thumb_path

MOST_READINGS = 100
_SIGNED_IN_H = 16
"""A person who signed in longer before is not named any more."""
_GONE = ("cleared", "reset", "returned")


@dataclass(frozen=True, slots=True)
class Held:
    """One picture of the part."""

    camera: str
    path: str
    """Relative to the store; of the small one where only that is left. Empty: none was ever kept."""
    sha256: str
    """Of the picture as it was kept."""
    state: str
    """`kept`, `small` (only a small one is left), `given up`, `never`, `missing` (it should be there)."""
    sound: bool | None
    """The file hashes to its SHA-256; None: there is none, or nobody looked."""


@dataclass(frozen=True, slots=True)
class Standing:
    """An alarm that stood when the part came."""

    key: str
    event: str
    """What happened to it last."""
    at: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who had signed in last, and had not signed out."""

    who: str
    place: str
    at: str


@dataclass(frozen=True, slots=True)
class Trace:
    """All of one part."""

    part: PartRow
    verdict: str | None
    lot: str
    boot_id: str
    """Boot in which its times were taken."""
    sequence: int
    """Number of its result at the PLC; 0: it was never published."""
    published_ms: float | None
    """After the trigger."""
    acked_ms: float | None
    """When the PLC acknowledged it, after the trigger; None: never."""
    pictures: tuple[Held, ...]
    recipe: Known | None
    """Text of its revision; None: it was not written down then."""
    model: Known | None
    """Manifest of the bundle."""
    cameras: tuple[Known, ...]
    """How each camera of the part was set up in the box's settings. What the product asks of it is in the recipe."""
    labels: tuple[Label, ...]
    """What people said of it; taken-back ones too."""
    reviewed_by: str
    escapes: tuple[dict[str, Any], ...]
    alarms: tuple[Standing, ...]
    signed_in: tuple[SignedIn, ...]
    others: tuple[int, ...] = field(default=())
    """Other readings of the same serial number, by `seq`."""
    golden: Golden | None = None
    """Who marked it as golden, so that it stays; None: nobody."""

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON knows it. Heat maps are left out, they are pictures."""
        made = asdict(self)
        made["part"].pop("heat")
        return made


class Tracer:
    """Asks the ledger of one store. May be shared by threads. Every question may raise BadLedger."""

    def __init__(self, store: Path) -> None:
        self._store, self._reader = store, LedgerReader(store)

    def readings(self, what: str) -> list[int]:
        """Every part with that serial number or, where it is a number, that part number: `seq`, the newest first."""
        number = int(what) if what.isascii() and what.isdigit() and len(what) <= 10 else 0
        sql = (
            "select seq from part where serial != '' and serial = ? union select seq from part where part = ?"
            f" order by seq desc limit {MOST_READINGS}"
        )
        with self._reader.asking() as ask:
            return [int(row["seq"]) for row in ask(sql, [what, number])]

    def trace(self, seq: int, *, verify: bool = True) -> Trace | None:
        """All of one part; None: there is no such part. verify: hash its pictures."""
        with self._reader.asking() as ask:
            found = part_rows(ask, [seq])
            if not found:
                return None
            (part,) = found
            (more,) = ask(
                "select verdict, lot, sequence, triggered_ns, published_ns, acked_ns, epoch from part where seq = ?",
                [seq],
            )
            boot = ask.first(
                "select boot_id from trigger indexed by trigger_part where epoch = ? and part = ? and at_ns = ?",
                [more["epoch"], part.part, more["triggered_ns"]],
            )
            cameras = dict.fromkeys(filter(None, (part.camera, *(view.camera for view in part.views))))
            setups = [known_then(ask, "camera", camera, part.taken_at) for camera in cameras]
            review = ask.first("select who from review where seq = ?", [seq])
            others = ask("select seq from part where serial != '' and serial = ? and seq != ?", [part.serial, seq])
            made = Trace(
                part=part,
                verdict=more["verdict"],
                lot=more["lot"],
                boot_id=boot["boot_id"] if boot else "",
                sequence=more["sequence"],
                published_ms=_after(more["published_ns"], more["triggered_ns"]),
                acked_ms=_after(more["acked_ns"], more["triggered_ns"]),
                pictures=(),
                recipe=known(ask, "recipe", part.revision),
                model=known(ask, "model", part.model),
                cameras=tuple(one for one in setups if one is not None),
                labels=tuple(label_of_row(row) for row in ask("select * from label where seq = ? order by n", [seq])),
                reviewed_by=review["who"] if review else "",
                escapes=tuple(ask('select * from "escape" where seq = ? order by n', [seq])),
                alarms=tuple(_alarms(ask, part.taken_at)),
                signed_in=tuple(_signed_in(ask, part.taken_at)),
                others=tuple(int(row["seq"]) for row in others),
                golden=golden_of(ask, seq),
            )
        object.__setattr__(made, "pictures", tuple(self._pictures(part, verify=verify)))
        return made

    def _pictures(self, part: PartRow, *, verify: bool) -> list[Held]:
        every = [(part.camera, part.picture, part.picture_sha256, part.picture_kept)]
        every += [(one.camera, one.picture, one.picture_sha256, one.picture_kept) for one in part.views]
        return [self._held(*one, verify=verify) for one in every]

    def _held(self, camera: str, path: str | None, sha256: str | None, kept: bool, *, verify: bool) -> Held:
        if not path or not sha256:
            return Held(camera, "", "", "never", None)
        file = _inside(self._store, path)
        if not kept:
            small = thumb_path(path)
            there = (found := _inside(self._store, small)) is not None and found.is_file()
            return Held(camera, small if there else "", sha256, "small" if there else "given up", None)
        if file is None or not file.is_file():
            return Held(camera, path, sha256, "missing", False)
        return Held(camera, path, sha256, "kept", _digest(file) == sha256 if verify else None)


def _after(moment: int | None, begin: int) -> float | None:
    return None if moment is None else (moment - begin) / 1e6


def _inside(store: Path, path: str) -> Path | None:
    """The file of that name; None: it would lie outside of the store."""
    root = store.resolve()
    file = (root / path).resolve()
    return file if file.is_relative_to(root) else None


def _digest(file: Path) -> str:
    try:
        with file.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError:
        return ""


def _alarms(ask: Ask, at: str) -> list[Standing]:
    """Alarms that stood at that moment: of each key what was journaled last before it."""
    edge = ask.first(
        "select n from journal indexed by journal_at where stream = 'alarm' and at <= ?"
        " order by at desc, n desc limit 1",
        [at],
    )
    if edge is None:
        return []
    last = ask(
        "with recursive k (key) as (select min(key) from journal indexed by journal_key where stream = 'alarm'"
        " union all select (select min(key) from journal indexed by journal_key where stream = 'alarm'"
        " and key > k.key) from k where k.key is not null)"
        " select j.key, j.event, j.at from k join journal j on j.n = (select max(n) from journal"
        " indexed by journal_key where stream = 'alarm' and key = k.key and n <= ?) where k.key is not null",
        [edge["n"]],
    )
    return [Standing(row["key"], row["event"], row["at"]) for row in last if row["event"] not in _GONE]


def _signed_in(ask: Ask, at: str) -> list[SignedIn]:
    """Who had signed in and not out again. That a panel signed somebody out by itself is not in the trail."""
    try:
        since = utc_text(datetime.fromisoformat(at) - timedelta(hours=_SIGNED_IN_H))
    except ValueError:
        return []
    sql = (
        "select body from audit indexed by audit_signed"
        " where json_extract(body, '$.what') in ('signed in', 'signed out')"
        " and json_extract(body, '$.at') between ? and ? order by json_extract(body, '$.at') desc limit 500"
    )
    found: dict[str, SignedIn | None] = {}
    for row in ask(sql, [since, at]):
        body = json.loads(row["body"])
        who, about = str(body["who"]), body.get("object") or {}
        if body["what"] == "signed out":
            found.setdefault(str(about.get("name") or who), None)
        else:
            found.setdefault(who, SignedIn(who, str(about.get("place", "")), str(body["at"])))
    return [one for one in found.values() if one is not None]
