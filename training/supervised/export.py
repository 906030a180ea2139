"""The trained network as the graph of a bundle, and the proof that the two say the same."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import onnx
import torch

from ...bus.errors import BadBundle
from ...models.runtime import Session
from .net import FEATURES, OUTPUTS, Deployed, Net

OPSET = 18
"""What torch's exporter writes by itself; later ones would be converted."""
INPUT = "picture"
TOLERANCE = 1e-3
"""Largest difference of a confidence or a logit between torch and ONNX Runtime; of a box in pixels ten times that."""


def exported(net: Net, size_px: int) -> bytes:
    """Return the ONNX graph: uint8 `[n, size, size, c]` in, the task's output and features out, weights inside.

    BadBundle: the exported graph is not what was asked for.
    """
    deployed = Deployed(net).eval()
    example = torch.zeros((2, size_px, size_px, net.channels), dtype=torch.uint8)
    with _quiet():
        program = torch.onnx.export(
            deployed,
            (example,),
            input_names=[INPUT],
            output_names=[OUTPUTS[net.task], FEATURES],
            opset_version=OPSET,
            dynamic_shapes={"picture": {0: "n"}},
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    model = program.model_proto
    for node in model.graph.node:  # where torch's source lies on the trainer's disk is nobody's business
        del node.metadata_props[:]
        node.doc_string = ""
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer]:
        del value.metadata_props[:]
    del model.graph.metadata_props[:], model.metadata_props[:]
    model.producer_name, model.producer_version = "okng", ""
    if len(model.functions):
        raise BadBundle(f"torch exported {len(model.functions)} local functions: expected plain operators")
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def torch_outputs(net: Net, pictures: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[np.float32]]:
    """Return what torch gives for pictures uint8 `(n, h, w, c)`, by the names of the graph's outputs."""
    with torch.inference_mode():
        found = Deployed(net).eval()(torch.from_numpy(np.ascontiguousarray(pictures)))
    return {name: value.float().numpy() for name, value in zip((OUTPUTS[net.task], FEATURES), found, strict=True)}


def largest_difference(net: Net, model: bytes, pictures: npt.NDArray[np.uint8]) -> float:
    """Return the largest difference between torch and ONNX Runtime, in units of what is allowed; above 1 is too much.

    Confidences, not logits, are compared: they are what limits are put on. Pictures go one by one, as on the line.
    """
    session, worst = Session(model, "cpu", 1), 0.0
    name = OUTPUTS[net.task]
    for picture in pictures:
        mine = torch_outputs(net, picture[None])[name]
        (theirs,) = session.run([name], {INPUT: np.ascontiguousarray(picture[None])})
        if not np.isfinite(theirs).all():
            return float("inf")
        if net.task == "detection":
            boxes = np.abs(mine[:, :4] - theirs[:, :4]).max() / (10.0 * TOLERANCE)
            worst = max(worst, float(boxes), float(np.abs(mine[:, 4:] - theirs[:, 4:]).max() / TOLERANCE))
        else:
            worst = max(worst, float(np.abs(_softmax(mine) - _softmax(theirs)).max() / TOLERANCE))
    return worst


def require_same(net: Net, model: bytes, pictures: npt.NDArray[np.uint8]) -> float:
    """Return the largest difference, a share of what is allowed. BadBundle: it is more than that."""
    worst = largest_difference(net, model, pictures)
    if not worst <= 1.0:
        raise BadBundle(
            f"the exported graph says otherwise than torch: {worst:.3g} times the tolerance of {TOLERANCE:g}"
        )
    return worst


def _softmax(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    raised = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    shares: npt.NDArray[np.float64] = raised / raised.sum(1, keepdims=True)
    return shares


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter talks on standard output and warns of its own future: neither is for the engineer."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
