"""`okng threshold`: the operating point worked out anew from labelled pictures; a bundle is never changed in place."""

from pathlib import Path
from typing import Any

import click

from .doors import FOLDER, region_of, writing
from .teach_door import version_of


@click.command()
@click.argument("bundle", type=FOLDER)
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--overkill", type=click.FloatRange(0.01, 50.0), default=1.0, show_default=True, help="Target, %.")
@click.option("--escape", type=click.FloatRange(0.01, 50.0), default=None, help="Target, %; goes before overkill.")
@click.option(
    "--costs",
    type=(float, float, float),
    default=None,
    metavar="ESCAPE OVERKILL DEFECTIVE",
    help="In place of targets: what each costs, and the % of parts that are defective.",
)
@click.option("--region", callback=region_of, metavar="X,Y,W,H", help="Part of each picture; default: all of it.")
@click.option("--recipe", type=click.Path(path_type=Path), default=None, help="Work it out for each of its regions.")
@click.option("--out", type=FOLDER, default=None, help="Write a bundle with the new point here.")
@click.option("--version", callback=version_of, default=None, help="Of that bundle; default: the next.")
def threshold(bundle: Path, data: Path, **asked: Any) -> None:
    """Work out the threshold of BUNDLE from DATA, labelled pictures it was not taught from, and what may be claimed.

    Nothing changes by itself: with --out a bundle is written that differs in its threshold alone. With --recipe each
    region that is judged by BUNDLE gets a threshold of its own, printed for the recipe.
    """
    from dataclasses import replace

    from ..bus.errors import BadSettings
    from ..models.box import Box
    from ..models.bundle import check_free
    from ..models.manifest import read_manifest
    from ..training.data.sources import open_dataset
    from ..training.operating import moved, operating_point
    from ..training.promise import Costs, Targets
    from .operating import lines, regions_of
    from .progress import phases
    from .teaching import next_version

    if asked["costs"] is not None and not (min(asked["costs"]) > 0 and asked["costs"][2] < 100):
        said = " ".join(f"{each:g}" for each in asked["costs"])
        raise BadSettings(f"--costs {said}: expected two costs above 0, and a % of defective parts above 0, below 100")
    try:
        costs = None if asked["costs"] is None else Costs(asked["costs"][0], asked["costs"][1], asked["costs"][2] / 100)
        escape = None if asked["escape"] is None else asked["escape"] / 100
        targets = Targets(asked["overkill"] / 100, escape, costs)
    except ValueError as error:
        raise BadSettings(str(error)) from error
    if asked["recipe"] and (asked["out"] or asked["region"]):
        raise BadSettings("--recipe: takes neither --out nor --region; the thresholds it prints belong into the recipe")
    if asked["out"]:
        check_free(asked["out"], replace=False)
    whole = None if asked["region"] is None else Box(*asked["region"])
    wanted = regions_of(asked["recipe"], bundle) if asked["recipe"] else {"": (whole, None)}
    samples = open_dataset(data).samples
    with phases("threshold") as tell:
        for name, (region, own) in wanted.items():
            found = operating_point(
                bundle, samples, targets, region=region, progress=lambda share: tell("scores", share)
            )
            if own is not None and "" in found.held:
                found = replace(found, held={"": own})
            if name:
                click.echo(f"region {name}:")
            click.echo("\n".join(lines(found)))
    if asked["out"]:
        version = asked["version"] or next_version(read_manifest(bundle).version)
        with writing(asked["out"]):
            digest = moved(bundle, asked["out"], found, version)
        click.echo(f"{asked['out']}: {digest}")
