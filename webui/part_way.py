"""When a part went from hand to hand: what stands on the line of its page. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..bus.clock import MS
from .words import N_, Gettext

STEPS = (
    ("triggered_ns", N_("trigger")),
    ("exposed_ns", N_("exposed")),
    ("ready_ns", N_("picture there")),
    ("done_ns", N_("verdict")),
    ("published_ns", N_("sent")),
    ("acked_ns", N_("acknowledged")),
)
WIDTH = 400


@dataclass(frozen=True, slots=True)
class Step:
    """One moment."""

    name: str
    ms: float
    """After the trigger."""
    x: float
    """On a line of `WIDTH`."""


@dataclass(frozen=True, slots=True)
class Way:
    """All moments that are known, and the deadline."""

    steps: list[Step]
    deadline: Step | None
    over: bool
    """The result was sent at or after the deadline."""


def way_of(moments: Mapping[str, int | None], gettext: Gettext) -> Way:
    """Lay the moments of `GalleryReader.story` on a line."""
    begin = moments["triggered_ns"] or 0
    known = [(gettext(name), at) for key, name in STEPS if (at := moments[key]) is not None and at >= begin]
    last = moments["deadline_ns"]
    end = max([at for _, at in known] + [last or 0]) - begin or 1

    def step(name: str, at: int) -> Step:
        return Step(name, (at - begin) / MS, round(WIDTH * (at - begin) / end, 1))

    sent = moments["published_ns"]
    return Way(
        [step(name, at) for name, at in known],
        step(gettext(N_("deadline")), last) if last is not None and last > begin else None,
        sent is not None and last is not None and sent >= last,
    )
