"""The challenge test, pure: known parts have to be found and removed, so many times in a row, before the line goes on.

    off     no occasion asks for a test          due      one does: READY is held off
    running test parts go through: the line is READY, every part is rejected and counted apart
    passed  found and removed, all of them       unsigned passed, the line goes on, and the sign-off is missing
    failed  one was missed or not removed: the product since the last good test is on hold until it is signed

A missed detection, a reject that nothing confirms, or a good part called NG fails the whole run at once.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..bus.clock import SECOND
from ..bus.errors import Refused
from ..bus.part import Record, Why
from ..bus.shift import ChallengeState, Sample
from .note import Note, Noting
from .options import ChallengeOptions
from .samples import TestPart, problem_of, row_of

MINUTE_NS = 60 * SECOND
_AT_EASE = ("off", "passed", "unsigned")
_PHASES = (*_AT_EASE, "due", "failed")


@dataclass(slots=True)
class _Run:
    number: int
    occasion: str
    who: str
    started: str
    row: list[TestPart]
    before: tuple[str, str, str]
    """Phase, occasion and detail that hold again when it is broken off."""
    done: int = 0
    results: list[dict[str, Any]] = field(default_factory=list)
    waiting: dict[str, Any] | None = None
    """A part that was found and that a person has to say was removed."""


class Challenge(Noting):
    """One line's test. `utc` is for people."""

    def __init__(self, options: ChallengeOptions) -> None:
        super().__init__()
        self._options = options
        self.recipe = ""
        self.parts: tuple[TestPart, ...] = ()
        self._phase = "off"
        self._occasion = ""
        self._detail = ""
        self._last_ok = ""
        self._last_seq = 0
        """`seq` of the last part of the last passed test; 0: there is none, or it is not in the ledger yet."""
        self._ok_part = self._bad_part = (0, 0)
        """Number and moment of parts whose `seq` is looked for: the last of a passed test, the one that failed."""
        self._hold = ("", "", 0, 0)
        self._run: _Run | None = None
        self._number = 0
        self._interval_ns = 0

    # -- what asks for a test ----------------------------------------------------------------------------------------

    def product(self, recipe: str, parts: tuple[TestPart, ...]) -> None:
        """The line makes this now, and these parts test it."""
        self.recipe, self.parts = recipe, parts

    def occur(self, occasion: str) -> bool:
        """Something happened that may ask for a test. True: it is due now."""
        if occasion not in self._options.occasions or self._phase == "failed":
            return False
        if self._run is not None:
            # A run that is passed answers it; one that is broken off does not.
            if self._run.before[0] in _AT_EASE:
                self._run.before = "due", occasion, ""
            return False
        if self._phase == "due":
            return True
        self._phase, self._occasion = "due", occasion
        self._detail = ""
        self._note("due", {"occasion": occasion})
        return True

    def locate(self, seq_of: Callable[[int, int], int]) -> None:
        """Look for the ends of the range in the ledger, which is written a little later. seq_of: 0: not there yet."""
        if self._ok_part != (0, 0) and (found := seq_of(*self._ok_part)):
            self._last_seq, self._ok_part = found, (0, 0)
            self._note("last good part", {"seq": found})
        if self._bad_part != (0, 0) and (found := seq_of(*self._bad_part)):
            begin, end, first, _ = self._hold
            self._hold, self._bad_part = (begin, end, first or self._first(), found), (0, 0)
            if begin:
                self._note("on hold", {"from": begin, "to": end, "first": self._hold[2], "last": found})

    @property
    def seeks(self) -> bool:
        """There is something to `locate`."""
        return (self._ok_part, self._bad_part) != ((0, 0), (0, 0))

    def turn(self, now_ns: int) -> None:
        """Let time pass: an interval may have run out."""
        if "interval" not in self._options.occasions or self._phase not in _AT_EASE:
            return
        if self._interval_ns == 0:
            self._interval_ns = now_ns + self._options.interval_min * MINUTE_NS
        if now_ns >= self._interval_ns + self._options.grace_min * MINUTE_NS:
            self.occur("interval")

    def overdue(self, now_ns: int) -> bool:
        """A test is due, or its interval has run out and the grace is on."""
        ran_out = "interval" in self._options.occasions and 0 < self._interval_ns <= now_ns
        return self._phase == "due" or (ran_out and self._phase in _AT_EASE)

    def left_ns(self, now_ns: int) -> int | None:
        """Time until the next one is due; None: none is."""
        if "interval" not in self._options.occasions or self._interval_ns == 0:
            return None
        return max(0, self._interval_ns - now_ns)

    # -- the run -----------------------------------------------------------------------------------------------------

    def start(self, who: str, utc: str, *, bypass: bool) -> None:
        """Begin a run. Refused: no test parts, a run is on, a bypass is on, or a hold is not released."""
        if self._phase == "running":
            raise Refused("a challenge test is running already")
        if bypass:
            raise Refused("a bypass is on: end it first")
        if not any(part.expected == "NG" for part in self.parts):
            raise Refused(f"no defective test part is set for {self.recipe or 'this product'}: set them first")
        self._number += 1
        occasion = self._occasion if self._phase in ("due", "failed") and self._occasion else "asked"
        row = row_of(self.parts, self._options.passes, memory=self._options.memory)
        before = self._phase, self._occasion, self._detail
        self._run = _Run(self._number, occasion, who, utc, row, before)
        self._phase, self._occasion, self._detail = "running", occasion, ""
        body = {"run": self._number, "occasion": occasion, "recipe": self.recipe, "passes": self._options.passes}
        self._note("started", {**body, "parts": [[part.id, part.name, part.expected] for part in self.parts]}, who)

    def abort(self, who: str) -> None:
        """Break a run off: what was due is due again. Refused: none runs."""
        run = self._must_run()
        self._note("aborted", {"run": run.number, "results": run.results}, who)
        self._run = None
        self._phase, self._occasion, self._detail = run.before
        if self._phase != "failed":
            self._detail = "the test was broken off"

    def record(self, record: Record, utc: str, now_ns: int) -> None:
        """Take a part that came through; one that is no test part is none of ours."""
        run = self._run
        if run is None or record.disposition.why is not Why.CHALLENGE or run.waiting is not None:
            return
        wanted = run.row[run.done]
        problem = problem_of(wanted, record)
        verdict = record.verdict
        result = {
            "sample": wanted.id,
            "name": wanted.name,
            "part": record.trigger.part,
            "triggered_ns": record.trigger.at_ns,
            "expected": wanted.expected,
            "verdict": verdict.outcome.value if verdict else "",
            "score": verdict.score if verdict else 0.0,
            "threshold": verdict.threshold if verdict else 0.0,
            "confirmed": record.receipt.confirmed,
            "at": utc,
            "problem": problem,
        }
        if problem:
            run.results.append(result)
            self._fail(f"{wanted.name}: {problem} (part {record.trigger.part})", utc)
        elif self._options.confirm_by_hand and record.receipt.confirmed is None and wanted.expected == "NG":
            run.waiting = result
            self._detail = f"{wanted.name} was found: was it removed?"
        else:
            self._passed(result, utc, now_ns)

    def confirm(self, removed: bool, who: str, utc: str, now_ns: int, part: int = 0) -> None:
        """A person says whether the last test part was removed. Refused: nobody asked.

        part: number of the part they were asked about; it may be another one that waits by now. 0: whichever waits.
        """
        run = self._must_run()
        if run.waiting is None or part not in (0, run.waiting["part"]):
            raise Refused("no test part waits for a confirmation")
        result, run.waiting = {**run.waiting, "confirmed": removed, "confirmed_by": who}, None
        if removed:
            self._passed(result, utc, now_ns)
        else:
            run.results.append({**result, "problem": "it was not removed"})
            self._fail(f"{run.row[run.done].name}: it was not removed", utc)

    def forgotten(self) -> None:
        """Nobody knows what was due or had failed: wherever tests are asked for at all, one is due now."""
        if self._options.occasions and self._run is None and self._phase in _AT_EASE:
            self._phase, self._occasion, self._detail = "due", "restart", ""
            self._note("due", {"occasion": "restart"})

    def disturbed(self, why: str) -> None:
        """The run cannot be vouched for (io began anew, the product changed): it is broken off."""
        if self._run is not None:
            self.abort("")
            if self._phase != "failed":
                self._detail = why

    def sign(self, who: str, utc: str, reason: str, run: int = 0) -> None:
        """The line lead puts the name under a passed run. Refused: none waits for it. run: the one they saw."""
        if self._phase != "unsigned" or run not in (0, self._number):
            raise Refused(f"the challenge test is {self._phase}: there is nothing to sign")
        self._phase, self._detail = "passed", ""
        self._note("signed", {"run": self._number, "reason": reason, "at": utc}, who)

    def release(self, who: str, utc: str, reason: str) -> None:
        """Let the product on hold go. Refused: none is on hold, or no reason is given."""
        if not self._hold[0]:
            raise Refused("no product is on hold")
        if not reason.strip():
            raise Refused("the release of product on hold needs a reason")
        begin, end, first, last = self._hold
        self._note("hold released", {"from": begin, "to": end, "first": first, "last": last, "reason": reason}, who)
        self._hold = ("", "", 0, 0)
        if self._phase == "failed":
            self._phase = "due"
            self._detail = "the hold is released: repeat the test"

    # -- what it says ------------------------------------------------------------------------------------------------

    @property
    def phase(self) -> str:
        """As in `ChallengeState`."""
        return self._phase

    @property
    def holds(self) -> str:
        """Why the line may not run production, in words; empty: it may."""
        words = {
            "due": f"the challenge test is due ({self._occasion})",
            "running": "a challenge test is running",
        }
        if self._phase == "failed":
            return f"the challenge test has failed: {self._detail}" if self._options.stop_line else ""
        return words.get(self._phase, "")

    @property
    def failed(self) -> str:
        """What failed while its hold is open, in words; empty: nothing."""
        return (self._detail if self._phase == "failed" else "product is on hold") if self._hold[0] else ""

    @property
    def who(self) -> str:
        """Who runs the test; empty: none runs."""
        return self._run.who if self._run is not None else ""

    @property
    def occasion(self) -> str:
        """Why one is due or runs."""
        return self._occasion

    @property
    def detail(self) -> str:
        """What came of the last part, why it failed, or what is missing."""
        if self._phase == "due" and self.recipe and not self.parts:
            return f"no test parts are set for {self.recipe}"
        return self._detail

    def state(self, next_due: str) -> ChallengeState:
        """For the screens. next_due: UTC of `left_ns`."""
        run = self._run
        done = run.done if run is not None else 0
        options = self._options
        row = run.row if run is not None else row_of(self.parts, options.passes, memory=options.memory)
        passed, needed = Counter(part.id for part in row[:done]), Counter(part.id for part in row)
        return ChallengeState(
            phase=self._phase,
            occasion=self._occasion if self._phase not in ("off", "passed") else "",
            next_due=next_due,
            samples=tuple(
                Sample(part.id, part.name, part.expected, passed[part.id], needed[part.id], part.picture)
                for part in self.parts
            ),
            current=row[done].id if run is not None and done < len(row) else "",
            run=self._number,
            started=run.started if run is not None else "",
            who=run.who if run is not None else "",
            last_ok=self._last_ok,
            detail=self.detail,
            hold_from=self._hold[0],
            hold_to=self._hold[1],
            hold_first=self._hold[2],
            hold_last=self._hold[3],
            waiting=int(run.waiting["part"]) if run is not None and run.waiting is not None else 0,
        )

    def snapshot(self, now_ns: int) -> dict[str, Any]:
        """Plain data for `restore`. A run that is on is not in it: after a restart it begins again."""
        phase, occasion, detail = self._phase, self._occasion, self._detail
        if self._run is not None:
            phase, occasion, detail = self._run.before
        return {
            "phase": phase,
            "running": self._run is not None,
            "occasion": occasion,
            "detail": detail,
            "last_ok": self._last_ok,
            "last_seq": self._last_seq,
            "seeks": [*self._ok_part, *self._bad_part],
            "hold": list(self._hold),
            "number": self._number,
            "left_ns": self.left_ns(now_ns),
        }

    def restore(self, kept: dict[str, Any], now_ns: int, away_ns: int) -> None:
        """Go on from a snapshot; away_ns: how long ago it was, by the wall clock. KeyError, ValueError: not of ours."""
        begin, end, first, last = kept["hold"]
        self._hold = (str(begin), str(end), int(first), int(last))
        phase = str(kept["phase"])
        if phase not in _PHASES:
            raise ValueError(f"phase {phase!r}")
        self._phase = phase
        self._occasion, self._detail = str(kept["occasion"]), str(kept["detail"])
        if kept.get("running") and phase != "failed":
            self._detail = "the test was broken off by a restart"
        self._last_ok, self._last_seq = str(kept["last_ok"]), int(kept["last_seq"])
        ok, ok_ns, bad, bad_ns = (int(number) for number in kept["seeks"])
        self._ok_part, self._bad_part = (ok, ok_ns), (bad, bad_ns)
        self._number = int(kept["number"])
        left = kept.get("left_ns")
        self._interval_ns = 0 if left is None else max(1, now_ns + int(left) - max(0, away_ns))

    # -- inside ------------------------------------------------------------------------------------------------------

    def _first(self) -> int:
        """`seq` of the first part after the last passed test; 0: not known yet."""
        return 0 if self._ok_part != (0, 0) else self._last_seq + 1

    def _must_run(self) -> _Run:
        if self._run is None:
            raise Refused("no challenge test is running")
        return self._run

    def _passed(self, result: dict[str, Any], utc: str, now_ns: int) -> None:
        run = self._must_run()
        run.results.append(result)
        run.done += 1
        self._detail = f"{result['name']}: found and removed" if result["expected"] == "NG" else "passed as good"
        self._note("pass", {"run": run.number, **result})
        if run.done < len(run.row):
            return
        self._run = None
        self._phase = "unsigned"
        self._last_ok, self._last_seq = utc, 0
        self._ok_part = (result["part"], result["triggered_ns"])
        if "interval" in self._options.occasions:
            self._interval_ns = now_ns + self._options.interval_min * MINUTE_NS
        self._note("passed", {"run": run.number, "occasion": run.occasion, "results": run.results, "at": utc}, run.who)

    def _fail(self, why: str, utc: str) -> None:
        run = self._must_run()
        self._run = None
        self._phase, self._detail = "failed", why
        begin, _, first, _ = self._hold if self._hold[0] else (self._last_ok or run.started, "", self._first(), 0)
        self._hold = (begin, utc, first, 0)
        self._bad_part = run.results[-1]["part"], run.results[-1]["triggered_ns"]
        body = {"run": run.number, "occasion": run.occasion, "why": why, "results": run.results}
        held = dict(zip(("from", "to", "first", "last"), self._hold, strict=True))
        self._note("failed", {**body, "hold": held}, run.who)

    def _note(self, event: str, body: dict[str, Any], who: str = "") -> None:
        self._notes.append(Note(event, {"recipe": self.recipe, **body}, who))
