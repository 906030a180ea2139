"""The features of a camera as data: what the set-up screen and `okng camera show` list."""

from dataclasses import dataclass
from typing import Literal

Value = bool | int | float | str
Kind = Literal["integer", "float", "boolean", "choice", "text", "command", "other"]
_YES, _NO = ("true", "on", "yes", "1"), ("false", "off", "no", "0")
Visibility = Literal["beginner", "expert", "guru", "invisible"]


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature, as it is now and as it may be."""

    name: str
    """By the SFNC where the camera follows it, for example `ExposureTime`."""
    kind: Kind
    low: float | None
    """None: no limit, or no number."""
    high: float | None
    step: float | None
    choices: tuple[str, ...]
    """What a `choice` may be now."""
    writable: bool
    """Now: many features are locked while the camera streams."""
    readable: bool = True
    value: Value | None = None
    """None: it cannot be read, or is a command."""
    unit: str = ""
    category: str = ""
    """Where the camera lists it."""
    title: str = ""
    """Its name for people."""
    description: str = ""
    visibility: Visibility = "beginner"

    @property
    def allowed(self) -> str:
        """What it may be, in words; empty where anything goes."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.low is None or self.high is None:
            return ""
        step = f" in steps of {self.step:g}" if self.step and self.step != 1 else ""
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.low:.12g}..{self.high:.12g}{unit}{step}"

    def fault(self, value: Value) -> str:
        """Why the value cannot be written, in words; empty: nothing speaks against it here, the camera still may."""
        if not self.writable:
            return "the camera does not let it be written now"
        numeric = self.kind in ("integer", "float")
        if numeric and (isinstance(value, bool) or not isinstance(value, int | float)):
            return f"expected a number, {self.allowed or self.kind}"
        if self.kind == "boolean" and not isinstance(value, bool):
            return "expected true or false"
        if self.kind in ("choice", "text") and not isinstance(value, str):
            return f"expected {self.allowed or 'text'}"
        if self.kind == "integer" and not isinstance(value, int):
            return f"expected a whole number, {self.allowed}"
        if self.choices and value not in self.choices:
            return f"expected {self.allowed}"
        if numeric and not isinstance(value, str) and self.low is not None and self.high is not None:
            steps = self.kind == "integer" and self.step and (value - self.low) % self.step != 0
            if not self.low <= value <= self.high or steps:
                return f"expected {self.allowed}"
        return ""


def read_value(feature: Feature, text: str) -> Value:
    """Return what a person typed as a value of that feature. ValueError: it is none."""
    if feature.kind == "boolean":
        words = {
            "true": True,
            "on": True,
            "1": True,
            "yes": True,
            "false": False,
            "off": False,
            "0": False,
            "no": False,
        }
        if text.strip().lower() not in words:
            raise ValueError(f"{feature.name} = {text!r}: expected true or false")
        return words[text.strip().lower()]
    if feature.kind == "integer":
        try:
            return int(text, 0)
        except ValueError as error:
            raise ValueError(f"{feature.name} = {text!r}: expected a whole number, {feature.allowed}") from error
    if feature.kind == "float":
        try:
            return float(text)
        except ValueError as error:
            raise ValueError(f"{feature.name} = {text!r}: expected a number, {feature.allowed}") from error
    return text
