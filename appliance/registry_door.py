"""`okng registry`: models that were made, by name, version and alias. Of the training side: no box speaks to one."""

import json
from pathlib import Path

import click

from .doors import FOLDER

_at = click.option(
    "--registry", "url", required=True, envvar="OKNG_REGISTRY", help="A folder, or the address of an MLflow server."
)


@click.group()
def registry() -> None:
    """Models that were made, by name, version and alias: what waits to be promoted."""


@registry.command()
@click.argument("bundle", type=FOLDER)
@_at
@click.option("--name", required=True, help="Of the model; this becomes its next version.")
@click.option("--alias", default="", help="That stands for it from now on: challenger.")
def add(bundle: Path, url: str, name: str, alias: str) -> None:
    """Log a bundle with what it was made by, and make it the next version of a model."""
    from ..training.registered import log_bundle
    from ..training.registry import aliased, named, open_registry

    named(name)
    if alias:
        aliased(alias)
    run, version = log_bundle(open_registry(url), bundle, name=name, alias=alias)
    assert version is not None
    click.echo(f"{name} version {version.version}{f', {alias}' if alias else ''}: run {run}")


@registry.command()
@click.argument("name")
@click.argument("alias")
@click.argument("version", type=click.IntRange(min=1))
@_at
def alias(name: str, alias: str, version: int, url: str) -> None:
    """Let ALIAS stand for VERSION of the model NAME: `okng registry alias plates champion 3`. No box sees it."""
    from ..training.registry import open_registry

    open_registry(url).set_alias(name, alias, version)
    click.echo(f"{name}: {alias} is version {version}")


@registry.command()
@click.argument("name")
@click.argument("alias")
@_at
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(name: str, alias: str, url: str, as_json: bool) -> None:
    """Say which version of the model NAME an ALIAS stands for, and what it was made from."""
    from ..training.registry import open_registry

    found = open_registry(url).by_alias(name, alias)
    tags = dict(sorted(found.tags.items()))
    said = {"name": found.name, "version": found.version, "run": found.run, "aliases": list(found.aliases)}
    if as_json:
        click.echo(json.dumps({**said, "tags": tags}, indent=2, ensure_ascii=False))
        return
    click.echo(f"{found.name} version {found.version} ({', '.join(found.aliases)}): run {found.run}")
    for key, value in tags.items():
        click.echo(f"  {key} = {value}")
