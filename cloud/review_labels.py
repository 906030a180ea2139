"""What people at the lines said of parts, drawn from the stream `labels` and read by part."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard

import sqlalchemy as sa
from sqlalchemy.orm import Session

from .tables_rollout import LineLabel
from .upsert import put


def keep_labels(session: Session, box: str, epoch: int, events: Iterable[Mapping[str, Any]]) -> None:
    """Keep what people at the line said of parts. events: newly stored ones of the stream `labels`."""
    rows = []
    for event in events:
        body = event["body"]
        what, numbers = str(body.get("what", "")), [body.get(name) for name in ("part_epoch", "seq", "n")]
        if what not in ("label", "undone", "escape") or not all(is_number(one) for one in numbers[:2]):
            continue
        kind = str(body.get("defect") or body.get("kind") or "")[:64] if what == "label" else what
        rows.append(
            {
                "box": box,
                "epoch": epoch,
                "seq": event["seq"],
                "part_epoch": numbers[0],
                "part_seq": numbers[1],
                "what": what,
                "n": numbers[2] if is_number(numbers[2]) else 0,
                "truth": str(body.get("truth") or "")[:8],
                "kind": kind,
                "who": str(body.get("who") or "")[:100],
                "at": event["at"],
                "second": body.get("second") is True,
            }
        )
    put(session, LineLabel, rows)


def is_number(said: object) -> TypeGuard[int]:
    """A number that a column holds; True is none."""
    return type(said) is int and 0 < said < 2**62


def line_labels(session: Session, parts: Iterable[tuple[str, int, int]]) -> dict[tuple[str, int, int], list[LineLabel]]:
    """What people at the line said of parts and did not take back, newest first, by (box, epoch, part seq)."""
    keys = list(parts)
    if not keys:
        return {}
    asked = sa.select(LineLabel).where(
        sa.tuple_(LineLabel.box, LineLabel.part_epoch, LineLabel.part_seq).in_(keys), LineLabel.second.is_(False)
    )
    rows = list(session.scalars(asked.order_by(LineLabel.epoch.desc(), LineLabel.seq.desc())))
    gone = {(one.box, one.part_epoch, one.part_seq, one.n) for one in rows if one.what == "undone"}
    found: dict[tuple[str, int, int], list[LineLabel]] = {}
    for one in rows:
        key = (one.box, one.part_epoch, one.part_seq)
        if one.what != "undone" and (*key, one.n if one.what == "label" else 0) not in gone:
            found.setdefault(key, []).append(one)
    return found
