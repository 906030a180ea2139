"""The test parts of a product: what they are called, what has to come of them, and their photos.

A photo is a small copy in the journal, so it stays when the disk sheds the picture it was made from.
"""

import base64
import binascii
from pathlib import Path
from typing import Any

from ..bus.errors import BadLedger
from ..bus.shift import Sample
from ..records.people_read import PeopleReader
from .pictures import kept_picture, to_thumb
from .words import N_

STREAM = "sample"
NAMES = (
    N_("Scratch"),
    N_("Dent"),
    N_("Stain"),
    N_("Crack"),
    N_("Piece missing"),
    N_("Wrong part"),
    N_("Good part"),
)
"""What test parts usually are; tiles, so that nobody has to type with gloves."""


def as_body(samples: tuple[Sample, ...]) -> list[dict[str, str]]:
    """As `challenge.samples` takes them."""
    return [{"id": one.id, "name": one.name, "expected": one.expected, "picture": one.picture} for one in samples]


def free_id(samples: tuple[Sample, ...]) -> str:
    """`C1`, `C2`, ...: the first that is not taken."""
    taken = {one.id for one in samples}
    return next(f"C{number}" for number in range(1, len(taken) + 2) if f"C{number}" not in taken)


def photo_entry(path: Path, sha256: str, seq: int) -> dict[str, Any] | None:
    """What `journal.add` takes to keep a small copy of a picture; None: it cannot be read."""
    picture = kept_picture(path)
    if picture is None:
        return None
    small = base64.b64encode(to_thumb(picture)).decode("ascii")
    return {"stream": STREAM, "key": sha256, "event": "photo", "body": {"seq": seq, "jpeg": small}}


def photo(people: PeopleReader, sha256: str) -> bytes | None:
    """The small copy; None: there is none, or the ledger cannot be read."""
    try:
        rows = people.journal(STREAM, key=sha256, limit=1)
    except BadLedger:
        return None
    try:
        return base64.b64decode(str(rows[0].body.get("jpeg", "")), validate=True) if rows else None
    except binascii.Error:
        return None
