"""Settings of the pins, what is asked of the kernel, and the guard that takes outputs back."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from gpiod.line import Bias, Clock, Direction, Edge, Value
from pydantic import ValidationError

from okng.bus.errors import BadSettings
from okng.plc_io import pins_guard
from okng.plc_io.pins_gpiod import GpioPins, line_settings
from okng.plc_io.pins_options import PinsOptions

from .conftest import lacking

_SHIM = r"""
#define _GNU_SOURCE
#include <linux/gpio.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
/* Writes down what is said to a GPIO line request: the last word before the kernel, which has no GPIO here. */
int ioctl(int fd, unsigned long request, ...)
{
    va_list more;
    va_start(more, request);
    void *argument = va_arg(more, void *);
    va_end(more);
    if (request != GPIO_V2_LINE_SET_VALUES_IOCTL)
        return syscall(SYS_ioctl, fd, request, argument);
    struct gpio_v2_line_values *values = argument;
    FILE *log = fopen(getenv("SHIM_LOG"), "a");
    fprintf(log, "{\"fd\": %d, \"bits\": %llu, \"mask\": %llu}\n", fd, values->bits, values->mask);
    fclose(log);
    return 0;
}
"""
_PARENT = """
import os, sys, time
from okng.plc_io.pins_guard import Guard
fd = os.open(os.devnull, os.O_RDWR)
guard = Guard(fd, 0b1011, int(sys.argv[1]))
print(fd, guard._process.pid, flush=True)
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    guard.affirm()
    time.sleep(0.005)
if sys.argv[3] == "close":
    guard.close()
    raise SystemExit
print("silent", flush=True)
time.sleep(60)
"""


@pytest.fixture
def shim(tmp_path: Path) -> dict[str, str]:
    """An environment in which ioctl is written down."""
    lacking("gcc")
    (tmp_path / "shim.c").write_text(_SHIM)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", tmp_path / "shim.so", tmp_path / "shim.c"], check=True)
    return {**os.environ, "LD_PRELOAD": str(tmp_path / "shim.so"), "SHIM_LOG": str(tmp_path / "log")}


def asked(shim: dict[str, str], timeout_s: float = 8.0) -> list[dict[str, int]]:
    """Wait for the first word to the kernel and return all there are, one said twice once."""
    log, end = Path(shim["SHIM_LOG"]), time.monotonic() + timeout_s
    while not log.exists() or not log.read_text().endswith("\n"):
        assert time.monotonic() < end, "the guard did nothing"
        time.sleep(0.005)
    return [json.loads(line) for line in dict.fromkeys(log.read_text().splitlines())]


def parent(
    shim: dict[str, str], silence_ms: int, affirm_s: float, then: str
) -> tuple[subprocess.Popen[bytes], int, int]:
    """A process with a guard; return it, its descriptor of the lines, the guard's process id."""
    command = [sys.executable, "-c", _PARENT, str(silence_ms), str(affirm_s), then]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=shim)
    assert process.stdout is not None
    fd, guard = (int(word) for word in process.stdout.readline().split())
    return process, fd, guard


def ended(pid: int) -> bool:
    """No such process, or only its name is left."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_the_guard_takes_the_outputs_back_however_the_process_dies(
    shim: dict[str, str], number: signal.Signals
) -> None:
    process, fd, guard = parent(shim, 10_000, 60, "")
    os.kill(guard, signal.SIGTERM)  # a service manager that ends all of a service at once does not end it early
    time.sleep(0.1)
    assert not Path(shim["SHIM_LOG"]).exists()
    process.send_signal(number)
    process.wait(5)
    assert asked(shim) == [{"fd": fd, "bits": 0, "mask": 0b1011}]
    end = time.monotonic() + 5
    while not ended(guard):
        assert time.monotonic() < end
        time.sleep(0.005)
    assert process.stdout is not None
    process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGSTOP, None])
def test_the_guard_takes_the_outputs_back_from_one_that_hangs(
    shim: dict[str, str], number: signal.Signals | None
) -> None:
    process, fd, _ = parent(shim, 500, 60 if number else 0.3, "")
    assert process.stdout is not None
    if number:
        time.sleep(0.3)
        process.send_signal(number)
    else:
        assert process.stdout.readline() == b"silent\n"
    assert asked(shim) == [{"fd": fd, "bits": 0, "mask": 0b1011}]
    process.kill()
    process.wait(5)
    process.stdout.close()


def test_the_guard_ends_with_a_close(shim: dict[str, str]) -> None:
    process, fd, guard = parent(shim, 10_000, 0.1, "close")
    assert process.wait(5) == 0
    assert ended(guard)
    assert asked(shim) == [{"fd": fd, "bits": 0, "mask": 0b1011}]
    assert process.stdout is not None
    process.stdout.close()


def test_without_a_guard_nothing_is_affirmed() -> None:
    with Path(os.devnull).open("rb") as lines:
        guard = pins_guard.Guard(lines.fileno(), 1, 10_000)
        guard.affirm()
        guard._process.kill()
        guard._process.wait(5)
        with pytest.raises(OSError, match="taken them back"):
            guard.affirm()
        guard.close()
        guard.close()


def test_what_is_asked_of_the_kernel() -> None:
    options = PinsOptions.model_validate(
        {
            "outputs": {"gate1": {"line": 0, "active_low": True}, "run": {"line": "RELAY_1"}},
            "inputs": {"eye": {"line": 4, "bias": "pull_up", "active_low": True, "debounce_us": 250}},
        }
    )
    settings = line_settings(options)
    for name in ("gate1", "run"):
        assert settings[name].direction is Direction.OUTPUT
        assert settings[name].output_value is Value.INACTIVE
    assert settings["gate1"].active_low
    eye = settings["eye"]
    assert (eye.direction, eye.edge_detection, eye.bias) == (Direction.INPUT, Edge.BOTH, Bias.PULL_UP)
    assert eye.event_clock is Clock.MONOTONIC
    assert eye.active_low
    assert eye.debounce_period.microseconds == 250


def test_a_chip_that_is_none() -> None:
    outputs = {"run": {"line": 0}}
    with pytest.raises(BadSettings, match=r"plc\.pins\.chip = '/dev/gpiochip99': expected a GPIO chip"):
        GpioPins(PinsOptions.model_validate({"chip": "/dev/gpiochip99", "outputs": outputs}))
    with pytest.raises(BadSettings, match=r"plc\.pins\.chip = '/dev/null'"):
        GpioPins(PinsOptions.model_validate({"chip": "/dev/null", "outputs": outputs}))


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"outputs": {"a": {"line": 1}}, "inputs": {"a": {"line": 2}}}, "a: expected each name once"),
        ({"outputs": {"a": {"line": 1}}, "inputs": {"b": {"line": 1}}}, "line 1: expected each line under one name"),
        ({"outputs": {"Gate 1": {"line": 1}}}, "should match pattern"),
        ({"outputs": {"a": {"line": -1}}}, "greater than or equal to 0"),
        ({"inputs": {"a": {"line": 1, "debounce_us": 200_000}}}, "less than or equal to 100000"),
        ({"chip": "gpiochip0"}, "should match pattern"),
        ({"counter_bits": 8}, "16 or 32"),
        ({"pins": {}}, "Extra inputs"),
    ],
)
def test_settings_that_are_refused(values: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        PinsOptions.model_validate(values)
