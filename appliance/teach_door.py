"""`okng teach`: a bundle from good parts, from labelled defects, or from a bundle and what came since."""

from pathlib import Path
from typing import Any

import click

from ..bus.errors import BadSettings
from .doors import FILE, FOLDER, SOURCES, region_of, writing
from .registering import Registering, track_options

_MODES = ("unlike", "golden")


def version_of(ctx: click.Context, param: click.Parameter, text: str | None) -> str | None:
    """Read three numbers."""
    parts = (text or "0.0.0").split(".")
    if len(parts) == 3 and all(part.isascii() and part.isdecimal() and len(part) <= 6 for part in parts):
        return text
    raise click.BadParameter(f"{text!r}: expected three numbers, for example 1.2.0", ctx, param)


def _size(ctx: click.Context, param: click.Parameter, text: str) -> int:
    """Read `auto` or a side in pixels."""
    if text == "auto":
        return 0
    if text.isdecimal() and 64 <= int(text) <= 1024 and int(text) % 16 == 0:
        return int(text)
    raise click.BadParameter(f"{text!r}: expected auto, or a multiple of 16 from 64 to 1024", ctx, param)


@click.command()
@click.argument("goods", type=FOLDER, required=False)
@click.option("--out", type=FOLDER, required=True, help="Folder of the bundle to make; must not exist.")
@click.option("--name", default=None, help="Name of the product; default: the folder's, or the added-to bundle's.")
@click.option(
    "--version", callback=version_of, default=None, help="Of the bundle; default: 1.0.0, or the added-to bundle's next."
)
@click.option("--add", "base", type=FOLDER, default=None, help="Bundle to add to: its own pictures are not needed.")
@click.option("--defects", type=click.Path(path_type=Path), multiple=True, help="Labelled pictures, of any source.")
@click.option("--defects-kind", type=click.Choice(SOURCES), default="auto", show_default=True, help="What they are.")
@click.option("--leave-out-broken", is_flag=True, help="Go on without labelled pictures that cannot be read.")
@click.option("--scribbles", is_flag=True, help="Only parts of the defects are drawn; the rest says nothing.")
@click.option(
    "--mode", type=click.Choice(_MODES), default="unlike", show_default=True, help="golden: print, PCB, labels."
)
@click.option("--size", callback=_size, default="auto", show_default=True, help="Side of the model's input, px.")
@click.option("--step", type=click.Choice(["16", "8"]), default="16", show_default=True, help="Input px a map cell.")
@click.option(
    "--heads",
    type=click.Choice(["auto", "usual", "memory", "gaussian", "sum"]),
    default="auto",
    show_default=True,
    help="How the two distances from goods are weighed.",
)
@click.option(
    "--budget-ms", type=click.FloatRange(5.0, 10_000.0), default=25.0, show_default=True, help="For --size auto."
)
@click.option("--region", callback=region_of, metavar="X,Y,W,H", help="Part of each picture; default: all of it.")
@click.option("--overkill", type=click.FloatRange(0.01, 50.0), default=1.0, show_default=True, help="Target, %.")
@click.option("--escape", type=click.FloatRange(0.01, 50.0), default=None, help="Target, %; needs --defects.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@click.option("--threads", type=click.IntRange(0, 64), default=0, show_default="one a core")
@click.option("--forget", is_flag=True, help="Keep no features: the bundle is smaller, and cannot be added to.")
@click.option("--replace", is_flag=True, help="A bundle that is at OUT gives way.")
@click.option("--dataset", type=FILE, default=None, help="Version of a data set in place of GOODS: STORE/NAME@N.json.")
@track_options
def teach(goods: Path | None, out: Path, **asked: Any) -> None:
    """Teach a model from GOODS, a folder of pictures of good parts. No torch, no labels, seconds.

    With --defects labelled pictures are learnt from as well, where leaving each out shows that it helps. With --add a
    bundle is gone on from, with further GOODS, --defects or both.
    """
    from ..models.bundle import open_bundle
    from ..models.manifest import read_manifest
    from ..training.options import TeachOptions
    from ..training.teach import teach as teach_goods
    from .progress import teaching
    from .teaching import checked, defects_in, from_dataset, goods_in, next_version, told

    base: Path | None = asked["base"]
    register = Registering(asked.pop("track"), asked.pop("register"), asked.pop("alias"))
    register.check()
    if goods is None and base is None and asked["dataset"] is None:
        raise click.UsageError("Missing argument 'GOODS'.")
    chosen = None if asked["dataset"] is None else from_dataset(asked["dataset"], goods)
    if asked["escape"] is not None and not (asked["defects"] or (chosen and chosen.defects)) and base is None:
        raise BadSettings("--escape: expected --defects: how many defects are let through is told by defects alone")
    known = None if base is None else read_manifest(base)
    common = {
        "name": asked["name"] or (known.name if known else _named(goods, chosen)),
        "version": asked["version"] or (next_version(known.version) if known else "1.0.0"),
        "region": None if asked["region"] is None else _box(asked["region"]),
        "overkill_percent": asked["overkill"],
        "seed": asked["seed"],
        "threads": asked["threads"],
        "replace": asked["replace"],
        **({"dataset": chosen.name, "dataset_sha256": chosen.digest} if chosen else {}),
    }
    pictures = chosen.goods if chosen else goods_in(goods) if goods is not None else []
    if asked["mode"] == "golden":
        if base is not None or asked["defects"]:
            raise BadSettings("--mode golden: takes neither --add nor --defects; it compares with the goods themselves")
        from ..training.reference_options import ReferenceOptions
        from ..training.reference_teach import teach_golden

        size = {"most_px": asked["size"]} if asked["size"] else {}
        with writing(out), teaching() as progress:
            report = teach_golden(pictures, out, checked(ReferenceOptions, {**common, **size}), progress)
    else:
        more = {
            "size_px": asked["size"],
            "step_px": int(asked["step"]),
            "heads": asked["heads"],
            "budget_ms": asked["budget_ms"],
            "escape_percent": asked["escape"],
            "scribbles": asked["scribbles"],
            "keep_features": not asked["forget"],
        }
        options = checked(TeachOptions, {**common, **more})
        kind, broken = asked["defects_kind"], asked["leave_out_broken"]
        read = [defects_in(place, kind, leave_out_broken=broken) for place in asked["defects"]]
        labelled = [*(chosen.defects if chosen else ()), *(one for found, _ in read for one in found)]
        for line in (line for _, left_out in read for line in left_out):
            click.echo(line)
        with writing(out), teaching() as progress:
            report = teach_goods(pictures, out, options, progress, defects=labelled, base=base)
    click.echo("\n".join(told(report, open_bundle(out).manifest)))
    register.do(out)


def _named(goods: Path | None, chosen: Any) -> str:
    from .teaching import named_after

    if chosen is not None:
        return str(chosen.name.partition("@")[0]) or "taught"
    return named_after(goods) if goods else "taught"


def _box(region: tuple[int, int, int, int]) -> Any:
    from ..models.box import Box

    return Box(*region)
