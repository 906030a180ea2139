"""The box's end of one wire, in a process of its own: the product's link shows verdicts that come at random moments.

    python bench/plc_box.py '{"kind": ..., "options": {...}, "seconds": 4, "gap_ms": [3, 9], "realtime": false}'

Prints `ready`, begins at a line on stdin, prints its moments as JSON (monotonic ns by seq), ends when stdin ends.
"""

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Sequence
from typing import Any

from okng.bus.clock import now_ns
from okng.plc_io.ascii_link import open_ascii_link
from okng.plc_io.ascii_options import AsciiOptions
from okng.plc_io.client_cycle import ClientCycle, Wire
from okng.plc_io.client_options import TcpClientOptions
from okng.plc_io.images import InImage, OutImage
from okng.plc_io.link import Link, LinkHealth
from okng.plc_io.modbus_client import TcpWire, plan_of
from okng.plc_io.modbus_server import ModbusServer
from okng.plc_io.realtime import claim
from okng.plc_io.regmap import WordOrder
from okng.plc_io.rtu_client import RtuWire
from okng.plc_io.rtu_server import RtuServer
from okng.plc_io.serial_options import RtuClientOptions, SerialLineOptions
from okng.plc_io.signals import Status, WireCode
from okng.plc_io.tls_options import TlsOptions

PRIORITY = 20
_SETTLE_S = 0.4
_SHOWN = Status.RESULT_VALID | Status.OK


class _Timed:
    """A wire that notes when the slave confirmed a result for the first time."""

    def __init__(self, wire: Wire, confirmed: dict[int, int]) -> None:
        self._wire, self._confirmed = wire, confirmed
        self.connect, self.close = wire.connect, wire.close
        self.write_coil, self.read_registers = wire.write_coil, wire.read_registers

    @property
    def place(self) -> str:
        """Of the wire."""
        return self._wire.place

    async def write_registers(self, address: int, words: Sequence[int]) -> None:
        """Of the wire."""
        await self._wire.write_registers(address, words)
        self._confirmed.setdefault(words[0] if words else 0, now_ns())


def _link(kind: str, options: dict[str, Any], confirmed: dict[int, int], lost: list[str]) -> Link:
    order = WordOrder.HIGH_FIRST

    def ignore(image: InImage) -> None:
        """The peer's answers are not what is measured."""

    if kind == "server":
        tls = options.get("tls")
        secured = None if tls is None else TlsOptions.model_validate(tls)
        return ModbusServer("127.0.0.1", options["port"], on_image=ignore, on_lost=lost.append, tls=secured)
    if kind == "ascii":
        # A pseudo terminal of the bench lies in a folder of its own, not in /dev
        return open_ascii_link(AsciiOptions().model_copy(update=options), ignore, lost.append)
    health = LinkHealth()
    if kind == "client":
        tcp = TcpClientOptions.model_validate(options)
        wire: Wire = _Timed(TcpWire(tcp, health), confirmed)
        return ClientCycle(wire, plan_of(tcp, order), on_image=ignore, on_lost=lost.append, health=health)
    line = SerialLineOptions().model_copy(update=options["serial"])
    if kind == "rtu_server":
        return RtuServer(line, 1, order, on_image=ignore, on_lost=lost.append)
    rtu = RtuClientOptions.model_validate(options["rtu"])
    wire = _Timed(RtuWire(line, rtu, health), confirmed)
    return ClientCycle(wire, plan_of(rtu, order), on_image=ignore, on_lost=lost.append, health=health)


def _verdicts(spec: dict[str, Any], go: int, published: dict[int, int]) -> None:
    """Verdicts at moments that the event loop does not know of: a timer of its own would keep step with the peer."""
    low, high = (ms / 1000 for ms in spec["gap_ms"])
    time.sleep(_SETTLE_S)
    end_ns, seq, draw = now_ns() + int(spec["seconds"] * 1e9), 0, random.Random(3)
    while now_ns() < end_ns:
        time.sleep(draw.uniform(low, high))
        seq = seq % 65535 + 1
        published[seq] = now_ns()
        os.write(go, b"v")


async def _play(spec: dict[str, Any]) -> None:
    confirmed: dict[int, int] = {}
    published: dict[int, int] = {}
    lost: list[str] = []
    refused = claim(PRIORITY) if spec["realtime"] else ()
    link = _link(spec["kind"], spec["options"], confirmed, lost)
    await link.open()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)
    come, go = os.pipe()

    def take() -> None:
        for _ in os.read(come, 64):
            # One byte is one verdict; the number of the newest is that of the newest moment.
            shown[0] = shown[0] % 65535 + 1
            seq = shown[0]
            link.publish(OutImage(_SHOWN, seq, seq, seq, WireCode.OK))

    shown = [0]
    asyncio.get_running_loop().add_reader(come, take)
    await asyncio.to_thread(_verdicts, spec, go, published)
    await asyncio.sleep(_SETTLE_S)
    answer = {"published": published, "confirmed": confirmed, "lost": lost, "refused": refused}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await link.close()


if __name__ == "__main__":
    asyncio.run(_play(json.loads(sys.argv[1])))
