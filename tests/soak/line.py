"""A line as fast as this machine takes it: small rendered parts, a small model, every process of the box.

Time is compressed by the belt alone: deadlines, heartbeats and the handshake stay in real time, as the promise does.
"""

import contextlib
import os
import shutil
import time
import tomllib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psutil
from rich.console import Console

from okng.appliance.demo import DEADLINE_MS, Demonstration, DemoOptions
from okng.appliance.simulation import Presenter, SimulatedLine
from okng.appliance.supervisor import Readiness, Supervisor, box_children, wait_until
from okng.appliance.workspace import (
    RecipeFacts,
    Workspace,
    free_port,
    make_workspace,
    open_workspace,
    write_plan,
    write_recipe,
    write_settings,
)
from okng.bus.clock import utc_now
from okng.bus.errors import OkngError
from okng.bus.heartbeat import Pulse
from okng.bus.stop import Stop
from okng.records.check import check
from okng.simline.build import build

from .belt import MODEL_PX, belt_of, plan_of
from .brake import Brake
from .options import SoakOptions
from .segments import Course, Segment, read_course
from .tally import tallied
from .verdict import SIMULATED
from .vitals import Sample, Sampler, last_epoch

KEEP = {"ok_gb": 0.01, "uncertain_gb": 0.01, "reject_gb": 0.04, "thumb_gb": 0.01}
"""Quotas of `[records.retention]`: pictures of some ten thousand parts stay, and a million make retention work."""
DRAIN_S, QUIET_S = 60.0, 3.0
"""After the last part: as long as the ledger may take, and so long without a new row it is through."""
START_S = 120.0
STALL_S = 60.0
"""A line that brings no part for so long has failed."""
Told = Callable[[Sample], None]


class Soak(Demonstration):
    """A demonstration that nobody watches, sampled all the way."""

    def __init__(self, options: SoakOptions, told: Told, console: Console, *, afresh: bool = False) -> None:
        """BadSettings: the folder holds another soak that is not through."""
        asked = DemoOptions(
            headless=True,
            count=options.parts,
            rate=options.rate,
            size=MODEL_PX,
            seed=options.seed,
            port=0,
            out=options.out,
            keep_model=options.keep_model,
            people=False,
        )
        found = read_course(options.out, options.kept(), afresh=afresh)
        self._goes_on = found is not None
        super().__init__(asked, console)
        self.soak, self.told = options, told
        self.belt = belt_of(options.rate, DEADLINE_MS)
        self.course = found or Course(options.kept())
        self.segment: Segment | None = None

    def _workspace(self) -> Workspace:
        if self._goes_on:
            known = tomllib.loads((self.options.out / "okng.toml").read_text(encoding="utf-8"))
            shutil.rmtree(known["box"]["run_dir"], ignore_errors=True)  # of one that was killed
            return open_workspace(self.options.out)
        return make_workspace(self.options.out, keep_model=self.options.keep_model)

    def go(self) -> None:
        """Teach unless that was done, run one segment, compare the three accounts. OkngError: the line does not run."""
        os.environ["OKNG_SIM"] = str(self.space.scenes)
        self.modbus_port = free_port()
        try:
            self.segment = self.course.begin(utc_now(), last_epoch(self.space.store) + 1)
            log = self.space.line_log / f"{self.segment.number:04d}"
            log.mkdir(exist_ok=True)
            parts = self.soak.parts - self.segment.before
            line = plan_of(parts, self.segment.before, self.soak.parts)
            plan = {**super()._plan(), **line, "out": str(log), "belt": self.belt, "modbus": {"port": self.modbus_port}}
            write_settings(
                self.space,
                modbus_port=self.modbus_port,
                web_port=free_port(),
                language="en",
                producer=build(),
                bench=False,
                others={},
                keep=KEEP,
                cloud=False,
            )
            if not self._goes_on:
                self._begin(plan)
            self.course.write(self.space.out)
            write_plan(self.space, plan)
            self._run_segment(self.segment)
            self._close_accounts(self.segment)
        finally:
            self.space.close()

    def _begin(self, plan: dict[str, Any]) -> None:
        """Photograph the goods, teach a model of them, commission."""
        write_plan(self.space, {**plan, "count": None, "metered": 0} | {"count": plan["source"].get("pool", 240)})
        with Presenter(self.space.plan) as presenter:
            recipe = RecipeFacts("soak", presenter.view, presenter.colour, DEADLINE_MS)
            write_recipe(self.space, recipe, self.belt)
            self._teach(presenter, "soak")
        write_recipe(self.space, replace(recipe, health=self._commission()), self.belt)

    def _run_segment(self, segment: Segment) -> None:
        stop = Stop()
        with self.space.log.open("ab") as said:
            children = box_children(self.space.settings, self.cameras, web=True, standby=self.soak.standby)
            supervisor = Supervisor(children, self.space.run_dir, said)
            supervisor.start()
            try:
                # The camera is there once the world has drawn what it sees; the belt waits for READY by itself.
                names = tuple(one.name for one in children if not one.name.startswith("camera-"))
                ready = Readiness(self.space.run_dir, names)
                if not wait_until(ready, START_S, supervisor):
                    raise OkngError(f"not all READY in {START_S:g} s: {_health(self.space)}; see {self.space.log}")
                self._bring(segment, supervisor, stop)
            finally:
                supervisor.stop()
        again = {child.name: child.restarts for child in supervisor.children if child.restarts}
        segment.objections += [f"{name} was started again {times} times" for name, times in again.items()]

    def _bring(self, segment: Segment, supervisor: Supervisor, stop: Stop) -> None:
        """Bring parts until all are through, the time is up, or somebody says stop."""
        sampler = Sampler(self.space.run_dir, self.space.store, segment.before)
        due = every = self.soak.every
        with SimulatedLine(self.space.plan, self.space.line_log / "line.log") as line:
            begun = moved = 0.0
            parts = 0
            brake = Brake(line, sampler)
            while not stop.asked.is_set() and line.running:
                supervisor.watch()
                now = time.monotonic()
                if line.parts != parts:
                    begun, moved, parts = begun or now, now, line.parts
                brake.look(now)
                if brake.on:
                    moved = max(moved, brake.moved)
                if line.parts >= due:
                    due += every
                    self._sample(segment, sampler, supervisor, now - begun)
                if moved and now - moved > STALL_S:
                    segment.objections.append(f"no part came for {STALL_S:g} s: {line.state}")
                    break
                if begun and 0 < self.soak.minutes * 60 < now - begun:
                    break
                stop.asked.wait(0.1)
            segment.seconds = time.monotonic() - begun if begun else 0.0
            segment.held_s = brake.held_s
            line.stop()
            self._drain(supervisor, sampler)
            if line.parts > due - every // 2:  # else the last sample saw nearly all
                self._sample(segment, sampler, supervisor, segment.seconds)
        if line.code not in (0, None):
            raise OkngError(f"the simulated line failed: {line.why or line.code}; see {self.space.line_log}/line.log")

    def _drain(self, supervisor: Supervisor, sampler: Sampler) -> None:
        """Wait until the ledger gets nothing more: the last receipts come, and it may be behind."""
        rows, since = sampler.rows(), time.monotonic()
        end = since + DRAIN_S
        while time.monotonic() < min(end, since + QUIET_S):
            supervisor.watch()
            time.sleep(0.1)
            if sampler.rows() != rows:
                rows, since = sampler.rows(), time.monotonic()

    def _sample(self, segment: Segment, sampler: Sampler, supervisor: Supervisor, seconds: float) -> None:
        segment.samples.append(sampler.take({**supervisor.pids(), **_ours()}, seconds))
        self.course.write(self.space.out)
        self.told(segment.samples[-1])

    def _close_accounts(self, segment: Segment) -> None:
        balance = check(self.space.store)
        names = ("triggers", "ok", "ng", "unjudged", "late", "missed", "pictures", "epochs")
        segment.ledger = {name: getattr(balance, name) for name in names}
        segment.tally = tallied(self.space.line_log / f"{segment.number:04d}", self.space.store, segment.first_epoch)
        segment.objections += [f"ledger: {problem}" for problem in balance.problems]
        if balance.open:
            segment.objections.append(f"ledger: {balance.open} triggers without a disposition")
        segment.objections += segment.tally.objections
        segment.ended_at = utc_now()
        self.course.write(self.space.out)


def _health(space: Workspace) -> str:
    return ", ".join(f"{name} {beat.health}" for name, beat in sorted(Pulse(space.run_dir).beats().items()))


def _ours() -> dict[str, int]:
    """The simulated world and PLC while they run, and this program itself: what measures must not grow either."""
    found = {"soak itself": os.getpid()}
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            words = child.cmdline()
            found |= {f"{SIMULATED} {name}": child.pid for name in ("world", "plc") if f"okng.simline.{name}" in words}
    return found
