"""The simulated camera driven by harvesters alone, as any GenICam camera: no code of the product in between."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from genicam import genapi, gentl
from harvesters.core import Callback, Harvester

from okng.simline.build import build
from okng.simline.scene import Scene

Bytes = npt.NDArray[np.uint8]
REFUSED = (genapi.GenericException, gentl.GenericException)
SERIAL = "SN0000"
WAIT_S = 5.0
"""Long enough for a frame on a loaded machine; a test that fails waits so long, one that passes does not."""


@dataclass
class Shot:
    """One frame, copied out."""

    number: int
    device_ns: int | None
    width: int
    height: int
    pixel_format: int
    data: Bytes
    """All bytes of the frame, the chunks among them."""
    chunks: dict[str, Any]
    """Chunk features that could be read while the buffer was held."""


class _Count(Callback):  # type: ignore[misc] # harvesters is untyped
    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def emit(self, context: Any | None = None) -> None:
        self.seen += 1


class Rig:
    """One open camera."""

    def __init__(self, harvester: Any) -> None:
        self.acquirer: Any = harvester.create({"serial_number": SERIAL})
        self.nodes: Any = self.acquirer.remote_device.node_map
        self.incomplete = _Count()
        self.acquirer.add_callback(self.acquirer.Events.INCOMPLETE_BUFFER, self.incomplete)

    def set(self, **features: Any) -> None:
        """Set features in the given order; a command is run."""
        for name, value in features.items():
            node = self.nodes.get_node(name)
            if isinstance(node, genapi.ICommand):
                node.execute()
            else:
                node.value = value

    def get(self, name: str) -> Any:
        return self.nodes.get_node(name).value

    def start(self, **features: Any) -> None:
        self.stop()
        self.set(**features)
        self.acquirer.num_buffers = 8
        self.acquirer.start()

    def stop(self) -> None:
        if self.acquirer.is_acquiring():
            self.acquirer.stop()

    def fire(self) -> None:
        self.nodes.TriggerSoftware.execute()

    def fetch(self, timeout_s: float = WAIT_S) -> Shot | None:
        """The next frame; None: none in time."""
        buffer = self.acquirer.try_fetch(timeout=timeout_s, is_raw=True)
        if buffer is None:
            return None
        try:
            chunks = {}
            for name in ("ChunkFrameID", "ChunkTimestamp", "ChunkExposureTime", "ChunkCounterValue"):
                with contextlib.suppress(*REFUSED):
                    chunks[name] = self.get(name)
            stamp = None
            with contextlib.suppress(*REFUSED):
                stamp = int(buffer.timestamp_ns)
            data = np.frombuffer(buffer.raw_buffer, np.uint8)[: buffer.size_filled].copy()
            return Shot(
                int(buffer.frame_id),
                stamp,
                int(buffer.width),
                int(buffer.height),
                int(buffer.pixel_format),
                data,
                chunks,
            )
        finally:
            buffer.parent.queue_buffer(buffer)

    def must_fetch(self) -> Shot:
        shot = self.fetch()
        assert shot is not None, "no frame came"
        return shot

    def shoot(self) -> Shot:
        self.fire()
        return self.must_fetch()


TRIGGERED: dict[str, Any] = {"TriggerSelector": "FrameStart", "TriggerMode": "On", "TriggerSource": "Software"}
QUICK: dict[str, Any] = {**TRIGGERED, "ExposureTime": 100.0}


@contextlib.contextmanager
def opened(library: Path | None = None) -> Iterator[Rig]:
    """Open the camera of the folder in OKNG_SIM."""
    harvester = Harvester()
    harvester.add_file(str(library or build()))
    harvester.update()
    rig = Rig(harvester)
    try:
        yield rig
    finally:
        with contextlib.suppress(*REFUSED):
            rig.acquirer.destroy()
        harvester.reset()


def until(scene: Scene, name: str, wanted: int) -> int:
    """Wait until a counter of the world has come to a value; return what it is in the end."""
    end = time.monotonic() + WAIT_S
    while getattr(scene, name) < wanted and time.monotonic() < end:
        time.sleep(0.002)
    return int(getattr(scene, name))
