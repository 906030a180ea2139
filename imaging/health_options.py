"""What is compared with the commissioned picture: section `health` of the recipe."""

from pydantic import BaseModel, ConfigDict, Field


class HealthOptions(BaseModel):
    """Limits of one view. An alarm is raised when the middle of the last `window` parts lies beyond a limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reference: str = Field(min_length=1, max_length=200)
    """File made at commissioning (`okng health commission`), beside the recipe."""
    window: int = Field(default=8, ge=1, le=1000)
    """Parts the drift is told from: one odd part is no drift."""
    focus_loss: float = Field(default=0.25, gt=0.0, le=1.0)
    """Share of the commissioned sharpness that may be lost."""
    brightness_change: float = Field(default=0.10, gt=0.0, le=1.0)
    """Share by which the mean grey level may change."""
    uniformity_change: float = Field(default=0.08, gt=0.0, le=1.0)
    """Change of the light's shape over the picture, as a share of its mean."""
    noise_gain: float = Field(default=1.6, gt=1.0, le=100.0)
    """Factor by which the noise may grow."""
    shift_px: float = Field(default=3.0, gt=0.0, le=1000.0)
    """How far the fixed background may have moved."""
    angle_deg: float = Field(default=1.0, gt=0.0, le=45.0)
    """How far it may have turned."""
