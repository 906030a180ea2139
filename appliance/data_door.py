"""`okng data`: look at labelled pictures, find what is wrong with them, split them, write them as others have them."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from .doors import FILE, SOURCES

_FORMATS = ("mvtec", "coco", "yolo", "label-studio")
_PATH = click.Path(exists=True, path_type=Path)


def source_options(command: Callable[..., None]) -> Callable[..., None]:
    """How a source is read: the same options for all."""
    for option in (
        click.option("--camera", default="", help="Ledger: only its pictures."),
        click.option("--since", default="", help="Ledger: only parts taken then or later (UTC, 2026-11-23...)."),
        click.option("--recipe", default="", help="Ledger: only its parts."),
        click.option("--lot-from", default="", metavar="REGEX", help="Picture names hold the lot: its first group."),
        click.option("--part-from", default="", metavar="REGEX", help="Picture names hold the part: its first group."),
        click.option("--pictures", type=click.Path(path_type=Path), default=None, help="Where a JSON's pictures lie."),
        click.option("--kind", type=click.Choice(SOURCES), default="auto", show_default=True),
    ):
        command = option(command)
    return command


_left_out = click.option("--leave-out-broken", is_flag=True, help="Go on without broken files; they stay named.")


@click.group()
def data() -> None:
    """Labelled pictures: what is there, what is wrong with it, which side of a split it is on."""


@data.command()
@click.argument("path", type=_PATH)
@source_options
@_left_out
@click.option("--manifest", type=FILE, default=None, help="Write the set's manifest here.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(path: Path, manifest: Path | None, as_json: bool, **asked: Any) -> None:
    """Print how many pictures of which label lie on which side of the split.

    PATH: MVTec folders or a folder a class, data.yaml of YOLO, JSON of COCO or Label Studio, a store of the box, or a
    manifest.
    """
    from ..training.data.manifest import write_manifest
    from ..training.data.sources import SourceOptions, open_dataset
    from .data_words import as_dict, set_lines

    found = open_dataset(path, SourceOptions(**asked))
    click.echo(json.dumps(as_dict(found), indent=2, ensure_ascii=False) if as_json else "\n".join(set_lines(found)))
    if manifest is not None:
        click.echo(f"{manifest}: digest {write_manifest(found, manifest)}", err=as_json)


@data.command()
@click.argument("path", type=_PATH)
@source_options
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Folder for pages with the pictures.")
@click.option("--no-doubles", is_flag=True, help="Do not look for pictures that are there twice.")
@click.option("--no-goods", is_flag=True, help="Do not look for goods that are unlike the others.")
@click.option("--most", type=click.IntRange(1, 200), default=10, show_default=True, help="Unlike goods to name.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(
    path: Path, out: Path | None, no_doubles: bool, no_goods: bool, most: int, as_json: bool, **asked: Any
) -> None:
    """Name all that is wrong: broken files, doubles, parts and lots on two sides, goods that may be none.

    Exit 1: something must be mended. Unlike goods alone are no fault: look at them.
    """
    from ..training.data.check import check as check_set
    from ..training.data.sources import SourceOptions
    from .data_words import check_dict, check_lines

    found = check_set(path, SourceOptions(**asked), doubles=not no_doubles, goods=not no_goods, most=most)
    if as_json:
        click.echo(json.dumps(check_dict(found), indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(check_lines(found)))
    if out is not None:
        from ..training.data.sheet import write_sheets

        for written in write_sheets(found, out):
            click.echo(f"wrote {written}", err=as_json)
    sys.exit(0 if found.sound else 1)


@data.command()
@click.argument("path", type=_PATH)
@source_options
@_left_out
@click.option("--out", type=FILE, required=True, help="Manifest to write.")
@click.option("--train", type=click.FloatRange(0.0, 1.0), default=0.7, show_default=True)
@click.option("--val", type=click.FloatRange(0.0, 1.0), default=0.15, show_default=True)
@click.option("--test", type=click.FloatRange(0.0, 1.0), default=0.15, show_default=True)
@click.option("--by", type=click.Choice(("auto", "lot", "part")), default="auto", show_default=True)
@click.option("--keep", type=click.Choice(("all", "test", "none")), default="all", show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@click.option("--no-doubles", is_flag=True, help="Do not look for doubles, which otherwise go to one side together.")
def split(
    path: Path,
    out: Path,
    train: float,
    val: float,
    test: float,
    by: str,
    keep: str,
    seed: int,
    no_doubles: bool,
    **asked: Any,
) -> None:
    """Give every picture a side, parts and lots whole, and write the manifest that training names.

    --keep all: sides that the source gives stay; test: only its test side; none: all is dealt out anew.
    """
    from pydantic import ValidationError

    from ..bus.errors import BadSettings
    from ..training.data.doubles import find_doubles, refuse_across
    from ..training.data.manifest import write_manifest
    from ..training.data.sources import SourceOptions, open_dataset
    from ..training.data.split import SplitOptions
    from ..training.data.split import split as split_set
    from .data_words import set_lines

    try:
        options = SplitOptions.model_validate(
            {"train": train, "val": val, "test": test, "by": by, "keep": keep, "seed": seed}
        )
    except ValidationError as error:
        raise BadSettings("; ".join(one["msg"].removeprefix("Value error, ") for one in error.errors())) from error
    found = open_dataset(path, SourceOptions(**asked))
    doubles = () if no_doubles else find_doubles(found)
    if keep == "all":
        refuse_across(doubles)
    done = split_set(found, options, doubles)
    click.echo("\n".join(set_lines(done.dataset)))
    click.echo(f"by {done.by}: {done.groups} groups, {len(doubles)} pairs of doubles kept together")
    for line in done.notes:
        click.echo(f"note: {line}")
    click.echo(f"{out}: digest {write_manifest(done.dataset, out)}")


@data.command()
@click.argument("path", type=_PATH)
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--to", "form", type=click.Choice(_FORMATS), required=True)
@source_options
@_left_out
def export(path: Path, out: Path, form: str, **asked: Any) -> None:
    """Write the set at PATH into the new folder OUT as others have it; pictures are copied byte for byte."""
    from typing import cast

    from ..training.data.export import export as export_set
    from ..training.data.losses import Format
    from ..training.data.sources import SourceOptions, open_dataset

    found = open_dataset(path, SourceOptions(**asked))
    for line in export_set(found, out, cast(Format, form)):
        click.echo(f"note: {line}")
    click.echo(f"{out}: {len(found.samples)} pictures as {form}")
