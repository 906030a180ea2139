"""The thread that retention runs in, and how it writes: each small write is handed to the ledger's own thread.

The rows of the line go first: the ledger's loop serves one errand a turn. A kill in between costs nothing.
"""

import logging
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import apsw

from ..bus.clock import utc_now
from ..bus.errors import Lost, OkngError, StoreLost
from .known import Note
from .ledger import Ledger
from .retention import Retention

log = logging.getLogger(__name__)
_BEGIN_S, _IDLE_S, _BUSY_S, _TROUBLE_S = 5.0, 5.0, 0.02, 10.0
"""Before the first step; between two steps without and with something to do; after an error."""
T = TypeVar("T")


class Errands:
    """Hands one write at a time from another thread to the ledger's."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._do: Callable[[apsw.Connection], Any] | None = None
        self._came: tuple[Any, BaseException | None] | None = None
        self._closed = False

    def write(self, do: Callable[[apsw.Connection], T]) -> T:
        """Have it done in one transaction; wait for it. StoreLost: records is being stopped. What `do` raised."""
        with self._change:
            self._came, self._do = None, do
            self._change.wait_for(lambda: self._closed or self._result() is not None)
            self._do = None
            came = self._result()
        if came is None:
            raise StoreLost("records is being stopped")
        result, error = came
        if error is not None:
            raise error
        done: T = result
        return done

    def _result(self) -> tuple[Any, BaseException | None] | None:
        return self._came

    @property
    def waiting(self) -> bool:
        """There is something to write."""
        return self._do is not None

    def serve(self, ledger: Ledger) -> None:
        """Do what waits, if anything does. LedgerStuck, LedgerDamaged: who asked is told too, and of all else alone."""
        with self._change:
            do = self._do
            if do is None:
                return
            try:
                with ledger.transaction() as db:
                    self._came = do(db), None
            except Exception as error:
                self._came = None, error
                if isinstance(error, Lost):
                    raise
            finally:
                self._do = None
                self._change.notify_all()

    def close(self) -> None:
        """Let nobody wait any longer. Never raises."""
        with self._change:
            self._closed = True
            self._change.notify_all()


class Keeper:
    """Runs retention until `close`."""

    def __init__(
        self,
        retention: Retention,
        errands: Errands,
        note: Note | None = None,
        begin_s: float = _BEGIN_S,
        gone: Callable[[], str] = lambda: "",
    ) -> None:
        """note: what digests stand for is written down too. begin_s: the line comes up first.

        gone: why the folder is not on the disk of the store now; nothing that lies there is touched meanwhile.
        """
        self._gone = gone
        self._retention, self._errands, self._note, self._begin_s = retention, errands, note, begin_s
        self._stop = threading.Event()
        self._trouble = ""
        self._thread = threading.Thread(target=self._work, name="retention", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop after the step that is under way. Never raises."""
        self._stop.set()
        self._errands.close()
        self._thread.join(2)

    def _work(self) -> None:
        wait = self._begin_s
        while not self._stop.wait(wait):
            if self._gone():
                wait = _IDLE_S
                continue
            try:
                wait = _BUSY_S if self._retention.step() else _IDLE_S
                if self._note is not None:
                    self._note.step(utc_now())
                if self._trouble:
                    log.info("the store is looked after again")
                    self._trouble = ""
            except Exception as error:  # outermost frame of the thread: one bad file or row must not end all of it
                wait = _TROUBLE_S
                if not self._trouble and not self._stop.is_set():
                    known = isinstance(error, OkngError | OSError | apsw.Error)
                    log.warning("the store is not looked after now: %s", error, exc_info=not known)
                self._trouble = str(error) or type(error).__name__
