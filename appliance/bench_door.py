"""`okng bench`: what the product's own steps cost on this machine."""

import json
from pathlib import Path

import click

from ..bus.errors import BadSettings
from .bundle_door import json_option, provider_option
from .doors import FILE, FOLDER


@click.group()
def bench() -> None:
    """Measure on this machine. Nothing else should run on it meanwhile."""


@bench.command()
@click.argument("bundle", type=FOLDER)
@click.option("--picture", type=FILE, default=None, help="Picture file to begin with; else one is invented.")
@click.option(
    "--size",
    type=(click.IntRange(16, 16384), click.IntRange(16, 16384)),
    default=(1920, 1200),
    show_default=True,
    metavar="W H",
    help="Of the invented picture.",
)
@provider_option
@click.option("--threads", type=click.IntRange(1, 64), default=1, show_default=True, help="Of one inference.")
@click.option("--batch", type=click.IntRange(1, 256), default=1, show_default=True, help="Pictures of one inference.")
@click.option("--seconds", type=click.FloatRange(0.1, 600), default=3.0, show_default=True, help="For each stage.")
@click.option(
    "--set", "more", multiple=True, metavar="KEY=VALUE", help="As in [inspect]: cuda_graph=true, gpu_mem_mb=2048, ..."
)
@json_option
def model(
    bundle: Path,
    picture: Path | None,
    size: tuple[int, int],
    provider: str,
    threads: int,
    batch: int,
    seconds: float,
    more: tuple[str, ...],
    as_json: bool,
) -> None:
    """Tell where the time of one part goes: decode, cut, inference (and inside the graph), findings."""
    from pydantic import ValidationError

    from ..models.bundle import open_bundle
    from ..models.runtime_options import RuntimeOptions
    from ..models.stages import measure
    from ..training.machine import machine
    from .bench_words import stages_json, stages_table
    from .bundle_words import tell

    asked = dict(each.partition("=")[::2] for each in more)
    try:
        options = RuntimeOptions.model_validate({**asked, "provider": provider, "threads": threads})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BadSettings(f"--set {first['loc'][0]}={first['input']}: {first['msg']}") from error
    opened = open_bundle(bundle)
    found = measure(opened, picture or size, options, batch, seconds)
    where = machine(provider, threads)
    if as_json:
        click.echo(json.dumps({**stages_json(found), "bundle": opened.digest, "machine": where}, indent=2))
    else:
        manifest = opened.manifest
        tell(stages_table(found, f"{manifest.name} {manifest.version}, {manifest.input.width}x{manifest.input.height}"))
        tell(", ".join(f"{name} {value}" for name, value in where.items()))
