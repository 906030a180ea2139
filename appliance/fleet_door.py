"""`okng fleet init|serve|…`: the service that many boxes report to: founded, started, its people and tokens."""

import contextlib
import getpass
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from ..bus.errors import BadSettings, StoreLost
from .doors import FILE, FOLDER, become_process

settings_option = click.option(
    "--settings",
    "settings_file",
    type=FILE,
    default=Path("fleet.toml"),
    envvar="OKNG_FLEET_SETTINGS",
    show_default=True,
    help="Settings of the service.",
)


@click.command()
@click.argument("folder", type=FOLDER)
@click.option("--url", default=None, help="Address that boxes and people reach it by. Default: this machine's name.")
@click.option("--listen", default="0.0.0.0:8443", show_default=True, help="address:port")
@click.option("--site", default="site", show_default=True, help="Of boxes that are let in.")
@click.option("--name", "names", multiple=True, metavar="HOST", help="Also called by this name; may come again.")
@click.option(
    "--seaweed-port",
    type=click.IntRange(0, 55535),
    default=0,
    show_default=True,
    help="Keep pictures in SeaweedFS (S3) on this port of the loopback; 0: as files.",
)
def init(folder: Path, url: str | None, listen: str, site: str, names: tuple[str, ...], seaweed_port: int) -> None:
    """Make FOLDER with settings, keys, the authority of boxes and a certificate: all that a small site needs."""
    from ..cloud.founding import found
    from ..identity.tls_home import own_names

    own = own_names()
    port = listen.rpartition(":")[2]
    file = found(folder, url or f"https://{own[0]}:{port}", listen, site, seaweed_port, [*own, *names])
    click.echo(
        f"{file}\n"
        f"next:  okng fleet person add NAME --role admin --settings {file}\n"
        f"       okng fleet serve --settings {file}\n"
        f"boxes: [fleet] service = the url of {file.name}, ca = a copy of {folder / 'authority' / 'ca.pem'}"
    )


@click.command()
@settings_option
def serve(settings_file: Path) -> None:
    """Serve until SIGTERM or SIGINT. Starts and stops SeaweedFS with it where the settings say so."""
    become_process("fleet")
    from ..cloud.process import prepare, run
    from ..cloud.seaweed import seaweed

    settings = _read(settings_file)
    with contextlib.ExitStack() as stack:
        if settings.blobs.kind == "seaweedfs":
            stack.enter_context(seaweed(settings))
        with _database(settings):
            prepare(settings)
        code = run(settings)
    sys.exit(code)


@click.command()
@settings_option
@click.option("--name", "names", multiple=True, metavar="HOST", help="Besides the host of the url; may come again.")
def certificate(settings_file: Path, names: tuple[str, ...]) -> None:
    """A new certificate of the service itself, from the authority beside the settings; a running service takes it."""
    from ..cloud.founding import certify, host_of
    from ..identity.tls_home import own_names

    settings = _read(settings_file)
    made = certify(settings_file.absolute().parent, [host_of(settings.service.url), *own_names(), *names])
    click.echo(f"valid until {made.not_valid_after_utc:%Y-%m-%d}")


@click.group()
def person() -> None:
    """Local people, for a site without an OpenID provider."""


@person.command("add")
@click.argument("name")
@click.option("--shown", default="", help="Name as pages show it.")
@click.option(
    "--role",
    "roles",
    multiple=True,
    required=True,
    type=click.Choice(["viewer", "reviewer", "engineer", "admin"]),
    help="May come again.",
)
@click.option("--password-file", type=FILE, default=None, help="Default: asked for at the terminal.")
@settings_option
def person_add(name: str, shown: str, roles: tuple[str, ...], password_file: Path | None, settings_file: Path) -> None:
    """Make a person, or give one another password and other roles; ends the sessions of that name."""
    from ..cloud.people import add
    from ..cloud.settings import secret_of

    settings = _read(settings_file)
    if password_file is not None:
        password = secret_of(password_file, "--password-file").decode("utf-8", "replace").strip("\r\n")
    else:
        password = click.prompt("Password, 12 characters or more", hide_input=True, confirmation_prompt=True)
    with _engine(settings) as engine:
        click.echo(add(engine, _who(), name, shown, roles, password))


@person.command("close")
@click.argument("sub")
@settings_option
def person_close(sub: str, settings_file: Path) -> None:
    """Let nobody in by this name any more (`local:NAME`, or `ISSUER#SUB`), and end its sessions."""
    from ..cloud.people import close

    with _engine(_read(settings_file)) as engine:
        if not close(engine, _who(), sub):
            raise BadSettings(f"{sub}: expected a person that is not closed: `okng fleet person list` shows them")


@person.command("list")
@settings_option
def person_list(settings_file: Path) -> None:
    """Everybody who may come in, or has."""
    from ..cloud.people import all_of

    with _engine(_read(settings_file)) as engine:
        for one in all_of(engine):
            closed = "closed" if one.closed_at is not None else ""
            click.echo("\t".join((one.sub, one.name, ",".join(one.roles), closed)))


@click.group()
def token() -> None:
    """Tokens of programs."""


@token.command("make")
@click.argument("name")
@click.option("--right", "rights", multiple=True, required=True, help="May come again.")
@click.option("--days", type=click.IntRange(1, 397), default=90, show_default=True)
@settings_option
def token_make(name: str, rights: tuple[str, ...], days: int, settings_file: Path) -> None:
    """Make a token and show it, once."""
    from ..cloud.tokens import make

    with _engine(_read(settings_file)) as engine:
        made, secret = make(engine, _who(), name, rights, days)
        click.echo(f"{made}\t{secret}")


@token.command("revoke")
@click.argument("token_id")
@settings_option
def token_revoke(token_id: str, settings_file: Path) -> None:
    """Withdraw a token, at once and everywhere."""
    from ..cloud.tokens import revoke

    with _engine(_read(settings_file)) as engine:
        if not revoke(engine, _who(), token_id):
            raise BadSettings(f"{token_id}: expected a token that is not revoked")


@click.command()
@settings_option
def check(settings_file: Path) -> None:
    """Check the settings, the database and the chain of deeds. Exit 78: something is wrong."""
    from ..cloud.database import reading
    from ..cloud.deeds import broken

    settings = _read(settings_file)
    with _engine(settings) as engine, reading(engine) as db:
        if (wrong := broken(db)) is not None:
            raise BadSettings(f"deed {wrong} does not follow from the one before: the trail was changed")
    click.echo("settings, database and trail of deeds are sound")


OF_SERVICE: tuple[click.Command, ...] = (init, serve, certificate, person, token, check)
"""Doors of the service in the group `okng fleet`."""


def _read(settings_file: Path) -> Any:
    from ..cloud.settings import read_fleet_settings

    return read_fleet_settings(settings_file)


def _who() -> str:
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return f"cli:{os.getuid()}"


@contextlib.contextmanager
def _engine(settings: Any) -> Iterator[Any]:
    from ..cloud.database import bring_up, open_database
    from ..cloud.settings import database_url

    engine = open_database(database_url(settings), pool=2)
    try:
        with _database(settings):
            bring_up(engine)
            yield engine
    finally:
        engine.dispose()


@contextlib.contextmanager
def _database(settings: Any) -> Iterator[None]:
    from ..cloud.database import DatabaseLost, said_by

    try:
        yield
    except DatabaseLost as error:
        raise StoreLost(f"database.url = {settings.database.url!r}: {said_by(error)}") from error
