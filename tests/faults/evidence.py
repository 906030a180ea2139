"""What a row left behind, read from outside: the world's and the PLC's own logs, the exported ledger, the judge's word.

Nothing here asks the box how it is. When a fault was detected is when the PLC saw READY fall, the heartbeat stop or the
link go; when it was over is when the PLC saw READY again.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from okng.records.check import Balance
from okng.simline.judge import OBJECTIONS, JoinedPart, Judgement, Line, join, judge

MS = 1_000_000
NEVER = math.inf
UNSEEN = ("good", "pit")
"""Labels of parts that may pass. Pits are smaller than a cell of the small model that is taught here."""
HANDSHAKE_NS = 60 * MS
"""READY is also off while a trigger is taken, for a scan or two of the PLC: that is no fault."""


@dataclass(frozen=True, slots=True)
class BoxSeen:
    """What the PLC thought of the box from a moment on."""

    at_ns: int
    state: str
    """`ready`, `not_ready`, `dead` (its heartbeat stood for 300 ms), `no_link`, `wrong_map` or `done`."""
    beat_ns: int
    """When its heartbeat moved last."""


@dataclass(frozen=True, slots=True)
class Strike:
    """One injury: what was done to whom, and when."""

    what: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class Effect:
    """What the PLC saw of one injury; `NEVER` where it did not come before the next one."""

    strike: Strike
    detect_ms: float
    """Until READY fell, the heartbeat was missed or the link went."""
    beat_ms: float
    """Until the last beat that the PLC saw; 0 where it went on beating."""
    ready_ms: float
    """Until READY, for good."""

    @property
    def without_ms(self) -> float:
        """From the first moment without READY to the last; 0 where READY never fell."""
        return 0.0 if self.detect_ms == NEVER else self.ready_ms - self.detect_ms


@dataclass(frozen=True)
class Evidence:
    """One run of the simulated line against the box."""

    world: Sequence[Line]
    plc: Sequence[Line]
    ledger: Sequence[Line]
    """Parts of the ledger with a number of this run."""
    balance: Balance
    """Of the whole ledger so far."""
    strikes: Sequence[Strike] = ()
    stopped_ns: int = 2**63
    """When the line was asked to stop: what the PLC saw from there on is nobody's fault."""
    overlooked: frozenset[int] = frozenset()
    """Defective parts, by the belt's count, that the model calls good also when nothing is hurt (`eyes.py`)."""
    parts: Sequence[JoinedPart] = field(init=False)
    judgement: Judgement = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", join(self.world, self.plc, self.ledger))
        object.__setattr__(self, "judgement", judge(self.world, self.plc, self.ledger))

    # -- the verdict that every row gets ------------------------------------------------------------------------------

    @property
    def objections(self) -> list[str]:
        """What must not be after any fault. Empty: no part passed without its OK, and all accounts agree."""
        found = [
            f"{name.replace('_', ' ')}: {count} (parts {', '.join(map(str, self.judgement.offenders.get(name, ())))})"
            for name in OBJECTIONS
            if (count := getattr(self.judgement, name) - (len(self.unread) if name == "ok_but_hit" else 0))
        ]
        if bad := self.defective_passed:
            found.append(f"defective parts passed: {len(bad)} (parts {', '.join(str(p.number) for p in bad[:20])})")
        found += [f"ledger: {problem}" for problem in self.balance.problems]
        if self.balance.open:
            found.append(f"ledger: {self.balance.open} triggers without a disposition")
        return found

    @property
    def unread(self) -> list[JoinedPart]:
        """Blown off though the ledger says PASS, because the PLC was cut off from the OK that it was shown.

        The ledger says so itself: unconfirmed. That is yield, and no wrong account.
        """
        open_ended = {line["part"] for line in self.ledger if line.get("delivery") == "unconfirmed"}
        return [part for part in self.parts if part.end == "bin" and part.said_pass and part.number in open_ended]

    @property
    def defective_passed(self) -> list[JoinedPart]:
        """Parts with a defect that the model finds whenever it is let, and that went on all the same."""
        bad = [part for part in self.parts if part.label not in UNSEEN and part.end == "outfeed"]
        return [part for part in bad if part.index not in self.overlooked]

    @property
    def escapes(self) -> int:
        """Parts that went on without an OK of their own, and defective ones."""
        return len(self.defective_passed) + self.judgement.passed_without_ok + self.judgement.ok_without_picture

    # -- what the faults cost -----------------------------------------------------------------------------------------

    @property
    def false_rejects(self) -> int:
        """Good parts that were rejected although no model called them NG."""
        wrong = {int(str(line["part"])) for line in self.ledger if line["why"] == "ng"}
        return sum(part.label == "good" and part.action == "reject" and part.number not in wrong for part in self.parts)

    def passed_between(self, from_ns: int, to_ns: int) -> list[int]:
        """Numbers of the parts whose trigger was written in that time and whose OK the PLC read."""
        return [
            part.number
            for part in self.parts
            if part.number is not None
            and part.disposition == "ok"
            and part.written_ns is not None
            and from_ns <= part.written_ns < to_ns
        ]

    def struck(self) -> dict[str, list[JoinedPart]]:
        """Parts that the world did something to, by what it did."""
        found: dict[str, list[JoinedPart]] = {}
        for part in self.parts:
            for fault in part.faults:
                found.setdefault(fault, []).append(part)
        return found

    def outcomes(self) -> dict[str, int]:
        """How many parts of the ledger have which `why`."""
        found: dict[str, int] = {}
        for line in self.ledger:
            found[str(line["why"])] = found.get(str(line["why"]), 0) + 1
        return found

    # -- what the PLC saw ---------------------------------------------------------------------------------------------

    @property
    def states(self) -> list[BoxSeen]:
        """The box as the PLC saw it, oldest first, handshakes left out."""
        return states_of(self.plc, self.stopped_ns)

    def effects(self, *what: str) -> list[Effect]:
        """What came of the strikes (of those named so), in order."""
        ends = [strike.at_ns for strike in self.strikes[1:]] + [2**63]
        return [
            effect(self.states, strike, end)
            for strike, end in zip(self.strikes, ends, strict=True)
            if not what or strike.what in what
        ]


def states_of(plc: Iterable[Line], until_ns: int) -> list[BoxSeen]:
    """Return what the PLC thought of the box up to a moment, from its log, handshakes left out."""
    seen = [
        BoxSeen(int(str(line["at_ns"])), str(line["state"]), int(str(line["beat_ns"])))
        for line in plc
        if line["kind"] == "box" and int(str(line["at_ns"])) < until_ns
    ]
    found: list[BoxSeen] = []
    for at, each in enumerate(seen):
        following = seen[at + 1] if at + 1 < len(seen) else BoxSeen(until_ns, "ready", 0)
        short = following.state == "ready" and following.at_ns - each.at_ns < HANDSHAKE_NS
        if each.state == "not_ready" and short and found and found[-1].state == "ready":
            continue
        if not found or found[-1].state != each.state:
            found.append(each)
    return found


def effect(states: Sequence[BoxSeen], strike: Strike, until_ns: int) -> Effect:
    """What the PLC saw between a strike and until_ns."""
    before = [seen for seen in states if seen.at_ns < strike.at_ns]
    fell = [seen for seen in states if strike.at_ns <= seen.at_ns < until_ns and seen.state not in ("ready", "done")]
    if before and before[-1].state != "ready":
        fell.insert(0, replace(before[-1], at_ns=strike.at_ns))  # not ready when it was struck: nothing to detect
    back = [seen for seen in states if strike.at_ns <= seen.at_ns < until_ns and seen.state == "ready"]
    if not fell:
        return Effect(strike, NEVER, 0.0, 0.0)
    stopped = [seen for seen in fell if seen.state == "dead"]
    whole = back and back[-1].at_ns > fell[-1].at_ns
    return Effect(
        strike,
        detect_ms=(fell[0].at_ns - strike.at_ns) / MS,
        beat_ms=max(0.0, (stopped[0].beat_ns - strike.at_ns) / MS) if stopped else 0.0,
        ready_ms=(back[-1].at_ns - strike.at_ns) / MS if whole else NEVER,
    )


def spread(values: Iterable[float]) -> dict[str, float]:
    """p50, max and how many, of those that are numbers; `never` counts the others."""
    every = list(values)
    known = sorted(value for value in every if math.isfinite(value))
    found: dict[str, float] = {"n": len(known)}
    if known:
        found |= {"p50": round(known[math.ceil(0.5 * len(known)) - 1], 1), "max": round(known[-1], 1)}
    if len(known) < len(every):
        found["never"] = len(every) - len(known)
    return found
