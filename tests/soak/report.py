"""What a soak came to, as JSON and as a table."""

import os
import platform
from dataclasses import asdict
from typing import Any

from rich.table import Table

from okng.bus.clock import utc_now

from .segments import Course, Segment
from .verdict import MB, Limits, Verdict, over_all, verdict
from .vitals import Sample

NIGHT_S = 3600
_BYTES = ("rss", "pss", "shared")


def judged(course: Course) -> Verdict:
    """Over all segments, with everything that anybody has to object to. A soak that is not through does not hold."""
    ended = [one for one in course.segments if one.ended]
    found = over_all([one.samples for one in ended], Limits.of(course.parts))
    for one in course.segments:
        found.objections += [f"segment {one.number}: {text}" for text in one.objections]
    if not course.finished:
        found.objections.append(f"{course.parts} of {course.asked['parts']} parts are through")
    elif int(course.asked["parts"]) > 2 and not any(one.tally.wrapped for one in course.segments):
        found.objections.append("the part number did not wrap")
    return found


def as_json(course: Course, found: Verdict) -> dict[str, Any]:
    """All figures."""
    seconds = sum(one.seconds for one in course.segments if one.ended)
    return {
        "at": utc_now(),
        "machine": {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 2), "kernel": platform.release()},
        "asked": dict(course.asked),
        "finished": course.finished,
        "parts": course.parts,
        "parts_per_s": round(course.parts / seconds, 1) if seconds else 0.0,
        "cpu_ms_per_part": cpu_ms([one for one in course.segments if one.ended]),
        **found.as_json(),
        "segments": [_segment(one) for one in course.segments],
    }


def _segment(one: Segment) -> dict[str, Any]:
    growth = verdict(one.samples, Limits.of(one.parts)).as_json()["growth"] if one.ended else []
    return {
        "number": one.number,
        "begun_at": one.begun_at,
        "ended_at": one.ended_at or "killed: its parts do not count",
        "parts": one.parts,
        "seconds": round(one.seconds, 1),
        "held_s": round(one.held_s, 1),
        "unjudged": sum(sample.unjudged for sample in one.samples),
        "tally": asdict(one.tally),
        "ledger": one.ledger,
        "growth": growth or "too few samples",
        "samples": [asdict(sample) for sample in one.samples],
    }


def cpu_ms(segments: list[Segment]) -> dict[str, float]:
    """Milliseconds of a core for a part, by process, of the longest segment; `total` of all but this program."""
    longest = max((one.samples for one in segments), key=len, default=[])
    names = set(longest[0].processes) if longest else set()
    whole = [one for one in longest if names <= set(one.processes)]  # the last ones may be without the line
    if len(whole) < 2:
        return {}
    found = whole[-1].cpu_ms(whole[0])
    found.pop("soak itself", None)
    return {**found, "total": round(sum(found.values()), 3)}


def sample_line(sample: Sample) -> str:
    """One sample for a log."""
    rss = ", ".join(f"{name} {one.rss / MB:.0f}" for name, one in sample.processes.items())
    return (
        f"{sample.parts:>9} parts  {sample.seconds:8.0f} s  p50 {sample.latency_p50_ms:.1f} ms  "
        f"p99 {sample.latency_p99_ms:.1f} ms  WAL {sample.wal / MB:.1f} MB  RSS MB: {rss}"
    )


def growth_table(found: Verdict) -> Table:
    """What grew."""
    table = Table(title="Growth after the first sample of each segment, by Theil and Sen", title_justify="left")
    for name in ("of", "figure", "first", "last", "per 100,000 parts", "over the run", "limit"):
        table.add_column(name, justify="left" if name in ("of", "figure") else "right")
    for one in found.growths:
        unit = MB if one.figure in _BYTES else 1
        style = "" if one.holds else "red"
        values = (one.first, one.last, one.per_100k, one.over_run, one.limit)
        figure = f"{one.figure}, MB" if unit == MB else one.figure
        table.add_row(one.of, figure, *(f"{value / unit:.2f}" for value in values), style=style)
    return table


def summary(course: Course) -> str:
    """How far it is, how fast it went, and how long a million takes so."""
    last = course.segments[-1]
    reached = last.parts / last.seconds if last.seconds else 0.0
    hours = 1_000_000 / reached / NIGHT_S if reached else 0.0
    unjudged = sum(sample.unjudged for one in course.segments for sample in one.samples)
    costs = ", ".join(f"{name} {ms:.2f}" for name, ms in cpu_ms([last]).items())
    return (
        f"segment {last.number}: {last.parts} parts at {reached:.1f} a second (a million takes {hours:.1f} h so); "
        f"{course.parts} of {course.asked['parts']} in all, {unjudged} UNJUDGED; "
        f"the belt stood {last.held_s:.0f} s for the ledger\nms of a core for a part: {costs}"
    )
