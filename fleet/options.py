"""What the box's settings say of the cloud, or of the folder that stands in for it. Never a key or a password."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

NAME = r"^[a-z0-9][a-z0-9_-]{0,47}$"
Name = Annotated[str, Field(pattern=NAME)]


class SyncOptions(BaseModel):
    """`[sync]` of the settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    target: str = Field(min_length=1, max_length=1000)
    """Where rejects go and bundles come from: a folder, or `s3://bucket/prefix`."""
    endpoint: str = Field(default="", pattern=r"^(https?://[^\s/]+/?)?$")
    """Address of the S3 server; empty: Amazon's of that region."""
    region: str = Field(default="us-east-1", pattern=r"^[a-z0-9-]{1,40}$")
    credentials_file: Path | None = None
    """JSON file with `access_key` and `secret_key`, readable by its owner alone. None: AWS_ACCESS_KEY_ID and
    AWS_SECRET_ACCESS_KEY of the environment."""
    box: Name | None = None
    """Name of this box in the store. None: the random name its ledger was given."""
    channel: Name | None = None
    """Bundles are pulled from this channel. None: nothing is pulled."""
    authorities: tuple[Path, ...] = Field(default=(), max_length=20)
    """Certificates (PEM) of those who vouch for bundles: only what is signed under one of them is taken. None: bundles
    need not be signed."""
    batch_events: int = Field(default=256, ge=1, le=512)
    """Records in one object at most."""
    every_s: int = Field(default=30, ge=1, le=86_400)
    """Seconds between two rounds while all goes well."""
    timeout_s: int = Field(default=20, ge=1, le=600)
    """A store that does not answer for so long is lost."""

    @model_validator(mode="after")
    def _one_kind(self) -> "SyncOptions":
        if self.is_s3:
            if not self.bucket:
                raise ValueError("target: expected s3://bucket or s3://bucket/prefix")
        elif self.endpoint or self.credentials_file:
            raise ValueError("endpoint and credentials_file: only with a target of s3://bucket/prefix")
        return self

    @property
    def is_s3(self) -> bool:
        """True: the target is a bucket."""
        return self.target.startswith("s3://")

    @property
    def bucket(self) -> str:
        """Name of the bucket."""
        return self.target.removeprefix("s3://").partition("/")[0]

    @property
    def prefix(self) -> str:
        """What every key begins with, empty or ending in `/`."""
        inside = self.target.removeprefix("s3://").partition("/")[2].strip("/")
        return f"{inside}/" if inside else ""
