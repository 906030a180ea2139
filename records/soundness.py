"""Is the file sound? A short look at every start before the line may begin, the rest of a large file behind it."""

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import apsw

DAMAGED = (apsw.CorruptError, apsw.NotADBError)
_STEPS = 20_000
"""Of SQLite's machine between two looks at the clock."""


def damage(
    path: Path, connect: Callable[[], apsw.Connection], limit_s: float, alive: Callable[[], None]
) -> tuple[str, bool]:
    """What is wrong with a file (empty: nothing was found), and whether all of it was looked at in that time.

    connect: opens it, which also applies a WAL left by a kill. alive: called now and then. Errors of the disk go
    through.
    """
    if not path.exists():
        return "", True
    db: apsw.Connection | None = None
    until = time.monotonic() + limit_s

    def enough() -> bool:
        alive()
        return time.monotonic() > until

    try:
        db = connect()
        db.set_progress_handler(enough, _STEPS)
        found = str(db.execute("pragma quick_check(1)").fetchall()[0][0])
    except apsw.InterruptError:
        return "", False
    except (*DAMAGED, apsw.SQLError) as error:  # SQLError: a header that claims an unknown format
        return str(error) or type(error).__name__, True
    finally:
        if db is not None:
            with suppress(apsw.Error):
                db.close()
    return ("" if found == "ok" else found), True


class Watch:
    """Looks at all of a large file in a thread of its own, while the line writes it. It reads one state of it."""

    def __init__(self, path: Path) -> None:
        self._path, self._stop = path, False
        self._found: str | None = None
        self._thread = threading.Thread(target=self._look, name="soundness", daemon=True)
        self._thread.start()

    def found(self) -> str | None:
        """What is wrong, empty when all is sound, None while it is not known yet."""
        return None if self._thread.is_alive() else self._found or ""

    def break_off(self) -> None:
        """Look no further, of a file that is no longer the ledger; wait for nothing."""
        self._stop = True

    def close(self) -> None:
        """Break off, and wait for it a while. Never raises."""
        self._stop = True
        self._thread.join(2)

    def _look(self) -> None:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        db: apsw.Connection | None = None
        try:
            db = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READONLY)
            db.set_busy_timeout(5000)  # the writer is just opening it
            db.set_progress_handler(lambda: self._stop, _STEPS)
            found = str(db.execute("pragma quick_check(1)").fetchall()[0][0])
            self._found = "" if found == "ok" else found
        except DAMAGED as error:
            self._found = str(error) or type(error).__name__
        except apsw.Error:
            pass  # the disk failed or we are stopped: the writer meets the same, and the next start looks again
        finally:
            if db is not None:
                with suppress(apsw.Error):
                    db.close()
