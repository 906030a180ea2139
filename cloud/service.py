"""What a blueprint of the service is given. Made once for an application, holds no state of its own."""

from dataclasses import dataclass, field
from pathlib import Path

from spectree import SpecTree
from sqlalchemy.engine import Engine

from .authority import Authority
from .blobs import BlobStore
from .settings import FleetSettings
from .spec import make_spec


@dataclass(frozen=True, slots=True)
class Service:
    """All that the views stand on."""

    options: FleetSettings
    engine: Engine
    blobs: BlobStore
    authority: Authority
    key: bytes
    """Signs cookies and hashes codes, the same in all instances."""
    spec: SpecTree = field(default_factory=make_spec)
    """The document of the API, of all blueprints together."""

    @property
    def channel_keys(self) -> Path | None:
        """Folder of the channel's online keys; None: rings are moved elsewhere."""
        return self.options.channel.online_keys
