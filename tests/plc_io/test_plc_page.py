"""docs/plc.md says what the product does: its tables, figures, links and example lines are held against it."""

import re
import tomllib
from pathlib import Path

import pytest
from pymodbus.framer import FramerRTU

from okng.plc_io.ascii_dialects import DIALECTS
from okng.plc_io.ascii_options import AsciiOptions
from okng.plc_io.client_block import ANSWER_WORDS, BLOCKS, RESULT_WORDS, Block
from okng.plc_io.client_options import TcpClientOptions
from okng.plc_io.handshake import Limits
from okng.plc_io.modbus_server import MOST_CONNECTIONS
from okng.plc_io.options import PlcOptions
from okng.plc_io.pins_options import PinsOptions
from okng.plc_io.regmap import CANARY_U32, POINTS, Kind, Table, points, size
from okng.plc_io.serial_options import RtuClientOptions, SerialLineOptions
from okng.plc_io.signals import FaultCode

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "plc.md").read_text(encoding="utf-8")


def section(number: int) -> str:
    """The text of a numbered section."""
    found = re.search(rf"^## {number}\. .*?(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, number
    return found[0]


def anchors(file: Path) -> set[str]:
    """Anchors of a page's headings, as a renderer makes them."""
    heads = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#([^)\s]+))?\)", PAGE)
    assert len(links) >= 5
    for target, anchor in links:
        file = DOCS / target
        assert file.is_file(), target
        assert not anchor or anchor in anchors(file), anchor


def test_it_keeps_to_its_width() -> None:
    assert [line for line in PAGE.splitlines() if len(line) > 120 and not line.startswith("|")] == []


def test_drawings_are_ascii() -> None:
    drawings = PAGE.split("\n```")[1::2]
    assert len(drawings) >= 5
    for drawing in drawings:
        for line in drawing.splitlines():
            assert line.isascii(), line


def test_every_bit_and_fault_has_its_place() -> None:
    drawn = PAGE.replace("R_VALID", "RESULT_VALID")
    told_elsewhere = {"LINE_RUN", "PLC_HB"}  # the map says all there is to say
    for name in {p.name for p in POINTS if p.kind is Kind.BIT} - told_elsewhere:
        assert re.search(rf"\b{name}\b", drawn), name
    for code in FaultCode:
        assert not code or re.search(rf"FAULT {code.value} {code.name}", section(17)), code


def test_the_settings_in_it_are_settings() -> None:
    (text,) = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    options = PlcOptions.model_validate(tomllib.loads(text)["plc"])
    default = PlcOptions()
    for name in ("plc_timeout_ms", "ack_ms", "stuck_ms", "late_stop", "word_order", "role", "port"):
        assert getattr(options, name) == getattr(default, name), name


@pytest.mark.parametrize(
    "figure", [f"`plc_timeout_ms` ({PlcOptions().plc_timeout_ms})", f"{PlcOptions().heartbeat_ms} ms"]
)
def test_figures_of_the_heartbeats(figure: str) -> None:
    assert figure in section(5)


def test_figures_of_the_server() -> None:
    assert f"Up to {MOST_CONNECTIONS} connections" in section(3)
    assert f"input registers 0..{size(Table.INPUT) - 1}" in section(3)
    assert f"holding registers 0..{size(Table.HOLDING) - 1}" in section(3)
    assert f"{CANARY_U32:#010x}" in section(3).lower()
    assert f"Up to {Limits(1, 1, 1).queue} results wait" in section(4)


def test_the_gateways_requests_are_of_the_map() -> None:
    counters = {p.name: p for p in points(Table.INPUT)}
    rows = re.findall(r"\| FC(04|16), (\w+) registers (\d+), count (\d+)[^|]*\|[^|]*\| (\d+) \|", section(13))
    assert [(code, kind, int(at), int(count)) for code, kind, at, count, _ in rows] == [
        ("04", "input", 0, counters["seq_end"].address + 1),
        ("04", "input", counters["triggers"].address, counters["confirmed"].last + 1 - counters["triggers"].address),
        ("04", "input", counters["canary_u32"].address, 4),
        ("16", "holding", 0, size(Table.HOLDING)),
    ]
    assert all(int(octets) == 2 * int(count) for *_, count, octets in rows)


def test_the_clients_blocks_are_those_of_the_product() -> None:
    text = section(9)
    default = TcpClientOptions()
    assert f"`result_at` (default {default.result_at})" in text
    assert f"`answer_at` (default {default.answer_at})" in text
    assert f"`timeout_ms` ({default.timeout_ms})" in text
    assert f"`lost_ms` ({default.lost_ms})" in text
    assert f"({default.cycle_ms} ms)" in text
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")][2:]
    words = {"part": "part number", "status": "status bits", "hb": "heartbeat", "defect": "defect class"}
    for block, columns in ((Block.RESULT, slice(0, 2)), (Block.ANSWER, slice(2, 4))):
        said = [row[columns] for row in cells if row[columns][0]]
        for entry, (offset, name) in zip((e for e in BLOCKS if e.block is block), said, strict=True):
            assert offset == (f"{entry.offset}-{entry.last}" if entry.last > entry.offset else f"{entry.offset}")
            assert words.get(entry.name, entry.name) in name.replace("`", "")
            assert ("u32" in name) is (entry.kind is Kind.U32)


def test_example_lines_carry_their_check_sum() -> None:
    lines = re.findall(r"`([A-Z],[^`<]+),([0-9A-F]{4})`", section(10))
    assert len(lines) == 3
    for body, crc in lines:
        value = FramerRTU.compute_CRC(body.encode())
        assert {value, (value & 0xFF) << 8 | value >> 8} & {int(crc, 16)}, body
        assert DIALECTS["okng"].say(body) == f"{body},{crc}"


def test_the_dialects_are_those_of_the_product() -> None:
    endings = {"\r": "CR", "\r\n": "CRLF", "\n": "LF"}
    rows = re.findall(r"\| `(\w+)` \| `(\w+)` \| `(\w+)` \| `(\w+)` \| (\w+) \|", section(10))
    assert {row[0] for row in rows} == set(DIALECTS) - {"okng"}
    for name, trigger, passes, rejects, ending in rows:
        dialect = AsciiOptions(dialect=name).spoken()
        said = [dialect.result.replace("{word}", word) for word in (dialect.passed, dialect.rejected, dialect.unjudged)]
        assert (trigger, passes, {rejects}) == (dialect.trigger, said[0], set(said[1:]))
        assert ending == endings[dialect.ending]


def test_figures_of_the_pins() -> None:
    assert f"`affirm_ms` ({PinsOptions().affirm_ms})" in section(11)


def test_the_blocks_inputs_and_outputs_are_in_the_program() -> None:
    program = (DOCS / "protocol" / "okng.st").read_text(encoding="ascii")
    station = program[program.index("FUNCTION_BLOCK OKNG_STATION") :]
    table = section(14).split("| output | means |")[1]
    names = [name for row in re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)]
    assert len(names) == 10
    names += re.findall(r"`(reset|ready|stop_line|part|trigger_limit|low_first)`", section(14))
    for name in names:
        assert re.search(rf"^    {name} : \w+", station, re.MULTILINE), name


@pytest.mark.parametrize(("role", "written", "read"), [("rtu_server", 7, 16), ("rtu_client", 9, 6)])
def test_wire_times_of_rtu(role: str, written: int, read: int) -> None:
    """MODBUS over Serial Line: FC16 asks with 9 characters and its words, FC03 and FC04 answer with 5 and theirs."""
    row = next(line for line in section(12).splitlines() if line.startswith(f"| `{role}`"))
    assert f"writes {written} words" in row
    assert f"reads {read} by" in row
    found = [float(figure) for figure in re.findall(r"([\d.]+) ms", row)]
    for baud, said in zip((19_200, 115_200), found, strict=True):
        line = SerialLineOptions(baud=baud)
        characters = (9 + 2 * written) + 8 + 8 + (5 + 2 * read)
        assert said == round((characters * line.character_ns + 4 * line.silence_ns) / 1e6, 1), baud


def test_figures_of_rtu() -> None:
    assert f"`quiet_ms` ({SerialLineOptions().quiet_ms})" in section(12)
    assert f"`longest_answer_ms` ({RtuClientOptions().longest_answer_ms})" in section(12)
    assert f"`result_at` + {RESULT_WORDS} to register `answer_at` + {ANSWER_WORDS}" in section(12)
