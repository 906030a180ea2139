"""Every order of events, losses, deaths and damage that hypothesis thinks of: lost 0, doubled 0, no number twice.

The box's side is the whole uplink but its sockets; the other side is the service's own application and its database.
"""

import hashlib
import json
import shutil
import tempfile
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from okng.cloud.database import reading, writing
from okng.cloud.tables import Cursor as Moved
from okng.cloud.tables import Event
from okng.fleet.fleet_options import FleetOptions
from okng.fleet.uplink import Uplink
from okng.fleet.uplink_cursor import FILE, Cursor

from .app_wire import AppWire, service_app
from .fault_proxy import LOSE_ANSWER, LOSE_REQUEST, PASS

STREAMS = ("alarms", "audit", "ladder", "records", "labels", "heads")
KINDS = dict(zip(STREAMS, ("alarm", "audit", "ladder", "part", "label", "head"), strict=True))


@dataclass(frozen=True)
class One:
    """An event of the ledger."""

    seq: int
    kind: str
    at: str
    body: bytes
    sha256: str


@dataclass
class Head:
    """A stream of the ledger."""

    name: str
    epoch: int
    newest: int


@dataclass
class Outbox:
    """A ledger in memory: what `records.outbox_read.OutboxReader` says, without a disk."""

    held: dict[tuple[str, int], list[One]] = field(default_factory=dict)
    epoch: int = 1

    def add(self, stream: str, count: int) -> None:
        """So many more events happen."""
        events = self.held.setdefault((stream, self.epoch), [])
        for _ in range(count):
            seq = len(events) + 1
            events.append(made(KINDS[stream], seq, {"n": seq, "epoch": self.epoch, "of": stream}))

    def drop(self, stream: str, epoch: int, seq: int) -> None:
        """The quota takes the content of an event."""
        self.held[stream, epoch][seq - 1] = made("dropped", seq, {"seq_part": None})

    def streams(self) -> tuple[Head, ...]:
        """See `OutboxReader`."""
        keys = sorted(self.held, key=lambda key: (STREAMS.index(key[0]), key[1]))
        return tuple(Head(name, epoch, len(self.held[name, epoch])) for name, epoch in keys)

    def outgoing(self, stream: str, after: int, limit: int, epoch: int | None = None) -> list[One]:
        """See `OutboxReader`."""
        return self.held.get((stream, epoch or self.epoch), [])[after : after + limit]

    def pictures_to_send(self, after_part_seq: int, limit: int, priority: int | None = None) -> list[Any]:
        """No pictures here."""
        return []


def made(kind: str, seq: int, said: dict[str, Any]) -> One:
    """An event as the ledger hands it out."""
    body = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
    return One(seq, kind, "2026-11-27T01:02:03.004Z", body, hashlib.sha256(body).hexdigest())


class Machine(RuleBasedStateMachine):
    """One box and one service."""

    @initialize()
    def begin(self) -> None:
        """A service with one box, whose ledger is empty."""
        self.folder = Path(tempfile.mkdtemp(prefix="okm", dir="/tmp"))
        self.app = service_app(self.folder / "service")
        self.fates: list[str] = []
        self.wire = AppWire(self.app, lambda path: self.fates.pop() if self.fates else PASS)
        self.outbox = Outbox()
        self.now_s = 1000.0
        self.dropped: set[tuple[str, int, int]] = set()
        self.restart()

    @rule()
    def restart(self) -> None:
        """The box is killed and starts again: what it knows is in its file."""
        options = FleetOptions(service="https://localhost:1", ca=Path("ca.pem"), kbit_per_s=10_000_000, every_s=30)
        cursor = Cursor.load(self.folder / "box", "box-1")
        self.uplink = Uplink(
            options,
            self.outbox,
            cursor,
            self.wire,  # type: ignore[arg-type]  # the real application behind it
            threading.Event(),
            clock=lambda: self.now_s,
            wall=lambda: datetime.now(UTC),
        )

    @rule(stream=st.sampled_from(STREAMS), count=st.sampled_from((1, 2, 3, 40, 700)))
    def happens(self, stream: str, count: int) -> None:
        """Something on the line."""
        self.outbox.add(stream, count)

    @rule(fates=st.lists(st.sampled_from((PASS, LOSE_REQUEST, LOSE_ANSWER)), max_size=6), wait_s=st.floats(0, 400))
    def goes(self, fates: list[str], wait_s: float) -> None:
        """Some steps of the uplink, some of what it says or hears lost."""
        self.fates = list(fates)
        for _ in range(len(fates) + 2):
            self.now_s += wait_s
            self.uplink.step()
        self.fates = []

    @rule(fate=st.sampled_from((PASS, LOSE_ANSWER)))
    def dies_before_it_notes(self, fate: str) -> None:
        """The service took a batch, and the box dies before its file says so."""
        file = self.folder / "box" / FILE
        before = file.read_bytes() if file.exists() else None
        self.fates = [fate]
        self.now_s += 400
        self.uplink.step()
        self.fates = []
        if before is None:
            file.unlink(missing_ok=True)
        else:
            file.write_bytes(before)
        self.restart()

    @rule(text=st.sampled_from((None, b"", b"{", b'{"box": "box-1", "epochs": 3}')))
    def loses_its_note(self, text: bytes | None) -> None:
        """Its file is gone or damaged."""
        file = self.folder / "box" / FILE
        if text is None:
            file.unlink(missing_ok=True)
        elif file.exists():
            file.write_bytes(text)
        self.restart()

    @rule()
    def is_restored(self) -> None:
        """The ledger is another one from now on; what was unsent of the old one stays under its epoch."""
        self.outbox.epoch += 1

    @rule(data=st.data())
    def the_service_is_restored(self, data: st.DataObject) -> None:
        """From a copy that is older: it wants again what it had."""
        keys = [key for key in self.outbox.held if key[1] == self.outbox.epoch and self.stored(*key)]
        if not keys:
            return
        stream, epoch = data.draw(st.sampled_from(keys))
        kept = data.draw(st.integers(0, len(self.stored(stream, epoch)) - 1))
        self.cut_back(stream, epoch, kept)

    def cut_back(self, stream: str, epoch: int, kept: int) -> None:
        """The service has no more than so many of a stream."""
        with writing(self.app.extensions["okng-fleet"].engine) as db:
            db.execute(sa.delete(Event).where(Event.stream == stream, Event.epoch == epoch, Event.seq > kept))
            where = sa.and_(Moved.stream == stream, Moved.epoch == epoch)
            db.execute(sa.update(Moved).where(where).values(acked=kept, settled_to=0))
        self.outbox.add(stream, 1)  # the box notices by the next event of that stream

    @rule(data=st.data())
    def gives_up_content(self, data: st.DataObject) -> None:
        """The quota takes something that is not sent yet, or that was and whose answer was lost."""
        keys = [key for key, events in self.outbox.held.items() if events]
        if keys:
            stream, epoch = data.draw(st.sampled_from(keys))
            seq = data.draw(st.integers(1, len(self.outbox.held[stream, epoch])))
            self.dropped.add((stream, epoch, seq))
            self.outbox.drop(stream, epoch, seq)

    @invariant()
    def what_is_there_is_a_beginning_of_what_was_said(self) -> None:
        """No number without the ones before it, none twice, none with other content."""
        if not hasattr(self, "app"):
            return
        for (stream, epoch), events in self.outbox.held.items():
            stored = self.stored(stream, epoch)
            assert [seq for seq, _ in stored] == list(range(1, len(stored) + 1))
            assert len(stored) <= len(events)
            for seq, sha256 in stored:
                assert (stream, epoch, seq) in self.dropped or events[seq - 1].sha256 == sha256
        assert not self.uplink.status.halted

    def stored(self, stream: str, epoch: int) -> list[tuple[int, str]]:
        """What the service has of a stream."""
        engine = self.app.extensions["okng-fleet"].engine
        with reading(engine) as db:
            wanted = sa.select(Event.seq, Event.sha256).where(Event.stream == stream, Event.epoch == epoch)
            return [(int(seq), str(sha256)) for seq, sha256 in db.execute(wanted.order_by(Event.seq))]

    def teardown(self) -> None:
        """Once nothing is lost any more all of it arrives."""
        if not hasattr(self, "app"):
            return
        self.fates = []
        for _ in range(200):
            self.now_s += 400
            self.uplink.step()
            if not any(self.uplink.status.owed.values()) and not self.uplink.status.trouble:
                break
        for (stream, epoch), events in self.outbox.held.items():
            assert len(self.stored(stream, epoch)) == len(events), f"{stream}/{epoch}: {self.uplink.status}"
        self.app.extensions["okng-fleet"].engine.dispose()
        shutil.rmtree(self.folder, ignore_errors=True)


Machine.TestCase.settings = settings(
    max_examples=20, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)
TestUplinkMachine = Machine.TestCase


def test_a_service_restored_from_an_older_copy_gets_again_what_it_lost() -> None:
    box = Machine()
    box.begin()
    box.happens("records", 40)
    for _ in range(2):
        box.goes([], 40.0)
    assert len(box.stored("records", 1)) == 40
    box.cut_back("records", 1, 5)
    box.teardown()  # asks for all 41
