"""What is sealed of each kind of row, and how it becomes bytes. Writer and verifier both go by this, and by no more.

A format is never changed once released: a new column of a table comes into a new kind of link.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Any

START = bytes(32)
"""The hash before the first link."""


class Kind(IntEnum):
    """Of a link."""

    LINEAGE = 1
    """The file was begun, or goes on as a restored one; a: its lineage."""
    PART = 2
    """A part with its views and what its pictures were like; a: seq."""
    TRIGGER = 3
    """a: epoch, b: number in it."""
    COUNTERS = 4
    """The last counters of a run of io; a: epoch."""
    JOURNAL = 5
    """a: n."""
    SIGNATURE = 6
    """a: n."""
    OLDER = 7
    """Parts a..b that were there before they were sealed one by one, all under one hash."""
    WITHDRAWN = 8
    """Part a, made by `recover`, gave way to what io said itself; the body keeps what it was."""
    RETIRED = 9
    """Parts of a..b that retention deletes."""
    PRUNED = 10
    """Links a..b went, whose rows retention had deleted."""


PART = (
    *("seq", "epoch", "number", "part", "station", "taken_at", "outcome", "verdict", "action", "why", "reasons"),
    *("defects", "score", "threshold", "recipe", "revision", "model", "camera", "missed", "encoder", "triggered_ns"),
    *("deadline_ns", "exposed_ns", "received_ns", "ready_ns", "started_ns", "done_ns", "committed_ns", "published_ns"),
    *("acked_ns", "sequence", "delivery", "confirmed", "width", "height", "picture", "picture_sha256", "recovered"),
    *("stored_at", "serial", "codes", "placements", "measures", "lot", "heat"),
)
VIEW = ("camera", "exposed_ns", "received_ns", "ready_ns", "width", "height", "picture", "picture_sha256")
HEALTH = (
    *("camera", "focus", "brightness", "contrast", "saturation", "darkness", "uniformity", "noise"),
    *("shift_x_px", "shift_y_px", "angle_deg", "alarms"),
)
TRIGGER = (
    *("epoch", "number", "part", "station", "at_ns", "encoder", "deadline_ns", "recipe", "missed", "boot_id"),
    "stored_at",
)
COUNTERS = (
    *("epoch", "number", "last", "triggers", "ok", "ng", "unjudged", "late", "missed", "in_flight", "ordered"),
    *("confirmed", "unconfirmed", "stale_verdicts", "challenge", "bypass"),
)
JOURNAL = ("n", "at", "stream", "key", "event", "who", "body")
SIGNATURE = (*("n", "at", "who", "full_name", "meaning", "kind", "name", "digest", "reason", "place", "secret", "box"),)
CHANGES = {"part": {"picture_kept", "serial_before"}, "view": {"seq", "picture_kept"}, "image_health": {"seq"}}
"""Columns that are not sealed: of a picture, whether it is still kept, which the trail explains; the earlier part of
the same serial number, which retention may delete; of views and figures the number of their part, as in its own row."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def part_content(row: Sequence[Any], views: Iterable[Sequence[Any]], health: Iterable[Sequence[Any]]) -> list[Any]:
    """A part as it is sealed: its columns, its views, its figures. Of heat maps their SHA-256."""
    *columns, heat = row
    columns.append(None if heat is None else hashlib.sha256(heat).hexdigest())
    return [columns, sorted(map(list, views)), sorted(map(list, health), key=_camera)]


def _camera(row: Sequence[Any]) -> str:
    return str(row[0])


def linked(before: bytes, kind: int, a: int, b: int, content: object) -> bytes:
    """The hash of a link. content: of the row, or the body's text of a link that seals none."""
    return hashlib.sha256(before + _encode([kind, a, b, content]).encode()).digest()


def block_hash(contents: Iterable[object]) -> str:
    """One hash over many rows, in order."""
    digest = hashlib.sha256()
    for content in contents:
        digest.update(_encode(content).encode() + b"\n")
    return digest.hexdigest()
