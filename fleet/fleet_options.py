"""What the settings say of the fleet service. Never a key or a password; `[sync]` is the way without a service."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ..bus.credential import rooted_file

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,47}$")]
Hours = Annotated[str, Field(pattern=r"^\d{2}:\d{2}-\d{2}:\d{2}$")]
LEAVES = ("nothing", "records", "crops", "pictures")
"""What may leave the box, each with what stands before it."""
_CLOCK = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d|24:00")


class FleetOptions(BaseModel):
    """`[fleet]` of the settings: the service that this box tells of itself and takes models from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    service: str = Field(pattern=r"^https://[^\s/?#@]+(/[A-Za-z0-9._~/-]*)?$", max_length=500)
    """Address of the service, `https://` and never another; a site relay may stand there."""
    ca: Path
    """PEM of the authority that the service's certificate must come from: the only one that is believed."""
    key: Path | None = None
    """The box's own key for the wire (P-256), or `credential:NAME`. None: made on the box beside its certificate."""
    line: Name | None = None
    """Line of the plant; its models come from the channel of this name. None: `[box] station`."""
    channels: tuple[Name, ...] = Field(default=(), max_length=16)
    """Channels that models are taken from; none: that of `line`."""
    roots: Path | None = None
    """Pinned `root.json` of the channel. None: no model is taken from the service, whatever it says."""
    authorities: tuple[Path, ...] = Field(default=(), max_length=20)
    """Certificates (PEM) of those who vouch for bundles."""
    local_authority: Path | None = None
    """Certificate of this box's own bundles, taught beside the line. None: none of its own is taken."""
    bundles: Path | None = None
    """Where bundles, their slots and the ladder lie. None: `bundles` beside the folder of the ledger."""
    local_bundles: bool = True
    """What was taught on this box may climb here, signed by the box itself."""
    keep_bundles: int = Field(default=5, ge=3, le=1000)
    """So many bundles stay on the disk, those in use among them."""
    keep_gb: float = Field(default=10.0, ge=0.1, le=10_000.0)
    """Disk that they may take. What is in use stays whatever it takes."""

    leaves: Literal["nothing", "records", "crops", "pictures"] = "records"
    """What may leave the box: nothing (but its state), records without pictures, cut-outs of defects, whole pictures.
    Alarms and the ladder's steps go with `records`."""
    ok_sample_percent: float = Field(default=1.0, ge=0.0, le=100.0)
    """How many of the OK parts whose picture was kept send it."""
    uncertain: float = Field(default=0.1, ge=0.0, le=1.0)
    """A part whose score is this near to its limit, as a share of the limit, is uncertain: its picture goes before the
    sample of OK parts."""

    plain_blobs: bool = False
    """Pictures may go to an `http://` address of the service's store: for a wire of their own only."""
    kbit_per_s: int = Field(default=4000, ge=16, le=10_000_000)
    """The line to the service may be filled this far. Alarms count, but do not wait for it."""
    hours: tuple[Hours, ...] = Field(default=(), max_length=24)
    """Hours of the day, by the box's own zone, in which more than alarms is sent: `22:00-06:00`. None: always."""
    every_s: int = Field(default=30, ge=1, le=3600)
    """A batch that is not full waits this long for more. Alarms do not."""
    state_s: int = Field(default=30, ge=5, le=3600)
    """Seconds between two words on how the box is."""
    timeout_s: int = Field(default=20, ge=1, le=600)
    """A service that does not answer for so long is lost."""
    quota_gb: float = Field(default=20.0, ge=0.1, le=100_000.0)
    """Disk that the unsent may hold. Beyond it the oldest unsent content is given up, and the service is told which."""

    @field_validator("hours")
    @classmethod
    def _of_a_day(cls, hours: tuple[str, ...]) -> tuple[str, ...]:
        for span in hours:
            begin, end = span.split("-")
            if not _CLOCK.fullmatch(begin) or not _CLOCK.fullmatch(end) or begin == end:
                raise ValueError(f"{span!r}: expected two different times of day, HH:MM-HH:MM, 00:00..24:00")
        return hours

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.roots is not None and not (self.authorities or self.local_authority):
            raise ValueError("roots: expected authorities as well: nobody would vouch for the bundles")
        return self

    def may_leave(self, what: str) -> bool:
        """Whether that much may leave the box. what: one of `LEAVES`."""
        return LEAVES.index(what) <= LEAVES.index(self.leaves)

    def rooted(self, folder: Path) -> "FleetOptions":
        """The same with its files made absolute."""
        files: dict[str, object] = {
            name: rooted_file(folder, path)
            for name in ("ca", "key", "roots", "local_authority", "bundles")
            if isinstance(path := getattr(self, name), Path)
        }
        return self.model_copy(update={**files, "authorities": tuple(folder / file for file in self.authorities)})
