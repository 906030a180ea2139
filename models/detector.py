"""The detector: a picture and a region in, Findings out. One thread owns one detector."""

import math
import time

import numpy as np
import numpy.typing as npt

from ..bus.errors import BadBundle, BadPicture
from . import crop
from .box import Box
from .bundle import Bundle
from .findings import Findings
from .runtime import Port, Session

MOST_SCORE = 1e6
"""A score beyond this is no distance from good parts but a broken model or device."""


class Detector:
    """One bundle on one execution provider."""

    def __init__(self, bundle: Bundle, provider: str = "cpu", threads: int = 1) -> None:
        """Load the bundle's verified bytes and warm up.

        provider: `cpu`, `cuda` or `tensorrt`. threads: of one inference, 1 or more; more than one helps only where
        cores are idle.
        BadSettings: the provider is not there. BadBundle: the graph does not load, run, or is not as the manifest says.
        """
        self.bundle = bundle
        name = f"{bundle.folder}/model.onnx"
        try:
            self._session = Session(bundle.model, provider, threads)
        except BadBundle as error:
            raise BadBundle(f"{name}: {error}") from error
        self.provider: str = self._session.provider
        """ONNX Runtime's name of what runs it, for example CPUExecutionProvider."""
        entry, out = bundle.manifest.input, bundle.manifest.output
        if entry.crop != crop.METHOD:
            raise BadBundle(f"{bundle.folder}: crop {entry.crop!r}: this box cuts by {crop.METHOD!r}")
        self._shape = (1, entry.height, entry.width, entry.channels)
        self._outputs = [out.score, out.heat]
        _check_ports("input", name, self._session.inputs, {entry.name: ("uint8", self._shape)})
        shapes: dict[str, tuple[str, tuple[int, ...]]] = {
            out.score: ("float32", (1,)),
            out.heat: ("float32", (1, out.rows, out.columns)),
        }
        _check_ports("output", name, self._session.outputs, shapes)
        try:
            self._run(np.zeros(self._shape, np.uint8))
        except RuntimeError as error:
            raise BadBundle(f"{name}: does not run: {error}") from error

    def find(self, picture: npt.NDArray[np.uint8], region: Box) -> Findings:
        """Return what is seen in a region.

        picture: uint8, grey [h, w] or RGB [h, w, 3], as the bundle was taught (no conversion is guessed).
        BadPicture: other shape or type, or the region is not inside it. Output that nothing can be judged by (NaN,
        infinite, constant, out of range, a failed run) gives unsound Findings.
        """
        started_ns = time.monotonic_ns()
        cut = crop.crop_and_resize(picture, region, (self._shape[1], self._shape[2]))
        if cut.shape != self._shape:
            raise BadPicture(f"picture of {cut.shape[3]} channels: the bundle takes {self._shape[3]}")
        return self._findings(cut, region, started_ns)

    def find_cut(self, cut: npt.NDArray[np.uint8]) -> Findings:
        """Return what is seen in a picture that was cut to the model's input already, [1, height, width, channels]."""
        if cut.dtype != np.uint8 or cut.shape != self._shape:
            raise BadPicture(f"input of {cut.dtype} {cut.shape}: expected uint8 {self._shape}")
        return self._findings(cut, Box(0, 0, self._shape[2], self._shape[1]), time.monotonic_ns())

    def _findings(self, cut: npt.NDArray[np.uint8], region: Box, started_ns: int) -> Findings:
        try:
            score, heat = self._run(cut)
        except RuntimeError as error:
            return self._unsound(region, started_ns, f"the model did not run: {error}")
        trouble = _trouble(score, heat)
        if trouble:
            return self._unsound(region, started_ns, trouble)
        return Findings(region, score, heat, self.bundle.digest, time.monotonic_ns() - started_ns)

    def _unsound(self, region: Box, started_ns: int, trouble: str) -> Findings:
        out = self.bundle.manifest.output
        heat = np.zeros((out.rows, out.columns), np.float32)
        took_ns = time.monotonic_ns() - started_ns
        return Findings(region, math.inf, heat, self.bundle.digest, took_ns, trouble)

    def _run(self, cut: npt.NDArray[np.uint8]) -> tuple[float, npt.NDArray[np.float32]]:
        score, heat = self._session.run(self._outputs, {self.bundle.manifest.input.name: cut})
        return float(score[0]), heat[0]


def _trouble(score: float, heat: npt.NDArray[np.float32]) -> str:
    """What makes this output unfit to judge by; empty: nothing."""
    if not np.isfinite(heat).all() or not math.isfinite(score):
        return "NaN or infinite numbers in the model's output"
    low, high = float(heat.min()), float(heat.max())
    if low == high and heat.size > 1:
        return f"the heat map is constant ({low:g})"
    if max(abs(score), abs(low), abs(high)) > MOST_SCORE:
        return f"score {score:g} is out of range"
    return ""


def _check_ports(kind: str, name: str, found: list[Port], expected: dict[str, tuple[str, tuple[int, ...]]]) -> None:
    there = {port.name: port for port in found}
    if kind == "input" and set(there) != set(expected):
        raise BadBundle(f"{name}: inputs {sorted(there)}: the manifest says {sorted(expected)}")
    for port, (dtype, shape) in expected.items():
        if port not in there:
            raise BadBundle(f"{name}: {kind} {port!r} is missing; there are {sorted(there)}")
        if there[port].dtype != dtype or there[port].shape != shape:
            raise BadBundle(
                f"{name}: {kind} {port!r} is {there[port].dtype} {list(there[port].shape)}: "
                f"the manifest says {dtype} {list(shape)}"
            )
