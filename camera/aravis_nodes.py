"""The features of a camera that Aravis has opened, and the door for its errors. Holds `gi` together with aravis.py.

Aravis checks no range: a value beyond it is written to the register and read back from it. It is refused here.
"""

import contextlib
import importlib
import warnings
from collections.abc import Iterator
from typing import Any

from ..bus.errors import BadSettings, CameraLost
from .features import Feature, Kind, Value, Visibility

PACKAGES = "gir1.2-aravis-0.8 python3-gi"
_VISIBILITIES: tuple[Visibility, ...] = ("beginner", "expert", "guru", "invisible")
_KINDS: tuple[tuple[str, Kind], ...] = (
    ("GcCommand", "command"),
    ("GcEnumeration", "choice"),
    ("GcBoolean", "boolean"),
    ("GcInteger", "integer"),
    ("GcFloat", "float"),
    ("GcString", "text"),
)
"""By interface; the first one counts: an enumeration is an integer, too."""
_NO_STEP = 1e-300
_GONE = (2, 3, 4, 5, 11)
"""ArvDeviceError: not connected, protocol, transfer, time-out, unknown: no answer, or none that makes sense."""


def load() -> Any:
    """Return the Aravis library as Debian's Python binding has it. BadSettings: it is not there."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ImportWarning)  # Debian 12's binding loads the way of Python 3.3
            gi = importlib.import_module("gi")
            gi.require_version("Aravis", "0.8")
            importlib.import_module("gi.repository.GLib")
            return importlib.import_module("gi.repository.Aravis")
    except (ImportError, ValueError) as error:
        raise BadSettings(f"driver = aravis: expected Debian's {PACKAGES}, seen by this Python ({error})") from error


@contextlib.contextmanager
def door(doing: str) -> Iterator[None]:
    """Nothing of Aravis leaves: no answer becomes CameraLost, a refusal BadSettings."""
    foreign: Any = importlib.import_module("gi.repository.GLib").Error
    try:
        yield
    except foreign as error:
        if error.domain == "arv-device-error-quark" and error.code in _GONE:
            raise CameraLost(f"{doing}: {error.message}") from error
        raise BadSettings(f"{doing}: {error.message}") from error


class Nodes:
    """The features of one open camera. One thread."""

    def __init__(self, library: Any, device: Any) -> None:
        """library: of `load`. device: an Aravis.Device."""
        self._library, self._device = library, device
        self._genicam = device.get_genicam()

    def has(self, name: str) -> bool:
        """As sfnc.Nodes."""
        node = self._genicam.get_node(name)
        if not isinstance(node, self._library.GcFeatureNode):
            return False
        with door(name):
            return bool(node.is_implemented() and node.is_available())

    def describe(self, name: str) -> Feature:
        """As FrameSource."""
        node = self._genicam.get_node(name)
        if not isinstance(node, self._library.GcFeatureNode):
            raise BadSettings(f"{name}: the camera has no such feature")
        with door(name):
            return self._feature(node, name, "")

    def features(self) -> list[Feature]:
        """As FrameSource: from the root category down; one that cannot even be described is left out."""
        return list(self._listed("Root", "", []))

    def get(self, name: str) -> Value:
        """As FrameSource."""
        feature = self.describe(name)
        if not feature.readable or feature.kind in ("command", "other"):
            raise BadSettings(f"{name}: cannot be read")
        with door(name):
            return self._value(name, feature.kind)

    def set(self, name: str, value: Value) -> None:
        """As FrameSource."""
        feature = self.describe(name)
        if feature.kind == "command":
            raise BadSettings(f"{name} = {value}: a command, it can only be run")
        fault = feature.fault(value)
        if fault:
            raise BadSettings(f"{name} = {value}: {fault}")
        device = self._device
        write = {
            "boolean": device.set_boolean_feature_value,
            "integer": device.set_integer_feature_value,
            "float": device.set_float_feature_value,
        }.get(feature.kind, device.set_string_feature_value)
        with door(f"{name} = {value}"):
            write(name, value)

    def execute(self, name: str) -> None:
        """As FrameSource."""
        if self.describe(name).kind != "command":
            raise BadSettings(f"{name}: not a command")
        with door(name):
            self._device.execute_command(name)

    def _listed(self, category: str, path: str, seen: list[str]) -> Iterator[Feature]:
        node = self._genicam.get_node(category)
        if not isinstance(node, self._library.GcCategory) or category in seen:
            return
        seen.append(category)
        for name in node.get_features():
            child = self._genicam.get_node(name)
            if isinstance(child, self._library.GcCategory):
                yield from self._listed(name, name, seen)
            elif isinstance(child, self._library.GcFeatureNode) and name not in seen:
                seen.append(name)
                with contextlib.suppress(BadSettings), door(name):
                    yield self._feature(child, name, path)

    def _feature(self, node: Any, name: str, category: str) -> Feature:
        library = self._library
        kind: Kind = next((kind for known, kind in _KINDS if isinstance(node, getattr(library, known))), "other")
        mode, here = node.get_actual_access_mode(), bool(node.is_implemented() and node.is_available())
        readable = here and mode in (library.GcAccessMode.RO, library.GcAccessMode.RW) and kind != "command"
        writable = here and mode in (library.GcAccessMode.WO, library.GcAccessMode.RW) and not node.is_locked()
        low, high, step = self._limits(name, kind) if writable else (None, None, None)
        choices = self._device.dup_available_enumeration_feature_values_as_strings(name) if kind == "choice" else ()
        visibility = int(node.get_visibility())
        return Feature(
            name=name,
            kind=kind,
            low=low,
            high=high,
            step=step,
            choices=tuple(choices),
            writable=writable,
            readable=readable,
            value=self._value(name, kind) if readable and kind != "other" else None,
            unit=(node.get_unit() or "") if kind in ("integer", "float") else "",
            category=category,
            title=node.get_display_name() or "",
            description=node.get_description() or node.get_tooltip() or "",
            visibility=_VISIBILITIES[visibility] if 0 <= visibility < len(_VISIBILITIES) else "invisible",
        )

    def _limits(self, name: str, kind: Kind) -> tuple[float | None, float | None, float | None]:
        device = self._device
        if kind == "integer":
            low, high = device.get_integer_feature_bounds(name)
            return low, high, device.get_integer_feature_increment(name)
        if kind == "float":
            low, high = device.get_float_feature_bounds(name)
            step = device.get_float_feature_increment(name)
            return low, high, step if step > _NO_STEP else None
        return None, None, None

    def _value(self, name: str, kind: Kind) -> Value:
        device = self._device
        read = {
            "boolean": device.get_boolean_feature_value,
            "integer": device.get_integer_feature_value,
            "float": device.get_float_feature_value,
        }.get(kind, device.get_string_feature_value)
        value: Value = read(name)
        return value
