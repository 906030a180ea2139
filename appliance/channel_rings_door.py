"""`okng channel ring|members|halt|resume|refresh`: how far a signed plan has gone, by the service's keys."""

from pathlib import Path

import click

from .channel_hands import ROLES, Place, at_place, line_argument, online_option, tell

plan_option = click.option("--plan", default=None, metavar="RECIPE/ROLE", help="That one alone; default: the line.")


@click.command()
@at_place
@online_option
@line_argument
@click.argument("rings", nargs=-1, metavar="RING=BOX,BOX…")
def members(place: Place, online: Path, line: str, rings: tuple[str, ...]) -> None:
    """Say which boxes are in which ring of LINE: the whole list, in place of the old one."""
    said = {}
    for text in rings:
        name, equals, boxes = text.partition("=")
        if not equals or name in said:
            raise click.BadParameter(f"{text!r}: expected RING=BOX,BOX…, each ring once")
        said[name] = [one for one in boxes.split(",") if one]
    tell(place.rings(online).members(line, said))


@click.command()
@at_place
@online_option
@line_argument
@click.argument("recipe")
@click.argument("role", type=ROLES)
@click.argument("name", metavar="RING")
@click.option("--seq", type=int, required=True, help="Number of the pointer that the ring is opened for.")
def ring(place: Place, online: Path, line: str, recipe: str, role: str, name: str, seq: int) -> None:
    """Open the next RING of a signed plan."""
    tell(place.rings(online).open_ring(line, recipe, role, seq, name))


@click.command()
@at_place
@online_option
@line_argument
@click.option("--reason", required=True)
@plan_option
def halt(place: Place, online: Path, line: str, reason: str, plan: str | None) -> None:
    """Stop the boxes of LINE where they stand: nobody goes further."""
    tell(place.rings(online).halt(line, reason, plan))


@click.command()
@at_place
@online_option
@line_argument
@plan_option
def resume(place: Place, online: Path, line: str, plan: str | None) -> None:
    """Let the boxes of LINE go on."""
    tell(place.rings(online).resume(line, plan))


@click.command()
@at_place
@online_option
def refresh(place: Place, online: Path) -> None:
    """Sign anew what ends soon, and take up what was published without the service's keys. At least once a day."""
    click.echo("signed anew" if place.rings(online).refresh() else "nothing to do")
