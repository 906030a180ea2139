"""From the outputs of a foreign graph to the ports an adapter reads: once as nodes, and once in numpy as the truth."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from ..bus.errors import BadBundle
from ..models.manifest import Adapter
from .foreign import Foreign
from .import_options import ImportOptions
from .wrapping import MOST_HEAT_CELLS, MOST_SEGMENT_CELLS, Wrapped, pool_of

Array = npt.NDArray[Any]
PORTS: dict[Adapter, tuple[str, ...]] = {
    "anomaly": ("score", "heat"),
    "classification": ("logits",),
    "segmentation": ("logits",),
    "torchvision_detection": ("boxes", "labels", "scores"),
    "yolo": ("predictions",),
}
_KNOWN = {
    "score": ("score", "pred_score", "anomaly_score"),
    "heat": ("heat", "anomaly_map"),
    "logits": ("logits", "out"),
    "predictions": ("predictions", "output0"),
    "boxes": ("boxes",),
    "labels": ("labels",),
    "scores": ("scores",),
}
"""What other projects call them: `pred_score` and `anomaly_map` are anomalib's, `out` torchvision's, `output0` that of
Ultralytics."""
_ANOMALIB = {"pred_score", "anomaly_map"}


@dataclass(frozen=True, slots=True)
class Plan:
    """Which foreign output becomes which port, and in what shape."""

    adapter: Adapter
    activation: Literal["softmax", "sigmoid", "none"]
    source: dict[str, str]
    """Our port -> foreign output. An anomaly model without a score has none: it is the map's maximum."""
    inner: tuple[int, ...]
    """Shape of the main output for one picture, the first axis left out: (rows, columns), (C,), (C, rows, columns) or
    (A, B). Empty for boxes."""
    pool: int
    rows: int
    columns: int
    layout: Literal["v8", "v5"]
    clipped: tuple[float, float] | None


def plan_of(foreign: Foreign, ran: Mapping[str, Array], options: ImportOptions) -> Plan:
    """Return how the outputs are to be read. ran: every foreign output for one picture, as it came out.

    BadBundle: an output is missing, unclear which, or of a shape or type its adapter cannot read.
    """
    source = _sources(foreign, ran, options)
    adapter, name = options.adapter, str(foreign.path)
    rows = columns = 32
    pool = 1
    inner: tuple[int, ...] = ()
    layout: Literal["v8", "v5"] = options.yolo or "v8"
    main = ran[source[PORTS[adapter][-1]]]
    if adapter != "torchvision_detection" and main.dtype.kind != "f":
        raise BadBundle(
            f"{name}: output {source[PORTS[adapter][-1]]!r} is {main.dtype}: expected confidences, not classes"
        )
    shape = main.shape[1:] if main.ndim > 1 and main.shape[0] == 1 else main.shape
    if adapter == "anomaly":
        inner = tuple(shape[-2:])
        fits = len(inner) == 2 and int(np.prod(shape)) == int(np.prod(inner)) and main.size > 1
        most = MOST_HEAT_CELLS
    elif adapter == "classification":
        inner = (int(np.prod(shape)),)
        fits, rows, columns, most = bool(main.size > 0 and max(shape) == main.size), 1, 1, 1
    elif adapter == "segmentation":
        inner, fits, most = tuple(shape), len(shape) == 3, MOST_SEGMENT_CELLS
    elif adapter == "yolo":
        inner, fits, most = tuple(shape), len(shape) == 2, 1
        if fits and options.yolo is None:
            layout = "v8" if inner[0] < inner[1] else "v5"
    else:
        fits, most = True, 1
    if not fits:
        raise BadBundle(f"{name}: output {source[PORTS[adapter][-1]]!r} is {list(main.shape)}: no {adapter} output")
    if adapter in ("anomaly", "segmentation"):
        pool = pool_of(inner[-2], inner[-1], most)
        rows, columns = -(-inner[-2] // pool), -(-inner[-1] // pool)
    clipped = options.clipped or ((0.0, 1.0) if adapter == "anomaly" and set(ran) >= _ANOMALIB else None)
    return Plan(adapter, options.activation, source, inner, pool, rows, columns, layout, clipped)


def connect(wrapped: Wrapped, plan: Plan) -> None:
    """Add the nodes from the foreign outputs to the ports."""
    source = plan.source
    if plan.adapter == "anomaly":
        heat = wrapped.reshaped(source["heat"], 1, *plan.inner)
        score = source.get("score") or wrapped.add("GlobalMaxPool", [heat])
        wrapped.port("score", wrapped.reshaped(score))
        wrapped.port("heat", wrapped.reshaped(wrapped.pooled(heat, plan.pool), plan.rows, plan.columns))
    elif plan.adapter == "segmentation":
        value = wrapped.reshaped(source["logits"], *plan.inner)
        if plan.activation == "softmax":
            value = wrapped.softmax(value)
        elif plan.activation == "sigmoid":
            value = wrapped.add("Sigmoid", [value])
        wrapped.port("logits", wrapped.pooled(value, plan.pool))
    elif plan.adapter == "torchvision_detection":
        wrapped.port("boxes", wrapped.reshaped(source["boxes"], 4))
        wrapped.port("labels", wrapped.reshaped(source["labels"]), TensorProto.INT64)
        wrapped.port("scores", wrapped.reshaped(source["scores"]))
    else:
        (port,) = PORTS[plan.adapter]
        wrapped.port(port, wrapped.reshaped(source[port], *plan.inner))


def truth(plan: Plan, ran: Mapping[str, Array]) -> list[Array]:
    """Return the ports of one picture from what the foreign graph itself gave, in numpy."""
    found = {port: np.asarray(ran[name]) for port, name in plan.source.items()}
    if plan.adapter == "anomaly":
        heat = found["heat"].reshape(plan.inner).astype(np.float32)
        score = found["score"].reshape(1).astype(np.float32) if "score" in found else heat.max().reshape(1)
        return [score, _block_max(heat[None], plan)]
    if plan.adapter == "segmentation":
        logits = found["logits"].reshape(plan.inner).astype(np.float64)
        if plan.activation == "softmax":
            raised = np.exp(logits - logits.max(axis=0))
            logits = raised / raised.sum(axis=0)
        elif plan.activation == "sigmoid":
            logits = 1.0 / (1.0 + np.exp(-logits))
        return [_block_max(logits.astype(np.float32), plan)[None]]
    if plan.adapter == "torchvision_detection":
        labels = found["labels"].reshape(-1).astype(np.int64)
        return [
            found["boxes"].reshape(-1, 4).astype(np.float32),
            labels,
            found["scores"].reshape(-1).astype(np.float32),
        ]
    (port,) = PORTS[plan.adapter]
    return [found[port].reshape(1, *plan.inner).astype(np.float32)]


def _block_max(maps: Array, plan: Plan) -> Array:
    """The maximum of each block of [C, h, w]; the last one may be smaller."""
    channels, pool = maps.shape[0], plan.pool
    padded = np.full((channels, plan.rows * pool, plan.columns * pool), -np.inf, np.float32)
    padded[:, : maps.shape[1], : maps.shape[2]] = maps
    return np.asarray(padded.reshape(channels, plan.rows, pool, plan.columns, pool).max(axis=(2, 4)))


def _sources(foreign: Foreign, ran: Mapping[str, Array], options: ImportOptions) -> dict[str, str]:
    """Which foreign output is which port: as told, by a known name, as the only one, or by type and shape."""
    wanted, there = PORTS[options.adapter], f"{foreign.path}: outputs {', '.join(ran)}"
    if unknown := set(options.outputs) - set(wanted):
        raise BadBundle(f"outputs: {', '.join(sorted(unknown))}: adapter {options.adapter} reads {', '.join(wanted)}")
    found = {}
    for port in wanted:
        if port in options.outputs:
            if options.outputs[port] not in ran:
                raise BadBundle(f"{there}: none is called {options.outputs[port]!r}")
            found[port] = options.outputs[port]
            continue
        known = [name for name in _KNOWN[port] if name in ran]
        fitting = [name for name, value in ran.items() if _looks_like(port, value)]
        if known:
            found[port] = known[0]
        elif len(wanted) == 1 and len(ran) == 1:
            found[port] = next(iter(ran))
        elif options.adapter == "torchvision_detection" and len(fitting) == 1:
            found[port] = fitting[0]
        elif port != "score":
            raise BadBundle(f"{there}: which one is {port!r} cannot be told: say --output {port}=NAME")
    if len(set(found.values())) != len(found):
        raise BadBundle(f"{there}: one of them stands for two of {', '.join(wanted)}")
    return found


def _looks_like(port: str, value: Array) -> bool:
    """True for boxes [k, 4], labels int [k], scores float [k]."""
    if port == "boxes":
        return value.ndim == 2 and value.shape[1] == 4 and value.dtype.kind == "f"
    return value.ndim == 1 and value.dtype.kind == {"labels": "i", "scores": "f"}.get(port, "")
