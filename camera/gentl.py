"""GenICam cameras through harvesters: the one file that knows harvesters and genicam.

What is written around here, and why (harvesters 1.4.3 [m]: measured, see its issue numbers):
- `try_fetch` with a timeout above 0 only: 0 waits for ever. It comes back at once when an incomplete frame arrived.
- never `start(run_as_thread=True)`: with a lost device its fetch hangs.
- a buffer is copied and given back at once: giving it back fills it with zeros, later frames overwrite it (#158).
- a lost camera only ever times out; that it is gone shows in a node read, so `probe` reads one.
- `update()` unloads the producer under every open camera (#475), and a lost camera stays lost inside its Harvester:
  one process, one Harvester, one camera; after CameraLost the process starts afresh.
- creating an acquirer in the main thread replaces the SIGINT handler: it is put back.
"""

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from genicam import genapi, gentl
from harvesters.core import Callback, Harvester

from ..bus.clock import SECOND, now_ns
from ..bus.errors import BadSettings, CameraLost
from .devclock import Latch
from .profiles import Profile
from .source import CameraInfo, Feature, Kind, RawGrab, Source, Value

_FOREIGN = (gentl.GenericException, genapi.GenericException)
_MISUSE = (
    genapi.AccessException,
    genapi.InvalidArgumentException,
    genapi.LogicalErrorException,
    genapi.OutOfRangeException,
    genapi.PropertyException,
    gentl.ResourceInUseException,
    gentl.AccessDeniedException,
)
"""The camera is there but does not do that."""
_READABLE, _WRITABLE = (3, 4), (2, 4)
"""GenApi access modes: 2 write only, 3 read only, 4 both."""
_KINDS: dict[str, Kind] = {
    "IInteger": "integer",
    "IFloat": "float",
    "IBoolean": "boolean",
    "IEnumeration": "choice",
    "IString": "text",
    "ICommand": "command",
}
_OPEN_TO_ALL = (0, 1)
"""Device access status: unknown, read-write."""
_FLOAT_SLACK = 0.02
"""A camera rounds exposure, gain and rate to its own steps; what is read back may differ by this share."""

# Each incomplete frame and timeout would be a line there; they are counted here.
logging.getLogger("harvesters").setLevel(logging.CRITICAL)


class _Incomplete(Callback):  # type: ignore[misc] # harvesters is untyped
    """Counts the frames that harvesters throws away because bytes are missing."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def emit(self, context: Any | None = None) -> None:
        """Called by harvesters inside `try_fetch`."""
        self.seen += 1


@contextlib.contextmanager
def _door(doing: str) -> Iterator[None]:
    """Nothing of genicam leaves this file: misuse becomes BadSettings, all else CameraLost."""
    try:
        yield
    except _MISUSE as error:
        raise BadSettings(f"{doing}: {_text(error)}") from error
    except _FOREIGN as error:
        raise CameraLost(f"{doing}: {_text(error)}") from error


def _text(error: BaseException) -> str:
    """The first line: genicam appends file and line of its own source."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


def find_producer(producer: Path | None) -> Path:
    """Return the `.cti` to load: the named one, or the only one in the folders of GENICAM_GENTL64_PATH.

    BadSettings: it is missing, or the folders hold none or several.
    """
    if producer is not None:
        if not producer.is_file():
            raise BadSettings(f"producer = {str(producer)!r}: no such file")
        return producer
    folders = [Path(part) for part in os.environ.get("GENICAM_GENTL64_PATH", "").split(os.pathsep) if part]
    found = sorted(file for folder in folders for file in folder.glob("*.cti"))
    if len(found) != 1:
        names = ", ".join(map(str, found)) or "none"
        raise BadSettings(f"producer: not set, expected one .cti in GENICAM_GENTL64_PATH, found {names}")
    return found[0]


class GentlSource(Source):
    """One GenICam camera. After CameraLost throw the whole process away."""

    def __init__(self, producer: Path | None) -> None:
        """producer: the camera maker's `.cti`, see `find_producer`. BadSettings: it is missing."""
        super().__init__()
        self._producer = find_producer(producer)
        self._harvester: Any = None
        self._acquirer: Any = None
        self._nodes: Any = None
        self._dropped = _Incomplete()
        self._can_latch = False

    def discover(self) -> list[CameraInfo]:
        """List what the producer sees. While a camera is open: what was seen when it was opened."""
        infos = [self._info(device) for device in self._load().device_info_list]
        if self._acquirer is None:
            self._close()
        return infos

    def open(self, serial: str) -> None:
        """Take the camera with that serial number (or that id), or the only one."""
        if self._acquirer is not None:
            raise BadSettings(f"serial = {serial!r}: this source has a camera open already")
        devices = self._load().device_info_list
        known = [(_property(device, "serial_number"), _property(device, "id_")) for device in devices]
        chosen = [at for at, names in enumerate(known) if not serial or serial in names]
        listed = ", ".join(name or other for name, other in known) or "none"
        if not chosen:
            self._close()
            raise CameraLost(f"camera {serial or '(any)'}: not found by {self._producer.name}, which sees {listed}")
        if len(chosen) > 1:
            self._close()
            raise BadSettings(f"serial = {serial!r}: expected one camera's, {self._producer.name} sees {listed}")
        try:
            with _door(f"open {serial or listed}"), _own_sigint():
                self._acquirer = self._harvester.create(chosen[0])
                self._acquirer.add_callback(self._acquirer.Events.INCOMPLETE_BUFFER, self._dropped)
                self._nodes = self._acquirer.remote_device.node_map
                self._can_latch = self._has("TimestampLatch") and self._has("TimestampLatchValue")
        except BadSettings as error:
            self._close()
            raise BadSettings(f"camera {serial or listed} is in use by another program ({error})") from error
        except CameraLost:
            self._close()
            raise

    def describe(self, name: str) -> Feature:
        """Say what a feature can be."""
        node = self._node(name)
        kind: Kind = _KINDS.get(type(node).__name__, "other")
        with _door(name):
            number = kind in ("integer", "float")
            has_step = kind == "integer" or (kind == "float" and node.has_inc())
            return Feature(
                name=name,
                kind=kind,
                low=node.min if number else None,
                high=node.max if number else None,
                step=node.inc if has_step else None,
                choices=tuple(node.symbolics) if kind == "choice" else (),
                writable=node.get_access_mode() in _WRITABLE,
            )

    def get(self, name: str) -> Value:
        """Read a feature."""
        node = self._node(name)
        with _door(name):
            if node.get_access_mode() not in _READABLE or not hasattr(node, "value"):
                raise BadSettings(f"{name}: cannot be read")
            value: Value = node.value
            return value

    def set(self, name: str, value: Value) -> None:
        """Write a feature; what is out of range is refused with the range."""
        node = self._node(name)
        feature = self.describe(name)
        if not feature.writable:
            raise BadSettings(f"{name} = {value}: the camera does not let it be written now")
        if feature.choices and value not in feature.choices:
            raise BadSettings(f"{name} = {value}: expected one of {', '.join(feature.choices)}")
        if feature.low is not None and feature.high is not None and not isinstance(value, str):
            on_step = not feature.step or feature.kind == "float" or (value - feature.low) % feature.step == 0
            if not feature.low <= value <= feature.high or not on_step:
                raise BadSettings(f"{name} = {value}: expected {_range(feature)}")
        with _door(f"{name} = {value}"):
            node.value = value

    def execute(self, name: str) -> None:
        """Run a command."""
        node = self._node(name)
        if not hasattr(node, "execute"):
            raise BadSettings(f"{name}: not a command")
        with _door(name):
            node.execute()

    # ---- the private half ----

    def _info(self, device: Any) -> CameraInfo:
        return CameraInfo(
            id=_property(device, "id_"),
            vendor=_property(device, "vendor"),
            model=_property(device, "model"),
            serial=_property(device, "serial_number"),
            layer=_property(device, "tl_type"),
            producer=str(self._producer),
            free=_property(device, "access_status") in ("", *map(str, _OPEN_TO_ALL)),
        )

    def _configure(self, profile: Profile) -> Profile:
        """The order matters: a lost camera may come back streaming and locked; sizes need offsets of 0 first."""
        if self._has("AcquisitionStop"):
            self.execute("AcquisitionStop")
        self._set_if_there("TLParamsLocked", 0)
        self._one_component()
        self._set_if_there("AcquisitionMode", "Continuous")
        self._set_if_there("ChunkModeActive", False)
        self.set("PixelFormat", profile.pixel_format)
        self._set_if_there("OffsetX", 0)
        self._set_if_there("OffsetY", 0)
        self.set("Width", profile.width)
        self.set("Height", profile.height)
        self._set_or_default("OffsetX", profile.offset_x, 0)
        self._set_or_default("OffsetY", profile.offset_y, 0)
        self._set_trigger(profile)
        self._set_if_there("ExposureAuto", "Off")
        self._set_if_there("GainAuto", "Off")
        self._set_if_there("ExposureTime", float(profile.exposure_us))
        self._set_or_default("Gain", float(profile.gain_db), 0.0)
        if profile.trigger == "off":
            self._set_if_there("AcquisitionFrameRateEnable", True)
            self._set_if_there("AcquisitionFrameRate", float(profile.frame_rate_hz))
        return self._read_back(profile)

    def _set_trigger(self, profile: Profile) -> None:
        if not self._has("TriggerMode"):
            if profile.trigger != "off":
                raise BadSettings(f"trigger = {profile.trigger}: the camera has no TriggerMode, expected off")
            return
        self._set_if_there("TriggerSelector", "FrameStart")
        if profile.trigger == "off":
            self.set("TriggerMode", "Off")
            return
        self.set("TriggerMode", "On")
        self.set("TriggerSource", "Software" if profile.trigger == "software" else "Line0")
        self._set_if_there("TriggerActivation", "RisingEdge")

    def _one_component(self) -> None:
        """A 3-D camera sends range and confidence, too: ten times the bytes, and nothing here reads them."""
        if not self._has("ComponentSelector") or not self._has("ComponentEnable"):
            return
        choices = self.describe("ComponentSelector").choices
        if "Intensity" not in choices:
            return
        for choice in (*(name for name in choices if name != "Intensity"), "Intensity"):
            self.set("ComponentSelector", choice)  # Intensity last: PixelFormat is that of the selected one
            if self.describe("ComponentEnable").writable:
                self.set("ComponentEnable", choice == "Intensity")

    def _read_back(self, profile: Profile) -> Profile:
        """What the camera says it is set to. BadSettings where that is not what was wanted."""
        wanted: list[tuple[str, Value]] = [("PixelFormat", profile.pixel_format)]
        wanted += [("Width", profile.width), ("Height", profile.height)]
        wanted += [("OffsetX", profile.offset_x), ("OffsetY", profile.offset_y)]
        if self._has("TriggerMode"):
            wanted.append(("TriggerMode", "Off" if profile.trigger == "off" else "On"))
        wanted += [("ExposureTime", float(profile.exposure_us)), ("Gain", float(profile.gain_db))]
        if profile.trigger == "off":
            wanted.append(("AcquisitionFrameRate", float(profile.frame_rate_hz)))
        got: dict[str, Value] = {}
        for name, value in wanted:
            got[name] = found = self.get(name) if self._has(name) else value
            if not _agrees(value, found):
                allowed = _range(self.describe(name))
                raise BadSettings(f"{name}: wanted {value}, the camera made it {found}; allowed {allowed}")
        return Profile(
            pixel_format=profile.pixel_format,
            width=profile.width,
            height=profile.height,
            offset_x=profile.offset_x,
            offset_y=profile.offset_y,
            trigger=profile.trigger,
            exposure_us=float(got["ExposureTime"]),
            gain_db=float(got["Gain"]),
            frame_rate_hz=float(got.get("AcquisitionFrameRate", profile.frame_rate_hz)),
        )

    def _start(self, buffers: int) -> None:
        with _door("start"):
            self._acquirer.num_buffers = buffers
            self._acquirer.start()

    def _stop(self) -> None:
        with contextlib.suppress(*_FOREIGN):  # half-way with a lost camera; the process is about to end then
            self._acquirer.stop()

    def _trigger(self) -> None:
        with _door("TriggerSoftware"):
            self._nodes.TriggerSoftware.execute()

    def _grab(self, into: memoryview, timeout_ns: int) -> RawGrab | None:
        with _door("grab"):
            buffer = self._acquirer.try_fetch(timeout=max(timeout_ns, 1_000_000) / SECOND)
            received_ns = now_ns()
            self._incomplete = self._dropped.seen
            if buffer is None:
                return None
            try:
                raw = _copied(buffer, into, received_ns)
            finally:
                buffer.queue()
        if raw is None:  # harvesters knows no such format, or the producer sends nothing usable
            self._incomplete += 1
            self._dropped.seen += 1
        return raw

    def _probe(self) -> None:
        if self._nodes is None:
            raise CameraLost("no camera is open")
        with _door("probe"):
            _ = self._nodes.PayloadSize.value

    def _latch(self) -> Latch | None:
        if not self._can_latch:
            return None
        with _door("TimestampLatch"):
            before_ns = now_ns()
            self._nodes.TimestampLatch.execute()
            after_ns = now_ns()
            return Latch(before_ns, int(self._nodes.TimestampLatchValue.value), after_ns)

    def _underrun(self) -> int:
        if self._acquirer is None or not self._acquirer.data_streams:
            return 0
        with contextlib.suppress(*_FOREIGN):
            return int(self._acquirer.data_streams[0].num_underrun)
        return 0

    def _close(self) -> None:
        acquirer, self._acquirer = self._acquirer, None
        harvester, self._harvester = self._harvester, None
        self._nodes = None
        if acquirer is not None:
            with contextlib.suppress(*_FOREIGN, AttributeError):
                acquirer.destroy()
        if harvester is not None:
            with contextlib.suppress(*_FOREIGN, AttributeError, ValueError):
                harvester.reset()

    def _load(self) -> Any:
        if self._harvester is None:
            harvester = Harvester()
            try:
                with _door(str(self._producer)):
                    harvester.add_file(str(self._producer), check_existence=True, check_validity=True)
                    harvester.update()
            except CameraLost as error:  # a library that does not load will not load the next time either
                raise BadSettings(f"producer = {str(self._producer)!r}: {error}") from error
            except OSError as error:
                raise BadSettings(f"producer = {str(self._producer)!r}: cannot be loaded: {error}") from error
            if not harvester.files:
                raise BadSettings(f"producer = {str(self._producer)!r}: not a GenTL producer")
            self._harvester = harvester
        return self._harvester

    def _has(self, name: str) -> bool:
        """True where the feature exists and is available now."""
        if self._nodes is None:
            raise CameraLost("no camera is open")
        with _door(name):
            return bool(self._nodes.has_node(name)) and self._nodes.get_node(name).get_access_mode() >= min(_WRITABLE)

    def _node(self, name: str) -> Any:
        if self._nodes is None:
            raise CameraLost("no camera is open")
        if not self._nodes.has_node(name):
            raise BadSettings(f"{name}: the camera has no such feature")
        return getattr(self._nodes, name)

    def _set_if_there(self, name: str, value: Value) -> None:
        if self._has(name):
            feature = self.describe(name)
            if feature.writable and (not feature.choices or value in feature.choices):
                self.set(name, value)

    def _set_or_default(self, name: str, value: Value, default: Value) -> None:
        """A camera without the feature is good enough while nothing but the default is asked of it."""
        if self._has(name):
            self.set(name, value)
        elif value != default:
            raise BadSettings(f"{name} = {value}: the camera has no such feature, expected {default}")


def _copied(buffer: Any, into: memoryview, received_ns: int) -> RawGrab | None:
    """Copy the picture out; None when there is none in the buffer. Called while the buffer is ours."""
    components = buffer.payload.components if buffer.payload is not None else ()
    if not components or components[0] is None:
        return None
    part = components[0]
    data = part.data
    size = int(data.nbytes)
    width, height = int(part.width), int(part.height)
    pixel_format = str(part.data_format)
    fits = size <= len(into) and data.dtype == np.uint8
    if fits:
        np.frombuffer(into, np.uint8, size)[:] = data
    return RawGrab(
        number=int(buffer.frame_id),
        width=width,
        height=height,
        pixel_format=pixel_format,
        size_bytes=size if fits else 0,
        device_ns=_stamp(buffer),
        received_ns=received_ns,
    )


def _stamp(buffer: Any) -> int | None:
    """The device's stamp of the exposure in ns; None where the producer has none (viky)."""
    with contextlib.suppress(*_FOREIGN):
        return int(buffer.timestamp_ns)
    with contextlib.suppress(*_FOREIGN, ZeroDivisionError):
        return int(buffer.module.timestamp) * SECOND // int(buffer.timestamp_frequency)
    return None


def _property(device: Any, name: str) -> str:
    """One property of a listed device as text; empty where the producer does not say."""
    try:
        value = getattr(device, name)
    except (*_FOREIGN, AttributeError):
        return ""
    return "" if value is None else str(value)


def _range(feature: Feature) -> str:
    if feature.choices:
        return f"one of {', '.join(feature.choices)}"
    step = f" in steps of {feature.step}" if feature.step and feature.step != 1 else ""
    return f"{feature.low}..{feature.high}{step}"


def _agrees(wanted: Value, found: Value) -> bool:
    if isinstance(wanted, float) and isinstance(found, int | float):
        return abs(found - wanted) <= max(abs(wanted) * _FLOAT_SLACK, 0.11)
    return wanted == found


@contextlib.contextmanager
def _own_sigint() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
