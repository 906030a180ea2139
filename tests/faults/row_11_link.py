"""Rows 11 and 12: the link to the PLC breaks, stalls or stays half open; the PLC goes and comes; a stranger speaks."""

import os
import signal
import time
from functools import partial

from pyModbusTCP.client import ModbusClient

from okng.appliance.workspace import free_port
from okng.simline.faults import Fault
from okng.simline.signals import COMMANDS, IR_STATUS, READY, TRIG_ACK

from .cable import Cable
from .evidence import NEVER, spread
from .line import Line
from .row import Finding, Stand

FAULTS = {
    "reset": Fault.RESET,
    "slow": Fault.DELAY,
    "standing still": Fault.STALL,
    "half open": Fault.SWALLOW,
    "half closed": Fault.HALF_CLOSE,
    "cable pulled": Fault.ORPHAN,
}
GONE_S = 1.2
NOTICED_MS = 800.0
"""A half-open link is noticed within."""
WRONG_UNIT = 77


class Link:
    """A bad cable, and a PLC that stops in the middle of it all."""

    number = 11
    fault = "PLC gone, RST, slow, half-open"
    how = (
        "a proxy in the cable: reset, 350 ms late, standing still for 700 ms, one direction dead without a word, one "
        "closed, the box left with a dead connection; and the PLC's process stopped for more than a second"
    )
    expected = "the box notices within 0.8 s and drops READY, the PLC opens for nothing; parts are told by number again"

    def run(self, stand: Stand) -> Finding:
        """Every fault in turn."""
        port, times = free_port(), stand.many(1, 50)
        noticed: dict[str, list[float]] = {}
        with Cable(port, stand.box.modbus_port) as cable, stand.line(modbus={"port": port}) as line:
            for _ in range(times):
                for what, fault in FAULTS.items():
                    strike = line.strike(what, partial(cable.meet, fault))
                    line.until_ready(strike)
                    line.flow(2)
                    line.until_ready(strike)  # a slow machine notices late: the next fault waits until this one is over
                noticed.setdefault("PLC stopped", []).append(self._gone(line))
        evidence = line.evidence
        assert evidence is not None
        figures: dict[str, object] = {"of each": times}
        complaints = []
        for what in FAULTS:
            effects = evidence.effects(what)
            figures[f"{what}: PLC without the box after ms"] = spread(effect.detect_ms for effect in effects)
            figures[f"{what}: READY ms"] = spread(effect.ready_ms for effect in effects)
            if any(effect.ready_ms == NEVER for effect in effects):
                complaints.append(f"{what}: READY did not come back")
        for what, took in noticed.items():
            figures[f"{what}: the box drops READY after ms"] = spread(took)
            if max(took) > NOTICED_MS * (2 if stand.short else 1):
                complaints.append(f"{what}: noticed after {max(took):.0f} ms, expected {NOTICED_MS:.0f} or less")
        figures["doubled dispositions"] = evidence.judgement.two_dispositions
        figures["false rejects"] = evidence.false_rejects
        return Finding(figures, tuple(complaints))

    def _gone(self, line: Line) -> float:
        """Stop the PLC's process; return the ms until the box itself was not ready."""
        plc = line.strange("okng.simline.plc")
        line.until(lambda: line.box.state is not None and line.box.state.ready)
        begun = time.monotonic_ns()
        os.kill(plc, signal.SIGSTOP)
        try:
            found = line.until(lambda: line.box.state is not None and not line.box.state.plc_alive, 5.0)
            took = (time.monotonic_ns() - begun) / 1e6 if found else NEVER
            line.rest(max(0.0, GONE_S - took / 1000) if found else 0.0)
        finally:
            os.kill(plc, signal.SIGCONT)
        line.until(line.ready)
        line.flow(3)
        return took


class Peer:
    """The PLC is started again; a stranger asks as another unit; an old output image is there before READY."""

    number = 12
    fault = "PLC restarts, wrong unit, stale registers"
    how = (
        "the PLC's process ends and another begins, the box stays up; between them a client that has connected first "
        "writes an old image with TRIGGER up; while the line runs another writes triggers to unit 77"
    )
    expected = "the handshake is made anew before READY; nothing of the old image or for the other unit is taken"

    def run(self, stand: Stand) -> Finding:
        """Begin, go, come back."""
        complaints: list[str] = []
        stale = foreign = restarts = 0
        restart_ms: list[float] = []
        for _ in range(stand.many(1, 50)):
            with stand.line() as line:
                line.flow(4)
                foreign += self._foreign(line, complaints)
                line.flow(2)
            stale += self._stale(stand, complaints)
            begun = time.monotonic_ns()
            with stand.line() as line:
                first = [seen for seen in line.states() if seen.state == "ready"]
                restart_ms.append((first[0].at_ns - begun) / 1e6 if first else NEVER)
                line.flow(4)
            restarts += 1
        found = stand.evidence[-2 * restarts :]
        wrong = sum(each.judgement.unknown_parts for each in found)
        return Finding(
            {
                "PLC restarts": restarts,
                "READY after the PLC began again ms": spread(restart_ms),
                "stale triggers written": stale,
                "triggers written to another unit": foreign,
                "parts of the ledger nobody gave": wrong,
                "false rejects": sum(each.false_rejects for each in found),
            },
            tuple(complaints),
        )

    def _foreign(self, line: Line, complaints: list[str]) -> int:
        """Write triggers to a unit that the box is not; return how many."""
        client = ModbusClient(host="127.0.0.1", port=line.box.modbus_port, unit_id=WRONG_UNIT, timeout=0.3)
        sent = 0
        for part in range(1, 4):
            taken = client.write_multiple_registers(0, _image(line.first_part + 900_000 + part, trigger=True))
            sent += 1
            if taken:
                complaints.append(f"a write to unit {WRONG_UNIT} was taken")
        client.close()
        return sent

    def _stale(self, stand: Stand, complaints: list[str]) -> int:
        """Be the first to connect, with an image of before; return how many triggers stood in it."""
        client = ModbusClient(host="127.0.0.1", port=stand.box.modbus_port, timeout=0.5)
        number = 3_999_000_000
        for _ in range(3):
            client.write_multiple_registers(0, _image(number, trigger=True))
            block = client.read_input_registers(0, 16)
            if block is None:
                complaints.append("the box did not answer a client after the PLC had gone")
                break
            if block[IR_STATUS] & TRIG_ACK:
                complaints.append("a TRIGGER that was up before the connection was acknowledged")
            if block[IR_STATUS] & READY:
                complaints.append("READY without a heartbeat of the PLC")
            stand.box.rest(0.05)
        client.close()
        return 3


def _image(part: int, *, trigger: bool) -> list[int]:
    command = COMMANDS["TRIG_ENABLE"] | COMMANDS["BUFFER_EN"] | COMMANDS["LINE_RUN"] | COMMANDS["TRIGGER"] * trigger
    return [command, 0, 0, 0, part >> 16, part & 0xFFFF, 0]


ROWS = (Link(), Peer())
