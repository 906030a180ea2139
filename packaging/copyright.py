"""The copyright file of the package, from its SBOM: who is in it, under which licence, and where the texts lie.

    python packaging/copyright.py SBOM HOME > copyright

HOME: where the environment lies on a box.
"""

import json
import sys
from pathlib import Path
from typing import Any

_HEAD = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: okng
Comment: What is below {home} was built by others and is redistributed unchanged; the licence of each, with the
 names of its authors, lies in {home}/lib/python3.11/site-packages/NAME.dist-info. The same list for
 machines: okng.cdx.json beside this file.

Files: *
Copyright: the okng authors
License: Apache-2.0
 On Debian systems the text of the Apache License 2.0 is in /usr/share/common-licenses/Apache-2.0.
"""


def licence(component: dict[str, Any]) -> str:
    """All licences of a component on one line. Trove classifiers lose their path."""
    said = []
    for entry in component["licenses"]:
        one = entry.get("expression") or entry["license"].get("id") or entry["license"]["name"]
        said.append(str(one).rpartition(" :: ")[2])
    return " ; ".join(dict.fromkeys(said))


def copyright_text(sbom: dict[str, Any], home: str) -> str:
    """Machine-readable as far as Debian's format goes, and to be read by people."""
    others = (
        f"Files: {home}/*/{component['name']}*\n"
        f"Copyright: the authors of {component['name']} {component['version']}\n"
        f"License: {licence(component)}\n"
        for component in sorted(sbom["components"], key=lambda one: str(one["name"]).lower())
    )
    return "\n".join([_HEAD.format(home=home), *others])


if __name__ == "__main__":
    sys.stdout.write(copyright_text(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), sys.argv[2]))
