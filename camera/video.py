"""Low-cost cameras: a V4L2 device, a network stream (RTSP, HTTP) or a video file, through OpenCV.

Such a camera runs free and has no clock and no trigger of its own. A frame is dated by when it was here; with software
triggers the frame that is taken is one that began after the trigger, for which `transfer` must be an upper bound of the
time from the end of exposure until a frame is here: of a stream, that is coding, network and decoding (100-500 ms), not
the 20 ms of a camera for machines. A part waits up to two frames longer than at those.
"""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from ..bus.clock import SECOND, now_ns
from ..bus.errors import BadSettings, CameraLost
from ..imaging.formats import FORMATS
from ..imaging.picture import Picture
from .capture import OPEN_MS, Capture, OpenCapture, OpenCvCapture, list_devices, parse_address
from .features import Feature, Value
from .profiles import Profile
from .reader import Reader
from .sensor import pack, sense
from .source import CameraInfo, RawGrab, Source
from .video_features import CONTROLS, control_of, describe, read, write

T = TypeVar("T")
PIXEL_FORMATS = ("Mono8", "RGB8", "BGR8", "YUV422_8", "YUV422_8_UYVY")
"""What a decoded frame can be given as."""
SILENT_NS = 3 * SECOND
"""Without a frame for so long it is lost."""
_OPEN_NS = (OPEN_MS + 2000) * 10**6
_CLOSE_NS = 1 * SECOND


class VideoSource(Source):
    """One video camera. After CameraLost throw the whole process away: OpenCV may still hang in it."""

    def __init__(self, address: str, transfer_ns: int, open_capture: OpenCapture = OpenCvCapture) -> None:
        """address: `/dev/videoN`, a URL or a file. transfer_ns: from exposure's end until a frame is here, at most.

        open_capture: what opens it. BadSettings: the address is none.
        """
        super().__init__()
        self._address = parse_address(address)
        self._transfer_ns, self._open_capture = transfer_ns, open_capture
        self._reader: Reader | None = None
        self._profile: Profile | None = None
        self._delay_ns = 0

    def discover(self) -> list[CameraInfo]:
        """List this camera, and of a V4L2 device the others of this machine, too."""
        address = self._address
        if address.kind != "device":
            return [self._info(address.name, address.kind)]
        devices = dict(list_devices())
        path = Path(address.text)
        if path.exists() and str(path.resolve()) in devices:
            devices[address.name] = devices.pop(str(path.resolve()))
        elif path.exists():
            devices[address.name] = ""
        return [self._info(each, model) for each, model in sorted(devices.items())]

    def open(self, serial: str) -> None:
        """Take it and begin to read it. An address has no other serial than itself."""
        if self._reader is not None:
            raise BadSettings(f"serial = {serial!r}: this source has a camera open already")
        if serial not in ("", self._address.name):
            raise CameraLost(f"camera {serial}: not found, {self._address.name} is named by its address alone")
        self._reader = Reader(self._address, self._open_capture, SILENT_NS)
        try:
            self._reader.wait_open(_OPEN_NS)
        except (BadSettings, CameraLost):
            self._close()
            raise

    def describe(self, name: str) -> Feature:
        """Say what a control is."""
        control = control_of(self._address, name)
        return self._ask(lambda capture: describe(capture, self._address, control))

    def features(self) -> list[Feature]:
        """List the controls this camera has."""
        known = [each for each in CONTROLS.values() if each.everywhere or self._address.kind == "device"]

        def listed(capture: Capture) -> list[Feature]:
            return [describe(capture, self._address, each) for each in known if read(capture, each) is not None]

        return self._ask(listed)

    def get(self, name: str) -> Value:
        """Read a control."""
        value = self.describe(name).value
        if value is None:
            raise BadSettings(f"{name}: cannot be read")
        return value

    def set(self, name: str, value: Value) -> None:
        """Write a control; another value than the one read back is refused."""
        control = control_of(self._address, name)
        self._ask(lambda capture: write(capture, self._address, control, value))

    def execute(self, name: str) -> None:
        """There are no commands."""
        control = control_of(self._address, name)
        raise BadSettings(f"{control.name}: not a command")

    # ---- the private half ----

    def _info(self, name: str, model: str) -> CameraInfo:
        layer = {"device": "V4L2", "stream": name.partition("://")[0].upper(), "file": "File"}[self._address.kind]
        free = self._reader is None or name != self._address.name
        return CameraInfo(name, "", model or "device", name, layer, name, free)

    def _ask(self, question: Callable[[Capture], T]) -> T:
        return self._opened().ask(question)

    def _opened(self) -> Reader:
        if self._reader is None:
            raise CameraLost("no camera is open")
        return self._reader

    def _configure(self, profile: Profile) -> Profile:
        self._opened()
        _refuse(profile)
        device = self._address.kind == "device"
        for name, value in profile.features if device else ():
            if name == "FourCC":  # it decides which sizes and rates there are
                self.set(name, value)
        got = profile
        if device:
            self.set("Width", profile.width)
            self.set("Height", profile.height)
            got = self._expose(profile)
            if profile.trigger == "off":
                self.set("AcquisitionFrameRate", profile.frame_rate_hz)
        for name, value in profile.features:
            if name != "FourCC" or not device:
                self.set(name, value)
        width, height = self.get("Width"), self.get("Height")
        right, below = profile.offset_x + profile.width, profile.offset_y + profile.height
        if not isinstance(width, int) or not isinstance(height, int) or right > width or below > height:
            size = f"{profile.width}x{profile.height} at {profile.offset_x},{profile.offset_y}"
            raise BadSettings(f"Width, Height = {size}: expected to lie within the camera's {width}x{height}")
        self._profile = got
        self._delay_ns = round(profile.trigger_delay_us * 1000)
        return got

    def _expose(self, profile: Profile) -> Profile:
        """Set the exposure where the device lets it be set; else the profile's only dates the frames."""
        has = {each.name for each in self.features()}
        if "ExposureAuto" in has:
            self.set("ExposureAuto", "Off")
        if "ExposureTime" not in has:
            return profile
        self.set("ExposureTime", float(profile.exposure_us))
        return replace(profile, exposure_us=float(self.get("ExposureTime")))

    def _start(self, buffers: int) -> None:
        profile = self._profile
        if profile is None:
            raise CameraLost("start: not configured")
        file = self._address.kind == "file"
        self._opened().begin(
            triggered=profile.trigger == "software",
            age_ns=0 if file else self._transfer_ns + profile.exposure_ns,
            period_ns=round(SECOND / profile.frame_rate_hz) if file else 0,
            room=buffers,
        )

    def _stop(self) -> None:
        if self._reader is not None:
            self._reader.end()

    def _trigger(self) -> None:
        self._opened().trigger(now_ns() + self._delay_ns)

    def _grab(self, into: memoryview, timeout_ns: int) -> RawGrab | None:
        profile = self._profile
        if profile is None:
            raise CameraLost("grab: not configured")
        seen = self._opened().take(now_ns() + timeout_ns)
        if seen is None:
            return None
        if seen.picture is None:
            self._incomplete += 1
            return None
        rows, columns = seen.picture.shape[:2]
        region = seen.picture[
            profile.offset_y : profile.offset_y + profile.height, profile.offset_x : profile.offset_x + profile.width
        ]
        whole = region.shape[:2] == (profile.height, profile.width)
        fits = whole and profile.size_bytes <= len(into)
        if fits:
            _lay(region, profile, into[: profile.size_bytes])
        return RawGrab(
            number=seen.number,
            width=profile.width if whole else columns,
            height=profile.height if whole else rows,
            pixel_format=profile.pixel_format,
            size_bytes=profile.size_bytes if fits else 0,
            device_ns=None,
            received_ns=seen.captured_ns,
        )

    def _probe(self) -> None:
        self._opened().check()

    def _underrun(self) -> int:
        return 0 if self._reader is None else self._reader.dropped

    def _close(self) -> None:
        reader, self._reader = self._reader, None
        self._profile = None
        if reader is not None:
            with contextlib.suppress(RuntimeError):  # its thread never began
                reader.close(_CLOSE_NS)


def _refuse(profile: Profile) -> None:
    """BadSettings: what no video camera can do."""
    if profile.trigger == "hardware":
        raise BadSettings("trigger = hardware: a video camera has no trigger line, expected software or off")
    if profile.pixel_format not in PIXEL_FORMATS:
        raise BadSettings(f"PixelFormat = {profile.pixel_format}: expected one of {', '.join(PIXEL_FORMATS)}")
    if profile.user_set:
        raise BadSettings(f"user_set = {profile.user_set}: a video camera keeps no settings of its own")
    if profile.gain_db:
        raise BadSettings(f"Gain = {profile.gain_db}: a video camera's gain is not in dB, expected 0; see GainRaw")
    if profile.frames != 1:
        raise BadSettings(f"frames = {profile.frames}: a video camera sends whole pictures, expected 1")
    if profile.overlap != "camera":
        raise BadSettings(f"overlap = {profile.overlap}: a video camera runs free, expected camera")
    if FORMATS[profile.pixel_format].colour in ("yuyv", "uyvy") and profile.width % 2:
        raise BadSettings(f"Width = {profile.width}: {profile.pixel_format} shares colours in pairs, expected it even")


def _lay(region: Picture, profile: Profile, into: memoryview) -> None:
    """Write a BGR or grey region into a slot as the profile's format: one pass, straight into its place."""
    colour = region.ndim == 3
    fmt = FORMATS[profile.pixel_format]
    if fmt.colour in ("yuyv", "uyvy"):
        rgb = cv2.cvtColor(region, cv2.COLOR_BGR2RGB if colour else cv2.COLOR_GRAY2RGB)
        into[:] = pack(sense(np.asarray(rgb), fmt), fmt)
        return
    shape = (profile.height, profile.width) if fmt.colour == "grey" else (profile.height, profile.width, 3)
    slot = np.frombuffer(into, np.uint8).reshape(shape)
    if not colour and fmt.colour != "grey":
        cv2.cvtColor(region, cv2.COLOR_GRAY2RGB, dst=slot)
    elif colour and fmt.colour == "grey":
        cv2.cvtColor(region, cv2.COLOR_BGR2GRAY, dst=slot)
    elif colour and fmt.colour == "rgb":
        cv2.cvtColor(region, cv2.COLOR_BGR2RGB, dst=slot)
    else:
        np.copyto(slot, region)
