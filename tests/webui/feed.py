"""A made-up line that drives the screens: `python tests/webui/feed.py --port 8080` shows them without a line.

It speaks on the bus like io, inspect and a camera do, over a real ring and real heartbeats, with rendered parts. What
is asked of records is answered by the real desk over the line's own ledger.
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

from okng.bus.asks import Answer, Ask, new_id
from okng.bus.channel import AskDoor, Publisher, ask_address, camera_address, inspect_address, io_address, shift_address
from okng.bus.clock import MS, now_ns, utc_now
from okng.bus.entries import RecordEntry, TriggerEntry
from okng.bus.heartbeat import Heartbeat
from okng.bus.messages import Counters, FrameReady, Health, InspectState, Job, StationState
from okng.bus.part import (
    Action,
    CodeRead,
    Defect,
    Delivery,
    Disposition,
    HeatMap,
    ImageHealth,
    Measurement,
    Outcome,
    Placement,
    Receipt,
    Record,
    Trigger,
    Verdict,
    Why,
)
from okng.bus.rights import COMMANDS
from okng.bus.ring import RingWriter
from okng.bus.shift import Alarm, ChallengeState, ChangeOver, LineMode, Mode, ShiftState
from okng.plc_io.views import Views
from okng.records.backup import Backups
from okng.records.bookkeeping import Ripe
from okng.records.ledger import Ledger
from okng.records.pictures import PictureShelf, encode, picture_path
from okng.records.tasks import records_desk
from okng.records.views import Sight

WIDTH, HEIGHT = 640, 480
JOB = Job(recipe="magnetic-tile", revision="3f2a91c04b1d", model="9f8e7d6c" * 8, deadline_ns=120 * MS)
JOB_NUMBER = 1
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
PEOPLE = {
    "op": ("Otto Operator", "operator", "1111"),
    "lead": ("Lea Lead", "lead", "2222"),
    "eng": ("Emil Engineer", "engineer", "3333"),
    "admin": ("Ada Admin", "administrator", "4444"),
}
"""Full name, role and PIN by name. Their passwords are `password-NAME`, their badges `badge-NAME`."""
PRODUCTION = LineMode(Mode.PRODUCTION, "", "", 0)


class Line:
    """io, inspect, records and the cameras in one. Each method is one event; only beats come by themselves."""

    def __init__(
        self, run_dir: Path, store: Path, station: str = "line 1", cameras: tuple[str, ...] = ("top",)
    ) -> None:
        self.run_dir, self.store, self.station, self.cameras = run_dir, store, station, cameras
        self.ledger = Ledger(store)
        self.shelf = PictureShelf(store)
        self.entries = 0
        self.io = Publisher(io_address(run_dir))
        self.inspect = Publisher(inspect_address(run_dir))
        self.speaking = {name: Publisher(camera_address(run_dir, name)) for name in cameras}
        self.rings = {name: RingWriter(run_dir, name, 16, WIDTH * HEIGHT) for name in cameras}
        names = ("io", "inspect", *(f"camera-{name}" for name in cameras))
        self.beats = {name: Heartbeat(run_dir, name) for name in names}
        for beat in self.beats.values():
            beat.health = Health.READY
        self.mode = PRODUCTION
        """What shift and io say the parts are."""
        self.forced: tuple[str, ...] = ()
        self.lot = "L-2026-11"
        self.alarms: tuple[Alarm, ...] = ()
        self.challenge = ChallengeState("off", "", "")
        self.change = ChangeOver()
        self.hourly = 0.0
        self.job_number = JOB_NUMBER
        self.speaks_for_shift = True
        """The made-up shift process speaks; its asks nobody answers. False: leave the place to a real one."""
        self._shift: Publisher | None = None
        self.door = AskDoor(ask_address(run_dir, "records"))
        self.backups = Backups(self.ledger, store)
        self.desk = records_desk(self.ledger, store, lambda: "", lambda error: None, self.backups)
        self.counters = NOTHING
        self.epoch = f"io-{now_ns()}"
        self.reasons: tuple[str, ...] = ()
        self.fault = 0
        self.dead: set[str] = set()
        self.part = 0
        self.light = 1.0
        """Brightness of the pictures, 1.0: as commissioned."""
        self.measured = False
        self.figures: tuple[Measurement, ...] = ()
        """What was measured on each part to come."""
        """inspect measures what the pictures are like."""
        self.drift: tuple[str, ...] = ()
        """What inspect says has drifted."""
        self.rng = np.random.default_rng(7)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def turn(self) -> None:
        for name, beat in self.beats.items():
            if name not in self.dead:
                beat.turn()

    def die(self, name: str) -> None:
        """The process is gone, and its heartbeat with it."""
        with self._lock:
            self.dead.add(name)
            self.beats.pop(name).close()

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
                job_number=self.job_number,
                mode=str(self.mode.mode),
                forced=self.forced,
            )
        )
        if "inspect" not in self.dead:
            self.inspect.send(InspectState(Health.READY, JOB, "CPUExecutionProvider", self.part, "", self.drift))

    def say_shift(self) -> None:
        """What shift says: alarms, test, change-over, mode and lot as they are set."""
        if not self.speaks_for_shift or "shift" in self.dead:
            return
        if self._shift is None:
            self._shift = Publisher(shift_address(self.run_dir))
        said = (self.alarms, self.challenge, self.change, self.mode, self.lot, utc_now())
        self._shift.send(ShiftState(now_ns(), *said, hourly=self.hourly))

    def ask(self, name: str, body: dict[str, object], who: str = "admin") -> Answer:
        """Ask records, as the web process would after looking at the right."""
        with self._lock:
            return self.desk.answer(Ask(new_id(), name, who, COMMANDS[name].right, "", body))

    def add_people(self) -> None:
        """One person of each role; the administrator first."""
        for name in ("admin", "op", "lead", "eng"):
            full_name, role, pin = PEOPLE[name]
            given: dict[str, object] = {"name": name, "full_name": full_name, "pin": pin}
            given |= {"password": f"password-{name}", "badge": f"badge-{name}"}
            first = name == "admin"
            body = given if first else {**given, "role": role}
            answer = self.ask("account.first" if first else "account.create", body, "" if first else "admin")
            if not answer.done:
                raise ValueError(f"{name}: {answer.detail}")

    def start(self) -> None:
        """Beat and state in the background, as a living line does."""
        self._thread = threading.Thread(target=self._live, name="feed", daemon=True)
        self._thread.start()

    def _live(self) -> None:
        said_ns = 0
        while not self._stop.is_set():
            self.door.wait(20)
            with self._lock:
                self.door.serve(self.desk)
                self.backups.settle()
                if now_ns() - said_ns >= 50 * MS:
                    said_ns = now_ns()
                    self.turn()
                    self.say_state()
                    self.say_shift()

    def judge(
        self,
        outcome: Outcome,
        *,
        defect: tuple[int, int] | None = None,
        score: float | None = None,
        with_picture: bool = True,
        serial: str | None = None,
    ) -> Record:
        """One part, whole: trigger, frames, verdicts, disposition, record. The first camera decides.

        serial: what is read on it, empty: a code that is not readable; None: none is looked for.
        """
        with self._lock:
            return self._judge(outcome, defect, score, with_picture, serial)

    def _judge(
        self,
        outcome: Outcome,
        defect: tuple[int, int] | None,
        score: float | None,
        with_picture: bool,
        serial: str | None,
    ) -> Record:
        self.part += 1
        if outcome is Outcome.NG and defect is None:
            defect = (int(self.rng.integers(140, 400)), int(self.rng.integers(120, 340)))
        if score is None:
            score = float(self.rng.uniform(5, 9)) if outcome is Outcome.NG else float(self.rng.uniform(1.2, 2.6))
        at = now_ns() - int(self.rng.integers(20, 40)) * MS
        trigger = Trigger(self.part, self.station, at, None, at + JOB.deadline_ns, JOB.recipe)
        self.io.send(trigger)
        taken = self._expose_all(at, defect) if with_picture else {}
        said: dict[str, Verdict] = {}
        views, verdict = Views(self.cameras), None
        if taken and outcome is not Outcome.UNJUDGED:
            for camera, (ready, _) in reversed(taken.items()):
                deciding = camera == self.cameras[0]
                box = defect if deciding else None
                said[camera] = self._verdict(ready, outcome if deciding else Outcome.OK, box, score, serial)
                self.inspect.send(said[camera])
                verdict = views.add(said[camera])
        why = {Outcome.OK: Why.OK, Outcome.NG: Why.NG}.get(outcome, Why.LATE if with_picture else Why.LOST)
        why = {Mode.CHALLENGE: Why.CHALLENGE, Mode.BYPASS: Why.BYPASS}.get(self.mode.mode, why)
        action = Action.PASS if why is Why.OK else Action.REJECT
        disposition = Disposition(self.part, action, why, now_ns(), now_ns(), self.part % 65535 + 1)
        self.io.send(disposition)
        record = Record(trigger, verdict, disposition, Receipt(self.part, Delivery.DELIVERED, now_ns()), utc_now())
        self._count(outcome, why)
        self._remember(record, taken, verdict.heat if verdict else ())
        self.io.send(replace(record, verdict=verdict and replace(verdict, heat=())))
        self.say_state()
        return record

    def _verdict(
        self, ready: FrameReady, outcome: Outcome, defect: tuple[int, int] | None, score: float, serial: str | None
    ) -> Verdict:
        bad, camera = outcome is Outcome.NG, ready.camera
        box = (defect[0] - 6, defect[1] - 6, 122, 42) if defect else (0, 0, 1, 1)
        first = camera == self.cameras[0]
        codes = () if serial is None or not first else (CodeRead("sn", serial, "DataMatrix" if serial else "", True),)
        return Verdict(
            ready.part,
            outcome,
            (f"score {score:.2f} above {LIMIT:.2f} in region plate",) if bad else (),
            (Defect("anomaly", "plate", *box, score),) if bad else (),
            score if first else score / 2,
            LIMIT,
            JOB.recipe,
            JOB.revision,
            JOB.model,
            camera,
            ready.triggered_at_ns,
            ready,
            (heat_of(defect, self.rng),),
            now_ns(),
            now_ns(),
            image=(self._health(camera),) if self.measured else (),
            placements=(Placement(camera, True, 0.97, *map(float, self.rng.normal(0, 1.5, 3).round(2))),),
            codes=codes,
            measures=self.figures,
        )

    def _health(self, camera: str) -> ImageHealth:
        causes = [words.split(": ")[1] for words in self.drift if words.startswith(camera + ": ")]
        noise = self.rng.normal
        return ImageHealth(
            camera,
            focus=1.0 + noise(0, 0.02),
            brightness=self.light * 118 + noise(0, 1.2),
            contrast=44 + noise(0, 1),
            saturation=0.001,
            darkness=0.0,
            uniformity=0.012 + abs(noise(0, 0.004)),
            noise=2.1 + noise(0, 0.05),
            shift_x_px=noise(0, 0.2),
            shift_y_px=noise(0, 0.2),
            angle_deg=noise(0, 0.03),
            alarms=tuple(causes),
        )

    def _expose_all(self, at: int, defect: tuple[int, int] | None) -> dict[str, tuple[FrameReady, np.ndarray]]:
        """A picture by each camera; the first one sees the defect."""
        taken = {}
        for camera in self.cameras:
            pixels = picture(self.rng, defect if camera == self.cameras[0] else None)
            pixels = pixels if camera == self.cameras[0] else np.ascontiguousarray(pixels[::-1])
            pixels = np.clip(pixels * self.light, 0, 255).astype(np.uint8)
            taken[camera] = (self.expose(self.part, at, pixels, camera), pixels)
        return taken

    def expose(self, part: int, at: int, pixels: np.ndarray, camera: str = "top") -> FrameReady:
        ring = self.rings[camera]
        slot, view = ring.begin()
        view[: pixels.size] = pixels.tobytes()
        sequence = ring.commit(slot, part=part, number=part, epoch=1, size=pixels.size)
        now = now_ns()
        ready = FrameReady(
            part,
            camera,
            ring.name,
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
        self.speaking[camera].send(ready)
        return ready

    def _remember(
        self, record: Record, taken: dict[str, tuple[FrameReady, np.ndarray]], heat: tuple[HeatMap, ...]
    ) -> None:
        kept = {
            camera: self.shelf.put(picture_path(ready, "png"), encode(pixels, "png", 95), WIDTH, HEIGHT)
            for camera, (ready, pixels) in taken.items()
        }
        self.shelf.settle()
        trigger = TriggerEntry(self.epoch, self.entries + 1, record.trigger, "boot")
        entry = RecordEntry(self.epoch, self.entries + 2, record)
        self.entries += 2
        main = record.verdict.camera if record.verdict else next(iter(taken), "")
        sights = tuple(Sight(ready, kept[camera]) for camera, (ready, _) in taken.items() if camera != main)
        first = taken[main][0] if main in taken else None
        self.ledger.store([Ripe(trigger), Ripe(entry, first, heat, kept.get(main), sights)])

    def _count(self, outcome: Outcome, why: Why) -> None:
        c = self.counters
        if why in (Why.CHALLENGE, Why.BYPASS):
            self.counters = replace(
                c,
                triggers=c.triggers + 1,
                challenge=c.challenge + (why is Why.CHALLENGE),
                bypass=c.bypass + (why is Why.BYPASS),
                ordered=c.ordered + 1,
                confirmed=c.confirmed + 1,
            )
            return
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
        for speaker in (self.io, self.inspect, self.door, *self.speaking.values()):
            speaker.close()
        if self._shift is not None:
            self._shift.close()
        for beat in self.beats.values():
            beat.close()
        for ring in self.rings.values():
            ring.close()
        self.backups.close()
        self.ledger.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--rate", type=float, default=2.0, help="parts in a second")
    parser.add_argument("--language", default="en")
    parser.add_argument("--cameras", default="top", help="names, with commas")
    parser.add_argument("--mode", default="production", choices=[str(mode) for mode in Mode])
    parser.add_argument("--forced", default="", help="outputs set by hand, with commas")
    asked = parser.parse_args()
    run_dir = Path(tempfile.mkdtemp(prefix="okng-", dir="/tmp"))
    cameras = tuple(asked.cameras.split(","))
    line = Line(run_dir, run_dir / "store", cameras=cameras)
    line.measured = True
    if asked.mode != "production":
        line.mode = LineMode(Mode(asked.mode), "lead", "shown", now_ns() + 14 * 60_000 * MS)
    line.forced = tuple(name for name in asked.forced.split(",") if name)
    line.add_people()
    line.start()

    def drive() -> None:
        number = 0
        while True:
            time.sleep(1 / asked.rate)
            number += 1
            outcome = Outcome.NG if number % 9 == 0 else Outcome.UNJUDGED if number % 31 == 0 else Outcome.OK
            line.judge(outcome, with_picture=outcome is not Outcome.UNJUDGED, serial=f"SN-{number:06d}")

    threading.Thread(target=drive, daemon=True).start()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    from okng.webui.options import WebOptions
    from okng.webui.process import run

    sys.exit(run(WebOptions(port=asked.port, language=asked.language), "line 1", cameras, run_dir, run_dir / "store"))


if __name__ == "__main__":
    main()
