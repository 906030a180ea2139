"""The history of a part as lines for a person."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..records.known import Known
from ..records.part_trace import Held, Trace
from ..records.trace_back import By, Sums

_STATES = {
    "kept": "kept",
    "small": "given up by retention, a small one is left",
    "given up": "given up by retention",
    "never": "none was kept",
    "missing": "MISSING: the ledger says that it is kept",
}


def trace_lines(one: Trace) -> list[str]:
    """Return them, aligned: what it is about, and what there is."""
    return [f"{name + ':':<16}{text}" for name, text in _said(one)]


def _said(one: Trace) -> Iterable[tuple[str, str]]:
    part = one.part
    yield "part", f"{part.part}, seq {part.seq}, station {part.station}, {part.taken_at}"
    if part.serial:
        more = f", also read as seq {', '.join(map(str, one.others))}" if one.others else ""
        yield "serial number", part.serial + more
    reasons = f": {'; '.join(part.reasons)}" if part.reasons else ""
    yield "result", f"{part.outcome}, {part.action} ({part.why}){reasons}"
    if part.threshold:
        yield "score", f"{part.score:.4g}, threshold {part.threshold:.4g}, camera {part.camera}"
    yield "PLC", _receipt(one)
    for held in one.pictures:
        yield "picture", _picture(held)
    yield "recipe", _thing(f"{part.recipe}@{part.revision}" if part.revision else part.recipe, one.recipe)
    yield "model", _thing(part.model or "none", one.model)
    for camera in one.cameras:
        yield "camera", f"{camera.name}: {_short(camera.body)}"
    yield "lot", one.lot or "none"
    for label in one.labels:
        back = f", taken back by {label.undone_by}" if label.undone_at else ""
        yield "label", f"{label.truth} {label.kind}".strip() + f", {label.who}, {label.at}{back}"
    if one.reviewed_by:
        yield "looked at", one.reviewed_by
    if one.golden:
        yield "golden", f"{one.golden.why}, {one.golden.who}, {one.golden.at}"
    for escape in one.escapes:
        yield "found later", f"{escape['what']} {escape['found_at']}, {escape['who']}, {escape['at']}"
    for alarm in one.alarms:
        yield "alarm", f"{alarm.key}: {alarm.event}, {alarm.at}"
    for person in one.signed_in:
        yield "signed in", f"{person.who} at {person.place}, {person.at}"


def _receipt(one: Trace) -> str:
    if one.published_ms is None:
        return "never published"
    acked = f", acknowledged after {one.acked_ms:.1f} ms" if one.acked_ms is not None else ""
    eye = {None: "", True: ", reject confirmed", False: ", reject NOT confirmed"}[one.part.confirmed]
    return f"result {one.sequence} after {one.published_ms:.1f} ms{acked}, {one.part.delivery}{eye}"


def _picture(held: Held) -> str:
    sound = {None: "", True: ", verified", False: ", NOT the one that was kept"}[held.sound]
    where = f" {held.path}" if held.path else ""
    return f"{held.camera}{where}: {_STATES[held.state]}{sound}" + (f", sha256 {held.sha256}" if held.sha256 else "")


def _thing(name: str, known: Known | None) -> str:
    if known is None:
        return f"{name} (its text was not written down)"
    return f"{name}: {known.name}, {len(known.body.encode())} bytes of text in the ledger since {known.at}"


def _short(body: str) -> str:
    try:
        said = json.loads(body)
    except ValueError:
        return body
    return ", ".join(f"{key} {value}" for key, value in said.items() if key in ("driver", "serial") and value)


def sums_lines(by: By, sums: Sums) -> list[str]:
    """What all parts of something come to."""
    name = f"{by.name}@{by.revision}" if by.revision else by.name
    lines = [f"{by.kind} {name}: {sums.parts} parts"]
    if sums.runs:
        lines[0] += f", OK {sums.ok}, NG {sums.ng}, UNJUDGED {sums.unjudged}, {sums.first_at} to {sums.last_at}"
    for title, names in (("recipes", sums.recipes), ("models", sums.models), ("lots", sums.lots)):
        if names and title.rstrip("s") != by.kind:
            lines.append(f"{title}: {', '.join(names)}")
    return lines


def part_lines(parts: Sequence[Mapping[str, Any]]) -> list[str]:
    """A page of them."""
    if not parts:
        return []
    head = ("seq", "part", "taken_at", "outcome", "why", "serial", "recipe", "model")
    rows = [head, *((*(str(one[name])[:24] for name in head[:-1]), one["model"][:12]) for one in parts)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
