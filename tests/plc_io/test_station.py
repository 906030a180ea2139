"""One rule of the design a test: the station step by step, with a clock that the test turns."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from okng.bus.clock import MS
from okng.bus.messages import Job
from okng.bus.part import Action, Delivery, Disposition, Outcome, Record, Trigger, Verdict, Why
from okng.plc_io.handshake import Limits, State
from okng.plc_io.images import InImage, OutImage
from okng.plc_io.signals import Command, FaultCode, Status, WireCode
from okng.plc_io.station import (
    CounterReset,
    Event,
    FaultCleared,
    FaultRaised,
    JobRequest,
    PeerBack,
    PeerLost,
    Station,
)

JOB = Job("cap", "0123456789ab", "f" * 64, 100 * MS)
RUN = Command.TRIG_ENABLE
BUFFERED = Command.TRIG_ENABLE | Command.BUFFER_EN


class Desk:
    """A station, its clock and its PLC."""

    def __init__(self, command: Command = RUN, *, job_number: int = 1) -> None:
        limits = Limits(ack_ns=50 * MS, stuck_ns=40 * MS, peer_ns=500 * MS, late_stop=3)
        self.station = Station("cell", JOB, limits, job_number=job_number, utc=lambda: "2026-01-01T00:00:00.000Z")
        self.station.allow(())
        self.now = 1000 * MS
        self.words = InImage(self.now)
        self.seen: list[Event] = []
        self.station.receive(self.words)
        self.write(command=command)

    def write(self, command: Command | None = None, *, beat: bool = True, **more: int) -> OutImage:
        """One write of the PLC."""
        self.now += 1
        chosen = self.words.command if command is None else command
        heartbeat = self.words.heartbeat + beat
        self.words = replace(self.words, at_ns=self.now, command=chosen, heartbeat=heartbeat, **more)
        self.station.receive(self.words)
        return self.look()

    def look(self) -> OutImage:
        """Let the time of now have its effect."""
        image = self.station.tick(self.now)
        self.seen += self.station.events()
        return image

    def wait(self, ns: int) -> OutImage:
        """Turn the clock."""
        self.now += ns
        return self.look()

    def trigger(self, part: int, *, fall: bool = True, exposed: bool = True) -> Trigger:
        """One trigger; return what the station made of it."""
        self.write(self.words.command | Command.TRIGGER, part=part)
        made = self.of(Trigger)[-1]
        if fall:
            self.write(self.words.command & ~Command.TRIGGER)
        if exposed:
            self.station.exposed(made.part, made.at_ns, self.now)
        self.look()
        return made

    def judge(self, trigger: Trigger, outcome: Outcome = Outcome.OK, **change: object) -> OutImage:
        """A verdict of a part."""
        verdict = Verdict(
            part=trigger.part,
            outcome=outcome,
            reasons=() if outcome is Outcome.OK else ("because",),
            defects=(),
            score=0.5,
            threshold=1.0,
            recipe=JOB.recipe,
            revision=JOB.revision,
            model=JOB.model,
            camera="top",
            triggered_at_ns=trigger.at_ns,
            frame=None,
            heat=(),
            started_ns=self.now - 3 * MS,
            done_ns=self.now,
        )
        self.station.submit(replace(verdict, **change), self.now)  # type: ignore[arg-type]
        return self.look()

    def ack(self) -> OutImage:
        """Acknowledge the result shown."""
        return self.write(ack_seq=self.look().seq)

    def of[T](self, kind: type[T]) -> list[T]: ...


def _of(desk: Desk, kind: type) -> list[object]:
    return [event for event in desk.seen if isinstance(event, kind)]
