"""One box for tests of its uplink: a real ledger that records writes, its folder of sync, the process `sync` itself."""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from okng.bus.asks import Answer, Ask, new_id
from okng.bus.channel import ask_once
from okng.bus.entries import RecordEntry, TriggerEntry
from okng.bus.part import Action, Delivery, Disposition, Outcome, Receipt, Record, Trigger, Verdict, Why
from okng.bus.rights import COMMANDS
from okng.fleet.enrol import Enrolment, home_of, wires
from okng.fleet.fleet_options import FleetOptions
from okng.fleet.link import Link
from okng.fleet.uplink import Uplink
from okng.fleet.uplink_cursor import Cursor
from okng.records.backup import Backups
from okng.records.leaving import Leaving
from okng.records.ledger import Ledger, Ripe
from okng.records.outbox_read import OutboxReader
from okng.records.pictures import PictureShelf
from okng.records.tasks import records_desk

from .fleet_service import FleetService

MODEL = "ab" * 32


@dataclass
class BoxSide:
    """A box that may be enrolled at a service."""

    folder: Path
    service: FleetService
    more: dict[str, object]
    """Of `[fleet]`."""
    parts: int = 0
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.options: FleetOptions = self.service.options(**self.more)
        rule = self.options
        self.leaving = Leaving(rule.leaves, rule.ok_sample_percent, rule.uncertain, rule.quota_gb)
        self.run_dir = self.folder / "run"
        self.run_dir.mkdir(parents=True)
        self.ledger = Ledger(self.store, leaving=self.leaving)
        self.backups = Backups(self.ledger, self.store)
        self.desk = records_desk(self.ledger, self.store, lambda: "", lambda error: None, self.backups)
        self.box = ""

    @property
    def store(self) -> Path:
        """Of the ledger."""
        return self.folder / "store"

    @property
    def state(self) -> Path:
        """Of sync."""
        return self.folder / "sync"

    @property
    def reader(self) -> OutboxReader:
        """What leaves."""
        return OutboxReader(self.store, self.leaving)

    def enrol(self) -> str:
        """Be let in; the id."""
        home = home_of(self.options, self.state)
        doing = Enrolment(home, wires(self.options, home), "box", "line1")
        shown = doing.begin()
        self.box = self.service.approve(shown.code, shown.fingerprint)
        for _ in range(50):
            doing.step()
            if doing.shown.state == "enrolled":
                return self.box
        raise AssertionError(doing.shown)

    def happen(
        self,
        count: int,
        picture: bytes | Callable[[int], bytes] | None = None,
        *,
        ng_every: int = 3,
        taken: Callable[[int], str] = lambda part: "2026-11-23T08:00:00.000Z",
    ) -> None:
        """So many parts, every third (`ng_every`) of them rejected; those with a picture. taken: UTC of a part."""
        shelf = PictureShelf(self.store)
        batch: list[Ripe] = []
        for part in range(self.parts + 1, self.parts + count + 1):
            good = part % ng_every != 0
            trigger = Trigger(part, "st1", part * 1000, None, part * 1000 + 500, "cap")
            outcome, score = (Outcome.OK, 20.0) if good else (Outcome.NG, 180.0)
            why_ng = () if good else ("score 180.0 above 100.0 in region cap",)
            names = ("cap", "abc123def456", MODEL, "top")
            at = part * 1000
            verdict = Verdict(part, outcome, why_ng, (), score, 100.0, *names, at, None, (), at + 1, at + 2)
            disposition = Disposition(
                part, Action.PASS if good else Action.REJECT, Why.OK if good else Why.NG, part * 1000 + 9, None, 0
            )
            receipt = Receipt(part, Delivery.DELIVERED, None)
            record = Record(trigger, verdict, disposition, receipt, taken(part))
            kept = None
            if picture is not None and not good:
                data = picture(part) if callable(picture) else picture
                kept = shelf.put(f"pictures/2026/11/23/08/{part}.png", data)
                shelf.settle()
            batch.append(Ripe(TriggerEntry("run", 2 * part - 1, trigger, "boot")))
            batch.append(Ripe(RecordEntry("run", 2 * part, record), kept=kept))
            if len(batch) >= 2000:
                self.ledger.store(batch)
                batch = []
        if batch:
            self.ledger.store(batch)
        self.parts += count

    def alarm(self, n: int) -> None:
        """An alarm is raised."""
        said = {
            "stream": "alarm",
            "key": f"camera.lost:{n}",
            "event": "raised",
            "body": {"kind": "camera.lost", "n": n},
        }
        answer = self.desk.answer(Ask(new_id(), "journal.add", "", COMMANDS["journal.add"].right, "", said))
        assert answer.done, answer.detail

    def uplink(self, stop: threading.Event | None = None) -> Uplink:
        """The loop's body, in this process."""
        known = Link(self.options, home_of(self.options, self.state)).known()
        cursor = Cursor.load(self.state, known.passport.box)
        return Uplink(self.options, self.reader, cursor, known.wire, stop or threading.Event())

    def drain(self, uplink: Uplink | None = None, most_s: float = 60.0) -> Uplink:
        """Send until nothing is owed."""
        made = uplink or self.uplink()
        end = time.monotonic() + most_s
        idle = 0
        while idle < 3:
            assert time.monotonic() < end, made.status
            waits = made.step()
            owes = any(made.status.owed.values()) or made.status.trouble
            idle = 0 if owes or waits == 0.0 else idle + 1
            time.sleep(min(waits, 0.02) if owes else 0)
        return made

    def owed(self) -> dict[tuple[str, int], list[tuple[int, str]]]:
        """All that the service ought to have: (number, hash) by stream and epoch."""
        reader = self.reader
        found: dict[tuple[str, int], list[tuple[int, str]]] = {}
        for head in reader.streams():
            said: list[tuple[int, str]] = []
            while events := reader.outgoing(head.name, len(said), 1000, head.epoch):
                said += [(one.seq, one.sha256) for one in events]
            found[head.name, head.epoch] = said
        return found

    def is_level(self) -> None:
        """Lost 0, doubled 0: the service has exactly what the ledger says, under the same numbers."""
        for (stream, epoch), wanted in self.owed().items():
            assert self.service.events(self.box, stream, epoch) == wanted, f"{stream}/{epoch}"

    # -- the process -------------------------------------------------------------------------------------------------

    def start(self) -> "subprocess.Popen[bytes]":
        """Run the process `sync`."""
        plan = self.folder / "plan.json"
        plan.write_text(json.dumps({"options": self.options.model_dump(mode="json"), "folder": str(self.folder)}))
        command = [sys.executable, str(Path(__file__).with_name("run_sync.py")), str(plan)]
        with (self.folder / "sync.log").open("ab") as log:
            made = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        self.processes.append(made)
        return made

    def kill(self) -> None:
        """All of them, at once."""
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.processes.clear()

    def ask(self, name: str, body: dict[str, Any] | None = None, wait_s: float = 20) -> Answer:
        """Ask the process."""
        end = time.monotonic() + wait_s
        made = Ask(new_id(), name, "eve", COMMANDS[name].right, "test", body or {})
        while time.monotonic() < end:
            answer = ask_once(self.run_dir, "uplink", made, 1000)
            if answer is not None:
                return answer
        raise AssertionError((self.folder / "sync.log").read_text()[-3000:])

    def close(self) -> None:
        """End it."""
        self.kill()
        self.backups.close()
        self.ledger.close()


@contextlib.contextmanager
def box_side(service: FleetService, **more: object) -> Iterator[BoxSide]:
    """A box with an empty ledger. more: keys of `[fleet]`."""
    folder = Path(tempfile.mkdtemp(prefix="okb", dir="/tmp"))
    made = BoxSide(folder, service, more)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(folder, ignore_errors=True)


def sha256_of(data: bytes) -> str:
    """64 hex digits."""
    return hashlib.sha256(data).hexdigest()
