"""One part, one verdict, from N views: what several cameras said of one part, put together. Pure.

OK needs every view's word. The first view that objects for itself decides, and a view without a picture is UNJUDGED:
nobody waits for the rest, because nothing they say could let the part pass. Only where the job names an agreement does
an objection wait for the other views': it decides when enough of them object, and falls when all have spoken and too
few do.

What is shown of the part (score, heat map, picture) is the deciding view's; what was measured, found and read in the
others goes with it.
"""

from collections.abc import Sequence
from dataclasses import replace

from ..bus.agreement import Poll, alone, objector, polls
from ..bus.messages import Agreement
from ..bus.part import Outcome, Verdict


def no_picture(reason: str) -> str:
    """Word a `FrameLost.reason` as the reason of a verdict; empty stays empty."""
    return f"no picture: {reason}" if reason else ""


class Views:
    """The views of one part until they decide it."""

    __slots__ = ("_agreements", "_expected", "_heard", "open")

    def __init__(self, expected: tuple[str, ...], agreements: tuple[Agreement, ...] = ()) -> None:
        """expected: names of the cameras that see the part, one or more. agreements: of the job."""
        if not expected:
            raise ValueError("views: expected one camera or more")
        self._expected, self._agreements = expected, agreements
        self._heard: list[Verdict] = []
        self.open = frozenset(expected)
        """Cameras that have said nothing yet."""

    def add(self, verdict: Verdict) -> Verdict | None:
        """Take a view's verdict. Returns the part's verdict once it is decided, None until then.

        ValueError: of a camera that is not expected, or that has spoken already (`open` tells).
        """
        self._strike(verdict.camera)
        self._heard.append(verdict)
        standing = polls(self._agreements, self._heard, complete=not self.open)
        decided = self._refused(verdict, standing)
        if decided is not None:
            self.open = frozenset()  # no later OK can undo it
            return decided
        return None if self.open else self._passed(standing)

    def lost(self, camera: str, why: str = "") -> Verdict | None:
        """There is no picture of this view, for a reason that `no_picture` words: the part is UNJUDGED.

        Returns what another view had said, made UNJUDGED; None where none had: there is no verdict to show then.
        ValueError as `add`.
        """
        self._strike(camera)
        self.open = frozenset()
        if not self._heard:
            return None
        nearest = max(self._heard, key=_closeness)
        reasons = (f"no picture by camera {camera}", *((why,) if why else ()), *nearest.reasons)
        return replace(self._merged(nearest), outcome=Outcome.UNJUDGED, reasons=reasons)

    def _strike(self, camera: str) -> None:
        if camera not in self.open:
            raise ValueError(f"view {camera!r}: expected one of {', '.join(sorted(self.open)) or 'none any more'}")
        self.open -= {camera}

    def _refused(self, last: Verdict, standing: Sequence[Poll]) -> Verdict | None:
        """The part's verdict where it cannot be OK any more; None: it still can."""
        said = alone(last, self._agreements)
        if said is Outcome.NG:
            return self._merged(last, standing)
        for outcome in (Outcome.NG, Outcome.UNJUDGED):
            for each in standing:
                if each.outcome is outcome:
                    shown = objector(each.agreement, self._heard) or last
                    merged = self._merged(shown, standing)
                    return replace(merged, outcome=outcome, reasons=(each.reason, *shown.reasons))
        return None if said is Outcome.OK else self._merged(last, standing)

    def _passed(self, standing: Sequence[Poll]) -> Verdict:
        """All have spoken, and nobody's objection stands."""
        fine = [each for each in self._heard if each.outcome is Outcome.OK]
        shown = max(fine, key=_closeness) if fine else min(self._heard, key=_closeness)
        return replace(self._merged(shown, standing), outcome=Outcome.OK, reasons=(), defects=())

    def _merged(self, shown: Verdict, standing: Sequence[Poll] = ()) -> Verdict:
        """The part's verdict: the deciding view's, over the time that all of them took, with what all of them saw."""
        heard = sorted(self._heard, key=lambda each: self._expected.index(each.camera))
        counted = tuple(each.measure for each in standing if each.outcome is not None)
        return replace(
            shown,
            started_ns=min(each.started_ns for each in heard),
            done_ns=max(each.done_ns for each in heard),
            views=tuple(each.frame for each in heard if each is not shown and each.frame is not None),
            image=tuple(health for each in heard for health in each.image),
            placements=tuple(placement for each in heard for placement in each.placements),
            codes=tuple(code for each in heard for code in each.codes),
            measures=counted + tuple(measure for each in heard for measure in each.measures),
            votes=tuple(vote for each in heard for vote in each.votes),
        )


def _closeness(verdict: Verdict) -> float:
    """How near a view came to its limit: the nearest one is shown for the part."""
    return verdict.score - verdict.threshold
