"""What io said of a part and what was overheard of it, put together. Pure.

io decides by the first view that is not OK, so it may not have heard the others: their pictures, codes and figures
belong to the part all the same.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from ..bus.messages import FrameReady
from ..bus.part import CodeRead, HeatMap, ImageHealth, Measurement, Placement, Record
from .catcher import Seen

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Gathered:
    """All that is known of one part but its disposition."""

    frames: dict[str, FrameReady]
    """Its pictures by camera, the deciding one's first."""
    main: FrameReady | None
    """Of the deciding view; None: that one had no picture."""
    heat: tuple[HeatMap, ...]
    """Of the deciding view."""
    image: tuple[ImageHealth, ...]
    placements: tuple[Placement, ...]
    codes: tuple[CodeRead, ...]
    measures: tuple[Measurement, ...]
    judged: frozenset[str]
    """Cameras whose verdict was overheard."""
    unheard: frozenset[str]
    """Cameras whose verdict must be under way to us: io had it before its record left."""


def gather(record: Record, seen: Seen) -> Gathered:
    """Put the record of a part and what was overheard together; where both speak, io's word comes first."""
    verdict = record.verdict
    frames: dict[str, FrameReady] = {}
    said = () if verdict is None else (verdict.frame, *verdict.views)
    for frame in (*said, *seen.frames.values()):
        if frame is not None:
            frames.setdefault(frame.camera, frame)
    if verdict is None:
        main = next(iter(frames.values()), None)
        unheard = frozenset() if frames else frozenset({""})
    else:
        main = frames.get(verdict.camera)
        unheard = frozenset({verdict.camera, *frames}) - seen.verdicts.keys()
    decided = seen.verdicts.get(main.camera if main else "")
    others = list(seen.verdicts.values())
    judged = ([] if verdict is None else [verdict]) + others
    return Gathered(
        frames=frames if main is None else {main.camera: main, **frames},
        main=main,
        heat=decided.heat if decided else (),
        image=_first((each.camera, each) for one in judged for each in one.image),
        placements=_first((each.camera, each) for one in judged for each in one.placements),
        codes=_first((each.name, each) for one in judged for each in one.codes),
        measures=_first(((each.camera, each.region, each.name), each) for one in judged for each in one.measures),
        judged=frozenset(seen.verdicts),
        unheard=unheard,
    )


def _first(named: Iterable[tuple[Hashable, T]]) -> tuple[T, ...]:
    """The first of each name."""
    found: dict[Hashable, T] = {}
    for name, each in named:
        found.setdefault(name, each)
    return tuple(found.values())
