"""`okng settings`: settings and recipes of an older okng are brought up to date."""

import difflib
from pathlib import Path

import click

from .doors import settings_option


@click.group()
def settings() -> None:
    """Settings and recipes between versions of okng."""


@settings.command()
@settings_option
@click.option("--dry-run", is_flag=True, help="Say what would be changed; write nothing.")
def migrate(settings_file: Path, dry_run: bool) -> None:
    """Bring the settings and the recipes of its jobs up to this okng; each is kept beside as NAME.vN.bak.

    Comments stay. What a newer okng wrote is refused (exit 78). Safe to repeat.
    """
    from .migrate import plans, write

    found, left = plans(settings_file)
    for one in found:
        if not one.needed:
            click.echo(f"{one.path}: version {one.version}: nothing to do")
            continue
        for at, about in enumerate(one.about, one.version):
            click.echo(f"{one.path}: version {at} to {at + 1}: {about}")
        if dry_run:
            lines = one.before.splitlines(), one.after.splitlines()
            click.echo("\n".join(difflib.unified_diff(*lines, str(one.path), "would become", lineterm="")))
        else:
            write(one)
            click.echo(f"{one.path}: written; as it was: {one.backup.name}")
    for words in left:
        click.echo(f"left as it is: {words}", err=True)
