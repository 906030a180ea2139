"""Map, CSV, Markdown page and Structured Text say the same: each is parsed by itself and held against a running server.

Nothing here asks the table where an address lies; only the last tests look at the table, for who owns what.
"""

import asyncio
import csv
import re
import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from pyModbusTCP.client import ModbusClient

from okng.plc_io.images import InImage, OutImage
from okng.plc_io.mapdoc import FORMATS, document, main
from okng.plc_io.modbus_server import ModbusServer
from okng.plc_io.regmap import MIRROR, POINTS, Kind, Table, WordOrder
from okng.plc_io.signals import Command, FaultCode, Status, WireCode

from .conftest import free_port, wait_for
from .st_machine import published

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "protocol"
Row = tuple[str, str, int, int, str]
"""Table, name in capitals, first address, last address, kind."""
FIELDS = {"SEQ_BEGIN": "seq", "SEQ_END": "seq", "HB": "heartbeat"}
"""What a value is called in the image, where it is not its own name."""
IN_FIELDS = {"PLC_HB": "heartbeat", "JOB_REQ": "job_request"}
SHOWN = OutImage(
    status=Status.READY | Status.RESULT_VALID | Status.OK | Status.DEGRADED,
    heartbeat=1201,
    seq=1302,
    part=0x14031504,
    disposition=WireCode.OK,
    defect=1605,
    score_milli=1706,
    inference_ms=1807,
    latency_ms=1908,
    job=2009,
    job_token=2110,
    fault=FaultCode.PART_OPEN,
    depth=2212,
    triggers=0x23132414,
    ok=0x25152616,
    ng=0x27172818,
    unjudged=0x29193020,
    missed=0x31213222,
    confirmed=0x33233424,
)


# -- the documents, each by a parser of its own ------------------------------------------------------------------------


def of_csv() -> tuple[set[Row], set[Row]]:
    """The rows of the sheet, and those of the mirror in it, with the input registers they repeat."""
    rows, mirror = set(), set()
    with (FOLDER / "registers.csv").open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            first, words = int(line["address"]), int(line["words"] or 1)
            row = (line["table"], line["name"].upper(), first, first + words - 1, line["kind"])
            if line["text"].startswith("read-only mirror"):
                mirror.add(("input register", row[1], first - 1000, first + words - 1001, row[4]))
                assert (line["table"], line["writer"]) == ("holding register", "box")
            else:
                rows.add(row)
                assert line["writer"] == ("PLC" if line["table"] in ("coil", "holding register") else "box")
    return rows, mirror


def of_page() -> set[Row]:
    """The rows of the Markdown page."""
    rows, table = set(), ""
    for line in (FOLDER / "registers.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            table = re.sub(r"s?:.*", "", line[3:]).lower()
        if found := re.match(r"\| (\d+)(?:-(\d+))? \| (\w+) \| ([\w ]+) \| (?:PLC|box) \|", line):
            first, last, name, kind = found.groups()
            rows.add((table, name.upper(), int(first), int(last or first), kind))
    return rows


def of_program() -> set[Row]:
    """The constants of the Structured Text; kinds by the types of its structs."""
    text = (FOLDER / "okng.st").read_text(encoding="ascii")
    kinds = {"BOOL": "bit", "UINT": "u16", "UDINT": "u32", "DWORD": "float"}
    kinds |= {"OKNG_COMMAND": "16 bits", "OKNG_STATUS": "16 bits"}
    tables = {"COIL": "coil", "DI": "discrete input", "HR": "holding register", "IR": "input register"}
    structs = {"COIL": "OKNG_COMMAND", "DI": "OKNG_STATUS", "HR": "OKNG_PLC", "IR": "OKNG_BOX"}
    rows = set()
    for short, name, address in re.findall(r"OKNG_(COIL|DI|HR|IR)_(\w+) : UINT := (\d+);", text):
        if name in ("COUNT", "MIRROR"):
            continue
        struct = re.search(rf"TYPE {structs[short]} :(.*?)END_STRUCT", text, re.DOTALL)
        assert struct
        member = re.search(rf"^\s+{name} : (\w+);", struct[1], re.MULTILINE | re.IGNORECASE)
        assert member, f"{name} is no member of {structs[short]}"
        kind = kinds[member[1]]
        wide = kind in ("u32", "float")
        rows.add((tables[short], name, int(address), int(address) + wide, kind))
    return rows


def test_the_three_documents_name_the_same_values_at_the_same_addresses() -> None:
    sheet, mirror = of_csv()
    assert len(sheet) == 25 + 6 + 23
    assert of_page() == sheet
    assert of_program() == sheet
    assert mirror == {row for row in sheet if row[0] == "input register"}


def test_the_codes_are_the_same_everywhere() -> None:
    program = (FOLDER / "okng.st").read_text(encoding="ascii")
    page = (FOLDER / "registers.md").read_text(encoding="utf-8")
    faults = {(name, int(code)) for name, code in re.findall(r"OKNG_FAULT_(\w+) : UINT := (\d+);", program)}
    assert faults == {(name, int(code)) for code, name in re.findall(r"^\| (\d+) \| ([A-Z_]+) \| [^|]+\|$", page, re.M)}
    assert faults == {(code.name, code.value) for code in FaultCode}
    codes = {(name, int(code)) for name, code in re.findall(r"OKNG_CODE_(\w+) : UINT := (\d+);", program)}
    assert codes == {(code.name, code.value) for code in WireCode}
    words = "0 none, 1 OK, 2 NG, 3 UNJUDGED, 4 LATE"
    assert words in page
    assert words in (FOLDER / "registers.csv").read_text(encoding="utf-8")


# -- the running map ---------------------------------------------------------------------------------------------------


class Running(threading.Thread):
    """The box's server with one image on show, and a foreign master connected to it."""

    def __init__(self, order: WordOrder) -> None:
        super().__init__(daemon=True)
        self.images: list[InImage] = []
        self.port = free_port()
        self._order = order
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self.start()
        self.client = ModbusClient("127.0.0.1", self.port, unit_id=1, timeout=2.0, auto_open=True)
        wait_for("server", self.client.open)

    def run(self) -> None:
        """Serve until closed."""
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        server = ModbusServer(
            "127.0.0.1", self.port, on_image=self.images.append, on_lost=lambda _: None, order=self._order
        )
        await server.open()
        server.publish(SHOWN)
        await self._end.wait()
        await server.close()

    def close(self) -> None:
        """End it."""
        self.client.close()
        self._loop.call_soon_threadsafe(self._end.set)
        self.join(5)

    def read(self, table: str, first: int, count: int = 1) -> list[int]:
        """Values; none where the server refuses."""
        calls = {
            "coil": self.client.read_coils,
            "discrete input": self.client.read_discrete_inputs,
            "holding register": self.client.read_holding_registers,
            "input register": self.client.read_input_registers,
        }
        found = calls[table](first, count)
        if found is None:
            assert self.client.last_except == 2, self.client.last_error_as_txt
        return [int(value) for value in found or []]


@pytest.fixture(params=list(WordOrder))
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    made = Running(request.param)
    yield made
    made.close()


def joined(words: list[int], order: WordOrder) -> int:
    """32 bits of two registers."""
    return int.from_bytes(b"".join(word.to_bytes(2, "big") for word in words[:: 1 if order == "high_first" else -1]))


def test_the_server_answers_for_these_addresses_and_for_no_other(running: Running) -> None:
    sheet, _ = of_csv()
    for table in ("coil", "discrete input", "holding register", "input register"):
        meant = {at for row in sheet if row[0] == table for at in range(row[2], row[3] + 1)}
        if table == "holding register":
            meant |= {at + 1000 for row in sheet if row[0] == "input register" for at in range(row[2], row[3] + 1)}
        spans = (range(60), range(980, 1060), (65535,))
        answered = {at for span in spans for at in span if running.read(table, at)}
        assert answered == meant, table


@pytest.mark.parametrize("source", ["csv", "page", "program"])
def test_every_value_of_the_box_stands_where_the_document_says(running: Running, source: str) -> None:
    rows = {"csv": lambda: of_csv()[0], "page": of_page, "program": of_program}[source]()
    constants = {"MAP_VERSION": 0x0100, "CANARY_U32": 0x12345678, "CANARY_F32": 0x42F6E979}
    seen = 0
    for table, name, first, last, kind in rows:
        if table == "discrete input":
            assert running.read(table, first) == [Status[name] in SHOWN.status], name
        elif table == "input register":
            words = running.read(table, first, last - first + 1)
            assert running.read("holding register", first + 1000, last - first + 1) == words, f"mirror of {name}"
            value = joined(words, running._order) if kind in ("u32", "float") else words[0]
            expected = constants.get(name)
            assert value == (getattr(SHOWN, FIELDS.get(name, name.lower())) if expected is None else expected), name
        else:
            continue
        seen += 1
    assert seen == 16 + 23


@pytest.mark.parametrize("source", ["csv", "page", "program"])
def test_every_value_of_the_plc_is_taken_where_the_document_says(running: Running, source: str) -> None:
    rows = {"csv": lambda: of_csv()[0], "page": of_page, "program": of_program}[source]()
    seen = 0
    for table, name, first, last, _ in sorted(rows):
        if table == "coil":
            assert running.client.write_single_coil(first, True)
            assert running.images[-1].command == Command[name]
            assert running.client.write_single_coil(first, False)
        elif table == "holding register":
            words = [0x0040 + seen, 0x0080 + seen][: last - first + 1]
            assert running.client.write_multiple_registers(first, words)
            value = words[0] if first == last else joined(words, running._order)
            assert getattr(running.images[-1], IN_FIELDS.get(name, name.lower())) == value, name
            assert running.client.write_multiple_registers(first, [0] * len(words))
        else:
            continue
        seen += 1
    assert seen == 9 + 6


def test_nobody_but_the_box_writes_its_values(running: Running) -> None:
    _, mirror = of_csv()
    for _, name, first, last, _ in mirror:
        for at in range(first, last + 1):
            assert not running.client.write_single_register(1000 + at, 7), name
            assert running.client.last_except == 2
    assert not running.images


def test_the_programs_own_functions_read_and_write_the_running_map(running: Running) -> None:
    low_first = running._order is WordOrder.LOW_FIRST
    box = published().function("OKNG_UNPACK", words=running.read("input register", 0, 34), low_first=low_first)
    said = {name.removeprefix("v_"): value for name, value in vars(box).items()}
    bits = {name.removeprefix("v_").upper() for name, value in vars(said.pop("status")).items() if value}
    assert bits == {flag.name for flag in Status if flag in SHOWN.status}
    assert (said.pop("map_version"), said.pop("canary_u32"), said.pop("canary_f32")) == (256, 0x12345678, 0x42F6E979)
    assert said.pop("seq_end") == SHOWN.seq
    expected = asdict(SHOWN)
    assert {FIELDS.get(name.upper(), name): value for name, value in said.items()} == {
        name: value for name, value in expected.items() if name != "status"
    }
    plc: Any = published().make("OKNG_STATION").v_plc
    plc.v_part, plc.v_ack_seq, plc.v_plc_hb, plc.v_job_req, plc.v_job_token = 0x12345678, 9, 8, 7, 6
    plc.v_command.v_job_exec = plc.v_command.v_trigger = True
    words = published().function("OKNG_PACK", plc=plc, low_first=low_first)
    assert running.client.write_multiple_registers(0, words)
    image = running.images[-1]
    assert (image.part, image.ack_seq, image.heartbeat, image.job_request, image.job_token) == (0x12345678, 9, 8, 7, 6)
    assert image.command == Command.JOB_EXEC | Command.TRIGGER


# -- who owns what -----------------------------------------------------------------------------------------------------


def test_no_byte_holds_bits_of_two_owners() -> None:
    """FC15 of some PLC runtimes writes whole bytes."""
    owners: dict[tuple[Table, int], set[str]] = defaultdict(set)
    for point in POINTS:
        if point.kind is Kind.BIT:
            owners[point.table, point.address // 8].add(point.writer)
    assert len(owners) == 4
    assert all(len(writers) == 1 for writers in owners.values()), owners


def test_every_word_has_one_writer_and_the_mirror_lies_apart() -> None:
    writers: dict[tuple[Table, int], set[str]] = defaultdict(set)
    for point in POINTS:
        if point.kind is Kind.BIT:
            word = Table.HOLDING if point.table is Table.COIL else Table.INPUT
            writers[word, point.address // 16].add(point.writer)  # coils and discrete inputs lie in words
            continue
        for at in range(point.address, point.last + 1):
            writers[point.table, at].add(point.writer)
            if point.table is Table.INPUT:
                writers[Table.HOLDING, MIRROR + at].add(point.writer)
    assert all(len(found) == 1 for found in writers.values()), writers
    assert sum(table is Table.HOLDING for table, _ in writers) == 7 + 32


def test_names_differ_also_where_capitals_do_not_count() -> None:
    for table in Table:
        names = [point.name.upper() for point in POINTS if point.table is table]
        assert len(names) == len(set(names)), table


def test_the_command_writes_all_of_it(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 0
    for name in ("registers.csv", "registers.md", "okng.st"):
        assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes(), name
    assert {document(form) for form in FORMATS} == {file.read_text(encoding="utf-8") for file in tmp_path.iterdir()}
    with pytest.raises(ValueError, match="expected one of csv, md, st"):
        document("xml")
