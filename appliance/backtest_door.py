"""`okng backtest`: what a candidate would have said of stored parts, before any box has seen it."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from .doors import FILE, FOLDER, SOURCES, writing


@click.command()
@click.argument("candidate", type=FOLDER)
@click.argument("data", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--recipe", type=FILE, required=True, help="Recipe whose bundle is what decides now.")
@click.option("--bundle", "name", default="", help="Which of the recipe's bundles it would take the place of.")
@click.option("--camera", default="", help="Whose pictures these are, where the recipe has several cameras.")
@click.option("--kind", type=click.Choice(SOURCES), default="auto", show_default=True, help="What DATA is.")
@click.option("--blobs", default="", metavar="TARGET", help="s3://bucket/prefix with pictures by digest.")
@click.option("--endpoint", default="", help="Address of the S3 server.")
@click.option("--escape-cost", type=click.FloatRange(0.0), default=100.0, show_default=True, help="A defect passes.")
@click.option("--overkill-cost", type=click.FloatRange(0.0), default=1.0, show_default=True, help="A good is rejected.")
@click.option(
    "--defect-percent", type=click.FloatRange(0.0, 100.0), default=1.0, show_default=True, help="Of the line."
)
@click.option("--provider", type=click.Choice(["cpu", "cuda", "tensorrt", "openvino"]), default="cpu")
@click.option("--workers", type=click.IntRange(1, 4096), default=1, show_default=True, help="Judges at once.")
@click.option("--ray", "address", default="", metavar="ADDRESS", help="A Ray cluster: auto, local, ray://HOST:10001.")
@click.option("--json", "out", type=FILE, default=None, help="Write all figures, flips by name, to this file.")
def backtest(candidate: Path, data: tuple[Path, ...], recipe: Path, out: Path | None, **asked: Any) -> None:
    """Judge the pictures of DATA by RECIPE as it is and with CANDIDATE in its place: flips, escapes, overkill, cost.

    DATA: stores of boxes, manifests of data sets gathered over boxes, or any labelled set. The same judge runs in this
    process, in several, or on a Ray cluster. Exit code 0 whatever the figures are.
    """
    from ..training.backtest import Prices, Seen, figures, lines
    from ..training.backtest_run import run_here, run_on_ray
    from ..training.data.sources import SourceOptions, open_dataset
    from .backtest_judge import Pack, row_of
    from .progress import phases

    source = SourceOptions.model_validate({"kind": asked["kind"], "leave_out_broken": True})
    sets = [open_dataset(each, source) for each in data]
    every = (row_of(sample, at) for at, one in enumerate(sets) for sample in one.samples)
    rows = list({(row["sha256"], row["part"]): row for row in every}.values())
    if not rows:
        raise click.ClickException(f"{', '.join(map(str, data))}: no picture to judge")
    pack = Pack.of(
        recipe,
        candidate,
        name=asked["name"],
        camera=asked["camera"],
        provider=asked["provider"],
        target=asked["blobs"],
        endpoint=asked["endpoint"],
    )
    prices = Prices(asked["escape_cost"], asked["overkill_cost"], asked["defect_percent"])
    with phases("backtest") as progress:

        def tell(share: float) -> None:
            progress("judging", share)

        if asked["address"]:
            found = run_on_ray(rows, pack.judge, asked["address"], asked["workers"], tell)
        else:
            found = run_here(rows, pack.judge, asked["workers"], tell)
        told = figures((Seen(**row) for row in found), prices)
    told |= {"recipe": str(recipe), "candidate": str(candidate), "prices": asdict(prices)}
    click.echo("\n".join(lines(told)))
    if out is not None:
        with writing(out):
            out.write_text(json.dumps(told, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        click.echo(f"wrote {out}", err=True)
