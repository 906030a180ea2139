"""A soak in segments: what is known of each, kept in the soak's folder, so that another run goes on from there.

Each run of the program is one segment: the box's processes begin afresh on the ledger of those before.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from okng.bus.errors import BadSettings

from .tally import Tally
from .vitals import Sample, Vital

NAME = "segments.json"


@dataclass(slots=True)
class Segment:
    """One run of the program."""

    number: int
    begun_at: str
    first_epoch: int
    """Runs of io from this one on are its own, up to the next segment's."""
    before: int
    """Parts counted before it."""
    samples: list[Sample] = field(default_factory=list)
    ended_at: str = ""
    """Empty: it was killed, or runs."""
    seconds: float = 0.0
    """From its first part to its last."""
    held_s: float = 0.0
    """The belt stood so long because the ledger was far behind."""
    tally: Tally = field(default_factory=Tally)
    ledger: dict[str, int] = field(default_factory=dict)
    """What the ledger came to at its end, all segments together."""
    objections: list[str] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        """It was not killed: its accounts are closed and held against each other."""
        return bool(self.ended_at)

    @property
    def parts(self) -> int:
        """Parts that count."""
        return self.tally.parts if self.ended else 0


@dataclass(slots=True)
class Course:
    """All segments of one soak."""

    asked: Mapping[str, Any]
    segments: list[Segment] = field(default_factory=list)

    @property
    def parts(self) -> int:
        """Parts that count so far."""
        return sum(one.parts for one in self.segments)

    @property
    def finished(self) -> bool:
        """All parts that were asked for are through."""
        return self.parts >= int(self.asked["parts"])

    def begin(self, at: str, first_epoch: int) -> Segment:
        """A new segment. After one that was killed its numbers are given again: another run of io keeps them apart."""
        made = Segment(len(self.segments) + 1, at, first_epoch, self.parts)
        self.segments.append(made)
        return made

    def write(self, out: Path) -> None:
        """Beside it first: whoever looks finds whole JSON."""
        write_json(out / NAME, {"asked": self.asked, "segments": [asdict(one) for one in self.segments]})


def write_json(file: Path, found: Mapping[str, Any]) -> None:
    """Replace a file in one go."""
    waiting = file.with_name(file.name + ".tmp")
    waiting.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    waiting.rename(file)


def read_course(out: Path, asked: Mapping[str, Any], *, afresh: bool) -> Course | None:
    """The soak in that folder that is not through yet; None: begin one. BadSettings: it was asked otherwise."""
    file = out / NAME
    if afresh or not file.exists():
        return None
    found = json.loads(file.read_text(encoding="utf-8"))
    course = Course(found["asked"], [_segment(one) for one in found["segments"]])
    if course.finished:
        return None
    if course.asked != asked:
        raise BadSettings(
            f"{file}: the soak in there was asked for {course.asked}, expected {dict(asked)}: give the same, "
            "or --afresh to begin again"
        )
    return course


def _segment(found: Mapping[str, Any]) -> Segment:
    samples = [
        Sample(**{**one, "processes": {name: Vital(**vital) for name, vital in one["processes"].items()}})
        for one in found["samples"]
    ]
    known = {one.name for one in fields(Segment)}
    rest = {name: value for name, value in found.items() if name in known}
    return Segment(**{**rest, "samples": samples, "tally": Tally(**found["tally"])})
