"""Something is done in an empty folder, by a thread of its own, while the process stays where it is.

A model that is loaded from bytes may still name files: the runtime looks for them where it stands. Here there are none.
"""

import ctypes
import logging
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

log = logging.getLogger(__name__)
_OWN_FOLDER = 0x200
"""CLONE_FS of unshare(2): the thread has a working folder of its own. No right is needed for it."""
T = TypeVar("T")


class _Apart(threading.Thread, Generic[T]):
    def __init__(self, act: Callable[[], T], folder: Path) -> None:
        super().__init__(name="loading", daemon=True)
        self._act, self._folder = act, folder
        self.made: list[T] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            if ctypes.CDLL(None, use_errno=True).unshare(_OWN_FOLDER) == 0:
                os.chdir(self._folder)
            else:
                log.debug("no working folder of its own: %s", os.strerror(ctypes.get_errno()))
            self.made.append(self._act())
        except BaseException as error:  # noqa: BLE001  it is raised where it was asked for
            self.error = error


def nowhere(act: Callable[[], T]) -> T:
    """Return what act returns, and raise what it raises; it sees no file by a relative name.

    Where the kernel gives a thread no folder of its own, it is done where the process stands.
    """
    with tempfile.TemporaryDirectory(prefix="okng-empty-") as folder:
        Path(folder).chmod(0o500)
        apart = _Apart(act, Path(folder))
        apart.start()
        apart.join()
    if apart.error is not None:
        raise apart.error
    return apart.made[0]
