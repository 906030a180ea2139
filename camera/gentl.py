"""GenICam cameras through harvesters: the one file that knows harvesters and genicam.

What is written around here, and why (harvesters 1.4.3 [m]: measured, see its issue numbers):
- `try_fetch` with a timeout above 0 only: 0 waits for ever. It comes back at once when an incomplete frame arrived.
- never `start(run_as_thread=True)`: with a lost device its fetch hangs.
- a buffer is fetched raw, copied and given back at once: harvesters expands packed formats in numpy inside its fetch
  (67 ms for 5 MP), and giving a buffer back fills it with zeros, later frames overwrite it (#158). A raw buffer cannot
  be queued by itself (#506), its stream does that.
- registers are written through a port of ours: genicam's keeps 32 bytes of each write for ever (`register_write.py`).
- a lost camera only ever times out; that it is gone shows in a node read, so `probe` reads one.
- `update()` unloads the producer under every open camera (#475), and a lost camera stays lost inside its Harvester:
  one process, one Harvester, one camera; after CameraLost the process starts afresh.
- creating an acquirer in the main thread replaces the SIGINT handler: it is put back.
"""

import contextlib
import logging
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from genicam import genapi, gentl
from harvesters.core import Callback, Harvester
from harvesters.util import pfnc

from ..bus.clock import SECOND, now_ns
from ..bus.errors import BadSettings, CameraBusy, CameraLost
from ..imaging.formats import FORMATS
from .devclock import Latch
from .features import Feature, Kind, Value, Visibility
from .producers import PATH, producers_in_path
from .profiles import Profile
from .register_write import RegisterWriter
from .sfnc import Writer, name_of
from .source import CameraInfo, RawGrab, Source

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
_READABLE, _WRITABLE, _AVAILABLE = (3, 4), (2, 4), (2, 3, 4)
"""GenApi access modes: 2 write only, 3 read only, 4 both."""
_KINDS: dict[str, Kind] = {
    "IInteger": "integer",
    "IFloat": "float",
    "IBoolean": "boolean",
    "IEnumeration": "choice",
    "IString": "text",
    "ICommand": "command",
}
_UNDERRUN_EVERY_NS = SECOND // 2
_OPEN_TO_ALL = (0, 1)
"""Device access status: unknown, read-write."""
_VISIBILITIES: tuple[Visibility, ...] = ("beginner", "expert", "guru", "invisible")
_NAMES: dict[int, str] = {int(code): str(name) for code, name in pfnc.dict_by_ints.items()}
"""PFNC names by the 32 bits that travel."""
_IMAGES = (gentl.PAYLOADTYPE_INFO_IDS.PAYLOAD_TYPE_IMAGE, gentl.PAYLOADTYPE_INFO_IDS.PAYLOAD_TYPE_CHUNK_DATA)

_REFUSALS: dict[int, type[Exception]] = {
    -1002: gentl.NotInitializedException,
    -1003: gentl.NotImplementedException,
    -1004: gentl.ResourceInUseException,
    -1005: gentl.AccessDeniedException,
    -1006: gentl.InvalidHandleException,
    -1007: gentl.InvalidIdException,
    -1008: gentl.NoDataException,
    -1009: gentl.InvalidParameterException,
    -1010: gentl.IoException,
    -1011: gentl.TimeoutException,
    -1012: gentl.AbortException,
    -1013: gentl.InvalidBufferException,
    -1014: gentl.NotAvailableException,
    -1015: gentl.InvalidAddressException,
    -1016: gentl.BufferTooSmallException,
    -1017: gentl.InvalidIndexException,
    -1019: gentl.InvalidValueException,
    -1020: gentl.ResourceExhaustedException,
    -1021: gentl.OutOfMemoryException,
    -1022: gentl.BusyException,
}
"""What genicam raises for an error code of GenTL 1.6, chapter 6.1.1."""

# Each incomplete frame and timeout would be a line there; they are counted here.
logging.getLogger("harvesters").setLevel(logging.CRITICAL)
_LOG = logging.getLogger(__name__)


class _Incomplete(Callback):  # type: ignore[misc] # harvesters is untyped
    """Counts the frames that harvesters throws away because bytes are missing."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def emit(self, context: Any | None = None) -> None:
        """Called by harvesters inside `try_fetch`."""
        self.seen += 1


class _Port(genapi.AbstractPort):  # type: ignore[misc] # genicam is untyped
    """What a camera's node map reads and writes registers by, in place of harvesters' own: see `register_write.py`."""

    def __init__(self, port: Any, producer: Path) -> None:
        """OSError, AttributeError: as RegisterWriter."""
        super().__init__()
        self._port, self._writer = port, RegisterWriter(producer, int(port.handle))

    def get_access_mode(self) -> Any:
        """Called by the node map."""
        return genapi.EAccessMode.RW

    def read(self, address: int, length: int) -> bytes:
        """Called by the node map."""
        data: bytes = self._port.read(address, length)[1]
        return data

    def write(self, address: int, value: bytes) -> None:
        """Called by the node map; what is raised comes out where a feature was set."""
        code, said = self._writer.write(address, value)
        if code:
            raise _REFUSALS.get(code, gentl.ErrorException)(
                f"{said or 'a register could not be written'} (GenTL {code})"
            )


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
    found = producers_in_path()
    if len(found) != 1:
        names = ", ".join(map(str, found)) or "none"
        raise BadSettings(f"producer: not set, expected one .cti in {PATH}, found {names}")
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
        self._port: _Port | None = None
        self._dropped = _Incomplete()
        self._latch_names: tuple[str, str] | None = None
        self._tick_hz = SECOND
        self._counts_triggers = False
        self._underruns = self._underrun_due_ns = 0

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
                self._connect()
                self._find_latch()
        except BadSettings as error:
            self._close()
            raise CameraBusy(f"camera {serial or listed} is in use by another program ({error})") from error
        except CameraLost:
            self._close()
            raise

    def describe(self, name: str) -> Feature:
        """Say what a feature is and can be."""
        node = self._node(name)
        with _door(name):
            return _feature(node, name, "")

    def features(self) -> list[Feature]:
        """List every feature from the root category down; one that cannot even be described is left out."""
        if self._nodes is None:
            raise CameraLost("no camera is open")
        with _door("Root"):
            root = self._nodes.get_node("Root") if self._nodes.has_node("Root") else None
        return [] if root is None else list(_listed(root, "", set()))

    def get(self, name: str) -> Value:
        """Read a feature."""
        node = self._node(name)
        with _door(name):
            if node.get_access_mode() not in _READABLE or not hasattr(node, "value"):
                raise BadSettings(f"{name}: cannot be read")
            value: Value = node.value
            return value

    def set(self, name: str, value: Value) -> None:
        """Write a feature; what is refused, here or by the camera alone, is told with what is allowed."""
        node = self._node(name)
        feature = self.describe(name)
        if feature.kind == "command":
            raise BadSettings(f"{name} = {value}: a command, it can only be run")
        fault = feature.fault(value)
        if fault:
            raise BadSettings(f"{name} = {value}: {fault}")
        try:
            with _door(f"{name} = {value}"):
                node.value = value
        except BadSettings as error:
            allowed = f"; allowed {feature.allowed}" if feature.allowed else ""
            raise BadSettings(f"{error}{allowed}") from error

    def execute(self, name: str) -> None:
        """Run a command."""
        node = self._node(name)
        if not hasattr(node, "execute"):
            raise BadSettings(f"{name}: not a command")
        with _door(name):
            node.execute()

    def has(self, name: str) -> bool:
        """True where the feature exists and is available now."""
        if self._nodes is None:
            raise CameraLost("no camera is open")
        with _door(name):
            return bool(self._nodes.has_node(name)) and self._nodes.get_node(name).get_access_mode() >= min(_WRITABLE)

    # ---- the private half ----

    def _connect(self) -> None:
        """Put a port in the place of harvesters' that keeps no memory of what was written."""
        port = self._acquirer.remote_device.port
        try:
            self._port = _Port(port, self._producer)  # the node map keeps no reference of its own
        except (OSError, AttributeError) as error:
            _LOG.warning("%s has no GCWritePort of its own, each write keeps 32 bytes: %s", self._producer, error)
            return
        self._nodes.connect(self._port, port.name)

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
        writer = Writer(self)
        got = writer.write(profile)
        self._counts_triggers = writer.counts_triggers
        return got

    def _start(self, buffers: int) -> None:
        if self._acquirer is None:
            raise CameraLost("start: no camera is open")
        with _door("start"):
            self._underruns = self._underrun_due_ns = 0
            self._acquirer.num_buffers = buffers
            self._acquirer.start()

    def _stop(self) -> None:
        with contextlib.suppress(*_FOREIGN):  # half-way with a lost camera; the process is about to end then
            self._acquirer.stop()

    def _trigger(self) -> None:
        if self._nodes is None:
            raise CameraLost("trigger: no camera is open")
        with _door("TriggerSoftware"):
            self._nodes.TriggerSoftware.execute()

    def _grab(self, into: memoryview, timeout_ns: int) -> RawGrab | None:
        with _door("grab"):
            buffer = self._acquirer.try_fetch(timeout=max(timeout_ns, 1_000_000) / SECOND, is_raw=True)
            received_ns = now_ns()
            self._incomplete = self._dropped.seen
            if buffer is None:
                return None
            try:
                raw = _copied(buffer, into, received_ns, self._trigger_count())
            finally:
                buffer.parent.queue_buffer(buffer)
        if raw is None:  # no picture in it: another kind of payload, or fewer bytes than its size needs
            self._incomplete += 1
            self._dropped.seen += 1
        return raw

    def _trigger_count(self) -> int | None:
        """Read before the buffer is given back: after that the chunk reads 0, without an error."""
        if not self._counts_triggers:
            return None
        with contextlib.suppress(*_FOREIGN):
            return int(self._nodes.ChunkCounterValue.value)
        return None

    def _probe(self) -> None:
        if self._nodes is None:
            raise CameraLost("no camera is open")
        with _door("probe"):
            _ = self._nodes.PayloadSize.value

    def _find_latch(self) -> None:
        """Find out how this camera is asked for its time. Without a frequency its ticks are nanoseconds."""
        latch, value = name_of(self, "TimestampLatch"), name_of(self, "TimestampLatchValue")
        self._latch_names = (latch, value) if latch and value else None
        self._tick_hz = SECOND
        if self.has("GevTimestampTickFrequency") and latch != "TimestampLatch":
            self._tick_hz = int(self.get("GevTimestampTickFrequency")) or SECOND

    def _latch(self) -> Latch | None:
        if self._latch_names is None:
            return None
        latch, value = self._latch_names
        with _door(latch):
            command, node = self._nodes.get_node(latch), self._nodes.get_node(value)
            before_ns = now_ns()
            command.execute()
            after_ns = now_ns()
            return Latch(before_ns, int(node.value) * SECOND // self._tick_hz, after_ns)

    def _underrun(self) -> int:
        """Asked of the producer twice a second at most: its answer waits for the sensor's own work."""
        at_ns = now_ns()
        if self._acquirer is None or not self._acquirer.data_streams:
            self._underruns = 0
        elif at_ns >= self._underrun_due_ns:
            self._underrun_due_ns = at_ns + _UNDERRUN_EVERY_NS
            with contextlib.suppress(*_FOREIGN):
                self._underruns = int(self._acquirer.data_streams[0].num_underrun)
        return self._underruns

    def _close(self) -> None:
        acquirer, self._acquirer = self._acquirer, None
        harvester, self._harvester = self._harvester, None
        self._nodes = None
        if acquirer is not None:
            with contextlib.suppress(*_FOREIGN, AttributeError):
                acquirer.destroy()
        self._port = None
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

    def _node(self, name: str) -> Any:
        if self._nodes is None:
            raise CameraLost("no camera is open")
        if not self._nodes.has_node(name):
            raise BadSettings(f"{name}: the camera has no such feature")
        return getattr(self._nodes, name)


def _copied(buffer: Any, into: memoryview, received_ns: int, trigger_count: int | None) -> RawGrab | None:
    """Copy the picture out as it was sent; None when there is none in the buffer. Called while the buffer is ours."""
    lines = _image(buffer)
    if lines is None:
        return None
    data, width, height, pixel_format = lines
    fits = data.size <= len(into)
    if fits:
        np.frombuffer(into, np.uint8, data.size).reshape(data.shape)[:] = data
    return RawGrab(
        number=int(buffer.frame_id),
        width=width,
        height=height,
        pixel_format=pixel_format,
        size_bytes=data.size if fits else 0,
        device_ns=_stamp(buffer),
        received_ns=received_ns,
        trigger_count=trigger_count,
    )


def _image(buffer: Any) -> tuple[npt.NDArray[np.uint8], int, int, str] | None:
    """The picture's bytes without the padding of its lines (a view), width, height, format. None: there is none."""
    part = buffer
    if buffer.payload_type not in _IMAGES:
        with contextlib.suppress(*_FOREIGN):
            parts = [each for each in buffer.parts if _NAMES.get(int(each.data_format)) in FORMATS]
            part = parts[0] if parts else None
        if part is buffer or part is None:
            return None
    width, height = int(part.width), int(part.height)
    code = int(part.pixel_format if part is buffer else part.data_format)
    name = _NAMES.get(code, f"{code:#010x}")
    offset, padding = _number(part, "image_offset"), _number(part, "padding_x")
    source = buffer.raw_buffer if part is buffer else part.data
    known = FORMATS.get(name)
    filled = _number(buffer, "size_filled") or len(source)
    if known is None:  # told by name and size, so that whoever compares them says so
        return np.frombuffer(source, np.uint8, 0), width, height, name
    if min(width, height, offset, padding) < 0 or offset > len(source):
        return None  # a producer that lies
    row = known.payload_bytes(width, 1)
    if not padding:
        size = known.payload_bytes(width, height)
        whole = offset + size <= min(filled, len(source))
        return (np.frombuffer(source, np.uint8, size, offset), width, height, name) if whole else None
    if width * known.bits_per_pixel % 8 or offset + (row + padding) * height - padding > len(source):
        return None  # lines that end inside a byte have no padding of whole bytes
    padded = np.frombuffer(source, np.uint8, len(source) - offset, offset)
    lines = np.lib.stride_tricks.as_strided(padded, (height, row), (row + padding, 1), writeable=False)
    return lines, width, height, name


def _number(part: Any, name: str) -> int:
    """A count the producer may not know; 0 then."""
    with contextlib.suppress(*_FOREIGN, AttributeError):
        return int(getattr(part, name))
    return 0


def _listed(category: Any, title: str, seen: set[str]) -> Iterator[Feature]:
    """Every feature below a category; one in several categories is listed once."""
    with contextlib.suppress(*_FOREIGN):
        for child in category.features:
            with contextlib.suppress(*_FOREIGN):
                name = str(child.node.name)
                if isinstance(child, genapi.ICategory):
                    yield from _listed(child, str(child.node.display_name) or name, seen)
                elif name not in seen and child.get_access_mode() in (*_READABLE, *_WRITABLE):
                    seen.add(name)
                    yield _feature(child, name, title)


def _feature(node: Any, name: str, category: str) -> Feature:
    """What one node is now. What it does not say is left empty."""
    kind: Kind = _KINDS.get(type(node).__name__, "other")
    access = node.get_access_mode()
    number = kind in ("integer", "float")
    low = high = step = None
    with contextlib.suppress(*_FOREIGN):
        if number:
            low, high = node.min, node.max
            step = node.inc if kind == "integer" or node.has_inc() else None
    choices: tuple[str, ...] = ()
    if kind == "choice":
        with contextlib.suppress(*_FOREIGN):
            choices = tuple(entry.symbolic for entry in node.entries if entry.get_access_mode() in _AVAILABLE)
    value: Value | None = None
    readable = access in _READABLE and kind not in ("command", "other")
    if readable:
        with contextlib.suppress(*_FOREIGN):
            value = node.value
    about = getattr(node, "node", node)
    return Feature(
        name=name,
        kind=kind,
        low=low,
        high=high,
        step=step,
        choices=choices,
        writable=access in _WRITABLE,
        readable=readable,
        value=value,
        unit=_words(node, "unit"),
        category=category,
        title=_words(about, "display_name"),
        description=_words(about, "description") or _words(about, "tooltip"),
        visibility=_VISIBILITIES[min(_number(about, "visibility"), len(_VISIBILITIES) - 1)],
    )


def _words(node: Any, name: str) -> str:
    with contextlib.suppress(*_FOREIGN, AttributeError):
        return str(getattr(node, name))
    return ""


def _stamp(buffer: Any) -> int | None:
    """The device's stamp of the exposure in ns; None where the producer has none (viky)."""
    with contextlib.suppress(*_FOREIGN):
        return int(buffer.timestamp_ns)
    with contextlib.suppress(*_FOREIGN, ZeroDivisionError):
        return int(buffer.timestamp) * SECOND // int(buffer.parent.parent.timestamp_frequency)
    return None


def _property(device: Any, name: str) -> str:
    """One property of a listed device as text; empty where the producer does not say."""
    try:
        value = getattr(device, name)
    except (*_FOREIGN, AttributeError):
        return ""
    return "" if value is None else str(value)


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
