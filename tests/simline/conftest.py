"""A small box to play against: well-behaved, or wrong in exactly one way."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pyModbusTCP.server import DataBank, DataHandler, ModbusServer

from okng.simline.journal import Journal
from okng.simline.judge import Judgement, judge, read_log
from okng.simline.pictures import open_looks
from okng.simline.plan import parse_plan
from okng.simline.plc import Controller
from okng.simline.scene import Scene
from okng.simline.signals import Exchange, Order
from okng.simline.wires import State, Wires, Word, make_wires
from okng.simline.world import World

TRIGGER, TRIG_ENABLE = 1, 2
READY, TRIG_ACK, BUSY, VALID, OK, NG, UNJUDGED = (1 << bit for bit in range(7))
MISSED = 1 << 12
CODES = {"OK": 1, "NG": 2, "UNJUDGED": 3, "LATE": 4}


@dataclass
class BoxCore:
    """The box's side of the handshake, driven by writes and time; times in ns, given from outside."""

    answer: Callable[[int], tuple[str, float]] = lambda part: ("OK", 0.02)
    """part -> (OK, NG, UNJUDGED, LATE or NONE, seconds)."""
    exposure_s: float = 0.003
    torn: bool = False
    wrong_number: bool = False
    hb_until_ns: int | None = None
    map_version: int = 0x0100
    ready: bool = True
    parts: list[int] = field(default_factory=list)
    ledger: list[dict[str, Any]] = field(default_factory=list)
    acked: list[int] = field(default_factory=list)
    missed: int = 0

    def __post_init__(self) -> None:
        self.seq = 0
        self.shown: tuple[int, str, int] | None = None
        self.waiting: list[tuple[int, int, str]] = []
        self.trigger = self.ack = False
        self.missed_bit = False
        self.busy_until = 0

    def write(self, registers: list[int], now_ns: int) -> None:
        command, part, ack = registers[0], registers[4] << 16 | registers[5], registers[6]
        rising, self.trigger = command & TRIGGER and not self.trigger, bool(command & TRIGGER)
        if rising:
            if self.is_ready(now_ns) and command & TRIG_ENABLE:
                self.ack, self.missed_bit = True, False
                self.parts.append(part)
                self.busy_until = now_ns + int(self.exposure_s * 1e9)
                said, delay = self.answer(part)
                if said != "NONE":
                    self.waiting.append((now_ns + int(delay * 1e9), part, said))
                self.note(part, "PASS" if said == "OK" and not self.wrong_number else "REJECT")
            else:
                self.missed, self.missed_bit = self.missed + 1, True
                self.note(part, "REJECT")
        if not self.trigger:
            self.ack = False
        if self.shown and ack == self.seq:
            self.acked.append(self.shown[0])
            self.shown = None

    def note(self, part: int, action: str) -> None:
        self.ledger.append({"part": part, "action": action})

    def is_ready(self, now_ns: int) -> bool:
        return self.ready and now_ns >= self.busy_until

    def image(self, now_ns: int) -> list[int]:
        if self.shown is None:
            for each in sorted(self.waiting):
                if each[0] <= now_ns:
                    self.waiting.remove(each)
                    self.seq = self.seq % 65535 + 1
                    self.shown = (each[1], each[2], CODES[each[2]])
                    break
        status = READY * self.is_ready(now_ns) | TRIG_ACK * self.ack | MISSED * self.missed_bit
        part, code = 0, 0
        if self.shown:
            part, said, code = self.shown
            status |= VALID | {"OK": OK, "NG": NG}.get(said, UNJUDGED)
            part += 1000 * self.wrong_number
        heart = now_ns if self.hb_until_ns is None else min(now_ns, self.hb_until_ns)
        end = (self.seq + 1) % 65536 if self.torn and self.shown else self.seq
        return [
            status, self.map_version, heart // 100_000_000 % 65536, self.seq, part >> 16, part & 0xFFFF, code,
            0, 0, 0, 0, 0, 0, 0, len(self.waiting), end,
        ] + [0] * 14 + [0x1234, 0x5678, 0x42F6, 0xE979]  # fmt: skip


class ModbusBox:
    """A BoxCore behind a real Modbus TCP server that is not the product's."""

    def __init__(self, core: BoxCore) -> None:
        self.core, self.lock = core, threading.Lock()
        self.server: ModbusServer | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.start()

    def start(self) -> None:
        outer = self

        class Handler(DataHandler):  # type: ignore[misc]
            def write_h_regs(self, address: int, words_l: list[int], srv_info: object) -> DataHandler.Return:
                with outer.lock:
                    outer.core.write(words_l, time.monotonic_ns())
                return DataHandler.Return(exp_code=0)

            def read_i_regs(self, address: int, count: int, srv_info: object) -> DataHandler.Return:
                with outer.lock:
                    image = outer.core.image(time.monotonic_ns())
                return DataHandler.Return(exp_code=0, data=image[address : address + count])

        self.server = ModbusServer("127.0.0.1", self.port, no_block=True, data_hdl=Handler(DataBank()))
        self.server.start()

    def stop(self) -> None:
        if self.server is not None:
            self.server.stop()
            self.server = None


@pytest.fixture
def modbus_box() -> Iterator[Callable[[BoxCore], ModbusBox]]:
    made: list[ModbusBox] = []

    def make(core: BoxCore) -> ModbusBox:
        made.append(ModbusBox(core))
        return made[-1]

    yield make
    for box in made:
        box.stop()


def plan_json(tmp_path: Path, **over: Any) -> dict[str, Any]:
    """A quick rendered run."""
    belt = {"speed_mm_s": 600.0, "part_length_mm": 30.0, "pitch_mm": 50.0, "eye_to_gate_mm": 300.0} | over.pop(
        "belt", {}
    )
    return {
        "out": str(tmp_path / "out"),
        "scenes": str(tmp_path / "scenes"),
        "count": 40,
        "width": 64,
        "height": 64,
        "source": {"kind": "rendered", "pool": 4},
        "belt": belt,
    } | over


@pytest.fixture(scope="session")
def core() -> type[BoxCore]:
    return BoxCore


@pytest.fixture
def make_plan(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    return lambda **over: plan_json(tmp_path, **over)


@pytest.fixture
def write_plan(tmp_path: Path) -> Callable[..., Path]:
    def write(**over: Any) -> Path:
        path = tmp_path / "plan.json"
        path.write_text(json.dumps(plan_json(tmp_path, **over)))
        return path

    return write


class VirtualLink:
    """A communication module without a wire: each posted order is exchanged at once, at virtual time."""

    def __init__(self, core: BoxCore, clock: Callable[[], int], cut: Callable[[int], str]) -> None:
        """cut: time -> "" for a good cycle, `before` or `between` for a cycle that fails before or after its write."""
        self.core, self.clock, self.cut = core, clock, cut
        self.done: list[Exchange] = []
        self.losses = 0

    def post(self, order: Order) -> None:
        if order.epoch != self.losses:
            return
        now_ns = self.clock()
        broken = self.cut(now_ns)
        written = broken != "before"
        if written:
            registers = [order.command, order.heartbeat, 0, 0, order.part >> 16, order.part & 0xFFFF, order.ack_seq]
            self.core.write(registers, now_ns)
        block = None if broken else tuple(self.core.image(now_ns)[:16])
        self.losses += block is None
        fits = self.core.map_version >> 8 == 1
        self.done.append(Exchange(order, now_ns, written, block, now_ns, fits))

    def take(self) -> list[Exchange]:
        found, self.done = self.done, []
        return found


@dataclass
class VirtualRun:
    """What a run in virtual time left behind."""

    judgement: Judgement
    world: list[Any]
    plc: list[Any]
    tally: dict[str, int]


def run_virtually(
    found: dict[str, Any],
    core: BoxCore,
    cut: Callable[[int], str] = lambda now_ns: "",
    limit_s: float = 600.0,
    stall: Callable[[int], bool] = lambda now_ns: False,
) -> VirtualRun:
    """Run world, PLC and box on one virtual clock. stall: when the PLC does not get to scan."""
    plan, now = parse_plan(found), [1_000_000_000]
    path = make_wires()
    wires, out = Wires(path), Path(plan.out)
    looks = open_looks(plan)
    world_log, plc_log = Journal(out / "world.jsonl"), Journal(out / "plc.jsonl")
    with Scene(Path(plan.scenes), plan.serial, looks.view.size_bytes) as scene:
        world = World(plan, looks, scene, wires, world_log)
        plc = Controller(plan, wires, VirtualLink(core, lambda: now[0], cut), plc_log)
        going, scanning, scan_due = True, True, now[0]
        while going or scanning:
            now[0] += round(plan.tick_ms * 1e6)
            assert now[0] < limit_s * 1e9, "the run does not end"
            if going and not world.tick(now[0]):
                going = False
                wires[Word.STATE] = State.DONE
            if now[0] >= scan_due and not stall(now[0]):
                scan_due = now[0] + round(plan.scan_ms * 1e6)
                scanning = plc.cycle(now[0])
        world.close()
        plc.end(0)
    for log in (world_log, plc_log):
        log.close()
    wires.close()
    path.unlink()
    seen = read_log(out / "world.jsonl"), read_log(out / "plc.jsonl")
    return VirtualRun(judge(*seen, core.ledger), list(seen[0]), list(seen[1]), vars_of(seen[1]))


def vars_of(lines: list[Any]) -> dict[str, int]:
    return dict(next(each for each in lines if each["kind"] == "end")["tally"])


@pytest.fixture(scope="session")
def virtually() -> Callable[..., VirtualRun]:
    return run_virtually
