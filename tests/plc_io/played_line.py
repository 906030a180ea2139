"""io as far as the bus can tell: what it would publish, said by the test. For processes that only listen to io."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from okng.bus.channel import Publisher, Subscriber, io_address, opcua_address
from okng.bus.clock import MS, now_ns
from okng.bus.messages import Counters, Hold, Job, JobAnswer, JobAsk, JobOrder, JobPhase, StationState
from okng.bus.part import (
    Action,
    Defect,
    Delivery,
    Disposition,
    Outcome,
    Receipt,
    Record,
    Trigger,
    Verdict,
    Why,
)

JOB = Job("cap", "0123456789ab", "f" * 64, 400 * MS)
OTHER = Job("lid", "ba9876543210", "e" * 64, 400 * MS)


def record_of(part: int, *, ok: bool = True, job: Job = JOB, lost: bool = False) -> Record:
    """The record of one part, as io would make it."""
    at = now_ns()
    outcome = Outcome.OK if ok else Outcome.NG
    defects = () if ok else (Defect("scratch", "cap", 10, 20, 30, 40, 7.1),)
    verdict = Verdict(
        part=part,
        outcome=outcome,
        reasons=() if ok else ("score 7.1 above 4.0 in region cap",),
        defects=defects,
        score=1.5 if ok else 7.1,
        threshold=4.0,
        recipe=job.recipe,
        revision=job.revision,
        model=job.model,
        camera="top",
        triggered_at_ns=at - 50 * MS,
        frame=None,
        heat=(),
        started_ns=at - 40 * MS,
        done_ns=at - 10 * MS,
    )
    action, why = (Action.PASS, Why.OK) if ok else (Action.REJECT, Why.NG)
    if lost:
        action, why = Action.REJECT, Why.LOST
    return Record(
        trigger=Trigger(part, "line1", at - 50 * MS, None, at + 350 * MS, job.recipe),
        verdict=None if lost else verdict,
        disposition=Disposition(part, action, why, at - 5 * MS, at - 4 * MS, part % 65535 + 1),
        receipt=Receipt(part, Delivery.DELIVERED, at),
        taken_at="2026-01-02T03:04:05.678Z",
    )


class PlayedLine:
    """Publishes at io's address, hears what OPC UA asks, and obeys Hold and JobAsk as io does."""

    def __init__(self, run_dir: Path) -> None:
        self.speaker = Publisher(io_address(run_dir))
        self.ear = Subscriber([opcua_address(run_dir)], (JobAsk, Hold))
        self.epoch = "0123456789abcdef"
        self.number, self.job = 1, JOB
        self.jobs = {1: JOB, 2: OTHER}
        self.blockers: tuple[str, ...] = ()
        self.fault = 0
        self.hold: Hold | None = None
        self.holds_heard = 0
        self.asks: list[JobAsk] = []
        self.answers = True
        """It answers a JobAsk."""
        self.parts = 0
        self._said = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.speaker.close()
        self.ear.close()

    @property
    def state(self) -> StationState:
        """How the line stands."""
        held = (f"{self.hold.who} holds the line: {self.hold.reason}",) if self.hold and self.hold.held else ()
        reasons = (*self.blockers, *held)
        ready = not reasons and not self.fault
        return StationState(
            station="line1",
            epoch=self.epoch,
            state="FAULT" if self.fault else "READY" if ready else "OFFLINE",
            ready=ready,
            reasons=reasons,
            fault=self.fault,
            plc_alive=True,
            moving=("inspect",),
            job=self.job,
            counters=Counters(self.parts, self.parts, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
            at_ns=now_ns(),
            job_number=self.number,
        )

    def turn(self) -> None:
        """Hear and answer, and say the state every 50 ms."""
        while (message := self.ear.receive(0)) is not None:
            if isinstance(message, Hold):
                self.hold = message
                self.holds_heard += 1
            elif isinstance(message, JobAsk):
                if message not in self.asks:
                    self.asks.append(message)
                if self.answers:
                    self._answer(message)
            self._said = 0.0
        if time.monotonic() - self._said > 0.05:
            self._said = time.monotonic()
            self.speaker.send(self.state)
            self.speaker.send(JobOrder(self.epoch, 0, JobPhase.STEADY, self.number, self.job))

    def _answer(self, ask: JobAsk) -> None:
        if ask.number not in self.jobs:
            refusal = f"there is no job {ask.number} in the settings"
            self.speaker.send(JobAnswer(ask.number, ask.token, False, refusal, ask.who))
            return
        self.number, self.job = ask.number, self.jobs[ask.number]
        self.speaker.send(self.state)
        self.speaker.send(JobAnswer(ask.number, ask.token, True, "", ask.who))

    def inspect(self, part: int, *, ok: bool = True, lost: bool = False) -> Record:
        """One part comes by."""
        record = record_of(part, ok=ok, job=self.job, lost=lost)
        self.parts += 1
        self.speaker.send(record.trigger)
        self.speaker.send(record.disposition)
        self.speaker.send(record)
        return record

    def until(self, what: str, true: object, timeout_s: float = 10.0) -> None:
        """Let the line move until the callable says so."""
        end = time.monotonic() + timeout_s
        while not true():  # type: ignore[operator]
            if time.monotonic() > end:
                raise AssertionError(f"{what}: not within {timeout_s} s")
            self.turn()
            time.sleep(0.005)

    def during(self, seconds: float) -> None:
        """Let the line move for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.turn()
            time.sleep(0.005)


def start(script: str, *arguments: str) -> "subprocess.Popen[bytes]":
    """Start a process of the box on its own interpreter."""
    return subprocess.Popen([sys.executable, "-c", script, *arguments])
