"""One thread for numpy's linear algebra while teaching.

OpenBLAS starts as many threads as there are cores and lets them spin. Beside a running line that is ruin: 256
inversions of 100x100 took 9.7 s on two busy cores, and 0.13 s with one thread. The environment variable that limits it
is read when numpy is imported, which is over by now, so the loaded library is told.
"""

import contextlib
import ctypes
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_LOG = logging.getLogger(__name__)
_NAMES = ("scipy_openblas_{}64_", "scipy_openblas_{}", "openblas_{}64_", "openblas_{}")


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Limit OpenBLAS to one thread inside the block; with another library nothing is changed and this is logged."""
    libraries = _libraries()
    if not libraries:
        _LOG.debug("no OpenBLAS in this process: its threads are left as they are")
    before = [int(get()) for get, _ in libraries]
    for _, put in libraries:
        put(1)
    try:
        yield
    finally:
        for (_, put), count in zip(libraries, before, strict=True):
            put(count)


def _libraries() -> list[tuple[Any, Any]]:
    """Getter and setter of the thread number, of each OpenBLAS loaded in this process."""
    try:
        maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    paths = {line.split(maxsplit=5)[5] for line in maps.splitlines() if "openblas" in line and ".so" in line}
    found = []
    for path in sorted(paths):
        library = ctypes.CDLL(path)
        for name in _NAMES:
            if hasattr(library, name.format("set_num_threads")):
                put = library[name.format("set_num_threads")]
                put.argtypes, put.restype = [ctypes.c_int], None
                found.append((library[name.format("get_num_threads")], put))
                break
    return found
