"""Parts with their pictures and labels, page by page: what a data set is gathered from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from .blobs import BlobStore
from .database import reading
from .part_told import Key, key_of, labels_of, told
from .review import pictures_of
from .search_terms import BadTerms, Terms, moment_of
from .tables import Blob, Box, Event, Part, Picture
from .tables_rollout import Review, Sample

MOST = 200
OUTCOMES = ("OK", "NG", "UNJUDGED")
ORDER = (Part.taken_at, Part.box, Part.epoch, Part.seq)
"""Of every walk over the parts: no two are equal in it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of the parts besides `Terms`."""

    outcome: str = ""
    """OK, NG or UNJUDGED."""
    label: str = ""
    """Somebody said so in the review: good, defect, unsure, `any`; `none`: nobody said anything; empty: either."""
    with_picture: bool = True
    """Only parts of which a picture lies in the store."""
    queued: bool = False
    """Only parts that are or were in the queue of the review."""

    def conditions(self) -> list[Any]:
        """On `part`."""
        # Said as a word and not as a parameter: only so the index of the rejects can be used by every plan.
        found: list[Any] = [sa.text(f"part.outcome = '{self.outcome}'")] if self.outcome in OUTCOMES else []
        if self.label:
            said = sa.exists().where(
                Review.box == Part.box,
                Review.epoch == Part.epoch,
                Review.part_seq == Part.seq,
                Review.truth == self.label if self.label not in ("any", "none") else sa.true(),
            )
            found.append(~said if self.label == "none" else said)
        if self.with_picture:
            # Not `exists`: PostgreSQL would join all pictures there are before it took the first hundred parts.
            shows = (Picture.box == Part.box, Picture.epoch == Part.epoch, Picture.part_seq == Part.seq)
            asked = sa.select(Picture.sha256).join(Blob, Blob.sha256 == Picture.sha256)
            one = asked.where(*shows, Blob.state == "have").limit(1).correlate(Part).scalar_subquery()
            found.append(one.is_not(None))
        if self.queued:
            found.append(
                sa.exists().where(Sample.box == Part.box, Sample.epoch == Part.epoch, Sample.part_seq == Part.seq)
            )
        return found


def mark_of(part: Part) -> str:
    """Where a walk stands after this part, as an address holds it."""
    return f"{part.taken_at.isoformat()}|{part.box}|{part.epoch}|{part.seq}"


def after_of(mark: str) -> tuple[datetime, str, int, int]:
    """The same, read. BadTerms."""
    try:
        at, box, epoch, seq = mark.split("|")
        return moment_of("after", at), box, int(epoch), int(seq)
    except ValueError as error:
        raise BadTerms(f"after = {mark[:60]!r}: expected what `next` of the page before said") from error


def page(
    session: Session, terms: Terms, wanted: Wanted = Wanted(), after: str = "", limit: int = MOST
) -> list[tuple[Part, Box]]:
    """Take the next parts, oldest first."""
    asked = sa.select(Part, Box).join(Box, Box.id == Part.box).where(*terms.parts(), *wanted.conditions())
    if after:
        mark = after_of(after)
        asked = asked.where(Part.taken_at >= mark[0], sa.tuple_(*ORDER) > sa.tuple_(*mark))
    return [(part, box) for part, box in session.execute(asked.order_by(*ORDER).limit(limit))]


def walk(
    engine: Engine, terms: Terms, wanted: Wanted = Wanted(with_picture=False), chunk: int = 2000
) -> Iterator[list[tuple[Part, Box]]]:
    """Yield all parts, oldest first, a few at a time.

    Each few in a transaction of its own: nobody waits for the reader, and memory holds one chunk.
    """
    after = ""
    while True:
        with reading(engine) as session:
            rows = page(session, terms, wanted, after, chunk)
        if rows:
            yield rows
            after = mark_of(rows[-1][0])
        if len(rows) < chunk:
            return


def samples(
    session: Session, blobs: BlobStore, terms: Terms, wanted: Wanted, after: str = "", limit: int = MOST
) -> dict[str, Any]:
    """One page as the API gives it.

    {"samples": [{…part, "width", "height", "pictures": [{"sha256", "size", "url", "kind", "camera"}], "labels", …}],
    "next": mark}.
    """
    rows = page(session, terms, wanted, after, limit)
    parts = [part for part, _ in rows]
    pictures = pictures_of(session, [key_of(part) for part in parts])
    labels = labels_of(session, parts)
    hashes = {one[0] for rows_of in pictures.values() for one in rows_of}
    asked = sa.select(Blob.sha256, Blob.size).where(Blob.sha256.in_(hashes))
    sizes: dict[str, int] = {sha256: size for sha256, size in session.execute(asked)}
    judged = _judged_sizes(session, parts)
    found = [
        told(part, box)
        | judged.get(key_of(part), {})
        | {
            "pictures": [
                {
                    "sha256": sha256,
                    "size": sizes[sha256],
                    "url": blobs.get_url(sha256),
                    "kind": kind,
                    "camera": camera,
                }
                for sha256, kind, camera in pictures.get(key_of(part), [])
            ],
            "labels": labels.get(key_of(part), []),
            "escaped": any(one["kind"] == "escape" for one in labels.get(key_of(part), [])),
        }
        for part, box in rows
    ]
    return {"samples": found, "next": mark_of(parts[-1]) if len(rows) == limit else None}


def _judged_sizes(session: Session, parts: Sequence[Part]) -> dict[Key, dict[str, int]]:
    """Width and height of the picture that was judged, pixels: defects lie where they do on a picture of that size."""
    keys = [(part.box, part.epoch, part.event_seq) for part in parts]
    asked = sa.select(Event.box, Event.epoch, Event.seq, Event.body).where(
        Event.stream == "records", sa.tuple_(Event.box, Event.epoch, Event.seq).in_(keys)
    )
    bodies = {(box, epoch, seq): body for box, epoch, seq, body in session.execute(asked)} if keys else {}
    found = {}
    for part in parts:
        body = bodies.get((part.box, part.epoch, part.event_seq), {})
        size = body.get("width"), body.get("height")
        if all(isinstance(one, int) and one > 0 for one in size):
            found[key_of(part)] = {"width": size[0], "height": size[1]}
    return found
