"""Where the part lies in the picture: section `align` of the recipe."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class AlignOptions(BaseModel):
    """The part is looked for in each picture; not found is UNJUDGED. The regions move with it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    golden: str = Field(min_length=1, max_length=200)
    """Picture of a part in its place (PNG), as developed, beside the recipe."""
    box: tuple[int, int, int, int]
    """x, y, width, height in px of the golden picture: what is looked for, with an edge or a pattern in it."""
    method: Literal["template", "features", "ecc"] = "template"
    """`template`: a clear pattern, small turns. `features`: texture, any turn. `ecc`: weak contrast, near its place."""
    search_px: int = Field(default=40, ge=1, le=4096)
    """How far it may lie from its place."""
    angle_deg: float = Field(default=5.0, ge=0.0, le=180.0)
    """How far it may be turned."""
    min_score: float = Field(default=0.6, ge=0.05, le=1.0)
    """Likeness of what was found, 0..1; below it: not found."""
