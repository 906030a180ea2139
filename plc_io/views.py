"""One part, one verdict, from N views: what several cameras said of one part, put together. Pure.

OK needs every view's OK. The first view that says anything else decides, and a view without a picture is UNJUDGED:
nobody waits for the rest, because nothing they say could let the part pass.

What is shown of the part (score, heat map, picture) is the deciding view's; what was measured, found and read in the
others goes with it.
"""

from dataclasses import replace

from ..bus.part import Outcome, Verdict


class Views:
    """The views of one part until they decide it."""

    __slots__ = ("_expected", "_heard", "open")

    def __init__(self, expected: tuple[str, ...]) -> None:
        """expected: names of the cameras that see the part, one or more."""
        if not expected:
            raise ValueError("views: expected one camera or more")
        self._expected = expected
        self._heard: list[Verdict] = []
        self.open = frozenset(expected)
        """Cameras that have said nothing yet."""

    def add(self, verdict: Verdict) -> Verdict | None:
        """Take a view's verdict. Returns the part's verdict once it is decided, None until then.

        ValueError: of a camera that is not expected, or that has spoken already (`open` tells).
        """
        self._strike(verdict.camera)
        self._heard.append(verdict)
        if verdict.outcome is not Outcome.OK:
            self.open = frozenset()  # decided: no later OK can undo it
            return self._merged(verdict)
        return None if self.open else self._merged(max(self._heard, key=_closeness))

    def lost(self, camera: str) -> Verdict | None:
        """There is no picture of this view: the part is UNJUDGED.

        Returns what another view had said, made UNJUDGED; None where none had: there is no verdict to show then.
        ValueError as `add`.
        """
        self._strike(camera)
        self.open = frozenset()
        if not self._heard:
            return None
        nearest = max(self._heard, key=_closeness)
        return replace(self._merged(nearest), outcome=Outcome.UNJUDGED, reasons=(f"no picture by camera {camera}",))

    def _strike(self, camera: str) -> None:
        if camera not in self.open:
            raise ValueError(f"view {camera!r}: expected one of {', '.join(sorted(self.open)) or 'none any more'}")
        self.open -= {camera}

    def _merged(self, shown: Verdict) -> Verdict:
        """The part's verdict: the deciding view's, over the time that all of them took, with what all of them saw."""
        heard = sorted(self._heard, key=lambda each: self._expected.index(each.camera))
        return replace(
            shown,
            started_ns=min(each.started_ns for each in heard),
            done_ns=max(each.done_ns for each in heard),
            views=tuple(each.frame for each in heard if each is not shown and each.frame is not None),
            image=tuple(health for each in heard for health in each.image),
            placements=tuple(placement for each in heard for placement in each.placements),
            codes=tuple(code for each in heard for code in each.codes),
        )


def _closeness(verdict: Verdict) -> float:
    """How near a view came to its limit: the nearest one is shown for the part."""
    return verdict.score - verdict.threshold
