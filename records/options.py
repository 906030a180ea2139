"""What the box's settings say of what is remembered."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from .retention_options import RetentionOptions


class RecordsOptions(BaseModel):
    """`[records]` of the settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    store: Path
    """Folder of the ledger and its pictures, on a disk of its own if there is one. Made if missing."""
    ok_sample_percent: float = Field(default=2.0, ge=0.0, le=100.0)
    """How many of the OK parts keep a picture. NG and UNJUDGED parts always do, while there is room."""
    ng_format: Literal["png", "jpeg"] = "png"
    """`png` is lossless, fit for teaching; `jpeg` is five times quicker, for boxes with few cores."""
    jpeg_quality: int = Field(default=95, ge=50, le=100)
    """Quality of OK samples (and of NG pictures where `ng_format` is `jpeg`)."""
    queue_pictures: int = Field(default=32, ge=1, le=4096)
    """Pictures that may wait for the disk. Full: OK pictures are shed first, then NG pictures, never rows."""
    queue_rows: int = Field(default=1024, ge=64, le=65536)
    """Ledger entries held while the disk does not answer. Full: no more are taken in, so io keeps them."""
    picture_wait_ms: int = Field(default=2000, ge=0, le=10_000)
    """How long a row waits for its picture before it is written without."""
    commit_ms: int = Field(default=5, ge=0, le=5)
    """An entry waits at most this long for others to share its commit."""
    commit_batch: int = Field(default=64, ge=1, le=1024)
    """So many entries are committed at once without waiting longer."""
    serial_span_h: int = Field(default=720, ge=0, le=87_600)
    """A serial number read again within so many hours is marked, on the screen and in the ledger. 0: never."""
    min_free_mb: int = Field(default=256, ge=0, le=10_000_000)
    """Below this much free space no picture is kept; rows go on until the disk is full."""
    pin_digits: int = Field(default=4, ge=4, le=8)
    """Fewest digits of a new PIN; it does at a panel only, and the lock-out is its defence."""
    signatures_required: tuple[Literal["authored", "reviewed", "approved"], ...] = Field(default=(), max_length=3)
    """Electronic signatures a model needs before it is put in place, and a recipe before a change-over to it. Who wrote
    it neither reviews nor approves it, and the approval of who puts it in place does not count."""
    backup_to: Path | None = None
    """Folder on a second medium for copies of the ledger. It must be there: it is never made. None: no copies."""
    backup_on_same_disk: bool = False
    """The folder may lie on the disk of the store: a help against a damaged ledger, none against a lost disk. Otherwise
    that means that the medium is not mounted."""
    backup_every_h: int = Field(default=1, ge=1, le=168)
    """Hours between two copies."""
    backups_kept: int = Field(default=48, ge=1, le=10_000)
    """Older copies are deleted once a newer one is verified, and sooner where the medium is full."""
    retention: RetentionOptions = RetentionOptions()
    """`[records.retention]`: how long pictures and rows stay, by class."""
