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

FORMAT = 1
MANIFEST = "manifest.json"
MODEL = "model.onnx"
EXPECTED = "golden/expected.json"
REPORT = "report.json"
MOST_BYTES = 512 << 20
"""Largest file of a bundle, 512 MiB."""
MOST_MANIFEST_BYTES = 4 << 20

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]


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
    """What the graph gives: float32 score `[1]` and heat `[1, rows, columns]`."""

    score: str = Field(min_length=1, max_length=100)
    heat: str = Field(min_length=1, max_length=100)
    rows: int = Field(ge=1, le=1024)
    columns: int = Field(ge=1, le=1024)


class Threshold(_Part):
    """A score above `value` is not OK."""

    value: Finite
    method: str = Field(max_length=1000)
    """How it was found, for people."""
    overkill_percent: float = Field(ge=0, le=100)
    """Share of good parts expected above it."""
    overkill_low_percent: float = Field(ge=0, le=100)
    """95 % interval of that share."""
    overkill_high_percent: float = Field(ge=0, le=100)
    goods: int = Field(ge=0)
    """Held-out good parts it rests on."""


class Manifest(_Part):
    """The whole manifest."""

    format: Literal[1] = 1
    name: str = Field(pattern=r"^[\w][\w .+-]{0,99}$")
    version: str = Field(pattern=r"^\d{1,6}\.\d{1,6}\.\d{1,6}$")
    created_at: str = Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
    """UTC."""
    input: Input
    output: Output
    threshold: Threshold
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
        return self


def canonical(fields: dict[str, Any]) -> bytes:
    """Return the one text a manifest may have: sorted keys, two blanks of indent, a newline at the end."""
    text = json.dumps(fields, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def sealed(fields: dict[str, Any]) -> tuple[Manifest, bytes]:
    """Return the manifest of these fields (`check` is added) and its bytes. ValidationError: a field is wrong."""
    plain = {name: value for name, value in fields.items() if name != "check"}
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
