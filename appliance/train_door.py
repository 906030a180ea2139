"""`okng train`: from labelled pictures to a bundle, with torch."""

import importlib.util
import logging
from pathlib import Path
from typing import Any

import click

from ..bus.errors import BadSettings
from .doors import FOLDER, SOURCES
from .registering import Registering

_TASKS = ("segmentation", "detection", "classification")
_AUGMENT = ("flip_x", "flip_y", "rotate_deg", "scale", "shift", "brightness", "contrast", "noise", "blur")
_SHARE = click.FloatRange(0.0, 0.5)


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--out", type=FOLDER, required=True, help="Folder of the bundle to make; must not exist.")
@click.option("--task", type=click.Choice(_TASKS), required=True, help="What the model is to say of a part.")
@click.option("--name", default=None, help="Name of the product; default: the name of OUT.")
@click.option("--size", "size_px", type=click.IntRange(32, 2048), default=256, show_default=True, help="Input, px.")
@click.option("--channels", type=click.Choice(["0", "1", "3"]), default="0", help="0: as the pictures are.")
@click.option("--region", type=(int, int, int, int), default=None, metavar="X Y W H", help="Part of each picture.")
@click.option("--backbone", default="lite0", show_default=True, help="Ours, or a model of torchvision: resnet18.")
@click.option("--weights", default="none", show_default=True, help="Of torchvision's: FILE, download or none.")
@click.option("--width", type=click.IntRange(16, 512), default=64, show_default=True, help="Channels of the decoder.")
@click.option("--epochs", type=click.IntRange(1, 100_000), default=60, show_default=True, help="At most.")
@click.option("--patience", type=click.IntRange(1, 100_000), default=15, show_default=True, help="Epochs without gain.")
@click.option("--batch", type=click.IntRange(1, 4096), default=16, show_default=True, help="Pictures a step.")
@click.option("--rate", type=click.FloatRange(1e-7, 1.0), default=2e-3, show_default=True, help="Learning rate.")
@click.option("--backbone-rate", type=click.FloatRange(0.0, 1.0), default=0.1, show_default=True, help="0: fixed.")
@click.option("--flip-x", is_flag=True, help="Left and right may be exchanged.")
@click.option("--flip-y", is_flag=True, help="Top and bottom may be exchanged.")
@click.option("--rotate", "rotate_deg", type=click.FloatRange(0.0, 180.0), default=0.0, help="Up to so many degrees.")
@click.option("--scale", type=_SHARE, default=0.05, show_default=True, help="Larger or smaller by this share.")
@click.option("--shift", type=_SHARE, default=0.03, show_default=True, help="Moved by this share of the side.")
@click.option("--brightness", type=click.FloatRange(0.0, 0.9), default=0.1, show_default=True)
@click.option("--contrast", type=click.FloatRange(0.0, 0.9), default=0.1, show_default=True)
@click.option("--noise", type=click.FloatRange(0.0, 64.0), default=2.0, show_default=True, help="Grey levels.")
@click.option("--blur", type=click.FloatRange(0.0, 8.0), default=0.0, show_default=True, help="Pixels.")
@click.option("--amp", type=click.Choice(["auto", "off", "bf16", "fp16"]), default="auto", help="Mixed precision.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--overkill", "overkill_percent", type=click.FloatRange(0.0, 50.0), default=1.0, help="Target, %.")
@click.option(
    "--escape", "escape_percent", type=click.FloatRange(0.0, 50.0), default=None, help="Target, %; kept first."
)
@click.option("--validation", "validation_share", type=click.FloatRange(0.01, 0.89), default=0.2, show_default=True)
@click.option("--test", "test_share", type=click.FloatRange(0.0, 0.89), default=0.2, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--threads", type=click.IntRange(0, 256), default=0, help="0: one a core.")
@click.option("--work", type=FOLDER, default=None, help="Folder of the checkpoint; default: OUT.training.")
@click.option("--fresh", is_flag=True, help="Begin anew, whatever lies in the folder of the checkpoint.")
@click.option("--keep", is_flag=True, help="Keep the checkpoint when the bundle is made.")
@click.option("--track", default="", metavar="URI", help="Tell MLflow: https://..., sqlite:///runs.db (extra track).")
@click.option("--register", default="", metavar="NAME", help="Make it the next version of this model there.")
@click.option("--alias", default="", help="That stands for the new version: challenger.")
@click.option(
    "--search", "trials", type=click.IntRange(0, 10_000), default=0, help="Try so many options (extra search)."
)
@click.option("--replace", is_flag=True, help="A bundle at OUT gives way.")
@click.option("--kind", type=click.Choice(SOURCES), default="auto", show_default=True, help="What DATA is.")
@click.option("--part-from", default="", help="Regular expression: its group is the part, from a picture's name.")
@click.option("--lot-from", default="", help="The same for the lot.")
@click.option("--leave-out-broken", is_flag=True, help="Go on without pictures that cannot be read; they are named.")
@click.option("--leave-out-unmarked", is_flag=True, help="The same for defects with nothing drawn.")
def train(data: Path, out: Path, **asked: Any) -> None:
    """Train a model from labelled pictures in DATA and write a bundle. Needs torch: pip install 'okng[train]'.

    Stopped or killed, the same command goes on after the last whole epoch.
    """
    for library in ("torch", "torchvision", "onnxscript"):
        if importlib.util.find_spec(library) is None:
            raise BadSettings(f"{library} is not installed: pip install 'okng[train]' in an environment of its own")
    from ..training.data.sources import SourceOptions
    from ..training.supervised.options import options_of
    from ..training.supervised.train import Place, started_at
    from .trained import lines, trained

    source = SourceOptions(**{name: asked.pop(name) for name in ("kind", "part_from", "lot_from", "leave_out_broken")})
    box = asked.pop("region")
    register = Registering(asked["track"] if asked["register"] else "", asked.pop("register"), asked.pop("alias"))
    register.check()
    place = Place(**{name: asked.pop(name) for name in ("work", "fresh", "keep", "track", "trials")})
    augment = {name: asked.pop(name) for name in _AUGMENT}
    asked |= {"name": asked["name"] or out.resolve().name, "channels": int(asked["channels"])}
    if box is not None:
        asked["region"] = dict(zip("xywh", box, strict=True))
    options = options_of(augment=augment, **asked)
    logging.getLogger().setLevel(logging.INFO)
    try:
        report = trained(data, source, out, options, place)
    except KeyboardInterrupt:
        work = place.work or out.with_name(f"{out.name}.training")
        said = f"the same command goes on from {work}" if started_at(work) else "no epoch was done yet"
        raise click.ClickException(f"stopped: no bundle was made; {said}") from None
    if report is not None:
        click.echo("\n".join(lines(report)))
        register.do(out, report.run)
