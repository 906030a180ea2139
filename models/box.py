"""A rectangle of a picture."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in picture pixels; the origin is the picture's top left corner."""

    x: int
    """Left edge, 0 or more."""
    y: int
    """Top edge, 0 or more."""
    w: int
    """Width, 1 or more."""
    h: int
    """Height, 1 or more."""

    def __post_init__(self) -> None:
        if self.x < 0 or self.y < 0 or self.w < 1 or self.h < 1:
            raise ValueError(f"box {self}: expected x and y of 0 or more, width and height of 1 or more")

    def __str__(self) -> str:
        return f"{self.w}x{self.h} at {self.x},{self.y}"

    def lies_in(self, width: int, height: int) -> bool:
        """True when it lies whole in a picture of that many pixels."""
        return self.x + self.w <= width and self.y + self.h <= height
