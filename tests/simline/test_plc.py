"""The PLC against boxes that behave and boxes that do not: whatever the box does, nothing passes without its OK."""

import itertools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from okng.simline.link import Link
from okng.simline.plan import Modbus, parse_plan
from okng.simline.program import Program
from okng.simline.signals import COMMANDS, Exchange, Order

S = 1_000_000_000
START = 1 * S


def sevenths(part: int) -> tuple[str, float]:
    return ("NG" if part % 7 == 0 else "OK", 0.02)


def safe(judgement: Any) -> None:
    assert judgement.passed_without_ok == 0
    assert judgement.two_dispositions == judgement.unseen == judgement.unknown_parts == 0
    assert judgement.reject_not_hit == judgement.off_leading_edge == judgement.neighbour_touched == 0
    assert judgement.window_cut == 0


def test_a_good_box_gets_every_part_right(core: Any, make_plan: Any, virtually: Any) -> None:
    box = core(answer=sevenths)
    run = virtually(make_plan(count=200), box)
    assert run.judgement.clean
    assert (run.judgement.hit, run.judgement.passed) == (28, 172)
    assert run.tally["accepted"] == run.tally["results"] == 200
    assert box.acked == box.parts == list(range(1, 201))
    assert run.judgement.trigger_to_ok_ms["p50"] < 50


@pytest.mark.parametrize("seed", range(4))
def test_changing_speeds_stops_and_faults_change_nothing(core: Any, make_plan: Any, virtually: Any, seed: int) -> None:
    box = core(answer=sevenths)
    found = make_plan(
        count=300, seed=seed, belt={"profile": "varying"}, faults={"percent": 10, "kinds": ["double_edge"]}
    )
    run = virtually(found, box)
    assert run.judgement.clean
    assert run.judgement.hit == 300 // 7
    assert (
        run.tally["phantom_edges"] == sum(bool(each.get("faults")) for each in run.world if each["kind"] == "part") > 10
    )


def test_the_numbers_start_where_told_and_wrap_round_past_zero(core: Any, make_plan: Any, virtually: Any) -> None:
    box = core(answer=sevenths)
    assert virtually(make_plan(count=6, first_part=2**32 - 3), box).judgement.clean
    assert box.parts == [2**32 - 3, 2**32 - 2, 2**32 - 1, 1, 2, 3]


def test_a_stop_before_the_eye_waits_for_a_slow_box_and_without_it_parts_come_unasked(
    core: Any, make_plan: Any, virtually: Any
) -> None:
    """The box exposes for longer than a part takes to come: pitch 50 mm at 3 m/s is 17 ms."""
    quick = {"speed_mm_s": 3000.0, "ramp_mm_s2": 20000.0, "eye_to_gate_mm": 1000.0, "commit_mm": 200.0, "jet_mm": 2.0}
    slow, stopped = core(answer=sevenths, exposure_s=0.03), core(answer=sevenths, exposure_s=0.03)
    free = virtually(make_plan(count=60, belt=quick), slow)
    assert free.tally["accepted"] < 50, "else the box was not slow"
    metered = virtually(make_plan(count=60, belt=quick, metered=9), stopped)
    assert metered.judgement.clean
    assert metered.tally["accepted"] == metered.tally["results"] == 60
    assert stopped.parts == list(range(1, 61))
    eyes = [each["eye_ns"] for each in metered.world if each["kind"] == "part"]
    assert min(later - earlier for earlier, later in itertools.pairwise(sorted(eyes))) >= 30_000_000


def test_no_more_parts_are_under_way_than_the_stop_lets_in(core: Any, make_plan: Any, virtually: Any) -> None:
    """Results take 0.1 s: with two under way at most, 20 parts take a second."""
    quick = {"speed_mm_s": 3000.0, "ramp_mm_s2": 20000.0, "eye_to_gate_mm": 1500.0, "commit_mm": 200.0, "jet_mm": 2.0}
    run = virtually(make_plan(count=40, belt=quick, metered=2), core(answer=lambda part: ("OK", 0.1)))
    assert run.judgement.clean
    eyes = sorted(each["eye_ns"] for each in run.world if each["kind"] == "part")
    assert min(third - first for first, third in zip(eyes, eyes[2:], strict=False)) >= 100_000_000


def test_results_that_never_come_stop_the_line_for_a_second_and_not_for_ever(
    core: Any, make_plan: Any, virtually: Any
) -> None:
    box = core(answer=lambda part: ("NONE", 0) if part == 3 else ("OK", 0.02))
    run = virtually(make_plan(count=8, metered=1), box)
    assert box.parts == list(range(1, 9))
    assert (run.judgement.hit, run.judgement.passed) == (1, 7)


def test_nothing_passes_the_stop_while_the_box_is_not_ready(core: Any, make_plan: Any, virtually: Any) -> None:
    box = core(answer=sevenths, ready=False)
    with pytest.raises(AssertionError, match="does not end"):
        virtually(make_plan(count=3, metered=9, wait_ready_s=0.0), box, limit_s=5.0)
    assert (box.parts, box.missed) == ([], 0)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("no answer", lambda part: ("NONE", 0)),
        ("late verdict", lambda part: ("LATE", 0.1)),
        ("unjudged", lambda part: ("UNJUDGED", 0.02)),
        ("OK after the commit point", lambda part: ("OK", 2.0)),
    ],
)
def test_no_ok_in_time_is_a_reject(core: Any, make_plan: Any, virtually: Any, name: str, answer: Any) -> None:
    box = core(answer=answer)
    run = virtually(make_plan(count=60), box)
    safe(run.judgement)
    assert (run.judgement.hit, run.judgement.passed) == (60, 0)
    if name == "OK after the commit point":
        assert run.judgement.ok_but_hit == 60, "the ledger said PASS: the judge has to see it"
        assert run.tally["late_results"] + run.tally["foreign"] > 50


def test_an_ok_of_another_number_moves_to_no_part(core: Any, make_plan: Any, virtually: Any) -> None:
    run = virtually(make_plan(count=60), core(answer=sevenths, wrong_number=True))
    safe(run.judgement)
    assert run.judgement.passed == 0
    assert run.tally["foreign"] == 60


def test_a_torn_block_is_no_result(core: Any, make_plan: Any, virtually: Any) -> None:
    box = core(answer=sevenths, torn=True)
    run = virtually(make_plan(count=60), box)
    safe(run.judgement)
    assert (run.judgement.passed, run.tally["results"]) == (0, 0)
    assert run.tally["torn"] > 100
    assert box.acked == []


def test_when_the_heartbeat_stops_nothing_more_passes(core: Any, make_plan: Any, virtually: Any) -> None:
    box = core(answer=sevenths, hb_until_ns=START + 3 * S)
    run = virtually(make_plan(count=100), box)
    safe(run.judgement)
    assert run.tally["box_deaths"] == 1
    assert 20 < run.judgement.passed < 50
    later = [each for each in run.plc if each["kind"] == "part" and each["committed_ns"] > START + 3.5 * S + 0.5 * S]
    assert len(later) > 30
    assert {each["action"] for each in later} == {"reject"}
    quiet = [each for each in run.plc if each["kind"] == "part" and each["trigger"] == "untriggered: box dead"]
    assert len(quiet) > 30
    assert not {each["part"] for each in quiet} & set(box.parts), "a dead box is not triggered"


@pytest.mark.parametrize("how", ["before", "between"])
def test_a_cut_wire_costs_its_parts_and_no_more(core: Any, make_plan: Any, virtually: Any, how: str) -> None:
    box = core(answer=sevenths)
    rng = np.random.default_rng(8)
    gaps = [
        (START + 1 * S + at * S, START + 1 * S + at * S + length)
        for at, length in enumerate(rng.integers(2_000_000, S // 2, 12))
    ]
    run = virtually(
        make_plan(count=150), box, lambda now_ns: how if any(low <= now_ns < high for low, high in gaps) else ""
    )
    safe(run.judgement)
    assert run.judgement.no_disposition == 0
    assert run.tally["link_losses"] >= 12
    assert run.judgement.passed > 60, "it comes back"
    assert len(set(box.parts)) == len(box.parts), "a trigger is not raised twice for one part"


def test_a_box_that_restarts_is_taken_up_from_its_first_result(core: Any, make_plan: Any, virtually: Any) -> None:
    box = core(answer=sevenths)
    down = (START + 2 * S, START + 2 * S + S // 5)

    def cut(now_ns: int) -> str:
        if down[0] <= now_ns < down[1]:
            box.seq, box.shown, box.waiting, box.ack, box.trigger = 0, None, [], False, False
            return "before"
        return ""

    run = virtually(make_plan(count=80), box, cut)
    safe(run.judgement)
    assert run.tally["conflicts"] == run.tally["foreign"] == 0
    assert run.judgement.passed > 40


def test_a_box_that_is_not_ready_is_asked_all_the_same_and_counts_it(core: Any, make_plan: Any, virtually: Any) -> None:
    box = core(ready=False)
    run = virtually(make_plan(count=30, wait_ready_s=0), box)
    safe(run.judgement)
    assert run.judgement.clean
    assert box.missed == run.judgement.missed == run.judgement.hit == 30


def test_the_belt_waits_for_the_first_ready(core: Any, make_plan: Any, virtually: Any) -> None:
    with pytest.raises(AssertionError, match="does not end"):
        virtually(make_plan(count=3), core(ready=False), limit_s=8)


def test_a_box_slower_than_the_belt_costs_yield_only(core: Any, make_plan: Any, virtually: Any) -> None:
    box = core(answer=sevenths, exposure_s=0.12)  # the belt brings a part every 83 ms
    run = virtually(make_plan(count=60), box)
    safe(run.judgement)
    assert run.judgement.clean
    assert run.judgement.missed >= 20


def test_another_map_is_not_spoken_to(core: Any, make_plan: Any, virtually: Any) -> None:
    box = core(map_version=0x0200)
    run = virtually(make_plan(count=10, wait_ready_s=0), box)
    safe(run.judgement)
    assert box.parts == []
    assert run.judgement.hit == run.judgement.untriggered == 10


def test_a_plc_that_gets_no_cpu_holds_the_belt(core: Any, make_plan: Any, virtually: Any) -> None:
    """The rule of world.py: a host stall slows the belt, and fakes nothing."""
    box = core(answer=sevenths)
    stalled = lambda now_ns: now_ns % S < 0.3 * S  # noqa: E731
    run = virtually(make_plan(count=120), box, stall=stalled)
    safe(run.judgement)
    assert run.judgement.hit == 120 // 7
    assert run.judgement.held_ms > 1000


@settings(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(seed=st.integers(0, 2**32 - 1), trouble=st.floats(0, 0.4), varying=st.booleans())
def test_whatever_box_wire_and_host_do_nothing_passes_without_its_ok(
    core: Any, virtually: Any, seed: int, trouble: float, varying: bool
) -> None:
    """Answers lost, late, doubled in meaning; wire cut; PLC without CPU; box not ready, torn, dead: all at random."""
    rng = np.random.default_rng(seed)
    answers = {
        part: (str(rng.choice(["OK", "NG", "UNJUDGED", "LATE", "NONE"])), float(rng.uniform(0.001, 1.5)))
        if rng.random() < trouble
        else ("OK", float(rng.uniform(0.001, 0.06)))
        for part in range(1, 61)
    }
    noise = rng.random(4000)

    def bad(kind: int, now_ns: int) -> bool:
        """Return whether this stretch of 50 ms is bad for this kind of trouble."""
        return bool(noise[(now_ns // 50_000_000 * 7 + kind * 1009) % 4000] < trouble * 0.3)

    box = core(answer=lambda part: answers[part])

    def cut(now_ns: int) -> str:
        box.ready, box.torn = not bad(1, now_ns), bad(2, now_ns)
        return ("before", "between")[now_ns // 1_000_000 % 2] if bad(3, now_ns) else ""

    with tempfile.TemporaryDirectory() as folder:
        found = plan_in(Path(folder), varying, int(seed % 1000))
        run = virtually(found, box, cut, stall=lambda now_ns: bad(4, now_ns))
    safe(run.judgement)
    said_ok = {part for part, (said, _) in answers.items() if said == "OK"}
    assert {each["part"] for each in run.plc if each.get("action") == "pass"} <= said_ok
    if trouble < 0.001:
        assert run.judgement.clean


def plan_in(folder: Path, varying: bool, seed: int) -> dict[str, Any]:
    belt = {"speed_mm_s": 600.0, "part_length_mm": 30.0, "pitch_mm": 50.0, "eye_to_gate_mm": 300.0}
    return {
        "out": str(folder / "out"),
        "scenes": str(folder / "scenes"),
        "count": 60,
        "seed": seed,
        "width": 64,
        "height": 64,
        "source": {"kind": "rendered", "pool": 2},
        "belt": belt | {"profile": "varying" if varying else "steady"},
    }


def test_ok_and_ng_at_once_or_bits_without_code_is_no_ok(make_plan: Callable[..., Any]) -> None:
    for status_bits, code in ((0b110000, 1), (0b000000, 1), (0b010000, 2), (0b010000, 7), (0b1010000, 1)):
        program, number = feed(make_plan, 0b1000 | status_bits, code)
        assert program._by_number[number].disposition != "ok", (status_bits, code)
    program, number = feed(make_plan, 0b1000 | 0b010000, 1)
    assert program._by_number[number].disposition == "ok"
    program, number = feed(make_plan, 0b010000, 1)
    assert program._by_number[number].disposition is None, "RESULT_VALID is off"


def feed(make_plan: Callable[..., Any], status: int, code: int) -> tuple[Program, int]:
    """Trigger one part, and show one block for it."""
    program = Program(parse_plan(make_plan()))
    idle = Order(0, 0, 0, 0, 0)

    def block(hb: int, bits: int, seq: int, part: int = 0, said: int = 0) -> tuple[int, ...]:
        return (bits, 0x0100, hb, seq, part >> 16, part & 0xFFFF, said, *[0] * 8, seq)

    for hb in (1, 2):
        program.scan(START, 0, [], [], [Exchange(idle, START, True, block(hb, 1, 0), START)])
    order = program.scan(START, 100, [100], [], [Exchange(idle, START, True, block(2, 1, 0), START)])
    assert order.command & COMMANDS["TRIGGER"]
    program.scan(START, 100, [], [], [Exchange(order, START, True, block(3, 2, 0), START)])
    program.scan(START, 100, [], [], [Exchange(order, START, True, block(3, status, 1, order.part, code), START)])
    return program, order.part


def test_a_second_opinion_makes_a_part_a_reject(make_plan: Callable[..., Any]) -> None:
    program, number = feed(make_plan, 0b1000 | 0b010000, 1)
    program._settle(number, "ng", 2, START)
    program.scan(START, program.plan.counts(300), [], [], [])
    part = program._by_number[number]
    assert (part.action, part.why) == ("reject", "ok, not usable")


def test_an_old_order_is_not_sent_after_the_link_was_lost(core: Any, modbus_box: Any) -> None:
    """A TRIGGER that was high when the wire broke must not rise again on the new connection."""
    box = modbus_box(core())
    link = Link(Modbus(port=box.port))
    high = Order(COMMANDS["TRIGGER"] | COMMANDS["TRIG_ENABLE"], 0, 7, 0, 0)

    def until(ready: Callable[[list[Any]], bool]) -> list[Any]:
        found: list[Any] = []
        end = time.monotonic() + 10
        while not ready(found) and time.monotonic() < end:
            link.post(high)
            time.sleep(0.01)
            found += link.take()
        assert ready(found)
        return found

    try:
        good = until(bool)
        assert good[0].written
        assert good[0].map_fits
        assert box.core.parts == [7]
        box.stop()
        until(lambda found: any(each.block is None for each in found))
        box.core.trigger = False
        box.start()
        for _ in range(30):
            link.post(high)
            time.sleep(0.01)
        assert box.core.parts == [7]
        fresh = Order(COMMANDS["TRIG_ENABLE"], 0, 0, 0, 1)
        end = time.monotonic() + 10
        back: list[Any] = []
        while not back and time.monotonic() < end:
            link.post(fresh)
            time.sleep(0.01)
            back = link.take()
        assert back[0].block is not None
    finally:
        link.close()
        link.close()


@pytest.mark.parametrize(("word_order", "fits"), [("big", True), ("little", False)])
def test_the_canaries_tell_a_wrong_word_order(core: Any, modbus_box: Any, word_order: str, fits: bool) -> None:
    box = modbus_box(core())
    link = Link(Modbus(port=box.port, word_order=word_order))
    try:
        found: list[Any] = []
        end = time.monotonic() + 10
        while not found and time.monotonic() < end:
            link.post(Order(COMMANDS["TRIG_ENABLE"] | COMMANDS["TRIGGER"], 0, 5, 0, 0))
            time.sleep(0.01)
            found = link.take()
        assert found[0].map_fits is fits
        assert box.core.parts == ([5] if fits else [])
    finally:
        link.close()
