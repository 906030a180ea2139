"""GigE Vision and USB3 Vision cameras through Aravis, without a maker's producer. See aravis_nodes.py, too.

What is written around here, and why (Aravis 0.8, measured against its own GigE camera):
- a camera that another program holds opens all the same, without control: that is refused.
- a lost camera only ever times out. `control-lost` comes after 6 s; a register that does not answer says so in 3 s.
- `get_data` copies, so a frame is copied twice on its way.
- frame numbers of GigE Vision 1.x have 16 bits; they are counted on here.
"""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..bus.clock import SECOND, now_ns
from ..bus.errors import BadSettings, CameraLost
from ..imaging.formats import FORMATS
from .aravis_formats import format_names
from .aravis_nodes import Nodes, door, load
from .devclock import Latch
from .features import Feature, Value
from .frame_ids import FrameIds
from .profiles import Profile
from .sfnc import Writer, name_of
from .source import CameraInfo, RawGrab, Source

_FRESH_NS = 1 * SECOND
"""A frame this young proves that the camera is there; no register is asked."""
_CLOSE_S = 0.5


@dataclass
class _Taken:
    """An open camera; let go of as a whole."""

    id: str
    camera: Any
    device: Any
    nodes: Nodes
    handler: int
    lost: list[str]
    """Filled by the library's own thread."""
    stream: Any = None
    ids: FrameIds = field(default_factory=FrameIds)
    latch: tuple[str, str] | None = None
    tick_hz: int = SECOND


class AravisSource(Source):
    """One camera of the network. After CameraLost make a new one."""

    def __init__(self) -> None:
        """BadSettings: Aravis is not installed."""
        super().__init__()
        self._library = load()
        self._names = format_names(self._library)
        self._taken: _Taken | None = None
        self._came_ns = 0

    def discover(self) -> list[CameraInfo]:
        """List what answers on all networks within a second. Who holds a camera shows only when it is opened."""
        self._library.update_device_list()
        return self._listed()

    def open(self, serial: str) -> None:
        """Take the camera with that serial number (or that id), or the only one."""
        if self._taken is not None:
            raise BadSettings(f"serial = {serial!r}: this source has a camera open already")
        known = [each for each in self._listed() if serial in (each.serial, each.id)]
        if len(known) == 1:  # seen before: asking all networks again takes a second
            with contextlib.suppress(CameraLost):
                self._taken = self._take(known[0])
                return
        cameras = self.discover()
        chosen = [each for each in cameras if serial in ("", each.serial, each.id)]
        listed = ", ".join(each.serial for each in cameras) or "none"
        if not chosen:
            raise CameraLost(f"camera {serial or '(any)'}: not found by Aravis, which sees {listed}")
        if len(chosen) > 1:
            raise BadSettings(f"serial = {serial!r}: expected one camera's, Aravis sees {listed}")
        self._taken = self._take(chosen[0])

    def describe(self, name: str) -> Feature:
        """Say what a feature is and can be."""
        with self._asked() as taken:
            return taken.nodes.describe(name)

    def features(self) -> list[Feature]:
        """List every feature from the root category down."""
        with self._asked() as taken:
            return taken.nodes.features()

    def get(self, name: str) -> Value:
        """Read a feature."""
        with self._asked() as taken:
            return taken.nodes.get(name)

    def set(self, name: str, value: Value) -> None:
        """Write a feature; what is refused is told with what is allowed."""
        with self._asked() as taken:
            taken.nodes.set(name, value)

    def execute(self, name: str) -> None:
        """Run a command."""
        with self._asked() as taken:
            taken.nodes.execute(name)

    # ---- the private half ----

    def _listed(self) -> list[CameraInfo]:
        """What answered when it was last asked."""
        library = self._library
        return [
            CameraInfo(
                id=library.get_device_id(at),
                vendor=library.get_device_vendor(at) or "",
                model=library.get_device_model(at) or "",
                serial=library.get_device_serial_nbr(at) or library.get_device_id(at),
                layer={"GigEVision": "GEV", "USB3Vision": "U3V"}.get(library.get_device_protocol(at), "Custom"),
                producer="aravis",
                free=self._taken is None or self._taken.id != library.get_device_id(at),
            )
            for at in range(library.get_n_devices())
        ]

    def _take(self, info: CameraInfo) -> _Taken:
        try:
            with door(f"open {info.serial}"):
                camera = self._library.Camera.new(info.id)
        except BadSettings as error:  # it was listed just now, and is gone
            raise CameraLost(str(error)) from error
        device = camera.get_device()
        if hasattr(device, "is_controller") and not device.is_controller():
            raise BadSettings(f"camera {info.serial} is in use by another program")
        nodes = Nodes(self._library, device)
        lost: list[str] = []
        handler = device.connect("control-lost", lambda *_: lost.append("it has stopped to answer"))
        taken = _Taken(info.id, camera, device, nodes, handler, lost)
        latch, value = name_of(nodes, "TimestampLatch"), name_of(nodes, "TimestampLatchValue")
        if latch and value:
            taken.latch = (latch, value)
            if latch != "TimestampLatch" and nodes.has("GevTimestampTickFrequency"):
                taken.tick_hz = int(nodes.get("GevTimestampTickFrequency")) or SECOND
        return taken

    @contextlib.contextmanager
    def _asked(self) -> Iterator[_Taken]:
        """The open camera, for one question. One that did not answer once is not asked again: each takes seconds."""
        taken = self._opened()
        self._raise_if_lost(taken)
        try:
            yield taken
        except CameraLost as error:
            taken.lost.append(str(error))
            raise

    def _opened(self) -> _Taken:
        if self._taken is None:
            raise CameraLost("no camera is open")
        return self._taken

    def _configure(self, profile: Profile) -> Profile:
        with self._asked() as taken:
            return Writer(taken.nodes).write(profile)

    def _start(self, buffers: int) -> None:
        with self._asked() as taken, door("start"):
            payload = taken.camera.get_payload()
            taken.ids = FrameIds()
            taken.stream = taken.camera.create_stream(None, None)
            for _ in range(buffers):
                taken.stream.push_buffer(self._library.Buffer.new_allocate(payload))
            taken.device.execute_command("AcquisitionStart")
        self._came_ns = 0

    def _stop(self) -> None:
        taken = self._taken
        if taken is None or taken.lost:  # each question to a lost one takes seconds
            return
        with contextlib.suppress(BadSettings, CameraLost), door("stop"):
            taken.device.execute_command("AcquisitionStop")
        taken.stream = None

    def _trigger(self) -> None:
        with self._asked() as taken, door("TriggerSoftware"):
            taken.device.execute_command("TriggerSoftware")

    def _grab(self, into: memoryview, timeout_ns: int) -> RawGrab | None:
        taken = self._opened()
        stream = taken.stream
        buffer = stream.timeout_pop_buffer(max(timeout_ns // 1000, 1))
        received_ns = now_ns()
        if buffer is None:
            self._raise_if_lost(taken)
            return None
        self._came_ns = received_ns
        try:
            raw = self._copied(taken, buffer, into, received_ns)
        finally:
            stream.push_buffer(buffer)
        if raw is None:
            self._incomplete += 1
        return raw

    def _copied(self, taken: _Taken, buffer: Any, into: memoryview, received_ns: int) -> RawGrab | None:
        """Copy the picture out; None: bytes are missing, or it is none."""
        library = self._library
        number = taken.ids.number(buffer.get_frame_id())
        if buffer.get_status() != library.BufferStatus.SUCCESS:
            return None
        if buffer.get_payload_type() not in (
            library.BufferPayloadType.IMAGE,
            library.BufferPayloadType.EXTENDED_CHUNK_DATA,
        ):
            return None
        width, height = buffer.get_image_width(), buffer.get_image_height()
        code = buffer.get_image_pixel_format() & 0xFFFFFFFF
        name = self._names.get(code, f"0x{code:08X}")
        data: bytes = buffer.get_data()
        fmt = FORMATS.get(name)
        size = len(data) if fmt is None else fmt.payload_bytes(width, height)
        padding, _ = buffer.get_image_padding()
        if size > len(data) or padding:  # padded lines are not what the format says
            return None
        fits = size <= len(into)
        if fits:
            into[:size] = memoryview(data)[:size]
        return RawGrab(
            number=number,
            width=width,
            height=height,
            pixel_format=name,
            size_bytes=size if fits else 0,
            device_ns=buffer.get_timestamp() or None,
            received_ns=received_ns,
        )

    def _probe(self) -> None:
        with self._asked() as taken, door("probe"):
            if now_ns() - self._came_ns >= _FRESH_NS:
                taken.device.get_integer_feature_value("Width")

    def _raise_if_lost(self, taken: _Taken) -> None:
        if taken.lost:
            raise CameraLost(f"{taken.id}: {taken.lost[0]}")

    def _latch(self) -> Latch | None:
        latch = self._opened().latch
        if latch is None:
            return None
        command, value = latch
        with self._asked() as taken, door(command):
            before_ns = now_ns()
            taken.device.execute_command(command)
            after_ns = now_ns()
            ticks = int(taken.device.get_integer_feature_value(value))
        return Latch(before_ns, ticks * SECOND // taken.tick_hz, after_ns)

    def _underrun(self) -> int:
        taken = self._taken
        if taken is None or taken.stream is None:
            return 0
        return int(taken.stream.get_info_uint64_by_name("n_underruns"))

    def _close(self) -> None:
        taken, self._taken = self._taken, None
        if taken is None:
            return
        taken.device.disconnect(taken.handler)
        # Letting go of a camera that does not answer takes 10 s: not in this thread.
        held = [taken]
        del taken
        thread = threading.Thread(target=held.clear, name="aravis close", daemon=True)
        thread.start()
        thread.join(_CLOSE_S)
