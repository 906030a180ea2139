"""A bundle comes to its place: copied whole beside, synced, renamed, and proved there by its digest."""

import re
import shutil
import tempfile
from pathlib import Path

from ..bus.errors import BadBundle, StoreLost
from ..models.bundle import open_bundle
from .whole import sync


def install(bundle: Path, folder: Path, name: str) -> Path:
    """Copy a bundle into the folder of bundles; return its place. One that is there already is taken.

    BadBundle: it is damaged. StoreLost: the disk does not take it; nothing is left behind.
    """
    opened = open_bundle(bundle)
    place = folder / f"{_plain(name)}-{opened.digest[:12]}"
    if place.is_dir():
        if open_bundle(place).digest != opened.digest:
            raise BadBundle(f"{place}: another bundle is there")
        return place
    try:
        folder.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{place.name}.", suffix=".new", dir=folder))
        try:
            shutil.copytree(bundle, staging, dirs_exist_ok=True)
            staging.chmod(0o755)
            for file in (path for path in staging.rglob("*") if path.is_file()):
                sync(file)
            open_bundle(staging, opened.digest)
            staging.rename(place)
            sync(folder)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
    except OSError as error:
        raise StoreLost(f"{place}: cannot be written: {error.strerror or error}") from error
    return place


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-") or "model"
