"""`okng ladder`: where each bundle stands on this box, and what a person may do about it."""

import json
import os
from pathlib import Path
from typing import Any

import click

from .doors import settings_option, writing

ANSWER_MS = 5000
RIGHT = "model.activate"
reason_option = click.option("--reason", required=True, help="For the audit trail.")
recipe_argument = click.argument("recipe")
bundle_argument = click.argument("bundle", metavar="DIGEST")


@click.group()
def ladder() -> None:
    """Show how far each bundle has climbed on this box; unlock, stop, waive, take back."""


@ladder.command()
@settings_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(settings_file: Path, as_json: bool) -> None:
    """Say where each bundle stands and what it waits for."""
    from .bundle_words import tell
    from .ladder_words import lines, table

    said = _asked(settings_file, "ladder.show", {})
    if as_json:
        click.echo(json.dumps(said, indent=2, sort_keys=True))
        return
    for recipe in said["recipes"]:
        tell(table(recipe))
    for line in lines(said):
        click.echo(line)


@ladder.command()
@settings_option
@recipe_argument
@bundle_argument
@reason_option
def unlock(settings_file: Path, recipe: str, bundle: str, reason: str) -> None:
    """Let a bundle climb again that was refused, taken back or held. DIGEST: its beginning is enough."""
    whole = _whole(settings_file, recipe, bundle)
    _asked(settings_file, "ladder.unlock", {"recipe": recipe, "bundle": whole}, reason)
    click.echo(f"{whole[:12]} may climb again")


@ladder.command()
@settings_option
@reason_option
@click.option("--off", is_flag=True, help="Let bundles climb again.")
def stop(settings_file: Path, reason: str, off: bool) -> None:
    """Press the red button of this box: challengers are out at once, nothing climbs. What decides goes on deciding."""
    _asked(settings_file, "ladder.stop", {"on": not off}, reason)
    click.echo("bundles may climb again" if off else "nothing climbs on this box until `okng ladder stop --off`")


@ladder.command()
@settings_option
@recipe_argument
@bundle_argument
@reason_option
def waive(settings_file: Path, recipe: str, bundle: str, reason: str) -> None:
    """Let a bundle that was taught on this box leave the shadow before its parts are full."""
    whole = _whole(settings_file, recipe, bundle)
    _asked(settings_file, "ladder.waive", {"recipe": recipe, "bundle": whole}, reason)
    click.echo(f"{whole[:12]} may leave the shadow")


@ladder.command()
@settings_option
@recipe_argument
@bundle_argument
def seen(settings_file: Path, recipe: str, bundle: str) -> None:
    """Note that you have looked at the parts on which challenger and champion differ."""
    whole = _whole(settings_file, recipe, bundle)
    _asked(settings_file, "ladder.seen", {"recipe": recipe, "bundle": whole})
    click.echo(f"noted for {whole[:12]}")


@ladder.command()
@settings_option
@recipe_argument
@bundle_argument
@reason_option
def offer(settings_file: Path, recipe: str, bundle: str, reason: str) -> None:
    """Let a bundle that was taught on this box begin to climb, signed by the box itself. DIGEST: whole."""
    _asked(settings_file, "ladder.offer", {"recipe": recipe, "bundle": bundle}, reason)
    click.echo(f"{bundle[:12]} begins to climb")


@ladder.command()
@settings_option
@recipe_argument
@reason_option
def back(settings_file: Path, recipe: str, reason: str) -> None:
    """Take the champion back to the last good bundle, at once. It is locked until it is unlocked."""
    _asked(settings_file, "ladder.back", {"recipe": recipe}, reason)
    click.echo(f"recipe {recipe} goes back to its last good bundle")


@ladder.command()
@settings_option
@click.option("--job", type=click.IntRange(1, 65535), required=True, help="Number of the job.")
def adopt(settings_file: Path, job: int) -> None:
    """Put the recipe of a job on the ladder: it names a slot from then on, which points at the bundle it has."""
    from .ladder_box import adopt as put_on

    with writing(settings_file.parent):
        for line in put_on(settings_file, job):
            click.echo(line)


def _whole(settings_file: Path, recipe: str, begin: str) -> str:
    """The whole digest of its beginning, among the bundles of a recipe. Refused: none or several."""
    from ..bus.errors import Refused

    said = _asked(settings_file, "ladder.show", {})
    mine = [one for one in said["recipes"] if one["recipe"] == recipe]
    if not mine:
        raise Refused(f"recipe {recipe}: expected one of {', '.join(one['recipe'] for one in said['recipes'])}")
    found = [one["bundle"] for one in mine[0]["bundles"] if one["bundle"].startswith(begin)]
    if len(found) != 1:
        raise Refused(f"{begin}: {len(found)} bundles of recipe {recipe} begin so: expected one")
    return str(found[0])


def _asked(settings_file: Path, name: str, body: dict[str, Any], reason: str = "") -> dict[str, Any]:
    """Ask `sync`. LinkLost: no answer. Refused."""
    from ..bus.asks import Ask, new_id
    from ..bus.channel import ask_once
    from ..bus.errors import LinkLost, Refused
    from ..settings import read_settings

    run_dir = read_settings(settings_file).box.run_dir
    who = os.environ.get("SUDO_USER") or os.environ.get("USER") or "console"
    answer = ask_once(run_dir, "sync", Ask(new_id(), name, who, RIGHT, reason, body), ANSWER_MS)
    if answer is None:
        raise LinkLost(f"{run_dir}: no answer: is `okng sync --watch` running, with [fleet] in {settings_file}?")
    if not answer.done:
        raise Refused(answer.detail)
    return answer.body
