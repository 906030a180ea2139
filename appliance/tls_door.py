"""`okng tls`: the certificate of the screens: shown, asked for at the plant's authority, installed.

It works on the folder of the web process (beside the ledger's), as root or as its user. A web process that runs takes
what is installed within seconds; nothing is restarted.
"""

import json
import sys
from pathlib import Path
from typing import Any

import click

from ..bus.clock_floor import believed_now
from ..bus.errors import BadKey
from .doors import FILE, settings_option


@click.group()
def tls() -> None:
    """The certificate of the screens: show it, have the plant's authority vouch for it, renew it."""


@tls.command()
@settings_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(settings_file: Path, as_json: bool) -> None:
    """Show what is served: fingerprint, names, end. Exit 1: it ends within 30 days, or has ended."""
    found, now = _home(settings_file).look(), believed_now()
    if as_json:
        told = {"fingerprint": found.fingerprint, "subject": found.subject, "issuer": found.issuer, "own": found.own}
        told |= {"names": list(found.names), "ends": found.ends.isoformat(), "days_left": found.days_left(now)}
        click.echo(json.dumps(told))
    else:
        click.echo("\n".join(_lines(found)))
    sys.exit(1 if found.ends_soon(now) else 0)


@tls.command()
@settings_option
@click.option("--name", "names", multiple=True, metavar="HOST", help="Also called by this name; may come again.")
@click.option("--out", type=FILE, default=None, help="Write it here instead of to standard output.")
def csr(settings_file: Path, names: tuple[str, ...], out: Path | None) -> None:
    """Make a request (PKCS #10) by a new key. The certificate served goes on until the answer is installed."""
    made = _home(settings_file).ask(names)
    if out is None:
        click.echo(made.decode("ascii"), nl=False)
    else:
        out.write_bytes(made)


@tls.command()
@settings_option
@click.argument("chain", type=click.File("rb"))
def install(settings_file: Path, chain: Any) -> None:
    """Install CHAIN (PEM: the box's certificate first, then its issuers) if it fits the key, the names and the time."""
    from ..identity.chain import MOST_BYTES

    click.echo("\n".join(_lines(_home(settings_file).install(chain.read(MOST_BYTES + 1)))))


@tls.command()
@settings_option
def renew(settings_file: Path) -> None:
    """A new key and a certificate of the box's own in place of what is served. Every browser will warn again."""
    click.echo("\n".join(_lines(_home(settings_file).renew())))


def _home(settings_file: Path) -> Any:
    from ..settings import read_settings
    from ..webui.session import home_of

    settings = read_settings(settings_file)
    if settings.web.tls_certificate is not None:
        raise BadKey(
            f"[web] tls_certificate = {str(settings.web.tls_certificate)!r}: that file is served, not the own one"
        )
    return home_of(settings.web, settings.records.store)


def _lines(found: Any) -> list[str]:
    vouched = "the box itself" if found.own else found.issuer
    return [
        f"SHA-256      {found.fingerprint}",
        f"made out to  {', '.join(found.names) or found.subject}",
        f"vouched by   {vouched}",
        f"valid until  {found.ends:%Y-%m-%d}, {found.days_left(believed_now())} days left",
    ]
