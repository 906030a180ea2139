"""What a person sets about one camera of the box: section `[camera.NAME]` of the settings.

What belongs to a product (exposure, size, trigger) is in the recipe, see `profiles.py`.
"""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

MustDiffer = Literal["auto", "on", "off"]


class CameraOptions(BaseModel):
    """One camera and how it is treated."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    driver: Literal["gentl", "replay", "video", "aravis"] = "gentl"
    """`gentl`: any GenICam camera through its maker's GenTL producer. `replay`: a folder of pictures, or a recording.
    `video`: a V4L2 device, a network stream or a video file. `aravis`: GigE and USB3 Vision without a producer."""
    producer: Path | None = None
    """The producer's `.cti` file. None: the only one in the folders of GENICAM_GENTL64_PATH."""
    serial: str = Field(default="", max_length=64)
    """Serial number of the camera; empty where the producer lists only one."""
    folder: Path | None = None
    """Pictures to replay, or a recording of `okng camera stream --record`."""
    replay_timing: Literal["recorded", "rate", "consumed"] = "recorded"
    """Free run of a replay: as it was recorded (at the recipe's rate where that is not known), at the recipe's rate, or
    as fast as the frames are taken."""
    replay_loop: bool = True
    """True: after the last picture the first one comes again. False: no more come, and parts are lost."""
    video: str = Field(default="", max_length=1024)
    """`/dev/videoN` (better: a link of `/dev/v4l/by-id`), the URL of a stream (`rtsp://user:password@host/path`; the
    password is never shown), or a video file. `transfer_ms` must then be an upper bound of the time from the scene to
    here (of a stream 100 to 500 ms), and `margin_ms` longer than two frames."""
    buffers: int = Field(default=8, ge=8, le=256)
    """Buffers the camera's producer fills ahead."""
    ring_slots: int = Field(default=8, ge=4, le=1024)
    """Pictures kept for the readers: at least parts in flight + 2."""
    queue: int = Field(default=64, ge=1, le=1024)
    """Triggers that may wait for their exposure; one more is answered `too late` at once."""
    transfer_ms: float = Field(default=20.0, ge=0.1, le=10_000.0)
    """Longest time from the end of exposure until the picture is here."""
    margin_ms: float = Field(default=30.0, ge=0.0, le=10_000.0)
    """Patience beyond exposure and transfer: then the part is lost."""
    timeouts: int = Field(default=1, ge=1, le=100)
    """So many parts lost in a row, and it is asked whether the camera is still there."""
    idle_probe_ms: int = Field(default=300, ge=100, le=60_000)
    """While nothing happens, the camera is asked this often whether it is still there."""
    pair_before_ms: float = Field(default=30.0, ge=0.0, le=10_000.0)
    """Hardware trigger: an exposure may start this long before the box sees the part's trigger."""
    pair_after_ms: float = Field(default=5.0, ge=0.0, le=10_000.0)
    """Hardware trigger: and this long after it. Both together must be shorter than the time between two parts."""
    must_differ: MustDiffer = "auto"
    """`on`: two pictures with the same pixels in a row are a frozen camera. `off`: never. `auto`: they are once the
    camera has shown 16 pictures in a row with noise all over, as a real sensor does; a simulation or a replay without
    noise may send a picture twice. true and false are `on` and `off`."""
    black_level: int = Field(default=2, ge=-1, le=254)
    """A picture with no pixel above this (of 255; the 8 high bits of deeper formats) is black; -1: none is."""
    white_level: int = Field(default=250, ge=1, le=256)
    """A picture with no pixel below this is overexposed; 256: none is."""

    @field_validator("must_differ", mode="before")
    @classmethod
    def _said_as_yes_or_no(cls, value: object) -> object:
        return {True: "on", False: "off"}[value] if isinstance(value, bool) else value

    @model_validator(mode="after")
    def _driver_has_what_it_needs(self) -> Self:
        if self.driver == "replay" and self.folder is None:
            raise ValueError("driver = 'replay': expected a folder of pictures in `folder`")
        if self.driver == "video" and not self.video:
            raise ValueError("driver = 'video': expected /dev/videoN, a URL or a file in `video`")
        return self

    def rooted(self, base: Path) -> Self:
        """The same with relative paths counted from base."""
        file = self.video and "://" not in self.video
        return self.model_copy(
            update={
                "producer": self.producer and base / self.producer,
                "folder": self.folder and base / self.folder,
                "video": str(base / self.video) if file else self.video,
            }
        )
