"""What can be chosen when teaching from good parts."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..models.box import Box

FEWEST_GOODS = 10


class TeachOptions(BaseModel):
    """Options of one teaching. Every default is the measured one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(default="taught", pattern=r"^[\w][\w .+-]{0,99}$")
    """Name of the bundle."""
    version: str = Field(default="1.0.0", pattern=r"^\d{1,6}\.\d{1,6}\.\d{1,6}$")
    size_px: int = Field(default=256, ge=32, le=1024, multiple_of=16)
    """Side of the model's square input; a region is stretched to it."""
    grid: int = Field(default=0, ge=0, le=128)
    """Cells along one side of the heat map: size/16, or size/8 for twice the cost. 0: size/16."""
    channels: Literal[0, 1, 3] = 0
    """1: grey, 3: RGB; must be what the line's camera gives. 0: as the goods' pictures are."""
    region: Box | None = None
    """Part of each picture to teach, pixels; all pictures must then be of one size. None: each whole picture."""
    bank: int = Field(default=1024, ge=16, le=8192)
    """Vectors the memory of goods may hold."""
    dimensions: int = Field(default=100, ge=8, le=176)
    """Feature dimensions of the Gaussian at each position."""
    overkill_percent: float = Field(default=1.0, ge=0.01, le=50.0)
    """Share of good parts that may be called NG; the threshold is put there."""
    goods_max: int = Field(default=2000, ge=FEWEST_GOODS, le=10_000)
    """With more good pictures than this, so many are drawn by the seed (about 0.2 MB of memory each)."""
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    threads: int = Field(default=0, ge=0, le=256)
    """Pictures taken up at once. 0: one per core."""
    replace: bool = False
    """True: a bundle that is already at the goal gives way."""

    @model_validator(mode="after")
    def _grid_fits(self) -> Self:
        if self.grid and self.grid not in (self.size_px // 16, self.size_px // 8):
            raise ValueError(f"grid {self.grid}: expected {self.size_px // 16} or {self.size_px // 8}")
        return self
