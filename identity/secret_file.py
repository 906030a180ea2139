"""Files that hold a secret: read only where nobody else may, written whole or not at all, safe from a power cut."""

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path

from ..bus.errors import BadKey

MOST_BYTES = 64 << 10


def read_secret(path: Path) -> bytes:
    """What the file holds. BadKey: others may read it, or it is a link. OSError: it is not there, or the disk."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise BadKey(f"{path}: expected a file, found a link") from error
        raise
    with os.fdopen(handle, "rb") as file:
        mode = stat.S_IMODE(os.fstat(handle).st_mode)
        if mode & 0o077:
            raise BadKey(f"{path}: mode {mode:04o}: expected 0600, it is its owner's alone (chmod 600)")
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise BadKey(f"{path}: more than {MOST_BYTES} bytes")
    return data


def write_secret(folder: Path, name: str, data: bytes) -> None:
    """Replace a file of the folder, made where it is missing. Written by root it belongs to the folder's owner.

    BadKey: the folder is a link. OSError.
    """
    made = not folder.is_dir()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise BadKey(f"{folder}: expected a folder, found a link or a file") from error
        raise
    waiting = f".{name}.{secrets.token_hex(4)}"
    try:
        handle = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=opened)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            if os.geteuid() == 0:
                owner = os.fstat(opened)
                if made:  # it belongs to whom its parent belongs
                    owner = folder.parent.stat()
                    os.fchown(opened, owner.st_uid, owner.st_gid)
                os.fchown(handle, owner.st_uid, owner.st_gid)
            file.flush()
            os.fsync(handle)
        os.replace(waiting, name, src_dir_fd=opened, dst_dir_fd=opened)
        os.fsync(opened)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(waiting, dir_fd=opened)
        raise
    finally:
        os.close(opened)


def remove(folder: Path, name: str) -> None:
    """Take a file away, for good; one that is not there is no error. OSError."""
    (folder / name).unlink(missing_ok=True)
    with contextlib.suppress(FileNotFoundError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
