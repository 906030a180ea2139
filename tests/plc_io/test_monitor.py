"""okng plc monitor: what it shows of a real io, of a server nobody here wrote, and of what is no box at all."""

import itertools
import json
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pyModbusTCP.server import DataBank, ModbusServer

from okng.bus.clock import MS, SECOND
from okng.bus.errors import BadSettings, LinkLost, Refused
from okng.plc_io.images import InImage, OutImage
from okng.plc_io.live_map import LiveMap, NotThisMap, Reading
from okng.plc_io.monitor import Target, look, target, watch
from okng.plc_io.options import PlcOptions
from okng.plc_io.regmap import WordOrder, pack_in, pack_out
from okng.plc_io.signals import Command, FaultCode, Status, WireCode
from okng.plc_io.tls_options import TlsOptions

from .certificates import Authority, Holder
from .conftest import Line, free_port, start_io

SHOWN = OutImage(status=Status.READY, heartbeat=7, seq=3, part=70001, disposition=WireCode.NG, job=2)
SAID = InImage(0, Command.TRIG_ENABLE, heartbeat=9, part=70002)


def reading(at_ms: int, image: OutImage = SHOWN, said: InImage = SAID, patch: dict[int, int] | None = None) -> Reading:
    words = list(pack_out(image))
    for address, word in (patch or {}).items():
        words[address] = word
    return Reading(at_ms * MS, tuple(words), pack_in(said))


# -- pure --------------------------------------------------------------------------------------------------------------


def test_values_and_bits_have_their_names_and_a_meaning() -> None:
    live = LiveMap(WordOrder.HIGH_FIRST)
    live.take(reading(0, replace(SHOWN, fault=FaultCode.ACK_MISSING)))
    page = "\n".join(live.lines("there", 0, colour=False))
    for text in ("READY=1", "TRIG_ENABLE=1", "TRIGGER=0", "70001", "70002", "NG", "not acknowledged in time", "1.0"):
        assert text in page
    assert "STALE: the heartbeat has not moved yet" in page


def test_the_map_fits_a_terminal_of_80_by_25() -> None:
    most = OutImage(Status(0xFFFF), 65535, 65535, 2**32 - 1, WireCode.UNJUDGED, triggers=2**32 - 1, missed=2**32 - 1)
    live = LiveMap(WordOrder.HIGH_FIRST)
    live.take(reading(0, most, InImage(0, part=2**32 - 1)))
    _, *lines = live.lines("there", 0, colour=False)
    assert len(lines) < 25
    assert max(map(len, lines)) <= 80


def test_a_change_is_marked_for_a_second_and_then_no_more() -> None:
    live = LiveMap(WordOrder.HIGH_FIRST)
    live.take(reading(0))
    live.take(reading(100, replace(SHOWN, part=70003, heartbeat=8, status=Status.READY | Status.BUSY)))
    page = "\n".join(live.lines("there", 150 * MS, colour=False))
    assert "*70003" in page
    assert "*BUSY=1" in page
    assert "*READY" not in page
    assert "*2" not in page, "the job did not change"
    assert "\x1b[7m     70003" in "\n".join(live.lines("there", 150 * MS))
    live.take(reading(1200, replace(SHOWN, part=70003, heartbeat=9, status=Status.READY | Status.BUSY)))
    assert "*70003" not in "\n".join(live.lines("there", 1250 * MS, colour=False))


def test_a_heartbeat_that_stands_still_is_stale_after_three_beats() -> None:
    live = LiveMap(WordOrder.HIGH_FIRST)
    live.take(reading(0))
    live.take(reading(100, replace(SHOWN, heartbeat=8)))
    assert live.alive(350 * MS)
    live.take(reading(400, replace(SHOWN, heartbeat=8)))
    assert not live.alive(400 * MS)
    head, *rows = live.lines("there", 2 * SECOND)
    assert "STALE: the heartbeat stands still for 1.9 s" in head
    assert any("\x1b[2m" in row for row in rows), "what is stale is dim"
    assert not any("\x1b[7m" in row for row in rows), "and no news"


def test_no_answer_is_stale_at_once_and_counted() -> None:
    live = LiveMap(WordOrder.HIGH_FIRST)
    live.take(reading(0))
    live.take(reading(100, replace(SHOWN, heartbeat=8)))
    live.miss("no answer within 500 ms")
    head, *_ = live.lines("there", 110 * MS, colour=False)
    assert "without answer 1" in head
    assert "STALE: no answer within 500 ms" in head


def test_a_torn_block_is_counted() -> None:
    live = LiveMap(WordOrder.HIGH_FIRST)
    live.take(reading(0, patch={15: 4}))
    assert live.torn == 1


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ({1: 0x0200}, "map 2.0: this program knows 1.x"),
        ({1: 0}, "map 0.0"),
        ({30: 0x5678, 31: 0x1234}, "set word_order = 'low_first'"),
        ({30: 0}, "this is no map of okng"),
        ({32: 0}, "instead of 0x12345678"),
    ],
)
def test_another_map_is_not_shown(patch: dict[int, int], words: str) -> None:
    live = LiveMap(WordOrder.HIGH_FIRST)
    with pytest.raises(NotThisMap, match=words):
        live.take(reading(0, patch=patch))
    assert live.last is None


def test_a_minor_version_more_is_shown() -> None:
    live = LiveMap(WordOrder.HIGH_FIRST)
    live.take(reading(0, patch={1: 0x0101}))
    assert live.last is not None


# -- which box ---------------------------------------------------------------------------------------------------------


def test_the_box_of_the_settings_or_another() -> None:
    options = PlcOptions(host="192.168.10.2", port=1502, unit=7, word_order=WordOrder.LOW_FIRST)
    assert target(options) == Target("192.168.10.2", 1502, 7, WordOrder.LOW_FIRST)
    assert target(options, port=99, unit=0, word_order="high_first") == Target("192.168.10.2", 99, 0)
    assert target(options, host="192.168.10.3") == Target("192.168.10.3", 502, 1)
    assert target(None, host="192.168.10.3", unit=255).unit == 255


def test_a_box_that_is_no_modbus_server_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="answers no Modbus TCP master"):
        target(PlcOptions(role="rtu_server"))
    tls = TlsOptions(ca=tmp_path / "ca", certificate=tmp_path / "certificate", key=tmp_path / "key")
    with pytest.raises(BadSettings, match="--tls-certificate"):
        target(PlcOptions(tls=tls))
    with pytest.raises(BadSettings, match="expected a PEM file"):
        target(PlcOptions(), tls=tls)


# -- a server of pyModbusTCP: any box ----------------------------------------------------------------------------------


class Foreign:
    """A server of another library with registers that the test sets."""

    def __init__(self) -> None:
        self.bank = DataBank(i_regs_size=64, h_regs_size=64)
        self.port = free_port()
        self.server = ModbusServer("127.0.0.1", self.port, no_block=True, data_bank=self.bank)
        self.server.start()
        self.target = Target("127.0.0.1", self.port)
        self.show(SHOWN)

    def show(self, image: OutImage, order: WordOrder = WordOrder.HIGH_FIRST) -> None:
        """Set the input registers."""
        assert self.bank.set_input_registers(0, list(pack_out(image, order)))


@pytest.fixture
def foreign() -> Iterator[Foreign]:
    made = Foreign()
    yield made
    made.server.stop()


def test_a_box_that_stands_still_is_shown_and_said_not_to_move(foreign: Foreign) -> None:
    said: list[str] = []
    assert look(foreign.target, said.append, as_json=True) is False
    found = json.loads(said[0])
    assert (found["alive"], found["box"]["part"], found["status"]["READY"]) == (False, 70001, True)


def test_the_other_word_order_is_said(foreign: Foreign) -> None:
    foreign.show(SHOWN, WordOrder.LOW_FIRST)
    with pytest.raises(Refused, match="low_first"):
        look(foreign.target, print, as_json=False)
    said: list[str] = []
    look(replace(foreign.target, order=WordOrder.LOW_FIRST), said.append, as_json=True)
    assert json.loads(said[0])["box"]["part"] == 70001


def test_another_major_version_is_refused(foreign: Foreign) -> None:
    assert foreign.bank.set_input_registers(1, [0x0200])
    with pytest.raises(Refused, match=r"map 2\.0"):
        look(foreign.target, print, as_json=False)


def test_a_server_without_these_registers_is_refused() -> None:
    port = free_port()
    server = ModbusServer("127.0.0.1", port, no_block=True, data_bank=DataBank(i_regs_size=10, h_regs_size=10))
    server.start()
    try:
        with pytest.raises(Refused, match=r"exception 2 \(illegal data address\)"):
            look(Target("127.0.0.1", port), print, as_json=False)
    finally:
        server.stop()


def test_nobody_there() -> None:
    with pytest.raises(LinkLost, match="nothing answers"):
        look(Target("127.0.0.1", free_port()), print, as_json=False)


def test_a_box_that_goes_away_is_shown_as_stale_and_looked_for(foreign: Foreign) -> None:
    pages: list[str] = []

    def write(text: str) -> None:
        pages.append(text)
        if len(pages) == 2:
            foreign.server.stop()
        if len(pages) == 6:
            raise KeyboardInterrupt

    box = replace(foreign.target, timeout_s=0.2)
    with pytest.raises(KeyboardInterrupt):
        watch(box, write, as_json=False, every_ms=20, colour=False)
    assert "without answer 0" in pages[0]
    assert "STALE: 127.0.0.1" in pages[-1]


# -- a real io ---------------------------------------------------------------------------------------------------------


def test_a_real_box_is_alive_and_shows_its_line(line: Line) -> None:
    line.enable()
    pages: list[dict[str, object]] = []
    ends = threading.Event()
    counter = itertools.count()

    def write(text: str) -> None:
        pages.append(json.loads(text))
        if next(counter) == 25:
            ends.set()
            raise KeyboardInterrupt

    def run() -> None:
        with pytest.raises(KeyboardInterrupt):
            watch(Target("127.0.0.1", line.port), write, as_json=True, every_ms=20, colour=False)

    thread = threading.Thread(target=run)
    thread.start()
    while not ends.is_set():
        line.turn()
    thread.join(5)
    last = pages[-1]
    assert last["alive"] is True
    assert last["status"]["READY"] is True  # type: ignore[index]
    assert last["command"]["TRIG_ENABLE"] is True  # type: ignore[index]
    assert last["plc"]["plc_hb"] > pages[0]["plc"]["plc_hb"]  # type: ignore[index]
    said: list[str] = []
    thread = threading.Thread(target=lambda: look(Target("127.0.0.1", line.port), said.append, as_json=False))
    thread.start()
    while thread.is_alive():
        line.turn()
    assert "READY=1" in said[0]
    assert said[0].splitlines()[0].endswith("alive")


# -- by TLS ------------------------------------------------------------------------------------------------------------


def test_a_box_that_admits_certificates_only(run_dir: Path, tmp_path: Path) -> None:
    plant, stranger = Authority(tmp_path, "plant"), Authority(tmp_path, "stranger")
    box, tool = plant.issue("box"), plant.issue("tool")
    elsewhere = plant.issue("elsewhere", host="192.0.2.7")
    port = free_port()

    def options(holder: Holder, ca: Authority = plant) -> TlsOptions:
        return TlsOptions(ca=ca.file, certificate=holder.certificate, key=holder.key)

    def seen(tls: TlsOptions | None) -> str:
        said: list[str] = []
        look(target(None, host="127.0.0.1", port=port, tls=tls), said.append, as_json=True)
        return said[0]

    def box_with(holder: Holder) -> subprocess.Popen[bytes]:
        return start_io(run_dir, port, tls=json.loads(options(holder).model_dump_json()))

    process = box_with(box)
    try:
        assert json.loads(seen(options(tool)))["map"] == "1.0"
        with pytest.raises(LinkLost, match="not to be trusted"):
            seen(options(tool, ca=stranger))
        with pytest.raises(LinkLost):
            seen(options(stranger.issue("nobody")))
        with pytest.raises(LinkLost):
            seen(None)
    finally:
        process.kill()
        process.wait(5)
    process = box_with(elsewhere)
    try:
        with pytest.raises(LinkLost, match="not to be trusted"):
            seen(options(tool))
    finally:
        process.kill()
        process.wait(5)
