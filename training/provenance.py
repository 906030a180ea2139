"""What a model was made by: the commit of the code, and every library beside it as a CycloneDX document."""

import hashlib
import json
import os
import platform
import re
import subprocess
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from .. import __version__

ROOT = Path(__file__).parents[1]
SBOM_NAME = "sbom.cdx.json"


def commit_of_code() -> str:
    """Return the commit of this code: 40 hex digits, `+changed` where files differ from it; else `okng 1.2.3`.

    OKNG_COMMIT says it where there is no repository, as in a container's image.
    """
    if said := os.environ.get("OKNG_COMMIT", ""):
        return said[:100]
    if not (ROOT / ".git").exists():
        return f"okng {__version__}"
    try:
        found = _git("rev-parse", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return f"okng {__version__}"
    return f"{found}+changed" if changed else found


def sbom() -> bytes:
    """Return what lies in this environment as CycloneDX 1.6 JSON: the same bytes for the same environment."""
    found = {}
    for one in distributions():
        name, version = one.metadata["Name"], one.version
        if not name or not version:
            continue
        name = re.sub(r"[-_.]+", "-", name).lower()
        purl = f"pkg:pypi/{name}@{version}"
        entry: dict[str, Any] = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
        if licences := one.metadata.get_all("License-Expression"):
            entry["licenses"] = [{"expression": str(licences[0])}]
        found[purl] = entry
    text = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "okng",
                "name": "okng",
                "version": __version__,
                "properties": [{"name": "okng:commit", "value": commit_of_code()}],
            },
            "properties": [
                {"name": "okng:python", "value": platform.python_version()},
                {"name": "okng:platform", "value": f"{platform.system()} {platform.machine()}"},
            ],
        },
        "components": [found[purl] for purl in sorted(found)],
    }
    return (json.dumps(text, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def digest(data: bytes) -> str:
    """Hex sha256."""
    return hashlib.sha256(data).hexdigest()


def _git(*words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(ROOT), *words],
        check=True,
        capture_output=True,
        text=True,
        timeout=20,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout.strip()
