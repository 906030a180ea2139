"""Every row must be able to fail: what is judged by is spoilt on purpose, and the verdict is the one it must be."""

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from okng.records.check import Balance
from okng.tests.powercut.points import Outcome

from .evidence import NEVER, Effect, Evidence, Strike, effect, spread, states_of
from .matrix import all_rows, run_row
from .report import Report, Result, as_json, page, write
from .row import Finding, Stand
from .row_01_kill import too_long
from .row_03_power import _complaints
from .row_14_clock import changed
from .row_15_runtime import unfelt
from .row_20_screens import noticed

MS = 1_000_000
Lines = list[dict[str, Any]]


def balance(**over: Any) -> Balance:
    counts = dict.fromkeys(
        ("triggers", "ok", "ng", "unjudged", "late", "missed", "ordered", "confirmed", "unconfirmed", "recovered"), 0
    )
    return Balance(**{**counts, "open": 0, "pictures": 0, "epochs": 1, **over})


def logs() -> dict[str, Any]:
    """Ten parts, the fourth and the eighth scratched and rejected; the box READY from the first moment on."""
    world: Lines = []
    plc: Lines = [{"kind": "box", "state": "ready", "at_ns": 1 * MS, "beat_ns": 0}]
    ledger: Lines = []
    for index in range(10):
        bad, number, eye = index in (3, 7), 101 + index, 1000 * (index + 1)
        end = {"end": "bin", "contact_mm": 0.5} if bad else {"end": "outfeed", "contact_mm": None}
        label = "scratch" if bad else "good"
        world.append({"kind": "part", "index": index, "label": label, "eye": eye, "faults": [], **end})
        said = {"disposition": "ng", "action": "reject"} if bad else {"disposition": "ok", "action": "pass"}
        times = {"written_ns": (100 + index) * MS, "read_ns": (110 + index) * MS}
        plc.append({"kind": "part", "part": number, "eye": eye, "trigger": "accepted", "window_whole": bad})
        plc[-1] |= {**said, **times, "why": said["disposition"]}
        ledger.append({"part": number, "action": "REJECT" if bad else "PASS", "why": "ng" if bad else "ok"})
    return {"world": world, "plc": plc, "ledger": ledger, "balance": balance()}


def test_a_run_without_fault_is_not_objected_to() -> None:
    found = Evidence(**logs())
    assert found.objections == []
    assert (found.escapes, found.false_rejects) == (0, 0)


SPOILT: list[tuple[str, Callable[[dict[str, Any]], object], str, int]] = [
    (
        "the PLC lets pass what the ledger rejects",
        lambda made: made["ledger"][0].update(action="REJECT", why="late"),
        "passed without ok: 1 (parts 101)",
        1,
    ),
    (
        "a scratched part goes on with an OK of its own",
        lambda made: (made["world"][3].update(end="outfeed"), made["ledger"][3].update(action="PASS", why="ok")),
        "defective parts passed: 1 (parts 104)",
        1,
    ),
    (
        "an OK for a picture that was an old one again",
        lambda made: made["world"][1].update(faults=["freeze"]),
        "ok without picture: 1 (parts 102)",
        1,
    ),
    ("two dispositions", lambda made: made["ledger"].append(made["ledger"][5]), "two dispositions: 1 (parts 106)", 1),
    ("no disposition", lambda made: made["ledger"].pop(5), "no disposition: 1 (parts 106)", 1),
    (
        "a part nobody gave",
        lambda made: made["ledger"].append({**made["ledger"][0], "part": 999}),
        "unknown parts: 1",
        0,
    ),
    (
        "an unbalanced ledger",
        lambda made: made.update(balance=balance(problems=["triggers 3 are not OK 2"])),
        "ledger: triggers 3 are not OK 2",
        0,
    ),
    ("an open trigger", lambda made: made.update(balance=balance(open=2)), "ledger: 2 triggers without", 0),
]


@pytest.mark.parametrize(("spoil", "said", "escapes"), [each[1:] for each in SPOILT], ids=[each[0] for each in SPOILT])
def test_a_spoilt_account_is_objected_to(spoil: Callable[[Any], object], said: str, escapes: int) -> None:
    made = copy.deepcopy(logs())
    spoil(made)
    found = Evidence(**made)
    assert any(words.startswith(said) for words in found.objections), found.objections
    assert found.escapes == escapes


def test_an_ok_that_never_reached_the_plc_is_no_wrong_account_if_the_ledger_says_so() -> None:
    made = logs()
    made["world"][0].update(end="bin", contact_mm=0.1)
    made["plc"][1].update(action="reject", disposition=None)
    assert any(words.startswith("ok but hit: 1") for words in Evidence(**made).objections)
    made["ledger"][0].update(delivery="unconfirmed")
    found = Evidence(**made)
    assert found.objections == []
    assert len(found.unread) == 1


def test_a_good_part_rejected_for_no_fault_of_its_own_is_counted() -> None:
    made = logs()
    made["plc"][1].update(action="reject", disposition="late")
    made["world"][0].update(end="bin", contact_mm=0.1)
    made["ledger"][0].update(action="REJECT", why="late")
    made["plc"][2].update(action="reject", disposition="ng")
    made["world"][1].update(end="bin", contact_mm=0.1)
    made["ledger"][1].update(action="REJECT", why="ng")  # overkill of the model is another matter
    assert Evidence(**made).false_rejects == 1


def box(*changes: tuple[str, int, int]) -> Lines:
    return [{"kind": "box", "state": state, "at_ns": at * MS, "beat_ns": beat * MS} for state, at, beat in changes]


def test_when_the_plc_saw_it() -> None:
    plc = box(("ready", 0, 0), ("not_ready", 1050, 1000), ("dead", 1390, 1090), ("ready", 3000, 2990))
    found = effect(states_of(plc, 2**63), Strike("kill", 1000 * MS), 2**63)
    assert (found.detect_ms, found.beat_ms, found.ready_ms) == (50.0, 90.0, 2000.0)


def test_ready_that_falls_for_a_handshake_is_no_fault() -> None:
    plc = box(("ready", 0, 0), ("not_ready", 1050, 1000), ("ready", 1060, 1000), ("not_ready", 1200, 1100))
    assert [seen.state for seen in states_of(plc, 1210 * MS)] == ["ready"]
    assert [seen.state for seen in states_of(plc, 2000 * MS)] == ["ready", "not_ready"]


def test_what_the_plc_never_saw_is_said_to_be_never() -> None:
    ready = box(("ready", 0, 0))
    assert effect(states_of(ready, 2**63), Strike("kill", 1000 * MS), 2**63).detect_ms == NEVER
    gone = box(("ready", 0, 0), ("dead", 1300, 1000))
    assert effect(states_of(gone, 2**63), Strike("kill", 1000 * MS), 2**63).ready_ms == NEVER
    assert spread([1.0, NEVER, 3.0, 2.0]) == {"n": 3, "p50": 2.0, "max": 3.0, "never": 1}


def with_states(*changes: tuple[str, int, int], strikes: tuple[Strike, ...] = ()) -> Evidence:
    made = logs()
    return Evidence(**{**made, "plc": [*box(*changes), *made["plc"][1:]]}, strikes=strikes, stopped_ns=9000 * MS)


def test_a_row_of_the_screens_fails_where_the_line_noticed_or_nothing_was_compared() -> None:
    calm, fell = with_states(("ready", 0, 0)), with_states(("ready", 0, 0), ("dead", 500, 200), ("ready", 900, 890))
    assert noticed(calm, [10.0], [12.0]) == []
    assert noticed(calm, [], [12.0]) == ["no part came unhammered"]
    assert noticed(calm, [10.0], []) == ["no part came hammered"]
    assert noticed(calm, [10.0], [31.0]) == ["trigger to result took 3.1 times as long"]
    assert noticed(fell, [10.0], [10.0]) == ["READY fell 1 times"]


def test_a_kill_beside_a_standby_fails_where_ready_is_away_too_long() -> None:
    strike = Strike("kill the judge", 0)
    fell, never_fell = Effect(strike, 100.0, 0.0, 700.0), Effect(strike, NEVER, 0.0, 0.0)
    assert too_long("the judge killed", [never_fell, fell], 600.0) == []
    assert too_long("the judge killed", [never_fell, fell], 599.0) == [
        "with a standby, the judge killed: 600 ms without READY"
    ]
    gone = Effect(strike, 100.0, 0.0, NEVER)
    assert too_long("the judge killed", [gone], 600.0) == ["with a standby, the judge killed: READY did not come back"]
    assert too_long("the judge killed", [], 600.0) == ["with a standby, the judge killed: it was not"]


def test_an_act_that_was_never_stopped_in_the_middle_does_not_hold() -> None:
    halves = [Outcome("an act", 5, old=2, new=3), Outcome("an act", 5, new=5), Outcome("an act", 5, old=5)]
    assert [one.holds for one in halves] == [True, False, False]
    said = _complaints([("kill", one) for one in halves])
    assert [words.partition(": ")[2].partition(":")[0] for words in said] == [
        "0 times the old, 5 times the new",
        "5 times the old, 0 times the new",
    ]
    assert _complaints([("cut", Outcome("an act", 2, 1, 0, ["2 of 2: torn"]))]) == ("an act, cut at 2 of 2: torn",)


def test_a_row_of_the_clock_fails_where_verdicts_change() -> None:
    def found(spoil: Callable[[Lines], object]) -> list[str]:
        made, complaints = logs(), list[str]()
        spoil(made["plc"])
        changed(Evidence(**made).parts, complaints)
        return complaints

    def all_are(disposition: str) -> Callable[[Lines], object]:
        return lambda plc: [line.update(disposition=disposition) for line in plc[1:]]

    assert found(lambda plc: None) == []
    assert found(all_are("late")) == ["10 of 10 parts got neither OK nor NG"]
    assert found(all_are("ng")) == ["8 good parts of 10 were called NG"]
    assert found(lambda plc: [line.update(trigger="missed") for line in plc[1:]]) == ["no part was taken"]


def test_a_row_of_the_runtime_fails_where_nothing_was_lost_or_it_never_came_back() -> None:
    struck = (Strike("device lost", 50 * MS), Strike("device starved", 2000 * MS))
    quiet = with_states(("ready", 0, 0), strikes=struck)
    words = "READY stayed and every part was judged: nothing was lost"
    assert unfelt(quiet) == [f"device lost: {words}", f"device starved: {words}"]
    felt = (("not_ready", 60, 50), ("ready", 500, 490), ("not_ready", 2100, 2090))
    assert unfelt(with_states(("ready", 0, 0), *felt, strikes=struck)) == ["device starved: READY did not come back"]
    assert unfelt(with_states(("ready", 0, 0), *felt, ("ready", 2500, 2490), strikes=struck)) == []
    made = logs()
    made["plc"][1].update(disposition="unjudged", action="reject")
    assert unfelt(Evidence(**made, strikes=(struck[0],), stopped_ns=9000 * MS)) == [f"device starved: {words}"]


class Broken:
    """A row that breaks off, or finds what it did not expect."""

    number, fault, how, expected = 99, "a fault", "somehow", "nothing"

    def __init__(self, error: Exception | None) -> None:
        self.error = error

    def run(self, stand: Stand) -> Finding:
        if self.error is not None:
            raise self.error
        return Finding({"ms": 3.0}, ("not as expected",))


@pytest.mark.parametrize(
    ("error", "said"), [(AssertionError("no line"), "broke off: AssertionError: no line"), (None, "not as expected")]
)
def test_a_row_that_does_not_hold_is_told_and_the_report_fails(
    tmp_path: Path, error: Exception | None, said: str
) -> None:
    result = run_row(Broken(error), Stand(tmp_path))
    assert result.complaints == [said]
    report = Report([result])
    assert not report.holds
    assert not as_json(report)["holds"]
    write(report, tmp_path)
    text = (tmp_path / "faults.md").read_text(encoding="utf-8")
    assert "**does not hold**" in text
    assert f"**not as expected:** {said}" in text
    assert "short form" in text


def test_a_report_says_its_form_and_every_row(tmp_path: Path) -> None:
    good = Result(1, "kill", "SIGKILL", "READY", {"ready ms": spread([1.0, 2.0]), "kills": 2}, parts=10)
    text = page(Report([replace(good, short=False, seed=7, at="2026-11-26T15:00:00Z")]))
    assert "Run: full length. 2026-11-26T15:00:00Z, seed 7" in text
    assert "| 1 | kill | full length | 10 | 0 | holds |" in text
    assert "ready ms: p50 1.0, max 2.0 (n 2)" in text


def test_rows_that_were_not_run_this_time_stay(tmp_path: Path) -> None:
    made = [Result(number, f"fault {number}", "how", "expected", {"n": 1}) for number in (1, 2)]
    write(Report(made), tmp_path)
    write(Report([replace(made[1], fault="run again")]), tmp_path)
    text = (tmp_path / "faults.md").read_text(encoding="utf-8")
    assert "## 1. fault 1" in text
    assert "## 2. run again" in text
    assert "fault 2" not in text


def test_every_row_says_what_it_is() -> None:
    rows = all_rows()
    assert len({row.number for row in rows}) == len(rows)
    for row in rows:
        assert 1 <= row.number <= 22
        assert row.fault
        assert row.how
        assert row.expected


class Many:
    """A row that has many injuries of a kind."""

    number, fault, how, expected = 98, "a fault", "somehow", "nothing"

    def run(self, stand: Stand) -> Finding:
        return Finding({"times": stand.many(1, 9)})


def test_a_row_with_another_number_of_injuries_says_so(tmp_path: Path) -> None:
    asked = Stand(tmp_path, short=False, times=4)
    assert run_row(Many(), asked).form == "4 of a kind"
    assert run_row(Many(), Stand(tmp_path, short=False)).form == "full length"
    assert run_row(Broken(None), asked).form == "full length"  # it has no number of its own
