"""What can be chosen when teaching a golden reference."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ..models.box import Box
from .options import FEWEST_GOODS


class ReferenceOptions(BaseModel):
    """Options of one teaching of a golden reference. Tolerances are learnt and are not among them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(default="taught", pattern=r"^[\w][\w .+-]{0,99}$")
    """Name of the bundle."""
    version: str = Field(default="1.0.0", pattern=r"^\d{1,6}\.\d{1,6}\.\d{1,6}$")
    most_px: int = Field(default=1024, ge=64, le=4096, multiple_of=8)
    """Longer side of the model's input; a region that is larger is made smaller. Its shape is kept, to 8 px."""
    channels: Literal[0, 1, 3] = 0
    """1: grey, 3: RGB; must be what the line's camera gives. 0: as the goods' pictures are."""
    region: Box | None = None
    """Part of each picture to teach, pixels; all pictures must then be of one size. None: each whole picture."""
    templates_most: int = Field(default=3, ge=1, le=8)
    """Kinds of good print that may be told apart (languages, revisions); each costs the time of the first again."""
    search_px: int = Field(default=8, ge=0, le=16, multiple_of=2)
    """How far a place may lie off after the recipe has aligned the part, px of the model's input."""
    overkill_percent: float = Field(default=1.0, ge=0.01, le=50.0)
    """Share of good parts that may be called NG; the threshold is put there."""
    goods_max: int = Field(default=400, ge=FEWEST_GOODS, le=10_000)
    """With more good pictures than this, so many are drawn by the seed (each is held in memory twice, as bytes)."""
    dataset: str = Field(default="", max_length=100)
    """Version of the data set that it is taught from, `plates@3`; empty: from no such set."""
    dataset_sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    """Digest of that version."""
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    threads: int = Field(default=0, ge=0, le=256)
    """Pictures taken up at once. 0: one per core."""
    replace: bool = False
    """True: a bundle that is already at the goal gives way."""
