"""`okng update`: whether a new version has shown that it works, and what makes an older one go on after it."""

import sys
import time
from pathlib import Path

import click

from .doors import settings_option

SILENT_S = 2.0
"""io speaks every 250 ms."""


@click.group()
def update() -> None:
    """Between two versions of okng: for images with two slots, and by hand."""


@update.command()
@settings_option
@click.option("--unbroken", "unbroken_s", type=click.FloatRange(1, 3600), default=60.0, show_default=True, help="s")
@click.option("--parts", type=click.IntRange(1, 1_000_000), default=20, show_default=True, help="Judged in time.")
@click.option("--minutes", type=click.FloatRange(0.1, 1440), default=10.0, show_default=True, help="READY, else.")
@click.option("--within", "within_min", type=click.FloatRange(0.01, 1440), default=30.0, show_default=True, help="min")
def prove(settings_file: Path, **given: float) -> None:
    """Wait until the line was READY at a stretch, and PARTS were judged or it was READY for MINUTES. Exit 1: failed.

    READY comes only after a golden picture scored as stored. A PLC that is off proves nothing and fails nothing.
    """
    from ..bus.channel import Subscriber, io_address
    from ..bus.clock import SECOND, now_ns
    from ..bus.messages import StationState
    from ..settings import read_settings
    from .proof import Asked, Proof, Word

    run_dir = read_settings(settings_file).box.run_dir
    proof = Proof(Asked(**given), now_ns())  # type: ignore[arg-type]  # click checked the kinds
    heard = Subscriber([io_address(run_dir)], (StationState,))
    state, at, said = None, now_ns(), ""
    try:
        while True:
            if (new := heard.receive(200)) is not None:
                state, at = new, now_ns()
            elif now_ns() - at > SILENT_S * SECOND:
                state = None
            word = proof.take(state, now_ns())
            if word is not Word.WAITING:
                click.echo(f"{word}: {proof.parts} parts" + (f"; {proof.why}" if proof.why else ""))
                sys.exit(0 if word is Word.PROVED else 1)
            if proof.why and proof.why != said:
                said = proof.why
                click.echo(f"waiting: {said}")
            time.sleep(0.05)
    finally:
        heard.close()


@update.command(name="fall-back")
@settings_option
def fall_back(settings_file: Path) -> None:
    """Before records starts: put the ledger that this okng knows back where a newer one has migrated it.

    What the newer one wrote stays in a file beside it. Exit 78: there is no copy to go back to. Else nothing is done.
    """
    from ..bus.errors import BadLedger
    from ..records import schema
    from ..records.restore import restore
    from ..records.version_of import copy_for, version_of
    from ..settings import read_settings

    store = read_settings(settings_file).records.store
    file = store / schema.FILE
    if not file.is_file():
        click.echo(f"{file}: there is none yet")
        return
    version = version_of(file)
    if version <= schema.VERSION:
        click.echo(f"{file}: of version {version}, this okng knows {schema.VERSION}: nothing to do")
        return
    copy = copy_for(file, schema.VERSION)
    if copy is None:
        raise BadLedger(
            f"{file}: of version {version}, this okng knows {schema.VERSION}, and there is no copy of it from before: "
            "install the newer okng again, or put a backup in its place with `okng ledger restore`"
        )
    found = restore(store, copy)
    click.echo(f"{copy.name} is the ledger again: {found.parts} parts, the newest of {found.newest or 'none'}")
    click.echo(f"what the newer okng wrote is kept: {found.aside}")
