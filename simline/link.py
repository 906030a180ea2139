"""The PLC's communication module: one FC16 and one FC04 per cycle, in a thread of its own.

It is started by each scan and never makes a scan wait. Whatever goes wrong on the wire closes the connection:
a reply that comes after its time-out must not be taken for the next one's.
"""

import threading
import time
from collections import deque

from pyModbusTCP.client import ModbusClient

from .plan import Modbus
from .signals import Exchange, Order

FIRST_WAIT_S, LONGEST_WAIT_S = 0.05, 1.0
CANARY, CANARY_FLOAT = 0x12345678, 0x42F6E979
MAJOR = 0x01
_VERSION_AT, _CANARY_AT = 1, 30


class Link:
    """The module and its thread."""

    def __init__(self, modbus: Modbus) -> None:
        """Start connecting."""
        self._modbus = modbus
        self._client = ModbusClient(
            host=modbus.host, port=modbus.port, timeout=modbus.timeout_ms / 1000, auto_open=False
        )
        self._order: Order | None = None
        self._exchanges: deque[Exchange] = deque()
        self._wake, self._stop = threading.Event(), threading.Event()
        self._ended = threading.Event()
        self._map_fits = False
        self._wait_s = 0.0
        self._losses = 0
        self._thread = threading.Thread(target=self._run, name=f"modbus {modbus.host}:{modbus.port}", daemon=True)
        self._thread.start()

    def post(self, order: Order) -> None:
        """Give the newest output image; the next cycle carries it."""
        self._order = order
        self._wake.set()

    def take(self) -> list[Exchange]:
        """Return the cycles that ended since, oldest first."""
        found = []
        while self._exchanges:
            found.append(self._exchanges.popleft())
        return found

    def wait(self, seconds: float) -> None:
        """Return when a cycle has ended since the last call, or after so long."""
        self._ended.wait(seconds)
        self._ended.clear()

    def close(self) -> None:
        """End the thread and the connection. A second call does nothing."""
        self._stop.set()
        self._wake.set()
        self._thread.join()
        self._client.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(0.1)
            self._wake.clear()
            order = self._order
            if order is None or order.epoch != self._losses or not (self._client.is_open or self._connect()):
                continue
            exchange = self._exchange(order)
            self._exchanges.append(exchange)
            if exchange.block is None:
                self._losses += 1
                self._client.close()
            else:
                self._wait_s = 0.0
            self._ended.set()

    def _connect(self) -> bool:
        if self._stop.wait(self._wait_s):
            return False
        self._wait_s = min(max(FIRST_WAIT_S, 2 * self._wait_s), LONGEST_WAIT_S)
        if not self._client.open():
            return False
        version = self._client.read_input_registers(_VERSION_AT, 1)
        canary = self._client.read_input_registers(_CANARY_AT, 4)
        if version is None or canary is None:
            self._client.close()
            return False
        if self._modbus.word_order == "little":
            canary = [canary[1], canary[0], canary[3], canary[2]]
        expected = [CANARY >> 16, CANARY & 0xFFFF, CANARY_FLOAT >> 16, CANARY_FLOAT & 0xFFFF]
        self._map_fits = version[0] >> 8 == MAJOR and canary == expected
        return True

    def _exchange(self, order: Order) -> Exchange:
        high, low = order.part >> 16, order.part & 0xFFFF
        if self._modbus.word_order == "little":
            high, low = low, high
        image = [order.command if self._map_fits else 0, order.heartbeat, 0, 0, high, low, order.ack_seq]
        sent_ns = time.monotonic_ns()
        written = bool(self._client.write_multiple_registers(0, image))
        found = self._client.read_input_registers(0, 16) if written else None
        block = tuple(found) if found is not None else None
        return Exchange(order, sent_ns, written, block, time.monotonic_ns(), self._map_fits)
