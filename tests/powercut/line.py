"""io, camera and inspect as records sees them, in one thread: it sends parts with pictures and keeps what was answered.

What is answered but not read before the cut counts for nothing: a real cut shows nobody what came after it.
"""

import itertools
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from okng.bus.asks import Ask, new_id
from okng.bus.channel import (
    Asker,
    EntrySender,
    Publisher,
    ask_address,
    camera_address,
    inspect_address,
    records_address,
)
from okng.bus.entries import RecordEntry, TriggerEntry
from okng.bus.messages import FrameReady
from okng.bus.part import Outcome, Why
from okng.bus.rights import COMMANDS
from okng.bus.ring import RingWriter
from okng.tests.records import maker

WINDOW = 24
"""Parts under way at once: fewer than pictures fit into records' queue, so none is shed."""
WIDTH, HEIGHT = 64, 48
_PARTS_OF_A_FOLDER = 40
"""Then pictures go into a new folder, whose making the power may cut too."""

Key = tuple[str, int]
"""(epoch, number) of an entry."""


@dataclass(slots=True)
class Said:
    """What the world had been told of one stretch between two cuts."""

    entries: set[Key] = field(default_factory=set)
    """Entries that records said it had on disk."""
    records: dict[Key, int] = field(default_factory=dict)
    """Of them, those that close a part: the part's number."""
    deeds: set[str] = field(default_factory=set)
    """Lines of the audit trail that records said it had written."""


class StandIn:
    """One run of io, from a start to the power cut."""

    def __init__(self, run_dir: Path, epoch: str, parts: "itertools.count[int]", seed: int) -> None:
        self._epoch, self._parts, self._random = epoch, parts, np.random.default_rng(seed)
        self._numbers = itertools.count(1)
        self._ring = RingWriter(run_dir, "cam0", 64, WIDTH * HEIGHT)
        self._camera, self._inspect = Publisher(camera_address(run_dir, "cam0")), Publisher(inspect_address(run_dir))
        self._door = EntrySender(records_address(run_dir))
        self._asker = Asker(ask_address(run_dir, "records"))
        self._open: dict[Key, TriggerEntry | RecordEntry] = {}
        self._asked: dict[str, str] = {}
        self._parts_open = 0
        self.said = Said()

    def run(self, seconds: float, asks: bool = True) -> None:
        """Press as many parts through as records takes."""
        end, ask_due = time.monotonic() + seconds, 0.0
        while (now := time.monotonic()) < end:
            if self._parts_open < WINDOW:
                self._part(next(self._parts))
            else:
                self._door.wait(2)
            self.hear()
            if asks and now >= ask_due:
                ask_due = now + 0.05
                self._ask()

    def hear(self) -> None:
        """Read every answer that is there."""
        while (stored := self._door.receive()) is not None:
            for number in stored.numbers:
                key = (stored.epoch, number)
                entry = self._open.pop(key, None)
                if entry is None:
                    continue
                self.said.entries.add(key)
                if isinstance(entry, RecordEntry):
                    self._parts_open -= 1
                    self.said.records[key] = entry.record.trigger.part
        while (answer := self._asker.receive()) is not None:
            deed = self._asked.pop(answer.id, "")
            if deed and answer.done:
                self.said.deeds.add(deed)

    def settled(self, seconds: float) -> bool:
        """True when everything sent has been answered within that time."""
        end = time.monotonic() + seconds
        while self._open and time.monotonic() < end:
            self._door.wait(20)
            self.hear()
        return not self._open

    def end(self) -> None:
        """Say, as io does when it stops, that nothing follows."""
        done = len(self.said.records)
        self._door.send(maker.counters_entry(next(self._numbers), self._epoch, ng=done))
        time.sleep(0.5)

    def close(self) -> None:
        for held in (self._ring, self._camera, self._inspect, self._door, self._asker):
            held.close()

    def _part(self, part: int) -> None:
        seen = self._picture(part)
        verdict = maker.verdict(part, Outcome.NG, None, seen, (maker.HEAT,))
        self._send(maker.trigger_entry(next(self._numbers), part, self._epoch))
        self._inspect.send(verdict)
        entry = maker.record_entry(next(self._numbers), part, Why.NG, self._epoch, said=replace(verdict, heat=()))
        self._send(replace(entry, record=replace(entry.record, taken_at=seen.taken_at)))
        self._parts_open += 1

    def _send(self, entry: TriggerEntry | RecordEntry) -> None:
        self._open[entry.epoch, entry.number] = entry
        self._door.send(entry)

    def _picture(self, part: int) -> FrameReady:
        """Noise whose first four bytes are the part's number: no picture can stand for another."""
        pixels = self._random.integers(0, 256, WIDTH * HEIGHT, np.uint8)
        slot, view = self._ring.begin()
        view[:] = pixels.tobytes()
        view[:4] = part.to_bytes(4, "little")
        sequence = self._ring.commit(slot, part=part, number=part, epoch=1, size=WIDTH * HEIGHT)
        seen = maker.frame(part, ring=self._ring.name, slot=slot, sequence=sequence)
        day, hour = divmod(part // _PARTS_OF_A_FOLDER, 24)
        return replace(seen, taken_at=f"2026-{1 + day // 28 % 12:02d}-{1 + day % 28:02d}T{hour:02d}:15:04.123Z")

    def _ask(self) -> None:
        ask = Ask(new_id(), "audit.add", "", COMMANDS["audit.add"].right, "", {"what": f"deed {new_id()}"})
        if self._asker.send(ask):
            self._asked[ask.id] = str(ask.body["what"])
