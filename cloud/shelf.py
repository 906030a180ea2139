"""What is known of blobs: which are there, which are awaited, which travel in parts. Bytes are the store's matter."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from . import limits
from .blobs import PART, BadBlob, NotWhole, parts_of
from .columns import Base
from .database import reading, writing
from .service import Service
from .streams import alarm
from .tables import Blob, Picture, Upload

HAVE, AWAITED = "have", "awaited"
WRONG = "blob_wrong"
STALE = timedelta(days=7)
"""An upload in parts that did not move for so long is thrown away."""


@dataclass(frozen=True, slots=True)
class Offered:
    """A blob that a box has, and the part that it shows."""

    sha256: str
    size: int
    kind: str
    part_seq: int
    epoch: int
    camera: str = ""


def offer(service: Service, box: str, offered: Sequence[Offered]) -> list[dict[str, Any]] | int:
    """What to do with each; or seconds to wait. StoreLost."""
    now = datetime.now(UTC)
    with writing(service.engine) as db:
        if wait := limits.count(db, f"box:{box}", service.options.limits.box_requests_a_minute):
            return wait
        _add(db, Picture, [_picture(box, one) for one in offered])
        before = {row.sha256: row.state for row in db.execute(_rows(offered))}
        fresh = {one.sha256: one for one in offered if one.sha256 not in before}
        rows = [
            {"sha256": one.sha256, "size": one.size, "state": AWAITED, "first_box": box, "at": now}
            for one in sorted(fresh.values(), key=lambda one: one.sha256)  # all in one order: nobody waits in a ring
        ]
        _add(db, Blob, rows)
        uploads = {
            row.sha256: row
            for row in db.execute(
                sa.select(Upload.sha256, Upload.upload, Upload.part_size).where(
                    Upload.box == box, Upload.sha256.in_({one.sha256 for one in offered})
                )
            )
        }
    # The store is asked outside of any transaction: it may be slow, and others want the database.
    answers: list[dict[str, Any]] = []
    for one in offered:
        state = before.get(one.sha256)
        if state == HAVE or (state == AWAITED and _arrived(service, box, one.sha256)):
            answers.append({"sha256": one.sha256, "state": HAVE})
        elif one.size <= PART:
            put = service.blobs.put(box, one.sha256, one.size)
            answers.append({"sha256": one.sha256, "state": "put", "url": put.url, "headers": put.headers})
        else:
            answers.append(_in_parts(service, box, one, uploads.get(one.sha256)))
    return answers


def done(service: Service, box: str, sha256: str, upload: str | None) -> int | None:
    """Believe that a blob is there, once the store vouches for it; its size. None: it is not.

    NotWhole: parts lack; BadBlob: it is not what its hash says; StoreLost.
    """
    with reading(service.engine) as db:
        known = db.get(Blob, sha256)
        under_way = db.get(Upload, (box, sha256))
    if known is None:
        return None
    if known.state == HAVE:
        return known.size
    try:
        if upload is not None:
            if under_way is None or under_way.upload != upload:
                raise NotWhole(f"upload {upload[:80]}: expected the one that this box began last for this blob")
            service.blobs.complete(box, sha256, under_way.size, upload)
        size = service.blobs.head(sha256)
    except BadBlob as error:
        with writing(service.engine) as db:
            db.execute(sa.delete(Upload).where(Upload.box == box, Upload.sha256 == sha256))
            alarm(db, WRONG, box, {"sha256": sha256, "said": str(error)})
        raise
    if size is None:
        return None
    _have(service, box, sha256, size)
    return size


def tidy(service: Service) -> int:
    """Throw away what was begun and not gone on with; how many uploads. StoreLost."""
    with reading(service.engine) as db:
        old = db.execute(sa.select(Upload).where(Upload.at < datetime.now(UTC) - STALE)).scalars().all()
    for one in old:
        service.blobs.abort(one.box, one.sha256, one.upload)
    with writing(service.engine) as db:
        limits.forget(db)
        for one in old:
            db.execute(sa.delete(Upload).where(Upload.box == one.box, Upload.upload == one.upload))
    return len(old)


def _in_parts(service: Service, box: str, one: Offered, known: Any) -> dict[str, Any]:
    there = service.blobs.parts(box, one.sha256, known.upload) if known is not None else None
    if there is None:
        begun, there = service.blobs.begin(box, one.sha256), {}
        with writing(service.engine) as db:
            if known is not None:  # the store knows of it no more
                db.execute(sa.delete(Upload).where(Upload.box == box, Upload.upload == known.upload))
            row = {"box": box, "sha256": one.sha256, "upload": begun, "size": one.size, "part_size": PART}
            _add(db, Upload, [{**row, "at": datetime.now(UTC)}])
            upload = db.execute(
                sa.select(Upload.upload).where(Upload.box == box, Upload.sha256 == one.sha256)
            ).scalar_one()
        if upload != begun:  # another writer of this box was first: both go on with the same one
            service.blobs.abort(box, one.sha256, begun)
            there = service.blobs.parts(box, one.sha256, upload) or {}
    else:
        upload = known.upload
    lacking = [n for n in range(1, parts_of(one.size) + 1) if n not in there]
    return {
        "sha256": one.sha256,
        "state": "multipart",
        "upload": upload,
        "part_size": PART,
        "done": sorted(there),
        "parts": [{"n": n, "url": service.blobs.put_part(box, one.sha256, upload, n).url} for n in lacking],
    }


def _arrived(service: Service, box: str, sha256: str) -> bool:
    """Whether a blob that was awaited is there: the box's word of it was lost."""
    try:
        size = service.blobs.head(sha256)
    except BadBlob as error:
        with writing(service.engine) as db:
            alarm(db, WRONG, box, {"sha256": sha256, "said": str(error)})
        return False
    if size is None:
        return False
    _have(service, box, sha256, size)
    return True


def _have(service: Service, box: str, sha256: str, size: int) -> None:
    with writing(service.engine) as db:
        db.execute(
            sa.update(Blob)
            .where(Blob.sha256 == sha256, Blob.state != HAVE)
            .values(state=HAVE, size=size, at=datetime.now(UTC))
        )
        db.execute(sa.delete(Upload).where(Upload.box == box, Upload.sha256 == sha256))


def _picture(box: str, one: Offered) -> dict[str, Any]:
    return {
        "box": box,
        "epoch": one.epoch,
        "part_seq": one.part_seq,
        "sha256": one.sha256,
        "kind": one.kind,
        "camera": one.camera,
    }


def _rows(offered: Sequence[Offered]) -> sa.Select[str, str]:
    return sa.select(Blob.sha256, Blob.state).where(Blob.sha256.in_({one.sha256 for one in offered}))


def _add(db: Session, kind: type[Base], rows: list[dict[str, Any]]) -> None:
    """Insert rows; one whose key is there already stays as it is."""
    if rows:
        insert = postgresql.insert if db.get_bind().dialect.name == "postgresql" else sqlite.insert
        db.execute(insert(kind).on_conflict_do_nothing(), rows)
