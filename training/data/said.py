"""What people said of the parts of a ledger: it takes the place of what a model said.

The newest label that nobody took back counts, never a second person's. A drawing gives the pixels of the defects. A
part that was found defective downstream and that nobody labelled is no good one, whatever the model said.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ...models.box import Box
from ...records.people_read import Drawing, Label, PeopleReader
from ...records.read import PartRow
from .dataset import GOOD, Annotation
from .intake import Draw
from .shapes import RunLengths, box_of

NAMELESS = "anomaly"
"""Class of a defect that nobody has given one."""


@dataclass(frozen=True, slots=True)
class Said:
    """What people said of one part."""

    label: Label | None = None
    drawing: Drawing | None = None
    escaped: bool = False
    """Found defective downstream."""

    @property
    def unsure(self) -> bool:
        """True: nobody can say what it is, so it is left out."""
        return self.label.truth == "unsure" if self.label else self.escaped and self.drawing is None

    @property
    def told(self) -> bool:
        """True: people, not the model, say what it is."""
        return self.label is not None or self.drawing is not None

    @property
    def good(self) -> bool:
        """True: a person said that it is good."""
        return self.label is not None and self.label.truth == "good"

    def kind(self, row: PartRow) -> str | None:
        """Class as a label of the set; None: told by what is drawn."""
        if self.label is None:
            return None
        if self.good:
            return GOOD
        return self.label.kind or worst_kind(row)

    def draw(self, row: PartRow, camera: str) -> Draw | None:
        """What is known of the defects' places on that camera's picture: drawn, else what the model found."""
        if self.good:
            return None
        if self.drawing is not None and (self.drawing.body["camera"] or row.camera) == camera:
            return _drawn(self.drawing)
        return found_by(row, self.label.kind if self.label else "") if camera == row.camera else None


def said_of(store: Path, seqs: Iterable[int]) -> dict[int, Said]:
    """What people said of these parts; those of whom nobody said anything are not in it. BadLedger."""
    people, wanted = PeopleReader(store), list(seqs)
    labels, drawings, escaped = people.label_of(wanted), people.drawings(wanted), people.escaped(wanted)
    return {seq: Said(labels.get(seq), drawings.get(seq), seq in escaped) for seq in {*labels, *drawings, *escaped}}


def worst_kind(row: PartRow) -> str:
    """Class of the worst place that the model found."""
    worst = max(row.defects, key=lambda one: one.score, default=None)
    return NAMELESS if worst is None else worst.kind


def found_by(row: PartRow, kind: str = "") -> Draw:
    """The boxes that the model found. kind: what a person calls them; empty: as the model does."""

    def draw(width: int, height: int) -> list[Annotation]:
        found: list[Annotation] = []
        # A picture that was rectified or made smaller after the verdict no longer fits what was found on it.
        for one in row.defects if (row.width, row.height) == (width, height) else ():
            left, top = max(one.x, 0), max(one.y, 0)
            right, bottom = min(one.x + one.w, width), min(one.y + one.h, height)
            if right > left and bottom > top:
                found.append(Annotation(kind or one.kind, Box(left, top, right - left, bottom - top)))
        return found

    return draw


def _drawn(drawing: Drawing) -> Draw:
    body = drawing.body

    def draw(width: int, height: int) -> list[Annotation]:
        if (body["width"], body["height"]) != (width, height):
            return []
        found = []
        for mask in body["masks"]:
            shape = RunLengths(tuple(mask["counts"]), width, height)
            if (box := box_of(shape.mask(width, height))) is not None:
                found.append(Annotation(mask["kind"], box, shape))
        found += [Annotation(one["kind"], Box(one["x"], one["y"], one["w"], one["h"])) for one in body["boxes"]]
        return found

    return draw
