"""Two folders change places in one step of the file system: whoever looks finds the one or the other, never nothing."""

import ctypes
import errno
import os
import tempfile
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_CANNOT = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


def swap(new: Path, old: Path) -> None:
    """Let the two change places. OSError: they are as they were.

    A file system that cannot (some network ones) gets two renames; a stop between them leaves the old one beside it.
    """
    try:
        _exchange(new, old)
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
        aside = Path(tempfile.mkdtemp(prefix=f".{old.name}.", suffix=".old", dir=old.parent)) / old.name
        old.rename(aside)
        try:
            new.rename(old)
        except OSError:
            aside.rename(old)
            aside.parent.rmdir()
            raise
        aside.rename(new)
        aside.parent.rmdir()


def _exchange(one: Path, other: Path) -> None:
    done = _LIBC.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    if done != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(other))
