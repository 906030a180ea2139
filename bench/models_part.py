"""What one part costs from the camera's bytes to the verdict, 1920x1200, stage by stage: for `bench/models.py`.

    bytes of the ring -> picture -> cut, inference, findings -> what is seen, judged

Stages are the product's own calls, in CPU time of one thread. Half of the parts are good, half have a scratch: the
judge has more to say of those.
"""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from okng.bus.errors import OkngError
from okng.imaging.develop import Developer
from okng.imaging.plan import DevelopPlan
from okng.inspect.findings_of import seen_by_model
from okng.inspect.judge import Judgement, judge
from okng.inspect.sections import Region, Rules
from okng.inspect.view import Cut
from okng.models.box import Box
from okng.models.bundle import open_bundle
from okng.models.crop import crop_and_resize
from okng.models.detector import Detector
from okng.simline.parts import render

WIDTH, HEIGHT = 1920, 1200
WARM_UP = 10
STAGES = ("develop", "find", "judge", "part")
"""find: cut, inference and findings. part: all of them."""
Picture = npt.NDArray[np.uint8]


@dataclass(slots=True)
class Part:
    """One camera's parts, judged by one bundle."""

    name: str
    pixel_format: str
    bundle: Path
    cpu_ms: dict[str, list[float]] = field(default_factory=lambda: {stage: [] for stage in (*STAGES, "cut")})
    outcomes: dict[str, int] = field(default_factory=dict)
    _raws: list[bytes] = field(default_factory=list)
    _detector: Detector | None = None
    _developer: Developer = field(default_factory=lambda: Developer(DevelopPlan()))

    def load(self) -> None:
        """Load the model and draw the parts."""
        colour = self.pixel_format != "Mono8"
        for index in range(6):
            shown = render(3, index, "scratch" if index % 2 else None, WIDTH, HEIGHT, colour).picture
            self._raws.append((mosaic(shown) if colour else shown).tobytes())
        self._detector = Detector(open_bundle(self.bundle))
        self._developer.prepare(WIDTH, HEIGHT, self.pixel_format)

    def judge_one(self, at: int, *, counted: bool = True) -> None:
        """Judge one part and keep what each stage took."""
        detector = self._detector
        if detector is None:
            raise OkngError(f"{self.name}: not loaded")
        entry = detector.bundle.manifest.input
        raw = self._raws[at % len(self._raws)]
        begun = time.process_time_ns()
        picture = self._developer.develop(raw, WIDTH, HEIGHT, self.pixel_format)
        developed = time.process_time_ns()
        box = Box(0, 0, WIDTH, HEIGHT)
        findings = detector.find(picture, box)
        found = time.process_time_ns()
        region = Region()
        cut = Cut(region, picture, box, (0, 0, WIDTH, HEIGHT))
        seen = seen_by_model(cut, findings, detector.bundle.manifest.threshold.value)
        judged: Judgement = judge(Rules(), [region], [seen])
        done = time.process_time_ns()
        again = time.process_time_ns()
        crop_and_resize(picture, box, (entry.height, entry.width))
        cut_ns = time.process_time_ns() - again
        if not counted:
            return
        took = (developed - begun, found - developed, done - found, done - begun)
        for stage, each in zip(STAGES, took, strict=True):
            self.cpu_ms[stage].append(each / 1e6)
        self.cpu_ms["cut"].append(cut_ns / 1e6)
        name = judged.outcome.name
        self.outcomes[name] = self.outcomes.get(name, 0) + 1

    def told(self) -> dict[str, Any]:
        """For the JSON: least and median CPU ms of each stage; cut is a part of find."""
        return {
            "stages_cpu_ms": {
                stage: {"least": round(min(each), 3), "median": round(float(np.median(each)), 3)}
                for stage, each in self.cpu_ms.items()
            },
            "parts": len(self.cpu_ms["part"]),
            "outcomes": self.outcomes,
        }


def judge_in_turn(parts: list[Part], rounds: int) -> None:
    """Judge parts of all cameras in turn."""
    for each in parts:
        each.load()
        for at in range(WARM_UP):
            each.judge_one(at, counted=False)
    for at in range(rounds):
        for each in parts:
            each.judge_one(at)


def mosaic(picture: Picture) -> Picture:
    """What a sensor with BayerRG8 filters sees of an RGB picture."""
    raw = np.ascontiguousarray(picture[:, :, 1])
    raw[0::2, 0::2] = picture[0::2, 0::2, 0]
    raw[1::2, 1::2] = picture[1::2, 1::2, 2]
    return raw
