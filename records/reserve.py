"""A few MB of the disk, held so that a disk filled to the brim can still be told which pictures it no longer keeps.

Without them rows could not be changed on a full disk, so no picture could be given up, and it would stay full for ever.
"""

import logging
import os
from contextlib import suppress
from pathlib import Path

from .durable import sync_folder

log = logging.getLogger(__name__)
FILE = "reserve"
BYTES = 16 << 20
ROOMY = 64


class Reserve:
    """One file beside the ledger. One thread, the ledger's."""

    def __init__(self, store: Path, size: int = BYTES, roomy: int = ROOMY) -> None:
        """roomy: it is held on a disk that has so many times as much free."""
        self._file, self._size, self._roomy = store / FILE, size, roomy

    def is_held(self) -> bool:
        """It is there."""
        return self._file.exists()

    def hold(self) -> None:
        """Take the room, if there is plenty. Never raises: a disk that refuses has none."""
        if self.is_held():
            return
        with suppress(OSError):
            state = os.statvfs(self._file.parent)
            if state.f_bavail * state.f_frsize < self._roomy * self._size:
                return
            handle = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                os.posix_fallocate(handle, 0, self._size)
            except OSError:
                self._file.unlink()
                raise
            finally:
                os.close(handle)
            sync_folder(self._file.parent)

    def rescue(self) -> None:
        """Give the room back if the disk is full. For when the ledger takes nothing. Never raises."""
        with suppress(OSError):
            state = os.statvfs(self._file.parent)
            if state.f_bavail * state.f_frsize < self._size and self.is_held():
                self.give()

    def give(self) -> bool:
        """Give the room back, for the disk is full; True: there was some. Never raises."""
        try:
            self._file.unlink()
        except OSError:
            return False
        log.warning("the disk is full: %d MB that were held back are given to the ledger", self._size >> 20)
        return True
