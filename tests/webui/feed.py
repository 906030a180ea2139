"""A made-up line that drives the screens: `python tests/webui/feed.py --port 8080` shows them without a line.

It speaks on the bus like io, inspect and a camera do, over a real ring and real heartbeats, with rendered parts.
"""

import argparse
import signal
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from okng.bus.channel import Publisher, camera_address, inspect_address, io_address
from okng.bus.clock import MS, now_ns, utc_now
from okng.bus.entries import RecordEntry, TriggerEntry
from okng.bus.heartbeat import Heartbeat
from okng.bus.messages import Counters, FrameReady, Health, InspectState, Job, StationState
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
from okng.records.ledger import Ledger, Ripe
from okng.records.pictures import PictureShelf, encode, picture_path

WIDTH, HEIGHT = 640, 480
JOB = Job(recipe="magnetic-tile", revision="3f2a91c04b1d", model="9f8e7d6c" * 8, deadline_ns=120 * MS)
LIMIT = 4.0


def picture(rng: np.random.Generator, defect: tuple[int, int] | None) -> np.ndarray:
    """A ground metal plate with a hole pattern, scratched at `defect` (x, y)."""
    grain = rng.normal(0, 9, (HEIGHT, 1)) + rng.normal(0, 5, (HEIGHT, WIDTH))
    base = 150 + cv2.GaussianBlur(grain, (31, 1), 0) + np.linspace(-18, 18, WIDTH)[None, :]
    plate = np.full((HEIGHT, WIDTH), 46.0)
    dx, dy = rng.integers(-6, 7, 2)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.rectangle(mask, (60 + int(dx), 50 + int(dy)), (580 + int(dx), 430 + int(dy)), 255, -1)
    for x, y in ((120, 110), (520, 110), (120, 370), (520, 370)):
        cv2.circle(mask, (x + int(dx), y + int(dy)), 26, 0, -1)
    plate += (base - plate) * (cv2.GaussianBlur(mask, (5, 5), 0) / 255.0)
    if defect:
        x, y = defect
        points = np.array([[x, y], [x + 40, y + 14], [x + 78, y + 9], [x + 110, y + 30]], np.int32)
        cut = np.zeros((HEIGHT, WIDTH), np.uint8)
        cv2.polylines(cut, [points], isClosed=False, color=255, thickness=5, lineType=cv2.LINE_AA)
        plate -= cut / 255.0 * 85
    return np.asarray(np.clip(plate, 0, 255), dtype=np.uint8)


def heat_of(defect: tuple[int, int] | None, rng: np.random.Generator) -> HeatMap:
    columns, rows = 80, 60
    levels = rng.normal(40, 10, (rows, columns))
    if defect:
        x, y = (defect[0] + 55) * columns / WIDTH, (defect[1] + 15) * rows / HEIGHT
        yy, xx = np.mgrid[0:rows, 0:columns]
        levels += 200 * np.exp(-(((xx - x) / 8) ** 2 + ((yy - y) / 3.2) ** 2))
    smooth = cv2.GaussianBlur(levels, (5, 5), 0)
    return HeatMap(0, 0, WIDTH, HEIGHT, columns, rows, np.clip(smooth, 0, 255).astype(np.uint8).tobytes())


NOTHING = Counters(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


class Line:
    """io, inspect, records and camera `top` in one. Each method is one event; only beats come by themselves."""

    def __init__(self, run_dir: Path, store: Path, station: str = "line 1") -> None:
        self.run_dir, self.store, self.station = run_dir, store, station
        self.ledger = Ledger(store)
        self.shelf = PictureShelf(store)
        self.entries = 0
        self.io = Publisher(io_address(run_dir))
        self.inspect = Publisher(inspect_address(run_dir))
        self.camera = Publisher(camera_address(run_dir, "top"))
        self.ring = RingWriter(run_dir, "top", 16, WIDTH * HEIGHT)
        self.beats = {name: Heartbeat(run_dir, name) for name in ("io", "inspect", "camera-top")}
        for beat in self.beats.values():
            beat.health = Health.READY
        self.counters = NOTHING
        self.epoch = f"io-{now_ns()}"
        self.reasons: tuple[str, ...] = ()
        self.fault = 0
        self.dead: set[str] = set()
        self.part = 0
        self.rng = np.random.default_rng(7)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def turn(self) -> None:
        for name, beat in self.beats.items():
            if name not in self.dead:
                beat.turn()

    def say_state(self) -> None:
        if "io" in self.dead:
            return
        ready = not self.reasons and not self.fault
        state = "FAULT" if self.fault else "READY" if ready else "OFFLINE"
        moving = tuple(name for name in self.beats if name not in self.dead)
        self.io.send(
            StationState(
                self.station,
                self.epoch,
                state,
                ready,
                self.reasons,
                self.fault,
                True,
                moving,
                JOB,
                self.counters,
                now_ns(),
            )
        )
        if "inspect" not in self.dead:
            self.inspect.send(InspectState(Health.READY, JOB, "CPUExecutionProvider", self.part, ""))

    def start(self) -> None:
        """Beat and state in the background, as a living line does."""
        self._thread = threading.Thread(target=self._live, name="feed", daemon=True)
        self._thread.start()

    def _live(self) -> None:
        while not self._stop.wait(0.05):
            with self._lock:
                self.turn()
                self.say_state()

    def judge(
        self,
        outcome: Outcome,
        *,
        defect: tuple[int, int] | None = None,
        score: float | None = None,
        with_picture: bool = True,
    ) -> Record:
        """One part, whole: trigger, frame, verdict, disposition, record."""
        with self._lock:
            return self._judge(outcome, defect, score, with_picture)

    def _judge(
        self, outcome: Outcome, defect: tuple[int, int] | None, score: float | None, with_picture: bool
    ) -> Record:
        self.part += 1
        if outcome is Outcome.NG and defect is None:
            defect = (int(self.rng.integers(140, 400)), int(self.rng.integers(120, 340)))
        if score is None:
            score = float(self.rng.uniform(5, 9)) if outcome is Outcome.NG else float(self.rng.uniform(1.2, 2.6))
        pixels = picture(self.rng, defect)
        heat = (heat_of(defect, self.rng),)
        at = now_ns() - int(self.rng.integers(20, 40)) * MS
        trigger = Trigger(self.part, self.station, at, None, at + JOB.deadline_ns, JOB.recipe)
        self.io.send(trigger)
        ready = self.expose(self.part, at, pixels) if with_picture else None
        verdict = None
        if ready is not None and outcome is not Outcome.UNJUDGED:
            bad = outcome is Outcome.NG
            box = (defect[0] - 6, defect[1] - 6, 122, 42) if defect else (0, 0, 1, 1)
            verdict = Verdict(
                self.part,
                outcome,
                (f"score {score:.2f} above {LIMIT:.2f} in region plate",) if bad else (),
                (Defect("anomaly", "plate", *box, score),) if bad else (),
                score,
                LIMIT,
                JOB.recipe,
                JOB.revision,
                JOB.model,
                "top",
                at,
                ready,
                heat,
                now_ns(),
                now_ns(),
            )
            self.inspect.send(verdict)
        why = {Outcome.OK: Why.OK, Outcome.NG: Why.NG}.get(outcome, Why.LATE if with_picture else Why.LOST)
        action = Action.PASS if why is Why.OK else Action.REJECT
        disposition = Disposition(self.part, action, why, now_ns(), now_ns(), self.part % 65535 + 1)
        self.io.send(disposition)
        record = Record(trigger, verdict, disposition, Receipt(self.part, Delivery.DELIVERED, now_ns()), utc_now())
        self._count(outcome)
        self._remember(record, ready, heat if verdict else (), pixels)
        self.io.send(replace(record, verdict=verdict and replace(verdict, heat=())))
        self.say_state()
        return record

    def expose(self, part: int, at: int, pixels: np.ndarray) -> FrameReady:
        slot, view = self.ring.begin()
        view[: pixels.size] = pixels.tobytes()
        sequence = self.ring.commit(slot, part=part, number=part, epoch=1, size=pixels.size)
        now = now_ns()
        ready = FrameReady(
            part,
            "top",
            self.ring.name,
            slot,
            sequence,
            part,
            1,
            WIDTH,
            HEIGHT,
            "Mono8",
            pixels.size,
            at,
            at,
            None,
            now,
            now,
            utc_now(),
        )
        self.camera.send(ready)
        return ready

    def _remember(
        self, record: Record, ready: FrameReady | None, heat: tuple[HeatMap, ...], pixels: np.ndarray
    ) -> None:
        kept = None
        if ready is not None:
            kept = self.shelf.put(picture_path(ready, "png"), encode(pixels, "png", 95))
            self.shelf.settle()
        trigger = TriggerEntry(self.epoch, self.entries + 1, record.trigger, "boot")
        entry = RecordEntry(self.epoch, self.entries + 2, record)
        self.entries += 2
        self.ledger.store([Ripe(trigger), Ripe(entry, ready, heat, kept)])

    def _count(self, outcome: Outcome) -> None:
        c = self.counters
        rejected = outcome is not Outcome.OK
        self.counters = replace(
            c,
            triggers=c.triggers + 1,
            ok=c.ok + (outcome is Outcome.OK),
            ng=c.ng + (outcome is Outcome.NG),
            unjudged=c.unjudged + (outcome is Outcome.UNJUDGED),
            late=c.late + (outcome is Outcome.UNJUDGED),
            ordered=c.ordered + rejected,
            confirmed=c.confirmed + rejected,
        )

    def close(self) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join()
        for end in (p.close for p in (self.io, self.inspect, self.camera)):
            end()
        for beat in self.beats.values():
            beat.close()
        self.ring.close()
        self.ledger.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--rate", type=float, default=2.0, help="parts in a second")
    parser.add_argument("--language", default="en")
    asked = parser.parse_args()
    run_dir = Path(tempfile.mkdtemp(prefix="okng-", dir="/tmp"))
    line = Line(run_dir, run_dir / "store")
    line.start()

    def drive() -> None:
        number = 0
        while True:
            time.sleep(1 / asked.rate)
            number += 1
            outcome = Outcome.NG if number % 9 == 0 else Outcome.UNJUDGED if number % 31 == 0 else Outcome.OK
            line.judge(outcome, with_picture=outcome is not Outcome.UNJUDGED)

    threading.Thread(target=drive, daemon=True).start()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    from okng.webui.options import WebOptions
    from okng.webui.process import run

    sys.exit(run(WebOptions(port=asked.port, language=asked.language), "line 1", ("top",), run_dir, run_dir / "store"))


if __name__ == "__main__":
    main()
