"""Row 14: the wall clock is set a day ahead, a day back, and is at 1970 from the start. No verdict goes by it."""

import contextlib
import functools
import os
import struct
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from okng.bus.channel import Subscriber, records_state_address
from okng.bus.messages import RecordsState
from okng.simline.judge import JoinedPart

from .disks import answers, compared, slower
from .evidence import Evidence
from .line import Line
from .row import Finding, Stand

SOURCE = Path(__file__).with_name("wallclock.c")
DAY_NS = 86_400 * 10**9
BELIEVED_S = 20.0
LATE_SHARE, OVERKILL_SHARE = 0.005, 0.05
"""Parts that may be late on a host that does other things, and good ones that the model may call NG: shares, and one
part of each in any case."""


class WallClock:
    """The wall clock of every process that is started with it; set while they run. The monotonic one is true."""

    def __init__(self, folder: Path) -> None:
        """OSError, CalledProcessError: no compiler."""
        folder.mkdir(parents=True, exist_ok=True)
        self._file, self._library = folder / "offset", folder / "wallclock.so"
        self.set(0)
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", self._library, SOURCE, "-ldl"], check=True)

    def set(self, off_ns: int) -> None:
        """Let it stand so far off. The file stays the same one: it is mapped."""
        with self._file.open("r+b" if self._file.exists() else "w+b") as file:
            file.write(struct.pack("<q", off_ns))

    def at_1970(self) -> None:
        """Half a minute after the epoch."""
        self.set(30 * 10**9 - time.time_ns())

    @contextlib.contextmanager
    def under(self, stand: Stand) -> Iterator[None]:
        """Every process that the box starts meanwhile has that clock. The box is stopped before and after."""
        stand.box.stop()
        before = os.environ.get("LD_PRELOAD")
        os.environ.update(LD_PRELOAD=str(self._library), OKNG_WALLCLOCK=str(self._file))
        try:
            stand.box.start()
        finally:
            del os.environ["LD_PRELOAD"], os.environ["OKNG_WALLCLOCK"]
            if before is not None:
                os.environ["LD_PRELOAD"] = before
        yield
        stand.box.stop()


class Clock:
    """Every process of the box, io and camera too, has the wall clock that a file says; the monotonic one is true."""

    number = 14
    fault = "clock ±1 day, step, 1970 at boot"
    how = "the wall clock of every process of the box is set a day ahead and back as it runs, and is at 1970 at a start"
    expected = (
        "no verdict changes, READY stays; the clock is told not to be believed, and is believed again when it is right"
    )

    def run(self, stand: Stand) -> Finding:
        """Step it under a running line, then start with it wrong."""
        parts = stand.many(4, 300)
        clock = WallClock(stand.folder / "wallclock")
        complaints: list[str] = []
        with clock.under(stand), stand.line() as line:
            line.flow(parts)
            first_ns = line.now_ns()
            for name, off_ns in (("ahead", DAY_NS), ("right", 0), ("back", -DAY_NS)):
                line.strike(f"a day {name}", functools.partial(clock.set, off_ns))
                line.flow(parts)
                if said(line, doubted=off_ns != 0) is None:
                    complaints.append(f"{name}: the clock is {'believed' if off_ns else 'not believed'}")
            clock.set(0)
            line.flow(2)
        evidence = line.evidence
        assert evidence is not None
        clock.at_1970()
        with clock.under(stand), stand.line() as line:
            line.flow(parts)
            told = said(line, doubted=True)
            if told is None:
                complaints.append("1970 at the start: the clock is believed")
            line.strike("right again", lambda: clock.set(0))
            line.flow(parts)
            if said(line, doubted=False) is None:
                complaints.append("1970 at the start, then right: the clock is not believed")
        assert line.evidence is not None
        both = (evidence, line.evidence)
        fell = sum(fallen(each) for each in both)
        before, during = answers(evidence, 0, first_ns), answers(evidence, first_ns)
        unjudged, wronged = changed([part for each in both for part in each.parts], complaints)
        if wrong := slower(before, during):
            complaints.append(wrong)
        if fell:
            complaints.append(f"READY fell {fell} times")
        figures: dict[str, object] = {
            **compared(before, during),
            "READY fell": fell,
            "parts with neither OK nor NG": unjudged,
            "good parts called NG": wronged,
            "said at 1970": told or "nothing",
        }
        return Finding(figures, tuple(complaints), ("lock-outs under set clocks: tests/records/test_lockout.py",))


def changed(parts: Sequence[JoinedPart], complaints: list[str]) -> tuple[int, int]:
    """Parts taken that got neither OK nor NG, and good ones that got NG; a complaint where they are too many."""
    taken = [part for part in parts if part.trigger == "accepted"]
    unjudged = sum(part.disposition not in ("ok", "ng") for part in taken)
    wronged = sum(part.label == "good" and part.disposition == "ng" for part in taken)
    if not taken:
        complaints.append("no part was taken")
    if unjudged > 1 + LATE_SHARE * len(taken):
        complaints.append(f"{unjudged} of {len(taken)} parts got neither OK nor NG")
    if wronged > 1 + OVERKILL_SHARE * len(taken):
        complaints.append(f"{wronged} good parts of {len(taken)} were called NG")
    return unjudged, wronged


def fallen(evidence: Evidence) -> int:
    """How often READY went after the first READY."""
    states = [seen.state for seen in evidence.states]
    first = states.index("ready") if "ready" in states else len(states)
    return sum(state not in ("ready", "done") for state in states[first:])


def said(line: Line, *, doubted: bool) -> str | None:
    """What records says of the clock, once it believes or doubts it as asked; None: it does not."""
    with Subscriber([records_state_address(line.box.space.run_dir)], (RecordsState,)) as ears:
        heard: list[str] = []

        def so() -> bool:
            heard.extend(state.clock for state in ears.drain())
            return bool(heard) and bool(heard[-1]) == doubted

        return heard[-1] if line.until(so, BELIEVED_S) else None


ROWS = (Clock(),)
