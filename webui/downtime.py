"""When the line was ready and when it stood still, from what the shift process noted in the journal (stream `line`)."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..records.figures_read import FiguresReader, Span
from .period import minutes_between
from .words import Gettext, alarm

READY, NOT_READY, UNKNOWN = "ready", "not ready", "unknown"
ROWS = 10
MOST_EVENTS = 20_000


@dataclass(frozen=True, slots=True)
class Uptime:
    """Minutes of a span."""

    ready_min: float
    down_min: float
    unknown_min: float
    """Nobody looked, or io was not heard."""
    stops: tuple[tuple[str, int, float], ...]
    """First reason as io says it, how often, minutes in all; the longest first."""

    @property
    def known_min(self) -> float:
        """Minutes of which it is known."""
        return self.ready_min + self.down_min

    @property
    def availability(self) -> float | None:
        """Share of the known time in which the line was ready; None: nothing is known."""
        return self.ready_min / self.known_min if self.known_min > 0 else None

    def told(self, gettext: Gettext) -> list[tuple[str, int, float]]:
        """The stops in the viewer's language."""
        return [(alarm(reason, gettext)["what"] if reason else "–", count, took) for reason, count, took in self.stops]


def uptime_of(reader: FiguresReader, span: Span) -> Uptime:
    """Add up a span. BadLedger."""
    before = reader.last_before("line", span.since)
    events = ([before] if before else []) + reader.happened("line", span.since, span.until, MOST_EVENTS)
    minutes: dict[str, float] = defaultdict(float)
    stops: dict[str, list[float]] = defaultdict(lambda: [0, 0.0])
    for state, reason, begin, end in _spans(events, span):
        took = minutes_between(begin, end)
        minutes[state] += took
        if state == NOT_READY and took > 0:
            stops[reason][0] += 1
            stops[reason][1] += took
    ordered = sorted(stops.items(), key=lambda item: -item[1][1])[:ROWS]
    made = tuple((reason, int(count), took) for reason, (count, took) in ordered)
    return Uptime(minutes[READY], minutes[NOT_READY], minutes[UNKNOWN], made)


def _spans(events: list[dict[str, Any]], span: Span) -> Iterator[tuple[str, str, str, str]]:
    """Yield (state, reason, begin, end) over all of the span, cut to it."""
    state, reason, at = UNKNOWN, "", span.since
    for event in events:
        body = event["body"]
        since = str(body.get("since") or event["at"])
        unseen = str(body.get("unseen since") or "")
        if unseen and unseen < since:
            cut = max(at, min(unseen, span.until))
            yield state, reason, at, cut
            state, reason, at = UNKNOWN, "", cut
        begin = max(at, min(since, span.until))
        yield state, reason, at, begin
        state = event["event"] if event["event"] in (READY, NOT_READY) else UNKNOWN
        reasons = body.get("reasons") or [""]
        reason, at = (str(reasons[0]) if state == NOT_READY else ""), begin
    yield state, reason, at, max(at, span.until)
