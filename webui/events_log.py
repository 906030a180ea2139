"""What happened in a period, from the journal, in lines for a report: tests, alarms, bypass, stops, holds, lots."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..records.figures_read import FiguresReader
from .alarm_words import told
from .period import Period, minutes_between
from .shift_words import detail_words
from .words import N_, Gettext

TESTS = {
    "due": N_("due"),
    "started": N_("begun"),
    "passed": N_("passed"),
    "failed": N_("FAILED"),
    "aborted": N_("broken off"),
    "signed": N_("signed"),
    "hold released": N_("hold released"),
}
"""Events of the challenge test that a report shows."""
OCCASIONS = {
    "start": N_("start"),
    "changeover": N_("change of product"),
    "interval": N_("interval"),
    "maintenance": N_("maintenance"),
    "restart": N_("restart"),
    "end": N_("end"),
    "asked": N_("asked for"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a log."""

    at: str
    what: str
    detail: str
    who: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Product that was put aside after a failed test."""

    since: str
    until: str
    first: int
    last: int
    released: str
    """When; empty: it was not, up to the end of the period."""
    who: str
    reason: str


@dataclass(frozen=True, slots=True)
class Events:
    """What happened."""

    tests: tuple[Line, ...]
    alarms: tuple[tuple[str, int, str, str], ...]
    """What, how often, first and last time; the most frequent first."""
    bypasses: tuple[Line, ...]
    bypass_min: float
    """Minutes of the period under a declared bypass."""
    stops: tuple[Line, ...]
    stop_min: float
    """Minutes of the period in which a person had stopped the inspection."""
    holds: tuple[Hold, ...]
    lots: tuple[Line, ...]


def events_of(reader: FiguresReader, period: Period, gettext: Gettext) -> Events:
    """Gather. BadLedger."""
    since, until = period.span.since, period.span.until

    def of(stream: str) -> list[dict[str, Any]]:
        return reader.happened(stream, since, until)

    challenge, bypass, stops = of("challenge"), of("bypass"), of("inspection")
    return Events(
        tests=tuple(_test(event, gettext) for event in challenge if event["event"] in TESTS),
        alarms=tuple(_alarms(of("alarm"), gettext)),
        bypasses=tuple(
            _line(event, gettext(_BYPASS.get(event["event"], event["event"])), "reason") for event in bypass
        ),
        bypass_min=_minutes(bypass, "set", "ended", since, until),
        stops=tuple(_line(event, gettext(_STOPS.get(event["event"], event["event"])), "reason") for event in stops),
        stop_min=_minutes(stops, "stopped", "started", since, until),
        holds=tuple(_holds(challenge)),
        lots=tuple(_line(event, gettext(_LOTS.get(event["event"], event["event"])), "lot") for event in of("lot")),
    )


_BYPASS = {"set": N_("bypass declared"), "ended": N_("bypass ended")}
_STOPS = {"stopped": N_("inspection stopped"), "started": N_("inspection started")}
_LOTS = {"begun": N_("lot begun"), "ended": N_("lot ended")}


def _line(event: Mapping[str, Any], what: str, detail: str) -> Line:
    return Line(event["at"], what, str(event["body"].get(detail, "")), event["who"])


def _test(event: Mapping[str, Any], gettext: Gettext) -> Line:
    body, what = event["body"], gettext(TESTS[event["event"]])
    occasion = OCCASIONS.get(str(body.get("occasion", "")))
    words = [str(body.get("recipe", "")), gettext(occasion) if occasion else "", str(body.get("reason", ""))]
    if event["event"] == "failed":
        words.append(detail_words(str(body.get("why", "")), gettext))
    return Line(event["at"], what, " · ".join(word for word in words if word), event["who"])


def _alarms(events: Iterable[Mapping[str, Any]], gettext: Gettext) -> list[tuple[str, int, str, str]]:
    found: dict[str, list[Any]] = {}
    for event in events:
        if event["event"] != "raised":
            continue
        key, body = event["key"], event["body"]
        held = found.setdefault(key, [_alarm_words(key, body, gettext), 0, event["at"], event["at"]])
        held[1], held[3] = held[1] + 1, event["at"]
    return sorted((tuple(held) for held in found.values()), key=lambda held: (-held[1], held[2]))


def _alarm_words(key: str, body: Mapping[str, Any], gettext: Gettext) -> str:
    fill = {str(name): str(value) for name, value in dict(body.get("fill") or {}).items()}
    said = told(key.partition(":")[0], fill, gettext)
    return said.what if said else key


def _minutes(events: Iterable[Mapping[str, Any]], begin: str, end: str, since: str, until: str) -> float:
    """Minutes between begin and end, what reaches over an edge cut there. An end tells when it began."""
    total, open_at = 0.0, ""
    for event in events:
        at = max(since, min(until, event["at"]))
        if event["event"] == begin:
            open_at = open_at or at
        elif event["event"] == end:
            total += minutes_between(open_at or max(since, str(event["body"].get("since", since))), at)
            open_at = ""
    return total + (minutes_between(open_at, until) if open_at else 0.0)


def _holds(events: Iterable[Mapping[str, Any]]) -> list[Hold]:
    holds: list[Hold] = []
    for event in events:
        body = event["body"]
        if event["event"] == "failed" and body.get("hold"):
            holds.append(_hold(dict(body["hold"]), "", "", ""))
        elif event["event"] == "hold released":
            made = _hold(body, event["at"], event["who"], str(body.get("reason", "")))
            # A test that fails again makes the open hold longer: it begins where it did.
            holds = [hold for hold in holds if hold.released or hold.since != made.since]
            holds.append(made)
    return holds


def _hold(body: Mapping[str, Any], released: str, who: str, reason: str) -> Hold:
    ends = str(body.get("from", "")), str(body.get("to", ""))
    return Hold(*ends, int(body.get("first") or 0), int(body.get("last") or 0), released, who, reason)
