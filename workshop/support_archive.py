"""The support bundle as a file: a zip of bounded size with a page to begin with and a sum for every part of it."""

import hashlib
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

MOST_BYTES = 64 << 20
"""Of all parts together, before they are packed. What comes later and does not fit is left out, and named."""
_ABOUT = {
    "settings.json": "the settings as they were typed; *** stands for what may be a secret",
    "recipes/": "recipes, one a job",
    "versions.json": "okng, Python, system, and every package with its version",
    "models.json": "model bundles that the box knows",
    "processes.json": "heartbeats, memory and CPU of each process, and who does not stay up",
    "machine.json": "what the doctor finds; memory, load, disks and pressure as the kernel says",
    "ledger.json": "form, counts and balance of the ledger",
    "dumps/": "last words and stacks of processes that broke, the newest of each name kept",
    "logs/": "logs: the journal of the units, or log files beside the settings and in the run folder",
    "pictures/": "pictures of the last rejects",
    "trouble.txt": "what could not be had, and why",
}


@dataclass(slots=True)
class Archive:
    """Parts in the order of their worth."""

    parts: dict[str, bytes] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    _size: int = 0

    def add(self, name: str, data: bytes) -> None:
        """Take one part if it fits."""
        if self._size + len(data) > MOST_BYTES:
            self.left_out.append(f"{name} ({len(data)} bytes)")
            return
        self.parts[name] = data
        self._size += len(data)

    def write(self, path: Path, head: dict[str, str]) -> list[str]:
        """Write the zip; return the names of its parts. head: what the first page says of the box."""
        if self.trouble:
            self.parts["trouble.txt"] = "\n".join(self.trouble).encode()
        self.parts["index.md"] = self._page(head).encode()
        sums = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(self.parts.items())}
        self.parts["manifest.json"] = json.dumps({"sha256": sums}, indent=1).encode()
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name in ("index.md", "manifest.json", *sorted(set(self.parts) - {"index.md", "manifest.json"})):
                file.writestr(name, self.parts[name])
        return sorted(self.parts)

    def _page(self, head: dict[str, str]) -> str:
        lines = ["# okng support bundle", "", *(f"* {name}: {value}" for name, value in head.items()), ""]
        lines += ["| part | bytes | what it is |", "|---|---|---|"]
        for name in sorted(self.parts):
            about = _ABOUT.get(name) or _ABOUT.get(name.partition("/")[0] + "/", "")
            lines.append(f"| {name} | {len(self.parts[name])} | {about} |")
        if self.trouble:
            lines += ["", "## What could not be had", "", *(f"* {each}" for each in self.trouble)]
        if self.left_out:
            lines += ["", "## Left out for want of room", "", *(f"* {each}" for each in self.left_out)]
        lines += ["", "`manifest.json` holds the sha256 of every part. `***` stands for what was struck out."]
        return "\n".join(lines) + "\n"
