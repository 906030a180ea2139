"""One part as pages and programs see it, and what people said of it, at the line and in the review."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from .review import line_labels, names_of
from .tables import Box, Part
from .tables_rollout import Review

Key = tuple[str, int, int]
"""(box, epoch, part seq)."""
COLUMNS = (
    *("box", "box_name", "site", "line", "epoch", "seq", "taken_at", "serial", "lot", "recipe", "revision", "model"),
    *("station", "camera", "verdict", "disposition", "why", "outcome", "reasons", "defects", "score", "threshold"),
    *("shift", "picture_sha256", "image"),
)


def key_of(part: Part) -> Key:
    """Of one part."""
    return part.box, part.epoch, part.seq


def told(part: Part, box: Box) -> dict[str, Any]:
    """All columns as JSON has them."""
    own = {name: getattr(part, name) for name in COLUMNS if name not in ("box_name", "site", "line", "taken_at")}
    more = {"box_name": box.name, "site": box.site, "line": box.line, "taken_at": part.taken_at.isoformat()}
    row = own | more
    return {name: row[name] for name in COLUMNS}


def labels_of(session: Session, parts: Sequence[Part]) -> dict[Key, list[dict[str, Any]]]:
    """What people said of these parts, newest first: {"from": line|review, "who", "truth", "kind", "at"}.

    A label that was taken back is not among them, nor is that of a second person's sample.
    """
    found: dict[Key, list[dict[str, Any]]] = defaultdict(list)
    by_ledger: dict[tuple[str, int], list[int]] = defaultdict(list)
    for part in parts:
        by_ledger[part.box, part.epoch].append(part.seq)
    for (box, epoch), seqs in by_ledger.items():
        for seq, bodies in line_labels(session, box, epoch, seqs).items():
            found[box, epoch, seq] += _standing(bodies)
    keys = [key_of(part) for part in parts]
    if keys:
        asked = sa.select(Review).where(sa.tuple_(Review.box, Review.epoch, Review.part_seq).in_(keys))
        reviews = list(session.scalars(asked.order_by(Review.at.desc())))
        names = names_of(session, (one.who for one in reviews))
        for one in reviews:
            found[one.box, one.epoch, one.part_seq].append(
                {
                    "from": "review",
                    "who": names[one.who],
                    "truth": one.truth,
                    "kind": one.kind,
                    "at": one.at.isoformat(),
                    "second": False,
                    "undone": False,
                }
            )
    return found


def _standing(bodies: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    taken_back = {body.get("n") for body in bodies if body.get("what") == "undone"}
    out = []
    for body in bodies:
        if body.get("what") == "label" and not body.get("second") and body.get("n") not in taken_back:
            said = {name: str(body.get(name) or "")[:200] for name in ("who", "truth", "at")}
            kind = str(body.get("defect") or body.get("kind") or "")[:64]
            out.append({"from": "line", **said, "kind": kind, "second": False, "undone": False})
        elif body.get("what") == "escape":
            said = {name: str(body.get(name) or "")[:200] for name in ("who", "at")}
            out.append({"from": "line", **said, "truth": "defect", "kind": "escape", "second": False, "undone": False})
    return out
