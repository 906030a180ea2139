"""A PLC on pyModbusTCP with its own shift register, as fast as the line lets it, that trusts nothing it cannot check.

It opens the gate for the oldest part it has triggered, if one whole block says so in every way at once: seq_begin =
seq_end, its part number, disposition 1, OK = 1, NG = UNJUDGED = 0. Whatever it cannot explain ends the connection, and
with it every part whose result is owed is rejected.
"""

import time
from collections import Counter, deque

from pyModbusTCP.client import ModbusClient

# The map as the documents give it; nothing of the product is imported here.
TRIGGER, ENABLE, BUFFER, FAULT_RESET = 1 << 0, 1 << 1, 1 << 3, 1 << 5
READY, TRIG_ACK, RESULT_VALID, OK, NG, UNJUDGED, FAULT, MISSED = 1, 2, 8, 16, 32, 64, 128, 1 << 12
VERSION = 0x0100
WINDOW = 8
TIMEOUT_S = 0.25


class Unclear(Exception):
    """Something that this PLC cannot explain."""


class ProxyPlc:
    """The PLC. `outcomes` is its account of every part: pass, the code of a reject, lost, missed."""

    def __init__(self, port: int, first: int, count: int) -> None:
        self._client = ModbusClient("127.0.0.1", port, unit_id=1, timeout=TIMEOUT_S, auto_open=False)
        self._next, self._last = first, first + count
        self._open: deque[int] = deque()
        self._command = ENABLE | BUFFER
        self._beat = self._part = self._ack = self._taken = 0
        self._falling = False
        self.halted = True
        """No part is triggered."""
        self.idle = False
        """The last scan had nothing to do."""
        self.outcomes: dict[int, str] = {}
        self.losses: Counter[str] = Counter()
        self.torn = 0
        self.mismatches: list[tuple[int, int]] = []
        """(part shown, part expected): a result that is not of the oldest open part. Never acted on."""
        self.longest_s = 0.0
        """From a loss until a part was triggered again."""
        self._lost_s: float | None = None

    @property
    def done(self) -> bool:
        """All parts have been at the eye and have their outcome."""
        return self._next == self._last and not self._open

    def scan(self) -> bool:
        """One scan: write the image, read the block, act on it. True: the box would take a part."""
        try:
            if not self._client.is_open and not self._client.open():
                raise Unclear("no connection")
            return bool(self._scan() & READY)
        except Unclear as error:
            self._lose(str(error))
            return False

    def close(self) -> None:
        """End the connection."""
        self._client.close()

    def _lose(self, reason: str) -> None:
        self.idle = False
        self.losses[reason] += 1
        if self._lost_s is None:
            self._lost_s = time.monotonic()
        for part in self._open:
            self.outcomes[part] = "lost"
        self._open.clear()
        self._client.close()
        self._command, self._falling = ENABLE | BUFFER, False
        if reason == "no connection":
            time.sleep(0.005)

    def _scan(self) -> int:
        self._beat = (self._beat + 1) & 0xFFFF
        image = [self._command, self._beat, 0, 0, self._part >> 16, self._part & 0xFFFF, self._ack]
        if not self._client.write_multiple_registers(0, image):
            raise Unclear("write")
        block = self._client.read_input_registers(0, 16)
        if block is None:
            raise Unclear("read")
        if len(block) != 16 or block[1] != VERSION:
            raise Unclear("map")
        if block[3] != block[15]:
            self.torn += 1
            if self._command & TRIGGER:  # what became of the trigger is in this block
                raise Unclear("torn at a trigger")
            return 0
        status = int(block[0])
        before = (self._command, self._taken)
        if status & FAULT:
            self._command = (self._command & ~TRIGGER) ^ FAULT_RESET
            self._reject_open("fault")
            return status
        self._command &= ~FAULT_RESET
        self._eye(status)
        if status & RESULT_VALID and block[3] not in (0, self._taken):
            self._take(status, block)
        if not self._falling and status & READY and not self.halted and self._next < self._last:
            self._raise()
        self.idle = before == (self._command, self._taken) and not self._falling
        return status

    def _reject_open(self, why: str) -> None:
        for part in self._open:
            self.outcomes[part] = why
        self._open.clear()

    def _eye(self, status: int) -> None:
        if self._command & TRIGGER:
            self._command &= ~TRIGGER
            if status & TRIG_ACK:
                self._falling = True
            elif status & MISSED:
                self.outcomes[self._open.pop()] = "missed"
            else:
                raise Unclear("neither taken nor missed")
        elif not status & TRIG_ACK:
            self._falling = False
        elif not self._falling:
            raise Unclear("a trigger nobody gave")

    def _raise(self) -> None:
        if len(self._open) >= WINDOW or self._command & TRIGGER:
            return
        if self._lost_s is not None:
            self.longest_s = max(self.longest_s, time.monotonic() - self._lost_s)
            self._lost_s = None
        self._part = self._next
        self._next += 1
        self._open.append(self._part)
        self._command |= TRIGGER

    def _take(self, status: int, block: list[int]) -> None:
        part, code = block[4] << 16 | block[5], block[6]
        expected = self._open[0] if self._open else 0
        if part != expected:
            self.mismatches.append((part, expected))
            raise Unclear("a result of another part")
        bits = status & (OK | NG | UNJUDGED)
        if bits != {1: OK, 2: NG, 3: UNJUDGED, 4: UNJUDGED}.get(code, -1):
            raise Unclear("bits and code disagree")
        self._open.popleft()
        self.outcomes[part] = "pass" if code == 1 else str(code)
        self._ack = self._taken = block[3]
