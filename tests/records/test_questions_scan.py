"""What the screens ask goes by an index: on a ledger as the benchmark makes it, nothing is walked from end to end."""

import random
from pathlib import Path

from okng.bench.records_ledger import balanced, grow
from okng.bench.records_questions import ask_all
from okng.records.read import LedgerReader

PARTS = 9000
MOST = 1000
"""What a question may be answered with at most; below PARTS, so a walk over all of them shows."""


def test_no_question_walks_the_whole_ledger(tmp_path: Path) -> None:
    grow(tmp_path / "store", PARTS)
    assert balanced(tmp_path / "store") == []
    asked = ask_all(tmp_path / "store", PARTS, 3, random.Random(1))
    assert {one.what: one.scanned for one in asked if one.scanned > MOST} == {}
    assert len(asked) > 30
    # Parts that no model said anything of break no run, neither for the triggers nor in what is made of older rows.
    with LedgerReader(tmp_path / "store").asking() as ask:
        (runs,) = ask("select count(*) as n, sum(bare) as bare from run")
    assert runs == {"n": 1, "bare": PARTS // 100}
    # The watch sees a walk where there is one.
    from okng.bench import records_questions

    reader = LedgerReader(tmp_path / "store")
    watch = records_questions.Watch()
    with watch.looking():
        reader.rows(10, text="no such letters")
    assert watch.scanned >= PARTS - 1
