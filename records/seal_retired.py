"""Which rows retention said that it deleted: by number, so that one more that was taken out by hand shows.

A deletion is told of by one link of the seal for up to some hundred parts. Numbers of triggers go up in even steps, so
both are kept as runs with a step.
"""

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from typing import Any

_NONE = 1 << 63


class Runs:
    """A set of numbers, as runs."""

    def __init__(self) -> None:
        self._made: list[tuple[int, int, int]] = []
        self._reach: list[int] = []
        """The greatest number of the runs up to each, in their order."""
        self._sorted = True

    def add(self, first: int, last: int, step: int) -> None:
        """ValueError: that is no run."""
        if first > last or step < 1:
            raise ValueError(f"{first}..{last} by {step}: expected a run of numbers")
        self._made.append((first, last, step))
        self._sorted = False

    def __contains__(self, number: int) -> bool:
        self._settle()
        at = bisect_right(self._made, (number, _NONE, _NONE)) - 1
        while at >= 0 and self._reach[at] >= number:
            first, last, step = self._made[at]
            if number <= last and not (number - first) % step:
                return True
            at -= 1
        return False

    def count(self, least: int, most: int) -> int:
        """How many of them lie in least..most."""
        self._settle()
        found = 0
        at = bisect_right(self._made, (most, _NONE, _NONE)) - 1
        while at >= 0 and self._reach[at] >= least:
            first, last, step = self._made[at]
            below = max(0, -(-(least - first) // step))  # those of the run before `least`
            found += max(0, (min(last, most) - first) // step + 1 - below)
            at -= 1
        return found

    def _settle(self) -> None:
        if not self._sorted:
            self._made.sort()
            self._reach = list(accumulate((last for _, last, _ in self._made), max))
            self._sorted = True


class Retired:
    """What the links of retention say, link by link."""

    def __init__(self) -> None:
        self._parts, self._ranges = Runs(), Runs()
        self._triggers: dict[int, Runs] = {}
        self.loose = 0
        """Parts of links that name a range alone, as the first okng that had a seal wrote them."""

    def add(self, a: int, b: int, body: dict[str, Any]) -> None:
        """Read one link. ValueError, KeyError, TypeError: okng wrote no such text."""
        if "seqs" in body:
            for first, last, step in body["seqs"]:
                self._parts.add(int(first), int(last), int(step))
        else:
            self._ranges.add(a, b, 1)
            self.loose += int(body["parts"])
        for epoch, first, last, *step in body["triggers"]:
            self._triggers.setdefault(int(epoch), Runs()).add(int(first), int(last), int(step[0]) if step else 1)

    def has_part(self, seq: int) -> bool:
        """It went, or is of a range of which some went."""
        return seq in self._parts or seq in self._ranges

    def is_loose(self, seq: int) -> bool:
        """It is known by a range alone."""
        return seq not in self._parts

    def has_trigger(self, epoch: int, number: int) -> bool:
        """It went."""
        return epoch in self._triggers and number in self._triggers[epoch]

    def most_gone(self, first: int, last: int) -> int:
        """How many of the parts first..last may have gone."""
        return self._parts.count(first, last) + self._ranges.count(first, last)


def runs_of(numbers: Iterable[int]) -> list[list[int]]:
    """Numbers as runs: first, last, step."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and found[-1][0] == found[-1][1]:
            found[-1][1:] = [number, number - found[-1][0]]
        elif found and number - found[-1][1] == found[-1][2]:
            found[-1][1] = number
        else:
            found.append([number, number, 1])
    return found
