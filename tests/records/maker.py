"""Makes what io, camera and inspect would say. Loaded by conftest.py, and by the scripts here that play io."""

import time
from pathlib import Path

from okng.bus.channel import EntrySender, Publisher, camera_address, inspect_address, records_address
from okng.bus.entries import CountersEntry, RecordEntry, TriggerEntry
from okng.bus.messages import Counters, FrameReady
from okng.bus.part import (
    Action,
    Defect,
    Delivery,
    Disposition,
    HeatMap,
    Outcome,
    Receipt,
    Record,
    Trigger,
    Verdict,
    Why,
)
from okng.bus.ring import RingWriter

MODEL = "ab" * 32
HEAT = HeatMap(0, 0, 64, 48, 4, 3, bytes(range(12)))
TAKEN = "2026-11-23T08:15:04.123Z"


def at(part: int) -> int:
    """When a part is triggered, unless said otherwise."""
    return 1_000_000_000 + part * 50_000_000


def frame(
    part: int,
    at_ns: int | None = None,
    *,
    camera: str = "cam0",
    ring: str = "none",
    slot: int = 0,
    sequence: int = 2,
) -> FrameReady:
    begin = at(part) if at_ns is None else at_ns
    return FrameReady(
        part=part,
        camera=camera,
        ring=ring,
        slot=slot,
        sequence=sequence,
        number=part,
        epoch=1,
        width=64,
        height=48,
        pixel_format="Mono8",
        size_bytes=64 * 48,
        triggered_at_ns=begin,
        exposed_at_ns=begin + 1_000,
        device_ns=None,
        received_ns=begin + 2_000,
        ready_ns=begin + 3_000,
        taken_at=TAKEN,
    )


def verdict(
    part: int,
    outcome: Outcome = Outcome.OK,
    at_ns: int | None = None,
    seen: FrameReady | None = None,
    heat: tuple[HeatMap, ...] = (),
) -> Verdict:
    begin = at(part) if at_ns is None else at_ns
    bad = outcome is not Outcome.OK
    return Verdict(
        part=part,
        outcome=outcome,
        reasons=("score 7.1 above 4.0 in region cap",) if bad else (),
        defects=(Defect("anomaly", "cap", 1, 2, 3, 4, 7.1),) if outcome is Outcome.NG else (),
        score=7.1 if bad else 1.0,
        threshold=4.0,
        recipe="cap",
        revision="0123456789ab",
        model=MODEL,
        camera="cam0",
        triggered_at_ns=begin,
        frame=frame(part, begin) if seen is None else seen,
        heat=heat,
        started_ns=begin + 4_000,
        done_ns=begin + 5_000,
    )


def trigger(part: int, at_ns: int | None = None, *, missed: bool = False) -> Trigger:
    begin = at(part) if at_ns is None else at_ns
    return Trigger(part, "st1", begin, None, begin + 100_000_000, "cap", missed)


def trigger_entry(number: int, part: int, epoch: str = "run-1", at_ns: int | None = None) -> TriggerEntry:
    return TriggerEntry(epoch, number, trigger(part, at_ns), "boot")


def record_entry(
    number: int,
    part: int,
    why: Why = Why.OK,
    epoch: str = "run-1",
    *,
    at_ns: int | None = None,
    delivery: Delivery = Delivery.DELIVERED,
    missed: bool = False,
    said: Verdict | None = None,
) -> RecordEntry:
    begin = at(part) if at_ns is None else at_ns
    if said is None and why in (Why.OK, Why.NG):
        said = verdict(part, Outcome.OK if why is Why.OK else Outcome.NG, begin)
    record = Record(
        trigger(part, begin, missed=missed),
        said,
        Disposition(
            part,
            Action.PASS if why is Why.OK else Action.REJECT,
            why,
            begin + 6_000,
            None if missed else begin + 7_000,
            0 if missed else part % 65535 + 1,
        ),
        Receipt(part, delivery, begin + 20_000_000 if delivery is Delivery.DELIVERED else None),
        TAKEN,
    )
    return RecordEntry(epoch, number, record)


def counters_entry(
    number: int, epoch: str = "run-1", *, last: bool = True, ok: int = 0, ng: int = 0, unjudged: int = 0, **more: int
) -> CountersEntry:
    ordered = ng + unjudged
    unconfirmed = more.pop("unconfirmed", 0)
    counts = {
        "triggers": ok + ng + unjudged,
        "ok": ok,
        "ng": ng,
        "unjudged": unjudged,
        "late": 0,
        "missed": 0,
        "in_flight": 0,
        "ordered": ordered,
        "confirmed": ordered - unconfirmed,
        "unconfirmed": unconfirmed,
        "stale_verdicts": 0,
        "consecutive_ng": 0,
    }
    return CountersEntry(epoch, number, Counters(**{**counts, **more}), last)


class Sender:
    """io's side of the ledger's door: keeps every entry until it is Stored, sends again what is not after a while."""

    def __init__(self, run_dir: Path) -> None:
        self._door = EntrySender(records_address(run_dir))
        self.kept: dict[tuple[str, int], TriggerEntry | RecordEntry | CountersEntry] = {}
        self._sent: dict[tuple[str, int], float] = {}
        self.stored: list[tuple[str, int]] = []

    def send(self, entry: TriggerEntry | RecordEntry | CountersEntry) -> None:
        key = (entry.epoch, entry.number)
        self.kept[key] = entry
        self._sent[key] = time.monotonic()
        self._door.send(entry)

    def turn(self) -> None:
        """Take in answers; send again what is 300 ms old."""
        while (stored := self._door.receive()) is not None:
            for number in stored.numbers:
                if self.kept.pop((stored.epoch, number), None) is not None:
                    self.stored.append((stored.epoch, number))
        now = time.monotonic()
        for key, entry in self.kept.items():
            if now - self._sent[key] > 0.3:
                self._sent[key] = now
                self._door.send(entry)

    def settle(self, seconds: float = 20.0) -> bool:
        """True when everything is stored within that time."""
        end = time.monotonic() + seconds
        while self.kept and time.monotonic() < end:
            self.turn()
            time.sleep(0.005)
        return not self.kept

    def close(self) -> None:
        self._door.close()


class Line:
    """A camera's ring with grey pictures, and what camera and inspect publish."""

    def __init__(self, run_dir: Path, slots: int = 64, camera: str = "cam0", inspect: Publisher | None = None) -> None:
        """inspect: of another camera's line, which speaks for this one too."""
        self.name = camera
        self.ring = RingWriter(run_dir, camera, slots, 64 * 48)
        self.camera = Publisher(camera_address(run_dir, camera))
        self.inspect = inspect or Publisher(inspect_address(run_dir))

    def picture(self, part: int) -> FrameReady:
        """Put the picture of that part into the ring: all pixels are part % 251, the first row counts up."""
        slot, view = self.ring.begin()
        view[:] = bytes([part % 251]) * (64 * 48)
        view[:64] = bytes(range(64))
        sequence = self.ring.commit(slot, part=part, number=part, epoch=1, size=64 * 48)
        return frame(part, camera=self.name, ring=self.ring.name, slot=slot, sequence=sequence)

    def close(self) -> None:
        for held in (self.ring, self.camera, self.inspect):
            held.close()
