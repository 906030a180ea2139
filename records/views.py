"""The other pictures of a part and what all of them were like, as rows of `view` and `image_health`."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..bus.messages import FrameReady
from ..bus.part import ImageHealth
from .rows import Columns, Kept, as_json, numbers, picture_columns, reals

FIGURES = tuple(field.name for field in fields(ImageHealth) if field.name not in ("camera", "alarms"))
"""What is measured on each picture: columns of `image_health`, fields of `ImageHealth`."""


@dataclass(frozen=True, slots=True)
class Sight:
    """One view of a part besides the deciding one."""

    frame: FrameReady
    kept: Kept | None
    """None: its picture was not kept."""


@dataclass(frozen=True, slots=True)
class ViewRow:
    """One picture of a part as it is remembered."""

    camera: str
    picture: str | None
    """Path relative to the store."""
    picture_sha256: str | None
    picture_kept: bool
    width: int
    """Of the picture, pixels."""
    height: int
    small: bool = False
    """The picture was given up, and a small one is left of it."""


def view_columns(sight: Sight) -> Columns:
    """Columns of table `view`, `seq` left out."""
    frame = sight.frame
    return {
        "camera": frame.camera,
        "exposed_ns": frame.exposed_at_ns,
        "received_ns": frame.received_ns,
        "ready_ns": frame.ready_ns,
        **picture_columns(frame, sight.kept),
    }


def health_columns(health: ImageHealth) -> Columns:
    """Columns of table `image_health`, `seq` left out."""
    return {**numbers(asdict(health)), "alarms": as_json(list(health.alarms))}


def view_row(row: Mapping[str, Any], *, small: bool = False) -> ViewRow:
    """One row of `view`. small: a small picture is left of it."""
    return ViewRow(
        row["camera"],
        row["picture"],
        row["picture_sha256"],
        bool(row["picture_kept"]),
        row["width"],
        row["height"],
        small,
    )


def health_of(row: Mapping[str, Any]) -> ImageHealth:
    """One row of `image_health`; what was not measured is NaN. ValueError, KeyError: it was doctored."""
    figures = reals({name: row[name] for name in FIGURES})
    return ImageHealth(camera=row["camera"], **figures, alarms=tuple(json.loads(row["alarms"])))
