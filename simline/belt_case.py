"""One run as the judge looks at it: which number is which part, what was known of it when, who stands close to whom."""

import math
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

from .belt_evidence import Evidence, Given, Heard, Ordered
from .belt_layout import EYE, Gate, Lane


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise."""

    invariant: str
    """`I1` to `I11`."""
    part: int | None
    """Index of the physical part; None: of no one part."""
    number: int | None
    """The controller's number of it."""
    text: str


class Case:
    """One run with the look-ups the questions need."""

    def __init__(self, evidence: Evidence) -> None:
        """Take what a run left behind."""
        self.run = evidence
        self.lanes: dict[str, Lane] = {lane.name: lane for lane in evidence.layout.lanes}
        self.number_of: dict[int, int] = {}
        self.given: dict[int, Given] = {}
        for each in evidence.given:
            if each.part is not None and each.number:
                self.number_of.setdefault(each.part, each.number)
            self.given.setdefault(each.number, each)
        self.part_of = {number: part for part, number in self.number_of.items()}
        self.orders: dict[int, list[Ordered]] = defaultdict(list)
        for order in evidence.ordered:
            self.orders[order.number].append(order)
        self.words: dict[int, list[Heard]] = defaultdict(list)
        for word in evidence.heard:
            if word.part is not None:
                self.words[word.part].append(word)

    def first_gate(self, part: int) -> Gate:
        """Return the gate a part comes to first."""
        return min(self.lanes[self.run.fates[part].lane].gates, key=lambda each: each.jet_at_mm)

    def order(self, part: int) -> Ordered | None:
        """Return what was told of a part first."""
        orders = self.orders.get(self.number_of.get(part, 0))
        return orders[0] if orders else None

    def latest_s(self, part: int) -> float:
        """Return the last moment at which anything can still be decided about a part (I9)."""
        gate = self.first_gate(part)
        return self.run.fates[part].reached_s.get(gate.name, math.inf) - gate.on_s - gate.link_s

    def good_s(self, part: int) -> float:
        """Return when the last view's OK of a part was there; inf: never, or a view said something else.

        What comes after its deadline, or after a part was let go, is late and need take nothing back.
        """
        order, until_s = self.order(part), math.inf
        if order is not None and order.action == "PASS":
            until_s = min(order.committed_s + 1e-7, self.deadline_s(part))
        words = self.words.get(part, [])
        if any(word.outcome != "OK" and word.at_s <= until_s for word in words):
            return math.inf
        good = [word for word in words if word.outcome == "OK"]
        came = {view: min((w.at_s for w in good if w.view == view), default=math.inf) for view in self.run.views}
        return max(came.values())

    def deadline_s(self, part: int) -> float:
        """Return when the verdict of a part is late: at that very moment, so less what sums of floats are off."""
        given = self.given.get(self.number_of.get(part, -1))
        return given.at_s + self.run.deadline_s - 1e-7 if given is not None else -math.inf

    def may_pass(self, part: int) -> bool:
        """Return whether a part was truly OK, and that was known at the last possible moment."""
        return self.good_s(part) < min(self.deadline_s(part), self.latest_s(part) + 1e-9)

    def stopped(self, since_s: float, until_s: float) -> bool:
        """Return whether the controller asked for a stop somewhere in between."""
        return any(stop.from_s <= until_s and stop.to_s >= since_s for stop in self.run.stops)

    @cached_property
    def clusters(self) -> dict[int, list[int]]:
        """Return for each part all those that stand so close in a row that they may share a reject."""
        found: dict[int, list[int]] = {}
        layout = self.run.layout
        for lane in self.lanes:
            row = sorted((part.at_mm, n) for n, part in enumerate(layout.parts) if part.lane == lane)
            ghosts = [(ghost.at_mm, -1) for ghost in layout.ghosts if (ghost.kind, ghost.name) == (EYE, lane)]
            last, cluster = -math.inf, list[int]()
            for at, part in sorted(row + ghosts):
                if at - last - layout.part_length_mm > self.run.group_mm:
                    cluster = []
                cluster.append(part)
                last = at
                if part >= 0:
                    found[part] = cluster
        return found

    def must_pass(self, part: int) -> bool:
        """Return whether nothing entitles the controller to reject it: it and its close neighbours are OK in time.

        In time is before the first of them comes to the gate, and a row too long to be known whole by then is not.
        """
        cluster = self.clusters[part]
        if -1 in cluster:
            return False
        first_s = min(self.run.timely_until_s.get(each, math.inf) for each in cluster)
        if max(self.run.clear_s.get(each, math.inf) for each in cluster) >= first_s:
            return False
        return all(self.good_s(each) < min(first_s, self.deadline_s(each)) for each in cluster)

    def excused(self, part: int) -> bool:
        """Return whether a fault stood while a part was under way."""
        order, given = self.order(part), self.given.get(self.number_of.get(part, -1))
        if order is None or given is None:
            return False
        latest_s = order.committed_s + self.run.grace_s
        return any(fault.from_s <= latest_s and fault.to_s >= given.at_s for fault in self.run.faults)

    def blown_in_fault(self, part: int) -> bool:
        """Return whether a part was met while, or soon after, a fault stood: then all is blown off that may be."""
        touch, given = self.run.fates[part].touch, self.given.get(self.number_of.get(part, -1))
        if touch is None or given is None:
            return False
        return any(fault.from_s <= touch.at_s and fault.to_s >= given.at_s for fault in self.run.faults)

    def say(self, invariant: str, part: int | None, text: str) -> Violation:
        """Make a violation."""
        return Violation(invariant, part, self.number_of.get(part) if part is not None else None, text)
