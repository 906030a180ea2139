"""What the doors of a channel share: where it is published, whose key signs, what is told of it."""

import functools
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..bus.errors import BadKey, BadSettings
from .doors import FILE, FOLDER

if TYPE_CHECKING:
    from ..fleet.channel_format import RingForm
    from ..fleet.channel_repository import Repository
    from ..fleet.channel_shelf import Shelf
    from ..fleet.rings import Rings, RingsForm
    from ..fleet.stores import BlobStore

ROLES = click.Choice(["champion", "challenger"])
by_option = click.option("--by", "approved_by", required=True, help="Who approves it; the boxes show it.")
online_option = click.option(
    "--online", type=FOLDER, required=True, help="Folder of the service's keys: timestamp, snapshot, rings."
)
passphrase_option = click.option(
    "--passphrase-file", type=FILE, default=None, help="Read the passphrase there (mode 0600) instead of asking."
)
line_argument = click.argument("line")
_MOST_PASSPHRASE = 1000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a channel is published."""

    store: str
    endpoint: str
    credentials: Path | None

    def open(self) -> "tuple[Shelf, BlobStore]":
        """BadSettings: not there, or no credentials."""
        from ..fleet.channel_upload import shelf_of
        from ..fleet.options import SyncOptions

        if not self.store.startswith("s3://") and not Path(self.store).is_dir():
            raise BadSettings(f"--store {self.store}: no such folder")
        try:
            options = SyncOptions(target=self.store, endpoint=self.endpoint, credentials_file=self.credentials)
        except ValueError as error:
            raise BadSettings(f"--store {self.store}: {error}") from error
        return shelf_of(options)

    def rings(self, online: Path) -> "Rings":
        """With the service's keys. BadKey."""
        from ..fleet.rings import OnlineKeys, Rings

        return Rings(self.open()[0], OnlineKeys.load(online))

    def refreshed(self, online: Path | None) -> None:
        """Let boxes see what was just signed, or say who will."""
        if online is None:
            click.echo("boxes see it after the service's next refresh (`okng channel refresh`)")
            return
        self.rings(online).refresh()
        click.echo("boxes see it now")


@dataclass(frozen=True, slots=True)
class Signing:
    """Who signs the list of targets, and against which root."""

    root: Path
    key: Path
    passphrase_file: Path | None

    def signer(self) -> Any:
        """Asks for the passphrase where the key has one. BadKey."""
        return signer_of(self.key, self.passphrase_file)

    def repository(self, place: Place) -> "tuple[Repository, BlobStore]":
        """The channel, from the pinned root on. BadSettings."""
        from ..fleet.channel_repository import Repository

        shelf, blobs = place.open()
        return Repository(shelf, read_root(self.root)), blobs


def at_place(command: Callable[..., None]) -> Callable[..., None]:
    """A door with the options of `Place`; it is handed one as `place`."""

    @click.option("--store", required=True, help="Where the channel is published: a folder, or s3://bucket/prefix.")
    @click.option("--endpoint", default="", help="Address of the S3 server.")
    @click.option("--credentials", type=FILE, default=None, help="JSON file with its keys, mode 0600.")
    @functools.wraps(command)
    def call(store: str, endpoint: str, credentials: Path | None, **given: Any) -> None:
        command(place=Place(store, endpoint, credentials), **given)

    return call


def signed(command: Callable[..., None]) -> Callable[..., None]:
    """A door with the options of `Signing`; it is handed one as `signing`."""

    @click.option("--root", type=FILE, required=True, help="root.json that `init` wrote.")
    @click.option("--key", type=FILE, required=True, help="Key of targets.")
    @passphrase_option
    @functools.wraps(command)
    def call(root: Path, key: Path, passphrase_file: Path | None, **given: Any) -> None:
        command(signing=Signing(root, key, passphrase_file), **given)

    return call


def read_root(file: Path) -> bytes:
    """The pinned root. BadSettings."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise BadSettings(f"{file}: cannot be read: {error.strerror}") from error


def signer_of(key: Path, passphrase_file: Path | None) -> Any:
    """What signs with a key in a file, whose passphrase is asked for. BadKey."""
    from ..fleet.channel_keys import is_encrypted, load_signer

    return load_signer(key, passphrase_of(passphrase_file, key.name) if is_encrypted(key) else None)


def passphrase_of(file: Path | None, what: str, *, confirm: bool = False) -> str:
    """Read or ask for a passphrase. BadKey: its file is open to others."""
    if file is None:
        asked: str = click.prompt(f"passphrase of {what}", hide_input=True, confirmation_prompt=confirm, err=True)
        return asked
    try:
        with file.open(encoding="utf-8") as source:
            mode = stat.S_IMODE(os.fstat(source.fileno()).st_mode)
            text = source.read(_MOST_PASSPHRASE)
    except (OSError, ValueError) as error:
        raise BadKey(f"{file}: no passphrase: {error}") from error
    if mode & 0o077:
        raise BadKey(f"{file}: mode {mode:04o}: expected 0600 (chmod 600)")
    return text.rstrip("\n")


def ring_of(text: str) -> "RingForm":
    """A ring as it is typed: NAME[:SHADOW[:CANARY[:PCT]]]."""
    from ..fleet.channel_format import RingForm

    keys, parts = ("ring", "shadow_parts", "canary_parts", "max_error_pct"), text.split(":")
    if len(parts) > len(keys):
        raise click.BadParameter(f"{text!r}: expected NAME[:SHADOW[:CANARY[:PCT]]]")
    try:
        kinds: tuple[Callable[[str], Any], ...] = (str, int, int, float)
        return RingForm.model_validate({key: kind(part) for key, kind, part in zip(keys, kinds, parts, strict=False)})
    except ValueError as error:
        raise click.BadParameter(f"{text!r}: {error}") from error


def rule_of(text: str) -> tuple[str, float]:
    """A threshold as it is typed: NAME=VALUE."""
    name, equals, value = text.partition("=")
    try:
        return name, float(value if equals else "none")
    except ValueError as error:
        raise click.BadParameter(f"{text!r}: expected NAME=VALUE, a number") from error


def tell(said: "RingsForm") -> None:
    """How far a line has gone."""
    click.echo(f"{said.line}: {'HALTED: ' + said.reason if said.halted else 'going on'}")
    for name, boxes in said.members.items():
        click.echo(f"  ring {name}: {', '.join(boxes) or 'nobody'}")
    for plan, gone in said.open.items():
        halted = " HALTED" if gone.halted else ""
        click.echo(f"  {plan} number {gone.seq}: open {', '.join(gone.rings) or 'none'}{halted}")
