"""The register map: the table against the design, its documents, its bytes."""

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okng.plc_io import mapdoc
from okng.plc_io.images import InImage, OutImage
from okng.plc_io.regmap import POINTS, Kind, Table, WordOrder, pack_in, pack_out, points, size, unpack_in, unpack_out
from okng.plc_io.signals import Command, FaultCode, Status, WireCode

ROOT = Path(__file__).resolve().parents[2]
U16 = st.integers(0, 2**16 - 1)
U32 = st.integers(0, 2**32 - 1)
ORDERS = st.sampled_from(WordOrder)


@pytest.mark.parametrize(
    ("name", "content"), [(mapdoc.PAGE, mapdoc.page()), (mapdoc.SHEET, mapdoc.sheet())], ids=["page", "sheet"]
)
def test_documents_agree_with_the_table(name: str, content: str) -> None:
    written = (ROOT / "docs" / "protocol" / name).read_text(encoding="utf-8")
    assert written == content, "run: python -m okng.plc_io.regmap docs/protocol"


def test_documents_are_written_by_the_command(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "okng.plc_io.regmap", str(tmp_path)], check=True, cwd=tmp_path)
    assert (tmp_path / "registers.md").read_text(encoding="utf-8") == mapdoc.page()
    said = subprocess.run([sys.executable, "-m", "okng.plc_io.regmap"], check=True, cwd=tmp_path, capture_output=True)
    assert said.stdout.decode() == mapdoc.page()


def test_no_two_values_share_an_address() -> None:
    for table in Table:
        taken = [address for p in points(table) for address in range(p.address, p.last + 1)]
        assert len(taken) == len(set(taken)), table


def test_one_writer_a_table() -> None:
    writers = {table: {p.writer for p in points(table)} for table in Table}
    assert writers == {
        Table.COIL: {"PLC"},
        Table.HOLDING: {"PLC"},
        Table.DISCRETE: {"box"},
        Table.INPUT: {"box"},
    }


def test_addresses_of_the_design() -> None:
    """Written out by hand from the design page, so that a slip in the table is seen."""
    at = {(p.table, p.name): p.address for p in POINTS}
    inputs = ["status", "map_version", "hb", "seq_begin", "part", None, "disposition", "defect", "score_milli"]
    inputs += ["inference_ms", "latency_ms", "job", "job_token", "fault", "depth", "seq_end", "triggers", None, "ok"]
    inputs += [None, "ng", None, "unjudged", None, "missed", None, "confirmed", None, None, None, "canary_u32"]
    inputs += [None, "canary_f32"]
    for address, name in enumerate(inputs):
        if name is not None:
            assert at[Table.INPUT, name] == address
    holding = ["command", "plc_hb", "job_req", "job_token", "part", None, "ack_seq"]
    assert [at[Table.HOLDING, name] for name in holding if name] == [0, 1, 2, 3, 4, 6]
    coils = "TRIGGER TRIG_ENABLE RESULT_ACK BUFFER_EN JOB_EXEC FAULT_RESET COUNTER_RESET LINE_RUN PLC_HB"
    assert [at[Table.COIL, name] for name in coils.split()] == list(range(9))
    bits = "READY TRIG_ACK BUSY RESULT_VALID OK NG UNJUDGED FAULT HB JOB_BUSY JOB_DONE JOB_FAIL"
    bits += " MISSED_TRIG OVERRUN LINE_STOP_REQ DEGRADED"
    assert [at[Table.DISCRETE, name] for name in bits.split()] == list(range(16))
    assert (size(Table.INPUT), size(Table.HOLDING), size(Table.COIL)) == (34, 7, 16)


def test_every_field_of_the_images_has_its_place() -> None:
    taken = {p.field for p in points(Table.INPUT) if p.field}
    assert taken == {f.name for f in fields(OutImage)}
    taken = {p.field for p in points(Table.HOLDING) if p.field}
    assert taken == {f.name for f in fields(InImage)} - {"at_ns", "encoder", "seen_seq"}


def test_bytes_of_an_image() -> None:
    image = OutImage(
        status=Status.READY | Status.HB,
        heartbeat=7,
        seq=0x1234,
        part=0xA1B2C3D4,
        disposition=WireCode.NG,
        score_milli=7100,
        latency_ms=70_000,
        triggers=0x10002,
    )
    words = pack_out(image)
    assert words[:16] == (0x0101, 0x0100, 7, 0x1234, 0xA1B2, 0xC3D4, 2, 0, 7100, 0, 65535, 0, 0, 0, 0, 0x1234)
    assert words[16:18] == (1, 2)
    assert words[30:34] == (0x1234, 0x5678, 0x42F6, 0xE979)
    low = pack_out(image, WordOrder.LOW_FIRST)
    assert low[4:6] == (0xC3D4, 0xA1B2)
    assert low[30:34] == (0x5678, 0x1234, 0xE979, 0x42F6)


@given(words=st.lists(U16, min_size=7, max_size=7), order=ORDERS)
def test_what_the_plc_writes_comes_back(words: list[int], order: WordOrder) -> None:
    image = unpack_in(words, 5, order=order)
    assert pack_in(image, order) == (words[0] & 0x1FF, *words[1:])


@given(part=U32, triggers=U32, score=st.integers(-5, 10**6), seq=U16, order=ORDERS)
def test_what_the_box_says_comes_back(part: int, triggers: int, score: int, seq: int, order: WordOrder) -> None:
    image = OutImage(seq=seq, part=part, triggers=triggers, score_milli=score, status=Status.OK)
    back = unpack_out(pack_out(image, order), order)
    assert (back.seq, back.part, back.triggers, back.status) == (seq, part, triggers, Status.OK)
    assert back.score_milli == min(max(score, 0), 65535)


def test_a_torn_block_is_refused() -> None:
    words = list(pack_out(OutImage(seq=3)))
    words[15] = 2
    with pytest.raises(ValueError, match=r"seq 3\.\.2"):
        unpack_out(words)


def test_kinds_and_codes() -> None:
    assert Kind.U32.words == Kind.F32.words == 2
    assert all(code.words for code in FaultCode)
    assert sum(Command) == 0x1FF
    assert sum(Status) == 0xFFFF
