"""What can be chosen when teaching from good parts."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ..models.box import Box

FEWEST_GOODS = 10


class TeachOptions(BaseModel):
    """Options of one teaching. Every default is the measured one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(default="taught", pattern=r"^[\w][\w .+-]{0,99}$")
    """Name of the bundle."""
    version: str = Field(default="1.0.0", pattern=r"^\d{1,6}\.\d{1,6}\.\d{1,6}$")
    size_px: int = Field(default=0, ge=0, le=1024, multiple_of=16)
    """Side of the model's input; a region is stretched to it. 0: chosen for the product, within the budget."""
    shape: Literal["auto", "square", "region"] = "auto"
    """Of the input. `region`: as the region is, of the same area. `auto`: square for a stated size."""
    step_px: Literal[8, 16] = 16
    """Input pixels along one side of a cell of the heat map. 8: twice the resolution and nearly twice the cost."""
    heads: Literal["auto", "usual", "memory", "gaussian", "sum"] = "auto"
    """How the two distances are weighed. `auto`: chosen for the product."""
    budget_ms: float = Field(default=25.0, ge=5.0, le=10_000.0)
    """Core time of one part on a slow core that a chosen size may cost (`Layout.cost_ms`)."""
    channels: Literal[0, 1, 3] = 0
    """1: grey, 3: RGB; must be what the line's camera gives. 0: as the goods' pictures are."""
    region: Box | None = None
    """Part of each picture to teach, pixels; all pictures must then be of one size. None: each whole picture."""
    bank: int = Field(default=1024, ge=16, le=8192)
    """Vectors the memory of goods may hold."""
    dimensions: int = Field(default=100, ge=8, le=176)
    """Directions of white features that are kept, the main ones."""
    overkill_percent: float = Field(default=1.0, ge=0.01, le=50.0)
    """Share of good parts that may be called NG; the threshold is put there."""
    escape_percent: float | None = Field(default=None, ge=0.01, le=50.0)
    """Share of defective parts that may be let through; needs labelled defects, and goes before overkill."""
    goods_max: int = Field(default=2000, ge=FEWEST_GOODS, le=10_000)
    """With more good pictures than this, so many are drawn by the seed (about 0.2 MB of memory each)."""
    scribbles: bool = False
    """True: what is drawn on a defect is a part of it only; what is not drawn says nothing."""
    keep_features: bool = True
    """Whether the bundle holds the goods' features, so that more can be added later (about 0.1 MB a good)."""
    dataset: str = Field(default="", max_length=100)
    """Version of the data set that it is taught from, `plates@3`; empty: from no such set."""
    dataset_sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    """Digest of that version."""
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    threads: int = Field(default=0, ge=0, le=256)
    """Pictures taken up at once. 0: one per core."""
    replace: bool = False
    """True: a bundle that is already at the goal gives way."""
