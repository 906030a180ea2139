"""How a recipe sets one camera. No numpy here: every process reads recipes."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..imaging.develop_options import DevelopOptions
from ..imaging.formats import PixelFormat

CameraName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,23}$")]
FeatureName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
"""As GenApi names a feature."""


class CameraSection(BaseModel):
    """What one camera is set to each time it is opened; the same fields as `camera.profiles.Profile`, and `develop`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pixel_format: PixelFormat = "Mono8"
    width: int = Field(ge=16, le=16384)
    """Pixels."""
    height: int = Field(ge=16, le=65535)
    """Pixels of the whole picture, also where it is put together from several frames."""
    offset_x: int = Field(default=0, ge=0, le=16384)
    offset_y: int = Field(default=0, ge=0, le=16384)
    trigger: Literal["software", "hardware", "off"] = "software"
    trigger_line: str = Field(default="Line0", pattern=r"^[A-Za-z][A-Za-z0-9_]{0,31}$")
    """Hardware trigger: the camera's name of the input."""
    trigger_edge: Literal["rising", "falling"] = "rising"
    trigger_delay_us: float = Field(default=0.0, ge=0.0, le=10_000_000.0)
    """From the trigger to the start of the exposure."""
    debounce_us: float = Field(default=0.0, ge=0.0, le=1_000_000.0)
    """Hardware trigger: shorter pulses are none."""
    overlap: Literal["camera", "off", "readout", "previous"] = "camera"
    """Whether a trigger is taken while the picture before is read out or exposed. `camera`: as it is."""
    exposure_us: float = Field(default=1000.0, ge=1.0, le=60_000_000.0)
    gain_db: float = Field(default=0.0, ge=0.0, le=48.0)
    frame_rate_hz: float = Field(default=30.0, ge=0.1, le=100_000.0)
    """Used in free run only."""
    frames: int = Field(default=1, ge=1, le=1024)
    """Frames put together to one picture, from above to below: a line-scan camera's blocks of lines."""
    user_set: str = Field(default="", pattern=r"^[A-Za-z0-9_]{0,32}$")
    """The camera's own settings loaded before all else, for example `UserSet1` or `Default`; empty: none."""
    features: dict[FeatureName, bool | int | float | str] = Field(default_factory=dict, max_length=200)
    """Further features of the camera by their names, set last, in this order, and read back."""
    develop: DevelopOptions = DevelopOptions()

    @model_validator(mode="after")
    def _whole(self) -> "CameraSection":
        if self.height % self.frames:
            raise ValueError(f"frames = {self.frames}: expected a divisor of height = {self.height}")
        if self.develop.crop != "full" and not self.develop.rectify:
            x, y, w, h = self.develop.crop
            if x + w > self.width or y + h > self.height:
                raise ValueError(
                    f"develop.crop reaches to {x + w},{y + h}: expected to lie inside {self.width}x{self.height}"
                )
        return self

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the developed picture, px."""
        crop = self.develop.crop
        return (self.width, self.height) if crop == "full" else (crop[2], crop[3])
