"""One part as pages and programs see it, and what people said of it, at the line and in the review."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from .review import names_of
from .review_labels import line_labels
from .tables import Box, Part
from .tables_rollout import LineLabel, Review

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
    keys = [key_of(part) for part in parts]
    for key, said in line_labels(session, keys).items():
        found[key] += [_of_line(one) for one in said]
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


def _of_line(one: LineLabel) -> dict[str, Any]:
    truth = "defect" if one.what == "escape" else one.truth
    told = {"from": "line", "who": one.who, "truth": truth, "kind": one.kind, "at": one.at.isoformat()}
    return told | {"second": False, "undone": False}
