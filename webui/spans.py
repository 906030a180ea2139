"""Spans of time that a screen looks back over, as UTC like `taken_at`, and moments as people here read them."""

from datetime import UTC, datetime, timedelta

from ..bus.clock import utc_text
from .watch import Watch
from .words import N_

SPANS = {"shift": N_("This shift"), "day": N_("24 hours"), "week": N_("7 days")}
HOURS = {"hour": 1, "shift": 12, "day": 24, "week": 168}
"""How far back; a shift that is not known is taken as so long."""


def since_of(span: str, watch: Watch) -> str:
    """UTC at which the span begins."""
    state = watch.shift
    if span == "shift" and state is not None and state.shift_since:
        return state.shift_since
    return before_now(HOURS.get(span, 24))


def before_now(hours: float) -> str:
    """UTC that many hours ago."""
    return utc_text(datetime.now(UTC) - timedelta(hours=hours))


def in_own_zone(utc: str, layout: str) -> str:
    """A moment of the ledger, or the name of a minute, in the box's own zone; as it stands where it is neither."""
    try:
        moment = datetime.fromisoformat(utc)
    except ValueError:
        return utc
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone().strftime(layout)
