"""What the fleet service remembers. Nothing else does: a worker holds no state, so any of them answers any request.

box ──< cursor        how far each stream of a box has come
 │  ──< event         what it said, each once; `part` is drawn from it in the same transaction
 │  ──< part, picture what people look for
 │  ──< upload        a large blob under way
blob                  by hash, whoever sent it
enrolment             a box that asks to be let in
person, token         who may look and touch
deed                  who did what, hash-chained
alarm, attempt        what somebody must see; how often something was tried
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, PrimaryKeyConstraint, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from .columns import Base, Big, Json, Utc

SHA256 = String(64)
NAME = String(100)


class Box(Base):
    """A box that was let in. It speaks for itself alone, by the certificate named here."""

    __tablename__ = "box"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    """Given by the service at enrolment; also in the certificate, as `urn:okng:box:<id>`."""
    name: Mapped[str] = mapped_column(NAME)
    site: Mapped[str] = mapped_column(NAME, default="")
    line: Mapped[str] = mapped_column(NAME, default="")
    cert_sha256: Mapped[str] = mapped_column(SHA256, unique=True)
    """Of the certificate (DER) that is believed, hex. One only: a renewed one takes the place of the old."""
    cert_before: Mapped[str | None] = mapped_column(SHA256, unique=True)
    """The one before, believed until the new one was used once: an answer to `renew` may be lost on its way."""
    cert_ends_at: Mapped[datetime] = mapped_column(Utc)
    enrolled_at: Mapped[datetime] = mapped_column(Utc)
    retired_at: Mapped[datetime | None] = mapped_column(Utc)
    """From then on it is refused everywhere, whatever certificate it shows."""
    seen_at: Mapped[datetime | None] = mapped_column(Utc)
    version: Mapped[str] = mapped_column(String(40), default="")
    state: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    """Body of the last `POST /v1/state`."""


class Enrolment(Base):
    """A box that asks to be let in; lives for 15 minutes, ends once."""

    __tablename__ = "enrolment"

    ask: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Random; only the box that asked knows it."""
    code_hash: Mapped[str] = mapped_column(SHA256, index=True)
    """HMAC-SHA256 of the code on the box's screen under a key of the service, hex."""
    csr: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(NAME)
    line: Mapped[str] = mapped_column(NAME)
    fingerprint: Mapped[str] = mapped_column(SHA256)
    """SHA-256 of the public key (SubjectPublicKeyInfo, DER), hex: on the box's screen too."""
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    """waiting, approved, refused; one that is waiting past `expires_at` is expired."""
    asked_at: Mapped[datetime] = mapped_column(Utc)
    expires_at: Mapped[datetime] = mapped_column(Utc)
    box: Mapped[str | None] = mapped_column(ForeignKey("box.id"))
    certificate: Mapped[str | None] = mapped_column(Text)
    decided_by: Mapped[str | None] = mapped_column(NAME)


class Event(Base):
    """One event of a stream, as it was said."""

    __tablename__ = "event"
    __table_args__ = (
        PrimaryKeyConstraint("box", "stream", "epoch", "seq"),
        Index("event_box_at", "box", "at"),
        Index("event_kind_at", "kind", "arrived_at"),
    )

    box: Mapped[str] = mapped_column(ForeignKey("box.id"))
    stream: Mapped[str] = mapped_column(String(16))
    epoch: Mapped[int] = mapped_column(Big)
    seq: Mapped[int] = mapped_column(Big)
    kind: Mapped[str] = mapped_column(String(16))
    at: Mapped[datetime] = mapped_column(Utc)
    """By the box's clock."""
    arrived_at: Mapped[datetime] = mapped_column(Utc)
    body: Mapped[dict[str, Any]] = mapped_column(Json)
    sha256: Mapped[str] = mapped_column(SHA256)
    """Of the body in canonical JSON, hex."""


class Cursor(Base):
    """How far a stream has come: every number up to `acked` is stored, none above it."""

    __tablename__ = "cursor"
    __table_args__ = (PrimaryKeyConstraint("box", "stream", "epoch"),)

    box: Mapped[str] = mapped_column(ForeignKey("box.id"))
    stream: Mapped[str] = mapped_column(String(16))
    epoch: Mapped[int] = mapped_column(Big)
    acked: Mapped[int] = mapped_column(Big, default=0)
    settled_to: Mapped[int] = mapped_column(Big, default=0)
    """Up to here a person settled what differed: what the box says otherwise of these numbers has no effect."""
    halted: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """{"seq", "at", "was", "is"} where a known number came with other content; until a person says go on."""
    moved_at: Mapped[datetime | None] = mapped_column(Utc)


class Part(Base):
    """One inspected part, drawn from its `part` event."""

    __tablename__ = "part"
    __table_args__ = (
        PrimaryKeyConstraint("box", "epoch", "seq"),
        Index("part_serial", "serial"),
        Index("part_lot", "lot"),
        Index("part_box_taken", "box", "taken_at"),
        Index("part_recipe_model", "recipe", "model", "taken_at"),
        Index("part_taken", "taken_at"),
    )

    box: Mapped[str] = mapped_column(ForeignKey("box.id"))
    epoch: Mapped[int] = mapped_column(Big)
    seq: Mapped[int] = mapped_column(Big)
    """Of the part in the box's ledger (not of the event)."""
    event_seq: Mapped[int] = mapped_column(Big)
    taken_at: Mapped[datetime] = mapped_column(Utc)
    serial: Mapped[str] = mapped_column(String(200), default="")
    lot: Mapped[str] = mapped_column(String(200), default="")
    recipe: Mapped[str] = mapped_column(NAME, default="")
    revision: Mapped[str] = mapped_column(String(80), default="")
    model: Mapped[str] = mapped_column(String(80), default="")
    station: Mapped[str] = mapped_column(NAME, default="")
    camera: Mapped[str] = mapped_column(NAME, default="")
    verdict: Mapped[str] = mapped_column(String(16), default="")
    """What the model and the recipe said: ok, ng, unjudged; empty: nothing was said."""
    disposition: Mapped[str] = mapped_column(String(16), default="")
    """pass or reject."""
    why: Mapped[str] = mapped_column(String(24), default="")
    outcome: Mapped[str] = mapped_column(String(16), default="")
    """What it counts as."""
    reasons: Mapped[list[str]] = mapped_column(Json, default=list)
    defects: Mapped[list[Any]] = mapped_column(Json, default=list)
    score: Mapped[float | None] = mapped_column()
    threshold: Mapped[float | None] = mapped_column()
    shift: Mapped[str] = mapped_column(NAME, default="")
    picture_sha256: Mapped[str | None] = mapped_column(SHA256)
    """None where the picture does not leave the box."""
    image: Mapped[list[Any]] = mapped_column(Json, default=list)
    """Health of the image, one mapping a camera."""


class Picture(Base):
    """Which blob shows which part."""

    __tablename__ = "picture"
    __table_args__ = (PrimaryKeyConstraint("box", "epoch", "part_seq", "sha256"), Index("picture_sha256", "sha256"))

    box: Mapped[str] = mapped_column(ForeignKey("box.id"))
    epoch: Mapped[int] = mapped_column(Big)
    part_seq: Mapped[int] = mapped_column(Big)
    sha256: Mapped[str] = mapped_column(SHA256)
    kind: Mapped[str] = mapped_column(String(16))
    """picture, crop."""
    camera: Mapped[str] = mapped_column(NAME, default="")


class Blob(Base):
    """Bytes in the store, by their hash. `have` only once the store itself vouched for length and hash."""

    __tablename__ = "blob"

    sha256: Mapped[str] = mapped_column(SHA256, primary_key=True)
    size: Mapped[int] = mapped_column(Big)
    state: Mapped[str] = mapped_column(String(8), default="awaited")
    """awaited, have, gone."""
    first_box: Mapped[str] = mapped_column(ForeignKey("box.id"))
    at: Mapped[datetime] = mapped_column(Utc)


class Upload(Base):
    """A large blob of one box under way, in parts."""

    __tablename__ = "upload"
    __table_args__ = (PrimaryKeyConstraint("box", "sha256"), Index("upload_at", "at"))

    box: Mapped[str] = mapped_column(ForeignKey("box.id"))
    sha256: Mapped[str] = mapped_column(SHA256)
    upload: Mapped[str] = mapped_column(String(200))
    """The store's own id of it."""
    size: Mapped[int] = mapped_column(Big)
    part_size: Mapped[int] = mapped_column(Big)
    at: Mapped[datetime] = mapped_column(Utc)


class Person(Base):
    """Somebody who was let in by the plant's provider, or a local one of a site without a provider."""

    __tablename__ = "person"

    sub: Mapped[str] = mapped_column(String(255), primary_key=True)
    """`<issuer>#<sub>` of the provider, or `local:<name>`."""
    name: Mapped[str] = mapped_column(NAME)
    roles: Mapped[list[str]] = mapped_column(Json, default=list)
    password: Mapped[str | None] = mapped_column(String(255))
    """argon2id, local people only."""
    created_at: Mapped[datetime] = mapped_column(Utc)
    seen_at: Mapped[datetime | None] = mapped_column(Utc)
    signed_out_at: Mapped[datetime | None] = mapped_column(Utc)
    """Sessions that began before are over."""
    closed_at: Mapped[datetime | None] = mapped_column(Utc)
    """From then on nobody signs in by this name."""


class Token(Base):
    """What a program shows instead of a person."""

    __tablename__ = "token"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(NAME)
    sha256: Mapped[str] = mapped_column(SHA256, unique=True)
    """Of the secret (256 random bits), hex."""
    rights: Mapped[list[str]] = mapped_column(Json)
    made_by: Mapped[str] = mapped_column(String(255))
    made_at: Mapped[datetime] = mapped_column(Utc)
    expires_at: Mapped[datetime] = mapped_column(Utc)
    revoked_at: Mapped[datetime | None] = mapped_column(Utc)
    used_at: Mapped[datetime | None] = mapped_column(Utc)


class Deed(Base):
    """Who did what, when: each row holds the hash of the one before."""

    __tablename__ = "deed"

    id: Mapped[int] = mapped_column(Big, primary_key=True, autoincrement=False)
    """1, 2, 3 … without a gap."""
    at: Mapped[datetime] = mapped_column(Utc)
    who: Mapped[str] = mapped_column(String(255))
    """`person:<sub>`, `token:<id>`, `box:<id>`, `service`, `cli:<user>`."""
    what: Mapped[str] = mapped_column(String(64), index=True)
    """A few words, for example `box approved`."""
    subject: Mapped[str] = mapped_column(String(255), default="", index=True)
    """What it was done to, for example `box:press4-1f2e`."""
    detail: Mapped[dict[str, Any]] = mapped_column(Json)
    before: Mapped[str] = mapped_column(SHA256)
    sha256: Mapped[str] = mapped_column(SHA256)


class Alarm(Base):
    """Something that a person has to see."""

    __tablename__ = "alarm"
    __table_args__ = (Index("alarm_open", "ended_at", "at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    at: Mapped[datetime] = mapped_column(Utc)
    kind: Mapped[str] = mapped_column(String(40))
    """stream_halted, blob_wrong, …"""
    box: Mapped[str | None] = mapped_column(ForeignKey("box.id"))
    detail: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    ended_at: Mapped[datetime | None] = mapped_column(Utc)
    ended_by: Mapped[str | None] = mapped_column(String(255))


class Attempt(Base):
    """How often something was tried in a stretch of time, by all workers together."""

    __tablename__ = "attempt"
    __table_args__ = (PrimaryKeyConstraint("key", "window"),)

    key: Mapped[str] = mapped_column(String(200))
    window: Mapped[int] = mapped_column(Big)
    """Start of the stretch, seconds since 1970."""
    count: Mapped[int] = mapped_column(Big)
    ends_at: Mapped[datetime] = mapped_column(Utc, index=True)
