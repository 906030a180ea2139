"""Results for a broker out of the ledger, by a cursor: none is lost however long the broker is away, or this process.

The cursor is the number of the last part up to which the broker has acknowledged all; it is a file of our own, written
durable a little behind. So after a kill some results travel twice: whoever hears an id twice drops the second.
"""

import json
import logging
import os
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from ..bus.clock import MS, SECOND, now_ns
from ..bus.errors import BadLedger
from .part_report import Json

_LOG = logging.getLogger(__name__)
FILE = "mqtt.json"
READ_AT_ONCE = 256
LOOK_NS, TROUBLE_NS, NOTE_NS = 250 * MS, 2 * SECOND, SECOND


class Stored(NamedTuple):
    """One part of the ledger."""

    seq: int
    report: Json
    """Of schema okng.result/1."""


class Source(Protocol):
    """The ledger, as far as it is asked here."""

    def box(self) -> str:
        """Which box's it is. BadLedger."""

    def newest(self) -> int:
        """Number of the newest part; 0: none yet. BadLedger."""

    def after(self, seq: int, limit: int) -> Sequence[Stored]:
        """The next parts with greater numbers, in order. BadLedger."""


@dataclass(slots=True)
class _UnderWay:
    part: Stored
    token: int
    done: bool = False


class LedgerResults:
    """See `mqtt_outbox.Results`."""

    def __init__(self, source: Source, folder: Path, window: int) -> None:
        """folder: of our own, for the cursor."""
        self._source, self._file, self._window = source, folder / FILE, window
        self._ahead: deque[Stored] = deque()
        self._out: deque[_UnderWay] = deque()
        self._box = ""
        self._reached = self._noted = self._newest = 0
        self._look_ns = self._note_ns = 0
        self._trouble = ""
        self.dropped = 0
        self.taken = 0

    @property
    def waiting(self) -> int:
        """At least 1 where more are in the ledger than were handed over."""
        last = self._ahead[-1].seq if self._ahead else self._out[-1].part.seq if self._out else self._reached
        return len(self._ahead) + (self._newest > last)

    @property
    def under_way(self) -> int:
        """See `Results`."""
        return sum(not one.done for one in self._out)

    def put(self, result: Json) -> bool:
        """It will be found in the ledger, where it has just been, or will be in a moment, written."""
        return True

    def next(self) -> Json | None:
        """See `Results`."""
        if self.under_way >= self._window:
            return None
        if not self._ahead and now_ns() >= self._look_ns:
            self._look()
        return self._ahead[0].report if self._ahead else None

    def sent(self, token: int) -> None:
        """See `Results`."""
        self._out.append(_UnderWay(self._ahead.popleft(), token))

    def acknowledged(self, token: int) -> None:
        """See `Results`."""
        for one in self._out:
            if one.token == token and not one.done:
                one.done = True
                self.taken += 1
                break
        while self._out and self._out[0].done:
            self._reached = self._out.popleft().part.seq
        if self._reached != self._noted and now_ns() - self._note_ns >= NOTE_NS:
            self._note()

    def again(self) -> None:
        """See `Results`."""
        self._ahead.extendleft(reversed([one.part for one in self._out]))
        self._out.clear()

    def close(self) -> None:
        """See `Results`."""
        if self._reached != self._noted:
            self._note()

    def _look(self) -> None:
        """Read on in the ledger."""
        try:
            if not self._box:
                self._begin(self._source.box())
            after = self._out[-1].part.seq if self._out else self._reached
            found = self._source.after(after, READ_AT_ONCE)
            self._newest = found[-1].seq if len(found) < READ_AT_ONCE and found else self._source.newest()
        except BadLedger as error:
            if str(error) != self._trouble:
                _LOG.warning("results cannot be read now, they wait in the ledger: %s", error)
                self._trouble = str(error)
            self._look_ns = now_ns() + TROUBLE_NS
            return
        self._trouble = ""
        self._ahead.extend(found)
        if len(found) < READ_AT_ONCE:
            self._look_ns = now_ns() + LOOK_NS

    def _begin(self, box: str) -> None:
        """Go on where the broker had come; a box that is new to this file tells what happens from now on."""
        try:
            said = json.loads(self._file.read_text(encoding="utf-8"))
            name, reached = str(said["box"]), int(said["reached"])
        except FileNotFoundError:
            name, reached = "", 0
        except (OSError, ValueError, KeyError, TypeError) as error:
            _LOG.warning("%s does not read (%s): results go out from now on", self._file, error)
            name, reached = "", 0
        if name != box:
            reached = self._source.newest()
            _LOG.info("results go out from part row %d of the ledger on", reached + 1)
        self._box, self._reached = box, reached
        self._note()

    def _note(self) -> None:
        """Replace the cursor's file, durable. What cannot be written is said, and tried again with the next one."""
        self._note_ns = now_ns()
        waiting = self._file.with_name(self._file.name + ".tmp")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with waiting.open("w", encoding="utf-8") as handle:
                json.dump({"box": self._box, "reached": self._reached}, handle)
                handle.flush()
                os.fsync(handle.fileno())
            waiting.rename(self._file)
            folder = os.open(self._file.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            _LOG.warning("how far the broker has come cannot be noted: %s", error)
            with suppress(OSError):
                waiting.unlink()
            return
        self._noted = self._reached
