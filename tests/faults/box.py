"""A box to hurt: every process of the product under its own supervisor, taught once, then started in seconds.

Camera optics, belt, PLC and gate are simulated and reached as the real ones are (GenTL, Modbus TCP). The model is
taught once for a folder and kept there. What the box's processes say goes to `okng.log` in that folder.
"""

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from okng.appliance.capture import capture
from okng.appliance.commissioning import commissioned
from okng.appliance.simulation import Presenter
from okng.appliance.supervisor import Child, Readiness, Supervisor, box_children, wait_until
from okng.appliance.workspace import (
    CAMERA,
    RecipeFacts,
    Workspace,
    belt_for,
    free_port,
    make_workspace,
    write_plan,
    write_recipe,
    write_settings,
)
from okng.bus.channel import Subscriber, io_address
from okng.bus.messages import StationState
from okng.fleet.activate import activate
from okng.simline.build import build
from okng.training.options import TeachOptions
from okng.training.teach import teach

RATE = 6.0
"""Parts a second of a row that does not ask for another."""
DEADLINE_MS = 400
SEED = 1
PARTS = 1_000_000
"""More than a row has; its line is stopped."""
POOL = 40
"""Different looks of a row's parts: fewer than it was taught from, so that a line begins sooner."""
START_S = 30.0
TEACHING = TeachOptions(name="rendered-parts", size_px=128, heads="usual", threads=2, seed=SEED, overkill_percent=1.0)


class Box:
    """Folder, settings and processes. One thread: whoever waits calls `turn`, which looks after the processes."""

    def __init__(self, folder: Path) -> None:
        """folder: kept between runs for the taught model; everything else in it is made anew."""
        self.space: Workspace = make_workspace(folder, keep_model=True)
        os.environ["OKNG_SIM"] = str(self.space.scenes)
        self.modbus_port, self.web_port = free_port(), free_port()
        self.belt = belt_for(RATE, DEADLINE_MS, varying=False)
        self._said: IO[bytes] | None = None
        self.supervisor: Supervisor | None = None
        self.standby = False
        """With a second judge that stands by; takes effect with the next start."""
        self.wrappers: dict[str, str] = {}
        """Module here that a process is started through, where it is not `hurt`."""
        self._ears: Subscriber | None = None
        self.state: StationState | None = None
        """What io said of itself last: for rows that want to know, never for the verdict."""
        self._teach()

    def plan(self, **over: Any) -> dict[str, Any]:
        """Return what the simulated line is told, without what `write_plan` adds."""
        return {
            "source": {"kind": "rendered", "pool": POOL},
            "count": PARTS,
            "seed": SEED,
            "realtime": True,
            "belt": self.belt,
            "modbus": {"port": self.modbus_port},
            **over,
        }

    def _teach(self) -> None:
        """Photograph good parts with the product's camera process, teach from them, put the model in place."""
        space, producer = self.space, build()
        write_plan(space, self.plan(source={"kind": "rendered"}))
        with Presenter(space.plan) as presenter:
            write_settings(
                space,
                modbus_port=self.modbus_port,
                web_port=self.web_port,
                language="en",
                producer=producer,
                bench=False,
                others={},
            )
            self.facts = RecipeFacts("rendered-parts", presenter.view, presenter.colour, DEADLINE_MS)
            write_recipe(space, self.facts, self.belt)
            if not (space.model / "manifest.json").exists():
                shutil.rmtree(space.model, ignore_errors=True)
                shutil.rmtree(space.goods, ignore_errors=True)
                self._photograph(presenter)
                teach(space.goods, space.model, TEACHING)
        activate(space.model, space.slot)
        for _ in commissioned(space.goods, space.health):
            pass
        self.facts = replace(self.facts, health=space.health.name)
        write_recipe(space, self.facts, self.belt)

    def _photograph(self, presenter: Presenter) -> None:
        name = f"camera-{CAMERA}"
        door = [sys.executable, "-m", "okng", "camera", CAMERA, "--settings", str(self.space.settings)]
        with self.space.log.open("ab") as said:
            supervisor = Supervisor([Child(name, door)], self.space.run_dir, said)
            supervisor.start()
            try:
                assert wait_until(Readiness(self.space.run_dir, (name,)), START_S, supervisor), self.tail()
                capture(self.space.run_dir, CAMERA, self.space.goods, presenter.next, lambda done: None)
            finally:
                supervisor.stop()

    # -- processes ---------------------------------------------------------------------------------------------------

    @property
    def up(self) -> bool:
        """True while the processes are looked after."""
        return self.supervisor is not None

    def start(self) -> None:
        """Start all processes of the box, each behind `hurt.py`, which makes it stall on demand. Does not wait."""
        assert self.supervisor is None
        self._said = self.space.log.open("ab")
        children = box_children(self.space.settings, (CAMERA,), standby=self.standby)
        self._settle_standby()
        for child in children:
            child.command = behind(self.wrappers.get(child.name, "hurt"), child.command)
        self.supervisor = Supervisor(children, self.space.run_dir, self._said)
        self.supervisor.start()
        self._ears = Subscriber([io_address(self.space.run_dir)], (StationState,))

    def _settle_standby(self) -> None:
        """Say in the settings what the box has."""
        text = self.space.settings.read_text(encoding="utf-8").replace("[inspect]\nstandby = true\n", "[inspect]\n")
        if self.standby:
            text = text.replace("[inspect]\n", "[inspect]\nstandby = true\n")
        self.space.settings.write_text(text, encoding="utf-8")

    def stop(self) -> None:
        """Stop all in the product's order. A second call does nothing."""
        if self._ears is not None:
            self._ears.close()
            self._ears = None
        if self.supervisor is not None:
            self.supervisor.stop()
            self.supervisor = None
        if self._said is not None:
            self._said.close()
            self._said = None
        self.state = None

    def close(self) -> None:
        """Stop, and remove the run folder."""
        self.stop()
        self.space.close()

    def turn(self) -> None:
        """Look after the processes once, and hear what io says."""
        if self.supervisor is not None:
            self.supervisor.watch()
        while self._ears is not None and (message := self._ears.receive(0)) is not None:
            self.state = message

    def until(self, found: Callable[[], Any], timeout_s: float) -> Any:
        """Turn until found() is true and return it; a false value after timeout_s."""
        end = time.monotonic() + timeout_s
        while True:
            self.turn()
            if (value := found()) or time.monotonic() >= end:
                return value
            time.sleep(0.01)

    def rest(self, seconds: float) -> None:
        """Look after the processes for so long."""
        self.until(lambda: False, seconds)

    @property
    def names(self) -> tuple[str, ...]:
        """All processes, by the names of their heartbeats."""
        assert self.supervisor is not None
        return tuple(child.name for child in self.supervisor.children)

    def pid(self, name: str, timeout_s: float = 10.0) -> int:
        """Return the process id of a process; waits while it is down. AssertionError: it does not come up."""
        assert self.supervisor is not None
        found = self.until(lambda: self.supervisor is not None and self.supervisor.pids().get(name), timeout_s)
        assert found, f"{name} does not run: {self.tail()}"
        return int(found)

    def forgive(self) -> None:
        """Forget the starts so far: rows hurt more often than a crash loop may, and that budget is another test's."""
        if self.supervisor is not None:
            for child in self.supervisor.children:
                child.starts.clear()
                child.given_up = False

    def restarts(self) -> dict[str, int]:
        """How often each process was started again."""
        assert self.supervisor is not None
        return {child.name: child.restarts for child in self.supervisor.children}

    def tail(self, letters: int = 2000) -> str:
        """The end of what the box's processes said."""
        with contextlib.suppress(OSError):
            return self.space.log.read_text(encoding="utf-8", errors="replace")[-letters:]
        return ""


def behind(module: str, command: list[str]) -> list[str]:
    """The same command behind a module here: `python -m okng io` becomes `python -m okng.tests.faults.hurt io`."""
    assert command[1:3] == ["-m", "okng"], command
    return [command[0], "-m", f"okng.tests.faults.{module}", *command[3:]]


@contextlib.contextmanager
def box_in(folder: Path) -> Iterator[Box]:
    """A taught box, closed afterwards."""
    made = Box(folder)
    try:
        yield made
    finally:
        made.close()
