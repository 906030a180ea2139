"""The judge of the virtual belt, on runs made by hand: nothing to say of a right one, and each breach told by name."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from okng.simline.belt_evidence import Cause, Evidence, Given, Heard, Ordered, Spell, Written
from okng.simline.belt_judge import judge
from okng.simline.belt_layout import Fate, Gate, Ghost, Laid, Lane, Layout, Touch

GATE = Gate("g", jet_at_mm=200.0, jet_mm=4.0, on_s=0.012, off_s=0.008, link_s=0.004, confirm_at_mm=300.0)
LAYOUT = Layout((Lane("a", (GATE,)),), 40.0, 10.0, 32, 0, parts=(Laid("a", 100.0), Laid("a", 400.0), Laid("a", 700.0)))


def right() -> Evidence:
    """Three parts at 100 mm/s: OK and passed, NG and hit, OK and passed."""
    fates, given, heard, ordered, written = [], [], [], [], []
    for part, good in enumerate((True, False, True)):
        seen_s = 1.0 + 3 * part
        reached_s = seen_s + 1.98
        fates.append(
            Fate(
                part,
                "a",
                {"g": reached_s},
                touch=None if good else Touch("g", reached_s, 0.5),
                past_s=reached_s + 0.7 if good else None,
                seen_s=seen_s,
            )
        )
        number, action, why = part + 11, "PASS" if good else "REJECT", "ok" if good else "ng"
        given.append(Given(number, seen_s, part))
        heard.append(Heard(seen_s + 0.2, number, "top", "OK" if good else "NG", part))
        committed_s = reached_s - 0.1
        ordered.append(Ordered(committed_s, number, action, why, committed_s))
        written.append(Written(reached_s + 1, number, action, why, committed_s, confirmed=True))
    return Evidence(
        LAYOUT,
        fates,
        ("top",),
        deadline_s=1.0,
        commit_mm=20.0,
        group_mm=50.0,
        timely_until_s={part: 2.7 + 3 * part for part in range(3)},
        clear_s={part: 2.0 + 3 * part for part in range(3)},
        given=given,
        heard=heard,
        ordered=ordered,
        written=written,
        counters={"triggers": 3, "ok": 2, "ng": 1, "unjudged": 0, "in_flight": 0, "stale": 0, "unconfirmed": 0},
    )


def broken(run: Evidence) -> set[tuple[str, int | None]]:
    return {(each.invariant, each.part) for each in judge(run)}


def test_a_right_run_is_let_go() -> None:
    assert judge(right()) == []


def _no_disposition(run: Evidence) -> None:
    del run.ordered[0], run.written[0]


def _decided_twice(run: Evidence) -> None:
    run.ordered.append(replace(run.ordered[0], action="REJECT", why="late"))


def _phantom_number(run: Evidence) -> None:
    run.ordered.append(replace(run.ordered[1], number=99))


def _same_number(run: Evidence) -> None:
    run.given[1] = replace(run.given[1], number=11)


def _no_number(run: Evidence) -> None:
    run.given[1] = replace(run.given[1], number=0)


def _written_twice(run: Evidence) -> None:
    run.written.append(run.written[0])


def _ng_not_hit(run: Evidence) -> None:
    run.fates[1].touch, run.fates[1].past_s = None, 7.0


def _silent_not_hit(run: Evidence) -> None:
    del run.heard[0]


def _late_not_hit(run: Evidence) -> None:
    run.heard[0] = replace(run.heard[0], at_s=2.5)


def _one_view_short(run: Evidence) -> None:
    run.views = ("top", "side")


def _ng_passed(run: Evidence) -> None:
    run.ordered[1] = replace(run.ordered[1], action="PASS", why="ok")


def _neighbour_touched(run: Evidence) -> None:
    run.fates[0].touch, run.fates[0].past_s = Touch("g", 3.5, 39.0), None


def _ok_rejected(run: Evidence) -> None:
    run.ordered[2] = replace(run.ordered[2], action="REJECT", why="late")


def _fault_without_a_cause(run: Evidence) -> None:
    run.faults.append(Spell(3.2, 3.4, "nothing"))
    run.stops.append(Spell(3.2, 3.4, "nothing"))


def _stuck(run: Evidence) -> None:
    run.stuck = True


def _met_late(run: Evidence) -> None:
    run.fates[1].touch = Touch("g", 6.1, 5.1)


def _passed_by_a_late_word(run: Evidence) -> None:
    run.heard[0] = replace(run.heard[0], at_s=run.ordered[0].committed_s + 0.001)
    run.deadline_s = 2.5


def _record_differs(run: Evidence) -> None:
    run.written[0] = replace(run.written[0], committed_s=1.5)


def _late_not_counted(run: Evidence) -> None:
    run.heard.append(Heard(8.5, 11, "top", "NG", None))


def _committed_late(run: Evidence) -> None:
    at_s = 1.98 + 4.0 - 0.015
    run.ordered[1] = replace(run.ordered[1], committed_s=at_s)
    run.written[1] = replace(run.written[1], committed_s=at_s)


def _passed_in_a_fault(run: Evidence) -> None:
    run.causes.append(Cause("phantom", 2.0))
    run.faults.append(Spell(2.0, 3.5, "phantom"))
    run.stops.append(Spell(2.0, 3.5, "phantom"))


def _no_stop_in_a_fault(run: Evidence) -> None:
    run.causes.append(Cause("phantom", 3.2))
    run.faults.append(Spell(3.2, 3.4, "phantom"))


def _fault_not_found(run: Evidence) -> None:
    run.causes.append(Cause("phantom", 3.2, 3.3))


def _miscounted(run: Evidence) -> None:
    run.counters["ok"] = 3


def _lost_count(run: Evidence) -> None:
    run.counters["in_flight"] = 1


def _reject_not_hit(run: Evidence) -> None:
    _ok_rejected(run)


def _dead_valve_confirmed(run: Evidence) -> None:
    run.layout = replace(LAYOUT, lanes=(Lane("a", (replace(GATE, dead=True),)),))
    _ng_not_hit(run)


def _hit_and_denied(run: Evidence) -> None:
    run.written[1] = replace(run.written[1], confirmed=False)
    run.counters["unconfirmed"] = 1


def _left_at_another_gate(run: Evidence) -> None:
    run.meant[1] = "h"


def _unconfirmed_not_counted(run: Evidence) -> None:
    _dead_valve_confirmed(run)
    run.written[1] = replace(run.written[1], confirmed=False)


BREACHES: list[tuple[Callable[[Evidence], None], tuple[str, int | None]]] = [
    (_no_disposition, ("I1", 0)),
    (_decided_twice, ("I1", 0)),
    (_phantom_number, ("I1", None)),
    (_same_number, ("I1", 1)),
    (_no_number, ("I1", 1)),
    (_written_twice, ("I1", 0)),
    (_ng_not_hit, ("I2", 1)),
    (_silent_not_hit, ("I2", 0)),
    (_late_not_hit, ("I2", 0)),
    (_one_view_short, ("I3", 0)),
    (_ng_passed, ("I3", 1)),
    (_silent_not_hit, ("I3", 0)),
    (_neighbour_touched, ("I4", 0)),
    (_reject_not_hit, ("I5", 2)),
    (_ng_not_hit, ("I5", 1)),
    (_dead_valve_confirmed, ("I5", 1)),
    (_left_at_another_gate, ("I5", 1)),
    (_hit_and_denied, ("I5", 1)),
    (_ok_rejected, ("I6", 2)),
    (_fault_without_a_cause, ("I6", None)),
    (_stuck, ("I6", None)),
    (_met_late, ("I7", 1)),
    (_decided_twice, ("I8", 0)),
    (_passed_by_a_late_word, ("I8", 0)),
    (_late_not_hit, ("I8", 0)),
    (_record_differs, ("I8", 0)),
    (_late_not_counted, ("I8", None)),
    (_committed_late, ("I9", 1)),
    (_passed_in_a_fault, ("I10", 0)),
    (_no_stop_in_a_fault, ("I10", None)),
    (_fault_not_found, ("I10", None)),
    (_miscounted, ("I11", None)),
    (_lost_count, ("I11", None)),
    (_unconfirmed_not_counted, ("I11", None)),
]


@pytest.mark.parametrize(("breach", "found"), BREACHES)
def test_a_breach_is_told_by_name(breach: Callable[[Evidence], None], found: tuple[str, int | None]) -> None:
    run = right()
    breach(run)
    assert found in broken(run)


def test_a_close_neighbour_of_a_reject_may_share_it() -> None:
    for gap, found in ((49.0, set()), (51.0, {("I6", 0)})):
        run = right()
        run.layout = replace(LAYOUT, parts=(Laid("a", 400.0 - 40 - gap), *LAYOUT.parts[1:]))
        run.ordered[0] = replace(run.ordered[0], action="REJECT", why="ng")
        run.written[0] = replace(run.written[0], action="REJECT", why="ng")
        run.fates[0].touch = Touch("g", 3.0, 0.0)
        run.counters |= {"ok": 1, "ng": 2}
        assert broken(run) == found


def test_a_ghost_close_by_entitles_to_a_reject() -> None:
    run = right()
    run.layout = replace(LAYOUT, ghosts=(Ghost("eye", "a", 160.0),))
    run.ordered[0] = replace(run.ordered[0], action="REJECT", why="ng")
    assert ("I6", 0) not in broken(run)


def test_a_verdict_between_in_time_and_too_late_may_be_taken_or_left() -> None:
    """The bound of I6 leaves the controller room up to the last possible moment."""
    taken = right()
    taken.heard[0] = replace(taken.heard[0], at_s=2.75)
    taken.deadline_s = 2.5
    taken.ordered[0] = replace(taken.ordered[0], committed_s=2.9)
    taken.written[0] = replace(taken.written[0], committed_s=2.9)
    assert judge(taken) == []
    left = right()
    left.heard[0], left.deadline_s = taken.heard[0], 2.5
    left.ordered[0] = replace(left.ordered[0], action="REJECT", why="late", committed_s=2.74, told_s=2.74)
    left.written[0] = replace(left.written[0], action="REJECT", why="late", committed_s=2.74)
    left.fates[0].touch = Touch("g", 2.98, 0.0)
    left.counters |= {"ok": 1, "unjudged": 1, "stale": 1}
    assert judge(left) == []


def test_a_word_that_comes_after_a_part_was_let_go_takes_nothing_back() -> None:
    run = right()
    run.deadline_s = 2.5
    run.heard.append(Heard(run.ordered[0].committed_s + 0.001, 11, "top", "NG", 0))
    run.counters["stale"] = 1
    assert judge(run) == []
    run.heard[-1] = Heard(run.ordered[0].committed_s, 11, "top", "NG", 0)
    assert ("I3", 0) in broken(run)


def test_a_fault_with_a_cause_excuses_its_rejects_and_no_more() -> None:
    run = right()
    run.causes.append(Cause("phantom", 2.0, 2.1))
    run.faults.append(Spell(2.0, 3.5, "phantom"))
    run.stops.append(Spell(2.0, 3.5, "phantom"))
    run.ordered[0] = replace(run.ordered[0], action="REJECT", why="fault", committed_s=2.0, told_s=2.0)
    run.written[0] = replace(run.written[0], action="REJECT", why="fault", committed_s=2.0)
    run.fates[0].touch = Touch("g", 3.0, 20.0)
    run.counters |= {"ok": 1, "unjudged": 1}
    assert judge(run) == []
    run.ordered[2] = replace(run.ordered[2], action="REJECT", why="fault")
    assert ("I6", 2) in broken(run)


def test_a_part_that_never_came_to_its_end_is_not_judged_by_it() -> None:
    run = right()
    run.fates[2] = Fate(2, "a", seen_s=7.0)
    del run.ordered[2], run.written[2]
    run.quiet = False
    run.counters |= {"ok": 1, "in_flight": 1}
    assert judge(run) == []


def test_a_part_gone_astray_is_hit_or_stopped() -> None:
    run = right()
    run.astray = {1: 5.0}
    _ng_not_hit(run)
    assert broken(run) == {("I2", 1), ("I5", 1)}
    run.causes.append(Cause("slipped too far", 5.5, 5.6))
    run.stops.append(Spell(5.5, math.inf, "slip"))
    assert broken(run) == set()


def test_a_part_its_trigger_eye_missed_is_hit_or_stopped_where_a_later_eye_can_tell() -> None:
    run = right()
    run.fates[1].seen_s = None
    _ng_not_hit(run)
    del run.given[1], run.heard[1], run.ordered[1], run.written[1]
    run.counters |= {"triggers": 2, "ng": 0}
    run.astray = {1: 4.0}
    assert broken(run) == {("I2", 1)}
    run.layout = replace(LAYOUT, lanes=(Lane("a", (replace(GATE, confirm_at_mm=None),)),))
    assert broken(run) == set()
