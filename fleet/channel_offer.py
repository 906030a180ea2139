"""What a box believes of its channels, once every byte of it was verified: offers, the ticket, how fresh it all is."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Ring:
    """See `RingForm`."""

    name: str
    shadow_parts: int
    canary_parts: int
    max_error_pct: float


@dataclass(frozen=True, slots=True)
class Pinned:
    """A file as the channel's signature states it."""

    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True, slots=True)
class Offer:
    """What a channel says to this box about one recipe. Every field was signed; nothing was fetched yet."""

    line: str
    recipe: str
    role: str
    """`champion` or `challenger`."""
    bundle: str
    """Digest of the bundle, 64 hex digits."""
    seq: int
    previous: str
    """Digest of the bundle before; empty: none."""
    plan: tuple[Ring, ...]
    manifest: Pinned
    signature: Pinned | None
    """None: only for what was taught on this box."""
    rules: Mapping[str, float] = field(default_factory=dict)
    ring_of_this_box: str = ""
    """Empty: the box is in no ring of this line."""
    ring_open: bool = False
    """The box's ring is open for this very sequence number."""
    halted: bool = False
    expired: bool = False
    """What was signed has run out, or no clock can tell: nothing new is begun, what runs goes on."""
    refused: str = ""
    """Why this box does not take it, for people: it lies below what was trusted. Empty: it may."""
    local: bool = False
    """Taught on this very box and signed by its own key; it counts on this box alone."""
    approved_by: str = ""
    """Who put it forward, for people."""
    reason: str = ""
    """Why, where somebody had to say so."""

    @property
    def channel(self) -> str:
        """`<line>/<recipe>/<role>`: what the highest trusted number is kept under."""
        return f"{self.line}/{self.recipe}/{self.role}"

    @property
    def ring(self) -> Ring | None:
        """This box's ring of the plan; None: the plan has none for it."""
        return next((one for one in self.plan if one.name == self.ring_of_this_box), None)

    @property
    def takes(self) -> bool:
        """The box may begin or go on with it now."""
        return self.ring_open and not (self.halted or self.expired or self.refused)


@dataclass(frozen=True, slots=True)
class Ticket:
    """A signed way down for this box. See `TicketForm`."""

    box: str
    number: int
    line: str
    recipe: str
    role: str
    from_seq: int
    to_bundle: str
    manifest: Pinned
    signature: Pinned | None
    expires: str
    reason: str
    approved_by: str

    @property
    def channel(self) -> str:
        """`<line>/<recipe>/<role>`."""
        return f"{self.line}/{self.recipe}/{self.role}"


@dataclass(frozen=True, slots=True)
class Standing:
    """What a box believes of its channels."""

    offers: tuple[Offer, ...] = ()
    ticket: Ticket | None = None
    """The lowest numbered one that holds now."""
    expired: bool = False
    """What was signed has run out, or no clock can tell."""
    fresh_until: str = ""
    """When the first of what was signed runs out, UTC; empty: nothing was ever trusted."""
    why: str = ""
    """Why it is expired or something is refused, for people; empty: all is well."""
    targets_version: int = 0
    """Of the newest list of targets that was trusted; 0: none."""
