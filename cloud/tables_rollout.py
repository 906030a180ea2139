"""What the fleet's pages are read from: counts by the hour, where each box and each plan stands, what people say.

hourly, hourly_figure   counts and figures, kept up to date in the transaction that stores the parts
standing                how each box is, drawn from its last state: the page of a thousand boxes reads one row a box
climb                   the rung of each bundle on each box, drawn from the stream `ladder`
rollout, line_rings     each signed plan and how far it was opened
sample ──< review       what people are asked to look at, and what each of them said
confirmed               what the boxes are told of it
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, PrimaryKeyConstraint, String, text
from sqlalchemy.orm import Mapped, mapped_column

from .columns import Base, Big, Json, Utc
from .tables import NAME, SHA256, Part

LONG = String(200)


class Hourly(Base):
    """Parts of one hour that have all of this in common."""

    __tablename__ = "hourly"
    __table_args__ = (
        PrimaryKeyConstraint("hour", "box", "recipe", "model", "lot", "shift", "tool", "camera", "health"),
        Index("hourly_recipe", "recipe", "hour"),
        Index("hourly_box", "box", "hour"),
    )

    hour: Mapped[datetime] = mapped_column(Utc)
    """Begin of the hour, UTC."""
    box: Mapped[str] = mapped_column(ForeignKey("box.id"))
    recipe: Mapped[str] = mapped_column(NAME)
    model: Mapped[str] = mapped_column(String(80))
    lot: Mapped[str] = mapped_column(LONG)
    shift: Mapped[str] = mapped_column(NAME)
    tool: Mapped[str] = mapped_column(NAME)
    """What made the part, as a code named `tool`, `mould`, `cavity` or `nest` says; empty: none was read."""
    camera: Mapped[str] = mapped_column(NAME)
    health: Mapped[str] = mapped_column(NAME)
    """Causes that the image health named for these parts, joined by `+`; empty: none."""
    good: Mapped[int] = mapped_column(Big, default=0)
    rejects: Mapped[int] = mapped_column(Big, default=0)
    """Judged NG."""
    unjudged: Mapped[int] = mapped_column(Big, default=0)


class HourlyFigure(Base):
    """One figure of an hour: score as a share of its limit, or one of the image's health."""

    __tablename__ = "hourly_figure"
    __table_args__ = (
        PrimaryKeyConstraint("hour", "box", "recipe", "camera", "figure"),
        Index("hourly_figure_of", "figure", "hour"),
    )

    hour: Mapped[datetime] = mapped_column(Utc)
    box: Mapped[str] = mapped_column(ForeignKey("box.id"))
    recipe: Mapped[str] = mapped_column(NAME)
    camera: Mapped[str] = mapped_column(NAME)
    figure: Mapped[str] = mapped_column(String(24))
    n: Mapped[int] = mapped_column(Big)
    total: Mapped[float] = mapped_column()
    squares: Mapped[float] = mapped_column()
    low: Mapped[float] = mapped_column()
    high: Mapped[float] = mapped_column()


class Standing(Base):
    """How one box is, by its last state."""

    __tablename__ = "standing"

    box: Mapped[str] = mapped_column(ForeignKey("box.id"), primary_key=True)
    level: Mapped[int] = mapped_column(index=True)
    """0 well, 1 worth a look, 2 something is wrong, 3 the line does not inspect. Silence is told from `box.seen_at`."""
    why: Mapped[list[Any]] = mapped_column(Json, default=list)
    """[[code, detail], …], the worst first; see `standing.py`."""
    disk_free_pct: Mapped[float | None] = mapped_column()
    owed: Mapped[int | None] = mapped_column(Big)
    """Events that the box has and the service has not, by its own word."""
    clock_ok: Mapped[bool | None] = mapped_column()
    drift: Mapped[int] = mapped_column(default=0)
    """Figures that the box says have drifted."""
    models: Mapped[list[Any]] = mapped_column(Json, default=list)
    """[{"recipe", "model", "rung"}, …]."""


class Climb(Base):
    """Where a bundle stands on a box: the newest step of the ladder that was told."""

    __tablename__ = "climb"
    __table_args__ = (PrimaryKeyConstraint("box", "recipe", "bundle"), Index("climb_bundle", "bundle", "recipe"))

    box: Mapped[str] = mapped_column(ForeignKey("box.id"))
    recipe: Mapped[str] = mapped_column(NAME)
    bundle: Mapped[str] = mapped_column(SHA256)
    rung: Mapped[str] = mapped_column(String(16))
    since: Mapped[datetime] = mapped_column(Utc)
    reason: Mapped[str] = mapped_column(String(500), default="")
    figures: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    epoch: Mapped[int] = mapped_column(Big)
    seq: Mapped[int] = mapped_column(Big)
    """Of the step in the stream `ladder`: an older one never takes its place."""
    unlocked_by: Mapped[str] = mapped_column(String(255), default="")
    """Who unlocked a bundle that was refused or rolled back; the box is told until it takes the next step."""


class Rollout(Base):
    """A signed plan: a pointer of a channel, by its sequence number."""

    __tablename__ = "rollout"
    __table_args__ = (PrimaryKeyConstraint("line", "recipe", "role", "seq"),)

    line: Mapped[str] = mapped_column(NAME)
    recipe: Mapped[str] = mapped_column(NAME)
    role: Mapped[str] = mapped_column(String(16))
    seq: Mapped[int] = mapped_column(Big)
    bundle: Mapped[str] = mapped_column(SHA256, index=True)
    plan: Mapped[list[Any]] = mapped_column(Json)
    """[{"ring", "shadow_parts", "canary_parts", "max_error_pct"}, …] as it was signed."""
    signed_at: Mapped[str] = mapped_column(String(20))
    approved_by: Mapped[str] = mapped_column(String(500))
    seen_at: Mapped[datetime] = mapped_column(Utc)
    opened: Mapped[list[str]] = mapped_column(Json, default=list)
    """Rings that are open, in the plan's order."""
    state: Mapped[str] = mapped_column(String(12), default="running")
    """running, paused (no further ring opens), halted (no box goes further), over (a newer one took its place)."""
    automatic: Mapped[bool] = mapped_column(default=False)
    """The next ring opens by itself once the one before it is through."""
    borne: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    """{ring: boxes}: so many that refused it or rolled it back a person has accepted by resuming."""
    why: Mapped[str] = mapped_column(String(500), default="")
    changed_at: Mapped[datetime] = mapped_column(Utc)
    changed_by: Mapped[str] = mapped_column(String(255), default="")


class LineRings(Base):
    """The rings of one line: who is in which, and whether the red button was pressed."""

    __tablename__ = "line_rings"

    line: Mapped[str] = mapped_column(NAME, primary_key=True)
    members: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    """{ring: [box, …]}."""
    halted: Mapped[bool] = mapped_column(default=False)
    reason: Mapped[str] = mapped_column(String(500), default="")
    wanted: Mapped[int] = mapped_column(Big, default=0)
    """Counts up with each change of this row or of a rollout of the line."""
    signed: Mapped[int] = mapped_column(Big, default=0)
    """`wanted` as of the newest signature; behind it: still to be signed."""
    signed_at: Mapped[datetime | None] = mapped_column(Utc)
    trouble: Mapped[str] = mapped_column(String(500), default="")
    """Why it could not be signed; empty: it was."""


class Sample(Base):
    """A part that somebody is asked to look at."""

    __tablename__ = "sample"
    __table_args__ = (
        PrimaryKeyConstraint("box", "epoch", "part_seq"),
        Index("sample_queue", "state", "priority", "at"),
        Index("sample_bundle", "bundle", "state"),
    )

    box: Mapped[str] = mapped_column(ForeignKey("box.id"))
    epoch: Mapped[int] = mapped_column(Big)
    part_seq: Mapped[int] = mapped_column(Big)
    at: Mapped[datetime] = mapped_column(Utc)
    why: Mapped[str] = mapped_column(String(16))
    """disagreement, overridden, uncertain: the strongest ground there is."""
    priority: Mapped[int] = mapped_column()
    """0 first."""
    bundle: Mapped[str] = mapped_column(SHA256, default="")
    """Of a disagreement: the challenger."""
    champion_ok: Mapped[bool | None] = mapped_column()
    """Of a disagreement: what the champion said; the challenger said the other."""
    state: Mapped[str] = mapped_column(String(12), default="open")
    """open, settled, disputed (two people contradict one another), unsure (nobody could tell)."""
    truth: Mapped[str] = mapped_column(String(8), default="")
    """Of a settled one: good or defect."""


class LineLabel(Base):
    """What somebody at a line said of a part, drawn from the stream `labels`."""

    __tablename__ = "line_label"
    __table_args__ = (
        PrimaryKeyConstraint("box", "epoch", "seq"),
        Index("line_label_part", "box", "part_epoch", "part_seq"),
    )

    box: Mapped[str] = mapped_column(ForeignKey("box.id"))
    epoch: Mapped[int] = mapped_column(Big)
    seq: Mapped[int] = mapped_column(Big)
    """Of the event."""
    part_epoch: Mapped[int] = mapped_column(Big)
    part_seq: Mapped[int] = mapped_column(Big)
    what: Mapped[str] = mapped_column(String(8))
    """label, undone (it takes label `n` back) or escape."""
    n: Mapped[int] = mapped_column(Big)
    truth: Mapped[str] = mapped_column(String(8), default="")
    kind: Mapped[str] = mapped_column(String(64), default="")
    """Class of the defect."""
    who: Mapped[str] = mapped_column(String(100), default="")
    at: Mapped[datetime] = mapped_column(Utc)
    second: Mapped[bool] = mapped_column(default=False)
    """Of the sample that a second person judges: never the label of the part."""


class Review(Base):
    """What one person says of one part; a later word of theirs takes the place of the earlier."""

    __tablename__ = "review"
    __table_args__ = (PrimaryKeyConstraint("box", "epoch", "part_seq", "who"), Index("review_who", "who", "at"))

    box: Mapped[str] = mapped_column(ForeignKey("box.id"))
    epoch: Mapped[int] = mapped_column(Big)
    part_seq: Mapped[int] = mapped_column(Big)
    who: Mapped[str] = mapped_column(String(255))
    truth: Mapped[str] = mapped_column(String(8))
    """good, defect, unsure."""
    kind: Mapped[str] = mapped_column(String(64), default="")
    """Class of the defect; empty: none was said."""
    at: Mapped[datetime] = mapped_column(Utc)


class Confirmed(Base):
    """A truth that a box is told, in the order in which it was found."""

    __tablename__ = "confirmed"
    __table_args__ = (Index("confirmed_box", "box", "n"),)

    n: Mapped[int] = mapped_column(Big, primary_key=True)
    box: Mapped[str] = mapped_column(ForeignKey("box.id"))
    epoch: Mapped[int] = mapped_column(Big)
    part_seq: Mapped[int] = mapped_column(Big)
    bundle: Mapped[str] = mapped_column(SHA256, default="")
    truth: Mapped[str] = mapped_column(String(8))
    """good, defect; `unsure` takes an earlier word back."""
    at: Mapped[datetime] = mapped_column(Utc)


# Two more ways into the parts, for the pages: the rejects of a stretch of time, and how a serial or a lot begins (by
# bytes, whatever the database's language is).
_NG = text("outcome = 'NG'")
Index("part_rejects", Part.taken_at, postgresql_where=_NG, sqlite_where=_NG)
Index("part_serial_begins", Part.serial, postgresql_ops={"serial": "text_pattern_ops"})
Index("part_lot_begins", Part.lot, postgresql_ops={"lot": "text_pattern_ops"})
