"""The guided change-over, pure: 1 pick, 2 compare, 3 lot, 4 apply, 5 test, 6 release.

`step` is where one is; `complete` does that step. The old job stays in force until io has answered step 4, and READY is
held off from then until the release. What was not released goes back to the old job: by `abort`, and after a restart.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from ..bus.errors import Refused
from ..bus.messages import JobAnswer
from ..bus.shift import ChangeOver
from .note import Note, Noting

PICK, COMPARE, LOT, APPLY, TEST, RELEASE = 1, 2, 3, 4, 5, 6
NAMES = {PICK: "pick", COMPARE: "compare", LOT: "lot", APPLY: "apply", TEST: "test", RELEASE: "release"}


@dataclass(slots=True)
class _Change:
    from_number: int
    to_number: int
    who: str
    since: str
    step: int = COMPARE
    lot: str = ""
    detail: str = ""
    applying: bool = False
    """Step 4 was asked for: what io makes active may be the new job."""
    applied: bool = False
    going_back: bool = False


class Changes(Noting):
    """At most one change-over. `wanted` is the job that io has to be asked for."""

    def __init__(self, jobs: Collection[int]) -> None:
        """jobs: numbers there are."""
        super().__init__()
        self._jobs = jobs
        self._change: _Change | None = None

    # -- what people do ----------------------------------------------------------------------------------------------

    def begin(self, number: int, active: int, who: str, utc: str) -> None:
        """Pick a job. Refused: one is under way, there is no such job, it is the active one, or io is not heard."""
        if self._change is not None:
            raise Refused("a change-over is under way: finish it or break it off")
        if not active:
            raise Refused("the line's own job is not known: io does not answer")
        if number not in self._jobs:
            raise Refused(f"there is no job {number}: expected one of {', '.join(map(str, sorted(self._jobs)))}")
        if number == active:
            raise Refused(f"job {number} is the active one already")
        self._change = _Change(active, number, who, utc)
        self._note("begun", who, {})

    def complete(self, step: int, who: str, lot: str = "") -> None:
        """Do the step one is at. Refused: it is another one, or it waits for something."""
        change = self._must()
        if change.going_back:
            raise Refused(f"the change-over is being taken back to job {change.from_number}")
        if step != change.step:
            raise Refused(f"the change-over is at step {change.step} ({NAMES[change.step]}), not at {step}")
        if step == COMPARE:
            change.step = LOT
        elif step == LOT:
            change.lot, change.step = lot, APPLY
        elif step == APPLY:
            if change.applying:
                raise Refused(f"job {change.to_number} is being made ready: {change.detail}")
            change.applying, change.detail = True, f"job {change.to_number} is being made ready"
        elif step == TEST:
            raise Refused("the challenge test is not passed yet")
        else:
            self._note("released", who, {})
            self._change = None
            return
        self._note(f"step {step} done", who, {"lot": change.lot})

    def abort(self, who: str, why: str = "") -> None:
        """Break it off: the old job stays, or is asked for again. Refused: none is under way."""
        change = self._must()
        if change.going_back:
            raise Refused(f"the change-over is being taken back to job {change.from_number} already")
        self._note("aborted", who, {"why": why})
        if not change.applying:
            self._change = None
            return
        change.going_back, change.detail = True, f"going back to job {change.from_number}"

    # -- what the line says ------------------------------------------------------------------------------------------

    def answered(self, answer: JobAnswer) -> None:
        """Take io's answer to what was asked for by us."""
        change = self._change
        if change is None or not change.applying or answer.number != self.wanted:
            return
        if not answer.done:
            change.detail = answer.detail
            if not change.going_back and not change.applied:
                change.applying = False  # the old job stays active in io; step 4 may be tried again
                self._note("refused", "", {"why": answer.detail})
            return
        if change.going_back:
            self._note("taken back", "", {})
            self._change = None
        elif not change.applied:
            change.applied, change.detail = True, "the golden pictures are being judged"
            self._note("applied", "", {})

    def seen(self, active: int) -> None:
        """The line says which job is active. The PLC may have changed it in between: then this change-over is over."""
        change = self._change
        if change is None or change.going_back or (change.applying and not change.applied):
            return
        if active != (change.to_number if change.applied else change.from_number):
            self._note("overtaken", "", {"active": active})
            self._change = None

    def ready(self, *, test: bool) -> None:
        """The judge is ready with the new job. test: a challenge test has to be passed before the release."""
        change = self._change
        if change is not None and change.applied and change.step == APPLY and not change.going_back:
            change.step, change.detail = (TEST if test else RELEASE), ""
            self._note("self test passed", "", {})

    def tested(self) -> None:
        """The challenge test was passed."""
        change = self._change
        if change is not None and change.step == TEST and not change.going_back:
            change.step, change.detail = RELEASE, ""
            self._note("challenge test passed", "", {})

    def untested(self) -> None:
        """What had passed is due again: the release has to wait for it."""
        change = self._change
        if change is not None and change.step == RELEASE:
            change.step = TEST

    # -- what it says ------------------------------------------------------------------------------------------------

    @property
    def wanted(self) -> int:
        """The job io is to be asked for until it answers; 0: none."""
        change = self._change
        if change is None or not change.applying:
            return 0
        if change.going_back:
            return change.from_number
        return 0 if change.applied else change.to_number

    @property
    def step(self) -> int:
        """Where one is; 0: none is under way."""
        return 0 if self._change is None else self._change.step

    @property
    def applied(self) -> bool:
        """The new job is active and not released."""
        return self._change is not None and self._change.applied and not self._change.going_back

    @property
    def to_number(self) -> int:
        """The job it goes to; 0: none is under way."""
        return 0 if self._change is None else self._change.to_number

    @property
    def lot(self) -> str:
        """The lot given in step 3."""
        return "" if self._change is None else self._change.lot

    @property
    def holds(self) -> str:
        """Why READY is held off, in words; empty: it is not."""
        change = self._change
        if change is None or not change.applying:
            return ""
        if change.going_back:
            return f"change-over: {change.detail}"
        return f"change-over to job {change.to_number}: step {change.step} of 6 ({NAMES[change.step]})"

    def state(self) -> ChangeOver:
        """For the screens."""
        change = self._change
        if change is None:
            return ChangeOver()
        return ChangeOver(
            step=change.step,
            from_number=change.from_number,
            to_number=change.to_number,
            lot=change.lot,
            who=change.who,
            since=change.since,
            detail=change.detail,
            applied=change.applied,
        )

    def snapshot(self) -> dict[str, Any]:
        """Plain data for `restore`; empty: none is under way."""
        change = self._change
        if change is None:
            return {}
        return {
            "from": change.from_number,
            "to": change.to_number,
            "who": change.who,
            "since": change.since,
            "applying": change.applying,
        }

    def restore(self, kept: dict[str, Any]) -> None:
        """After a restart: what was not released goes back to the old job, what had not begun to be applied is over."""
        if not kept or not kept.get("applying"):
            return
        self._change = _Change(int(kept["from"]), int(kept["to"]), str(kept["who"]), str(kept["since"]), step=APPLY)
        self._change.applying = True
        self.abort("", "shift was started again")

    # -- inside ------------------------------------------------------------------------------------------------------

    def _must(self) -> _Change:
        if self._change is None:
            raise Refused("no change-over is under way")
        return self._change

    def _note(self, event: str, who: str, body: dict[str, Any]) -> None:
        change = self._must()
        numbers = {"from": change.from_number, "to": change.to_number, "step": change.step}
        self._notes.append(Note(event, {**numbers, **body}, who))
