"""A bundle that was made goes to a registry, with what it was made from and by.

model/bundle/...   the bundle, byte for byte        model/sbom.cdx.json   what made it
"""

import math
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ..models.bundle import open_bundle
from ..models.difference import figures
from ..models.manifest import MANIFEST
from . import provenance
from .registry import BUNDLE, COMMIT, DATASET, SBOM, Entry, Registry, Version

INSIDE = "bundle"
"""Folder of the bundle in what is logged."""


def log_bundle(
    registry: Registry, folder: Path, *, name: str = "", alias: str = "", run: str = ""
) -> tuple[str, Version | None]:
    """Log a bundle as a run; return its name and, where the model has one, its new version.

    name: of the model it is the next version of; empty: it is only logged. alias: that stands for it from now on;
    empty: none. run: one that is there and has no files yet; empty: a new one.
    BadBundle: the bundle is not as it was made. BadRegistry, BadSettings, StoreLost.
    """
    opened = open_bundle(folder)
    manifest = opened.manifest
    bom = provenance.sbom()
    with tempfile.TemporaryDirectory(prefix="okng-log-") as aside:
        put = Path(aside) / "model"
        for inside in (MANIFEST, *manifest.files):
            (put / INSIDE / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / inside, put / INSIDE / inside)
        (put / provenance.SBOM_NAME).write_bytes(bom)
        # What was copied is what was looked at: a signature is made later, over another bundle.
        open_bundle(put / INSIDE, opened.digest)
        entry = Entry(
            title=f"{manifest.name} {manifest.version}",
            folder=put,
            params=manifest.train,
            metrics=_metrics(opened.report, manifest.threshold.model_dump()),
            tags={
                BUNDLE: opened.digest,
                DATASET: str(manifest.train.get("dataset_sha256", "")),
                COMMIT: provenance.commit_of_code(),
                SBOM: provenance.digest(bom),
            },
            run=run,
        )
        logged = registry.log(entry)
    if not name:
        return logged, None
    version = registry.register(name, logged)
    if alias:
        registry.set_alias(name, alias, version.version)
    return logged, version


def _metrics(report: dict[str, Any], threshold: dict[str, Any]) -> dict[str, float]:
    """Figures of the report and of what is promised, by names that MLflow takes; at most 200."""
    promised = {f"threshold.{key}": value for key, value in threshold.items() if isinstance(value, int | float)}
    found = {**promised, **figures(report)}
    plain = {
        "".join(each if each.isalnum() or each in "_-./ " else "_" for each in key): value
        for key, value in found.items()
    }
    numbers = {key[:200]: float(value) for key, value in plain.items() if isinstance(value, int | float)}
    return dict([(key, value) for key, value in numbers.items() if math.isfinite(value)][:200])
