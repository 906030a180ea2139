"""What a person may set about MQTT. Secrets are never in the settings: only the path of the file that holds one."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..bus.credential import rooted_file

Level = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$")]


class MqttTlsOptions(BaseModel):
    """Section `[mqtt.tls]`: the broker is asked over TLS, 1.2 or newer. Its name is always checked.

    Files are PEM; relative names start where the settings lie.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    ca: Path | None = None
    """Certificate of the authority that the broker's certificate must come from; None: those of the system."""
    certificate: Path | None = None
    """The box's own certificate, for brokers that ask for one; with `key`."""
    key: Path | None = None
    """The box's private key, unencrypted, readable by its owner (and group) alone."""

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key: expected both or neither")
        return self


class SparkplugOptions(BaseModel):
    """Section `[mqtt.sparkplug]`: the same, besides, as Sparkplug B: the box is an edge node, its station a device."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    group: Level = "okng"
    """Group of the edge node, as a rule the plant or the area."""
    host: Level | None = None
    """Id of the primary host: until its STATE says online, results wait, JSON too. None: nobody is waited for."""


class MqttOptions(BaseModel):
    """Section `[mqtt]`: results and states go to a broker. Telemetry alone; nothing on the line waits for it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(min_length=1, max_length=253)
    """Name or address of the broker."""
    port: int = Field(default=1883, ge=1, le=65535)
    """Port of the broker; with TLS usually 8883."""
    topic: Level = "okng"
    """First level of every topic: `okng/<box>/<station>/result`."""
    client_id: str = Field(default="", pattern=r"^[A-Za-z0-9_-]{0,23}$")
    """Name at the broker, one for each box; empty: made of box and station."""
    username: str | None = Field(default=None, min_length=1, max_length=128)
    """Name to log in with; None: nobody."""
    password_file: Path | None = None
    """File whose first line is the password, readable by its owner (and group) alone."""
    durable: bool = False
    """Results come from the ledger, each until the broker has it, however long it is away; else from memory alone."""
    sparkplug: SparkplugOptions | None = None
    """`[mqtt.sparkplug]`; None: plain JSON only."""
    tls: MqttTlsOptions | None = None
    """`[mqtt.tls]`; None: no TLS, for networks of their own only."""
    keepalive_s: int = Field(default=10, ge=5, le=600)
    """After 1.5 times this without a word the broker gives the box up and shows its last will."""
    waiting: int = Field(default=10_000, ge=10, le=1_000_000)
    """Results kept in memory while the broker is away; one more drops the oldest, and is counted. Not if `durable`."""
    window: int = Field(default=64, ge=1, le=1000)
    """Results under way to the broker at a time without its acknowledgement."""
    retry_s: int = Field(default=30, ge=1, le=600)
    """Longest wait between two attempts to connect; the first is 1 s, each further one doubles."""
    state_ms: int = Field(default=250, ge=100, le=10_000)
    """Shortest time between two published states; of those in between only the last is told."""
    counters_s: int = Field(default=5, ge=1, le=3600)
    """Time between two published sets of counters."""

    @model_validator(mode="after")
    def _login(self) -> Self:
        if (self.username is None) != (self.password_file is None):
            raise ValueError("username and password_file: expected both or neither")
        return self

    def rooted(self, folder: Path) -> "MqttOptions":
        """The same with its files made absolute."""
        tls = self.tls
        if tls is not None:
            files = {
                name: rooted_file(folder, path)
                for name in ("ca", "certificate", "key")
                if isinstance(path := getattr(tls, name), Path)
            }
            tls = tls.model_copy(update=files)
        password = None if self.password_file is None else rooted_file(folder, self.password_file)
        return self.model_copy(update={"tls": tls, "password_file": password})
