"""What is compared with the commissioned picture: section `health` of the recipe."""

from pydantic import BaseModel, ConfigDict, Field


class HealthOptions(BaseModel):
    """Limits of one view. An alarm is raised when the middle of the last `window` parts lies beyond a limit.

    Where parts differ among themselves so much that the middle of a window would reach a limit by chance, the limit is
    widened to what was seen at commissioning (`drift.py`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    reference: str = Field(min_length=1, max_length=200)
    """File made at commissioning (`okng health commission`), beside the recipe."""
    window: int = Field(default=8, ge=1, le=100)
    """Parts the drift is told from: one odd part is no drift. The work per part grows with it."""
    focus_loss: float = Field(default=0.18, gt=0.0, le=1.0)
    """Share of the commissioned sharpness that may be lost."""
    brightness_change: float = Field(default=0.07, gt=0.0, le=1.0)
    """Share by which the light may change."""
    uniformity_change: float = Field(default=0.06, gt=0.0, le=1.0)
    """Change of the light's shape over the picture, brightest against darkest place, as a share of its mean."""
    local_change: float = Field(default=0.06, gt=0.0, le=1.0)
    """Share of its light that one place may lose against its surroundings: dirt."""
    saturation_change: float = Field(default=0.05, gt=0.0, le=1.0)
    """Share of the pixels that may reach the upper end of the scale beyond those that did at commissioning."""
    noise_gain: float = Field(default=1.6, gt=1.0, le=100.0)
    """Factor by which the noise may grow."""
    product_change: float = Field(default=0.10, gt=0.0, le=1.0)
    """Share by which the parts' own brightness may change while the background keeps its."""
    shift_px: float = Field(default=3.0, gt=0.0, le=1000.0)
    """How far the fixed background may have moved."""
    angle_deg: float = Field(default=1.0, gt=0.0, le=45.0)
    """How far it may have turned."""
