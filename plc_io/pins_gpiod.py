"""The lines of a GPIO chip through libgpiod 2.

All lines are one request: outputs change in one call of the kernel, edges come in one queue with the kernel's own
moment. The request is exclusive; another program cannot drive our outputs.
"""

import errno
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise

import gpiod
from gpiod.line import Bias, Clock, Direction, Drive, Edge, Value

from ..bus.errors import BadSettings, Fault, LinkLost
from .pins import MOST_EDGES, PinEdge, check_outputs
from .pins_guard import Guard
from .pins_options import PinsOptions

_BIAS = {
    "as_is": Bias.AS_IS,
    "disabled": Bias.DISABLED,
    "pull_up": Bias.PULL_UP,
    "pull_down": Bias.PULL_DOWN,
}
_DRIVE = {"push_pull": Drive.PUSH_PULL, "open_drain": Drive.OPEN_DRAIN, "open_source": Drive.OPEN_SOURCE}
_ROUNDS = 64


def line_settings(options: PinsOptions) -> dict[str, gpiod.LineSettings]:
    """What is asked of the kernel for each name."""
    settings = {
        name: gpiod.LineSettings(
            direction=Direction.OUTPUT,
            drive=_DRIVE[one.drive],
            active_low=one.active_low,
            output_value=Value.INACTIVE,
        )
        for name, one in options.outputs.items()
    }
    for name, one in options.inputs.items():
        settings[name] = gpiod.LineSettings(
            direction=Direction.INPUT,
            edge_detection=Edge.BOTH,
            bias=_BIAS[one.bias],
            active_low=one.active_low,
            debounce_period=timedelta(microseconds=one.debounce_us),
            event_clock=Clock.MONOTONIC,
        )
    return settings


class GpioPins:
    """`Pins` on real lines. All outputs are inactive from the request on.

    Lines whose settings differ in more than ten ways (bias, debounce, direction) are refused by the kernel.
    """

    def __init__(self, options: PinsOptions) -> None:
        """Claim the lines. BadSettings: the chip or a line cannot be had."""
        self.options = options
        self._sequence = 0
        self._guard: Guard | None = None
        self._request: gpiod.LineRequest | None = None
        lines = options.lines
        try:
            with gpiod.Chip(options.chip) as chip:
                self._offset = {name: chip.line_offset_from_id(line) for name, line in lines.items()}
                self._name = {offset: name for name, offset in self._offset.items()}
                config: dict[object, gpiod.LineSettings] = {
                    self._offset[name]: settings for name, settings in line_settings(options).items()
                }
                if len(config) != len(lines):  # one by its name, one by its offset
                    raise BadSettings(f"plc.pins: {options.chip}: expected each line under one name")
                self._request = chip.request_lines(
                    config,  # type: ignore[arg-type]
                    consumer="okng io",
                    event_buffer_size=MOST_EDGES,
                )
        except (OSError, ValueError) as error:
            raise BadSettings(_words(error, options)) from error
        offsets = list(self._request.offsets)
        mask = sum(1 << offsets.index(self._offset[name]) for name in options.outputs)
        if mask:
            try:
                self._guard = Guard(self._request.fd, mask, 2 * options.affirm_ms)
            except OSError as error:
                self.close()
                raise BadSettings(f"plc.pins: the process that takes the outputs back cannot start: {error}") from error

    def set(self, active: frozenset[str]) -> None:
        """See `Pins`."""
        check_outputs(self.options, active)
        request = self._held()
        if self._guard is None:
            return  # no outputs
        try:
            self._guard.affirm()
            request.set_values(self._values(active))
        except OSError as error:
            raise self._lost(error) from error

    def _values(self, active: frozenset[str]) -> dict[int | str, Value]:
        outputs = self.options.outputs
        return {self._offset[name]: Value.ACTIVE if name in active else Value.INACTIVE for name in outputs}

    def edges(self) -> list[PinEdge]:
        """See `Pins`."""
        request = self._held()
        events: list[gpiod.EdgeEvent] = []
        try:
            for _ in range(_ROUNDS):
                if not request.wait_edge_events(0):
                    break
                events += request.read_edge_events()
        except OSError as error:
            raise self._lost(error) from error
        if not events:
            return []
        numbers = [self._sequence, *(event.global_seqno for event in events)]
        self._sequence = numbers[-1]
        lost = sum(after - before - 1 for before, after in pairwise(numbers))
        if lost:
            raise Fault(f"{lost} edges of the inputs were lost: more than {MOST_EDGES} came at once")
        told = [self._edge(event) for event in events]
        return sorted(told, key=lambda edge: edge.at_ns)

    def _edge(self, event: gpiod.EdgeEvent) -> PinEdge:
        name = self._name[event.line_offset]
        # The kernel's debouncer stamps the end of the time that the level had to stand (gpiolib-cdev.c).
        began_ns = event.timestamp_ns - self.options.inputs[name].debounce_us * 1000
        return PinEdge(name, event.event_type is event.Type.RISING_EDGE, began_ns)

    def levels(self) -> frozenset[str]:
        """See `Pins`."""
        names = list(self.options.inputs)
        if not names:
            return frozenset()
        try:
            values = self._held().get_values([self._offset[name] for name in names])
        except OSError as error:
            raise self._lost(error) from error
        return frozenset(name for name, value in zip(names, values, strict=True) if value is Value.ACTIVE)

    def fileno(self) -> int:
        """See `Pins`."""
        return self._held().fd

    def close(self) -> None:
        """See `Pins`."""
        request, self._request = self._request, None
        if request is None:
            return
        with suppress(OSError):  # the chip may be gone; where it is not, the guard says the same again
            if self._guard is not None:
                request.set_values(self._values(frozenset()))
        request.release()
        if self._guard is not None:
            self._guard.close()

    def _held(self) -> gpiod.LineRequest:
        if self._request is None:
            raise LinkLost(f"the pins of {self.options.chip} are closed or gone")
        return self._request

    def _lost(self, error: OSError) -> LinkLost:
        self.close()
        return LinkLost(f"the pins of {self.options.chip} are gone: {error.strerror}")


def _words(error: OSError | ValueError, options: PinsOptions) -> str:
    where = f"plc.pins.chip = {options.chip!r}"
    number = getattr(error, "errno", None)
    if number == errno.EBUSY:
        return f"{where}: another program or driver holds one of the lines"
    if isinstance(error, PermissionError):
        return f"{where}: not allowed; the user of okng io has to be in the group gpio"
    if isinstance(error, FileNotFoundError):
        return f"{where}: expected a GPIO chip, and lines that it has"
    return f"{where}: {error}"
