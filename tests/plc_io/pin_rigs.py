"""The other side of the wires: of the twin, and of the kernel's own simulated GPIO chip where there is one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Protocol

import pytest

from okng.plc_io.pins import FakePins, Pins
from okng.plc_io.pins_options import PinsOptions

CONFIG = Path("/sys/kernel/config/gpio-sim")
UNPROVED = (
    "this kernel has no gpio-sim (CONFIG_GPIO_SIM): that the pins work on hardware is unproved on this machine; "
    "run these tests as root where `modprobe gpio-sim` works"
)
LINES = 8


class Rig(Protocol):
    """One chip of `LINES` lines, seen from outside."""

    def options(self, **values: object) -> PinsOptions:
        """Settings for this chip."""

    def make(self, options: PinsOptions) -> Pins:
        """Claim its lines."""

    def drive(self, line: str, *, high: bool) -> None:
        """Put a voltage on an input, by the name of the settings."""

    def volts(self, line: str) -> bool:
        """High voltage at an output, by the name of the settings."""

    def kill(self, active: frozenset[str], options: PinsOptions) -> None:
        """A process that has made these outputs active is killed."""

    def unplug(self) -> None:
        """The chip goes."""

    def close(self) -> None:
        """Clean up."""


class FakeRig:
    """The twin."""

    def __init__(self) -> None:
        self.pins: FakePins | None = None

    def options(self, **values: object) -> PinsOptions:
        """See `Rig`."""
        return PinsOptions.model_validate(values)

    def make(self, options: PinsOptions) -> Pins:
        """See `Rig`."""
        self.pins = FakePins(options)
        return self.pins

    @property
    def _made(self) -> FakePins:
        assert self.pins is not None
        return self.pins

    def drive(self, line: str, *, high: bool) -> None:
        """See `Rig`."""
        self._made.drive(line, high=high)

    def volts(self, line: str) -> bool:
        """See `Rig`."""
        return self._made.volts(line)

    def kill(self, active: frozenset[str], options: PinsOptions) -> None:
        """See `Rig`."""
        self.make(options).set(active)
        self._made.die()

    def unplug(self) -> None:
        """See `Rig`."""
        self._made.unplug()

    def close(self) -> None:
        """See `Rig`."""
        if self.pins is not None:
            self.pins.close()


_HOLDER = """
import sys, time
from okng.plc_io.pins_gpiod import GpioPins
from okng.plc_io.pins_options import PinsOptions
pins = GpioPins(PinsOptions.model_validate_json(sys.argv[1]))
print("held", flush=True)
while True:
    pins.set(frozenset(sys.argv[2:]))
    time.sleep(0.005)
"""


class SimRig:
    """gpio-sim: a chip of the kernel, Documentation/admin-guide/gpio/gpio-sim.rst."""

    def __init__(self) -> None:
        if not CONFIG.is_dir():
            for command in (["modprobe", "gpio-sim"], ["mount", "-t", "configfs", "none", "/sys/kernel/config"]):
                try:
                    subprocess.run(command, check=False, capture_output=True, timeout=10)
                except OSError:
                    continue
        if not CONFIG.is_dir() or not os.access(CONFIG, os.W_OK):
            pytest.skip(UNPROVED)
        self._folder = CONFIG / f"okng-{os.getpid()}"
        bank = self._folder / "bank0"
        bank.mkdir(parents=True)
        (bank / "num_lines").write_text(str(LINES))
        (self._folder / "live").write_text("1")
        chip = (bank / "chip_name").read_text().strip()
        self._lines = Path("/sys/devices/platform", (self._folder / "dev_name").read_text().strip(), chip)
        self._chip = f"/dev/{chip}"
        self._live = True
        self._options = PinsOptions()
        self._pins: Pins | None = None

    def options(self, **values: object) -> PinsOptions:
        """See `Rig`."""
        return PinsOptions.model_validate({"chip": self._chip, **values})

    def make(self, options: PinsOptions) -> Pins:
        """See `Rig`."""
        from okng.plc_io.pins_gpiod import GpioPins

        self._fit(options)
        self._pins = GpioPins(options)
        return self._pins

    def _fit(self, options: PinsOptions) -> None:
        """The resistors that a machine has: a line that nobody holds is inactive."""
        self._options = options
        for name, one in options.outputs.items():
            self.drive(name, high=one.active_low)

    def _line(self, name: str) -> Path:
        return self._lines / f"sim_gpio{self._options.lines[name]}"

    def drive(self, line: str, *, high: bool) -> None:
        """See `Rig`."""
        (self._line(line) / "pull").write_text("pull-up" if high else "pull-down")

    def volts(self, line: str) -> bool:
        """See `Rig`."""
        return (self._line(line) / "value").read_text().strip() == "1"

    def kill(self, active: frozenset[str], options: PinsOptions) -> None:
        """See `Rig`."""
        self._fit(options)
        command = [sys.executable, "-c", _HOLDER, options.model_dump_json(), *active]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            time.sleep(0.1)
            holder.send_signal(signal.SIGKILL)
        time.sleep(0.5)

    def unplug(self) -> None:
        """See `Rig`."""
        self._live = False
        (self._folder / "live").write_text("0")

    def close(self) -> None:
        """See `Rig`."""
        if self._pins is not None:
            self._pins.close()
        if self._live:
            (self._folder / "live").write_text("0")
        (self._folder / "bank0").rmdir()
        self._folder.rmdir()
