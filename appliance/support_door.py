"""`okng support-bundle`: one zip for whoever is to help. Works with every process dead and settings that are wrong."""

import tomllib
from pathlib import Path
from typing import Any

import click

from ..bus.clock import utc_stamp
from ..bus.errors import OkngError
from .doors import FILE, settings_option, writing

RUN, STORE = Path("/run/okng"), Path("/var/lib/okng/store")


@click.command(name="support-bundle")
@settings_option
@click.option("--out", type=FILE, default=None, help="Default: okng-support-DATE.zip in this folder.")
@click.option(
    "--pictures",
    type=click.IntRange(0, 1000),
    default=0,
    show_default=True,
    help="With pictures of so many rejects, the last ones.",
)
def support_bundle(settings_file: Path, out: Path | None, pictures: int) -> None:
    """Put logs, settings without secrets, versions, last words of processes and facts of the ledger into one zip."""
    from ..workshop.support import write_bundle

    path = out or Path(f"okng-support-{utc_stamp()}.zip")
    with writing(path):
        parts = write_bundle(_place(settings_file), path, pictures)
    path.chmod(0o600)
    click.echo(f"{path}: {path.stat().st_size >> 10} KB, {len(parts)} parts; begin with index.md")
    if "trouble.txt" in parts:
        click.echo("not everything could be had: see trouble.txt in it", err=True)


def _place(settings_file: Path) -> Any:
    """Where the box keeps its things; of settings that are wrong, as much as can be told from them."""
    from ..settings import Settings
    from ..workshop.shelf import models_of
    from ..workshop.support import Place
    from .workshop_of import box_of

    try:
        box = box_of(settings_file)
    except OkngError as error:
        click.echo(f"okng: {error}", err=True)
        content = _typed(settings_file)
        here = settings_file.resolve().parent
        run_dir, store = _path(content, "box", "run_dir", RUN), _path(content, "records", "store", STORE)
        return Place(settings_file, here / run_dir, here / store, settings_model=Settings)
    return Place(settings_file, box.run_dir, box.store, box.recipes, Settings, lambda: models_of(box))


def _typed(settings_file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(settings_file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _path(content: dict[str, Any], section: str, key: str, default: Path) -> Path:
    found = content.get(section)
    value = found.get(key) if isinstance(found, dict) else None
    return Path(value) if isinstance(value, str) else default
