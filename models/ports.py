"""Inputs and outputs of a loaded graph, held against the manifest before anything is judged by them."""

from collections.abc import Sequence

from ..bus.errors import BadBundle
from .manifest import Manifest
from .runtime import Port, Session

_Axes = tuple[int | None, ...]
"""Sizes; None: any."""


def check_ports(name: str, session: Session, manifest: Manifest) -> None:
    """Raise BadBundle, its text starting with name, when the graph takes or gives other than the manifest says."""
    entry, out = manifest.input, manifest.output
    picture: _Axes = (1, entry.height, entry.width, entry.channels)
    _check("input", name, session.inputs, {entry.name: ("uint8", picture)})
    given: dict[str, dict[str, tuple[str, _Axes]]] = {
        "anomaly": {out.score: ("float32", (1,)), out.heat: ("float32", (1, out.rows, out.columns))},
        "classification": {out.logits: ("float32", (1, None))},
        "segmentation": {out.logits: ("float32", (1, None, out.rows, out.columns))},
        "torchvision_detection": {
            out.boxes: ("float32", (None, 4)),
            out.labels: ("int64", (None,)),
            out.scores: ("float32", (None,)),
        },
        "yolo": {out.predictions: ("float32", (1, None, None))},
    }
    expected = given[out.adapter]
    if out.features:
        expected[out.features] = ("float32", (1, None))
    _check("output", name, session.outputs, expected)
    _check_channels(name, session.outputs, manifest)


def _check(kind: str, name: str, found: Sequence[Port], expected: dict[str, tuple[str, _Axes]]) -> None:
    there = {port.name: port for port in found}
    if kind == "input" and set(there) != set(expected):
        raise BadBundle(f"{name}: inputs {sorted(there)}: the manifest says {sorted(expected)}")
    for port, (dtype, shape) in expected.items():
        if port not in there:
            raise BadBundle(f"{name}: {kind} {port!r} is missing; there are {sorted(there)}")
        if there[port].dtype != dtype or not _fits(there[port].shape, shape):
            raise BadBundle(
                f"{name}: {kind} {port!r} is {there[port].dtype} {list(there[port].shape)}: "
                f"the manifest says {dtype} {['any' if axis is None else axis for axis in shape]}"
            )


def _fits(found: tuple[int | str | None, ...], expected: _Axes) -> bool:
    """True when every size that is asked for is there. One the runtime cannot tell is no such size."""
    return len(found) == len(expected) and all(
        wanted is None or wanted == there for there, wanted in zip(found, expected, strict=True)
    )


def _check_channels(name: str, outputs: Sequence[Port], manifest: Manifest) -> None:
    """Too few channels for the classes are found here where the graph states them, else at the first run."""
    out = manifest.output
    if out.adapter not in ("classification", "segmentation", "yolo"):
        return
    (port,) = [port for port in outputs if port.name == out.ports[0]]
    axis, before = {"v8": (1, 4), "v5": (2, 5)}[out.layout] if out.adapter == "yolo" else (1, 0)
    channels, needed = port.shape[axis], before + max(out.class_numbers) + 1
    if isinstance(channels, int) and channels < needed:
        raise BadBundle(
            f"{name}: output {port.name!r} is {list(port.shape)}: classes {', '.join(out.classes)[:200]} "
            f"need {needed} along axis {axis}"
        )
