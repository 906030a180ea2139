"""One recipe with what decides now and with a candidate in its place, judging stored pictures as the line would.

All that a judge needs travels with it, so that it may be made on another machine: the recipe and the files it takes,
both bundles, and where pictures are had. A picture is had by its path here, else by its digest from a bucket; either
way its bytes are hashed before they are decoded.
"""

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..bus.errors import BadPicture, BadRecipe, OkngError
from ..bus.part import Outcome, Verdict
from ..fleet.options import SyncOptions
from ..fleet.stores import BlobStore, open_store
from ..inspect.inspector import Inspector
from ..inspect.options import InspectOptions
from ..inspect.recipe import read_recipe
from ..models.pictures import decode
from ..training.data.dataset import Sample

RECIPE = "recipe.yaml"
_MOST_PICTURE = 256 << 20


@dataclass(frozen=True, slots=True)
class Pack:
    """What a judge is made of, as bytes: it means the same on every machine."""

    recipe: bytes
    beside: Mapping[str, bytes]
    """Files that the recipe takes, by their path beside it."""
    bundles: Mapping[str, Mapping[str, bytes]]
    """Bundles that decide now, by what the recipe calls each; files by path inside."""
    name: str
    """Which of them the candidate takes the place of."""
    candidate: Mapping[str, bytes]
    camera: str
    provider: str
    target: str
    """Bucket or folder where pictures lie under `sha256/`, as `[sync]` has it; empty: only by their paths."""
    endpoint: str

    @classmethod
    def of(
        cls,
        recipe: Path,
        candidate: Path,
        *,
        name: str = "",
        camera: str = "",
        provider: str = "cpu",
        target: str = "",
        endpoint: str = "",
    ) -> "Pack":
        """Read all of it. BadRecipe: the recipe, or it has several bundles or cameras and none was named. OSError."""
        active = read_recipe(recipe)
        names = tuple(active.bundles)
        if name not in names and (name or len(names) != 1):
            said = f"{name!r}: " if name else ""
            raise BadRecipe(f"{recipe}: --bundle {said}expected one of {', '.join(names) or 'none: it has no model'}")
        cameras = tuple(active.recipe.cameras)
        if camera not in cameras and len(cameras) > 1:
            raise BadRecipe(f"{recipe}: --camera {camera!r}: expected one of {', '.join(cameras)}")
        return cls(
            recipe=recipe.read_bytes(),
            beside={each: (active.folder / each).read_bytes() for each in active.recipe.files},
            bundles={each: _files(folder) for each, folder in active.bundles.items()},
            name=name or names[0],
            candidate=_files(candidate),
            camera=camera or (cameras[0] if cameras else "top"),
            provider=provider,
            target=target,
            endpoint=endpoint,
        )

    def judge(self) -> "BothJudges":
        """Make a judge of it. BadRecipe, BadBundle, BadSettings."""
        return BothJudges(self)


def row_of(sample: Sample, at: int = 0) -> dict[str, Any]:
    """Return what travels of one labelled picture. at: number of its set: other sets may call other parts the same."""
    box = sample.seen.box if sample.seen else ""
    return {
        "name": sample.name,
        "path": str(sample.picture.absolute()),
        "sha256": sample.sha256,
        "part": str(sample.seen) if sample.seen else f"{at}/{sample.part or sample.sha256}",
        # A verdict that nobody looked at is no label: the model would be measured by its own word.
        "label": "" if sample.said_by == "verdict" else sample.label or "",
        "box": box,
        "lot": sample.lot or "",
    }


class BothJudges:
    """What decides now and the candidate, loaded in a folder of their own that goes with them."""

    def __init__(self, pack: Pack) -> None:
        """Unpack, load and prove. BadRecipe, BadBundle, BadSettings."""
        self._place = tempfile.TemporaryDirectory(prefix="okng-backtest-")
        root = Path(self._place.name)
        here = root / "recipe"
        here.mkdir()
        (here / RECIPE).write_bytes(pack.recipe)
        _unpack(here, pack.beside)
        folders = {}
        for at, (name, files) in enumerate(pack.bundles.items()):
            folders[name] = _unpack(root / f"now-{at}", files)
        candidate = _unpack(root / "candidate", pack.candidate)
        active = read_recipe(here / RECIPE)
        options = InspectOptions.model_validate({"provider": pack.provider})
        cameras, run_dir = (pack.camera,), root / "run"
        run_dir.mkdir()
        self._camera = pack.camera
        self._before = Inspector(0, active, options, cameras, run_dir, folders=folders)
        self._after = Inspector(0, active, options, cameras, run_dir, folders=folders | {pack.name: candidate})
        self._blobs: BlobStore | None = (
            open_store(SyncOptions(target=pack.target, endpoint=pack.endpoint)) if pack.target else None
        )

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Judge one picture by both."""
        told = {name: row[name] for name in ("name", "sha256", "part", "label", "box", "lot")}
        try:
            picture = decode(self._bytes(row), row["name"])
            before, after = (judge.look(self._camera, picture) for judge in (self._before, self._after))
        except (OkngError, OSError, ValueError) as error:
            none = {"before": "UNJUDGED", "after": "UNJUDGED", "before_score": 0.0, "after_score": 0.0, "after_ms": 0.0}
            return told | none | {"trouble": str(error)[:500]}
        return told | {
            "before": str(before.outcome),
            "after": str(after.outcome),
            "before_score": _share(before),
            "after_score": _share(after),
            "after_ms": (after.done_ns - after.started_ns) / 1e6,
            "trouble": _why(before) or _why(after),
        }

    def close(self) -> None:
        """Let go of models and folder."""
        self._before.close()
        self._after.close()
        self._place.cleanup()

    def _bytes(self, row: Mapping[str, Any]) -> bytes:
        path, sha256 = Path(row["path"]), row["sha256"]
        if path.is_file():
            data = path.read_bytes()
        elif self._blobs is not None:
            data = b""
            for piece in self._blobs.read_from(f"sha256/{sha256}", 0):
                data += piece
                if len(data) > _MOST_PICTURE:
                    raise BadPicture(f"{row['name']}: larger than {_MOST_PICTURE} bytes")
        else:
            raise BadPicture(f"{path}: not there, and no bucket was named to have it from")
        if (found := hashlib.sha256(data).hexdigest()) != sha256:
            raise BadPicture(f"{row['name']}: changed: its bytes hash to {found[:16]}, expected {sha256[:16]}")
        return data


def _share(verdict: Verdict) -> float:
    return verdict.score / verdict.threshold if verdict.threshold else verdict.score


def _why(verdict: Verdict) -> str:
    """Why a picture was not judged; empty: it was."""
    return "; ".join(verdict.reasons)[:500] or "unjudged" if verdict.outcome is Outcome.UNJUDGED else ""


def _files(folder: Path) -> dict[str, bytes]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def _unpack(folder: Path, files: Mapping[str, bytes]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder
