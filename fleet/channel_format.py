"""What a channel says: which bundle a recipe of a line uses now, how far it has gone, and what one box alone may do.

    <line>/<recipe>/champion.json   challenger.json    pointers, signed offline by a person
    bundles/<sha256>/manifest.json  signature.sig      length and digest only: they tie a bundle to the channel
    tickets/<box>/<n>.json                             the only way down, signed offline
    rings/<line>.json                                  how far a signed plan has gone, signed by the service

The paths are targets of one TUF repository. Forms are JSON, an unknown key is refused. No numpy and no model here: the
service reads them too.
"""

import json
import re
from datetime import UTC, datetime
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ..bus.errors import Refused
from ..bus.outside import parsed_json
from .options import NAME, Name

MOST_POINTER_BYTES = 64 << 10
MOST_TICKET_BYTES = 16 << 10
MOST_RINGS_BYTES = 1 << 20
MOST_SEQ = 2**53 - 1
"""Largest sequence number: what every JSON reader keeps exactly."""
ROLES = ("champion", "challenger")
RINGS_ROLE = "rings"
"""The delegated role of the service's key; its paths are `rings/*`."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Seq = Annotated[int, Field(ge=1, le=MOST_SEQ, strict=True)]
Said = Annotated[str, Field(min_length=1, max_length=500)]
Moment = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
"""UTC, whole seconds, `2026-11-27T08:15:04Z`."""
RuleName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]
PlanName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,47}/(champion|challenger)$")]
OWN = "own"
"""In the place of a line: what a box offers itself (`channel_own.py`)."""
RESERVED = frozenset({"bundles", "tickets", RINGS_ROLE, OWN})
"""First parts of other targets: no line has such a name."""
Form = TypeVar("Form", bound="ChannelForm")


class BadChannel(Refused):
    """What a channel says is not signed as it must be, is older than what was trusted, or makes no sense."""


class ChannelForm(BaseModel):
    """Of every form: an unknown key is refused, nothing changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RingForm(ChannelForm):
    """A group of boxes that take a bundle together, and what each of them has to see first."""

    ring: Name
    shadow_parts: int = Field(default=5000, ge=0, le=10**9, strict=True)
    """Parts looked at beside the champion before it may take an OK away."""
    canary_parts: int = Field(default=20_000, ge=0, le=10**9, strict=True)
    """Parts judged by both before it decides alone."""
    max_error_pct: float = Field(default=5.0, ge=0, le=100, allow_inf_nan=False)
    """Share of the ring's boxes that may refuse it or roll it back; above, the plan halts."""


class PointerForm(ChannelForm):
    """`<line>/<recipe>/champion.json` or `challenger.json`."""

    format: Literal[1] = 1
    line: Name
    recipe: Name
    role: Literal["champion", "challenger"]
    bundle: Sha256
    seq: Seq
    """Counts up over both roles of a recipe: a box never goes below the highest it has trusted."""
    previous: Sha256 | None = None
    """Bundle that this pointer stood at before; None: it is the first."""
    plan: tuple[RingForm, ...] = Field(min_length=1, max_length=32)
    """In the order in which the rings open."""
    rules: dict[RuleName, Finite] = Field(default_factory=dict, max_length=64)
    """Thresholds of the rules that take it back (`fleet/ladder`), where they differ from their defaults."""
    at: Moment
    approved_by: Said

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.line in RESERVED:
            raise ValueError(f"line {self.line!r}: no line can be called that")
        names = [one.ring for one in self.plan]
        if len(set(names)) != len(names):
            raise ValueError("plan: a ring comes twice")
        return self


class TicketForm(ChannelForm):
    """`tickets/<box>/<n>.json`: one box may go down once, from one sequence number to one older bundle."""

    format: Literal[1] = 1
    box: Name
    n: Seq
    """Counts up for the box: a ticket below one that was used is void."""
    channel: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,47}/[a-z0-9][a-z0-9_-]{0,47}/(champion|challenger)$")
    """`<line>/<recipe>/<role>`."""
    from_seq: Seq
    """The ticket holds only while this is the highest number the box has trusted in the channel."""
    to_bundle: Sha256
    expires: Moment
    reason: Said
    approved_by: Said


class OpenForm(ChannelForm):
    """How far one signed pointer has gone."""

    seq: Seq
    """Of the pointer that this is about: the next one begins with no ring open."""
    rings: tuple[Name, ...] = Field(default=(), max_length=32)
    """Open rings."""
    halted: bool = Field(default=False, strict=True)
    """True: no box of the line goes further with this pointer."""


class RingsForm(ChannelForm):
    """`rings/<line>.json`."""

    format: Literal[1] = 1
    line: Name
    members: dict[Name, tuple[Name, ...]] = Field(default_factory=dict, max_length=32)
    """Boxes by ring. A box that is in none is offered nothing."""
    open: dict[PlanName, OpenForm] = Field(default_factory=dict, max_length=1000)
    """By `<recipe>/<role>`."""
    halted: bool = Field(default=False, strict=True)
    """The red button: no box of the line goes further with anything."""
    reason: str = Field(default="", max_length=500)
    """Why it is halted, for people."""

    @field_validator("members")
    @classmethod
    def _one_ring_each(cls, members: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        boxes = [box for ring in members.values() for box in ring]
        if len(set(boxes)) != len(boxes):
            raise ValueError("a box is in two rings, or twice in one")
        return members

    def ring_of(self, box: str) -> str:
        """The ring a box is in; empty: none."""
        return next((ring for ring, boxes in self.members.items() if box in boxes), "")


def pointer_path(line: str, recipe: str, role: str) -> str:
    """Target of a pointer."""
    return f"{line}/{recipe}/{role}.json"


def manifest_path(bundle: str) -> str:
    """Target that ties a bundle's manifest to the channel."""
    return f"bundles/{bundle}/manifest.json"


def signature_path(bundle: str) -> str:
    """Target that ties a bundle's signature to the channel."""
    return f"bundles/{bundle}/signature.sig"


def ticket_path(box: str, n: int) -> str:
    """Target of a ticket."""
    return f"tickets/{box}/{n}.json"


def rings_path(line: str) -> str:
    """Target of a line's rings."""
    return f"rings/{line}.json"


def check_name(name: str, what: str) -> str:
    """Return a name of a line, a recipe, a ring or a box. BadChannel."""
    if not re.fullmatch(NAME, name):
        raise BadChannel(f"{what} {name!r}: expected letters a-z, digits, - and _, at most 48")
    return name


def parse_pointer(data: bytes, path: str) -> PointerForm:
    """Return what a pointer says. BadChannel: it says nothing sensible, or speaks of another path than its own."""
    form = parsed(PointerForm, data, path, MOST_POINTER_BYTES)
    own = pointer_path(form.line, form.recipe, form.role)
    if own != path:
        raise BadChannel(f"{path}: speaks of {own}")
    return form


def parse_ticket(data: bytes, path: str) -> TicketForm:
    """Return what a ticket says. BadChannel: it says nothing sensible, or speaks of another path than its own."""
    form = parsed(TicketForm, data, path, MOST_TICKET_BYTES)
    if ticket_path(form.box, form.n) != path:
        raise BadChannel(f"{path}: speaks of {ticket_path(form.box, form.n)}")
    return form


def parse_rings(data: bytes, path: str) -> RingsForm:
    """Return what rings say. BadChannel: they say nothing sensible, or speak of another line."""
    form = parsed(RingsForm, data, path, MOST_RINGS_BYTES)
    if rings_path(form.line) != path:
        raise BadChannel(f"{path}: speaks of {rings_path(form.line)}")
    return form


def text_of(form: BaseModel) -> bytes:
    """The one text of a form: sorted keys, a newline at the end."""
    return (json.dumps(form.model_dump(mode="json"), sort_keys=True, ensure_ascii=False, indent=1) + "\n").encode()


def moment(at: datetime) -> str:
    """A moment as forms write it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def when(text: str) -> datetime:
    """The moment of such a text. ValueError."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def parsed(kind: type[Form], data: bytes, path: str, most: int) -> Form:
    """Return what a text of a kind says. BadChannel, its text beginning with path: it says nothing sensible."""
    if len(data) > most:
        raise BadChannel(f"{path}: {len(data)} bytes: expected at most {most}")
    try:
        return kind.model_validate(parsed_json(data))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "content"
        shown = f" = {first['input']!r}"[:80] if not isinstance(first["input"], dict) else ""
        raise BadChannel(f"{path}: {key}{shown}: {first['msg']}") from error
    except ValueError as error:
        raise BadChannel(f"{path}: not JSON: {error}") from error
