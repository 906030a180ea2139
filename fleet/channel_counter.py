"""A counter that outlives the box's disk: the highest list of targets that was trusted.

What belongs here is a counter in the TPM (NV index, TPM2_NT_COUNTER). There is no driver for one yet; the file below is
a stand-in for tests and for trying out, and protects nobody: who can take the disk back can take it back too.
"""

from pathlib import Path

from ..bus.errors import StoreLost
from ..bus.outside import read_bounded
from ..records.durable import sync_folder, write_synced


class FileCounter:
    """A STAND-IN for a counter in hardware: a file. It only rises, as long as nobody writes to it."""

    def __init__(self, path: Path) -> None:
        """path: need not exist; its folder must."""
        self._path = path

    def read(self) -> int:
        """See `channel_client.Counter`."""
        try:
            return int(read_bounded(self._path, 32).decode("ascii"))
        except FileNotFoundError:
            return 0
        except (OSError, ValueError) as error:
            raise StoreLost(f"{self._path}: no counter: {error}") from error

    def raise_to(self, value: int) -> None:
        """See `channel_client.Counter`."""
        if value <= self.read():
            return
        try:
            new = self._path.with_name(self._path.name + ".new")
            write_synced(new, f"{value}\n".encode("ascii"))
            new.replace(self._path)
            sync_folder(self._path.parent)
        except OSError as error:
            raise StoreLost(f"{self._path}: {error.strerror or error}") from error
