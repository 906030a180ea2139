"""The newest results, by id and by handle, pure: bounded, the oldest is forgotten for one more."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from ..bus.messages import StationState
from ..bus.part import Outcome, Record, Why
from .part_report import result_id

COMPLETED, FAILED = 1, 4
"""Result states of OPC 40100-1 that a finished part can have."""
HANDLES = 256
"""Handles that may be open at a time; the oldest is released for one more."""
_NOT_JUDGED = frozenset((Why.LATE, Why.LOST, Why.FAULT))


@dataclass(frozen=True, slots=True)
class Result:
    """One part's result and what OPC UA adds to it."""

    result_id: str
    record: Record
    epoch: str
    box: str
    recipe: str
    revision: str
    """Of the recipe it was judged by; empty where nobody judged it and the recipe is not the active one."""
    model: str
    job_id: str
    meas_id: str
    """Empty: none was given."""
    lot: str = ""
    """Empty: none was under way."""

    @property
    def state(self) -> int:
        """COMPLETED: it was judged in time. FAILED: it was not, and so is rejected."""
        verdict = self.record.verdict
        judged = verdict is not None and verdict.outcome is not Outcome.UNJUDGED
        return COMPLETED if judged and self.record.disposition.why not in _NOT_JUDGED else FAILED


def result_of(record: Record, line: StationState, box: str, job_id: str, meas_id: str, lot: str = "") -> Result:
    """Make the result of a record. line: io's last state before it. lot: that it is of; empty: none."""
    verdict = record.verdict
    if verdict is not None:
        recipe, revision, model = verdict.recipe, verdict.revision, verdict.model
    else:
        recipe = record.trigger.recipe
        active = recipe == line.job.recipe
        revision, model = (line.job.revision, line.job.model) if active else ("", "")
    found = result_id(record, line.epoch)
    return Result(found, record, line.epoch, box, recipe, revision, model, job_id or line.epoch, meas_id, lot)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a client looks for; an empty text or a zero matches all."""

    state: int = 0
    meas_id: str = ""
    part_id: str = ""
    recipe: str = ""
    model: str = ""
    job_id: str = ""

    def matches(self, result: Result) -> bool:
        """True where nothing that is asked for differs."""
        return (
            self.state in (0, result.state)
            and self.meas_id in ("", result.meas_id)
            and self.part_id in ("", str(result.record.trigger.part))
            and self.recipe in ("", result.recipe)
            and self.model in ("", result.model)
            and self.job_id in ("", result.job_id)
        )


class Shelf:
    """The results of this run of the process, oldest first."""

    def __init__(self, bound: int) -> None:
        """bound: results kept, at least 1."""
        self._bound = bound
        self._results: OrderedDict[str, Result] = OrderedDict()
        self._handles: OrderedDict[int, None] = OrderedDict()
        self._last_handle = 0

    def __len__(self) -> int:
        return len(self._results)

    def add(self, result: Result) -> None:
        """Put one in; one of the same id is replaced."""
        self._results[result.result_id] = result
        if len(self._results) > self._bound:
            self._results.popitem(last=False)

    def get(self, wanted: str) -> Result | None:
        """The result of that id; None: unknown or forgotten."""
        return self._results.get(wanted)

    def find(self, wanted: Wanted, start: int, most: int) -> tuple[list[Result], bool]:
        """Return up to most (0: all) of those that match, from the start-th on; True: there are no more."""
        found = self._matching(wanted)
        page: list[Result] = []
        for number, result in enumerate(found):
            if number < start:
                continue
            if most and len(page) == most:
                return page, False
            page.append(result)
        return page, True

    def _matching(self, wanted: Wanted) -> Iterator[Result]:
        return (result for result in self._results.values() if wanted.matches(result))

    def open(self) -> int:
        """A new handle, 1..2**32-1."""
        self._last_handle = self._last_handle % (2**32 - 1) + 1
        self._handles[self._last_handle] = None
        if len(self._handles) > HANDLES:
            self._handles.popitem(last=False)
        return self._last_handle

    def release(self, handle: int) -> bool:
        """Let go of a handle. False: it is not open."""
        return self._handles.pop(handle, 0) is None
