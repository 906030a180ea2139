"""What a person may set about Modbus/TCP Security."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..bus.credential import rooted_file

NEEDS_TLS = "tls: the library `cryptography` is not installed; it comes with the extra okng[tls]"
Role = Annotated[str, Field(min_length=1, max_length=64)]


class TlsOptions(BaseModel):
    """Section `[plc.tls]` (the box as server) or `[plc.client.tls]`: certificates on both sides are compulsory.

    Files are PEM; relative names start where the settings lie.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    ca: Path
    """Certificate of the authority that the other side's certificate must come from; nothing else is trusted."""
    certificate: Path
    """The box's own certificate, with those between it and its authority."""
    key: Path
    """The box's private key, unencrypted, readable by its owner (and group) alone."""
    roles: tuple[Role, ...] = Field(default=(), max_length=16)
    """Server: roles (extension 1.3.6.1.4.1.50316.802.1) that may connect; a certificate without one may not. Empty:
    every certificate of the authority may."""
    peer_name: str | None = Field(default=None, min_length=1, max_length=253)
    """Client: name or IP address that must stand in the PLC's certificate; None: `host`."""
    minimum: Literal["1.2", "1.3"] = "1.2"
    """Lowest TLS version."""
    handshake_ms: int = Field(default=2000, ge=100, le=10_000)
    """Server: a handshake that takes longer is given up."""

    def rooted(self, folder: Path) -> "TlsOptions":
        """The same with its files made absolute."""
        files = {name: rooted_file(folder, getattr(self, name)) for name in ("ca", "certificate", "key")}
        return self.model_copy(update=files)
