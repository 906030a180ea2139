"""`manifest.json` of a bundle: what the model is, what it takes and gives, and the digest of every file.

The digest of a bundle is the sha256 of its manifest. `check` inside finds a damaged manifest; who made it is a matter
for a signature. No numpy here: rooms that only move bundles read manifests too.
"""

import hashlib
import json
import math
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ..bus.errors import BadBundle

FORMAT = 2
"""What is written. Format 1, anomaly models only, is read still."""
MANIFEST = "manifest.json"
MODEL = "model.onnx"
EXPECTED = "golden/expected.json"
REPORT = "report.json"
REPORT_HTML = "report.html"
SIGNATURE = "signature.sig"
"""Not in the manifest: it is made over it and over all other files."""
LESSON = "lesson.npz"
"""Not in every bundle: features of the goods it was taught from, for adding goods later."""
MOST_BYTES = 512 << 20
"""Largest file of a bundle, 512 MiB."""
MOST_MANIFEST_BYTES = 4 << 20

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
ClassName = Annotated[str, Field(pattern=r"^[\w][\w ./+()-]{0,59}$")]
Adapter = Literal["anomaly", "classification", "yolo", "torchvision_detection", "segmentation"]
"""How the outputs of a graph are read."""
CLASS_LIMIT = 0.5
"""Of a class for which nobody named a limit."""
PortName: str = Field(default="", max_length=100)
_READ_BY: dict[Adapter, tuple[str, ...]] = {
    "anomaly": ("score", "heat"),
    "classification": ("logits",),
    "segmentation": ("logits",),
    "torchvision_detection": ("boxes", "labels", "scores"),
    "yolo": ("predictions",),
}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileEntry(_Part):
    """One file of the bundle."""

    sha256: Sha256
    size: int = Field(ge=0, le=MOST_BYTES)
    """Bytes."""


class Input(_Part):
    """What the graph takes: uint8 `[1, height, width, channels]`."""

    name: str = Field(min_length=1, max_length=100)
    width: int = Field(ge=16, le=8192)
    height: int = Field(ge=16, le=8192)
    channels: Literal[1, 3]
    crop: str = Field(max_length=100)
    """Name of the arithmetic that cuts and stretches a region to this size (`models/crop.py`)."""


class Output(_Part):
    """What the graph gives and how it is read (`models/adapter_*.py`). Names that the adapter does not use are empty.

    anomaly                score float32 [n], heat float32 [n, rows, columns]
    classification         logits float32 [n, C]
    segmentation           logits float32 [n, C, rows, columns]
    torchvision_detection  boxes float32 [k, 4] (x0 y0 x1 y1, input pixels), labels int64 [k], scores float32 [k]
    yolo                   predictions float32 [n, 4 + C, N] (`v8`) or [n, N, 5 + C] (`v5`), boxes as centre and size
    """

    adapter: Adapter = "anomaly"
    score: str = PortName
    heat: str = PortName
    logits: str = PortName
    predictions: str = PortName
    boxes: str = PortName
    labels: str = PortName
    scores: str = PortName
    features: str | None = Field(default=None, min_length=1, max_length=100)
    """Name of a further output, float32 [n, k]: what the model has seen in the mean. None: it has none."""
    rows: int = Field(ge=1, le=1024)
    """Of the heat map, whether the graph gives it or it is drawn from what was found."""
    columns: int = Field(ge=1, le=1024)
    clipped: tuple[Finite, Finite] | None = None
    """The graph cuts an anomaly map off at these two: one that lies at either end everywhere is sound. None: it is not,
    because a picture is nowhere equally unlike a good one."""
    classes: tuple[ClassName, ...] = Field(default=(), max_length=2000)
    """The defects, by channel or label. What is good or background is none of them."""
    numbers: tuple[Annotated[int, Field(ge=0, le=10_000)], ...] = Field(default=(), max_length=2000)
    """Channel or label of each class. Empty: in order from 1, because 0 is good or background; for yolo from 0."""
    activation: Literal["softmax", "sigmoid", "none"] = "softmax"
    """What makes confidences of logits; `none`: they are confidences already."""
    layout: Literal["v8", "v5"] = "v8"
    """Of yolo predictions: `v5` has a confidence that there is anything, and boxes in rows."""
    overlap: float = Field(default=0.5, gt=0, le=1)
    """Of yolo boxes of one class that overlap by more (intersection over union), only the best is kept."""
    area_limits_px: dict[ClassName, Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]] = Field(
        default_factory=dict, max_length=2000
    )
    """Of a segmentation: smallest area of a class that counts, picture pixels. Classes left out: any area."""

    @model_validator(mode="after")
    def _has_what_the_adapter_reads(self) -> Self:
        for name in _READ_BY[self.adapter]:
            if not getattr(self, name):
                raise ValueError(f"{name}: expected the name of an output, adapter {self.adapter} reads it")
        if bool(self.classes) == (self.adapter == "anomaly"):
            raise ValueError(f"classes: {len(self.classes)} found: an anomaly model has none, every other at least one")
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("classes: a name stands twice")
        if self.numbers and (len(self.numbers) != len(self.classes) or len(set(self.numbers)) != len(self.numbers)):
            raise ValueError(f"numbers: expected {len(self.classes)} different ones, one for each class")
        if unknown := set(self.area_limits_px) - set(self.classes):
            raise ValueError(f"area_limits_px: {sorted(unknown)}: no such class")
        return self

    @property
    def class_numbers(self) -> tuple[int, ...]:
        """Channel or label of each class."""
        first = 0 if self.adapter == "yolo" else 1
        return self.numbers or tuple(range(first, first + len(self.classes)))

    @property
    def ports(self) -> tuple[str, ...]:
        """Names of the outputs that the adapter reads, in its own order; features are not among them."""
        return tuple(getattr(self, name) for name in _READ_BY[self.adapter])


class Threshold(_Part):
    """A score above `value` is not OK."""

    value: Finite
    """Of all that know classes 1: their score is a share of the class's limit."""
    method: str = Field(max_length=1000)
    """How it was found, for people."""
    target: str = Field(default="", max_length=1000)
    """What was promised, for people."""
    overkill_percent: float = Field(ge=0, le=100)
    """Share of good parts expected above it."""
    overkill_low_percent: float = Field(ge=0, le=100)
    """95 % interval of that share."""
    overkill_high_percent: float = Field(ge=0, le=100)
    goods: int = Field(ge=0)
    """Held-out good parts it rests on."""
    escape_percent: Percent | None = None
    """Share of defective parts expected at or below it; None: no defective part was there to tell."""
    escape_low_percent: Percent | None = None
    """95 % interval of that share."""
    escape_high_percent: Percent | None = None
    defects: int = Field(default=0, ge=0)
    """Defective parts the share of escapes rests on."""
    class_limits: dict[ClassName, Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]] = Field(
        default_factory=dict, max_length=2000
    )
    """Confidence, 0..1, above which a class makes a region NG. Classes left out: 0.5."""


class Manifest(_Part):
    """The whole manifest."""

    format: Literal[1, 2] = 2
    name: str = Field(pattern=r"^[\w][\w .+-]{0,99}$")
    version: str = Field(pattern=r"^\d{1,6}\.\d{1,6}\.\d{1,6}$")
    created_at: str = Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
    """UTC."""
    input: Input
    output: Output
    threshold: Threshold
    budget_ms: float | None = Field(default=None, gt=0, le=60_000, allow_inf_nan=False)
    """Longest one inference may take on a box; a bundle that takes longer does not activate. None: not promised."""
    opset: int = Field(ge=7, le=26)
    backbone_sha256: Sha256 | None = None
    """Digest of the feature extractor the model was taught on."""
    train: dict[str, str | int | Finite | bool] = Field(default_factory=dict, max_length=100)
    """How it was taught: method, goods, options, seconds."""
    files: dict[str, FileEntry] = Field(min_length=1, max_length=10_000)
    """Every file of the bundle but this one, by its path inside."""
    check: Sha256
    """sha256 of this manifest's canonical text with `check` left out: finds damage."""

    @field_validator("files")
    @classmethod
    def _paths_stay_inside(cls, files: dict[str, FileEntry]) -> dict[str, FileEntry]:
        for name in files:
            path = PurePosixPath(name)
            plain = not path.is_absolute() and ".." not in path.parts and str(path) == name and name.isprintable()
            if not plain or "\\" in name or name in (MANIFEST, "."):
                raise ValueError(f"path {name!r}: expected a plain relative path inside the bundle")
        return files

    @model_validator(mode="after")
    def _holds_what_is_needed(self) -> Self:
        for name in (MODEL, EXPECTED, REPORT):
            if name not in self.files:
                raise ValueError(f"files: {name} is missing")
        if unknown := set(self.threshold.class_limits) - set(self.output.classes):
            raise ValueError(f"threshold.class_limits: {sorted(unknown)}: no such class")
        if self.format == 1 and self.output.adapter != "anomaly":
            raise ValueError(f"output.adapter: {self.output.adapter}: expected format 2")
        return self

    def class_limit(self, name: str) -> float:
        """Limit of a class, by the bundle."""
        return self.threshold.class_limits.get(name, CLASS_LIMIT)


def canonical(fields: dict[str, Any]) -> bytes:
    """Return the one text a manifest may have: sorted keys, two blanks of indent, a newline at the end."""
    text = json.dumps(fields, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def sealed(fields: dict[str, Any]) -> tuple[Manifest, bytes]:
    """Return the manifest of these fields (`check` is added) and its bytes. ValidationError: a field is wrong.

    It is of the newest format, whatever the fields say.
    """
    plain = {**{name: value for name, value in fields.items() if name != "check"}, "format": FORMAT}
    manifest = Manifest.model_validate({**plain, "check": "0" * 64})
    whole = manifest.model_dump(mode="json", exclude={"check"})
    whole["check"] = hashlib.sha256(canonical(whole)).hexdigest()
    return Manifest.model_validate(whole), canonical(whole)


def parse(data: bytes, name: str) -> Manifest:
    """Return the manifest in these bytes. BadBundle: not one, or damaged; the text starts with name."""
    try:
        fields = json.loads(data.decode("utf-8"), parse_constant=_refuse_constant)
        manifest = Manifest.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "manifest"
        shown = f" = {first['input']!r}"[:80] if not isinstance(first["input"], dict) else ""
        raise BadBundle(f"{name}: {key}{shown}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise BadBundle(f"{name}: not a manifest: {error}") from error
    check = fields.pop("check")
    expected = hashlib.sha256(canonical(fields)).hexdigest()
    if check != expected or canonical({**fields, "check": check}) != data:
        raise BadBundle(f"{name}: damaged: check says {check}, content gives {expected}")
    return manifest


def read_bytes(folder: Path) -> bytes:
    """Return the bytes of a bundle's manifest. BadBundle: no such bundle."""
    path = folder / MANIFEST
    try:
        if path.stat().st_size > MOST_MANIFEST_BYTES:
            raise BadBundle(f"{path}: {path.stat().st_size} bytes: expected at most {MOST_MANIFEST_BYTES}")
        return path.read_bytes()
    except OSError as error:
        raise BadBundle(f"{folder}: not a bundle: {MANIFEST} cannot be read: {error.strerror}") from error


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a bundle. BadBundle: missing, damaged, or a key is unknown or out of range."""
    return parse(read_bytes(folder), str(folder / MANIFEST))


def digest(folder: Path) -> str:
    """Return the digest of a bundle: sha256 of its manifest, 64 hex digits. BadBundle: no such bundle."""
    return hashlib.sha256(read_bytes(folder)).hexdigest()


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of a manifest")


def is_finite(value: float) -> bool:
    """True for a number that may stand in a manifest."""
    return math.isfinite(value)
