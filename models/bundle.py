"""A model bundle on disk: read once, verified whole, and the verified bytes are the ones that are used.

    model.onnx  manifest.json  report.json  golden/expected.json  golden/*.png  [report.html  lesson.npz  signature.sig]

The signature is made over all the others, so it alone stands in no manifest; who checks it is `fleet/signing.py`.
Writing is all or nothing: everything goes into a folder beside the goal, is synced, and is then renamed.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..bus.durable import sync_folder
from ..bus.errors import BadBundle
from ..bus.outside import read_bounded
from . import guard
from .listing import check_listing, check_streamed, verified
from .manifest import EXPECTED, LESSON, MANIFEST, MODEL, REPORT, SIGNATURE, Finite, Manifest, parse, read_bytes, sealed
from .swap import swap

SCORE_TOLERANCE = 1e-3
"""Largest difference of a golden score between the place of teaching and this device."""
MOST_GOLDEN_BYTES = 64 << 20
MOST_SIGNATURE_BYTES = 1 << 20


class _GoldenEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    score: Finite
    ok: bool
    """What the score means by the bundle's own threshold."""
    spots: int | None = Field(default=None, ge=0, le=100_000)
    """Places above their limit; None: not counted."""


class _Expected(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    tolerance: float = Field(gt=0, le=0.01, allow_inf_nan=False)
    pictures: dict[str, _GoldenEntry] = Field(min_length=1, max_length=1000)


@dataclass(frozen=True, slots=True)
class Golden:
    """A picture, already cut to the model's input, with the score it must give."""

    name: str
    png: bytes
    score: float
    ok: bool
    spots: int | None = None
    """Places above their limit; None: not counted."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle. Nothing is read from disk again."""

    folder: Path
    digest: str
    """sha256 of manifest.json, 64 hex digits: the bundle's name to the world."""
    manifest: Manifest
    model: bytes
    """The verified bytes of model.onnx."""
    golden: tuple[Golden, ...]
    tolerance: float
    """Largest difference allowed of a golden score."""
    report: dict[str, Any]
    lesson: Path | None = None
    """Where the verified lesson lies, if there is one."""
    signed: bool = False
    """True: a signature lies in the folder. Whose it is was looked at only where authorities were given."""
    signer: str = ""
    """Who vouches for it, RFC 4514; empty: nobody was asked for."""


def open_bundle(folder: Path, digest: str | None = None, authorities: Sequence[Path] = ()) -> Bundle:
    """Return the verified bundle in a folder.

    digest: the bundle that is expected (a recipe or a channel names it); None: any. authorities: certificates (PEM
    files) one of which must vouch for it; none: no signature is asked for.
    BadBundle, naming the file and what was found and expected: a file is missing, damaged, added, a link or too large,
    the manifest is wrong, the model holds what a bundle may not (`guard.py`), or nobody vouches for it who should.
    BadSettings: an authority's file cannot be read.
    """
    text = read_bytes(folder)
    found = hashlib.sha256(text).hexdigest()
    if digest is not None and found != digest:
        raise BadBundle(f"{folder / MANIFEST}: sha256 {found}: expected {digest}")
    manifest = parse(text, str(folder / MANIFEST))
    check_listing(folder, manifest)
    signer = _signer(folder, text, manifest, authorities) if authorities else ""
    contents = {}
    for name, entry in manifest.files.items():
        if name in (MODEL, EXPECTED, REPORT) or name.startswith("golden/"):
            contents[name] = verified(folder / name, entry.sha256, entry.size)
        else:
            check_streamed(folder / name, entry.sha256, entry.size)
    model = contents[MODEL]
    opset = guard.check_model(model, str(folder / MODEL)).opset
    if opset != manifest.opset:
        raise BadBundle(f"{folder / MODEL}: opset {opset}: the manifest says {manifest.opset}")
    expected = _expected(contents[EXPECTED], folder / EXPECTED)
    golden = []
    for name, stored in expected.pictures.items():
        path = f"golden/{name}"
        if path not in contents or len(contents[path]) > MOST_GOLDEN_BYTES:
            raise BadBundle(f"{folder / EXPECTED}: picture {name!r} is not in the bundle, or too large")
        golden.append(Golden(name, contents[path], stored.score, stored.ok, stored.spots))
    return Bundle(
        folder=folder,
        digest=found,
        manifest=manifest,
        model=model,
        golden=tuple(golden),
        tolerance=expected.tolerance,
        report=_report(contents[REPORT], folder / REPORT),
        lesson=folder / LESSON if LESSON in manifest.files else None,
        signed=(folder / SIGNATURE).is_file(),
        signer=signer,
    )


def _signer(folder: Path, text: bytes, manifest: Manifest, authorities: Sequence[Path]) -> str:
    """Who vouches for the bytes of a manifest, and so for every file it names."""
    from .vouched import authorities_of, vouched_by  # not in every process that reads bundles

    path = folder / SIGNATURE
    try:
        signature = read_bounded(path, MOST_SIGNATURE_BYTES)
    except OSError as error:
        raise BadBundle(f"{path}: no signature: {error.strerror}") from error
    return vouched_by(text, manifest, signature, authorities_of(authorities), str(path))


def write_bundle(
    out: Path,
    files: Mapping[str, bytes],
    fields: Mapping[str, Any],
    *,
    replace: bool = False,
    check: Callable[[Path], object] | None = None,
) -> str:
    """Write a bundle whole or not at all, and return its digest.

    files: content by path inside the bundle, all but the manifest. fields: of the manifest, `files` and `check` left
    out. replace: a bundle that is already there gives way (the two change places at once, then the old one is removed).
    check: called with the finished folder before it takes its place; what it raises leaves everything as it was.
    BadBundle: something is there already. OSError: disk full and the like; nothing is left behind.
    """
    entries = {name: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} for name, data in files.items()}
    _, text = sealed({**fields, "files": entries})
    check_free(out, replace=replace)
    out.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".new", dir=out.parent))
    try:
        for name, data in {**files, MANIFEST: text}.items():
            path = staging / name
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_synced(path, data)
        for folder in {staging, *(path for path in staging.rglob("*") if path.is_dir())}:
            folder.chmod(0o755)
            sync_folder(folder)
        if check is not None:
            check(staging)
        if not replace:
            _take_place(staging, out)
        elif out.exists():
            swap(staging, out)
            sync_folder(out.parent)
            shutil.rmtree(staging)
        else:
            staging.rename(out)
        sync_folder(out.parent)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    return hashlib.sha256(text).hexdigest()


def _take_place(staging: Path, out: Path) -> None:
    """Rename staging to out, which is free: nothing or an empty folder. BadBundle: another was quicker."""
    try:
        staging.rename(out)
    except OSError:
        check_free(out, replace=False)
        raise


def check_free(out: Path, *, replace: bool) -> None:
    """Raise BadBundle when a bundle cannot be written there: something else, or (unless replace) a bundle, is there."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise BadBundle(f"{out}: is not a folder: name another place for the bundle")
    if out.exists() and any(out.iterdir()):
        if not (out / MANIFEST).is_file():
            raise BadBundle(f"{out}: holds other files: name another place for the bundle")
        if not replace:
            raise BadBundle(f"{out}: a bundle is there already, and bundles are never changed: name another place")


def _expected(data: bytes, path: Path) -> _Expected:
    try:
        return _Expected.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BadBundle(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _report(data: bytes, path: Path) -> dict[str, Any]:
    try:
        report = json.loads(data)
    except ValueError as error:
        raise BadBundle(f"{path}: not JSON: {error}") from error
    if not isinstance(report, dict):
        raise BadBundle(f"{path}: expected an object")
    return report


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
