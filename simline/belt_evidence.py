"""What a run on the virtual belt leaves behind, as plain data: what physics did and what the controller said.

Times are seconds of the virtual clock. Nothing in here knows how a controller works.
"""

from dataclasses import dataclass, field

from .belt_layout import Fate, Layout


@dataclass(frozen=True, slots=True)
class Given:
    """One edge of a trigger eye that the controller was told of, and the number it gave."""

    number: int
    """0: it took the edge for no part."""
    at_s: float
    part: int | None
    """Whose edge it truly was; None: a ghost's, or the same part seen again in reverse."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One message about a part that was handed to the controller."""

    at_s: float
    number: int
    """The number it names."""
    view: str
    outcome: str
    """`OK`, `NG`, `UNJUDGED`, or `LOST` for word that there is no picture."""
    part: int | None
    """The part it truly is about, with the trigger moment that the controller gave; None: it fits nothing."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """One disposition, as the controller told it."""

    told_s: float
    number: int
    action: str
    """`PASS` or `REJECT`."""
    why: str
    committed_s: float


@dataclass(frozen=True, slots=True)
class Written:
    """One record, as the controller told it."""

    told_s: float
    number: int
    action: str
    why: str
    committed_s: float
    confirmed: bool | None
    """Whether a reject is known to have left the belt; None: there is no confirm eye."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that entitles the controller to a fault, or obliges it."""

    kind: str
    at_s: float
    by_s: float | None = None
    """A fault or a line stop has to stand, or have begun, between at_s and then. None: it may."""


@dataclass(frozen=True, slots=True)
class Spell:
    """A time in which something stood."""

    from_s: float
    to_s: float
    """inf: to the end."""
    why: str = ""

    def at(self, moment_s: float) -> bool:
        """Return whether it stood then."""
        return self.from_s <= moment_s <= self.to_s


@dataclass(slots=True)
class Evidence:
    """All of one run."""

    layout: Layout
    fates: list[Fate]
    views: tuple[str, ...]
    deadline_s: float
    """From trigger to verdict."""
    commit_mm: float
    """A verdict that is there when the leading edge is still so far before the first jet is in time (I6)."""
    group_mm: float
    """Parts whose bodies are closer than this may share one reject (I6)."""
    grace_s: float = 0.0045
    """Two control ticks and a little: what the controller is told of at one tick shows at the next."""
    timely_until_s: dict[int, float] = field(default_factory=dict)
    """By part: when its leading edge first came to `commit_mm` before the first jet of its lane."""
    clear_s: dict[int, float] = field(default_factory=dict)
    """By part: when it was known at the trigger eye whether anything follows it closer than `group_mm`."""
    given: list[Given] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    ordered: list[Ordered] = field(default_factory=list)
    written: list[Written] = field(default_factory=list)
    faults: list[Spell] = field(default_factory=list)
    stops: list[Spell] = field(default_factory=list)
    """When the controller asked the line to stop."""
    meant: dict[int, str] = field(default_factory=dict)
    """By part that is NG: the gate where its kind of defect leaves."""
    causes: list[Cause] = field(default_factory=list)
    astray: dict[int, float] = field(default_factory=dict)
    """Parts no controller can place any more, and since when: unseen by an eye, slipped too far, count lost."""
    counters: dict[str, int] = field(default_factory=dict)
    """At the end: triggers, ok, ng, unjudged, in_flight, stale, unconfirmed."""
    quiet: bool = True
    """The run went on until nothing was open and nothing could come any more."""
    stuck: bool = False
    """The run was broken off: the controller stopped the line again and again."""
