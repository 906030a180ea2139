"""The judge has to object: each count is shown to rise when a log is spoilt in exactly its way."""

import copy
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from okng.simline.judge import OBJECTIONS, BadLog, join, judge, main, read_log

Lines = list[dict[str, Any]]
MS = 1_000_000


def logs() -> tuple[Lines, Lines, Lines]:
    """Ten parts numbered 101..110, the fourth and the eighth bad: a run without fault."""
    world, plc, ledger = [], [], []
    for index in range(10):
        bad, number, eye = index in (3, 7), 101 + index, 1000 * (index + 1)
        world.append(
            {
                "kind": "part", "index": index, "label": "crack" if bad else "good", "name": f"{index}.png", "eye": eye,
                "end": "bin" if bad else "outfeed", "contact_mm": 0.5 if bad else None, "faults": [], "exposures": 1,
            }
        )  # fmt: skip
        plc.append(
            {
                "kind": "part", "part": number, "eye": eye, "trigger": "accepted", "written_ns": 1000 * MS,
                "read_ns": (1010 + index) * MS, "disposition": "ng" if bad else "ok",
                "window_whole": True if bad else None,
                "action": "reject" if bad else "pass", "why": "ng" if bad else "ok",
            }
        )  # fmt: skip
        ledger.append({"part": number, "action": "REJECT" if bad else "PASS"})
    world.append({"kind": "end", "held_ms": 12.5, "slowed_ms": 3.0})
    plc.append({"kind": "end", "tally": {}})
    return world, plc, ledger


def test_a_run_without_fault_is_clean() -> None:
    found = judge(*logs())
    assert found.clean
    assert {name: getattr(found, name) for name in OBJECTIONS} == dict.fromkeys(OBJECTIONS, 0)
    assert (found.parts, found.hit, found.passed, found.left_on_belt) == (10, 2, 8, 0)
    assert (found.held_ms, found.slowed_ms, found.contact_max_mm) == (12.5, 3.0, 0.5)
    assert found.trigger_to_ok_ms == {"n": 8, "p50": 14.0, "p99": 19.0, "p999": 19.0, "max": 19.0}
    assert found.trigger_to_result_ms["n"] == 10


def set_world(index: int, **over: Any) -> Callable[[Lines, Lines, Lines], None]:
    return lambda world, plc, ledger: world[index].update(over)


def set_plc(index: int, **over: Any) -> Callable[[Lines, Lines, Lines], None]:
    return lambda world, plc, ledger: plc[index].update(over)


def set_ledger(index: int, action: str) -> Callable[[Lines, Lines, Lines], None]:
    return lambda world, plc, ledger: ledger[index].update(action=action)


SPOILT: list[tuple[str, Callable[[Lines, Lines, Lines], object], dict[str, int], int]] = [
    ("a part the ledger rejects goes on", set_ledger(2, "REJECT"), {"passed_without_ok": 1}, 103),
    (
        "a part nobody decided on goes on",
        lambda w, p, led: led.pop(5),
        {"passed_without_ok": 1, "no_disposition": 1},
        106,
    ),
    (
        "a reject was not blown off",
        set_world(3, end="outfeed", contact_mm=None),
        {"passed_without_ok": 1, "reject_not_hit": 1},
        104,
    ),
    (
        "a part with an OK and the PLC's pass is blown off",
        set_world(4, end="bin", contact_mm=9.0),
        {"ok_but_hit": 1, "neighbour_touched": 1},
        105,
    ),
    (
        "a part with an OK is ordered out",
        lambda w, p, led: (
            w[4].update(end="bin", contact_mm=0.0),
            p[4].update(action="reject", window_whole=True, why="no result"),
        ),
        {"ok_but_hit": 1},
        105,
    ),
    (
        "a missed trigger is not in the ledger",
        lambda w, p, led: (p[3].update(trigger="missed"), led.pop(3)),
        {"no_disposition": 1},
        104,
    ),
    ("a reject is in the ledger twice", lambda w, p, led: led.append(dict(led[3])), {"two_dispositions": 1}, 104),
    (
        "a pass is in the ledger twice",
        lambda w, p, led: led.append(dict(led[2])),
        {"two_dispositions": 1, "passed_without_ok": 1},
        103,
    ),
    ("the jet met a reject too far back", set_world(3, contact_mm=5.1), {"off_leading_edge": 1}, 104),
    (
        "the PLC never saw a part",
        lambda w, p, led: (p.pop(9), led.pop(9)),
        {"unseen": 1, "passed_without_ok": 1},
        9,
    ),
    (
        "the ledger knows a part nobody had",
        lambda w, p, led: led.append({"part": 999, "action": "REJECT"}),
        {"unknown_parts": 1},
        999,
    ),
    *[
        (f"OK for a part whose picture was spoilt: {kind}", set_world(1, faults=[kind]), {"ok_without_picture": 1}, 102)
        for kind in ("drop", "incomplete", "freeze", "repeat", "wrong_size", "wrong_format", "black")
    ],
]  # fmt: skip


@pytest.mark.parametrize(("name", "spoil", "counts", "offender"), SPOILT, ids=[each[0] for each in SPOILT])
def test_the_judge_objects(
    name: str, spoil: Callable[[Lines, Lines, Lines], object], counts: dict[str, int], offender: int
) -> None:
    spoilt = copy.deepcopy(logs())
    spoil(*spoilt)
    found = judge(*spoilt)
    assert not found.clean
    assert {each: getattr(found, each) for each in OBJECTIONS if getattr(found, each)} == counts
    for each in counts:
        assert list(found.offenders[each]) == [offender]


def test_every_objection_is_proven_above() -> None:
    assert {each for _, _, counts, _ in SPOILT for each in counts} == set(OBJECTIONS)


@pytest.mark.parametrize(
    ("spoil", "counts"),
    [
        (set_plc(3, trigger="untriggered: channel busy"), {"untriggered": 1}),
        (set_plc(3, trigger="unanswered"), {"unanswered": 1}),
        (set_plc(3, trigger="missed"), {"missed": 1}),
        (set_plc(3, window_whole=False), {"window_cut": 1}),
        (set_world(2, end="belt"), {"left_on_belt": 1}),
    ],
)
def test_what_costs_only_yield_is_counted_without_objection(
    spoil: Callable[[Lines, Lines, Lines], None], counts: dict[str, int]
) -> None:
    spoilt = logs()
    spoil(*spoilt)
    found = judge(*spoilt)
    assert found.clean
    assert all(getattr(found, name) == count for name, count in counts.items())


def test_an_untriggered_part_needs_no_line_in_the_ledger() -> None:
    world, plc, ledger = logs()
    plc[3]["trigger"] = "untriggered: no link"
    del ledger[3]
    assert judge(world, plc, ledger).clean


def test_offenders_are_at_most_twenty() -> None:
    world = [{"kind": "part", "index": at, "label": "good", "eye": at, "end": "outfeed"} for at in range(50)]
    found = judge(world, [], [])
    assert found.unseen == found.passed_without_ok == 50
    assert list(found.offenders["unseen"]) == list(range(20))


def test_the_join_keeps_label_and_number_together() -> None:
    joined = join(*logs())
    assert [(each.number, each.label) for each in joined][2:5] == [(103, "good"), (104, "crack"), (105, "good")]
    assert asdict(joined[3])["ledger"] == ("REJECT",)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world, plc, ledger = logs()

    def write() -> list[str]:
        for name, lines in (("world", world), ("plc", plc), ("ledger", ledger)):
            (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
        return [str(tmp_path), str(tmp_path / "ledger.jsonl"), "--joined", str(tmp_path / "joined.jsonl")]

    assert main(write()) == 0
    assert json.loads(capsys.readouterr().out)["clean"] is True
    assert len(read_log(tmp_path / "joined.jsonl")) == 10
    ledger[0]["action"] = "REJECT"
    assert main(write()) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["passed_without_ok"] == 1
    assert said["offenders"]["passed_without_ok"] == [101]
    (tmp_path / "world.jsonl").unlink()
    assert main([*write()[:1], str(tmp_path / "none.jsonl")]) == 78
    assert "none.jsonl" in capsys.readouterr().err


def test_a_line_cut_by_a_kill_is_forgiven_and_rubbish_is_not(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"kind": "end"}\n{"kind": "pa')
    assert len(read_log(path)) == 1
    path.write_text('rubbish\n{"kind": "end"}\n')
    with pytest.raises(BadLog, match=r"x\.jsonl:1"):
        read_log(path)
