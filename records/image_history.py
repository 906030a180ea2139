"""What a camera's pictures were like over the last parts, in columns: what a chart draws."""

import json
from dataclasses import dataclass
from typing import Any, cast

import apsw

from ..bus.errors import BadLedger
from .views import FIGURES


@dataclass(frozen=True, slots=True)
class ImageHistory:
    """One column each, all of one length, oldest part first."""

    camera: str
    seqs: tuple[int, ...]
    """Row in the ledger."""
    parts: tuple[int, ...]
    taken_at: tuple[str, ...]
    """UTC of the trigger."""
    figures: dict[str, tuple[float | None, ...]]
    """By field of `ImageHealth`; None: not measured."""
    alarms: tuple[tuple[str, ...], ...]
    """What had drifted as of each part."""
    newer: int
    """Parts in the ledger that are newer than the last one here: this camera's pictures of them were not measured."""


def image_history(db: apsw.Connection, camera: str, limit: int) -> ImageHistory:
    """The newest pictures of a camera, up to limit. BadLedger: a row is not as okng wrote it. apsw.Error."""
    rows = cast(
        list[tuple[Any, ...]],
        db.execute(
            f"select h.seq, p.part, p.taken_at, h.alarms, {', '.join(f'h.{name}' for name in FIGURES)}"
            " from image_health h join part p on p.seq = h.seq where h.camera = ? order by h.seq desc limit ?",
            (camera, limit),
        ).fetchall(),
    )
    rows.reverse()
    columns = list(zip(*rows, strict=True)) or [()] * (4 + len(FIGURES))
    seqs, parts, taken, alarms, *figures = columns
    last = seqs[-1] if seqs else 0
    newer = cast(Any, db.execute("select count(*) from (select 1 from part where seq > ? limit 1000)", (last,)).get)
    try:
        causes = {packed: tuple(str(cause) for cause in json.loads(packed)) for packed in set(alarms)}
    except (ValueError, TypeError) as error:
        raise BadLedger(f"image health of camera {camera}: alarms are not as okng wrote them: {error}") from error
    return ImageHistory(
        camera,
        cast(tuple[int, ...], seqs),
        cast(tuple[int, ...], parts),
        cast(tuple[str, ...], taken),
        dict(zip(FIGURES, cast(list[tuple[float | None, ...]], figures), strict=True)),
        tuple(causes[packed] for packed in alarms),
        int(newer),
    )


def alarm_since(db: apsw.Connection, camera: str, cause: str, most: int) -> str | None:
    """UTC of the first part of the unbroken run, up to now, with that alarm, over at most so many parts."""
    begin, run = (
        None,
        db.execute(
            "select h.seq, h.alarms from image_health h where h.camera = ? order by h.seq desc limit ?", (camera, most)
        ),
    )
    for seq, alarms in cast(Any, run):
        if json.dumps(cause, ensure_ascii=False) not in alarms:
            break
        begin = seq
    if begin is None:
        return None
    return str(cast(Any, db.execute("select taken_at from part where seq = ?", (begin,)).get))
