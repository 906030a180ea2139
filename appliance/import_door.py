"""`okng bundle import`: a foreign ONNX model becomes a bundle."""

from pathlib import Path
from typing import Any

import click

from ..bus.errors import BadSettings
from .doors import FILE, FOLDER

_ADAPTERS = ("anomaly", "classification", "yolo", "torchvision_detection", "segmentation")


@click.command(name="import")
@click.argument("model", type=FILE)
@click.option("--adapter", type=click.Choice(_ADAPTERS), required=True, help="What its outputs are.")
@click.option("--pictures", type=FOLDER, required=True, help="Some pictures as the line sees them.")
@click.option("--out", type=FOLDER, required=True, help="Folder of the bundle to make; must not exist.")
@click.option("--name", default=None, help="Name of the product; default: the name of OUT.")
@click.option("--version", default="1.0.0", show_default=True)
@click.option(
    "--classes",
    default="",
    help="Defects alone, in the model's order: scratch,dent; or by channel or label: scratch=3,dent=7.",
)
@click.option("--limits", default="", help="Confidence that is NG, a class: scratch=0.5,...; default 0.5.")
@click.option("--areas", default="", help="Of a segmentation: least area, px of the picture: scratch=20,...")
@click.option("--threshold", type=float, default=0.5, show_default=True, help="Of an anomaly model.")
@click.option("--size", default=None, metavar="WxH", help="Input, px; default: as the graph states.")
@click.option("--layout", type=click.Choice(["nchw", "nhwc", "chw", "hwc"]), default=None, help="Default: as it shows.")
@click.option("--grey", is_flag=True, help="The camera is grey; a model of three channels gets it three times.")
@click.option("--rgb/--bgr", "rgb", default=True, help="Which colour the model takes first.  [default: rgb]")
@click.option("--scale", type=float, default=255.0, show_default=True, help="Grey levels are divided by this,")
@click.option("--mean", default="0", show_default=True, help="then this is taken off: 0.485,0.456,0.406")
@click.option("--std", default="1", show_default=True, help="and the rest divided by this: 0.229,0.224,0.225")
@click.option(
    "--activation",
    type=click.Choice(["softmax", "sigmoid", "none"]),
    default="softmax",
    show_default=True,
    help="What makes confidences of its outputs (classification, segmentation).",
)
@click.option("--yolo", type=click.Choice(["v8", "v5"]), default=None, help="Default: as the longer axis tells.")
@click.option("--overlap", type=float, default=0.5, show_default=True, help="Of yolo boxes of one class.")
@click.option(
    "--output", "outputs", multiple=True, metavar="PORT=NAME", help="score, heat, logits, ... of the model's."
)
@click.option("--clipped", default=None, metavar="LOW,HIGH", help="An anomaly map is cut off there; anomalib: 0,1.")
@click.option("--budget-ms", type=float, default=None, help="Longest one inference may take on a box.")
@click.option("--replace", is_flag=True, help="A bundle at OUT gives way.")
def import_(model: Path, pictures: Path, out: Path, **asked: Any) -> None:
    """Wrap a foreign ONNX file as a bundle, and refuse it where it would say otherwise than by itself.

    The nodes around it take the camera's uint8 picture: cast, normalised, turned. Every picture is scored inside the
    bundle and by the file itself, fed by numpy; a difference above 0.001 refuses the import.
    """
    from ..training.import_options import import_options
    from ..training.imported import import_model

    clipped, rgb = asked.pop("clipped"), asked.pop("rgb")
    asked |= {
        "name": asked["name"] or out.resolve().name,
        "classes": _classes(asked["classes"]),
        "limits": _numbers("limits", asked["limits"]),
        "areas_px": _numbers("areas", asked.pop("areas")),
        "size": _size(asked["size"]),
        "bgr": not rgb,
        "mean": _row("mean", asked["mean"]),
        "std": _row("std", asked["std"]),
        "outputs": dict(_pair("output", each) for each in asked["outputs"]),
        "clipped": None if clipped is None else _row("clipped", clipped),
    }
    done = import_model(model, pictures, out, import_options(**asked), click.echo)
    click.echo(
        f"{done.folder}: {done.digest[:12]}, {done.pictures} pictures alike within {done.largest_difference:.2g}, "
        "nothing is promised yet: okng evaluate"
    )
    for note in done.notes:
        click.echo(f"  {note}")


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _pair(option: str, text: str) -> tuple[str, str]:
    name, equals, value = text.rpartition("=")
    if not equals or not name.strip() or not value.strip():
        raise BadSettings(f"--{option} {text}: expected NAME=VALUE")
    return name.strip(), value.strip()


def _classes(text: str) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    for part in _parts(text):
        name, number = (part, None) if "=" not in part else _pair("classes", part)
        if name in found:
            raise BadSettings(f"--classes: {name} stands twice")
        if number is not None and not number.isdecimal():
            raise BadSettings(f"--classes {part}: expected a channel or label, 0 or more")
        found[name] = None if number is None else int(number)
    return found


def _numbers(option: str, text: str) -> dict[str, float]:
    return {name: _number(option, value) for name, value in (_pair(option, part) for part in _parts(text))}


def _row(option: str, text: str) -> tuple[float, ...]:
    return tuple(_number(option, part) for part in _parts(text))


def _number(option: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise BadSettings(f"--{option} {text}: expected a number") from error


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise BadSettings(f"--size {text}: expected WIDTHxHEIGHT, for example 640x480")
    return int(width), int(height)
