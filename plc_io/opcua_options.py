"""What a person may set about OPC UA. Secrets are never in the settings: only the paths of the files that hold them."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..bus.credential import rooted_file


class OpcuaOptions(BaseModel):
    """Section `[opcua]`: a server after OPC 40100-1 for the MES. It is never on the way of a reject.

    Relative names start where the settings lie.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(default="127.0.0.1", min_length=1, max_length=253)
    """IP address of the network card to listen on; never all of them."""
    port: int = Field(default=4840, ge=1, le=65535)
    """TCP port."""
    name: str = Field(default="", max_length=253)
    """Host name or address that clients are told to connect to; empty: `host`."""
    certificate: Path | None = None
    """The box's certificate, PEM or DER, with `urn:<name>:okng:<box>:<station>` among its alternative names."""
    key: Path | None = None
    """The box's private key, PEM or DER, unencrypted, readable by its owner (and group) alone."""
    trusted: Path | None = None
    """Folder of certificates, PEM or DER: of clients, or of authorities that clients' certificates come from."""
    users: Path | None = None
    """File of people who may log in, a line each, as `okng opcua --user NAME` prints them; None: the certificate of
    the client is enough."""
    insecure: bool = False
    """Everybody may connect, without signature and encryption. For a network of its own only."""
    holds: bool = False
    """True: the line is READY only after StartContinuous or StartSingleJob. False: OPC UA only mirrors the line."""
    jobs: bool = False
    """True: PrepareRecipe and PrepareProduct ask io for a job change. False: they are refused."""
    change_s: float = Field(default=2.0, ge=0.1, le=60.0)
    """PrepareRecipe waits this long for the change-over; after it, it answers "not completed", and an event tells."""
    results: int = Field(default=1000, ge=1, le=100_000)
    """Results that can be asked for; one more forgets the oldest."""
    sessions: int = Field(default=16, ge=1, le=100)
    """Clients at a time."""

    @model_validator(mode="after")
    def _secured(self) -> Self:
        if self.insecure:
            if self.trusted is not None or self.users is not None:
                raise ValueError("insecure: everybody may connect: expected neither trusted nor users beside it")
        elif self.certificate is None or self.key is None or self.trusted is None:
            raise ValueError("certificate, key and trusted: expected all three, or insecure = true")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key: expected both or neither")
        return self

    def rooted(self, folder: Path) -> "OpcuaOptions":
        """The same with its files made absolute."""
        files = {
            name: rooted_file(folder, path)
            for name in ("certificate", "key", "trusted", "users")
            if isinstance(path := getattr(self, name), Path)
        }
        return self.model_copy(update=files)
