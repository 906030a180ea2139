"""Whether the disk that the store lies on is still there, under the same folder.

A disk that is unmounted leaves its empty folder behind, and another one may be mounted in its place: what is written
there is lost for whoever mounts the first one again. What is open stays with the disk it was opened on, so the lock
that the writer holds tells the two apart.
"""

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .lineage import Lineage, read_lineage
from .schema import FILE

LOCK = "ledger.lock"
NOTE = "store.json"
_MOUNTS = Path("/proc/self/mountinfo")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the lock lies."""

    device: int
    inode: int


class Ground:
    """Watches over one store. `gone` may be asked from any thread; the rest is the ledger's thread's."""

    def __init__(self, store: Path) -> None:
        self._store, self._lock = store, store / LOCK
        self._place: _Place | None = None
        self._mounts: frozenset[int] = frozenset()
        self._mount = -1

    def stand(self, handle: int) -> None:
        """The writer holds this lock: where it lies is the store from now on. OSError."""
        found = os.fstat(handle)
        self._place = _Place(found.st_dev, found.st_ino)
        self._mounts, self._mount = mounts_of(self._store), mount_at(self._store)

    def gone(self) -> str:
        """Why the folder is not the store any more; empty: it is. Takes microseconds, never raises."""
        place = self._place
        if place is None:
            return ""
        try:
            found = self._lock.stat()
        except FileNotFoundError:
            return f"{self._store} is not the folder it was: its disk is not mounted there"
        except OSError:
            return ""  # a disk that fails is there; whoever writes is told by itself
        if (found.st_dev, found.st_ino) != (place.device, place.inode):
            return f"{self._store} is not the folder it was: another disk is mounted there"
        return ""

    def hidden(self) -> str:
        """Why only a fresh start sees the disk that is mounted now; empty: it need not.

        In a unit the store is bound over itself: a disk that is unmounted outside stays there, and whatever is mounted
        in its place stays beneath it.
        """
        if self._place is None or self._mount < 0 or self.gone():
            return ""
        mounts = mounts_of(self._store)
        if not mounts or mounts == self._mounts:
            return ""
        if mount_at(self._store) != self._mount:
            self._mounts, self._mount = mounts, mount_at(self._store)  # the same disk mounted again, or once more
            return ""
        return f"the disk of {self._store} was unmounted, or another one mounted over it, out of our sight"


def same_store(store: Path, known: Lineage) -> str:
    """Why the ledger in a folder is not the one that was written so far; empty: it is."""
    found = read_lineage(store)
    if found is None or not (store / FILE).is_file():
        return f"{store} has no ledger now: the disk of this box is not mounted there"
    if found.box != known.box or found.lineage < known.lineage:
        return f"{store} has the ledger of another box or an older one now: it is written only after a restart"
    return ""


def mounts_of(folder: Path) -> frozenset[int]:
    """Numbers of all mounts at a folder or above it, those that others hide too. None: the kernel does not say."""
    above = {str(each) for each in (folder.absolute(), *folder.absolute().parents)}
    with suppress(OSError, ValueError, IndexError):
        lines = [line.split() for line in _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()]
        return frozenset(int(line[0]) for line in lines if _plain(line[4]) in above)
    return frozenset()


def mount_at(folder: Path) -> int:
    """Number of the mount that a folder is on, for whoever opens it now; -1: the kernel does not say."""
    with suppress(OSError, ValueError):
        handle = os.open(folder, os.O_PATH | os.O_CLOEXEC)
        try:
            told = Path(f"/proc/self/fdinfo/{handle}").read_text(encoding="ascii")
        finally:
            os.close(handle)
        for line in told.splitlines():
            if line.startswith("mnt_id:"):
                return int(line[7:])
    return -1


def _plain(told: str) -> str:
    for code, sign in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        told = told.replace(code, sign)
    return told


def mount_point(folder: Path) -> Path:
    """The folder at which the disk begins that a folder lies on, or would lie on once it is made. OSError."""
    here = folder.resolve()
    while not here.exists():
        here = here.parent
    device = here.stat().st_dev
    while here != here.parent and here.parent.stat().st_dev == device:
        here = here.parent
    return here


def note(run_dir: Path, store: Path) -> None:
    """Write down where the store lies, for the next start in this boot: the run folder is gone after one.

    Never raises.
    """
    with suppress(OSError):
        known = read_lineage(store)
        about = {"store": str(store), "mount": str(mount_point(store)), "box": known.box if known else ""}
        file = run_dir / NOTE
        waiting = file.with_name(NOTE + ".tmp")
        waiting.write_text(json.dumps(about), encoding="utf-8")
        waiting.replace(file)


def beneath(run_dir: Path, store: Path) -> str:
    """Why a ledger begun now would lie beneath the disk it was on earlier in this boot; empty: it would not.

    Whoever moved the store to the disk above has its ledger there, and may go on. Never raises.
    """
    file = run_dir / NOTE
    with suppress(OSError, ValueError, TypeError, KeyError):
        before = json.loads(file.read_text(encoding="utf-8"))
        was, point = Path(before["mount"]), mount_point(store)
        if Path(before["store"]) != store or point == was or point not in was.parents:
            return ""
        known = read_lineage(store)
        if known is not None and known.box == before["box"] and (store / FILE).is_file():
            return ""
        return (
            f"{store}: the disk that was mounted at {was} is not there, and nothing is written beneath it: mount it, or"
            f" remove {file} where the ledger is to begin anew here"
        )
    return ""
