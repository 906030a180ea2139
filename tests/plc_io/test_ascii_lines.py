"""Lines out of any bytes in any slices: nothing damaged becomes a line, a good line after a line end always does."""

from itertools import pairwise
from pathlib import Path

import minimalmodbus
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from pymodbus.framer import FramerRTU

from okng.plc_io.ascii_dialects import BARE, DIALECTS, FESTO, OKNG, Heard, Kind, Mistake, dialect_of
from okng.plc_io.ascii_lines import LONGEST, Echo, LineCounts, LineReader, crc16, seal, unseal
from okng.plc_io.ascii_options import AsciiOptions
from okng.plc_io.signals import WireCode

TEXT = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=LONGEST)
ENDS = st.sampled_from(["\r", "\n", "\r\n", "\n\r", "\r\r\n"])
MS = 1_000_000


def sliced(data: bytes, cuts: list[int]) -> list[bytes]:
    """Data in pieces that end at the cuts."""
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(places)]


def fed(reader: LineReader, pieces: list[bytes]) -> list[str]:
    """All lines of the pieces."""
    return [line for piece in pieces for line in reader.feed(piece)]


@given(st.binary(max_size=300))
def test_the_check_sum_is_that_of_two_libraries(data: bytes) -> None:
    on_the_wire = crc16(data).to_bytes(2, "little")  # as Modbus RTU sends it
    assert on_the_wire == minimalmodbus._calculate_crc(data)
    assert on_the_wire == FramerRTU.compute_CRC(data).to_bytes(2, "big")


def test_the_check_sum_of_the_catalogue() -> None:
    assert crc16(b"123456789") == 0x4B37
    assert seal("R,7,OK") == f"R,7,OK,{crc16(b'R,7,OK'):04X}"
    assert unseal(seal("R,7,OK")) == "R,7,OK"
    assert unseal(seal("R,7,OK").lower().replace("r,7,ok", "R,7,OK")) == "R,7,OK", "hex digits of either case"


@given(TEXT)
def test_one_changed_character_is_found(text: str) -> None:
    line = seal(text)
    for place in range(len(line)):
        other = line[:place] + ("0" if line[place] != "0" else "1") + line[place + 1 :]
        assert unseal(other) is None


@given(st.lists(st.tuples(TEXT, ENDS), max_size=12), st.lists(st.integers(0, 2000), max_size=30))
def test_the_slices_do_not_matter(said: list[tuple[str, str]], cuts: list[int]) -> None:
    data = "".join(text + end for text, end in said).encode()
    counts = LineCounts()
    assert fed(LineReader(counts), sliced(data, cuts)) == [text for text, _ in said]
    assert counts == LineCounts()


@given(st.binary(max_size=400), st.lists(st.integers(0, 2000), max_size=30), TEXT)
def test_noise_in_any_slices_costs_only_its_own_lines(noise: bytes, cuts: list[int], text: str) -> None:
    whole, cut = LineCounts(), LineCounts()
    data = noise + b"\r" + text.encode() + b"\n"
    at_once = LineReader(whole).feed(data)
    assert fed(LineReader(cut), sliced(data, cuts)) == at_once
    assert cut == whole
    assert at_once[-1] == text, "a line after a line end is always read"
    assert all(len(line) <= LONGEST and line.isascii() and line.isprintable() for line in at_once)


@given(st.integers(LONGEST + 1, 10_000), st.integers(1, 99))
def test_a_line_without_end_is_bounded(length: int, step: int) -> None:
    counts = LineCounts()
    reader = LineReader(counts)
    data = b"T" * length
    assert fed(reader, [data[i : i + step] for i in range(0, length, step)]) == []
    assert len(reader._held) <= LONGEST
    assert counts.overlong == 1
    assert reader.feed(b"T,1\rT,2\r") == ["T,2"], "the rest of the long line is no line"


@settings(max_examples=200)
@given(st.binary(max_size=200), st.sampled_from(sorted(DIALECTS)))
def test_noise_is_never_a_command_with_a_check_sum(noise: bytes, name: str) -> None:
    for line in LineReader(LineCounts()).feed(noise + b"\r"):
        heard = DIALECTS[name].understand(line)
        if isinstance(heard, Heard) and DIALECTS[name].crc:
            assert unseal(line) is not None
        elif isinstance(heard, Heard):
            assert line == DIALECTS[name].trigger


def test_what_each_line_means() -> None:
    said = {
        "T,0": Heard(Kind.TRIGGER),
        "T,4294967295": Heard(Kind.TRIGGER, part=4294967295),
        "A,7": Heard(Kind.ACK, part=7),
        "J,3,65535": Heard(Kind.JOB, job=3, token=65535),
        "H,9": Heard(Kind.BEAT, n=9),
        "F,2": Heard(Kind.RESET, fault=2),
    }
    for body, meaning in said.items():
        assert OKNG.understand(seal(body)) == meaning
        assert OKNG.understand(body) is Mistake.BAD_CRC
    for body in ("T,4294967296", "T,", "T,-1", "T,1,", "T,1 ", "J,1", "H,65536", "H,99999999999", "R,1,OK", "x", "T,١"):
        if body.isascii():
            assert OKNG.understand(seal(body)) is Mistake.UNKNOWN, body
    assert FESTO.understand("TRG") == Heard(Kind.TRIGGER)
    assert FESTO.understand("TRGP") is Mistake.UNKNOWN


def test_everything_but_ok_is_the_word_for_reject() -> None:
    for dialect in DIALECTS.values():
        words = {code: dialect.word(code) for code in WireCode}
        assert [code for code, word in words.items() if word == dialect.passed] == [WireCode.OK]
    assert OKNG.word(WireCode.LATE) == OKNG.word(WireCode.UNJUDGED) == "UN"


def test_the_dialects_that_have_no_number_say_so() -> None:
    assert {name: d.compatibility for name, d in DIALECTS.items() if not d.ids} == dict.fromkeys(
        ("omron", "festo", "bare"), "no id: only one part in flight"
    )
    assert OKNG.compatibility == ""


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"passed": "NG"}, "rejected and unjudged do not use"),
        ({"result": "fixed"}, "expected {word}"),
        ({"result": "{word}{seq}"}, "{part}, {word} at most"),
        ({"result": "{word!r}"}, "at most"),
        ({"result": "{word"}, "at most"),
        ({"trigger": "OK"}, "no answer"),
        ({"trigger": "T,{part}"}, "the result carries none"),
        ({"trigger": ""}, "none of them empty"),
        ({"missed": "OK"}, "another line than that of a part that may pass"),
        ({"passed": "O\rK"}, "printable"),
    ],
)
def test_templates_that_would_mislead_are_refused(change: dict[str, str], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint.replace("{", r"\{")):
        dialect_of("bare", **change)
    with pytest.raises(ValidationError):
        AsciiOptions.model_validate({"dialect": "bare", **change})


def test_templates_are_settings() -> None:
    spoken = AsciiOptions(dialect="bare", trigger="GO", passed="1", rejected="0", missed="", ending="lf").spoken()
    assert spoken.understand("GO") == Heard(Kind.TRIGGER)
    assert (spoken.word(WireCode.OK), spoken.word(WireCode.NG), spoken.missed, spoken.ending) == ("1", "0", "", "\n")
    assert BARE.trigger == "T"


def test_our_own_lines_are_known_when_they_come_back() -> None:
    echo = Echo()
    echo.sent("S,1", 0, ours=True)
    echo.sent("H,5", 1, ours=False)
    assert echo.is_echo("S,1", 900 * MS), "only the box says it: an echo however late"
    assert echo.known
    assert echo.is_echo("H,5", 900 * MS), "and now the rest of them too"
    assert not echo.is_echo("H,5", 901 * MS), "once for each time it was sent"


def test_a_heartbeat_that_was_sent_long_ago_is_the_plcs() -> None:
    echo = Echo()
    echo.sent("H,5", 0, ours=False)
    assert not echo.is_echo("H,5", 301 * MS)
    echo.sent("H,6", 400 * MS, ours=False)
    assert echo.is_echo("H,6", 500 * MS)
    assert not echo.known
    echo.sent("H,7", 500 * MS, ours=False)
    echo.clear()
    assert not echo.is_echo("H,7", 500 * MS)


def test_the_page_says_what_the_dialects_say() -> None:
    page = (Path(__file__).parents[2] / "docs" / "protocol" / "ascii.md").read_text(encoding="utf-8")
    examples = [line.split()[1] for line in page.splitlines() if line.startswith(("    PLC ", "    box "))]
    assert len(examples) == 7
    assert all(unseal(line) is not None for line in examples)
    for name, dialect in DIALECTS.items():
        if dialect.ids:
            continue
        good = dialect.result.replace("{word}", dialect.passed)
        assert f"| `{name}` | `{dialect.trigger}` | `{good}`, `{dialect.missed}` |" in page
