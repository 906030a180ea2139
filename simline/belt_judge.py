"""The judge of the virtual line: I1 to I11, each asked by itself, by physics and the controller's records alone.

Shares no code with what it judges, and is shown wrong controllers before it is believed.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator

from .belt_case import Case, Violation
from .belt_evidence import Evidence

CONTACT_LIMIT_MM = 5.0
"""The jet has to meet a reject this close to its leading edge."""


def _i1(case: Case) -> Iterator[Violation]:
    """Each triggered part has exactly one disposition; no phantom part numbers."""
    run = case.run
    given = Counter(each.number for each in run.given if each.number)
    for number, times in given.items():
        part = case.part_of.get(number)
        if times > 1:
            yield case.say("I1", part, f"number {number} was given {times} times")
        orders = len(case.orders.get(number, []))
        if orders > 1 or (orders == 0 and run.quiet):
            yield case.say("I1", part, f"number {number} has {orders} dispositions")
    written = Counter(each.number for each in run.written)
    for number in sorted({*case.orders, *written} - set(given)):
        yield case.say("I1", None, f"number {number} was never given")
    for number in given:
        if written[number] > 1 or (written[number] == 0 and run.quiet):
            yield case.say("I1", case.part_of.get(number), f"number {number} has {written[number]} records")
    for each in run.given:
        if each.part is not None and not each.number and not any(f.at(each.at_s) for f in run.faults):
            yield case.say("I1", each.part, "the trigger of a part was given no number")


def _i2(case: Case) -> Iterator[Violation]:
    """A part that is NG, unjudged or lost is physically hit."""
    for fate in case.run.fates:
        if fate.past_s is None or fate.touch is not None or case.may_pass(fate.part):
            continue
        if case.first_gate(fate.part).dead or fate.seen_s is None:
            continue
        astray_s = case.run.astray.get(fate.part)
        if astray_s is not None and case.stopped(astray_s, fate.past_s):
            continue
        yield case.say("I2", fate.part, "not OK in time, and it went on down the belt")


def _i2_unseen(case: Case) -> Iterator[Violation]:
    """A part its trigger eye missed is hit or stopped, where a later eye could tell."""
    for fate in case.run.fates:
        if fate.past_s is None or fate.touch is not None or fate.seen_s is not None:
            continue
        watched = [g for g in case.lanes[fate.lane].gates if g.eye_at_mm is not None or g.confirm_at_mm is not None]
        if watched and not case.stopped(case.run.astray.get(fate.part, 0.0), math.inf):
            yield case.say("I2", fate.part, "never triggered, and it went on down the belt without a stop")


def _i3(case: Case) -> Iterator[Violation]:
    """A record that says PASS belongs to a part that is truly OK."""
    for order in case.run.ordered:
        if order.action != "PASS":
            continue
        part = case.part_of.get(order.number)
        if part is None:
            yield case.say("I3", None, f"PASS of number {order.number}, which is no part")
        elif math.isinf(case.good_s(part)):
            said = [(word.view, word.outcome) for word in case.words.get(part, [])]
            yield case.say("I3", part, f"PASS of a part that is not OK: {said}")


def _i4(case: Case) -> Iterator[Violation]:
    """A passed part is not touched by the jet."""
    for fate in case.run.fates:
        order = case.order(fate.part)
        if order is None or order.action != "PASS" or fate.touch is None or fate.part in case.run.astray:
            continue
        yield case.say("I4", fate.part, f"passed, and touched {fate.touch.contact_mm:.1f} mm from its leading edge")


def _i5(case: Case) -> Iterator[Violation]:
    """A record that says REJECT belongs to a part that was hit."""
    run = case.run
    confirmed = {each.number: each.confirmed for each in run.written}
    for fate in run.fates:
        order = case.order(fate.part)
        if order is None or order.action != "REJECT" or fate.past_s is None or fate.touch is not None:
            continue
        gate = case.first_gate(fate.part)
        here = run.meant.get(fate.part, gate.name) == gate.name  # else this eye sees it before its gate
        seen = gate.confirm_at_mm is not None and here and order.number in confirmed
        if fate.part in run.astray and case.stopped(run.astray[fate.part], fate.past_s):
            continue
        if not gate.dead:
            yield case.say("I5", fate.part, "rejected, and never hit")
        elif seen and confirmed[order.number] is not False:
            yield case.say("I5", fate.part, f"seen going on, and its record says confirmed={confirmed[order.number]}")
    for fate in run.fates:
        number = case.number_of.get(fate.part, 0)
        if fate.touch is not None and confirmed.get(number) is False and fate.part not in run.astray:
            yield case.say("I5", fate.part, "hit, and its record says it was not")
        order, meant = case.order(fate.part), run.meant.get(fate.part)
        alone = (
            len(case.clusters[fate.part]) == 1 and not case.blown_in_fault(fate.part) and fate.part not in run.astray
        )
        if fate.touch and order and order.why == "ng" and alone and meant not in (None, fate.touch.gate):
            yield case.say("I5", fate.part, f"left at gate {fate.touch.gate}, its defect leaves at {meant}")


def _i6(case: Case) -> Iterator[Violation]:
    """A timely OK is never rejected, and no fault is without a cause."""
    for fate in case.run.fates:
        order = case.order(fate.part)
        if order is None or order.action == "PASS" or not case.must_pass(fate.part) or case.excused(fate.part):
            continue
        yield case.say("I6", fate.part, f"OK in time, and rejected ({order.why})")
    if case.run.stuck:
        yield case.say("I6", None, f"the line never got through: {len(case.run.stops)} stops")
    for spell in (*case.run.faults, *case.run.stops):
        if not any(cause.at_s <= spell.from_s + case.run.grace_s for cause in case.run.causes):
            yield case.say("I6", None, f"fault or stop without a cause at {spell.from_s:.3f} s: {spell.why}")


def _i7(case: Case) -> Iterator[Violation]:
    """The first contact is within 5 mm of the leading edge."""
    for fate in case.run.fates:
        order = case.order(fate.part)
        if fate.touch is None or order is None or order.action != "REJECT" or fate.part in case.run.astray:
            continue
        if fate.touch.contact_mm > CONTACT_LIMIT_MM and not case.blown_in_fault(fate.part):
            yield case.say("I7", fate.part, f"met {fate.touch.contact_mm:.1f} mm behind its leading edge")


def _i8(case: Case) -> Iterator[Violation]:
    """A disposition is frozen at commit; late results are only counted."""
    run = case.run
    for number, orders in case.orders.items():
        part = case.part_of.get(number)
        if len({(each.action, each.why) for each in orders}) > 1:
            yield case.say("I8", part, f"number {number} was decided anew")
        first = orders[0]
        if first.action == "PASS" and part is not None and not math.isinf(case.good_s(part)):
            good_s = case.good_s(part)
            if good_s > first.committed_s + 1e-9 or good_s >= case.deadline_s(part):
                yield case.say(
                    "I8", part, f"passed by a verdict of {good_s:.4f} s, committed {first.committed_s:.4f} s"
                )
    for each in run.written:
        orders = case.orders.get(each.number, [])
        if orders and (each.action, each.why, each.committed_s) != (
            orders[0].action,
            orders[0].why,
            orders[0].committed_s,
        ):
            yield case.say("I8", case.part_of.get(each.number), f"number {each.number}: its record differs")
    late = 0
    for word in run.heard:
        orders = case.orders.get(word.number, [])
        told_s = orders[0].told_s if orders else math.inf
        if word.outcome != "LOST":
            late += word.part is None or word.at_s > told_s or word.at_s >= case.deadline_s(word.part)
    if run.counters.get("stale", 0) < late:
        yield case.say("I8", None, f"{late} verdicts were late or foreign, counted {run.counters.get('stale', 0)}")


def _i9(case: Case) -> Iterator[Violation]:
    """Every commit precedes the gate by at least valve time and communication bound."""
    for fate in case.run.fates:
        order = case.order(fate.part)
        if order is None or fate.part in case.run.astray or case.excused(fate.part):
            continue
        late_s = order.committed_s - case.latest_s(fate.part)
        if late_s > 1e-6:
            yield case.say("I9", fate.part, f"committed {late_s * 1e3:.2f} ms too late for the valve")


def _i10(case: Case) -> Iterator[Violation]:
    """Any fault leads only to REJECT or stop, until an explicit reset."""
    run = case.run
    for fault in run.faults:
        for order in run.ordered:
            given = case.given.get(order.number)
            open_in_it = given is not None and given.at_s <= fault.to_s and order.committed_s > fault.from_s + 1e-7
            if order.action == "PASS" and open_in_it:
                yield case.say("I10", case.part_of.get(order.number), f"passed though a fault stood ({fault.why})")
        span = min(fault.to_s, fault.from_s + case.run.grace_s), fault.to_s
        if not any(stop.from_s <= span[0] and stop.to_s >= span[1] - case.run.grace_s for stop in run.stops):
            yield case.say("I10", None, f"no line stop during the fault of {fault.from_s:.3f} s ({fault.why})")
    for cause in run.causes:
        by_s = cause.by_s
        if by_s is not None and not any(
            spell.from_s <= by_s and spell.to_s >= cause.at_s for spell in (*run.faults, *run.stops)
        ):
            yield case.say("I10", None, f"{cause.kind} at {cause.at_s:.3f} s: no fault and no stop by {by_s:.3f} s")


def _i11(case: Case) -> Iterator[Violation]:
    """The counters add up to the triggers."""
    run, counters = case.run, case.run.counters
    passed = sum(each.action == "PASS" for each in run.ordered)
    triggers = sum(each.number != 0 for each in run.given)
    expected = {
        "triggers": triggers,
        "ok": passed,
        "rejected": len(run.ordered) - passed,
        "in_flight": triggers - len(run.ordered),
    }
    found = counters | {"rejected": counters.get("ng", 0) + counters.get("unjudged", 0)}
    for name, value in expected.items():
        if found.get(name) != value:
            yield case.say("I11", None, f"{name}: counted {found.get(name)}, the line had {value}")
    unconfirmed = sum(each.confirmed is False for each in run.written)
    if counters.get("unconfirmed", 0) != unconfirmed:
        yield case.say("I11", None, f"unconfirmed: counted {counters.get('unconfirmed', 0)}, records say {unconfirmed}")


QUESTIONS: tuple[Callable[[Case], Iterator[Violation]], ...] = (
    _i1,
    _i2,
    _i2_unseen,
    _i3,
    _i4,
    _i5,
    _i6,
    _i7,
    _i8,
    _i9,
    _i10,
    _i11,
)


def judge(evidence: Evidence) -> list[Violation]:
    """Ask every question. An empty list: nothing to object to."""
    case = Case(evidence)
    return [violation for question in QUESTIONS for violation in question(case)]
