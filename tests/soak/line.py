"""A line as fast as this machine takes it: small rendered parts, a small model, every process of the box.

Time is compressed by the belt alone: deadlines, heartbeats and the handshake stay in real time, as the promise does.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from okng.appliance.demo import DEADLINE_MS, Demonstration, DemoOptions
from okng.appliance.simulation import Presenter, SimulatedLine
from okng.appliance.supervisor import Supervisor, box_children
from okng.appliance.workspace import RecipeFacts, free_port, write_plan, write_recipe, write_settings
from okng.bus.errors import OkngError
from okng.bus.stop import Stop
from okng.records.check import check
from okng.simline.build import build

from .tally import tallied
from .vitals import Sample, Sampler

VIEW_PX, MODEL_PX = 96, 64
LAST = 2**32 - 1
"""The largest part number: after it comes 1."""
Told = Callable[[Sample], None]


@dataclass(frozen=True, slots=True)
class SoakOptions:
    """What was asked of `make soak`."""

    parts: int = 1_000_000
    every: int = 100_000
    rate: float = 40.0
    out: Path = Path("soak-out")
    seed: int = 1
    keep_model: bool = False


class Soak(Demonstration):
    """A demonstration that nobody watches, sampled all the way."""

    def __init__(self, options: SoakOptions, told: Told, console: Console) -> None:
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
        super().__init__(asked, console)
        self.soak, self.told = options, told
        self.samples: list[Sample] = []
        self.objections: list[str] = []
        self.restarts: dict[str, int] = {}
        self.seconds = 0.0
        """From the first part to the last."""

    def _plan(self) -> dict[str, Any]:
        plan = super()._plan()
        source = {"kind": "rendered", "defect_percent": 5.0}
        # Half the parts come before the number wraps.
        first = LAST - self.soak.parts // 2
        return {**plan, "source": source, "width": VIEW_PX, "height": VIEW_PX, "first_part": first, "scan_ms": 2.0}

    def _belt(self, supervisor: Supervisor, plan: dict[str, Any], stop: Stop) -> None:
        sampler = Sampler(self.space.run_dir, self.space.store)
        every = self.soak.every
        with SimulatedLine(self.space.plan, self.space.line_log / "line.log") as line:
            begun, due = 0.0, every
            while not stop.asked.is_set() and line.running:
                supervisor.watch()
                begun = begun or (time.monotonic() if line.parts else 0.0)
                if line.parts >= due:
                    due += every
                    self._sample(sampler, supervisor, time.monotonic() - begun)
                stop.asked.wait(0.05)
            self.seconds = time.monotonic() - begun if begun else 0.0
            line.stop()
            end = time.monotonic() + 3.0
            while time.monotonic() < end:
                supervisor.watch()
                time.sleep(0.05)
            if line.parts > due - every // 2:  # else the last sample saw nearly all
                self._sample(sampler, supervisor, self.seconds)
        self.restarts = {child.name: child.restarts for child in supervisor.children if child.restarts}
        if stop.asked.is_set():
            self.objections.append("broken off")
        elif line.code not in (0, None):
            raise OkngError(f"the simulated line failed: {line.why or line.code}; see {self.space.line_log}/line.log")

    def _sample(self, sampler: Sampler, supervisor: Supervisor, seconds: float) -> None:
        self.samples.append(sampler.take(supervisor.pids(), seconds))
        self.told(self.samples[-1])

    def go(self) -> None:
        """Teach, run, compare the three accounts. OkngError: the line does not run."""
        os.environ["OKNG_SIM"] = str(self.space.scenes)
        try:
            plan = self._plan()
            producer = build()
            write_plan(self.space, plan)
            with Presenter(self.space.plan) as presenter:
                self.modbus_port = free_port()
                write_settings(
                    self.space,
                    modbus_port=self.modbus_port,
                    web_port=free_port(),
                    language="en",
                    producer=producer,
                    bench=False,
                    others={},
                )
                recipe = RecipeFacts("soak", presenter.view, presenter.colour, DEADLINE_MS)
                write_recipe(self.space, recipe, self.belt)
                self._teach(presenter, "soak")
            write_recipe(self.space, replace(recipe, health=self._commission()), self.belt)
            self._soak({**plan, "belt": self.belt, "modbus": {"port": self.modbus_port}})
        finally:
            self.space.close()

    def _soak(self, plan: dict[str, Any]) -> None:
        write_plan(self.space, plan)
        stop = Stop()
        with self.space.log.open("ab") as said:
            children = box_children(self.space.settings, self.cameras, web=True)
            supervisor = Supervisor(children, self.space.run_dir, said)
            supervisor.start()
            try:
                self._belt(supervisor, plan, stop)
            finally:
                supervisor.stop()
        self.balance = check(self.space.store)
        self.tally = tallied(self.space.line_log, self.space.store)
        self.objections += [f"ledger: {problem}" for problem in self.balance.problems]
        if self.balance.open:
            self.objections.append(f"ledger: {self.balance.open} triggers without a disposition")
        self.objections += self.tally.objections
        self.objections += [f"{name} was started again {times} times" for name, times in self.restarts.items()]
        if self.tally.wrapped != (self.soak.parts > 2):
            self.objections.append("the part number did not wrap")
