"""What the box's settings say of the screens."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..bus.credential import rooted_file


class WebOptions(BaseModel):
    """`[web]` of the settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(default="127.0.0.1", min_length=1, max_length=253)
    """Address the pages are served on. From elsewhere than the box itself people sign in over TLS and by password."""
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
    tls_certificate: Path | None = None
    """PEM with the certificate and those between it and its root; None: the box's own (`okng tls`), made at the first
    start wherever `host` is reached from elsewhere. Connections of the box itself stay plain."""
    tls_key: Path | None = None
    """PEM with its private key; only the user of the web process may read it."""
    plain_http: bool = False
    """Without `tls_certificate` no certificate is made: pages and tokens go over the plant's network unencrypted, and
    nobody signs in from elsewhere."""
    key_file: Path | None = None
    """Signs the session cookies; made by the web process. None: `web/session.key` beside the store."""
    idle_min: float = Field(default=5.0, ge=0.05, le=120.0)
    """Minutes without a touch after which nobody is signed in any more. The inspection goes on."""
    remote_pin: bool = False
    """A PIN or a badge does from elsewhere too, as if it were at the panel."""
    remote_look: bool = False
    """From elsewhere the pages may be looked at without signing in."""
    badge_prefix: str = Field(default="", max_length=64)
    """What every badge begins with: tells badges from codes on the screens that take scanned codes themselves."""
    badge_removed: str = Field(default="", max_length=64)
    """What the reader types when a badge is taken away: signs out. Empty: it types nothing."""
    sign_ins_a_minute: int = Field(default=30, ge=1, le=10_000)
    """Tries to sign in from one address; after that 429. The lock-out of a person comes long before."""
    api_a_minute: int = Field(default=3000, ge=1, le=1_000_000)
    """Requests of one address to the API; after that 429."""
    theme: Literal["light", "night", "auto"] = "light"
    """Of a browser that has not chosen one. `auto`: night between `night_from_h` and `night_to_h`."""
    night_from_h: int = Field(default=20, ge=0, le=23)
    night_to_h: int = Field(default=6, ge=0, le=23)
    ideal_per_min: float = Field(default=0.0, ge=0.0, le=10_000.0)
    """Parts a minute that the line is made for: the performance in OEE is told from it. 0: it is not told."""

    @model_validator(mode="after")
    def _both_of_tls(self) -> "WebOptions":
        if (self.tls_certificate is None) != (self.tls_key is None):
            missing = "tls_key" if self.tls_key is None else "tls_certificate"
            raise ValueError(f"{missing}: expected a file, because the other half of TLS is there")
        return self

    def rooted(self, folder: Path) -> "WebOptions":
        """The same with every path made absolute, relative ones counted from `folder`."""
        paths = {name: getattr(self, name) for name in ("tls_certificate", "tls_key", "key_file")}
        return self.model_copy(
            update={name: rooted_file(folder, path) for name, path in paths.items() if path is not None}
        )
