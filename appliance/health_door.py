"""`okng health`: commission what the pictures of a camera are compared with, and measure pictures against it."""

import dataclasses
import json
import sys
from pathlib import Path

import click

from .doors import FILE, FOLDER

_BOX = (click.INT, click.INT, click.INT, click.INT)


@click.group()
def health() -> None:
    """Is the picture still as it was commissioned? Lamp, lens, camera and product, before the model is blamed."""


@health.command()
@click.argument("goods", type=FOLDER)
@click.argument("out", type=FILE)
@click.option("--focus", type=_BOX, default=None, metavar="X Y W H", help="Where sharpness is told from; else found.")
@click.option(
    "--background",
    type=_BOX,
    multiple=True,
    metavar="X Y W H",
    help="What never moves; may come again; else found.",
)
def commission(
    goods: Path, out: Path, focus: tuple[int, int, int, int] | None, background: tuple[tuple[int, int, int, int], ...]
) -> None:
    """Make the reference OUT from GOODS, a folder of pictures of good parts as the line takes them (30 are good).

    Name it in the recipe: health: {reference: OUT}. `okng camera snap NAME good.png --count 30` takes the pictures.
    """
    from .commissioning import commissioned

    for line in commissioned(goods, out, focus, background):
        click.echo(line)


@health.command()
@click.argument("reference", type=FILE)
@click.argument("pictures", type=FILE, nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def measure(reference: Path, pictures: tuple[Path, ...], as_json: bool) -> None:
    """Measure PICTURES against REFERENCE, as parts in a row; say what has drifted. Exit 1: something has."""
    from .commissioning import health_lines, measured

    found, alarms = measured(reference, pictures)
    if as_json:
        said = [{"file": str(file), **dataclasses.asdict(each)} for file, each in found]
        click.echo(json.dumps({"pictures": said, "alarms": alarms}, indent=2))
    else:
        click.echo("\n".join([*health_lines(found), *alarms]))
    sys.exit(1 if alarms else 0)
