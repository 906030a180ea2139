"""What can be set of a video camera, under names of the SFNC: the controls that a V4L2 device lets OpenCV reach.

A control has the unit of its driver where none is said; OpenCV does not tell its range, so what was asked is read back.
"""

from dataclasses import dataclass

import cv2

from ..bus.errors import BadSettings
from .capture import Address, Capture
from .features import Feature, Kind, Value

_MANUAL, _AUTO = 1.0, 3.0
"""V4L2_EXPOSURE_MANUAL and V4L2_EXPOSURE_APERTURE_PRIORITY."""


@dataclass(frozen=True, slots=True)
class Control:
    """One control and how its number is written."""

    name: str
    prop: int
    kind: Kind
    unit: str = ""
    scale: float = 1.0
    """One step of the driver in the feature's unit."""
    everywhere: bool = False
    """Streams and files tell it, too; there it cannot be written."""


CONTROLS: dict[str, Control] = {
    each.name: each
    for each in (
        Control("Width", cv2.CAP_PROP_FRAME_WIDTH, "integer", "px", everywhere=True),
        Control("Height", cv2.CAP_PROP_FRAME_HEIGHT, "integer", "px", everywhere=True),
        Control("AcquisitionFrameRate", cv2.CAP_PROP_FPS, "float", "Hz", everywhere=True),
        Control("FourCC", cv2.CAP_PROP_FOURCC, "text", everywhere=True),
        Control("ExposureAuto", cv2.CAP_PROP_AUTO_EXPOSURE, "choice"),
        Control("ExposureTime", cv2.CAP_PROP_EXPOSURE, "float", "us", 100.0),
        Control("GainRaw", cv2.CAP_PROP_GAIN, "integer"),
        Control("Brightness", cv2.CAP_PROP_BRIGHTNESS, "integer"),
        Control("Contrast", cv2.CAP_PROP_CONTRAST, "integer"),
        Control("Saturation", cv2.CAP_PROP_SATURATION, "integer"),
        Control("Gamma", cv2.CAP_PROP_GAMMA, "integer"),
        Control("Sharpness", cv2.CAP_PROP_SHARPNESS, "integer"),
        Control("BalanceWhiteAuto", cv2.CAP_PROP_AUTO_WB, "boolean"),
        Control("WhiteBalanceTemperature", cv2.CAP_PROP_WB_TEMPERATURE, "integer", "K"),
        Control("FocusAuto", cv2.CAP_PROP_AUTOFOCUS, "boolean"),
        Control("Focus", cv2.CAP_PROP_FOCUS, "integer"),
        Control("Zoom", cv2.CAP_PROP_ZOOM, "integer"),
    )
}


def control_of(address: Address, name: str) -> Control:
    """BadSettings: this kind of camera has none of that name."""
    control = CONTROLS.get(name)
    if control is None or not (address.kind == "device" or control.everywhere):
        known = ", ".join(each.name for each in CONTROLS.values() if address.kind == "device" or each.everywhere)
        raise BadSettings(f"{name}: {address.name} has no such feature, expected one of {known}")
    return control


def read(capture: Capture, control: Control) -> Value | None:
    """Its value; None: the device does not have it."""
    raw = capture.get(control.prop)
    if raw < 0:
        return None
    if control.name == "FourCC":
        return "".join(chr(int(raw) >> 8 * at & 0xFF) for at in range(4)).strip("\0 ")
    if control.name == "ExposureAuto":
        return "Off" if raw == _MANUAL else "Continuous"
    if control.kind == "boolean":
        return raw != 0
    return round(raw * control.scale) if control.kind == "integer" else raw * control.scale


def write(capture: Capture, address: Address, control: Control, value: Value) -> Value:
    """Set it and return what was read back. BadSettings: refused, or another value than asked for stands there."""
    feature = describe(capture, address, control)
    fault = feature.fault(value)
    if fault:
        raise BadSettings(f"{control.name} = {value}: {fault}")
    done = capture.set(control.prop, _raw(control, value))
    got = read(capture, control)
    if got is None or not (done and _same(control, value, got)):
        raise BadSettings(f"{control.name} = {value}: the camera keeps {got}, expected a value it takes")
    return got


def describe(capture: Capture, address: Address, control: Control) -> Feature:
    """What it is now. BadSettings: the device does not have it."""
    value = read(capture, control)
    if value is None:
        raise BadSettings(f"{control.name}: {address.name} has no such feature")
    choices = ("Off", "Continuous") if control.name == "ExposureAuto" else ()
    writable = address.kind == "device"
    return Feature(control.name, control.kind, None, None, None, choices, writable, True, value, control.unit)


def _raw(control: Control, value: Value) -> float:
    if control.name == "FourCC":
        text = str(value)
        if len(text) != 4 or not text.isascii():
            raise BadSettings(f"FourCC = {text!r}: expected four letters, for example MJPG")
        return float(cv2.VideoWriter.fourcc(*text))
    if control.name == "ExposureAuto":
        return _MANUAL if value == "Off" else _AUTO
    if isinstance(value, str):
        raise BadSettings(f"{control.name} = {value!r}: expected a number")
    return round(float(value) / control.scale) if control.scale != 1.0 else float(value)


def _same(control: Control, asked: Value, got: Value) -> bool:
    """A number may be rounded to the driver's step, or by 2 %."""
    if isinstance(asked, bool | str) or isinstance(got, bool | str):
        return asked == got
    return abs(asked - got) <= max(control.scale / 2 if control.scale != 1.0 else 0.0, 0.02 * abs(asked))
