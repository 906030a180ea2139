"""The list of all that is in a package: Python libraries as cyclonedx-py found them, and what lies beside them.

    python packaging/sbom.py FOUND ROOT OUT

FOUND: CycloneDX JSON of the box's environment. ROOT: the source. OUT: the whole, CycloneDX 1.6. Exit 1 where a
component has no name, version or licence, where a file of others is in no list, or where the result is no CycloneDX.
Needs requirements/sbom.txt.
"""

import hashlib
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PRODUCT = "okng"
FOREIGN = {".onnx", ".woff", ".woff2", ".ttf", ".otf", ".wasm", ".c", ".h", ".so", ".jar"}
"""Kinds of files that come from elsewhere, or are built: each has to be in a list. So has all of `vendor/`."""
NOT_SHIPPED = {"tests", "bench", "docs", "packaging", "build", "dist", "node_modules"}


class Incomplete(Exception):
    """A component lacks what an SBOM must say, or a file is in no list. One line each."""


def vendored(root: Path, versions: dict[str, str]) -> Iterator[tuple[dict[str, Any], list[Path]]]:
    """Components that are no Python libraries, each with its files. versions: of the libraries, by name."""
    for listing in (file for room in _rooms(root) for file in sorted(room.rglob("vendor.json"))):
        for name, entry in json.loads(listing.read_text(encoding="utf-8")).items():
            file = listing.parent / name
            component = _component(entry["name"], entry["version"], "library", entry["licence"], entry["source"])
            if entry["source"].startswith("npm package") and file.suffix == ".js":
                component["purl"] = f"pkg:npm/{entry['name'].replace('@', '%40')}@{entry['version']}"
            yield _hashed(component, [file]), [file, listing.parent / entry["licence_file"], listing]
    table = tomllib.loads((root / "packaging/vendored.toml").read_text(encoding="utf-8"))
    for entry in table["component"]:
        version = entry["version"]
        if version.startswith("@"):  # counted by a library: its first three numbers
            version = ".".join(versions[version[1:]].split(".")[:3])
        files = [file for pattern in entry["files"] for file in sorted(root.glob(pattern))]
        component = _component(entry["name"], version, entry["type"], entry["licence"], entry["about"])
        yield _hashed(component, files if len(files) == 1 else []), files


def _component(name: str, version: str, kind: str, licence: str, about: str) -> dict[str, Any]:
    said = {"name": licence} if " " in licence else {"id": licence}
    if licence.startswith("LicenseRef-"):
        said = {"name": licence}
    return {
        "type": kind,
        "bom-ref": f"{name}=={version}",
        "name": name,
        "version": version,
        "description": about,
        "licenses": [{"license": said}],
    }


def _hashed(component: dict[str, Any], files: list[Path]) -> dict[str, Any]:
    hashes = [{"alg": "SHA-256", "content": hashlib.sha256(file.read_bytes()).hexdigest()} for file in files]
    return {**component, "hashes": hashes} if hashes else component


def unlisted(root: Path, listed: set[Path]) -> list[str]:
    """Files of others that are shipped and in no list."""
    return [
        f"{file.relative_to(root)}: is in no vendor.json and not in packaging/vendored.toml"
        for room in _rooms(root)
        for file in sorted(room.rglob("*"))
        if file.is_file()
        and file not in listed
        and (file.suffix in FOREIGN or "vendor" in file.parts or file.name.endswith(".min.js"))
    ]


def _rooms(root: Path) -> list[Path]:
    """Folders that are shipped: what a run or a build left beside them is not."""
    folders = (each for each in sorted(root.iterdir()) if each.is_dir() and not each.name.startswith("."))
    return [each for each in folders if each.name not in NOT_SHIPPED and not each.name.endswith("-out")]


def incomplete(components: list[dict[str, Any]]) -> list[str]:
    """What is missing of whom."""
    return [
        f"{component.get('name') or '(no name)'}: no {key}"
        for component in components
        for key in ("name", "version", "licenses")
        if not component.get(key)
    ]


def whole(found: dict[str, Any], root: Path) -> dict[str, Any]:
    """The SBOM of the package. Incomplete."""
    table = tomllib.loads((root / "packaging/vendored.toml").read_text(encoding="utf-8"))
    components = list(found["components"])
    versions = {component["name"]: component.get("version", "") for component in components}
    unused = set(table["licences"]) - set(versions)
    bad = [f"packaging/vendored.toml: licences: {name}: is not in the package" for name in sorted(unused)]
    for component in components:
        licence = table["licences"].get(component["name"])
        if licence is not None and not component.get("licenses"):
            component["licenses"] = _component("", "", "", licence, "")["licenses"]
    (product,) = [component for component in components if component["name"] == PRODUCT]
    components.remove(product)
    listed: set[Path] = set()
    for component, files in vendored(root, versions):
        components.append(component)
        listed |= set(files)
    bad += incomplete([product, *components]) + unlisted(root, listed)
    if bad:
        raise Incomplete("\n".join(bad))
    product = {**product, "type": "application", "purl": f"pkg:generic/{PRODUCT}@{product['version']}"}
    return {**found, "metadata": {**found["metadata"], "component": product}, "components": components}


def valid(text: str) -> str | None:
    """What the schema of CycloneDX 1.6 objects to; None: nothing."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    return None if error is None else re.sub(r"\s+", " ", str(error))[:500]


def main(arguments: list[str]) -> int:
    """Read, complete, check, write."""
    found, root, out = map(Path, arguments)
    try:
        made = whole(json.loads(found.read_text(encoding="utf-8")), root.resolve())
    except Incomplete as error:
        sys.stderr.write(f"sbom: {error}\n")
        return 1
    text = json.dumps(made, indent=1, sort_keys=True) + "\n"
    if (objection := valid(text)) is not None:
        sys.stderr.write(f"sbom: not CycloneDX 1.6: {objection}\n")
        return 1
    out.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{out}: {len(made['components']) + 1} components\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
