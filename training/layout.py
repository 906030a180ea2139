"""Sizes of a taught model: its input, its map, and what one inference may cost."""

from dataclasses import dataclass

STEPS_PX = (16, 8)
"""Input pixels along one side of a cell. 8: twice the resolution, and nearly twice the cost."""
LEAST_PX, MOST_PX = 32, 1024
MOST_GAUSSIAN_BYTES = 36 << 20
"""Of the covariances by place; beyond it neighbouring cells share one."""
_BYTES, _DIRECTIONS = 4, 100


@dataclass(frozen=True, slots=True)
class Layout:
    """Sizes of a model. ValueError when made: they do not fit together."""

    width_px: int
    """Of the input; a multiple of 16."""
    height_px: int
    channels: int
    """1: grey, 3: RGB."""
    step_px: int = 16
    """Input pixels along one side of a cell, 16 or 8."""

    def __post_init__(self) -> None:
        for side in (self.width_px, self.height_px):
            if not LEAST_PX <= side <= MOST_PX or side % 16:
                raise ValueError(f"size {side} px: expected a multiple of 16, {LEAST_PX} to {MOST_PX}")
        if self.channels not in (1, 3):
            raise ValueError(f"{self.channels} channels: expected 1 or 3")
        if self.step_px not in STEPS_PX:
            raise ValueError(f"step {self.step_px} px: expected one of {STEPS_PX}")

    @property
    def rows(self) -> int:
        """Of the map."""
        return self.height_px // self.step_px

    @property
    def columns(self) -> int:
        """Of the map."""
        return self.width_px // self.step_px

    @property
    def cells(self) -> int:
        """Positions of the map."""
        return self.rows * self.columns

    @property
    def block(self) -> int:
        """Cells along one side of a block that shares a covariance: the smallest that keeps it within bounds."""
        whole = [side for side in (1, 2, 4) if self.rows % side == 0 and self.columns % side == 0]
        return next((side for side in whole if self._bytes(side) <= MOST_GAUSSIAN_BYTES), whole[-1])

    @property
    def gaussian_bytes(self) -> int:
        """Of the covariances, with the usual directions. Above the bound where the map does not part into blocks."""
        return self._bytes(self.block)

    def _bytes(self, side: int) -> int:
        return self.cells // side**2 * _DIRECTIONS**2 * _BYTES

    @property
    def cost_ms(self) -> float:
        """Rough core-milliseconds of one part on one slow core (AVX2, busy): for choosing among sizes, not a promise.

        13.3 ms for 256x256 px, in proportion to the pixels, 1.7 times as much for the finer map, and 3 ms for
        hand-over, cut and judging.
        """
        return 3.0 + 13.3 * self.width_px * self.height_px / 65536.0 * (1.0 if self.step_px == 16 else 1.7)

    @property
    def words(self) -> str:
        """For people: `320x320 px, map 20x20`."""
        return f"{self.width_px}x{self.height_px} px, map {self.columns}x{self.rows}"
