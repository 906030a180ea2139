"""The detector: a picture and a region in, Findings out. One thread owns one detector.

picture, region -> crop -> session -> raw outputs -> adapter named in the manifest -> Findings
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..bus.errors import BadBundle, BadPicture, BadSettings
from . import (
    adapter_anomaly,
    adapter_classification,
    adapter_segmentation,
    adapter_torchvision,
    adapter_yolo,
    crop,
)
from .box import Box
from .bundle import Bundle
from .findings import Findings
from .manifest import Adapter
from .ports import check_ports
from .reading import Array, Reader, Reading, Unsound
from .runtime import Session
from .runtime_options import RuntimeOptions

AREA = ".area_px"
"""`scratch.area_px` among a region's limits is the least area of class `scratch`; `scratch` is its confidence."""
MOST_BATCH = 64
ADAPTERS: dict[Adapter, Callable[[Sequence[Array], Reader], Reading]] = {
    "anomaly": adapter_anomaly.read,
    "classification": adapter_classification.read,
    "segmentation": adapter_segmentation.read,
    "torchvision_detection": adapter_torchvision.read,
    "yolo": adapter_yolo.read,
}
Cut = npt.NDArray[np.uint8]


class Detector:
    """One bundle on one execution provider."""

    def __init__(
        self,
        bundle: Bundle,
        provider: str = "cpu",
        threads: int = 1,
        *,
        batch: int = 1,
        options: RuntimeOptions | None = None,
    ) -> None:
        """Load the bundle's verified bytes and run them once.

        provider: `cpu`, `cuda`, `tensorrt` or `openvino`. threads: of one inference, 1 or more; more than one helps
        only where cores are idle. batch: pictures that `find_many` looks at in one run, 1..64, where the graph's first
        axis is free; more helps on a GPU. options: the rest, see `Session`.
        BadSettings: the provider is not there. BadBundle: the graph does not load, run, or is not as the manifest says.
        """
        if not 1 <= batch <= MOST_BATCH:
            raise BadSettings(f"batch = {batch}: expected 1..{MOST_BATCH}")
        self.bundle = bundle
        entry, out = bundle.manifest.input, bundle.manifest.output
        if entry.crop != crop.METHOD:
            raise BadBundle(f"{bundle.folder}: crop {entry.crop!r}: this box cuts by {crop.METHOD!r}")
        self._name = f"{bundle.folder}/model.onnx"
        self._shape = (1, entry.height, entry.width, entry.channels)
        self._outputs = [*out.ports, *([out.features] if out.features else [])]
        self._read = ADAPTERS[out.adapter]
        self._session = self._loaded(provider, threads, 1, options)
        self.provider: str = self._session.provider
        """ONNX Runtime's name of what runs it, for example CPUExecutionProvider."""
        check_ports(self._name, self._session, bundle.manifest)
        self._many: Session | None = None
        self.batch = 1
        """Pictures of one run of `find_many`; 1 where the graph takes no more."""
        if batch > 1:
            many = self._loaded(provider, threads, batch, options)
            if takes(many, batch):
                self._many, self.batch = many, batch
        try:
            self.warm()
        except RuntimeError as error:
            raise BadBundle(f"{self._name}: does not run: {error}") from error

    @property
    def failures(self) -> int:
        """Runs that failed since it was loaded."""
        return self._session.failures + (self._many.failures if self._many else 0)

    def warm(self) -> None:
        """Run an empty picture and forget what came out. RuntimeError: it failed."""
        self._session.run(self._outputs, {self.bundle.manifest.input.name: np.zeros(self._shape, np.uint8)})
        if self._many is not None:
            self._many.warm()

    def check_limits(self, limits: Mapping[str, float]) -> None:
        """Raise BadSettings when limits name what the bundle does not know, or are no limits. Asked at activation."""
        known = self.bundle.manifest.output.classes
        for name, value in limits.items():
            if name.removesuffix(AREA) not in known:
                raise BadSettings(f"limits: {name}: the bundle knows {', '.join(known) or 'no classes'}")
            if not (math.isfinite(value) and value >= 0 and (value > 0 or name.endswith(AREA))):
                raise BadSettings(f"limits: {name} = {value}: expected a number above 0")

    def find(self, picture: Cut, region: Box, limits: Mapping[str, float] | None = None) -> Findings:
        """Return what is seen in a region.

        picture: uint8, grey [h, w] or RGB [h, w, 3], as the bundle was taught (no conversion is guessed). limits: of
        classes, in place of the bundle's own; see `check_limits`.
        BadPicture: other shape or type, or the region is not inside it. Output that nothing can be judged by (NaN,
        another shape, out of range, a failed run) gives unsound Findings.
        """
        started_ns = time.monotonic_ns()
        return self._findings(self._session, self._cut(picture, region), [(region, limits)], started_ns)[0]

    def find_cut(self, cut: Cut, limits: Mapping[str, float] | None = None) -> Findings:
        """Return what is seen in a picture that was cut to the model's input already, [1, height, width, channels]."""
        if cut.dtype != np.uint8 or cut.shape != self._shape:
            raise BadPicture(f"input of {cut.dtype} {cut.shape}: expected uint8 {self._shape}")
        whole = Box(0, 0, self._shape[2], self._shape[1])
        return self._findings(self._session, cut, [(whole, limits)], time.monotonic_ns())[0]

    def find_many(
        self, regions: Sequence[tuple[Cut, Box]], limits: Sequence[Mapping[str, float] | None] | None = None
    ) -> list[Findings]:
        """Return what is seen in several regions, of one picture or of several, in their order.

        As many as `batch` go in one run; a last run that is not full is filled up with empty pictures. `took_ns` is a
        region's share of its run. Errors as in `find`; a run that fails makes all its regions unsound.
        """
        chosen = list(limits) if limits is not None else [None] * len(regions)
        if len(chosen) != len(regions):
            raise ValueError(f"{len(chosen)} limits for {len(regions)} regions")
        found: list[Findings] = []
        for start in range(0, len(regions), self.batch):
            started_ns = time.monotonic_ns()
            some = regions[start : start + self.batch]
            asked = [(box, chosen[start + at]) for at, (_, box) in enumerate(some)]
            cuts = [self._cut(picture, box) for picture, box in some]
            if self._many is None or len(some) == 1:
                found += self._findings(self._session, cuts[0], asked, started_ns)
            else:
                empty = np.zeros((self.batch - len(cuts), *self._shape[1:]), np.uint8)
                found += self._findings(self._many, np.concatenate([*cuts, empty]), asked, started_ns)
        return found

    def _cut(self, picture: Cut, region: Box) -> Cut:
        cut = crop.crop_and_resize(picture, region, (self._shape[1], self._shape[2]))
        if cut.shape != self._shape:
            raise BadPicture(f"picture of {cut.shape[3]} channels: the bundle takes {self._shape[3]}")
        return cut

    def _findings(
        self, session: Session, cuts: Cut, asked: Sequence[tuple[Box, Mapping[str, float] | None]], started_ns: int
    ) -> list[Findings]:
        try:
            raw = session.run(self._outputs, {self.bundle.manifest.input.name: cuts})
        except RuntimeError as error:
            return [self._unsound(box, started_ns, f"the model did not run: {error}") for box, _ in asked]
        # One picture: as it is, for boxes that were found are counted along the first axis, not pictures.
        apart = [raw] if len(cuts) == 1 else [[value[at : at + 1] for value in raw] for at in range(len(asked))]
        began_ns = started_ns
        if len(asked) > 1:
            began_ns = time.monotonic_ns() - (time.monotonic_ns() - started_ns) // len(asked)
        return [self._one(outputs, box, limits, began_ns) for outputs, (box, limits) in zip(apart, asked, strict=True)]

    def _one(self, outputs: list[Array], box: Box, limits: Mapping[str, float] | None, started_ns: int) -> Findings:
        out = self.bundle.manifest.output
        try:
            reading = self._read(outputs, self._reader(box, limits or {}))
            features = _features(outputs[-1], out.features) if out.features else None
        except Unsound as error:
            return self._unsound(box, started_ns, str(error))
        return Findings(
            box,
            reading.score,
            reading.heat,
            self.bundle.digest,
            time.monotonic_ns() - started_ns,
            spots=reading.spots,
            measures=reading.measures,
            features=features,
        )

    def _reader(self, region: Box, limits: Mapping[str, float]) -> Reader:
        manifest = self.bundle.manifest
        out = manifest.output
        return Reader(
            out,
            self._shape[2],
            self._shape[1],
            region,
            np.array([limits.get(name, manifest.class_limit(name)) for name in out.classes], np.float64),
            np.array([limits.get(name + AREA, out.area_limits_px.get(name, 0.0)) for name in out.classes], np.float64),
        )

    def _unsound(self, region: Box, started_ns: int, trouble: str) -> Findings:
        out = self.bundle.manifest.output
        heat = np.zeros((out.rows, out.columns), np.float32)
        took_ns = time.monotonic_ns() - started_ns
        return Findings(region, math.inf, heat, self.bundle.digest, took_ns, trouble)

    def _loaded(self, provider: str, threads: int, batch: int, options: RuntimeOptions | None) -> Session:
        try:
            return Session(self.bundle.model, provider, threads, batch, options)
        except BadBundle as error:
            raise BadBundle(f"{self._name}: {error}") from error


def takes(session: Session, batch: int) -> bool:
    """True where the graph's first axis was free, and what it gives is counted by pictures."""
    return session.inputs[0].shape[0] == batch and all(
        bool(port.shape) and port.shape[0] == batch for port in session.outputs
    )


def _features(found: Any, name: str) -> npt.NDArray[np.float32]:
    values = np.asarray(found)
    if values.ndim != 2 or values.shape[0] != 1 or not np.isfinite(values).all():
        raise Unsound(f"NaN or another shape than [1, k] in output {name!r}: {list(values.shape)}")
    return np.asarray(values[0], np.float32)
