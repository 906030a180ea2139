"""Places on a picture that are no rectangles: what a region leaves out, and what alone it looks at. No numpy here."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Pixel = Annotated[int, Field(ge=0, le=65_535)]
MOST_POINTS = 64


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BoxShape(_Shape):
    """A rectangle, or the upright ellipse that touches its four sides."""

    kind: Literal["rect", "ellipse"]
    box: tuple[Pixel, Pixel, Pixel, Pixel]
    """x, y, width, height in px of the developed picture."""

    @model_validator(mode="after")
    def _has_area(self) -> "BoxShape":
        if min(self.box[2:]) < 1:
            raise ValueError("expected width and height of 1 or more pixels")
        return self


class PolygonShape(_Shape):
    """A closed line of corners."""

    kind: Literal["polygon"]
    points: tuple[tuple[Pixel, Pixel], ...] = Field(min_length=3, max_length=MOST_POINTS)
    """x, y of each corner in px of the developed picture, round the place in either direction."""

    @model_validator(mode="after")
    def _has_area(self) -> "PolygonShape":
        twice = 0
        for (x0, y0), (x1, y1) in zip(self.points, (*self.points[1:], self.points[0]), strict=True):
            twice += x0 * y1 - x1 * y0
        if not twice:
            raise ValueError("expected corners that do not lie on one line")
        return self


Shape = Annotated[BoxShape | PolygonShape, Field(discriminator="kind")]
"""One place, in pixels of the developed picture; it moves with the part."""
