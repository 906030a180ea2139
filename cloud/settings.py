"""The settings of the fleet service: one TOML file, one frozen FleetSettings. Unknown keys are refused.

A secret is never written here: a key names a file that its owner alone may read, or a credential of systemd
(`credential:NAME`, see `bus/credential.py`). Relative paths are counted from the file.
"""

import contextlib
import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from sqlalchemy.engine import URL

from ..bus.complaint import complain
from ..bus.credential import rooted_file
from ..bus.errors import BadSettings
from ..bus.outside import parsed_json, read_bounded

VERSION = 1
MOST_SETTINGS = 64 << 10
MOST_SECRET = 64 << 10
ROLES = ("viewer", "reviewer", "engineer", "admin")
Role = Literal["viewer", "reviewer", "engineer", "admin"]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}$")]
HttpUrl = Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?$", max_length=500)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServiceOptions(_Part):
    """`[service]`: where it listens and what it is called."""

    name: Name = "okng fleet"
    """What people see at the top of a page."""
    site: Name = "site"
    """Of boxes that are let in without another being said."""
    url: HttpUrl
    """The address that boxes and people reach it by, for example `https://fleet.plant:8443`."""
    listen: str = Field(default="0.0.0.0:8443", pattern=r"^(unix:.{1,90}|[0-9A-Za-z.:\[\]-]+:[0-9]{1,5})$")
    """`address:port`, where the service ends TLS itself; or `unix:/path`, where a proxy does and tells the box's
    certificate by a header, which is believed from that socket alone."""
    proxy_tells: Literal["certificate", "sha256"] = "certificate"
    """What the proxy says: the certificate in `X-Client-Cert` (PEM, percent-encoded: nginx's
    `$ssl_client_escaped_cert`), or its SHA-256 in `X-Client-Cert-SHA256` (64 hex digits). Only the one is believed;
    the proxy has to set it in every request, empty where there is none."""
    workers: int = Field(default=2, ge=1, le=64)
    """Processes. They share nothing but the database and the store."""
    threads: int = Field(default=8, ge=1, le=64)
    """Of each process."""
    session_key_file: Path
    """At least 32 random bytes that sign the cookies and hash the codes. The same in all instances."""


class DatabaseOptions(_Part):
    """`[database]`."""

    url: str = Field(min_length=9, max_length=500)
    """`sqlite:///fleet.db`, or `postgresql://user@host/name` without a password."""
    password_file: Path | None = None
    """Holds the password, nothing else. None: the environment's PGPASSWORD, PGPASSFILE, or none is needed."""

    @model_validator(mode="after")
    def _known(self) -> "DatabaseOptions":
        try:
            url = sa.make_url(self.url)
        except sa.exc.ArgumentError:
            raise ValueError("database.url: expected sqlite:///file or postgresql://user@host/name") from None
        if url.get_backend_name() not in ("sqlite", "postgresql"):
            raise ValueError("database.url: expected sqlite:///file or postgresql://user@host/name")
        if url.get_backend_name() == "sqlite" and not url.database:
            raise ValueError("database.url: expected a file: sqlite:///fleet.db")
        return self


class BlobOptions(_Part):
    """`[blobs]`: where pictures and bundles lie."""

    kind: Literal["folder", "s3", "seaweedfs"] = "folder"
    """`folder`: files beside the service, sent through it. `s3`: any S3 server, boxes send to it directly by presigned
    URLs. `seaweedfs`: the same, with a server that `okng fleet serve` starts and stops itself."""
    folder: Path | None = None
    """Of kind `folder` and `seaweedfs`."""
    endpoint: str = Field(default="", pattern=r"^(https?://[^\s/]+)?$")
    """Of the S3 server as the service reaches it; empty: Amazon's of that region."""
    public_endpoint: str = Field(default="", pattern=r"^(https?://[^\s/]+)?$")
    """As boxes reach it; empty: the same."""
    region: str = Field(default="us-east-1", pattern=r"^[a-z0-9-]{1,40}$")
    bucket: str = Field(default="okng", pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
    credentials_file: Path | None = None
    """JSON with `access_key` and `secret_key`. None: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."""
    most_mb: int = Field(default=512, ge=1, le=5000)
    """Of one blob."""
    timeout_s: int = Field(default=20, ge=1, le=600)

    @model_validator(mode="after")
    def _whole(self) -> "BlobOptions":
        if self.kind in ("folder", "seaweedfs") and self.folder is None:
            raise ValueError(f"blobs.folder: missing: kind = {self.kind!r} expects it")
        if self.kind == "seaweedfs" and not self.endpoint:
            raise ValueError("blobs.endpoint: missing: kind = 'seaweedfs' expects the address it shall listen at")
        return self


class AuthorityOptions(_Part):
    """`[authority]`: who vouches for boxes. An online key: it says which box speaks, never which model runs."""

    certificate: Path
    key_file: Path
    days: int = Field(default=90, ge=1, le=397)
    """Life of a box's certificate."""


class TlsOptions(_Part):
    """`[tls]`: the service's own certificate, where it ends TLS itself."""

    certificate: Path
    key_file: Path


class PeopleOptions(_Part):
    """`[people]`: who may look and touch."""

    issuer: HttpUrl | None = None
    """Of the plant's OpenID provider; None: local people only (`okng fleet person add`)."""
    client_id: str = Field(default="", max_length=255)
    client_secret_file: Path | None = None
    """None: a public client, proved by PKCE alone."""
    scopes: str = Field(default="openid profile", max_length=255)
    roles_claim: str = Field(default="roles", min_length=1, max_length=100)
    """Of the ID token or of userinfo; a list of words or one word."""
    roles: dict[Annotated[str, Field(max_length=200)], Role] = Field(default_factory=dict, max_length=200)
    """Word of the claim -> role here. Empty: the words are the roles' own names."""
    authority_file: Path | None = None
    """Certificates (PEM) that the provider's TLS is checked against; None: those of the machine."""
    local: bool = True
    """Whether local people may sign in too."""
    hours: int = Field(default=12, ge=1, le=168)
    """A session ends so long after it began."""
    sign_ins_a_minute: int = Field(default=10, ge=1, le=600)
    """From one address."""

    @model_validator(mode="after")
    def _some_way(self) -> "PeopleOptions":
        if self.issuer is not None and not self.client_id:
            raise ValueError("people.client_id: missing: issuer expects it")
        if self.issuer is None and not self.local:
            raise ValueError("people.local = false: expected true where no issuer is set, or nobody could sign in")
        return self


class ChannelFiles(_Part):
    """`[channel]`: the signed channel that boxes read. The service cannot sign a model; it only hands files out."""

    folder: Path | None = None
    """Root of the channel's store: `channel/metadata`, `channel/targets`, `bundles/<sha256>/…` lie below it. None: they
    lie in the bucket of `[blobs]` under the same names; with blobs in a folder no channel is offered."""
    online_keys: Path | None = None
    """Folder with the keys of the roles `rings`, `snapshot` and `timestamp`. None: rings are moved elsewhere."""


class LimitOptions(_Part):
    """`[limits]`."""

    enrol_asks_a_minute: int = Field(default=10, ge=1, le=600)
    """From one address."""
    wrong_codes_a_minute: int = Field(default=5, ge=1, le=60)
    """Of one person."""
    waiting_enrolments: int = Field(default=100, ge=1, le=10_000)
    box_requests_a_minute: int = Field(default=1200, ge=10, le=100_000)
    """Of one box."""


class FleetSettings(_Part):
    """All of the service."""

    version: int = Field(default=VERSION, ge=1, le=VERSION, strict=True)
    service: ServiceOptions
    database: DatabaseOptions
    blobs: BlobOptions
    authority: AuthorityOptions
    tls: TlsOptions | None = None
    people: PeopleOptions = PeopleOptions()
    channel: ChannelFiles = ChannelFiles()
    limits: LimitOptions = LimitOptions()

    @model_validator(mode="after")
    def _reachable(self) -> "FleetSettings":
        if not self.behind_proxy and self.tls is None:
            raise ValueError(
                f"service.listen = {self.service.listen!r}: expected [tls], or listen = 'unix:/path' behind nginx"
            )
        return self

    @property
    def behind_proxy(self) -> bool:
        """Whether nginx ends TLS and tells who asks."""
        return self.service.listen.startswith("unix:")


_PATHS = {
    "service": ("session_key_file",),
    "database": ("password_file",),
    "blobs": ("folder", "credentials_file"),
    "authority": ("certificate", "key_file"),
    "tls": ("certificate", "key_file"),
    "people": ("client_secret_file", "authority_file"),
    "channel": ("folder", "online_keys"),
}


def read_fleet_settings(file: Path) -> FleetSettings:
    """The settings of a file. BadSettings: one line for each mistake, naming file, key, value and what was expected."""
    try:
        said = tomllib.loads(read_bounded(file, MOST_SETTINGS).decode("utf-8"))
    except OSError as error:
        raise BadSettings(f"{file}: {error.strerror}: expected the settings of the fleet service") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadSettings(f"{file}: no TOML: {error}") from error
    _no_password(file, said)
    try:
        FleetSettings.model_validate(said)
        return FleetSettings.model_validate(_rooted(said, file.absolute().parent))
    except ValidationError as error:
        raise BadSettings(complain(file, error)) from error


def _no_password(file: Path, said: dict[str, Any]) -> None:
    """Before anything else, for a complaint about another key would show it. BadSettings."""
    section = said.get("database")
    text = section.get("url") if isinstance(section, dict) else None
    if isinstance(text, str):
        with contextlib.suppress(sa.exc.ArgumentError, ValueError):
            url = sa.make_url(text)
            if url.password is not None or "password" in url.query:
                raise BadSettings(f"{file}: database.url: holds a password: expected it in the file of password_file")


def _rooted(said: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The same with absolute paths, those of SQLite's file too."""
    found = {name: dict(part) if isinstance(part, dict) else part for name, part in said.items()}
    for section, keys in _PATHS.items():
        for key in keys:
            if (path := found.get(section, {}).get(key)) is not None:
                found[section][key] = rooted_file(folder, Path(path))
    url = sa.make_url(found["database"]["url"])
    if url.get_backend_name() == "sqlite":
        found["database"]["url"] = f"sqlite:///{folder / str(url.database)}"
    return found


def secret_of(file: Path, what: str) -> bytes:
    """What a file of a secret holds. BadSettings: it cannot be read, or others than its owner can."""
    try:
        mode = file.stat().st_mode
        if stat.S_IMODE(mode) & 0o077 and not _ours_by_systemd(file):
            raise BadSettings(
                f"{what} = {str(file)!r}: others may open it (mode {stat.S_IMODE(mode):04o}): expected mode 0600"
            )
        return read_bounded(file, MOST_SECRET)
    except OSError as error:
        raise BadSettings(f"{what} = {str(file)!r}: {error.strerror}: expected a file that we may read") from error


def _ours_by_systemd(file: Path) -> bool:
    """True for a credential: systemd hands it out with mode 0440 in a folder of this service alone."""
    given = os.environ.get("CREDENTIALS_DIRECTORY", "")
    return bool(given) and file.is_relative_to(given)


def session_key(settings: FleetSettings) -> bytes:
    """What signs cookies and hashes codes. BadSettings."""
    file = settings.service.session_key_file
    key = secret_of(file, "service.session_key_file").strip()
    if len(key) < 32:
        raise BadSettings(
            f"service.session_key_file = {str(file)!r}: {len(key)} bytes: expected 32 random ones or more"
        )
    return key


def database_url(settings: FleetSettings) -> URL:
    """With the password of its file, for SQLAlchemy. BadSettings."""
    options = settings.database
    url = sa.make_url(options.url)
    if url.get_backend_name() == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    if options.password_file is not None:
        url = url.set(password=secret_of(options.password_file, "database.password_file").decode().strip("\r\n"))
    return url


def s3_keys(settings: FleetSettings) -> tuple[str, str]:
    """(access key, secret key). BadSettings."""
    file = settings.blobs.credentials_file
    if file is None:
        found = (os.environ.get("AWS_ACCESS_KEY_ID", ""), os.environ.get("AWS_SECRET_ACCESS_KEY", ""))
        if not all(found):
            raise BadSettings(
                "blobs.credentials_file: not set, and the environment has no AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY"
            )
        return found
    expected = f"blobs.credentials_file = {str(file)!r}: expected JSON with access_key and secret_key"
    try:
        said = parsed_json(secret_of(file, "blobs.credentials_file"))
        access, secret = said["access_key"], said["secret_key"]
    except (ValueError, KeyError, TypeError):
        raise BadSettings(expected) from None
    if not all(isinstance(one, str) and re.fullmatch(r"[!-~]{1,128}", one) for one in (access, secret)):
        raise BadSettings(expected)
    return access, secret
