"""What people said of parts that two models saw."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from okng.bus.errors import BadLedger
from okng.bus.part import Outcome
from okng.records.beside_read import BesideReader, Judged

from ..webui.feed import Line


@pytest.fixture
def line() -> Iterator[Line]:
    folder = Path(tempfile.mkdtemp(prefix="okb", dir="/tmp"))
    made = Line(folder, folder / "store")
    made.add_people()
    made.start()
    yield made
    made.close()
    shutil.rmtree(folder)


def at_of(line: Line, seq: int) -> tuple[int, int]:
    with BesideReader(line.store)._reader.asking() as ask:
        row = ask.first("select part, triggered_ns from part where seq = ?", [seq])
    assert row is not None
    return row["part"], row["triggered_ns"]


def say(line: Line, seq: int, truth: str, second: bool = False) -> None:
    answer = line.ask("label.set", {"seq": seq, "truth": truth, "second": second}, "lead")
    assert answer.done, answer.detail


def test_the_newest_label_that_stands_counts_and_a_second_person_s_is_none(line: Line) -> None:
    for _ in range(3):
        line.judge(Outcome.NG)
    line.judge(Outcome.OK)
    say(line, 1, "defect")
    say(line, 1, "good")
    say(line, 2, "unsure")
    reader = BesideReader(line.store)
    places = [at_of(line, seq) for seq in (1, 2, 3, 4)]
    found = reader.judged([*places, (places[0][0], 12345), (99, 1)])
    assert [(one.seq, one.truth) for one in found] == [(1, "good"), (2, "unsure"), (3, ""), (4, "")]
    assert isinstance(found[0], Judged)
    assert (found[0].part, found[0].at_ns) == places[0]
    (model,) = _models(line)
    assert reader.reviewed(model, "") == [True]
    say(line, 3, "defect")
    assert reader.reviewed(model, "") == [True, False]
    assert reader.reviewed(model, "2999") == []
    assert reader.reviewed("0" * 64, "") == []
    assert reader.rejects(model) == (4, 3)
    assert reader.rejects("0" * 64) == (0, 0)


def _models(line: Line) -> set[str]:
    with BesideReader(line.store)._reader.asking() as ask:
        return {row["model"] for row in ask("select distinct model from part", [])}


def test_without_a_ledger_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadLedger):
        BesideReader(tmp_path).judged([(1, 1)])
