"""A recipe of one region, bundles that call the brightest pixel by other names, and a ring to put pictures into."""

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from onnx import TensorProto, helper, numpy_helper

from okng.bus.clock import now_ns
from okng.bus.ladder import ChallengerOrder, Role
from okng.bus.messages import BundleAt, FrameReady, Job, JobOrder, JobPhase, PastModel
from okng.bus.ring import RingWriter
from okng.inspect.inspector import Inspector
from okng.inspect.options import InspectOptions
from okng.inspect.recipe import ActiveRecipe, read_recipe
from okng.models.bundle import write_bundle
from okng.tests.models.conftest import contents, fields, graph

SIDE = 64
GOOD, BETWEEN, BAD, POISON = 100, 170, 250, 133
"""Brightest pixels of a part: good for all, bad for the keen model alone, bad for all, and where one gives NaN."""
LEVELS = (10, 100, 250)


def keen() -> Any:
    """Calls a pixel of 160 and more bad: the usual one begins at 200."""
    return graph(scale=1.25)


def poisoned() -> Any:
    """As the usual one, but NaN where the brightest pixel of a cell is exactly POISON: 0 / 0."""
    model = graph()
    body = model.graph
    body.initializer.append(numpy_helper.from_array(np.array(float(POISON), np.float32), "poison"))
    zero = helper.make_node("Sub", ["scaled", "poison"], ["off"])
    times = helper.make_node("Mul", ["scaled", "off"], ["blown"])
    divided = helper.make_node("Div", ["blown", "off"], ["sound"])
    nodes = list(body.node)
    at = next(place for place, node in enumerate(nodes) if node.op_type == "Div")
    nodes[at].input[0] = "sound"
    del body.node[:]
    body.node.extend([*nodes[:at], zero, times, divided, *nodes[at:]])
    return model


def narrow() -> Any:
    """Takes pictures in colour, which no camera here sends."""
    return graph(channels=3, dtype=TensorProto.UINT8)


def write(folder: Path, model: Any, scale: float = 1.0, **changes: Any) -> str:
    """Write a bundle whose golden pictures score by that scale; return its digest."""
    scores = {level: level * scale for level in LEVELS}
    return write_bundle(folder, contents(model.SerializeToString(), scores), fields(**changes), replace=True)


class Rig:
    """A folder with a recipe, its bundle behind a link, more bundles, and a camera's ring."""

    def __init__(self, folder: Path, deadline_ms: int = 2000, more: dict[str, Any] | None = None) -> None:
        self.folder, self.run_dir = folder, folder / "run"
        self.run_dir.mkdir()
        self.bundles: dict[str, str] = {}
        """Digests, by name of the folder."""
        self.add("plain", graph())
        self.add("keen", keen(), 1.25)
        self.link("plain")
        content: dict[str, Any] = {"name": "r", "deadline_ms": deadline_ms, "bundle": "current"}
        content["camera"] = {"width": SIDE, "height": SIDE}
        content |= {"regions": [{"name": "bore", "box": [0, 0, 32, 32]}], "rules": {"brightness": [0, 255]}}
        (folder / "recipe.yaml").write_text(yaml.safe_dump(content | (more or {})), encoding="utf-8")
        self.ring = RingWriter(self.run_dir, "top", 8, SIDE * SIDE)
        self.parts = itertools.count(1)
        self.numbers = itertools.count(1)

    def add(self, name: str, model: Any, scale: float = 1.0, **changes: Any) -> str:
        """One more bundle."""
        self.bundles[name] = write(self.folder / name, model, scale, **changes)
        return self.bundles[name]

    def link(self, name: str) -> None:
        """What the recipe's link leads to."""
        new = self.folder / "current.new"
        new.symlink_to(name)
        new.rename(self.folder / "current")

    def read(self, number: int = 1) -> ActiveRecipe:
        """The recipe, afresh."""
        return read_recipe(self.folder / "recipe.yaml")

    def inspector(self) -> Inspector:
        """Who judges by it."""
        return Inspector(1, self.read(), InspectOptions(), ("top",), self.run_dir)

    def trial(self, name: str, role: Role = Role.SHADOW, replaces: str = "plain", **change: Any) -> ChallengerOrder:
        """What sync orders. name: of the bundle's folder; replaces: the same, or a digest."""
        wanted = {
            "number": next(self.numbers),
            "job": 1,
            "recipe": self.read().revision,
            "bundle": self.bundles[name],
            "folder": str(self.folder / name),
            "replaces": self.bundles.get(replaces, replaces),
            "role": role,
        }
        return ChallengerOrder(**{**wanted, **change})

    def job_order(self, job: Job, bundle: str, since_ns: int = 0, *past: PastModel) -> JobOrder:
        """What io orders: job by that bundle."""
        at = (BundleAt("current", self.bundles[bundle], str(self.folder / bundle)),)
        return JobOrder("run", 0, JobPhase.STEADY, 1, job, since_ns=since_ns, past=past, bundles=at)

    def frame(self, level: int, at_ns: int | None = None) -> FrameReady:
        """A part whose brightest pixel is so bright, in the ring."""
        number = next(self.parts)
        picture = np.full((SIDE, SIDE), 20, np.uint8)
        picture[7, 9], picture[7, 41] = level, 90
        slot, into = self.ring.begin()
        with into:
            into[: picture.size] = picture.tobytes()
        sequence = self.ring.commit(slot, part=number, number=number, epoch=1, size=picture.size)
        at = now_ns() if at_ns is None else at_ns
        return FrameReady(
            part=number,
            camera="top",
            ring=self.ring.name,
            slot=slot,
            sequence=sequence,
            number=number,
            epoch=1,
            width=SIDE,
            height=SIDE,
            pixel_format="Mono8",
            size_bytes=SIDE * SIDE,
            triggered_at_ns=at,
            exposed_at_ns=at,
            device_ns=None,
            received_ns=now_ns(),
            ready_ns=now_ns(),
            taken_at="2026-11-27T00:00:00Z",
        )


def until(true: Callable[[], object], seconds: float = 20.0) -> bool:
    """Wait until it is so; False after that time."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True
