"""GigE Vision and USB3 Vision cameras through Aravis, without a maker's producer. See aravis_nodes.py, too.

What is written around here, and why (Aravis 0.8, measured against its own GigE camera):
- a camera that another program holds opens all the same, without control: that is refused.
- a lost camera only ever times out. `control-lost` comes after 6 s, a register that does not answer says so in 3 to
  5 s: a thread of its own asks (asker.py).
- `get_data` copies, so a frame is copied twice on its way.
- frame numbers of GigE Vision 1.x have 16 bits; they are counted on here.
"""

import contextlib
from dataclasses import dataclass, field
from typing import Any

from ..bus.clock import MS, SECOND, now_ns
from ..bus.errors import BadSettings, CameraBusy, CameraLost
from ..imaging.formats import FORMATS
from .aravis_formats import format_names
from .aravis_nodes import Nodes, door, load
from .asker import Asker
from .devclock import Latch
from .features import Feature, Value
from .frame_ids import FrameIds
from .profiles import Profile
from .sfnc import Writer, name_of
from .source import CameraInfo, RawGrab, Source

_FRESH_NS = 1 * SECOND
"""A frame this young proves that the camera is there; no register is asked."""
_PATIENCE_NS = 1500 * MS
"""Longest wait for an answer. Aravis itself asks again for 3 s; a loop that stands still for 2 s is taken for dead."""
_LISTING_NS = 10 * SECOND
"""The same for all features at once."""
_CLOSE_NS = 500 * MS


@dataclass
class _Taken:
    """An open camera; let go of as a whole."""

    id: str
    camera: Any
    device: Any
    nodes: Nodes
    asker: Asker
    handler: int
    gone: list[str]
    """Filled by the library's own thread."""
    stream: Any = None
    ids: FrameIds = field(default_factory=FrameIds)
    latch: tuple[str, str] | None = None
    tick_hz: int = SECOND

    @property
    def lost(self) -> str:
        """Why it is no longer asked; empty: it is there."""
        return self.asker.lost or (self.gone[0] if self.gone else "")

    def release(self) -> None:
        """Give others the control; a reference that is still held somewhere must not keep it. CameraLost."""
        self.stream = None
        if not self.lost and hasattr(self.device, "leave_control"):
            with door("release"):
                self.device.leave_control()

    def command(self, name: str) -> None:
        """Run a command without a look at what it is. CameraLost, BadSettings."""
        with door(name):
            self.device.execute_command(name)


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
        taken = self._opened()
        return taken.asker.ask(lambda: taken.nodes.describe(name))

    def features(self) -> list[Feature]:
        """List every feature from the root category down."""
        taken = self._opened()
        return taken.asker.ask(taken.nodes.features, _LISTING_NS)

    def get(self, name: str) -> Value:
        """Read a feature."""
        taken = self._opened()
        return taken.asker.ask(lambda: taken.nodes.get(name))

    def set(self, name: str, value: Value) -> None:
        """Write a feature; what is refused is told with what is allowed."""
        taken = self._opened()
        taken.asker.ask(lambda: taken.nodes.set(name, value))

    def execute(self, name: str) -> None:
        """Run a command."""
        taken = self._opened()
        taken.asker.ask(lambda: taken.nodes.execute(name))

    def has(self, name: str) -> bool:
        """True where the feature exists and is available now."""
        taken = self._opened()
        return taken.asker.ask(lambda: taken.nodes.has(name))

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
            raise CameraBusy(f"camera {info.serial} is in use by another program")
        nodes = Nodes(self._library, device)
        gone: list[str] = []
        handler = device.connect("control-lost", lambda *_: gone.append(f"{info.serial}: it does not answer any more"))
        taken = _Taken(info.id, camera, device, nodes, Asker(info.serial, _PATIENCE_NS), handler, gone)
        latch, value = name_of(nodes, "TimestampLatch"), name_of(nodes, "TimestampLatchValue")
        if latch and value:
            taken.latch = (latch, value)
            if latch != "TimestampLatch" and nodes.has("GevTimestampTickFrequency"):
                taken.tick_hz = int(nodes.get("GevTimestampTickFrequency")) or SECOND
        return taken

    def _opened(self) -> _Taken:
        if self._taken is None:
            raise CameraLost("no camera is open")
        return self._taken

    def _configure(self, profile: Profile) -> Profile:
        self._opened()
        return Writer(self).write(profile)

    def _start(self, buffers: int) -> None:
        taken = self._opened()

        def begin() -> None:
            with door("start"):
                payload = taken.camera.get_payload()
                taken.ids = FrameIds()
                taken.stream = taken.camera.create_stream(None, None)
                for _ in range(buffers):
                    taken.stream.push_buffer(self._library.Buffer.new_allocate(payload))
                taken.device.execute_command("AcquisitionStart")

        taken.asker.ask(begin)
        self._came_ns = 0

    def _stop(self) -> None:
        taken = self._taken
        if taken is None or taken.lost:
            return
        with contextlib.suppress(BadSettings, CameraLost):
            taken.asker.ask(lambda: taken.command("AcquisitionStop"))
            taken.stream = None

    def _trigger(self) -> None:
        taken = self._opened()
        self._raise_if_lost(taken)
        taken.asker.ask(lambda: taken.command("TriggerSoftware"))

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
        taken = self._opened()
        self._raise_if_lost(taken)
        if now_ns() - self._came_ns >= _FRESH_NS:
            taken.asker.ask(lambda: taken.nodes.get("Width"))

    def _raise_if_lost(self, taken: _Taken) -> None:
        if taken.lost:
            raise CameraLost(taken.lost)

    def _latch(self) -> Latch | None:
        taken = self._opened()
        if taken.latch is None:
            return None
        command, value = taken.latch

        def ask() -> Latch:
            before_ns = now_ns()
            taken.command(command)
            after_ns = now_ns()
            return Latch(before_ns, int(taken.nodes.get(value)) * SECOND // taken.tick_hz, after_ns)

        return taken.asker.ask(ask)

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
        asker, held = taken.asker, [taken]
        del taken

        def let_go() -> None:
            with contextlib.suppress(BadSettings, CameraLost):
                held[0].release()
            held.clear()

        asker.end(let_go, _CLOSE_NS)  # of a camera that does not answer this takes 10 s
