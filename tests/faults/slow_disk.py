"""A process of the box on a disk whose syncs take 2 s: Python's and SQLite's wait, and then it is `okng`, unchanged.

python -m okng.tests.faults.slow_disk records --settings okng.toml
"""

import os
import sys
import time
from typing import Any

import apsw

SYNC_S = 2.0
_real_fsync = os.fsync


def _fsync(handle: int) -> None:
    time.sleep(SYNC_S)
    _real_fsync(handle)


class _File(apsw.VFSFile):
    def __init__(self, base: str, name: Any, flags: list[int]) -> None:
        super().__init__(base, name, flags)

    def xSync(self, flags: int) -> None:  # noqa: N802
        time.sleep(SYNC_S)
        super().xSync(flags)


class _Disk(apsw.VFS):
    def __init__(self) -> None:
        self.base = apsw.vfs_names()[0]
        super().__init__("slow", self.base, makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        return _File(self.base, name, flags)


if __name__ == "__main__":
    os.fsync = _fsync  # type: ignore[assignment]
    disk = _Disk()
    from okng.__main__ import main

    sys.exit(main())  # type: ignore[func-returns-value]
