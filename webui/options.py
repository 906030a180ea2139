"""What the box's settings say of the screens."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class WebOptions(BaseModel):
    """`[web]` of the settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(default="127.0.0.1", min_length=1, max_length=253)
    """Address the pages are served on. The pages only look, but they are not protected: keep it on the box."""
    port: int = Field(default=8080, ge=1, le=65_535)
    language: Literal["en", "zh"] = "en"
    """Language of a browser that has not chosen one."""
    mm: float = Field(default=5.0, ge=2.0, le=20.0)
    """Pixels of the panel in one millimetre: hold a bank card (85.6 mm) against the screen."""
    ok_style: Literal["quiet", "green"] = "quiet"
    """`green` puts a thin green edge round an OK; `quiet` keeps colour for what is wrong."""
    max_streams: int = Field(default=12, ge=1, le=24)
    """Open event streams (and, apart from them, waiting pictures); the next one is told to come back later."""
    fps: int = Field(default=12, ge=1, le=15)
    """Pictures shown in a second at most, whatever the line does. Encoded once for all viewers."""
    hold_ng_s: float = Field(default=3.0, ge=0.0, le=30.0)
    """An NG stays on a live screen for this long, so that a person sees why."""
    max_edge_px: int = Field(default=1600, ge=320, le=8192)
    """A live picture with a longer edge is made smaller before it is encoded."""
