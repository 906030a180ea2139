"""What people say of parts: labels, reviews, escapes, drawings. The part's row and what was sent never change."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ..bus.errors import Refused
from .clerk import Body, Task, Turn
from .journal import Entry, write
from .outgoing import label as send_label
from .rows import as_json, sha256

UNDO_S = 600
"""So long anybody who may label takes a label back; its own maker always may."""
MOST_PIXELS = 1 << 27
_MOST_RUNS = 4_000_000
Truth = Literal["defect", "good", "unsure"]
Kind = Annotated[str, Field(max_length=64)]
Seq = Annotated[int, Field(ge=1, lt=2**53)]


class Label(Body):
    """`label.set`."""

    seq: Seq
    truth: Truth
    kind: Kind = ""
    """Class of the defect; empty: none was said."""
    second: bool = False
    """Of the sample that a second person judges: for the agreement, never the label of the part."""


class Undo(Body):
    """`label.undo`."""

    n: Seq


class Reviewed(Body):
    """`part.reviewed`."""

    seq: Seq | None = None
    seqs: tuple[Seq, ...] = Field(default=(), max_length=1000)


class Escape(Body):
    """`escape.set`."""

    seq: Seq | None = None
    serial: str = Field(default="", max_length=256)
    found_at: str = Field(default="", max_length=256)
    """Where: a station downstream, a customer."""
    what: str = Field(default="", max_length=1000)


class Mask(Body):
    """What was painted of one kind."""

    kind: Kind = "anomaly"
    counts: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=1, max_length=_MOST_RUNS)
    """Run lengths over the picture, columns first, unpainted first (as COCO has them, uncompressed)."""


class Box(Body):
    """A box drawn, in pixels of the picture."""

    kind: Kind = "anomaly"
    x: int = Field(ge=0)
    y: int = Field(ge=0)
    w: int = Field(ge=1)
    h: int = Field(ge=1)


class Picture(Body):
    """What was drawn on one picture."""

    width: int = Field(ge=1)
    height: int = Field(ge=1)
    camera: str = Field(default="", max_length=64)
    """Empty: of the deciding view."""
    masks: tuple[Mask, ...] = Field(default=(), max_length=100)
    boxes: tuple[Box, ...] = Field(default=(), max_length=1000)

    @model_validator(mode="after")
    def _within(self) -> "Picture":
        pixels = self.width * self.height
        if pixels > MOST_PIXELS:
            raise ValueError(f"{self.width}x{self.height}: expected at most {MOST_PIXELS} pixels")
        for mask in self.masks:
            if sum(mask.counts) != pixels:
                raise ValueError(f"mask of {sum(mask.counts)} pixels: expected {self.width}x{self.height} = {pixels}")
        for box in self.boxes:
            if box.x + box.w > self.width or box.y + box.h > self.height:
                raise ValueError(f"box at {box.x},{box.y} of {box.w}x{box.h}: goes beyond {self.width}x{self.height}")
        return self


class Drawing(Body):
    """`drawing.set`: all that is drawn on a part, in place of what was; empty: nothing is."""

    seq: Seq
    body: Picture | None = None


def set_label(turn: Turn) -> dict[str, Any]:
    """Add a label; earlier ones stay and the newest one counts."""
    label = turn.take(Label)
    _known(turn, label.seq)
    if label.kind and label.truth != "defect":
        raise Refused(f"{label.truth} with kind {label.kind!r}: only a defect has a kind")
    old = turn.rows(
        "select truth, kind from label where seq = ? and second = ? and undone_at is null order by n desc limit 1",
        label.seq,
        label.second,
    )
    turn.db.execute(
        "insert into label (seq, truth, kind, second, who, at) values (?, ?, ?, ?, ?, ?)",
        (label.seq, label.truth, label.kind, label.second, turn.ask.who, turn.at),
    )
    n = turn.db.last_insert_rowid()
    _review(turn, label.seq)
    about: dict[str, object] = {"seq": label.seq, "label": n, "second": label.second}
    turn.audit("label set", about, old=list(old[0]) if old else None, new=[label.truth, label.kind])
    more = {"n": n, "truth": label.truth, "defect": label.kind, "second": label.second}
    send_label(turn.db, "label", label.seq, more, who=turn.ask.who, at=turn.at)
    return {"n": n}


def undo_label(turn: Turn) -> dict[str, Any]:
    """Take a label back: one's own, or anybody's within ten minutes."""
    n = turn.take(Undo).n
    found = turn.rows("select seq, truth, kind, who, at, undone_at from label where n = ?", n)
    if not found:
        raise Refused(f"label {n}: there is none")
    seq, truth, kind, who, at, undone_at = found[0]
    if undone_at:
        raise Refused(f"label {n}: it was taken back at {undone_at}")
    if who != turn.ask.who and datetime.now(UTC) - datetime.fromisoformat(at) > timedelta(seconds=UNDO_S):
        raise Refused(f"label {n} is of {who}, and older than {UNDO_S // 60} min: set another one")
    turn.db.execute("update label set undone_at = ?, undone_by = ? where n = ?", (turn.at, turn.ask.who, n))
    turn.audit("label undone", {"seq": seq, "label": n, "by": who}, old=[truth, kind])
    send_label(turn.db, "undone", seq, {"n": n}, who=turn.ask.who, at=turn.at)
    return {"seq": seq}


def reviewed(turn: Turn) -> dict[str, Any]:
    """Mark parts as seen by a person; the first one stands."""
    asked = turn.take(Reviewed)
    seqs = sorted({*asked.seqs, *([] if asked.seq is None else [asked.seq])})
    if not seqs:
        raise Refused("part.reviewed: expected seq or seqs")
    for seq in seqs:
        _known(turn, seq)
    new = [seq for seq in seqs if _review(turn, seq)]
    if new:
        turn.audit("reviewed", {"seqs": new})
        for seq in new:
            send_label(turn.db, "reviewed", seq, {}, who=turn.ask.who, at=turn.at)
    return {"new": new}


def set_escape(turn: Turn) -> dict[str, Any]:
    """Note that a defect was found downstream."""
    asked = turn.take(Escape)
    if asked.seq is not None:
        _known(turn, asked.seq)
    if asked.seq is None and not asked.serial and not asked.what:
        raise Refused("escape.set: expected the part, its serial number, or what was found")
    seq = asked.seq if asked.seq is not None else _by_serial(turn, asked.serial)
    turn.db.execute(
        'insert into "escape" (seq, serial, found_at, what, who, at) values (?, ?, ?, ?, ?, ?)',
        (seq, asked.serial, asked.found_at, asked.what, turn.ask.who, turn.at),
    )
    n = turn.db.last_insert_rowid()
    about = {"n": n, "seq": seq, "serial": asked.serial, "found_at": asked.found_at, "what": asked.what}
    write(turn, Entry(stream="escape", key=str(n), event="reported", body=about))
    more = {"n": n, "found_at": asked.found_at, "told": asked.what}
    if seq is None:
        more["serial"] = asked.serial
    send_label(turn.db, "escape", seq, more, who=turn.ask.who, at=turn.at)
    return {"n": n, "seq": seq}


def draw(turn: Turn) -> dict[str, Any]:
    """Replace what is drawn on a part."""
    asked = turn.take(Drawing)
    _known(turn, asked.seq)
    found = turn.rows("select body from drawing where seq = ?", asked.seq)
    old = sha256(str(found[0][0]).encode()) if found else None
    if asked.body is None or not (asked.body.masks or asked.body.boxes):
        turn.db.execute("delete from drawing where seq = ?", (asked.seq,))
        turn.audit("drawing removed", {"seq": asked.seq}, old=old)
        return {}
    packed = as_json(asked.body.model_dump(mode="json"))
    turn.db.execute(
        "insert into drawing values (?, ?, ?, ?) on conflict (seq) do update set"
        " who = excluded.who, at = excluded.at, body = excluded.body",
        (asked.seq, turn.ask.who, turn.at, packed),
    )
    about: dict[str, object] = {"seq": asked.seq, "masks": len(asked.body.masks), "boxes": len(asked.body.boxes)}
    turn.audit("drawing set", about, old=old, new=sha256(packed.encode()))
    return {}


TASKS: dict[str, Task] = {
    "label.set": set_label,
    "label.undo": undo_label,
    "part.reviewed": reviewed,
    "escape.set": set_escape,
    "drawing.set": draw,
}


def _known(turn: Turn, seq: int) -> None:
    if not turn.rows("select 1 from part where seq = ?", seq):
        raise Refused(f"part {seq}: the ledger has none of that number")


def _review(turn: Turn, seq: int) -> bool:
    turn.db.execute("insert into review values (?, ?, ?) on conflict (seq) do nothing", (seq, turn.ask.who, turn.at))
    return bool(turn.db.changes())


def _by_serial(turn: Turn, serial: str) -> int | None:
    """The newest part of that serial number; None: there is none."""
    if not serial:
        return None
    found = turn.rows("select max(seq) from part where serial = ? and serial != ''", serial)
    return None if found[0][0] is None else int(found[0][0])
