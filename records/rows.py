"""What one row of the ledger holds: entries become columns here, and nowhere else."""

import base64
import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

from ..bus.entries import RecordEntry
from ..bus.messages import FrameReady
from ..bus.part import (
    Action,
    CodeRead,
    Defect,
    Delivery,
    Disposition,
    HeatMap,
    Measurement,
    Outcome,
    Placement,
    Trigger,
    Why,
)

Columns = dict[str, Any]

OUTCOMES = {Why.OK: Outcome.OK, Why.NG: Outcome.NG}
"""What is counted follows the ground of the disposition: an OK that came too late is UNJUDGED."""
THUMB_ENDING = ".thumb.jpg"
RESTARTED = "box restarted"
"""Reason of a part that io left open when it died."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A picture that lies on disk, synced."""

    path: str
    """Relative to the store, with `/`."""
    sha256: str
    """Of the file, 64 hex digits."""
    width: int = 0
    """Of the picture, px; 0: as its frame says. A developed picture may be smaller than its frame."""
    height: int = 0


def thumb_path(picture: str) -> str:
    """Where the small one of a picture that was given up lies; both relative to the store."""
    path = PurePosixPath(picture)
    return str(path.with_name(path.stem + THUMB_ENDING))


def outcome_of(why: Why) -> Outcome:
    """What a part counts as by the ground of its disposition."""
    return OUTCOMES.get(why, Outcome.UNJUDGED)


def part_columns(
    entry: RecordEntry,
    frame: FrameReady | None,
    heat: Sequence[HeatMap],
    kept: Kept | None,
    codes: Sequence[CodeRead],
    placements: Sequence[Placement],
    measures: Sequence[Measurement],
    stored_at: str,
) -> Columns:
    """Columns of table `part` for one record, `epoch` and `serial_before` left out."""
    record = entry.record
    trigger, verdict, disposition, receipt = record.trigger, record.verdict, record.disposition, record.receipt
    why = Why(disposition.why)
    return {
        "number": entry.number,
        **_trigger_columns(trigger),
        "taken_at": record.taken_at,
        "outcome": outcome_of(why).value,
        "verdict": verdict.outcome.value if verdict else None,
        "action": disposition.action.value,
        "why": why.value,
        "reasons": as_json(verdict.reasons if verdict else (record.lost,) if record.lost else ()),
        "defects": as_json([asdict(defect) for defect in verdict.defects] if verdict else ()),
        "score": verdict.score if verdict else 0.0,
        "threshold": verdict.threshold if verdict else 0.0,
        "recipe": verdict.recipe if verdict else trigger.recipe,
        "revision": verdict.revision if verdict else "",
        "model": verdict.model if verdict else "",
        "camera": verdict.camera if verdict else (frame.camera if frame else ""),
        "exposed_ns": frame.exposed_at_ns if frame else None,
        "received_ns": frame.received_ns if frame else None,
        "ready_ns": frame.ready_ns if frame else None,
        "started_ns": verdict.started_ns if verdict else None,
        "done_ns": verdict.done_ns if verdict else None,
        "committed_ns": disposition.committed_ns,
        "published_ns": disposition.published_ns,
        "acked_ns": receipt.acked_at_ns,
        "sequence": disposition.sequence,
        "delivery": receipt.delivery.value,
        "confirmed": receipt.confirmed,
        **picture_columns(frame, kept),
        "serial": serial_of(codes),
        "codes": as_json([asdict(code) for code in codes]),
        "placements": as_json([numbers(asdict(placement)) for placement in placements]),
        "measures": as_json([numbers(asdict(measure)) for measure in measures]),
        "heat": pack_heat(heat) if heat else None,
        "recovered": False,
        "stored_at": stored_at,
    }


def recovered_columns(
    trigger: Trigger, number: int, taken_at: str, stored_at: str, shown: Disposition | None = None
) -> Columns:
    """Columns of table `part` for a trigger whose record died with io: rejected by the PLC, counted as UNJUDGED.

    shown: an OK that io had shown to the PLC before; the part may have passed by it, so it stays OK and unconfirmed.
    """
    unknown = "verdict exposed_ns received_ns ready_ns started_ns done_ns committed_ns published_ns acked_ns confirmed"
    nothing = dict.fromkeys((*unknown.split(), "picture", "picture_sha256", "heat"))
    return {
        "number": -number,
        **_trigger_columns(trigger),
        "taken_at": taken_at,
        "outcome": Outcome.UNJUDGED.value,
        "action": Action.REJECT.value,
        "why": Why.FAULT.value,
        "reasons": as_json([RESTARTED]),
        "defects": "[]",
        "score": 0.0,
        "threshold": 0.0,
        "recipe": trigger.recipe,
        "revision": "",
        "model": "",
        "camera": "",
        "sequence": 0,
        "delivery": Delivery.UNCONFIRMED.value,
        "width": 0,
        "height": 0,
        "picture_kept": False,
        "serial": "",
        "codes": "[]",
        "placements": "[]",
        "measures": "[]",
        "recovered": True,
        "stored_at": stored_at,
        **nothing,
        **(_shown_columns(shown) if shown is not None else {}),
    }


def _shown_columns(shown: Disposition) -> Columns:
    """What is known of an OK whose record died with io."""
    return {
        "outcome": Outcome.OK.value,
        "verdict": Outcome.OK.value,
        "action": shown.action.value,
        "why": shown.why.value,
        "reasons": "[]",
        "committed_ns": shown.committed_ns,
        "published_ns": shown.published_ns,
        "sequence": shown.sequence,
    }


def picture_columns(frame: FrameReady | None, kept: Kept | None) -> Columns:
    """Size and place of one picture; 0 and None where there was none."""
    sized = kept is not None and kept.width > 0
    return {
        "width": kept.width if kept is not None and sized else frame.width if frame else 0,
        "height": kept.height if kept is not None and sized else frame.height if frame else 0,
        "picture": kept.path if kept else None,
        "picture_sha256": kept.sha256 if kept else None,
        "picture_kept": kept is not None,
    }


def serial_of(codes: Iterable[CodeRead]) -> str:
    """The number read on the part itself; empty: none was."""
    return next((code.text for code in codes if code.serial and code.text), "")


def numbers(values: dict[str, Any]) -> dict[str, Any]:
    """The same with None for every number that is none: neither JSON nor SQLite has a NaN."""
    return {name: None if _unreal(value) else value for name, value in values.items()}


def _unreal(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _trigger_columns(trigger: Trigger) -> Columns:
    return {
        "part": trigger.part,
        "station": trigger.station,
        "missed": trigger.missed,
        "encoder": trigger.encoder,
        "triggered_ns": trigger.at_ns,
        "deadline_ns": trigger.deadline_ns,
    }


_OUTBOX_LEAVES = ("heat", "number", "stored_at")


_LISTS = ("reasons", "defects", "codes", "placements", "measures")


def outbox_body(columns: Columns, epoch: str, views: Sequence[Columns] = (), image: Sequence[Columns] = ()) -> bytes:
    """The record as it leaves the box: one line of canonical JSON without the heat map.

    views, image: rows of the tables `view` and `image_health` of this part, `seq` left out.
    """
    body = {name: value for name, value in columns.items() if name not in _OUTBOX_LEAVES}
    body.update({name: json.loads(columns[name]) for name in _LISTS})
    body["epoch"], body["views"] = epoch, list(views)
    body["image"] = [{**one, "alarms": json.loads(one["alarms"])} for one in image]
    return as_json(body).encode()


def as_json(value: object) -> str:
    """Canonical JSON: sorted keys, no spaces, text as it is."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def unpack_json(packed: str) -> Any:
    """What `as_json` wrote. ValueError: it is none."""
    return json.loads(packed)


def sha256(data: bytes) -> str:
    """Hex digest."""
    return hashlib.sha256(data).hexdigest()


def pack_heat(maps: Iterable[HeatMap]) -> bytes:
    """Heat maps as one JSON list, levels in base64."""
    packed = [
        {
            "x": one.x,
            "y": one.y,
            "w": one.w,
            "h": one.h,
            "columns": one.columns,
            "rows": one.rows,
            "levels": base64.b64encode(one.levels).decode("ascii"),
        }
        for one in maps
    ]
    return as_json(packed).encode()


def unpack_heat(packed: bytes | None) -> tuple[HeatMap, ...]:
    """The heat maps of a row. ValueError, KeyError: it was doctored."""
    if not packed:
        return ()
    return tuple(
        HeatMap(**{**one, "levels": base64.b64decode(one["levels"], validate=True)}) for one in json.loads(packed)
    )


def unpack_codes(packed: str) -> tuple[CodeRead, ...]:
    """The codes of a row."""
    return tuple(CodeRead(**one) for one in json.loads(packed))


def unpack_placements(packed: str) -> tuple[Placement, ...]:
    """The placements of a row; what is None there is NaN here."""
    return tuple(Placement(**reals(one)) for one in json.loads(packed))


def unpack_measures(packed: str) -> tuple[Measurement, ...]:
    """The measurements of a row; a value that is None there is NaN here, a limit stays None."""
    return tuple(Measurement(**{**one, **reals({"value": one["value"]})}) for one in json.loads(packed))


def reals(values: Mapping[str, Any]) -> dict[str, Any]:
    """The other way round than `numbers`: NaN for every None."""
    return {name: math.nan if value is None else value for name, value in values.items()}


def unpack_defects(packed: str) -> tuple[Defect, ...]:
    """The defects of a row."""
    return tuple(Defect(**one) for one in json.loads(packed))
