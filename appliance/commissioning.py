"""The reference of a view, made from pictures on disk, and pictures measured against it."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..bus.clock import utc_now
from ..bus.errors import BadPicture, BadSettings
from ..bus.part import ImageHealth
from ..imaging.commission import FEWEST
from ..imaging.commission import commission as commission_pictures
from ..imaging.drift import Drift
from ..imaging.health import Measurer
from ..imaging.health_options import HealthOptions
from ..imaging.picture import Box
from ..imaging.reference import read_reference
from ..models.pictures import files_in, read

MOST = 100
"""Pictures a reference is made from; of more, evenly spread ones are taken."""


def commissioned(goods: Path, out: Path, focus: Box | None = None, background: Sequence[Box] = ()) -> Iterator[str]:
    """Make the reference of a view and write it to out; yield what to tell.

    BadPicture: too few pictures, or they do not fit together. BadSettings: out cannot be written.
    """
    files = files_in(goods)
    if len(files) < FEWEST:
        raise BadPicture(f"{goods}: {len(files)} pictures, expected {FEWEST} or more")
    step = max(1, -(-len(files) // MOST))
    chosen = files[::step]
    reference = commission_pictures(
        [read(file) for file in chosen], focus=focus, background=background, made_at=utc_now()
    )
    try:
        reference.write(out)
    except OSError as error:
        raise BadSettings(f"{out}: cannot be written: {error.strerror}") from error
    yield f"{out}: commissioned from {len(chosen)} pictures of {reference.width_px}x{reference.height_px}"
    yield f"sharpness is told from {', '.join(map(str, reference.focus_box))} (x, y, width, height)"
    if not reference.patches:
        yield "the background has no texture: a camera that was moved cannot be told, give --background if it has"
    for name, typical in reference.typical.items():
        if math.isfinite(typical.middle) and (typical.middle or typical.spread):
            yield f"{name}: {typical.middle:.4g}, spread {typical.spread:.2g}"


def measured(reference: Path, pictures: Sequence[Path]) -> tuple[list[tuple[Path, ImageHealth]], list[str]]:
    """Measure pictures as parts in a row; return the figures of each, and the alarms that stand after the last.

    With fewer pictures than a window of the recipe has, the window is as long as they are.
    """
    known = read_reference(reference)
    window = min(HealthOptions(reference=reference.name).window, len(pictures))
    drift = Drift(HealthOptions(reference=reference.name, window=window), known)
    measurer, found = Measurer(known), []
    for file in pictures:
        measures = measurer.measure(read(file))
        causes = tuple(str(alarm.cause) for alarm in drift.add(measures))
        found.append((file, measures.health("", causes)))
    return found, [alarm.words for alarm in drift.alarms]


def health_lines(found: Sequence[tuple[Path, ImageHealth]]) -> Iterator[str]:
    """One line a picture."""
    for file, each in found:
        yield (
            f"{file.name}: focus {each.focus:.2f}, brightness {each.brightness:.1f}, uniformity {each.uniformity:.3f}, "
            f"noise {each.noise:.2f}, shift {each.shift_x_px:+.1f} {each.shift_y_px:+.1f} px, {each.angle_deg:+.2f} deg"
        )
