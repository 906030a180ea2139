"""How far the fleet service has come, as sync notes it beside the store: `uplink.json`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

FILE = "uplink.json"
FOLDER = "sync"
"""Beside the store."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What the service has."""

    epochs: Mapping[tuple[str, int], int] = field(default_factory=dict)
    """By stream and epoch, the last number that it acknowledged."""
    pictures: Mapping[int, int] = field(default_factory=dict)
    """By priority, the last part whose pictures it has."""

    def acked(self, stream: str, epoch: int) -> int:
        """The last number it has; 0: none."""
        return self.epochs.get((stream, epoch), 0)

    @property
    def newest_epoch(self) -> int:
        """The newest epoch of which it has anything; 0: none."""
        return max((epoch for (_, epoch), acked in self.epochs.items() if acked), default=0)


def taken(folder: Path) -> Taken:
    """What the note says; nothing where it is missing, damaged or of another form: then all is still owed."""
    try:
        said = json.loads((folder / FILE).read_text(encoding="utf-8"))
        epochs = {
            (str(stream), int(epoch)): int(acked)
            for stream, of in said["epochs"].items()
            for epoch, acked in of.items()
        }
        return Taken(epochs, {int(one): int(seq) for one, seq in said.get("pictures", {}).items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Taken()


def beside(store: Path) -> Path:
    """The folder of that note."""
    return store.parent / FOLDER
