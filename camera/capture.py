"""Low-cost cameras through OpenCV: a V4L2 device, a network stream, a video file. The one file that opens them.

What is set there, and why: FFmpeg gets time limits, for it waits for ever by itself; and one decoding thread, for each
further one holds one frame back (measured on H.264: 134 ms against 100 ms from the scene to here).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol
from urllib.parse import urlsplit

import cv2

from ..bus.clock import MS, now_ns
from ..bus.errors import BadSettings, CameraBusy, CameraLost
from ..imaging.picture import Picture

Kind = Literal["device", "stream", "file"]
SCHEMES = ("rtsp", "rtsps", "rtmp", "rtp", "udp", "http", "https")
OPEN_MS, READ_MS = 5000, 2000
"""How long a stream may take to answer, and to send the next bytes."""
_DEVICES = Path("/sys/class/video4linux")
_OLDEST_NS = 10_000 * MS


@dataclass(frozen=True, slots=True)
class Address:
    """Where the pictures come from."""

    text: str
    """As OpenCV gets it. It may hold a password: never shown."""
    kind: Kind
    name: str
    """For people: the text without user and password."""


def parse_address(text: str) -> Address:
    """Return what kind of camera a person has named. BadSettings: none."""
    if not text:
        raise BadSettings("video: expected /dev/videoN, a stream's URL, or a video file")
    scheme, mark, _ = text.partition("://")
    if mark:
        parts = urlsplit(text)
        if scheme.lower() not in SCHEMES or not parts.hostname:
            name = f"{scheme}://{parts.hostname or ''}"
            raise BadSettings(f"video = {name!r}: expected a URL of {', '.join(SCHEMES)} with a host")
        host = parts.netloc.rpartition("@")[2]
        return Address(text, "stream", f"{scheme}://{host}{parts.path}")
    if text.startswith("/dev/"):
        return Address(text, "device", text)
    return Address(text, "file", text)


def list_devices(folder: Path = _DEVICES) -> list[tuple[str, str]]:
    """Return path and name of each V4L2 device of this machine. folder: where the kernel lists them."""
    found = []
    for device in sorted(folder.glob("video*")):
        name = device / "name"
        found.append((f"/dev/{device.name}", name.read_text(encoding="utf-8").strip() if name.is_file() else ""))
    return found


class Capture(Protocol):
    """One open camera. Everything is called by one thread."""

    def grab(self) -> bool:
        """Wait for the next frame. False: there will be none any more."""

    def retrieve(self) -> Picture | None:
        """The grabbed frame, an array of its own: rows x columns x 3, BGR, or rows x columns. None: broken."""

    def stamp_ns(self) -> int | None:
        """When the grabbed frame was captured: by a stream's own clock, or for a device by the monotonic one.

        None: not known. What a container counts up itself (MJPEG over HTTP) is no date.
        """

    def get(self, prop: int) -> float:
        """One of OpenCV's CAP_PROP; -1 where there is none."""

    def set(self, prop: int, value: float) -> bool:
        """False: refused."""

    def close(self) -> None:
        """Let go of it. Never raises."""


OpenCapture = Callable[[Address], Capture]


class OpenCvCapture:
    """cv2.VideoCapture, with its errors translated."""

    def __init__(self, address: Address) -> None:
        """CameraLost: not there. BadSettings: it is there, but cannot be opened."""
        self._kind = address.kind
        self._dated = address.kind == "device" or address.text.lower().startswith(("rtsp", "rtp"))
        if address.kind != "stream" and not Path(address.text).exists():
            raise CameraLost(f"{address.name}: no such {address.kind}")
        backend, options = cv2.CAP_V4L2, list[int]()
        if address.kind != "device":
            backend = cv2.CAP_FFMPEG
            limits = (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_MS)
            options = [*limits, cv2.CAP_PROP_N_THREADS, 1]
        try:
            self._video = cv2.VideoCapture(address.text, backend, options)
        except cv2.error as error:
            raise CameraLost(f"{address.name}: {error.err}") from error
        if self._video.isOpened():
            return
        if address.kind == "stream":
            raise CameraLost(f"{address.name}: no stream within {OPEN_MS // 1000} s")
        if address.kind == "file":
            raise BadSettings(f"video = {address.name!r}: not a video that can be decoded")
        raise CameraBusy(f"{address.name} is in use by another program, or is no camera")

    def grab(self) -> bool:
        """As Capture."""
        try:
            return bool(self._video.grab())
        except cv2.error:
            return False

    def retrieve(self) -> Picture | None:
        """As Capture."""
        try:
            done, picture = self._video.retrieve()
        except cv2.error:
            return None
        return picture if done and picture is not None and picture.dtype == "uint8" else None  # type: ignore[return-value]

    def stamp_ns(self) -> int | None:
        """As Capture: V4L2 dates by the monotonic clock (its default), FFmpeg by the stream's."""
        if not self._dated:
            return None
        stamp_ns = round(self.get(cv2.CAP_PROP_POS_MSEC) * MS)
        if self._kind != "device":
            return stamp_ns
        return stamp_ns if 0 <= now_ns() - stamp_ns < _OLDEST_NS else None

    def get(self, prop: int) -> float:
        """As Capture."""
        try:
            return float(self._video.get(prop))
        except cv2.error:
            return -1.0

    def set(self, prop: int, value: float) -> bool:
        """As Capture."""
        try:
            return bool(self._video.set(prop, value))
        except cv2.error:
            return False

    def close(self) -> None:
        """As Capture."""
        self._video.release()
